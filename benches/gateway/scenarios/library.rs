//! The sanitizer by itself, in this process and on one core: megabytes a second of CPU time, which other load does not change
//! much. `benches/sanitize.rs` and `benches/detect.rs` have more of it.

use std::error::Error;
use std::hint::black_box;
use std::sync::Arc;

use promptgate::codec::Plan;
use promptgate::detect::RuleSet;
use promptgate::snapshot::Snapshot;

use crate::corpus::chats::chat;
use crate::corpus::{Kind, hostile};
use crate::lab::Lab;
use crate::report::Metric;
use crate::setup::{self, Detectors};
use crate::targets::Target;

pub const WITHOUT: &str = "sanitizer: mix, without the attack model";
pub const EVERY: &str = "sanitizer: mix, every detector";
pub const KNOWN: &str = "sanitizer: mix the verdict cache knows";
pub const DIRTY: &str = "sanitizer: dirty, every detector";
pub const TEN_TIMES: &str = "sanitizer: mix, ten times the rules";
pub const RULES: &str = "sanitizer: mix, rules alone";
pub const WORST: &str = "sanitizer: slowest hostile text, 64 KB";
pub const WORST_LONG: &str = "sanitizer: the same text, 256 KB";
pub const WORST_RULE: &str = "sanitizer: slowest text of one rule, 4 KB";

const CHUNK: usize = 64 << 10;
const BODY: usize = 512 << 10;
const HOSTILE: usize = 64 << 10;
const OF_RULE: usize = 4 << 10;

/// A snapshot and how it reads bodies.
struct Subject(Snapshot, Arc<Plan>);

impl Subject {
    fn new(snapshot: Snapshot) -> Self {
        let plan = setup::plan(&snapshot);
        Subject(snapshot, plan)
    }

    /// Megabytes a second.
    fn rate(&self, body: &[u8]) -> f64 {
        setup::rate(body.len(), || {
            black_box(setup::request(&self.0, &self.1, black_box(body), CHUNK));
        })
    }
}

pub fn run(lab: &mut Lab<'_>) -> Result<(), Box<dyn Error>> {
    let every = Subject::new(setup::snapshot(Detectors::Every));
    let others = [
        (WITHOUT, Subject::new(setup::snapshot(Detectors::WithoutClassifier))),
        (RULES, Subject::new(setup::snapshot(Detectors::WithoutModels))),
        (TEN_TIMES, Subject::new(setup::snapshot(Detectors::TenTimes))),
    ];
    let known = Subject::new(setup::snapshot(Detectors::Every).remembering(setup::verdicts()));
    let rules = RuleSet::builtin().map_err(|_| "the shipped rules do not parse")?;
    let bodies = |bytes| hostile::texts(&rules, bytes).into_iter().map(|(name, text)| (name, chat(&text)));
    let (hostile, long): (Vec<_>, Vec<_>) = (bodies(HOSTILE).collect(), bodies(4 * HOSTILE).collect());
    let (slowest_rule, of_rule) = slowest_rule(&every, &rules);
    let mut slowest = "";
    // Automata are made as they are needed.
    hostile.iter().for_each(|(_, body)| _ = every.rate(body));
    for _ in lab.rounds("library") {
        let (mix, dirty) = (body(lab, Kind::Mix), body(lab, Kind::Dirty));
        let mut add = |case, rate| lab.samples.add(case, Metric::Rate, Target::Gateway, rate);
        add(EVERY, every.rate(&mix));
        for (case, subject) in &others {
            add(case, subject.rate(&mix));
        }
        // The first of its passes makes it known.
        known.rate(&mix);
        add(KNOWN, known.rate(&mix));
        add(DIRTY, every.rate(&dirty));
        let rates = hostile.iter().zip(&long).map(|(short, long)| (every.rate(&short.1), short.0, long));
        let worst = rates.min_by(|a, b| a.0.total_cmp(&b.0)).ok_or("no hostile text")?;
        slowest = worst.1;
        add(WORST, worst.0);
        add(WORST_LONG, every.rate(&worst.2.1));
        add(WORST_RULE, every.rate(&of_rule));
    }
    println!("Slowest hostile text: {slowest}. Slowest text of one rule: {slowest_rule}.\n");
    Ok(())
}

fn body(lab: &mut Lab<'_>, kind: Kind) -> Vec<u8> {
    let seed = lab.rng.next();
    let mut body = Vec::new();
    lab.chats(kind).others(seed, BODY).next(&mut body);
    body
}

/// Whose text it is and of what, and the body.
fn slowest_rule(every: &Subject, rules: &RuleSet) -> (String, Vec<u8>) {
    let texts = rules.rules().iter().flat_map(|rule| {
        hostile::of_rule(rule, OF_RULE).into_iter().map(|(what, text)| (format!("{}, {what}", rule.id), chat(&text)))
    });
    let rated = texts.map(|(name, body)| (every.rate(&body), name, body));
    rated.min_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, name, body)| (name, body)).unwrap_or_default()
}
