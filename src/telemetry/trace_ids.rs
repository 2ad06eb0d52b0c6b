//! Ids of traces and spans that begin here, and which traces are recorded. Asks the system for random bits once.

use std::hash::{BuildHasher, RandomState};
use std::num::{NonZeroU64, NonZeroU128};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use super::trace_context::{SpanId, TraceId};

impl TraceId {
    pub fn draw() -> Self {
        TraceId(NonZeroU128::from(draw()) | (u128::from(draw().get()) << 64))
    }

    /// Whether it is one of the part of all traces that is recorded: by the 56 bits that are random in every trace, so that
    /// all who keep this rule record the same. `ratio` is from 0 to 1.
    pub fn is_within(self, ratio: f64) -> bool {
        const RANDOM: u32 = 56;
        let random = (self.0.get() as u64) & ((1 << RANDOM) - 1);
        (random as f64) < ratio * (1_u64 << RANDOM) as f64
    }
}

impl SpanId {
    pub fn draw() -> Self {
        SpanId(draw())
    }
}

/// SipHash of a counter under a key that the process has drawn: nobody who saw some can tell others.
fn draw() -> NonZeroU64 {
    static KEY: LazyLock<RandomState> = LazyLock::new(RandomState::new);
    static NEXT: AtomicU64 = AtomicU64::new(0);
    loop {
        if let Some(drawn) = NonZeroU64::new(KEY.hash_one(NEXT.fetch_add(1, Ordering::Relaxed))) {
            return drawn;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_id_is_drawn_twice() {
        let traces: HashSet<TraceId> = (0..10_000).map(|_| TraceId::draw()).collect();
        let spans: HashSet<SpanId> = (0..10_000).map(|_| SpanId::draw()).collect();
        assert_eq!((traces.len(), spans.len()), (10_000, 10_000));
    }

    #[test]
    fn about_as_many_traces_are_recorded_as_are_to_be() {
        let recorded = |ratio| (0..10_000).filter(|_| TraceId::draw().is_within(ratio)).count();
        assert_eq!((recorded(0.0), recorded(1.0)), (0, 10_000));
        let quarter = recorded(0.25);
        assert!((2_200..2_800).contains(&quarter), "{quarter}");
    }
}
