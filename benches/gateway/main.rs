//! Whole processes side by side: the gateway, a bare Pingora pass-through and the upstream itself, under the same load.
//!
//! `cargo bench --bench gateway [-- --rounds N] [--seconds S] [--smoke] [--streams]`. Targets take turns within every round and in
//! another order each time, so that a busy machine is equally unkind to all. Uses loopback addresses only.

#[path = "../../examples/bare_proxy.rs"]
mod bare_proxy;
#[path = "../corpus/mod.rs"]
mod corpus;
mod http1;
mod load;
mod mock;
mod process;
mod report;
mod stream;

use std::env;
use std::error::Error;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::str::FromStr;
use std::time::{Duration, Instant};

use corpus::{Chats, Rng};
use load::{Outcome, Plan};
use mock::Mock;
use process::Server;
use report::{Sample, Target};

const SIZES: [usize; 3] = [1 << 10, 16 << 10, 256 << 10];
/// Connections: one for latency, and enough to keep every core busy.
const FEW: usize = 1;
const MANY: usize = 32;
const MANY_IN_SMOKE: usize = 4;

fn main() -> ExitCode {
    if env::args().nth(1).is_some_and(|first| first == process::BARE_PROXY) {
        return bare_proxy::main();
    }
    match Settings::read(env::args().skip(1)).and_then(|settings| run(&settings)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("gateway bench: {error}");
            ExitCode::FAILURE
        }
    }
}

/// How long it takes: rounds x sizes x connections x targets x (warm-up + window), 2 min 15 s unless told otherwise.
struct Settings {
    rounds: usize,
    many: usize,
    warm_up: Duration,
    window: Duration,
    /// Streamed answers instead of requests.
    streams: bool,
}

impl Settings {
    fn read(arguments: impl Iterator<Item = String>) -> Result<Self, Box<dyn Error>> {
        let (warm_up, window) = (Duration::from_millis(300), Duration::from_millis(1200));
        let mut settings = Settings { rounds: 5, many: MANY, warm_up, window, streams: false };
        let mut arguments = arguments.peekable();
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                // Cargo says so itself.
                "--bench" => {}
                "--smoke" => {
                    (settings.rounds, settings.many) = (1, MANY_IN_SMOKE);
                    (settings.warm_up, settings.window) = (Duration::from_millis(50), Duration::from_millis(200));
                }
                "--streams" => settings.streams = true,
                "--rounds" => settings.rounds = number(&argument, arguments.next())?,
                "--seconds" => settings.window = Duration::from_secs_f64(number(&argument, arguments.next())?),
                other => return Err(format!("unknown argument {other}").into()),
            }
        }
        Ok(settings)
    }
}

fn number<T: FromStr>(name: &str, value: Option<String>) -> Result<T, Box<dyn Error>> {
    let parsed = value.and_then(|value| value.parse().ok());
    parsed.ok_or_else(|| format!("{name} needs a number").into())
}

fn run(settings: &Settings) -> Result<(), Box<dyn Error>> {
    let folder = Folder::new()?;
    if settings.streams {
        return stream::run(settings.rounds, &folder.0);
    }
    let mock = Mock::start()?;
    let bare = Server::bare_proxy(mock.address, &folder.0)?;
    let gateway = Server::gateway(mock.address, &folder.0)?;
    let mut rng = Rng::new(seed());
    let chats = Chats::new(rng.next(), SIZES[0]);
    let mut bench = Bench { settings, mock, bare, gateway, rng, chats, answers: 0, touched: 0 };
    let (idle, before) = (bench.memory("VmRSS")?, machine()?);

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let started = Instant::now();
    let samples = runtime.block_on(bench.rounds())?;

    println!("{}", report::table(&samples, &SIZES, FEW, settings.many));
    println!("Memory before any load, bare proxy and promptgate: {idle}; at most: {}.", bench.memory("VmHWM")?);
    println!(
        "{} rounds of {:.1} s a cell, {:.0} s in all. Machine before: {before}; after: {}.",
        settings.rounds,
        settings.window.as_secs_f64(),
        started.elapsed().as_secs_f64(),
        machine()?
    );
    bench.check()
}

/// Everything that is under way.
struct Bench<'s> {
    settings: &'s Settings,
    mock: Mock,
    bare: Server,
    gateway: Server,
    rng: Rng,
    chats: Chats,
    /// Answers counted by the load, and those to requests that the gateway changed or remarked on.
    answers: u64,
    touched: u64,
}

impl Bench<'_> {
    async fn rounds(&mut self) -> Result<Vec<Sample>, Box<dyn Error>> {
        let mut samples = Vec::new();
        for target in Target::ALL {
            self.cell(0, target, SIZES[1], self.settings.many).await?;
        }
        for round in 0..self.settings.rounds {
            eprintln!("round {} of {}", round + 1, self.settings.rounds);
            for bytes in SIZES {
                for connections in [FEW, self.settings.many] {
                    for target in self.order() {
                        samples.push(self.cell(round, target, bytes, connections).await?);
                    }
                }
            }
        }
        Ok(samples)
    }

    fn order(&mut self) -> [Target; 3] {
        let mut order = Target::ALL;
        for last in (1..order.len()).rev() {
            order.swap(last, self.rng.below(last + 1));
        }
        order
    }

    async fn cell(
        &mut self,
        round: usize,
        target: Target,
        bytes: usize,
        connections: usize,
    ) -> Result<Sample, Box<dyn Error>> {
        let Settings { warm_up, window, .. } = *self.settings;
        let (address, seed) = (self.address(target), self.rng.next());
        let plan = Plan { target: address, bytes, connections, warm_up, window, seed };
        let before = self.process(target).map(Server::cpu).transpose()?;
        let outcome = plan.run(&self.chats).await.map_err(|error| format!("{}: {error}", target.name()))?;
        let after = self.process(target).map(Server::cpu).transpose()?;
        let memory = self.process(target).map(|process| process.memory("VmRSS")).transpose()?;
        self.count(target, &outcome)?;
        let used = before.zip(after).map(|(before, after)| after - before);
        Ok(Sample {
            round,
            target,
            bytes,
            connections,
            requests_per_second: outcome.requests_per_second(),
            p50: outcome.percentile(50),
            p99: outcome.percentile(99),
            cpu: used.map(|used| used.as_secs_f64() * 1e6 / outcome.answers as f64),
            memory,
        })
    }

    /// A target that refuses is not faster for it.
    fn count(&mut self, target: Target, outcome: &Outcome) -> Result<(), Box<dyn Error>> {
        self.answers += outcome.answers;
        self.touched += outcome.touched;
        if outcome.refused > 0 || outcome.answers == 0 {
            let Outcome { answers, refused, refusal, .. } = outcome;
            let (name, refusal) = (target.name(), refusal.as_deref().unwrap_or_default());
            return Err(
                format!("{name} answered {answers} requests with 200 and {refused} otherwise: {refusal}").into()
            );
        }
        Ok(())
    }

    /// What reached the upstream is what was answered: nothing was dropped, repeated or made up.
    fn check(&self) -> Result<(), Box<dyn Error>> {
        if self.touched > 0 {
            println!("The gateway masked something in {} of {} benign requests.", self.touched, self.answers);
        }
        let received = self.mock.requests();
        if received == self.answers {
            Ok(())
        } else {
            Err(format!("{} answers were counted, but the upstream received {received} requests", self.answers).into())
        }
    }

    fn address(&self, target: Target) -> SocketAddr {
        self.process(target).map_or(self.mock.address, |process| process.address)
    }

    /// The upstream is a thread of this process and has no figures of its own.
    fn process(&self, target: Target) -> Option<&Server> {
        match target {
            Target::Direct => None,
            Target::Bare => Some(&self.bare),
            Target::Gateway => Some(&self.gateway),
        }
    }

    fn memory(&self, field: &str) -> io::Result<String> {
        Ok(format!("{:.0} and {:.0} MB", self.bare.memory(field)?, self.gateway.memory(field)?))
    }
}

/// Every run sends other bodies, so that nothing can have been seen before.
fn seed() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(1, |since| since.as_secs())
}

/// Cores, model and load average.
fn machine() -> io::Result<String> {
    let (info, load) = (fs::read_to_string("/proc/cpuinfo")?, fs::read_to_string("/proc/loadavg")?);
    let models = || info.lines().filter_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let model = models().next().map_or("unknown", |(_, model)| model);
    let load: Vec<&str> = load.split_whitespace().take(1).collect();
    Ok(format!("{} cores, {model}, load average {}", models().count(), load.concat()))
}

/// For configuration, audit log and messages of the processes. Removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new() -> io::Result<Self> {
        let path = env::temp_dir().join(format!("promptgate-bench-{}", std::process::id()));
        fs::create_dir_all(&path)?;
        Ok(Folder(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What stays behind is in the folder for temporary files.
        fs::remove_dir_all(&self.0).ok();
    }
}
