//! Finds any of thousands of short literals in a text, in any case. Knows no rules.
//!
//! An automaton over so many misses the cache at every other byte. Here a text is read word by word: what stands in an English
//! word is known beforehand, and most of most texts is English words. Elsewhere the rarest few bytes of each literal, its
//! window, are looked up at every position in a bitmap that stays in the first-level cache; what it lets through is compared.

mod bitmap;
mod words;

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use super::need::frequency;
use crate::text::Span;
use crate::text::english::Packed;
use crate::text::words::Word;
use bitmap::{Beginnings, Bits, Pairs, hash};
use words::{At, Words, at_words};

/// The literals, by their windows.
#[derive(Clone, Debug)]
pub(super) struct Finder {
    /// One behind the other, and where each ends.
    texts: Vec<u8>,
    ends: Vec<usize>,
    /// Literals with letters in a row, which their windows are of.
    letters: Windows,
    /// All others.
    signs: Windows,
    /// The first byte that is no letter in a window of those, and the one behind it.
    opening: Pairs,
    /// What every byte may be the first of.
    kinds: Box<[Kind; 256]>,
    words: Words,
}

/// What a byte may be the first of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Nothing,
    /// A window of signs.
    Signs,
    /// A word.
    Letters,
}

/// Literals by windows of so many bytes as `SIZES` has.
#[derive(Clone, Debug)]
struct Windows {
    tables: [Table; SIZES.len()],
    /// The windows of three bytes, and those of two with every third byte.
    short: Bits,
    beginnings: Beginnings,
}

/// Windows of one length.
#[derive(Clone, Debug)]
struct Table {
    bits: Bits,
    /// Where the entries of each bucket end; they begin where those of the one before end.
    ends: Vec<u32>,
    entries: Vec<Entry>,
}

/// A literal. Small, for what is looked at here and there is paid for by the cache line.
#[derive(Clone, Copy, Debug)]
struct Entry {
    literal: u32,
    /// Of the window in the literal.
    offset: u16,
    /// What the hash of the window has beside its bucket.
    print: u16,
}

impl Finder {
    /// `literals` are of two bytes or more and in lower case.
    pub fn new(literals: &[Vec<u8>]) -> Self {
        let numbered = || (0..).zip(literals.iter().map(Vec::as_slice));
        let runs: Vec<Placed> = numbered()
            .flat_map(|(number, literal)| runs(literal).into_iter().map(move |run| (number, literal, run)))
            .collect();
        let in_letters = rarest_runs(runs, literals.len());
        let placed: HashSet<u32> = in_letters.iter().map(|(number, ..)| *number).collect();
        let others = numbered().filter(|(number, _)| !placed.contains(number));
        let in_signs: Vec<Placed> =
            others.map(|(number, literal)| (number, literal, starts_at_signs(literal))).collect();
        let mut opening = Pairs::default();
        let signs = Windows::new(&in_signs, |window| opening.insert(window));
        let words = Words::new(&in_letters);
        let ends = literals.iter().scan(0, |end, text| {
            *end += text.len();
            Some(*end)
        });
        let (texts, ends) = (literals.concat(), ends.collect());
        let kinds = Box::new(std::array::from_fn(|byte| match byte as u8 {
            byte if byte.is_ascii_alphabetic() => Kind::Letters,
            byte if (0..=u8::MAX).any(|next| opening.has(byte, next)) => Kind::Signs,
            _ => Kind::Nothing,
        }));
        Finder { texts, ends, letters: Windows::new(&in_letters, |_| {}), signs, opening, kinds, words }
    }

    /// Calls `found` with the number and the place of each literal, roughly in order.
    pub fn find(&self, text: &str, mut found: impl FnMut(usize, Span)) {
        let (bytes, mut at) = (text.as_bytes(), 0);
        while let Some(byte) = bytes.get(at) {
            let kind = self.kinds[usize::from(*byte)];
            if kind != Kind::Letters {
                if kind == Kind::Signs {
                    self.sign(bytes, at, &mut found);
                }
                at += 1;
                continue;
            }
            let word = Packed::at_in_any_case(bytes, at);
            let end = at + word.len();
            let longer = word.len() == Packed::LONGEST && bytes.get(end).is_some_and(u8::is_ascii_alphabetic);
            match word.rank().filter(|_| !longer) {
                Some(word) => self.word(word, bytes, at..end, &mut found),
                None => self.letters(bytes, at..end, &mut found),
            }
            at = end;
            if longer {
                let rest = bytes[at..].iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
                self.letters(bytes, at..at + rest, &mut found);
                at += rest;
            }
        }
    }

    /// The same of a folded text that was cut into `words`.
    pub fn find_among(&self, words: &[Word], text: &str, mut found: impl FnMut(usize, Span)) {
        let (bytes, mut end) = (text.as_bytes(), 0);
        for word in words {
            self.signs(bytes, end..word.start(), &mut found);
            end = word.end();
            match word.english() {
                Some(number) => self.word(number, bytes, word.start()..word.end(), &mut found),
                None if word.plain => self.letters(bytes, word.start()..word.end(), &mut found),
                None => self.run(bytes, word.start()..word.end(), &mut found),
            }
        }
        self.signs(bytes, end..bytes.len(), &mut found);
    }

    /// At an English word.
    #[inline]
    fn word(&self, word: u16, bytes: &[u8], place: Range<usize>, found: &mut impl FnMut(usize, Span)) {
        let entries = self.words.entries(word, bytes, &place);
        if !entries.is_empty() {
            self.at_word(entries, bytes, place.start, found);
        }
    }

    #[inline(never)]
    fn at_word(&self, entries: &[At], bytes: &[u8], at: usize, found: &mut impl FnMut(usize, Span)) {
        for entry in entries {
            let Some(start) = at.checked_add_signed(isize::from(entry.start)) else { continue };
            let length = usize::from(entry.bytes);
            if (read(bytes, start) ^ entry.head) & mask(length) != 0 {
                continue;
            }
            if entry.whole {
                found(entry.literal as usize, Span::new(start, start + length));
            } else {
                self.compare(entry.literal, Some(start), bytes, found);
            }
        }
    }

    /// At letters that are no English word.
    fn letters(&self, bytes: &[u8], run: Range<usize>, found: &mut impl FnMut(usize, Span)) {
        let five = |at: usize| bytes.get(at).map_or(0, |byte| usize::from(byte & 31));
        let mut three = five(run.start) << 5 | five(run.start + 1) << 10;
        for at in run {
            three = three >> 5 | five(at + 2) << 10;
            if !self.letters.beginnings.has_three(three) {
                continue;
            }
            let window = read(bytes, at);
            if self.letters.may_hold(window) {
                self.look(&self.letters, window, bytes, at, found);
            }
        }
    }

    /// At anything else.
    fn run(&self, bytes: &[u8], run: Range<usize>, found: &mut impl FnMut(usize, Span)) {
        for at in run {
            if bytes[at].is_ascii_alphabetic() {
                self.letters(bytes, at..at + 1, found);
            } else {
                self.sign(bytes, at, found);
            }
        }
    }

    /// At bytes that are no letters.
    #[inline]
    fn signs(&self, bytes: &[u8], run: Range<usize>, found: &mut impl FnMut(usize, Span)) {
        for at in run {
            if self.kinds[usize::from(bytes[at])] == Kind::Signs {
                self.sign(bytes, at, found);
            }
        }
    }

    #[inline]
    fn sign(&self, bytes: &[u8], at: usize, found: &mut impl FnMut(usize, Span)) {
        if self.opening.has(bytes[at], bytes.get(at + 1).copied().unwrap_or_default()) {
            self.open(bytes, at, found);
        }
    }

    #[inline(never)]
    fn open(&self, bytes: &[u8], at: usize, found: &mut impl FnMut(usize, Span)) {
        let before = at.checked_sub(1).filter(|before| bytes[*before].is_ascii_alphabetic());
        for at in before.into_iter().chain([at]) {
            let window = read(bytes, at);
            if self.signs.beginnings.has(window) && self.signs.may_hold(window) {
                self.look(&self.signs, window, bytes, at, found);
            }
        }
    }

    /// Which literals have the window at `at`.
    #[inline(never)]
    fn look(&self, windows: &Windows, window: u64, bytes: &[u8], at: usize, found: &mut impl FnMut(usize, Span)) {
        for (table, size) in windows.tables.iter().zip(SIZES) {
            let window = window & mask(size);
            if !table.bits.may_hold(window) {
                continue;
            }
            let (bucket, print) = Table::place(window);
            for entry in table.bucket(bucket).iter().filter(|entry| entry.print == print) {
                self.compare(entry.literal, at.checked_sub(usize::from(entry.offset)), bytes, found);
            }
        }
    }

    fn compare(&self, literal: u32, start: Option<usize>, bytes: &[u8], found: &mut impl FnMut(usize, Span)) {
        let (number, Some(start)) = (literal as usize, start) else { return };
        let from = number.checked_sub(1).map_or(0, |before| self.ends[before]);
        let length = self.ends[number] - from;
        // Nearly all differ in their first bytes.
        if (read(bytes, start) ^ read(&self.texts, from)) & mask(length) != 0 {
            return;
        }
        let place = Span::new(start, start + length);
        let literal = &self.texts[from..from + length];
        if bytes.get(place.start..place.end).is_some_and(|there| there.eq_ignore_ascii_case(literal)) {
            found(number, place);
        }
    }
}

/// The number of a literal, the literal, and where in it a window may be.
type Placed<'l> = (u32, &'l [u8], Range<usize>);

/// All runs of letters.
fn runs(literal: &[u8]) -> Vec<Range<usize>> {
    let (mut runs, mut at) = (Vec::new(), 0);
    while at < literal.len() {
        let run = at..at + literal[at..].iter().take_while(|byte| byte.is_ascii_lowercase()).count();
        at = run.end + 1;
        if run.len() >= SHORTEST {
            runs.push(run);
        }
    }
    runs
}

/// Of each literal the run that stands in the fewest English words, the common ones weighing more.
fn rarest_runs(runs: Vec<Placed>, literals: usize) -> Vec<Placed> {
    let mut weights: Vec<f64> = runs.iter().map(|(_, _, run)| 1.0 / run.len() as f64).collect();
    at_words(&runs, |word, run, _| weights[run] += 1000.0 / (word as f64 + 10.0));
    let mut rarest: Vec<Option<usize>> = vec![None; literals];
    for (run, (literal, ..)) in runs.iter().enumerate() {
        let known = &mut rarest[*literal as usize];
        *known = Some(known.filter(|known| weights[*known] <= weights[run]).unwrap_or(run));
    }
    let rarest: HashSet<usize> = rarest.into_iter().flatten().collect();
    runs.into_iter().enumerate().filter(|(run, _)| rarest.contains(run)).map(|(_, run)| run).collect()
}

/// From the first byte that is no letter on, or from the letter before it where nothing follows. Not from a space, if that
/// can be helped.
fn starts_at_signs(literal: &[u8]) -> Range<usize> {
    let mut signs = literal.iter().enumerate().filter(|(_, byte)| !byte.is_ascii_lowercase());
    let first = signs.clone().next();
    let rare = signs.find(|(at, byte)| **byte != b' ' && at + SHORTEST <= literal.len());
    let sign = rare.or(first).map_or(0, |(at, _)| at);
    sign.min(literal.len().saturating_sub(SHORTEST))..literal.len()
}

impl Windows {
    /// `chosen` is told each window.
    fn new(literals: &[Placed], mut chosen: impl FnMut(&[u8])) -> Self {
        let shared = shared(literals);
        let mut windows: [Vec<(u64, u32, u16)>; SIZES.len()] = Default::default();
        let (mut short, mut beginnings) = (Bits::default(), Beginnings::default());
        for (number, literal, place) in literals {
            let table = table(place.len());
            let size = SIZES[table];
            let offset = rarest(literal, place, size, &shared);
            chosen(&literal[usize::from(offset)..][..size]);
            let window = read(literal, usize::from(offset)) & mask(size);
            windows[table].push((window, *number, offset));
            match size {
                2 => (0..=u8::MAX).for_each(|third| short.insert(window | fold(u64::from(third) << 16) & mask(3))),
                3 => short.insert(window),
                _ => {}
            }
            let thirds = if size == 2 { 0..=u64::from(u8::MAX) } else { 0..=0 };
            thirds.for_each(|third| beginnings.insert(window | third << 16));
        }
        Windows { tables: windows.map(Table::new), short, beginnings }
    }

    /// Asked of what has the beginning of one: no branch, for hardly any is one.
    #[inline(always)]
    fn may_hold(&self, window: u64) -> bool {
        let [six, four, ..] = &self.tables;
        six.bits.may_hold(window & mask(6))
            | four.bits.may_hold(window & mask(4))
            | self.short.may_hold(window & mask(3))
    }
}

/// The table for so many bytes: that of the longest windows they have.
fn table(bytes: usize) -> usize {
    SIZES.iter().position(|size| *size <= bytes).unwrap_or(SIZES.len() - 1)
}

/// Where the window of a literal is that ordinary text has least often, as far as letters and the other literals tell.
fn rarest(literal: &[u8], place: &Range<usize>, size: usize, shared: &HashMap<u64, u32>) -> u16 {
    let rate = |at: usize| {
        let letters = literal.iter().skip(at).take(size).map(|byte| frequency(*byte)).product::<f64>();
        let literals = shared.get(&(read(literal, at) & mask(size))).copied().unwrap_or(1);
        letters.sqrt() * f64::from(literals)
    };
    // A window that begins with a sign is looked up there only.
    let begins = |at: &usize| {
        *at == place.start || literal[*at].is_ascii_lowercase() == literal[place.start].is_ascii_lowercase()
    };
    let places = (place.start..=place.end - size).filter(begins);
    let rarest = places.min_by(|a, b| rate(*a).total_cmp(&rate(*b)));
    rarest.and_then(|at| u16::try_from(at).ok()).unwrap_or(0)
}

/// How many literals have each window.
fn shared(literals: &[Placed]) -> HashMap<u64, u32> {
    let mut counts = HashMap::new();
    for (_, literal, place) in literals {
        let size = SIZES[table(place.len())];
        let windows = (place.start..=place.end - size).map(|at| read(literal, at) & mask(size));
        windows.for_each(|window| *counts.entry(window).or_default() += 1);
    }
    counts
}

impl Table {
    fn new(mut windows: Vec<(u64, u32, u16)>) -> Self {
        windows.sort_by_key(|(window, ..)| Self::place(*window));
        let (mut bits, mut ends) = (Bits::default(), vec![0; BUCKETS]);
        let entries = windows.into_iter().zip(1..).map(|((window, literal, offset), count)| {
            let (bucket, print) = Self::place(window);
            bits.insert(window);
            ends[bucket] = count;
            Entry { literal, offset, print }
        });
        let entries = entries.collect();
        for bucket in 1..ends.len() {
            ends[bucket] = ends[bucket].max(ends[bucket - 1]);
        }
        Table { bits, ends, entries }
    }

    fn bucket(&self, bucket: usize) -> &[Entry] {
        let start = bucket.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.entries[start as usize..self.ends[bucket] as usize]
    }

    fn place(window: u64) -> (usize, u16) {
        let hash = hash(window);
        ((hash >> 52) as usize % BUCKETS, (hash >> 32) as u16)
    }
}

/// Up to eight bytes at `at`, in lower case.
#[inline]
fn read(bytes: &[u8], at: usize) -> u64 {
    let rest = bytes.get(at..).unwrap_or_default();
    fold(match rest.first_chunk() {
        Some(eight) => u64::from_le_bytes(*eight),
        None => rest.iter().rev().fold(0, |all, byte| all << 8 | u64::from(*byte)),
    })
}

/// Lower case, at the price of taking a few other signs for each other.
#[inline(always)]
fn fold(window: u64) -> u64 {
    window | 0x2020_2020_2020_2020
}

/// The lowest `bytes` bytes.
#[inline(always)]
const fn mask(bytes: usize) -> u64 {
    if bytes < 8 { (1 << (8 * bytes)) - 1 } else { u64::MAX }
}

/// Letters in a row that make a window.
const SHORTEST: usize = 2;
/// Lengths of windows. Of four bytes or fewer ordinary words have too many.
const SIZES: [usize; 4] = [6, 4, 3, 2];
const BUCKETS: usize = 1 << 11;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_literal_beside_a_word_is_found_with_whatever_stands_beside_it() {
        let literals: Vec<Vec<u8>> =
            ["the key", "the ", " key", "key:", "my key is", "_key", "key_", "key", "passwords"]
                .map(|literal| literal.as_bytes().to_vec())
                .to_vec();
        let finder = Finder::new(&literals);
        for text in [
            "the key",
            "the  key",
            "the.key",
            "The Key: my key is",
            "a key_",
            "_key",
            "key",
            "key ",
            " key",
            "my key i",
            "passwords",
            "passwordsx",
            "the",
            "the key",
            "the\u{0}key",
            "the kit",
            "any key is",
            "my key isnt",
        ] {
            let mut found = Vec::new();
            finder.find(text, |literal, span| found.push((span.start, literal, span.end)));
            found.sort_unstable();
            let lower = text.to_ascii_lowercase();
            let mut expected: Vec<(usize, usize, usize)> = Vec::new();
            for at in 0..lower.len() {
                let here = |literal: &Vec<u8>| lower.as_bytes()[at..].starts_with(literal);
                let all = literals.iter().enumerate().filter(|(_, text)| here(text));
                expected.extend(all.map(|(number, text)| (at, number, at + text.len())));
            }
            assert_eq!(found, expected, "{text}");
        }
    }

    #[test]
    fn every_literal_is_found_wherever_it_stands() {
        let literals: Vec<Vec<u8>> = ["ab", "abc", "key", "api_key", "ignore all", "q~", "é"]
            .map(|literal| literal.as_bytes().to_vec())
            .to_vec();
        let finder = Finder::new(&literals);
        for text in
            ["", "a", "ab", "ABC", "xabc", "an API_KEY", "Ignore All q~", "é", "keykeyabcab", "igno", "ignore alé"]
        {
            let mut found = Vec::new();
            finder.find(text, |literal, span| found.push((span.start, literal)));
            found.sort_unstable();
            let lower = text.to_ascii_lowercase();
            let mut expected: Vec<(usize, usize)> = Vec::new();
            for at in 0..lower.len() {
                let here = |literal: &Vec<u8>| lower.as_bytes()[at..].starts_with(literal);
                expected.extend(literals.iter().enumerate().filter(|(_, text)| here(text)).map(|(i, _)| (at, i)));
            }
            assert_eq!(found, expected, "{text}");
        }
    }
}
