//! How the candidate policy would have done beside the common one, request by request. Bounded; forgets what is old.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

/// Requests that both policies have judged since the candidate was first met.
#[derive(Debug, Default)]
pub struct Trial(Mutex<Option<Tried>>);

/// What is known of one candidate.
#[derive(Clone, Debug)]
pub struct Tried {
    pub policy: Arc<str>,
    pub since: SystemTime,
    pub requests: u64,
    /// How often the common policy came to the one verdict and the candidate to the other, the same ones included.
    pub verdicts: BTreeMap<(&'static str, &'static str), u64>,
    /// The latest requests of which they think differently, the newest last.
    pub differences: VecDeque<Difference>,
}

/// A request of which the two policies think differently. The audit log has more of it, by its id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    pub request_id: String,
    pub route: Arc<str>,
    pub verdict: &'static str,
    pub candidate: &'static str,
    /// Rules that led the candidate to its verdict.
    pub rules: Vec<Arc<str>>,
}

/// How many differences are kept.
pub const KEPT: usize = 100;

impl Trial {
    /// Takes note of one request that the common policy and `policy` came to these verdicts about; `difference` says more
    /// of it if they are not the same.
    pub fn note(
        &self,
        policy: &Arc<str>,
        (live, candidate): (&'static str, &'static str),
        difference: impl FnOnce() -> Difference,
    ) {
        let mut tried = self.lock();
        let tried = match &mut *tried {
            Some(tried) if tried.policy == *policy => tried,
            other => other.insert(Tried::new(policy.clone())),
        };
        tried.requests += 1;
        *tried.verdicts.entry((live, candidate)).or_default() += 1;
        if live != candidate {
            if tried.differences.len() == KEPT {
                tried.differences.pop_front();
            }
            tried.differences.push_back(difference());
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Tried>> {
        // Counts that a panic left half changed are off by one at most.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is known of `policy`, if anything.
    pub fn of(&self, policy: &str) -> Option<Tried> {
        self.lock().clone().filter(|tried| *tried.policy == *policy)
    }
}

impl Tried {
    fn new(policy: Arc<str>) -> Self {
        let since = SystemTime::now();
        Tried { policy, since, requests: 0, verdicts: BTreeMap::new(), differences: VecDeque::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn difference(number: usize) -> Difference {
        let (route, rules) = ("/v1/messages".into(), Vec::new());
        Difference { request_id: format!("req-{number}"), route, verdict: "allowed", candidate: "blocked", rules }
    }

    #[test]
    fn differences_are_counted_and_the_latest_are_kept() {
        let (trial, policy) = (Trial::default(), Arc::from("strict"));
        trial.note(&policy, ("masked", "masked"), || difference(0));
        for number in 1..=KEPT + 7 {
            trial.note(&policy, ("allowed", "blocked"), || difference(number));
        }
        let tried = trial.of("strict").expect("it was tried");
        assert_eq!(tried.requests as usize, KEPT + 8);
        assert_eq!(tried.verdicts[&("masked", "masked")], 1);
        assert_eq!(tried.verdicts[&("allowed", "blocked")] as usize, KEPT + 7);
        assert_eq!(tried.differences.len(), KEPT);
        assert_eq!(tried.differences[0], difference(8));
    }

    #[test]
    fn another_candidate_begins_anew() {
        let trial = Trial::default();
        trial.note(&Arc::from("strict"), ("allowed", "blocked"), || difference(1));
        trial.note(&Arc::from("lax"), ("allowed", "allowed"), || difference(2));
        assert!(trial.of("strict").is_none());
        assert_eq!(trial.of("lax").expect("it was tried").requests, 1);
    }
}
