//! Eight bodies of 50 MB at once: how far memory grows beyond what it was.

use std::error::Error;

use crate::corpus::Kind;
use crate::lab::{Cell, Lab};
use crate::report::Metric;
use crate::targets::{Setting, Target};

pub const CASE: &str = "8 bodies of 50 MB at once";
const BODIES: usize = 8;

pub async fn run(lab: &mut Lab<'_>) -> Result<(), Box<dyn Error>> {
    let targets = [Target::Bare, Target::Gateway];
    for _ in lab.rounds("large") {
        let fleet = lab.start(&targets, &Setting::default())?;
        for target in lab.order(&fleet, &targets) {
            let Some(server) = fleet.server(target) else { continue };
            let small = Cell::new(String::new(), Kind::Mix, 1 << 10, lab.settings.connections);
            drop(lab.warm(&fleet, target, &small).await?);
            let before = server.memory("VmRSS")?;
            server.forget_peak()?;
            // One on each connection, or more where they pass in no time.
            let large = Cell::new(String::new(), Kind::Mix, lab.settings.large(), BODIES);
            drop(lab.warm(&fleet, target, &large).await?);
            lab.samples.add(CASE, Metric::Growth, target, server.memory("VmHWM")? - before);
        }
    }
    Ok(())
}
