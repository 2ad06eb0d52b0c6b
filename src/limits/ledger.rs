//! Rates and requests under way, counted in memory.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::{Demand, Limit, Rate, Verdict};

/// The numbers that are kept, by the keys of demands. Forgets those that say the same as none.
#[derive(Debug, Default)]
pub struct Ledger {
    full_at: HashMap<String, u64>,
    under_way: HashMap<String, u64>,
    /// How many numbers there may be before the useless ones are looked for.
    prune_at: usize,
}

/// Why a request may not pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Denial {
    /// Which of its demands cannot be met.
    pub at: usize,
    /// In how many microseconds it could be if nothing else took of the limit; 0 where nobody knows.
    pub wait: u64,
    /// How many microseconds of its period the bucket still holds.
    pub left: u64,
}

/// The limit that a request came up against, and when it may come again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exceeded {
    pub class: Arc<str>,
    pub limit: Limit,
    pub remaining: u64,
    /// Until it could pass; `None` if no wait would help. Of requests under way nobody knows.
    pub wait: Option<Duration>,
    /// Until all of the limit is there again.
    pub reset: Duration,
}

impl Denial {
    pub fn of(&self, demands: &[Demand]) -> Option<Exceeded> {
        let demand = demands.get(self.at)?;
        let rate = demand.rate();
        Some(Exceeded {
            class: demand.class.clone(),
            limit: demand.limit,
            remaining: rate.map_or(0, |rate| rate.units(self.left)),
            wait: (!demand.is_too_large()).then_some(Duration::from_micros(self.wait)),
            reset: rate.map_or(Duration::ZERO, |rate| Duration::from_micros(rate.until_full(self.left))),
        })
    }
}

/// What a request that was let pass came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// Nothing: it was refused for something else, and is given back all.
    None,
    Tokens(u64),
}

impl Use {
    /// How much less than was taken, and how much more, is to be kept in the end: `None` where that stands.
    pub fn actual(self, demand: &Demand) -> Option<u64> {
        match self {
            Use::None => Some(0),
            Use::Tokens(tokens) => demand.limit.unit.is_of_tokens().then_some(tokens),
        }
    }
}

/// Below this many numbers none is looked at again.
const FEW: usize = 1024;

impl Ledger {
    /// Takes all of it, or nothing.
    pub fn take(&mut self, demands: &[Demand], now: u64) -> Result<(), Denial> {
        let mut after = Vec::with_capacity(demands.len());
        for (at, demand) in demands.iter().enumerate() {
            after.push(self.after(at, demand, now)?);
        }
        for (demand, number) in demands.iter().zip(after) {
            self.numbers(demand).insert(demand.key.clone(), number);
        }
        self.prune(now);
        Ok(())
    }

    /// Sets right what was taken for a request that is over.
    pub fn settle(&mut self, demands: &[Demand], used: Use, now: u64) {
        for demand in demands {
            match (demand.rate(), used.actual(demand)) {
                (Some(rate), Some(actual)) => self.correct(demand, rate, actual, now),
                (Some(_), None) => {}
                (None, _) => self.leave(demand),
            }
        }
    }

    /// Numbers that are kept.
    pub fn len(&self) -> usize {
        self.full_at.len() + self.under_way.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn after(&self, at: usize, demand: &Demand, now: u64) -> Result<u64, Denial> {
        let Some(rate) = demand.rate() else {
            let out = self.under_way.get(&demand.key).copied().unwrap_or(0);
            return if out < demand.limit.most.get() { Ok(out + 1) } else { Err(Denial { at, wait: 0, left: 0 }) };
        };
        let full_at = self.full_at.get(&demand.key).copied().unwrap_or(0);
        match rate.decide(full_at, now, demand.cost) {
            Verdict::Allowed { full_at } => Ok(full_at),
            Verdict::Refused { wait } => Err(Denial { at, wait, left: rate.left(full_at, now) }),
            Verdict::TooLarge => Err(Denial { at, wait: 0, left: rate.left(full_at, now) }),
        }
    }

    fn numbers(&mut self, demand: &Demand) -> &mut HashMap<String, u64> {
        if demand.rate().is_some() { &mut self.full_at } else { &mut self.under_way }
    }

    fn correct(&mut self, demand: &Demand, rate: Rate, actual: u64, now: u64) {
        let full_at = self.full_at.entry(demand.key.clone()).or_default();
        *full_at = rate.correct(*full_at, now, demand.cost, actual);
    }

    fn leave(&mut self, demand: &Demand) {
        if let Some(out) = self.under_way.get_mut(&demand.key) {
            *out -= 1;
            if *out == 0 {
                self.under_way.remove(&demand.key);
            }
        }
    }

    /// Forgets full buckets, each time there are twice as many numbers as were of use the last time.
    fn prune(&mut self, now: u64) {
        if self.full_at.len() > self.prune_at.max(FEW) {
            self.full_at.retain(|_, full_at| *full_at > now);
            self.prune_at = self.full_at.len() * 2;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU64;

    use super::*;
    use crate::limits::{Limit, Unit};

    const NOW: u64 = 1_800_000_000_000_000;
    const MINUTE: u64 = 60_000_000;

    fn demand(key: &str, unit: Unit, most: u64, cost: u64) -> Demand {
        let limit = Limit { unit, most: NonZeroU64::new(most).unwrap() };
        Demand { key: key.to_owned(), class: "c".into(), limit, cost }
    }

    #[test]
    fn what_cannot_be_taken_of_one_limit_is_taken_of_none() {
        let mut ledger = Ledger::default();
        let wide = demand("wide", Unit::RequestsPerMinute, 100, 1);
        let both = [wide.clone(), demand("narrow", Unit::TokensPerMinute, 10, 6)];
        assert_eq!(ledger.take(&both, NOW), Ok(()));
        let denial = Denial { at: 1, wait: MINUTE / 5, left: MINUTE * 2 / 5 };
        for _ in 0..200 {
            assert_eq!(ledger.take(&both, NOW), Err(denial));
        }
        for _ in 0..99 {
            assert_eq!(ledger.take(std::slice::from_ref(&wide), NOW), Ok(()));
        }
        assert!(ledger.take(&[wide], NOW).is_err());
    }

    #[test]
    fn as_many_are_under_way_as_may_be_and_one_more_when_one_has_ended() {
        let mut ledger = Ledger::default();
        let slot = [demand("a", Unit::Concurrent, 2, 1)];
        assert_eq!([(); 3].map(|()| ledger.take(&slot, NOW).is_ok()), [true, true, false]);
        ledger.settle(&slot, Use::Tokens(9), NOW);
        assert_eq!([(); 2].map(|()| ledger.take(&slot, NOW).is_ok()), [true, false]);
        for used in [Use::None, Use::Tokens(0), Use::None] {
            ledger.settle(&slot, used, NOW);
        }
        assert!(ledger.is_empty());
    }

    #[test]
    fn what_a_request_came_to_stands_in_place_of_the_estimate() {
        let tokens = |cost| [demand("t", Unit::TokensPerMinute, 100, cost)];
        let requests = [demand("r", Unit::RequestsPerMinute, 2, 1)];
        for (used, left_tokens, left_requests) in
            [(Use::Tokens(90), 10, 1), (Use::Tokens(10), 90, 1), (Use::None, 100, 2)]
        {
            let mut ledger = Ledger::default();
            let all = [tokens(40), requests.clone()].concat();
            assert_eq!(ledger.take(&all, NOW), Ok(()));
            ledger.settle(&all, used, NOW);
            assert!(ledger.take(&tokens(left_tokens + 1), NOW).is_err(), "{used:?}");
            assert_eq!(ledger.take(&tokens(left_tokens), NOW), Ok(()), "{used:?}");
            let passed = (0..9).filter(|_| ledger.take(&requests, NOW).is_ok()).count();
            assert_eq!(passed, left_requests, "{used:?}");
        }
    }

    #[test]
    fn callers_of_yesterday_are_forgotten_and_those_of_now_are_not() {
        let mut ledger = Ledger::default();
        let of = |caller: usize| [demand(&caller.to_string(), Unit::RequestsPerMinute, 1, 1)];
        for caller in 0..10_000 {
            ledger.take(&of(caller), NOW).unwrap();
        }
        assert_eq!(ledger.len(), 10_000);
        let later = NOW + 2 * MINUTE;
        for caller in 10_000..30_000 {
            ledger.take(&of(caller), later).unwrap();
        }
        assert_eq!(ledger.len(), 20_000);
        assert!(ledger.take(&of(29_999), later).is_err());
    }
}
