//! On SIGHUP, and when a file of it changed, the configuration again: read, checked, built and put in force whole, or the one
//! before stays.

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use pingora::server::ShutdownWatch;
use pingora::services::background::BackgroundService;
use tokio::runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::Mutex;

use super::secured::{Read, Secured};
use super::watch::{Held, Watch};
use super::{fleet, share_limits, snapshot, vault};
use crate::auth::Revocations;
use crate::config::{AuthMode, Config, Loaded, Problem, Problems};
use crate::load;
use crate::snapshot::Snapshot;
use crate::state::{Live, Standing};
use crate::telemetry::{Audit, Metrics};

/// Waits for either as long as the gateway runs.
pub struct Reload {
    /// Without one, the built-in defaults under the variables.
    pub file: Option<PathBuf>,
    pub hangups: Mutex<Signal>,
    /// What the files held before they were read at the start.
    pub held: Held,
    /// Some of it holds until the end.
    pub at_start: Config,
    pub secured: Secured,
    pub live: Arc<Live>,
    pub metrics: Arc<Metrics>,
    pub audit: Arc<Audit>,
}

/// What a configuration is made of, but the list of revocations, which is read every two seconds and is no reason to compile rules.
pub fn files(file: Option<&PathBuf>, config: &Config) -> BTreeSet<PathBuf> {
    let revoked = config.revocation.file.as_deref();
    let named = config.files().into_iter().map(|(_, path)| path).filter(|path| Some(*path) != revoked);
    file.cloned().into_iter().chain(named.map(PathBuf::from)).collect()
}

/// From now on SIGHUP does not end the process: one that arrives before the service runs waits for it. Whoever starts the gateway may
/// send one as soon as it sees a sign of it.
pub fn hangups() -> io::Result<Signal> {
    // What is registered is the process's; the runtime is only needed to do it.
    let runtime = runtime::Builder::new_current_thread().enable_io().build()?;
    let _inside = runtime.enter();
    signal(SignalKind::hangup())
}

#[async_trait]
impl BackgroundService for Reload {
    async fn start(&self, mut shutdown: ShutdownWatch) {
        let mut hangups = self.hangups.lock().await;
        let mut watch = self.watch();
        loop {
            tokio::select! {
                received = hangups.recv() => if received.is_none() { return },
                () = changed(&mut watch) => tracing::info!("a file of the configuration changed"),
                _ = shutdown.changed() => return,
            }
            if let Some(watch) = &mut watch {
                watch.note();
            }
            self.reload().await;
            if let Some(watch) = &mut watch {
                watch.follow(self.files());
            }
        }
    }
}

/// Never, where nothing is watched.
async fn changed(watch: &mut Option<Watch>) {
    match watch {
        Some(watch) => watch.changed().await,
        None => std::future::pending().await,
    }
}

impl Reload {
    fn watch(&self) -> Option<Watch> {
        if !self.at_start.reload.watch {
            return None;
        }
        let watch = Watch::new(self.held.clone());
        watch.inspect_err(|error| tracing::error!(%error, "files are not watched; SIGHUP has them read again")).ok()
    }

    fn files(&self) -> BTreeSet<PathBuf> {
        files(self.file.as_ref(), &self.live.snapshot().config)
    }

    /// Puts the snapshot in force with its revocations and certificates, and with another vault if that is another.
    fn take(&self, snapshot: Snapshot, revoked: Revocations, mut certificates: Read) -> Vec<Problem> {
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
        let sharing = |snapshot: &Snapshot| (snapshot.config.redis.shared.clone(), snapshot.config.revocation.failure);
        if sharing(&snapshot) != sharing(&self.live.snapshot()) {
            match fleet(&snapshot.config) {
                Ok(fleet) => self.live.set_fleet(fleet),
                Err(Problems(problems)) => return problems,
            }
        }
        self.live.replace(Arc::new(snapshot));
        self.live.set_revoked(revoked);
        self.live.set_authorities(std::mem::take(&mut certificates.authorities));
        self.secured.replace(certificates, &self.metrics);
        Vec::new()
    }

    /// Compiling the rules takes a while; other tasks of the thread do not wait for it.
    async fn reload(&self) {
        let (file, running, metrics) = (self.file.clone(), self.live.snapshot(), self.metrics.clone());
        let at_start = self.at_start.clone();
        let built = tokio::task::spawn_blocking(move || build(file, &running, &at_start, &metrics)).await;
        let mut standing = Standing::default();
        let problems = match built {
            Ok(Ok(Built { snapshot, revoked, certificates, warnings, late })) => {
                for warning in warnings.iter().chain(&late) {
                    tracing::warn!("{warning}");
                }
                standing.waiting = late.into_iter().map(|late| late.key).collect();
                self.take(snapshot, revoked, certificates)
            }
            Ok(Err(Problems(problems))) => problems,
            Err(error) => vec![Problem::new("", format!("building ended early: {error}"))],
        };
        for problem in &problems {
            tracing::error!("{problem}");
        }
        if problems.is_empty() {
            self.live.set_standing(standing);
            tracing::info!(level = %self.live.level(), "the configuration was read again and is in force; the level stays");
        } else {
            let refused = problems.iter().map(|problem| problem.key.clone()).collect();
            self.live.set_standing(Standing { refused, waiting: self.live.standing().waiting.clone() });
            tracing::error!(
                problems = problems.len(),
                "the configuration was not taken; the one before stays in force"
            );
        }
        self.metrics.config_reload(problems.is_empty());
        self.audit.config_reloaded(problems.len());
    }
}

/// What takes the place of what is in force.
struct Built {
    snapshot: Snapshot,
    revoked: Revocations,
    certificates: Read,
    warnings: Vec<Problem>,
    /// What waits for the next start.
    late: Vec<Problem>,
}

fn build(file: Option<PathBuf>, before: &Snapshot, at_start: &Config, metrics: &Metrics) -> Result<Built, Problems> {
    let running = &before.config;
    let Loaded { config, warnings } = load::config(file.as_deref())?;
    let changed = |keys: &[(&'static str, bool)], message| -> Vec<Problem> {
        keys.iter().filter(|(_, changed)| *changed).map(|(key, _)| Problem::new(*key, message)).collect()
    };
    // Whether tokens may be weak depends on the addresses, so those that are checked must be those in use.
    let fixed = [
        ("gateway.listen", config.gateway.listen != running.gateway.listen),
        ("gateway.tls", config.gateway.tls.is_some() != running.gateway.tls.is_some()),
        ("admin.listen", config.admin.listen != running.admin.listen),
        ("admin.tls", config.admin.tls.is_some() != running.admin.tls.is_some()),
        ("auth.jwt", needs_other_keys(&config.auth.mode, &running.auth.mode)),
    ];
    let late = [
        ("timeouts.drain", config.timeouts.drain != at_start.timeouts.drain),
        ("audit", config.audit != at_start.audit),
        ("telemetry", config.telemetry != at_start.telemetry),
        ("log", config.log != at_start.log),
        ("reload", config.reload != at_start.reload),
    ];
    let problems = changed(&fixed, "cannot change while the gateway runs: it needs a restart");
    if !problems.is_empty() {
        return Err(Problems(problems));
    }
    let late = changed(&late, "takes effect at the next start");
    let revoked = load::revocations(&config.revocation)?;
    let certificates = Read::new(&config)?;
    let snapshot = snapshot(config, Some(before), metrics)?;
    Ok(Built { snapshot, revoked, certificates, warnings, late })
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
