//! Sanitized bytes on their way out: held until the verdict, or released behind a tail. Does not know what they are.

use std::collections::VecDeque;
use std::ops::Range;

use bytes::Bytes;

/// Output of one request. Positions are absolute, counted from the first byte of the output.
#[derive(Debug, Default)]
pub(super) struct Output {
    /// A ring, so that what is held behind a long body takes its own size and no more.
    held: VecDeque<u8>,
    released: u64,
    /// Text that waits for a decision, in order: nothing from the first of it on is released.
    pub deferred: Vec<Deferred>,
    /// Whole texts that may have to be replaced, in order: likewise.
    pub kept: Vec<Range<u64>>,
    /// Start of the text being written, and whether it may have to be replaced, too.
    pub text: u64,
    pub pinned: bool,
}

/// Replacements in text that is left alone if it turns out to be signed.
#[derive(Debug)]
pub(super) struct Deferred {
    /// The open container that decides when it closes: its index on the frame stack.
    pub frame: usize,
    /// Bit of the key whose presence there means "signed".
    pub guard: u8,
    /// Where the text begins.
    pub start: u64,
    /// In order and disjoint.
    pub edits: Vec<Edit>,
}

#[derive(Debug)]
pub(super) struct Edit {
    pub start: u64,
    pub end: u64,
    pub replacement: Vec<u8>,
}

impl Output {
    /// About so many bytes are to be written.
    pub fn expect(&mut self, bytes: usize) {
        if self.held.capacity() - self.held.len() < bytes {
            self.held.reserve_exact(self.held.len().clamp(LEAST, GROWTH).max(bytes));
        }
    }

    pub fn write(&mut self, bytes: &[u8]) {
        self.expect(bytes.len());
        self.held.extend(bytes);
    }

    pub fn position(&self) -> u64 {
        self.released + self.held.len() as u64
    }

    pub fn held(&self) -> usize {
        self.held.len()
    }

    /// What may leave while `hold` bytes stay behind.
    pub fn release(&mut self, hold: usize) -> Bytes {
        let free = self.held.len().saturating_sub(self.waiting());
        let ready = self.held.len().saturating_sub(hold).min(free);
        self.released += ready as u64;
        if ready == 0 {
            return Bytes::new();
        }
        if ready == self.held.len() {
            return Bytes::from(Vec::from(std::mem::take(&mut self.held)));
        }
        let (first, second) = self.held.as_slices();
        let first = &first[..ready.min(first.len())];
        let released = [first, &second[..ready - first.len()]].concat();
        self.held.drain(..ready);
        Bytes::from(released)
    }

    /// Bytes held because of text that waits.
    fn waiting(&self) -> usize {
        self.deferred().max(self.kept())
    }

    /// Bytes held because of text that may be signed.
    pub fn deferred(&self) -> usize {
        self.since(self.deferred.first().map(|first| first.start))
    }

    /// Bytes held because of text that may have to be replaced as a whole.
    pub fn kept(&self) -> usize {
        self.since(self.kept.first().map(|first| first.start).or(self.pinned.then_some(self.text)))
    }

    fn since(&self, start: Option<u64>) -> usize {
        start.map_or(0, |start| (self.position() - start) as usize)
    }

    /// Makes edits, which are in order and disjoint. What still waits moves with the bytes it stands in.
    pub fn apply(&mut self, edits: &[Edit]) {
        let Some(first) = edits.first().map(|edit| edit.start) else { return };
        let at = (first - self.released) as usize;
        let tail = self.held.make_contiguous()[at..].to_vec();
        self.held.truncate(at);
        let between = |start: u64, end: u64| &tail[(start - first) as usize..(end - first) as usize];
        let mut done = first;
        for edit in edits {
            self.write(between(done, edit.start));
            self.write(&edit.replacement);
            done = edit.end;
        }
        self.write(between(done, first + tail.len() as u64));
        self.shift(edits);
    }

    fn shift(&mut self, edits: &[Edit]) {
        let mut moved = shifted_by(edits);
        for text in &mut self.kept {
            moved(&mut text.start);
            moved(&mut text.end);
        }
        moved(&mut self.text);
        let mut moved = shifted_by(edits);
        for deferred in &mut self.deferred {
            moved(&mut deferred.start);
            for edit in &mut deferred.edits {
                let len = edit.end - edit.start;
                moved(&mut edit.start);
                edit.end = edit.start + len;
            }
        }
    }
}

/// By how much the memory grows at least and at most: doubled, it would be twice what is held.
const LEAST: usize = 512;
const GROWTH: usize = 128 * 1024;

/// Moves positions, asked for in order, to where the edits leave them.
fn shifted_by(edits: &[Edit]) -> impl FnMut(&mut u64) {
    let (mut next, mut by) = (0, 0);
    move |at| {
        while let Some(edit) = edits.get(next).filter(|edit| edit.end <= *at) {
            by += edit.replacement.len() as i64 - (edit.end - edit.start) as i64;
            next += 1;
        }
        *at = at.saturating_add_signed(by);
    }
}
