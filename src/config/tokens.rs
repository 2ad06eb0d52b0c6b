//! The section `[tokens]`: how placeholders are made that answers undo, where they are not undone, and whether those of
//! earlier answers are remembered. Makes none.

use std::sync::Arc;
use std::time::Duration;

use super::source::Section;
use super::value::{Leaf, OnOutage, VariableName, one_of};
use super::{Redis, RedisServers, Secret};
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
    /// Where placeholders of earlier answers are remembered, if they are.
    pub vault: Option<Vault>,
}

/// What it takes to remember placeholders beyond their request.
#[derive(Clone, Debug, PartialEq)]
pub struct Vault {
    pub servers: Arc<RedisServers>,
    /// The key of the placeholders; what seals the records is derived from it.
    pub secret: Secret,
    /// Of one record; whole seconds count.
    pub lifetime: Duration,
    pub failure: OnOutage,
}

/// Whether a route's placeholders can be undone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Placeholders {
    #[default]
    Tokenize,
    Mask,
    /// There are none: what is sensitive passes, both ways. Attacks are judged all the same.
    Keep,
}

impl Leaf for Placeholders {
    fn from_text(text: &str) -> Result<Self, String> {
        Ok(match one_of(text, &["tokenize", "mask", "keep"])? {
            "mask" => Placeholders::Mask,
            "keep" => Placeholders::Keep,
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

/// The section, and the claim that names the tenant. `vaulted` is what its key `vault` says.
pub(super) fn read(section: Section, vaulted: bool, redis: &Redis) -> (Tokens, Option<String>) {
    let key = key(&section, vaulted);
    let vault = vault(&section, redis, key.as_ref()).filter(|_| vaulted);
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
        vault,
    };
    let tenant_claim = section.read("tenant_claim");
    section.finish();
    (tokens, tenant_claim)
}

fn key(section: &Section, vaulted: bool) -> Option<Secret> {
    let VariableName(variable) = section.read_or("key_env", VariableName("PROMPTGATE_TOKEN_KEY".to_owned()));
    let key = section.source().variable(&variable).map(Secret::new);
    match &key {
        None if vaulted => {
            section.problem("key_env", format!("{variable} is not set: no other start could open the vault"))
        }
        None => section.source().warn(section.path("key_env"), without_key(&variable)),
        Some(key) if key.expose().len() < TokenKey::SHORTEST => {
            let message = format!("{variable} must hold at least {} bytes", TokenKey::SHORTEST);
            section.problem("key_env", message);
        }
        Some(_) => {}
    }
    key
}

/// What the vault is, whether or not it is on.
fn vault(section: &Section, redis: &Redis, key: Option<&Secret>) -> Option<Vault> {
    let lifetime = section.read_or("vault_lifetime", Duration::from_secs(24 * 3600));
    if !(SHORTEST_LIFETIME..=LONGEST_LIFETIME).contains(&lifetime) {
        section.problem("vault_lifetime", "must be from 1s to 8760h");
    }
    let failure = section.read_or("vault_failure", OnOutage::Open);
    Some(Vault { servers: redis.servers.clone()?, secret: key?.clone(), lifetime, failure })
}

const SHORTEST_LIFETIME: Duration = Duration::from_secs(1);

/// A year: long for what should be forgotten, and far below what Redis takes.
const LONGEST_LIFETIME: Duration = Duration::from_secs(8760 * 3600);

fn checked(section: &Section, name: &str) -> Option<Sink> {
    Sink::from_text(name).map_err(|message| section.problem("sinks", message)).ok()
}

fn without_key(variable: &str) -> String {
    format!("{variable} is not set: placeholders differ between replicas and change with every start")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    const KEY: (&str, &str) = ("PROMPTGATE_TOKEN_KEY", "canary-q7Zx1Lw9Vb3Nc5Md8Kf2Jg4Hh6Ty0RpQ");

    fn problems(text: &str, variables: &[(&str, &str)]) -> Vec<String> {
        let owned = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let loaded = Config::load(Some(text), owned);
        loaded.map_or_else(|all| all.0.iter().map(ToString::to_string).collect(), |_| Vec::new())
    }

    #[test]
    fn a_vault_needs_a_server_and_a_key() {
        let variables = [KEY, ("PROMPTGATE__REDIS__URL", "redis://:canary@h"), ("PROMPTGATE__TOKENS__VAULT", "true")];
        let owned = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let config = Config::load(None, owned).expect("a configuration").config;
        let vault = config.tokens.vault.clone().expect("a vault");
        assert_eq!((&*vault.servers.nodes[0].host, vault.secret.expose()), ("h", KEY.1));
        assert_eq!((vault.lifetime, vault.failure), (Duration::from_secs(86_400), OnOutage::Open));
        assert!(!format!("{config:?}").contains("canary"));
        assert_eq!(
            problems("[tokens]\nvault = true", &[]),
            [
                "redis.url: is missing: tokens.vault keeps its records there",
                "tokens.key_env: PROMPTGATE_TOKEN_KEY is not set: no other start could open the vault",
            ]
        );
        assert_eq!(problems("[redis]\nurl = \"redis://h\"\n[tokens]\nvault = true", &[KEY]), [""; 0]);
        // Off, it needs neither, and is none.
        let off = Config::load(Some("[redis]\nurl = \"redis://h\""), [KEY].map(|(k, v)| (k.to_owned(), v.to_owned())));
        assert_eq!(off.expect("a configuration").config.tokens.vault, None);
    }

    #[test]
    fn what_the_vault_cannot_be_is_a_problem_at_its_key_even_while_it_is_off() {
        let text =
            "[redis]\nurl = \"http://canary\"\n[tokens]\nvault = 3\nvault_lifetime = \"1ms\"\nvault_failure = \"shut\"";
        let found = problems(text, &[]);
        for key in ["redis.url: ", "tokens.vault: ", "tokens.vault_lifetime: ", "tokens.vault_failure: "] {
            assert!(found.iter().any(|problem| problem.starts_with(key)), "{key} in {found:?}");
        }
        assert!(found.iter().all(|problem| !problem.contains("canary")), "{found:?}");
        let found = problems("[redis]\nurl = \"http://h\"\n[tokens]\nvault = true", &[KEY]);
        assert_eq!(found.len(), 1, "{found:?}");
    }
}
