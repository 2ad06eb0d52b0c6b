//! What the gateway knows of one request between Pingora's phases. Makes no decisions.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::answer::Filter;
use super::backlog::Backlog;
use super::body::Inspection;
use super::edge::{Ahead, Serving};
use super::head::Framing;
use super::offload::{Lost, Offload};
use super::pace::Pace;
use super::patience::Patience;
use super::reply::{Answer, Failure};
use super::trace::Trace;
use super::way::{Way, Ways};
use crate::auth::Principal;
use crate::config::Route;
use crate::policy::{Level, Tokens};
use crate::sanitize::{Refusal, Report, Sent, Verdict, scrub::Scrub};
use crate::snapshot::{Governing, Snapshot};
use crate::state::{Permit, Taken};
use crate::telemetry::{Held, InFlight};
use crate::wire::Family;

/// One request, from its head to its last byte.
pub struct Context {
    pub snapshot: Arc<Snapshot>,
    /// What the request is judged by, which its caller and its route decide, and the level it is judged at.
    pub policy: Governing,
    pub level: Level,
    pub request_id: String,
    /// Where traces are recorded.
    pub trace: Option<Box<Trace>>,
    pub started: Instant,
    /// Whose error envelope answers: the route's, or the likeliest where no route matched.
    pub family: Family,
    pub principal: Option<Principal>,
    pub target: Option<Target>,
    pub body: Body,
    /// All of a judged body was given to the upstream's connection.
    pub handed_over: bool,
    /// Kept when the body is done with.
    pub report: Report,
    pub failure: Option<Failure>,
    /// Ways to the upstream not yet tried, once it was asked for one, and the one taken.
    pub ways: Option<Ways>,
    pub way: Option<Way>,
    /// Why the first of them could not be taken.
    pub unreached: Option<Failure>,
    pub clock: Clock,
    /// With the upstream, once it is connected and until its answer has ended.
    pub patience: Option<Patience>,
    pub scrub: Option<Scrub>,
    /// What the placeholders of the request stand for.
    pub tokens: Tokens,
    /// Names of what the API remembers and the request goes on with, and whether the vault could be asked about them.
    pub states: Vec<String>,
    pub vault_away: bool,
    /// What of the caller's own data it held.
    pub sent: Sent,
    /// Ids of the calls of JSON-RPC that the body makes.
    pub calls: Vec<String>,
    /// The models that are asked: by the path, else by the body.
    pub models: Vec<String>,
    pub answer: Option<Box<Filter>>,
    pub dropped_headers: u64,
    pub dropped_query: u64,
    /// Of the body, and of the answer.
    backlog: Backlog,
    answer_backlog: Backlog,
    pub held: Held,
    pub in_flight: InFlight,
    /// Once the caller is known.
    pub permit: Option<Permit>,
    /// Of the caller's limits.
    pub taken: Vec<Taken>,
    /// Heads of the upstream before that of its answer.
    pub interim: usize,
    /// How fast the request body has to come.
    pub pace: Pace,
    /// Tells the connection that it is busy.
    pub serving: Option<Serving>,
}

/// Where the request goes.
pub struct Target {
    pub route: Arc<Route>,
    /// With the upstream's base path.
    pub path: String,
    pub framing: Framing,
}

/// The request body's state.
pub enum Body {
    /// There is none.
    Empty,
    /// Judged before connecting; goes up whole.
    Judged(Bytes),
    /// Sanitized while it passes.
    Passing(Box<Inspection>),
    /// Being sanitized on another thread, or lost there: nothing of it may go up.
    Away,
}

/// Where the time went.
#[derive(Debug, Default)]
pub struct Clock {
    pub guard: Duration,
    /// Sanitizing the answer.
    pub answer: Duration,
    /// The request was sent up to its last byte.
    pub sent_up: Option<Instant>,
    pub first_byte: Option<Instant>,
}

impl Context {
    pub fn new(snapshot: Arc<Snapshot>, level: Level, held: Held, in_flight: InFlight) -> Self {
        let pace = Pace::new(&snapshot.config, tokio::time::Instant::now());
        Context {
            policy: snapshot.common(),
            snapshot,
            level,
            request_id: String::new(),
            trace: None,
            started: Instant::now(),
            family: Family::OpenAi,
            principal: None,
            target: None,
            body: Body::Empty,
            handed_over: false,
            report: Report::default(),
            failure: None,
            ways: None,
            way: None,
            unreached: None,
            clock: Clock::default(),
            patience: None,
            scrub: None,
            tokens: Tokens::default(),
            states: Vec::new(),
            vault_away: false,
            sent: Sent::default(),
            calls: Vec::new(),
            models: Vec::new(),
            answer: None,
            dropped_headers: 0,
            dropped_query: 0,
            backlog: Backlog::default(),
            answer_backlog: Backlog::default(),
            held,
            in_flight,
            permit: None,
            taken: Vec::new(),
            interim: 0,
            pace,
            serving: None,
        }
    }

    /// Takes note of bytes of the body that came, unless they came too late.
    pub fn keep_pace(&mut self, bytes: usize) -> Result<(), Failure> {
        if tokio::time::Instant::now() > self.pace.due() {
            return Err(Failure::body_too_slow(self.pace.allowed()));
        }
        self.pace.received(bytes);
        Ok(())
    }

    /// Tells the connection whether the body is still to come, where no other time limit than its own holds.
    pub fn set_uploading(&mut self, uploading: bool) {
        if let Some(serving) = &mut self.serving {
            serving.set_uploading(uploading);
        }
    }

    /// Tells the connection what it is going to write. Only where all of the body is with the upstream: as long as some waits for
    /// room there, Pingora does not read the connection, so that what is put together could stay.
    pub fn announce(&self, ahead: Ahead) {
        let waits = matches!(self.body, Body::Passing(_)) && ahead == Ahead::Head;
        if let Some(serving) = self.serving.as_ref().filter(|_| !waits) {
            serving.announce(ahead);
        }
    }

    /// Reads one chunk of the body and accounts for the time and memory it took.
    pub async fn inspect(&mut self, offload: &Offload, mut chunk: Bytes) -> Result<(), Failure> {
        while !chunk.is_empty() {
            let Body::Passing(inspection) = &self.body else { return Ok(()) };
            let piece = chunk.split_to(self.backlog.piece(chunk.len()));
            let weight = inspection.weight(piece.len());
            let pushed = self.step(offload, weight, move |inspection| inspection.push(&piece)).await?;
            pushed.map_err(|refusal| self.refused(refusal))?;
        }
        Ok(())
    }

    /// Ends the body: the rest of what goes up.
    pub async fn conclude(&mut self, offload: &Offload) -> Result<Bytes, Failure> {
        let Body::Passing(inspection) = &self.body else { return Ok(Bytes::new()) };
        let weight = inspection.rest();
        let outcome = self.step(offload, weight, Inspection::finish).await?;
        let outcome = self.consult(offload, outcome).await?;
        self.clock.sent_up = Some(Instant::now());
        self.keep_report();
        outcome.map_err(Failure::from)
    }

    /// One step of reading the body: here if it is short, else on another thread. `weight` is about how many bytes it reads.
    pub(super) async fn step<T, W>(&mut self, offload: &Offload, weight: usize, work: W) -> Result<T, Failure>
    where
        T: Send + 'static,
        W: FnOnce(&mut Inspection) -> T + Send + 'static,
    {
        let limit = self.snapshot.config.timeouts.inspection;
        let begun = Instant::now();
        let Body::Passing(mut inspection) = std::mem::replace(&mut self.body, Body::Away) else {
            return Err(Failure::lost(Lost::Failed));
        };
        let work = move || {
            let begun = Instant::now();
            let output = work(&mut inspection);
            (inspection, output, begun.elapsed())
        };
        let (inspection, output, took) = if self.backlog.is_long(weight) {
            let left = limit.saturating_sub(self.clock.guard);
            offload.run(left, work).await.map_err(Failure::lost)?
        } else {
            work()
        };
        self.clock.guard += begun.elapsed();
        self.backlog.took(weight, took);
        self.held.set(inspection.held());
        self.body = Body::Passing(inspection);
        if self.clock.guard > limit { Err(self.given_up()) } else { Ok(output) }
    }

    fn given_up(&mut self) -> Failure {
        self.body = Body::Away;
        Failure::lost(Lost::Late)
    }

    /// Sanitizes one chunk of the answer and accounts for the time and memory it took.
    pub fn pass_answer(&mut self, offload: &Offload, chunk: &Bytes, end: bool) -> Result<Bytes, Failure> {
        let Some(filter) = &mut self.answer else { return Ok(chunk.clone()) };
        let begun = Instant::now();
        let weight = chunk.len() + if end { filter.held() } else { 0 };
        let (now, id) = (self.started.elapsed(), &self.request_id);
        let mut work = || filter.push(chunk, end, now, id);
        let output = if self.answer_backlog.is_long(weight) { offload.run_here(work) } else { work() };
        self.held.set(filter.held());
        self.clock.answer += begun.elapsed();
        output
    }

    /// Ends the answer before its end, behind what may still be sent: with an error the caller can read if there is a place
    /// for one.
    pub fn give_up(&mut self, failure: Failure, output: Bytes) -> Result<Bytes, Failure> {
        let now = self.started.elapsed();
        match &mut self.answer {
            Some(filter) if filter.is_streaming() => Ok(filter.tell(&failure, output, now, &self.request_id)),
            // The error is on its way.
            Some(filter) if filter.has_told() => Ok(output),
            _ => Err(failure),
        }
    }

    /// The error as the last event of an answer that has begun and ends before its end, if there is a place for one.
    pub fn last_words(&mut self, failure: &Failure) -> Option<Bytes> {
        let now = self.started.elapsed();
        let filter = self.answer.as_mut().filter(|filter| filter.is_streaming())?;
        Some(filter.tell(failure, Bytes::new(), now, &self.request_id))
    }

    /// A piece of the answer came, with `end` the last.
    pub fn heard(&mut self, end: bool) -> Result<(), Failure> {
        let Some(patience) = &self.patience else { return Ok(()) };
        if patience.is_over() {
            return Err(Failure::upstream_timeout());
        }
        patience.restart();
        if end {
            self.patience = None;
        }
        Ok(())
    }

    /// Whether the connection was ended since the upstream kept silent for too long.
    pub fn is_upstream_silent(&self) -> bool {
        self.patience.as_ref().is_some_and(Patience::is_over)
    }

    /// Lets go of the body: nothing more of it is wanted, and the answer may take a while.
    pub fn release(&mut self) {
        self.keep_report();
        self.body = Body::Away;
        self.held.set(0);
    }

    /// The upstream answers: a judged body that it has is not asked for again, and the answer may take an hour.
    pub fn answered(&mut self) {
        if self.handed_over {
            self.body = Body::Away;
        }
    }

    fn refused(&mut self, refusal: Refusal) -> Failure {
        self.keep_report();
        refusal.into()
    }

    fn keep_report(&mut self) {
        if let Body::Passing(inspection) = &self.body {
            self.report = inspection.report().clone();
            self.tokens = inspection.tokens().clone();
            self.sent = inspection.sent().clone();
            self.states = inspection.states().to_vec();
            self.calls = inspection.calls().to_vec();
            if self.models.is_empty() {
                self.models = inspection.models().to_vec();
            }
        }
    }

    /// The header value: what became of the request.
    pub fn verdict(&self) -> &'static str {
        match (&self.failure, self.report.verdict()) {
            (_, Verdict::Blocked) => "blocked",
            (Some(failure), _) if failure.status < 500 => "rejected",
            (Some(_), _) => "failed",
            (None, Verdict::Quarantined) => "quarantined",
            (None, Verdict::WouldBlock) => "would_block",
            (None, Verdict::Masked) => "masked",
            (None, Verdict::Clean) => "allowed",
        }
    }

    pub fn rules(&self) -> String {
        /// Rule ids in a header; the audit record has all of them.
        const SHOWN: usize = 16;
        let rules = self.report.rules();
        rules.iter().take(SHOWN).map(|rule| &**rule).collect::<Vec<_>>().join(",")
    }

    pub fn answer<'a>(&'a self, rules: &'a str) -> Answer<'a> {
        Answer { family: self.family, request_id: &self.request_id, verdict: self.verdict(), rules, calls: &self.calls }
    }
}
