//! The way down: events pass one by one, nothing cut looks complete, and nothing of the provider's own comes along.

use crate::client::{Ask, Reply, gzip};
use crate::formats::SECRET;
use crate::http1::{Body, Head, SECOND, Wire, is_within};
use crate::site::{key, plain, small};
use crate::upstream::Call;

const CHAT: &str = "/v1/chat/completions";
const MESSAGE: &str = r#"{"model":"m","stream":true}"#;

/// A request under way: the client has sent it, the provider has read it.
async fn under_way() -> (Wire, Call) {
    let ask = Ask::post(CHAT, MESSAGE);
    let expected = plain().upstream.expect(&ask.id());
    let mut client = Wire::connect(plain().address()).await;
    assert!(client.write(&ask.bytes()).await);
    let mut call = expected.call().await;
    assert!(call.body().await.complete);
    (client, call)
}

/// What the client gets when the provider writes these bytes and ends the connection.
async fn answered(bytes: &[u8]) -> Option<(Head, Body)> {
    let (mut client, mut call) = under_way().await;
    call.wire.write(&last_on_its_connection(bytes)).await;
    drop(call);
    client.response().await
}

/// Says that the connection ends here. Else the gateway keeps it, and the next test's request could be lost on it.
fn last_on_its_connection(answer: &[u8]) -> Vec<u8> {
    let line = memchr::memmem::find(answer, b"\r\n").filter(|_| answer.starts_with(b"HTTP/1.1 "));
    let (line, rest) = answer.split_at(line.unwrap_or(answer.len()));
    if rest.is_empty() { line.to_vec() } else { [line, b"\r\nconnection: close", rest].concat() }
}

#[tokio::test]
async fn each_event_arrives_before_the_next_one_is_sent() {
    let (mut client, mut call) = under_way().await;
    call.begin("text/event-stream").await;
    let head = client.head().await.expect("the head arrives before any event");
    assert_eq!((head.status(), head.header("content-type")), (200, Some("text/event-stream")));
    for number in 0..50 {
        let event = format!("event: delta\ndata: {{\"number\":{number}}}\n\n");
        call.chunk(event.as_bytes()).await;
        assert_eq!(client.chunked(event.len()).await.bytes, event.into_bytes());
    }
    call.end().await;
    let rest = client.chunked(usize::MAX).await;
    assert!(rest.complete && rest.bytes.is_empty());
}

#[tokio::test]
async fn an_answer_that_is_cut_off_never_looks_complete() {
    let cases: &[&str] = &[
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ncontent-type: text/event-stream\r\n\r\n9\r\ndata: a\n\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ncontent-type: text/event-stream\r\n\r\n9\r\ndata",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ncontent-type: text/event-stream\r\n\r\n9\r\ndata: a\n\n\r\n0\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 20\r\ncontent-type: application/json\r\n\r\n{\"half\":",
        "HTTP/1.1 500 Oh\r\ncontent-length: 20\r\ncontent-type: application/json\r\n\r\n{\"half\":",
    ];
    for case in cases {
        if let Some((head, body)) = answered(case.as_bytes()).await {
            assert!(head.status() == 502 || !body.complete, "{case:?}: {head:?} {body:?}");
        }
    }
}

#[tokio::test]
async fn an_upstream_that_gives_no_readable_answer_is_502() {
    for bytes in
        ["", "HTTP/1.1 200", "HTTP/1.1 200 OK\r\ncontent-type: te", "nonsense\r\n\r\n", "SSH-2.0-OpenSSH_9.2\r\n"]
    {
        let (head, body) = answered(bytes.as_bytes()).await.unwrap_or_else(|| panic!("no answer after {bytes:?}"));
        assert_eq!(head.status(), 502, "{bytes:?}");
        assert_eq!(head.header("x-promptgate-verdict"), Some("failed"));
        let envelope: serde_json::Value = serde_json::from_slice(&body.bytes).expect("the dialect's envelope");
        assert_eq!(envelope["error"]["type"], "server_error");
    }
}

#[tokio::test]
async fn an_upstream_that_does_not_answer_in_time_is_504() {
    let site = small();
    let ask = Ask::post("/api/chat", MESSAGE);
    let expected = site.upstream.expect(&ask.id());
    let (reply, call) = tokio::join!(ask.send(site.address()), expected.call());
    assert_eq!((reply.status(), &reply.json()["error"].is_string()), (504, &true));
    drop(call);
}

#[tokio::test]
async fn errors_of_the_provider_pass_as_they_are() {
    for status in [400, 401, 403, 404, 409, 413, 422, 429, 500, 502, 503, 529] {
        let text = format!(r#"{{ "error" : {{"message":"from the provider","code":{status}}}}}"#);
        let bytes = format!(
            "HTTP/1.1 {status} Whatever\r\ncontent-type: application/json\r\ncontent-length: {}\r\nretry-after: 17\r\n\
             x-request-id: req_of_the_provider\r\nx-should-retry: true\r\nx-ratelimit-remaining-tokens: 3\r\n\r\n{text}",
            text.len()
        );
        let (head, body) = answered(bytes.as_bytes()).await.expect("an answer");
        assert_eq!(head.status(), status);
        assert_eq!((&*String::from_utf8_lossy(&body.bytes), body.complete), (&*text, true));
        let kept = [
            ("retry-after", "17"),
            ("x-request-id", "req_of_the_provider"),
            ("x-should-retry", "true"),
            ("x-ratelimit-remaining-tokens", "3"),
        ];
        for (name, value) in kept {
            assert_eq!(head.header(name), Some(value), "{status}");
        }
    }
}

#[tokio::test]
async fn what_identifies_the_provider_stays_behind() {
    let dropped = [
        "set-cookie: __cf_bm=x; path=/",
        "set-cookie: other=y",
        "server: cloudflare",
        "cf-ray: 1",
        "alt-svc: h3",
        "via: 1.1 x",
        "x-promptgate-verdict: forged",
    ];
    let bytes = format!("HTTP/1.1 200 OK\r\n{}\r\ncontent-length: 2\r\n\r\n{{}}", dropped.join("\r\n"));
    let (head, _) = answered(bytes.as_bytes()).await.expect("an answer");
    for name in ["set-cookie", "cf-ray", "alt-svc", "via"] {
        assert_eq!(head.header(name), None);
    }
    assert_ne!(head.header("server"), Some("cloudflare"));
    assert_eq!(head.header("x-promptgate-verdict"), Some("allowed"));
}

#[tokio::test]
async fn a_compressed_answer_is_decoded_and_inspected_and_what_cannot_be_is_told() {
    let answer = |coding: &str, body: &[u8]| {
        let head = format!("HTTP/1.1 200 OK\r\ncontent-encoding: {coding}\r\ncontent-length: {}\r\n\r\n", body.len());
        [head.as_bytes(), body].concat()
    };
    let json = format!(r#"{{"choices":[{{"message":{{"content":"made up {SECRET} ok"}}}}]}}"#);
    let (head, body) = answered(&answer("gzip", &gzip(json.as_bytes()))).await.expect("an answer");
    let text = String::from_utf8(body.bytes).expect("text");
    assert_eq!((head.status(), head.header("content-encoding")), (200, None));
    assert!(text.contains("made up [ACCESS_TOKEN_MASKED] ok"), "{text}");

    let (_, body) = answered(&answer("gzip", b"\x1f\x8b\x08\x00\xff\xfe\x00\x01")).await.expect("an answer");
    assert!(String::from_utf8_lossy(&body.bytes).contains("upstream_answer"));
    let (head, _) = answered(&answer("deflate", b"x")).await.expect("an answer");
    assert_eq!(head.status(), 502);
}

#[tokio::test]
async fn a_huge_answer_head_is_passed_or_502_and_holds_up_nobody() {
    for length in [10_000, 200_000, 2_000_000] {
        let bytes = format!("HTTP/1.1 200 OK\r\nx-long: {}\r\ncontent-length: 2\r\n\r\n{{}}", "a".repeat(length));
        let (head, _) = answered(bytes.as_bytes()).await.unwrap_or_else(|| panic!("no answer to {length}"));
        assert!([200, 502].contains(&head.status()), "{length}: {}", head.status());
    }
}

#[tokio::test]
async fn the_providers_key_never_comes_back_wherever_it_is_cut() {
    let key = key("openai");
    let text = format!("data: you sent Bearer {key} and {key}{key}\n\n");
    for cut in 0..key.len() {
        let (mut client, mut call) = under_way().await;
        call.begin("text/event-stream").await;
        let (first, second) = text.split_at("data: you sent Bearer ".len() + cut);
        call.chunk(first.as_bytes()).await;
        call.chunk(second.as_bytes()).await;
        call.end().await;
        let (_, body) = client.response().await.expect("an answer");
        assert!(body.complete);
        assert_eq!(String::from_utf8_lossy(&body.bytes), text.replace(key, &"*".repeat(key.len())), "cut at {cut}");
    }
    let length = text.len();
    let bytes =
        format!("HTTP/1.1 400 No\r\nx-echo: Bearer {key}\r\nx-kept: y\r\ncontent-length: {length}\r\n\r\n{text}");
    let (head, body) = answered(bytes.as_bytes()).await.expect("an answer");
    assert_eq!((head.header("x-echo"), head.header("x-kept")), (None, Some("y")));
    assert_eq!((body.bytes.len(), body.complete), (length, true));
    assert!(memchr::memmem::find(&body.bytes, key.as_bytes()).is_none());
}

#[tokio::test]
async fn a_client_that_goes_away_ends_the_call_within_a_second() {
    for begun in [true, false] {
        let mut took = Vec::new();
        for _ in 0..3 {
            let (client, mut call) = under_way().await;
            if begun {
                call.begin("text/event-stream").await;
                call.chunk(b"data: a\n\n").await;
            }
            drop(client);
            took.push(call.wire.ended().await);
        }
        assert!(is_within(SECOND, took), "begun: {begun}");
    }
}

#[tokio::test]
async fn an_answer_before_the_body_is_read_reaches_the_client() {
    let ask = Ask::post(CHAT, format!(r#"{{"a":"{}"}}"#, "harmless words ".repeat(200_000)));
    let expected = plain().upstream.expect(&ask.id());
    let call = async {
        let mut call = expected.call().await;
        let text = r#"{"error":{"message":"slow down"}}"#;
        let length = text.len();
        let answer = format!(
            "HTTP/1.1 429 Slow\r\nconnection: close\r\nretry-after: 3\r\ncontent-length: {length}\r\n\r\n{text}"
        );
        assert!(call.wire.write(answer.as_bytes()).await);
        call
    };
    let request = ask.bytes();
    // The provider's connection stays open meanwhile, and nobody reads the body there.
    let (reply, _call) = tokio::join!(Reply::to(plain().address(), &request), call);
    let reply = reply.expect("an answer");
    assert_eq!((reply.status(), reply.header("retry-after")), (429, Some("3")));
}
