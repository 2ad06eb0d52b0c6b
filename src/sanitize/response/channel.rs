//! One text of an answer, in pieces: what of it is decided, and what is to be put in its place. Knows neither events nor
//! framings.
//!
//! What is decided never depends on where the text was cut: its end waits while it could become something else, what is
//! found in complete words does not depend on what follows, and windows begin at fixed places.

use std::ops::Range;

use super::answer::Answer;
use super::event::escaped;
use super::restore::Found;
use super::sink::{Address, Addresses};
use crate::detect::Finding;
use crate::detect::growing::{LONGEST, Progress, ends_word};
use crate::detect::scanner::CONTEXT;
use crate::policy::{Action, placeholder, token};
use crate::sanitize::nested::{Kind, Nested};
use crate::sanitize::window::{Swallow, snap};

/// See the module. Positions are of the whole text, unless they are said to be of what is kept of it.
#[derive(Debug, Default)]
pub(super) struct Channel {
    /// What is kept: what waits, and before it what the scanner needs.
    text: String,
    base: usize,
    /// All before is decided.
    decided: usize,
    /// All before was replaced or must not be.
    covered: usize,
    structure: Structure,
    addresses: Addresses,
    swallow: Option<Swallow>,
    progress: Progress,
    /// All of the text came at once.
    whole: bool,
}

/// Whether the text is JSON itself.
#[derive(Debug, Default)]
enum Structure {
    #[default]
    Unknown,
    /// And where its JSON begins.
    Json(Box<Nested>, usize),
    None,
}

/// A replacement.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Replacement {
    pub at: Range<usize>,
    pub text: String,
}

impl Channel {
    /// What is decided.
    pub fn decided(&self) -> usize {
        self.decided
    }

    /// Reads a piece, the last one if it is the `end`, and gives what is to be replaced in what is decided now, in order.
    pub fn push(&mut self, text: &str, end: bool, place: &Placed, answer: &mut Answer) -> Vec<Replacement> {
        self.whole = end && self.decided == 0 && self.text.is_empty();
        self.text.push_str(text);
        let mut replacements = Vec::new();
        while let Some(step) = self.step(end, answer) {
            let went_on = self.decide(step, place, answer, &mut replacements)
                || self.forced().is_some_and(|step| self.decide(step, place, answer, &mut replacements));
            if !went_on || answer.is_blocked() {
                break;
            }
        }
        replacements
    }

    /// What can be decided next.
    fn step(&mut self, end: bool, answer: &Answer) -> Option<Step> {
        let (from, length) = (self.decided - self.base, self.text.len());
        let start = match end {
            true => length,
            false => answer.growing(&self.text, from, self.base, &mut self.progress),
        };
        let window = self.window().end - self.base;
        if start > from {
            let until = start.min(self.text.floor_char_boundary(window));
            // A window that ends inside a word is decided with it.
            let until = self.text[until..start].find(ends_word).map_or(start, |gap| until + gap).max(from + 1);
            let until = self.text.ceil_char_boundary(until);
            return Some(Step { from, until, seen: self.seen(from, until, answer), waits: start, cut: false });
        }
        self.forced()
    }

    /// What waits for longer than anything can be is decided half by half.
    fn forced(&self) -> Option<Step> {
        let (from, length) = (self.decided - self.base, self.text.len());
        (length - from > LONGEST).then(|| {
            let boundary = |at| self.text.floor_char_boundary(from + at);
            Step { from, until: boundary(LONGEST / 2), seen: boundary(LONGEST), waits: length, cut: true }
        })
    }

    /// Where the window begins that holds the first undecided byte, and where it ends.
    fn window(&self) -> Range<usize> {
        let size = if self.whole { WHOLE } else { WINDOW };
        let start = self.decided / size * size;
        start..start + size
    }

    /// How far a scan looks: to the end of a word some way behind what it decides, and further if something that begins there
    /// has not ended by then. A finding that begins before `until` may end behind all that is decided, in a word that waits.
    fn seen(&self, from: usize, until: usize, answer: &Answer) -> usize {
        let length = self.text.len();
        // Where all is there, to look is cheaper than to ask.
        let by = if self.whole { LONGEST } else { AHEAD };
        let ahead = self.text.ceil_char_boundary((until + by).min(length));
        let near = self.text[ahead..].find(ends_word).map_or(length, |gap| ahead + gap);
        let grows = |text: &str| answer.growing(text, from, self.base, &mut Progress::default());
        if near == length || self.whole || grows(&self.text[..near]) >= until {
            return near;
        }
        self.text.floor_char_boundary((near + LONGEST).min(length))
    }

    /// False if nothing can be decided after all: what begins it may be part of something that waits.
    fn decide(
        &mut self,
        mut step: Step,
        place: &Placed,
        answer: &mut Answer,
        replacements: &mut Vec<Replacement>,
    ) -> bool {
        let swallowed = self.swallow.map_or(0, |swallow| swallow.run(&self.text[step.from..step.until]));
        let mut findings = if answer.guards() { self.scan(answer, &step, swallowed) } else { Vec::new() };
        let waiting = findings.iter().find(|finding| finding.span.end > step.waits);
        step.until = waiting.map_or(step.until, |finding| finding.span.start.min(step.until));
        let Step { from, mut until, seen, cut, .. } = step;
        if until <= from {
            return false;
        }
        findings.retain(|finding| finding.span.start < until);
        self.drop_swallowed(from, until, swallowed, replacements);
        let restorer = answer.restorer.clone();
        let found = restorer.find(&self.text, from + swallowed..seen);
        findings.retain(|finding| {
            let taken = |found: &Found| found.span().start < finding.span.end && finding.span.start < found.span().end;
            !found.iter().any(taken) && !is_placeholder(&self.text[finding.span.start..finding.span.end])
        });
        let reach = findings.iter().map(|finding| finding.span.end).max().unwrap_or_default();
        let known = found.iter().map(Found::span).filter(|span| span.start < until).map(|span| span.end);
        until = known.chain([until, reach.min(seen)]).max().unwrap_or(until);
        let parts = self.read_structure(from, until);
        let mut changes: Vec<Replacement> = Vec::new();
        for finding in &findings {
            let action = answer.judge(finding, &self.text[finding.span.start..finding.span.end]);
            if action == Action::Mask {
                let placeholder = placeholder::mask(&finding.entity);
                self.mask(finding.span.start..finding.span.end, &parts, &placeholder, &mut changes);
                if cut && finding.span.end == seen {
                    self.swallow = Some(Swallow::of(finding));
                }
            }
        }
        let read = Read { part: from..until, parts };
        let found = found.into_iter().filter(|found| found.span().start < until);
        changes.extend(self.restore(found, &read, place, answer));
        changes.sort_by_key(|change| change.at.start);
        for change in changes {
            if change.at.start >= self.covered {
                self.covered = change.at.end;
                replacements.push(change);
            }
        }
        self.consume(until);
        true
    }

    /// Findings that begin in the undecided part of the window.
    fn scan(&self, answer: &Answer, step: &Step, swallowed: usize) -> Vec<Finding> {
        let Step { from, until, seen, .. } = *step;
        let window = self.window().start;
        let context = self.text.floor_char_boundary(window.saturating_sub(CONTEXT).max(self.base) - self.base);
        let mut findings = answer.scan(&self.text[context..seen], from - context);
        let longer = self.text.len().min(seen + LONGEST);
        if !step.cut && seen < longer && findings.iter().any(|finding| context + finding.span.end == seen) {
            let longer = self.text.floor_char_boundary(longer);
            findings = answer.scan(&self.text[context..longer], from - context);
        }
        for finding in &mut findings {
            finding.span.start += context;
            finding.span.end += context;
        }
        let first = (from + swallowed).max(self.covered.saturating_sub(self.base));
        findings.retain_mut(|finding| {
            let begins = finding.span.start >= from && finding.span.start < until;
            finding.span.start = finding.span.start.max(first);
            begins && finding.span.start < finding.span.end
        });
        findings
    }

    /// Drops what goes on of a token whose beginning was masked.
    fn drop_swallowed(&mut self, from: usize, until: usize, run: usize, replacements: &mut Vec<Replacement>) {
        if run < until - from {
            self.swallow = None;
        }
        if run > 0 {
            let start = self.base + from;
            replacements.push(Replacement { at: start..start + run, text: String::new() });
            self.covered = start + run;
        }
    }

    fn restore(
        &mut self,
        found: impl Iterator<Item = Found>,
        text: &Read,
        place: &Placed,
        answer: &mut Answer,
    ) -> Vec<Replacement> {
        let (mut read, sinks, mut changes) = (text.part.start, answer.sinks(), Vec::new());
        for found in found {
            let span = found.span().clone();
            let Found::Known(_, original) = found else {
                answer.report.unresolved += 1;
                continue;
            };
            self.addresses.read(&self.text[read..span.start]);
            read = span.start;
            let address = match self.addresses.here() {
                Some(Address::Image) => sinks.images,
                Some(Address::Link) => sinks.links,
                None => false,
            };
            if address || place.is_sink {
                answer.report.kept_back += 1;
                continue;
            }
            *answer.report.restored.entry(original.entity.clone()).or_default() += 1;
            let text = match overlapping(&text.parts, &span).next() {
                Some((_, Kind::String)) => escaped(&original.value),
                _ => original.value.to_string(),
            };
            changes.push(Replacement { at: self.base + span.start..self.base + span.end, text });
        }
        self.addresses.read(&self.text[read..text.part.end]);
        changes
    }

    /// Follows the structure of a text that is JSON: its strings and scalars in what was read now.
    fn read_structure(&mut self, from: usize, until: usize) -> Vec<Part> {
        let (text, start) = (&self.text[from..until], self.base + from);
        if matches!(self.structure, Structure::Unknown) && !text.trim_start().is_empty() {
            // Nothing but white space was decided before.
            self.structure =
                Nested::begin(text).map_or(Structure::None, |nested| Structure::Json(Box::new(nested), start));
        }
        let Structure::Json(nested, begin) = &mut self.structure else { return Vec::new() };
        if !nested.feed(text) {
            self.structure = Structure::None;
            return Vec::new();
        }
        let here = |at: u64| (at as usize + *begin).saturating_sub(self.base);
        let parts = nested.parts((start - *begin + text.len()) as u64).into_iter();
        parts.map(|(part, kind)| (here(part.start)..here(part.end), kind)).collect()
    }

    /// Masks inside strings of JSON and whole scalars of it, as strings; structure never.
    fn mask(&self, span: Range<usize>, parts: &[Part], placeholder: &str, changes: &mut Vec<Replacement>) {
        let is_json = matches!(self.structure, Structure::Json(..));
        let span = if is_json { snap(self.text.as_bytes(), span) } else { span };
        let put = |at: Range<usize>, text: String| Replacement { at: self.base + at.start..self.base + at.end, text };
        let inside = overlapping(parts, &span).map(|(part, kind)| match kind {
            Kind::String => put(part.start.max(span.start)..part.end.min(span.end), placeholder.to_owned()),
            Kind::Scalar => put(part.clone(), format!("\"{placeholder}\"")),
        });
        let before = changes.len();
        changes.extend(inside);
        if changes.len() == before {
            changes.push(put(span, placeholder.to_owned()));
        }
    }

    /// Forgets what the scanner will not need again.
    fn consume(&mut self, until: usize) {
        self.decided = self.base + until;
        let keep = self.window().start.saturating_sub(CONTEXT + 4);
        if keep > self.base {
            let gone = self.text.floor_char_boundary(keep - self.base);
            self.text.drain(..gone);
            self.base += gone;
        }
    }
}

/// What is decided in one go; positions are of what is kept.
#[derive(Clone, Copy, Debug)]
struct Step {
    from: usize,
    until: usize,
    /// How far the scanner looks.
    seen: usize,
    /// Where what could go on begins.
    waits: usize,
    /// More of the same word may follow.
    cut: bool,
}

/// What was read in one go, and what of its own JSON stands in it.
#[derive(Debug)]
struct Read {
    part: Range<usize>,
    parts: Vec<Part>,
}

/// Where a text stands.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Placed {
    /// In the arguments of a tool that sends them away.
    pub is_sink: bool,
}

/// A string or scalar of the text's own JSON, in what is kept.
type Part = (Range<usize>, Kind);

fn overlapping<'p>(parts: &'p [Part], of: &'p Range<usize>) -> impl Iterator<Item = &'p Part> {
    parts.iter().filter(|(part, _)| part.start < of.end && of.start < part.end)
}

fn is_placeholder(text: &str) -> bool {
    token::is_token(text) || (text.starts_with('[') && text.ends_with("_MASKED]"))
}

/// Windows begin at multiples of this: what is scanned again with each piece of a stream.
const WINDOW: usize = 128;
/// The same of a text that is there as a whole and scanned once. No rule looks further back than there is context, so that
/// the size of windows makes no difference to what is found.
const WHOLE: usize = 16 * 1024;
/// How far behind a window's end a scan looks at least.
const AHEAD: usize = 256;
