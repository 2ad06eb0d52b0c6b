//! One labelled line of JSON. Knows the two formats; judges nothing, and repeats no text in an error.

use std::ops::Range;

use serde::{Deserialize, Deserializer};

/// A text and what is known of it.
#[derive(Clone, Debug)]
pub struct Row {
    pub id: String,
    pub text: String,
    pub known: Known,
}

/// What the author of a row says about it.
#[derive(Clone, Debug)]
pub enum Known {
    /// A prompt with a label.
    Prompt { family: String, category: String, attack: bool, english: bool, expected: Option<String> },
    /// A document with every sensitive span it has, or with an expectation for the whole of it.
    Document { file: String, spans: Option<Vec<Gold>>, expected: Option<String> },
}

/// A labelled span in Unicode code points.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gold {
    pub range: Range<usize>,
    pub entity: String,
}

/// What is wrong with a line, without the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RowError {
    #[error("not a JSON object with string values `id` and `text`")]
    NoObject,
    #[error("neither a prompt (family, label attack or benign, category) nor a document (spans)")]
    NoFormat,
    #[error("a span does not lie inside the text")]
    Outside,
}

#[derive(Deserialize)]
struct Line {
    id: String,
    text: String,
    family: Option<String>,
    label: Option<Label>,
    category: Option<String>,
    lang: Option<String>,
    expected: Option<String>,
    #[serde(default, deserialize_with = "present")]
    spans: Option<Option<Vec<Place>>>,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum Label {
    Attack,
    Benign,
}

#[derive(Deserialize)]
struct Place {
    start: usize,
    end: usize,
    #[serde(rename = "type")]
    entity: String,
}

/// Tells `"spans": null` from no `spans` at all.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<Vec<Place>>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

impl Row {
    /// `file` names where a document without a family of its own comes from.
    ///
    /// # Errors
    /// The line fits neither format.
    pub fn parse(line: &str, file: &str) -> Result<Self, RowError> {
        let line: Line = serde_json::from_str(line).map_err(|_| RowError::NoObject)?;
        let length = line.text.chars().count();
        let known = match (line.family, line.label, line.category, line.spans) {
            (Some(family), Some(label), Some(category), _) => Known::Prompt {
                family,
                category,
                attack: label == Label::Attack,
                english: line.lang.is_none_or(|lang| lang == "en"),
                expected: line.expected,
            },
            (_, _, _, Some(spans)) => {
                let spans = spans.map(|spans| spans.into_iter().map(|place| place.inside(length)).collect());
                Known::Document { file: file.to_owned(), spans: spans.transpose()?, expected: line.expected }
            }
            _ => return Err(RowError::NoFormat),
        };
        Ok(Row { id: line.id, text: line.text, known })
    }
}

impl Place {
    fn inside(self, length: usize) -> Result<Gold, RowError> {
        let fits = self.start <= self.end && self.end <= length;
        fits.then_some(Gold { range: self.start..self.end, entity: self.entity }).ok_or(RowError::Outside)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_formats_are_read_and_nothing_else_is() {
        let prompt = r#"{"id":"1","text":"x","family":"f","label":"attack","category":"injection","lang":"fr"}"#;
        let row = Row::parse(prompt, "a").expect("a prompt");
        assert!(matches!(row.known, Known::Prompt { attack: true, english: false, .. }));
        let document = r#"{"id":"1","text":"é b","spans":[{"start":2,"end":3,"type":"PERSON","subtype":"x"}]}"#;
        let Known::Document { spans: Some(spans), .. } = Row::parse(document, "a").expect("a document").known else {
            panic!("spans")
        };
        assert_eq!(spans, [Gold { range: 2..3, entity: "PERSON".to_owned() }]);
        let whole = r#"{"id":"1","text":"x","spans":null,"expected":"Sanitize"}"#;
        assert!(matches!(Row::parse(whole, "a").expect("a document").known, Known::Document { spans: None, .. }));
        for (wrong, error) in [
            ("", RowError::NoObject),
            (r#"{"id":1,"text":"x"}"#, RowError::NoObject),
            (r#"{"id":"1","text":"x"}"#, RowError::NoFormat),
            (r#"{"id":"1","text":"x","family":"f","label":"bad","category":"c"}"#, RowError::NoObject),
            (r#"{"id":"1","text":"é","spans":[{"start":0,"end":2,"type":"A"}]}"#, RowError::Outside),
        ] {
            assert_eq!(Row::parse(wrong, "a").expect_err(wrong), error);
        }
    }
}
