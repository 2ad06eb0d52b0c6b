//! What both listeners speak TLS with, and whom upstreams are believed by, read together and put in force together. Accepts nothing.

use std::sync::Arc;

use crate::config::{Config, Problem, Problems, Tls};
use crate::state::{Authorities, Handshakes, Terms};
use crate::telemetry::Metrics;

/// What the listeners that speak TLS use while the gateway runs.
#[derive(Clone, Default)]
pub struct Secured {
    pub gateway: Option<Arc<Handshakes>>,
    pub admin: Option<Arc<Handshakes>>,
}

/// What the files hold.
pub struct Read {
    gateway: Option<Terms>,
    admin: Option<Terms>,
    /// Of upstreams.
    pub authorities: Authorities,
}

impl Read {
    /// # Errors
    /// Everything that is wrong with either's files.
    pub fn new(config: &Config) -> Result<Read, Problems> {
        let read = |tls: &Option<Tls>, table: &str| tls.as_ref().map(|tls| Terms::read(tls, table)).transpose();
        let listeners = (read(&config.gateway.tls, "gateway.tls"), read(&config.admin.tls, "admin.tls"));
        match (listeners.0, listeners.1, Authorities::read(config)) {
            (Ok(gateway), Ok(admin), Ok(authorities)) => Ok(Read { gateway, admin, authorities }),
            (gateway, admin, authorities) => {
                let problems = [gateway.err(), admin.err(), authorities.err()].into_iter().flatten();
                Err(Problems(problems.flat_map(|Problems(problems)| problems).collect::<Vec<Problem>>()))
            }
        }
    }
}

impl Secured {
    pub fn new(read: Read, metrics: &Metrics) -> Secured {
        let handshakes = |terms| Arc::new(Handshakes::new(terms));
        let secured = Secured { gateway: read.gateway.map(handshakes), admin: read.admin.map(handshakes) };
        secured.tell(metrics);
        secured
    }

    /// A listener that speaks no TLS will not begin to, nor will the other stop.
    pub fn replace(&self, read: Read, metrics: &Metrics) {
        for (listener, terms) in [(&self.gateway, read.gateway), (&self.admin, read.admin)] {
            if let (Some(listener), Some(terms)) = (listener, terms) {
                listener.replace(terms);
            }
        }
        self.tell(metrics);
    }

    fn tell(&self, metrics: &Metrics) {
        for (name, listener) in [("gateway", &self.gateway), ("admin", &self.admin)] {
            if let Some(listener) = listener {
                metrics.tls_expiry(name, listener.expiry());
            }
        }
    }
}
