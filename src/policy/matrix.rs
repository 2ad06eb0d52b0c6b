//! The policy matrix: for each security level and category a threshold and an action. Data, so that configuration can replace it.

use serde::{Deserialize, Serialize};

use super::{Entities, Level, Origins, Override};
use crate::detect::{Category, Finding};
use crate::text::Origin;

/// What to do with a finding whose confidence is above the threshold. Ordered by strictness.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Not even counted as a decision.
    Allow,
    /// Counted as `would_block`, then let pass.
    Monitor,
    /// The span is replaced by a placeholder that is undone in the answer; where nothing can be, as `Mask`.
    Tokenize,
    /// The span is replaced by a placeholder for good.
    Mask,
    /// The text it stands in is replaced by a notice; the rest of the request goes on.
    Quarantine,
    /// The whole request is refused.
    Block,
}

impl Action {
    pub const fn name(self) -> &'static str {
        match self {
            Action::Allow => "allow",
            Action::Monitor => "monitor",
            Action::Tokenize => "tokenize",
            Action::Mask => "mask",
            Action::Quarantine => "quarantine",
            Action::Block => "block",
        }
    }

    /// Whether a placeholder takes the place of the span.
    pub const fn replaces(self) -> bool {
        matches!(self, Action::Tokenize | Action::Mask)
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
    /// What the origin of a text changes for attacks.
    pub origins: Origins,
    /// What is another for what the model says, in the order of `Category::ALL`.
    answers: [Override; 2],
    /// Above this score an attack that is let pass in what a caller says is counted, as if its action were `monitor`.
    pub watch: f32,
}

impl Matrix {
    pub fn rule(&self, level: Level, category: Category) -> Rule {
        self.cells[level as usize][category as usize]
    }

    pub fn set(&mut self, level: Level, category: Category, rule: Rule) {
        self.cells[level as usize][category as usize] = rule;
    }

    /// The action for one sensitive finding, judged by itself.
    pub fn decide(&self, level: Level, finding: &Finding) -> Action {
        let Rule { threshold, action } = self.rule(level, finding.category);
        let own = self.entities.of(&finding.entity);
        let exceeds = finding.confidence > own.threshold.unwrap_or(threshold);
        if exceeds { own.action.unwrap_or(action) } else { Action::Allow }
    }

    /// Whether findings of this type could lead to something at any level.
    pub fn acts_on(&self, category: Category, entity: &str) -> bool {
        let own = self.entities.of(entity).action;
        Level::ALL.into_iter().any(|level| own.unwrap_or(self.rule(level, category).action) > Action::Allow)
    }

    /// What is another for what the model says. Attacks have none.
    pub fn answer(&self, category: Category) -> Override {
        self.answers.get(category as usize).copied().unwrap_or_default()
    }

    pub fn set_answer(&mut self, category: Category, own: Override) {
        if let Some(answer) = self.answers.get_mut(category as usize) {
            *answer = own;
        }
    }

    /// The action for one sensitive finding in what the model says: nobody can be given back what nobody sent.
    pub fn decide_answer(&self, level: Level, finding: &Finding) -> Action {
        let answer = self.answer(finding.category);
        let Rule { threshold, action } = self.rule(level, finding.category);
        let own = self.entities.of(&finding.entity);
        if finding.confidence <= own.threshold.or(answer.threshold).unwrap_or(threshold) {
            return Action::Allow;
        }
        match own.action.or(answer.action).unwrap_or(action) {
            Action::Tokenize => Action::Mask,
            action => action,
        }
    }

    /// Whether any finding in an answer could lead to something at that level.
    pub fn guards_answers(&self, level: Level) -> bool {
        let of_category = |category| self.answer(category).action.unwrap_or(self.rule(level, category).action);
        let of_entities = || self.entities.actions().any(|action| action > Action::Allow);
        Category::ALL.into_iter().filter(|category| category.is_sensitive()).any(|c| of_category(c) > Action::Allow)
            || of_entities()
    }

    /// The action for attacks of a category in a text of that origin, by their score together: weak signs of one kind
    /// add up.
    pub fn decide_attack(&self, level: Level, origin: Origin, category: Category, score: f32) -> Action {
        let Rule { threshold, action } = self.origins.of(origin, category).of(self.rule(level, category));
        match score {
            score if score > threshold => action,
            score if score > self.watch && matches!(origin, Origin::User | Origin::Other) => Action::Monitor,
            _ => Action::Allow,
        }
    }
}

impl Default for Matrix {
    /// The thresholds of the original server. Prompt extraction, which it counted as injection, has those of injection.
    fn default() -> Self {
        const fn hide(threshold: f32) -> Rule {
            Rule { threshold, action: Action::Tokenize }
        }
        const fn block(threshold: f32) -> Rule {
            Rule { threshold, action: Action::Block }
        }
        Matrix {
            cells: [
                // secret     pii        injection   jailbreak   extraction  malicious code
                [hide(0.2), hide(0.2), block(0.7), block(0.8), block(0.7), block(0.7)],
                [hide(0.2), hide(0.2), block(0.7), block(0.8), block(0.7), block(0.3)],
                [hide(0.2), hide(0.2), block(0.3), block(0.4), block(0.3), block(0.3)],
            ],
            entities: Entities::default(),
            origins: Origins::default(),
            answers: [Override::default(); 2],
            watch: 0.5,
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
            let action = |finding: Finding| matrix.decide(level, &finding);
            assert_eq!(action(pii("EMAIL_ADDRESS", 0.3)), Action::Tokenize);
            assert_eq!(action(pii("EMAIL_ADDRESS", 0.2)), Action::Allow);
            assert_eq!(action(pii("PERSON", 0.99)), Action::Allow);
            assert_eq!(action(pii("IP_ADDRESS", 0.8)), Action::Allow);
            assert_eq!(action(pii("IP_ADDRESS", 0.95)), Action::Block);
            assert_eq!(action(pii("IBAN_CODE", 0.3)), Action::Monitor);
        }
    }

    #[test]
    fn what_the_model_says_is_masked_for_good_unless_policy_says_otherwise_of_answers() {
        let mut matrix = Matrix::default();
        let decide = |matrix: &Matrix, entity| matrix.decide_answer(Level::Medium, &found(Category::Pii, entity, 0.6));
        assert_eq!(decide(&matrix, "EMAIL_ADDRESS"), Action::Mask);
        assert_eq!(decide(&matrix, "PERSON"), Action::Allow);
        matrix.set_answer(Category::Pii, Override { threshold: Some(0.7), action: None });
        assert_eq!(decide(&matrix, "EMAIL_ADDRESS"), Action::Allow);
        matrix.set_answer(Category::Pii, Override { threshold: None, action: Some(Action::Block) });
        assert_eq!(decide(&matrix, "EMAIL_ADDRESS"), Action::Block);
        assert_eq!(decide(&matrix, "PERSON"), Action::Allow);
        assert!(matrix.guards_answers(Level::Medium));
        for category in [Category::Pii, Category::Secret] {
            matrix.set_answer(category, Override { threshold: None, action: Some(Action::Allow) });
        }
        assert!(!matrix.guards_answers(Level::Medium));
    }

    #[test]
    fn an_action_has_the_name_it_is_configured_by_and_only_placeholders_replace() {
        use Action::*;
        for action in [Allow, Monitor, Tokenize, Mask, Quarantine, Block] {
            assert_eq!(serde_json::to_value(action).expect("a word"), action.name());
            assert_eq!(action.replaces(), matches!(action, Tokenize | Mask), "{action:?}");
        }
    }

    /// With every sensitive category let pass at every level.
    fn idle() -> Matrix {
        let mut matrix = Matrix::default();
        for (level, category) in
            Level::ALL.into_iter().flat_map(|level| [Category::Secret, Category::Pii].map(|c| (level, c)))
        {
            matrix.set(level, category, Rule { threshold: 0.2, action: Action::Allow });
        }
        matrix
    }

    #[test]
    fn what_no_level_acts_on_is_told_from_what_one_does() {
        let mut matrix = idle();
        assert!(!matrix.acts_on(Category::Pii, "EMAIL_ADDRESS") && !matrix.acts_on(Category::Pii, "PERSON"));
        matrix.set(Level::High, Category::Pii, Rule { threshold: 0.2, action: Action::Monitor });
        assert!(matrix.acts_on(Category::Pii, "EMAIL_ADDRESS"), "at one level is enough");
        assert!(!matrix.acts_on(Category::Pii, "PERSON") && !matrix.acts_on(Category::Secret, "PASSWORD"));
        matrix.entities.set("PERSON", Override { threshold: None, action: Some(Action::Mask) });
        assert!(matrix.acts_on(Category::Pii, "PERSON"));
    }

    #[test]
    fn answers_are_guarded_where_a_category_or_an_entity_could_lead_to_something() {
        let mut matrix = idle();
        assert!(!matrix.guards_answers(Level::Low));
        matrix.entities.set("PERSON", Override { threshold: None, action: Some(Action::Monitor) });
        assert!(matrix.guards_answers(Level::Low));
        let mut matrix = idle();
        matrix.set(Level::High, Category::Secret, Rule { threshold: 0.2, action: Action::Monitor });
        assert!(matrix.guards_answers(Level::High) && !matrix.guards_answers(Level::Low));
    }

    #[test]
    fn an_attack_is_judged_by_the_score_of_its_category_and_where_it_stands() {
        let matrix = Matrix::default();
        let cases = [
            (Origin::User, 0.5, Action::Allow),
            (Origin::User, 0.7, Action::Monitor),
            (Origin::User, 0.75, Action::Block),
            (Origin::Other, 0.75, Action::Block),
            (Origin::History, 0.75, Action::Quarantine),
            (Origin::Assistant, 0.92, Action::Quarantine),
            (Origin::Tool, 0.92, Action::Quarantine),
            (Origin::Document, 0.92, Action::Quarantine),
            (Origin::Definition, 0.92, Action::Allow),
            (Origin::Definition, 0.96, Action::Quarantine),
            (Origin::System, 0.98, Action::Allow),
            (Origin::System, 0.99, Action::Monitor),
        ];
        for (origin, score, expected) in cases {
            let action = matrix.decide_attack(Level::Medium, origin, Category::Injection, score);
            assert_eq!(action, expected, "{origin} {score}");
        }
    }

    #[test]
    fn no_origin_makes_a_stricter_level_the_laxer_one() {
        let matrix = Matrix::default();
        for (origin, category) in
            Origin::ALL.iter().flat_map(|origin| Category::ALL.map(|category| (*origin, category)))
        {
            for score in [0.1, 0.35, 0.5, 0.75, 0.85, 0.99] {
                let actions = Level::ALL.map(|level| matrix.decide_attack(level, origin, category, score));
                assert!(actions.is_sorted(), "{origin} {category} {score}: {actions:?}");
            }
        }
    }
}
