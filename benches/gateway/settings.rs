//! What to measure and for how long, from the command line.

use std::error::Error;
use std::time::Duration;

use clap::{Parser, ValueEnum};

use super::corpus::Kind;

/// The gateway, a bare Pingora pass-through and nginx side by side under the same load.
#[derive(Clone, Debug, Parser)]
pub struct Settings {
    /// Rounds of each scenario; the figures are medians over them.
    #[arg(long, default_value_t = 5)]
    pub rounds: usize,
    /// Seconds each target is loaded in each round.
    #[arg(long, default_value_t = 0.6)]
    pub seconds: f64,
    /// Seconds after which a scenario begins no further round.
    #[arg(long, default_value_t = 45.0)]
    budget: f64,
    /// What to measure; by default all but protocols and cores.
    #[arg(long, value_delimiter = ',')]
    only: Vec<Scenario>,
    /// Everything there is.
    #[arg(long)]
    all: bool,
    /// A fraction of a second of everything that is measured by default, to see that it runs.
    #[arg(long)]
    smoke: bool,
    /// Kinds of text for the scenario requests: mix, English, code, JSON, Chinese, image, dirty, noise.
    #[arg(long, value_delimiter = ',', default_value = "mix")]
    kinds: Vec<String>,
    /// Sizes for the scenario requests.
    #[arg(long, value_delimiter = ',', default_value = "1KB,4KB,16KB,256KB,4MB")]
    sizes: Vec<String>,
    /// Connections at saturation; fewer for large bodies.
    #[arg(long, default_value_t = 32)]
    pub connections: usize,
    /// Streams for the scenario idle.
    #[arg(long, default_value_t = 500)]
    pub streams: usize,
    /// A command and its arguments before the gateway's own, such as a profiler.
    #[arg(long, default_value = "")]
    under: String,
    /// Cargo says so itself.
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Scenario {
    /// The sanitizer by itself, in this process.
    Library,
    /// Bodies of each kind and size that nobody has seen.
    Requests,
    /// An agent's turns, with the history known.
    Turns,
    /// Streamed answers.
    Events,
    /// Streams in which nothing happens.
    Idle,
    /// Eight bodies of 50 MB at once.
    Large,
    /// Small requests while large bodies pass.
    Beside,
    /// HTTP/1.1 and HTTP/2, with and without TLS.
    Protocols,
    /// One core and all of them.
    Cores,
}

impl Settings {
    pub fn read() -> Self {
        let mut settings = Settings::parse();
        if settings.smoke {
            (settings.rounds, settings.seconds, settings.connections) = (1, 0.1, 4);
            (settings.streams, settings.budget) = (20, 0.0);
        }
        settings
    }

    pub fn wants(&self, scenario: Scenario) -> bool {
        match self.only.as_slice() {
            [] => self.all || !matches!(scenario, Scenario::Protocols | Scenario::Cores),
            only => only.contains(&scenario),
        }
    }

    pub fn window(&self) -> Duration {
        Duration::from_secs_f64(self.seconds)
    }

    pub fn warm_up(&self) -> Duration {
        self.window() / 4
    }

    pub fn budget(&self) -> Duration {
        Duration::from_secs_f64(self.budget)
    }

    /// A large body in the scenarios that have some.
    pub fn large(&self) -> usize {
        if self.smoke { 2 << 20 } else { 50_000_000 }
    }

    pub fn under(&self) -> Vec<String> {
        self.under.split_whitespace().map(str::to_owned).collect()
    }

    /// # Errors
    /// A name that is none.
    pub fn kinds(&self) -> Result<Vec<Kind>, Box<dyn Error>> {
        let kind = |name: &String| Kind::ALL.into_iter().find(|kind| kind.name().eq_ignore_ascii_case(name));
        self.kinds.iter().map(|name| kind(name).ok_or_else(|| format!("no kind is called {name}").into())).collect()
    }

    /// # Errors
    /// What is not a number and `KB` or `MB`.
    pub fn sizes(&self) -> Result<Vec<usize>, Box<dyn Error>> {
        self.sizes.iter().map(|text| size(text).ok_or_else(|| format!("{text} is no size").into())).collect()
    }
}

fn size(text: &str) -> Option<usize> {
    let (number, unit) = text.strip_suffix("KB").map(|number| (number, 1 << 10)).or_else(|| {
        let number = text.strip_suffix("MB")?;
        Some((number, 1 << 20))
    })?;
    number.parse::<usize>().ok()?.checked_mul(unit)
}

/// As it was written.
pub fn size_name(bytes: usize) -> String {
    if bytes >= 1 << 20 { format!("{} MB", bytes >> 20) } else { format!("{} KB", bytes >> 10) }
}
