//! The latest requests, for people who look at what happens now: ids, verdicts and rules, by its types no text. Bounded;
//! forgets what is old, which the audit log keeps.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use super::record::{FindingCount, MaskCount, RequestRecord, Timings, Verdict};
use crate::policy::Level;

/// The latest requests that are over, the newest last.
#[derive(Debug, Default)]
pub struct Recent(Mutex<VecDeque<Arc<Seen>>>);

/// What is kept of one.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    pub at: SystemTime,
    pub request_id: String,
    pub client_id: String,
    pub route: Option<Arc<str>>,
    pub status: u16,
    pub verdict: Verdict,
    pub code: Option<&'static str>,
    pub level: Level,
    /// Of the request and of its answer.
    pub findings: Vec<FindingCount>,
    pub masked: Vec<MaskCount>,
    pub timings: Timings,
}

/// How long one stage took for half of the latest requests at most, and for all but five in a hundred.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spread {
    pub median: Duration,
    pub p95: Duration,
}

/// How many requests are kept.
pub const KEPT: usize = 200;

/// Of one request, so that none takes the room of others: rules, entity types, and characters of an id.
const NAMES: usize = 32;
const CHARS: usize = 128;

impl Recent {
    pub fn note(&self, at: SystemTime, record: &RequestRecord) {
        let seen = Arc::new(Seen::of(at, record));
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() == KEPT {
            kept.pop_front();
        }
        kept.push_back(seen);
    }

    /// The newest first.
    pub fn all(&self) -> Vec<Arc<Seen>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().rev().cloned().collect()
    }
}

impl Seen {
    fn of(at: SystemTime, record: &RequestRecord) -> Self {
        let answer = record.answer.iter().flat_map(|answer| &answer.findings);
        Seen {
            at,
            request_id: record.request_id.chars().take(CHARS).collect(),
            client_id: record.client_id.chars().take(CHARS).collect(),
            route: record.route.clone(),
            status: record.status,
            verdict: record.verdict,
            code: record.code,
            level: record.level,
            findings: record.findings.iter().chain(answer).take(NAMES).cloned().collect(),
            masked: record.masked.iter().take(NAMES).cloned().collect(),
            timings: record.timings,
        }
    }
}

impl Spread {
    /// `None` of nothing.
    pub fn of(times: impl Iterator<Item = Duration>) -> Option<Self> {
        let mut times: Vec<Duration> = times.collect();
        times.sort_unstable();
        let rank = |percent: usize| times.get((times.len() * percent).div_ceil(100).saturating_sub(1)).copied();
        Some(Spread { median: rank(50)?, p95: rank(95)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_are_kept_the_newest_first() {
        let recent = Recent::default();
        for number in 0..KEPT + 3 {
            let record = RequestRecord { request_id: number.to_string(), ..RequestRecord::example() };
            recent.note(SystemTime::UNIX_EPOCH, &record);
        }
        let all = recent.all();
        assert_eq!((all.len(), &*all[0].request_id, &*all[KEPT - 1].request_id), (KEPT, "202", "3"));
    }

    #[test]
    fn no_request_takes_the_room_of_others() {
        let recent = Recent::default();
        let example = RequestRecord::example();
        let findings = vec![example.findings[0].clone(); 1000];
        recent.note(SystemTime::UNIX_EPOCH, &RequestRecord { client_id: "x".repeat(9000), findings, ..example });
        let seen = &recent.all()[0];
        assert_eq!((seen.client_id.len(), seen.findings.len()), (CHARS, NAMES));
    }

    #[test]
    fn a_spread_is_of_times_that_were_measured() {
        let of = |times: &[u64]| Spread::of(times.iter().map(|time| Duration::from_millis(*time)));
        let spread =
            |median, p95| Some(Spread { median: Duration::from_millis(median), p95: Duration::from_millis(p95) });
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[7]), spread(7, 7));
        assert_eq!(of(&(1..=100).rev().collect::<Vec<_>>()), spread(50, 95));
    }
}
