//! The request head: what Pingora accepts and we refuse, and where the caller's credential is. Reads no body, knows no route.

use http::header::{
    AUTHORIZATION, CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, EXPECT, HOST, HeaderMap, HeaderName,
    TRANSFER_ENCODING, UPGRADE,
};
use http::uri::Authority;
use http::{Method, Version};
use pingora::http::RequestHeader;

use super::edge::Mended;
use super::reply::Failure;
use crate::codec::coding::Coding;
use crate::config::Limits;
use crate::wire::{self, Family};

/// The header that carries the gateway token where the provider's own header is forwarded.
pub const GATEWAY_TOKEN: &str = "x-promptgate-token";

/// What the head says of the body to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Framing {
    /// `None` when chunked, or HTTP/2 without a length: a body may follow whose size nobody has told.
    pub length: Option<u64>,
    pub expects_continue: bool,
}

/// Refuses heads that two readers could read differently, and heads over the limits.
pub fn check(request: &RequestHeader, raw: Option<&[u8]>, limits: &Limits) -> Result<Framing, Failure> {
    check_sizes(request, limits)?;
    check_target(request, raw)?;
    check_singles(&request.headers)?;
    check_host(request)?;
    check_nominated(&request.headers)?;
    if request.headers.contains_key(UPGRADE) && request.version != Version::HTTP_2 {
        return Err(Failure::bad_request("upgrade_refused", "protocol upgrades are not available here"));
    }
    framing(request, raw)
}

/// Refuses what Pingora has set right in silence: another reader of the same bytes could see another request.
pub fn check_mended(mended: Option<Mended>) -> Result<(), Failure> {
    match mended {
        None => Ok(()),
        Some(Mended::LineEnd) => {
            Err(Failure::bad_request("bad_line_end", "every line of the request head must end with CR LF"))
        }
        Some(Mended::Target) => Err(bad_target()),
    }
}

fn bad_target() -> Failure {
    Failure::bad_request("bad_target", "the request target must be an absolute path")
}

/// Names that the header `Connection` binds to this connection.
fn nominated(headers: &HeaderMap) -> impl Iterator<Item = &[u8]> {
    let values = headers.get_all(CONNECTION).iter().flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    values.map(<[u8]>::trim_ascii).filter(|name| !name.is_empty())
}

/// A header that decides something here must not be one that another reader drops.
fn check_nominated(headers: &HeaderMap) -> Result<(), Failure> {
    let refused = |name: &[u8]| std::str::from_utf8(name).map_or(true, |name| !wire::may_be_nominated(name));
    if nominated(headers).any(refused) {
        return Err(Failure::bad_request(
            "bad_connection",
            "the header connection names one that is not of a connection",
        ));
    }
    Ok(())
}

/// Removes the headers that end with this connection.
pub fn strip_nominated(request: &mut RequestHeader) {
    let names: Vec<HeaderName> =
        nominated(&request.headers).filter_map(|name| HeaderName::from_bytes(name).ok()).collect();
    for name in names {
        request.remove_header(&name);
    }
}

fn check_sizes(request: &RequestHeader, limits: &Limits) -> Result<(), Failure> {
    let target = request.raw_path().len();
    if target > limits.target {
        return Err(Failure::target_too_long(limits.target));
    }
    let fields = request.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum::<usize>();
    if request.headers.len() > limits.headers || target + fields > limits.head {
        return Err(Failure::head_too_large(limits.head, limits.headers));
    }
    Ok(())
}

fn check_target(request: &RequestHeader, raw: Option<&[u8]>) -> Result<(), Failure> {
    if request.method == Method::CONNECT || request.method == Method::TRACE {
        return Err(Failure::method_not_allowed(""));
    }
    let origin_form = request.raw_path().first() == Some(&b'/');
    // Pingora drops a fragment; the bytes of the request line still have it.
    let line = raw.and_then(|raw| raw.split(|byte| *byte == b'\n').find(|line| line.len() > 1));
    let fragment = line.is_some_and(|line| line.contains(&b'#'));
    let plain = !fragment && request.raw_path().iter().all(|byte| (0x21..0x7f).contains(byte));
    if origin_form && plain { Ok(()) } else { Err(bad_target()) }
}

/// Headers of which two would let two readers disagree.
fn check_singles(headers: &HeaderMap) -> Result<(), Failure> {
    const SINGLES: &[HeaderName] = &[AUTHORIZATION, CONTENT_TYPE, CONTENT_ENCODING, HOST, EXPECT];
    let own = HeaderName::from_static(GATEWAY_TOKEN);
    let credentials = wire::CALLER_CREDENTIAL_HEADERS.iter().filter_map(|name| name.parse::<HeaderName>().ok());
    let twice =
        SINGLES.iter().cloned().chain(credentials).chain([own]).find(|name| headers.get_all(name).iter().count() > 1);
    match twice {
        Some(name) => Err(Failure::bad_request("duplicate_header", &format!("the header {name} must stand once"))),
        None => Ok(()),
    }
}

fn check_host(request: &RequestHeader) -> Result<(), Failure> {
    let host = request.headers.get(HOST).map(|host| host.as_bytes());
    let authority = request.uri.authority().map(|authority| authority.as_str().as_bytes());
    let named = match request.version {
        // Which of two that differ an upstream would believe, nobody knows.
        Version::HTTP_2 if host.is_some() && authority.is_some() && host != authority => {
            return Err(Failure::bad_request("bad_host", "the header host names another host than :authority"));
        }
        Version::HTTP_2 => host.or(authority),
        _ => host,
    };
    match named {
        None | Some(b"") => Err(Failure::bad_request("missing_host", "the request names no host")),
        Some(name) if is_host(name) => Ok(()),
        Some(_) => Err(Failure::bad_request("bad_host", "the header host must be one name or address, and a port")),
    }
}

/// A name or address that can be read in one way only: RFC 3986 lets a name hold commas and the like.
fn is_host(name: &[u8]) -> bool {
    let plain = name.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-._:[]".contains(byte));
    let whole = |authority: Authority| authority.host().len() == name.len() || authority.port_u16().is_some();
    plain && Authority::try_from(name).is_ok_and(whole)
}

fn framing(request: &RequestHeader, raw: Option<&[u8]>) -> Result<Framing, Failure> {
    let headers = &request.headers;
    let bad =
        || Failure::bad_request("bad_framing", "the length of the body is given in a way that can be read differently");
    let mut lengths = headers.get_all(CONTENT_LENGTH).iter();
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    let (length, coding) = (lengths.next(), codings.next());
    // Pingora drops the length when both are there; the bytes of the head still tell.
    let both = coding.is_some() && (length.is_some() || raw.is_some_and(names_content_length));
    if both || lengths.next().is_some() || codings.next().is_some() {
        return Err(bad());
    }
    if coding.is_some_and(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"chunked")) {
        return Err(bad());
    }
    let length = length.map(|value| parse_length(value.as_bytes()).ok_or_else(bad)).transpose()?;
    let expects_continue = match headers.get(EXPECT) {
        None => false,
        Some(value) if value.as_bytes().eq_ignore_ascii_case(b"100-continue") => true,
        Some(_) => return Err(Failure::expectation_failed()),
    };
    let open = length.is_none() && (coding.is_some() || request.version == Version::HTTP_2);
    // A request of HTTP/1 that says nothing has no body. Left unsaid, an upstream would get a whole request before the verdict.
    let length = length.or((!open).then_some(0));
    Ok(Framing { length, expects_continue })
}

fn parse_length(value: &[u8]) -> Option<u64> {
    let digits = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(value).ok().filter(|_| digits)?.parse().ok()
}

fn names_content_length(raw: &[u8]) -> bool {
    let name = b"content-length";
    raw.split(|byte| *byte == b'\n')
        .any(|line| line.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name)))
}

/// Accepts one JSON document, in UTF-8. FastAPI-like upstreams ignore the header and guess, so nothing else may pass.
pub fn check_content_type(headers: &HeaderMap) -> Result<(), Failure> {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut parts = value.split(';').map(str::trim);
    let essence = parts.next().unwrap_or_default().to_ascii_lowercase();
    let json = essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"));
    let charset = parts.all(|part| match part.split_once('=') {
        Some((name, charset)) if name.trim().eq_ignore_ascii_case("charset") => {
            charset.trim().trim_matches('"').eq_ignore_ascii_case("utf-8")
        }
        _ => true,
    });
    if json && charset { Ok(()) } else { Err(Failure::unsupported_media()) }
}

/// The one coding of the body, if any.
pub fn content_coding(headers: &HeaderMap) -> Result<Option<Coding>, Failure> {
    let Some(value) = headers.get(CONTENT_ENCODING) else { return Ok(None) };
    let token = value.to_str().unwrap_or_default().trim();
    if token.is_empty() || token.eq_ignore_ascii_case("identity") {
        return Ok(None);
    }
    Coding::from_token(token).map(Some).ok_or_else(Failure::unsupported_encoding)
}

/// The gateway token. SDKs put it where their provider wants it, one of them (Azure, old) in two places at once.
///
/// # Errors
/// A credential that is no bearer token, or two that differ.
pub fn gateway_token(headers: &HeaderMap, passes_credentials: bool) -> Result<Option<String>, Failure> {
    if let Some(own) = headers.get(GATEWAY_TOKEN) {
        return text(own.as_bytes()).map(Some);
    }
    if passes_credentials {
        return Ok(None);
    }
    let mut token: Option<String> = None;
    for name in wire::CALLER_CREDENTIAL_HEADERS {
        let Some(value) = headers.get(*name) else { continue };
        let found = text(value.as_bytes())?;
        let found = if *name == AUTHORIZATION.as_str() { bearer(&found)? } else { found };
        if token.as_ref().is_some_and(|token| *token != found) {
            return Err(Failure::unauthorized(
                "conflicting_credentials",
                "the request carries two different credentials",
            ));
        }
        token = Some(found);
    }
    Ok(token)
}

/// Whose SDK sent this, where a header tells: several APIs list their models at one path.
pub fn family(headers: &HeaderMap) -> Option<Family> {
    const MARKS: &[(&str, Family)] = &[("anthropic-version", Family::Anthropic), ("x-goog-api-key", Family::Gemini)];
    MARKS.iter().find(|(name, _)| headers.contains_key(*name)).map(|(_, family)| *family)
}

fn text(value: &[u8]) -> Result<String, Failure> {
    match std::str::from_utf8(value) {
        Ok(text) => Ok(text.trim().to_owned()),
        Err(_) => Err(Failure::unauthorized("malformed_credential", "the credential is not plain ASCII")),
    }
}

fn bearer(value: &str) -> Result<String, Failure> {
    let (scheme, token) = value.split_once(' ').unwrap_or((value, ""));
    if scheme.eq_ignore_ascii_case("bearer") {
        return Ok(token.trim().to_owned());
    }
    Err(if scheme.starts_with("AWS4-") {
        Failure::unauthorized(
            "signed_request",
            "a SigV4-signed request cannot be masked without voiding its signature; use a gateway token as a Bedrock \
             API key (AWS_BEARER_TOKEN_BEDROCK)",
        )
    } else {
        Failure::unauthorized("malformed_credential", "the Authorization header must be a bearer token")
    })
}

/// Refuses credentials in the query, where access logs would keep them.
pub fn check_query(query: Option<&str>) -> Result<(), Failure> {
    let keys = url::form_urlencoded::parse(query.unwrap_or_default().as_bytes());
    if keys.into_iter().any(|(key, _)| wire::query_key_is_credential(&key)) {
        return Err(Failure::unauthorized("credential_in_query", "credentials belong in a header, not in the query"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(headers: &[(&str, &str)]) -> RequestHeader {
        let mut request = RequestHeader::build("POST", b"/v1/x", None).unwrap();
        for (name, value) in headers {
            request.append_header((*name).to_owned(), *value).unwrap();
        }
        request
    }

    fn limits() -> Limits {
        crate::config::Config::default().limits
    }

    fn code(headers: &[(&str, &str)], raw: &str) -> Option<&'static str> {
        check(&request(headers), Some(raw.as_bytes()), &limits()).err().map(|failure| failure.code)
    }

    #[test]
    fn heads_that_can_be_read_in_two_ways_are_refused() {
        type Case = (&'static [(&'static str, &'static str)], Option<&'static str>);
        const HOST_FIELD: (&str, &str) = ("host", "x");
        let cases: &[Case] = &[
            (&[HOST_FIELD, ("content-length", "5")], None),
            (&[HOST_FIELD, ("transfer-encoding", "chunked")], None),
            (&[HOST_FIELD, ("transfer-encoding", "Chunked")], None),
            (&[("content-length", "5")], Some("missing_host")),
            (&[("host", "a.test,b.test")], Some("bad_host")),
            (&[("host", "a.test:1:2")], Some("bad_host")),
            (&[("host", "[::1]:8080")], None),
            (&[HOST_FIELD, ("content-length", "5"), ("content-length", "5")], Some("bad_framing")),
            (&[HOST_FIELD, ("content-length", "5, 5")], Some("bad_framing")),
            (&[HOST_FIELD, ("content-length", "+5")], Some("bad_framing")),
            (&[HOST_FIELD, ("content-length", "")], Some("bad_framing")),
            (&[HOST_FIELD, ("content-length", "99999999999999999999")], Some("bad_framing")),
            (&[HOST_FIELD, ("transfer-encoding", "gzip, chunked")], Some("bad_framing")),
            (&[HOST_FIELD, ("transfer-encoding", "identity")], Some("bad_framing")),
            (&[HOST_FIELD, ("transfer-encoding", "x"), ("transfer-encoding", "chunked")], Some("bad_framing")),
            (&[HOST_FIELD, ("content-length", "5"), ("transfer-encoding", "chunked")], Some("bad_framing")),
            (&[HOST_FIELD, ("authorization", "Bearer a"), ("authorization", "Bearer b")], Some("duplicate_header")),
            (&[HOST_FIELD, ("content-type", "a"), ("content-type", "a")], Some("duplicate_header")),
            (&[HOST_FIELD, ("upgrade", "websocket")], Some("upgrade_refused")),
            (&[HOST_FIELD, ("expect", "100-continue")], None),
            (&[HOST_FIELD, ("expect", "magic")], Some("expectation_failed")),
        ];
        for (headers, expected) in cases {
            assert_eq!(code(headers, ""), *expected, "{headers:?}");
        }
        assert_eq!(code(&[HOST_FIELD], "\r\nPOST /v1/x#y HTTP/1.1\r\n"), Some("bad_target"));
        let dropped = "POST / HTTP/1.1\r\nContent-LENGTH : 5\r\ntransfer-encoding: chunked\r\n";
        assert_eq!(code(&[HOST_FIELD, ("transfer-encoding", "chunked")], dropped), Some("bad_framing"));
    }

    #[test]
    fn only_json_in_utf8_is_read() {
        let accepted = |value: &str| check_content_type(&request(&[("content-type", value)]).headers).is_ok();
        for value in [
            "application/json",
            "Application/JSON; charset=UTF-8",
            "application/vnd.x+json",
            "application/json; charset=\"utf-8\"",
        ] {
            assert!(accepted(value), "{value}");
        }
        for value in [
            "text/plain",
            "",
            "application/json, text/plain",
            "application/json; charset=utf-16",
            "multipart/form-data",
            "x+json",
        ] {
            assert!(!accepted(value), "{value}");
        }
        assert!(check_content_type(&HeaderMap::new()).is_err());
    }

    #[test]
    fn a_body_has_one_known_coding_or_none() {
        let coding = |value: &str| {
            content_coding(&request(&[("content-encoding", value)]).headers).map_err(|failure| failure.status)
        };
        assert_eq!(coding("gzip"), Ok(Some(Coding::Gzip)));
        assert_eq!(coding("identity"), Ok(None));
        for value in ["gzip, br", "deflate", "gzip,gzip", "aws-chunked"] {
            assert_eq!(coding(value), Err(415), "{value}");
        }
    }

    #[test]
    fn the_token_is_found_where_each_sdk_puts_it() {
        let token =
            |headers: &[(&str, &str)]| gateway_token(&request(headers).headers, false).map_err(|failure| failure.code);
        for headers in [
            &[("authorization", "Bearer t")][..],
            &[("authorization", "bearer  t ")],
            &[("x-api-key", "t")],
            &[("api-key", "t"), ("authorization", "Bearer t")],
            &[("x-goog-api-key", "t")],
            &[("x-promptgate-token", "t"), ("authorization", "Bearer provider-key")],
        ] {
            assert_eq!(token(headers), Ok(Some("t".to_owned())), "{headers:?}");
        }
        assert_eq!(token(&[]), Ok(None));
        assert_eq!(token(&[("api-key", "a"), ("authorization", "Bearer b")]), Err("conflicting_credentials"));
        assert_eq!(token(&[("authorization", "AWS4-HMAC-SHA256 Credential=x")]), Err("signed_request"));
        assert_eq!(token(&[("authorization", "Basic eA==")]), Err("malformed_credential"));
        let passed = gateway_token(&request(&[("authorization", "Bearer provider-key")]).headers, true);
        assert_eq!(passed.map_err(|failure| failure.code), Ok(None));
    }

    #[test]
    fn credentials_in_the_query_are_refused() {
        for query in ["key=x", "a=b&API_KEY=x", "%6bey=x"] {
            assert!(check_query(Some(query)).is_err(), "{query}");
        }
        for query in [None, Some("alt=sse"), Some("api-version=2024-10-21&beta=true")] {
            assert!(check_query(query).is_ok(), "{query:?}");
        }
    }
}
