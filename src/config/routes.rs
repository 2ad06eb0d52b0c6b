//! The route table: method and path of a request in, route out. Matches exact canonical paths and repairs none.

use std::collections::HashMap;
use std::sync::Arc;

use http::Method;

use super::Upstream;
use super::pattern::{Params, Pattern, Template, is_canonical};

/// One row of the table.
#[derive(Clone, Debug, PartialEq)]
pub struct Route {
    pub method: Method,
    pub pattern: Pattern,
    /// Name of the wire format.
    pub format: &'static str,
    pub upstream: Arc<Upstream>,
    /// The path sent up; the request's own when `None`.
    pub upstream_path: Option<Template>,
    /// What a caller needs.
    pub scope: String,
}

impl Route {
    /// The path as the configuration writes it: the `route` label of metrics and audit records.
    pub fn label(&self) -> &str {
        self.pattern.text()
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
