//! Who may have issued the certificates of upstreams, where the configuration says so, as its files held it when they were read
//! last. Connects to nothing.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use pingora::protocols::tls::CaType;
use pingora::utils::tls::{WrappedX509, parse_x509};
use rustls::RootCertStore;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::tls::certificates;
use crate::config::{Config, Problem, Problems};

/// By the names of upstreams; of one that is not here, those that the system trusts.
#[derive(Default)]
pub struct Authorities(HashMap<String, Arc<CaType>>);

impl Authorities {
    /// # Errors
    /// Everything that is wrong with the files, by key; nothing of what they hold.
    pub fn read(config: &Config) -> Result<Self, Problems> {
        let mut authorities = HashMap::new();
        let mut problems = Vec::new();
        for upstream in &config.upstreams {
            let Some(path) = &upstream.ca else { continue };
            match authorities_in(path) {
                Ok(found) => _ = authorities.insert(upstream.name.clone(), found),
                Err(message) => problems.push(Problem::new(format!("upstream.{}.ca", upstream.name), message)),
            }
        }
        if problems.is_empty() { Ok(Authorities(authorities)) } else { Err(Problems(problems)) }
    }

    pub fn of(&self, upstream: &str) -> Option<Arc<CaType>> {
        self.0.get(upstream).cloned()
    }
}

fn authorities_in(path: &Path) -> Result<Arc<CaType>, String> {
    let found = certificates(path)?;
    for one in &found {
        // Pingora takes both for granted where it connects.
        let usable = X509Certificate::from_der(one).is_ok() && RootCertStore::empty().add(one.clone()).is_ok();
        if !usable {
            return Err(format!("{}: holds a certificate that cannot issue others", path.display()));
        }
    }
    Ok(found.iter().map(|one| WrappedX509::new(one.to_vec(), parse_x509)).collect())
}
