//! What callers have taken of their limits: here, or for all replicas in Redis. Knows no status.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::limits::{Demand, Exceeded, Ledger, Use};

/// Of the whole process.
pub struct Limiter {
    ledger: Mutex<Ledger>,
    began: Instant,
}

/// What one request has taken. What it came to stands once this is dropped.
pub struct Taken {
    limiter: Arc<Limiter>,
    demands: Vec<Demand>,
    used: Use,
}

impl Default for Limiter {
    fn default() -> Self {
        Limiter { ledger: Mutex::default(), began: Instant::now() }
    }
}

impl Limiter {
    /// Takes all of it, or nothing.
    ///
    /// # Errors
    /// The limit that is reached.
    pub fn take(self: &Arc<Self>, demands: Vec<Demand>) -> Result<Taken, Exceeded> {
        let denied = self.ledger().take(&demands, self.now()).err().and_then(|denial| denial.of(&demands));
        match denied {
            None => Ok(Taken { limiter: self.clone(), demands, used: Use::Tokens(0) }),
            Some(exceeded) => Err(exceeded),
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
}

impl Drop for Taken {
    fn drop(&mut self) {
        let now = self.limiter.now();
        self.limiter.ledger().settle(&self.demands, self.used, now);
    }
}
