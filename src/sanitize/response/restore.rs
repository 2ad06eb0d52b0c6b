//! Placeholders of a request found in its answer. Knows what they stand for; decides nothing about where that may go.

use std::ops::Range;
use std::sync::Arc;

use aho_corasick::{AhoCorasick, MatchKind};

use crate::policy::Tokens;
use crate::policy::token::{Original, is_digit};

/// The placeholders of one request, ready to be looked for.
#[derive(Debug)]
pub(super) struct Restorer {
    tokens: Vec<(Arc<str>, Original)>,
    finder: Option<AhoCorasick>,
}

/// What has the form of a placeholder.
#[derive(Debug)]
pub(super) enum Found<'r> {
    Known(Range<usize>, &'r Original),
    /// Damaged by the model, of another tenant, or no placeholder at all.
    Unknown(Range<usize>),
}

impl Found<'_> {
    pub fn span(&self) -> &Range<usize> {
        match self {
            Found::Known(span, _) | Found::Unknown(span) => span,
        }
    }
}

impl Restorer {
    pub fn new(tokens: &Tokens) -> Self {
        let mut tokens: Vec<_> = tokens.iter().map(|(token, original)| (token.clone(), original.clone())).collect();
        tokens.sort_by(|a, b| a.0.cmp(&b.0));
        let names = || tokens.iter().map(|(token, _)| token.as_bytes());
        let build = || AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(names());
        // Most requests hold none, and even an empty automaton takes longer to build than a request to pass. It only fails for
        // more placeholders than a body can hold; then none is found, and none is lost.
        let finder = if tokens.is_empty() { None } else { build().ok() };
        Restorer { finder, tokens }
    }

    /// What has the form of a placeholder in this part of the text, in order.
    pub fn find(&self, text: &str, part: Range<usize>) -> Vec<Found<'_>> {
        let haystack = &text.as_bytes()[part.clone()];
        if memchr::memmem::find(haystack, b"_x").is_none() {
            return Vec::new();
        }
        let known = self.finder.iter().flat_map(|finder| finder.find_iter(haystack)).filter_map(|found| {
            let (_, original) = self.tokens.get(found.pattern().as_usize())?;
            Some(Found::Known(part.start + found.start()..part.start + found.end(), original))
        });
        let mut all: Vec<Found> = known.collect();
        let unknown = alike(haystack, part.start);
        let free = |span: &Range<usize>| {
            let at = all.partition_point(|known| known.span().end <= span.start);
            all.get(at).is_none_or(|known| known.span().start >= span.end)
        };
        let unknown: Vec<_> = unknown.filter(free).map(Found::Unknown).collect();
        if !unknown.is_empty() {
            all.extend(unknown);
            all.sort_by_key(|found| found.span().start);
        }
        all
    }

    /// Where the longest end of `text[from..]` begins that a placeholder could go on from; its length if there is none.
    pub fn growing(&self, text: &str, from: usize) -> usize {
        let longest = self.tokens.iter().map(|(token, _)| token.len()).max().unwrap_or_default();
        let first = from.max(text.len().saturating_sub(longest));
        let could = |at: &usize| {
            let end = &text.as_bytes()[*at..];
            let next = self.tokens.partition_point(|(token, _)| token.as_bytes() <= end);
            self.tokens.get(next).is_some_and(|(token, _)| token.as_bytes().starts_with(end))
        };
        (first..text.len()).find(could).unwrap_or(text.len())
    }
}

/// Words with the form of a placeholder, whole or cut short.
fn alike(haystack: &[u8], base: usize) -> impl Iterator<Item = Range<usize>> {
    let is_entity = |byte: &u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || *byte == b'_';
    memchr::memmem::find_iter(haystack, b"_x").filter_map(move |at| {
        let before = haystack[..at].iter().rev().take_while(|byte| is_entity(byte)).count();
        let digits = haystack[at + 2..].iter().take_while(|byte| is_digit(**byte)).count();
        let is_name = before >= 2 && haystack[at - before].is_ascii_uppercase();
        (is_name && digits >= FEWEST).then(|| base + at - before..base + at + 2 + digits)
    })
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
        let names = values.iter().map(|value| tokens.mint(&mint, &"PIN".into(), *value)).collect();
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
