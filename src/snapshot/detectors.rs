//! The detectors of a snapshot, and what they were compiled from: a configuration that says the same of them keeps them, as
//! compiling takes longer than all else that a reload does.

use std::collections::HashSet;
use std::sync::Arc;

use crate::config::{Rules, Security};
use crate::detect::{Category, RuleProblem, RuleSet, Scanner};
use crate::policy::entities::LEFT_ALONE;

/// See the module.
#[derive(Debug)]
pub struct Detectors {
    pub scanner: Arc<Scanner>,
    /// Rules in force, in the order of `Category::ALL`.
    pub counts: [usize; 6],
    /// Types of sensitive values that rules or models find, in force or not.
    entities: HashSet<Arc<str>>,
    tuning: Rules,
    /// Names and contents.
    files: Vec<(String, String)>,
}

impl Detectors {
    /// # Errors
    /// Everything that is wrong with the rules.
    pub fn compile(tuning: &Rules, files: &[(&str, &str)]) -> Result<Self, Vec<RuleProblem>> {
        let rules = RuleSet::with_builtin(files)?;
        let of_rules = rules.rules().iter().filter(|rule| rule.category.is_sensitive()).map(|rule| &rule.entity);
        let of_models = rules.models().iter().filter(|model| model.category.is_sensitive()).map(|model| &model.entity);
        let entities: HashSet<Arc<str>> = of_rules.chain(of_models).cloned().collect();
        let of_allow = rules.allow().iter();
        let of_allow =
            of_allow.flat_map(|row| row.entities.iter().map(|name| (format!("{}: entities", row.id), &**name)));
        let problems = unknown(&entities, of_allow);
        if !problems.is_empty() {
            return Err(problems);
        }
        let rules = rules.tuned(&tuning.disabled, &tuning.overrides)?;
        let counts = Category::ALL.map(|category| rules.rules().iter().filter(|r| r.category == category).count());
        let files = files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
        let scanner = Arc::new(Scanner::compile(&rules)?);
        Ok(Detectors { scanner, counts, entities, tuning: tuning.clone(), files })
    }

    /// Whether compiling these would come to the same.
    pub fn are_of(&self, tuning: &Rules, files: &[(&str, &str)]) -> bool {
        let known = self.files.iter().map(|(name, text)| (name.as_str(), text.as_str()));
        self.tuning == *tuning && known.eq(files.iter().copied())
    }

    /// # Errors
    /// Every entity type that policy names and nothing finds.
    pub fn check(&self, security: &Security) -> Result<(), Vec<RuleProblem>> {
        let common = security.matrix.entities.names().map(|name| (format!("security.entities.{name}"), name));
        let of_policies = security.policies.iter().map(|policy| &policy.named).flat_map(|policy| {
            policy.matrix.entities.names().map(move |name| (format!("policies.{}.entities.{name}", policy.name), name))
        });
        let problems = unknown(&self.entities, common.chain(of_policies));
        if problems.is_empty() { Ok(()) } else { Err(problems) }
    }
}

/// Of the places that name an entity type, those whose type nothing finds.
fn unknown<'a>(entities: &HashSet<Arc<str>>, named: impl Iterator<Item = (String, &'a str)>) -> Vec<RuleProblem> {
    let unknown = named.filter(|(_, name)| !LEFT_ALONE.contains(name) && !entities.contains(*name));
    let problem = |(rule, name)| RuleProblem { rule, problem: format!("no rule finds an entity of type {name:?}") };
    unknown.map(problem).collect()
}
