//! The protocols that callers speak: HTTP/1.1 and HTTP/2, with and without TLS. Connections are made once and kept.

use std::error::Error;

use crate::caller::Protocol;
use crate::corpus::Kind;
use crate::lab::{Cell, Lab};
use crate::settings::size_name;
use crate::targets::{Setting, Target};

const SIZES: [usize; 2] = [1 << 10, 16 << 10];

pub async fn run(lab: &mut Lab<'_>) -> Result<(), Box<dyn Error>> {
    let targets = [Target::Bare, Target::Gateway];
    let plain = lab.start(&targets, &Setting::default())?;
    let tls = lab.start(&targets, &Setting { tls: true, ..Setting::default() })?;
    for _ in lab.rounds("protocols") {
        for protocol in Protocol::ALL {
            for bytes in SIZES {
                let case = format!("{}, {}", protocol.name(), size_name(bytes));
                let cell = Cell { protocol, ..Cell::new(case, Kind::Mix, bytes, lab.settings.connections) };
                lab.cells(if protocol.tls() { &tls } else { &plain }, &targets, &cell).await?;
            }
        }
    }
    Ok(())
}
