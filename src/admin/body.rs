//! Request bodies: strict JSON under a size and a time limit. Knows no endpoint.

use std::time::Duration;

use axum::body::{Body, Bytes};
use futures_util::StreamExt;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, EXPECT};
use http::{HeaderMap, HeaderValue};
use serde::de::DeserializeOwned;
use serde_json::error::Category;

use super::Refusal;

/// The whole body, if its headers announce JSON and it is no longer than `limit` bytes.
pub(super) async fn read(headers: &HeaderMap, body: &mut Body, limit: usize) -> Result<Bytes, Refusal> {
    if !is_json(headers) {
        return Err(Refusal::UnsupportedMedia);
    }
    if declared_length(headers).is_some_and(|length| length > limit as u64) {
        return Err(Refusal::TooLarge(limit));
    }
    let read = tokio::time::timeout(READ_TIME, collect(body, limit)).await;
    read.unwrap_or(Err(Refusal::Timeout(READ_TIME.as_secs())))
}

/// Reads on and throws away, within limits: a client that writes its whole body before it reads would otherwise see a
/// reset connection instead of the refusal. One that waits for `100 Continue` is not asked for its body.
pub(super) async fn drain(headers: &HeaderMap, body: Body) {
    if headers.contains_key(EXPECT) || declared_length(headers).is_some_and(|length| length > DRAIN_BYTES) {
        return;
    }
    let mut stream = body.into_data_stream();
    let all = async {
        let mut left = DRAIN_BYTES;
        while let Some(Ok(chunk)) = stream.next().await {
            match left.checked_sub(chunk.len() as u64) {
                Some(rest) => left = rest,
                None => break,
            }
        }
    };
    // Whether it ended by itself or by the clock, the refusal goes out now.
    let _ = tokio::time::timeout(DRAIN_TIME, all).await;
}

/// Parses one JSON object. `T` must deny unknown fields; serde itself refuses a field that comes twice, but would take an
/// array of the fields' values for the object.
pub(super) fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    if body.trim_ascii_start().first().is_some_and(|byte| *byte != b'{') {
        return Err(Refusal::BadRequest("the body must be a JSON object".to_owned()));
    }
    serde_json::from_slice(body).map_err(|error| Refusal::BadRequest(reason(&error)))
}

async fn collect(body: &mut Body, limit: usize) -> Result<Bytes, Refusal> {
    let mut stream = std::mem::replace(body, Body::empty()).into_data_stream();
    let mut read = Vec::new();
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|_| Refusal::BadRequest("the request body was cut off".to_owned()))?;
        if read.len() + chunk.len() > limit {
            *body = Body::from_stream(stream);
            return Err(Refusal::TooLarge(limit));
        }
        read.extend_from_slice(&chunk);
    }
    Ok(read.into())
}

fn is_json(headers: &HeaderMap) -> bool {
    let coded =
        headers.get_all(CONTENT_ENCODING).iter().any(|value| !value.as_bytes().eq_ignore_ascii_case(b"identity"));
    let mut types = headers.get_all(CONTENT_TYPE).iter();
    !coded && types.next().is_some_and(is_json_type) && types.next().is_none()
}

/// RFC 8259 defines no parameters; `charset=utf-8` is what many clients send all the same.
fn is_json_type(value: &HeaderValue) -> bool {
    let Ok(value) = value.to_str() else { return false };
    let mut parts = value.split(';').map(str::trim);
    let is_json = parts.next().is_some_and(|media| media.eq_ignore_ascii_case("application/json"));
    let charset = |part: &str| {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        !name.trim().eq_ignore_ascii_case("charset") || value.trim().trim_matches('"').eq_ignore_ascii_case("utf-8")
    };
    is_json && parts.all(charset)
}

fn declared_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// What serde found wrong, without the values and names it quotes from the body: what follows its last ", expected " is
/// its own, and so are the names of missing and doubled fields.
fn reason(error: &serde_json::Error) -> String {
    let message = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    match error.classify() {
        Category::Data if message.starts_with("missing field") || message.starts_with("duplicate field") => message,
        Category::Data => {
            let expected = message.rsplit_once(", expected ").map_or("", |(_, expected)| expected);
            let expected = expected.strip_suffix(&place).unwrap_or(expected);
            let what = if message.starts_with("unknown field") { "unknown field" } else { "wrong type or value" };
            format!("{what}: expected {expected}{place}")
        }
        Category::Eof => "the body is not complete JSON".to_owned(),
        Category::Syntax | Category::Io => format!("the body is not valid JSON{place}"),
    }
}

const READ_TIME: Duration = Duration::from_secs(30);
const DRAIN_TIME: Duration = Duration::from_secs(2);
const DRAIN_BYTES: u64 = 8 << 20;

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Sample {
        #[serde(rename = "prompt")]
        _prompt: String,
        #[serde(rename = "context")]
        _context: Option<String>,
    }

    #[test]
    fn refusals_say_what_is_wrong_and_repeat_nothing() {
        let cases = [
            ("", "not complete JSON"),
            ("{\"prompt\":\"hunter2", "not complete JSON"),
            ("{prompt:1}", "not valid JSON"),
            ("{\"prompt\":\"hunter2\"} hunter2", "not valid JSON"),
            ("{\"prompt\":\"hunter2\",\"prompt\":\"hunter2\"}", "duplicate field `prompt`"),
            ("{\"context\":\"hunter2\"}", "missing field `prompt`"),
            ("{\"prompt\":{\"hunter2\":1}}", "expected a string"),
            ("{\"prompt\":\"x\",\"context\":3}", "expected a string"),
            ("{\"hunter2, expected \":1}", "unknown field: expected `prompt` or `context`"),
            ("{\"prompt\":\"x\",\"context, expected hunter2\":1}", "unknown field: expected `prompt` or `context`"),
            ("\"hunter2\"", "JSON object"),
            ("[\"hunter2\",null]", "JSON object"),
            ("{\"prompt\":\"\\ud800\"}", "not valid JSON"),
            ("\u{feff}{}", "JSON object"),
        ];
        for (body, expected) in cases {
            let Err(Refusal::BadRequest(reason)) = parse::<Sample>(body.as_bytes()) else {
                panic!("{body} was accepted")
            };
            assert!(reason.contains(expected), "{body}: {reason}");
            assert!(!reason.contains("hunter2"), "{body}: {reason}");
        }
    }

    #[test]
    fn only_json_in_utf_8_is_json() {
        let cases = [
            ("application/json", true),
            ("Application/JSON; charset=\"UTF-8\"", true),
            ("application/json; charset=latin1", false),
            ("text/plain", false),
            ("application/json-patch+json", false),
            ("", false),
        ];
        for (value, expected) in cases {
            assert_eq!(is_json_type(&HeaderValue::from_static(value)), expected, "{value}");
        }
    }
}
