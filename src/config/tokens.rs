//! The section `[tokens]`: how placeholders are made that answers undo, and where they are not undone. Makes none.

use super::Secret;
use super::source::Section;
use super::value::{Leaf, VariableName, one_of};
use crate::policy::TokenKey;

#[derive(Clone, Debug, PartialEq)]
pub struct Tokens {
    /// Without one, a key is made at the start.
    pub key: Option<Secret>,
    pub epoch: u32,
    /// Callers whose placeholders are for good.
    pub mask_clients: Vec<String>,
    /// Where nothing is given back.
    pub sinks: Sinks,
}

/// Places that leave the caller's hands: what is given back there, somebody else can read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sinks {
    /// The address of an image in Markdown or HTML, which is fetched when it is shown.
    pub images: bool,
    /// The address of a link.
    pub links: bool,
    /// Arguments of tools of these names; `*` at either end stands for anything.
    pub tools: Vec<String>,
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
        sinks: Sinks { images, links, tools: section.read_or("network_tools", Vec::new()) },
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

impl Sinks {
    /// Whether the tool of that name is one that sends its arguments somewhere.
    pub fn is_network_tool(&self, name: &str) -> bool {
        self.tools.iter().any(|pattern| match (pattern.strip_prefix('*'), pattern.strip_suffix('*')) {
            (Some(rest), Some(_)) => name.contains(rest.trim_end_matches('*')),
            (Some(end), None) => name.ends_with(end),
            (None, Some(start)) => name.starts_with(start),
            (None, None) => name == pattern,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tool_is_named_whole_or_by_a_part() {
        let tools = ["http_get", "fetch*", "*_search", "*curl*"].map(str::to_owned).to_vec();
        let sinks = Sinks { tools, ..Sinks::default() };
        for (name, expected) in [
            ("http_get", true),
            ("http_get2", false),
            ("fetch_url", true),
            ("web_search", true),
            ("search_web", false),
            ("run_curl_now", true),
        ] {
            assert_eq!(sinks.is_network_tool(name), expected, "{name}");
        }
    }
}
