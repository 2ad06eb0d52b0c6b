//! The route table: method and path of a request in, route out. Matches exact canonical paths and repairs none.

use std::collections::HashMap;
use std::sync::Arc;

use http::Method;
use percent_encoding::percent_decode_str;

use super::pattern::{Params, Pattern, Template, is_canonical};
use super::{Placeholders, Upstream};
use crate::auth::Scope;
use crate::wire::Dialect;

/// One row of the table.
#[derive(Clone, Debug)]
pub struct Route {
    pub method: Method,
    pub pattern: Pattern,
    /// How to read the body, and how to word a refusal.
    pub dialect: &'static Dialect,
    pub upstream: Arc<Upstream>,
    /// The path sent up; the request's own when `None`.
    pub upstream_path: Option<Template>,
    /// What a caller needs.
    pub scope: Scope,
    /// Whether answers give back what placeholders stand for.
    pub placeholders: Placeholders,
    /// The policy that requests are judged by, where it is not the common one.
    pub policy: Option<Arc<str>>,
}

impl Route {
    /// The path as the configuration writes it: the `route` label of metrics and audit records.
    pub fn label(&self) -> &str {
        self.pattern.text()
    }
}

impl PartialEq for Route {
    /// A dialect is known by its name.
    fn eq(&self, other: &Self) -> bool {
        let identity = |route: &Self| (route.dialect.name, route.scope, route.placeholders);
        identity(self) == identity(other)
            && self.method == other.method
            && self.pattern == other.pattern
            && self.upstream == other.upstream
            && self.policy == other.policy
            && self.upstream_path == other.upstream_path
    }
}

/// All routes, ready for look-ups.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RouteTable {
    routes: Vec<Arc<Route>>,
    /// By number of path segments; in each, most literal first.
    places: HashMap<usize, Vec<Place>>,
}

/// The routes that share the shape of their path.
#[derive(Clone, Debug, PartialEq)]
struct Place {
    pattern: Pattern,
    routes: Vec<Arc<Route>>,
}

/// What the table says of a method and a path.
#[derive(Clone, Debug, PartialEq)]
pub enum RouteMatch<'a> {
    Found(Found<'a>),
    /// The path is known, the method is not. Its routes tell the dialect and the methods that are allowed.
    MethodNotAllowed {
        routes: &'a [Arc<Route>],
    },
    /// No route has this path. `near` shares its first segments: the caller probably speaks that dialect.
    NotFound {
        near: Option<&'a Arc<Route>>,
    },
    /// Not a canonical path: another reader could see another path in it.
    BadTarget,
}

/// A route and what its path said.
#[derive(Clone, Debug, PartialEq)]
pub struct Found<'a> {
    pub route: &'a Arc<Route>,
    path: &'a str,
    params: Params<'a>,
}

impl Found<'_> {
    /// The value of a path parameter, as it was written.
    pub fn param(&self, name: &str) -> Option<&str> {
        self.params.get(name)
    }

    /// The model that the path names, where it has a parameter.
    pub fn model(&self) -> Option<String> {
        let value = self.params.first()?;
        Some(percent_decode_str(value).decode_utf8_lossy().into_owned())
    }

    /// The path as it was asked for, with another upstream's base path before it.
    pub fn path_on(&self, upstream: &Upstream) -> String {
        format!("{}{}", upstream.address.base_path, self.path)
    }

    /// The path to send up, with the upstream's base path before it.
    pub fn upstream_path(&self) -> String {
        let base = self.route.upstream.address.base_path.as_str();
        match &self.route.upstream_path {
            None => format!("{base}{}", self.path),
            Some(template) => format!("{base}{}", template.fill(&self.params)),
        }
    }
}

/// Why two routes cannot stand in one table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Clash {
    /// Method and path are the same.
    Duplicate,
    /// A path could match both, and neither is more literal.
    Tie,
}

impl RouteTable {
    /// `routes` must not clash; see [`clash`].
    pub(super) fn new(routes: Vec<Arc<Route>>) -> Self {
        let mut places: HashMap<usize, Vec<Place>> = HashMap::new();
        for route in &routes {
            let of_length = places.entry(route.pattern.segments()).or_default();
            match of_length.iter_mut().find(|place| place.pattern.same_shape(&route.pattern)) {
                Some(place) => place.routes.push(Arc::clone(route)),
                None => of_length.push(Place { pattern: route.pattern.clone(), routes: vec![Arc::clone(route)] }),
            }
        }
        for of_length in places.values_mut() {
            // Two that overlap are ordered by every segment, so by their sum too.
            of_length.sort_by_key(|place| std::cmp::Reverse(place.pattern.literalness()));
        }
        RouteTable { routes, places }
    }

    /// In the order of the file.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Route>> {
        self.routes.iter()
    }

    pub fn len(&self) -> usize {
        self.routes.len()
    }

    pub fn is_empty(&self) -> bool {
        self.routes.is_empty()
    }

    /// `path` is the path of the request target as received, without the query.
    pub fn find<'a>(&'a self, method: &Method, path: &'a str) -> RouteMatch<'a> {
        if path == "/" {
            // What clients ask to see whether anybody is there; a route has a name.
            return RouteMatch::NotFound { near: None };
        }
        if !is_canonical(path) {
            return RouteMatch::BadTarget;
        }
        let of_length = self.places.get(&(path.split('/').count() - 1)).map_or(&[][..], Vec::as_slice);
        let Some(place) = of_length.iter().find(|place| place.pattern.matches(path).is_some()) else {
            return RouteMatch::NotFound { near: self.near(path) };
        };
        match place.routes.iter().find(|route| route.method == *method) {
            None => RouteMatch::MethodNotAllowed { routes: &place.routes },
            Some(route) => match route.pattern.matches(path) {
                Some(params) => RouteMatch::Found(Found { route, path, params }),
                // Same shape, but this route's format takes no encoded slash.
                None => RouteMatch::NotFound { near: Some(route) },
            },
        }
    }

    /// The first route among those that share the most leading segments with `path`, and at least one.
    fn near(&self, path: &str) -> Option<&Arc<Route>> {
        let shared = |route: &Arc<Route>| {
            route.label().split('/').zip(path.split('/')).skip(1).take_while(|(ours, theirs)| ours == theirs).count()
        };
        let most = self.routes.iter().map(shared).max().filter(|most| *most > 0)?;
        self.routes.iter().find(|route| shared(route) == most)
    }
}

/// Whether `a` and `b` cannot stand in one table.
pub(super) fn clash(a: &Route, b: &Route) -> Option<Clash> {
    if a.pattern.same_shape(&b.pattern) {
        return (a.method == b.method).then_some(Clash::Duplicate);
    }
    a.pattern.ties_with(&b.pattern).then_some(Clash::Tie)
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use proptest::prelude::*;

    use super::*;
    use crate::config::Config;

    static SHIPPED: LazyLock<RouteTable> = LazyLock::new(|| Config::default().routes);

    /// What the shipped table says of a request: `format upstream-path`, or why there is no route.
    fn routed(table: &RouteTable, method: &Method, path: &str) -> String {
        match table.find(method, path) {
            RouteMatch::Found(found) => format!("{} {}", found.route.dialect.name, found.upstream_path()),
            RouteMatch::MethodNotAllowed { routes } => format!("405 {}", routes[0].dialect.name),
            RouteMatch::NotFound { near } => format!("404 {}", near.map_or("", |route| route.dialect.name)),
            RouteMatch::BadTarget => "400".to_owned(),
        }
    }

    #[test]
    fn the_shipped_routes_lead_where_the_sdks_expect() {
        let table = &*SHIPPED;
        for (method, path, expected) in [
            ("POST", "/v1/chat/completions", "openai.chat /v1/chat/completions"),
            ("GET", "/v1/models/ft:gpt-4o:org::id", "openai.models /v1/models/ft:gpt-4o:org::id"),
            (
                "POST",
                "/openai/deployments/gpt-4o/chat/completions",
                "azure.chat /openai/deployments/gpt-4o/chat/completions",
            ),
            ("POST", "/v1/messages", "anthropic.messages /v1/messages"),
            ("POST", "/anthropic/v1/messages/count_tokens", "anthropic.count_tokens /v1/messages/count_tokens"),
            ("GET", "/anthropic/v1/models/claude", "anthropic.models /v1/models/claude"),
            (
                "POST",
                "/v1beta/models/gemini-2:generateContent",
                "gemini.generate /v1beta/models/gemini-2:generateContent",
            ),
            (
                "POST",
                "/v1/models/gemini-2:streamGenerateContent",
                "gemini.stream /v1/models/gemini-2:streamGenerateContent",
            ),
            ("POST", "/mistral/v1/fim/completions", "mistral.fim /v1/fim/completions"),
            (
                "POST",
                "/bedrock/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Aprofile%2Fx/converse",
                "bedrock.converse /model/arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Aprofile%2Fx/converse",
            ),
            (
                "POST",
                "/bedrock/model/claude-v1:0/converse-stream",
                "bedrock.converse_stream /model/claude-v1:0/converse-stream",
            ),
            ("GET", "/v1/chat/completions", "405 openai.chat"),
            ("HEAD", "/v1/models", "405 openai.models"),
            ("GET", "/v1/models/gemini-2:generateContent", "405 gemini.generate"),
            ("POST", "/v1/models/a:b:generateContent", "405 openai.models"),
            ("POST", "/v1/models/gemini-2:predict", "405 openai.models"),
            ("POST", "/v1/files", "404 openai.chat"),
            ("POST", "/v2/embed", "404 cohere.chat"),
            ("POST", "/V1/chat/completions", "404 "),
            ("POST", "/", "404 "),
            ("HEAD", "/", "404 "),
            ("POST", "//", "400"),
            ("POST", "/openai/deployments/a%2Fb/chat/completions", "404 azure.chat"),
        ] {
            assert_eq!(routed(table, &method.parse().unwrap(), path), expected, "{method} {path}");
        }
    }

    #[test]
    fn a_path_that_another_reader_could_see_otherwise_is_refused() {
        let table = &*SHIPPED;
        for path in [
            "",
            "*",
            "v1/chat/completions",
            "//v1/chat/completions",
            "/v1//chat/completions",
            "/v1/./chat/completions",
            "/v1/x/../chat/completions",
            "/v1/chat/completions/",
            "/v1/chat/completions;x=1",
            "/v1/chat\\completions",
            "/v1/chat%2",
            "/v1/chat%",
            "/v1/chat%zz",
            "/v1/%63hat/completions",
            "/v1/chat/completions%00",
            "/v1/chat%5ccompletions",
            "/v1/chat%3Bx",
            "/v1/chat%252Fcompletions",
            "/v1/chat/completions?x",
            "/v1/chat/completions#x",
            "/v1/chat/compl\u{e9}tions",
            "/v1/chat completions",
            "/v1/chat%0d%0a",
            "/bedrock/model/%2e%2e/converse",
            "/bedrock/model/a%2F..%2Fb/converse",
            "/bedrock/model/%2Fa/converse",
            "/bedrock/model/a%2f/converse",
        ] {
            assert_eq!(table.find(&Method::POST, path), RouteMatch::BadTarget, "{path}");
        }
        assert_eq!(routed(table, &Method::POST, "/v1/chat%2Fcompletions"), "404 openai.chat");
    }

    fn table(paths: &[&str]) -> Result<RouteTable, Clash> {
        let upstream = &SHIPPED.iter().next().unwrap().upstream;
        let routes: Vec<Arc<Route>> = paths
            .iter()
            .map(|path| Route {
                method: Method::POST,
                pattern: Pattern::parse(path, false).unwrap(),
                dialect: crate::wire::find("openai.chat").unwrap(),
                upstream: Arc::clone(upstream),
                upstream_path: None,
                scope: Scope::Validate,
                placeholders: Placeholders::Tokenize,
                policy: None,
            })
            .map(Arc::new)
            .collect();
        let pairs = (0..routes.len()).flat_map(|i| (0..i).map(move |j| (j, i)));
        match pairs.filter_map(|(j, i)| clash(&routes[j], &routes[i])).next() {
            Some(clash) => Err(clash),
            None => Ok(RouteTable::new(routes)),
        }
    }

    #[test]
    fn the_most_literal_route_wins_whatever_the_order() {
        let mut paths = ["/{a}/{b}", "/x/{b}", "/x/{b}:go", "/x/y:go"];
        for _ in 0..paths.len() {
            paths.rotate_left(1);
            let table = table(&paths).unwrap();
            for (path, label) in
                [("/x/y:go", "/x/y:go"), ("/x/z:go", "/x/{b}:go"), ("/x/z", "/x/{b}"), ("/z/z:go", "/{a}/{b}")]
            {
                let RouteMatch::Found(found) = table.find(&Method::POST, path) else { panic!("{path}") };
                assert_eq!(found.route.label(), label, "{path}");
            }
        }
    }

    #[test]
    fn routes_that_neither_order_separates_clash() {
        for (paths, expected) in [
            (["/a/{x}", "/a/{y}"], Some(Clash::Duplicate)),
            (["/a/{x}", "/{x}/a"], Some(Clash::Tie)),
            (["/a/{x}:go", "/{x}/b:go"], Some(Clash::Tie)),
            (["/a/{x}:go", "/{x}/b"], None),
            (["/a/{x}:go", "/a/{x}:stop"], None),
            (["/a/{x}", "/a/b"], None),
            (["/a/{x}", "/{x}/{y}"], None),
            (["/a/{x}/c", "/{x}/b"], None),
        ] {
            assert_eq!(table(&paths).err(), expected, "{paths:?}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_found_goes_up_as_a_canonical_path(path in "/(v1|v1beta|bedrock/model|x)(/[a-z.%2F:;-]{1,8}){1,3}(:generateContent|/converse)?") {
            let table = &*SHIPPED;
            if let RouteMatch::Found(found) = table.find(&Method::POST, &path) {
                prop_assert!(is_canonical(&found.upstream_path()));
            }
        }

        #[test]
        fn no_path_panics_and_no_repair_is_made(path in ".{0,60}") {
            let table = &*SHIPPED;
            if let RouteMatch::Found(found) = table.find(&Method::POST, &path) {
                prop_assert_eq!(found.upstream_path(), path.clone());
            }
        }
    }
}
