//! A window over one string value: what has been read of it and not yet been sent, in both readings, unescaped for
//! the scanner and as written for the output. Decides nothing about what is found.
//!
//! Windows advance by fixed steps of unescaped text, never by chunks, so the outcome does not depend on the cut.

use std::ops::Range;
use std::sync::Arc;

use super::Guard;
use super::nested::{Kind, Nested, Opening};
use super::placer::Placer;
use crate::detect::Finding;
use crate::detect::scanner::{CONTEXT, Class, OVERLAP, STEP};
use crate::policy::{Action, token};
use crate::text::Span;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Window {
    /// Unescaped: `context` bytes that were sent already, then what is pending.
    text: String,
    context: usize,
    /// Offset of `text` in the whole string value.
    offset: u64,
    /// The pending text as it was written. Kept only while it differs, that is, while `escapes` is not empty.
    raw: Vec<u8>,
    escapes: Vec<Escape>,
    nested: Option<Nested>,
    /// Somebody may ask how the text begins, if it is JSON.
    asked: bool,
    swallow: Option<Swallow>,
    /// End of the text that the last `scan` saw, and of what it decided on.
    seen: usize,
    end: usize,
}

/// One escaped character: where it stands in `text` and in `raw`, and its length in each. In few bytes: all of a hostile text may
/// be escaped, and a window is far shorter than 4 GiB.
#[derive(Clone, Copy, Debug)]
struct Escape {
    text: u32,
    raw: u32,
    text_len: u8,
    raw_len: u8,
}

impl Escape {
    /// Its end in `text` and in `raw`.
    fn ends(self) -> (usize, usize) {
        (self.text as usize + usize::from(self.text_len), self.raw as usize + usize::from(self.raw_len))
    }
}

/// A masked token that is longer than a window: what else of it is dropped.
#[derive(Clone, Copy, Debug)]
pub(super) enum Swallow {
    Token,
    /// A private key's body has line ends, and its last line spaces.
    Pem,
}

/// A replacement in the pending text.
#[derive(Debug, PartialEq)]
pub(super) struct Mask {
    /// Of the text as it was written.
    pub raw: Range<usize>,
    /// End of it in the unescaped text.
    until: usize,
    pub replacement: Arc<str>,
}

/// How a quotation mark is written where the window's text stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Quote {
    Plain,
    InJson,
}

impl Window {
    /// Begins a new string value.
    pub fn begin(&mut self) {
        self.text.clear();
        self.raw.clear();
        self.escapes.clear();
        (self.context, self.offset, self.seen, self.end) = (0, 0, 0, 0);
        (self.nested, self.asked, self.swallow) = (None, false, None);
    }

    pub fn push(&mut self, text: &str) {
        self.text.push_str(text);
        if !self.escapes.is_empty() {
            self.raw.extend_from_slice(text.as_bytes());
        }
    }

    pub fn push_escape(&mut self, character: char, raw: &[u8]) {
        if self.escapes.is_empty() {
            self.raw.clear();
            self.raw.extend_from_slice(&self.text.as_bytes()[self.context..]);
        }
        let (text, before) = (self.text.len() as u32, self.raw.len() as u32);
        let (text_len, raw_len) = (character.len_utf8() as u8, raw.len() as u8);
        self.escapes.push(Escape { text, raw: before, text_len, raw_len });
        self.text.push(character);
        self.raw.extend_from_slice(raw);
    }

    /// The text, if nothing of it was sent yet.
    pub fn beginning(&self) -> Option<&str> {
        (self.offset == 0 && self.context == 0).then_some(&*self.text)
    }

    /// If all of the text is here, the places in `raw()` where its first stretch of context ends and its last begins.
    pub fn ends(&self) -> Option<(usize, usize)> {
        let text = self.beginning()?;
        let last = text.ceil_char_boundary(text.len().saturating_sub(CONTEXT));
        Some((self.raw_at(text.floor_char_boundary(CONTEXT)), self.raw_at(last)))
    }

    /// What is still known of the text: at its end, the last of it.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What the last `scan` saw.
    pub fn scanned(&self) -> &str {
        &self.text[..self.seen]
    }

    /// What the last `scan` decided on that was not sent yet.
    pub fn fresh(&self) -> &str {
        &self.text[self.context..self.end]
    }

    /// Bytes of unescaped text read so far, sent or not.
    pub fn total(&self) -> u64 {
        self.offset + self.text.len() as u64
    }

    pub fn pending(&self) -> usize {
        self.text.len() - self.context
    }

    /// Whether the text, with `more` behind it, begins as a web address.
    pub fn is_url(&self, more: &str) -> bool {
        let begins = |scheme: &str| {
            let mut text = self.text.bytes().chain(more.bytes());
            scheme.bytes().all(|byte| text.next().is_some_and(|found| found.eq_ignore_ascii_case(&byte)))
        };
        begins("http:") || begins("https:")
    }

    pub fn is_full(&self) -> bool {
        self.pending() >= STEP + OVERLAP
    }

    /// All pending bytes as they were written.
    pub fn raw(&self) -> &[u8] {
        if self.escapes.is_empty() { &self.text.as_bytes()[self.context..] } else { &self.raw }
    }

    /// Scans the window and fixes how much of it is decided: one step, or all if it is the `last` of its string.
    /// `known` may add what it knows of the text. Offset of a finding's span: `base()`.
    pub fn scan(
        &mut self,
        guard: &Guard,
        class: Class,
        last: bool,
        known: impl FnOnce(&str, &mut Vec<Finding>),
    ) -> Vec<Finding> {
        let (cut, seen) = if last {
            (self.text.len(), self.text.len())
        } else {
            let boundary = |at| self.text.floor_char_boundary(self.context + at);
            (boundary(STEP), boundary(STEP + OVERLAP))
        };
        let first = self.context + self.swallowed(seen);
        let mut findings = guard.scan(&self.text[..seen], class);
        self.seen = seen;
        // A placeholder that the caller sends back is no secret to hide once more.
        findings.retain(|finding| {
            !finding.category.is_sensitive() || !token::is_token(&self.text[finding.span.start..finding.span.end])
        });
        known(&self.text[..seen], &mut findings);
        findings.retain(|finding| finding.span.end > first && finding.span.start < cut);
        findings.retain_mut(|finding| {
            // What begins in the context was decided with the window before.
            let sensitive = finding.category.is_sensitive();
            let old = sensitive && finding.span.start < self.context;
            finding.span.start = if sensitive { finding.span.start.max(first) } else { finding.span.start };
            !old
        });
        let reach = findings.iter().filter(|finding| finding.category.is_sensitive()).map(|finding| finding.span.end);
        self.end = reach.chain([cut, first]).max().unwrap_or(cut);
        findings
    }

    /// Where the window's text begins in the string value, for spans that must outlive it.
    pub fn base(&self) -> u64 {
        self.offset
    }

    /// The replacements that policy asks for in the decided part, in order.
    pub fn masks(
        &mut self,
        findings: &[Finding],
        actions: &[Action],
        placer: &mut Placer,
        quote: Quote,
        last: bool,
    ) -> Vec<Mask> {
        let replaces = |(finding, action): (&Finding, &Action)| action.replaces() && finding.category.is_sensitive();
        // The structure of a text that is here as a whole is of no use to anybody else.
        let needed = self.asked || !last || self.beginning().is_none() || findings.iter().zip(actions).any(replaces);
        let parts = if needed { self.parts() } else { None };
        let swallowed = self.swallowed(self.seen);
        let mut masks = Vec::with_capacity(findings.len());
        if swallowed > 0 {
            self.add(&mut masks, self.context..self.context + swallowed, |_| Arc::default());
        }
        if self.context + swallowed < self.seen {
            self.swallow = None;
        }
        for (finding, action) in findings.iter().zip(actions) {
            if replaces((finding, action)) {
                let range = finding.span.start..finding.span.end;
                let cut = !last && finding.span.end == self.seen;
                // Of a token whose end is not known yet nothing could be given back.
                let action = if cut { Action::Mask } else { *action };
                match &parts {
                    Some(parts) => {
                        let mut place = |value: &str| placer.place_nested(finding, action, value);
                        self.mask_nested(&mut masks, range, &mut place, parts, quote);
                    }
                    None => self.add(&mut masks, range, |value| placer.place(finding, action, value)),
                }
                if cut {
                    self.swallow = Some(Swallow::of(finding));
                }
            }
        }
        masks
    }

    /// Says before `masks` that `opening` may be asked.
    pub fn will_ask(&mut self) {
        self.asked = true;
    }

    /// How the whole string begins, if it is JSON so far.
    pub fn opening(&self) -> Option<Opening> {
        self.nested.as_ref().map(Nested::opening)
    }

    /// Whether the last of the masks reaches the end of the decided part.
    pub fn ends_in(&self, masks: &[Mask]) -> bool {
        masks.last().is_some_and(|mask| mask.raw.end == self.raw_at(self.end))
    }

    /// The decided part as it was written; the ranges of masks count from its start.
    pub fn decided(&self) -> &[u8] {
        &self.raw()[..self.raw_at(self.end)]
    }

    /// Where a span of the text stands in `raw()`. What of it was sent before is left out.
    pub fn written(&self, span: Span) -> Span {
        let at = |at: usize| self.raw_at(at.max(self.context));
        Span::new(at(span.start), at(span.end))
    }

    /// Drops the decided part, but for some context.
    pub fn consume(&mut self) {
        let raw_end = self.raw_at(self.end);
        let keep = self.text.floor_char_boundary(self.end.saturating_sub(CONTEXT));
        if !self.escapes.is_empty() {
            self.raw.drain(..raw_end);
            self.escapes.retain(|escape| escape.text as usize >= self.end);
            for escape in &mut self.escapes {
                escape.text -= keep as u32;
                escape.raw -= raw_end as u32;
            }
        }
        self.text.drain(..keep);
        self.offset += keep as u64;
        self.context = self.end - keep;
        self.end = self.context;
    }

    /// Structure of the decided part, if the whole string is JSON so far.
    fn parts(&mut self) -> Option<Vec<(Range<usize>, Kind)>> {
        if self.offset == 0 && self.context == 0 {
            self.nested = Nested::begin(&self.text);
        }
        let (offset, end) = (self.offset, self.end);
        let alive = self.nested.as_mut()?.feed(&self.text[self.context..end]);
        if !alive {
            self.nested = None;
        }
        let parts = self.nested.as_mut()?.parts(offset + end as u64).into_iter();
        let here = |at: u64| at.saturating_sub(offset) as usize;
        Some(parts.map(|(range, kind)| (here(range.start)..here(range.end), kind)).collect())
    }

    /// Masks a range of JSON in a string: inside its strings only, whole scalars as new strings, structure never.
    fn mask_nested(
        &self,
        masks: &mut Vec<Mask>,
        range: Range<usize>,
        place: &mut impl FnMut(&str) -> Arc<str>,
        parts: &[(Range<usize>, Kind)],
        quote: Quote,
    ) {
        let range = snap(self.text.as_bytes(), range);
        let first = parts.partition_point(|(part, _)| part.end <= range.start);
        let touched = parts[first..].iter().take_while(|(part, _)| part.start < range.end);
        let before = masks.len();
        for (part, kind) in touched {
            match kind {
                Kind::String => {
                    let inside = part.start.max(range.start)..part.end.min(range.end);
                    self.add(masks, inside, &mut *place);
                }
                Kind::Scalar => self.add(masks, part.clone(), |value| quote.around(&place(value)).into()),
            }
        }
        if masks.len() == before {
            // Rather broken JSON than a leak: a key that a window's end has cut is no part yet.
            self.add(masks, range, place);
        }
    }

    fn add(&self, masks: &mut Vec<Mask>, text: Range<usize>, replacement: impl FnOnce(&str) -> Arc<str>) {
        let start = masks.last().map_or(self.context, |mask| mask.until).max(text.start);
        let end = text.end.min(self.end);
        if start < end {
            let raw = self.raw_at(start)..self.raw_at(end);
            masks.push(Mask { raw, until: end, replacement: replacement(&self.text[start..end]) });
        }
    }

    /// Position in `raw()` of a position in `text`.
    fn raw_at(&self, at: usize) -> usize {
        let after = self.escapes.partition_point(|escape| (escape.text as usize) < at);
        match after.checked_sub(1).map(|index| self.escapes[index].ends()) {
            Some((text, raw)) => raw + at.saturating_sub(text),
            None => at - self.context,
        }
    }

    /// How much of the pending text still belongs to a token whose beginning was masked.
    fn swallowed(&self, seen: usize) -> usize {
        self.swallow.map_or(0, |swallow| swallow.run(&self.text[self.context..seen]))
    }
}

impl Swallow {
    pub fn of(finding: &Finding) -> Self {
        if &*finding.entity == "PRIVATE_KEY" { Swallow::Pem } else { Swallow::Token }
    }

    /// How much of what follows belongs to the token.
    pub fn run(self, pending: &str) -> usize {
        match self {
            Swallow::Token => run_of(pending, is_token),
            Swallow::Pem => {
                let run = run_of(pending, |character| is_token(character) || character.is_ascii_whitespace());
                let footer = pending[..run].find("-----END").map(|at| at + "-----END".len());
                let end = footer.and_then(|from| pending[from..run].find("-----").map(|at| from + at + 5));
                end.unwrap_or(run)
            }
        }
    }
}

impl Quote {
    fn around(self, text: &str) -> String {
        match self {
            Quote::Plain => format!("\"{text}\""),
            Quote::InJson => format!("\\\"{text}\\\""),
        }
    }
}

fn is_token(character: char) -> bool {
    character.is_ascii_alphanumeric() || "+/=_-.~%".contains(character)
}

fn run_of(text: &str, accepts: impl Fn(char) -> bool) -> usize {
    text.find(|character| !accepts(character)).unwrap_or(text.len())
}

/// Widens a range of JSON text so that it cuts no escape in two.
pub(super) fn snap(text: &[u8], range: Range<usize>) -> Range<usize> {
    let start = escape_around(text, range.start).map_or(range.start, |escape| escape.start);
    let end = escape_around(text, range.end).map_or(range.end, |escape| escape.end.min(text.len()));
    start..end
}

/// The escape that has `at` strictly inside it.
fn escape_around(text: &[u8], at: usize) -> Option<Range<usize>> {
    // The longest escape is `\u0041`: its backslash is at most five bytes before a position inside it.
    (at.saturating_sub(5)..at).rev().find_map(|backslash| {
        let begins =
            text[backslash] == b'\\' && text[..backslash].iter().rev().take_while(|&&b| b == b'\\').count() % 2 == 0;
        let len = if text.get(backslash + 1) == Some(&b'u') { 6 } else { 2 };
        (begins && backslash + len > at).then(|| backslash..backslash + len)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_never_cut_an_escape_in_two() {
        let cases = [
            (r"ab\ncd", 3, Some(2..4)),
            (r"ab\ncd", 2, None),
            (r"ab\ncd", 4, None),
            (r"a\\ncd", 3, None),
            (r"a\u0041b", 4, Some(1..7)),
            (r"a\u0041b", 7, None),
            (r"a\\u0041b", 5, None),
        ];
        for (text, at, expected) in cases {
            assert_eq!(escape_around(text.as_bytes(), at), expected, "{text} at {at}");
        }
    }

    #[test]
    fn positions_map_through_escapes() {
        let mut window = Window::default();
        window.push("ab");
        window.push_escape('é', b"\\u00e9");
        window.push("c");
        window.push_escape('\n', b"\\n");
        assert_eq!(window.text, "abéc\n");
        assert_eq!(window.raw(), br"ab\u00e9c\n");
        let positions: Vec<usize> = [0, 2, 4, 5, 6].map(|at| window.raw_at(at)).to_vec();
        assert_eq!(positions, [0, 2, 8, 9, 11]);
    }
}
