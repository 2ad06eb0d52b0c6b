//! The way down: which head of an upstream is believed, which of its headers pass, and how an answer that is cut off leaves.
//! Knows nothing of what the body holds.

use std::future::poll_fn;
use std::time::Duration;

use http::header::{CONNECTION, CONTENT_LENGTH, HeaderMap, HeaderName, TRANSFER_ENCODING};
use pingora::http::ResponseHeader;
use pingora::protocols::http::ServerSession;
use pingora::proxy::Session;
use pingora::{Error, ErrorSource, ErrorType};
use tokio::time::timeout;

use super::reply::Failure;
use crate::config::UpstreamKey;
use crate::wire;

/// Refuses heads that two readers could read differently: where this answer ends decides whose the next one is. Of an answer in
/// chunks that names a length, too, Pingora drops the length before any hook, as RFC 9112, section 6.3, has it, so over HTTP/1
/// that pair passes, framed anew. To see it would take another reading of the bytes below, where most upstreams speak TLS.
pub fn check(head: &ResponseHeader) -> Result<(), Failure> {
    let mut lengths = head.headers.get_all(CONTENT_LENGTH).iter();
    let mut codings = head.headers.get_all(TRANSFER_ENCODING).iter();
    let (length, coding) = (lengths.next(), codings.next());
    let once = lengths.next().is_none() && codings.next().is_none() && !(length.is_some() && coding.is_some());
    let digits = length.is_none_or(|value| !value.is_empty() && value.as_bytes().iter().all(u8::is_ascii_digit));
    let chunked = coding.is_none_or(|value| value.as_bytes().eq_ignore_ascii_case(b"chunked"));
    // The gateway asks for no other protocol.
    if once && digits && chunked && head.status != http::StatusCode::SWITCHING_PROTOCOLS {
        Ok(())
    } else {
        Err(Failure::upstream(
            "upstream_error",
            "the upstream's answer is framed in a way that can be read differently",
        ))
    }
}

/// Refuses an upstream that says without end that it will answer soon.
pub fn check_interim(heads: usize) -> Result<(), Failure> {
    const MOST: usize = 16;
    if heads <= MOST {
        return Ok(());
    }
    Err(Failure::upstream("upstream_error", "the upstream sent more interim answers than can be meant"))
}

/// Removes what is the provider's own, what ends with its connection, and what repeats its key.
pub fn strip(head: &mut ResponseHeader, key: &UpstreamKey) {
    let nominated: Vec<HeaderName> = nominated(&head.headers);
    let framing = |name: &HeaderName| *name == CONTENT_LENGTH || *name == TRANSFER_ENCODING;
    let echo = |value: &[u8]| match key {
        UpstreamKey::Set(key) => memchr::memmem::find(value, key.expose().as_bytes()).is_some(),
        UpstreamKey::None | UpstreamKey::Unset { .. } => false,
    };
    let unwanted: Vec<HeaderName> = head
        .headers
        .iter()
        .filter(|(name, value)| {
            let passes = wire::response_header_allowed(name.as_str()) && !nominated.contains(name);
            !framing(name) && (!passes || echo(value.as_bytes()))
        })
        .map(|(name, _)| name.clone())
        .collect();
    for name in unwanted {
        head.remove_header(&name);
    }
}

/// Whether something could be written behind what the caller has: not after a write that failed, which may have ended in the
/// middle of a piece.
pub fn takes_more(error: &Error) -> bool {
    use ErrorType::{ConnectionClosed, H2Error, WriteError, WriteTimedout};
    *error.esource() != ErrorSource::Downstream
        || !matches!(error.etype(), ConnectionClosed | H2Error | WriteError | WriteTimedout)
}

/// Lets what was written of an answer leave that is then cut off. Over HTTP/2 it waits for its turn, and whoever lets go of a
/// stream before its end resets it at once and drops what waits; so it is kept for a moment, unless the caller resets it.
pub fn let_leave(session: &mut Session) {
    let ServerSession::H2(stream) = &mut *session.downstream_session else { return };
    if let Some(mut writer) = stream.take_response_body_writer() {
        tokio::spawn(timeout(LEAVING, async move { poll_fn(|cx| writer.poll_reset(cx)).await }));
    }
}

/// How long what was written over HTTP/2 may take to leave.
const LEAVING: Duration = Duration::from_secs(1);

fn nominated(headers: &HeaderMap) -> Vec<HeaderName> {
    let values = headers.get_all(CONNECTION).iter().flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    values.filter_map(|name| HeaderName::from_bytes(name.trim_ascii()).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(headers: &[(&'static str, &str)]) -> ResponseHeader {
        let mut head = ResponseHeader::build(200, None).unwrap();
        for (name, value) in headers {
            head.append_header(*name, *value).unwrap();
        }
        head
    }

    #[test]
    fn an_answer_has_one_framing() {
        let cases: &[(&[(&str, &str)], bool)] = &[
            (&[], true),
            (&[("content-length", "2")], true),
            (&[("transfer-encoding", "Chunked")], true),
            (&[("content-length", "2"), ("content-length", "2")], false),
            (&[("content-length", "2, 2")], false),
            (&[("content-length", "")], false),
            (&[("content-length", "+2")], false),
            (&[("content-length", "2"), ("transfer-encoding", "chunked")], false),
            (&[("transfer-encoding", "gzip, chunked")], false),
            (&[("transfer-encoding", "identity")], false),
        ];
        for (headers, expected) in cases {
            assert_eq!(check(&head(headers)).is_ok(), *expected, "{headers:?}");
        }
    }

    #[test]
    fn after_a_write_that_failed_nothing_is_written() {
        for (kind, upstream, expected) in [
            (ErrorType::WriteTimedout, false, false),
            (ErrorType::WriteError, false, false),
            (ErrorType::ConnectionClosed, false, false),
            (ErrorType::H2Error, false, false),
            (ErrorType::ReadTimedout, false, true),
            (ErrorType::HTTPStatus(502), false, true),
            (ErrorType::WriteError, true, true),
            (ErrorType::ReadError, true, true),
        ] {
            let error = Error::new(kind);
            let error = if upstream { error.into_up() } else { error.into_down() };
            assert_eq!(takes_more(&error), expected, "{error}");
        }
    }

    #[test]
    fn headers_of_the_connection_and_the_provider_stay_here() {
        let mut head = head(&[
            ("connection", "x-one, X-Two"),
            ("x-one", "a"),
            ("x-two", "a"),
            ("set-cookie", "a"),
            ("content-length", "2"),
            ("retry-after", "1"),
        ]);
        strip(&mut head, &UpstreamKey::None);
        let mut names: Vec<&str> = head.headers.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["content-length", "retry-after"]);
    }
}
