//! The scanner over text of many kinds: ordinary, full of findings, made to be slow; and each rule over what it looks for. Not
//! the sanitizer.

mod corpus;
mod setup;

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use promptgate::detect::scanner::{CONTEXT, OVERLAP, STEP};
use promptgate::detect::{Class, RuleSet, Scanner};

use corpus::{Kind, hostile};

/// A prompt, a file, an agent's history.
const SIZES: &[(&str, usize)] = &[("1 KB", 1 << 10), ("16 KB", 16 << 10), ("256 KB", 256 << 10)];

/// The windows of `text`, as the sanitizer makes them.
fn windows(text: &str) -> Vec<&str> {
    let cut = |at: usize| text.floor_char_boundary(at);
    (0..text.len()).step_by(STEP).map(|at| &text[cut(at.saturating_sub(CONTEXT))..cut(at + STEP + OVERLAP)]).collect()
}

fn scan(bench: &mut Criterion) {
    let rules = RuleSet::builtin().expect("the shipped rules parse");
    let scanner = Scanner::compile(&rules).expect("the shipped rules compile");
    for (size, bytes) in SIZES {
        let mut group = bench.benchmark_group(format!("scan {size}"));
        group.warm_up_time(Duration::from_millis(150)).measurement_time(Duration::from_millis(300)).sample_size(10);
        let ordinary = Kind::ALL.map(|kind| (kind.name(), corpus::text(kind, 1, *bytes)));
        for (name, text) in ordinary.into_iter().chain(hostile::texts(&rules, *bytes)) {
            let windows = windows(&text);
            let mut findings = Vec::new();
            group.throughput(Throughput::Bytes(text.len() as u64));
            group.bench_function(name, |bencher| {
                bencher.iter(|| {
                    findings.clear();
                    for window in &windows {
                        scanner.scan(black_box(window), 0, Class::Text, &mut findings);
                    }
                    findings.len()
                });
            });
        }
        group.finish();
    }
}

/// Every rule over text that is made of what it looks for, with all the others in force, as an attacker would send it. In CPU
/// time; far too many for statistics.
fn rules(_: &mut Criterion) {
    const SHOWN: usize = 10;
    let slowest = slowest_rules(4 << 10);
    println!("slowest texts made of one rule, of {}: MB/s, rule, what of it", slowest.len());
    for (rate, rule, what) in slowest.iter().take(SHOWN) {
        println!("{rate:8.1}  {rule}  {what}");
    }
}

fn slowest_rules(bytes: usize) -> Vec<(f64, String, &'static str)> {
    let rules = RuleSet::builtin().expect("the shipped rules parse");
    let scanner = Scanner::compile(&rules).expect("the shipped rules compile");
    let mut rates = Vec::new();
    let mut findings = Vec::new();
    for rule in rules.rules() {
        for (what, text) in hostile::of_rule(rule, bytes) {
            let rate = setup::rate(text.len(), || {
                findings.clear();
                scanner.scan(black_box(&text), 0, Class::Text, &mut findings);
            });
            rates.push((rate, rule.id.to_string(), what));
        }
    }
    rates.sort_by(|a, b| a.0.total_cmp(&b.0));
    rates
}

criterion_group!(benches, scan, rules);
criterion_main!(benches);
