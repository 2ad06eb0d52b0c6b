//! What a caller sent, as far as it takes to tell his own data from what a model made up: words with a digit or an `@`, and
//! which of them followed each other. Holds hashes, never text.

use std::collections::HashSet;
use std::fmt;
use std::hash::{BuildHasher, RandomState};

/// See the module. Its `Debug` tells how many.
#[derive(Clone, Default)]
pub struct Sent {
    hashes: HashSet<u64>,
    /// The word read last.
    last: Option<u64>,
}

/// What of one request is remembered. Later words are not: what a model makes of them is masked.
const MOST: usize = 65_536;

impl fmt::Debug for Sent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sent({})", self.hashes.len())
    }
}

impl Sent {
    /// Reads what comes next of the caller's text.
    pub(super) fn read(&mut self, text: &str, state: &RandomState) {
        for word in words(text) {
            if self.hashes.len() >= MOST {
                return;
            }
            let hash = state.hash_one(word);
            self.hashes.insert(hash);
            if let Some(last) = self.last.replace(hash) {
                self.hashes.insert(state.hash_one((last, hash)));
            }
        }
    }

    /// Another text begins: its first word follows none.
    pub(super) fn pause(&mut self) {
        self.last = None;
    }

    /// Whether all that identifies anything in the text was sent, in this order. Nothing does without a digit or an `@`.
    pub(super) fn holds(&self, text: &str, state: &RandomState) -> bool {
        let mut last = None;
        for word in words(text) {
            let hash = state.hash_one(word);
            let follows = last.is_none_or(|last| self.hashes.contains(&state.hash_one((last, hash))));
            if !follows || !self.hashes.contains(&hash) {
                return false;
            }
            last = Some(hash);
        }
        last.is_some()
    }
}

/// Words that could identify somebody or something, without the punctuation around them.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '@' | '.' | '_' | '+' | '-' | '%');
    let words = text.split(move |c| !is_part(c)).map(|word| word.trim_matches(|c: char| !c.is_alphanumeric()));
    words.filter(|word| word.bytes().any(|byte| byte.is_ascii_digit() || byte == b'@'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sent_is_known_again_and_nothing_else_is() {
        let (state, mut sent) = (RandomState::new(), Sent::default());
        sent.read("Born 1985-03-12, phone 415 555 0132 (mail jane@corp.io).", &state);
        sent.pause();
        sent.read("0199 is the pin", &state);
        for (text, expected) in [
            ("1985-03-12", true),
            ("on 1985-03-12.", true),
            ("415 555 0132", true),
            ("jane@corp.io", true),
            ("555 415 0132", false),
            ("415 0132", false),
            ("1985-03-13", false),
            ("bob@corp.io", false),
            ("jane@corp.io 0199", false),
            ("phone", false),
            ("", false),
        ] {
            assert_eq!(sent.holds(text, &state), expected, "{text}");
        }
    }

    #[test]
    fn no_more_is_remembered_than_the_limit() {
        let (state, mut sent) = (RandomState::new(), Sent::default());
        sent.read(&(0..MOST).map(|number| format!("{number} ")).collect::<String>(), &state);
        assert!(sent.hashes.len() <= MOST + 1);
    }
}
