//! Framings of a streamed answer: chunks in, whole events out, and an event's bytes with its payload edited. Knows
//! nothing of what a payload says, nor of HTTP.
//!
//! The bytes of all frames, one after the other, are the input, and which frames they are does not depend on how the
//! input was cut into chunks. At most one unfinished frame is held, and no byte of it is read twice to find its end.

mod array;
pub mod eventstream;
mod lines;
mod sse;

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use array::Array;
use eventstream::EventStream;
use lines::Lines;
use sse::Sse;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// `text/event-stream`.
    Sse,
    /// One JSON document a line: `application/x-ndjson`.
    Lines,
    /// One JSON array sent element by element: `application/json` from a method that streams.
    Array,
    /// `application/vnd.amazon.eventstream`.
    EventStream,
}

/// One event of a streamed answer: its bytes as they came, and where its JSON payload stands in them.
#[derive(Clone, PartialEq, Eq)]
pub struct Frame {
    pub bytes: Vec<u8>,
    /// Where the payload stands, in order: several places for an SSE event with several `data` lines, none for a
    /// comment, a blank line or what stands between the elements of an array. `data: [DONE]` has the payload `[DONE]`.
    pub payload: Vec<Range<usize>>,
    /// The event's name if the framing has one: of SSE `event`, of an event stream `:event-type` or `:exception-type`.
    pub name: String,
    framing: Framing,
}

/// A replacement in a payload.
#[derive(Clone, PartialEq, Eq)]
pub struct Edit {
    /// Bytes of the payload in one piece, as [`Frame::text`] gives it.
    pub at: Range<usize>,
    /// Without a line end, which would end an SSE `data` line or an NDJSON document early: JSON strings hold none. (A
    /// space that comes to stand right after `data:` is lost to who reads it, as it is outside JSON strings anyway.)
    pub text: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    #[error("an event is longer than {limit} bytes")]
    TooLong { limit: usize },
    #[error("an event's checksum, lengths or headers are damaged")]
    Damaged,
    #[error("the stream ends inside an event")]
    Incomplete,
}

/// Cuts a stream into frames.
pub struct Framer {
    framing: Framing,
    reader: Reader,
    limit: usize,
    held: Vec<u8>,
    /// The stream is lost from here on.
    failed: Option<FrameError>,
}

enum Reader {
    Sse(Sse),
    Lines(Lines),
    Array(Array),
    EventStream(EventStream),
}

/// A frame found at the beginning of the bytes held.
struct Found {
    /// Its length: at least 1 and at most what was shown to the reader.
    end: usize,
    payload: Vec<Range<usize>>,
    name: String,
}

impl Found {
    /// A frame whose payload is one piece. If that is empty there is none.
    fn new(end: usize, payload: Range<usize>) -> Self {
        let payload = Some(payload).filter(|at| !at.is_empty()).into_iter().collect();
        Found { end, payload, name: String::new() }
    }
}

impl Framer {
    /// `limit` is the largest length of one frame in bytes.
    pub fn new(framing: Framing, limit: usize) -> Self {
        let reader = match framing {
            Framing::Sse => Reader::Sse(Sse::default()),
            Framing::Lines => Reader::Lines(Lines::default()),
            Framing::Array => Reader::Array(Array::default()),
            Framing::EventStream => Reader::EventStream(EventStream::new(limit)),
        };
        Framer { framing, reader, limit, held: Vec::new(), failed: None }
    }

    /// Reads a chunk and appends the frames it completes. After an error every call repeats it.
    pub fn push(&mut self, chunk: &[u8], frames: &mut Vec<Frame>) -> Result<(), FrameError> {
        self.failed.map_or(Ok(()), Err)?;
        self.held.extend_from_slice(chunk);
        let outcome = self.cut(frames);
        self.remember(outcome)
    }

    /// Ends the stream. What is left becomes a last frame: an SSE event without its blank line, a line without its end.
    /// An event stream or an array must be complete.
    pub fn finish(&mut self, frames: &mut Vec<Frame>) -> Result<(), FrameError> {
        self.failed.map_or(Ok(()), Err)?;
        match self.reader.finish(&self.held) {
            Ok(None) => Ok(()),
            Ok(Some(found)) => {
                frames.push(Frame::new(self.framing, std::mem::take(&mut self.held), found));
                Ok(())
            }
            Err(error) => self.remember(Err(error)),
        }
    }

    /// Bytes held of an unfinished frame.
    pub fn held(&self) -> usize {
        self.held.len()
    }

    fn cut(&mut self, frames: &mut Vec<Frame>) -> Result<(), FrameError> {
        let mut start = 0;
        // `start` is a sum of lengths of frames found in `held`, so it stays within.
        while let Some(found) = self.reader.read(&self.held[start..])? {
            self.check(found.end)?;
            let end = start + found.end;
            frames.push(Frame::new(self.framing, self.held[start..end].to_vec(), found));
            start = end;
        }
        self.held.drain(..start);
        self.check(self.held.len())
    }

    fn check(&self, length: usize) -> Result<(), FrameError> {
        if length > self.limit { Err(FrameError::TooLong { limit: self.limit }) } else { Ok(()) }
    }

    fn remember(&mut self, outcome: Result<(), FrameError>) -> Result<(), FrameError> {
        if let Err(error) = outcome {
            self.failed = Some(error);
            self.held = Vec::new();
        }
        outcome
    }
}

impl Reader {
    /// Looks for the end of the frame that `held` begins with. Shown the same frame again with more bytes, it goes on
    /// where it stopped.
    fn read(&mut self, held: &[u8]) -> Result<Option<Found>, FrameError> {
        match self {
            Reader::Sse(sse) => Ok(sse.read(held)),
            Reader::Lines(lines) => Ok(lines.read(held)),
            Reader::Array(array) => Ok(array.read(held)),
            Reader::EventStream(stream) => stream.read(held),
        }
    }

    /// What `held`, in which `read` found no end, is when nothing follows.
    fn finish(&mut self, held: &[u8]) -> Result<Option<Found>, FrameError> {
        match self {
            Reader::Sse(sse) => Ok(sse.finish(held)),
            Reader::Lines(lines) => Ok(lines.finish(held)),
            Reader::Array(array) => array.finish(held),
            Reader::EventStream(_) if held.is_empty() => Ok(None),
            Reader::EventStream(_) => Err(FrameError::Incomplete),
        }
    }
}

impl Frame {
    fn new(framing: Framing, bytes: Vec<u8>, found: Found) -> Self {
        Frame { bytes, payload: found.payload, name: found.name, framing }
    }

    /// The payload in one piece, lines joined by `\n`.
    pub fn text(&self) -> Cow<'_, [u8]> {
        let piece = |at: &Range<usize>| self.bytes.get(at.clone()).unwrap_or_default();
        match &self.payload[..] {
            [] => Cow::Borrowed(&[]),
            [only] => Cow::Borrowed(piece(only)),
            several => Cow::Owned(several.iter().map(piece).collect::<Vec<_>>().join(&b'\n')),
        }
    }

    /// A string header of an event stream's message, such as `:message-type`. Other framings have none.
    pub fn header(&self, name: &str) -> Option<&str> {
        if self.framing == Framing::EventStream { eventstream::header(&self.bytes, name) } else { None }
    }

    /// The frame's bytes with edits made, which are in order and disjoint. A message of an event stream gets new lengths
    /// and checksums. Without edits these are the bytes as they came.
    pub fn with(self, edits: &[Edit]) -> Vec<u8> {
        if edits.is_empty() {
            return self.bytes;
        }
        let mut bytes = self.splice(edits);
        if self.framing == Framing::EventStream {
            eventstream::seal(&mut bytes);
        }
        bytes
    }

    /// An edit that reaches over the end of a line puts its text where it begins and leaves the line ends standing.
    fn splice(&self, edits: &[Edit]) -> Vec<u8> {
        let mut output = Output { source: &self.bytes, done: 0, bytes: Vec::with_capacity(self.bytes.len()) };
        let mut edits = edits.iter().peekable();
        // Where the piece begins in the payload.
        let mut begin = 0;
        for piece in &self.payload {
            let end = begin + piece.len();
            while let Some(edit) = edits.peek().filter(|edit| edit.at.start <= end) {
                output.copy_to(piece.start + edit.at.start.saturating_sub(begin));
                if edit.at.start >= begin {
                    output.write(&edit.text, piece);
                }
                output.skip_to(piece.start + edit.at.end.min(end).saturating_sub(begin));
                if edit.at.end > end {
                    break;
                }
                edits.next();
            }
            begin = end + 1;
        }
        output.copy_to(self.bytes.len());
        output.bytes
    }
}

/// A frame being written anew.
struct Output<'a> {
    source: &'a [u8],
    /// How much of the source is copied or left out.
    done: usize,
    bytes: Vec<u8>,
}

impl Output<'_> {
    fn copy_to(&mut self, end: usize) {
        self.bytes.extend_from_slice(self.source.get(self.done..end).unwrap_or_default());
        self.skip_to(end);
    }

    fn skip_to(&mut self, end: usize) {
        self.done = self.done.max(end);
    }

    fn write(&mut self, text: &[u8], piece: &Range<usize>) {
        // An SSE line that is only `data` says nothing as `data:` does, but cannot be added to.
        if piece.is_empty() && !text.is_empty() && self.bytes.ends_with(b"data") {
            self.bytes.push(b':');
        }
        self.bytes.extend_from_slice(text);
    }
}

// What a payload says may be anybody's secret: only lengths are shown.

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Frame { bytes, payload, name, framing } = self;
        write!(f, "{framing:?} frame {name:?} of {} bytes, payload at {payload:?}", bytes.len())
    }
}

impl fmt::Debug for Edit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} becomes {} bytes", self.at, self.text.len())
    }
}

impl fmt::Debug for Framer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} framer holding {} bytes", self.framing, self.held.len())
    }
}

#[cfg(test)]
mod tests;
