//! Sanitized bytes on their way out: held until the verdict, or released behind a tail. Does not know what they are.

use bytes::{Bytes, BytesMut};

/// Output of one request. Positions are absolute, counted from the first byte of the output.
#[derive(Debug, Default)]
pub(super) struct Output {
    held: BytesMut,
    released: u64,
    /// Edits that wait for a decision: nothing from the first of them on is released.
    pub deferred: Vec<Deferred>,
}

/// Replacements in text that is left alone if it turns out to be signed.
#[derive(Debug)]
pub(super) struct Deferred {
    /// The open container that decides when it closes: its index on the frame stack.
    pub frame: usize,
    /// Bit of the key whose presence there means "signed".
    pub guard: u8,
    pub edits: Vec<Edit>,
}

#[derive(Debug)]
pub(super) struct Edit {
    pub start: u64,
    pub end: u64,
    pub replacement: Vec<u8>,
}

impl Output {
    pub fn write(&mut self, bytes: &[u8]) {
        self.held.extend_from_slice(bytes);
    }

    pub fn position(&self) -> u64 {
        self.released + self.held.len() as u64
    }

    pub fn held(&self) -> usize {
        self.held.len()
    }

    /// What may leave while `hold` bytes stay behind.
    pub fn release(&mut self, hold: usize) -> Bytes {
        let pin = self.deferred.iter().flat_map(|deferred| &deferred.edits).map(|edit| edit.start).min();
        let pinned = pin.map_or(usize::MAX, |pin| (pin - self.released) as usize);
        let ready = self.held.len().saturating_sub(hold).min(pinned);
        self.released += ready as u64;
        self.held.split_to(ready).freeze()
    }

    /// Bytes held because of an undecided edit.
    pub fn pinned(&self) -> u64 {
        let pin = self.deferred.iter().flat_map(|deferred| &deferred.edits).map(|edit| edit.start).min();
        pin.map_or(0, |pin| self.position() - pin)
    }

    /// Makes the edits of one deferred entry. Later entries move with the bytes they stand in.
    pub fn apply(&mut self, edits: Vec<Edit>) {
        for edit in edits.into_iter().rev() {
            let (start, end) = ((edit.start - self.released) as usize, (edit.end - self.released) as usize);
            let tail = self.held.split_off(end);
            self.held.truncate(start);
            self.held.extend_from_slice(&edit.replacement);
            self.held.unsplit(tail);
            let shift = edit.replacement.len() as i64 - (end - start) as i64;
            for other in self.deferred.iter_mut().flat_map(|deferred| &mut deferred.edits) {
                if other.start >= edit.end {
                    other.start = other.start.saturating_add_signed(shift);
                    other.end = other.end.saturating_add_signed(shift);
                }
            }
        }
    }
}
