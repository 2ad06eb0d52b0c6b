//! Which literals may stand at which English words, and at what stands beside them. Compares none.

use std::ops::Range;

use super::{Placed, SHORTEST, read};
use crate::text::english;

/// Which literals may stand where an English word does.
#[derive(Clone, Debug, Default)]
pub(super) struct Words {
    /// By the word's number the place in `words` and one, or zero: most have none.
    numbers: Vec<u16>,
    words: Vec<AtWord>,
    entries: Vec<At>,
}

/// What may stand at one word.
#[derive(Clone, Copy, Debug, Default)]
struct AtWord {
    /// Its entries; those that are no longer than the word come first.
    start: u32,
    inner: u32,
    end: u32,
    /// What stands behind the word in each that goes on there, and before it in each other: see `beside`.
    behind: u32,
    before: u32,
}

/// A literal at a word.
#[derive(Clone, Copy, Debug)]
pub(super) struct At {
    /// Its first bytes: of nearly all that are not there they differ.
    pub head: u64,
    pub literal: u32,
    /// How far before or behind the first letter it begins.
    pub start: i16,
    /// Bytes of the head.
    pub bytes: u8,
    /// The head is all of it, and letters of the word.
    pub whole: bool,
}

/// Calls `each` with every English word, by its number, every one of `runs` that may stand there and where its literal begins.
/// In order of the words.
pub(super) fn at_words(runs: &[Placed], mut each: impl FnMut(usize, usize, i16)) {
    if runs.is_empty() {
        return;
    }
    let mut beginning: Vec<Vec<usize>> = vec![Vec::new(); LETTERS * LETTERS];
    for (number, (_, literal, run)) in runs.iter().enumerate() {
        if let Some(first) = literal[run.clone()].first_chunk() {
            beginning[pair(*first)].push(number);
        }
    }
    for (number, word) in english::forms().enumerate() {
        for (at, first) in word.as_bytes().array_windows().enumerate() {
            for run in &beginning[pair(*first)] {
                if let Some(start) = stands(&runs[*run], word.as_bytes(), at) {
                    each(number, *run, start);
                }
            }
        }
    }
}

/// The number of two letters.
fn pair([first, second]: [u8; SHORTEST]) -> usize {
    let number = |letter: u8| usize::from(letter.wrapping_sub(b'a')) % LETTERS;
    number(first) * LETTERS + number(second)
}

impl Words {
    pub fn new(literals: &[Placed]) -> Self {
        let forms: Vec<&str> = english::forms().collect();
        let mut words = Words { numbers: vec![0; forms.len()], ..Words::default() };
        let (mut last, mut outer) = (None, Vec::new());
        at_words(literals, |word, run, start| {
            if last.replace(word) != Some(word) {
                words.end(&mut outer);
                words.words.push(AtWord { start: words.entries.len() as u32, ..AtWord::default() });
                words.numbers[word] = words.words.len() as u16;
            }
            let (literal, text, _) = literals[run];
            let length = forms[word].len().saturating_add_signed(-isize::from(start));
            let (is_inner, bytes) = (start >= 0 && text.len() <= length, text.len().min(8) as u8);
            let whole = is_inner && text.len() <= 8;
            let entries = if is_inner { &mut words.entries } else { &mut outer };
            entries.push(At { head: read(text, 0), literal, start, bytes, whole });
            if let Some(there) = words.words.last_mut().filter(|_| !is_inner) {
                there.admit(text, start, length);
            }
        });
        words.end(&mut outer);
        words
    }

    /// What is to be looked at where the word stands at `place`.
    #[inline]
    pub fn entries(&self, word: u16, bytes: &[u8], place: &Range<usize>) -> &[At] {
        let number = self.numbers.get(usize::from(word)).copied().unwrap_or_default();
        let there = usize::from(number).checked_sub(1).and_then(|number| self.words.get(number));
        let Some(there) = there else { return &[] };
        let end = if there.goes_on(bytes, place) { there.end } else { there.inner };
        self.entries.get(there.start as usize..end as usize).unwrap_or_default()
    }

    /// Ends the last word with the entries that go on beyond it.
    fn end(&mut self, outer: &mut Vec<At>) {
        if let Some(last) = self.words.last_mut() {
            last.inner = self.entries.len() as u32;
            self.entries.append(outer);
            last.end = self.entries.len() as u32;
        }
    }
}

impl AtWord {
    /// A literal that begins at `start` and goes on beyond the word, which ends `length` bytes behind that, or begins before it.
    fn admit(&mut self, literal: &[u8], start: i16, length: usize) {
        match literal.get(length..) {
            Some([next, rest @ ..]) => self.behind |= beside(*next, rest.first().copied()),
            _ => {
                let mut before = literal.iter().take(usize::from(start.unsigned_abs())).rev().copied();
                self.before |= before.next().map_or(0, |next| beside(next, before.next()));
            }
        }
    }

    /// Whether something may stand here that goes on beyond the word.
    #[inline]
    fn goes_on(&self, bytes: &[u8], place: &Range<usize>) -> bool {
        if self.behind | self.before == 0 {
            return false;
        }
        let at = |at: usize| bytes.get(at).copied().unwrap_or_default();
        let behind = beside(at(place.end), Some(at(place.end + 1)));
        // There is nothing at the highest places.
        let before = beside(at(place.start.wrapping_sub(1)), Some(at(place.start.wrapping_sub(2))));
        (self.behind & behind) | (self.before & before) != 0
    }
}

/// What stands beside a word, as a bit: the next byte or, of a space, the one beyond it. All that may be where that is not told.
#[inline(always)]
fn beside(next: u8, beyond: Option<u8>) -> u32 {
    match (next, beyond) {
        (b' ', Some(beyond)) => 1 << (16 + (beyond & 15)),
        (b' ', None) => 0xFFFF << 16,
        _ => 1 << (next & 15),
    }
}

/// Where the literal begins whose run stands at `at` of the word, if it can: what else it has is no letter, so the word must
/// begin or end there.
fn stands((_, literal, run): &Placed, word: &[u8], at: usize) -> Option<i16> {
    let rest = word.get(at..)?.strip_prefix(&literal[run.clone()])?;
    let fits = (run.start == 0 || at == 0) && (run.end == literal.len() || rest.is_empty());
    let start = i16::try_from(at).ok()? - i16::try_from(run.start).ok()?;
    fits.then_some(start)
}

const LETTERS: usize = 26;
