//! Clients that take their time: each is cut off by a limit of its own, and nobody else waits for it.

use std::sync::LazyLock;
use std::time::Duration;

use bytes::Bytes;

use crate::client::{Ask, Reply, chunks};
use crate::http1::{Wire, in_time};
use crate::http2;
use crate::site::{Site, TLS};

const CHAT: &str = "/v1/chat/completions";

const LIMITS: &str = "[timeouts]\nrequest_head = \"1s\"\nrequest_body = \"6s\"\nstall = \"1s\"\nkeepalive = \"4s\"\n\
                      [limits]\nmin_rate = \"64KiB\"\n";

/// Limits that a test can wait for.
fn site() -> &'static Site {
    static SITE: LazyLock<Site> = LazyLock::new(|| Site::start(LIMITS));
    &SITE
}

/// Sends a byte now and then, until the answer is here or the connection ends.
async fn drip(wire: &mut Wire, bytes: &[u8], every: Duration) -> Option<u16> {
    for byte in bytes {
        if !wire.write(&[*byte]).await {
            break;
        }
        // The pace is the attack; nothing waits for it.
        if let Ok(answer) = tokio::time::timeout(every, wire.head()).await {
            return answer.map(|head| head.status());
        }
    }
    wire.head().await.map(|head| head.status())
}

async fn served() {
    assert_eq!(Ask::post(CHAT, r#"{"a":"b"}"#).send(site().address()).await.status(), 200);
}

#[tokio::test]
async fn a_head_that_drips_is_cut_by_its_total_time() {
    let head = Ask::post(CHAT, "{}").with("x-filler", &"a".repeat(1000)).head();
    let mut wires = Vec::new();
    for _ in 0..20 {
        let mut wire = Wire::connect(site().address()).await;
        let head = head.clone();
        wires.push(tokio::spawn(async move { drip(&mut wire, &head, Duration::from_millis(50)).await }));
    }
    served().await;
    for wire in wires {
        assert_eq!(wire.await.expect("a client"), Some(408));
    }
}

#[tokio::test]
async fn a_client_that_says_nothing_or_half_a_word_is_let_go() {
    let mut silent = tokio::task::JoinSet::new();
    for begin in ["", "\r\n", "PRI * HTTP", "POST /v1/chat/comp", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"] {
        silent.spawn(async move {
            let mut wire = Wire::connect(site().address()).await;
            assert!(wire.write(begin.as_bytes()).await);
            wire.ended().await;
        });
    }
    served().await;
    while let Some(ended) = silent.join_next().await {
        ended.expect("the gateway ends it");
    }
}

#[tokio::test]
async fn a_short_request_is_not_kept_waiting_for_a_preface() {
    let mut wire = Wire::connect(site().address()).await;
    assert!(wire.write(b"GET / HTTP/1.1\r\n\r\n").await);
    assert_eq!(wire.head().await.map(|head| head.status()), Some(400));
}

#[tokio::test]
async fn a_kept_connection_ends_when_it_is_idle_and_not_before() {
    let mut wire = Wire::connect(site().address()).await;
    for _ in 0..3 {
        let (_, answer) = wire.exchange(&Ask::post(CHAT, "{}").bytes()).await;
        assert_eq!(answer.map(|(head, _)| head.status()), Some(200));
        // Longer than a head may take: a request that was refused or served leaves no clock running.
        tokio::time::sleep(Duration::from_millis(1200)).await;
        let (_, answer) = wire.exchange(&Ask::post(CHAT, "{").bytes()).await;
        assert_eq!(answer.map(|(head, _)| head.status()), Some(400));
    }
    assert!(wire.head().await.is_none(), "the gateway ends it");
}

#[tokio::test]
async fn a_body_that_stops_or_crawls_is_cut() {
    let body = format!(r#"{{"a":"{}"}}"#, "b".repeat(20_000));
    for ask in [Ask::post(CHAT, body.as_str()), Ask::post(CHAT, body.as_str()).chunked(1000)] {
        // It stops.
        let mut wire = Wire::connect(site().address()).await;
        let bytes = ask.bytes();
        assert!(wire.write(&bytes[..bytes.len() / 2]).await);
        let (head, answer) = wire.response().await.expect("an answer");
        let answer = Reply { head, body: answer, took_all: false };
        assert_eq!((answer.status(), &answer.json()["error"]["code"]), (408, &"body_timeout".into()));
        // It crawls: each byte is in time, the whole is not.
        let mut wire = Wire::connect(site().address()).await;
        assert!(wire.write(&ask.head()).await);
        let crawl =
            if ask.bytes().ends_with(b"0\r\n\r\n") { chunks(body.as_bytes(), 1) } else { body.clone().into_bytes() };
        assert_eq!(drip(&mut wire, &crawl, Duration::from_millis(100)).await, Some(408));
        assert!(site().upstream.requests(&ask.id()).iter().all(|seen| !seen.body.complete));
    }
    served().await;
}

#[tokio::test]
async fn an_upload_over_http2_that_stops_is_cut() {
    let ask = Ask::post(CHAT, r#"{"a":"b"}"#);
    let mut client = http2::connect(site().address()).await;
    let (response, mut up) = http2::begin(&mut client, &ask, false).await;
    up.send_data(Bytes::from_static(b"{\"a\":"), false).expect("room for a beginning");
    let answered = in_time(response).await.is_ok_and(|answer| answer.status().is_success());
    assert!(!answered);
    assert!(site().upstream.requests(&ask.id()).iter().all(|seen| !seen.body.complete));
    served().await;
}

/// Sends a request whose answer nobody reads, and lets the upstream write until the gateway gives up.
async fn unread(over_http2: bool) {
    let ask = Ask::post(CHAT, "{}");
    let expected = site().upstream.expect(&ask.id());
    let (mut wire, mut streams) = (None, Vec::new());
    if over_http2 {
        let mut client = http2::connect(site().address()).await;
        let (response, mut up) = http2::begin(&mut client, &ask, false).await;
        up.send_data(Bytes::from_static(b"{}"), true).expect("room for a body");
        streams.push((response, up));
    } else {
        let client = wire.insert(Wire::connect(site().address()).await);
        assert!(client.write(&ask.bytes()).await);
    }
    let mut call = expected.call().await;
    call.begin("text/event-stream").await;
    let event = format!("data: {}\n\n", "a ".repeat(16_000));
    let event = [format!("{:x}\r\n", event.len()).as_bytes(), event.as_bytes(), b"\r\n"].concat();
    while call.wire.write(&event).await {}
}

#[tokio::test]
async fn a_client_that_does_not_read_its_answer_is_cut_and_the_upstream_released() {
    tokio::join!(unread(false), unread(true));
    served().await;
}

#[tokio::test]
async fn a_handshake_that_never_begins_is_cut() {
    let site = Site::start(&format!("{LIMITS}{TLS}"));
    for begin in [&b""[..], b"\x16\x03\x01", b"POST / HTTP/1.1\r\n\r\n"] {
        let mut wire = Wire::connect(site.address()).await;
        assert!(wire.write(begin).await);
        wire.ended().await;
    }
    let metrics = site.gateway.ask_admin("/metrics");
    assert!(metrics.contains("promptgate_connections_refused_total{reason=\"tls_timeout\"} 2"), "{metrics}");
}

/// As many as `slowhttptest` would open, all at once, while others are served.
#[tokio::test]
async fn five_hundred_slow_clients_hold_up_nobody() {
    let mut slow = tokio::task::JoinSet::new();
    for number in 0..500 {
        slow.spawn(async move {
            let ask = Ask::post(CHAT, "a".repeat(5000));
            let bytes = ask.bytes();
            let mut wire = Wire::connect(site().address()).await;
            let length = if number % 2 == 0 { 40 } else { bytes.len() - 10 };
            wire.write(&bytes[..length]).await;
            wire.response().await.map(|(head, _)| head.status())
        });
    }
    for _ in 0..50 {
        served().await;
    }
    while let Some(ended) = slow.join_next().await {
        let status = ended.expect("a slow client");
        assert!(status.is_none_or(|status| status == 408 || status == 400), "{status:?}");
    }
    assert!(site().gateway.ask_admin("/metrics").contains("reason=\"head_timeout\""));
}
