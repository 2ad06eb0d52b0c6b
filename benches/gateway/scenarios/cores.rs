//! The proxies on one core, with one thread, and on all of them. The load and the upstream take what they need of the others.

use std::error::Error;
use std::thread;

use crate::corpus::Kind;
use crate::lab::{Cell, Lab};
use crate::settings::size_name;
use crate::targets::{Setting, Target, installed};

const SIZES: [usize; 2] = [1 << 10, 16 << 10];

pub async fn run(lab: &mut Lab<'_>) -> Result<(), Box<dyn Error>> {
    if !installed("taskset") {
        println!("cores: left out, taskset is not installed");
        return Ok(());
    }
    let targets = [Target::Bare, Target::Gateway];
    let all = thread::available_parallelism().map_or(1, usize::from);
    let fleets = [
        (1, lab.start(&targets, &Setting { one_core: true, ..Setting::default() })?),
        (all, lab.start(&targets, &Setting::default())?),
    ];
    for _ in lab.rounds("cores") {
        for (cores, fleet) in &fleets {
            for bytes in SIZES {
                let case = format!("threads: {cores}, {}", size_name(bytes));
                lab.cells(fleet, &targets, &Cell::new(case, Kind::Mix, bytes, lab.settings.connections)).await?;
            }
        }
    }
    Ok(())
}
