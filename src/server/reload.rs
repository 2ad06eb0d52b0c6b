//! On SIGHUP, the configuration again: read, checked, built and put in force whole, or the one before stays.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use pingora::server::ShutdownWatch;
use pingora::services::background::BackgroundService;
use tokio::signal::unix::{SignalKind, signal};

use super::{share_limits, snapshot, vault};
use crate::auth::Revocations;
use crate::config::{AuthMode, Loaded, Problem, Problems};
use crate::load;
use crate::snapshot::Snapshot;
use crate::state::Live;
use crate::telemetry::{Audit, Metrics};

/// Waits for the signal as long as the gateway runs.
pub struct Reload {
    /// Without one, the built-in defaults under the variables.
    pub file: Option<PathBuf>,
    pub live: Arc<Live>,
    pub metrics: Arc<Metrics>,
    pub audit: Arc<Audit>,
}

#[async_trait]
impl BackgroundService for Reload {
    async fn start(&self, mut shutdown: ShutdownWatch) {
        let mut hangup = match signal(SignalKind::hangup()) {
            Ok(hangup) => hangup,
            Err(error) => return tracing::error!(%error, "SIGHUP cannot be listened for"),
        };
        loop {
            tokio::select! {
                received = hangup.recv() => if received.is_none() { return },
                _ = shutdown.changed() => return,
            }
            self.reload().await;
        }
    }
}

impl Reload {
    /// Puts the snapshot in force with its revocations, and with another vault if that is another.
    fn take(&self, snapshot: Snapshot, revoked: Revocations) -> Vec<Problem> {
        if snapshot.config.tokens.vault != self.live.snapshot().config.tokens.vault {
            match vault(&snapshot.config) {
                Ok(vault) => self.live.set_vault(vault),
                Err(Problems(problems)) => return problems,
            }
        }
        if snapshot.config.rate_limit.store != self.live.snapshot().config.rate_limit.store
            && let Err(Problems(problems)) = share_limits(&self.live, &snapshot.config)
        {
            return problems;
        }
        self.live.replace(Arc::new(snapshot));
        self.live.set_revoked(revoked);
        Vec::new()
    }

    /// Compiling the rules takes a while; other tasks of the thread do not wait for it.
    async fn reload(&self) {
        let (file, running, metrics) = (self.file.clone(), self.live.snapshot(), self.metrics.clone());
        let built = tokio::task::spawn_blocking(move || build(file, &running, &metrics)).await;
        let problems = match built {
            Ok(Ok((snapshot, revoked, warnings))) => {
                for warning in warnings {
                    tracing::warn!("{warning}");
                }
                self.take(snapshot, revoked)
            }
            Ok(Err(Problems(problems))) => problems,
            Err(error) => vec![Problem::new("", format!("building ended early: {error}"))],
        };
        for problem in &problems {
            tracing::error!("{problem}");
        }
        if problems.is_empty() {
            tracing::info!(level = %self.live.level(), "the configuration was read again and is in force; the level stays");
        } else {
            tracing::error!(
                problems = problems.len(),
                "the configuration was not taken; the one before stays in force"
            );
        }
        self.metrics.config_reload(problems.is_empty());
        self.audit.config_reloaded(problems.len());
    }
}

type Built = (Snapshot, Revocations, Vec<Problem>);

fn build(file: Option<PathBuf>, before: &Snapshot, metrics: &Metrics) -> Result<Built, Problems> {
    let running = &before.config;
    let Loaded { config, mut warnings } = load::config(file.as_deref())?;
    let changed = |keys: &[(&'static str, bool)], message| -> Vec<Problem> {
        keys.iter().filter(|(_, changed)| *changed).map(|(key, _)| Problem::new(*key, message)).collect()
    };
    // Whether tokens may be weak depends on the addresses, so those that are checked must be those in use.
    let fixed = [
        ("gateway", config.gateway != running.gateway),
        ("admin.listen", config.admin.listen != running.admin.listen),
        ("auth.jwt", needs_other_keys(&config.auth.mode, &running.auth.mode)),
    ];
    let late = [
        ("timeouts.drain", config.timeouts.drain != running.timeouts.drain),
        ("audit", config.audit != running.audit),
        ("log", config.log != running.log),
    ];
    let problems = changed(&fixed, "cannot change while the gateway runs");
    if !problems.is_empty() {
        return Err(Problems(problems));
    }
    warnings.extend(changed(&late, "takes effect at the next start"));
    let revoked = load::revocations(&config.revocation)?;
    Ok((snapshot(config, Some(before), metrics)?, revoked, warnings))
}

/// Whether the key set that was fetched since the start is not the one that the new mode verifies with.
fn needs_other_keys(new: &AuthMode, old: &AuthMode) -> bool {
    match (new, old) {
        (AuthMode::Jwt(new), AuthMode::Jwt(old)) => (&new.jwks_uri, new.cache_ttl) != (&old.jwks_uri, old.cache_ttl),
        (AuthMode::Jwt(_), _) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn only_another_key_set_needs_a_restart() {
        let mode = |text: &str| Config::load(Some(text), []).expect("a configuration").config.auth.mode;
        let jwt = |uri: &str, audience: &str| {
            let rest = format!("issuer = \"i\"\naudience = \"{audience}\"");
            mode(&format!("[auth]\nmode = \"jwt\"\n[auth.jwt]\njwks_uri = \"{uri}\"\n{rest}"))
        };
        let (first, second) = (jwt("https://a.example/keys", "a"), jwt("https://b.example/keys", "a"));
        assert!(needs_other_keys(&second, &first));
        assert!(needs_other_keys(&first, &mode("")));
        assert!(!needs_other_keys(&jwt("https://a.example/keys", "b"), &first));
        assert!(!needs_other_keys(&mode(""), &first));
    }
}
