//! The door of the gateway listener: how many connections, TLS, and around each connection the bounds that Pingora leaves
//! open. Serves nothing itself.

mod gather;
mod scan;
mod stream;
mod writing;

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering};

use async_trait::async_trait;
use pingora::apps::ServerApp;
use pingora::listeners::tls::Acceptor;
use pingora::protocols::tls::server::handshake;
use pingora::protocols::{Stream, l4};
use pingora::proxy::Session;
use pingora::server::ShutdownWatch;
use tokio::time::timeout;

pub use gather::Ahead;
pub use scan::Mended;
use stream::{Bounds, Guarded};

use super::reply::Failure;
use crate::state::{Handshakes, Live};
use crate::telemetry::Metrics;

/// Stands between the listener and the application that speaks HTTP.
pub struct Edge<A> {
    app: Arc<A>,
    tls: Option<Arc<Handshakes>>,
    live: Arc<Live>,
    metrics: Arc<Metrics>,
}

impl<A> Edge<A> {
    /// TLS is spoken here and not by Pingora's listener, so that a connection counts from its first packet and its handshake
    /// has a time limit of ours.
    pub fn new(app: A, tls: Option<Arc<Handshakes>>, live: Arc<Live>, metrics: Arc<Metrics>) -> Self {
        Edge { app: Arc::new(app), tls, live, metrics }
    }
}

#[async_trait]
impl<A: ServerApp + Send + Sync + 'static> ServerApp for Edge<A> {
    async fn process_new(self: &Arc<Self>, stream: Stream, shutdown: &ShutdownWatch) -> Option<Stream> {
        let open = self.metrics.connect();
        let bounds = Bounds::of(&self.live.snapshot().config);
        let connections = self.live.snapshot().config.limits.connections;
        let over = open.count().saturating_sub(connections);
        let stream = match &self.tls {
            // Without a handshake nobody could be told.
            Some(_) if over > 0 => {
                self.metrics.connection_refused("connections");
                return None;
            }
            Some(handshakes) => self.encrypted(handshakes, stream, bounds).await?,
            None => stream,
        };
        let mut stream = Guarded::new(stream, bounds, self.metrics.clone(), open);
        if over > 0 {
            let failure = Failure::unavailable("connections", "the gateway has as many connections as it may");
            stream.refuse(failure, over <= TOLD).await;
            return None;
        }
        self.app.process_new(Box::new(stream), shutdown).await
    }

    async fn cleanup(&self) {
        self.app.cleanup().await;
    }
}

/// How many connections over the limit may stay until their clients have read why they are refused.
const TOLD: usize = 64;

impl<A> Edge<A> {
    async fn encrypted(&self, handshakes: &Handshakes, stream: Stream, bounds: Bounds) -> Option<Stream> {
        let acceptor = Acceptor::from_server_config(handshakes.config());
        // What the listener without TLS hands over.
        let stream = *stream.into_any().downcast::<l4::stream::Stream>().ok()?;
        match timeout(bounds.head_time, handshake(&acceptor, stream)).await {
            Ok(Ok(stream)) => Some(Box::new(stream)),
            Ok(Err(error)) => {
                tracing::debug!(%error, "a TLS handshake failed");
                self.metrics.connection_refused("tls");
                None
            }
            Err(_) => {
                self.metrics.connection_refused("tls_timeout");
                None
            }
        }
    }
}

/// What a connection and the requests on it know of each other.
#[derive(Debug, Default)]
pub struct Connection {
    /// Requests that have begun, and those under way.
    begun: AtomicU64,
    serving: AtomicUsize,
    /// Request bodies that are being read.
    uploads: AtomicUsize,
    mended: AtomicU8,
    /// What is going to be written.
    ahead: gather::Shared,
}

/// A request under way; its connection is busy as long as it lives.
#[derive(Debug)]
pub struct Serving {
    connection: Arc<Connection>,
    uploading: bool,
}

/// The connection of a session, unless the session was made without the door, as in a test.
pub fn connection(session: &Session) -> Option<&Arc<Connection>> {
    let digest = session.digest()?.proxy_digest.as_ref()?;
    digest.user_data.as_ref()?.downcast_ref::<Arc<Connection>>()
}

impl Connection {
    pub fn serve(self: &Arc<Self>) -> Serving {
        self.serving.fetch_add(1, Ordering::AcqRel);
        self.begun.fetch_add(1, Ordering::AcqRel);
        Serving { connection: self.clone(), uploading: false }
    }

    /// What of the last head Pingora set right.
    pub fn mended(&self) -> Option<Mended> {
        match self.mended.load(Ordering::Acquire) {
            1 => Some(Mended::LineEnd),
            2 => Some(Mended::Target),
            _ => None,
        }
    }

    fn set_mended(&self, mended: Option<Mended>) {
        let number = match mended {
            None => 0,
            Some(Mended::LineEnd) => 1,
            Some(Mended::Target) => 2,
        };
        self.mended.store(number, Ordering::Release);
    }

    fn begun(&self) -> u64 {
        self.begun.load(Ordering::Acquire)
    }

    fn is_serving(&self) -> bool {
        self.serving.load(Ordering::Acquire) > 0
    }

    fn is_uploading(&self) -> bool {
        self.uploads.load(Ordering::Acquire) > 0
    }
}

impl Serving {
    /// Says what is going to be written, so that it leaves in one piece.
    pub fn announce(&self, ahead: Ahead) {
        self.connection.ahead.set(ahead);
    }

    /// Whether the request's body is still to come.
    pub fn set_uploading(&mut self, uploading: bool) {
        match (self.uploading, uploading) {
            (false, true) => self.connection.uploads.fetch_add(1, Ordering::AcqRel),
            (true, false) => self.connection.uploads.fetch_sub(1, Ordering::AcqRel),
            _ => return,
        };
        self.uploading = uploading;
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.set_uploading(false);
        self.announce(Ahead::Unknown);
        self.connection.serving.fetch_sub(1, Ordering::AcqRel);
    }
}
