//! Figures of all rounds in, Markdown out. Measures nothing.

use std::fmt::Write;

use super::targets::Target;

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metric {
    RequestsPerSecond,
    P50,
    P99,
    Cpu,
    Memory,
    Growth,
    PerStream,
    EventDelay,
    EventDelayP99,
    CpuPerEvent,
    Rate,
}

impl Metric {
    const fn name(self) -> &'static str {
        match self {
            Metric::RequestsPerSecond => "requests/s",
            Metric::P50 => "p50, µs",
            Metric::P99 => "p99, µs",
            Metric::Cpu => "CPU a request, µs",
            Metric::Memory => "memory, MB",
            Metric::Growth => "growth of peak memory, MB",
            Metric::PerStream => "memory a stream, KB",
            Metric::EventDelay => "delay of an event p50, µs",
            Metric::EventDelayP99 => "delay of an event p99, µs",
            Metric::CpuPerEvent => "CPU an event, µs",
            Metric::Rate => "MB/s",
        }
    }

    /// Whether a difference says something.
    const fn adds(self) -> bool {
        !matches!(self, Metric::RequestsPerSecond | Metric::Rate)
    }
}

/// One figure of one round.
#[derive(Clone, Debug)]
struct Sample {
    case: String,
    metric: Metric,
    target: Target,
    value: f64,
}

/// All of a run, in the order in which they were taken.
#[derive(Clone, Debug, Default)]
pub struct Samples(Vec<Sample>);

impl Samples {
    pub fn add(&mut self, case: &str, metric: Metric, target: Target, value: f64) {
        self.0.push(Sample { case: case.to_owned(), metric, target, value });
    }

    /// One figure a round, in order of rounds.
    pub fn of(&self, case: &str, metric: Metric, target: Target) -> Vec<f64> {
        let fits = |sample: &&Sample| sample.case == case && sample.metric == metric && sample.target == target;
        self.0.iter().filter(fits).map(|sample| sample.value).collect()
    }

    /// The gateway's against the bare proxy's, round by round.
    pub fn ratios(&self, case: &str, metric: Metric) -> Vec<f64> {
        self.paired(case, metric, |ours, theirs| ours / theirs)
    }

    pub fn added(&self, case: &str, metric: Metric) -> Vec<f64> {
        self.paired(case, metric, |ours, theirs| ours - theirs)
    }

    fn paired(&self, case: &str, metric: Metric, compare: fn(f64, f64) -> f64) -> Vec<f64> {
        let [theirs, ours] = [Target::Bare, Target::Gateway].map(|target| self.of(case, metric, target));
        ours.iter().zip(theirs).map(|(ours, theirs)| compare(*ours, theirs)).collect()
    }

    /// A row for each case and metric: the median over the rounds with the range. Differences and ratios are taken within each
    /// round, then summed up.
    pub fn table(&self) -> String {
        let mut table = String::from(
            "| | | direct | nginx | bare proxy | promptgate | added to bare proxy | ratio |\n|---|---|---|---|---|---|---|---|\n",
        );
        let mut rows: Vec<(&str, Metric)> = Vec::new();
        for sample in &self.0 {
            if !rows.contains(&(&sample.case, sample.metric)) {
                rows.push((&sample.case, sample.metric));
            }
        }
        for (case, metric) in rows {
            let cells = Target::ALL.map(|target| summary(&self.of(case, metric, target))).join(" | ");
            let added = if metric.adds() { summary(&self.added(case, metric)) } else { summary(&[]) };
            let ratio = summary(&self.ratios(case, metric));
            writeln!(table, "| {case} | {} | {cells} | {added} | {ratio} |", metric.name())
                .expect("a string takes everything");
        }
        table
    }
}

pub fn median(values: &[f64]) -> Option<f64> {
    let mut sorted: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
    sorted.sort_by(f64::total_cmp);
    let (low, high) = (sorted.get(sorted.len().checked_sub(1)? / 2)?, sorted.get(sorted.len() / 2)?);
    Some((low + high) / 2.0)
}

/// `median [lowest–highest]`.
pub fn summary(values: &[f64]) -> String {
    let finite = || values.iter().copied().filter(|value| value.is_finite());
    match median(values) {
        None => "–".to_owned(),
        Some(middle) if values.len() == 1 => figure(middle),
        Some(middle) => {
            let (lowest, highest) =
                (finite().fold(f64::INFINITY, f64::min), finite().fold(f64::NEG_INFINITY, f64::max));
            format!("{} [{}–{}]", figure(middle), figure(lowest), figure(highest))
        }
    }
}

/// As many digits as mean something.
fn figure(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}
