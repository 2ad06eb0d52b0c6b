//! Placeholders of a request found in its answer. Knows what they stand for; decides nothing about where that may go.

use std::cmp::Reverse;
use std::ops::Range;
use std::sync::Arc;

use crate::policy::Tokens;
use crate::policy::token::{DIGITS, MARK, Original, is_digit};

/// The placeholders of one request, ready to be looked for. They are looked up where the mark that each of them has stands:
/// an automaton of thousands would take many times the memory of the request they are of.
#[derive(Debug)]
pub(super) struct Restorer {
    tokens: Tokens,
    /// Which types of entity there are, the longest first: of two that end alike, a placeholder is one of the longer.
    entities: Vec<Arc<str>>,
    /// Length of the longest.
    longest: usize,
}

/// What has the form of a placeholder.
#[derive(Debug)]
pub(super) enum Found {
    Known(Range<usize>, Original),
    /// Damaged by the model, of another tenant, or no placeholder at all.
    Unknown(Range<usize>),
}

impl Found {
    fn behind(self, offset: usize) -> Self {
        let moved = |span: Range<usize>| span.start + offset..span.end + offset;
        match self {
            Found::Known(span, original) => Found::Known(moved(span), original),
            Found::Unknown(span) => Found::Unknown(moved(span)),
        }
    }

    pub fn span(&self) -> &Range<usize> {
        match self {
            Found::Known(span, _) | Found::Unknown(span) => span,
        }
    }
}

impl Restorer {
    pub fn new(tokens: &Tokens) -> Self {
        let mut entities = tokens.entities().to_vec();
        entities.sort_by_key(|entity| Reverse(entity.len()));
        Restorer { tokens: tokens.clone(), entities, longest: tokens.longest() }
    }

    /// What has the form of a placeholder in this part of the text, in order. None reaches into another: behind the mark stand
    /// small letters and digits, and no type begins with one.
    pub fn find(&self, text: &str, part: Range<usize>) -> Vec<Found> {
        let haystack = &text.as_bytes()[part.clone()];
        let marks = memchr::memmem::find_iter(haystack, MARK.as_bytes());
        let found = marks.filter_map(|at| self.known(haystack, at).or_else(|| alike(haystack, at)));
        found.map(|found| found.behind(part.start)).collect()
    }

    /// The longest placeholder of the request with its mark here.
    fn known(&self, haystack: &[u8], at: usize) -> Option<Found> {
        let from = at + MARK.len();
        let digits = haystack[from..].iter().take(self.longest).take_while(|byte| is_digit(**byte)).count();
        let entities = self.entities.iter().filter(|entity| haystack[..at].ends_with(entity.as_bytes()));
        let mut starts = entities.map(|entity| at - entity.len());
        starts.find_map(|start| {
            let mut spans = (DIGITS..=digits).rev().map(|digits| start..from + digits);
            spans.find_map(|span| {
                let token = std::str::from_utf8(&haystack[span.clone()]).ok()?;
                self.tokens.get(token).map(|original| Found::Known(span, original))
            })
        })
    }

    /// Where the longest end of `text[from..]` begins that a placeholder could go on from; its length if there is none.
    pub fn growing(&self, text: &str, from: usize) -> usize {
        let first = from.max(text.len().saturating_sub(self.longest));
        let could = |at: &usize| text.get(*at..).is_some_and(|end| self.tokens.continues(end));
        (first..text.len()).find(could).unwrap_or(text.len())
    }
}

/// A word with its mark here that has the form of a placeholder, whole or cut short.
fn alike(haystack: &[u8], at: usize) -> Option<Found> {
    let is_entity = |byte: &u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || *byte == b'_';
    let from = at + MARK.len();
    let before = haystack[..at].iter().rev().take_while(|byte| is_entity(byte)).count();
    let digits = haystack[from..].iter().take_while(|byte| is_digit(**byte)).count();
    let is_name = before >= 2 && haystack[at - before].is_ascii_uppercase();
    (is_name && digits >= FEWEST).then(|| Found::Unknown(at - before..from + digits))
}

/// Digits from which on a word is counted as a damaged placeholder.
const FEWEST: usize = 6;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{Mint, TokenKey};

    fn restorer(values: &[&str]) -> (Restorer, Vec<Arc<str>>) {
        let mint = Mint { key: Arc::new(TokenKey::new(&[1; 32], 1)), tenant: "t".into() };
        let mut tokens = Tokens::default();
        let names = values.iter().map(|value| tokens.mint(&mint, &"PIN".into(), value)).collect();
        (Restorer::new(&tokens), names)
    }

    #[test]
    fn known_placeholders_and_those_that_only_look_like_it_are_told_apart() {
        let (restorer, names) = restorer(&["1234", "5678"]);
        let text =
            format!("a {} b{}, EMAIL_ADDRESS_xabcdefghij PIN_xabcdef {} max_xabcdefgh", names[0], names[1], "PIN_xabc");
        let found = restorer.find(&text, 0..text.len());
        let shown: Vec<String> = found
            .iter()
            .map(|found| match found {
                Found::Known(_, original) => original.value.to_string(),
                Found::Unknown(span) => text[span.clone()].to_owned(),
            })
            .collect();
        assert_eq!(shown, ["1234", "5678", "EMAIL_ADDRESS_xabcdefghij", "PIN_xabcdef"]);
    }

    #[test]
    fn a_placeholder_is_found_in_a_longer_word_and_the_longest_of_those_that_fit_counts() {
        let mint = Mint { key: Arc::new(TokenKey::new(&[1; 32], 1)), tenant: "t".into() };
        let mut tokens = Tokens::default();
        let short = tokens.mint(&mint, &"PIN".into(), "1234");
        let original = |value: &str| Original { entity: "PIN".into(), value: value.into() };
        let long = Original { entity: "MY_PIN".into(), value: "9012".into() };
        tokens.extend([(format!("{short}a").into(), original("5678")), (format!("MY_{short}").into(), long)]);
        let restorer = Restorer::new(&tokens);
        for (text, expected) in [
            (format!("{short}"), "1234"),
            (format!("x{short}bcd"), "1234"),
            (format!("A{short}"), "1234"),
            (format!("{short}ab"), "5678"),
            (format!("MY_{short}"), "9012"),
            (format!("MY_{short}a"), "9012"),
        ] {
            let found = restorer.find(&text, 0..text.len());
            assert!(matches!(&found[..], [Found::Known(_, known)] if *known.value == *expected), "{text}: {found:?}");
        }
    }

    #[test]
    fn an_end_waits_as_long_as_a_placeholder_could_go_on_from_it() {
        let (restorer, names) = restorer(&["1234"]);
        let token = &names[0];
        for length in 1..token.len() {
            let text = format!("the PI {}", &token[..length]);
            assert_eq!(restorer.growing(&text, 0), 7, "{text}");
        }
        for text in ["the PIN ", "", "PIN_y", &format!("{token}")] {
            assert_eq!(restorer.growing(text, 0), text.len(), "{text}");
        }
        assert_eq!(restorer.growing("PIN", 2), 3);
    }
}
