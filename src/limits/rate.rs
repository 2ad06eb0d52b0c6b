//! The generic cell rate algorithm (GCRA): a rate is kept by one number, the time at which its bucket is full again.
//!
//! Times are whole microseconds. What a request costs is turned into time before it meets the stored number, so that
//! whoever keeps the number has only to add and compare: a script whose numbers are doubles does that without an error
//! up to 2^53, which is the year 2255.

use std::num::NonZeroU64;

/// So many units in each period, all of which may be used at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    limit: NonZeroU64,
    period: NonZeroU64,
}

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It passes, and the bucket is full again at this time, which is to be kept.
    Allowed { full_at: u64 },
    /// It would pass after so many microseconds if nothing else did until then. The number kept stays as it is.
    Refused { wait: u64 },
    /// It costs more than a full bucket holds: no wait would help.
    TooLarge,
}

impl Rate {
    /// `period` is in microseconds.
    pub const fn new(limit: NonZeroU64, period: NonZeroU64) -> Self {
        Rate { limit, period }
    }

    /// How long the bucket takes to win back `cost`. Rounded down, so that a full bucket holds all of the limit: less than
    /// a microsecond is lost of each cost, which is below 1 % of what takes more than a ten thousandth of a second.
    pub fn duration(&self, cost: u64) -> u64 {
        let product = u128::from(cost) * u128::from(self.period.get());
        let exact = product / u128::from(self.limit.get());
        u64::try_from(exact).unwrap_or(u64::MAX).max(u64::from(cost > 0))
    }

    /// Decides a request at `now`. A number never kept is 0: a full bucket.
    pub fn decide(&self, full_at: u64, now: u64, cost: u64) -> Verdict {
        if cost > self.limit.get() {
            return Verdict::TooLarge;
        }
        let next = full_at.max(now).saturating_add(self.duration(cost));
        let latest = now.saturating_add(self.period.get());
        match next.saturating_sub(latest) {
            0 => Verdict::Allowed { full_at: next },
            wait => Verdict::Refused { wait },
        }
    }

    /// The number to keep once a request that was allowed at the cost `estimated` turned out to cost `actual`. What was
    /// used is owed even beyond the limit: the next requests wait for it.
    pub fn correct(&self, full_at: u64, now: u64, estimated: u64, actual: u64) -> u64 {
        let (estimated, actual) = (self.duration(estimated), self.duration(actual));
        if actual > estimated {
            full_at.max(now).saturating_add(actual - estimated)
        } else {
            full_at.saturating_sub(estimated - actual)
        }
    }

    /// In microseconds.
    pub const fn period(&self) -> u64 {
        self.period.get()
    }

    /// How much of its period the bucket holds at `now`.
    pub fn left(&self, full_at: u64, now: u64) -> u64 {
        self.period.get().saturating_sub(full_at.saturating_sub(now))
    }

    /// How many units that is, rounded down.
    pub fn units(&self, left: u64) -> u64 {
        let units = u128::from(left) * u128::from(self.limit.get()) / u128::from(self.period.get());
        u64::try_from(units).unwrap_or(u64::MAX)
    }

    /// How long a bucket that holds so much takes until it is full.
    pub fn until_full(&self, left: u64) -> u64 {
        self.period.get().saturating_sub(left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: u64 = 60_000_000;
    const NOW: u64 = 1_800_000_000_000_000;

    fn a_minute(limit: u64) -> Rate {
        Rate::new(NonZeroU64::new(limit).unwrap(), NonZeroU64::new(MINUTE).unwrap())
    }

    /// How many requests of `cost` pass at `now`, and the number kept after them.
    fn passed(rate: Rate, mut full_at: u64, now: u64, cost: u64) -> (u64, u64) {
        let mut count = 0;
        while let Verdict::Allowed { full_at: next } = rate.decide(full_at, now, cost) {
            full_at = next;
            count += 1;
        }
        (count, full_at)
    }

    #[test]
    fn a_full_bucket_holds_exactly_the_limit() {
        for (limit, cost, expected) in [
            (1, 1, 1),
            (7, 1, 7),
            (60, 1, 60),
            (997, 1, 997),
            (7_001, 1, 7_001),
            (100, 7, 14),
            (1_000_000, 1_000, 1_000),
            (90, 90, 1),
        ] {
            assert_eq!(passed(a_minute(limit), 0, NOW, cost).0, expected, "{limit} in portions of {cost}");
        }
    }

    #[test]
    fn a_request_refused_passes_after_its_wait_and_not_before() {
        for (limit, cost) in [(1, 1), (7, 1), (60, 1), (1_000, 333), (7_000_000, 1_234_567)] {
            let rate = a_minute(limit);
            let (_, full_at) = passed(rate, 0, NOW, cost);
            let Verdict::Refused { wait } = rate.decide(full_at, NOW, cost) else { panic!("{limit} has no end") };
            assert_eq!(rate.decide(full_at, NOW + wait - 1, cost), Verdict::Refused { wait: 1 });
            assert!(matches!(rate.decide(full_at, NOW + wait, cost), Verdict::Allowed { .. }), "{limit}");
        }
    }

    #[test]
    fn an_hour_of_steady_calls_lets_the_rate_through() {
        let rate = a_minute(7);
        let (mut count, mut full_at) = (0, 0);
        for second in 0..3_600 {
            let (more, next) = passed(rate, full_at, NOW + second * 1_000_000, 1);
            (count, full_at) = (count + more, next);
        }
        assert!((7 * 60 + 5..=7 * 60 + 7).contains(&count), "{count}");
    }

    #[test]
    fn no_cost_is_nothing() {
        for (limit, cost, expected) in [(7, 1, 8_571_428), (7, 7, MINUTE), (u64::MAX, 1, 1), (60, 0, 0)] {
            assert_eq!(a_minute(limit).duration(cost), expected, "{cost} of {limit}");
        }
    }

    #[test]
    fn what_rounding_adds_is_below_one_in_a_hundred() {
        for (limit, cost) in [(65_537, 1), (599_999, 1), (9_999_991, 30), (999_999_937, 2_000)] {
            let passed = passed(a_minute(limit), 0, NOW, cost).0 * cost;
            assert!(passed >= limit - limit % cost && passed <= limit + limit / 100, "{passed} of {limit}");
        }
    }

    #[test]
    fn a_cost_beyond_the_limit_is_told_from_one_that_may_wait() {
        assert_eq!(a_minute(10).decide(0, NOW, 11), Verdict::TooLarge);
        assert_eq!(a_minute(u64::MAX).decide(0, NOW, 0), Verdict::Allowed { full_at: NOW });
    }

    #[test]
    fn a_correction_gives_back_what_was_not_used_and_takes_what_was() {
        let rate = a_minute(100);
        let Verdict::Allowed { full_at } = rate.decide(0, NOW, 40) else { panic!("40 of 100 pass") };
        for (actual, remaining) in [(40, 60), (10, 90), (0, 100), (75, 25), (100, 0), (150, 0)] {
            let corrected = rate.correct(full_at, NOW, 40, actual);
            assert_eq!(rate.units(rate.left(corrected, NOW)), remaining, "40 estimated, {actual} used");
        }
    }

    #[test]
    fn use_beyond_the_limit_is_owed() {
        let rate = a_minute(100);
        let owed = rate.correct(rate.correct(0, NOW, 0, 100), NOW, 0, 50);
        assert_eq!(rate.units(rate.left(owed, NOW + MINUTE / 2)), 0);
        assert_eq!(rate.units(rate.left(owed, NOW + MINUTE)), 50);
    }

    #[test]
    fn a_correction_that_comes_late_gives_nothing_beyond_a_full_bucket() {
        let rate = a_minute(100);
        let late = rate.correct(NOW, NOW + 10 * MINUTE, 40, 10);
        assert_eq!(rate.units(rate.left(late, NOW + 10 * MINUTE)), 100);
    }
}
