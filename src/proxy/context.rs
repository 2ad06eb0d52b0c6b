//! What the gateway knows of one request between Pingora's phases. Makes no decisions.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::answer::Filter;
use super::body::Inspection;
use super::edge::Serving;
use super::head::Framing;
use super::pace::Pace;
use super::reply::{Answer, Failure};
use crate::auth::Principal;
use crate::config::Route;
use crate::policy::{Level, Tokens};
use crate::sanitize::{Report, Sent, Verdict, scrub::Scrub};
use crate::snapshot::Snapshot;
use crate::telemetry::{Held, InFlight};
use crate::wire::Family;

/// One request, from its head to its last byte.
pub struct Context {
    pub snapshot: Arc<Snapshot>,
    pub level: Level,
    pub request_id: String,
    pub started: Instant,
    /// Whose error envelope answers: the route's, or the likeliest where no route matched.
    pub family: Family,
    pub principal: Option<Principal>,
    pub target: Option<Target>,
    pub body: Body,
    /// Kept when the body is done with.
    pub report: Report,
    pub failure: Option<Failure>,
    /// Addresses of the upstream, and attempts to connect to one so far.
    pub addresses: usize,
    pub attempts: usize,
    pub clock: Clock,
    pub scrub: Option<Scrub>,
    /// What the placeholders of the request stand for.
    pub tokens: Tokens,
    /// Names of what the API remembers and the request goes on with, and whether the vault could be asked about them.
    pub states: Vec<String>,
    pub vault_away: bool,
    /// What of the caller's own data it held.
    pub sent: Sent,
    pub answer: Option<Box<Filter>>,
    pub dropped_headers: u64,
    pub dropped_query: u64,
    pub held: Held,
    pub in_flight: InFlight,
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
            snapshot,
            level,
            request_id: String::new(),
            started: Instant::now(),
            family: Family::OpenAi,
            principal: None,
            target: None,
            body: Body::Empty,
            report: Report::default(),
            failure: None,
            addresses: 0,
            attempts: 0,
            clock: Clock::default(),
            scrub: None,
            tokens: Tokens::default(),
            states: Vec::new(),
            vault_away: false,
            sent: Sent::default(),
            answer: None,
            dropped_headers: 0,
            dropped_query: 0,
            held,
            in_flight,
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

    /// Reads one chunk of the body and accounts for the time and memory it took.
    pub fn inspect(&mut self, chunk: &[u8]) -> Result<(), Failure> {
        let Body::Passing(inspection) = &mut self.body else { return Ok(()) };
        let begun = Instant::now();
        let outcome = inspection.push(chunk);
        self.held.set(inspection.held());
        self.clock.guard += begun.elapsed();
        outcome.map_err(|refusal| self.refused(refusal.into()))
    }

    /// Ends the body: the rest of what goes up.
    pub async fn conclude(&mut self) -> Result<Bytes, Failure> {
        let Body::Passing(inspection) = &mut self.body else { return Ok(Bytes::new()) };
        let begun = Instant::now();
        let outcome = inspection.conclude(self.snapshot.guard.second_look.as_ref()).await;
        self.clock.guard += begun.elapsed();
        self.clock.sent_up = Some(Instant::now());
        self.keep_report();
        outcome.map_err(|refusal| self.refused(refusal.into()))
    }

    /// Sanitizes one chunk of the answer and accounts for the time and memory it took.
    pub fn pass_answer(&mut self, chunk: Bytes, end: bool) -> Result<Bytes, Failure> {
        let Some(filter) = &mut self.answer else { return Ok(chunk) };
        let begun = Instant::now();
        let output = filter.push(&chunk, end, self.started.elapsed(), &self.request_id);
        self.held.set(filter.held());
        self.clock.answer += begun.elapsed();
        output
    }

    fn refused(&mut self, failure: Failure) -> Failure {
        self.keep_report();
        failure
    }

    fn keep_report(&mut self) {
        if let Body::Passing(inspection) = &self.body {
            self.report = inspection.report().clone();
            self.tokens = inspection.tokens().clone();
            self.sent = inspection.sent().clone();
            self.states = inspection.states().to_vec();
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
        Answer { family: self.family, request_id: &self.request_id, verdict: self.verdict(), rules }
    }
}
