//! Neighbouring texts read as one. Providers join the parts of a message, so an attack or a token that is cut over two of
//! them is looked for across the cut. Changes nothing itself.

use std::borrow::Cow;

use super::Guard;
use super::recall::Scan;
use crate::detect::scanner::{CONTEXT, Class};
use crate::detect::{Finding, Scanner};
use crate::text::Span;

/// What makes two texts neighbours: the array that holds their objects, and their key there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Row {
    /// Number of the array among the containers of the document.
    pub array: u64,
    /// Hash of the key.
    pub key: u64,
}

/// The ends of the texts before, of the rows read last.
#[derive(Debug, Default)]
pub(super) struct Junction {
    tails: Vec<(Row, Tail)>,
}

/// The end of a text.
#[derive(Debug, Default)]
struct Tail {
    text: String,
    /// What stands in place of it as it is written, if nobody had to read it yet.
    written: Vec<u8>,
    /// What comes from the text alone by which the end is known, if something is.
    key: Option<u128>,
}

/// What a text leaves to the one behind it.
pub(super) enum Left<'t> {
    Text(Cow<'t, str>),
    /// The last of a text that is longer, as it is written, without a surrogate.
    Written(&'t [u8]),
}

impl<'t> Left<'t> {
    /// The end of a string value, of a text that is `long` enough to leave nothing of those before it. `None` where that end
    /// is no text by itself.
    pub fn of(written: &'t [u8], long: bool) -> Option<Self> {
        if !long || memchr::memchr(b'\\', written).is_none() || memchr::memmem::find(written, b"\\u").is_some() {
            return plain(written).map(Left::Text);
        }
        Some(Left::Written(written))
    }
}

/// Rows that are followed at once: a part has few texts beside its own.
const ROWS: usize = 4;

impl Junction {
    /// What begins in the text before and ends in the one that begins with `head`; spans cover its part of that. Joined
    /// without anything between, as parts are, and with a space, as messages are read.
    pub fn findings(&self, guard: &Guard, row: Option<Row>, head: &str) -> Vec<Finding> {
        let Some(tail) = self.tail(row).filter(|tail| !tail.is_empty() && !head.is_empty()) else { return Vec::new() };
        let (tail, head) = (&*tail.read(), &head[..head.floor_char_boundary(CONTEXT)]);
        guard.recall(Scan::Junction, [tail, head], || {
            if !guard.scanner.may_cross(tail, head) {
                return Vec::new();
            }
            let mut found = across(&guard.scanner, tail, "", head);
            let spaced = across(&guard.scanner, tail, " ", head).into_iter();
            found.extend(spaced.filter(|finding| !finding.category.is_sensitive()));
            found
        })
    }

    /// Whether there is a text before.
    pub fn has(&self, row: Option<Row>) -> bool {
        self.tail(row).is_some_and(|tail| !tail.is_empty())
    }

    /// The key of the end of the text before.
    pub fn key(&self, row: Option<Row>) -> Option<u128> {
        self.tail(row)?.key
    }

    fn tail(&self, row: Option<Row>) -> Option<&Tail> {
        self.tails.iter().find(|(other, _)| Some(*other) == row).map(|(_, tail)| tail)
    }

    /// Remembers the end of a text of that length, and the `key` it is known by. Short ones add up: a part may be a single word.
    pub fn leave(&mut self, row: Option<Row>, left: Left, length: u64, key: Option<u128>) {
        let Some(row) = row else { return };
        let known = self.tails.iter().position(|(other, _)| *other == row).map(|index| self.tails.remove(index).1);
        let mut tail = known.unwrap_or_default();
        if length >= CONTEXT as u64 {
            tail.text.clear();
            tail.written.clear();
        }
        match left {
            Left::Text(text) => tail.append(&text),
            Left::Written(written) => tail.written.extend_from_slice(written),
        }
        tail.key = key;
        if self.tails.len() == ROWS {
            self.tails.remove(0);
        }
        self.tails.push((row, tail));
    }

    /// The text before ended in something masked: what follows is not its continuation.
    pub fn forget(&mut self, row: Option<Row>) {
        self.tails.retain(|(other, _)| Some(*other) != row);
    }
}

impl Tail {
    fn is_empty(&self) -> bool {
        self.text.is_empty() && self.written.is_empty()
    }

    fn read(&self) -> Cow<'_, str> {
        if self.written.is_empty() { Cow::Borrowed(&self.text) } else { plain(&self.written).unwrap_or_default() }
    }

    fn append(&mut self, text: &str) {
        if !self.written.is_empty() {
            self.text = self.read().into_owned();
            self.written.clear();
        }
        self.text.push_str(&text[text.ceil_char_boundary(text.len().saturating_sub(CONTEXT))..]);
        let surplus = self.text.len().saturating_sub(CONTEXT);
        self.text.drain(..self.text.ceil_char_boundary(surplus));
    }
}

/// What a part of a string value stands for. `None` only for surrogates that stand alone, which is rare.
pub(super) fn plain(written: &[u8]) -> Option<Cow<'_, str>> {
    if memchr::memchr(b'\\', written).is_none() {
        return std::str::from_utf8(written).ok().map(Cow::Borrowed);
    }
    let quoted = [b"\"", written, b"\""].concat();
    serde_json::from_slice::<String>(&quoted).ok().map(Cow::Owned)
}

/// Published formats and attacks only: digits of neighbouring cells are not one number.
fn across(scanner: &Scanner, tail: &str, between: &str, head: &str) -> Vec<Finding> {
    let joined = [tail, between, head].concat();
    let start = tail.len() + between.len();
    let crosses = |finding: &Finding| finding.span.start < tail.len() && finding.span.end > start;
    let mut findings = Vec::new();
    scanner.scan_by_rules(&joined, Class::Label, &mut findings);
    findings.retain(crosses);
    // What the model says is of both texts, each of which it judges for itself: here it only says how sure a rule is.
    if findings.iter().any(|finding| !finding.category.is_sensitive()) {
        findings.clear();
        scanner.scan(&joined, 0, Class::Label, &mut findings);
        findings.retain(crosses);
    }
    for finding in &mut findings {
        finding.span = Span::new(0, finding.span.end - start);
    }
    findings
}
