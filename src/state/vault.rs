//! Placeholders of earlier answers, sealed, in Redis: for upstreams that keep a conversation themselves, whose model may
//! repeat a placeholder that this request did not make. Restores none, and does not decide what happens while Redis is away.
//!
//! The vault guards nothing: a placeholder that stays unresolved tells nobody anything. What it holds is worth as much as
//! the prompts themselves, so Redis sees neither values nor tenants nor ids (`policy/seal.rs`).

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use ring::rand::{SecureRandom, SystemRandom};
use thiserror::Error;

use super::redis::{Store, StoreError};
use crate::config::RedisServers;
use crate::policy::seal::MAX_RECORD;
use crate::policy::token::Original;
use crate::policy::{SealError, SealKey, Tokens};

/// See the module. Connects when it is first needed, and again when a connection was lost.
pub struct Vault {
    store: Store,
    key: SealKey,
    random: SystemRandom,
    lifetime: Duration,
}

/// Nothing in it comes from a request or a record.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum VaultError {
    #[error("{0}")]
    Store(#[from] StoreError),
    /// Counts as no record: sealed with another key, or not as it was written.
    #[error("a record of the vault does not open")]
    Damaged,
    /// Nothing was stored.
    #[error("not stored: {0}")]
    TooLarge(SealError),
    #[error("the system gives no random bytes")]
    Random,
}

impl VaultError {
    /// Whether the store is away, as opposed to one record that is of no use.
    pub const fn is_outage(&self) -> bool {
        !matches!(self, VaultError::Damaged | VaultError::TooLarge(_))
    }

    /// The value of the metric label `result`.
    pub const fn name(&self) -> &'static str {
        match self {
            VaultError::Damaged => "damaged",
            _ => "failed",
        }
    }
}

impl Vault {
    /// Connects to nothing yet. `secret` is that of the placeholders; a record is forgotten after `lifetime`, of which
    /// whole seconds count.
    ///
    /// # Errors
    /// Only [`StoreError::Authority`].
    pub fn new(servers: &Arc<RedisServers>, secret: &[u8], lifetime: Duration) -> Result<Self, VaultError> {
        let (store, key, random) = (Store::new(servers)?, SealKey::new(secret), SystemRandom::new());
        Ok(Vault { store, key, random, lifetime })
    }

    /// What the placeholders stand for that were made up to the answer, or in the conversation, of this id. Empty if none
    /// is known.
    ///
    /// # Errors
    /// Outages, and [`VaultError::Damaged`].
    pub async fn load(&self, tenant: &str, id: &str) -> Result<Vec<(Arc<str>, Original)>, VaultError> {
        let place = self.key.place(tenant, id);
        // Of a value that is longer than a record, one byte more than that: then it does not open, and is not read whole.
        let record: Vec<u8> = match self.store.ask(redis::cmd("GETRANGE").arg(&place.name).arg(0).arg(MAX_RECORD)).await
        {
            Err(StoreError::Refused(code)) if code == "WRONGTYPE" => return Err(VaultError::Damaged),
            answer => answer?,
        };
        if record.is_empty() {
            return Ok(Vec::new());
        }
        self.key.open(&place, record).map_err(|_| VaultError::Damaged)
    }

    /// Remembers them under the id, for the lifetime, in place of what this tenant had there: they are to hold what was
    /// loaded. Another tenant's record of the same id is another record. Nothing is done for none.
    ///
    /// # Errors
    /// Outages, and [`VaultError::TooLarge`].
    pub async fn store(&self, tenant: &str, id: &str, tokens: &Tokens) -> Result<(), VaultError> {
        if tokens.is_empty() {
            return Ok(());
        }
        let mut nonce = [0; 12];
        self.random.fill(&mut nonce).map_err(|_| VaultError::Random)?;
        let place = self.key.place(tenant, id);
        let record = self.key.seal(&place, nonce, tokens).map_err(VaultError::TooLarge)?;
        // SET refuses an EX of 0.
        let seconds = self.lifetime.as_secs().max(1);
        let set = self.store.ask(redis::cmd("SET").arg(&place.name).arg(record).arg("EX").arg(seconds)).await;
        set.map_err(VaultError::from)
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vault").field("lifetime", &self.lifetime).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_address_nor_key_is_in_debug_output() {
        let servers = RedisServers::parse("redis://user:pass-canary@host-canary").unwrap();
        let vault = Vault::new(&servers.into(), b"key-canary-key-canary-key-canary", Duration::from_secs(1)).unwrap();
        assert!(!format!("{vault:?}").contains("canary"));
    }

    #[test]
    fn only_a_store_that_is_away_is_an_outage() {
        for (error, outage, name) in [
            (StoreError::Unreachable.into(), true, "failed"),
            (StoreError::Timeout.into(), true, "failed"),
            (StoreError::Refused("OOM".to_owned()).into(), true, "failed"),
            (VaultError::Damaged, false, "damaged"),
            (VaultError::TooLarge(SealError::TooMany), false, "failed"),
        ] {
            assert_eq!((error.is_outage(), error.name()), (outage, name), "{error}");
        }
    }
}
