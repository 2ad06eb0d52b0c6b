//! One prompt, inspected as the gateway inspects a text: findings, scores, decisions, masked text. Knows no HTTP.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Refusal;
use crate::detect::scores;
use crate::detect::{Category, Class, Finding};
use crate::policy::{Action, Level, placeholder};
use crate::snapshot::Snapshot;

/// What was found in one text and what the policy makes of it.
pub(super) struct Inspection {
    pub findings: Vec<Finding>,
    /// The text with every span that is to be masked replaced.
    pub secured: String,
    /// How many spans of each entity type were masked.
    pub masked: BTreeMap<Arc<str>, usize>,
    pub verdicts: Vec<Verdict>,
}

/// What the policy says of one category with findings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Verdict {
    pub category: Category,
    pub score: f32,
    pub threshold: f32,
    /// `Allow` when the score does not exceed the threshold.
    pub action: Action,
}

impl Inspection {
    pub(super) fn of(snapshot: &Snapshot, level: Level, text: &str) -> Self {
        let findings = findings(snapshot, text);
        let mut secured = String::with_capacity(text.len());
        let mut masked = BTreeMap::new();
        let mut done = 0;
        for finding in findings.iter().filter(|finding| finding.category.is_sensitive()) {
            let (start, end) = (finding.span.start, finding.span.end);
            let (Some(before), Action::Mask) = (text.get(done..start), snapshot.guard.matrix.decide(level, finding)) else {
                continue;
            };
            secured.push_str(before);
            secured.push_str(&placeholder::mask(&finding.entity));
            *masked.entry(finding.entity.clone()).or_default() += 1;
            done = end;
        }
        secured.push_str(text.get(done..).unwrap_or_default());
        let verdicts = verdicts(snapshot, level, &findings);
        Inspection { findings, secured, masked, verdicts }
    }

    /// The highest score among `categories`, 0 when nothing was found.
    pub(super) fn score(&self, categories: &[Category]) -> f32 {
        let of = self.verdicts.iter().filter(|verdict| categories.contains(&verdict.category));
        of.map(|verdict| verdict.score).fold(0.0, f32::max)
    }

    pub(super) fn blocks(&self, categories: &[Category]) -> bool {
        self.verdicts.iter().any(|verdict| verdict.action == Action::Block && categories.contains(&verdict.category))
    }
}

/// The scanner's findings: sensitive ones in order and without overlap, then attacks.
pub(super) fn findings(snapshot: &Snapshot, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    snapshot.guard.scanner.scan(text, 0, Class::Text, &mut findings);
    findings
}

/// Runs what may take a while where it holds up no other connection.
pub(super) async fn off_the_reactor<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Refusal> + Send + 'static,
) -> Result<T, Refusal> {
    tokio::task::spawn_blocking(work).await.unwrap_or(Err(Refusal::Internal))
}

fn verdicts(snapshot: &Snapshot, level: Level, findings: &[Finding]) -> Vec<Verdict> {
    let scores = scores(findings);
    let verdict = |category: Category| {
        let score = scores[category as usize];
        let rule = snapshot.guard.matrix.rule(level, category);
        let action = if score > rule.threshold { rule.action } else { Action::Allow };
        (score > 0.0).then_some(Verdict { category, score, threshold: rule.threshold, action })
    };
    Category::ALL.into_iter().filter_map(verdict).collect()
}
