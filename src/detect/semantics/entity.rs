//! Entities of a text: what the scanner found, names by the tagger among it, and patterns for URLs, dates, times, money,
//! percentages and numbers. Finds no names itself.

use std::sync::{Arc, LazyLock};

use regex::Regex;

use crate::detect::Finding;
use crate::text::Span;

/// A named piece of the text. Holds a span, not the text.
#[derive(Clone, Debug, PartialEq)]
pub struct Entity {
    /// An entity type of the rules (`EMAIL_ADDRESS`) or a label of `PATTERNS`.
    pub label: Arc<str>,
    pub span: Span,
}

/// Sorted and not overlapping. A finding beats a pattern, an earlier pattern a later one.
pub fn entities(text: &str, findings: &[Finding]) -> Vec<Entity> {
    let found = findings.iter().filter(|finding| finding.category.is_sensitive());
    let mut taken: Vec<Entity> = found.map(|f| Entity { label: f.entity.clone(), span: f.span }).collect();
    taken.sort_by_key(|entity| entity.span);
    taken.dedup_by(|next, kept| next.span.overlaps(kept.span));
    for (label, regex) in PATTERNS.iter() {
        let hits =
            regex.find_iter(text).map(|hit| Entity { label: label.clone(), span: Span::new(hit.start(), hit.end()) });
        taken = merge(taken, hits);
    }
    taken
}

/// Adds what overlaps nothing that is there. Both sides are sorted and free of overlaps.
fn merge(taken: Vec<Entity>, hits: impl Iterator<Item = Entity>) -> Vec<Entity> {
    let mut merged: Vec<Entity> = Vec::with_capacity(taken.len());
    let mut taken = taken.into_iter().peekable();
    for hit in hits {
        while let Some(earlier) = taken.next_if(|entity| entity.span.start < hit.span.end) {
            merged.push(earlier);
        }
        if merged.last().is_none_or(|last| !last.span.overlaps(hit.span)) {
            merged.push(hit);
        }
    }
    merged.extend(taken);
    merged
}

static PATTERNS: LazyLock<Vec<(Arc<str>, Regex)>> = LazyLock::new(|| {
    // The patterns are constants and the tests below run each of them: one that does not compile never ships.
    SOURCES.iter().filter_map(|(label, source)| Some((Arc::from(*label), Regex::new(source).ok()?))).collect()
});

/// Labels as in OntoNotes, except `URL` and `DATE_TIME`, which the rules have.
const SOURCES: &[(&str, &str)] = &[
    ("URL", r#"(?i)\b(?:https?|ftp|wss?)://[^\s<>"'`]*[^\s<>"'`.,;:!?)\]}]"#),
    ("DATE_TIME", r"(?-u)\b\d{4}-\d{2}-\d{2}\b"),
    ("DATE_TIME", r"(?-u)\b\d{1,2}[./]\d{1,2}[./](?:\d{4}|\d{2})\b"),
    (
        "DATE_TIME",
        r"(?i-u)\b(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]{0,6}\.? \d{1,2}(?:st|nd|rd|th)?(?:,? \d{4})?\b",
    ),
    (
        "DATE_TIME",
        r"(?i-u)\b\d{1,2}(?:st|nd|rd|th)? (?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]{0,6}\.?(?:,? \d{4})?\b",
    ),
    ("DATE_TIME", r"(?i-u)\b(?:today|tomorrow|yesterday|(?:mon|tues|wednes|thurs|fri|satur|sun)day)\b"),
    ("TIME", r"(?i-u)\b\d{1,2}:\d{2}(?::\d{2})?(?: ?[ap]\.?m\b)?|\b\d{1,2} ?[ap]m\b"),
    ("MONEY", r"(?i)[$€£¥₹] ?\d[\d,]*(?:\.\d+)?(?: ?(?:k|m|bn|thousand|million|billion)\b)?"),
    ("MONEY", r"(?i-u)\b\d[\d,]*(?:\.\d+)? ?(?:usd|eur|gbp|jpy|inr|chf|cad|aud|dollars?|euros?|pounds?|yen)\b"),
    ("PERCENT", r"(?i-u)\b\d[\d,]*(?:\.\d+)?(?:%| ?percent\b)"),
    ("CARDINAL", r"(?-u)\b\d[\d,]*(?:\.\d+)?\b"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::{Category, Severity};

    fn labels(text: &str, findings: &[Finding]) -> Vec<(String, String)> {
        let name = |entity: Entity| (entity.label.to_string(), text[entity.span.start..entity.span.end].to_owned());
        entities(text, findings).into_iter().map(name).collect()
    }

    #[test]
    fn every_pattern_compiles() {
        assert_eq!(PATTERNS.len(), SOURCES.len());
    }

    #[test]
    fn patterns_name_what_they_find() {
        let cases: &[(&str, &[(&str, &str)])] = &[
            ("see https://example.com/a?b=1.", &[("URL", "https://example.com/a?b=1")]),
            ("on 2024-01-05 or January 5, 2024", &[("DATE_TIME", "2024-01-05"), ("DATE_TIME", "January 5, 2024")]),
            ("5th March at 10:30 pm", &[("DATE_TIME", "5th March"), ("TIME", "10:30 pm")]),
            ("$1,200.50 and 30 euros, 12%", &[("MONEY", "$1,200.50"), ("MONEY", "30 euros"), ("PERCENT", "12%")]),
            ("3 of 4", &[("CARDINAL", "3"), ("CARDINAL", "4")]),
            ("abc123 plain", &[]),
        ];
        for (text, expected) in cases {
            let expected: Vec<_> = expected.iter().map(|(l, t)| (l.to_string(), t.to_string())).collect();
            assert_eq!(labels(text, &[]), expected, "{text}");
        }
    }

    #[test]
    fn a_finding_beats_a_pattern_and_attacks_are_no_entities() {
        let finding = |category, entity: &str, start, end| Finding {
            rule: "test.rule".into(),
            category,
            entity: entity.into(),
            severity: Severity::High,
            confidence: 0.9,
            span: Span::new(start, end),
        };
        let findings = [finding(Category::Pii, "US_SSN", 3, 14), finding(Category::Injection, "injection", 0, 14)];
        assert_eq!(
            labels("is 078-05-1120 and 7", &findings),
            [("US_SSN".to_owned(), "078-05-1120".to_owned()), ("CARDINAL".to_owned(), "7".to_owned())]
        );
    }
}
