//! Placeholders of earlier answers, sealed, in Redis: for upstreams that keep a conversation themselves, whose model may
//! repeat a placeholder that this request did not make. Restores none, and does not decide what happens while Redis is away.
//!
//! The vault guards nothing: a placeholder that stays unresolved tells nobody anything. What it holds is worth as much as
//! the prompts themselves, so Redis sees neither values nor tenants nor ids (`policy/seal.rs`).

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, Cmd, ErrorKind, FromRedisValue, RedisError};
use ring::rand::{SecureRandom, SystemRandom};
use thiserror::Error;
use tokio::sync::Mutex;

use crate::config::Secret;
use crate::policy::seal::MAX_RECORD;
use crate::policy::token::Original;
use crate::policy::{SealError, SealKey, Tokens};

/// To connect: TCP, TLS and logging in.
pub const CONNECT: Duration = Duration::from_secs(1);

/// For the answer to one command.
pub const ANSWER: Duration = Duration::from_millis(500);

/// For everything a caller waits for, somebody else's attempt to connect included.
pub const DEADLINE: Duration = Duration::from_secs(2);

/// After an attempt to connect that failed, how long the next one is put off: until then all are told the same at once, and
/// requests do not wait one by one for a server that is away.
pub const PAUSE: Duration = Duration::from_secs(1);

/// See the module. Connects when it is first needed, and again when a connection was lost.
pub struct Vault {
    client: Client,
    key: SealKey,
    random: SystemRandom,
    lifetime: Duration,
    link: Mutex<Link>,
}

/// The one connection, which all requests share.
#[derive(Default)]
struct Link {
    /// Of the newest connection.
    number: u64,
    connection: Option<MultiplexedConnection>,
    failed: Option<(Instant, VaultError)>,
}

/// Nothing in it comes from a request or a record.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum VaultError {
    #[error("the address of Redis is not usable")]
    Address,
    #[error("Redis cannot be reached")]
    Unreachable,
    #[error("Redis does not answer in time")]
    Timeout,
    /// By the server's code, such as `NOAUTH` or `OOM`.
    #[error("Redis refuses: {0}")]
    Refused(String),
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
    /// Only [`VaultError::Address`]; of an address that the configuration has checked, for a password that is no text.
    pub fn new(url: &Secret, secret: &[u8], lifetime: Duration) -> Result<Self, VaultError> {
        // Without it rustls panics where it is first used. A second installation changes nothing.
        pingora::tls::install_default_crypto_provider();
        // Its message would repeat the address, and with it the password.
        let client = Client::open(url.expose()).map_err(|_| VaultError::Address)?;
        let (key, random, link) = (SealKey::new(secret), SystemRandom::new(), Mutex::default());
        Ok(Vault { client, key, random, lifetime, link })
    }

    /// What the placeholders stand for that were made up to the answer, or in the conversation, of this id. Empty if none
    /// is known.
    ///
    /// # Errors
    /// Outages, and [`VaultError::Damaged`].
    pub async fn load(&self, tenant: &str, id: &str) -> Result<Vec<(Arc<str>, Original)>, VaultError> {
        let place = self.key.place(tenant, id);
        // Of a value that is longer than a record, one byte more than that: then it does not open, and is not read whole.
        let record: Vec<u8> = match self.ask(redis::cmd("GETRANGE").arg(&place.name).arg(0).arg(MAX_RECORD)).await {
            Err(VaultError::Refused(code)) if code == "WRONGTYPE" => return Err(VaultError::Damaged),
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
        self.ask(redis::cmd("SET").arg(&place.name).arg(record).arg("EX").arg(seconds)).await
    }

    /// The answer to a command that may be given twice.
    async fn ask<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, VaultError> {
        within(DEADLINE, async {
            let (number, connection) = self.connection().await?;
            match self.over(number, connection, command).await {
                // A connection that had been idle when Redis was restarted, or closed it, is found out only now.
                Err(VaultError::Unreachable) => {
                    let (number, connection) = self.connection().await?;
                    self.over(number, connection, command).await
                }
                answer => answer,
            }
        })
        .await
    }

    async fn over<T: FromRedisValue>(
        &self,
        number: u64,
        mut connection: MultiplexedConnection,
        command: &Cmd,
    ) -> Result<T, VaultError> {
        let answer = command.query_async(&mut connection).await.map_err(VaultError::from);
        // Not only a connection that broke: over one whose host is gone without a word, nothing would ever be answered.
        if let Err(VaultError::Unreachable | VaultError::Timeout) = &answer {
            self.drop_connection(number).await;
        }
        answer
    }

    /// The connection there is, or a new one: one attempt at a time, and the others wait for how it ends.
    async fn connection(&self) -> Result<(u64, MultiplexedConnection), VaultError> {
        let mut link = self.link.lock().await;
        if let Some(connection) = &link.connection {
            return Ok((link.number, connection.clone()));
        }
        if let Some((at, error)) = &link.failed
            && at.elapsed() < PAUSE
        {
            return Err(error.clone());
        }
        let settings =
            AsyncConnectionConfig::new().set_connection_timeout(Some(CONNECT)).set_response_timeout(Some(ANSWER));
        // Boxed: it is large and rare, and every request's own future would carry it.
        let attempt = Box::pin(self.client.get_multiplexed_async_connection_with_config(&settings));
        let connection = within(CONNECT, async { attempt.await.map_err(VaultError::from) }).await;
        link.failed = connection.as_ref().err().map(|error| (Instant::now(), error.clone()));
        let connection = connection?;
        link.number += 1;
        link.connection = Some(connection.clone());
        Ok((link.number, connection))
    }

    /// Unless another has taken its place.
    async fn drop_connection(&self, number: u64) {
        let mut link = self.link.lock().await;
        if link.number == number {
            link.connection = None;
        }
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vault").field("lifetime", &self.lifetime).finish_non_exhaustive()
    }
}

impl From<RedisError> for VaultError {
    fn from(error: RedisError) -> Self {
        match (error.kind(), error.code()) {
            (ErrorKind::AuthenticationFailed, None) => VaultError::Refused("AUTH".to_owned()),
            (_, Some(code)) => VaultError::Refused(code.chars().filter(char::is_ascii_uppercase).take(24).collect()),
            _ if error.is_timeout() => VaultError::Timeout,
            _ => VaultError::Unreachable,
        }
    }
}

async fn within<T>(limit: Duration, work: impl Future<Output = Result<T, VaultError>>) -> Result<T, VaultError> {
    tokio::time::timeout(limit, work).await.unwrap_or(Err(VaultError::Timeout))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_is_none_is_refused_and_not_repeated() {
        for url in ["canary", "http://canary@127.0.0.1", "redis://", "redis://h/canary", "redis://:canary%ff@h"] {
            let error = Vault::new(&Secret::new(url), &[7; 32], Duration::from_secs(1)).unwrap_err();
            assert_eq!(error, VaultError::Address);
        }
    }

    #[test]
    fn neither_address_nor_key_is_in_debug_output() {
        let url = Secret::new("redis://user:pass-canary@host-canary");
        let vault = Vault::new(&url, b"key-canary-key-canary-key-canary", Duration::from_secs(1)).unwrap();
        assert!(!format!("{vault:?}").contains("canary"));
    }

    #[test]
    fn only_a_store_that_is_away_is_an_outage() {
        for (error, outage, name) in [
            (VaultError::Unreachable, true, "failed"),
            (VaultError::Timeout, true, "failed"),
            (VaultError::Refused("OOM".to_owned()), true, "failed"),
            (VaultError::Damaged, false, "damaged"),
            (VaultError::TooLarge(SealError::TooMany), false, "failed"),
        ] {
            assert_eq!((error.is_outage(), error.name()), (outage, name), "{error}");
        }
    }
}
