//! What an operator changes about detectors by their ids: which are off, and how sure and how grave the others are.

use super::{RuleProblem, RuleSet, Severity};

/// Another confidence or severity for the rules that `id` names, all that begin so if it ends in `*`. A model, whose confidence
/// varies, is at most as sure.
#[derive(Clone, Debug, PartialEq)]
pub struct Adjustment {
    pub id: String,
    pub confidence: Option<f32>,
    pub severity: Option<Severity>,
}

/// Whether `pattern`, an id or the beginning of one and `*`, names `id`.
pub fn names(pattern: &str, id: &str) -> bool {
    pattern.strip_suffix('*').map_or(pattern == id, |prefix| id.starts_with(prefix))
}

impl RuleSet {
    /// These rules and models without the disabled ones and with the overrides in their order: of two that name a rule the later one
    /// decides.
    ///
    /// # Errors
    /// Every id that names no rule, by the key it stands at.
    pub fn tuned(mut self, disabled: &[String], overrides: &[Adjustment]) -> Result<Self, Vec<RuleProblem>> {
        let disabled_keys = disabled.iter().enumerate().map(|(at, id)| (format!("rules.disabled[{at}]"), id));
        let override_keys = overrides.iter().enumerate().map(|(at, own)| (format!("rules.override[{at}].id"), &own.id));
        let unknown = disabled_keys.chain(override_keys).filter(|(_, id)| !self.has(id));
        let problems: Vec<RuleProblem> =
            unknown.map(|(rule, id)| RuleProblem { rule, problem: format!("no rule is called {id:?}") }).collect();
        if !problems.is_empty() {
            return Err(problems);
        }
        let is_off = |name: &str| disabled.iter().any(|id| names(id, name));
        self.rules.retain(|rule| !is_off(&rule.id));
        self.models.retain(|model| !is_off(&model.id));
        for rule in &mut self.rules {
            for own in overrides.iter().filter(|own| names(&own.id, &rule.id)) {
                rule.confidence = own.confidence.unwrap_or(rule.confidence);
                rule.firm |= own.confidence.is_some();
                rule.severity = own.severity.unwrap_or(rule.severity);
            }
        }
        for model in &mut self.models {
            for own in overrides.iter().filter(|own| names(&own.id, &model.id)) {
                model.most = own.confidence.unwrap_or(model.most);
                model.severity = own.severity.or(model.severity);
            }
        }
        Ok(self)
    }

    /// Whether `pattern` names any rule or model.
    pub(super) fn has(&self, pattern: &str) -> bool {
        let mut ids = self.rules.iter().map(|rule| &rule.id).chain(self.models.iter().map(|model| &model.id));
        ids.any(|id| names(pattern, id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tuned(disabled: &[&str], overrides: &[(&str, f32)]) -> Result<RuleSet, Vec<RuleProblem>> {
        let disabled: Vec<String> = disabled.iter().map(|id| (*id).to_owned()).collect();
        let own = |(id, confidence): &(&str, f32)| Adjustment {
            id: (*id).to_owned(),
            confidence: Some(*confidence),
            severity: None,
        };
        let overrides: Vec<Adjustment> = overrides.iter().map(own).collect();
        shipped().clone().tuned(&disabled, &overrides)
    }

    fn shipped() -> &'static RuleSet {
        static RULES: std::sync::OnceLock<RuleSet> = std::sync::OnceLock::new();
        RULES.get_or_init(|| RuleSet::builtin().expect("the shipped rules parse"))
    }

    #[test]
    fn every_builtin_rule_can_be_switched_off_and_made_less_sure_by_its_id() {
        for rule in shipped().rules() {
            let without = tuned(&[&rule.id], &[]).expect("a known id");
            assert!(without.rules().iter().all(|other| other.id != rule.id), "{}", rule.id);
            let changed = tuned(&[], &[(&rule.id, 0.125)]).expect("a known id");
            let sure = changed.rules().iter().filter(|other| other.confidence == 0.125).map(|other| &other.id);
            assert_eq!(sure.collect::<Vec<_>>(), [&rule.id]);
        }
    }

    #[test]
    fn a_star_names_all_that_begin_so_and_the_later_override_decides() {
        let rules = tuned(&["pii.*"], &[("secret.*", 0.5), ("secret.github.token", 0.75)]).expect("known ids");
        let sure = |id: &str| rules.rules().iter().find(|rule| &*rule.id == id).map(|rule| rule.confidence);
        assert!(rules.rules().iter().all(|rule| !rule.id.starts_with("pii.")));
        assert_eq!(sure("secret.github.token"), Some(0.75));
        assert_eq!(sure("secret.jwt.signed"), Some(0.5));
    }

    #[test]
    fn an_id_that_names_no_rule_is_a_problem_of_its_key() {
        let problems = tuned(&["pii.*", "secret.nothing"], &[("injection.x*", 0.5)]).expect_err("two are unknown");
        let keys: Vec<&str> = problems.iter().map(|problem| &*problem.rule).collect();
        assert_eq!(keys, ["rules.disabled[1]", "rules.override[0].id"]);
    }
}
