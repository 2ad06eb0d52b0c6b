//! A strict RFC 8259 push tokenizer: chunks in, events out, however the bytes are cut. Builds no tree, holds no string
//! value, and knows nothing of what the strings mean.
//!
//! Every input byte reaches the sink exactly once as part of `raw`, `text` or `escape`, or of a string value that the sink
//! recalls, so a sink that writes them all reproduces the input byte for byte. Where the standard leaves a choice: a lone surrogate escape is legal and reads
//! as U+FFFD, a byte order mark is not, numbers have no limit of size, and duplicate keys are the sink's to judge.

mod carry;
mod kept;
mod number;
mod run;

use memchr::memchr2;

use carry::{Carry, Rest, Step};
use number::Number;
use run::Sound;

/// Receives what the tokenizer reads. Offsets count bytes from the start of the input.
pub trait Sink {
    type Error: From<SyntaxError>;

    /// Bytes outside string values: punctuation, whitespace, keys, numbers, literals, quotes.
    fn raw(&mut self, bytes: &[u8]);
    fn open(&mut self, container: Container) -> Result<(), Self::Error>;
    fn close(&mut self) -> Result<(), Self::Error>;
    /// A complete key, unescaped. `start..end` are the offsets of its content, without quotes.
    fn key(&mut self, key: &str, start: u64, end: u64) -> Result<(), Self::Error>;
    /// `at` is the offset of the first byte after the opening quote.
    fn begin_string(&mut self, at: u64) -> Result<(), Self::Error>;
    /// Whether the sink wants to see the string value that has begun as it is written, before it is read.
    fn may_know(&self) -> bool {
        false
    }
    /// All of a string value as it is written. With `true` the sink takes it as read: it has seen these bytes before, and that
    /// they are well-formed. With `false` they come as `text` and `escape`.
    fn recall(&mut self, _written: &[u8]) -> Result<bool, Self::Error> {
        Ok(false)
    }
    /// Part of a string value that stands for itself.
    fn text(&mut self, text: &str) -> Result<(), Self::Error>;
    /// One escaped character of a string value and the bytes it was written with.
    fn escape(&mut self, character: char, raw: &[u8]) -> Result<(), Self::Error>;
    /// `at` is the offset of the closing quote.
    fn end_string(&mut self, at: u64) -> Result<(), Self::Error>;
    /// A number or literal begins at `at`.
    fn begin_scalar(&mut self, at: u64) -> Result<(), Self::Error>;
    /// The number or literal ended before `at`.
    fn end_scalar(&mut self, at: u64) -> Result<(), Self::Error>;
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Container {
    Object,
    Array,
}

/// Where and why the input is not JSON. Carries no input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason} at byte {offset}")]
pub struct SyntaxError {
    pub offset: u64,
    pub reason: Reason,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    #[error("unexpected byte")]
    UnexpectedByte,
    #[error("the input ends too early")]
    UnexpectedEnd,
    #[error("something follows the document")]
    TrailingBytes,
    #[error("invalid UTF-8")]
    InvalidUtf8,
    #[error("unescaped control character in a string")]
    ControlCharacter,
    #[error("invalid escape")]
    InvalidEscape,
    #[error("invalid number")]
    InvalidNumber,
    #[error("invalid literal")]
    InvalidLiteral,
    #[error("nesting is deeper than the limit")]
    TooDeep,
    #[error("a key is longer than the limit")]
    KeyTooLong,
}

/// What the tokenizer itself must bound.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Open containers at once.
    pub depth: usize,
    /// Bytes of one unescaped key.
    pub key: usize,
}

/// The tokenizer. Memory: the stack of open containers, one key, and twelve bytes; for a sink that may know string values, one
/// that a chunk's end has cut, if it is short.
#[derive(Debug)]
pub struct Tokenizer {
    state: State,
    stack: Vec<Container>,
    limits: Limits,
    /// True while the string being read is a key.
    in_key: bool,
    key: String,
    key_start: u64,
    carry: Carry,
    /// The beginning of a string value whose end is still to come, unread.
    kept: Vec<u8>,
    /// Offset of the first byte of the chunk being fed.
    base: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Value,
    FirstValueOrEnd,
    FirstKeyOrEnd,
    Key,
    Colon,
    AfterValue,
    Text,
    /// Inside a UTF-8 sequence or an escape; the bytes so far are in `carry`.
    Partial,
    Number(Number),
    Literal(&'static [u8], usize),
    Done,
}

impl Tokenizer {
    pub fn new(limits: Limits) -> Self {
        Tokenizer {
            state: State::Value,
            stack: Vec::new(),
            limits,
            in_key: false,
            key: String::new(),
            key_start: 0,
            carry: Carry::default(),
            kept: Vec::new(),
            base: 0,
        }
    }

    /// Reads one chunk. After an error the tokenizer must not be fed again.
    pub fn feed<S: Sink>(&mut self, chunk: &[u8], sink: &mut S) -> Result<(), S::Error> {
        let rest = if self.kept.is_empty() { Some(chunk) } else { self.complete(chunk, sink)? };
        rest.map_or(Ok(()), |rest| self.read(rest, sink))
    }

    fn read<S: Sink>(&mut self, chunk: &[u8], sink: &mut S) -> Result<(), S::Error> {
        let mut at = 0;
        // Start of what has been read but not yet given to `raw`.
        let mut pending = 0;
        let mut sound = Sound::default();
        while at < chunk.len() {
            match self.state {
                State::Text => self.read_text((chunk, &mut sound), &mut at, &mut pending, sink)?,
                State::Partial => self.read_partial(chunk, &mut at, sink)?,
                State::Number(number) => self.read_number(number, chunk, &mut at, sink)?,
                State::Literal(word, done) => self.read_literal(word, done, chunk, &mut at, sink)?,
                _ => self.read_structure(chunk, &mut at, &mut pending, sink)?,
            }
        }
        if !self.in_value_string() {
            sink.raw(&chunk[pending..]);
        }
        self.base += (chunk.len() - self.kept.len()) as u64;
        Ok(())
    }

    /// Ends the input. Only a number at the top level is still open then.
    pub fn finish<S: Sink>(&mut self, sink: &mut S) -> Result<(), S::Error> {
        self.settle(sink)?;
        if let State::Number(number) = self.state {
            if !self.stack.is_empty() || !number.may_end() {
                return Err(self.error(0, Reason::UnexpectedEnd).into());
            }
            sink.end_scalar(self.base)?;
            self.state = State::Done;
        }
        if self.state == State::Done { Ok(()) } else { Err(self.error(0, Reason::UnexpectedEnd).into()) }
    }

    fn in_value_string(&self) -> bool {
        !self.in_key && matches!(self.state, State::Text | State::Partial)
    }

    fn error(&self, at: usize, reason: Reason) -> SyntaxError {
        SyntaxError { offset: self.offset(at), reason }
    }

    fn offset(&self, at: usize) -> u64 {
        self.base + at as u64
    }

    fn read_structure<S: Sink>(
        &mut self,
        chunk: &[u8],
        at: &mut usize,
        pending: &mut usize,
        sink: &mut S,
    ) -> Result<(), S::Error> {
        let byte = chunk[*at];
        if matches!(byte, b' ' | b'\t' | b'\n' | b'\r') {
            *at += 1;
            return Ok(());
        }
        let here = *at;
        *at += 1;
        match (self.state, byte) {
            (State::Value | State::FirstValueOrEnd, _) if byte != b']' => {
                self.begin_value(byte, chunk, at, pending, sink)
            }
            (State::FirstValueOrEnd, _) => self.close(chunk, here, pending, sink),
            (State::FirstKeyOrEnd | State::Key, b'"') => {
                self.in_key = true;
                self.key.clear();
                self.key_start = self.offset(*at);
                self.state = State::Text;
                Ok(())
            }
            (State::FirstKeyOrEnd, b'}') => self.close(chunk, here, pending, sink),
            (State::Colon, b':') => {
                self.state = State::Value;
                Ok(())
            }
            (State::AfterValue, b',') => {
                self.state = match self.stack.last() {
                    Some(Container::Object) => State::Key,
                    _ => State::Value,
                };
                Ok(())
            }
            (State::AfterValue, b'}') if self.stack.last() == Some(&Container::Object) => {
                self.close(chunk, here, pending, sink)
            }
            (State::AfterValue, b']') if self.stack.last() == Some(&Container::Array) => {
                self.close(chunk, here, pending, sink)
            }
            (State::Done, _) => Err(self.error(here, Reason::TrailingBytes).into()),
            _ => Err(self.error(here, Reason::UnexpectedByte).into()),
        }
    }

    fn begin_value<S: Sink>(
        &mut self,
        byte: u8,
        chunk: &[u8],
        at: &mut usize,
        pending: &mut usize,
        sink: &mut S,
    ) -> Result<(), S::Error> {
        let here = *at - 1;
        match byte {
            b'"' => {
                sink.raw(&chunk[*pending..=here]);
                *pending = *at;
                self.in_key = false;
                self.state = State::Text;
                sink.begin_string(self.offset(*at))?;
                if sink.may_know() {
                    self.offer(chunk, at, sink)?;
                }
                Ok(())
            }
            b'{' => self.open(Container::Object, here, sink),
            b'[' => self.open(Container::Array, here, sink),
            b't' => self.begin_scalar(State::Literal(b"true", 1), here, sink),
            b'f' => self.begin_scalar(State::Literal(b"false", 1), here, sink),
            b'n' => self.begin_scalar(State::Literal(b"null", 1), here, sink),
            b'-' => self.begin_scalar(State::Number(Number::Minus), here, sink),
            b'0' => self.begin_scalar(State::Number(Number::Zero), here, sink),
            b'1'..=b'9' => self.begin_scalar(State::Number(Number::Integer), here, sink),
            _ => Err(self.error(here, Reason::UnexpectedByte).into()),
        }
    }

    fn begin_scalar<S: Sink>(&mut self, state: State, here: usize, sink: &mut S) -> Result<(), S::Error> {
        self.state = state;
        sink.begin_scalar(self.offset(here))
    }

    fn open<S: Sink>(&mut self, container: Container, here: usize, sink: &mut S) -> Result<(), S::Error> {
        if self.stack.len() >= self.limits.depth {
            return Err(self.error(here, Reason::TooDeep).into());
        }
        self.stack.push(container);
        self.state = match container {
            Container::Object => State::FirstKeyOrEnd,
            Container::Array => State::FirstValueOrEnd,
        };
        sink.open(container)
    }

    /// All bytes before the bracket are given to `raw` first, so that what a sink counts then is the same however cut.
    fn close<S: Sink>(&mut self, chunk: &[u8], here: usize, pending: &mut usize, sink: &mut S) -> Result<(), S::Error> {
        sink.raw(&chunk[*pending..here]);
        *pending = here;
        self.stack.pop();
        self.value_ended();
        sink.close()
    }

    fn value_ended(&mut self) {
        self.state = if self.stack.is_empty() { State::Done } else { State::AfterValue };
    }

    fn read_number<S: Sink>(
        &mut self,
        mut number: Number,
        chunk: &[u8],
        at: &mut usize,
        sink: &mut S,
    ) -> Result<(), S::Error> {
        while let Some(&byte) = chunk.get(*at) {
            match number.next(byte) {
                Some(next) => number = next,
                None if number.may_end() => {
                    // The delimiter is read again as structure.
                    self.value_ended();
                    return sink.end_scalar(self.offset(*at));
                }
                None => return Err(self.error(*at, Reason::InvalidNumber).into()),
            }
            *at += 1;
        }
        self.state = State::Number(number);
        Ok(())
    }

    fn read_literal<S: Sink>(
        &mut self,
        word: &'static [u8],
        mut done: usize,
        chunk: &[u8],
        at: &mut usize,
        sink: &mut S,
    ) -> Result<(), S::Error> {
        while done < word.len() {
            match chunk.get(*at) {
                None => {
                    self.state = State::Literal(word, done);
                    return Ok(());
                }
                Some(&byte) if byte == word[done] => done += 1,
                Some(_) => return Err(self.error(*at, Reason::InvalidLiteral).into()),
            }
            *at += 1;
        }
        self.value_ended();
        sink.end_scalar(self.offset(*at))
    }

    /// Reads characters that stand for themselves and short escapes, up to a quote, a longer escape or the end of the chunk.
    fn read_text<'c, S: Sink>(
        &mut self,
        (chunk, sound): (&'c [u8], &mut Sound<'c>),
        at: &mut usize,
        pending: &mut usize,
        sink: &mut S,
    ) -> Result<(), S::Error> {
        loop {
            let rest = &chunk[*at..];
            let stop = memchr2(b'"', b'\\', rest);
            let run = &rest[..stop.unwrap_or(rest.len())];
            let (text, cut) = match sound.run(chunk, *at, run.len()) {
                Some(text) => (text, [].as_slice()),
                None => {
                    run::characters(run, stop.is_none()).map_err(|(place, reason)| self.error(*at + place, reason))?
                }
            };
            self.emit_text(text, *at, sink)?;
            *at += run.len();
            if !cut.is_empty() {
                self.carry.fill(cut);
                self.state = State::Partial;
            }
            match &rest[run.len()..] {
                [] => return Ok(()),
                [b'"', ..] => return self.end_string(at, pending, sink),
                [_, byte, ..] if let Some(character) = carry::short_escape(*byte) => {
                    self.emit_escape(character, &[b'\\', *byte], *at + 1, sink)?;
                    *at += 2;
                }
                _ => {
                    self.carry.fill(b"\\");
                    self.state = State::Partial;
                    *at += 1;
                    return Ok(());
                }
            }
        }
    }

    fn end_string<S: Sink>(&mut self, at: &mut usize, pending: &mut usize, sink: &mut S) -> Result<(), S::Error> {
        let quote = self.offset(*at);
        if self.in_key {
            self.in_key = false;
            self.state = State::Colon;
            sink.key(&self.key, self.key_start, quote)?;
        } else {
            *pending = *at;
            self.value_ended();
            sink.end_string(quote)?;
        }
        *at += 1;
        Ok(())
    }

    /// Reads the rest of a UTF-8 sequence that a chunk end has cut, or of an escape.
    fn read_partial<S: Sink>(&mut self, chunk: &[u8], at: &mut usize, sink: &mut S) -> Result<(), S::Error> {
        let begun = self.offset(*at) - self.carry.bytes().len() as u64;
        let step = self.carry.push(chunk[*at]).map_err(|reason| match reason {
            // As in one piece: a damaged sequence is reported where it begins.
            Reason::InvalidUtf8 => SyntaxError { offset: begun, reason },
            _ => self.error(*at, reason),
        })?;
        match step {
            Step::More => {}
            Step::Text => {
                let carry = std::mem::take(&mut self.carry);
                self.state = State::Text;
                let text = std::str::from_utf8(carry.bytes()).map_err(|_| self.error(*at, Reason::InvalidUtf8))?;
                self.emit_text(text, *at, sink)?;
            }
            Step::Escape(character) => {
                let carry = std::mem::take(&mut self.carry);
                self.state = State::Text;
                self.emit_escape(character, carry.bytes(), *at, sink)?;
            }
            Step::LoneThen(rest) => {
                let carry = std::mem::take(&mut self.carry);
                self.emit_escape(char::REPLACEMENT_CHARACTER, &carry.bytes()[..6], *at, sink)?;
                return self.resume_after_lone(carry, rest, at, sink);
            }
        }
        *at += 1;
        Ok(())
    }

    /// A high surrogate turned out to stand alone; what followed it is read for what it is.
    fn resume_after_lone<S: Sink>(
        &mut self,
        carry: Carry,
        rest: Rest,
        at: &mut usize,
        sink: &mut S,
    ) -> Result<(), S::Error> {
        match rest {
            // The current byte is no part of an escape: read it again as text.
            Rest::Nothing => self.state = State::Text,
            // `\ud83d\n`: the current byte is read again as the one after a backslash.
            Rest::Backslash => self.carry.fill(b"\\"),
            Rest::Escape(character) => {
                self.state = State::Text;
                self.emit_escape(character, &carry.bytes()[6..], *at, sink)?;
                *at += 1;
            }
            // A second high surrogate may still find its partner.
            Rest::HighSurrogate => {
                self.carry.fill(&carry.bytes()[6..]);
                *at += 1;
            }
        }
        Ok(())
    }

    fn emit_text<S: Sink>(&mut self, text: &str, at: usize, sink: &mut S) -> Result<(), S::Error> {
        if text.is_empty() {
            Ok(())
        } else if self.in_key {
            self.grow_key(text, at).map_err(S::Error::from)
        } else {
            sink.text(text)
        }
    }

    fn emit_escape<S: Sink>(&mut self, character: char, raw: &[u8], at: usize, sink: &mut S) -> Result<(), S::Error> {
        if self.in_key {
            self.grow_key(character.encode_utf8(&mut [0; 4]), at).map_err(S::Error::from)
        } else {
            sink.escape(character, raw)
        }
    }

    fn grow_key(&mut self, text: &str, at: usize) -> Result<(), SyntaxError> {
        if self.key.len() + text.len() > self.limits.key {
            return Err(self.error(at, Reason::KeyTooLong));
        }
        self.key.push_str(text);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
