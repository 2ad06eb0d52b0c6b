//! The load: so many connections, each with one request under way at a time. Every request has a body of its own.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::corpus::Chats;
use super::http1::Wire;

/// What to do to whom.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    pub target: SocketAddr,
    pub bytes: usize,
    pub connections: usize,
    pub warm_up: Duration,
    pub window: Duration,
    pub seed: u64,
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Answers 200 that came inside the window, by how long they took, in order.
    latencies: Vec<Duration>,
    window: Duration,
    /// All answers 200, those before and after the window too.
    pub answers: u64,
    /// Answers of another status, and what the head of one of them said.
    pub refused: u64,
    pub refusal: Option<String>,
    /// Requests that the gateway let pass changed or with a remark. Benign bodies should stay as they are.
    pub touched: u64,
}

/// The published development token; the bare proxy sends it on.
pub const TOKEN: &str = "spv-basic-dev-2024-ghi789";

impl Plan {
    /// # Errors
    /// When a connection fails or breaks: nothing could be said about the rest.
    pub async fn run(self, chats: &Chats) -> io::Result<Outcome> {
        let mut wires = Vec::new();
        for _ in 0..self.connections {
            wires.push(Wire::new(TcpStream::connect(self.target).await?)?);
        }
        let opens = Instant::now() + self.warm_up;
        let mut callers = JoinSet::new();
        for (wire, number) in wires.into_iter().zip(0..) {
            let chats = chats.others(self.seed.wrapping_add(number << 32), self.bytes);
            callers.spawn(call(wire, chats, opens, opens + self.window));
        }
        let mut all = Outcome { window: self.window, ..Outcome::default() };
        while let Some(outcome) = callers.join_next().await {
            all.add(outcome.map_err(io::Error::other)??);
        }
        all.latencies.sort_unstable();
        Ok(all)
    }
}

async fn call(mut wire: Wire, mut chats: Chats, opens: Instant, closes: Instant) -> io::Result<Outcome> {
    let mut outcome = Outcome::default();
    let (mut request, mut body) = (Vec::new(), Vec::new());
    while Instant::now() < closes {
        body.clear();
        chats.next(&mut body);
        write_request(&mut request, &body);
        let started = Instant::now();
        wire.send(&request).await?;
        let answer = wire.receive().await?.ok_or(io::ErrorKind::UnexpectedEof)?;
        let finished = Instant::now();
        if answer.status() != Some(200) {
            outcome.refused += 1;
            outcome.refusal = Some(String::from_utf8_lossy(&answer.head).into_owned());
            continue;
        }
        outcome.answers += 1;
        outcome.touched += u64::from(answer.header("x-promptgate-verdict").is_some_and(|verdict| verdict != "allowed"));
        if finished > opens && finished <= closes {
            outcome.latencies.push(finished - started);
        }
    }
    Ok(outcome)
}

fn write_request(request: &mut Vec<u8>, body: &[u8]) {
    request.clear();
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: gateway.local\r\nuser-agent: bench\r\naccept: application/json\r\n\
         authorization: Bearer {TOKEN}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    request.extend_from_slice(head.as_bytes());
    request.extend_from_slice(body);
}

impl Outcome {
    fn add(&mut self, other: Outcome) {
        self.latencies.extend(other.latencies);
        self.answers += other.answers;
        self.refused += other.refused;
        self.refusal = self.refusal.take().or(other.refusal);
        self.touched += other.touched;
    }

    /// Inside the window only: what ends late is not divided by it.
    pub fn requests_per_second(&self) -> f64 {
        self.latencies.len() as f64 / self.window.as_secs_f64()
    }

    /// In microseconds.
    pub fn percentile(&self, percent: usize) -> f64 {
        let last = self.latencies.len().saturating_sub(1);
        self.latencies.get(last * percent / 100).map_or(f64::NAN, |latency| latency.as_secs_f64() * 1e6)
    }
}
