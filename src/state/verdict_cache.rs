//! Findings of texts that were scanned before, bounded by the memory they take. Knows neither texts nor requests.

use std::sync::Arc;

use foldhash::quality::RandomState;
use moka::policy::EvictionPolicy;
use moka::sync::Cache;
use prometheus::IntCounter;

use crate::detect::Finding;
use crate::sanitize::{Seen, Verdicts};

/// See the module.
#[derive(Debug)]
pub struct VerdictCache {
    cache: Cache<u128, Entry, RandomState>,
    hits: IntCounter,
    misses: IntCounter,
}

#[derive(Clone, Debug)]
enum Entry {
    Findings(Arc<[Finding]>),
    String(Arc<Seen>),
}

/// What an entry takes beside its findings: key, counters and links of the cache.
const ENTRY: usize = 160;

impl VerdictCache {
    /// Of at most `bytes`, by estimate.
    pub fn new(bytes: usize, hits: IntCounter, misses: IntCounter) -> Self {
        let weigher = |_: &u128, entry: &Entry| {
            let size = match entry {
                Entry::Findings(findings) => size_of_val::<[Finding]>(findings),
                Entry::String(seen) => seen.size(),
            };
            u32::try_from(ENTRY + size).unwrap_or(u32::MAX)
        };
        // A conversation comes back in a moment or never. By how often something was asked for, what is new would not get in.
        let policy = EvictionPolicy::lru();
        let builder = Cache::builder().max_capacity(bytes as u64).weigher(weigher).eviction_policy(policy);
        VerdictCache { cache: builder.build_with_hasher(RandomState::default()), hits, misses }
    }
}

impl Verdicts for VerdictCache {
    fn get(&self, key: u128) -> Option<Arc<[Finding]>> {
        let found = match self.cache.get(&key) {
            Some(Entry::Findings(findings)) => Some(findings),
            Some(Entry::String(_)) | None => None,
        };
        if found.is_some() { &self.hits } else { &self.misses }.inc();
        found
    }

    fn put(&self, key: u128, findings: Arc<[Finding]>) {
        self.cache.insert(key, Entry::Findings(findings));
    }

    /// What is not found here is looked up once more, by its text, and counted then.
    fn get_string(&self, key: u128) -> Option<Arc<Seen>> {
        let Some(Entry::String(seen)) = self.cache.get(&key) else { return None };
        self.hits.inc();
        Some(seen)
    }

    fn put_string(&self, key: u128, seen: Arc<Seen>) {
        self.cache.insert(key, Entry::String(seen));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counter(name: &str) -> IntCounter {
        IntCounter::new(name, "help").unwrap()
    }

    #[test]
    fn what_was_put_is_found_and_counted_and_the_whole_stays_bounded() {
        let cache = VerdictCache::new(100 * ENTRY, counter("hits"), counter("misses"));
        cache.put(7, Arc::new([]));
        assert!(cache.get(7).is_some() && cache.get(8).is_none());
        assert_eq!((cache.hits.get(), cache.misses.get()), (1, 1));
        for key in 0..10_000 {
            cache.put(key, Arc::new([]));
        }
        cache.cache.run_pending_tasks();
        assert!(cache.cache.entry_count() <= 100, "{}", cache.cache.entry_count());
    }

    #[test]
    fn what_was_put_last_is_known_whatever_was_known_before() {
        let cache = VerdictCache::new(100 * ENTRY, counter("hits"), counter("misses"));
        for key in 0..10_000 {
            cache.put(key, Arc::new([]));
            cache.get(key);
        }
        cache.cache.run_pending_tasks();
        cache.put(10_000, Arc::new([]));
        cache.cache.run_pending_tasks();
        assert!(cache.get(10_000).is_some());
    }
}
