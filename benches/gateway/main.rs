//! Whole processes side by side: the gateway, a bare Pingora pass-through, nginx where it is installed and the upstream itself,
//! under the same load.
//!
//! `cargo bench --bench gateway [-- --help]`. Targets take turns within every round and in another order each time, so that a
//! busy machine is equally unkind to all. Uses loopback addresses only.

#[path = "../../examples/bare_proxy.rs"]
mod bare_proxy;
mod caller;
#[path = "../corpus/mod.rs"]
mod corpus;
mod figures;
mod http1;
mod lab;
mod load;
mod mock;
mod process;
mod report;
mod scenarios;
mod settings;
#[path = "../setup/mod.rs"]
mod setup;
mod targets;

use std::env;
use std::error::Error;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use lab::Lab;
use mock::Mock;
use scenarios::{beside, cores, events, idle, large, library, protocols, requests, turns};
use settings::{Scenario, Settings};
use targets::{Fleet, Setting, Target};

fn main() -> ExitCode {
    if env::args().nth(1).is_some_and(|first| first == targets::BARE_PROXY) {
        return bare_proxy::main();
    }
    match run(&Settings::read()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("gateway bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(settings: &Settings) -> Result<(), Box<dyn Error>> {
    let folder = Folder::new()?;
    let mut lab = Lab::new(settings, &folder.0, Mock::start()?, seed());
    let (before, started) = (machine()?, Instant::now());
    if settings.wants(Scenario::Library) {
        library::run(&mut lab)?;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(scenarios(&mut lab))?;
    println!("{}\n{}", figures::table(&lab.samples), lab.samples.table());
    if !targets::installed("nginx") {
        println!("nginx is not installed and was left out.");
    }
    if let Some(touched) = lab.touched() {
        println!("{touched}");
    }
    println!(
        "At most {} rounds of {} s a cell, {:.0} s in all. Machine before: {before}; after: {}.",
        settings.rounds,
        settings.seconds,
        started.elapsed().as_secs_f64(),
        machine()?
    );
    Ok(())
}

async fn scenarios(lab: &mut Lab<'_>) -> Result<(), Box<dyn Error>> {
    let settings = lab.settings;
    let wants = |scenario| settings.wants(scenario);
    if wants(Scenario::Idle) {
        idle::run(lab).await?;
    }
    if [Scenario::Requests, Scenario::Turns, Scenario::Events, Scenario::Beside].into_iter().any(wants) {
        let fleet: Fleet = lab.start(&Target::ALL, &Setting { under: settings.under(), ..Setting::default() })?;
        if wants(Scenario::Requests) {
            requests::run(lab, &fleet).await?;
        }
        if wants(Scenario::Turns) {
            turns::run(lab, &fleet).await?;
        }
        if wants(Scenario::Events) {
            events::run(lab, &fleet).await?;
        }
        if wants(Scenario::Beside) {
            beside::run(lab, &fleet).await?;
        }
    }
    if wants(Scenario::Large) {
        large::run(lab).await?;
    }
    if wants(Scenario::Protocols) {
        protocols::run(lab).await?;
    }
    if wants(Scenario::Cores) {
        cores::run(lab).await?;
    }
    Ok(())
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
