//! Small requests alone, and on the same cores while large bodies pass.

use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

use tokio::sync::oneshot;

use crate::caller::{Caller, Protocol};
use crate::corpus::Kind;
use crate::corpus::chats::Chats;
use crate::lab::{Cell, Lab};
use crate::mock;
use crate::report::Metric;
use crate::targets::{Fleet, Target};

pub const ALONE: &str = "1 KB alone";
pub const BESIDE: &str = "1 KB while 50 MB bodies pass";
const LARGE: usize = 2;
/// A percentile needs more requests than a mean.
const WINDOWS: u32 = 3;

pub async fn run(lab: &mut Lab<'_>, fleet: &Fleet) -> Result<(), Box<dyn Error>> {
    for _ in lab.rounds("beside") {
        for target in lab.order(fleet, &[Target::Bare, Target::Gateway]) {
            small(lab, fleet, target, ALONE).await?;
            let chats = lab.chats(Kind::Mix).others(lab.rng.next(), lab.settings.large());
            let pressure = Pressure::start(fleet.address(target), &chats)?;
            // The bodies are under way when their first bytes are; the warm-up is longer than that.
            small(lab, fleet, target, BESIDE).await?;
            pressure.stop();
        }
    }
    Ok(())
}

async fn small(lab: &mut Lab<'_>, fleet: &Fleet, target: Target, case: &str) -> Result<(), Box<dyn Error>> {
    let cell = Cell::new(case.to_owned(), Kind::Mix, 1 << 10, 1);
    let mut warm = lab.warm(fleet, target, &cell).await?;
    let outcome = lab.load(target, &cell, &mut warm, lab.settings.window() * WINDOWS).await?;
    lab.samples.add(case, Metric::P50, target, outcome.percentile(50));
    lab.samples.add(case, Metric::P99, target, outcome.percentile(99));
    Ok(())
}

/// Large bodies one after another, from threads of their own: making and sending them must not delay the small requests here.
struct Pressure(Vec<(oneshot::Sender<()>, thread::JoinHandle<()>)>);

impl Pressure {
    fn start(target: SocketAddr, chats: &Chats) -> io::Result<Self> {
        let mut threads = Vec::new();
        for number in 0..LARGE {
            let (sender, stop) = oneshot::channel();
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let mut chats = chats.others(number as u64 + chats.clone().draw(), chats.bytes());
            let work = move || {
                runtime.block_on(async move {
                    tokio::select! {
                        _ = stop => {}
                        ended = press(target, &mut chats) => eprintln!("the large bodies ended: {ended:?}"),
                    }
                });
            };
            threads.push((sender, thread::Builder::new().name("large".to_owned()).spawn(work)?));
        }
        // Their connections are made and their first bodies are on the way.
        thread::sleep(Duration::from_millis(200));
        Ok(Pressure(threads))
    }

    fn stop(self) {
        for (stop, thread) in self.0 {
            // It may have ended by itself, and said so.
            stop.send(()).ok();
            thread.join().ok();
        }
    }
}

/// Until a connection fails.
async fn press(target: SocketAddr, chats: &mut Chats) -> io::Result<()> {
    let mut caller = Caller::connect(target, Protocol::Http1).await?;
    let mut body = Vec::new();
    loop {
        body.clear();
        chats.next(&mut body);
        caller.ask(mock::CHAT, &body).await?;
    }
}
