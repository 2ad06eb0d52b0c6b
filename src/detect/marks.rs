//! Which sets of literals and which long tokens a text holds, by blocks of it. Knows no rules and finds no match.

use super::need::is_token;
use crate::text::Span;

/// A bit for each mark in each block of a text.
#[derive(Debug)]
pub(super) struct Marks {
    /// Words of a row.
    width: usize,
    /// One for all blocks together, one for those around a place, then one a block.
    rows: Vec<u64>,
    /// The block the second row is about.
    around: Option<usize>,
}

impl Marks {
    /// For `marks` different marks in a text of `bytes`.
    pub fn new(marks: usize, bytes: usize) -> Self {
        let width = marks.div_ceil(64).max(1);
        Marks { width, rows: vec![0; width * (OWN + bytes / BLOCK + 1)], around: None }
    }

    /// Something marked `mark` ends with the byte before `end`.
    pub fn set(&mut self, mark: u16, end: usize) {
        let (word, bit) = (usize::from(mark / 64), 1 << (mark % 64));
        let row = (OWN + end.saturating_sub(1) / BLOCK) * self.width;
        for place in [word, row + word] {
            if let Some(marks) = self.rows.get_mut(place) {
                *marks |= bit;
            }
        }
    }

    /// Each of `runs` has the marks of the lengths it reaches, in all blocks it covers.
    pub fn set_long(&mut self, runs: &[Span], lengths: &[(usize, u16)]) {
        // A block full of short runs is marked once.
        let (mut marked, mut longest) = (None, 0);
        for run in runs {
            let (first, last) = (run.start / BLOCK, run.end.saturating_sub(1) / BLOCK);
            if marked == Some((first, last)) && run.len() <= longest {
                continue;
            }
            for (_, mark) in lengths.iter().filter(|(length, _)| run.len() >= *length) {
                (first..=last).for_each(|block| self.set(*mark, block * BLOCK + 1));
            }
            (marked, longest) = (Some((first, last)), run.len());
        }
    }

    /// Whether all of `marks` stand in the text, and `near` a place if one is given.
    pub fn hold(&mut self, marks: &[u16], near: Option<usize>) -> bool {
        has(self.anywhere(), marks) && near.is_none_or(|place| marks.is_empty() || has(self.near(place), marks))
    }

    pub fn anywhere(&self) -> &[u64] {
        self.rows.get(..self.width).unwrap_or_default()
    }

    /// The marks from `BEFORE` bytes before `place` to `BEHIND` behind it, and some of those around.
    pub fn near(&mut self, place: usize) -> &[u64] {
        let block = place / BLOCK;
        if self.around != Some(block) {
            self.around = Some(block);
            let first = block.saturating_sub(BEFORE.div_ceil(BLOCK));
            let last = block + 1 + BEHIND / BLOCK;
            let (own, blocks) = self.rows.split_at_mut(OWN * self.width);
            let near = &mut own[self.width..];
            near.fill(0);
            for row in blocks.chunks_exact(self.width).take(last + 1).skip(first) {
                near.iter_mut().zip(row).for_each(|(all, more)| *all |= more);
            }
        }
        self.rows.get(self.width..OWN * self.width).unwrap_or_default()
    }
}

/// Whether a row has all of `marks`.
pub(super) fn has(row: &[u64], marks: &[u16]) -> bool {
    marks.iter().all(|mark| row.get(usize::from(mark / 64)).is_some_and(|word| word >> (mark % 64) & 1 == 1))
}

/// The maximal runs of at least `shortest` token bytes. Each step looks at the last byte first that could end a run, so
/// ordinary words are skipped over.
pub(super) fn tokens(text: &str, shortest: usize) -> Vec<Span> {
    let bytes = text.as_bytes();
    let outside = |byte: &u8| !TOKEN[usize::from(*byte)];
    let (mut found, mut at) = (Vec::new(), 0);
    while let Some(ahead) = bytes.get(at..at + shortest) {
        if let Some(last) = ahead.iter().rposition(outside) {
            at += last + 1;
            continue;
        }
        let rest = bytes.get(at + shortest..).unwrap_or_default();
        let end = at + shortest + rest.iter().position(outside).unwrap_or(rest.len());
        found.push(Span::new(at, end));
        at = end + 1;
    }
    found
}

const TOKEN: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = is_token(byte as u8);
        byte += 1;
    }
    table
};

/// Rows that are of no block.
const OWN: usize = 2;
/// Bytes of a block. Smaller ones tell more and cost more.
const BLOCK: usize = 128;
/// How far `near` looks.
pub(super) const BEFORE: usize = 384;
pub(super) const BEHIND: usize = 512;
