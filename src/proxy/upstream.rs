//! The way up: which peer, which path, which headers. Knows nothing of what the body holds.

use std::sync::Arc;
use std::time::Duration;

use http::header::{ACCEPT_ENCODING, CONTENT_LENGTH, HOST, HeaderName, TRANSFER_ENCODING};
use pingora::http::RequestHeader;
use pingora::protocols::tls::CaType;
use pingora::protocols::{ALPN, TcpKeepalive};
use pingora::upstreams::peer::{HttpPeer, HttpUpstreamRequestPolicy};

use super::head::GATEWAY_TOKEN;
use super::patience::Connector;
use super::way::Way;
use crate::config::{Address, HttpVersion, Upstream, UpstreamAuth, UpstreamKey};
use crate::wire::{self, Family};

/// `way` is one of the upstream's; `ca` who may have issued its certificate, if not whom the system trusts.
pub fn peer(upstream: &Upstream, way: &Way, ca: Option<Arc<CaType>>) -> HttpPeer {
    let Way { place, address, connect } = way;
    // With a name, so that the certificate is checked: configuration refuses TLS to a bare address.
    let mut peer = HttpPeer::new(*address, place.tls, place.host.clone());
    let options = &mut peer.options;
    options.ca = ca;
    options.custom_l4 = Some(Arc::new(Connector { limit: *connect }));
    options.total_connection_timeout = Some(*connect);
    options.tcp_keepalive = Some(KEEPALIVE);
    // `Patience` is stricter; this is for what it does not see.
    options.read_timeout = Some(upstream.timeouts.first_byte.max(upstream.timeouts.idle));
    options.idle_timeout = Some(upstream.timeouts.idle);
    options.http_upstream_request_policy = HttpUpstreamRequestPolicy::deny_upgrades();
    match upstream.http {
        HttpVersion::Auto if place.tls => options.alpn = ALPN::H2H1,
        HttpVersion::Auto | HttpVersion::One => options.set_http_version(1, 1),
        HttpVersion::Two => options.set_http_version(2, 2),
    }
    peer
}

/// Finds out within a minute that the other end of a connection is gone without a word.
const KEEPALIVE: TcpKeepalive = TcpKeepalive {
    idle: Duration::from_secs(30),
    interval: Duration::from_secs(10),
    count: 3,
    user_timeout: Duration::from_secs(60),
};

/// The query with the keys the dialect knows, as they were written.
pub fn query(family: Family, upstream: &Upstream, query: &str) -> (String, u64) {
    let (mut kept, mut dropped) = (Vec::new(), 0);
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let key = pair.split('=').next().unwrap_or_default();
        let decoded = url::form_urlencoded::parse(key.as_bytes()).next().map(|(key, _)| key.into_owned());
        let key = decoded.unwrap_or_default();
        if wire::query_key_allowed(family, &key) || upstream.allow_query.contains(&key) {
            kept.push(pair);
        } else {
            dropped += 1;
        }
    }
    (kept.join("&"), dropped)
}

/// Makes the head that goes up: allowed headers only, the upstream's own key, and a body of `length` bytes or, with
/// `None`, as Pingora frames it. Returns how many headers were dropped.
pub fn rewrite(
    head: &mut RequestHeader,
    family: Family,
    upstream: &Upstream,
    place: &Address,
    target: &str,
    length: Option<usize>,
) -> pingora::Result<u64> {
    let passed = passed_credentials(upstream);
    let allowed = |name: &str| {
        passed.contains(&name)
            || (!wire::NEVER_UPSTREAM.contains(&name)
                && (wire::request_header_allowed(family, name)
                    || upstream.allow_headers.iter().any(|extra| extra == name)))
    };
    let unwanted: Vec<HeaderName> = head.headers.keys().filter(|name| !allowed(name.as_str())).cloned().collect();
    let dropped = unwanted.iter().filter(|name| !is_ours(name)).count() as u64;
    for name in unwanted {
        head.remove_header(&name);
    }
    head.set_raw_path(target.as_bytes())?;
    head.insert_header(HOST, place.authority())?;
    head.insert_header(ACCEPT_ENCODING, "identity")?;
    head.remove_header(&TRANSFER_ENCODING);
    if let Some(length) = length {
        head.insert_header(CONTENT_LENGTH, length)?;
    }
    if let (UpstreamAuth::Replace, UpstreamKey::Set(key)) = (upstream.auth, &upstream.key) {
        let place = family.upstream_key();
        head.insert_header(place.header_name(), place.header_value(key.expose()))?;
    }
    Ok(dropped)
}

fn passed_credentials(upstream: &Upstream) -> &'static [&'static str] {
    match upstream.auth {
        UpstreamAuth::Replace => &[],
        UpstreamAuth::Pass => wire::CALLER_CREDENTIAL_HEADERS,
    }
}

/// Headers that the gateway itself consumes or rewrites are not counted as dropped.
fn is_ours(name: &HeaderName) -> bool {
    wire::NEVER_UPSTREAM.contains(&name.as_str()) || name == GATEWAY_TOKEN
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn upstream(text: &str) -> Upstream {
        let text = format!("[[upstream]]\nname = \"openai\"\nurl = \"http://127.0.0.1:9\"\n{text}\n");
        let variables = [("K".to_owned(), "provider-key".to_owned())];
        let config = Config::load(Some(&text), variables).unwrap().config;
        Upstream::clone(&config.upstreams[0])
    }

    fn sent(upstream: &Upstream, headers: &[(&str, &str)]) -> Vec<(String, String)> {
        let mut head = RequestHeader::build("POST", b"/v1/x", None).unwrap();
        for (name, value) in headers {
            head.append_header((*name).to_owned(), *value).unwrap();
        }
        rewrite(&mut head, Family::OpenAi, upstream, &upstream.address, "/v1/x", Some(3)).unwrap();
        let mut sent: Vec<_> =
            head.headers.iter().map(|(n, v)| (n.to_string(), v.to_str().unwrap().to_owned())).collect();
        sent.sort();
        sent
    }

    #[test]
    fn credentials_of_the_caller_are_replaced_and_unknown_headers_stay_behind() {
        let caller = [
            ("authorization", "Bearer gateway-token"),
            ("api-key", "gateway-token"),
            ("cookie", "a=b"),
            ("openai-beta", "x"),
            ("content_length", "9"),
            ("x-forwarded-for", "10.0.0.1"),
            ("connection", "keep-alive"),
        ];
        let pairs =
            |pairs: &[(&str, &str)]| pairs.iter().map(|(n, v)| (n.to_string(), v.to_string())).collect::<Vec<_>>();
        let own = [
            ("accept-encoding", "identity"),
            ("authorization", "Bearer provider-key"),
            ("content-length", "3"),
            ("host", "127.0.0.1:9"),
            ("openai-beta", "x"),
        ];
        assert_eq!(sent(&upstream("api_key_env = \"K\""), &caller), pairs(&own));
    }

    #[test]
    fn with_pass_the_provider_header_goes_up_and_the_gateway_token_does_not() {
        let caller = [("authorization", "Bearer provider-own"), ("x-promptgate-token", "gateway-token")];
        let sent = sent(&upstream("auth = \"pass\""), &caller);
        assert!(sent.contains(&("authorization".to_owned(), "Bearer provider-own".to_owned())));
        assert!(sent.iter().all(|(_, value)| !value.contains("gateway-token")));
    }

    #[test]
    fn only_known_query_keys_go_up_as_they_were_written() {
        let upstream = upstream("allow_query = [\"trace\"]");
        assert_eq!(
            query(Family::Azure, &upstream, "api-version=2024-10-21&x=1&trace=a%2Fb"),
            ("api-version=2024-10-21&trace=a%2Fb".to_owned(), 1)
        );
        assert_eq!(query(Family::Gemini, &upstream, "alt=sse"), ("alt=sse".to_owned(), 0));
    }
}
