//! Error envelopes: the body each API's SDK turns into its typed exception. Knows no HTTP beyond the number of a
//! status.
//!
//! Shapes were measured against the SDKs (openai 1.109 and 3.54, anthropic 0.125 and 2.12, google-genai 1.75 and 3.4,
//! ollama 0.6, cohere 5 and 7, mistralai 1 and 3, botocore 1.44). Key order is part of them: google-genai takes an
//! event of a stream for an error only when it begins with `{"error":`.

use serde::Serialize;
use serde_json::value::RawValue;

use super::{Family, bedrock};

/// What went wrong, in the terms in which APIs differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// 400, 411, and every policy verdict.
    InvalidRequest,
    Authentication,
    Permission,
    NotFound,
    MethodNotAllowed,
    TooLarge,
    UnsupportedMedia,
    RateLimit,
    /// 503: a guard is down and fails closed, or the gateway is draining.
    Unavailable,
    /// 502.
    Upstream,
    /// 408 and 504.
    Timeout,
}

impl ErrorKind {
    pub const ALL: [ErrorKind; 11] = [
        ErrorKind::InvalidRequest,
        ErrorKind::Authentication,
        ErrorKind::Permission,
        ErrorKind::NotFound,
        ErrorKind::MethodNotAllowed,
        ErrorKind::TooLarge,
        ErrorKind::UnsupportedMedia,
        ErrorKind::RateLimit,
        ErrorKind::Unavailable,
        ErrorKind::Upstream,
        ErrorKind::Timeout,
    ];
}

/// One refusal or failure, ready to be put into any envelope. `message` must not hold text of the request.
#[derive(Clone, Copy, Debug)]
pub struct ErrorReply<'a> {
    pub status: u16,
    pub kind: ErrorKind,
    /// The machine-readable cause, `content_filter` for a policy verdict; may be empty.
    pub code: &'a str,
    pub message: &'a str,
    pub request_id: &'a str,
    /// Ids of the calls of JSON-RPC that it answers, as JSON.
    pub calls: &'a [String],
}

impl ErrorReply<'_> {
    /// OpenAI's clients know a bad key by this code alone, whatever was wrong with it.
    fn openai_code(&self) -> Option<&str> {
        match self.kind {
            ErrorKind::Authentication => Some("invalid_api_key"),
            _ => Some(self.code).filter(|code| !code.is_empty()),
        }
    }
}

impl Family {
    /// The response body, JSON.
    pub fn error_body(self, reply: &ErrorReply) -> Vec<u8> {
        match self {
            Family::OpenAi | Family::Mistral => json(&OpenAiError::new(reply, None)),
            Family::Azure => json(&OpenAiError::new(reply, Some(reply.status))),
            Family::Anthropic => json(&AnthropicError::new(reply)),
            Family::Gemini => json(&GeminiError::new(reply)),
            Family::Ollama => json(&OllamaError { error: reply.message }),
            Family::Cohere => json(&CohereError { message: reply.message, id: reply.request_id }),
            Family::Bedrock => json(&BedrockError { message: reply.message }),
            Family::Mcp => mcp_body(reply),
        }
    }

    /// Headers the envelope is not complete without: botocore takes the exception class from a header.
    pub fn error_headers(self, reply: &ErrorReply) -> &'static [(&'static str, &'static str)] {
        match self {
            Family::Bedrock => bedrock::error_headers(reply.kind),
            _ => &[],
        }
    }

    /// The status that goes with the envelope. Clients of MCP before 2.0 end their session on any but 200 and wait for an answer
    /// in vain, so an error that names their call has that; what they find out about tokens and methods goes by the status.
    pub fn error_status(self, reply: &ErrorReply) -> u16 {
        let told = matches!(reply.status, 401 | 403 | 404 | 405);
        if self == Family::Mcp && !reply.calls.is_empty() && !told { 200 } else { reply.status }
    }

    /// The error as an event of a stream whose head is sent; to be written between two events, never inside one, and
    /// before the stream is cut off, never before a clean end.
    pub fn stream_error(self, reply: &ErrorReply) -> Vec<u8> {
        let body = self.error_body(reply);
        match self {
            // The Responses API too: there the SDK raises for a top-level `error` and only yields its `error` event.
            Family::OpenAi | Family::Azure | Family::Mistral => framed(b"data: ", &body, b"\n\n"),
            Family::Anthropic => framed(b"event: error\ndata: ", &body, b"\n\n"),
            // Google separates events with CRLF.
            Family::Gemini => framed(b"data: ", &body, b"\r\n\r\n"),
            Family::Ollama => framed(b"", &body, b"\n"),
            Family::Cohere => framed(b"event: message-end\ndata: ", &json(&CohereEnd::new(reply)), b"\n\n"),
            Family::Bedrock => bedrock::exception_frame(reply.kind, &body),
            Family::Mcp => framed(b"event: message\ndata: ", &body, b"\n\n"),
        }
    }
}

fn framed(before: &[u8], body: &[u8], after: &[u8]) -> Vec<u8> {
    [before, body, after].concat()
}

fn json(envelope: &impl Serialize) -> Vec<u8> {
    // Envelopes are structs of strings and numbers: no map with odd keys, no `Serialize` that could fail.
    serde_json::to_vec(envelope).unwrap_or_default()
}

/// OpenAI's, and with `status` and `innererror` Azure's.
#[derive(Serialize)]
struct OpenAiError<'a> {
    error: OpenAiDetail<'a>,
}

#[derive(Serialize)]
struct OpenAiDetail<'a> {
    message: &'a str,
    r#type: &'static str,
    param: Option<&'static str>,
    code: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    innererror: Option<AzureInner>,
}

#[derive(Serialize)]
struct AzureInner {
    code: &'static str,
}

impl<'a> OpenAiError<'a> {
    fn new(reply: &'a ErrorReply, azure_status: Option<u16>) -> Self {
        let code = reply.openai_code();
        let filtered = azure_status.is_some() && code == Some("content_filter");
        OpenAiError {
            error: OpenAiDetail {
                message: reply.message,
                r#type: openai_type(reply.kind),
                param: None,
                code,
                status: azure_status,
                innererror: filtered.then_some(AzureInner { code: "ResponsibleAIPolicyViolation" }),
            },
        }
    }
}

const fn openai_type(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::InvalidRequest
        | ErrorKind::Authentication
        | ErrorKind::NotFound
        | ErrorKind::MethodNotAllowed
        | ErrorKind::TooLarge
        | ErrorKind::UnsupportedMedia => "invalid_request_error",
        ErrorKind::Permission => "permission_error",
        ErrorKind::RateLimit => "rate_limit_error",
        ErrorKind::Unavailable | ErrorKind::Upstream | ErrorKind::Timeout => "server_error",
    }
}

#[derive(Serialize)]
struct AnthropicError<'a> {
    r#type: &'static str,
    error: AnthropicDetail<'a>,
    request_id: &'a str,
}

#[derive(Serialize)]
struct AnthropicDetail<'a> {
    r#type: &'static str,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<AnthropicCode<'a>>,
}

#[derive(Serialize)]
struct AnthropicCode<'a> {
    error_code: &'a str,
}

impl<'a> AnthropicError<'a> {
    fn new(reply: &'a ErrorReply) -> Self {
        let details = (!reply.code.is_empty()).then_some(AnthropicCode { error_code: reply.code });
        let error = AnthropicDetail { r#type: anthropic_type(reply.kind), message: reply.message, details };
        AnthropicError { r#type: "error", error, request_id: reply.request_id }
    }
}

const fn anthropic_type(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::InvalidRequest | ErrorKind::MethodNotAllowed | ErrorKind::UnsupportedMedia => {
            "invalid_request_error"
        }
        ErrorKind::Authentication => "authentication_error",
        ErrorKind::Permission => "permission_error",
        ErrorKind::NotFound => "not_found_error",
        ErrorKind::TooLarge => "request_too_large",
        ErrorKind::RateLimit => "rate_limit_error",
        ErrorKind::Unavailable | ErrorKind::Upstream => "api_error",
        ErrorKind::Timeout => "timeout_error",
    }
}

#[derive(Serialize)]
struct GeminiError<'a> {
    error: GeminiDetail<'a>,
}

#[derive(Serialize)]
struct GeminiDetail<'a> {
    code: u16,
    message: &'a str,
    status: &'static str,
    details: Vec<GeminiInfo>,
}

/// `google.rpc.ErrorInfo`.
#[derive(Serialize)]
struct GeminiInfo {
    #[serde(rename = "@type")]
    kind: &'static str,
    reason: String,
    domain: &'static str,
}

impl<'a> GeminiError<'a> {
    fn new(reply: &'a ErrorReply) -> Self {
        let info = |code: &str| GeminiInfo {
            kind: "type.googleapis.com/google.rpc.ErrorInfo",
            reason: code.to_ascii_uppercase(),
            domain: "promptgate",
        };
        GeminiError {
            error: GeminiDetail {
                code: reply.status,
                message: reply.message,
                status: gemini_status(reply.kind),
                details: Some(reply.code).filter(|code| !code.is_empty()).map(info).into_iter().collect(),
            },
        }
    }
}

/// `google.rpc.Code`, the nearest one: it has none for 405, 413 and 415.
const fn gemini_status(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::InvalidRequest | ErrorKind::TooLarge | ErrorKind::UnsupportedMedia => "INVALID_ARGUMENT",
        ErrorKind::Authentication => "UNAUTHENTICATED",
        ErrorKind::Permission => "PERMISSION_DENIED",
        ErrorKind::NotFound => "NOT_FOUND",
        ErrorKind::MethodNotAllowed => "UNIMPLEMENTED",
        ErrorKind::RateLimit => "RESOURCE_EXHAUSTED",
        ErrorKind::Unavailable | ErrorKind::Upstream => "UNAVAILABLE",
        ErrorKind::Timeout => "DEADLINE_EXCEEDED",
    }
}

/// A plain string: an object here would surface as a dict where the SDK promises text.
#[derive(Serialize)]
struct OllamaError<'a> {
    error: &'a str,
}

#[derive(Serialize)]
struct CohereError<'a> {
    message: &'a str,
    id: &'a str,
}

/// Cohere has no error event, and its SDK skips events it does not know; the last event of a stream can report one.
#[derive(Serialize)]
struct CohereEnd<'a> {
    r#type: &'static str,
    id: &'a str,
    delta: CohereEndDelta<'a>,
}

#[derive(Serialize)]
struct CohereEndDelta<'a> {
    error: &'a str,
    finish_reason: &'static str,
}

impl<'a> CohereEnd<'a> {
    fn new(reply: &'a ErrorReply) -> Self {
        let delta = CohereEndDelta { error: reply.message, finish_reason: "ERROR" };
        CohereEnd { r#type: "message-end", id: reply.request_id, delta }
    }
}

#[derive(Serialize)]
struct BedrockError<'a> {
    message: &'a str,
}

#[derive(Serialize)]
struct McpError<'a> {
    jsonrpc: &'static str,
    id: Option<&'a RawValue>,
    error: McpDetail<'a>,
}

#[derive(Serialize)]
struct McpDetail<'a> {
    code: i32,
    message: &'a str,
    data: McpData<'a>,
}

#[derive(Serialize)]
struct McpData<'a> {
    code: &'a str,
    request_id: &'a str,
}

impl<'a> McpError<'a> {
    fn new(reply: &'a ErrorReply, call: Option<&'a String>) -> Self {
        // JSON-RPC has a code of its own for what is no JSON; else one of those that neither it nor MCP reserves.
        let code = if reply.code == "invalid_json" { -32700 } else { -32090 };
        let data = McpData { code: reply.code, request_id: reply.request_id };
        let id = call.and_then(|call| serde_json::from_str(call).ok());
        McpError { jsonrpc: "2.0", id, error: McpDetail { code, message: reply.message, data } }
    }
}

/// One error, or one for each call of a batch.
fn mcp_body(reply: &ErrorReply) -> Vec<u8> {
    match reply.calls {
        [] => json(&McpError::new(reply, None)),
        [call] => json(&McpError::new(reply, Some(call))),
        calls => json(&calls.iter().map(|call| McpError::new(reply, Some(call))).collect::<Vec<_>>()),
    }
}
