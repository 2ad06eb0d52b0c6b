//! Which limits apply to a request, and what it takes of each. Counts nothing.

use std::num::NonZeroU64;
use std::sync::Arc;

use ring::digest::{SHA256, digest};

use super::Rate;

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    RequestsPerMinute,
    TokensPerMinute,
    TokensPerDay,
    /// Requests under way.
    Concurrent,
}

impl Unit {
    pub const ALL: [Unit; 4] = [Unit::RequestsPerMinute, Unit::TokensPerMinute, Unit::TokensPerDay, Unit::Concurrent];

    /// The configuration's key, and a label of metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Unit::RequestsPerMinute => "requests_per_minute",
            Unit::TokensPerMinute => "tokens_per_minute",
            Unit::TokensPerDay => "tokens_per_day",
            Unit::Concurrent => "concurrent",
        }
    }

    /// The same in a sentence, after a number.
    pub const fn words(self) -> &'static str {
        match self {
            Unit::RequestsPerMinute => "requests a minute",
            Unit::TokensPerMinute => "tokens a minute",
            Unit::TokensPerDay => "tokens a day",
            Unit::Concurrent => "requests at once",
        }
    }

    /// What is counted over a time.
    pub const fn counted(self) -> Option<&'static str> {
        match self {
            Unit::RequestsPerMinute => Some("requests"),
            Unit::TokensPerMinute | Unit::TokensPerDay => Some("tokens"),
            Unit::Concurrent => None,
        }
    }

    pub const fn is_of_tokens(self) -> bool {
        matches!(self, Unit::TokensPerMinute | Unit::TokensPerDay)
    }

    /// In microseconds; `None` for what is counted at one time.
    const fn period(self) -> Option<NonZeroU64> {
        match self {
            Unit::RequestsPerMinute | Unit::TokensPerMinute => NonZeroU64::new(60_000_000),
            Unit::TokensPerDay => NonZeroU64::new(86_400_000_000),
            Unit::Concurrent => None,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    pub unit: Unit,
    pub most: NonZeroU64,
}

/// Requests that have limits in common.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Class {
    pub name: Arc<str>,
    /// Callers by their client id; everyone if there are none.
    pub clients: Vec<String>,
    /// Routes by their paths, as the configuration writes them; all if there are none.
    pub routes: Vec<String>,
    /// Models by name, `prefix*` for all that begin so; all if there are none.
    pub models: Vec<String>,
    /// All callers have the limits together; else each has them for himself.
    pub together: bool,
    pub limits: Vec<Limit>,
}

/// All limits: the general class, if there is one, and others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RateLimits {
    /// For every caller that no other class names without more conditions.
    pub general: Option<Class>,
    pub classes: Vec<Class>,
}

/// A request, as far as limits tell it from another.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    pub client: &'a str,
    pub route: &'a str,
    /// Empty until its body is read.
    pub models: &'a [String],
}

/// What is known of a request when it is asked whether it may pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Its head. Whoever asks too often is not read any further.
    Head,
    /// All of it, with an estimate of its tokens.
    Body { tokens: u64 },
}

/// What one request takes of one limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Demand {
    /// Of the number that is kept: class, unit and, unless callers count together, caller.
    pub key: String,
    pub class: Arc<str>,
    pub limit: Limit,
    pub cost: u64,
}

impl RateLimits {
    pub fn is_empty(&self) -> bool {
        self.general.is_none() && self.classes.is_empty()
    }

    /// Whether anything of the kind is limited for anyone.
    pub fn counts_tokens(&self) -> bool {
        let of_tokens = |class: &Class| class.limits.iter().any(|limit| limit.unit.is_of_tokens());
        self.classes.iter().chain(&self.general).any(of_tokens)
    }

    /// What the request takes at this stage. Where the model decides, all of it is taken once the body is read.
    pub fn demands(&self, asked: &Asked, stage: Stage) -> Vec<Demand> {
        let named = self.classes.iter().any(|class| class.is_of_clients() && class.applies(asked));
        let general = self.general.iter().filter(|_| !named);
        general
            .chain(&self.classes)
            .filter(|class| class.applies(asked))
            .flat_map(|class| class.demands(asked, stage))
            .collect()
    }
}

impl Class {
    /// Whether it is about callers and nothing else.
    fn is_of_clients(&self) -> bool {
        !self.clients.is_empty() && self.routes.is_empty() && self.models.is_empty()
    }

    fn applies(&self, asked: &Asked) -> bool {
        let holds = |names: &[String], name: &str| names.is_empty() || names.iter().any(|known| known == name);
        let of_model = |model: &String| self.models.iter().any(|pattern| matches(pattern, model));
        holds(&self.clients, asked.client)
            && holds(&self.routes, asked.route)
            && (self.models.is_empty() || asked.models.iter().any(of_model))
    }

    fn demands(&self, asked: &Asked, stage: Stage) -> impl Iterator<Item = Demand> {
        let caller = if self.together { String::new() } else { short(asked.client) };
        let at_once = self.models.is_empty();
        self.limits.iter().filter_map(move |limit| {
            let cost = match (stage, limit.unit.is_of_tokens()) {
                (Stage::Head, false) if at_once => 1,
                (Stage::Body { .. }, false) if !at_once => 1,
                (Stage::Body { tokens }, true) => tokens,
                _ => 0,
            };
            let key = format!("{}:{}:{caller}", self.name, limit.unit.name());
            (cost > 0).then(|| Demand { key, class: self.name.clone(), limit: *limit, cost })
        })
    }
}

impl Demand {
    /// `None` for what is counted at one time.
    pub fn rate(&self) -> Option<Rate> {
        self.limit.unit.period().map(|period| Rate::new(self.limit.most, period))
    }

    /// Whether no wait would help.
    pub fn is_too_large(&self) -> bool {
        self.cost > self.limit.most.get()
    }
}

fn matches(pattern: &str, model: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => model.starts_with(prefix),
        None => model == pattern,
    }
}

/// A name that an identity provider chose, or what stands for it where it is long.
fn short(client: &str) -> String {
    const LONG: usize = 64;
    match client.len() {
        0..=LONG => client.to_owned(),
        _ => digest(&SHA256, client.as_bytes()).as_ref().iter().map(|byte| format!("{byte:02x}")).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(units: &[(Unit, u64)]) -> Vec<Limit> {
        units.iter().map(|(unit, most)| Limit { unit: *unit, most: NonZeroU64::new(*most).unwrap() }).collect()
    }

    fn class(name: &str, clients: &[&str], routes: &[&str], models: &[&str], units: &[(Unit, u64)]) -> Class {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let (clients, routes, models) = (owned(clients), owned(routes), owned(models));
        Class { name: name.into(), clients, routes, models, together: false, limits: limits(units) }
    }

    fn shipped() -> RateLimits {
        let every = [(Unit::RequestsPerMinute, 60), (Unit::TokensPerDay, 1000), (Unit::Concurrent, 4)];
        RateLimits {
            general: Some(class("general", &[], &[], &[], &every)),
            classes: vec![
                class(
                    "large",
                    &[],
                    &[],
                    &["big-*", "huge"],
                    &[(Unit::RequestsPerMinute, 5), (Unit::TokensPerMinute, 90)],
                ),
                class("batch", &["robot"], &[], &[], &[(Unit::RequestsPerMinute, 600)]),
                class("chat", &["ann"], &["/chat"], &[], &[(Unit::RequestsPerMinute, 30)]),
            ],
        }
    }

    fn keys(client: &str, route: &str, models: &[&str], stage: Stage) -> Vec<(String, u64)> {
        let models: Vec<String> = models.iter().map(|model| (*model).to_owned()).collect();
        let demands = shipped().demands(&Asked { client, route, models: &models }, stage);
        demands.into_iter().map(|demand| (demand.key, demand.cost)).collect()
    }

    #[test]
    fn a_request_takes_of_each_class_it_is_in_once_what_decides_that_is_known() {
        let body = Stage::Body { tokens: 7 };
        let general = ["general:requests_per_minute:ann", "general:concurrent:ann"];
        let day = "general:tokens_per_day:ann";
        let large = ["large:requests_per_minute:ann", "large:tokens_per_minute:ann"];
        for (client, route, models, stage, expected) in [
            ("ann", "/other", &[][..], Stage::Head, vec![(general[0], 1), (general[1], 1)]),
            (
                "ann",
                "/chat",
                &[],
                Stage::Head,
                vec![(general[0], 1), (general[1], 1), ("chat:requests_per_minute:ann", 1)],
            ),
            ("ann", "/other", &[], body, vec![(day, 7)]),
            ("ann", "/other", &["big-9"], Stage::Head, vec![(general[0], 1), (general[1], 1)]),
            ("ann", "/other", &["big-9"], body, vec![(day, 7), (large[0], 1), (large[1], 7)]),
            ("ann", "/other", &["small", "huge"], body, vec![(day, 7), (large[0], 1), (large[1], 7)]),
            ("ann", "/other", &["huger"], body, vec![(day, 7)]),
            // Without a body there are no tokens.
            ("ann", "/other", &[], Stage::Body { tokens: 0 }, vec![]),
            // Named by a class of its own, and by nothing else: the general limits are not for it.
            ("robot", "/other", &[], Stage::Head, vec![("batch:requests_per_minute:robot", 1)]),
            ("robot", "/other", &[], body, vec![]),
        ] {
            let expected: Vec<(String, u64)> = expected.iter().map(|(key, cost)| ((*key).to_owned(), *cost)).collect();
            assert_eq!(keys(client, route, models, stage), expected, "{client} {route} {models:?} {stage:?}");
        }
    }

    #[test]
    fn callers_count_together_where_they_are_said_to() {
        let mut class = class("team", &["a", "b"], &[], &[], &[(Unit::Concurrent, 2)]);
        class.together = true;
        let limits = RateLimits { general: None, classes: vec![class] };
        for client in ["a", "b"] {
            let demands = limits.demands(&Asked { client, route: "/", models: &[] }, Stage::Head);
            assert_eq!(demands.iter().map(|demand| &*demand.key).collect::<Vec<_>>(), ["team:concurrent:"]);
        }
    }

    #[test]
    fn a_long_name_of_a_caller_makes_a_key_of_its_own_that_is_short() {
        let name = |end: &str| format!("{}{end}", "x".repeat(100));
        let key = |client: &str| keys(client, "/", &[], Stage::Head)[0].0.clone();
        assert!(key(&name("a")).len() < 100 && key(&name("a")) != key(&name("b")));
    }
}
