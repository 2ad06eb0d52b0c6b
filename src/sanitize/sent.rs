//! What a caller sent, as far as it takes to tell his own data from what a model made up: words with a digit or an `@`, and
//! which of them followed each other. Holds hashes, never text.

use std::collections::HashSet;
use std::fmt;
use std::hash::{BuildHasher, Hash};
use std::sync::{Arc, OnceLock};

use foldhash::{fast, quality::RandomState};

use super::recall::Seen;

/// See the module. Its `Debug` tells how many.
#[derive(Clone, Default)]
pub struct Sent {
    /// Shared with its copies until one of them reads more.
    noted: Arc<Noted>,
    /// The word read last.
    last: Option<u64>,
    /// All that was read of the text so far, unless that is a lot.
    text: Vec<u64>,
}

/// Hashes of words. Most are never asked for, so they are put in order only when one is.
#[derive(Clone, Default)]
struct Noted {
    /// As they came, some of them several times.
    listed: Vec<u64>,
    table: OnceLock<HashSet<u64, fast::RandomState>>,
}

/// What of one request is remembered: as many as a table of 65,536 places takes, which is half a megabyte. Later words are not:
/// what a model makes of them is masked.
const MOST: usize = 57_344;
/// As many are listed, which is a megabyte: a body of four has fewer.
const LISTED: usize = 131_072;
/// What of one text is told.
const MOST_OF_TEXT: usize = 1024;

impl fmt::Debug for Sent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = self.noted.table.get().map_or(self.noted.listed.len(), HashSet::len);
        write!(f, "Sent({known})")
    }
}

impl Noted {
    fn note(&mut self, hash: u64) {
        if self.table.get().is_none() && self.listed.len() < LISTED {
            self.listed.push(hash);
            return;
        }
        self.table();
        self.listed = Vec::new();
        if let Some(table) = self.table.get_mut().filter(|table| table.len() < MOST) {
            table.insert(hash);
        }
    }

    /// Each of them once, up to the limit.
    fn table(&self) -> &HashSet<u64, fast::RandomState> {
        self.table.get_or_init(|| {
            let mut table = HashSet::with_capacity_and_hasher(self.listed.len().min(MOST), Default::default());
            for hash in &self.listed {
                if table.len() == MOST {
                    break;
                }
                table.insert(*hash);
            }
            table
        })
    }

    fn is_full(&self) -> bool {
        self.table.get().is_some_and(|table| table.len() >= MOST)
    }
}

impl Sent {
    /// Reads what comes next of the caller's text.
    pub(super) fn read(&mut self, text: &str, state: &RandomState) {
        for word in words(text) {
            if self.noted.is_full() && self.text.len() > MOST_OF_TEXT {
                return;
            }
            let hash = hash_of(state, word);
            self.note(hash);
            if let Some(last) = self.last.replace(hash) {
                self.note(hash_of(state, (last, hash)));
            }
        }
    }

    fn note(&mut self, hash: u64) {
        Arc::make_mut(&mut self.noted).note(hash);
        if self.text.len() <= MOST_OF_TEXT {
            self.text.push(hash);
        }
    }

    /// What there is in the text so far, whether or not there was room for it, unless it is a lot: for `recall`.
    pub(super) fn of_text(&self) -> Option<&[u64]> {
        (self.text.len() <= MOST_OF_TEXT).then_some(&self.text)
    }

    /// A whole text comes of which this was noted before.
    pub(super) fn recall(&mut self, noted: &[u64]) {
        if noted.is_empty() || self.noted.is_full() {
            return;
        }
        let all = Arc::make_mut(&mut self.noted);
        noted.iter().for_each(|hash| all.note(*hash));
    }

    /// Another text begins: its first word follows none.
    pub(super) fn pause(&mut self) {
        self.last = None;
        self.text.clear();
    }

    /// Whether all that identifies anything in the text was sent, in this order. Nothing does without a digit or an `@`.
    pub(super) fn holds(&self, text: &str, state: &RandomState) -> bool {
        let (hashes, mut last) = (self.noted.table(), None);
        for word in words(text) {
            let hash = hash_of(state, word);
            let follows = last.is_none_or(|last| hashes.contains(&hash_of(state, (last, hash))));
            if !follows || !hashes.contains(&hash) {
                return false;
            }
            last = Some(hash);
        }
        last.is_some()
    }
}

/// By a keyed hash, of as many bits as a cache keeps: among all that is remembered another word has it once in billions.
fn hash_of(state: &RandomState, word: impl Hash) -> u64 {
    state.hash_one(word) >> (u64::BITS - Seen::WORD)
}

/// Words that could identify somebody or something, without the punctuation around them.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '@' | '.' | '_' | '+' | '-' | '%');
    let mut after = 0;
    std::iter::from_fn(move || {
        loop {
            let sign = next_sign(text.as_bytes(), after)?;
            let (before, behind) = (&text[after..sign], &text[sign..]);
            let start = sign - before.chars().rev().take_while(|c| is_part(*c)).map(char::len_utf8).sum::<usize>();
            let end = behind.find(|c| !is_part(c)).map_or(text.len(), |length| sign + length);
            after = end;
            let word = text[start..end].trim_matches(|c: char| !c.is_alphanumeric());
            if word.bytes().any(is_sign) {
                return Some(word);
            }
        }
    })
}

/// The next digit or `@`. Most text has none, and most of it is passed over without a branch a byte.
fn next_sign(bytes: &[u8], from: usize) -> Option<usize> {
    let rest = bytes.get(from..)?;
    let without = |stretch: &&[u8; STRETCH]| !stretch.iter().fold(false, |any, byte| any | is_sign(*byte));
    let plain = rest.as_chunks::<STRETCH>().0.iter().take_while(without).count() * STRETCH;
    rest[plain..].iter().position(|byte| is_sign(*byte)).map(|offset| from + plain + offset)
}

fn is_sign(byte: u8) -> bool {
    byte.is_ascii_digit() | (byte == b'@')
}

const STRETCH: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sent_is_known_again_and_nothing_else_is() {
        let (state, mut sent) = (RandomState::default(), Sent::default());
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
    fn words_with_a_sign_are_found_wherever_they_stand() {
        let long = "x".repeat(70);
        for (text, expected) in [
            ("a b2 c", &["b2"] as &[&str]),
            ("(jane@corp.io), 7.", &["jane@corp.io", "7"]),
            ("@ @home 1@ é1é-2 ¹", &["1", "é1é-2"]),
            ("3", &["3"]),
            ("no sign at all", &[]),
            (&format!("{long} {long}9 {long}"), &[&format!("{long}9")]),
        ] {
            assert_eq!(words(text).collect::<Vec<_>>(), expected, "{text}");
        }
    }

    #[test]
    fn no_more_is_remembered_than_the_limit() {
        let (state, mut sent) = (RandomState::default(), Sent::default());
        sent.read(&(0..LISTED).map(|number| format!("{number} ")).collect::<String>(), &state);
        assert_eq!(sent.noted.table().len(), MOST);
        assert!(sent.of_text().is_none());
        sent.pause();
        sent.read("room 101 at 9", &state);
        assert_eq!(sent.of_text().map(<[u64]>::len), Some(3), "two words, and that one follows the other");
        sent.recall(&[7]);
        assert_eq!(sent.noted.table().len(), MOST);
    }
}
