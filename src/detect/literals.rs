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
    literals: Vec<Literal>,
    /// The windows of three bytes, and those of two with every third byte.
    short: Bits,
    /// Windows of four, three and two bytes.
    tables: [Table; 3],
}

#[derive(Clone, Debug)]
struct Literal {
    text: Box<[u8]>,
    /// Its first bytes, of which `mask` counts.
    head: u32,
    mask: u32,
}

/// Windows of one length.
#[derive(Clone, Debug)]
struct Table {
    bits: Bits,
    /// Where the entries of each bucket end; they begin where those of the one before end.
    ends: Vec<u32>,
    entries: Vec<Entry>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    window: u32,
    literal: u32,
    /// Of the window in the literal.
    offset: u32,
}

/// A set of hashes.
#[derive(Clone, Debug)]
struct Bits(Box<[u64; BITS / 64]>);

impl Finder {
    /// `literals` are of two bytes or more and in lower case.
    pub fn new(literals: &[Vec<u8>]) -> Self {
        let mut entries: [Vec<Entry>; 3] = Default::default();
        let (mut short, shared) = (Bits::new(), shared(literals));
        for (literal, text) in (0..).zip(literals) {
            let size = text.len().clamp(2, 4);
            let offset = rarest(text, size, &shared);
            let window = read(text, offset) & MASKS[4 - size];
            entries[4 - size].push(Entry { window, literal, offset: offset as u32 });
            match size {
                2 => (0..=u8::MAX).for_each(|third| short.insert(window | fold(u32::from(third) << 16) & 0xFF_0000)),
                3 => short.insert(window),
                _ => {}
            }
        }
        let literals = literals.iter().map(|text| Literal {
            text: text.as_slice().into(),
            head: read(text, 0) & MASKS[4 - text.len().clamp(2, 4)],
            mask: MASKS[4 - text.len().clamp(2, 4)],
        });
        Finder { literals: literals.collect(), short, tables: entries.map(Table::new) }
    }

    /// Calls `found` with the number and the place of each literal, roughly in order.
    pub fn find(&self, text: &str, mut found: impl FnMut(usize, Span)) {
        let (bytes, [four, ..]) = (text.as_bytes(), &self.tables);
        for (at, window) in bytes.array_windows::<4>().enumerate() {
            let window = fold(u32::from_le_bytes(*window));
            if four.bits.may_hold(window) | self.short.may_hold(window & MASKS[1]) {
                self.look(window, bytes, at, &mut found);
            }
        }
        for at in bytes.len().saturating_sub(3)..bytes.len() {
            self.look(read(bytes, at), bytes, at, &mut found);
        }
    }

    /// Which literals have the window at `at`.
    #[inline(never)]
    fn look(&self, window: u32, bytes: &[u8], at: usize, found: &mut impl FnMut(usize, Span)) {
        for (table, mask) in self.tables.iter().zip(MASKS) {
            if !table.bits.may_hold(window & mask) {
                continue;
            }
            for entry in table.bucket(window & mask).iter().filter(|entry| entry.window == window & mask) {
                let Some(start) = at.checked_sub(entry.offset as usize) else { continue };
                let literal = &self.literals[entry.literal as usize];
                if literal.is_at(bytes, start) {
                    found(entry.literal as usize, Span::new(start, start + literal.text.len()));
                }
            }
        }
    }
}

/// Where the window of a literal is that ordinary text has least often, as far as letters and the other literals tell.
fn rarest(literal: &[u8], size: usize, shared: &HashMap<u32, u32>) -> usize {
    let rate = |at: &usize| {
        let letters = literal.iter().skip(*at).take(size).map(|byte| frequency(*byte)).product::<f64>();
        let literals = shared.get(&(read(literal, *at) & MASKS[4 - size])).copied().unwrap_or(1);
        letters.sqrt() * f64::from(literals)
    };
    (0..=literal.len().saturating_sub(size)).min_by(|a, b| rate(a).total_cmp(&rate(b))).unwrap_or(0)
}

/// How many literals have each window.
fn shared(literals: &[Vec<u8>]) -> HashMap<u32, u32> {
    let mut counts = HashMap::new();
    for literal in literals {
        let size = literal.len().clamp(2, 4);
        let windows = (0..=literal.len().saturating_sub(size)).map(|at| read(literal, at) & MASKS[4 - size]);
        windows.for_each(|window| *counts.entry(window).or_default() += 1);
    }
    counts
}

impl Literal {
    fn is_at(&self, bytes: &[u8], start: usize) -> bool {
        let Some(there) = bytes.get(start..start + self.text.len()) else { return false };
        let head = bytes.get(start..start + 4).and_then(|head| head.try_into().ok()).map(u32::from_le_bytes);
        head.is_none_or(|head| (fold(head) ^ self.head) & self.mask == 0) && there.eq_ignore_ascii_case(&self.text)
    }
}

impl Bits {
    fn new() -> Self {
        Bits(Box::new([0; BITS / 64]))
    }

    fn insert(&mut self, window: u32) {
        self.0[slot(window) / 64] |= 1 << (slot(window) % 64);
    }

    #[inline(always)]
    fn may_hold(&self, window: u32) -> bool {
        let slot = slot(window);
        self.0[slot / 64 % (BITS / 64)] >> (slot % 64) & 1 == 1
    }
}

impl Table {
    fn new(mut entries: Vec<Entry>) -> Self {
        entries.sort_by_key(|entry| slot(entry.window));
        let mut bits = Bits::new();
        let mut ends = vec![0; BITS >> BUCKET_BITS];
        for (entry, count) in entries.iter().zip(1..) {
            bits.insert(entry.window);
            ends[slot(entry.window) >> BUCKET_BITS] = count;
        }
        for bucket in 1..ends.len() {
            ends[bucket] = ends[bucket].max(ends[bucket - 1]);
        }
        Table { bits, ends, entries }
    }

    fn bucket(&self, window: u32) -> &[Entry] {
        let bucket = slot(window) >> BUCKET_BITS;
        let start = bucket.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.entries[start as usize..self.ends[bucket] as usize]
    }
}

/// Up to four bytes at `at`, in lower case.
fn read(bytes: &[u8], at: usize) -> u32 {
    let window = bytes.iter().skip(at).take(4).zip([0, 8, 16, 24]);
    fold(window.fold(0, |window, (byte, shift)| window | u32::from(*byte) << shift))
}

/// Lower case, at the price of taking a few other signs for each other.
#[inline(always)]
fn fold(window: u32) -> u32 {
    window | 0x2020_2020
}

#[inline(always)]
fn slot(window: u32) -> usize {
    (window.wrapping_mul(0x9E37_79B1) >> (32 - BITS.ilog2())) as usize
}

const MASKS: [u32; 3] = [u32::MAX, 0xFF_FFFF, 0xFFFF];
/// Of a bitmap: 8 KB.
const BITS: usize = 1 << 16;
/// A bucket of entries for this many bits of the hash.
const BUCKET_BITS: usize = 4;

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
