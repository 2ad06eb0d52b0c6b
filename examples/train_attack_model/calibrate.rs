//! From logits of texts that were held out to scores that are promises: what share of harmless texts reaches them. Learns no weight.

use std::collections::HashMap;

use promptgate::detect::classifier;
use promptgate::detect::classifier::model::{Curve, HEADS};

use crate::data::Corpus;

/// What the model's file holds beside the weights.
pub struct Curves {
    pub alone: [f32; 2],
    pub attack: Curve,
    pub code: Curve,
}

/// A score and the share of harmless texts that may reach it. The levels of policy block above 0.7 (0.8 for a jailbreak) and, at
/// the level high, above 0.3 (0.4). Sources nobody has seen raise two to four times as many alarms as were counted: that room is in here.
const ATTACK: &[(f64, f32)] = &[
    (0.999, 0.0001),
    (0.99, 0.0005),
    (0.96, 0.001),
    (0.9, 0.002),
    (0.8, 0.004),
    (0.65, 0.007),
    (0.5, 0.01),
    (0.35, 0.02),
    (0.2, 0.06),
    (0.12, 0.12),
    (0.07, 0.2),
    (0.045, 0.3),
    (0.03, 0.4),
    (0.009, 0.55),
    (0.0025, 0.7),
    (0.0016, 0.8),
    (0.0005, 0.9),
    (0.0002, 0.95),
];
/// Malicious code is blocked above 0.3 at the levels medium and high. Below that it tells less than the same score of an attack: most
/// harmless texts that are about code look a little like it.
const CODE: &[(f64, f32)] = &[
    (0.999, 0.0001),
    (0.5, 0.0005),
    (0.2, 0.001),
    (0.1, 0.002),
    (0.05, 0.004),
    (0.02, 0.01),
    (0.006, 0.06),
    (0.003, 0.15),
    (0.0015, 0.3),
    (0.0008, 0.5),
    (0.0004, 0.7),
    (0.0001, 0.9),
];

pub fn calibrate(corpus: &Corpus, held_out: &[(usize, [f32; HEADS.len()])]) -> Curves {
    let mut families: HashMap<&str, f64> = HashMap::new();
    let benign = || held_out.iter().filter(|(index, _)| corpus.examples[*index].is_benign());
    benign().for_each(|(index, _)| *families.entry(&corpus.examples[*index].family).or_default() += 1.0);
    // Each source counts as the root of its size: none drowns the others.
    let harmless = |logit: &dyn Fn(&[f32; HEADS.len()]) -> f32| {
        Shares::new(benign().map(|(index, all)| (logit(all), families[&*corpus.examples[*index].family].powf(-0.5))))
    };
    let code = harmless(&|all| (all[2] + all[3]) / 2.0);
    let alone = [harmless(&|all| all[0]), harmless(&together)].map(|shares| shares.reached_by(RARE));
    let attack = |all: &[f32; HEADS.len()]| together(all).max(classifier::alone(alone, all[0]));
    let shares = harmless(&attack);
    report(corpus, held_out, &shares, attack);
    Curves { alone, attack: curve(&shares, ATTACK), code: curve(&code, CODE) }
}

/// As the program does.
fn together(all: &[f32; HEADS.len()]) -> f32 {
    (all[0] + 2.0 * all[1]) / 3.0
}

/// Where the first head alone is as sure as both: reached by so few harmless texts.
const RARE: f64 = 0.0005;

fn curve(harmless: &Shares, points: &[(f64, f32)]) -> Curve {
    let mut curve: Curve = Vec::new();
    for (share, score) in points {
        let logit = harmless.reached_by(*share);
        if curve.last().is_none_or(|(below, _)| *below < logit) {
            curve.push((logit, *score));
        }
    }
    let last = curve.last().map_or(0.0, |(logit, _)| *logit);
    curve.push((last + 4.0, 0.99));
    curve
}

fn report(
    corpus: &Corpus,
    held_out: &[(usize, [f32; HEADS.len()])],
    harmless: &Shares,
    logit: impl Fn(&[f32; HEADS.len()]) -> f32,
) {
    let attacks: Vec<f32> = held_out
        .iter()
        .filter(|(index, _)| corpus.examples[*index].labels.attack == Some(true))
        .map(|(_, all)| logit(all))
        .collect();
    for share in [0.01, 0.0025, 0.001] {
        let limit = harmless.reached_by(share);
        let caught = attacks.iter().filter(|logit| **logit > limit).count() as f64 / attacks.len() as f64;
        eprintln!("held out, {share} of harmless texts: logit {limit:.2}, {caught:.3} of prompt attacks");
    }
}

/// Weighted logits, highest first.
struct Shares(Vec<(f32, f64)>);

impl Shares {
    fn new(all: impl Iterator<Item = (f32, f64)>) -> Self {
        let mut all: Vec<_> = all.collect();
        all.sort_by(|a, b| b.0.total_cmp(&a.0));
        Shares(all)
    }

    /// The logit that no more than this share exceeds.
    fn reached_by(&self, share: f64) -> f32 {
        let total: f64 = self.0.iter().map(|(_, weight)| weight).sum();
        let mut sum = 0.0;
        for (logit, weight) in &self.0 {
            sum += weight;
            if sum > share * total {
                return *logit;
            }
        }
        self.0.last().map_or(0.0, |(logit, _)| *logit)
    }
}
