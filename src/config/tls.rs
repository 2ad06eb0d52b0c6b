//! The tables `[gateway.tls]` and `[admin.tls]`: which files a listener speaks TLS with. Reads none of them.

use std::path::{Path, PathBuf};

use super::source::Section;

/// How a listener speaks TLS.
#[derive(Clone, Debug, PartialEq)]
pub struct Tls {
    /// The first is for clients that name no host, or one that none is for. Never empty.
    pub pairs: Vec<KeyPair>,
    pub clients: Option<Clients>,
}

/// A certificate and its key, in PEM.
#[derive(Clone, Debug, PartialEq)]
pub struct KeyPair {
    /// Leaf first.
    pub cert: PathBuf,
    pub key: PathBuf,
}

/// Whose certificates clients show.
#[derive(Clone, Debug, PartialEq)]
pub struct Clients {
    pub ca: PathBuf,
    /// Whether there is no connection without one.
    pub required: bool,
}

impl Tls {
    /// Every file, by the key under `table` that names it.
    pub fn files(&self, table: &str) -> Vec<(String, &Path)> {
        let pairs = self.pairs.iter().enumerate().flat_map(|(number, pair)| {
            let place = place(table, number);
            [(format!("{place}.cert"), pair.cert.as_path()), (format!("{place}.key"), pair.key.as_path())]
        });
        let clients = self.clients.iter().map(|clients| (format!("{table}.client_ca"), clients.ca.as_path()));
        pairs.chain(clients).collect()
    }
}

/// Where the pair of that number stands.
pub fn place(table: &str, number: usize) -> String {
    number.checked_sub(1).map_or_else(|| table.to_owned(), |more| format!("{table}.certificate[{more}]"))
}

/// `None` without the table, and when something that must be there is not; then there is a problem too.
pub(super) fn read(outer: &Section) -> Option<Tls> {
    let given = outer.has("tls");
    let section = outer.section("tls");
    let first = given.then(|| pair(&section)).flatten();
    let more = section.sections("certificate").into_iter().map(|section| {
        let pair = pair(&section);
        section.finish();
        pair
    });
    let more: Option<Vec<KeyPair>> = more.collect();
    let required = section.read("client_required");
    let ca: Option<PathBuf> = section.read("client_ca");
    if required.is_some() && ca.is_none() {
        section.problem("client_required", "has no use without client_ca");
    }
    if !given {
        // So that variables are known to name keys.
        let _: (Option<PathBuf>, Option<PathBuf>) = (section.read("cert"), section.read("key"));
    }
    section.finish();
    let clients = ca.map(|ca| Clients { ca, required: required.unwrap_or(true) });
    Some(Tls { pairs: std::iter::once(first?).chain(more?).collect(), clients })
}

fn pair(section: &Section) -> Option<KeyPair> {
    let (cert, key) = (section.required("cert"), section.required("key"));
    Some(KeyPair { cert: cert?, key: key? })
}
