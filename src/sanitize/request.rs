//! A request body on its way up: JSON in any chunks in, the same JSON with masked strings out, or a refusal.

mod refusal;
mod signed;
mod value;

use std::collections::HashSet;
use std::hash::BuildHasher;
use std::sync::Arc;

use bytes::Bytes;

use super::judge::Judge;
use super::junction::{Junction, Row};
use super::media::MediaCheck;
use super::output::Output;
use super::window::{Mask, Quote, Window};
use super::{Guard, Limits, Report};
use crate::codec::json::{self, Container, Sink, Tokenizer};
use crate::codec::selector::{Place, Plan, Step, Trail, Treatment};
use crate::detect::Finding;
use crate::detect::scanner::{Class, STEP};
use crate::policy::{Action, Level};

pub use refusal::Refusal;
use value::{Current, Frame, KeyMark, Kind, Mode, TYPE};

/// One request body. Push chunks, take what may leave, and finish.
#[derive(Debug)]
pub struct Request {
    tokenizer: Tokenizer,
    pass: Pass,
}

impl Request {
    /// `plan` says how the dialect's string values are treated.
    pub fn new(guard: Arc<Guard>, plan: Arc<Plan>, level: Level, limits: Limits) -> Self {
        let tokenizer = Tokenizer::new(json::Limits { depth: limits.depth, key: limits.key });
        Request { tokenizer, pass: Pass::new(guard, plan, level, limits) }
    }

    /// Reads one chunk. After a refusal nothing more may be pushed or taken.
    pub fn push(&mut self, chunk: &[u8]) -> Result<(), Refusal> {
        let report = &mut self.pass.judge.report;
        let room = self.pass.limits.body.saturating_sub(report.bytes_in);
        report.bytes_in += chunk.len() as u64;
        // What fits is read first: another refusal in it comes first wherever the body was cut.
        let fits = chunk.get(..room as usize).filter(|fits| fits.len() < chunk.len());
        self.tokenizer.feed(fits.unwrap_or(chunk), &mut self.pass)?;
        self.pass.bound()?;
        if fits.is_some() { Err(Refusal::BodyTooLong(self.pass.limits.body)) } else { Ok(()) }
    }

    /// Sanitized bytes that may leave before the verdict: none until more than `limits.hold` are held.
    pub fn take(&mut self) -> Bytes {
        self.pass.output.release(self.pass.limits.hold)
    }

    /// Bytes held back at the moment.
    pub fn held(&self) -> usize {
        self.pass.output.held()
    }

    /// Ends the body: the rest of the output, or the refusal.
    pub fn finish(&mut self) -> Result<Bytes, Refusal> {
        self.tokenizer.finish(&mut self.pass)?;
        let rest = self.pass.output.release(0);
        self.pass.judge.report.bytes_out = self.pass.output.position();
        Ok(rest)
    }

    pub fn report(&self) -> &Report {
        &self.pass.judge.report
    }
}

/// The tokenizer's sink: follows the path, treats each string value, and writes the output.
#[derive(Debug)]
struct Pass {
    guard: Arc<Guard>,
    plan: Arc<Plan>,
    limits: Limits,
    judge: Judge,
    output: Output,
    window: Window,
    junction: Junction,
    trail: Trail,
    frames: Vec<Frame>,
    /// Place of the next value, when a key has named it.
    next: Option<Place>,
    key: KeyMark,
    /// Hashes of the keys of all open objects, each with its object's number.
    keys: HashSet<u64>,
    key_stack: Vec<u64>,
    objects: u64,
    string: Current,
    /// Findings of signed text, by their entry in `output.deferred`.
    deferred: Vec<Vec<Finding>>,
}

/// Media up to this many bytes are looked at for published secret formats before they pass, and where only the
/// sibling `type` could tell media from text and has not been seen, taken for text.
const SHORT_MEDIA: u64 = 512;

impl Pass {
    fn new(guard: Arc<Guard>, plan: Arc<Plan>, level: Level, limits: Limits) -> Self {
        let mut trail = Trail::default();
        let root = plan.root(&mut trail);
        Pass {
            guard,
            plan,
            limits,
            judge: Judge::new(level),
            output: Output::default(),
            window: Window::default(),
            junction: Junction::default(),
            trail,
            frames: Vec::new(),
            next: Some(root),
            key: KeyMark::default(),
            keys: HashSet::new(),
            key_stack: Vec::new(),
            objects: 0,
            string: Current::default(),
            deferred: Vec::new(),
        }
    }

    /// The place of the value that begins here.
    fn place(&mut self) -> Place {
        match (self.next.take(), self.frames.last()) {
            (Some(place), _) => place,
            (None, Some(frame)) => self.plan.descend(frame.place, Step::Element, &mut self.trail),
            // Only the root has no container, and `next` holds its place.
            (None, None) => self.plan.root(&mut self.trail),
        }
    }

    fn leave(&mut self, place: Place) {
        self.plan.ascend(place, &mut self.trail);
    }

    fn mode(&self, treatment: Treatment) -> Mode {
        let kind = self.frames.last().map_or(Kind::Unknown, |frame| frame.kind);
        let media = |strict| Mode::Media { check: MediaCheck::new(), strict };
        match treatment {
            Treatment::Text | Treatment::Signed { .. } => Mode::Inspect(Class::Text),
            Treatment::Label => Mode::Inspect(Class::Label),
            Treatment::Name => Mode::Name,
            Treatment::Media => media(false),
            Treatment::MediaUnlessText => match kind {
                Kind::Text => Mode::Inspect(Class::Text),
                Kind::Base64 => media(false),
                Kind::Unknown => media(true),
            },
            Treatment::Sealed => Mode::Unread("sealed"),
            Treatment::Credential => Mode::Unread("credential"),
        }
    }

    fn check_key(&mut self, key: &str) -> Result<(), Refusal> {
        if is_plain_name(key) {
            return Ok(());
        }
        let mut findings = Vec::new();
        self.guard.scanner.scan(key, 0, Class::Text, &mut findings);
        let guard = self.guard.clone();
        let actions = self.judge.observe(&guard, &findings);
        self.judge.report.inspected += key.len() as u64;
        let masked = findings.iter().zip(&actions).find(|(finding, action)| {
            finding.category.is_sensitive() && matches!(action, Action::Mask | Action::Block)
        });
        match masked {
            Some((finding, _)) => Err(Refusal::FindingInKey(finding.entity.clone())),
            None => self.verdict(),
        }
    }

    fn verdict(&self) -> Result<(), Refusal> {
        if self.judge.is_blocked() { Err(Refusal::Policy) } else { Ok(()) }
    }

    fn advance(&mut self) -> Result<(), Refusal> {
        match &mut self.string.mode {
            Mode::Name if self.window.total() > self.limits.name as u64 => {
                self.string.mode = Mode::Inspect(Class::Label);
            }
            Mode::Media { check, .. } if self.window.pending() >= STEP && check.is_media() => {
                self.string.mode = Mode::Flow(check.clone());
                self.pass_window("media");
            }
            _ => {}
        }
        while matches!(self.string.mode, Mode::Inspect(_)) && self.window.is_full() {
            self.flush(false)?;
        }
        Ok(())
    }

    /// Lets the window's bytes through unread.
    fn pass_window(&mut self, reason: &'static str) {
        self.judge.report.skip(reason, self.window.raw().len());
        self.output.write(self.window.raw());
        self.window.begin();
    }

    /// What the text before began and this one ends, if this is its first window.
    fn across_the_cut(&self, class: Class) -> Vec<Finding> {
        match self.window.beginning() {
            Some(head) if class == Class::Text => self.junction.findings(&self.guard.scanner, self.string.row, head),
            _ => Vec::new(),
        }
    }

    /// Where the string stands among its neighbours: the same key in the next object of the same array.
    fn row(&self) -> Option<Row> {
        let [.., array, object] = &self.frames[..] else { return None };
        let cells = array.container == Container::Array && object.container == Container::Object;
        cells.then_some(Row { array: array.number, key: self.key.hash })
    }

    /// Scans the window and writes what is decided.
    fn flush(&mut self, last: bool) -> Result<(), Refusal> {
        let class = if let Mode::Inspect(class) = self.string.mode { class } else { Class::Label };
        let mut findings = self.across_the_cut(class);
        findings.extend(self.window.scan(&self.guard.scanner, class, last));
        if let Some((frame, bit)) = self.string.signed {
            return self.flush_signed(frame, bit, findings, last);
        }
        let guard = self.guard.clone();
        let actions = self.judge.observe(&guard, &findings);
        self.verdict()?;
        let masks = self.window.masks(&findings, &actions, Quote::InJson, last);
        self.string.ends_masked = self.window.ends_in(&masks);
        let decided = self.window.decided();
        let mut sent = 0;
        for Mask { raw, replacement } in masks {
            self.output.write(&decided[sent..raw.start]);
            self.output.write(replacement.as_bytes());
            sent = raw.end;
        }
        self.output.write(&decided[sent..]);
        self.window.consume();
        Ok(())
    }

    fn grow(&mut self, len: usize) -> Result<(), Refusal> {
        self.string.len += len as u64;
        if self.string.len > self.limits.string { Err(Refusal::StringTooLong(self.limits.string)) } else { Ok(()) }
    }

    /// Text of the string value, in the bytes it was written with.
    fn take_text(&mut self, text: &str, escape: Option<(char, &[u8])>) -> Result<(), Refusal> {
        self.grow(text.len())?;
        if self.string.mark.guard != 0 && self.string.len == text.len() as u64 {
            self.witness()?;
        }
        if self.string.mark.is_type && self.string.len <= TYPE as u64 {
            self.string.type_text.push_str(text);
        }
        let raw = escape.map_or(text.as_bytes(), |(_, raw)| raw);
        match &mut self.string.mode {
            Mode::Unread(reason) => {
                self.judge.report.skip(reason, raw.len());
                self.output.write(raw);
                return Ok(());
            }
            Mode::Flow(check) => {
                if !check.push(text) {
                    return Err(Refusal::NotMedia);
                }
                self.judge.report.skip("media", raw.len());
                self.output.write(raw);
                return Ok(());
            }
            Mode::Media { check, .. } => {
                if !check.push(text) {
                    let class = if self.window.is_url(text) { Class::Label } else { Class::Text };
                    self.string.mode = Mode::Inspect(class);
                }
            }
            Mode::Inspect(_) | Mode::Name => {}
        }
        match escape {
            Some((character, raw)) => self.window.push_escape(character, raw),
            None => self.window.push(text),
        }
        self.advance()
    }

    fn end_value_string(&mut self) -> Result<(), Refusal> {
        match &self.string.mode {
            Mode::Inspect(_) => self.end_inspected()?,
            Mode::Name => self.pass_window("name"),
            Mode::Media { check, strict } => {
                let (media, short) = (check.is_media(), self.string.len <= SHORT_MEDIA);
                if media && !short {
                    self.pass_window("media");
                } else {
                    let class = if media && !*strict { Class::Label } else { Class::Text };
                    self.string.mode = Mode::Inspect(class);
                    self.end_inspected()?;
                }
            }
            Mode::Flow(_) | Mode::Unread(_) => {}
        }
        Ok(())
    }

    fn end_inspected(&mut self) -> Result<(), Refusal> {
        self.judge.report.inspected += self.string.len;
        self.flush(true)?;
        match self.string.mode {
            Mode::Inspect(Class::Text) if self.string.ends_masked => self.junction.forget(self.string.row),
            Mode::Inspect(Class::Text) => self.junction.leave(self.string.row, self.window.text()),
            _ => {}
        }
        Ok(())
    }

    /// What the finished string tells its object.
    fn mark(&mut self) {
        let Current { mark, len, type_text, .. } = &self.string;
        if let Some(frame) = self.frames.last_mut().filter(|_| mark.is_type) {
            frame.kind = match (type_text.as_str(), *len) {
                ("text", 4) => Kind::Text,
                ("base64", 6) => Kind::Base64,
                _ => Kind::Unknown,
            };
        }
    }
}

impl Sink for Pass {
    type Error = Refusal;

    fn raw(&mut self, bytes: &[u8]) {
        self.output.write(bytes);
    }

    fn open(&mut self, container: Container) -> Result<(), Refusal> {
        let place = self.place();
        self.objects += 1;
        let (number, keys) = (self.objects, self.key_stack.len());
        self.frames.push(Frame { place, container, number, keys, kind: Kind::Unknown, witnesses: 0, waiting: false });
        Ok(())
    }

    fn close(&mut self) -> Result<(), Refusal> {
        let Some(frame) = self.frames.pop() else { return Ok(()) };
        for hash in self.key_stack.drain(frame.keys..) {
            self.keys.remove(&hash);
        }
        if frame.waiting {
            self.bound()?;
            self.settle(self.frames.len(), frame.witnesses, true)?;
        }
        self.leave(frame.place);
        Ok(())
    }

    fn key(&mut self, key: &str, _: u64, _: u64) -> Result<(), Refusal> {
        let Some(frame) = self.frames.last() else { return Ok(()) };
        let hash = self.guard.hashing.hash_one((frame.number, key));
        if !self.keys.insert(hash) {
            return Err(Refusal::DuplicateKey);
        }
        self.key_stack.push(hash);
        if self.key_stack.len() > self.limits.keys {
            return Err(Refusal::TooManyKeys(self.limits.keys));
        }
        self.next = Some(self.plan.descend(frame.place, Step::Key(key), &mut self.trail));
        let hash = self.guard.hashing.hash_one(key);
        self.key = KeyMark { hash, guard: self.plan.guard_bit(key), is_type: key == "type" };
        self.check_key(key)
    }

    fn begin_string(&mut self, _: u64) -> Result<(), Refusal> {
        self.bound()?;
        let named = self.next.is_some();
        let place = self.place();
        let treatment = self.plan.treatment(place, &self.trail);
        let mark = if named { self.key } else { KeyMark::default() };
        let (mode, signed) = (self.mode(treatment), self.signed(treatment));
        let row = if named { self.row() } else { None };
        self.string.type_text.clear();
        self.string = Current {
            mode,
            place: Some(place),
            mark,
            signed,
            row,
            ends_masked: false,
            type_text: std::mem::take(&mut self.string.type_text),
            len: 0,
        };
        self.window.begin();
        Ok(())
    }

    fn text(&mut self, text: &str) -> Result<(), Refusal> {
        // In pieces, so that a window never holds much more than it needs and media is told from text at the same
        // place however the bytes are cut.
        let mut rest = text;
        while !rest.is_empty() {
            let room = match self.string.mode {
                Mode::Media { .. } => STEP.saturating_sub(self.window.pending()),
                _ => STEP,
            };
            // Up to the limit it is read, too; the character behind it is refused.
            let left = self.limits.string.saturating_sub(self.string.len);
            let first = rest.chars().next().map_or(0, char::len_utf8);
            let (piece, tail) = rest.split_at(rest.floor_char_boundary(room.min(left as usize)).max(first));
            self.take_text(piece, None)?;
            self.bound()?;
            rest = tail;
        }
        Ok(())
    }

    fn escape(&mut self, character: char, raw: &[u8]) -> Result<(), Refusal> {
        self.take_text(character.encode_utf8(&mut [0; 4]), Some((character, raw)))?;
        self.bound()
    }

    fn end_string(&mut self, _: u64) -> Result<(), Refusal> {
        self.end_value_string()?;
        self.mark();
        if let Some(place) = self.string.place.take() {
            self.leave(place);
        }
        Ok(())
    }

    fn begin_scalar(&mut self, _: u64) -> Result<(), Refusal> {
        let place = self.place();
        self.leave(place);
        Ok(())
    }

    fn end_scalar(&mut self, _: u64) -> Result<(), Refusal> {
        Ok(())
    }
}

/// A field name as programs have them: letters and underscores, too short and too regular to hide anything in.
fn is_plain_name(key: &str) -> bool {
    key.len() <= 24 && key.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'_')
}

#[cfg(test)]
mod tests;
