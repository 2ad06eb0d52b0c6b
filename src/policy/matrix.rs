//! The policy matrix: for each security level and category a threshold and an action. Data, so that configuration can replace it.

use serde::{Deserialize, Serialize};

use super::Level;
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
}

impl Matrix {
    pub fn rule(&self, level: Level, category: Category) -> Rule {
        self.cells[level as usize][category as usize]
    }

    pub fn set(&mut self, level: Level, category: Category, rule: Rule) {
        self.cells[level as usize][category as usize] = rule;
    }

    /// The action for one finding at `level`.
    pub fn decide(&self, level: Level, finding: &Finding) -> Action {
        let rule = self.rule(level, finding.category);
        if finding.confidence > rule.threshold { rule.action } else { Action::Allow }
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
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
