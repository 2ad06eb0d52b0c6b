//! What Pingora takes and the gateway refuses, row by row, and what of a request's head may cross. Bodies are not its business.

use crate::client::{Ask, Reply, TOKEN, unique};
use crate::http1::Wire;
use crate::http2;
use crate::site::{Site, plain};
use crate::upstream::ID;

const CHAT: &str = "/v1/chat/completions";
const POST: &str = "POST /v1/chat/completions HTTP/1.1\r\n";
const BODY: &str = r#"{"model":"m"}"#;

/// A head written by hand, up to its end, with what every request needs.
fn head(id: &str, line: &str, more: &str) -> String {
    format!(
        "{line}{ID}: {id}\r\nx-request-id: {id}\r\nauthorization: Bearer {TOKEN}\r\ncontent-type: application/json\r\n\
         {more}\r\n"
    )
}

/// Nothing of it reaches the upstream, the answer says `status`, and the connection is not used again.
async fn refused(line: &str, more: &str, body: &str, status: u16) {
    let id = unique();
    let request = format!("{}{body}", head(&id, line, more));
    let mut wire = Wire::connect(plain().address()).await;
    assert!(wire.write(request.as_bytes()).await);
    let shown = (line.escape_debug().to_string(), more.escape_debug().to_string());
    let (answer, said) = wire.response().await.unwrap_or_else(|| panic!("no answer to {shown:?}"));
    let said: serde_json::Value = serde_json::from_slice(&said.bytes).unwrap_or_default();
    assert!(said["error"]["code"].is_string(), "{shown:?}: {said}");
    assert_eq!(answer.status(), status, "{shown:?}");
    assert_eq!(answer.header("connection"), Some("close"), "{shown:?}");
    assert!(wire.head().await.is_none(), "something follows the answer to {shown:?}");
    assert!(plain().upstream.requests(&id).is_empty(), "{shown:?}");
}

#[tokio::test]
async fn what_another_reader_could_read_otherwise_is_refused_and_ends_the_connection() {
    let ok = "host: gateway.test\r\ncontent-length: 13\r\n";
    let chunked = "host: gateway.test\r\ntransfer-encoding: chunked\r\n";
    let cases: &[(&str, &str, u16)] = &[
        // Bare line feeds, which Pingora takes for line ends.
        ("POST /v1/chat/completions HTTP/1.1\n", ok, 400),
        (POST, "host: gateway.test\ncontent-length: 13\r\n", 400),
        (POST, "host: gateway.test\r\nx: x\ntransfer-encoding: chunked\r\n", 400),
        (POST, "host: gateway.test\r\nx: x\ncontent-length: 13\r\n", 400),
        ("\nPOST /v1/chat/completions HTTP/1.1\r\n", ok, 400),
        // Fields that go on in the next line, and others that are no fields.
        (POST, "host: gateway.test\r\n content-length: 13\r\n", 400),
        (POST, "host: gateway.test\r\nx: y\rcontent-length: 13\r\n", 400),
        (POST, "host: gateway.test\r\nx\0: y\r\ncontent-length: 13\r\n", 400),
        (POST, "host: gateway.test\r\nx: \0\r\ncontent-length: 13\r\n", 400),
        (POST, "host: gateway.test\r\ncontent-length : 13\r\n", 400),
        (POST, "host: gateway.test\r\n: 13\r\n", 400),
        // Lengths.
        (POST, "host: gateway.test\r\ncontent-length: 13 ,13\r\n", 400),
        (POST, "host: gateway.test\r\ncontent-length: 13\r\ncontent-length: 13\r\n", 400),
        (POST, "host: gateway.test\r\ncontent-length: 9223372036854775808\r\n", 413),
        (POST, "host: gateway.test\r\ncontent-length: 18446744073709551615\r\n", 413),
        (POST, "host: gateway.test\r\ncontent-length: 18446744073709551616\r\n", 400),
        (POST, "host: gateway.test\r\ncontent-length: 1_3\r\n", 400),
        (POST, "host: gateway.test\r\ncontent-length: 13;\r\n", 400),
        (POST, "host: gateway.test\r\ncontent-length: \u{661}\u{663}\r\n", 400),
        (POST, "host: gateway.test\r\ncontent-length: 13\r\ntransfer-encoding: chunked\r\n", 400),
        (POST, "host: gateway.test\r\ncontent-length: \r\ntransfer-encoding: chunked\r\n", 400),
        // Codings.
        (POST, "host: gateway.test\r\ntransfer-encoding: chunked;q=1\r\n", 400),
        (POST, "host: gateway.test\r\ntransfer-encoding: x\r\ntransfer-encoding: chunked\r\n", 400),
        (POST, "host: gateway.test\r\ntransfer-encoding: chunked\r\ntransfer-encoding: identity\r\n", 400),
        (POST, "host: gateway.test\r\ntransfer-encoding: chun\tked\r\n", 400),
        (POST, "host: gateway.test\r\ntransfer-encoding: \r\ncontent-length: 13\r\n", 400),
        ("POST /v1/chat/completions HTTP/1.0\r\n", chunked, 400),
        ("POST /v1/chat/completions HTTP/1.2\r\n", ok, 400),
        ("POST /v1/chat/completions HTTP/2.0\r\n", ok, 400),
        ("POST /v1/chat/completions\r\n", ok, 400),
        // Hosts.
        (POST, "content-length: 13\r\n", 400),
        (POST, "host:\r\ncontent-length: 13\r\n", 400),
        (POST, "host: a.test\r\nhost: a.test\r\ncontent-length: 13\r\n", 400),
        (POST, "host: a.test, b.test\r\ncontent-length: 13\r\n", 400),
        (POST, "host: user@gateway.test\r\ncontent-length: 13\r\n", 400),
        (POST, "host: gateway.test/x\r\ncontent-length: 13\r\n", 400),
        (POST, "host: gateway.test:x\r\ncontent-length: 13\r\n", 400),
        // Targets.
        ("POST * HTTP/1.1\r\n", ok, 400),
        ("POST @other.test/v1/chat/completions HTTP/1.1\r\n", ok, 400),
        ("POST v1/chat/completions HTTP/1.1\r\n", ok, 400),
        ("POST http://other.test/v1/chat/completions HTTP/1.1\r\n", ok, 400),
        ("POST http://user:secret@gateway.test/v1/chat/completions HTTP/1.1\r\n", ok, 400),
        ("POST http://gateway.test/v1/chat/completions HTTP/1.1\r\n", ok, 400),
        ("POST /v1/models/\u{e9}:generateContent HTTP/1.1\r\n", ok, 400),
        ("POST /v1/models/a b:generateContent HTTP/1.1\r\n", ok, 400),
        ("POST /v1/models/a\x7f:generateContent HTTP/1.1\r\n", ok, 400),
        ("POST /v1/models/a\t:generateContent HTTP/1.1\r\n", ok, 400),
        ("POST  /v1/chat/completions HTTP/1.1\r\n", ok, 400),
        ("POST /v1/chat/completions#x HTTP/1.1\r\n", ok, 400),
        ("POST /v1/chat/completions?a=\u{e9} HTTP/1.1\r\n", ok, 400),
        // Other protocols.
        (POST, "host: gateway.test\r\ncontent-length: 13\r\nupgrade: websocket\r\nconnection: upgrade\r\n", 400),
        (
            POST,
            "host: gateway.test\r\ncontent-length: 13\r\nupgrade: h2c\r\nconnection: upgrade, http2-settings\r\n\
             http2-settings: AAMAAABkAAQAAP__\r\n",
            400,
        ),
        (POST, "host: gateway.test\r\ncontent-length: 13\r\nupgrade: TLS/1.3\r\n", 400),
        ("CONNECT /v1/chat/completions HTTP/1.1\r\n", "host: gateway.test\r\n", 405),
        ("TRACE /v1/chat/completions HTTP/1.1\r\n", "host: gateway.test\r\n", 405),
        // Headers that must stand once.
        (POST, "host: gateway.test\r\ncontent-length: 13\r\nauthorization: Bearer other\r\n", 400),
        (POST, "host: gateway.test\r\ncontent-length: 13\r\ncontent-type: application/json\r\n", 400),
        (POST, "host: gateway.test\r\ncontent-length: 13\r\ncontent-encoding: gzip\r\ncontent-encoding: gzip\r\n", 400),
        (POST, "host: gateway.test\r\ncontent-length: 13\r\nx-api-key: a\r\nx-api-key: a\r\n", 400),
        // Expectations.
        (POST, "host: gateway.test\r\ncontent-length: 13\r\nexpect: 200-ok\r\n", 417),
        (POST, "host: gateway.test\r\ncontent-length: 13\r\nexpect: 100-continue\r\nexpect: 100-continue\r\n", 400),
        (POST, "host: gateway.test\r\ncontent-length: 13\r\nexpect:\r\n", 417),
    ];
    for (line, more, status) in cases {
        refused(line, more, BODY, *status).await;
    }
}

#[tokio::test]
async fn methods_that_no_route_has_are_405_and_those_that_open_tunnels_too() {
    for method in ["GET", "PUT", "post", "Post", "TRACK", "DEBUG", "PROPFIND", "POSTX", "HEAD"] {
        let id = unique();
        let line = format!("{method} {CHAT} HTTP/1.1\r\n");
        let mut wire = Wire::connect(plain().address()).await;
        assert!(wire.write(head(&id, &line, "host: gateway.test\r\ncontent-length: 0\r\n").as_bytes()).await);
        let answer = wire.head().await.expect("an answer");
        assert_eq!((answer.status(), answer.header("allow")), (405, Some("POST")), "{method}");
        assert!(plain().upstream.requests(&id).is_empty());
    }
}

/// As clients do to see whether their base address is right.
#[tokio::test]
async fn a_head_for_the_root_is_404_without_a_body_and_the_connection_lives_on() {
    let mut ask = Ask::get("/");
    ask.method = "HEAD";
    let mut wire = Wire::connect(plain().address()).await;
    for _ in 0..2 {
        assert!(wire.write(&ask.bytes()).await);
        let head = wire.head().await.expect("an answer");
        assert_eq!((head.status(), head.header("content-type")), (404, Some("application/json")));
    }
    let (_, answer) = wire.exchange(&Ask::post(CHAT, BODY).bytes()).await;
    assert_eq!(answer.map(|(head, _)| head.status()), Some(200));
    let answer = http2::send(&mut http2::connect(plain().address()).await, &ask).await;
    assert_eq!((answer.status(), answer.body.bytes.len(), answer.body.complete), (404, 0, true));
}

#[tokio::test]
async fn a_header_that_decides_something_cannot_be_bound_to_the_connection() {
    for name in [
        "authorization",
        "Host",
        "content-length",
        "content-type",
        "x-forwarded-for",
        "X-Forwarded-Host",
        "forwarded",
        "x-promptgate-token",
        "x-api-key",
        "transfer-encoding",
        "x-request-id",
        "close, authorization",
    ] {
        let ask = Ask::post(CHAT, BODY).with("connection", name);
        let reply = ask.send(plain().address()).await;
        assert_eq!((reply.status(), &reply.json()["error"]["code"]), (400, &"bad_connection".into()), "{name}");
        assert!(plain().upstream.requests(&ask.id()).is_empty());
    }
    // What may be bound to it stays here, though it would go up otherwise.
    let ask = Ask::post(CHAT, BODY).with("connection", "keep-alive, OpenAI-Beta,, te").with("openai-beta", "x");
    assert_eq!(ask.send(plain().address()).await.status(), 200);
    assert_eq!(plain().upstream.request(&ask.id()).await.head.header("openai-beta"), None);
}

#[tokio::test]
async fn only_known_headers_go_up_whatever_they_look_like() {
    const NAMES: &[&str] = &[
        "Transfer_Encoding",
        "Content_Length",
        "X-Forwarded-For",
        "X-Forwarded-Host",
        "X-Forwarded-Proto",
        "X-Forwarded-User",
        "Forwarded",
        "X-Real-IP",
        "X-Original-URL",
        "X-Rewrite-URL",
        "X-HTTP-Method-Override",
        "X-Auth-Request-User",
        "X-Goog-Authenticated-User-Email",
        "X-Amzn-Oidc-Identity",
        "X-Client-Cert",
        "X-Promptgate-Level",
        "Cookie",
        "Proxy-Authorization",
        "Via",
        "Trailer",
        "TE",
        "Keep-Alive",
        "Proxy-Connection",
        "Range",
        "If-None-Match",
        "Destination",
        "Sec-WebSocket-Key",
        "Transfer-Encoding1",
        "Content-Length-",
        "X!Y",
    ];
    let ask = NAMES.iter().fold(Ask::post(CHAT, BODY), |ask, name| ask.and(name, "canary-of-a-header"));
    assert_eq!(ask.send(plain().address()).await.status(), 200);
    let seen = plain().upstream.request(&ask.id()).await;
    assert!(memchr::memmem::find(&seen.head.raw, b"canary-of-a-header").is_none(), "{:?}", seen.head);
    assert_eq!(seen.head.header("host").map(str::to_owned), Some(plain().upstream.address.to_string()));
    for name in ["x-forwarded-for", "forwarded", "via", "x-forwarded-host"] {
        assert_eq!(seen.head.header(name), None, "the gateway tells nobody's address");
    }
}

#[tokio::test]
async fn nothing_in_a_request_chooses_where_it_goes() {
    let elsewhere = "http://169.254.169.254/latest";
    let body = format!(
        r#"{{"model":"m","api_base":"{elsewhere}","base_url":"{elsewhere}","upstream":"{elsewhere}","route":"anthropic"}}"#
    );
    let names = ["x-upstream", "x-forwarded-host", "x-original-url", "openai-base-url", "x-stainless-base-url", "host"];
    let ask = names.iter().fold(Ask::post(CHAT, body), |ask, name| ask.with(name, "169.254.169.254"));
    assert_eq!(ask.send(plain().address()).await.status(), 200);
    let seen = plain().upstream.request(&ask.id()).await;
    assert_eq!(seen.head.asks(), "POST /v1/chat/completions");
    assert_eq!(seen.head.header("host").map(str::to_owned), Some(plain().upstream.address.to_string()));
}

#[tokio::test]
async fn a_client_is_asked_to_continue_only_when_its_request_may_go_on() {
    let expecting = |ask: Ask| ask.with("expect", "100-continue");
    let cases = [
        (expecting(Ask::post(CHAT, BODY)), 100),
        (expecting(Ask::post(CHAT, BODY).without("authorization")), 401),
        (expecting(Ask::post("/v1/nowhere", BODY)), 404),
        (expecting(Ask::post(CHAT, BODY).with("content-type", "text/plain")), 415),
        (expecting(Ask::post(CHAT, BODY).with("upgrade", "websocket")), 400),
    ];
    for (ask, status) in cases {
        let mut wire = Wire::connect(plain().address()).await;
        assert!(wire.write(&ask.head()).await);
        assert_eq!(wire.head().await.map(|head| head.status()), Some(status));
        assert!(plain().upstream.requests(&ask.id()).is_empty(), "the body has not come yet");
    }
}

#[tokio::test]
async fn a_head_that_never_ends_is_cut_at_the_limit_and_told_so() {
    let endless = format!("{POST}host: gateway.test\r\nx: {}", "a".repeat(2 << 20));
    let reply = Reply::to(plain().address(), endless.as_bytes()).await.expect("an answer");
    assert_eq!((reply.status(), &reply.json()["error"]["code"]), (431, &"head_too_large".into()));
    let mut wire = Wire::connect(plain().address()).await;
    let many = format!("{POST}{}\r\n", "x: y\r\n".repeat(300));
    assert!(wire.write(many.as_bytes()).await);
    assert_eq!(wire.head().await.map(|head| head.status()), Some(431), "Pingora reads no more than 256 fields");
}

#[tokio::test]
async fn the_answer_to_a_refused_upload_is_read_by_a_client_that_writes_first() {
    let long = "a".repeat(3 << 20);
    let chunked = |ask: Ask| ask.chunked(60_000);
    for (ask, status) in [
        (Ask::post("/v1/nowhere", long.as_str()), 404),
        (Ask::post(CHAT, long.as_str()).without("authorization"), 401),
        (Ask::post(CHAT, long.as_str()).with("content-type", "text/plain"), 415),
        (Ask::post(CHAT, long.as_str()).with("expect", "magic"), 417),
        (chunked(Ask::post(CHAT, long.as_str()).without("authorization")), 401),
        (chunked(Ask::post(CHAT, long.as_str())), 400),
    ] {
        let mut wire = Wire::connect(plain().address()).await;
        assert!(wire.write(&ask.bytes()).await, "{status}: the upload was cut off");
        assert_eq!(wire.response().await.map(|(head, _)| head.status()), Some(status));
    }
}

#[tokio::test]
async fn one_connection_more_than_the_limit_is_told_and_the_rest_are_served() {
    let site = Site::start("[limits]\nconnections = 3\n");
    let mut kept = Vec::new();
    for _ in 0..3 {
        let mut wire = Wire::connect(site.address()).await;
        let ask = Ask::post(CHAT, BODY);
        assert_eq!(wire.exchange(&ask.bytes()).await.1.map(|(head, _)| head.status()), Some(200));
        kept.push(wire);
    }
    let reply = Ask::post(CHAT, BODY).send(site.address()).await;
    assert_eq!((reply.status(), &reply.json()["error"]["code"]), (503, &"connections".into()));
    assert_eq!(reply.header("retry-after"), Some("1"));
    for wire in &mut kept {
        let ask = Ask::post(CHAT, BODY);
        assert_eq!(wire.exchange(&ask.bytes()).await.1.map(|(head, _)| head.status()), Some(200));
    }
    assert!(
        site.gateway.ask_admin("/metrics").contains("promptgate_connections_refused_total{reason=\"connections\"} 1")
    );
}

#[tokio::test]
async fn a_connection_serves_so_many_requests_and_says_when_it_ends() {
    let site = Site::start("[limits]\nconnection_requests = 3\n");
    let mut wire = Wire::connect(site.address()).await;
    let mut served = 0;
    loop {
        let (_, answer) = wire.exchange(&Ask::post(CHAT, BODY).bytes()).await;
        let (head, _) = answer.expect("an answer");
        served += 1;
        if head.header("connection") == Some("close") {
            break;
        }
    }
    assert!((3..=4).contains(&served), "{served}");
    assert!(wire.head().await.is_none());
}
