//! The section `[rate_limit]` and its classes. Counts nothing.

use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::Duration;

use super::policies::is_name;
use super::problem::{did_you_mean, quoted};
use super::routes::RouteTable;
use super::source::Section;
use super::value::{Leaf, OnOutage, one_of};
use super::{Redis, RedisServers};
use crate::limits::{Class, Limit, RateLimits, Unit};

#[derive(Clone, Debug, PartialEq)]
pub struct RateLimit {
    pub limits: Arc<RateLimits>,
    /// Where it is counted; by this process alone without one.
    pub store: Option<RateLimitStore>,
}

/// Redis, which counts for all replicas.
#[derive(Clone, Debug, PartialEq)]
pub struct RateLimitStore {
    pub servers: Arc<RedisServers>,
    /// How long a request waits for it.
    pub timeout: Duration,
    pub failure: OnOutage,
}

struct Shared(bool);

impl Leaf for Shared {
    fn from_text(text: &str) -> Result<Self, String> {
        Ok(Shared(one_of(text, &["memory", "redis"])? == "redis"))
    }
}

struct Together(bool);

impl Leaf for Together {
    fn from_text(text: &str) -> Result<Self, String> {
        Ok(Together(one_of(text, &["client", "class"])? == "class"))
    }
}

/// A limit: at least 1, and what a script in Redis counts without an error.
struct Most(NonZeroU64);

impl Most {
    const LARGEST: u64 = 1_000_000_000_000;

    fn checked(number: usize) -> Result<Self, String> {
        let number = NonZeroU64::new(number as u64).filter(|number| number.get() <= Most::LARGEST);
        number.map(Most).ok_or_else(|| "must be from 1 to 1000000000000; leave it out for no limit".to_owned())
    }
}

impl Leaf for Most {
    fn from_text(text: &str) -> Result<Self, String> {
        usize::from_text(text).and_then(Most::checked)
    }

    fn from_value(value: &toml::Value) -> Result<Self, String> {
        usize::from_value(value).and_then(Most::checked)
    }
}

/// Whether Redis is to count, which has to be known before its section is read.
pub(super) fn is_shared(section: &Section) -> bool {
    section.read("store").is_some_and(|Shared(shared)| shared)
}

/// `shared` is what [`is_shared`] says.
pub(super) fn read(section: Section, shared: bool, redis: &Redis, routes: &RouteTable) -> RateLimit {
    let timeout = section.read_or("timeout", Duration::from_millis(50));
    let failure = section.read_or("failure", OnOutage::Open);
    let general = Class { name: GENERAL.into(), limits: limits(&section), ..Class::default() };
    let mut classes: Vec<Class> = Vec::new();
    for table in section.sections("class") {
        let class = class(&table, routes);
        if class
            .as_ref()
            .is_some_and(|class| class.name == general.name || classes.iter().any(|other| other.name == class.name))
        {
            table.problem("name", "another class has this name");
        }
        table.finish();
        classes.extend(class);
    }
    section.finish();
    let general = Some(general).filter(|general| !general.limits.is_empty());
    let store = redis.servers.clone().filter(|_| shared);
    let store = store.map(|servers| RateLimitStore { servers, timeout, failure });
    RateLimit { limits: Arc::new(RateLimits { general, classes }), store }
}

/// The class that the section itself is.
const GENERAL: &str = "general";

fn class(table: &Section, routes: &RouteTable) -> Option<Class> {
    let name: Option<String> = table.required("name");
    if let Some(name) = name.as_ref().filter(|name| !is_name(name)) {
        table.problem(
            "name",
            format!("{} must consist of a to z, 0 to 9, - and _, and be at most 64 long", quoted(name)),
        );
    }
    let class = Class {
        name: name.as_deref().unwrap_or_default().into(),
        clients: table.read_or("clients", Vec::new()),
        routes: table.read_or("routes", Vec::new()),
        models: table.read_or("models", Vec::new()),
        together: table.read("per").is_some_and(|Together(together)| together),
        limits: limits(table),
    };
    for route in &class.routes {
        if !routes.iter().any(|known| known.label() == route) {
            let hint = did_you_mean(route, routes.iter().map(|route| route.label()));
            table.problem("routes", format!("no route has the path {}{hint}", quoted(route)));
        }
    }
    if class.limits.is_empty() {
        let keys = Unit::ALL.map(Unit::name).join(", ");
        table.problem("name", format!("the class has no limit: none of {keys}"));
    }
    name.map(|_| class)
}

fn limits(section: &Section) -> Vec<Limit> {
    let of = |unit: Unit| section.read(unit.name()).map(|Most(most)| Limit { unit, most });
    Unit::ALL.into_iter().filter_map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn problems(text: &str) -> Vec<String> {
        let of = |problems: crate::config::Problems| problems.0.iter().map(ToString::to_string).collect();
        Config::load(Some(text), []).err().map(of).unwrap_or_default()
    }

    fn read(text: &str) -> RateLimit {
        Config::load(Some(text), []).expect("a configuration").config.rate_limit
    }

    #[test]
    fn there_is_no_limit_until_one_is_set() {
        let config = Config::default().rate_limit;
        assert!(config.limits.is_empty() && config.store.is_none());
    }

    #[test]
    fn the_section_is_a_class_and_tables_are_more_of_them() {
        let text = "[rate_limit]\nrequests_per_minute = 600\ntokens_per_day = 5000000\n\
                    [[rate_limit.class]]\nname = \"large\"\nmodels = [\"gpt-5*\"]\nper = \"class\"\nconcurrent = 4\n\
                    [[rate_limit.class]]\nname = \"chat\"\nroutes = [\"/v1/chat/completions\"]\nclients = [\"a\"]\n\
                    tokens_per_minute = 7\n";
        let limits = read(text).limits;
        let units = |class: &Class| class.limits.iter().map(|limit| (limit.unit, limit.most.get())).collect::<Vec<_>>();
        let general = limits.general.as_ref().expect("a general class");
        assert_eq!(units(general), [(Unit::RequestsPerMinute, 600), (Unit::TokensPerDay, 5_000_000)]);
        let [large, chat] = limits.classes.as_slice() else { panic!("{limits:?}") };
        assert_eq!((large.together, units(large)), (true, vec![(Unit::Concurrent, 4)]));
        assert_eq!(
            (chat.together, &*chat.clients, units(chat)),
            (false, &["a".to_owned()][..], vec![(Unit::TokensPerMinute, 7)])
        );
        assert!(limits.counts_tokens());
    }

    #[test]
    fn what_is_wrong_is_told_by_its_key() {
        for (text, problem) in [
            ("requests_per_minute = 0", "rate_limit.requests_per_minute: must be from 1"),
            ("tokens_per_day = 9000000000000", "rate_limit.tokens_per_day: must be from 1"),
            ("requests_per_hour = 1", "rate_limit.requests_per_hour: unknown key"),
            ("store = \"disk\"", "rate_limit.store: "),
            ("store = \"redis\"", "redis.url: is missing"),
            ("failure = \"ajar\"", "rate_limit.failure: "),
            ("[[rate_limit.class]]\nconcurrent = 1", "rate_limit.class[0].name: is missing"),
            ("[[rate_limit.class]]\nname = \"a\"", "rate_limit.class[0].name: the class has no limit"),
            ("[[rate_limit.class]]\nname = \"A\"\nconcurrent = 1", "rate_limit.class[0].name: "),
            ("[[rate_limit.class]]\nname = \"general\"\nconcurrent = 1", "rate_limit.class[0].name: another"),
            (
                "[[rate_limit.class]]\nname = \"a\"\nconcurrent = 1\nroutes = [\"/v1/chat/completion\"]",
                "rate_limit.class[0].routes: no route",
            ),
            ("[[rate_limit.class]]\nname = \"a\"\nconcurrent = 1\nper = \"team\"", "rate_limit.class[0].per: "),
        ] {
            let found = problems(&format!("[rate_limit]\n{text}\n"));
            assert!(found.len() == 1 && found[0].starts_with(problem), "{text}: {found:?}");
        }
    }

    #[test]
    fn redis_counts_where_it_is_told_to() {
        let text = "[redis]\nurl = \"redis://h\"\n[rate_limit]\nrequests_per_minute = 1\n";
        assert_eq!(read(text).store, None);
        let store = read(&format!("{text}store = \"redis\"\nfailure = \"closed\"\n")).store;
        assert_eq!(store.map(|store| store.failure), Some(OnOutage::Closed));
    }
}
