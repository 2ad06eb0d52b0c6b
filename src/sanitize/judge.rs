//! The judge: findings of one request in, a decision for each and the report of all out. Touches no bytes.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Guard;
use crate::detect::{Category, Finding, scores};
use crate::policy::{Action, Level};

/// What was done to one request. Holds counts and names, never text.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// Masked spans by entity type.
    pub masked: BTreeMap<Arc<str>, u64>,
    /// Findings by rule and by what policy made of them.
    pub findings: BTreeMap<(Category, Arc<str>, Action), u64>,
    /// Highest score of a window, by category; sensitive categories hold the highest confidence.
    pub scores: [f32; 6],
    /// Categories whose score made policy refuse the request.
    pub blocked: Vec<Category>,
    /// Categories that would have, were their action not `monitor`.
    pub would_block: Vec<Category>,
    /// Bytes of unescaped text that were inspected.
    pub inspected: u64,
    /// Bytes of string values that were not, by reason.
    pub uninspected: BTreeMap<&'static str, u64>,
    pub bytes_in: u64,
    pub bytes_out: u64,
}

/// The outcome in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Clean,
    Masked,
    WouldBlock,
    Blocked,
}

impl Verdict {
    pub const fn name(self) -> &'static str {
        match self {
            Verdict::Clean => "clean",
            Verdict::Masked => "masked",
            Verdict::WouldBlock => "would_block",
            Verdict::Blocked => "blocked",
        }
    }
}

impl Report {
    pub fn verdict(&self) -> Verdict {
        if !self.blocked.is_empty() {
            Verdict::Blocked
        } else if !self.would_block.is_empty() {
            Verdict::WouldBlock
        } else if !self.masked.is_empty() {
            Verdict::Masked
        } else {
            Verdict::Clean
        }
    }

    /// Ids of the rules that fired, sorted, each once.
    pub fn rules(&self) -> Vec<Arc<str>> {
        let mut rules: Vec<_> = self.findings.keys().map(|(_, rule, _)| rule.clone()).collect();
        rules.sort();
        rules.dedup();
        rules
    }

    pub fn skip(&mut self, reason: &'static str, bytes: usize) {
        *self.uninspected.entry(reason).or_default() += bytes as u64;
    }
}

/// Applies policy to findings as they come and adds them up.
#[derive(Debug)]
pub(super) struct Judge {
    level: Level,
    pub report: Report,
}

impl Judge {
    pub fn new(level: Level) -> Self {
        Judge { level, report: Report::default() }
    }

    /// Judges the findings of one window: the action for each, in their order.
    pub fn observe(&mut self, guard: &Guard, findings: &[Finding]) -> Vec<Action> {
        let scores = scores(findings);
        let actions = findings.iter().map(|finding| guard.matrix.decide(self.level, finding, &scores));
        let actions: Vec<Action> = actions.collect();
        for (finding, action) in findings.iter().zip(&actions) {
            self.record(finding, *action);
        }
        for (peak, score) in self.report.scores.iter_mut().zip(scores) {
            *peak = peak.max(score);
        }
        actions
    }

    pub fn is_blocked(&self) -> bool {
        !self.report.blocked.is_empty()
    }

    fn record(&mut self, finding: &Finding, action: Action) {
        let report = &mut self.report;
        *report.findings.entry((finding.category, finding.rule.clone(), action)).or_default() += 1;
        match action {
            Action::Allow => {}
            Action::Monitor => note(&mut report.would_block, finding.category),
            Action::Mask if finding.category.is_sensitive() => {
                *report.masked.entry(finding.entity.clone()).or_default() += 1;
            }
            // An attack has no span whose removal would make the rest harmless.
            Action::Mask | Action::Block => note(&mut report.blocked, finding.category),
        }
    }
}

fn note(categories: &mut Vec<Category>, category: Category) {
    if !categories.contains(&category) {
        categories.push(category);
    }
}
