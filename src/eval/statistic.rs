//! The statistics: shares with their intervals, areas under curves, quantiles. Numbers in, numbers out.

use serde::Serialize;

/// A share of something counted, with its 95 % interval after Wilson.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Share {
    pub hits: usize,
    pub of: usize,
    pub share: f64,
    pub low: f64,
    pub high: f64,
}

impl Share {
    pub fn new(hits: usize, of: usize) -> Self {
        if of == 0 {
            return Share { high: 1.0, ..Share::default() };
        }
        let (n, p) = (of as f64, hits as f64 / of as f64);
        let scale = 1.0 + Z * Z / n;
        let middle = (p + Z * Z / (2.0 * n)) / scale;
        let reach = Z / scale * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
        Share { hits, of, share: p, low: (middle - reach).max(0.0), high: (middle + reach).min(1.0) }
    }

    pub fn count<T>(items: impl IntoIterator<Item = T>, is_hit: impl Fn(T) -> bool) -> Self {
        let (mut hits, mut of) = (0, 0);
        for item in items {
            of += 1;
            hits += usize::from(is_hit(item));
        }
        Share::new(hits, of)
    }
}

/// An area under the receiver operating characteristic, with its 95 % interval after DeLong.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Area {
    pub auc: f64,
    pub low: f64,
    pub high: f64,
}

impl Area {
    /// The chance that an attack scores higher than a benign row; a tie is half a chance. `None` without rows of both.
    pub fn of(attacks: &[f32], benign: &Sorted) -> Option<Self> {
        let attacks = Sorted::new(attacks.iter().copied());
        if attacks.0.is_empty() || benign.0.is_empty() {
            return None;
        }
        let above: Vec<f64> = attacks.0.iter().map(|&score| benign.below(score)).collect();
        let below: Vec<f64> = benign.0.iter().map(|&score| 1.0 - attacks.below(score)).collect();
        let auc = mean(&above);
        let reach = Z * (variance(&above) / above.len() as f64 + variance(&below) / below.len() as f64).sqrt();
        Some(Area { auc, low: (auc - reach).max(0.0), high: (auc + reach).min(1.0) })
    }
}

/// Scores in ascending order.
#[derive(Clone, Debug, Default)]
pub struct Sorted(Vec<f32>);

impl Sorted {
    pub fn new(scores: impl IntoIterator<Item = f32>) -> Self {
        let mut scores: Vec<f32> = scores.into_iter().collect();
        scores.sort_by(f32::total_cmp);
        Sorted(scores)
    }

    /// The score above which at most `rate` of these lie, as low as it can be: a row is caught if it scores higher. Equal
    /// scores are caught together or not at all.
    pub fn threshold(&self, rate: f64) -> Option<f32> {
        // The tiny addend keeps 0.01 x 300 = 2.9999999999999996 from allowing two.
        let allowed = (rate * self.0.len() as f64 + 1e-9).floor() as usize;
        self.0.iter().rev().nth(allowed).copied()
    }

    /// The share of these below `score`, those equal to it counted half.
    fn below(&self, score: f32) -> f64 {
        let less = self.0.partition_point(|other| *other < score);
        let up_to = self.0.partition_point(|other| *other <= score);
        (less + up_to) as f64 / 2.0 / self.0.len() as f64
    }
}

/// Precision, recall and their harmonic mean, each 0 where it has no meaning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Agreement {
    pub precision: f64,
    pub recall: f64,
    pub f1: f64,
}

impl Agreement {
    /// `right` of `said`; `hit` of `known`.
    pub fn new(right: usize, said: usize, hit: usize, known: usize) -> Self {
        let ratio = |part: usize, whole: usize| if whole == 0 { 0.0 } else { part as f64 / whole as f64 };
        let (precision, recall) = (ratio(right, said), ratio(hit, known));
        let sum = precision + recall;
        Agreement { precision, recall, f1: if sum > 0.0 { 2.0 * precision * recall / sum } else { 0.0 } }
    }
}

/// The smallest of `sorted` that at least `share` of them do not exceed.
pub fn quantile(sorted: &[u64], share: f64) -> u64 {
    let rank = (share * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or_default()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Of a sample; 0 for one value.
fn variance(values: &[f64]) -> f64 {
    let mean = mean(values);
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    squares / (values.len().saturating_sub(1).max(1)) as f64
}

/// 97.5 % of a normal distribution lie below it.
const Z: f64 = 1.959_963_984_540_054;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn near(a: f64, b: f64) -> bool {
        (a - b).abs() < 5e-5
    }

    #[test]
    fn shares_have_the_intervals_of_wilson() {
        // Newcombe 1998, table I, method 3.
        for (hits, of, low, high) in
            [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)]
        {
            let share = Share::new(hits, of);
            assert!(near(share.low, low) && near(share.high, high), "{share:?}");
        }
        assert_eq!((Share::new(0, 0).low, Share::new(0, 0).high), (0.0, 1.0));
        assert_eq!(Share::count([1, 2, 3, 4], |n| n > 1), Share::new(3, 4));
    }

    #[test]
    fn an_area_is_that_of_hand_counted_pairs() {
        // Pairs won: .9 beats all 4; .5 beats .1 .2, ties with .5; .2 beats .1, ties with .2: (4 + 2.5 + 1.5) / 12.
        let benign = Sorted::new([0.1, 0.5, 0.2, 0.8]);
        let area = Area::of(&[0.9, 0.2, 0.5], &benign).expect("both are there");
        assert!(near(area.auc, 8.0 / 12.0));
        // An attack's share of benign rows beaten: 1, .375, .625, variance .098958. The share of attacks that beat a benign
        // row: 1, .5, .8333, .3333, variance .092593.
        let reach = Z * (0.098_958_f64 / 3.0 + 0.092_593 / 4.0).sqrt();
        assert!(near(area.low, 8.0 / 12.0 - reach) && near(area.high, 1.0), "{area:?} {reach}");
        assert_eq!(Area::of(&[], &benign), None);
        assert_eq!(Area::of(&[0.5], &Sorted::default()), None);
    }

    #[test]
    fn a_threshold_lets_no_more_than_its_rate_of_false_alarms_pass() {
        let benign = Sorted::new((0..300).map(|n| n as f32));
        // 1 % of 300 are three: 299, 298 and 297 may be caught.
        assert_eq!(benign.threshold(0.01), Some(296.0));
        assert_eq!(benign.threshold(0.001), Some(299.0));
        let tied = Sorted::new([0.0, 0.9, 0.9, 0.9]);
        // One in four may be caught, but the three are caught together.
        assert_eq!(tied.threshold(0.25), Some(0.9));
        assert_eq!(tied.threshold(0.75), Some(0.0));
        assert_eq!(tied.threshold(1.0), None);
    }

    #[test]
    fn quantiles_are_values_that_occurred() {
        let sorted: Vec<u64> = (1..=200).collect();
        assert_eq!((quantile(&sorted, 0.5), quantile(&sorted, 0.99), quantile(&sorted, 1.0)), (100, 198, 200));
        assert_eq!((quantile(&[7], 0.5), quantile(&[], 0.5)), (7, 0));
    }

    #[test]
    fn agreement_is_harmonic() {
        assert_eq!(Agreement::new(3, 4, 3, 6), Agreement { precision: 0.75, recall: 0.5, f1: 0.6 });
        assert_eq!(Agreement::new(0, 0, 0, 5), Agreement::default());
    }

    /// Few distinct values, so that there are ties.
    fn some_scores() -> impl Strategy<Value = Vec<f32>> {
        prop::collection::vec((0..12_u8).prop_map(|n| f32::from(n) / 10.0), 1..40)
    }

    proptest! {
        #[test]
        fn an_area_is_the_share_of_pairs_won(attacks in some_scores(), benign in some_scores()) {
            let mut won = 0.0;
            for a in &attacks {
                for b in &benign {
                    won += if a > b { 1.0 } else if a == b { 0.5 } else { 0.0 };
                }
            }
            let area = Area::of(&attacks, &Sorted::new(benign.clone())).expect("both are there");
            prop_assert!((area.auc - won / (attacks.len() * benign.len()) as f64).abs() < 1e-9);
            prop_assert!(0.0 <= area.low && area.low <= area.auc && area.auc <= area.high && area.high <= 1.0);
        }

        #[test]
        fn no_lower_threshold_keeps_the_rate(benign in some_scores(), rate in 0.0..1.0_f64) {
            let sorted = Sorted::new(benign.clone());
            let caught = |above: f32| benign.iter().filter(|score| **score > above).count() as f64 / benign.len() as f64;
            let threshold = sorted.threshold(rate).expect("a rate below 1 spares a row");
            prop_assert!(caught(threshold) <= rate + 1e-9);
            let lower = benign.iter().copied().filter(|score| *score < threshold).fold(-1.0, f32::max);
            prop_assert!(caught(lower) > rate);
        }
    }
}
