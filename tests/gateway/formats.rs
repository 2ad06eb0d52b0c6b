//! Every shipped wire format, through the gateway and back: what stays, what is masked, what each header becomes.

use std::collections::BTreeSet;

use http::Method;
use promptgate::config::{Config, RouteMatch};
use promptgate::policy::token::is_token;
use promptgate::wire::FORMATS;
use serde_json::Value;

use crate::client::{Ask, TOKEN};
use crate::site::{self, key, plain};
use crate::upstream::{ANSWER, Seen};

/// A request body with a place for text wherever the format has one: `¤` in strings, `¤¤` in JSON within a string.
struct Format {
    path: &'static str,
    upstream: &'static str,
    body: &'static str,
}

const CHAT: &str = r#"{ "model" : "gpt-x", "n":1.0,"seed":12345678901234567890123, "temperature": 1E-1,
  "messages":[ {"role":"system","content":"Be kind. ¤"},
    {"role":"user","content":"tab \t slash \/ lone \ud800 caf\u00e9 ¤ and é"},
    {"role":"user","content":[{"type":"text","text":"part ¤"},{"type":"image_url","image_url":{"url":"data:image/png;base64,iVBORw0KGgo="}}]},
    {"role":"assistant","content":null,"tool_calls":[{"id":"call_abc","type":"function","function":{"name":"look","arguments":"{\"q\": \"¤¤\", \"n\": 1.0}"}}]},
    {"role":"tool","tool_call_id":"call_abc","content":"found ¤"},
    {"role":"tool","tool_call_id":"call_abc","content":"{\"found\":\"¤¤\"}"} ],
  "tools":[{"type":"function","function":{"name":"look","description":"looks ¤","parameters":{"type":"object","properties":{"q":{"type":"string","description":"what ¤"}}}}}],
  "a_field_of_tomorrow":{"deep":[["¤",-0.0,1e400,null,true]]}, "stream":false }
"#;

const EMBEDDINGS: &str = r#"{"model":"embed-x","input":["first ¤","second ¤"],"dimensions":1E2}"#;
const COMPLETIONS: &str = r#"{"prompt":"complete ¤","model":"gpt-x","suffix":"end ¤","max_tokens":5}"#;

const RESPONSES: &str = r#"{"model":"gpt-x","instructions":"Be kind. ¤","input":[{"role":"user","content":[{"type":"input_text","text":"ask ¤"}]},
 {"type":"function_call","call_id":"call_abc","name":"look","arguments":"{\"q\":\"¤¤\"}"},
 {"type":"function_call_output","call_id":"call_abc","output":"found ¤"}],"previous_response_id":"resp_abc"}"#;

const MESSAGES: &str = r#"{"model":"claude-x","max_tokens":64,"system":[{"type":"text","text":"Be kind. ¤","cache_control":{"type":"ephemeral"}}],
 "messages":[{"role":"user","content":"ask ¤"},
 {"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"c2lnbmF0dXJl"},{"type":"tool_use","id":"toolu_abc","name":"look","input":{"q":"¤"}}]},
 {"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_abc","content":"found ¤"},{"type":"tool_result","tool_use_id":"toolu_abc","content":[{"type":"text","text":"part ¤"}]}]}],
 "tools":[{"name":"look","description":"looks ¤","input_schema":{"type":"object"}}]}"#;

const BATCHES: &str = r#"{"requests":[{"custom_id":"one","params":{"model":"claude-x","max_tokens":64,"messages":[{"role":"user","content":"ask ¤"}]}}]}"#;

const GEMINI: &str = r#"{"contents": [{"role": "user", "parts": [{"text": "ask ¤"}, {"inlineData": {"mimeType": "image/png", "data": "iVBORw0KGgo="}}]},
 {"role": "model", "parts": [{"functionCall": {"name": "look", "args": {"q": "¤"}}}]},
 {"role": "user", "parts": [{"functionResponse": {"name": "look", "response": {"found": "¤"}}}]}],
 "systemInstruction": {"parts": [{"text": "Be kind. ¤"}]}}"#;

const GEMINI_EMBED: &str = r#"{"content": {"parts": [{"text": "embed ¤"}]}}"#;
const OLLAMA_CHAT: &str = r#"{"model":"llama","messages":[{"role":"system","content":"Be kind. ¤"},{"role":"user","content":"ask ¤","images":["iVBORw0KGgo="]},{"role":"assistant","content":"","tool_calls":[{"function":{"name":"look","arguments":{"q":"¤"}}}]}]}"#;
const CONVERSE: &str = r#"{"system": [{"text": "Be kind. ¤"}], "messages": [{"role": "user", "content": [{"text": "ask ¤"}]}, {"role": "assistant", "content": [{"toolUse": {"toolUseId": "tooluse_abc", "name": "look", "input": {"q": "¤"}}}]}, {"role": "user", "content": [{"toolResult": {"toolUseId": "tooluse_abc", "content": [{"text": "found ¤"}, {"json": {"found": "¤"}}]}}]}]}"#;

const MCP: &str = r#"{"method":"tools/call","params":{"name":"look","arguments":{"q":"ask ¤","json":"{\"q\":\"¤¤\"}","deep":[{"name":"x ¤"}]}},"jsonrpc":"2.0","id":1}"#;

const WITH_BODY: &[Format] = &[
    Format { path: "/v1/chat/completions", upstream: "openai", body: CHAT },
    Format { path: "/v1/completions", upstream: "openai", body: COMPLETIONS },
    Format { path: "/v1/responses", upstream: "openai", body: RESPONSES },
    Format { path: "/v1/embeddings", upstream: "openai", body: EMBEDDINGS },
    Format { path: "/v1/moderations", upstream: "openai", body: r#"{"input":"judge ¤"}"# },
    Format { path: "/openai/deployments/d-1/chat/completions", upstream: "azure", body: CHAT },
    Format { path: "/openai/deployments/d-1/completions", upstream: "azure", body: COMPLETIONS },
    Format { path: "/openai/deployments/d-1/embeddings", upstream: "azure", body: EMBEDDINGS },
    Format { path: "/openai/v1/responses", upstream: "azure", body: RESPONSES },
    Format { path: "/v1/messages", upstream: "anthropic", body: MESSAGES },
    Format { path: "/v1/messages/count_tokens", upstream: "anthropic", body: MESSAGES },
    Format { path: "/v1/messages/batches", upstream: "anthropic", body: BATCHES },
    Format { path: "/v1beta/models/gemini-x:generateContent", upstream: "gemini", body: GEMINI },
    Format { path: "/v1/models/gemini-x:streamGenerateContent", upstream: "gemini", body: GEMINI },
    Format { path: "/v1beta/models/gemini-x:countTokens", upstream: "gemini", body: GEMINI },
    Format { path: "/v1beta/models/gemini-x:embedContent", upstream: "gemini", body: GEMINI_EMBED },
    Format { path: "/api/chat", upstream: "ollama", body: OLLAMA_CHAT },
    Format {
        path: "/api/generate",
        upstream: "ollama",
        body: r#"{"model":"llama","prompt":"ask ¤","system":"Be kind. ¤"}"#,
    },
    Format { path: "/api/embed", upstream: "ollama", body: r#"{"model":"llama","input":["embed ¤"]}"# },
    Format { path: "/v2/chat", upstream: "cohere", body: CHAT },
    Format { path: "/mistral/v1/chat/completions", upstream: "mistral", body: CHAT },
    Format { path: "/mistral/v1/fim/completions", upstream: "mistral", body: COMPLETIONS },
    Format { path: "/mistral/v1/embeddings", upstream: "mistral", body: EMBEDDINGS },
    Format { path: "/bedrock/model/m.x-v1%3A0/converse", upstream: "bedrock", body: CONVERSE },
    Format { path: "/bedrock/model/m.x-v1%3A0/converse-stream", upstream: "bedrock", body: CONVERSE },
    Format { path: "/mcp", upstream: "mcp", body: MCP },
];

/// Path, upstream.
const WITHOUT_BODY: &[(&str, &str)] = &[
    ("/v1/models", "openai"),
    ("/v1/models/gpt-x", "openai"),
    ("/openai/models", "azure"),
    ("/anthropic/v1/models", "anthropic"),
    ("/v1beta/models", "gemini"),
    ("/v1beta/models/gemini-x", "gemini"),
    ("/api/tags", "ollama"),
    ("/mistral/v1/models", "mistral"),
    ("/mcp", "mcp"),
];

/// Prefixes of the gateway's own that do not go up.
const PREFIXES: &[&str] = &["/mistral", "/bedrock", "/anthropic"];

/// A published example of a GitHub token.
pub const SECRET: &str = "ghp_aB3dE5fG7hI9jK1lM3nO5pQ7rS9tU1vW3xY5";

impl Format {
    /// How many places for text the body has.
    fn places(&self) -> usize {
        self.body.replace("¤¤", "¤").matches('¤').count()
    }

    /// What stands before and after one place, with a harmless word in all others.
    fn around(&self, place: usize) -> (String, String) {
        let body = self.body.replace("¤¤", "¤");
        let (at, _) = body.match_indices('¤').nth(place).expect("a place");
        let (before, after) = (&body[..at], &body[at + '¤'.len_utf8()..]);
        (before.replace('¤', "word"), after.replace('¤', "word"))
    }

    fn benign(&self) -> String {
        self.body.replace("¤¤", "¤").replace('¤', "word")
    }

    fn upstream_path(&self) -> &str {
        upstream_path(self.path)
    }
}

fn upstream_path(path: &str) -> &str {
    PREFIXES.iter().find_map(|prefix| path.strip_prefix(prefix)).unwrap_or(path)
}

#[test]
fn every_shipped_format_has_a_case_here() {
    let config = Config::default();
    let posts = WITH_BODY.iter().map(|format| (Method::POST, format.path));
    let gets = WITHOUT_BODY.iter().map(|(path, _)| (Method::GET, *path));
    let format = |(method, path): (Method, &str)| match config.routes.find(&method, path) {
        RouteMatch::Found(found) => found.route.dialect.name,
        _ => panic!("no route has the path {path}"),
    };
    let covered: BTreeSet<&str> = posts.chain(gets).map(format).collect();
    assert_eq!(covered, FORMATS.iter().map(|dialect| dialect.name).collect());
}

#[tokio::test]
async fn a_benign_body_arrives_byte_for_byte_with_the_key_of_its_upstream() {
    for format in WITH_BODY {
        for ask in [Ask::post(format.path, format.benign()), Ask::post(format.path, format.benign()).chunked(100)] {
            let reply = ask.send(plain().address()).await;
            assert_eq!((reply.status(), &*reply.text()), (200, ANSWER), "{}", format.path);
            assert_eq!(reply.header("x-promptgate-verdict"), Some("allowed"), "{}", format.path);
            let seen = plain().upstream.request(&ask.id()).await;
            assert_eq!(seen.head.asks(), format!("POST {}", format.upstream_path()));
            assert!(seen.body.complete);
            assert_eq!(String::from_utf8_lossy(&seen.body.bytes), format.benign(), "{}", format.path);
            assert_key(&seen, format.upstream);
        }
    }
}

#[tokio::test]
async fn a_request_without_a_body_goes_up_without_one() {
    for (path, upstream) in WITHOUT_BODY {
        let ask = Ask::get(path);
        let reply = ask.send(plain().address()).await;
        assert_eq!((reply.status(), &*reply.text()), (200, ANSWER), "{path}");
        let seen = plain().upstream.request(&ask.id()).await;
        assert_eq!(seen.head.asks(), format!("GET {}", upstream_path(path)));
        for framing in ["content-length", "transfer-encoding"] {
            assert_eq!(seen.head.header(framing), None, "{path}");
        }
        assert_key(&seen, upstream);
    }
}

/// OpenAI, Anthropic and the newer Gemini SDK all list their models at `/v1/models`.
#[tokio::test]
async fn models_come_from_the_provider_whose_sdk_asks() {
    for (name, value, upstream) in [
        ("anthropic-version", "2023-06-01", "anthropic"),
        ("x-goog-api-key", TOKEN, "gemini"),
        ("openai-beta", "x", "openai"),
    ] {
        for path in ["/v1/models", "/v1/models/m-1"] {
            let ask = Ask::get(path).with(name, value);
            assert_eq!(ask.send(plain().address()).await.status(), 200, "{name}");
            let seen = plain().upstream.request(&ask.id()).await;
            assert_eq!(seen.head.asks(), format!("GET {path}"));
            assert_key(&seen, upstream);
        }
    }
}

/// The provider's key where the provider wants it, and nowhere any token of the caller's.
fn assert_key(seen: &Seen, upstream: &str) {
    let expected = match upstream {
        "ollama" | "mcp" => None,
        "azure" => Some(("api-key", key(upstream).to_owned())),
        "anthropic" => Some(("x-api-key", key(upstream).to_owned())),
        "gemini" => Some(("x-goog-api-key", key(upstream).to_owned())),
        _ => Some(("authorization", format!("Bearer {}", key(upstream)))),
    };
    for name in ["authorization", "x-api-key", "api-key", "x-goog-api-key"] {
        let here = expected.as_ref().filter(|(place, _)| *place == name).map(|(_, value)| value.as_str());
        assert_eq!(seen.head.header(name), here, "{name} at {upstream}");
    }
    assert!(memchr::memmem::find(&seen.head.raw, TOKEN.as_bytes()).is_none(), "the caller's token at {upstream}");
}

#[tokio::test]
async fn a_secret_is_masked_wherever_text_stands_and_nothing_else_changes() {
    for format in WITH_BODY {
        for place in 0..format.places() {
            let (before, after) = format.around(place);
            let ask = Ask::post(format.path, format!("{before}{SECRET}{after}"));
            let reply = ask.send(plain().address()).await;
            assert_eq!(reply.status(), 200, "{} place {place}: {}", format.path, reply.text());
            assert_eq!(reply.header("x-promptgate-verdict"), Some("masked"), "{} place {place}", format.path);
            let seen = plain().upstream.request(&ask.id()).await;
            assert_masked(&seen, &before, &after);
            assert_eq!(seen.head.header("content-length"), Some(&*seen.body.bytes.len().to_string()));
            assert_eq!(seen.head.header("transfer-encoding"), None);
        }
    }
}

#[tokio::test]
async fn a_secret_is_masked_however_it_is_escaped_and_cut() {
    let spellings = [
        SECRET.to_owned(),
        SECRET.replacen("ghp", r"gh\u0070", 1),
        SECRET.bytes().map(|byte| format!("\\u{byte:04x}")).collect(),
        SECRET.bytes().map(|byte| format!("\\u{byte:04X}")).collect(),
    ];
    let format = &WITH_BODY[0];
    let (before, after) = format.around(1);
    for spelling in &spellings {
        let body = format!("{before}{spelling}{after}");
        for chunk in [1, 7, 64, body.len()] {
            let ask = Ask::post(format.path, body.as_str()).chunked(chunk);
            assert_eq!(ask.send(plain().address()).await.status(), 200, "{spelling} in chunks of {chunk}");
            let seen = plain().upstream.request(&ask.id()).await;
            assert_masked(&seen, &before, &after);
            assert_eq!(seen.head.header("transfer-encoding"), Some("chunked"));
            assert_eq!(seen.head.header("content-length"), None);
        }
    }
}

/// Between the two stands one placeholder, and what was JSON is JSON.
fn assert_masked(seen: &Seen, before: &str, after: &str) {
    let body = String::from_utf8_lossy(&seen.body.bytes);
    assert!(seen.body.complete);
    let rest = body.strip_prefix(before).unwrap_or_else(|| panic!("{body} does not begin as it did"));
    let mask = rest.strip_suffix(after).unwrap_or_else(|| panic!("{body} does not end as it did"));
    assert!(is_token(mask), "{mask}");
    // serde_json knows neither lone surrogates nor infinite numbers, which are legal.
    let readable = body.replace(r"\ud800", "").replace("1e400", "1");
    assert_json_within(&serde_json::from_str(&readable).expect("the body is still JSON"));
}

/// Strings that look like JSON are JSON.
fn assert_json_within(value: &Value) {
    match value {
        Value::String(text) if text.starts_with('{') => {
            assert!(serde_json::from_str::<Value>(text).is_ok(), "{text} is no JSON any more");
        }
        Value::Array(values) => values.iter().for_each(assert_json_within),
        Value::Object(members) => members.values().for_each(assert_json_within),
        _ => {}
    }
}

#[tokio::test]
async fn headers_and_query_keys_go_up_by_the_table_of_the_dialect() {
    /// Path, header, whether it goes up.
    const HEADERS: &[(&str, &str, bool)] = &[
        ("/v1/chat/completions", "openai-organization", true),
        ("/v1/chat/completions", "x-stainless-retry-count", true),
        ("/v1/chat/completions", "idempotency-key", true),
        ("/v1/chat/completions", "traceparent", true),
        ("/v1/chat/completions", "user-agent", true),
        ("/v1/chat/completions", "accept", true),
        ("/v1/chat/completions", "anthropic-beta", false),
        ("/v1/messages", "anthropic-beta", true),
        ("/v1/messages", "anthropic-version", true),
        ("/v1/messages", "openai-organization", false),
        ("/v1beta/models/g:generateContent", "x-goog-api-client", true),
        ("/bedrock/model/m/converse", "amz-sdk-request", true),
        ("/mcp", "mcp-session-id", true),
        ("/mcp", "mcp-protocol-version", true),
        ("/mcp", "mcp-param-city", true),
        ("/mcp", "openai-organization", false),
        ("/v2/chat", "x-client-name", true),
        ("/v1/chat/completions", "cookie", false),
        ("/v1/chat/completions", "proxy-authorization", false),
        ("/v1/chat/completions", "ocp-apim-subscription-key", false),
        ("/v1/chat/completions", "x-forwarded-for", false),
        ("/v1/chat/completions", "x-forwarded-host", false),
        ("/v1/chat/completions", "x-original-url", false),
        ("/v1/chat/completions", "x-http-method-override", false),
        ("/v1/chat/completions", "x-anything-else", false),
        ("/v1/chat/completions", "content_length", false),
        ("/v1/chat/completions", "transfer_encoding", false),
        ("/v1/chat/completions", "te", false),
        ("/v1/chat/completions", "forwarded", false),
        ("/v1/chat/completions", "x-promptgate-verdict", false),
    ];
    for (path, header, goes_up) in HEADERS {
        let ask = Ask::post(path, "{}").with(header, "the-value");
        assert_eq!(ask.send(plain().address()).await.status(), 200, "{path} {header}");
        let seen = plain().upstream.request(&ask.id()).await;
        assert_eq!(seen.head.header(header), goes_up.then_some("the-value"), "{path} {header}");
        assert_eq!(seen.head.header("accept-encoding"), Some("identity"));
        assert_eq!(seen.head.header("host"), Some(&*plain().upstream.address.to_string()));
    }
    /// Target, what of it goes up.
    const QUERIES: &[(&str, &str)] = &[
        (
            "/openai/deployments/d/embeddings?api-version=2024-10-21&x=1",
            "/openai/deployments/d/embeddings?api-version=2024-10-21",
        ),
        ("/v1/messages?beta=true", "/v1/messages?beta=true"),
        ("/v1beta/models/g:streamGenerateContent?alt=sse&note=a%20b", "/v1beta/models/g:streamGenerateContent?alt=sse"),
        ("/v1/chat/completions?tell=all", "/v1/chat/completions"),
    ];
    for (target, expected) in QUERIES {
        let ask = Ask::post(target, "{}");
        assert_eq!(ask.send(plain().address()).await.status(), 200, "{target}");
        assert_eq!(plain().upstream.request(&ask.id()).await.head.asks(), format!("POST {expected}"));
    }
}

#[tokio::test]
async fn the_token_is_taken_from_wherever_an_sdk_puts_it_and_from_nowhere_to_the_upstream() {
    let bearer = format!("Bearer {TOKEN}");
    let homes: &[&[(&str, &str)]] = &[
        &[("authorization", &bearer)],
        &[("x-api-key", TOKEN)],
        &[("api-key", TOKEN)],
        &[("x-goog-api-key", TOKEN)],
        &[("api-key", TOKEN), ("authorization", &bearer)],
        &[("x-promptgate-token", TOKEN), ("authorization", "Bearer something-else")],
    ];
    for home in homes {
        for format in WITH_BODY.iter().step_by(3) {
            let plain_ask = Ask::post(format.path, format.benign()).without("authorization");
            let ask = home.iter().fold(plain_ask, |ask, (name, value)| ask.with(name, value));
            assert_eq!(ask.send(plain().address()).await.status(), 200, "{} {home:?}", format.path);
            assert_key(&plain().upstream.request(&ask.id()).await, format.upstream);
        }
    }
}

#[tokio::test]
async fn with_pass_the_callers_own_key_goes_up_and_the_gateway_token_does_not() {
    let site = site::small();
    let ask = Ask::post("/v1beta/models/g:generateContent", GEMINI_EMBED.replace('¤', "word"))
        .without("authorization")
        .with("x-promptgate-token", TOKEN)
        .with("x-goog-api-key", "the-callers-own-key");
    assert_eq!(ask.send(site.address()).await.status(), 200);
    let seen = site.upstream.request(&ask.id()).await;
    assert_eq!(seen.head.asks(), "POST /base/v1beta/models/g:generateContent");
    assert_eq!(seen.head.header("x-goog-api-key"), Some("the-callers-own-key"));
    assert!(memchr::memmem::find(&seen.head.raw, TOKEN.as_bytes()).is_none());
    let without =
        Ask::post("/v1beta/models/g:generateContent", "{}").without("authorization").with("x-goog-api-key", TOKEN);
    assert_eq!(without.send(site.address()).await.status(), 401);
}
