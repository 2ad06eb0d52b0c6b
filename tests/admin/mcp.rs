//! `/mcp` as clients meet it on the wire: who is let in, what old and new revisions are told, and who issues tokens.

use serde_json::{Value, json};

use super::support::{Reply, Server};
use super::{ADMIN, BASIC};

const MCP: &str = "/mcp";
const JSON: (&str, &str) = ("content-type", "application/json");
const NEW: &[(&str, &str)] = &[("mcp-protocol-version", "2026-07-28"), ("mcp-method", "tools/call")];

async fn post(server: &Server, token: &str, headers: &[(&str, &str)], body: &str) -> Reply {
    let bearer = format!("Bearer {token}");
    let all = [&[JSON, ("authorization", bearer.as_str())], headers].concat();
    server.send("POST", MCP, &all, body.as_bytes()).await
}

fn tool_call(name: &str, arguments: Value) -> String {
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": { "name": "test", "version": "1" },
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let params = json!({ "name": name, "arguments": arguments, "_meta": meta });
    json!({ "jsonrpc": "2.0", "id": "a", "method": "tools/call", "params": params }).to_string()
}

fn old_tool_call(name: &str, arguments: Value) -> String {
    let params = json!({ "name": name, "arguments": arguments });
    json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params }).to_string()
}

fn initialize(revision: &str) -> String {
    let client = json!({ "name": "test", "version": "1" });
    let params = json!({ "protocolVersion": revision, "capabilities": {}, "clientInfo": client });
    json!({ "jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params }).to_string()
}

#[tokio::test]
async fn every_revision_that_begins_with_a_handshake_is_spoken() {
    let server = Server::start("").await;
    for revision in ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"] {
        let reply = post(&server, BASIC, &[], &initialize(revision)).await;
        assert_eq!(reply.status, 200, "{}", reply.text);
        assert_eq!(reply.body["result"]["protocolVersion"], revision);
        assert_eq!(reply.body["result"]["serverInfo"]["name"], "promptgate");
        assert_eq!(reply.header("mcp-session-id"), None);
    }
}

#[tokio::test]
async fn a_tool_answers_as_its_endpoint_does() {
    let server = Server::start("").await;
    let prompt = json!({ "prompt": "My password is secret123" });
    let tool = post(&server, BASIC, &[], &old_tool_call("validate_and_secure_prompt", prompt.clone())).await;
    let endpoint = server.json("POST", "/validate_and_secure_prompt", BASIC, &prompt.to_string()).await;
    assert_eq!(tool.body["result"]["structuredContent"], endpoint.body, "{}", tool.text);
    assert_eq!(tool.body["result"]["isError"], false);
}

#[tokio::test]
async fn without_a_token_the_answer_says_where_to_learn_who_issues_them() {
    let server = Server::start("").await;
    let base = format!("http://{}", server.address);
    for headers in [vec![], vec![("authorization", "Bearer wrong")]] {
        let reply = server.send("POST", MCP, &headers, initialize("2025-11-25").as_bytes()).await;
        assert_eq!(reply.status, 401);
        let told = format!("resource_metadata=\"{base}/.well-known/oauth-protected-resource/mcp\"");
        assert!(
            reply.header("www-authenticate").is_some_and(|challenge| challenge.contains(&told)),
            "{:?}",
            reply.headers
        );
    }
    let other = server.send("POST", "/update_security_level", &[], b"{}").await;
    assert!(!other.header("www-authenticate").unwrap_or_default().contains("resource_metadata"));
}

#[tokio::test]
async fn the_metadata_names_the_resource_the_scopes_and_the_issuer() {
    let jwt = "[admin]\npublic_url = \"https://promptgate.example.com\"\n[auth]\nmode = \"jwt\"\n[auth.jwt]\njwks_uri = \"http://127.0.0.1:1/keys\"\n\
               issuer = \"https://id.example.com\"\naudience = \"promptgate\"\n";
    for path in ["/.well-known/oauth-protected-resource", "/.well-known/oauth-protected-resource/mcp"] {
        let server = Server::start("").await;
        let reply = server.send("GET", path, &[], b"").await;
        assert_eq!(reply.status, 200);
        assert_eq!(reply.body["resource"], format!("http://{}/mcp", server.address));
        assert_eq!(reply.body["authorization_servers"], Value::Null);
        assert_eq!(reply.body["scopes_supported"].as_array().map(Vec::len), Some(4));
        let reply = Server::start(jwt).await.send("GET", path, &[], b"").await;
        assert_eq!(reply.body["resource"], "https://promptgate.example.com/mcp");
        assert_eq!(reply.body["authorization_servers"], json!(["https://id.example.com"]));
    }
}

#[tokio::test]
async fn a_missing_scope_is_told_as_the_revision_can_bear_it() {
    let server = Server::start("").await;
    let level = json!({ "level": "low" });
    let old = post(&server, BASIC, &[], &old_tool_call("update_security_level", level.clone())).await;
    assert_eq!(old.status, 200);
    assert_eq!(old.body["result"]["isError"], true);
    assert_eq!(old.body["result"]["structuredContent"], Value::Null);
    let text: Value = serde_json::from_str(old.body["result"]["content"][0]["text"].as_str().unwrap()).unwrap();
    assert_eq!(text["required_scope"], "security:admin");

    let headers = [NEW, &[("mcp-name", "update_security_level")]].concat();
    let new = post(&server, BASIC, &headers, &tool_call("update_security_level", level.clone())).await;
    assert_eq!(new.status, 403, "{}", new.text);
    let challenge = new.header("www-authenticate").unwrap_or_default();
    assert!(
        challenge.contains("error=\"insufficient_scope\", scope=\"security:admin\", resource_metadata="),
        "{challenge}"
    );
    assert_eq!((&new.body["id"], &new.body["error"]["code"]), (&json!("a"), &json!(-32090)));
    assert_eq!(server.level().await, "medium");

    let allowed = post(&server, ADMIN, &headers, &tool_call("update_security_level", level)).await;
    assert_eq!(allowed.body["result"]["structuredContent"]["new_level"], "low", "{}", allowed.text);
    assert_eq!(server.level().await, "low");
}

#[tokio::test]
async fn a_page_of_another_origin_may_not_call() {
    let server = Server::start("[admin]\ncors_origins = [\"https://console.example.com\"]").await;
    let own = format!("http://{}", server.address);
    let cases = [
        (own.as_str(), 200),
        ("https://console.example.com", 200),
        ("https://console.example.com.evil.example", 403),
        ("https://evil.example", 403),
        ("http://localhost", 403),
        ("null", 403),
        ("", 403),
    ];
    for (origin, status) in cases {
        let reply = post(&server, ADMIN, &[("origin", origin)], &initialize("2025-11-25")).await;
        assert_eq!(reply.status, status, "{origin}: {}", reply.text);
    }
    let twice = [("origin", "https://console.example.com"), ("origin", "https://evil.example")];
    assert_eq!(post(&server, ADMIN, &twice, &initialize("2025-11-25")).await.status, 403);
}

#[tokio::test]
async fn what_is_no_message_is_refused_and_not_repeated() {
    let server = Server::start("").await;
    let cases = [
        "hunter2",
        "[]",
        r#"[{"jsonrpc":"2.0","id":1,"method":"hunter2"}]"#,
        r#"{"jsonrpc":"1.0","id":1,"method":"hunter2"}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"ping","method":"hunter2"}"#,
        r#"{"jsonrpc":"2.0","id":{"hunter2":1},"method":"ping"}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":3,"x":"hunter2"}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":"hunter2"}"#,
    ];
    for body in cases {
        let reply = post(&server, ADMIN, &[], body).await;
        assert_eq!(reply.status, 400, "{body}: {}", reply.text);
        assert!(!reply.text.contains("hunter2"), "{}", reply.text);
    }
}

#[tokio::test]
async fn there_is_no_stream_and_no_session_to_ask_for() {
    let server = Server::start("").await;
    let bearer = format!("Bearer {ADMIN}");
    for method in ["GET", "DELETE", "PUT"] {
        let reply = server.send(method, MCP, &[("authorization", &bearer)], b"").await;
        assert_eq!((reply.status, reply.header("allow")), (405, Some("POST")), "{method}");
    }
    let note = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
    let taken = post(&server, ADMIN, &[], note).await;
    assert_eq!((taken.status, taken.text.as_str(), taken.header("content-type")), (202, "", None));
}
