//! Heads and framings that two readers could read differently: refused, and no request hides behind another.

use crate::client::{Ask, Reply, unique};
use crate::http1::Wire;
use crate::site::plain;
use crate::upstream::ID;

const CHAT: &str = "/v1/chat/completions";
const BODY: &str = r#"{"model":"m"}"#;

/// A request written by hand: `head` without its end, and what follows it.
fn raw(id: &str, line: &str, headers: &[&str], rest: &str) -> Vec<u8> {
    let token = crate::client::TOKEN;
    let own = format!("{line}\r\n{ID}: {id}\r\nauthorization: Bearer {token}\r\ncontent-type: application/json\r\n");
    let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
    format!("{own}{headers}\r\n{rest}").into_bytes()
}

/// A request that must never be served on its own, as it would follow in a pipeline.
fn smuggled() -> String {
    let ask = Ask::post(CHAT, r#"{"model":"smuggled-canary"}"#).with(ID, "smuggled");
    String::from_utf8(ask.bytes()).expect("text")
}

const POST: &str = "POST /v1/chat/completions HTTP/1.1";
const HOST: &str = "host: gateway.test";
const CHUNKED: &str = "transfer-encoding: chunked";

#[tokio::test]
async fn a_body_with_two_lengths_is_refused_and_hides_no_request() {
    let (len, chunks) = (format!("content-length: {}", BODY.len()), format!("{:x}\r\n{BODY}\r\n0\r\n\r\n", BODY.len()));
    let twice = format!("content-length: {0}, {0}", BODY.len());
    let cases: &[(&[&str], &str)] = &[
        (&[HOST, &len, CHUNKED], &chunks),
        (&[HOST, CHUNKED, &len], &chunks),
        (&[HOST, "content-length: 0", CHUNKED], &chunks),
        (&[HOST, &len, &len], BODY),
        (&[HOST, &len, "content-length: 5"], BODY),
        (&[HOST, &twice], BODY),
        (&[HOST, "content-length: +13"], BODY),
        (&[HOST, "content-length: 0x0d"], BODY),
        (&[HOST, "content-length: 13 13"], BODY),
        (&[HOST, "content-length: -1"], BODY),
        (&[HOST, "content-length:"], BODY),
        (&[HOST, "transfer-encoding: gzip, chunked"], &chunks),
        (&[HOST, "transfer-encoding: chunked, chunked"], &chunks),
        (&[HOST, "transfer-encoding: ,chunked"], &chunks),
        (&[HOST, "transfer-encoding: identity, chunked"], &chunks),
        (&[HOST, "transfer-encoding: chunked, identity"], &chunks),
        (&[HOST, "transfer-encoding: xchunked"], &chunks),
        (&[HOST, "transfer-encoding: x", CHUNKED], &chunks),
        (&[HOST, CHUNKED, CHUNKED], &chunks),
        (&[HOST, "transfer-encoding : chunked"], &chunks),
        (&[HOST, "transfer-encoding:\u{b}chunked"], &chunks),
        (&[HOST, "transfer-encoding: \"chunked\""], &chunks),
        (&[HOST, "x: y", " transfer-encoding: chunked", &len], BODY),
    ];
    for (headers, body) in cases {
        let id = unique();
        let request = raw(&id, POST, headers, &format!("{body}{}", smuggled()));
        if let Some(reply) = Reply::to(plain().address(), &request).await {
            assert_eq!(reply.status(), 400, "{headers:?}: {}", reply.text());
        }
        assert!(plain().upstream.requests(&id).is_empty(), "{headers:?}");
    }
    assert!(plain().upstream.never_saw("smuggled-canary"), "a request hid behind another");
}

#[tokio::test]
async fn odd_heads_are_refused_with_the_status_that_says_why() {
    let len = format!("content-length: {}", BODY.len());
    let [long_value, long_target] = [70 * 1024, 9 * 1024].map(|length| "a".repeat(length));
    let (long_header, long_line) = (format!("x: {long_value}"), format!("POST /{long_target} HTTP/1.1"));
    let many: Vec<String> = (0..120).map(|number| format!("x-{number}: y")).collect();
    let many: Vec<&str> = [HOST, &len].into_iter().chain(many.iter().map(String::as_str)).collect();
    let cases: &[(&str, &[&str], u16)] = &[
        (POST, &[&len], 400),
        (POST, &["host:", &len], 400),
        (POST, &[HOST, "host: other.test", &len], 400),
        (POST, &[HOST, &len, "upgrade: websocket", "connection: upgrade"], 400),
        (POST, &[HOST, &len, "authorization: Bearer x"], 400),
        (POST, &[HOST, &len, "content-type: text/plain"], 400),
        (POST, &[HOST, &len, "content-encoding: gzip", "content-encoding: br"], 400),
        (POST, &[HOST, &len, &long_header], 431),
        (POST, &many, 431),
        (&long_line, &[HOST, &len], 414),
        (POST, &[HOST, &len, "expect: magic"], 417),
        (POST, &[HOST, &len, "expect: 100-continue, magic"], 417),
        ("POST http://other.test/v1/chat/completions HTTP/1.1", &[HOST, &len], 400),
        ("POST * HTTP/1.1", &[HOST, &len], 400),
        ("POST v1/chat/completions HTTP/1.1", &[HOST, &len], 400),
        ("POST @other.test/v1/chat/completions HTTP/1.1", &[HOST, &len], 400),
        ("POST //v1/chat/completions HTTP/1.1", &[HOST, &len], 400),
        ("POST /v1/chat/completions/ HTTP/1.1", &[HOST, &len], 400),
        ("POST /v1/./chat/completions HTTP/1.1", &[HOST, &len], 400),
        ("POST /v1/x/../chat/completions HTTP/1.1", &[HOST, &len], 400),
        ("POST /v1/chat%2fcompletions HTTP/1.1", &[HOST, &len], 400),
        ("POST /v1/ch%61t/completions HTTP/1.1", &[HOST, &len], 400),
        ("POST /v1/chat/completions%00 HTTP/1.1", &[HOST, &len], 400),
        ("POST /v1/chat;x/completions HTTP/1.1", &[HOST, &len], 400),
        ("POST /v1\\chat/completions HTTP/1.1", &[HOST, &len], 400),
        ("POST /v1/chat/completions#x HTTP/1.1", &[HOST, &len], 400),
        ("POST /v1/chat/complet\u{e9}ons HTTP/1.1", &[HOST, &len], 400),
        ("TRACE /v1/chat/completions HTTP/1.1", &[HOST, &len], 405),
        ("CONNECT other.test:443 HTTP/1.1", &[HOST], 400),
    ];
    for (line, headers, status) in cases {
        let id = unique();
        let rest = if *line == "CONNECT other.test:443 HTTP/1.1" { "" } else { BODY };
        let reply = Reply::to(plain().address(), &raw(&id, line, headers, rest)).await;
        let shown: String = line.chars().take(60).collect();
        let reply = reply.unwrap_or_else(|| panic!("no answer to {shown}"));
        // A path with characters no route has may be called unknown instead.
        let fits = reply.status() == *status || (*status == 400 && reply.status() == 404);
        assert!(reply.json()["error"]["message"].is_string(), "{shown}");
        assert!(fits, "{shown} {:?}: {} {}", headers.last().map(|h| h.get(..40)), reply.status(), reply.text());
        assert!(plain().upstream.requests(&id).is_empty(), "{shown}");
    }
}

#[tokio::test]
async fn requests_in_a_pipeline_are_answered_one_by_one_and_stay_apart() {
    let asks: Vec<Ask> = (0..3).map(|number| Ask::post(CHAT, format!(r#"{{"model":"m","n":{number}}}"#))).collect();
    let bytes: Vec<u8> = asks.iter().flat_map(Ask::bytes).collect();
    let mut wire = Wire::connect(plain().address()).await;
    assert!(wire.write(&bytes).await);
    let mut answered = 0;
    for ask in &asks {
        // The gateway may end the connection instead, but not answer out of turn.
        let Some((head, _)) = wire.response().await else { break };
        assert_eq!(head.status(), 200);
        assert_eq!(plain().upstream.request(&ask.id()).await.body.bytes, ask.body);
        answered += 1;
    }
    assert!(answered >= 1, "the first request of a pipeline is answered");
}

#[tokio::test]
async fn a_connection_serves_the_next_request_after_a_refusal() {
    let mut wire = Wire::connect(plain().address()).await;
    for (body, status) in [("{}", 200), ("{\"a\":", 400), ("{}", 200), ("{\"a\":1,\"a\":2}", 400), ("{}", 200)] {
        let ask = Ask::post(CHAT, body);
        let (_, answer) = wire.exchange(&ask.bytes()).await;
        assert_eq!(answer.map(|(head, _)| head.status()), Some(status), "{body}");
    }
}

#[tokio::test]
async fn a_get_with_a_body_is_refused_and_its_body_is_no_request() {
    let hidden = smuggled().replace("smuggled-canary", "hidden-canary");
    let mut ask = Ask::get("/v1/models");
    ask.body = hidden.into_bytes();
    assert_eq!(ask.send(plain().address()).await.status(), 400);
    let chunked = ask.clone().chunked(100);
    assert_eq!(chunked.send(plain().address()).await.status(), 400);
    assert!(plain().upstream.requests(&ask.id()).is_empty());
    assert!(plain().upstream.never_saw("hidden-canary"));
}

#[tokio::test]
async fn a_broken_chunk_never_becomes_a_whole_request() {
    let cases = [
        "zz\r\n{}\r\n0\r\n\r\n",
        "-2\r\n{}\r\n0\r\n\r\n",
        "+2\r\n{}\r\n0\r\n\r\n",
        "0x2\r\n{}\r\n0\r\n\r\n",
        "2 2\r\n{}\r\n0\r\n\r\n",
        "ffffffffffffffffff\r\n{}\r\n0\r\n\r\n",
        "10000000000000002\r\n{}\r\n0\r\n\r\n",
        "1\r\n{}\r\n0\r\n\r\n",
        "2\n{}\n0\n\n",
        "2\r\n{}",
        "2\r\n{}\r\n",
    ];
    for case in cases {
        let id = unique();
        let mut wire = Wire::connect(plain().address()).await;
        assert!(wire.write(&raw(&id, POST, &[HOST, CHUNKED, &format!("x-request-id: {id}")], case)).await);
        wire.finish().await;
        let status = wire.response().await.map(|(head, _)| head.status());
        assert!(status.is_none_or(|status| status == 400), "{case:?}: {status:?}");
        plain().gateway.record(&id).await;
        assert!(plain().upstream.requests(&id).iter().all(|seen| !seen.body.complete), "{case:?}");
    }
}
