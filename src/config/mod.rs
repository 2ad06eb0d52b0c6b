//! Configuration: file text and variables in, a checked `Config` or every problem at once out. Reads no file itself.
//!
//! The types here are what the rest of the crate uses: nothing in them "must be set by now". `source` walks the TOML and
//! the variables, `read` turns each section into its type, `check` looks at what no single section can see.

mod auth;
mod check;
mod engine;
mod env;
mod otlp;
mod pattern;
mod policies;
mod problem;
mod rate_limit;
mod read;
mod redis;
mod revocation;
mod routes;
mod rows;
mod secret;
mod source;
#[cfg(test)]
mod tests;
mod tls;
mod tokens;
mod upstream;
mod value;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::detect::Adjustment;
use crate::policy::{Level, Matrix};

pub use auth::{Auth, AuthMode, Hmac, Jwt};
pub use engine::Engine;
pub use otlp::{Otlp, is_loopback};
pub use pattern::{Params, Pattern, Template};
pub use policies::Policy;
pub use problem::{Problem, Problems};
pub use rate_limit::{RateLimit, RateLimitStore};
pub use redis::{Login, Node, Redis, RedisServers, Shared, Topology};
pub use revocation::Revocation;
pub use routes::{Found, Route, RouteMatch, RouteTable};
pub use secret::Secret;
pub use tls::{Clients, KeyPair, Tls, place as tls_place};
pub use tokens::{Placeholders, Tokens, Vault};
pub use upstream::{Address, HttpVersion, Upstream, UpstreamAuth, UpstreamKey, UpstreamTimeouts};
pub use value::OnOutage;

/// The shipped configuration, which is also the default one.
pub const SHIPPED: &str = include_str!("../../conf/promptgate.toml");

/// One checked configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    pub gateway: Gateway,
    pub admin: Admin,
    pub auth: Auth,
    pub revocation: Revocation,
    pub security: Security,
    pub limits: Limits,
    pub rate_limit: RateLimit,
    pub timeouts: Timeouts,
    pub upstreams: Vec<Arc<Upstream>>,
    pub routes: RouteTable,
    pub tokens: Tokens,
    pub redis: Redis,
    pub rules: Rules,
    pub engine: Engine,
    pub audit: Audit,
    pub telemetry: Telemetry,
    pub log: Log,
    pub reload: Reload,
}

/// What `Config::load` gives: a configuration that works, and what its author should know.
#[derive(Clone, Debug)]
pub struct Loaded {
    pub config: Config,
    /// For example a provider key that is not set. `--strict` treats them as problems.
    pub warnings: Vec<Problem>,
}

impl Config {
    /// Reads `text` (the shipped file when absent) with `variables` laid over it.
    ///
    /// # Errors
    /// Every problem there is, each with the path of its key. No value that may be a secret is repeated in one.
    pub fn load(text: Option<&str>, variables: impl IntoIterator<Item = (String, String)>) -> Result<Loaded, Problems> {
        read::config(text, variables)
    }

    /// The files this configuration names and needs to read, with the path of the key that names each. Whether they
    /// exist is for the caller to find out.
    pub fn files(&self) -> Vec<(String, &Path)> {
        let gateway = self.gateway.tls.iter().flat_map(|tls| tls.files("gateway.tls"));
        let admin = self.admin.tls.iter().flat_map(|tls| tls.files("admin.tls"));
        let revoked = self.revocation.file.iter().map(|path| ("revocation.file".to_owned(), path.as_path()));
        let rules = self.rules.files.iter().enumerate().map(|(i, path)| (format!("rules.files[{i}]"), path.as_path()));
        let authorities = self
            .upstreams
            .iter()
            .filter_map(|upstream| Some((format!("upstream.{}.ca", upstream.name), upstream.ca.as_deref()?)));
        let collector = self.telemetry.otlp.iter().filter_map(|otlp| otlp.ca.as_deref());
        let collector = collector.map(|path| ("telemetry.otlp.ca".to_owned(), path));
        let redis =
            self.redis.servers.iter().filter_map(|servers| Some(("redis.ca".to_owned(), servers.ca.as_deref()?)));
        gateway.chain(admin).chain(revoked).chain(rules).chain(authorities).chain(collector).chain(redis).collect()
    }
}

impl Default for Config {
    /// The shipped file without any variable set.
    fn default() -> Self {
        // `the_shipped_file_loads` proves that it does; the text is part of the binary.
        Config::load(None, []).expect("the shipped configuration is valid").config
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct Gateway {
    pub listen: SocketAddr,
    pub tls: Option<Tls>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Admin {
    pub listen: SocketAddr,
    pub tls: Option<Tls>,
    /// Exact origins, such as `https://console.example.com`. Empty: no CORS header is ever sent.
    pub cors_origins: Vec<String>,
    /// Host names, lower case and without port, a request may name beside `localhost` and the loopback addresses.
    pub allowed_hosts: Vec<String>,
    /// Where callers find it, as an origin, if not at the host they name over HTTP: behind something that ends TLS.
    pub public_url: Option<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Security {
    /// The level at start; an admin changes it at run time.
    pub level: Level,
    pub matrix: Matrix,
    /// What some routes and callers are judged by instead, in the order of their names.
    pub policies: Vec<Policy>,
    /// The one of them that is judged beside `matrix`.
    pub candidate: Option<Arc<str>>,
}

/// Sizes are bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Output held back until the verdict.
    pub hold: usize,
    /// One request body, as received and as decoded.
    pub body: usize,
    /// One JSON string, as written.
    pub string: usize,
    /// JSON nesting.
    pub depth: usize,
    /// Members of all JSON objects open at once.
    pub keys: usize,
    /// One JSON object key, as written.
    pub key: usize,
    /// An identifier that is passed unread; longer ones are inspected.
    pub name: usize,
    /// Placeholders of one request that can be undone; what is over is masked for good.
    pub placeholders: usize,
    /// One event of a streamed answer, or a whole answer that is no stream.
    pub event: usize,
    /// How long what is held back of an answer may leave the caller without a sign of life, where the stream has one.
    pub hold_ping: Duration,
    /// How long it may be held at all before it is judged as it stands.
    pub hold_time: Duration,
    /// What is remembered of texts scanned before, in all; 0 for nothing.
    pub verdict_cache: usize,
    /// Decoded bytes for each byte of a compressed request body.
    pub ratio: usize,
    /// Request line and header fields together.
    pub head: usize,
    /// Number of header fields.
    pub headers: usize,
    /// Request target.
    pub target: usize,
    /// Open client connections of the gateway listener.
    pub connections: usize,
    /// Requests of one connection of HTTP/1, after which it is closed.
    pub connection_requests: usize,
    /// Bytes a second that a request body must come with, once `timeouts.stall` is over.
    pub min_rate: usize,
    /// Requests being served at once; more are answered 503.
    pub in_flight: usize,
    /// Bytes held by all requests together; a request that would exceed them is answered 503.
    pub memory: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// To the upstream: TCP and TLS. Each upstream may have its own.
    pub connect: Duration,
    /// From the end of the request to the first byte of the answer. Each upstream may have its own.
    pub first_byte: Duration,
    /// Silence within an answer. Each upstream may have its own.
    pub idle: Duration,
    /// The whole request head, from its first byte.
    pub request_head: Duration,
    /// The whole request body.
    pub request_body: Duration,
    /// A pause of the client's in a request body, or in taking an answer.
    pub stall: Duration,
    /// A kept connection of a client without a request.
    pub keepalive: Duration,
    /// Inspecting one request, waiting for a thread included.
    pub inspection: Duration,
    /// At shutdown: how long requests under way may still take.
    pub drain: Duration,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rules {
    /// Rule files in addition to those compiled in.
    pub files: Vec<PathBuf>,
    /// Ids of rules that are switched off, `prefix*` for all that begin so.
    pub disabled: Vec<String>,
    /// Rules whose confidence or severity is another.
    pub overrides: Vec<Adjustment>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Audit {
    /// Appended to, one JSON object a line. `None`: standard error.
    pub path: Option<PathBuf>,
    /// What the records' chain is made with; anyone could make it without.
    pub key: Option<Secret>,
    /// At this many bytes another file is begun. `None`: whoever rotates it says so by SIGHUP.
    pub max_size: Option<u64>,
    /// A record that would be this much younger than the first of its file begins another. `None`: whoever rotates it.
    pub max_age: Option<Duration>,
    /// How many that were full or old are kept.
    pub keep: usize,
    /// Whether a record names the placeholders of its request, by which the same value is known again.
    pub placeholders: bool,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Telemetry {
    /// Where traces go, if anywhere.
    pub otlp: Option<Otlp>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reload {
    /// Whether a file that changes is read again by itself.
    pub watch: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Log {
    pub level: LogLevel,
    pub format: LogFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogLevel {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    Text,
    Json,
}
