//! Everything that is under way: the upstream, the texts, the figures so far. Runs one cell of a table at a time; which ones, the
//! scenarios say.

use std::collections::HashMap;
use std::error::Error;
use std::path::Path;
use std::time::{Duration, Instant};

use super::caller::Protocol;
use super::corpus::chats::Chats;
use super::corpus::{Kind, Rng};
use super::load::{Outcome, Plan, Warm};
use super::mock::Mock;
use super::process::Server;
use super::report::{Metric, Samples};
use super::settings::Settings;
use super::targets::{Fleet, Setting, Target};

pub struct Lab<'s> {
    pub settings: &'s Settings,
    pub folder: &'s Path,
    pub mock: Mock,
    pub samples: Samples,
    pub rng: Rng,
    chats: HashMap<&'static str, Chats>,
    answers: u64,
    touched: u64,
}

/// One cell: what is sent to a target, and under which name its figures stand.
#[derive(Clone, Debug)]
pub struct Cell {
    pub case: String,
    pub kind: Kind,
    pub bytes: usize,
    pub connections: usize,
    pub conversation: bool,
    pub protocol: Protocol,
}

impl<'s> Lab<'s> {
    pub fn new(settings: &'s Settings, folder: &'s Path, mock: Mock, seed: u64) -> Self {
        let (samples, rng, chats) = (Samples::default(), Rng::new(seed), HashMap::new());
        Lab { settings, folder, mock, samples, rng, chats, answers: 0, touched: 0 }
    }

    pub fn start(&self, targets: &[Target], setting: &Setting) -> Result<Fleet, Box<dyn Error>> {
        Fleet::start(targets, self.mock.address, setting, self.folder)
    }

    pub fn rounds(&self, name: &str) -> Rounds {
        let deadline = Instant::now() + self.settings.budget();
        Rounds { name: name.to_owned(), done: 0, most: self.settings.rounds, deadline }
    }

    /// The targets that can be asked, in another order each time.
    pub fn order(&mut self, fleet: &Fleet, targets: &[Target]) -> Vec<Target> {
        let mut order: Vec<Target> = targets.iter().copied().filter(|target| fleet.has(*target)).collect();
        for last in (1..order.len()).rev() {
            order.swap(last, self.rng.below(last + 1));
        }
        order
    }

    /// Bodies of this kind, from pieces that are made once.
    pub fn chats(&mut self, kind: Kind) -> Chats {
        let rng = &mut self.rng;
        self.chats.entry(kind.name()).or_insert_with(|| Chats::new(kind, rng.next(), 0)).clone()
    }

    /// Each target in turn, with all figures that a load gives.
    pub async fn cells(&mut self, fleet: &Fleet, targets: &[Target], cell: &Cell) -> Result<(), Box<dyn Error>> {
        for target in self.order(fleet, targets) {
            self.cell(fleet, target, cell).await?;
        }
        Ok(())
    }

    async fn cell(&mut self, fleet: &Fleet, target: Target, cell: &Cell) -> Result<(), Box<dyn Error>> {
        let server = fleet.server(target);
        let received = self.mock.requests();
        let mut warm = self.warm(fleet, target, cell).await?;
        let before = server.map(Server::cpu).transpose()?;
        let outcome = self.load(target, cell, &mut warm, self.settings.window()).await?;
        let after = server.map(Server::cpu).transpose()?;
        let (received, answers) = (self.mock.requests() - received, warm.outcome.answers() + outcome.answers());
        if received != answers {
            // What reached the upstream is what was answered: nothing was dropped, repeated or made up.
            return Err(format!("{}: {answers} answers, but {received} requests arrived", target.name()).into());
        }
        let case = &cell.case;
        self.samples.add(case, Metric::RequestsPerSecond, target, outcome.requests_per_second());
        self.samples.add(case, Metric::P50, target, outcome.percentile(50));
        self.samples.add(case, Metric::P99, target, outcome.percentile(99));
        if let (Some(server), Some(used)) = (server, before.zip(after).map(|(before, after)| after - before)) {
            self.samples.add(case, Metric::Cpu, target, used.as_secs_f64() * 1e6 / outcome.answers() as f64);
            self.samples.add(case, Metric::Memory, target, server.memory("VmRSS")?);
        }
        Ok(())
    }

    /// Connections to a target that have been used.
    pub async fn warm(&mut self, fleet: &Fleet, target: Target, cell: &Cell) -> Result<Warm, Box<dyn Error>> {
        let plan = Plan {
            target: fleet.address(target),
            protocol: cell.protocol,
            bytes: cell.bytes,
            conversation: cell.conversation,
            connections: cell.connections,
            warm_up: self.settings.warm_up(),
            seed: self.rng.next(),
        };
        let warm = plan.warm(&self.chats(cell.kind)).await.map_err(|error| format!("{}: {error}", target.name()))?;
        self.count(target, cell, &warm.outcome)?;
        Ok(warm)
    }

    /// A load over such connections, without its figures.
    pub async fn load(
        &mut self,
        target: Target,
        cell: &Cell,
        warm: &mut Warm,
        window: Duration,
    ) -> Result<Outcome, Box<dyn Error>> {
        let outcome = warm.run(window).await.map_err(|error| format!("{}: {error}", target.name()))?;
        self.count(target, cell, &outcome)?;
        Ok(outcome)
    }

    fn count(&mut self, target: Target, cell: &Cell, outcome: &Outcome) -> Result<(), Box<dyn Error>> {
        // A target that refuses is not faster for it.
        if outcome.refused > 0 {
            let (name, refusal) = (target.name(), outcome.refusal.as_deref().unwrap_or_default());
            return Err(format!("{name} refused {} requests: {refusal}", outcome.refused).into());
        }
        // Benign bodies should stay as they are.
        if !matches!(cell.kind, Kind::Dirty | Kind::Noise) {
            self.answers += outcome.answers();
            self.touched += outcome.touched;
        }
        Ok(())
    }

    /// What the gateway did to benign requests, if anything.
    pub fn touched(&self) -> Option<String> {
        let Lab { touched, answers, .. } = self;
        (*touched > 0).then(|| format!("The gateway masked something in {touched} of {answers} benign requests."))
    }
}

impl Cell {
    /// A cell with bodies that nobody has seen, over plain HTTP/1.1.
    pub fn new(case: String, kind: Kind, bytes: usize, connections: usize) -> Self {
        Cell { case, kind, bytes, connections, conversation: false, protocol: Protocol::Http1 }
    }
}

/// As many rounds as were asked for, and at least one, while there is time.
pub struct Rounds {
    name: String,
    done: usize,
    most: usize,
    deadline: Instant,
}

impl Iterator for Rounds {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        if self.done > 0 && (self.done >= self.most || Instant::now() > self.deadline) {
            return None;
        }
        self.done += 1;
        eprintln!("{}: round {} of {}", self.name, self.done, self.most);
        Some(self.done - 1)
    }
}
