//! Finds any of thousands of short literals in a text, in any case. Knows no rules.
//!
//! An automaton over so many misses the cache at every other byte. Here a text is read word by word: what stands in an English
//! word is known beforehand, and most of most texts is English words. Elsewhere the rarest few bytes of each literal, its
//! window, are looked up at every position in a bitmap that stays in the first-level cache; what it lets through is compared.

mod bitmap;

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use super::need::frequency;
use crate::text::Span;
use crate::text::english::{self, Packed};
use crate::text::words::Word;
use bitmap::{Beginnings, Bits, Pairs, hash};

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
    words: Words,
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

/// Which literals may stand where an English word does.
#[derive(Clone, Debug, Default)]
struct Words {
    /// Where the entries of each word end, by its number; they begin where those of the one before end.
    ends: Vec<u32>,
    entries: Vec<At>,
}

/// A literal at a word.
#[derive(Clone, Copy, Debug)]
struct At {
    /// Its first bytes: of nearly all that are not there they differ.
    head: u64,
    literal: u32,
    /// How far before or behind the first letter it begins.
    start: i16,
    /// Bytes of the head.
    bytes: u8,
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
        Finder { texts, ends, letters: Windows::new(&in_letters, |_| {}), signs, opening, words }
    }

    /// Calls `found` with the number and the place of each literal, roughly in order.
    pub fn find(&self, text: &str, mut found: impl FnMut(usize, Span)) {
        let (bytes, mut at) = (text.as_bytes(), 0);
        while let Some(byte) = bytes.get(at) {
            if !byte.is_ascii_alphabetic() {
                self.sign(bytes, at, &mut found);
                at += 1;
                continue;
            }
            let word = Packed::at_in_any_case(bytes, at);
            let end = at + word.len();
            let longer = word.len() == Packed::LONGEST && bytes.get(end).is_some_and(u8::is_ascii_alphabetic);
            match word.rank().filter(|_| !longer) {
                Some(word) => self.word(word, bytes, at, &mut found),
                None => self.run(bytes, at..end, &mut found),
            }
            at = end;
            if longer {
                let rest = bytes[at..].iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
                self.run(bytes, at..at + rest, &mut found);
                at += rest;
            }
        }
    }

    /// The same of a folded text that was cut into `words`.
    pub fn find_among(&self, words: &[Word], text: &str, mut found: impl FnMut(usize, Span)) {
        let (bytes, mut end) = (text.as_bytes(), 0);
        for word in words {
            (end..word.start()).for_each(|at| self.sign(bytes, at, &mut found));
            end = word.end();
            match word.english() {
                Some(number) => self.word(number, bytes, word.start(), &mut found),
                None => self.run(bytes, word.start()..word.end(), &mut found),
            }
        }
        (end..bytes.len()).for_each(|at| self.sign(bytes, at, &mut found));
    }

    /// At an English word.
    #[inline]
    fn word(&self, word: u16, bytes: &[u8], at: usize, found: &mut impl FnMut(usize, Span)) {
        for entry in self.words.of(usize::from(word)) {
            let Some(start) = at.checked_add_signed(isize::from(entry.start)) else { continue };
            if (read(bytes, start) ^ entry.head) & mask(usize::from(entry.bytes)) == 0 {
                self.compare(entry.literal, Some(start), bytes, found);
            }
        }
    }

    /// At anything else.
    fn run(&self, bytes: &[u8], run: Range<usize>, found: &mut impl FnMut(usize, Span)) {
        for at in run {
            if !bytes[at].is_ascii_alphabetic() {
                self.sign(bytes, at, found);
                continue;
            }
            let window = read(bytes, at);
            if self.letters.may_hold(window) {
                self.look(&self.letters, window, bytes, at, found);
            }
        }
    }

    /// At a byte that is no letter.
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
            if self.signs.may_hold(window) {
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

/// Calls `each` with every English word, by its number, every one of `runs` that may stand there and where its literal begins.
/// In order of the words.
fn at_words(runs: &[Placed], mut each: impl FnMut(usize, usize, i16)) {
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

    /// No branch but one: hardly any window is one.
    #[inline(always)]
    fn may_hold(&self, window: u64) -> bool {
        if !self.beginnings.has(window) {
            return false;
        }
        let [six, four, ..] = &self.tables;
        six.bits.may_hold(window & mask(6))
            | four.bits.may_hold(window & mask(4))
            | self.short.may_hold(window & mask(3))
    }
}

impl Words {
    fn new(literals: &[Placed]) -> Self {
        let mut words = Words::default();
        at_words(literals, |word, run, start| {
            words.ends.resize(word, words.entries.len() as u32);
            let (literal, text, _) = literals[run];
            words.entries.push(At { head: read(text, 0), literal, start, bytes: text.len().min(8) as u8 });
        });
        words.ends.push(words.entries.len() as u32);
        words
    }

    #[inline]
    fn of(&self, word: usize) -> &[At] {
        let start = word.checked_sub(1).map_or(Some(&0), |before| self.ends.get(before));
        let (Some(start), Some(end)) = (start, self.ends.get(word)) else { return &[] };
        self.entries.get(*start as usize..*end as usize).unwrap_or_default()
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

const LETTERS: usize = 26;
/// Letters in a row that make a window.
const SHORTEST: usize = 2;
/// Lengths of windows. Of four bytes or fewer ordinary words have too many.
const SIZES: [usize; 4] = [6, 4, 3, 2];
const BUCKETS: usize = 1 << 11;

#[cfg(test)]
mod tests {
    use super::*;

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
