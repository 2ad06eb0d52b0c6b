//! One JSON array sent element by element, as Gemini streams without `alt=sse`. Finds where an element ends and leaves
//! it to others whether that is JSON.
//!
//! What stands before, between and after the elements (brackets, commas, white space) makes frames without payload: one
//! ends before the first byte of an element or with the closing bracket. A body that is no array is one frame; if it is
//! an object, an error say, it ends with its bracket. Anything but the array's punctuation is in some payload.

use std::ops::Range;

use memchr::memchr2;

use super::{Found, FrameError};

/// No payload.
const NONE: Range<usize> = 0..0;

#[derive(Default)]
pub(super) struct Array {
    state: State,
    /// How far the frame is read.
    at: usize,
    /// Where its payload begins.
    begun: usize,
}

#[derive(Default)]
enum State {
    /// Before the first byte of the document.
    #[default]
    Start,
    /// Outside the elements of the array.
    Gap,
    /// In an element that shows its end.
    Element(Nesting),
    /// In a number, a literal or garbage: a comma, a bracket or white space ends it.
    Scalar,
    /// In a document that is an object.
    Document(Nesting),
    /// In a document that is neither array nor object: nothing but the end of the stream ends it.
    Opaque,
    /// After the document.
    Rest,
}

impl Array {
    pub(super) fn read(&mut self, held: &[u8]) -> Option<Found> {
        loop {
            match &mut self.state {
                State::Start => self.begin(held)?,
                State::Gap => {
                    if let Some(found) = self.read_gap(held)? {
                        return Some(found);
                    }
                }
                State::Element(nesting) => {
                    let ended = nesting.read(held, &mut self.at);
                    return ended.then(|| self.end(State::Gap, self.begun..self.at));
                }
                State::Document(nesting) => {
                    let ended = nesting.read(held, &mut self.at);
                    return ended.then(|| self.end(State::Rest, self.begun..self.at));
                }
                State::Scalar => {
                    self.skip(held, |byte| !matches!(byte, b',' | b']') && !is_space(byte))?;
                    return Some(self.end(State::Gap, self.begun..self.at));
                }
                State::Opaque | State::Rest => return None,
            }
        }
    }

    /// An array must be closed: where it is not, the answer was cut off. Another document is judged by its payload.
    pub(super) fn finish(&mut self, held: &[u8]) -> Result<Option<Found>, FrameError> {
        if matches!(self.state, State::Gap | State::Element(_) | State::Scalar) {
            return Err(FrameError::Incomplete);
        }
        if held.is_empty() {
            return Ok(None);
        }
        let start = held.len() - held.trim_ascii_start().len();
        self.at = held.len();
        Ok(Some(self.end(State::Rest, start..held.len())))
    }

    fn begin(&mut self, held: &[u8]) -> Option<()> {
        let byte = self.skip(held, is_space)?;
        self.begun = self.at;
        self.state = match byte {
            b'[' => {
                self.at += 1;
                State::Gap
            }
            b'{' => State::Document(Nesting::default()),
            _ => State::Opaque,
        };
        Some(())
    }

    /// Reads on to an element. `Some(None)` if it is there already.
    fn read_gap(&mut self, held: &[u8]) -> Option<Option<Found>> {
        let byte = self.skip(held, |byte| byte == b',' || is_space(byte))?;
        if byte == b']' {
            self.at += 1;
            return Some(Some(self.end(State::Rest, NONE)));
        }
        let element = match byte {
            b'{' | b'[' | b'"' => State::Element(Nesting::default()),
            _ => State::Scalar,
        };
        if self.at == 0 {
            self.state = element;
            return Some(None);
        }
        Some(Some(self.end(element, NONE)))
    }

    /// Passes bytes up to one that is different, and tells it.
    fn skip(&mut self, held: &[u8], alike: impl Fn(u8) -> bool) -> Option<u8> {
        let rest = held.get(self.at..)?;
        let length = rest.iter().position(|&byte| !alike(byte)).unwrap_or(rest.len());
        self.at += length;
        rest.get(length).copied()
    }

    fn end(&mut self, next: State, payload: Range<usize>) -> Found {
        let end = std::mem::take(&mut self.at);
        self.begun = 0;
        self.state = next;
        Found::new(end, payload)
    }
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

/// Brackets and strings of one value. Which bracket closes which is not compared: what is not JSON is refused by who
/// reads it.
#[derive(Default)]
struct Nesting {
    depth: usize,
    in_string: bool,
    escaped: bool,
}

impl Nesting {
    /// Reads on from `at`. True if the value ends before the new `at`.
    fn read(&mut self, held: &[u8], at: &mut usize) -> bool {
        while let Some(rest) = held.get(*at..).filter(|rest| !rest.is_empty()) {
            *at += if self.in_string { self.read_string(rest) } else { self.read_structure(rest) };
            if self.depth == 0 && !self.in_string {
                return true;
            }
        }
        false
    }

    /// Up to a quote or a backslash, inclusive. Tells how many bytes that is.
    fn read_string(&mut self, rest: &[u8]) -> usize {
        if std::mem::take(&mut self.escaped) {
            return 1;
        }
        let Some(length) = memchr2(b'"', b'\\', rest) else { return rest.len() };
        self.escaped = rest[length] == b'\\';
        self.in_string = self.escaped;
        length + 1
    }

    /// Up to a bracket or a quote, inclusive. Tells how many bytes that is.
    fn read_structure(&mut self, rest: &[u8]) -> usize {
        let marks = |byte: &u8| matches!(byte, b'"' | b'{' | b'[' | b'}' | b']');
        let Some(length) = rest.iter().position(marks) else { return rest.len() };
        match rest[length] {
            b'"' => self.in_string = true,
            b'{' | b'[' => self.depth += 1,
            _ => self.depth = self.depth.saturating_sub(1),
        }
        length + 1
    }
}
