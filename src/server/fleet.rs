//! Looks at what replicas share: when a change is announced, and every half second in case it was not. Decides nothing.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::StreamExt;
use pingora::server::ShutdownWatch;
use pingora::services::background::BackgroundService;

use crate::state::{Fleet, Live};
use crate::telemetry::Metrics;

/// Between two looks where nothing is announced; what is promised is one second.
const PERIOD: Duration = Duration::from_millis(500);

/// Runs as long as the gateway.
pub struct Following {
    pub live: Arc<Live>,
    pub metrics: Arc<Metrics>,
}

/// What was said last of each use that fails.
type Said = BTreeMap<&'static str, String>;

#[async_trait]
impl BackgroundService for Following {
    async fn start(&self, mut shutdown: ShutdownWatch) {
        let mut said = Said::new();
        loop {
            tokio::select! {
                () = self.follow(&mut said) => {}
                _ = shutdown.changed() => return,
            }
        }
    }
}

impl Following {
    /// As long as there is a connection, and the fleet is not another.
    async fn follow(&self, said: &mut Said) {
        let Some(fleet) = self.live.fleet() else { return tokio::time::sleep(PERIOD).await };
        // Before the look: what changes after it is announced.
        let mut news = fleet.news().await.ok();
        loop {
            let well = self.look(said).await;
            let listening = tokio::select! {
                () = tokio::time::sleep(PERIOD) => news.is_some(),
                heard = next(&mut news) => heard.is_some(),
            };
            if !well || !listening || !self.is_same(&fleet) {
                return;
            }
        }
    }

    fn is_same(&self, fleet: &Arc<Fleet>) -> bool {
        self.live.fleet().is_some_and(|now| Arc::ptr_eq(fleet, &now))
    }

    /// Whether Redis told everything.
    async fn look(&self, said: &mut Said) -> bool {
        let Some(look) = self.live.follow().await else { return false };
        let mut well = true;
        for (used, result) in look.results() {
            self.metrics.shared_state(used, result.is_ok());
            match result {
                Ok(()) => {
                    if said.remove(used).is_some() {
                        tracing::info!(used, "what replicas share is known again");
                    }
                }
                Err(error) => {
                    well = false;
                    let problem = error.to_string();
                    if said.get(used) != Some(&problem) {
                        tracing::error!(used, %error, "what replicas share cannot be read; what was read last stays in force");
                    }
                    said.insert(used, problem);
                }
            }
        }
        well
    }
}

/// Never, where nobody announces anything.
async fn next<S: StreamExt<Item = ()> + Unpin>(news: &mut Option<S>) -> Option<()> {
    match news {
        Some(news) => news.next().await,
        None => std::future::pending().await,
    }
}
