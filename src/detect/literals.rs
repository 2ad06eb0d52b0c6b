//! Finds any of thousands of short literals in a text, in any case. Knows no rules.
//!
//! An automaton over so many misses the cache at every other byte. Here the rarest few bytes of each literal, its window,
//! are looked up at every position in a bitmap that stays in the first-level cache; what it lets through is compared.

use std::collections::HashMap;

use super::need::frequency;
use crate::text::Span;

/// The literals, by their windows.
#[derive(Clone, Debug)]
pub(super) struct Finder {
    /// One behind the other, and where each ends.
    texts: Vec<u8>,
    ends: Vec<usize>,
    /// By windows of so many bytes as `SIZES` has.
    tables: [Table; SIZES.len()],
    /// The windows of three bytes, and those of two with every third byte.
    short: Bits,
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

/// A set of windows, with next to none that was not put in: two bits of one number say that one is.
#[derive(Clone, Debug)]
struct Bits(Box<[u64; BITS / 64]>);

impl Finder {
    /// `literals` are of two bytes or more and in lower case.
    pub fn new(literals: &[Vec<u8>]) -> Self {
        let mut windows: [Vec<(u64, u32, u16)>; SIZES.len()] = Default::default();
        let (mut short, shared) = (Bits::new(), shared(literals));
        for (literal, text) in (0..).zip(literals) {
            let table = table(text);
            let size = SIZES[table];
            let offset = rarest(text, size, &shared);
            let window = read(text, usize::from(offset)) & mask(size);
            windows[table].push((window, literal, offset));
            match size {
                2 => (0..=u8::MAX).for_each(|third| short.insert(window | fold(u64::from(third) << 16) & mask(3))),
                3 => short.insert(window),
                _ => {}
            }
        }
        let ends = literals.iter().scan(0, |end, text| {
            *end += text.len();
            Some(*end)
        });
        Finder { texts: literals.concat(), ends: ends.collect(), tables: windows.map(Table::new), short }
    }

    /// Calls `found` with the number and the place of each literal, roughly in order.
    pub fn find(&self, text: &str, mut found: impl FnMut(usize, Span)) {
        let (bytes, [six, four, ..]) = (text.as_bytes(), &self.tables);
        for (at, window) in bytes.array_windows::<8>().enumerate() {
            let window = fold(u64::from_le_bytes(*window));
            // No branch but one, which is hardly ever taken.
            if six.bits.may_hold(window & mask(6))
                | four.bits.may_hold(window & mask(4))
                | self.short.may_hold(window & mask(3))
            {
                self.look(window, bytes, at, &mut found);
            }
        }
        for at in bytes.len().saturating_sub(7)..bytes.len() {
            self.look(read(bytes, at), bytes, at, &mut found);
        }
    }

    /// Which literals have the window at `at`.
    #[inline(never)]
    fn look(&self, window: u64, bytes: &[u8], at: usize, found: &mut impl FnMut(usize, Span)) {
        for (table, size) in self.tables.iter().zip(SIZES) {
            let window = window & mask(size);
            if !table.bits.may_hold(window) {
                continue;
            }
            let (bucket, print) = Table::place(window);
            for entry in table.bucket(bucket).iter().filter(|entry| entry.print == print) {
                let (number, start) = (entry.literal as usize, at.checked_sub(usize::from(entry.offset)));
                let literal = self.literal(number);
                let place = start.map(|start| Span::new(start, start + literal.len()));
                let there = |place: &Span| {
                    bytes.get(place.start..place.end).is_some_and(|there| there.eq_ignore_ascii_case(literal))
                };
                if let Some(place) = place.filter(there) {
                    found(number, place);
                }
            }
        }
    }

    fn literal(&self, number: usize) -> &[u8] {
        let start = number.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.texts[start..self.ends[number]]
    }
}

/// The table of a literal: that of the longest windows it has.
fn table(literal: &[u8]) -> usize {
    SIZES.iter().position(|size| *size <= literal.len()).unwrap_or(SIZES.len() - 1)
}

/// Where the window of a literal is that ordinary text has least often, as far as letters and the other literals tell.
fn rarest(literal: &[u8], size: usize, shared: &HashMap<u64, u32>) -> u16 {
    let rate = |at: usize| {
        let letters = literal.iter().skip(at).take(size).map(|byte| frequency(*byte)).product::<f64>();
        let literals = shared.get(&(read(literal, at) & mask(size))).copied().unwrap_or(1);
        letters.sqrt() * f64::from(literals)
    };
    let places = (0..=u16::MAX).take_while(|at| usize::from(*at) + size <= literal.len());
    places.min_by(|a, b| rate(usize::from(*a)).total_cmp(&rate(usize::from(*b)))).unwrap_or(0)
}

/// How many literals have each window.
fn shared(literals: &[Vec<u8>]) -> HashMap<u64, u32> {
    let mut counts = HashMap::new();
    for literal in literals {
        let size = SIZES[table(literal)];
        let windows = (0..=literal.len().saturating_sub(size)).map(|at| read(literal, at) & mask(size));
        windows.for_each(|window| *counts.entry(window).or_default() += 1);
    }
    counts
}

impl Bits {
    fn new() -> Self {
        Bits(Box::new([0; BITS / 64]))
    }

    fn insert(&mut self, window: u64) {
        let (word, bits) = Self::place(window);
        self.0[word] |= bits;
    }

    #[inline(always)]
    fn may_hold(&self, window: u64) -> bool {
        let slot = (hash(window) >> (64 - BITS.ilog2())) as usize;
        self.0[slot / 64 % (BITS / 64)] >> (slot % 64) & 1 == 1
    }

    #[inline(always)]
    fn place(window: u64) -> (usize, u64) {
        let slot = hash(window) >> (64 - BITS.ilog2());
        (slot as usize / 64, 1 << (slot % 64))
    }
}

impl Table {
    fn new(mut windows: Vec<(u64, u32, u16)>) -> Self {
        windows.sort_by_key(|(window, ..)| Self::place(*window));
        let (mut bits, mut ends) = (Bits::new(), vec![0; BUCKETS]);
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

#[inline(always)]
fn hash(window: u64) -> u64 {
    window.wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

/// Lengths of windows. Of four bytes or fewer ordinary words have too many.
const SIZES: [usize; 4] = [6, 4, 3, 2];
/// Of a bitmap: 8 KB.
const BITS: usize = 1 << 16;
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
