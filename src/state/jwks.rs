//! The issuer's keys: fetching, caching, and not fetching. Verifies nothing.
//!
//! Nothing runs by itself: a token that needs keys is what makes them be fetched. The rules, in order of what they
//! protect:
//! - A token whose key is at hand never waits, whatever is being fetched for others.
//! - At most one fetch is under way, and at most one is started in [`JwksConfig::cooldown`], counted from the start of
//!   the last one, however it ended. Tokens with made-up key ids cannot make the gateway a load generator.
//! - Keys are used for [`JwksConfig::cache_ttl`], so a key the issuer took back is refused after that. From three
//!   quarters of it the next token starts a refresh without waiting for it.
//! - If the issuer cannot be reached, or answers with no usable key, the last good keys serve until they are
//!   [`JwksConfig::max_age`] old. After that tokens are refused as [`AuthError::KeysUnavailable`]: this guard fails
//!   closed.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use moka::future::Cache;
use reqwest::{Client, Url, redirect};
use thiserror::Error;

use super::attempts::Attempts;
use crate::auth::{Algorithm, AuthError, KeyRequest, KeySet};
use crate::config::is_loopback;

#[cfg(test)]
mod tests;

/// Key ids that were looked up in vain and are remembered.
const MAX_ABSENT: u64 = 1024;

pub type Clock = Arc<dyn Fn() -> Instant + Send + Sync>;
pub type Observer = Arc<dyn Fn(Refresh) + Send + Sync>;

/// Where keys come from and for how long they are good.
#[derive(Clone)]
pub struct JwksConfig {
    /// HTTPS, or HTTP to a loopback address; without user name or password.
    pub uri: String,
    /// For how long keys are used without asking again. Default 10 minutes.
    pub cache_ttl: Duration,
    /// Least time between the starts of two fetches. Default 30 seconds.
    pub cooldown: Duration,
    /// For how long keys are used while the issuer cannot be reached, counted like `cache_ttl` from their arrival.
    /// Default 1 hour.
    pub max_age: Duration,
    /// For how long a key id the issuer did not have is not asked for again. Default 30 seconds, so that a new key is
    /// found within the cool-down.
    pub absent_ttl: Duration,
    /// For a whole fetch, name resolution to the last byte. Default 5 seconds.
    pub timeout: Duration,
    /// Longest document in bytes. Default 1 MiB.
    pub max_body: usize,
    /// Called once at the end of each fetch, for the metric `jwks_refresh_total{result}`.
    pub observer: Observer,
    pub clock: Clock,
}

impl JwksConfig {
    pub fn new(uri: impl Into<String>) -> Self {
        JwksConfig {
            uri: uri.into(),
            cache_ttl: Duration::from_secs(600),
            cooldown: Duration::from_secs(30),
            max_age: Duration::from_secs(3600),
            absent_ttl: Duration::from_secs(30),
            timeout: Duration::from_secs(5),
            max_body: 1024 * 1024,
            observer: Arc::new(|_| {}),
            clock: Arc::new(Instant::now),
        }
    }
}

impl fmt::Debug for JwksConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwksConfig").field("uri", &self.uri).field("cache_ttl", &self.cache_ttl).finish_non_exhaustive()
    }
}

/// Why a key source cannot be used at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum JwksError {
    #[error("the JWKS address is not a URL with a host")]
    NotAUrl,
    #[error("the JWKS address must be HTTPS unless its host is a loopback address")]
    NotSecure,
    #[error("the JWKS address must not hold a user name or password")]
    Credentials,
    #[error("no HTTP client could be made; are the system's CA certificates installed?")]
    Client,
}

/// How a fetch ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refresh {
    Ok,
    /// The host was not reached or broke off.
    Network,
    Timeout,
    /// Any status but 200; redirects are not followed.
    Status,
    TooLarge,
    /// Not a key set.
    Invalid,
    /// A key set without one usable key: an accident more often than a decision, so the last good keys stay.
    Empty,
}

impl Refresh {
    pub const ALL: [Refresh; 7] = [
        Refresh::Ok,
        Refresh::Network,
        Refresh::Timeout,
        Refresh::Status,
        Refresh::TooLarge,
        Refresh::Invalid,
        Refresh::Empty,
    ];

    /// The value of the metric label `result`.
    pub const fn name(self) -> &'static str {
        match self {
            Refresh::Ok => "ok",
            Refresh::Network => "network",
            Refresh::Timeout => "timeout",
            Refresh::Status => "status",
            Refresh::TooLarge => "too_large",
            Refresh::Invalid => "invalid",
            Refresh::Empty => "empty",
        }
    }
}

/// The keys of one issuer. Cheap to clone; clones share everything.
#[derive(Clone, Debug)]
pub struct Jwks {
    source: Arc<Source>,
}

struct Source {
    config: JwksConfig,
    url: Url,
    client: Client,
    loaded: ArcSwapOption<Loaded>,
    attempts: Attempts,
    /// By number of the attempt: moka runs one fetch for all who ask for the same number and remembers that it is done.
    /// Even where it has forgotten that, nobody can claim the attempt again.
    fetches: Cache<u64, ()>,
    absent: Cache<KeyRequest, Instant>,
}

struct Loaded {
    keys: Arc<KeySet>,
    at: Instant,
}

impl Jwks {
    /// Fetches nothing yet: see [`Jwks::warm`].
    pub fn new(config: JwksConfig) -> Result<Self, JwksError> {
        // Without it reqwest panics where it meets TLS. A second installation changes nothing.
        pingora::tls::install_default_crypto_provider();
        let url = parse_url(&config.uri)?;
        let mut client = Client::builder()
            .redirect(redirect::Policy::none())
            // A connection kept for half a minute or more is likely dead when the next fetch would use it.
            .pool_max_idle_per_host(0);
        if is_loopback(&url) {
            client = client.no_proxy();
        }
        let client = client.build().map_err(|_| JwksError::Client)?;
        let absent = Cache::builder().max_capacity(MAX_ABSENT).time_to_live(config.absent_ttl).build();
        let fetches = Cache::builder().max_capacity(64).build();
        let (loaded, attempts) = (ArcSwapOption::empty(), Attempts::default());
        Ok(Jwks { source: Arc::new(Source { config, url, client, loaded, attempts, fetches, absent }) })
    }

    /// True once keys were loaded, however old they are by now.
    pub fn ready(&self) -> bool {
        self.source.loaded.load().is_some()
    }

    /// Fetches keys if none were ever loaded, within the cool-down. For start-up, and for the readiness probe: while
    /// a gateway is
    /// not ready no tokens come in to make it try again.
    pub async fn warm(&self) -> bool {
        if !self.ready() {
            self.refresh(self.source.now()).await;
        }
        self.ready()
    }

    /// A key set that can decide a token with this header, or why there is none. For what
    /// [`Authenticator::needs_key`](crate::auth::Authenticator::needs_key) asks for; the set then goes to
    /// `authenticate`.
    pub async fn keys_for(&self, kid: Option<&str>, algorithm: Algorithm) -> Result<Arc<KeySet>, AuthError> {
        let source = &self.source;
        let now = source.now();
        if let Some(loaded) = source.loaded_within(source.config.cache_ttl, now) {
            if loaded.age(now) >= source.config.cache_ttl / 4 * 3 {
                self.refresh_later(now);
            }
            if loaded.keys.answers(kid, algorithm) {
                return Ok(Arc::clone(&loaded.keys));
            }
        }
        let request = KeyRequest { kid: kid.map(str::to_owned), algorithm };
        if !source.is_absent(&request, now).await {
            self.refresh(now).await;
        }
        self.after_refresh(request, now).await
    }

    async fn after_refresh(&self, request: KeyRequest, asked: Instant) -> Result<Arc<KeySet>, AuthError> {
        let source = &self.source;
        let loaded = source.loaded_within(source.config.max_age, source.now()).ok_or(AuthError::KeysUnavailable)?;
        if loaded.keys.answers(request.kid.as_deref(), request.algorithm) {
            return Ok(Arc::clone(&loaded.keys));
        }
        // Only keys that arrived after the question say that the issuer does not have this one.
        if loaded.at >= asked {
            source.absent.insert(request, source.now()).await;
        }
        Err(AuthError::UnknownKey)
    }

    /// Returns when the current attempt is over; at once if it is.
    async fn refresh(&self, now: Instant) {
        let (number, _) = self.source.attempt(now);
        if self.source.fetches.get(&number).await.is_none() {
            // Its own task, so that a caller who hangs up does not cancel the fetch and make the next one start
            // another.
            let _ = tokio::spawn(Arc::clone(&self.source).join(number)).await;
        }
    }

    fn refresh_later(&self, now: Instant) {
        if let (number, true) = self.source.attempt(now) {
            tokio::spawn(Arc::clone(&self.source).join(number));
        }
    }
}

impl Source {
    fn now(&self) -> Instant {
        (self.config.clock)()
    }

    fn loaded_within(&self, limit: Duration, now: Instant) -> Option<Arc<Loaded>> {
        self.loaded.load_full().filter(|loaded| loaded.age(now) < limit)
    }

    async fn is_absent(&self, request: &KeyRequest, now: Instant) -> bool {
        let since = self.absent.get(request).await;
        since.is_some_and(|since| now.saturating_duration_since(since) < self.config.absent_ttl)
    }

    fn attempt(&self, now: Instant) -> (u64, bool) {
        self.attempts.join(now, self.config.cooldown)
    }

    async fn join(self: Arc<Self>, number: u64) {
        let source = Arc::clone(&self);
        let fetch = async move {
            if source.attempts.claim(number) {
                source.fetch().await;
            }
        };
        self.fetches.get_with(number, fetch).await;
        self.fetches.invalidate(&number.saturating_sub(1)).await;
    }

    async fn fetch(&self) {
        let outcome = match tokio::time::timeout(self.config.timeout, self.download()).await {
            Ok(outcome) => outcome,
            Err(_) => Err(Refresh::Timeout),
        };
        let result = match outcome.and_then(|document| usable_keys(&document)) {
            Ok(keys) => {
                tracing::debug!(keys = keys.len(), ignored = keys.ignored(), "JWKS loaded");
                self.loaded.store(Some(Arc::new(Loaded { keys: Arc::new(keys), at: self.now() })));
                Refresh::Ok
            }
            Err(result) => {
                tracing::warn!(result = result.name(), host = self.url.host_str(), "JWKS not loaded");
                result
            }
        };
        (self.config.observer)(result);
    }

    async fn download(&self) -> Result<Vec<u8>, Refresh> {
        let request = self.client.get(self.url.clone()).header("accept", "application/json");
        let mut response = request.send().await.map_err(|_| Refresh::Network)?;
        if response.status() != reqwest::StatusCode::OK {
            return Err(Refresh::Status);
        }
        let mut document = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|_| Refresh::Network)? {
            if document.len() + chunk.len() > self.config.max_body {
                return Err(Refresh::TooLarge);
            }
            document.extend_from_slice(&chunk);
        }
        Ok(document)
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source").field("config", &self.config).finish_non_exhaustive()
    }
}

impl Loaded {
    fn age(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.at)
    }
}

fn usable_keys(document: &[u8]) -> Result<KeySet, Refresh> {
    let keys = KeySet::parse(document).map_err(|_| Refresh::Invalid)?;
    if keys.is_empty() { Err(Refresh::Empty) } else { Ok(keys) }
}

fn parse_url(uri: &str) -> Result<Url, JwksError> {
    let url = Url::parse(uri).map_err(|_| JwksError::NotAUrl)?;
    if url.host().is_none() {
        return Err(JwksError::NotAUrl);
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(JwksError::Credentials);
    }
    match url.scheme() {
        "https" => Ok(url),
        "http" if is_loopback(&url) => Ok(url),
        _ => Err(JwksError::NotSecure),
    }
}
