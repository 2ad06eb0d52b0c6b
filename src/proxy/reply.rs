//! Every answer of the gateway's own: what went wrong becomes a status and the caller's own error envelope. The only
//! place of the gateway listener that knows HTTP statuses.

use std::borrow::Cow;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::StatusCode;
use pingora::http::ResponseHeader;
use pingora::proxy::Session;
use pingora::{Error, ErrorSource, ErrorType};
use tokio::time::{Instant, timeout_at};

use super::limit::seconds;
use super::offload::Lost;
use crate::auth::{AuthError, Principal};
use crate::codec::coding::CodingError;
use crate::limits::Exceeded;
use crate::sanitize::Refusal;
use crate::telemetry::rfc3339;
use crate::wire::{ErrorKind, ErrorReply, Family, Quota};

/// A refusal or failure on its way to the caller. Holds no text of the request.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    pub status: u16,
    pub kind: ErrorKind,
    /// Machine-readable: `error.code` and a metric label.
    pub code: &'static str,
    pub message: String,
    pub headers: Vec<(Cow<'static, str>, String)>,
}

impl Failure {
    fn new(status: u16, kind: ErrorKind, code: &'static str, message: impl Into<String>) -> Self {
        Failure { status, kind, code, message: message.into(), headers: Vec::new() }
    }

    fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    pub fn bad_request(code: &'static str, message: &str) -> Self {
        Failure::new(400, ErrorKind::InvalidRequest, code, message)
    }

    pub fn unauthorized(code: &'static str, message: &str) -> Self {
        Failure::new(401, ErrorKind::Authentication, code, message)
            .with("www-authenticate", "Bearer realm=\"promptgate\"")
    }

    pub fn authentication(error: AuthError) -> Self {
        match error {
            AuthError::KeysUnavailable => {
                Failure::unavailable("keys_unavailable", "the keys to check tokens with cannot be loaded at the moment")
            }
            AuthError::RevocationsUnavailable => {
                Failure::unavailable("revocations_unavailable", "it is not known at the moment who was revoked")
            }
            _ => Failure::unauthorized(error.reason(), &format!("authentication failed: {error}")),
        }
    }

    pub fn forbidden(scope: &str, principal: &Principal) -> Self {
        let message = format!("client {} lacks the scope {scope}", principal.client_id);
        Failure::new(403, ErrorKind::Permission, "insufficient_scope", message).with(
            "www-authenticate",
            format!("Bearer realm=\"promptgate\", error=\"insufficient_scope\", scope=\"{scope}\""),
        )
    }

    pub fn unknown_route() -> Self {
        let message = "no route has this path; nothing is forwarded that the configuration does not name";
        Failure::new(404, ErrorKind::NotFound, "unknown_route", message)
    }

    pub fn method_not_allowed(allow: &str) -> Self {
        let failure =
            Failure::new(405, ErrorKind::MethodNotAllowed, "method_not_allowed", "this path has another method");
        if allow.is_empty() { failure } else { failure.with("allow", allow) }
    }

    pub fn length_required() -> Self {
        Failure::new(
            411,
            ErrorKind::InvalidRequest,
            "length_required",
            "this upstream needs a request with Content-Length",
        )
    }

    pub fn body_too_large(limit: u64) -> Self {
        Failure::new(413, ErrorKind::TooLarge, "request_too_large", format!("the body is longer than {limit} bytes"))
    }

    pub fn target_too_long(limit: usize) -> Self {
        Failure::new(
            414,
            ErrorKind::InvalidRequest,
            "target_too_long",
            format!("the request target is longer than {limit} bytes"),
        )
    }

    pub fn unsupported_media() -> Self {
        let message = "the body must be one JSON document: Content-Type application/json, in UTF-8";
        Failure::new(415, ErrorKind::UnsupportedMedia, "unsupported_media_type", message)
    }

    pub fn unsupported_encoding() -> Self {
        let message = "Content-Encoding must be one of gzip, x-gzip, br, zstd";
        Failure::new(415, ErrorKind::UnsupportedMedia, "unsupported_encoding", message)
            .with("accept-encoding", "gzip, br, zstd")
    }

    pub fn expectation_failed() -> Self {
        Failure::new(417, ErrorKind::InvalidRequest, "expectation_failed", "the only expectation met is 100-continue")
    }

    pub fn head_too_large(bytes: usize, fields: usize) -> Self {
        let message = format!("the request head is larger than {bytes} bytes or {fields} fields");
        Failure::new(431, ErrorKind::InvalidRequest, "head_too_large", message)
    }

    /// Of a head that was read no further.
    pub fn head_longer(bytes: usize) -> Self {
        let message = format!("the request head is larger than {bytes} bytes");
        Failure::new(431, ErrorKind::InvalidRequest, "head_too_large", message)
    }

    pub fn head_too_slow(limit: Duration) -> Self {
        let message = format!("the request head took longer than {} s", limit.as_secs());
        Failure::new(408, ErrorKind::Timeout, "head_timeout", message)
    }

    pub fn body_too_slow(limit: Duration) -> Self {
        let message = format!("the body took longer than {} s", limit.as_secs());
        Failure::new(408, ErrorKind::Timeout, "body_timeout", message)
    }

    /// A body that could not be read to its end.
    pub fn of_body(error: &Error, stall: Duration) -> Self {
        match error.etype() {
            ErrorType::ReadTimedout => Failure::body_too_slow(stall),
            _ => Failure::bad_request("incomplete_body", "the body ended too early or is not framed as announced"),
        }
    }

    pub fn unavailable(code: &'static str, message: &str) -> Self {
        Failure::new(503, ErrorKind::Unavailable, code, message).with("retry-after", "1")
    }

    /// The caller has had all that the limit gives.
    pub fn rate_limited(exceeded: &Exceeded, family: Family) -> Self {
        let Exceeded { class, limit, remaining, wait, reset } = exceeded;
        let (most, unit) = (limit.most, limit.unit.words());
        let begin = format!("the limit {class} of {most} {unit}");
        let message = match wait {
            None => format!("{begin} is less than this request alone needs"),
            Some(wait) if wait.is_zero() => format!("{begin} is reached"),
            Some(wait) => format!("{begin} is reached; there is room in {} s", seconds(*wait)),
        };
        let mut failure = Failure::new(429, ErrorKind::RateLimit, "rate_limit_exceeded", message);
        failure.headers.extend(wait.map(|wait| ("retry-after".into(), seconds(wait).to_string())));
        if wait.is_none_or(|wait| wait > PATIENCE) {
            // SDKs would try again in a few seconds, in vain.
            failure = failure.with("x-should-retry", "false");
        }
        if let Some(unit) = limit.unit.counted() {
            let reset_at = rfc3339::format(SystemTime::now() + *reset);
            let quota = Quota { unit, limit: most.get(), remaining: *remaining, reset: *reset, reset_at };
            failure.headers.extend(family.quota_headers(&quota).into_iter().map(|(name, value)| (name.into(), value)));
        }
        failure
    }

    pub fn busy() -> Self {
        Failure::unavailable("in_flight", "the gateway serves as many requests as it may at the moment")
    }

    pub fn shutting_down() -> Self {
        Failure::unavailable("shutting_down", "the gateway is being stopped")
    }

    pub fn memory() -> Self {
        Failure::unavailable("memory", "the gateway holds as much as it may at the moment")
    }

    /// Long work on a body gave no verdict, so that nothing of it goes on.
    pub fn lost(lost: Lost) -> Self {
        match lost {
            Lost::Late => Failure::unavailable("inspection_timeout", "inspecting the request takes longer than it may"),
            Lost::Failed => Failure::unavailable("inspection_failed", "the request could not be inspected"),
        }
    }

    pub fn upstream(code: &'static str, message: &str) -> Self {
        Failure::new(502, ErrorKind::Upstream, code, message)
    }

    pub fn upstream_timeout() -> Self {
        Failure::new(504, ErrorKind::Timeout, "upstream_timeout", "the upstream did not answer in time")
    }

    /// What Pingora could not do. `None` when the caller is gone and nobody is left to tell.
    pub fn from_pingora(error: &Error) -> Option<Self> {
        use ErrorType::*;
        match (error.esource(), error.etype()) {
            (ErrorSource::Downstream, ReadTimedout | WriteTimedout) => {
                Some(Failure::body_too_slow(Duration::from_secs(60)))
            }
            (ErrorSource::Downstream, ReadError | WriteError | ConnectionClosed | H2Error) => None,
            (ErrorSource::Downstream, _) => {
                Some(Failure::bad_request("bad_request", "the request cannot be read as HTTP"))
            }
            (ErrorSource::Upstream, ReadTimedout | WriteTimedout) => Some(Failure::upstream_timeout()),
            (_, ConnectTimedout | ConnectRefused | ConnectNoRoute | ConnectError | SocketError) => {
                Some(Failure::upstream("upstream_unreachable", "the upstream cannot be reached"))
            }
            (_, TLSHandshakeFailure | TLSHandshakeTimedout | InvalidCert | TLSWantX509Lookup) => {
                Some(Failure::upstream("upstream_tls", "the upstream's certificate or TLS handshake failed"))
            }
            _ => Some(Failure::upstream("upstream_error", "the upstream's answer ended or could not be read")),
        }
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        let too_large = matches!(
            refusal,
            Refusal::StringTooLong(_)
                | Refusal::BodyTooLong(_)
                | Refusal::SignedTooLong(_)
                | Refusal::Coding(CodingError::TooLarge { .. } | CodingError::Bomb { .. })
        );
        let (status, kind) = if too_large { (413, ErrorKind::TooLarge) } else { (400, ErrorKind::InvalidRequest) };
        Failure::new(status, kind, refusal.code(), refusal.to_string())
    }
}

/// What an answer says beside the failure.
pub struct Answer<'a> {
    pub family: Family,
    pub request_id: &'a str,
    pub verdict: &'a str,
    /// Rule ids, comma-separated; empty for none.
    pub rules: &'a str,
    /// Ids of the calls of JSON-RPC that it answers.
    pub calls: &'a [String],
}

/// How long an SDK is left to wait for its caller's limit; it waits no longer itself.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long an early answer waits for the rest of the upload, and for the next piece of it. A client that is cut off in the
/// middle of it reports a connection error instead of the answer and sends the refused prompt again.
const DRAIN: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_secs(1);

/// Reads what the client still sends, up to these bounds and `most` bytes, so that it sees the answer.
pub async fn drain(session: &mut Session, most: u64) {
    let (due, mut rest) = (Instant::now() + DRAIN, most);
    while rest > 0 {
        let next = due.min(Instant::now() + PAUSE);
        match timeout_at(next, session.downstream_session.read_request_body()).await {
            Ok(Ok(Some(chunk))) => rest = rest.saturating_sub(chunk.len() as u64),
            Ok(Ok(None)) => return,
            Ok(Err(_)) | Err(_) => break,
        }
    }
    session.set_keepalive(None);
}

/// The answer as bytes of HTTP/1, where no request is known that it could belong to. OpenAI's envelope is the likeliest.
pub fn bare(failure: &Failure) -> Vec<u8> {
    let Failure { status, kind, code, message, headers } = failure;
    let reply = ErrorReply { status: *status, kind: *kind, code, message, request_id: "", calls: &[] };
    let body = Family::OpenAi.error_body(&reply);
    let reason = StatusCode::from_u16(*status).ok().and_then(|status| status.canonical_reason()).unwrap_or_default();
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let head = format!(
        "HTTP/1.1 {status} {reason}\r\ncontent-type: application/json\r\ncontent-length: {}\r\ncache-control: \
         no-store\r\n{headers}connection: close\r\n\r\n",
        body.len()
    );
    [head.into_bytes(), body].concat()
}

/// Writes the answer. Does nothing if a head has been sent already: the connection is then cut instead.
pub async fn send(session: &mut Session, failure: &Failure, answer: &Answer<'_>) -> pingora::Result<()> {
    if session.response_written().is_some() {
        return Ok(());
    }
    let Failure { status, kind, code, message, headers } = failure;
    let Answer { family, request_id, calls, .. } = *answer;
    let reply = ErrorReply { status: *status, kind: *kind, code, message, request_id, calls };
    let body = Bytes::from(family.error_body(&reply));
    let mut head = ResponseHeader::build(family.error_status(&reply), Some(12))?;
    head.insert_header("content-type", "application/json")?;
    head.insert_header("content-length", body.len())?;
    head.insert_header("cache-control", "no-store")?;
    head.insert_header("x-request-id", answer.request_id)?;
    if answer.family == Family::Anthropic {
        head.insert_header("request-id", answer.request_id)?;
    }
    head.insert_header("x-promptgate-verdict", answer.verdict)?;
    if !answer.rules.is_empty() {
        head.insert_header("x-promptgate-rules", answer.rules)?;
    }
    if *status < 429 {
        // Trying again cannot help; SDKs of OpenAI and Anthropic obey this.
        head.insert_header("x-should-retry", "false")?;
    }
    for (name, value) in answer.family.error_headers(&reply) {
        head.insert_header(*name, *value)?;
    }
    for (name, value) in headers {
        head.insert_header(name.clone().into_owned(), value)?;
    }
    if session.req_header().method == http::Method::HEAD {
        return session.write_response_header(Box::new(head), true).await;
    }
    session.write_response_header(Box::new(head), false).await?;
    session.write_response_body(Some(body), true).await
}
