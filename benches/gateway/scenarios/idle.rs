//! Streams in which nothing happens after the first event: what each takes in memory. And what a proxy takes before anybody calls.

use std::error::Error;
use std::io;
use std::net::SocketAddr;

use memchr::memmem;
use tokio::net::TcpStream;

use crate::caller::write_request;
use crate::corpus::Kind;
use crate::http1::Wire;
use crate::lab::{Cell, Lab};
use crate::mock;
use crate::report::Metric;
use crate::scenarios::events::PROMPT;
use crate::targets::{Setting, Target};

pub const STREAMS: &str = "idle streams";
pub const UNUSED: &str = "before any request";

pub async fn run(lab: &mut Lab<'_>) -> Result<(), Box<dyn Error>> {
    let targets = [Target::Bare, Target::Gateway];
    let count = lab.settings.streams;
    for round in lab.rounds("idle") {
        for turn in 0..targets.len() {
            let target = targets[(round + turn) % targets.len()];
            // Each time a new process, which ends before the next begins: what one has freed, the allocator keeps, and
            // thousands of streams are as many as there may be open files.
            let setting = Setting { in_flight: Some(count + 64), ..Setting::default() };
            let fleet = lab.start(&[target], &setting)?;
            let Some(server) = fleet.server(target) else { continue };
            lab.samples.add(UNUSED, Metric::Memory, target, server.memory("VmRSS")?);
            // So that what every thread has once is not counted for the streams.
            let cell = Cell::new(String::new(), Kind::Mix, 1 << 10, lab.settings.connections);
            drop(lab.warm(&fleet, target, &cell).await?);
            let before = server.memory("VmRSS")?;
            let mut streams = Vec::new();
            for _ in 0..count {
                let stream = open(server.address).await;
                streams.push(stream.map_err(|error| format!("stream {}: {error}", streams.len() + 1))?);
            }
            let grown = server.memory("VmRSS")? - before;
            lab.samples.add(STREAMS, Metric::PerStream, target, grown * 1024.0 / count as f64);
            drop(streams);
        }
    }
    Ok(())
}

/// A stream whose first event has come.
async fn open(address: SocketAddr) -> io::Result<Wire<TcpStream>> {
    let mut wire = Wire::small(TcpStream::connect(address).await?)?;
    let mut request = Vec::new();
    write_request(&mut request, mock::IDLE, PROMPT);
    wire.send(&request).await?;
    let mut seen = Vec::new();
    while memmem::find(&seen, b"data: ").is_none() {
        let read = wire.read().await?;
        if read.is_empty() || seen.starts_with(b"HTTP/1.1 4") || seen.starts_with(b"HTTP/1.1 5") {
            return Err(io::Error::other(String::from_utf8_lossy(&seen).into_owned()));
        }
        seen.extend_from_slice(read);
    }
    Ok(wire)
}
