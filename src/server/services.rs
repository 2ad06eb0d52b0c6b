//! The admin listener, the health checks and the demo upstream as background services on Pingora's runtime. Know nothing of
//! what they serve.

use std::net::TcpListener;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use pingora::server::ShutdownWatch;
use pingora::services::background::BackgroundService;

use crate::admin::{self, App};
use crate::demo;
use crate::state::{Live, health};

/// A listener that was bound at start-up, so that a taken address is told there, and is taken once by its service.
struct Bound(Mutex<Option<TcpListener>>);

impl Bound {
    fn take(&self) -> std::io::Result<tokio::net::TcpListener> {
        let listener = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        tokio::net::TcpListener::from_std(listener.ok_or(std::io::ErrorKind::NotConnected)?)
    }
}

pub struct AdminService {
    listener: Bound,
    app: Arc<App>,
}

impl AdminService {
    pub fn new(listener: TcpListener, app: Arc<App>) -> Self {
        AdminService { listener: Bound(Mutex::new(Some(listener))), app }
    }
}

#[async_trait]
impl BackgroundService for AdminService {
    async fn start(&self, shutdown: ShutdownWatch) {
        let live = self.app.live.clone();
        tokio::spawn(async move { live.warm().await });
        let served = match self.listener.take() {
            Ok(listener) => admin::serve(listener, self.app.clone(), ended(shutdown)).await,
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
