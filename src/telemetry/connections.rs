//! How many connections clients have open, and how many were refused. Ends none.

use prometheus::{Error, IntCounterVec, IntGauge};

use super::families::Families;

/// Connections of clients.
pub(super) struct Connections {
    open: IntGauge,
    refused: IntCounterVec,
}

/// An open connection; counted as long as it lives.
#[derive(Debug)]
pub struct Connected(IntGauge);

impl Connections {
    pub fn new(families: &Families) -> Result<Self, Error> {
        Ok(Connections {
            open: families.gauge("client_connections", "Open connections of clients.")?,
            refused: families.counters(
                "connections_refused_total",
                "Connections that were ended before they had a request, or in the middle of one.",
                &["reason"],
            )?,
        })
    }

    /// Counts one as open until the result is dropped.
    pub fn connect(&self) -> Connected {
        self.open.inc();
        Connected(self.open.clone())
    }

    /// How many are open.
    pub fn open(&self) -> usize {
        usize::try_from(self.open.get()).unwrap_or_default()
    }

    pub fn refuse(&self, reason: &'static str) {
        self.refused.with_label_values(&[reason]).inc();
    }
}

impl Connected {
    /// How many are open.
    pub fn count(&self) -> usize {
        usize::try_from(self.0.get()).unwrap_or_default()
    }
}

impl Drop for Connected {
    fn drop(&mut self) {
        self.0.dec();
    }
}
