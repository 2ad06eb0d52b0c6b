//! One upstream and the address it is reached at. Connects to nothing.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;
use std::time::Duration;

use http::HeaderName;
use url::{Host, Url};

use super::pattern::is_canonical;
use super::problem::quoted;
use super::read::timeout;
use super::source::Section;
use super::value::VariableName;
use super::{Secret, Timeouts};
use crate::wire::{CREDENTIAL_QUERY_KEYS, NEVER_UPSTREAM};

/// One provider endpoint.
#[derive(Clone, Debug, PartialEq)]
pub struct Upstream {
    pub name: String,
    pub address: Address,
    /// Asked in this order where the one before cannot be reached. Same path as `address`.
    pub failover: Vec<Address>,
    pub key: UpstreamKey,
    pub auth: UpstreamAuth,
    /// Who may have issued its certificate, in PEM, in place of whom the system trusts.
    pub ca: Option<PathBuf>,
    /// Whether the endpoint takes a request body of unknown length (chunked, or HTTP/2 without `content-length`).
    pub chunked: bool,
    pub http: HttpVersion,
    /// Request header names, lower case, that go up beside those of the dialect.
    pub allow_headers: Vec<String>,
    /// Query keys that go up beside those of the dialect.
    pub allow_query: Vec<String>,
    pub timeouts: UpstreamTimeouts,
}

/// Where an upstream is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Address {
    pub tls: bool,
    /// A host name, or an IP address without brackets. With `tls` always a name: it is what the certificate is checked against.
    pub host: String,
    pub port: u16,
    /// Stands before every path sent; empty, or begins with `/` and does not end with one.
    pub base_path: String,
}

/// The provider's key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UpstreamKey {
    /// No key is configured: nothing is added to a request.
    None,
    /// A variable is named but not set: requests are answered 503.
    Unset {
        variable: String,
    },
    Set(Secret),
}

/// What happens to the caller's credentials on the way up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UpstreamAuth {
    /// They are removed and the upstream's key takes their place.
    #[default]
    Replace,
    /// The gateway token came in `x-promptgate-token`; the provider's own header is forwarded.
    Pass,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HttpVersion {
    /// By ALPN over TLS, else HTTP/1.1.
    #[default]
    Auto,
    One,
    /// Over cleartext with prior knowledge.
    Two,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UpstreamTimeouts {
    pub connect: Duration,
    pub first_byte: Duration,
    pub idle: Duration,
}

/// The timeouts of an upstream that has none of its own.
pub(super) fn timeouts_of(timeouts: &Timeouts) -> UpstreamTimeouts {
    UpstreamTimeouts { connect: timeouts.connect, first_byte: timeouts.first_byte, idle: timeouts.idle }
}

/// One `[[upstream]]`. `None` when something that must be there is not; then there is a problem too.
pub(super) fn read(section: Section, name: Option<String>, shared: UpstreamTimeouts) -> Option<Upstream> {
    if name.as_ref().is_some_and(|name| !name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))) {
        section.problem("name", "must be letters, digits, - _ and .");
    }
    let link_local = section.read_or("allow_link_local", false);
    let url: Option<String> = section.required("url");
    let address =
        url.and_then(|url| Address::parse(&url, link_local).map_err(|message| section.problem("url", message)).ok());
    let auth = section.read_or("auth", UpstreamAuth::default());
    let failover = failover(&section, address.as_ref(), link_local);
    let key = key(&section, auth);
    let ca: Option<PathBuf> = section.read("ca");
    if ca.is_some() && address.as_ref().is_some_and(|first| !first.tls && failover.iter().all(|other| !other.tls)) {
        section.problem("ca", "is of no use: no address begins with https://");
    }
    let chunked = section.read_or("chunked", true);
    let http = section.read_or("http", HttpVersion::default());
    let allow_headers = allow_headers(&section);
    let allow_query = allow_query(&section);
    let timeouts = timeouts(section.section("timeouts"), shared);
    section.finish();
    let (name, address) = (name?, address?);
    Some(Upstream { name, address, failover, key, auth, ca, chunked, http, allow_headers, allow_query, timeouts })
}

fn failover(section: &Section, first: Option<&Address>, link_local: bool) -> Vec<Address> {
    let urls: Vec<String> = section.read_or("failover", Vec::new());
    if urls.len() > MOST_FAILOVERS {
        section.problem("failover", format!("must not name more than {MOST_FAILOVERS} addresses"));
    }
    let parsed = urls.iter().map(|url| match Address::parse(url, link_local) {
        Ok(address) if first.is_some_and(|first| first.base_path != address.base_path) => {
            Err("must all have the path of url")
        }
        parsed => parsed,
    });
    parsed.filter_map(|parsed| parsed.map_err(|message| section.problem("failover", message)).ok()).collect()
}

/// Addresses of one upstream beside its first. Each may take `timeouts.connect` of a request.
const MOST_FAILOVERS: usize = 3;

fn key(section: &Section, auth: UpstreamAuth) -> UpstreamKey {
    let Some(VariableName(variable)) = section.read("api_key_env") else { return UpstreamKey::None };
    if auth == UpstreamAuth::Pass {
        section.problem("api_key_env", "has no use with auth = \"pass\": the caller's own key is forwarded");
    }
    match section.source().variable(&variable) {
        None => UpstreamKey::Unset { variable },
        Some(key) if is_header_value(key) => UpstreamKey::Set(Secret::new(key)),
        Some(_) => {
            section.problem("api_key_env", format!("the value of {variable} holds characters no header can carry"));
            UpstreamKey::Unset { variable }
        }
    }
}

fn is_header_value(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_graphic())
}

fn allow_headers(section: &Section) -> Vec<String> {
    let names: Vec<String> = section.read_or("allow_headers", Vec::new());
    for name in &names {
        match HeaderName::from_bytes(name.as_bytes()) {
            Err(_) => section.problem("allow_headers", format!("{} is not a header name", quoted(name))),
            Ok(known) if NEVER_UPSTREAM.contains(&known.as_str()) => {
                section
                    .problem("allow_headers", format!("{known} cannot be let through: the gateway sets or removes it"));
            }
            Ok(_) => {}
        }
    }
    names.iter().map(|name| name.to_ascii_lowercase()).collect()
}

fn allow_query(section: &Section) -> Vec<String> {
    let keys: Vec<String> = section.read_or("allow_query", Vec::new());
    for key in keys.iter().filter(|key| CREDENTIAL_QUERY_KEYS.iter().any(|known| known.eq_ignore_ascii_case(key))) {
        section.problem("allow_query", format!("{key} cannot be let through: it carries a credential"));
    }
    keys
}

fn timeouts(section: Section, shared: UpstreamTimeouts) -> UpstreamTimeouts {
    let timeouts = UpstreamTimeouts {
        connect: timeout(&section, "connect", shared.connect),
        first_byte: timeout(&section, "first_byte", shared.first_byte),
        idle: timeout(&section, "idle", shared.idle),
    };
    section.finish();
    timeouts
}

impl Upstream {
    /// All of its addresses, most wanted first.
    pub fn addresses(&self) -> impl Iterator<Item = &Address> {
        std::iter::once(&self.address).chain(&self.failover)
    }
}

impl Address {
    /// # Errors
    /// What is wrong with `text`, without repeating it: a URL can hold a password.
    fn parse(text: &str, allow_link_local: bool) -> Result<Self, &'static str> {
        let url = Url::parse(text).map_err(|_| "is not a URL")?;
        let tls = match url.scheme() {
            "https" => true,
            "http" => false,
            _ => return Err("must begin with https:// or http://"),
        };
        let host = url.host().ok_or("names no host")?;
        refuse_extras(&url)?;
        refuse_host(&host, tls, allow_link_local)?;
        let port = url.port_or_known_default().filter(|port| *port != 0).ok_or("names no port")?;
        let base_path = url.path().trim_end_matches('/').to_owned();
        if !base_path.is_empty() && !is_canonical(&base_path) {
            return Err("has a path that is not in canonical form");
        }
        let host = match host {
            Host::Ipv6(address) => address.to_string(),
            other => other.to_string(),
        };
        Ok(Address { tls, host, port, base_path })
    }

    /// What the `Host` header says.
    pub fn authority(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        match (self.tls, self.port) {
            (true, 443) | (false, 80) => host,
            (_, port) => format!("{host}:{port}"),
        }
    }
}

fn refuse_extras(url: &Url) -> Result<(), &'static str> {
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must not hold a user name or password; name the key's variable in api_key_env");
    }
    match url.query().or(url.fragment()) {
        Some(_) => Err("must end with the path: no ? and no #"),
        None => Ok(()),
    }
}

fn refuse_host(host: &Host<&str>, tls: bool, allow_link_local: bool) -> Result<(), &'static str> {
    let address = match host {
        Host::Domain(name) if !allow_link_local && METADATA_NAMES.contains(name) => return Err(LINK_LOCAL),
        Host::Domain(_) => return Ok(()),
        Host::Ipv4(address) => IpAddr::V4(*address),
        Host::Ipv6(address) => address.to_ipv4_mapped().map_or(IpAddr::V6(*address), IpAddr::V4),
    };
    if tls {
        // With an empty server name Pingora's rustls connector checks no certificate at all.
        return Err("needs a host name: a certificate cannot be checked against an IP address");
    }
    if address.is_unspecified() || address.is_multicast() {
        return Err("names an address nothing can be reached at");
    }
    if !allow_link_local && is_metadata(address) { Err(LINK_LOCAL) } else { Ok(()) }
}

const LINK_LOCAL: &str = "is a link-local or metadata address, where clouds hand out credentials; set allow_link_local = true if it is meant";

const METADATA_NAMES: &[&str] = &["metadata", "metadata.google.internal", "instance-data"];

/// Link-local addresses, and those that serve instance metadata: AWS over IPv6, Alibaba Cloud, Azure's wire server.
fn is_metadata(address: IpAddr) -> bool {
    const V4: [Ipv4Addr; 2] = [Ipv4Addr::new(100, 100, 100, 200), Ipv4Addr::new(168, 63, 129, 16)];
    const V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);
    match address {
        IpAddr::V4(address) => address.is_link_local() || V4.contains(&address),
        IpAddr::V6(address) => address.is_unicast_link_local() || address == V6,
    }
}
