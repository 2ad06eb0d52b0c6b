//! A request body on its way up: JSON in any chunks in, the same JSON with masked strings out, or a refusal.

mod case;
mod refusal;
mod seen;
mod signed;
mod string;
mod value;

use std::collections::HashSet;
use std::hash::BuildHasher;
use std::sync::Arc;

use bytes::Bytes;
use foldhash::fast;

use super::consult::{Answers, Consult, Question};
use super::judge::Judge;
use super::junction::Junction;
use super::known::Known;
use super::output::Output;
use super::placer::Placer;
use super::sent::Sent;
use super::trace::Trace;
use super::window::Window;
use super::{Guard, Limits, Report};
use crate::codec::json::{self, Container, Sink, Tokenizer};
use crate::codec::selector::{Place, Plan, Step, Trail, Treatment};
use crate::detect::Finding;
use crate::detect::scanner::{Class, STEP};
use crate::policy::{Action, Level, Mint, Tokens};

use case::{Ahead, Case, Turn};
pub use refusal::Refusal;
pub(super) use string::SHORT_MEDIA;
use value::{Current, Frame, KeyMark, Kind, Mode};

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

    /// The request with placeholders that `tokens` can undo afterwards, in place of those for good.
    pub fn tokenizing(mut self, mint: Option<Mint>) -> Self {
        let judge = Judge::new(self.pass.judge.level()).keeping(self.pass.judge.keeps());
        self.pass.judge = judge.reversible(mint.is_some());
        self.pass.placer = Placer::new(mint, self.pass.limits.placeholders);
        self
    }

    /// The request with what policy masks left as it is. What it refuses is refused all the same.
    pub fn keeping(mut self, keeps: bool) -> Self {
        self.pass.judge = Judge::new(self.pass.judge.level()).keeping(keeps);
        self
    }

    /// What the placeholders made so far stand for.
    pub fn tokens(&self) -> &Tokens {
        &self.pass.placer.tokens
    }

    /// What would become of a whole body, for who asks. Nothing of it goes up, so all of it may be held, and what policy
    /// refuses is read to its end all the same.
    pub fn whole(guard: &Arc<Guard>, plan: &Arc<Plan>, level: Level, limits: Limits, body: &[u8]) -> Whole {
        let mut request = Request::new(guard.clone(), plan.clone(), level, Limits { hold: usize::MAX, ..limits });
        request.pass.trace = Some(Trace::default());
        let read = request.push(body).and_then(|()| request.finish());
        let report = request.pass.judge.report;
        let (masked, refusal) = match read {
            Ok(masked) => (Some(masked), (!report.blocked.is_empty()).then_some(Refusal::Policy)),
            Err(refusal) => (None, Some(refusal)),
        };
        let findings = request.pass.trace.unwrap_or_default().findings(&report);
        Whole { masked, refusal, findings, report }
    }

    /// What of the caller's own data was read so far.
    pub fn sent(&self) -> &Sent {
        &self.pass.sent
    }

    /// Names of what the API remembers and this request goes on with: an earlier answer, a conversation.
    pub fn states(&self) -> &[String] {
        &self.pass.states
    }

    /// The model that is to answer, where the body says so; of a batch, each.
    pub fn models(&self) -> &[String] {
        &self.pass.models
    }

    /// The same request from its beginning, with answers to questions it had.
    pub fn again(&self, answers: Answers) -> Self {
        let pass = &self.pass;
        let again = Request::new(pass.guard.clone(), pass.plan.clone(), pass.judge.level(), pass.limits);
        let mut again = again.keeping(pass.judge.keeps()).tokenizing(pass.placer.mint());
        again.pass.consult = Consult::knowing(answers);
        again
    }

    /// What is in doubt in what was read so far; the built-in score stands until `again`.
    pub fn questions(&mut self) -> Vec<Question> {
        self.pass.consult.questions()
    }

    pub fn has_questions(&self) -> bool {
        self.pass.consult.has_questions()
    }

    /// Reads one chunk. After a refusal nothing more may be pushed or taken.
    pub fn push(&mut self, chunk: &[u8]) -> Result<(), Refusal> {
        let report = &mut self.pass.judge.report;
        let room = self.pass.limits.body.saturating_sub(report.bytes_in);
        report.bytes_in += chunk.len() as u64;
        // What fits is read first: another refusal in it comes first wherever the body was cut.
        self.pass.output.expect(chunk.len());
        let fits = chunk.get(..room as usize).filter(|fits| fits.len() < chunk.len());
        self.tokenizer.feed(fits.unwrap_or(chunk), &mut self.pass)?;
        self.pass.bound()?;
        if fits.is_none() {
            return Ok(());
        }
        self.tokenizer.settle(&mut self.pass)?;
        Err(Refusal::BodyTooLong(self.pass.limits.body))
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
        // Nothing comes that they could be found in.
        self.pass.placer.known = Known::default();
        self.pass.judge.report.bytes_out = self.pass.output.position();
        Ok(rest)
    }

    pub fn report(&self) -> &Report {
        &self.pass.judge.report
    }
}

/// What would become of a body.
#[derive(Debug)]
pub struct Whole {
    /// The body with placeholders, also where policy refuses it; `None` if it could not be read to its end.
    pub masked: Option<Bytes>,
    /// Why it would not go up.
    pub refusal: Option<Refusal>,
    /// In the order of the body; attacks may overlap. Spans count its bytes.
    pub findings: Vec<Finding>,
    pub report: Report,
}

/// The tokenizer's sink: follows the path, treats each string value, and writes the output.
#[derive(Debug)]
struct Pass {
    guard: Arc<Guard>,
    plan: Arc<Plan>,
    limits: Limits,
    judge: Judge,
    consult: Consult,
    placer: Placer,
    sent: Sent,
    /// Names of what the API remembers and this request goes on with.
    states: Vec<String>,
    models: Vec<String>,
    output: Output,
    window: Window,
    junction: Junction,
    trail: Trail,
    frames: Vec<Frame>,
    /// Place of the next value, when a key has named it.
    next: Option<Place>,
    key: KeyMark,
    /// Hashes of the keys of all open objects, each with its object's number.
    keys: HashSet<u64, fast::RandomState>,
    key_stack: Vec<u64>,
    objects: u64,
    string: Current,
    /// Findings of signed text, by their entry in `output.deferred`.
    deferred: Vec<Vec<Finding>>,
    /// Texts with attacks that wait to be judged, by their entry in `output.kept`.
    cases: Vec<Case>,
    ahead: Vec<Ahead>,
    turn: Option<Turn>,
    /// Kept for who asks, who is told of all findings: then a refusal by policy ends nothing.
    trace: Option<Trace>,
}

impl Pass {
    fn new(guard: Arc<Guard>, plan: Arc<Plan>, level: Level, limits: Limits) -> Self {
        let mut trail = Trail::default();
        let root = plan.root(&mut trail);
        Pass {
            guard,
            plan,
            limits,
            judge: Judge::new(level),
            consult: Consult::default(),
            placer: Placer::default(),
            sent: Sent::default(),
            states: Vec::new(),
            models: Vec::new(),
            output: Output::default(),
            window: Window::default(),
            junction: Junction::default(),
            trail,
            frames: Vec::new(),
            next: Some(root),
            key: KeyMark::default(),
            keys: HashSet::default(),
            key_stack: Vec::new(),
            objects: 0,
            string: Current::default(),
            deferred: Vec::new(),
            cases: Vec::new(),
            ahead: Vec::new(),
            turn: None,
            trace: None,
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

    fn check_key(&mut self, key: &str, place: (u64, u64)) -> Result<(), Refusal> {
        if is_plain_name(key) {
            return Ok(());
        }
        let findings = self.guard.scan(key, Class::Text);
        if let Some(trace) = &mut self.trace {
            trace.note_key(key, place, &findings);
        }
        let guard = self.guard.clone();
        let actions = self.judge.observe_sensitive(&guard, &findings);
        self.judge.report.inspected += key.len() as u64;
        let masked = findings.iter().zip(&actions).find(|(finding, action)| {
            finding.category.is_sensitive() && (action.replaces() || **action == Action::Block)
        });
        match masked {
            Some((finding, _)) => Err(Refusal::FindingInKey(finding.entity.clone())),
            None => self.observe_key(&findings),
        }
    }

    fn verdict(&self) -> Result<(), Refusal> {
        if self.judge.is_blocked() && self.trace.is_none() { Err(Refusal::Policy) } else { Ok(()) }
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
        let whose = self.whose(self.plan.source(place, &self.trail), Some((container, number)));
        let kind = Kind::Unknown;
        self.frames.push(Frame { place, container, number, keys, whose, kind, witnesses: 0, waiting: false });
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
        self.end_turn(self.frames.len())?;
        self.leave(frame.place);
        Ok(())
    }

    fn key(&mut self, key: &str, start: u64, end: u64) -> Result<(), Refusal> {
        let Some(frame) = self.frames.last() else { return Ok(()) };
        let of_key = self.guard.hashing.hash_one(key);
        let hash = self.guard.hashing.hash_one((frame.number, of_key));
        if !self.keys.insert(hash) {
            return Err(Refusal::DuplicateKey);
        }
        self.key_stack.push(hash);
        if self.key_stack.len() > self.limits.keys {
            return Err(Refusal::TooManyKeys(self.limits.keys));
        }
        self.next = Some(self.plan.descend(frame.place, Step::Key(key), &mut self.trail));
        self.key = KeyMark {
            hash: of_key,
            guard: self.plan.guard_bit(key),
            is_type: key == "type",
            is_role: self.names_role(key),
        };
        self.check_key(key, (start, end))
    }

    fn begin_string(&mut self, at: u64) -> Result<(), Refusal> {
        self.bound()?;
        if let Some(trace) = &mut self.trace {
            trace.begin(at);
        }
        let named = self.next.is_some();
        let place = self.place();
        let treatment = self.plan.treatment(place, &self.trail);
        let mark = if named { self.key } else { KeyMark::default() };
        let (mode, signed) = (self.mode(treatment), self.signed(treatment));
        let row = if named { self.row() } else { None };
        let whose = self.whose(self.plan.source(place, &self.trail), None);
        self.string.type_text.clear();
        self.string = Current {
            mode,
            place: Some(place),
            mark,
            signed,
            is_state: treatment == Treatment::State,
            is_model: treatment == Treatment::Model,
            row,
            whose: self.resolved(whose),
            tallies: Vec::new(),
            ends_masked: false,
            type_text: std::mem::take(&mut self.string.type_text),
            len: 0,
            key: None,
        };
        self.output.text = self.output.position();
        self.window.begin();
        Ok(())
    }

    fn may_know(&self) -> bool {
        self.may_be_seen()
    }

    fn recall(&mut self, written: &[u8]) -> Result<bool, Refusal> {
        self.recall_string(written)
    }

    fn text(&mut self, text: &str) -> Result<(), Refusal> {
        if self.lengthens(text.len()) {
            self.window.push(text);
            return Ok(());
        }
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
        if self.lengthens(character.len_utf8()) {
            self.window.push_escape(character, raw);
            return Ok(());
        }
        self.take_text(character.encode_utf8(&mut [0; 4]), Some((character, raw)))?;
        self.bound()
    }

    fn end_string(&mut self, _: u64) -> Result<(), Refusal> {
        self.end_value_string()?;
        self.mark()?;
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
