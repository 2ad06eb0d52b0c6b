//! The `[[upstream]]` and `[[route]]` tables. A file that has none of a kind gets the shipped ones.

use std::sync::Arc;

use http::Method;
use toml::Table;

use super::Placeholders;
use super::pattern::{Pattern, Template};
use super::policies::{self, Policy};
use super::problem::{did_you_mean, quoted};
use super::routes::{Clash, Route, RouteTable, clash};
use super::source::Section;
use super::upstream::{self, Upstream, UpstreamKey, UpstreamTimeouts};
use super::value::{Leaf, one_of};
use crate::auth::Scope;
use crate::wire::{self, BodyKind, Dialect, Family};

/// Upstreams and routes of the file. Shipped routes apply when it has none, as far as their upstreams exist.
pub(super) fn read(
    root: &Section,
    shipped: &Table,
    timeouts: UpstreamTimeouts,
    policies: &[Policy],
) -> (Vec<Arc<Upstream>>, RouteTable) {
    let shipped = root.source().root(shipped);
    let (own_upstreams, own_routes) = (root.sections("upstream"), root.sections("route"));
    let (all_shipped, any_routes) = (!root.has("upstream"), root.has("route"));
    let upstreams = Upstreams::read(if all_shipped { shipped.sections("upstream") } else { own_upstreams }, timeouts);
    let sections = if any_routes { own_routes } else { shipped.sections("route") };
    let routes: Vec<(String, Arc<Route>)> = sections
        .into_iter()
        .filter(|section| any_routes || section.read("upstream").is_some_and(|name: String| upstreams.has(&name)))
        .filter_map(|section| Some((section.here().to_owned(), Arc::new(route(section, &upstreams, policies)?))))
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

struct Format(&'static Dialect);

impl Leaf for Format {
    fn from_text(text: &str) -> Result<Self, String> {
        let hint = || did_you_mean(text, wire::FORMATS.iter().map(|dialect| dialect.name));
        wire::find(text).map(Format).ok_or_else(|| format!("no format is called {}{}", quoted(text), hint()))
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

fn route(section: Section, upstreams: &Upstreams, policies: &[Policy]) -> Option<Route> {
    let dialect = section.required("format").map(|Format(dialect)| dialect);
    let pattern = section.required("path").and_then(|path: String| {
        let encoded_slash = dialect.is_some_and(|dialect| dialect.family == Family::Bedrock);
        Pattern::parse(&path, encoded_slash).map_err(|message| section.problem("path", message)).ok()
    });
    let method = section.read("method").map(|Verb(method)| method);
    let upstream_path = section.read("upstream_path").map(|path: String| match &pattern {
        Some(pattern) => Template::parse(&path, pattern).map_err(|message| section.problem("upstream_path", message)),
        None => Err(()),
    });
    let scope = section.read_or("scope", Scope::Validate);
    let placeholders = section.read_or("placeholders", Placeholders::default());
    let policy = policies::named(&section, "policy", policies);
    let upstream = upstream_of(&section, upstreams);
    section.finish();
    let method = method.unwrap_or(usual_method(dialect?));
    let upstream_path = upstream_path.transpose().ok()?;
    let (pattern, dialect, upstream) = (pattern?, dialect?, upstream?);
    Some(Route { method, pattern, dialect, upstream, upstream_path, scope, placeholders, policy })
}

fn usual_method(dialect: &Dialect) -> Method {
    match dialect.body {
        BodyKind::Json => Method::POST,
        BodyKind::None => Method::GET,
    }
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
