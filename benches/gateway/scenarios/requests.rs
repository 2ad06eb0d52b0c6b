//! Bodies that nobody has seen, of each kind and size: alone for latency, and many at once for throughput.

use std::error::Error;

use crate::corpus::Kind;
use crate::lab::{Cell, Lab};
use crate::settings::size_name;
use crate::targets::{Fleet, Target};

/// Up to this size one request at a time is measured too.
const SMALL: usize = 4 << 10;

pub async fn run(lab: &mut Lab<'_>, fleet: &Fleet) -> Result<(), Box<dyn Error>> {
    let mut cells = Vec::new();
    for kind in lab.settings.kinds()? {
        for bytes in lab.settings.sizes()? {
            if bytes <= SMALL {
                cells.push(Cell::new(alone(kind, bytes), kind, bytes, 1));
            }
            cells.push(Cell::new(saturated(kind, bytes), kind, bytes, connections(lab.settings.connections, bytes)));
        }
    }
    for _ in lab.rounds("requests") {
        for cell in &cells {
            lab.cells(fleet, &Target::ALL, cell).await?;
        }
    }
    Ok(())
}

/// The name of the case with one request at a time.
pub fn alone(kind: Kind, bytes: usize) -> String {
    format!("{} {}, alone", kind.name(), size_name(bytes))
}

/// The name of the case with many.
pub fn saturated(kind: Kind, bytes: usize) -> String {
    format!("{} {}", kind.name(), size_name(bytes))
}

/// Enough to keep every core busy, and no more than can be in memory here.
pub fn connections(most: usize, bytes: usize) -> usize {
    let enough = match bytes {
        0..0x1_0000 => 32,
        0x1_0000..0x10_0000 => 8,
        0x10_0000..0x100_0000 => 4,
        _ => 2,
    };
    most.min(enough)
}
