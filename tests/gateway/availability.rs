//! What callers get when something cannot go on: the gateway's own limits, and upstreams that do not do their part.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::net::TcpListener;

use crate::client::{Ask, Reply};
use crate::http1::Wire;
use crate::site::{Site, unused};
use crate::upstream::Call;

const CHAT: &str = "/v1/chat/completions";
const MESSAGE: &str = r#"{"model":"m","stream":true}"#;

/// Far less than a limit that was not kept would take, and more than a busy machine adds.
const SOON: Duration = Duration::from_secs(5);

/// The client's connection and the provider's, once the request has gone through.
async fn under_way(site: &Site) -> (Wire, Call) {
    let ask = Ask::post(CHAT, MESSAGE);
    let expected = site.upstream.expect(&ask.id());
    let mut client = Wire::connect(site.address()).await;
    assert!(client.write(&ask.bytes()).await);
    let mut call = expected.call().await;
    assert!(call.body().await.complete);
    (client, call)
}

fn code(reply: &Reply) -> String {
    reply.json()["error"]["code"].as_str().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn a_request_that_cannot_be_inspected_in_time_is_refused_and_never_whole_upstream() {
    let site = Site::start("[timeouts]\ninspection = \"1ms\"\n");
    let body = format!(r#"{{"a":"{}"}}"#, "harmless words ".repeat(200_000));
    for ask in [Ask::post(CHAT, body.as_str()), Ask::post(CHAT, body.as_str()).chunked(60_000)] {
        let reply = ask.send(site.address()).await;
        assert_eq!((reply.status(), reply.header("retry-after")), (503, Some("1")), "{}", reply.text());
        assert_eq!(code(&reply), "inspection_timeout");
        assert!(site.upstream.requests(&ask.id()).iter().all(|seen| !seen.body.complete));
        assert_eq!(site.gateway.record(&ask.id()).await["verdict"], "failed");
    }
}

#[tokio::test]
async fn an_upstream_that_cannot_be_reached_is_502_in_the_dialect_and_soon() {
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let plain = Site::start("");
    let cases = [
        (format!("http://{}", unused()), "upstream_unreachable"),
        ("http://no-such-host.invalid".to_owned(), "upstream_unreachable"),
        // Answers, but not in TLS.
        (format!("https://localhost:{}", plain.gateway.address.port()), "upstream_tls"),
        // Connects, and never says a word of TLS.
        (format!("https://localhost:{}", port(&silent)), "upstream_unreachable"),
    ];
    for (url, expected) in cases {
        let site = Site::with_upstream(&format!("url = \"{url}\"\n[upstream.timeouts]\nconnect = \"500ms\"\n"));
        let begun = Instant::now();
        let reply = Ask::post(CHAT, MESSAGE).send(site.address()).await;
        assert_eq!((reply.status(), &*code(&reply)), (502, expected), "{url}");
        // Pingora's own limit for a connection is ten seconds.
        assert!(begun.elapsed() < SOON, "{url}: {:?}", begun.elapsed());
    }
}

fn port(listener: &TcpListener) -> u16 {
    listener.local_addr().map_or(0, |address: SocketAddr| address.port())
}

/// Timeouts of one upstream, of which the one in question is short and the other long.
fn patient(first_byte: &str, idle: &str) -> Site {
    Site::start(&format!("[timeouts]\nfirst_byte = \"{first_byte}\"\nidle = \"{idle}\"\n"))
}

#[tokio::test]
async fn the_first_byte_and_a_pause_are_waited_for_as_long_as_each_may_take() {
    // The short time is a second, in which a busy machine must do what it has to.
    let pause = Duration::from_millis(1500);
    // Whatever the pause within the answer may be, its head must come in time; and it may be the other way about.
    let site = patient("1s", "60s");
    let ask = Ask::post(CHAT, MESSAGE);
    let expected = site.upstream.expect(&ask.id());
    let (reply, call) = tokio::join!(ask.send(site.address()), expected.call());
    assert_eq!((reply.status(), &*code(&reply)), (504, "upstream_timeout"));
    drop(call);

    let (mut client, mut call) = under_way(&site).await;
    call.begin("text/event-stream").await;
    assert_eq!(client.head().await.map(|head| head.status()), Some(200));
    tokio::time::sleep(pause).await;
    call.chunk(b"data: a\n\n").await;
    call.end().await;
    assert!(client.chunked(usize::MAX).await.complete, "a pause shorter than idle is none");

    let site = patient("60s", "1s");
    let (mut client, mut call) = under_way(&site).await;
    tokio::time::sleep(pause).await;
    call.begin("text/event-stream").await;
    call.chunk(b"data: a\n\n").await;
    assert_eq!(client.head().await.map(|head| head.status()), Some(200), "the first byte has its own time");
    let body = client.chunked(usize::MAX).await;
    let text = String::from_utf8_lossy(&body.bytes);
    assert!(text.starts_with("data: a\n\ndata: {\"error\":") && text.contains("upstream_timeout"), "{text}");
    assert!(!body.complete && text.ends_with("\n\n") && !text.contains("[DONE]"), "{text}");
    assert!(call.wire.ended().await < SOON);
}

#[tokio::test]
async fn an_answers_head_that_drips_has_no_more_time_than_one_that_does_not_come() {
    let site = patient("500ms", "60s");
    let (mut client, mut call) = under_way(&site).await;
    call.wire.write(b"HTTP/1.1 200 OK\r\nx: ").await;
    let drip = async {
        while call.wire.write(b"a").await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let (_, answer) = tokio::join!(drip, client.response());
    assert_eq!(answer.map(|(head, _)| head.status()), Some(504));
}

#[tokio::test]
async fn silence_within_an_answer_that_ends_with_its_connection_does_not_look_like_its_end() {
    let site = patient("60s", "300ms");
    let (mut client, mut call) = under_way(&site).await;
    call.wire
        .write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\ndata: a\n\n")
        .await;
    assert_eq!(client.head().await.map(|head| head.status()), Some(200));
    assert!(!client.chunked(usize::MAX).await.complete);
}

#[tokio::test]
async fn a_request_goes_to_the_next_address_of_its_upstream_when_one_cannot_be_reached() {
    let live = Site::start("");
    let second = live.upstream.address;
    let site = Site::with_upstream(&format!("url = \"http://{}\"\nfailover = [\"http://{second}\"]\n", unused()));
    for ask in [Ask::post(CHAT, MESSAGE), Ask::post(CHAT, MESSAGE).chunked(5)] {
        assert_eq!(ask.send(site.address()).await.status(), 200);
        let seen = live.upstream.request(&ask.id()).await;
        assert_eq!((seen.head.header("host"), seen.body.complete), (Some(&*second.to_string()), true));
    }
}

#[tokio::test]
async fn whoever_is_refused_takes_nobodys_place() {
    let site = Site::start("[limits]\nin_flight = 1\n");
    let long = || Ask::post(CHAT, "a".repeat(1000));
    for (refused, status) in [(long().without("authorization"), 401), (long().with("content-type", "text/plain"), 415)]
    {
        let mut served = false;
        // The wait ends after a second, and at its beginning the place may be the other caller's: after either it is tried again.
        for _ in 0..20 {
            let mut waiting = Wire::connect(site.address()).await;
            assert!(waiting.write(&refused.head()).await);
            // Waited for with its body, so that it would see the answer.
            let answer = tokio::select! {
                biased;
                head = waiting.head() => head,
                () = served_at_last(&site) => {
                    served = true;
                    waiting.head().await
                }
            };
            let answer = answer.map(|head| head.status());
            assert!([Some(status), Some(503)].contains(&answer), "{answer:?}");
            served &= answer == Some(status);
            if served {
                break;
            }
        }
        assert!(served, "{status}");
    }
}

/// Asks until there is a place: between its token and its refusal another caller has it for a moment, and one that has gone until
/// the gateway comes to it.
async fn served_at_last(site: &Site) {
    loop {
        let reply = Ask::post(CHAT, MESSAGE).send(site.address()).await;
        match reply.status() {
            200 => return,
            status => assert_eq!((status, &*code(&reply)), (503, "in_flight")),
        }
    }
}

#[tokio::test]
async fn more_requests_at_once_than_may_be_are_refused_until_one_has_ended() {
    let site = Site::start("[limits]\nin_flight = 2\n");
    let (first, second) = (under_way(&site).await, under_way(&site).await);
    let reply = Ask::post(CHAT, MESSAGE).send(site.address()).await;
    assert_eq!((reply.status(), reply.header("retry-after"), &*code(&reply)), (503, Some("1"), "in_flight"));
    let (client, mut call) = first;
    drop(client);
    call.wire.ended().await;
    served_at_last(&site).await;
    drop(second);
}

#[tokio::test]
async fn a_request_for_which_there_is_no_memory_is_refused_before_it_is_read() {
    let site = Site::start("[limits]\nhold = \"64KiB\"\nmemory = \"64KiB\"\n");
    let long = format!(r#"{{"a":"{}"}}"#, "harmless words ".repeat(10_000));
    let reply = Ask::post(CHAT, long.as_str()).send(site.address()).await;
    assert_eq!((reply.status(), reply.header("retry-after"), &*code(&reply)), (503, Some("1"), "memory"));
    let reply = Ask::post(CHAT, long).chunked(1000).send(site.address()).await;
    assert_eq!((reply.status(), &*code(&reply)), (503, "memory"));
    assert_eq!(Ask::post(CHAT, MESSAGE).send(site.address()).await.status(), 200);
}

#[tokio::test]
async fn an_answer_for_which_there_is_no_memory_ends_and_does_not_look_complete() {
    let site = Site::start("[limits]\nhold = \"64KiB\"\nmemory = \"64KiB\"\n");
    let (mut client, mut call) = under_way(&site).await;
    call.begin("application/json").await;
    let held = [b"{\"a\":\"".as_slice(), &b"harmless words ".repeat(10_000)].concat();
    call.chunk(&held).await;
    let (head, body) = client.response().await.expect("a head");
    assert!(head.status() == 503 || !body.complete, "{head:?}");
    assert!(call.wire.ended().await < SOON);
}

#[tokio::test]
async fn while_it_drains_nobody_new_is_let_in_and_a_silent_stream_hears_of_the_end() {
    let mut site = Site::start("[timeouts]\ndrain = \"3s\"\n");
    let (mut client, mut call) = under_way(&site).await;
    call.begin("text/event-stream").await;
    call.chunk(b"data: one\n\n").await;
    assert!(client.head().await.is_some());
    assert_eq!(client.chunked(11).await.bytes, b"data: one\n\n");
    site.gateway.terminate();
    while tokio::net::TcpStream::connect(site.address()).await.is_ok() {
        tokio::task::yield_now().await;
    }
    // The stream under way goes on.
    call.chunk(b"data: two\n\n").await;
    assert_eq!(client.chunked(11).await.bytes, b"data: two\n\n");
    let body = client.chunked(usize::MAX).await;
    let text = String::from_utf8_lossy(&body.bytes);
    assert!(!body.complete && text.contains("shutting_down") && text.ends_with("\n\n"), "{text}");
    assert_eq!(site.gateway.ended().await, Some(0));
}

#[tokio::test]
async fn a_stream_that_outlives_the_drain_is_told_so_and_the_process_ends() {
    let mut site = Site::start("[timeouts]\ndrain = \"300ms\"\n");
    let (mut client, mut call) = under_way(&site).await;
    call.begin("text/event-stream").await;
    call.chunk(b"data: one\n\n").await;
    assert!(client.head().await.is_some());
    assert_eq!(client.chunked(11).await.bytes, b"data: one\n\n");
    site.gateway.terminate();
    let feed = async {
        // The provider goes on until the gateway takes no more.
        let chunk = b"b\r\ndata: two\n\n\r\n";
        while call.wire.write(chunk).await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let (body, ()) = tokio::join!(client.chunked(usize::MAX), feed);
    let text = String::from_utf8_lossy(&body.bytes).into_owned();
    assert!(!body.complete && text.contains("shutting_down"), "{text}");
    assert_eq!(site.gateway.ended().await, Some(0));
}
