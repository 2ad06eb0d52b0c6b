//! Streamed answers: how much later an event arrives than the upstream wrote it, and the CPU time an event takes.

use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::time::Instant;

use memchr::memmem;
use tokio::net::TcpStream;

use crate::caller::{Caller, Protocol, write_request};
use crate::http1::Wire;
use crate::lab::Lab;
use crate::mock::{self, HUNDRED, PACED, PIECE_BY_PIECE, TEN_THOUSAND, WORD_BY_WORD};
use crate::report::Metric;
use crate::targets::{Fleet, Target};

/// With a value to give back, so that restoring is not idle.
pub const PROMPT: &[u8] =
    br#"{"model":"m","stream":true,"messages":[{"role":"user","content":"Why is there a lock? Ask jane@corp.io"}]}"#;
/// The case in which every event is decided at once.
pub const DECIDED: &str = "events that end between words";
const PACED_CASES: [(&str, &str); 2] = [(DECIDED, WORD_BY_WORD), ("events that end inside words", PIECE_BY_PIECE)];
/// Paced streams a round.
const STREAMS: usize = 3;
/// Path, events of an answer, answers a round: enough for the clock of the kernel.
const AT_ONCE: [(&str, &str, u32, u32); 2] =
    [("answers of 100 events", HUNDRED, 100, 200), ("answers of 10,000 events", TEN_THOUSAND, 10_000, 2)];

pub async fn run(lab: &mut Lab<'_>, fleet: &Fleet) -> Result<(), Box<dyn Error>> {
    let proxies = [Target::Bare, Target::Gateway];
    for _ in lab.rounds("events") {
        for (case, path) in PACED_CASES {
            for target in lab.order(fleet, &[Target::Direct, Target::Bare, Target::Gateway]) {
                // The first stream warms up.
                delays(lab, fleet.address(target), path).await?;
                let mut all = Vec::new();
                for _ in 0..STREAMS {
                    all.extend(delays(lab, fleet.address(target), path).await?);
                }
                all.sort_by(f64::total_cmp);
                let at = |percent: usize| all[(all.len() - 1) * percent / 100];
                lab.samples.add(case, Metric::EventDelay, target, at(50));
                lab.samples.add(case, Metric::EventDelayP99, target, at(99));
            }
        }
        for (case, path, events, answers) in AT_ONCE {
            for target in lab.order(fleet, &proxies) {
                let Some(server) = fleet.server(target) else { continue };
                let mut caller = Caller::connect(server.address, Protocol::Http1).await?;
                let before = server.cpu()?;
                for _ in 0..answers {
                    caller.ask(path, PROMPT).await?;
                }
                let used = (server.cpu()? - before).as_secs_f64() * 1e6;
                lab.samples.add(case, Metric::CpuPerEvent, target, used / f64::from(events * answers));
            }
        }
    }
    Ok(())
}

/// In microseconds: each event's arrival against the moment in which it was written. Both clocks are of this process.
async fn delays(lab: &Lab<'_>, address: SocketAddr, path: &str) -> Result<Vec<f64>, Box<dyn Error>> {
    let (arrived, sent) = (arrivals(address, path).await?, lab.mock.sent());
    if arrived.len() != PACED || sent.len() < PACED {
        return Err(format!("{} events arrived of {} and {} were sent", arrived.len(), PACED, sent.len()).into());
    }
    let delay = |(arrived, sent): (&Instant, &Instant)| arrived.saturating_duration_since(*sent).as_secs_f64() * 1e6;
    Ok(arrived.iter().zip(&sent).map(delay).collect())
}

async fn arrivals(address: SocketAddr, path: &str) -> io::Result<Vec<Instant>> {
    const EVENT: &[u8] = b"\"content\"";
    debug_assert!(mock::PATHS.contains(&path));
    let mut wire = Wire::new(TcpStream::connect(address).await?)?;
    let mut request = Vec::new();
    write_request(&mut request, path, PROMPT);
    wire.send(&request).await?;
    let (mut arrived, mut tail) = (Vec::new(), Vec::new());
    while memmem::find(&tail, b"\n0\r\n\r\n").is_none() {
        let read = wire.read().await?;
        let now = Instant::now();
        if read.is_empty() {
            break;
        }
        tail.extend_from_slice(read);
        arrived.extend(std::iter::repeat_n(now, memmem::find_iter(&tail, EVENT).count()));
        // What was counted goes; the beginning of an event stays.
        let counted = memmem::rfind(&tail, EVENT).map_or(0, |at| at + EVENT.len());
        tail.drain(..counted);
    }
    Ok(arrived)
}
