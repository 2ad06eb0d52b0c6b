//! The way down: which head of an upstream is believed, and which of its headers pass. Knows nothing of what the body holds.

use http::header::{CONNECTION, CONTENT_LENGTH, HeaderMap, HeaderName, TRANSFER_ENCODING};
use pingora::http::ResponseHeader;

use super::reply::Failure;
use crate::config::UpstreamKey;
use crate::wire;

/// Refuses heads that two readers could read differently: where this answer ends decides whose the next one is.
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
