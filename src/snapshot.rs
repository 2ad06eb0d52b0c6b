//! One immutable, ready-to-use moment of the gateway, swapped whole. Starts nothing.

mod detectors;

use std::collections::HashMap;
use std::sync::Arc;

use crate::auth::{Authenticator, Principal};
use crate::codec::Plan;
use crate::codec::selector::BadSelector;
use crate::config::{Config, Placeholders, Problem, Problems, Route, Secret, Upstream, UpstreamKey};
use crate::detect::{Category, Scanner};
use crate::policy::{Level, Mint, NamedPolicy, TokenKey};
use crate::sanitize::consult::{Engine, Second};
use crate::sanitize::scrub::Scrub;
use crate::sanitize::{AnswerLimits, Guard, Limits, Verdicts};
use detectors::Detectors;

/// Everything a request is judged by. A request holds one from its head to its last byte.
#[derive(Debug)]
pub struct Snapshot {
    pub config: Config,
    pub guard: Arc<Guard>,
    /// By name, what the policies that have one judge with.
    policies: HashMap<Arc<str>, Governing>,
    /// The names of those that callers have, by client id.
    callers: HashMap<String, Arc<str>>,
    /// What placeholders are made with that can be undone; without one they are for good.
    pub token_key: Option<Arc<TokenKey>>,
    pub authenticator: Authenticator,
    /// By name of the wire format, for the formats that routes use.
    plans: HashMap<&'static str, Plans>,
    /// By name of the upstream, for those whose key could come back.
    scrubs: HashMap<String, Scrub>,
    detectors: Arc<Detectors>,
}

impl Snapshot {
    /// `rule_files` are the contents of `config.rules.files`, with their names.
    ///
    /// # Errors
    /// Everything that is wrong with rules and authentication, by configuration key.
    pub fn build(config: Config, rule_files: &[(&str, &str)]) -> Result<Self, Problems> {
        Snapshot::build_after(config, rule_files, None)
    }

    /// The same, with the detectors of the snapshot `before` if nothing about them was changed.
    ///
    /// # Errors
    /// As without.
    pub fn build_after(
        config: Config,
        rule_files: &[(&str, &str)],
        before: Option<&Snapshot>,
    ) -> Result<Self, Problems> {
        let kept = before.map(|before| &before.detectors).filter(|known| known.are_of(&config.rules, rule_files));
        let detectors = match kept {
            Some(known) => Ok(known.clone()),
            None => Detectors::compile(&config.rules, rule_files).map(Arc::new),
        };
        let detectors = detectors.and_then(|detectors| detectors.check(&config.security).map(|()| detectors));
        match (detectors, config.auth.authenticator(), plans(&config)) {
            (Ok(detectors), Ok(authenticator), Ok(plans)) => {
                let scanner = &detectors.scanner;
                let named = |name: &Arc<str>| config.security.policies.iter().find(|policy| policy.named.name == *name);
                let candidate = config.security.candidate.as_ref().and_then(named).map(|policy| policy.named.clone());
                let guard = Guard::new(scanner.clone(), config.security.matrix.clone()).trying(candidate);
                let (policies, callers) = (policies(&config, scanner), callers(&config));
                let key = |secret: &Secret| Arc::new(TokenKey::new(secret.expose().as_bytes(), config.tokens.epoch));
                let token_key = config.tokens.key.as_ref().map(key);
                let guard = Arc::new(guard);
                let scrubs = scrubs(&config);
                Ok(Snapshot { config, guard, policies, callers, token_key, authenticator, plans, scrubs, detectors })
            }
            (detectors, authenticator, plans) => {
                let rules = detectors.err().unwrap_or_default().into_iter().map(|p| Problem::new(p.rule, p.problem));
                let auth = authenticator.err().map(|error| Problem::new("auth", error.to_string()));
                Err(Problems(rules.chain(auth).chain(plans.err()).collect()))
            }
        }
    }

    /// This snapshot with a key for its placeholders, where its configuration has none.
    pub fn with_token_key(mut self, secret: &[u8]) -> Self {
        let epoch = self.config.tokens.epoch;
        self.token_key.get_or_insert_with(|| Arc::new(TokenKey::new(secret, epoch)));
        self
    }

    /// How the placeholders of a caller's request on a route are made, if answers may undo them.
    pub fn mint(&self, route: &Route, principal: &Principal) -> Option<Mint> {
        let for_good = route.placeholders != Placeholders::Tokenize
            || self.config.tokens.mask_clients.contains(&principal.client_id);
        let key = self.token_key.clone().filter(|_| !for_good)?;
        Some(Mint { key, tenant: principal.tenant.as_str().into() })
    }

    /// This snapshot with a store, empty, for what its scanner finds.
    pub fn remembering(mut self, verdicts: Arc<dyn Verdicts>) -> Self {
        self.guards().for_each(|guard| guard.verdicts = Some(verdicts.clone()));
        self
    }

    /// This snapshot with an engine that is asked where its scanner leaves doubt.
    pub fn consulting(mut self, engine: Arc<dyn Engine>) -> Self {
        let doubt = self.config.engine.doubt;
        self.guards().for_each(|guard| guard.second_look = Some(Second { engine: engine.clone(), doubt }));
        self
    }

    /// All guards, which nobody has been given yet.
    fn guards(&mut self) -> impl Iterator<Item = &mut Guard> {
        let named = self.policies.values_mut().map(|policy| &mut policy.guard);
        std::iter::once(&mut self.guard).chain(named).filter_map(Arc::get_mut)
    }

    /// What a caller's request on a route is judged by: the caller's own policy, else the route's, else the common one, in
    /// whose place `promoted` may be.
    pub fn governing(&self, route: &Route, principal: &Principal, promoted: Option<&str>) -> Governing {
        let of_caller = self.callers.get(&principal.client_id);
        let name = of_caller.or(route.policy.as_ref()).map(|name| &**name).or(promoted);
        let named = name.and_then(|name| self.policies.get(name));
        named.cloned().unwrap_or_else(|| self.common())
    }

    /// What a request is judged by that nothing else is said of.
    pub fn common(&self) -> Governing {
        Governing { name: None, guard: self.guard.clone(), level: None }
    }

    /// Whether there is a policy of that name.
    pub fn has_policy(&self, name: &str) -> bool {
        self.policies.contains_key(name)
    }

    /// The policy of that name.
    pub fn named(&self, name: &str) -> Option<&Governing> {
        self.policies.get(name)
    }

    /// How the bodies of a route of this snapshot's configuration are read.
    pub fn plan(&self, route: &Route) -> Option<&Arc<Plan>> {
        self.plans.get(route.dialect.name).map(|plans| &plans.request)
    }

    /// How its answers are read, if they hold text.
    pub fn answer_plan(&self, route: &Route) -> Option<&Arc<Plan>> {
        self.plans.get(route.dialect.name).and_then(|plans| plans.answer.as_ref())
    }

    /// What keeps the upstream's key out of one of its answers.
    pub fn scrub(&self, upstream: &Upstream) -> Option<Scrub> {
        self.scrubs.get(&upstream.name).map(Scrub::another)
    }

    /// What one answer may make the sanitizer hold.
    pub fn answer_limits(&self) -> AnswerLimits {
        let limits = &self.config.limits;
        AnswerLimits {
            event: limits.event,
            hold: limits.hold,
            hold_time: limits.hold_time,
            hold_ping: limits.hold_ping,
            depth: limits.depth,
            key: limits.key,
        }
    }

    /// What one request may make the sanitizer hold.
    pub fn limits(&self) -> Limits {
        let limits = &self.config.limits;
        Limits {
            hold: limits.hold,
            body: limits.body as u64,
            string: limits.string as u64,
            depth: limits.depth,
            keys: limits.keys,
            key: limits.key,
            name: limits.name,
            placeholders: limits.placeholders,
        }
    }

    /// How many rules of a category are in force.
    pub fn rules_of(&self, category: Category) -> usize {
        self.detectors.counts[category as usize]
    }
}

/// What one request is judged by.
#[derive(Clone, Debug)]
pub struct Governing {
    /// None for the common policy.
    pub name: Option<Arc<str>>,
    pub guard: Arc<Guard>,
    /// What it keeps to, whatever level is in force.
    pub level: Option<Level>,
}

fn policies(config: &Config, scanner: &Arc<Scanner>) -> HashMap<Arc<str>, Governing> {
    let governing = |NamedPolicy { name, level, matrix }: &NamedPolicy| {
        let guard = Arc::new(Guard::new(scanner.clone(), matrix.clone()));
        (name.clone(), Governing { name: Some(name.clone()), guard, level: *level })
    };
    config.security.policies.iter().map(|policy| governing(&policy.named)).collect()
}

fn callers(config: &Config) -> HashMap<String, Arc<str>> {
    let policies = config.security.policies.iter();
    let of =
        policies.flat_map(|policy| policy.clients.iter().map(|client| (client.clone(), policy.named.name.clone())));
    of.collect()
}

/// How the bodies of a wire format are read.
#[derive(Debug)]
struct Plans {
    request: Arc<Plan>,
    answer: Option<Arc<Plan>>,
}

fn scrubs(config: &Config) -> HashMap<String, Scrub> {
    let scrub = |upstream: &Arc<Upstream>| match &upstream.key {
        UpstreamKey::Set(key) => Some((upstream.name.clone(), Scrub::new(key.expose())?)),
        _ => None,
    };
    config.upstreams.iter().filter_map(scrub).collect()
}

fn plans(config: &Config) -> Result<HashMap<&'static str, Plans>, Problem> {
    let mut plans = HashMap::new();
    for dialect in config.routes.iter().map(|route| route.dialect) {
        if !plans.contains_key(dialect.name) {
            let checked = |plan: Result<Plan, BadSelector>| {
                plan.map(Arc::new).map_err(|error| Problem::new(dialect.name, error.to_string()))
            };
            let answer = dialect.answers_with_text().then(|| checked(dialect.answer_plan())).transpose()?;
            plans.insert(dialect.name, Plans { request: checked(dialect.plan())?, answer });
        }
    }
    Ok(plans)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::StaticToken;
    use crate::policy::{Action, Override};

    #[test]
    fn the_shipped_configuration_makes_a_snapshot() {
        let snapshot = Snapshot::build(Config::default(), &[]).expect("the shipped configuration and rules are valid");
        assert!(snapshot.rules_of(Category::Secret) > 0);
    }

    #[test]
    fn a_rule_for_an_entity_type_that_nothing_finds_is_a_mistake() {
        let of = |entity| {
            let mut config = Config::default();
            config.security.matrix.entities.set(entity, Override { threshold: None, action: Some(Action::Mask) });
            Snapshot::build(config, &[]).map(drop).map_err(|problems| problems.to_string())
        };
        assert_eq!(of("PERSON"), Ok(()));
        assert_eq!(of("CREDIT_CARD"), Ok(()));
        let message = "security.entities.CREDIT_CRAD: no rule finds an entity of type \"CREDIT_CRAD\"";
        assert_eq!(of("CREDIT_CRAD"), Err(message.to_owned()));
    }

    #[test]
    fn detectors_are_compiled_anew_only_when_something_of_them_changed() {
        let build = |config: Config, files: &[(&str, &str)], before: Option<&Snapshot>| {
            Snapshot::build_after(config, files, before).expect("a snapshot")
        };
        let is_kept = |new: &Snapshot, old: &Snapshot| Arc::ptr_eq(&new.guard.scanner, &old.guard.scanner);
        let first = build(Config::default(), &[], None);
        let mut stricter = Config::default();
        stricter.security.matrix.entities.set("PERSON", Override { threshold: None, action: Some(Action::Mask) });
        let second = build(stricter.clone(), &[], Some(&first));
        assert!(is_kept(&second, &first) && second.rules_of(Category::Pii) == first.rules_of(Category::Pii));
        let rule = include_str!("../tests/fixtures/zebra-rule.toml");
        let third = build(stricter.clone(), &[("zebra.toml", rule)], Some(&second));
        assert!(!is_kept(&third, &second) && third.rules_of(Category::Injection) > 0);
        assert!(is_kept(&build(stricter.clone(), &[("zebra.toml", rule)], Some(&third)), &third));
        stricter.security.matrix.entities.set("PRESON", Override { threshold: None, action: Some(Action::Mask) });
        assert!(
            Snapshot::build_after(stricter, &[("zebra.toml", rule)], Some(&third)).is_err(),
            "checked all the same"
        );
        let mut without = Config::default();
        without.rules.disabled = vec!["injection.test.zebra".to_owned()];
        assert!(!is_kept(&build(without, &[("zebra.toml", rule)], Some(&third)), &third));
    }

    #[test]
    fn all_problems_are_told_at_once() {
        let mut config = Config::default();
        let token = StaticToken::from_sha256(&"07".repeat(32), "twice", None, Vec::new()).expect("a hash");
        config.auth.tokens = vec![token.clone(), token];
        let problems = Snapshot::build(config, &[("bad.toml", "[[rule]]")]).expect_err("two things are wrong").0;
        let keys: Vec<&str> = problems.iter().map(|problem| problem.key.as_str()).collect();
        assert_eq!(keys, ["bad.toml", "auth"]);
    }
}
