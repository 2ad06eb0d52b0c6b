//! Host check: a page that rebinds its own name to this address (DNS rebinding) must not be served. Not authentication.

use std::net::IpAddr;

use http::header::HOST;
use http::request::Parts;
use http::uri::Authority;

use super::Refusal;
use crate::config::Admin;

/// Allows loopback names, the listen address and `admin.allowed_hosts`. A literal IP address cannot be rebound: any is
/// allowed when the listener is bound to all addresses, and, because probes and scrapers call pods by theirs, where
/// `open` says that the endpoint needs no token.
pub(super) fn check(parts: &Parts, admin: &Admin, open: bool) -> Result<(), Refusal> {
    let mut named = 0;
    for authority in authorities(parts) {
        if !is_allowed(&authority?, admin, open) {
            return Err(Refusal::Misdirected);
        }
        named += 1;
    }
    if named == 0 { Err(bad_host()) } else { Ok(()) }
}

/// The target's authority (HTTP/2, absolute form) and every `Host` header.
fn authorities(parts: &Parts) -> impl Iterator<Item = Result<Authority, Refusal>> {
    let header = |value: &http::HeaderValue| Authority::try_from(value.as_bytes()).map_err(|_| bad_host());
    let target = parts.uri.authority().cloned().map(Ok);
    target.into_iter().chain(parts.headers.get_all(HOST).iter().map(header))
}

fn is_allowed(authority: &Authority, admin: &Admin, open: bool) -> bool {
    if authority.as_str().contains('@') {
        return false;
    }
    let host = authority.host().to_ascii_lowercase();
    let host = host.strip_suffix('.').unwrap_or(&host);
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    match bare.parse::<IpAddr>() {
        Ok(ip) => {
            let listen = admin.listen.ip();
            ip.is_loopback() || ip == listen || listen.is_unspecified() || open || listed(bare, admin)
        }
        Err(_) => host == "localhost" || listed(host, admin),
    }
}

fn listed(host: &str, admin: &Admin) -> bool {
    admin.allowed_hosts.iter().any(|allowed| allowed.eq_ignore_ascii_case(host))
}

fn bad_host() -> Refusal {
    Refusal::BadRequest("the request must name its host in one valid Host header".to_owned())
}
