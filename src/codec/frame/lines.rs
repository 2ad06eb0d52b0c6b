//! Newline-delimited JSON: one document a line, ended by `\n` or `\r\n`. Does not look into the documents.

use memchr::memchr;

use super::Found;

#[derive(Default)]
pub(super) struct Lines {
    /// How far the line is read.
    at: usize,
}

impl Lines {
    pub(super) fn read(&mut self, held: &[u8]) -> Option<Found> {
        let found = held.get(self.at..).and_then(|rest| memchr(b'\n', rest));
        match found {
            Some(length) => {
                let end = std::mem::take(&mut self.at) + length;
                Some(line(&held[..end], end + 1))
            }
            None => {
                self.at = held.len();
                None
            }
        }
    }

    pub(super) fn finish(&mut self, held: &[u8]) -> Option<Found> {
        if held.is_empty() { None } else { Some(line(held, held.len())) }
    }
}

/// White space around a document is none of its payload; a line of nothing else has none.
fn line(content: &[u8], end: usize) -> Found {
    let start = content.len() - content.trim_ascii_start().len();
    Found::new(end, start..start + content.trim_ascii().len())
}
