//! The `[[upstream]]` and `[[route]]` tables. A file that has none of a kind gets the shipped ones.

use std::sync::Arc;

use http::Method;
use toml::Table;

use super::pattern::{Pattern, Template};
use super::problem::{did_you_mean, quoted};
use super::read::SCOPES;
use super::routes::{Clash, Route, RouteTable, clash};
use super::source::Section;
use super::upstream::{self, Upstream, UpstreamKey, UpstreamTimeouts};
use super::value::{Leaf, one_of};

/// Upstreams and routes of the file. Shipped routes apply when it has none, as far as their upstreams exist.
pub(super) fn read(root: &Section, shipped: &Table, timeouts: UpstreamTimeouts) -> (Vec<Arc<Upstream>>, RouteTable) {
    let shipped = root.source().root(shipped);
    let (own_upstreams, own_routes) = (root.sections("upstream"), root.sections("route"));
    let (all_shipped, any_routes) = (!root.has("upstream"), root.has("route"));
    let upstreams = Upstreams::read(if all_shipped { shipped.sections("upstream") } else { own_upstreams }, timeouts);
    let sections = if any_routes { own_routes } else { shipped.sections("route") };
    let routes: Vec<(String, Arc<Route>)> = sections
        .into_iter()
        .filter(|section| any_routes || section.read("upstream").is_some_and(|name: String| upstreams.has(&name)))
        .filter_map(|section| Some((section.here().to_owned(), Arc::new(route(section, &upstreams)?))))
        .collect();
    report_clashes(root, &routes);
    let table = RouteTable::new(routes.into_iter().map(|(_, route)| route).collect());
    warn_of(root, &upstreams, &table, all_shipped);
    (upstreams.good, table)
}

struct Upstreams {
    /// Of all, so that a route to a bad one is not a problem of its own.
    names: Vec<String>,
    good: Vec<Arc<Upstream>>,
    /// The key path of each good one.
    paths: Vec<String>,
}

impl Upstreams {
    fn read(sections: Vec<Section>, timeouts: UpstreamTimeouts) -> Self {
        let mut upstreams = Upstreams { names: Vec::new(), good: Vec::new(), paths: Vec::new() };
        for section in sections {
            let name: Option<String> = section.required("name");
            if name.as_ref().is_some_and(|name| upstreams.has(name)) {
                section.problem("name", "another upstream has this name");
            }
            upstreams.names.extend(name.clone());
            let path = section.here().to_owned();
            if let Some(upstream) = upstream::read(section, name, timeouts) {
                upstreams.good.push(Arc::new(upstream));
                upstreams.paths.push(path);
            }
        }
        upstreams
    }

    fn has(&self, name: &str) -> bool {
        self.names.iter().any(|known| known == name)
    }

    fn named(&self, name: &str) -> Option<Arc<Upstream>> {
        self.good.iter().find(|upstream| upstream.name == name).cloned()
    }
}

/// Names of the wire formats.
const FORMATS: &[&str] = &[
    "openai.chat",
    "openai.completions",
    "openai.responses",
    "openai.embeddings",
    "openai.moderations",
    "openai.models",
    "azure.chat",
    "azure.completions",
    "azure.embeddings",
    "azure.responses",
    "azure.models",
    "anthropic.messages",
    "anthropic.count_tokens",
    "anthropic.batches",
    "anthropic.models",
    "gemini.generate",
    "gemini.stream",
    "gemini.count_tokens",
    "gemini.embed",
    "gemini.models",
    "ollama.chat",
    "ollama.generate",
    "ollama.embed",
    "ollama.tags",
    "cohere.chat",
    "mistral.chat",
    "mistral.fim",
    "mistral.embeddings",
    "mistral.models",
    "bedrock.converse",
    "bedrock.converse_stream",
];

/// Formats of requests without a body.
fn is_bodyless(format: &str) -> bool {
    format.ends_with(".models") || format.ends_with(".tags")
}

struct Format(&'static str);

impl Leaf for Format {
    fn from_text(text: &str) -> Result<Self, String> {
        let unknown = || format!("no format is called {}{}", quoted(text), did_you_mean(text, FORMATS.iter().copied()));
        FORMATS.iter().find(|name| **name == text).map(|name| Format(name)).ok_or_else(unknown)
    }
}

struct Verb(Method);

impl Leaf for Verb {
    fn from_text(text: &str) -> Result<Self, String> {
        // HEAD, CONNECT and TRACE have no meaning for any of these interfaces.
        one_of(text, &["POST", "GET", "PUT", "PATCH", "DELETE"])
            .and_then(|name| name.parse().map(Verb).map_err(|_| "is not a method".to_owned()))
    }
}

fn route(section: Section, upstreams: &Upstreams) -> Option<Route> {
    let format = section.required::<Format>("format").map(|format| format.0);
    let pattern = section.required("path").and_then(|path: String| {
        let encoded_slash = format.is_some_and(|name| name.starts_with("bedrock."));
        Pattern::parse(&path, encoded_slash).map_err(|message| section.problem("path", message)).ok()
    });
    let method = section.read("method").map(|verb: Verb| verb.0);
    let upstream_path = section.read("upstream_path").map(|path: String| match &pattern {
        Some(pattern) => Template::parse(&path, pattern).map_err(|message| section.problem("upstream_path", message)),
        None => Err(()),
    });
    let scope: String = section.read_or("scope", "prompt:validate".to_owned());
    one_of(&scope, SCOPES).map_err(|message| section.problem("scope", message)).ok();
    let upstream = upstream_of(&section, upstreams);
    section.finish();
    let usual = if is_bodyless(format?) { Method::GET } else { Method::POST };
    let upstream_path = upstream_path.transpose().ok()?;
    let method = method.unwrap_or(usual);
    Some(Route { method, pattern: pattern?, format: format?, upstream: upstream?, upstream_path, scope })
}

fn upstream_of(section: &Section, upstreams: &Upstreams) -> Option<Arc<Upstream>> {
    let name: String = section.required("upstream")?;
    if !upstreams.has(&name) {
        let hint = did_you_mean(&name, upstreams.names.iter().map(String::as_str));
        section.problem("upstream", format!("no upstream is called {}{hint}", quoted(&name)));
    }
    upstreams.named(&name)
}

fn report_clashes(root: &Section, routes: &[(String, Arc<Route>)]) {
    for (i, (path, route)) in routes.iter().enumerate() {
        for (earlier_path, earlier) in routes.iter().take(i) {
            let message = match clash(earlier, route) {
                None => continue,
                Some(Clash::Duplicate) => format!("has the method and path of {earlier_path}"),
                Some(Clash::Tie) => {
                    format!(
                        "a request could match {earlier_path} ({}) as well, and neither is more literal",
                        earlier.label()
                    )
                }
            };
            root.source().problem(format!("{path}.path"), message);
        }
    }
}

/// Upstreams that no route leads to, and those that lack their key: requests would fail there.
fn warn_of(root: &Section, upstreams: &Upstreams, table: &RouteTable, all_shipped: bool) {
    for (path, upstream) in upstreams.paths.iter().zip(&upstreams.good) {
        let name = quoted(&upstream.name);
        let used = table.iter().any(|route| route.upstream.name == upstream.name);
        match &upstream.key {
            _ if !used && all_shipped => {}
            _ if !used => root.source().warn(path, format!("no route leads to {name}")),
            UpstreamKey::Unset { variable } => {
                let text = format!("{variable} is not set: requests to {name} will be answered 503");
                root.source().warn(format!("{path}.api_key_env"), text);
            }
            UpstreamKey::None | UpstreamKey::Set(_) => {}
        }
    }
}
