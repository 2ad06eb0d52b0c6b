//! A provider that lies about its answers: what of it reaches the client, and whose answer the next client gets.

use crate::client::{Ask, Reply};
use crate::http1::Wire;
use crate::site::plain;
use crate::upstream::{ANSWER, Call};

const CHAT: &str = "/v1/chat/completions";
const CANARY: &str = "canary-of-the-provider";

/// A client that has asked, and the provider's side of it, which has read all.
async fn asked(ask: &Ask) -> (Wire, Call) {
    let expected = plain().upstream.expect(&ask.id());
    let mut client = Wire::connect(plain().address()).await;
    assert!(client.write(&ask.bytes()).await);
    let mut call = expected.call().await;
    call.body().await;
    (client, call)
}

/// What the client gets when the provider writes these bytes and keeps its connection open until the client has its answer.
async fn answered(ask: &Ask, bytes: &[u8]) -> Option<Reply> {
    let (mut client, mut call) = asked(ask).await;
    // A gateway that has read enough of it may hang up.
    call.wire.write(bytes).await;
    call.wire.finish().await;
    let answer = client.response().await;
    answer.map(|(head, body)| Reply { head, body, took_all: true })
}

fn text(reply: &Reply) -> String {
    format!("{}{}", String::from_utf8_lossy(&reply.head.raw), reply.text())
}

#[tokio::test]
async fn an_answer_that_can_be_read_in_two_ways_is_502() {
    let huge = format!("HTTP/1.1 200 OK\r\nx: {}\r\ncontent-length: 2\r\n\r\n{{}}", "a".repeat(2 << 20));
    let many = format!("HTTP/1.1 200 OK\r\n{}content-length: 2\r\n\r\n{{}}", "x: y\r\n".repeat(300));
    let early = "HTTP/1.1 103 Early Hints\r\nlink: canary-of-the-provider\r\n\r\n";
    let flood = format!("{}HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{{}}", early.repeat(2000));
    let cases: &[&str] = &[
        "hello\r\n\r\n",
        "HTTP/1.1\r\n\r\n",
        "HTTP/1.1 abc OK\r\ncontent-length: 2\r\n\r\n{}",
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{} ",
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 2\r\n\r\n{}",
        "HTTP/1.1 200 OK\r\ncontent-length: 2, 2\r\n\r\n{}",
        "HTTP/1.1 200 OK\r\ncontent-length: +2\r\n\r\n{}",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: identity\r\n\r\n{}",
        "HTTP/1.1 200 OK\r\nx y: z\r\ncontent-length: 2\r\n\r\n{}",
        "HTTP/1.1 200 OK\r\nx: a\0b\r\ncontent-length: 2\r\n\r\n{}",
        "HTTP/1.1 200 OK\r\nx: a\rset-cookie: a\r\ncontent-length: 2\r\n\r\n{}",
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\ncanary-of-the-provider",
        "HTTP/1.1 101 Switching Protocols\r\n\r\ncanary-of-the-provider",
        &huge,
        &many,
        &flood,
    ];
    for case in cases {
        let reply = answered(&Ask::post(CHAT, "{}"), case.as_bytes()).await;
        let shown = case.get(..case.len().min(120)).unwrap_or_default().escape_debug().to_string();
        let reply = reply.unwrap_or_else(|| panic!("no answer: {shown}"));
        assert_eq!(reply.status(), 502, "{shown}: {}", text(&reply));
        assert!(!text(&reply).contains(CANARY), "{shown}");
    }
}

#[tokio::test]
async fn an_answer_with_a_length_and_chunks_passes_with_one_of_them() {
    // Pingora drops the length before anybody sees it, as RFC 9112 (6.3) has it.
    let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n";
    let reply = answered(&Ask::post(CHAT, "{}"), answer).await.expect("an answer");
    assert_eq!((reply.status(), &*reply.text(), reply.header("content-length")), (200, "{}", None));
    assert!(reply.body.complete);
}

#[tokio::test]
async fn interim_answers_stay_here() {
    let early = format!("HTTP/1.1 103 Early Hints\r\nlink: {CANARY}\r\n\r\n");
    let answer = format!("HTTP/1.1 100 Continue\r\n\r\n{early}{early}HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{{}}");
    let (mut client, mut call) = asked(&Ask::post(CHAT, "{}")).await;
    assert!(call.wire.write(answer.as_bytes()).await);
    assert_eq!(client.head().await.map(|head| head.status()), Some(200));
}

#[tokio::test]
async fn what_tells_of_the_provider_or_binds_the_client_to_it_stays_here() {
    let names = [
        "Set-Cookie",
        "Server",
        "Via",
        "Alt-Svc",
        "X-Powered-By",
        "CF-Ray",
        "OpenAI-Organization",
        "OpenAI-Project",
        "Anthropic-Organization-Id",
        "Access-Control-Allow-Origin",
        "Strict-Transport-Security",
        "X-Promptgate-Verdict",
        "X-Promptgate-Request-Id",
        "Location",
        "Refresh",
        "Keep-Alive",
        "Upgrade",
        "Trailer",
        "Proxy-Authenticate",
        "X-Nominated",
    ];
    let lines: String = names.iter().map(|name| format!("{name}: {CANARY}\r\n")).collect();
    for status in ["200 OK", "307 Temporary Redirect", "429 Too Many Requests"] {
        let answer = format!(
            "HTTP/1.1 {status}\r\n{lines}connection: x-nominated\r\nx-request-id: theirs\r\nretry-after: 7\r\n\
             content-type: application/json\r\ncontent-length: 2\r\n\r\n{{}}"
        );
        let reply = answered(&Ask::post(CHAT, "{}"), answer.as_bytes()).await.expect("an answer");
        assert!(!text(&reply).contains(CANARY), "{}", text(&reply));
        assert_eq!((reply.header("x-request-id"), reply.header("retry-after")), (Some("theirs"), Some("7")));
    }
}

#[tokio::test]
async fn bytes_behind_an_answer_are_nobodys() {
    let poison = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{CANARY}", CANARY.len());
    for head in [
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}",
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        "HTTP/1.1 204 No Content\r\n\r\n",
        "HTTP/1.1 304 Not Modified\r\ncontent-length: 2\r\n\r\n",
    ] {
        let (mut client, mut call) = asked(&Ask::post(CHAT, "{}")).await;
        call.wire.write(format!("{head}{poison}").as_bytes()).await;
        // On the same connection of the client's, and while the provider's is still open.
        let answer = client.head().await.expect("an answer");
        if answer.status() == 200 {
            client.body(&answer).await;
        }
        for mut wire in [client, Wire::connect(plain().address()).await] {
            let (_, next) = wire.exchange(&Ask::post(CHAT, "{}").bytes()).await;
            let next = next.map(|(_, body)| String::from_utf8_lossy(&body.bytes).into_owned());
            assert!(next.is_none_or(|next| next == ANSWER), "{head}");
        }
    }
}
