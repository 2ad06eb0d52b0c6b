//! What the gateway made of one text, at each level, in the terms of the figures. Judges nothing itself.

use std::ops::Range;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::entity::presidio;
use crate::detect::{Category, Finding};
use crate::policy::{Action, Level};
use crate::sanitize::{Guard, Sanitized};
use crate::text::offsets;

/// One value for each of `Level::ALL`.
pub type Level3<T> = [T; 3];

/// See the module.
#[derive(Clone, Debug)]
pub struct Judged {
    /// Highest score over the attack categories; the level plays no part in it.
    pub score: f32,
    /// In the order of `Category::ALL`.
    pub scores: [f32; 6],
    /// The strictest thing done about the text.
    pub verdict: Level3<Action>,
    pub rules: Vec<Arc<str>>,
    /// Whether the text came out other than it went in, at level medium.
    pub changed: bool,
    /// Sensitive findings above the threshold of level medium.
    pub spans: Vec<Found>,
}

/// A sensitive span in Unicode code points.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    pub range: Range<usize>,
    pub entity: Arc<str>,
    pub secret: bool,
    /// At level medium.
    pub action: Action,
}

impl Judged {
    /// `outcomes` are those of `text` at each of `Level::ALL`.
    pub fn new(guard: &Guard, text: &str, outcomes: &Level3<Sanitized>) -> Self {
        let [_, medium, _] = outcomes;
        let scores = medium.report.scores;
        let attacks = Category::ALL.into_iter().zip(scores).filter(|(category, _)| !category.is_sensitive());
        Judged {
            score: attacks.map(|(_, score)| score).fold(0.0, f32::max),
            scores,
            verdict: outcomes.each_ref().map(verdict),
            rules: medium.report.rules(),
            changed: medium.text != text,
            spans: found(guard, text, &medium.findings),
        }
    }

    /// Neither the text nor a part of it goes on.
    pub fn is_refused(&self, level: Level) -> bool {
        self.verdict[level as usize] >= Action::Quarantine
    }

    /// Refused, or would be if the level did not only watch.
    pub fn is_flagged(&self, level: Level) -> bool {
        self.is_refused(level) || self.verdict[level as usize] == Action::Monitor
    }

    pub fn masks_anything(&self) -> bool {
        self.spans.iter().any(Found::is_masked)
    }

    /// The line of `--rows`.
    pub fn to_json(&self, id: &str) -> Value {
        let scores: Map<String, Value> = Category::ALL
            .into_iter()
            .zip(self.scores)
            .map(|(category, score)| (category.to_string(), json!(score)))
            .collect();
        let verdict: Map<String, Value> = Level::ALL
            .into_iter()
            .zip(self.verdict)
            .map(|(level, action)| (level.to_string(), json!(action.name())))
            .collect();
        let spans = self.spans.iter().map(|found| {
            json!({
                "start": found.range.start,
                "end": found.range.end,
                "type": found.shown_entity(),
                "category": if found.secret { "secret" } else { "pii" },
                "action": found.action.name(),
            })
        });
        json!({
            "id": id,
            "score": self.score,
            "scores": scores,
            "verdict": verdict,
            "rules": self.rules.iter().map(|rule| &**rule).collect::<Vec<_>>(),
            "spans": spans.collect::<Vec<_>>(),
        })
    }
}

impl Found {
    pub fn is_masked(&self) -> bool {
        self.action == Action::Mask
    }

    /// Kinds of secrets are the project's own names; corpora know one, and for the rest Presidio's.
    pub fn shown_entity(&self) -> &str {
        if self.secret { "SECRET" } else { presidio(&self.entity) }
    }
}

fn verdict(outcome: &Sanitized) -> Action {
    if !outcome.report.blocked.is_empty() {
        return Action::Block;
    }
    outcome.findings.iter().map(|(_, action)| *action).max().unwrap_or(Action::Allow)
}

fn found(guard: &Guard, text: &str, findings: &[(Finding, Action)]) -> Vec<Found> {
    let above = |finding: &Finding| {
        let of_category = guard.matrix.rule(Level::Medium, finding.category).threshold;
        finding.confidence > guard.matrix.entities.of(&finding.entity).threshold.unwrap_or(of_category)
    };
    let sensitive = findings.iter().filter(|(finding, _)| finding.category.is_sensitive() && above(finding));
    let sensitive: Vec<_> = sensitive.collect();
    let spans: Vec<_> = sensitive.iter().map(|(finding, _)| finding.span).collect();
    let ranges = offsets::code_points(text, &spans);
    sensitive
        .into_iter()
        .zip(ranges)
        .map(|((finding, action), (start, end))| Found {
            range: start..end,
            entity: finding.entity.clone(),
            secret: finding.category == Category::Secret,
            action: *action,
        })
        .collect()
}
