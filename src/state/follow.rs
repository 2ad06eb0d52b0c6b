//! What replicas share, put in force here; and what is changed here, for all. Without a fleet, changes are this replica's alone.

use std::sync::Arc;
use std::time::Duration;

use super::Live;
use super::fleet::{Change, FleetError, Kind, Posture};
use crate::policy::Level;

/// What one look at what is shared came to; `None` for what is not.
#[derive(Debug)]
pub struct Look {
    pub security: Option<Result<(), FleetError>>,
    pub revocations: Option<Result<(), FleetError>>,
}

impl Look {
    /// The uses by their names.
    pub fn results(&self) -> impl Iterator<Item = (&'static str, &Result<(), FleetError>)> {
        let named = [("security", &self.security), ("revocations", &self.revocations)];
        named.into_iter().filter_map(|(name, result)| Some((name, result.as_ref()?)))
    }
}

impl Live {
    /// Reads what is shared and puts it in force.
    pub async fn follow(&self) -> Option<Look> {
        let fleet = self.fleet()?;
        let mut agreed = fleet.agreed().await;
        let read = fleet.read(&mut agreed).await;
        let revocations = match (&read, fleet.shares_revocations()) {
            (_, false) => None,
            (Err(error @ FleetError::Store(_)), _) => Some(Err(error.clone())),
            _ => Some(fleet.read_revoked(&mut agreed).await),
        };
        let security = fleet.shares_security().then(|| read.and_then(|posture| self.take(&posture)));
        let look = Look { security, revocations };
        fleet.note(look.results().all(|(_, result)| result.is_ok()));
        Some(look)
    }

    fn take(&self, posture: &Posture) -> Result<(), FleetError> {
        if let Some(level) = posture.level {
            let before = self.set_level(level);
            if before != level {
                tracing::info!(%before, %level, "the security level was changed for all replicas");
            }
        }
        if posture.is_set() && self.set_client_levels(&posture.client_levels) {
            tracing::info!("levels of single callers were changed for all replicas");
        }
        let named = posture.policy.as_ref().filter(|name| !name.is_empty());
        let known = named.filter(|name| self.snapshot().has_policy(name));
        if posture.policy.is_some() && self.promoted().as_deref() != known {
            self.promote(known.cloned());
            let policy = known.map_or("the common one", String::as_str);
            tracing::info!(policy, "the policy in force was changed for all replicas");
        }
        if known == named { Ok(()) } else { Err(FleetError::Policy) }
    }

    /// In force for the next request, here and soon on all replicas that share it. Returns the level before.
    ///
    /// # Errors
    /// Of a shared level that cannot be changed for all: it stays.
    pub async fn change_level(&self, new: Level) -> Result<Level, FleetError> {
        let Some(fleet) = self.fleet().filter(|fleet| fleet.shares_security()) else { return Ok(self.set_level(new)) };
        let mut agreed = fleet.agreed().await;
        fleet.change(&mut agreed, Change::Level(new)).await?;
        Ok(self.set_level(new))
    }

    /// The same for the level of one caller, whom `None` gives that of all. Returns what it had before of its own.
    ///
    /// # Errors
    /// As for the level, and of too many.
    pub async fn change_client_level(&self, client: &str, new: Option<Level>) -> Result<Option<Level>, FleetError> {
        let Some(fleet) = self.fleet().filter(|fleet| fleet.shares_security()) else {
            return Ok(self.set_client_level(client, new)?);
        };
        let mut agreed = fleet.agreed().await;
        let before = self.client_levels().of(client);
        fleet.change(&mut agreed, Change::ClientLevel(client, new)).await?;
        self.set_client_level(client, new)?;
        Ok(before)
    }

    /// The same for the named policy in the place of the common one.
    ///
    /// # Errors
    /// As for the level.
    pub async fn change_policy(&self, name: Option<String>) -> Result<Option<Arc<String>>, FleetError> {
        let Some(fleet) = self.fleet().filter(|fleet| fleet.shares_security()) else { return Ok(self.promote(name)) };
        let mut agreed = fleet.agreed().await;
        fleet.change(&mut agreed, Change::Policy(name.as_deref().unwrap_or_default())).await?;
        Ok(self.promote(name))
    }

    /// Revokes here and soon on all replicas, for good or for so long. `None` where revocations are not shared.
    pub async fn revoke(&self, kind: Kind, id: &str, lifetime: Option<Duration>) -> Option<Result<(), FleetError>> {
        let fleet = self.fleet().filter(|fleet| fleet.shares_revocations())?;
        Some(fleet.revoke(kind, id, lifetime).await)
    }
}
