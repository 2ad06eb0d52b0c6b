//! The detectors that are models, as operators know them: by ids, like rules. Runs none; says which are in force and what was
//! changed about them.

use std::sync::Arc;

use regex::bytes::Regex;

use super::allow::Allowlist;
use super::rule::ViewKind;
use super::{Category, Finding, Severity};
use crate::text::fold;

/// One kind of finding of a model.
#[derive(Clone, Debug)]
pub struct Model {
    pub id: Arc<str>,
    pub category: Category,
    pub entity: Arc<str>,
    /// The most it may be sure; its own confidence varies.
    pub most: f32,
    /// Another than its own.
    pub severity: Option<Severity>,
}

impl Model {
    /// All there are.
    pub fn known() -> Vec<Model> {
        let model = |(id, category, entity): &(&str, Category, &str)| Model {
            id: (*id).into(),
            category: *category,
            entity: (*entity).into(),
            most: 1.0,
            severity: None,
        };
        KNOWN.iter().map(model).collect()
    }
}

/// Those in force, with what they are to let pass.
#[derive(Clone, Debug, Default)]
pub struct Models(Vec<(Model, Excused)>);

#[derive(Clone, Debug)]
struct Excused {
    patterns: Vec<Regex>,
    /// Of attacks, whose spans have no exact ends.
    wordings: Vec<String>,
}

impl Models {
    pub(super) fn new(models: &[Model], allowlist: &Allowlist) -> Self {
        let view = |model: &Model| if model.category.is_sensitive() { ViewKind::Text } else { ViewKind::Words };
        let excused = |model: &Model| Excused {
            patterns: allowlist.patterns(&model.id, &model.entity, model.category, view(model)),
            wordings: allowlist.wordings(&model.id, &model.entity, model.category),
        };
        Models(models.iter().map(|model| (model.clone(), excused(model))).collect())
    }

    /// Whether any whose id begins with `prefix` is in force, so that it is worth running.
    pub fn any(&self, prefix: &str) -> bool {
        self.0.iter().any(|(model, _)| model.id.starts_with(prefix))
    }

    /// What the attack model finds, as far as it is in force.
    pub(super) fn attacks(&self) -> impl Iterator<Item = &Model> {
        self.0.iter().map(|(model, _)| model).filter(|model| !model.category.is_sensitive())
    }

    /// What is left of a model's finding in `text`: nothing if its kind is switched off or its span allowed.
    pub fn admit(&self, mut finding: Finding, text: &str) -> Option<Finding> {
        let (model, excused) = self.0.iter().find(|(model, _)| model.id == finding.rule)?;
        let span = text.get(finding.span.start..finding.span.end).unwrap_or_default();
        if excused.covers(finding.category, span) {
            return None;
        }
        finding.confidence = finding.confidence.min(model.most);
        finding.severity = model.severity.unwrap_or(finding.severity);
        Some(finding)
    }
}

impl Excused {
    /// Of a wording, what is let pass must be most of the span: beside an attack it excuses nothing.
    fn covers(&self, category: Category, span: &str) -> bool {
        if category.is_sensitive() || self.patterns.is_empty() {
            return self.patterns.iter().any(|pattern| pattern.is_match(span.as_bytes()));
        }
        let folded = fold::words(span);
        let words = folded.text().trim_end_matches(['.', ' ']);
        let most = |found: usize| found * 2 > words.len();
        let found = |pattern: &Regex| pattern.find(words.as_bytes()).is_some_and(|found| most(found.len()));
        let said = |wording: &String| wording.contains(words) || words.contains(&**wording) && most(wording.len());
        self.patterns.iter().any(found) || self.wordings.iter().any(said)
    }
}

const KNOWN: &[(&str, Category, &str)] = &[
    ("pii.model.person", Category::Pii, "PERSON"),
    ("pii.model.location", Category::Pii, "LOCATION"),
    ("pii.model.address", Category::Pii, "ADDRESS"),
    ("pii.model.organization", Category::Pii, "ORGANIZATION"),
    ("pii.model.nationality", Category::Pii, "NRP"),
    ("pii.model.date_time", Category::Pii, "DATE_TIME"),
    ("model.injection", Category::Injection, "injection"),
    ("model.jailbreak", Category::Jailbreak, "jailbreak"),
    ("model.prompt_extraction", Category::PromptExtraction, "prompt_extraction"),
    ("model.malicious_code", Category::MaliciousCode, "malicious_code"),
];

#[cfg(test)]
mod tests {
    use super::super::{Adjustment, Class, RuleSet, Scanner};
    use super::*;
    use crate::text::Span;

    #[test]
    fn a_models_finding_is_let_pass_lowered_or_dropped_as_its_id_says() {
        let allow = r#"
            [[allow]]
            id = "allow.us"
            values = ["Acme Corp"]
            rules = ["pii.model.*"]
            examples = ["x"]
            negative_examples = ["y"]
        "#;
        let overrides = [
            Adjustment { id: "pii.model.*".to_owned(), confidence: Some(0.5), severity: None },
            Adjustment { id: "pii.model.person".to_owned(), confidence: None, severity: Some(Severity::High) },
        ];
        let rules = RuleSet::with_builtin(&[("x.toml", allow)]).expect("a row");
        let rules = rules.tuned(&["pii.model.location".to_owned()], &overrides).expect("known ids");
        let models = Scanner::compile(&rules).expect("the rules compile").models;
        let text = "Acme Corp, Ann";
        let admitted = |id: &str, start, end, confidence| {
            let (rule, entity, span) = (id.into(), "X".into(), Span::new(start, end));
            let finding = Finding { rule, category: Category::Pii, entity, severity: Severity::Low, confidence, span };
            models.admit(finding, text).map(|finding| (finding.confidence, finding.severity))
        };
        assert_eq!(admitted("pii.model.organization", 0, 9, 0.9), None);
        assert_eq!(admitted("pii.model.organization", 0, 4, 0.9), Some((0.5, Severity::Low)));
        assert_eq!(admitted("pii.model.person", 11, 14, 0.4), Some((0.4, Severity::High)));
        assert_eq!(admitted("pii.model.location", 11, 14, 0.9), None);
        assert!(models.any("pii.model.") && models.any("model.injection") && !models.any("pii.model.location"));
        let alone = Scanner::compile(&RuleSet::parse(&[]).expect("no file")).expect("nothing to compile");
        assert!(!alone.models.any(""), "rules alone have no models beside them");
    }
    #[test]
    fn a_name_the_tagger_finds_is_let_pass_by_its_value_or_with_its_kind() {
        let allow = r#"
            [[allow]]
            id = "allow.maria"
            values = ["Maria Kowalczyk"]
            entities = ["PERSON"]
            examples = ["My name is «Maria Kowalczyk» and I live in Rotterdam."]
            negative_examples = ["My name is «Agata Kowalczyk» and I live in Rotterdam."]
        "#;
        let rules = RuleSet::with_builtin(&[("x.toml", allow)]).expect("a row");
        let ids = |rules: &RuleSet| {
            let mut findings = Vec::new();
            let scanner = Scanner::compile(rules).expect("the rules compile");
            scanner.scan("My name is Maria Kowalczyk and I live in Rotterdam.", 0, Class::Named, &mut findings);
            findings.retain(|finding| finding.category.is_sensitive());
            findings.iter().map(|finding| finding.rule.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(rules.check_allow(&rules.allow()[0]), []);
        assert_eq!(ids(&rules), ["pii.model.location"]);
        assert_eq!(ids(&rules.tuned(&["pii.model.*".to_owned()], &[]).expect("known ids")), [""; 0]);
    }
}
