//! Server-sent events (WHATWG HTML, sections 9.2.5 and 9.2.6): where an event ends and where its data stands. Knows
//! nothing of JSON.
//!
//! A frame ends with the first byte of the line end of a blank line: whether a line feed follows a carriage return need
//! not be waited for. That line feed is a frame of its own, so that a reader which waits for `\r\n\r\n` has it as soon
//! as it is there. A comment before the first field of an event is a frame of its own too: a server's ping passes at
//! once, whether or not a blank line follows it.

use std::ops::Range;

use memchr::{memchr, memchr2};

use super::Found;

#[derive(Default)]
pub(super) struct Sse {
    /// Past the byte order mark that may begin the stream.
    begun: bool,
    /// How far the frame is read.
    at: usize,
    /// Where the line being read begins.
    line: usize,
    /// The byte before `at` is a carriage return that ends a line: a line feed belongs to it.
    after_cr: bool,
    /// The event has a field.
    fields: bool,
    payload: Vec<Range<usize>>,
    name: String,
}

impl Sse {
    pub(super) fn read(&mut self, held: &[u8]) -> Option<Found> {
        loop {
            let rest = held.get(self.at..).filter(|rest| !rest.is_empty())?;
            if std::mem::take(&mut self.after_cr) && rest.starts_with(b"\n") {
                self.at += 1;
                self.line = self.at;
                // The carriage return ended the frame before this one.
                if self.at == 1 {
                    return Some(self.end(1));
                }
                continue;
            }
            let Some(length) = memchr2(b'\r', b'\n', rest) else {
                self.at = held.len();
                return None;
            };
            let end = self.at + length;
            self.at = end + 1;
            self.after_cr = held[end] == b'\r';
            if self.read_line(held, end) {
                return Some(self.end(end + 1));
            }
            self.line = self.at;
        }
    }

    pub(super) fn finish(&mut self, held: &[u8]) -> Option<Found> {
        if held.is_empty() {
            return None;
        }
        self.read_line(held, held.len());
        Some(self.end(held.len()))
    }

    /// Reads the line that ends before `end`. True if the frame ends with it.
    fn read_line(&mut self, held: &[u8], end: usize) -> bool {
        let marked = !std::mem::replace(&mut self.begun, true) && held.starts_with(BYTE_ORDER_MARK);
        let start = if marked { BYTE_ORDER_MARK.len() } else { self.line };
        let line = held.get(start..end).unwrap_or_default();
        match memchr(b':', line) {
            None if line.is_empty() => return true,
            Some(0) => return !self.fields,
            None => self.read_field(line, end..end, held),
            Some(colon) => {
                let space = usize::from(line.get(colon + 1) == Some(&b' '));
                self.read_field(&line[..colon], start + colon + 1 + space..end, held);
            }
        }
        self.fields = true;
        false
    }

    fn read_field(&mut self, name: &[u8], value: Range<usize>, held: &[u8]) {
        match name {
            b"data" => self.payload.push(value),
            b"event" => self.name = String::from_utf8_lossy(held.get(value).unwrap_or_default()).into_owned(),
            _ => {}
        }
    }

    fn end(&mut self, end: usize) -> Found {
        (self.at, self.line, self.fields) = (0, 0, false);
        Found { end, payload: std::mem::take(&mut self.payload), name: std::mem::take(&mut self.name) }
    }
}

const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();
