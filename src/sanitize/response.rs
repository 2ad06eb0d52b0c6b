//! An answer on its way down: its bytes in any chunks in, the same with the caller's own values given back and what the model
//! made up masked. Knows no provider: where text stands and goes on, a plan says.
//!
//! An event leaves when all of it is decided, in the order it came; one in which nothing changes leaves as it came.

mod answer;
mod channel;
mod event;
mod restore;
mod sink;
mod usage;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};

use super::Guard;
use super::media::MediaCheck;
use super::request::SHORT_MEDIA;
use super::sent::Sent;
use crate::codec::Plan;
use crate::codec::frame::{Frame, FrameError, Framer, Framing};
use crate::codec::json;
use crate::codec::selector::{AnswerPart, Treatment};
use crate::policy::{Level, Tokens};

use answer::Answer;
pub use answer::{AnswerReport, Sinks};
use channel::{Channel, Placed, Replacement};
use event::{Change, Event, Leaf, Marks};
pub use usage::Usage;

/// How the body is made up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// One JSON document, or plain text.
    Document,
    Stream(Framing),
}

/// What one answer may make the sanitizer hold. Every field is a configuration key under `[limits]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AnswerLimits {
    /// One event, or a whole document.
    pub event: usize,
    /// Events that wait.
    pub hold: usize,
    /// How long they may.
    pub hold_time: Duration,
    /// How long the caller may be left without a sign of life while they do.
    pub hold_ping: Duration,
    pub depth: usize,
    pub key: usize,
}

/// Why an answer ends before its end. What was taken before may be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    #[error("the answer was withheld by policy")]
    Policy,
    #[error("{0}")]
    Frame(#[from] FrameError),
    #[error("the answer is neither JSON nor text")]
    Unreadable,
}

/// One answer body. Push chunks, take what may leave, and finish.
#[derive(Debug)]
pub struct Response {
    body: Body,
    limits: AnswerLimits,
    plan: Arc<Plan>,
    answer: Answer,
    channels: HashMap<u64, Open>,
    tools: Vec<(Marks, bool)>,
    waiting: VecDeque<Waiting>,
    /// Number of the first event that waits, and bytes of all that do.
    first: u64,
    held: usize,
    output: BytesMut,
    clock: Clock,
    ping: Option<&'static [u8]>,
}

#[derive(Debug)]
enum Body {
    Document(Vec<u8>),
    Stream(Box<Framer>, Vec<Frame>),
}

/// A text that may go on.
#[derive(Debug)]
struct Open {
    marks: Marks,
    channel: Channel,
    /// Its pieces that are not wholly decided.
    pieces: VecDeque<Piece>,
    placed: Placed,
}

/// Where a piece of a text stands.
#[derive(Clone, Copy, Debug)]
struct Piece {
    event: u64,
    leaf: usize,
    /// In the text.
    start: usize,
    end: usize,
}

/// An event of which something is undecided.
#[derive(Debug)]
struct Waiting {
    frame: Frame,
    event: Event,
    changes: Vec<Change>,
    undecided: usize,
    since: Duration,
}

/// When what happened, on the clock that `push` is given.
#[derive(Debug, Default)]
struct Clock {
    now: Duration,
    /// Something left, or a sign of life.
    sent: Duration,
    /// All that events have waited.
    waited: Duration,
}

impl Response {
    /// `plan` says where the dialect's answers hold text.
    pub fn new(guard: Arc<Guard>, plan: Arc<Plan>, level: Level, form: Form, limits: AnswerLimits) -> Self {
        let body = match form {
            Form::Document => Body::Document(Vec::new()),
            Form::Stream(framing) => Body::Stream(Box::new(Framer::new(framing, limits.event)), Vec::new()),
        };
        Response {
            body,
            limits,
            plan,
            answer: Answer::new(guard, level),
            channels: HashMap::new(),
            tools: Vec::new(),
            waiting: VecDeque::new(),
            first: 0,
            held: 0,
            output: BytesMut::new(),
            clock: Clock::default(),
            ping: None,
        }
    }

    /// With what the request's placeholders stand for, and where they stay what they are.
    pub fn restoring(mut self, tokens: &Tokens, sinks: Arc<Sinks>) -> Self {
        self.answer = self.answer.restoring(tokens, sinks);
        self
    }

    /// The answer with what policy masks left as it is.
    pub fn keeping(mut self, keeps: bool) -> Self {
        self.answer = self.answer.keeping(keeps);
        self
    }

    /// With what the caller sent himself: nobody made that up.
    pub fn knowing(mut self, sent: Sent) -> Self {
        self.answer = self.answer.knowing(sent);
        self
    }

    /// With a sign of life for callers who wait while text is held.
    pub fn pinging(mut self, ping: Option<&'static [u8]>) -> Self {
        self.ping = ping;
        self
    }

    /// Reads one chunk at a time `now`, counted from any fixed moment. After an error nothing more may be pushed.
    pub fn push(&mut self, chunk: &[u8], now: Duration) -> Result<(), Broken> {
        self.clock.now = now;
        match &mut self.body {
            Body::Document(held) => {
                if held.len() + chunk.len() > self.limits.event {
                    return Err(FrameError::TooLong { limit: self.limits.event }.into());
                }
                held.extend_from_slice(chunk);
                Ok(())
            }
            Body::Stream(framer, frames) => {
                let outcome = framer.push(chunk, frames);
                self.read_frames()?;
                outcome?;
                self.bound()
            }
        }
    }

    /// Ends the body.
    pub fn finish(&mut self) -> Result<(), Broken> {
        match &mut self.body {
            Body::Document(held) => {
                let document = std::mem::take(held);
                let output = self.document(&document)?;
                self.output.extend_from_slice(&output);
                Ok(())
            }
            Body::Stream(framer, frames) => {
                let outcome = framer.finish(frames);
                self.read_frames()?;
                self.end(&Marks::default())?;
                outcome.map_err(Broken::from)
            }
        }
    }

    /// What may leave.
    pub fn take(&mut self) -> Bytes {
        if !self.output.is_empty() {
            self.clock.sent = self.clock.now;
        } else if let Some(ping) = self.ping.filter(|_| self.waits_too_long_unheard()) {
            self.clock.sent = self.clock.now;
            return Bytes::from_static(ping);
        }
        self.output.split().freeze()
    }

    fn waits_too_long_unheard(&self) -> bool {
        !self.waiting.is_empty() && self.clock.now.saturating_sub(self.clock.sent) >= self.limits.hold_ping
    }

    /// Bytes held at the moment.
    pub fn held(&self) -> usize {
        self.held
            + match &self.body {
                Body::Document(held) => held.len(),
                Body::Stream(framer, _) => framer.held(),
            }
    }

    /// How long events have waited, added up.
    pub fn waited(&self) -> Duration {
        self.clock.waited
    }

    /// Names of what the API remembers of this answer.
    pub fn states(&self) -> &[String] {
        &self.answer.states
    }

    pub fn report(&self) -> &AnswerReport {
        &self.answer.report
    }

    fn read_frames(&mut self) -> Result<(), Broken> {
        let Body::Stream(_, frames) = &mut self.body else { return Ok(()) };
        for frame in std::mem::take(frames) {
            self.read_frame(frame)?;
            self.bound()?;
        }
        Ok(())
    }

    fn read_frame(&mut self, frame: Frame) -> Result<(), Broken> {
        let mut event = self.event(&frame.text(), &frame.name)?;
        self.held += frame.bytes.len();
        self.answer.report.held = self.answer.report.held.max(self.held);
        if self.channels.len() >= MOST_TEXTS {
            self.end(&Marks::default())?;
        }
        self.note_tools(&event);
        let pieces = self.read_leaves(&mut event);
        let (undecided, changes) = (pieces.len(), self.whole_leaves(&event, false));
        let ends: Vec<Marks> = event.ends().collect();
        let number = self.first + self.waiting.len() as u64;
        self.waiting.push_back(Waiting { frame, event, changes, undecided, since: self.clock.now });
        for (leaf, key, text) in pieces {
            self.read_piece(number, leaf, key, &text);
        }
        for marks in ends {
            self.end(&marks)?;
        }
        self.release()
    }

    /// The payload taken apart: as JSON, or as one text.
    fn event(&mut self, payload: &[u8], name: &str) -> Result<Event, Broken> {
        let limits = json::Limits { depth: self.limits.depth, key: self.limits.key };
        match Event::read(payload, name, &self.plan, limits) {
            Ok(event) => {
                self.answer.note_usage(&event.usage);
                Ok(event)
            }
            Err(_) => std::str::from_utf8(payload).map(Event::plain).map_err(|_| Broken::Unreadable),
        }
    }

    /// The names of tools, and whether their arguments leave the caller's hands.
    fn note_tools(&mut self, event: &Event) {
        /// Calls of one answer.
        const MOST: usize = 1024;
        let sinks = self.answer.sinks();
        if sinks.tools.is_empty() {
            return;
        }
        for leaf in event.leaves.iter().filter(|leaf| leaf.treatment == Treatment::Answer(AnswerPart::Tool)) {
            let (marks, _) = event.place(leaf);
            if !marks.is_empty() && self.tools.len() < MOST {
                self.tools.push((marks, sinks.is_network_tool(&leaf.text)));
            }
        }
    }

    fn placed(&self, marks: &Marks) -> Placed {
        let of = |(tool, _): &&(Marks, bool)| tool.are_of(marks);
        Placed { is_sink: self.tools.iter().rev().find(of).is_some_and(|(_, is_sink)| *is_sink) }
    }

    /// Opens the texts that have pieces in the event, and takes the pieces out of it, with the key of their text.
    fn read_leaves(&mut self, event: &mut Event) -> Vec<(usize, u64, String)> {
        let is_piece = |leaf: &Leaf| {
            matches!(leaf.treatment, Treatment::Answer(AnswerPart::Piece | AnswerPart::Row)) && !leaf.text.is_empty()
        };
        let mut read = Vec::new();
        for index in 0..event.leaves.len() {
            let Some(leaf) = event.leaves.get(index).filter(|leaf| is_piece(leaf)) else { continue };
            let (marks, key) = event.place(leaf);
            let placed = self.placed(&marks);
            let open = || Open { marks, channel: Channel::default(), pieces: VecDeque::new(), placed };
            self.channels.entry(key).or_insert_with(open);
            let text = event.leaves.get_mut(index).map(|leaf| std::mem::take(&mut leaf.text));
            read.extend(text.map(|text| (index, key, text)));
        }
        read
    }

    fn read_piece(&mut self, event: u64, leaf: usize, key: u64, text: &str) {
        self.answer.report.inspected += text.len() as u64;
        let Some(open) = self.channels.get_mut(&key) else { return };
        let start = open.pieces.back().map_or(open.channel.decided(), |last| last.end);
        open.pieces.push_back(Piece { event, leaf, start, end: start + text.len() });
        let replacements = open.channel.push(text, false, &open.placed, &mut self.answer);
        self.settle(key, replacements);
    }

    /// Ends all texts that have these marks, and forgets them.
    fn end(&mut self, marks: &Marks) -> Result<(), Broken> {
        let mut ended: Vec<u64> =
            self.channels.iter().filter(|(_, open)| marks.are_of(&open.marks)).map(|(key, _)| *key).collect();
        // In any fixed order: the report and the verdict must not depend on the map's.
        ended.sort_unstable();
        for key in ended {
            self.decide_all(key);
            self.channels.remove(&key);
        }
        self.release()
    }

    /// Takes what a text has come to for all there is of it.
    fn decide_all(&mut self, key: u64) {
        let Some(open) = self.channels.get_mut(&key) else { return };
        let replacements = open.channel.push("", true, &open.placed, &mut self.answer);
        self.settle(key, replacements);
    }

    /// Puts replacements into the events whose pieces they touch; pieces that are decided no longer wait.
    fn settle(&mut self, key: u64, replacements: Vec<Replacement>) {
        let Some(open) = self.channels.get_mut(&key) else { return };
        for replacement in replacements {
            let mut text = replacement.text;
            let touches = |piece: &&Piece| piece.start < replacement.at.end && replacement.at.start < piece.end;
            for piece in open.pieces.iter().filter(touches) {
                let Some(waiting) = self.waiting.get_mut((piece.event - self.first) as usize) else { continue };
                let (start, end) = (replacement.at.start.max(piece.start), replacement.at.end.min(piece.end));
                let at = start - piece.start..end - piece.start;
                waiting.changes.push(Change { leaf: piece.leaf, at, text: std::mem::take(&mut text) });
            }
        }
        let decided = open.channel.decided();
        while let Some(piece) = open.pieces.pop_front_if(|piece| piece.end <= decided) {
            if let Some(waiting) = self.waiting.get_mut((piece.event - self.first) as usize) {
                waiting.undecided -= 1;
            }
        }
    }

    /// Lets out what is decided.
    fn release(&mut self) -> Result<(), Broken> {
        while let Some(waiting) = self.waiting.pop_front_if(|waiting| waiting.undecided == 0) {
            if self.answer.is_blocked() {
                // It may hold what led to that.
                return Err(Broken::Policy);
            }
            self.first += 1;
            self.held -= waiting.frame.bytes.len();
            self.clock.waited += self.clock.now.saturating_sub(waiting.since);
            self.output.extend_from_slice(&waiting.finished());
        }
        if self.answer.is_blocked() { Err(Broken::Policy) } else { Ok(()) }
    }

    /// What waits too long, or is too much, is judged as it stands.
    fn bound(&mut self) -> Result<(), Broken> {
        while let Some(front) = self.waiting.front() {
            let late = self.clock.now.saturating_sub(front.since) >= self.limits.hold_time;
            if !late && self.held <= self.limits.hold {
                return Ok(());
            }
            let first = self.first;
            let of_front = |(_, open): &(&u64, &Open)| open.pieces.front().is_some_and(|piece| piece.event == first);
            let mut keys: Vec<u64> = self.channels.iter().filter(of_front).map(|(key, _)| *key).collect();
            keys.sort_unstable();
            keys.into_iter().for_each(|key| self.decide_all(key));
            self.release()?;
        }
        Ok(())
    }

    /// Changes in the texts of an event of which nothing follows; of a `document` nothing does.
    fn whole_leaves(&mut self, event: &Event, document: bool) -> Vec<Change> {
        let mut changes = Vec::new();
        for (index, leaf) in event.leaves.iter().enumerate() {
            let skipped = match leaf.treatment {
                Treatment::Text | Treatment::Label => None,
                Treatment::Answer(AnswerPart::Piece | AnswerPart::Row) if document => None,
                // Read with its text, which goes on.
                Treatment::Answer(AnswerPart::Piece | AnswerPart::Row) => continue,
                Treatment::Media | Treatment::MediaUnlessText => is_media(&leaf.text).then_some("media"),
                Treatment::Answer(AnswerPart::State) => {
                    self.answer.note_state(&leaf.text);
                    Some("name")
                }
                Treatment::Model => {
                    self.answer.note_model(&leaf.text);
                    Some("name")
                }
                Treatment::Name
                | Treatment::State
                | Treatment::Answer(AnswerPart::Tool | AnswerPart::End | AnswerPart::Usage(_)) => Some("name"),
                Treatment::Answer(AnswerPart::Echo) | Treatment::Sealed => Some("sealed"),
                Treatment::Credential => Some("credential"),
                Treatment::Signed { .. } => Some("signed"),
            };
            if let Some(reason) = skipped {
                self.answer.skip(reason, &leaf.text);
            } else if !leaf.text.is_empty() {
                let placed = self.placed(&event.place(leaf).0);
                self.answer.report.inspected += leaf.text.len() as u64;
                if let Some(notice) = self.notice(leaf) {
                    changes.push(Change { leaf: index, at: 0..leaf.text.len(), text: notice });
                    continue;
                }
                let replacements = Channel::default().push(&leaf.text, true, &placed, &mut self.answer);
                let change = |Replacement { at, text }| Change { leaf: index, at, text };
                changes.extend(replacements.into_iter().map(change));
            }
        }
        changes
    }

    /// What stands in place of a text of another's than the model, if there is an attack in it.
    fn notice(&mut self, leaf: &Leaf) -> Option<String> {
        let origin = leaf.origin.filter(|_| leaf.treatment == Treatment::Text)?;
        self.answer.withhold(origin, &leaf.text)
    }

    fn document(&mut self, document: &[u8]) -> Result<Vec<u8>, Broken> {
        if document.is_empty() {
            return Ok(Vec::new());
        }
        let event = self.event(document, "")?;
        self.answer.report.held = self.answer.report.held.max(document.len());
        self.note_tools(&event);
        let changes = self.whole_leaves(&event, true);
        if self.answer.is_blocked() {
            return Err(Broken::Policy);
        }
        Ok(event.with(&changes, document))
    }
}

impl Waiting {
    fn finished(mut self) -> Vec<u8> {
        self.changes.sort_by_key(|change| (change.leaf, change.at.start));
        let edits = self.event.edits(&self.changes);
        self.frame.with(&edits)
    }
}

/// Texts of one answer that may go on at once; a stream that has more of them is judged as if all had ended.
const MOST_TEXTS: usize = 1024;

/// Whether a leaf at a media path holds no text. As in requests: short ones are read.
fn is_media(text: &str) -> bool {
    let mut check = MediaCheck::new();
    text.len() as u64 > SHORT_MEDIA && check.push(text) && check.is_media()
}
