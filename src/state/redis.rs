//! The connection to Redis that a kind of shared state has: made when it is first needed, and again when it was lost. Knows no
//! command.

mod connect;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use redis::aio::PubSubStream;
use redis::{Cmd, ErrorKind, FromRedisValue, RedisError};
use rustls::RootCertStore;
use thiserror::Error;
use tokio::sync::{Mutex, OwnedMutexGuard};

use super::tls::certificates;
use crate::config::RedisServers;
use connect::Connection;

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
    servers: Arc<RedisServers>,
    link: Arc<Mutex<Link>>,
}

/// The one connection, which all requests share.
#[derive(Default)]
struct Link {
    /// Of the newest connection.
    number: u64,
    connection: Option<Connection>,
    failed: Option<(Instant, StoreError)>,
}

/// Nothing in it comes from a request or a record.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum StoreError {
    /// Of the file `redis.ca`, and nothing of what it holds.
    #[error("{0}")]
    Authority(String),
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
    /// Only [`StoreError::Authority`].
    pub fn new(servers: &Arc<RedisServers>) -> Result<Self, StoreError> {
        // Without it rustls panics where it is first used. A second installation changes nothing.
        pingora::tls::install_default_crypto_provider();
        servers.ca.as_deref().map_or(Ok(()), check_authority)?;
        Ok(Store { servers: servers.clone(), link: Arc::default() })
    }

    /// The answer to a command that may be given twice.
    pub async fn ask<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, StoreError> {
        within(DEADLINE, async {
            let (number, connection) = self.connection().await?;
            match self.over(number, connection, command).await {
                // A connection that had been idle when Redis was restarted, or closed it, is found out only now.
                Err(error) if error.is_elsewhere() => {
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
        // Boxed as below.
        let attempt = Box::pin(connect::subscribe(&self.servers, channel));
        within(CONNECT, async { attempt.await.map_err(StoreError::from) }).await
    }

    async fn over<T: FromRedisValue>(
        &self,
        number: u64,
        mut connection: Connection,
        command: &Cmd,
    ) -> Result<T, StoreError> {
        let answer = connection.ask(command).await.map_err(StoreError::from);
        // Not only a connection that broke: over one whose host is gone without a word, nothing would ever be answered.
        if answer.as_ref().is_err_and(|error| error.is_elsewhere() || *error == StoreError::Timeout) {
            self.drop_connection(number).await;
        }
        answer
    }

    /// The connection there is, or a new one: one attempt at a time, and the others wait for how it ends.
    async fn connection(&self) -> Result<(u64, Connection), StoreError> {
        let link = self.link.clone().lock_owned().await;
        if let Some(connection) = &link.connection {
            return Ok((link.number, connection.clone()));
        }
        if let Some((at, error)) = &link.failed
            && at.elapsed() < PAUSE
        {
            return Err(error.clone());
        }
        // By itself: whoever asks may have less patience than it takes to find a master, and the next is served by it.
        tokio::spawn(connect(self.servers.clone(), link)).await.unwrap_or(Err(StoreError::Unreachable))
    }

    /// Unless another has taken its place.
    async fn drop_connection(&self, number: u64) {
        let mut link = self.link.lock().await;
        if link.number == number {
            link.connection = None;
        }
    }
}

async fn connect(servers: Arc<RedisServers>, mut link: OwnedMutexGuard<Link>) -> Result<(u64, Connection), StoreError> {
    // Boxed: it is large and rare.
    let attempt = Box::pin(Connection::open(&servers));
    let connection = within(CONNECT, async { attempt.await.map_err(StoreError::from) }).await;
    link.failed = connection.as_ref().err().map(|error| (Instant::now(), error.clone()));
    let connection = connection?;
    link.number += 1;
    link.connection = Some(connection.clone());
    Ok((link.number, connection))
}

/// That the file holds authorities, before anything is asked over TLS.
fn check_authority(path: &Path) -> Result<(), StoreError> {
    let found = certificates(path).map_err(StoreError::Authority)?;
    match found.into_iter().all(|one| RootCertStore::empty().add(one).is_ok()) {
        true => Ok(()),
        false => {
            Err(StoreError::Authority(format!("{}: holds a certificate that cannot issue others", path.display())))
        }
    }
}

impl StoreError {
    /// Whether another connection may lead to where it works: this one broke, or its server is the master no longer.
    fn is_elsewhere(&self) -> bool {
        match self {
            StoreError::Unreachable => true,
            StoreError::Refused(code) => code == "READONLY",
            StoreError::Authority(_) | StoreError::Timeout => false,
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
    fn a_file_without_an_authority_is_told_before_anything_is_asked() {
        let mut servers = RedisServers::parse("rediss://h").expect("an address");
        for (file, problem) in [("Cargo.toml", "holds no certificate in PEM"), ("missing.pem", "No such file")] {
            servers.ca = Some(Path::new(env!("CARGO_MANIFEST_DIR")).join(file));
            let Err(StoreError::Authority(message)) = Store::new(&Arc::new(servers.clone())) else { panic!("{file}") };
            assert!(message.contains(file) && message.contains(problem), "{message}");
        }
    }
}
