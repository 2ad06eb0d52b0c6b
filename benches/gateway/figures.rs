//! What the gateway is meant to reach, and whether it does: one row a target. Figures in, Markdown out.

use std::fmt::Write;

use super::corpus::Kind;
use super::report::{Metric, Samples, median, summary};
use super::scenarios::{beside, events, idle, large, library, requests, turns};
use super::targets::Target;

/// One target.
struct Row {
    what: String,
    bound: Bound,
    unit: &'static str,
    values: Vec<f64>,
}

#[derive(Clone, Copy)]
enum Bound {
    AtMost(f64),
    AtLeast(f64),
}

use Bound::{AtLeast, AtMost};

/// `limits.hold` of the shipped configuration, in megabytes, for each of eight bodies, and 8 MB.
const GROWTH: f64 = 8.0 + 8.0;

fn rows(samples: &Samples) -> Vec<Row> {
    let row = |what: &str, bound, unit, values| Row { what: what.to_owned(), bound, unit, values };
    let rate = |case| samples.of(case, Metric::Rate, Target::Gateway);
    let cpu = |case: &str| samples.ratios(case, Metric::Cpu);
    let new = |bytes| cpu(&requests::saturated(Kind::Mix, bytes));
    let turn = |bytes| cpu(&turns::case(bytes));
    let worst = |case: &str| samples.of(case, Metric::P99, Target::Gateway);
    let beside = worst(beside::BESIDE).into_iter().zip(worst(beside::ALONE)).map(|(beside, alone)| beside / alone);
    let linear = rate(library::WORST_LONG).into_iter().zip(rate(library::WORST)).map(|(long, short)| long / short);
    let memory = |case, metric| samples.of(case, metric, Target::Gateway);
    let (kilo, mega) = (1 << 10, 1 << 20);
    vec![
        row("sanitizer, mix, without the attack model", AtLeast(600.0), "MB/s", rate(library::WITHOUT)),
        row("sanitizer, mix, every detector", AtLeast(250.0), "MB/s", rate(library::EVERY)),
        row("sanitizer, mix the verdict cache knows", AtLeast(1500.0), "MB/s", rate(library::KNOWN)),
        row("sanitizer, dirty text", AtLeast(100.0), "MB/s", rate(library::DIRTY)),
        row("worst hostile text", AtLeast(10.0), "MB/s", rate(library::WORST)),
        row("worst text of one rule", AtLeast(10.0), "MB/s", rate(library::WORST_RULE)),
        row("worst hostile text, four times as long: rate against the shorter", AtLeast(0.8), "x", linear.collect()),
        row("CPU a request, 1 KB, never seen, against the bare proxy", AtMost(1.4), "x", new(kilo)),
        row("CPU a request, 16 KB, never seen", AtMost(2.5), "x", new(16 * kilo)),
        row("CPU a request, 256 KB, history known and 4 KB new", AtMost(3.0), "x", turn(256 * kilo)),
        row("CPU a request, 4 MB, history known and 4 KB new", AtMost(3.0), "x", turn(4 * mega)),
        row("CPU a request, 256 KB, all new", AtMost(10.0), "x", new(256 * kilo)),
        row("CPU a request, 4 MB, all new", AtMost(10.0), "x", new(4 * mega)),
        row("added p50 at 4 KB, one at a time", AtMost(60.0), "µs", {
            samples.added(&requests::alone(Kind::Mix, 4 * kilo), Metric::P50)
        }),
        row("requests/s at saturation, 1 KB, against the bare proxy", AtLeast(0.7), "x", {
            samples.ratios(&requests::saturated(Kind::Mix, kilo), Metric::RequestsPerSecond)
        }),
        row("added delay of an event where nothing is held", AtMost(20.0), "µs", {
            samples.added(events::DECIDED, Metric::EventDelay)
        }),
        row("memory idle", AtMost(40.0), "MB", memory(idle::UNUSED, Metric::Memory)),
        row("memory of an idle stream beyond the bare proxy's", AtMost(32.0), "KB", {
            samples.added(idle::STREAMS, Metric::PerStream)
        }),
        row("growth while 8 bodies of 50 MB pass", AtMost(GROWTH), "MB", memory(large::CASE, Metric::Growth)),
        row("p99 of 1 KB while 50 MB bodies pass, against alone", AtMost(3.0), "x", beside.collect()),
    ]
}

/// Of what was measured; the rest is left out.
pub fn table(samples: &Samples) -> String {
    let mut table = String::from("| | target | figure | met |\n|---|---|---|---|\n");
    for Row { what, bound, unit, values } in rows(samples) {
        let Some(figure) = median(&values) else { continue };
        let (sign, limit, met) = match bound {
            AtMost(limit) => ("≤", limit, figure <= limit),
            AtLeast(limit) => ("≥", limit, figure >= limit),
        };
        let (met, figure) = (if met { "yes" } else { "no" }, summary(&values));
        writeln!(table, "| {what} | {sign} {limit} {unit} | {figure} {unit} | {met} |").expect("a string takes all");
    }
    table
}
