//! What changes while the gateway runs: the snapshot, the security level, the issuer's keys, the health of
//! upstreams, draining. Decides nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use arc_swap::{ArcSwap, ArcSwapOption};

use super::health::Health;
use super::jwks::Jwks;
use super::vault::Vault;
use crate::auth::{AuthError, KeySet, Mode, Principal};
use crate::policy::Level;
use crate::snapshot::Snapshot;

/// Shared by both listeners.
pub struct Live {
    snapshot: ArcSwap<Snapshot>,
    level: AtomicU8,
    /// In the mode `jwt`.
    jwks: Option<Arc<Jwks>>,
    /// Where placeholders of earlier answers are kept, if anywhere.
    vault: ArcSwapOption<Vault>,
    health: Health,
    draining: AtomicBool,
    ending: AtomicBool,
}

impl Live {
    /// Starts at the level of the configuration.
    pub fn new(snapshot: Snapshot, jwks: Option<Arc<Jwks>>) -> Self {
        Live {
            level: AtomicU8::new(snapshot.config.security.level as u8),
            snapshot: ArcSwap::from_pointee(snapshot),
            jwks,
            vault: ArcSwapOption::empty(),
            health: Health::default(),
            draining: AtomicBool::new(false),
            ending: AtomicBool::new(false),
        }
    }

    /// The snapshot in force now. A request takes it once and keeps it.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshot.load_full()
    }

    /// Puts another snapshot in force for requests to come. The level stays: an admin set it, or nobody did.
    pub fn replace(&self, snapshot: Arc<Snapshot>) {
        self.snapshot.store(snapshot);
    }

    pub fn vault(&self) -> Option<Arc<Vault>> {
        self.vault.load_full()
    }

    /// In use from the next request on.
    pub fn set_vault(&self, vault: Option<Arc<Vault>>) {
        self.vault.store(vault);
    }

    pub fn level(&self) -> Level {
        level(self.level.load(Ordering::Acquire))
    }

    /// In force for the next request. Returns the level before.
    pub fn set_level(&self, new: Level) -> Level {
        level(self.level.swap(new as u8, Ordering::AcqRel))
    }

    /// The kind of tokens that are accepted.
    pub fn mode(&self) -> Mode {
        self.snapshot.load().authenticator.mode()
    }

    /// From now on the process is not ready. There is no way back.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Release);
    }

    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }

    /// Requests under way were waited for long enough: what is left is told so and ends.
    pub fn end(&self) {
        self.ending.store(true, Ordering::Release);
    }

    pub fn is_ending(&self) -> bool {
        self.ending.load(Ordering::Acquire)
    }

    /// Which upstreams cannot be reached.
    pub fn health(&self) -> &Health {
        &self.health
    }

    /// Whether the issuer's keys were ever loaded; `None` when the mode needs none.
    pub fn keys_loaded(&self) -> Option<bool> {
        (self.mode() == Mode::Jwt).then(|| self.jwks.as_ref().is_some_and(|jwks| jwks.ready()))
    }

    /// Fetches the issuer's keys ahead of the first token, where the mode needs them.
    pub async fn warm(&self) {
        if let Some(jwks) = &self.jwks {
            jwks.warm().await;
        }
    }

    /// Who presents `token`. Fetches the issuer's keys only for a token that could be decided with them.
    ///
    /// # Errors
    /// `KeysUnavailable` is the gateway's trouble, everything else the caller's.
    pub async fn authenticate(&self, token: Option<&str>) -> Result<Principal, AuthError> {
        let token = token.ok_or(AuthError::Missing)?;
        let snapshot = self.snapshot();
        let authenticator = &snapshot.authenticator;
        match authenticator.needs_key(token) {
            None => authenticator.authenticate(token, &KeySet::default(), now()),
            Some(request) => {
                let jwks = self.jwks.as_ref().ok_or(AuthError::KeysUnavailable)?;
                let keys = jwks.keys_for(request.kid.as_deref(), request.algorithm).await?;
                authenticator.authenticate(token, &keys, now())
            }
        }
    }
}

/// Stored values are levels; anything else would be the strictest.
fn level(stored: u8) -> Level {
    Level::ALL.get(usize::from(stored)).copied().unwrap_or(Level::High)
}

/// Unix time in seconds. A clock before 1970 makes every token not yet valid.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
