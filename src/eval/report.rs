//! All figures of one evaluation, in the shape `--json` prints. Computes the cost; the rest is put together from its parts.

use serde::Serialize;

use super::original::{self, Original};
use super::prompts::{self, Benign, Group};
use super::spans::{self, Documents};
use super::statistic::quantile;
use super::worst::{self, Worst};
use super::{Judged, Row, table};

/// See the module.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    pub rows: usize,
    /// The groups that targets are set for.
    pub headline: Vec<Group>,
    /// Attacks without a surface form, and harmful questions that attack no prompt: not part of the headline.
    pub apart: Vec<Group>,
    /// Every category, and every source family of it.
    pub groups: Vec<Group>,
    pub benign: Vec<Benign>,
    pub original: Vec<Original>,
    pub documents: Vec<Documents>,
    pub cost: Cost,
    pub worst: Vec<Worst>,
}

/// What judging at one level took, in one thread.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Cost {
    pub bytes: u64,
    pub p50_us: f64,
    pub p99_us: f64,
    /// Of the rows of about a kilobyte.
    pub kilobyte_p50_us: f64,
    pub mb_per_s: f64,
}

impl Report {
    /// `took` has the nanoseconds of each row at one level, `errors` says how many of the worst rows of a kind to name.
    pub fn new(rows: &[(Row, Judged)], took: &[u64], errors: usize) -> Self {
        let prompts = prompts::figures(rows);
        Report {
            rows: rows.len(),
            headline: prompts.headline,
            apart: prompts.apart,
            groups: prompts.groups,
            benign: prompts.benign,
            original: original::figures(rows),
            documents: spans::figures(rows),
            cost: Cost::new(rows, took),
            worst: worst::of(rows, errors),
        }
    }

    /// For people.
    pub fn to_text(&self) -> String {
        table::text(self)
    }
}

impl Cost {
    fn new(rows: &[(Row, Judged)], took: &[u64]) -> Self {
        let sizes = rows.iter().map(|(row, _)| row.text.len() as u64);
        let of_a_kilobyte = sizes.clone().zip(took).filter(|(size, _)| KILOBYTE.contains(size)).map(|(_, time)| *time);
        let sorted = |times: Vec<u64>| {
            let mut times = times;
            times.sort_unstable();
            times
        };
        let (all, kilobyte) = (sorted(took.to_vec()), sorted(of_a_kilobyte.collect()));
        let micro = |nanos: u64| nanos as f64 / 1e3;
        let (bytes, nanos): (u64, u64) = (sizes.sum(), took.iter().sum());
        Cost {
            bytes,
            p50_us: micro(quantile(&all, 0.5)),
            p99_us: micro(quantile(&all, 0.99)),
            kilobyte_p50_us: micro(quantile(&kilobyte, 0.5)),
            mb_per_s: if nanos == 0 { 0.0 } else { bytes as f64 * 1e3 / nanos as f64 },
        }
    }
}

const KILOBYTE: std::ops::RangeInclusive<u64> = 896..=1152;
