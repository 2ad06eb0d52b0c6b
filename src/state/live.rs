//! What changes while the gateway runs: the snapshot, the security level, the issuer's keys, revocations, the health of
//! upstreams, draining. Decides nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use arc_swap::{ArcSwap, ArcSwapOption};
use tokio::sync::watch;

use super::authorities::Authorities;
use super::fleet::Fleet;
use super::health::Health;
use super::in_force::InForce;
use super::jwks::Jwks;
use super::limiter::Limiter;
use super::permits::{Permit, Permits};
use super::standing::Standing;
use super::token_cache::TokenCache;
use super::trial::Trial;
use super::vault::Vault;
use crate::auth::{AuthError, Authenticator, KeyRequest, KeySet, Mode, Principal, Revocations};
use crate::policy::{ClientLevels, Level, TooManyLevels};
use crate::snapshot::Snapshot;

/// Shared by both listeners.
pub struct Live {
    in_force: InForce<Snapshot, TokenCache>,
    level: AtomicU8,
    client_levels: ArcSwap<ClientLevels>,
    /// In the mode `jwt`.
    jwks: Option<Arc<Jwks>>,
    /// Where placeholders of earlier answers are kept, if anywhere.
    vault: ArcSwapOption<Vault>,
    revoked: ArcSwap<Revocations>,
    /// What replicas share, if they do.
    fleet: ArcSwapOption<Fleet>,
    /// The named policy that an admin has put in the place of the common one.
    promoted: ArcSwapOption<String>,
    trial: Trial,
    health: Health,
    authorities: ArcSwap<Authorities>,
    permits: Arc<Permits>,
    limiter: Arc<Limiter>,
    standing: ArcSwap<Standing>,
    draining: watch::Sender<bool>,
    ending: watch::Sender<bool>,
}

impl Live {
    /// Starts at the level of the configuration, and with the revocations that stand in it.
    pub fn new(snapshot: Snapshot, jwks: Option<Arc<Jwks>>) -> Self {
        Live {
            level: AtomicU8::new(snapshot.config.security.level as u8),
            client_levels: ArcSwap::default(),
            revoked: ArcSwap::from_pointee(snapshot.config.revocation.listed.clone()),
            in_force: InForce::new(Arc::new(snapshot)),
            jwks,
            fleet: ArcSwapOption::empty(),
            vault: ArcSwapOption::empty(),
            promoted: ArcSwapOption::empty(),
            trial: Trial::default(),
            health: Health::default(),
            authorities: ArcSwap::default(),
            permits: Arc::default(),
            limiter: Arc::default(),
            standing: ArcSwap::default(),
            draining: watch::Sender::new(false),
            ending: watch::Sender::new(false),
        }
    }

    /// The snapshot in force now. A request takes it once and keeps it.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.in_force.load().rules)
    }

    /// Puts another snapshot in force for requests to come. The level stays, and so does a promoted policy while there is
    /// one of its name: an admin set it, or nobody did.
    pub fn replace(&self, snapshot: Arc<Snapshot>) {
        if self.promoted().is_some_and(|name| !snapshot.has_policy(&name)) {
            self.promote(None);
        }
        self.in_force.replace(snapshot);
    }

    /// The named policy in the place of the common one, if there is one.
    pub fn promoted(&self) -> Option<Arc<String>> {
        self.promoted.load_full()
    }

    /// In force from the next request on. Returns the one before.
    pub fn promote(&self, name: Option<String>) -> Option<Arc<String>> {
        self.promoted.swap(name.map(Arc::new))
    }

    /// How the candidate policy does.
    pub fn trial(&self) -> &Trial {
        &self.trial
    }

    pub fn revoked(&self) -> Arc<Revocations> {
        self.revoked.load_full()
    }

    /// In force from the next request on.
    pub fn set_revoked(&self, revoked: Revocations) {
        self.revoked.store(Arc::new(revoked));
    }

    pub fn fleet(&self) -> Option<Arc<Fleet>> {
        self.fleet.load_full()
    }

    /// From the next look on.
    pub fn set_fleet(&self, fleet: Option<Arc<Fleet>>) {
        self.fleet.store(fleet);
    }

    pub fn vault(&self) -> Option<Arc<Vault>> {
        self.vault.load_full()
    }

    /// In use from the next request on.
    pub fn set_vault(&self, vault: Option<Arc<Vault>>) {
        self.vault.store(vault);
    }

    pub fn level(&self) -> Level {
        level(self.level.load(Ordering::Acquire))
    }

    /// In force for the next request. Returns the level before.
    pub fn set_level(&self, new: Level) -> Level {
        level(self.level.swap(new as u8, Ordering::AcqRel))
    }

    /// Callers that have a level of their own.
    pub fn client_levels(&self) -> Arc<ClientLevels> {
        self.client_levels.load_full()
    }

    /// In force for the caller's next request; `None` gives it that of all. Returns what it had before of its own.
    ///
    /// # Errors
    /// When too many have one.
    pub fn set_client_level(&self, client: &str, level: Option<Level>) -> Result<Option<Level>, TooManyLevels> {
        let mut outcome = Ok(None);
        self.client_levels.rcu(|held| {
            let mut levels = ClientLevels::clone(held);
            outcome = levels.set(client, level);
            levels
        });
        outcome
    }

    /// All of them. Whether they are others.
    pub fn set_client_levels(&self, levels: &ClientLevels) -> bool {
        let others = **self.client_levels.load() != *levels;
        if others {
            self.client_levels.store(Arc::new(levels.clone()));
        }
        others
    }

    /// The kind of tokens that are accepted.
    pub fn mode(&self) -> Mode {
        self.in_force.load().rules.authenticator.mode()
    }

    /// From now on the process is not ready. There is no way back.
    pub fn drain(&self) {
        self.draining.send_replace(true);
    }

    pub fn is_draining(&self) -> bool {
        *self.draining.borrow()
    }

    /// Turns true when draining begins.
    pub fn draining(&self) -> watch::Receiver<bool> {
        self.draining.subscribe()
    }

    /// Requests under way were waited for long enough: what is left is told so and ends.
    pub fn end(&self) {
        self.ending.send_replace(true);
    }

    pub fn is_ending(&self) -> bool {
        *self.ending.borrow()
    }

    /// Turns true when what is left has to end.
    pub fn ending(&self) -> watch::Receiver<bool> {
        self.ending.subscribe()
    }

    /// For a caller's request, unless so many are under way.
    pub fn permit(&self, most: usize) -> Option<Permit> {
        self.permits.take(most as u64)
    }

    /// What callers have taken of their limits.
    pub fn limiter(&self) -> &Arc<Limiter> {
        &self.limiter
    }

    /// Who may have issued the certificates of upstreams.
    pub fn authorities(&self) -> Arc<Authorities> {
        self.authorities.load_full()
    }

    /// For connections to come.
    pub fn set_authorities(&self, authorities: Authorities) {
        self.authorities.store(Arc::new(authorities));
    }

    /// Which upstreams cannot be reached.
    pub fn health(&self) -> &Health {
        &self.health
    }

    /// How the configuration that was read last stands to the one in force.
    pub fn standing(&self) -> Arc<Standing> {
        self.standing.load_full()
    }

    pub fn set_standing(&self, standing: Standing) {
        self.standing.store(Arc::new(standing));
    }

    /// Whether the issuer's keys were ever loaded; `None` when the mode needs none.
    pub fn keys_loaded(&self) -> Option<bool> {
        (self.mode() == Mode::Jwt).then(|| self.jwks.as_ref().is_some_and(|jwks| jwks.ready()))
    }

    /// Fetches the issuer's keys ahead of the first token, where the mode needs them.
    pub async fn warm(&self) {
        if let Some(jwks) = &self.jwks {
            jwks.warm().await;
        }
    }

    /// Who presents `token`. Fetches the issuer's keys only for a token that could be decided with them.
    ///
    /// # Errors
    /// `KeysUnavailable` and `RevocationsUnavailable` are the gateway's trouble, everything else the caller's.
    pub async fn authenticate(&self, token: Option<&str>) -> Result<Principal, AuthError> {
        let token = token.ok_or(AuthError::Missing)?;
        let moment = self.in_force.load();
        let principal = self.principal(&moment.rules.authenticator, &moment.memory, token).await?;
        self.revoked.load().check(&principal)?;
        if let Some(fleet) = &*self.fleet.load() {
            fleet.check(&principal)?;
        }
        Ok(principal)
    }

    /// `verified` are the tokens that this authenticator has accepted.
    async fn principal(
        &self,
        authenticator: &Authenticator,
        verified: &TokenCache,
        token: &str,
    ) -> Result<Principal, AuthError> {
        let known = match authenticator.mode() {
            Mode::Jwt => verified.get(token),
            // Nothing is verified that takes longer than the look-up would.
            Mode::Static | Mode::Hmac => None,
        };
        let request = known.as_ref().map(|known| known.request().clone()).or_else(|| authenticator.needs_key(token));
        let Some(request) = request else { return authenticator.authenticate(token, &KeySet::default(), now()) };
        let keys = self.keys(&request).await?;
        let now = now();
        if let Some(principal) = known.as_ref().and_then(|known| known.principal(&keys, now)) {
            return Ok(principal.clone());
        }
        let principal = authenticator.authenticate(token, &keys, now)?;
        verified.put(token, &principal, request, &keys, now);
        Ok(principal)
    }

    async fn keys(&self, request: &KeyRequest) -> Result<Arc<KeySet>, AuthError> {
        let jwks = self.jwks.as_ref().ok_or(AuthError::KeysUnavailable)?;
        jwks.keys_for(request.kid.as_deref(), request.algorithm).await
    }
}

/// Stored values are levels; anything else would be the strictest.
fn level(stored: u8) -> Level {
    Level::ALL.get(usize::from(stored)).copied().unwrap_or(Level::High)
}

/// Unix time in seconds. A clock before 1970 makes every token not yet valid.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::state::jwks::JwksConfig;

    #[tokio::test]
    async fn before_the_first_key_set_only_static_tokens_work() {
        let token = "vT4qL9xZ2mWc7RkY8pHs1NfJ6bDg3uXe";
        let text = "[auth]\nmode = \"jwt\"\n[auth.jwt]\njwks_uri = \"http://127.0.0.1:1/jwks\"\nissuer = \"i\"\n\
                    audience = \"a\"\n[[auth.static.token]]\nenv = \"TOKEN\"\nclient_id = \"probe\"\n\
                    scopes = [\"security:stats\"]\n[revocation]\nclients = [\"nobody\"]\n";
        let loaded = Config::load(Some(text), [("TOKEN".to_owned(), token.to_owned())]).expect("a configuration");
        let snapshot = Snapshot::build(loaded.config, &[]).expect("a snapshot");
        let jwks = Jwks::new(JwksConfig::new("http://127.0.0.1:1/jwks")).expect("an address where nobody listens");
        let live = Live::new(snapshot, Some(Arc::new(jwks)));
        // {"alg":"ES256","kid":"a"}.{}. and no signature to speak of.
        let signed = "eyJhbGciOiJFUzI1NiIsImtpZCI6ImEifQ.e30.AAAA";
        assert_eq!(live.authenticate(Some(signed)).await, Err(AuthError::KeysUnavailable));
        assert_eq!(live.keys_loaded(), Some(false));
        assert_eq!(live.authenticate(Some(token)).await.map(|probe| probe.client_id).as_deref(), Ok("probe"));
        assert_eq!(live.authenticate(Some("rubbish")).await, Err(AuthError::Malformed));
        assert_eq!(live.authenticate(None).await, Err(AuthError::Missing));
        live.set_revoked(Revocations::default().with_list("client probe").expect("a list"));
        assert_eq!(live.authenticate(Some(token)).await, Err(AuthError::Revoked));
    }
}
