//! Both listeners, the health checks and the demo upstream as background services on Pingora's runtime. Know nothing of what
//! they serve.

use std::net::TcpListener;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use pingora::apps::ServerApp;
use pingora::protocols::l4::stream::Stream;
use pingora::server::ShutdownWatch;
use pingora::services::background::BackgroundService;
use tokio::net::TcpStream;

use crate::admin::{self, App};
use crate::demo;
use crate::state::{Handshakes, Live, health};

/// A listener that was bound at start-up, so that a taken address is told there, and is taken once by its service.
struct Bound(Mutex<Option<TcpListener>>);

impl Bound {
    fn take(&self) -> std::io::Result<tokio::net::TcpListener> {
        let listener = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        tokio::net::TcpListener::from_std(listener.ok_or(std::io::ErrorKind::NotConnected)?)
    }
}

/// The gateway listener. Pingora's own goes on accepting until the drain is over; this one lets nobody in who could be served
/// by another replica from the moment it begins.
pub struct GatewayService<A> {
    listener: Bound,
    app: Arc<A>,
    live: Arc<Live>,
}

/// How long to wait where there are too many open files: to accept again at once would fail again at once.
const RELIEF: Duration = Duration::from_secs(1);

impl<A: ServerApp + Send + Sync + 'static> GatewayService<A> {
    pub fn new(listener: TcpListener, app: A, live: Arc<Live>) -> Self {
        GatewayService { listener: Bound(Mutex::new(Some(listener))), app: Arc::new(app), live }
    }

    /// Until draining begins.
    async fn accept(&self) -> std::io::Result<()> {
        // A level that was changed for all holds from the first request on.
        if let Some(fleet) = self.live.fleet() {
            fleet.looked().await;
        }
        let listener = self.listener.take()?;
        let mut draining = self.live.draining();
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                _ = draining.wait_for(|draining| *draining) => return Ok(()),
            };
            match accepted {
                Ok((stream, _)) => {
                    tokio::spawn(converse(self.app.clone(), stream, self.live.draining()));
                }
                Err(error) => {
                    tracing::error!(%error, "a connection could not be accepted");
                    tokio::time::sleep(RELIEF).await;
                }
            }
        }
    }
}

/// One connection, to its end.
async fn converse<A: ServerApp + Send + Sync + 'static>(app: Arc<A>, stream: TcpStream, draining: ShutdownWatch) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "a connection ended before it was served");
        return;
    }
    let mut next = app.process_new(Box::new(Stream::from(stream)), &draining).await;
    while let Some(stream) = next {
        next = app.process_new(stream, &draining).await;
    }
}

#[async_trait]
impl<A: ServerApp + Send + Sync + 'static> BackgroundService for GatewayService<A> {
    async fn start(&self, shutdown: ShutdownWatch) {
        if let Err(error) = self.accept().await {
            tracing::error!(%error, "the gateway listener stopped");
        }
        ended(shutdown).await;
        self.app.cleanup().await;
    }
}

pub struct AdminService {
    listener: Bound,
    tls: Option<Arc<Handshakes>>,
    /// Another process accepts from the listener too: who asks while this one drains is to be answered by that one.
    shared: bool,
    app: Arc<App>,
}

impl AdminService {
    pub fn new(listener: TcpListener, tls: Option<Arc<Handshakes>>, shared: bool, app: Arc<App>) -> Self {
        AdminService { listener: Bound(Mutex::new(Some(listener))), tls, shared, app }
    }
}

#[async_trait]
impl BackgroundService for AdminService {
    async fn start(&self, shutdown: ShutdownWatch) {
        let live = self.app.live.clone();
        tokio::spawn(async move { live.warm().await });
        let until = if self.shared { self.app.live.draining() } else { shutdown };
        let served = match self.listener.take() {
            Ok(listener) => admin::serve(listener, self.tls.clone(), self.app.clone(), ended(until)).await,
            Err(error) => Err(error),
        };
        if let Err(error) = served {
            tracing::error!(%error, "the admin listener stopped");
        }
    }
}

/// Tries the upstreams that have more than one address, in force at the moment, as long as the gateway runs.
pub struct HealthService(pub Arc<Live>);

#[async_trait]
impl BackgroundService for HealthService {
    async fn start(&self, mut shutdown: ShutdownWatch) {
        loop {
            self.0.health().check(&self.0.snapshot().config).await;
            tokio::select! {
                () = tokio::time::sleep(health::EVERY) => {}
                _ = shutdown.changed() => return,
            }
        }
    }
}

pub struct DemoService {
    listener: Bound,
}

impl DemoService {
    pub fn new(listener: TcpListener) -> Self {
        DemoService { listener: Bound(Mutex::new(Some(listener))) }
    }
}

#[async_trait]
impl BackgroundService for DemoService {
    async fn start(&self, shutdown: ShutdownWatch) {
        let served = match self.listener.take() {
            Ok(listener) => demo::serve(listener, ended(shutdown)).await,
            Err(error) => Err(error),
        };
        if let Err(error) = served {
            tracing::error!(%error, "the demo upstream stopped");
        }
    }
}

async fn ended(mut shutdown: ShutdownWatch) {
    // The sender lives as long as the server; if it is gone, so is the server.
    shutdown.changed().await.ok();
}
