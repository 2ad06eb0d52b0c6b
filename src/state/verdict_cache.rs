//! Findings of texts that were scanned before, in memory of a fixed size. Knows neither texts nor requests.

mod log;

use std::sync::{Arc, Mutex, PoisonError, RwLock};

use prometheus::IntCounter;

use crate::detect::{Category, Finding, Severity};
use crate::sanitize::{Seen, Verdicts};
use crate::text::Span;
use log::Log;

/// See the module.
#[derive(Debug)]
pub struct VerdictCache {
    /// By the upper bits of the key, so that threads seldom wait for each other.
    logs: Box<[Mutex<Log>]>,
    /// What findings are of: as many as there are rules.
    names: RwLock<Vec<Name>>,
    hits: IntCounter,
    misses: IntCounter,
}

/// All of a finding but where it is and how sure.
#[derive(Clone, Debug)]
struct Name {
    rule: Arc<str>,
    category: Category,
    entity: Arc<str>,
    severity: Severity,
}

/// Logs of a cache that is large enough for them.
const LOGS: usize = 16;
/// The smallest log worth having: a request's keys lead to all of them.
const LEAST: usize = 64 << 10;

impl VerdictCache {
    /// Of `bytes`, beside the names of rules.
    pub fn new(bytes: usize, hits: IntCounter, misses: IntCounter) -> Self {
        let logs = (bytes / LEAST).clamp(1, LOGS);
        let logs = (0..logs).map(|_| Mutex::new(Log::new(bytes / logs))).collect();
        VerdictCache { logs, names: RwLock::default(), hits, misses }
    }

    /// The record with that key as `read` makes it out.
    fn look_up<T>(&self, key: u128, read: impl FnOnce(&mut dyn Iterator<Item = u64>) -> Option<T>) -> Option<T> {
        let mut log = self.log(key).lock().unwrap_or_else(PoisonError::into_inner);
        read(&mut log.get(key)?.iter().copied())
    }

    fn keep(&self, key: u128, record: &[u64]) {
        self.log(key).lock().unwrap_or_else(PoisonError::into_inner).put(key, record);
    }

    fn log(&self, key: u128) -> &Mutex<Log> {
        &self.logs[(key >> 96) as u32 as usize % self.logs.len()]
    }

    /// Two words a finding. `None` if one is too far away or there are too many names.
    fn write(&self, findings: &[Finding], record: &mut Vec<u64>) -> Option<()> {
        record.push(findings.len() as u64);
        for finding in findings {
            let name = self.number(finding)?;
            record.push(u64::from(name) << 32 | u64::from(finding.confidence.to_bits()));
            record.push(pair(finding.span.start, finding.span.end)?);
        }
        Some(())
    }

    fn read(&self, record: &mut dyn Iterator<Item = u64>) -> Option<Vec<Finding>> {
        let count = record.next()? as usize;
        if count == 0 {
            return Some(Vec::new());
        }
        let names = self.names.read().unwrap_or_else(PoisonError::into_inner);
        let mut findings = Vec::with_capacity(count.min(FEW));
        for _ in 0..count {
            let (sure, span) = (record.next()?, record.next()?);
            let Name { rule, category, entity, severity } = names.get((sure >> 32) as usize)?.clone();
            let (confidence, (start, end)) = (f32::from_bits(sure as u32), parts(span));
            findings.push(Finding { rule, category, entity, severity, confidence, span: Span::new(start, end) });
        }
        Some(findings)
    }

    /// The number of what the finding is of.
    fn number(&self, finding: &Finding) -> Option<u16> {
        let same = |name: &Name| {
            (name.category, name.severity) == (finding.category, finding.severity)
                && name.rule == finding.rule
                && name.entity == finding.entity
        };
        let known = self.names.read().unwrap_or_else(PoisonError::into_inner).iter().position(same);
        let number = known.unwrap_or_else(|| {
            let mut names = self.names.write().unwrap_or_else(PoisonError::into_inner);
            // Another thread may have been faster.
            names.iter().position(same).unwrap_or_else(|| {
                let Finding { rule, category, entity, severity, .. } = finding.clone();
                names.push(Name { rule, category, entity, severity });
                names.len() - 1
            })
        });
        u16::try_from(number).ok()
    }
}

/// Findings of an ordinary text.
const FEW: usize = 64;

impl Verdicts for VerdictCache {
    fn get(&self, key: u128) -> Option<Vec<Finding>> {
        let found = self.look_up(key, |record| self.read(record));
        if found.is_some() { &self.hits } else { &self.misses }.inc();
        found
    }

    fn put(&self, key: u128, findings: &[Finding]) {
        let mut record = Vec::with_capacity(1 + 2 * findings.len());
        if self.write(findings, &mut record).is_some() {
            self.keep(key, &record);
        }
    }

    /// What is not found here is looked up once more, by its text, and counted then.
    fn get_string(&self, key: u128) -> Option<Seen> {
        let seen = self.look_up(key, |record| {
            let (length, (head, tail)) = (record.next()?, parts(record.next()?));
            let findings = self.read(record)?;
            let count = record.next()? as usize;
            Some(Seen { findings, words: unpacked(record, count), length, head, tail })
        })?;
        self.hits.inc();
        Some(seen)
    }

    fn put_string(&self, key: u128, seen: &Seen) {
        let Some(ends) = pair(seen.head, seen.tail) else { return };
        let mut record = Vec::with_capacity(4 + 2 * seen.findings.len() + seen.words.len());
        record.extend([seen.length, ends]);
        if self.write(&seen.findings, &mut record).is_some() {
            record.push(seen.words.len() as u64);
            pack(&seen.words, &mut record);
            self.keep(key, &record);
        }
    }
}

/// Two numbers in one word, if they are small enough.
fn pair(first: usize, second: usize) -> Option<u64> {
    Some(u64::from(u32::try_from(first).ok()?) << 32 | u64::from(u32::try_from(second).ok()?))
}

fn parts(pair: u64) -> (usize, usize) {
    ((pair >> 32) as usize, pair as u32 as usize)
}

/// Words of `Seen::WORD` bits, four in three.
fn pack(words: &[u64], record: &mut Vec<u64>) {
    for four in words.chunks(4) {
        let [a, b, c, d] = std::array::from_fn(|at| four.get(at).copied().unwrap_or(0));
        record.extend([a | b << 48, b >> 16 | c << 32, c >> 32 | d << 16]);
    }
}

fn unpacked(record: &mut dyn Iterator<Item = u64>, count: usize) -> Vec<u64> {
    const WORD: u64 = (1 << Seen::WORD) - 1;
    let mut words = Vec::new();
    while words.len() < count
        && let (Some(first), Some(second), Some(third)) = (record.next(), record.next(), record.next())
    {
        words.extend([
            first & WORD,
            (first >> 48 | second << 16) & WORD,
            (second >> 32 | third << 32) & WORD,
            third >> 16,
        ]);
    }
    words.truncate(count);
    words
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn counter(name: &str) -> IntCounter {
        IntCounter::new(name, "help").unwrap()
    }

    fn cache(bytes: usize) -> VerdictCache {
        VerdictCache::new(bytes, counter("hits"), counter("misses"))
    }

    fn finding(number: usize) -> Finding {
        let (category, severity) = ([Category::Pii, Category::Jailbreak][number % 2], Severity::High);
        let (rule, entity) = (format!("rule.{}", number % 5).into(), format!("ENTITY_{}", number % 3).into());
        let span = Span::new(number, 2 * number + 1);
        Finding { rule, category, entity, severity, confidence: number as f32 / 7.0, span }
    }

    #[test]
    fn what_was_put_is_found_and_counted() {
        let cache = cache(1 << 20);
        cache.put(7, &[]);
        assert!(cache.get(7).is_some() && cache.get(8).is_none());
        assert_eq!((cache.hits.get(), cache.misses.get()), (1, 1));
        assert!(cache.get_string(8).is_none());
        assert_eq!((cache.hits.get(), cache.misses.get()), (1, 1), "it is asked for once more");
    }

    #[test]
    fn what_was_put_last_is_known_whatever_was_known_before() {
        let cache = cache(100 << 10);
        for key in (0..100_000).map(|key: u128| key << 96 | key) {
            cache.put(key, &[finding(key as usize)]);
            assert!(cache.get(key).is_some());
        }
        assert!(cache.get(0).is_none());
    }

    proptest! {
        #[test]
        fn a_text_is_known_again_as_it_was(
            findings in prop::collection::vec(0..1000_usize, 0..9),
            words in prop::collection::vec(0..1_u64 << Seen::WORD, 0..99),
            (length, head, tail) in any::<(u64, u32, u32)>(),
        ) {
            let (cache, findings) = (cache(1 << 20), findings.into_iter().map(finding).collect::<Vec<_>>());
            cache.put(1, &findings);
            prop_assert_eq!(cache.get(1), Some(findings.clone()));
            let seen = Seen { findings, words, length, head: head as usize, tail: tail as usize };
            cache.put_string(2, &seen);
            prop_assert_eq!(cache.get_string(2), Some(seen));
        }
    }
}
