//! The connection to Redis that a kind of shared state has: made when it is first needed, and again when it was lost. Knows no
//! command.

use std::time::{Duration, Instant};

use redis::aio::{MultiplexedConnection, PubSubStream};
use redis::{AsyncConnectionConfig, Client, Cmd, ErrorKind, FromRedisValue, RedisError};
use thiserror::Error;
use tokio::sync::Mutex;

use crate::config::Secret;

/// To connect: TCP, TLS and logging in.
pub const CONNECT: Duration = Duration::from_secs(1);

/// For the answer to one command.
pub const ANSWER: Duration = Duration::from_millis(500);

/// For everything a caller waits for, somebody else's attempt to connect included.
pub const DEADLINE: Duration = Duration::from_secs(2);

/// After an attempt to connect that failed, how long the next one is put off: until then all are told the same at once, and
/// requests do not wait one by one for a server that is away.
pub const PAUSE: Duration = Duration::from_secs(1);

/// See the module. All who ask share one connection.
pub struct Store {
    client: Client,
    link: Mutex<Link>,
}

/// The one connection, which all requests share.
#[derive(Default)]
struct Link {
    /// Of the newest connection.
    number: u64,
    connection: Option<MultiplexedConnection>,
    failed: Option<(Instant, StoreError)>,
}

/// Nothing in it comes from a request or a record.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum StoreError {
    #[error("the address of Redis is not usable")]
    Address,
    #[error("Redis cannot be reached")]
    Unreachable,
    #[error("Redis does not answer in time")]
    Timeout,
    /// By the server's code, such as `NOAUTH` or `OOM`.
    #[error("Redis refuses: {0}")]
    Refused(String),
}

impl Store {
    /// Connects to nothing yet.
    ///
    /// # Errors
    /// Only [`StoreError::Address`]; of an address that the configuration has checked, for a password that is no text.
    pub fn new(url: &Secret) -> Result<Self, StoreError> {
        // Without it rustls panics where it is first used. A second installation changes nothing.
        pingora::tls::install_default_crypto_provider();
        // Its message would repeat the address, and with it the password.
        let client = Client::open(url.expose()).map_err(|_| StoreError::Address)?;
        Ok(Store { client, link: Mutex::default() })
    }

    /// The answer to a command that may be given twice.
    pub async fn ask<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, StoreError> {
        within(DEADLINE, async {
            let (number, connection) = self.connection().await?;
            match self.over(number, connection, command).await {
                // A connection that had been idle when Redis was restarted, or closed it, is found out only now.
                Err(StoreError::Unreachable) => {
                    let (number, connection) = self.connection().await?;
                    self.over(number, connection, command).await
                }
                answer => answer,
            }
        })
        .await
    }

    /// What is published on a channel, over a connection of its own, until that is lost.
    pub async fn subscribe(&self, channel: &str) -> Result<PubSubStream, StoreError> {
        within(CONNECT, async {
            let (mut sink, stream) = Box::pin(self.client.get_async_pubsub()).await?.split();
            sink.subscribe(channel).await?;
            Ok(stream)
        })
        .await
    }

    async fn over<T: FromRedisValue>(
        &self,
        number: u64,
        mut connection: MultiplexedConnection,
        command: &Cmd,
    ) -> Result<T, StoreError> {
        let answer = command.query_async(&mut connection).await.map_err(StoreError::from);
        // Not only a connection that broke: over one whose host is gone without a word, nothing would ever be answered.
        if let Err(StoreError::Unreachable | StoreError::Timeout) = &answer {
            self.drop_connection(number).await;
        }
        answer
    }

    /// The connection there is, or a new one: one attempt at a time, and the others wait for how it ends.
    async fn connection(&self) -> Result<(u64, MultiplexedConnection), StoreError> {
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
        let connection = within(CONNECT, async { attempt.await.map_err(StoreError::from) }).await;
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

impl From<RedisError> for StoreError {
    fn from(error: RedisError) -> Self {
        match (error.kind(), error.code()) {
            (ErrorKind::AuthenticationFailed, None) => StoreError::Refused("AUTH".to_owned()),
            (_, Some(code)) => StoreError::Refused(code.chars().filter(char::is_ascii_uppercase).take(24).collect()),
            _ if error.is_timeout() => StoreError::Timeout,
            _ => StoreError::Unreachable,
        }
    }
}

async fn within<T>(limit: Duration, work: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    tokio::time::timeout(limit, work).await.unwrap_or(Err(StoreError::Timeout))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_is_none_is_refused_and_not_repeated() {
        for url in ["canary", "http://canary@127.0.0.1", "redis://", "redis://h/canary", "redis://:canary%ff@h"] {
            assert_eq!(Store::new(&Secret::new(url)).err(), Some(StoreError::Address));
        }
    }
}
