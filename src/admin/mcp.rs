//! `POST /mcp`: the rows that are tools, over MCP's streamable HTTP; no sessions, answers in JSON. Knows no tool.
//!
//! A token without the scope of a tool is answered as the revision of the caller's client can bear it. Clients before
//! 2026-07-28 end their session on any status of 4xx, so they get a tool error; since then it is a 403 with a challenge.

mod metadata;
mod stdio;
mod tools;

use std::sync::Arc;

use axum::body::{Body, to_bytes};
use http::header::{ACCEPT, CONTENT_TYPE, HOST, ORIGIN, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode};
use rmcp::transport::streamable_http_server::session::never::NeverSessionManager;
use rmcp::transport::{StreamableHttpServerConfig, StreamableHttpService};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use stdio::{local, serve_stdio};

use super::reply::{ErrorBody, JSON, NO_CONTENT};
use super::route::{Answer, Call, Endpoint, Input, Output, Route, schema_of};
use super::validate::PROMPT_LIMIT;
use super::{Refusal, Reply};
use tools::{Tools, route_of};

pub(super) use metadata::{METADATA, METADATA_OF_ROOT};

pub(super) const PATH: &str = "/mcp";

pub(super) const ROUTE: Route = Route {
    method: Method::POST,
    path: PATH,
    tool: None,
    summary: "The endpoints as MCP tools",
    description: "One JSON-RPC message of the Model Context Protocol, streamable HTTP without sessions, revisions 2024-11-05 to \
                  2026-07-28. Needs a valid token; each tool needs the scope of its endpoint.",
    input: Some(Input {
        limit: PROMPT_LIMIT + ENVELOPE,
        schema: schema_of::<Message>,
        example: r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"update_security_level",
            "arguments":{"level":"medium"}}}"#,
    }),
    outputs: &[
        Output {
            status: 200,
            description: "The JSON-RPC response.",
            content_type: JSON,
            schema: schema_of::<MessageBack>,
            example: r#"{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text",
                "text":"{\"success\":true,\"new_level\":\"medium\",\"message\":\"Security level set to medium\",\"updated_by\":\"admin@company.com\"}"}],
                "structuredContent":{"success":true,"new_level":"medium","message":"Security level set to medium",
                "updated_by":"admin@company.com"},"isError":false}}"#,
        },
        Output {
            status: 202,
            description: "A notification or response was taken.",
            content_type: NO_CONTENT,
            schema: schema_of::<()>,
            example: "",
        },
        Output {
            status: 400,
            description: "The Host header, the body or the protocol revision is not valid; the error says why.",
            content_type: JSON,
            schema: schema_of::<Wrong>,
            example: r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"Unsupported protocol version"}}"#,
        },
        Output {
            status: 403,
            description: "The page that sent this is of a foreign origin; or, since revision 2026-07-28, the token lacks the \
                          scope of the tool.",
            content_type: JSON,
            schema: schema_of::<Wrong>,
            example: r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32090,"message":"the scope security:admin is required",
                "data":{"required_scope":"security:admin","client_scopes":["prompt:validate"]}}}"#,
        },
        Output {
            status: 404,
            description: "No method of that name, since revision 2026-07-28.",
            content_type: JSON,
            schema: schema_of::<Wrong>,
            example: r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"tools/drop"}}"#,
        },
    ],
    endpoint: Endpoint::Guarded { scope: None, answer },
};

/// What a message may take beside its prompt, in bytes.
const ENVELOPE: usize = 64 << 10;

/// A JSON-RPC 2.0 message.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(rename = "McpMessage", extend("additionalProperties" = true))]
struct Message {
    /// Always `2.0`.
    #[schemars(extend("const" = "2.0"))]
    jsonrpc: String,
    /// Absent in a notification.
    #[serde(default)]
    id: Value,
    /// Absent in a response.
    method: Option<String>,
    params: Option<Params>,
}

/// What the method takes.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(rename = "McpParams", extend("additionalProperties" = true))]
struct Params {
    /// Of a tool, with `tools/call`.
    name: Option<String>,
}

/// A JSON-RPC 2.0 response.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "McpResponse", extend("additionalProperties" = true))]
struct MessageBack {
    jsonrpc: String,
    id: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Value>,
}

/// An error of JSON-RPC, or of the listener before it came to that.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
#[schemars(rename = "McpError")]
enum Wrong {
    #[allow(dead_code, reason = "only its schema is used")]
    Rpc(MessageBack),
    #[allow(dead_code, reason = "only its schema is used")]
    Listener(ErrorBody),
}

fn answer(call: Call) -> Answer {
    Box::pin(async move {
        check_origin(&call)?;
        let message = parse(&call.body)?;
        if bears_403(&call.headers) {
            check_scope(message, &call)?;
        }
        let request = request(&call)?;
        let tools = Tools::of(call.app, call.principal, call.request_id);
        let factory = move || Ok(tools.clone());
        let service = StreamableHttpService::new(factory, Arc::new(NeverSessionManager::default()), config());
        reply(service.handle(request).await.map(Body::new)).await
    })
}

/// Host and Origin are checked here, by the rules the whole listener has.
fn config() -> StreamableHttpServerConfig {
    StreamableHttpServerConfig::default()
        .with_legacy_session_mode(false)
        .with_json_response(true)
        .with_max_request_body_bytes(PROMPT_LIMIT + ENVELOPE)
        .disable_allowed_hosts()
        .disable_allowed_origins()
}

/// A refusal also says where it is told who issues tokens (RFC 9728, section 5.1).
pub(super) fn challenge(headers: &mut HeaderMap, base: &str) {
    let Some(challenge) = headers.get(WWW_AUTHENTICATE).and_then(|value| value.to_str().ok()) else { return };
    let challenge = format!("{challenge}, resource_metadata=\"{}\"", metadata::address(base));
    if let Ok(challenge) = HeaderValue::try_from(challenge) {
        headers.insert(WWW_AUTHENTICATE, challenge);
    }
}

/// A browser names the origin of the page. The listener's own pages may, and those the configuration lists.
fn check_origin(call: &Call) -> Result<(), Refusal> {
    let Some(origin) = call.headers.get(ORIGIN) else { return Ok(()) };
    let own = call.headers.get(HOST).and_then(|host| host.to_str().ok());
    let snapshot = call.app.live.snapshot();
    let listed = &snapshot.config.admin.cors_origins;
    let is_known = |origin: &str| {
        let host = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
        host.is_some_and(|host| own == Some(host)) || listed.iter().any(|known| known == origin)
    };
    let mut all = call.headers.get_all(ORIGIN).iter();
    let known = all.all(|origin| origin.to_str().is_ok_and(is_known));
    // What a page without an origin sends is `null`, which is on no list.
    if known && !origin.is_empty() { Ok(()) } else { Err(Refusal::ForeignOrigin) }
}

fn parse(body: &[u8]) -> Result<Message, Refusal> {
    let message: Message = super::body::parse(body)?;
    match message.jsonrpc.as_str() {
        "2.0" => Ok(message),
        _ => Err(Refusal::BadRequest("the body must be a message of JSON-RPC 2.0".to_owned())),
    }
}

/// Revisions are dates.
fn bears_403(headers: &HeaderMap) -> bool {
    headers.get("mcp-protocol-version").is_some_and(|version| version.as_bytes() >= b"2026-07-28".as_slice())
}

fn check_scope(message: Message, call: &Call) -> Result<(), Refusal> {
    if message.method.as_deref() != Some("tools/call") {
        return Ok(());
    }
    let name = message.params.and_then(|params| params.name).unwrap_or_default();
    match route_of(&name).and_then(Route::scope) {
        Some(required) if !call.principal.has(required) => {
            let granted = call.principal.scopes.clone();
            Err(Refusal::ForbiddenTool { required, granted, id: message.id })
        }
        _ => Ok(()),
    }
}

fn request(call: &Call) -> Result<Request<Body>, Refusal> {
    let mut request = Request::new(Body::from(call.body.clone()));
    *request.method_mut() = Method::POST;
    *request.headers_mut() = call.headers.clone();
    // The gate has checked the one, with what else it may say. Whatever the other lists, the answer is JSON; the library would
    // ask for a stream to be listed, too.
    request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(JSON));
    request.headers_mut().insert(ACCEPT, HeaderValue::from_static("application/json, text/event-stream"));
    Ok(request)
}

/// What is not of JSON-RPC is said in the listener's own words: the library's repeat what the caller sent.
async fn reply(response: http::Response<Body>) -> Result<Reply, Refusal> {
    let status = response.status();
    let is_json = response.headers().get(CONTENT_TYPE).is_some_and(|value| value.as_bytes() == JSON.as_bytes());
    let body = to_bytes(response.into_body(), ANSWER_LIMIT).await.map_err(|_| Refusal::Internal)?;
    match status {
        StatusCode::ACCEPTED => Ok(Reply { status, content_type: NO_CONTENT, body: Default::default() }),
        _ if is_json => Ok(Reply { status, content_type: JSON, body }),
        status if status.is_client_error() => {
            Err(Refusal::BadRequest("the body is no message of the Model Context Protocol".to_owned()))
        }
        _ => Err(Refusal::Internal),
    }
}

/// An answer repeats the prompt as it was, masked, and by its findings, each twice and escaped: as data and as text.
const ANSWER_LIMIT: usize = 64 * PROMPT_LIMIT;
