//! Figures of all rounds in, a Markdown table out. Measures nothing.

use std::fmt::Write;

/// What one target did in one round with one size and one number of connections.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    pub round: usize,
    pub target: Target,
    pub bytes: usize,
    pub connections: usize,
    pub requests_per_second: f64,
    /// Microseconds.
    pub p50: f64,
    pub p99: f64,
    /// Microseconds of CPU time a request, and megabytes in memory afterwards, where the target is a process.
    pub cpu: Option<f64>,
    pub memory: Option<f64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    Direct,
    Bare,
    Gateway,
}

impl Target {
    pub const ALL: [Target; 3] = [Target::Direct, Target::Bare, Target::Gateway];

    pub const fn name(self) -> &'static str {
        match self {
            Target::Direct => "direct",
            Target::Bare => "bare proxy",
            Target::Gateway => "promptgate",
        }
    }
}

/// One row of the table: a figure at one number of connections.
struct Row {
    name: &'static str,
    connections: usize,
    value: fn(&Sample) -> Option<f64>,
    /// Whether a difference says something.
    adds: bool,
}

/// The rows for one size, with `few` connections for latency and `many` for throughput.
fn rows(few: usize, many: usize) -> [Row; 8] {
    let row = |name, connections, value, adds| Row { name, connections, value, adds };
    [
        row("requests/s", many, |sample| Some(sample.requests_per_second), false),
        row("p50, µs", many, |sample| Some(sample.p50), true),
        row("p99, µs", many, |sample| Some(sample.p99), true),
        row("CPU a request, µs", many, |sample| sample.cpu, false),
        row("memory, MB", many, |sample| sample.memory, false),
        row("p50, µs", few, |sample| Some(sample.p50), true),
        row("p99, µs", few, |sample| Some(sample.p99), true),
        row("CPU a request, µs", few, |sample| sample.cpu, false),
    ]
}

/// Medians over the rounds with their range. Differences and ratios are taken within each round, then summed up.
pub fn table(samples: &[Sample], sizes: &[usize], few: usize, many: usize) -> String {
    let mut table = String::from(
        "| prompt | connections | | direct | bare proxy | promptgate | added to direct | added to bare proxy | ratio to bare proxy |\n\
         |---|---|---|---|---|---|---|---|---|\n",
    );
    for &bytes in sizes {
        for row in rows(few, many) {
            let of = |target| by_round(samples, bytes, &row, target);
            let [direct, bare, gateway] = Target::ALL.map(of);
            let difference =
                |from: &[f64]| if row.adds { summary(&paired(&gateway, from, |a, b| a - b)) } else { dash() };
            writeln!(
                table,
                "| {} KB | {} | {} | {} | {} | {} | {} | {} | {} |",
                bytes / 1024,
                row.connections,
                row.name,
                summary(&direct),
                summary(&bare),
                summary(&gateway),
                difference(&direct),
                difference(&bare),
                summary(&paired(&gateway, &bare, |a, b| a / b)),
            )
            .expect("a string takes everything");
        }
    }
    table
}

/// The figure of each round, in order of rounds; empty where there is none.
fn by_round(samples: &[Sample], bytes: usize, row: &Row, target: Target) -> Vec<f64> {
    let fits =
        |sample: &&Sample| sample.target == target && sample.bytes == bytes && sample.connections == row.connections;
    let mut found: Vec<&Sample> = samples.iter().filter(fits).collect();
    found.sort_by_key(|sample| sample.round);
    found.into_iter().filter_map(row.value).collect()
}

fn paired(ours: &[f64], theirs: &[f64], compare: fn(f64, f64) -> f64) -> Vec<f64> {
    ours.iter().zip(theirs).map(|(a, b)| compare(*a, *b)).collect()
}

/// `median [lowest–highest]`.
fn summary(values: &[f64]) -> String {
    let mut sorted: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
    sorted.sort_by(f64::total_cmp);
    let (Some(lowest), Some(highest)) = (sorted.first(), sorted.last()) else { return dash() };
    let middle = (sorted[(sorted.len() - 1) / 2] + sorted[sorted.len() / 2]) / 2.0;
    format!("{} [{}–{}]", figure(middle), figure(*lowest), figure(*highest))
}

fn dash() -> String {
    "–".to_owned()
}

/// As many digits as mean something.
fn figure(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}
