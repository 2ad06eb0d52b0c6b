//! Names of persons, places, addresses and organizations, by a small model of the project's own (`models/README.md`).
//! Decides nothing: what is done with a name, the policy says.

mod date;
pub mod gazetteer;
pub mod label;
pub mod model;
pub mod scene;
pub mod token;

use std::sync::{Arc, LazyLock};

pub use label::Kind;
use model::Model;
use scene::Scene;

use super::{Category, Finding, Severity};
use crate::text::Span;

/// A named piece of a text. Holds a span, not the text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tagged {
    pub kind: Kind,
    pub span: Span,
    /// The model's own probability, of the least certain word.
    pub certainty: f32,
}

/// Findings of the rules `pii.model.*` that start at or after `from`. A job title is told apart from names, and is none.
/// A date is one by its form.
pub(super) fn findings(text: &str, from: usize) -> Vec<Finding> {
    let Some(model) = MODEL.as_ref() else { return Vec::new() };
    let scene = Scene::of(text, model.gazetteer());
    let named = named(model, &scene).into_iter().filter(|tagged| tagged.kind != Kind::Title);
    let mut found: Vec<Finding> = named
        .filter_map(|tagged| Some(finding(NAMES.get(tagged.kind as usize)?, tagged.certainty, tagged.span)))
        .collect();
    for span in date::dates(&scene) {
        let at = found.partition_point(|finding| finding.span.end <= span.start);
        if found.get(at).is_none_or(|next| next.span.start >= span.end) {
            found.insert(at, finding(&DATE, 1.0, span));
        }
    }
    found.retain(|finding| finding.span.start >= from);
    found
}

fn finding((rule, entity): &(Arc<str>, Arc<str>), certainty: f32, span: Span) -> Finding {
    Finding {
        rule: rule.clone(),
        category: Category::Pii,
        entity: entity.clone(),
        severity: Severity::Low,
        confidence: LEAST + (MOST - LEAST) * certainty,
        span,
    }
}

/// The entities of a text, in order and without overlap.
pub fn tag(text: &str) -> Vec<Tagged> {
    MODEL.as_ref().map_or_else(Vec::new, |model| tag_with(model, text))
}

/// The same by another model.
pub fn tag_with(model: &Model, text: &str) -> Vec<Tagged> {
    named(model, &Scene::of(text, model.gazetteer()))
}

fn named(model: &Model, scene: &Scene) -> Vec<Tagged> {
    let mut found = Vec::new();
    for segment in scene.segments() {
        let decoded = model.decode(scene.features(segment.clone()));
        let mut open = false;
        for (at, (label, certainty)) in segment.zip(decoded.labels.into_iter().zip(decoded.certainty)) {
            let (kind, span) = (label::kind(label), scene.span(at));
            match (kind, found.last_mut()) {
                (Some((_, false)), Some(Tagged { span: whole, certainty: least, .. })) if open => {
                    (whole.end, *least) = (span.end, least.min(certainty));
                }
                (Some((kind, _)), _) => found.push(Tagged { kind, span, certainty }),
                (None, _) => {}
            }
            open = kind.is_some();
        }
    }
    found
}

static MODEL: LazyLock<Option<Model<'static>>> = LazyLock::new(|| Model::parse(WEIGHTS));
static WEIGHTS: &[u8] = include_bytes!("../../models/tagger.bin");

/// The types of what it finds.
pub fn entities() -> impl Iterator<Item = &'static str> {
    NAMES.iter().chain([&*DATE]).map(|(_, entity)| &**entity)
}

/// What the ids of the rules begin with.
pub(super) const RULES: &str = "pii.model.";
/// Rule id and entity type of each kind.
static NAMES: LazyLock<Vec<(Arc<str>, Arc<str>)>> = LazyLock::new(|| {
    let row = |kind: Kind| (Arc::from(format!("{RULES}{}", kind.name())), Arc::from(kind.entity()));
    Kind::ALL.map(row).into()
});
static DATE: LazyLock<(Arc<str>, Arc<str>)> =
    LazyLock::new(|| (Arc::from(format!("{RULES}date_time")), Arc::from("DATE_TIME")));
/// The confidence of a name the model is not sure of at all, and of one it is sure of.
const LEAST: f32 = 0.3;
const MOST: f32 = 0.7;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn found(text: &str) -> Vec<(&str, &str)> {
        tag(text).into_iter().map(|tagged| (tagged.kind.name(), &text[tagged.span.start..tagged.span.end])).collect()
    }

    #[test]
    fn the_model_is_readable_and_no_other_file_is() {
        assert!(MODEL.is_some());
        assert!(Model::parse(&WEIGHTS[..WEIGHTS.len() - 1]).is_none());
        assert!(Model::parse(b"").is_none());
    }

    #[test]
    fn names_are_told_from_other_capitals() {
        let cases: &[(&str, &[(&str, &str)])] = &[
            (
                "My name is Maria Kowalczyk and I live in Rotterdam.",
                &[("person", "Maria Kowalczyk"), ("location", "Rotterdam")],
            ),
            (
                "Please ship it to 12 Garden Lane, Springfield, IL 62704.",
                &[("address", "12 Garden Lane, Springfield, IL 62704")],
            ),
            ("I work at Brightwater Logistics GmbH.", &[("organization", "Brightwater Logistics GmbH")]),
            ("thanks, jennifer!", &[("person", "jennifer")]),
            ("Write a Python function that sorts a list.", &[]),
            ("The Terms of Service changed. Please read the FAQ.", &[]),
            ("IMPORTANT: DO NOT REPLY", &[]),
            ("today is a good day to learn something new about trees", &[]),
            ("Der Hund und die Katze schlafen im Haus.", &[]),
            ("", &[]),
        ];
        for (text, expected) in cases {
            assert_eq!(&found(text), expected, "{text}");
        }
    }

    #[test]
    fn a_finding_names_its_rule_and_starts_in_its_window() {
        let text = "Maria Kowalczyk met Peter Schmidt.";
        let all = findings(text, 0);
        assert!(all.iter().all(|finding| &*finding.rule == "pii.model.person" && &*finding.entity == "PERSON"));
        assert!(all.iter().all(|finding| (LEAST..=MOST).contains(&finding.confidence)));
        assert_eq!(findings(text, 6), all[1..]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn spans_are_in_order_and_on_character_boundaries(
            words in prop::collection::vec(
                prop_oneof![
                    prop::sample::select(vec!["Anna ", "Müller, ", "12 ", "Street\n", "lives in ", "Łódź", "Ω", "Ltd. "]).prop_map(str::to_owned),
                    any::<String>(),
                ],
                0..12,
            )
        ) {
            let text = words.concat();
            let tagged = tag(&text);
            prop_assert!(tagged.iter().all(|one| text.get(one.span.start..one.span.end).is_some_and(|part| !part.is_empty())));
            prop_assert!(tagged.windows(2).all(|pair| pair[0].span.end <= pair[1].span.start));
            prop_assert!(tagged.iter().all(|one| (0.0..=1.001).contains(&one.certainty)));
        }
    }
}
