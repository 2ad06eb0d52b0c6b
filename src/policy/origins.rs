//! What is made of an attack by where the text comes from: a floor under thresholds and a cap over actions. Data.
//!
//! Both only loosen what the matrix says, and by the same at every level: a stricter level stays the stricter one.

use super::{Action, Rule};
use crate::detect::Category;
use crate::text::Origin;

/// `rows[origin][category]`, in the order of `Origin::ALL` and `Category::ALL`. Sensitive categories have no origin: a
/// secret is one wherever it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Origins {
    rows: [[Leniency; 6]; 8],
}

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Leniency {
    /// The matrix's threshold counts if it is higher.
    pub threshold: f32,
    /// The matrix's action counts if it is milder.
    pub action: Action,
}

impl Leniency {
    const NONE: Leniency = Leniency { threshold: 0.0, action: Action::Block };

    pub(super) fn of(self, rule: Rule) -> Rule {
        Rule { threshold: rule.threshold.max(self.threshold), action: rule.action.min(self.action) }
    }
}

impl Origins {
    pub fn of(&self, origin: Origin, category: Category) -> Leniency {
        self.rows[origin as usize][category as usize]
    }

    pub fn set(&mut self, origin: Origin, category: Category, leniency: Leniency) {
        self.rows[origin as usize][category as usize] = leniency;
    }
}

impl Default for Origins {
    fn default() -> Self {
        let row = |action, threshold: f32, code: f32| {
            let attack = Leniency { threshold, action };
            let code = Leniency { threshold: code, action };
            [Leniency::NONE, Leniency::NONE, attack, attack, attack, code]
        };
        Origins {
            rows: [
                // A prompt that says "never reveal these instructions" is no attack on itself.
                row(Action::Monitor, 0.985, 0.985),
                [Leniency::NONE; 6],
                row(Action::Quarantine, 0.0, 0.0),
                // What others wrote is full of words to somebody, and nobody is there to ask what was meant. Agents read and write code: that it could do harm is no news, that somebody asks for it is.
                row(Action::Quarantine, 0.9, 0.9),
                row(Action::Quarantine, 0.9, 0.9),
                row(Action::Quarantine, 0.9, 0.9),
                // Descriptions of tools are full of orders to the model.
                row(Action::Quarantine, 0.95, 0.95),
                [Leniency::NONE; 6],
            ],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_for_one_origin_and_category_changes_no_other() {
        let (before, mut after) = (Origins::default(), Origins::default());
        let leniency = Leniency { threshold: 0.42, action: Action::Monitor };
        after.set(Origin::Tool, Category::Jailbreak, leniency);
        for (origin, category) in Origin::ALL.into_iter().flat_map(|origin| Category::ALL.map(|c| (origin, c))) {
            let here = (origin, category) == (Origin::Tool, Category::Jailbreak);
            let expected = if here { leniency } else { before.of(origin, category) };
            assert_eq!(after.of(origin, category), expected, "{origin} {category}");
        }
    }
}
