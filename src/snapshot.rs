//! One immutable, ready-to-use moment of the gateway, swapped whole. Starts nothing.

use std::collections::HashMap;
use std::hash::RandomState;
use std::sync::Arc;

use crate::auth::{self, Authenticator, ClaimRules, SetupError, StaticTokens};
use crate::codec::Plan;
use crate::config::{Auth, Config, Problem, Problems, Route};
use crate::detect::{Category, RuleProblem, RuleSet, Scanner};
use crate::sanitize::{Guard, Limits};
use crate::wire::{self, Dialect};

/// Everything a request is judged by. A request holds one from its head to its last byte.
#[derive(Debug)]
pub struct Snapshot {
    pub config: Config,
    pub guard: Arc<Guard>,
    pub authenticator: Authenticator,
    /// By name of the wire format, for the formats that routes use.
    formats: HashMap<&'static str, Format>,
    /// Rules in force, in the order of `Category::ALL`.
    rule_counts: [usize; 6],
}

/// A wire format, ready to read bodies with.
#[derive(Clone, Debug)]
pub struct Format {
    pub dialect: &'static Dialect,
    pub plan: Arc<Plan>,
}

impl Snapshot {
    /// `rule_files` are the contents of `config.rules.files`, with their names.
    ///
    /// # Errors
    /// Everything that is wrong with rules and authentication, by configuration key.
    pub fn build(config: Config, rule_files: &[(&str, &str)]) -> Result<Self, Problems> {
        let scanner = rules(&config, rule_files).and_then(|rules| {
            let counts = Category::ALL.map(|category| rules.rules().iter().filter(|r| r.category == category).count());
            Ok((Scanner::compile(&rules)?, counts))
        });
        match (scanner, authenticator(&config), formats(&config)) {
            (Ok((scanner, rule_counts)), Ok(authenticator), Ok(formats)) => {
                let guard =
                    Guard { scanner, matrix: config.security.matrix.clone(), hashing: RandomState::new() };
                Ok(Snapshot { config, guard: Arc::new(guard), authenticator, formats, rule_counts })
            }
            (scanner, authenticator, formats) => {
                let rules = scanner.err().unwrap_or_default().into_iter().map(|p| Problem::new(p.rule, p.problem));
                let auth = authenticator.err().map(|error| Problem::new("auth", error.to_string()));
                Err(Problems(rules.chain(auth).chain(formats.err()).collect()))
            }
        }
    }

    /// The format of a route of this snapshot's configuration.
    pub fn format(&self, route: &Route) -> Option<&Format> {
        self.formats.get(route.format)
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
            ..Limits::default()
        }
    }

    /// How many rules of a category are in force.
    pub fn rules_of(&self, category: Category) -> usize {
        self.rule_counts[category as usize]
    }
}

fn formats(config: &Config) -> Result<HashMap<&'static str, Format>, Problem> {
    let mut formats = HashMap::new();
    for route in config.routes.iter() {
        let unknown = || Problem::new("route", format!("no wire format is called {:?}", route.format));
        let dialect = wire::find(route.format).ok_or_else(unknown)?;
        if !formats.contains_key(route.format) {
            let plan = Plan::compile(dialect.selectors().copied())
                .map_err(|error| Problem::new("route", error.to_string()))?;
            formats.insert(route.format, Format { dialect, plan: Arc::new(plan) });
        }
    }
    Ok(formats)
}

fn rules(config: &Config, files: &[(&str, &str)]) -> Result<RuleSet, Vec<RuleProblem>> {
    Ok(RuleSet::with_builtin(files)?.without(&config.rules.disabled))
}

fn authenticator(config: &Config) -> Result<Authenticator, SetupError> {
    match &config.auth {
        Auth::Static { dev_tokens, tokens } => {
            let tokens = tokens.iter().map(static_token).collect::<Result<_, _>>()?;
            Ok(Authenticator::fixed(StaticTokens::new(tokens, *dev_tokens)?))
        }
        Auth::Jwt(jwt) => {
            let rules = ClaimRules {
                leeway: jwt.leeway,
                scopes_claim: jwt.scopes_claim.clone(),
                ..ClaimRules::new(&jwt.issuer, &jwt.audience)
            };
            Authenticator::jwt(&jwt.algorithms, rules, StaticTokens::default())
        }
        Auth::Hmac(hmac) => {
            let (issuer, audience) = (hmac.issuer.clone(), hmac.audience.clone());
            let rules = ClaimRules {
                leeway: hmac.leeway,
                ..ClaimRules::new(issuer.unwrap_or_default(), audience.unwrap_or_default())
            };
            Authenticator::hmac(&hmac.algorithm, hmac.secret.expose().as_bytes(), rules, StaticTokens::default())
        }
    }
}

fn static_token(token: &crate::config::StaticToken) -> Result<auth::StaticToken, SetupError> {
    let hex: String = token.sha256.iter().map(|byte| format!("{byte:02x}")).collect();
    auth::StaticToken::from_sha256(&hex, &token.client_id, Some(token.name.clone()), token.scopes.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_configuration_makes_a_snapshot() {
        let snapshot = Snapshot::build(Config::default(), &[]).expect("the shipped configuration and rules are valid");
        assert!(snapshot.rules_of(Category::Secret) > 0);
    }

    #[test]
    fn all_problems_are_told_at_once() {
        let mut config = Config::default();
        let token = crate::config::StaticToken {
            sha256: [7; 32],
            client_id: "twice".to_owned(),
            name: "twice".to_owned(),
            scopes: Vec::new(),
        };
        config.auth = Auth::Static { dev_tokens: false, tokens: vec![token.clone(), token] };
        let problems = Snapshot::build(config, &[("bad.toml", "[[rule]]")]).expect_err("two things are wrong").0;
        let keys: Vec<&str> = problems.iter().map(|problem| problem.key.as_str()).collect();
        assert_eq!(keys, ["bad.toml", "auth"]);
    }
}
