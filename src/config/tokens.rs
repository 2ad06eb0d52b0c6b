//! The section `[tokens]`: how placeholders are made that answers undo, and where they are not undone. Makes none.

use std::sync::Arc;

use super::Secret;
use super::source::Section;
use super::value::{Leaf, VariableName, one_of};
use crate::policy::TokenKey;
use crate::sanitize::Sinks;

#[derive(Clone, Debug, PartialEq)]
pub struct Tokens {
    /// Without one, a key is made at the start.
    pub key: Option<Secret>,
    pub epoch: u32,
    /// Callers whose placeholders are for good.
    pub mask_clients: Vec<String>,
    /// Where nothing is given back.
    pub sinks: Arc<Sinks>,
}

/// Whether a route's placeholders can be undone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Placeholders {
    #[default]
    Tokenize,
    Mask,
}

impl Leaf for Placeholders {
    fn from_text(text: &str) -> Result<Self, String> {
        Ok(match one_of(text, &["tokenize", "mask"])? {
            "mask" => Placeholders::Mask,
            _ => Placeholders::Tokenize,
        })
    }
}

struct Sink(&'static str);

impl Leaf for Sink {
    fn from_text(text: &str) -> Result<Self, String> {
        one_of(text, &["images", "links"]).map(Sink)
    }
}

/// The section, and the claim that names the tenant.
pub(super) fn read(section: Section) -> (Tokens, Option<String>) {
    let VariableName(variable) = section.read_or("key_env", VariableName("PROMPTGATE_TOKEN_KEY".to_owned()));
    let key = section.source().variable(&variable).map(Secret::new);
    match &key {
        None => section.source().warn(section.path("key_env"), without_key(&variable)),
        Some(key) if key.expose().len() < TokenKey::SHORTEST => {
            let message = format!("{variable} must hold at least {} bytes", TokenKey::SHORTEST);
            section.problem("key_env", message);
        }
        Some(_) => {}
    }
    let sinks: Vec<String> = section.read_or("sinks", vec!["images".to_owned()]);
    let sinks: Vec<Sink> = sinks.iter().filter_map(|name| checked(&section, name)).collect();
    let has = |name: &str| sinks.iter().any(|Sink(known)| *known == name);
    let (images, links) = (has("images"), has("links"));
    let epoch = section.read_or("epoch", 1_usize);
    let epoch = u32::try_from(epoch).unwrap_or_else(|_| {
        section.problem("epoch", "must be at most 4294967295");
        0
    });
    let tokens = Tokens {
        key,
        epoch,
        mask_clients: section.read_or("mask_clients", Vec::new()),
        sinks: Arc::new(Sinks { images, links, tools: section.read_or("network_tools", Vec::new()) }),
    };
    let tenant_claim = section.read("tenant_claim");
    section.finish();
    (tokens, tenant_claim)
}

fn checked(section: &Section, name: &str) -> Option<Sink> {
    Sink::from_text(name).map_err(|message| section.problem("sinks", message)).ok()
}

fn without_key(variable: &str) -> String {
    format!("{variable} is not set: placeholders differ between replicas and change with every start")
}
