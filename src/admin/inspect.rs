//! One prompt, inspected as the gateway inspects a text, and what the answers say of it. Knows no HTTP.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::Semaphore;

use super::Refusal;
use crate::detect::finding::NOTABLE;
use crate::detect::{Category, Finding};
use crate::policy::{Action, Level};
use crate::sanitize::{self, Guard, Report};

/// What was found in one text and what the policy makes of it.
pub(super) struct Inspection {
    /// In the order of the text; attacks may overlap.
    pub findings: Vec<Finding>,
    /// The text with every span that is to be masked replaced.
    pub secured: String,
    /// How many spans of each entity type were masked.
    pub masked: BTreeMap<Arc<str>, u64>,
    /// Of the categories with findings.
    pub verdicts: Vec<Verdict>,
}

/// What the policy says of one category.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Verdict {
    pub category: Category,
    /// The highest of a window, as the gateway judges it.
    pub score: f32,
    pub threshold: f32,
    /// `Block`, `Quarantine`, `Monitor`, or `Allow` for anything that does not refuse.
    pub action: Action,
}

impl Inspection {
    pub(super) fn of(guard: &Guard, level: Level, text: &str) -> Self {
        let sanitized = sanitize::text_with_names(guard, level, text);
        let mut findings: Vec<Finding> = sanitized.findings.into_iter().map(|(finding, _)| finding).collect();
        findings.sort_by_key(|finding| finding.span);
        let verdicts = verdicts(guard, level, &sanitized.report);
        Inspection { findings, secured: sanitized.text, masked: sanitized.report.masked, verdicts }
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

/// Runs what may take a while where it holds up no other connection, a few at once so that the gateway keeps its share of
/// the processor.
pub(super) async fn off_the_reactor<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Refusal> + Send + 'static,
) -> Result<T, Refusal> {
    let _slot = SLOTS.acquire().await.map_err(|_| Refusal::Internal)?;
    tokio::task::spawn_blocking(work).await.unwrap_or(Err(Refusal::Internal))
}

static SLOTS: Semaphore = Semaphore::const_new(4);

fn verdicts(guard: &Guard, level: Level, report: &Report) -> Vec<Verdict> {
    let action = |category: &Category| match category {
        category if report.blocked.contains(category) => Action::Block,
        category if report.quarantined.contains(category) => Action::Quarantine,
        category if report.would_block.contains(category) => Action::Monitor,
        _ => Action::Allow,
    };
    let verdict = |(category, score): (Category, f32)| Verdict {
        category,
        score,
        threshold: guard.matrix.rule(level, category).threshold,
        action: action(&category),
    };
    let named = |verdict: &Verdict| {
        verdict.score >= NOTABLE || verdict.action != Action::Allow || verdict.category.is_sensitive()
    };
    let found = Category::ALL.into_iter().zip(report.scores).filter(|(_, score)| *score > 0.0);
    found.map(verdict).filter(named).collect()
}
