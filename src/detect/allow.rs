//! Allowlists as data: what rules find and an operator knows to be harmless. Finds nothing itself.

use regex::bytes::Regex;
use serde::Deserialize;

use super::Category;
use super::compiled::build;
use super::rule::{RuleProblem, ViewKind};
use super::tuning::names;
use crate::text::fold;

/// One row of `[[allow]]`: a finding whose span it matches is none.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Allow {
    pub id: String,
    /// Over the span, anywhere in it. For rules about wording the span is lower-case words with single spaces.
    regex: Option<String>,
    /// Whole spans.
    #[serde(default)]
    values: Vec<String>,
    /// Ids of rules, `prefix*` for all that begin so. Of these three lists an empty one sets no limit.
    #[serde(default)]
    pub rules: Vec<String>,
    #[serde(default)]
    pub entities: Vec<String>,
    #[serde(default)]
    categories: Vec<Category>,
    /// Texts in which something is found without this row and nothing with it; `«»` marks what.
    pub examples: Vec<String>,
    /// Texts in which something is found all the same.
    pub negative_examples: Vec<String>,
}

impl Allow {
    pub fn problems(&self) -> Vec<RuleProblem> {
        let checks = [
            (self.regex.is_none() && self.values.is_empty(), "needs a regex or values"),
            (self.values.iter().any(String::is_empty), "a value is empty"),
            (self.examples.is_empty(), "needs an example"),
            (self.negative_examples.is_empty(), "needs a negative example"),
        ];
        let wrong = checks.into_iter().filter(|(wrong, _)| *wrong);
        wrong.map(|(_, text)| RuleProblem { rule: self.id.clone(), problem: text.to_owned() }).collect()
    }

    /// Whether it is about what the detector `id` finds.
    pub fn concerns(&self, id: &str, entity: &str, category: Category) -> bool {
        let empty_or = |list: &[String], holds: &dyn Fn(&String) -> bool| list.is_empty() || list.iter().any(holds);
        empty_or(&self.rules, &|own| names(own, id))
            && empty_or(&self.entities, &|own| own == entity)
            && (self.categories.is_empty() || self.categories.contains(&category))
    }

    /// The regex, and one for all values, as they look in a reading of the text.
    fn sources(&self, view: ViewKind) -> impl Iterator<Item = String> {
        let values = self.values.iter().map(|value| match view {
            ViewKind::Text => regex::escape(value),
            ViewKind::Words => regex::escape(fold::words(value).text()),
        });
        let values = (!self.values.is_empty()).then(|| format!(r"\A(?:{})\z", values.collect::<Vec<_>>().join("|")));
        self.regex.clone().into_iter().chain(values)
    }
}

/// All rows, compiled once however many rules they concern.
pub(super) struct Allowlist<'a> {
    rows: Vec<(&'a Allow, [Vec<Regex>; 2])>,
}

impl<'a> Allowlist<'a> {
    pub fn compile(rows: &'a [Allow]) -> Result<Self, Vec<RuleProblem>> {
        let (mut compiled, mut problems) = (Vec::new(), Vec::new());
        for row in rows {
            let of_view = |view| row.sources(view).map(|source| build(&source)).collect::<Result<Vec<_>, _>>();
            match of_view(ViewKind::Text).and_then(|text| Ok([text, of_view(ViewKind::Words)?])) {
                Ok(patterns) => compiled.push((row, patterns)),
                Err(error) => {
                    problems.push(RuleProblem { rule: row.id.clone(), problem: format!("regex: {error}") });
                }
            }
        }
        if problems.is_empty() { Ok(Allowlist { rows: compiled }) } else { Err(problems) }
    }

    /// Whole wordings that the detector `id` is to let pass, folded.
    pub fn wordings(&self, id: &str, entity: &str, category: Category) -> Vec<String> {
        let concerned = self.rows.iter().filter(|(row, _)| row.concerns(id, entity, category));
        concerned.flat_map(|(row, _)| &row.values).map(|value| fold::words(value).text().to_owned()).collect()
    }

    /// What a span that the detector `id` finds is let pass for.
    pub fn patterns(&self, id: &str, entity: &str, category: Category, view: ViewKind) -> Vec<Regex> {
        let concerned = self.rows.iter().filter(|(row, _)| row.concerns(id, entity, category));
        concerned.flat_map(|(_, [text, words])| if view == ViewKind::Text { text } else { words }).cloned().collect()
    }
}
