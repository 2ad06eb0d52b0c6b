//! What callers have taken of their limits: here, or for all replicas in Redis. Knows no status.

mod shared;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use arc_swap::ArcSwapOption;

use crate::config::{OnOutage, RateLimitStore};
use crate::limits::{Demand, Exceeded, Ledger, Use};
use shared::Shared;

use super::redis::StoreError;

/// Of the whole process.
pub struct Limiter {
    ledger: Mutex<Ledger>,
    began: Instant,
    shared: ArcSwapOption<Shared>,
}

/// What one request has taken. What it came to stands once this is dropped.
pub struct Taken {
    demands: Vec<Demand>,
    used: Use,
    place: Place,
}

/// Where it was taken.
enum Place {
    Here(Arc<Limiter>),
    /// Here, as Redis was away.
    Alone(Arc<Limiter>),
    /// With the name by which a request under way is known.
    Shared(Arc<Shared>, String),
}

/// Why a request may not pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    Exceeded(Exceeded),
    /// Redis cannot be asked, and nobody passes without.
    Away,
}

impl Default for Limiter {
    fn default() -> Self {
        Limiter { ledger: Mutex::default(), began: Instant::now(), shared: ArcSwapOption::empty() }
    }
}

impl Limiter {
    /// Counts in Redis from now on, or no longer. Connects when it is first needed.
    ///
    /// # Errors
    /// Of a file of authorities that is not usable.
    pub fn share(&self, store: Option<&RateLimitStore>) -> Result<(), StoreError> {
        let shared = store.map(Shared::new).transpose()?;
        self.shared.store(shared.map(Arc::new));
        Ok(())
    }

    /// Takes all of it, or nothing.
    ///
    /// # Errors
    /// See [`Refused`].
    pub async fn take(self: &Arc<Self>, demands: Vec<Demand>) -> Result<Taken, Refused> {
        if demands.iter().any(Demand::is_too_large) {
            return self.take_here(demands, Place::Here(self.clone()));
        }
        let Some(shared) = self.shared.load_full() else { return self.take_here(demands, Place::Here(self.clone())) };
        match shared.take(&demands).await {
            Ok(Ok(name)) => Ok(Taken { demands, used: Use::Tokens(0), place: Place::Shared(shared, name) }),
            Ok(Err(denial)) => Err(denial.of(&demands).map_or(Refused::Away, Refused::Exceeded)),
            Err(error) => {
                tracing::debug!(%error, "limits cannot be counted in Redis");
                match shared.failure() {
                    OnOutage::Open => self.take_here(demands, Place::Alone(self.clone())),
                    OnOutage::Closed => Err(Refused::Away),
                }
            }
        }
    }

    fn take_here(self: &Arc<Self>, demands: Vec<Demand>, place: Place) -> Result<Taken, Refused> {
        let denied = self.ledger().take(&demands, self.now()).err().and_then(|denial| denial.of(&demands));
        match denied {
            None => Ok(Taken { demands, used: Use::Tokens(0), place }),
            Some(exceeded) => Err(Refused::Exceeded(exceeded)),
        }
    }

    /// In microseconds; wall clocks are set back at times.
    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// What a panic may have left half done is one number.
    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taken {
    /// What it came to; until this is called, a request without tokens.
    pub fn came_to(&mut self, used: Use) {
        self.used = used;
    }

    /// The value of the metric label `result`: who has counted it.
    pub fn counted_by(&self) -> &'static str {
        match self.place {
            Place::Here(_) => "memory",
            Place::Alone(_) => "open",
            Place::Shared(..) => "shared",
        }
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        match &self.place {
            Place::Here(limiter) | Place::Alone(limiter) => {
                let now = limiter.now();
                limiter.ledger().settle(&self.demands, self.used, now);
            }
            Place::Shared(shared, name) => shared.clone().settle(&self.demands, self.used, name),
        }
    }
}
