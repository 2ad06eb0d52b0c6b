//! Features of a text: hashes of its words, of parts of words and of words that stand together. Knows no weights.

use crate::text::Span;
use crate::text::words::Word;

/// Hashes of the features that end with one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    pub word: u64,
    /// With the word before it; with the two before it; with the one before the word before.
    pub chains: [u64; 3],
    /// The word stood among the last `MEMORY` already, and so did the pair; then the chains count for nothing.
    pub word_again: bool,
    pub pair_again: bool,
}

/// Turns words into positions, in constant memory.
#[derive(Clone, Debug)]
pub struct Chain {
    before: u64,
    before_that: u64,
    /// What is said over and over counts once.
    words: Recent,
    pairs: Recent,
}

/// A ring of the last hashes.
#[derive(Clone, Debug)]
struct Recent {
    hashes: [u64; MEMORY],
    /// How many of them have each low byte: nearly always that says that there is none.
    counts: [u8; 1 << 8],
    at: usize,
}

impl Recent {
    const EMPTY: Recent = {
        let mut counts = [0; 1 << 8];
        counts[0] = MEMORY as u8;
        Recent { hashes: [0; MEMORY], counts, at: 0 }
    };

    /// Whether the hash is among the last ones; it is from now on.
    #[inline(always)]
    fn replace(&mut self, hash: u64) -> bool {
        let likely = self.counts[usize::from(hash as u8)] > 0;
        let known = likely && self.hashes.contains(&hash);
        let oldest = std::mem::replace(&mut self.hashes[self.at], hash);
        self.counts[usize::from(oldest as u8)] -= 1;
        self.counts[usize::from(hash as u8)] += 1;
        self.at = if self.at + 1 == MEMORY { 0 } else { self.at + 1 };
        known
    }
}

/// How far back a repetition is noticed.
const MEMORY: usize = 24;

impl Default for Chain {
    /// A text begins as a sentence does.
    fn default() -> Self {
        Chain { before: STOP, before_that: STOP, words: Recent::EMPTY, pairs: Recent::EMPTY }
    }
}

impl Chain {
    /// The features that the next word, given by its hash, brings.
    #[inline]
    pub fn next(&mut self, word: u64) -> Position {
        let pair = mix(self.before ^ PAIR, word);
        let triple = mix(mix(self.before_that ^ TRIPLE, self.before), word);
        let skip = mix(self.before_that ^ SKIP, word);
        let (word_again, pair_again) = (self.words.replace(word), self.pairs.replace(pair));
        (self.before_that, self.before) = (self.before, word);
        Position { word, chains: [pair, triple, skip], word_again, pair_again }
    }
}

/// Calls `each` with the place of every token of a folded text (see `text::fold::words`), and the number of an English word. The stop
/// that ends a sentence is a token, and so is each character of a script that sets no spaces; a single letter is none.
pub fn tokens(text: &str, words: &[Word], mut each: impl FnMut(Span, Option<u16>)) {
    let bytes = text.as_bytes();
    for word in words {
        let place = Span::new(word.start(), word.end());
        if word.plain || bytes.get(word.start()..word.end()).is_some_and(<[u8]>::is_ascii) {
            if place.len() > 1 || !bytes.get(place.start).is_some_and(is_letter) {
                each(place, word.english());
            }
        } else {
            spaceless(word.start(), text.get(word.start()..word.end()).unwrap_or_default(), &mut |place| {
                each(place, None)
            });
        }
        if word.stop {
            each(Span::new(word.end(), word.end() + 1), None);
        }
    }
}

/// A letter by itself: what is spelled is read in another way.
fn is_letter(word: &u8) -> bool {
    word.is_ascii_alphabetic() && !matches!(word, b'a' | b'i')
}

fn spaceless(start: usize, word: &str, each: &mut impl FnMut(Span)) {
    let mut from = 0;
    for (at, character) in word.char_indices().filter(|(_, character)| is_spaceless(*character)) {
        if from < at {
            each(Span::new(start + from, start + at));
        }
        from = at + character.len_utf8();
        each(Span::new(start + at, start + from));
    }
    if from < word.len() {
        each(Span::new(start + from, start + word.len()));
    }
}

/// Thai, Lao, Burmese, Khmer, kana and Han.
fn is_spaceless(character: char) -> bool {
    matches!(character, '\u{E00}'..='\u{EFF}' | '\u{1000}'..='\u{109F}' | '\u{1780}'..='\u{17FF}' | '\u{3040}'..='\u{30FF}'
        | '\u{3400}'..='\u{4DBF}' | '\u{4E00}'..='\u{9FFF}' | '\u{F900}'..='\u{FAFF}' | '\u{20000}'..='\u{3134F}')
}

/// The hash of a word. Numbers look alike: rows of them say nothing.
pub fn word(text: &str) -> u64 {
    match text.as_bytes() {
        b"." => STOP,
        digits if digits.iter().all(u8::is_ascii_digit) => NUMBER,
        bytes => hash(bytes),
    }
}

/// Calls `each` with the hash of every run of three to five letters of a word, its edges marked.
pub fn parts(text: &str, mut each: impl FnMut(u64)) {
    let mut letters = [EDGE; LONGEST + 2];
    let mut count = 1;
    for letter in text.chars().take(LONGEST) {
        letters[count] = u64::from(letter);
        count += 1;
    }
    if !(3..=LONGEST).contains(&count) || text.bytes().all(|byte| byte.is_ascii_digit()) {
        return;
    }
    letters[count] = EDGE;
    for start in 0..=count - 2 {
        let mut hash = PART;
        for (length, letter) in (1..=5).zip(&letters[start..=count]) {
            hash = mix(hash, *letter);
            if length >= 3 {
                each(hash);
            }
        }
    }
}

fn hash(bytes: &[u8]) -> u64 {
    let (eights, rest) = bytes.as_chunks::<8>();
    let hash = eights.iter().fold(WORD ^ bytes.len() as u64, |hash, eight| mix(hash, u64::from_le_bytes(*eight)));
    if rest.is_empty() { hash } else { mix(hash, rest.iter().rev().fold(0, |all, byte| all << 8 | u64::from(*byte))) }
}

/// Folds a 128-bit product, so that every bit of both numbers reaches the result.
fn mix(a: u64, b: u64) -> u64 {
    let product = u128::from(a ^ 0x9E37_79B9_7F4A_7C15) * u128::from(b ^ 0xD6E8_FEB8_6659_FD93);
    (product as u64) ^ (product >> 64) as u64
}

/// Letters of a word; what is longer is no word.
const LONGEST: usize = 24;
const EDGE: u64 = 0x11_0000;
// Arbitrary, one for each kind of feature.
const STOP: u64 = 0x2545_F491_4F6C_DD1D;
const NUMBER: u64 = 0x1F83_D9AB_FB41_BD6B;
const WORD: u64 = 0xA076_1D64_78BD_642F;
const PART: u64 = 0xE703_7ED1_A0B4_28DB;
const PAIR: u64 = 0x8EBC_6AF0_9C88_C6E3;
const TRIPLE: u64 = 0x5899_65CC_7537_4CC3;
const SKIP: u64 = 0x1D8E_4E27_C47D_124F;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::words::words;

    fn tokens_of(text: &str) -> Vec<(usize, &str)> {
        let mut all = Vec::new();
        tokens(text, &words(text), |place, _| all.push((place.start, &text[place.start..place.end])));
        all
    }

    #[test]
    fn words_stops_and_unspaced_characters_are_tokens_with_their_places() {
        assert_eq!(tokens_of("go on. now"), [(0, "go"), (3, "on"), (5, "."), (7, "now")]);
        assert_eq!(tokens_of("gpt忽略 me"), [(0, "gpt"), (3, "忽"), (6, "略"), (10, "me")]);
        assert_eq!(tokens_of("i g n o r e"), [(0, "i")]);
        assert_eq!(tokens_of(""), []);
    }

    #[test]
    fn numbers_look_alike_and_words_do_not() {
        assert_eq!(word("12"), word("987"));
        assert_ne!(word("ignore"), word("ignored"));
    }

    #[test]
    fn a_repeated_word_is_marked_and_one_out_of_memory_is_not() {
        let mut chain = Chain::default();
        let again: Vec<bool> = ["all", "of", "all", "of"].map(|text| chain.next(word(text)).word_again).into();
        assert_eq!(again, [false, false, true, true]);
        for number in 0..MEMORY {
            chain.next(word(&format!("word{number}")));
        }
        assert!(!chain.next(word("all")).word_again);
    }

    #[test]
    fn parts_mark_the_edges_of_a_word() {
        let of = |text| {
            let mut all = Vec::new();
            parts(text, |part| all.push(part));
            all
        };
        assert_eq!(of("abc").len(), 3 + 2 + 1);
        assert!(of("ignore").iter().any(|part| of("ignored").contains(part)));
        assert!(of("7").is_empty() && of("1234").is_empty());
        assert!(of(&"x".repeat(LONGEST)).is_empty());
    }
}
