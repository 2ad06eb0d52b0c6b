//! What kind of text this is: sentences, words, mood, entities. Closed word lists and patterns, English first, and what the
//! scanner found, names by the tagger among it. No parser; decides nothing.

mod entity;
mod lexicon;
mod mood;
mod segment;

use std::collections::BTreeSet;

pub use entity::{Entity, entities};
pub use lexicon::{TOPICS, topic, topic_words};
pub use mood::{Mood, mood};
pub use segment::{sentences, words};
use unicode_normalization::char::is_combining_mark;

use super::Finding;

/// The features of one text. Counts are exact; moods are heuristics over English word lists.
#[derive(Clone, Debug, PartialEq)]
pub struct Semantics {
    pub sentences: usize,
    pub words: usize,
    /// In characters, combining marks not counted; 0 for a text without words.
    pub avg_word_length: f64,
    pub imperatives: usize,
    pub questions: usize,
    /// Sorted, not overlapping: what the scanner found, then URLs, dates, money, percentages and numbers.
    pub entities: Vec<Entity>,
    /// Names of the `TOPICS` rows of which at least one word occurs, sorted.
    pub topics: Vec<&'static str>,
}

/// `findings` are the scanner's for the same text; only secrets and personal data become entities.
pub fn analyze(text: &str, findings: &[Finding]) -> Semantics {
    let moods: Vec<Mood> = sentences(text).iter().map(|span| mood(&text[span.start..span.end])).collect();
    let (mut count, mut letters) = (0, 0);
    let mut topics = BTreeSet::new();
    for word in words(text) {
        count += 1;
        letters += word.chars().filter(|c| !is_combining_mark(*c)).count();
        topics.extend(topic(word));
    }
    Semantics {
        sentences: moods.len(),
        words: count,
        avg_word_length: if count == 0 { 0.0 } else { letters as f64 / count as f64 },
        imperatives: moods.iter().filter(|mood| **mood == Mood::Imperative).count(),
        questions: moods.iter().filter(|mood| **mood == Mood::Question).count(),
        entities: entities(text, findings),
        topics: topics.into_iter().collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_of_a_small_prompt() {
        let found = analyze("Summarise the report. What is missing? It costs $5.", &[]);
        assert_eq!((found.sentences, found.words, found.imperatives, found.questions), (3, 9, 1, 1));
        assert_eq!(analyze("My password is secret123", &[]).avg_word_length, 5.25);
        assert_eq!(analyze("My password is secret123", &[]).topics, ["credentials"]);
    }

    #[test]
    fn a_text_without_words_has_no_average() {
        assert_eq!(analyze(" … 👍 ", &[]).avg_word_length, 0.0);
        assert_eq!(analyze("", &[]).sentences, 0);
    }

    #[test]
    fn combining_marks_do_not_lengthen_a_word() {
        assert_eq!(analyze("cafe\u{301}", &[]).avg_word_length, 4.0);
    }

    #[test]
    fn no_text_makes_it_quadratic() {
        for unit in [".", "a.", "Dr. ", "\n", "1 ", "ignore, ", "漢", "e.g. ", "a'", "\u{301}", "$1", "?"] {
            let begun = std::time::Instant::now();
            analyze(&unit.repeat(200_000 / unit.len()), &[]);
            assert!(begun.elapsed().as_secs() < 5, "{unit:?}");
        }
    }
}
