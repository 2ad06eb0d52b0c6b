//! The policy matrix: for each security level and category a threshold and an action. Data, so that configuration can replace it.

use serde::{Deserialize, Serialize};

use super::{Entities, Level};
use crate::detect::{Category, Finding};

/// What to do with a finding whose confidence is above the threshold. Ordered by strictness.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Not even counted as a decision.
    Allow,
    /// Counted as `would_block`, then let pass.
    Monitor,
    /// The span is replaced by a placeholder.
    Mask,
    /// The whole request is refused.
    Block,
}

impl Action {
    pub const fn name(self) -> &'static str {
        match self {
            Action::Allow => "allow",
            Action::Monitor => "monitor",
            Action::Mask => "mask",
            Action::Block => "block",
        }
    }
}

/// One cell: `action` applies to findings with `confidence > threshold`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rule {
    pub threshold: f32,
    pub action: Action,
}

/// `cells[level][category]`, in the order of `Level::ALL` and `Category::ALL`.
#[derive(Clone, Debug, PartialEq)]
pub struct Matrix {
    cells: [[Rule; 6]; 3],
    /// Entity types with a rule of their own. Attacks have none.
    pub entities: Entities,
}

impl Matrix {
    pub fn rule(&self, level: Level, category: Category) -> Rule {
        self.cells[level as usize][category as usize]
    }

    pub fn set(&mut self, level: Level, category: Category, rule: Rule) {
        self.cells[level as usize][category as usize] = rule;
    }

    /// The action for one finding at `level`. What is sensitive is judged one by one; an attack by the score of its
    /// category, since weak signs of one kind add up.
    pub fn decide(&self, level: Level, finding: &Finding, scores: &[f32; 6]) -> Action {
        let Rule { threshold, action } = self.rule(level, finding.category);
        if !finding.category.is_sensitive() {
            return if scores[finding.category as usize] > threshold { action } else { Action::Allow };
        }
        let own = self.entities.of(&finding.entity);
        let exceeds = finding.confidence > own.threshold.unwrap_or(threshold);
        if exceeds { own.action.unwrap_or(action) } else { Action::Allow }
    }
}

impl Default for Matrix {
    /// The thresholds of the original server. Prompt extraction, which it counted as injection, has those of injection.
    fn default() -> Self {
        const fn mask(threshold: f32) -> Rule {
            Rule { threshold, action: Action::Mask }
        }
        const fn block(threshold: f32) -> Rule {
            Rule { threshold, action: Action::Block }
        }
        Matrix {
            cells: [
                // secret     pii        injection   jailbreak   extraction  malicious code
                [mask(0.2), mask(0.2), block(0.7), block(0.8), block(0.7), block(0.7)],
                [mask(0.2), mask(0.2), block(0.7), block(0.8), block(0.7), block(0.3)],
                [mask(0.2), mask(0.2), block(0.3), block(0.4), block(0.3), block(0.3)],
            ],
            entities: Entities::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::entities::Override;
    use super::*;
    use crate::detect::Severity;
    use crate::text::Span;

    #[test]
    fn a_stricter_level_never_has_a_higher_threshold_or_a_laxer_action() {
        let matrix = Matrix::default();
        for category in Category::ALL {
            for pair in Level::ALL.windows(2) {
                let (lax, strict) = (matrix.rule(pair[0], category), matrix.rule(pair[1], category));
                assert!(strict.threshold <= lax.threshold, "{category} at {}", pair[1]);
                assert!(strict.action >= lax.action, "{category} at {}", pair[1]);
            }
        }
    }

    fn found(category: Category, entity: &str, confidence: f32) -> Finding {
        let (rule, entity, severity) = ("x".into(), entity.into(), Severity::Low);
        Finding { rule, category, entity, severity, confidence, span: Span::new(0, 1) }
    }

    #[test]
    fn an_entity_with_a_rule_of_its_own_follows_it_at_every_level_and_all_others_their_category() {
        let mut matrix = Matrix::default();
        let pii = |entity, confidence| found(Category::Pii, entity, confidence);
        matrix.entities.set("IP_ADDRESS", Override { threshold: Some(0.9), action: Some(Action::Block) });
        matrix.entities.set("IBAN_CODE", Override { threshold: None, action: Some(Action::Monitor) });
        for level in Level::ALL {
            let action = |finding: Finding| matrix.decide(level, &finding, &[0.0; 6]);
            assert_eq!(action(pii("EMAIL_ADDRESS", 0.3)), Action::Mask);
            assert_eq!(action(pii("EMAIL_ADDRESS", 0.2)), Action::Allow);
            assert_eq!(action(pii("PERSON", 0.99)), Action::Allow);
            assert_eq!(action(pii("IP_ADDRESS", 0.8)), Action::Allow);
            assert_eq!(action(pii("IP_ADDRESS", 0.95)), Action::Block);
            assert_eq!(action(pii("IBAN_CODE", 0.3)), Action::Monitor);
        }
    }

    #[test]
    fn an_attack_is_judged_by_the_score_of_its_category() {
        let matrix = Matrix::default();
        let weak = found(Category::Injection, "injection", 0.5);
        let scores = |injection| [0.0, 0.0, injection, 0.0, 0.0, 0.0];
        assert_eq!(matrix.decide(Level::Medium, &weak, &scores(0.5)), Action::Allow);
        assert_eq!(matrix.decide(Level::Medium, &weak, &scores(0.75)), Action::Block);
    }
}
