//! When the process ends: SIGTERM drains, SIGINT does not wait. Ends nothing itself.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use pingora::server::{ShutdownSignal, ShutdownSignalWatch};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::state::Live;
use crate::telemetry::Metrics;

/// On SIGTERM, readiness goes false and the requests under way are waited for, up to a limit.
pub struct Drain {
    live: Arc<Live>,
    metrics: Arc<Metrics>,
    patience: Duration,
}

/// How often the number of requests under way is looked at while draining.
const LOOK: Duration = Duration::from_millis(50);

/// How long a kept connection without a request stays open: whoever sends the next one at this moment is told with its answer
/// that the connection ends, where one that is closed at once would lose the request.
const LULL: Duration = Duration::from_secs(2);

/// How long streams that are still under way then have to take the error that ends them.
const LEAVING: Duration = Duration::from_secs(2);

impl Drain {
    pub fn new(live: Arc<Live>, metrics: Arc<Metrics>, patience: Duration) -> Self {
        Drain { live, metrics, patience }
    }

    async fn idle(&self) {
        let (deadline, lull) = (Instant::now() + self.patience, Instant::now() + LULL.min(self.patience));
        let busy = || self.metrics.in_flight() > 0 && Instant::now() < deadline;
        let open = || self.metrics.open_connections() > 0 && Instant::now() < lull;
        while busy() || open() {
            tokio::time::sleep(LOOK).await;
        }
        self.live.end();
        let deadline = Instant::now() + LEAVING;
        while self.metrics.in_flight() > 0 && Instant::now() < deadline {
            tokio::time::sleep(LOOK).await;
        }
    }
}

#[async_trait]
impl ShutdownSignalWatch for Drain {
    async fn recv(&self) -> ShutdownSignal {
        let (mut terminate, mut interrupt) = (listen(SignalKind::terminate()), listen(SignalKind::interrupt()));
        tokio::select! {
            () = received(&mut terminate) => {
                self.live.drain();
                tracing::info!("draining");
                tokio::select! {
                    () = self.idle() => ShutdownSignal::GracefulTerminate,
                    () = received(&mut interrupt) => ShutdownSignal::FastShutdown,
                }
            }
            () = received(&mut interrupt) => ShutdownSignal::FastShutdown,
        }
    }
}

fn listen(kind: SignalKind) -> Option<Signal> {
    signal(kind).inspect_err(|error| tracing::error!(%error, "a signal cannot be listened for")).ok()
}

async fn received(signal: &mut Option<Signal>) {
    match signal {
        Some(signal) => {
            signal.recv().await;
        }
        None => std::future::pending().await,
    }
}
