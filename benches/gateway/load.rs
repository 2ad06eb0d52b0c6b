//! The load: so many connections, each with one request under way at a time. Every request has a body of its own.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::caller::{Caller, Protocol};
use super::corpus::chats::{Chats, Conversation};
use super::mock;

/// What to do to whom.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    pub target: SocketAddr,
    pub protocol: Protocol,
    pub bytes: usize,
    /// The bodies of a connection are turns of one conversation.
    pub conversation: bool,
    pub connections: usize,
    pub warm_up: Duration,
    pub seed: u64,
}

/// Connections over which some requests have gone.
pub struct Warm {
    lines: Vec<Line>,
    /// What came of those.
    pub outcome: Outcome,
}

/// A connection and what it sends.
struct Line {
    caller: Caller,
    bodies: Bodies,
}

/// What came of requests.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Of answers 200, in order.
    latencies: Vec<Duration>,
    /// Until the last answer.
    took: Duration,
    /// Answers of another status, and what the head of one of them said.
    pub refused: u64,
    pub refusal: Option<String>,
    /// Requests that the gateway let pass changed or with a remark.
    pub touched: u64,
}

impl Plan {
    /// Connects and sends for a while, at least one request a connection.
    ///
    /// # Errors
    /// When a connection fails or breaks: nothing could be said about the rest.
    pub async fn warm(self, chats: &Chats) -> io::Result<Warm> {
        let mut lines = Vec::new();
        for number in 0..self.connections as u64 {
            let caller = Caller::connect(self.target, self.protocol).await?;
            let chats = chats.others(self.seed.wrapping_add(number << 32), self.bytes);
            lines.push(Line { caller, bodies: Bodies::new(chats, self.conversation) });
        }
        let mut warm = Warm { lines, outcome: Outcome::default() };
        warm.outcome = warm.run(self.warm_up).await?;
        Ok(warm)
    }
}

impl Warm {
    /// Sends for so long, at least one request a connection.
    ///
    /// # Errors
    /// As `Plan::warm`.
    pub async fn run(&mut self, window: Duration) -> io::Result<Outcome> {
        let started = Instant::now();
        let mut calls = JoinSet::new();
        for line in self.lines.drain(..) {
            calls.spawn(line.run(started, window));
        }
        let mut all = Outcome::default();
        while let Some(done) = calls.join_next().await {
            let (line, outcome) = done.map_err(io::Error::other)??;
            self.lines.push(line);
            all.add(outcome);
        }
        all.latencies.sort_unstable();
        Ok(all)
    }
}

impl Line {
    async fn run(mut self, started: Instant, window: Duration) -> io::Result<(Self, Outcome)> {
        let mut outcome = Outcome::default();
        let mut body = Vec::new();
        loop {
            self.bodies.next(&mut body);
            let sent = Instant::now();
            let reply = self.caller.ask(mock::CHAT, &body).await?;
            if reply.status == 200 {
                outcome.latencies.push(sent.elapsed());
                outcome.touched += u64::from(reply.touched);
            } else {
                outcome.refused += 1;
                outcome.refusal = Some(reply.head);
            }
            outcome.took = started.elapsed();
            if outcome.took >= window {
                return Ok((self, outcome));
            }
        }
    }
}

/// What one connection sends.
enum Bodies {
    New(Chats),
    Turns(Box<Conversation>),
}

impl Bodies {
    fn new(chats: Chats, conversation: bool) -> Self {
        if conversation { Bodies::Turns(Box::new(Conversation::new(chats))) } else { Bodies::New(chats) }
    }

    fn next(&mut self, body: &mut Vec<u8>) {
        body.clear();
        match self {
            Bodies::New(chats) => chats.next(body),
            Bodies::Turns(conversation) => conversation.next(body),
        }
    }
}

impl Outcome {
    fn add(&mut self, other: Outcome) {
        self.latencies.extend(other.latencies);
        self.took = self.took.max(other.took);
        self.refused += other.refused;
        self.refusal = self.refusal.take().or(other.refusal);
        self.touched += other.touched;
    }

    /// Answers 200.
    pub fn answers(&self) -> u64 {
        self.latencies.len() as u64
    }

    /// Divided by the time they took, not by the window: what ends late counts, and so does its time.
    pub fn requests_per_second(&self) -> f64 {
        self.latencies.len() as f64 / self.took.as_secs_f64()
    }

    /// In microseconds.
    pub fn percentile(&self, percent: usize) -> f64 {
        let last = self.latencies.len().saturating_sub(1);
        self.latencies.get(last * percent / 100).map_or(f64::NAN, |latency| latency.as_secs_f64() * 1e6)
    }
}
