//! An agent's turns: the same conversation, 4 KB longer each time, so that all but those was seen before.

use std::error::Error;

use crate::corpus::Kind;
use crate::lab::{Cell, Lab};
use crate::settings::size_name;
use crate::targets::{Fleet, Target};

pub const SIZES: [usize; 2] = [256 << 10, 4 << 20];
const CONNECTIONS: usize = 2;

pub async fn run(lab: &mut Lab<'_>, fleet: &Fleet) -> Result<(), Box<dyn Error>> {
    for _ in lab.rounds("turns") {
        for bytes in SIZES {
            let cell = Cell { conversation: true, ..Cell::new(case(bytes), Kind::Mix, bytes, CONNECTIONS) };
            lab.cells(fleet, &[Target::Bare, Target::Gateway], &cell).await?;
        }
    }
    Ok(())
}

pub fn case(bytes: usize) -> String {
    format!("turn of {}", size_name(bytes))
}
