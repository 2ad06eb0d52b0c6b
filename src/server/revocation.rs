//! The file of revocations, read again and again: what is added to it is in force within seconds. Judges nobody.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use pingora::server::ShutdownWatch;
use pingora::services::background::BackgroundService;

use crate::config::{Problem, Problems};
use crate::load;
use crate::state::Live;
use crate::telemetry::Metrics;

/// How long an entry may take to be seen; what is promised is five seconds.
const PERIOD: Duration = Duration::from_secs(2);

/// Runs as long as the gateway.
pub struct Revocation {
    pub live: Arc<Live>,
    pub metrics: Arc<Metrics>,
}

#[async_trait]
impl BackgroundService for Revocation {
    async fn start(&self, mut shutdown: ShutdownWatch) {
        let mut said = None;
        loop {
            tokio::select! {
                () = tokio::time::sleep(PERIOD) => {}
                _ = shutdown.changed() => return,
            }
            self.look(&mut said).await;
        }
    }
}

impl Revocation {
    /// The entries read last stay in force while the file cannot be read. `said` is the problem that was reported.
    async fn look(&self, said: &mut Option<String>) {
        let snapshot = self.live.snapshot();
        let revocation = snapshot.config.revocation.clone();
        if revocation.file.is_none() {
            return;
        }
        let read = tokio::task::spawn_blocking(move || load::revocations(&revocation)).await;
        let read = read.unwrap_or_else(|error| Err(Problems(vec![Problem::new("revocation.file", error.to_string())])));
        self.metrics.revocations_read(read.is_ok());
        match read {
            // A reload has put its own entries in force meanwhile.
            _ if !Arc::ptr_eq(&snapshot, &self.live.snapshot()) => {}
            Ok(revoked) => {
                *said = None;
                if revoked != *self.live.revoked() {
                    tracing::info!(entries = revoked.len(), "the revocations were read again and are in force");
                    self.live.set_revoked(revoked);
                }
            }
            Err(problems) => {
                let problem = problems.to_string();
                if said.as_ref() != Some(&problem) {
                    tracing::error!("{problem}; the revocations read last stay in force");
                }
                *said = Some(problem);
            }
        }
    }
}
