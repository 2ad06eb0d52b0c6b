//! Rules and model weighed together: one confidence for each category of attack, and findings that name both. Runs neither.

use super::classifier::{Classifier, Judgement};
use super::finding::{Category, Finding, Severity};
use super::models::{Model, Models};
use super::score::added_up;
use crate::text::Span;

/// What the model made of the readings of one window.
#[derive(Debug, Default)]
pub(super) struct Weighing {
    /// Of the reading with the worst prompt attack, with its place in the source.
    attack: Option<(Judgement, Span)>,
    /// Of the reading with the worst request for malicious code.
    code: Option<(Judgement, Span)>,
}

impl Weighing {
    /// Notes the judgement of one reading. `source` leads from its words to the text that was scanned.
    pub fn note(&mut self, judgement: Judgement, source: impl Fn(Span) -> Span) {
        if self.attack.is_none_or(|(worst, _)| judgement.attack > worst.attack) {
            self.attack = Some((judgement, source(judgement.attack_span)));
        }
        if self.code.is_none_or(|(worst, _)| judgement.code > worst.code) {
            self.code = Some((judgement, source(judgement.code_span)));
        }
    }

    /// Gives each attack found by rules the confidence of rules and model together, no less than its own if the rule `is_firm`,
    /// and adds what the model finds in the text at or behind `from`.
    pub fn settle(
        self,
        model: &Classifier,
        models: &Models,
        is_firm: impl Fn(&str) -> bool,
        attacks: &mut Vec<Finding>,
        (text, from): (&str, usize),
    ) {
        let rules = added_up(attacks);
        let worst = self.worst();
        let together = worst.map_or(rules, |worst| model.scores(&worst, &rules));
        for finding in attacks.iter_mut() {
            let with_model = models.attacks().any(|kind| kind.category == finding.category);
            let least = if is_firm(&finding.rule) { finding.confidence } else { 0.0 };
            finding.confidence = if with_model { &together } else { &rules }[finding.category as usize].max(least);
        }
        for kind in models.attacks() {
            let span = if kind.category == Category::MaliciousCode { self.code } else { self.attack };
            let score = together[kind.category as usize];
            // What stands before `from` was judged with the window before.
            let span = span.filter(|(_, span)| span.end > from && !span.is_empty());
            if let Some(span) = span.map(|(_, span)| Span::new(span.start.max(from), span.end)) {
                attacks.extend(models.admit(finding(kind, score, span), text));
            }
        }
    }

    /// The worst of both kinds as one judgement.
    fn worst(&self) -> Option<Judgement> {
        let (attack, code) = (self.attack?.0, self.code?.0);
        Some(Judgement { code: code.code, code_span: code.code_span, ..attack })
    }
}

fn finding(kind: &Model, confidence: f32, span: Span) -> Finding {
    let (rule, entity) = (kind.id.clone(), kind.entity.clone());
    Finding { rule, category: kind.category, entity, severity: Severity::High, confidence, span }
}
