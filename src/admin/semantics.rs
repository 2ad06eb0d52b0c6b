//! Semantic features as responses show them, with the text of each entity. Finds nothing itself.

use schemars::JsonSchema;
use serde::Serialize;

use crate::detect::Finding;
use crate::detect::semantics::analyze;

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct SemanticFeatures {
    sentence_count: usize,
    word_count: usize,
    /// In characters; 0 without words.
    avg_word_length: f64,
    imperative_sentences: usize,
    question_sentences: usize,
    /// At most the first 1,000: secrets, personal data and names, URLs, dates, times, money, percentages, numbers.
    entities: Vec<EntityText>,
    /// Fields of meaning (`credentials`, `finance`, ...) of which at least one word occurs.
    topics: Vec<&'static str>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct EntityText {
    text: String,
    label: String,
}

impl SemanticFeatures {
    /// `findings` are the scanner's for the same text.
    pub(super) fn of(text: &str, findings: &[Finding]) -> Self {
        let found = analyze(text, findings);
        let entities = found.entities.iter().take(MAX_ENTITIES).map(|entity| EntityText {
            text: text.get(entity.span.start..entity.span.end).unwrap_or_default().to_owned(),
            label: entity.label.to_string(),
        });
        SemanticFeatures {
            sentence_count: found.sentences,
            word_count: found.words,
            avg_word_length: found.avg_word_length,
            imperative_sentences: found.imperatives,
            question_sentences: found.questions,
            entities: entities.collect(),
            topics: found.topics,
        }
    }
}

/// So that an answer is never many times larger than its question.
const MAX_ENTITIES: usize = 1000;
