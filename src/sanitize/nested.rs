//! JSON inside a string (tool arguments, tool results): where its own strings and scalars stand, so that masking
//! leaves it valid. Reads structure only; inspects and changes nothing.

use std::ops::Range;

use crate::codec::json::{Container, Limits, Sink, SyntaxError, Tokenizer};

/// The structure of a string's text, as long as it is JSON. Offsets count bytes of the text from its start.
#[derive(Debug)]
pub(super) struct Nested {
    tokenizer: Tokenizer,
    parts: Parts,
    alive: bool,
    opening: Opening,
}

/// What the text begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Opening {
    Object,
    Array,
    String,
}

impl Opening {
    /// JSON of the same kind, as it is written inside a JSON string, that says `notice`.
    pub fn around(self, notice: &str) -> String {
        match self {
            Opening::Object => format!(r#"{{\"promptgate\":\"{notice}\"}}"#),
            Opening::Array => format!(r#"[\"{notice}\"]"#),
            Opening::String => format!(r#"\"{notice}\""#),
        }
    }

    /// The same as it is written outside of one.
    pub fn plainly_around(self, notice: &str) -> String {
        self.around(notice).replace(r#"\""#, "\"")
    }
}

/// What a stretch of the text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Content of a string or key.
    String,
    /// A number or literal.
    Scalar,
}

#[derive(Debug, Default)]
struct Parts {
    done: Vec<(Range<u64>, Kind)>,
    open: Option<(u64, Kind)>,
}

/// Depth and key size of JSON in a string; deeper or longer, and it is treated as plain text.
const LIMITS: Limits = Limits { depth: 64, key: 4096 };

impl Nested {
    /// `None` if text that begins with `text` cannot be JSON worth a look.
    pub fn begin(text: &str) -> Option<Self> {
        let opening = match text.trim_start().chars().next()? {
            '{' => Opening::Object,
            '[' => Opening::Array,
            '"' => Opening::String,
            _ => return None,
        };
        Some(Nested { tokenizer: Tokenizer::new(LIMITS), parts: Parts::default(), alive: true, opening })
    }

    pub fn opening(&self) -> Opening {
        self.opening
    }

    /// Reads the next stretch; false once the text has turned out not to be JSON.
    pub fn feed(&mut self, text: &str) -> bool {
        self.alive = self.alive && self.tokenizer.feed(text.as_bytes(), &mut self.parts).is_ok();
        self.alive
    }

    /// The parts that begin before `end`, the last one cut there. Forgets those that ended.
    pub fn parts(&mut self, end: u64) -> Vec<(Range<u64>, Kind)> {
        let mut parts = std::mem::take(&mut self.parts.done);
        parts.extend(self.parts.open.map(|(start, kind)| (start..end, kind)));
        parts
    }
}

impl Parts {
    fn end(&mut self, at: u64) {
        if let Some((start, kind)) = self.open.take() {
            self.done.push((start..at, kind));
        }
    }
}

impl Sink for Parts {
    type Error = SyntaxError;

    fn raw(&mut self, _: &[u8]) {}
    fn open(&mut self, _: Container) -> Result<(), SyntaxError> {
        Ok(())
    }
    fn close(&mut self) -> Result<(), SyntaxError> {
        Ok(())
    }
    fn key(&mut self, _: &str, start: u64, end: u64) -> Result<(), SyntaxError> {
        self.done.push((start..end, Kind::String));
        Ok(())
    }
    fn begin_string(&mut self, at: u64) -> Result<(), SyntaxError> {
        self.open = Some((at, Kind::String));
        Ok(())
    }
    fn text(&mut self, _: &str) -> Result<(), SyntaxError> {
        Ok(())
    }
    fn escape(&mut self, _: char, _: &[u8]) -> Result<(), SyntaxError> {
        Ok(())
    }
    fn end_string(&mut self, at: u64) -> Result<(), SyntaxError> {
        self.end(at);
        Ok(())
    }
    fn begin_scalar(&mut self, at: u64) -> Result<(), SyntaxError> {
        self.open = Some((at, Kind::Scalar));
        Ok(())
    }
    fn end_scalar(&mut self, at: u64) -> Result<(), SyntaxError> {
        self.end(at);
        Ok(())
    }
}
