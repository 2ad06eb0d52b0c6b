//! When something may be tried again, and who tries: at most one attempt starts in a cool-down, and each is made once.
//! Makes none itself.

use std::sync::PoisonError;
use std::time::{Duration, Instant};

use super::sync::{AtomicU64, Mutex, Ordering};

/// Attempts are numbered from 1. Whoever wants one is given a number, may wait for it with others, and makes it if nobody
/// has.
#[derive(Default)]
pub struct Attempts {
    last: Mutex<Last>,
    /// The number of the newest attempt that somebody took upon himself.
    made: AtomicU64,
}

#[derive(Default)]
struct Last {
    number: u64,
    started: Option<Instant>,
}

impl Attempts {
    /// The number of the attempt a caller joins, and whether it is a new one: the last one while its cool-down, counted from
    /// its start, lasts.
    pub fn join(&self, now: Instant, cooldown: Duration) -> (u64, bool) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let cooling = last.started.is_some_and(|started| now.saturating_duration_since(started) < cooldown);
        if !cooling {
            last.started = Some(now);
            last.number += 1;
        }
        (last.number, !cooling)
    }

    /// True for one caller of each number, who then makes the attempt; for none once a later one was made.
    pub fn claim(&self, number: u64) -> bool {
        self.made.fetch_max(number, Ordering::SeqCst) < number
    }
}
