//! What no single key can see: listeners against tokens, levels against each other, one limit against another.

use std::net::SocketAddr;

use url::{Host, Url};

use super::source::{Section, Source};
use super::{Admin, Auth, AuthMode, Gateway, Limits};
use crate::detect::Category;
use crate::policy::{Action, Level, Matrix, Rule};

pub(super) fn listeners(gateway: &Gateway, admin: &Admin, source: &Source) {
    if gateway.listen == admin.listen && admin.listen.port() != 0 {
        source.problem("admin.listen", "is the address of gateway.listen");
    }
    if admin.tls.is_none() && !admin.listen.ip().to_canonical().is_loopback() {
        source.warn(
            "admin.listen",
            "is not a loopback address, and there is no [admin.tls]: tokens go over it in the clear",
        );
    }
}

pub(super) fn tokens(auth: &Auth, gateway: &Gateway, admin: &Admin, source: &Source) {
    let AuthMode::Static { dev_tokens } = auth.mode else { return };
    if dev_tokens {
        for (key, listen) in exposed(gateway, admin) {
            let text = format!("the published development tokens would be valid on {key} {listen}; set it to false");
            source.problem("auth.static.dev_tokens", text);
        }
    } else if auth.tokens.is_empty() {
        source.warn("auth.static", "holds no token: every request will be answered 401");
    }
}

/// The listeners that others than this machine can reach.
fn exposed(gateway: &Gateway, admin: &Admin) -> impl Iterator<Item = (&'static str, SocketAddr)> {
    [("gateway.listen", gateway.listen), ("admin.listen", admin.listen)]
        .into_iter()
        .filter(|(_, listen)| !listen.ip().to_canonical().is_loopback())
}

/// One cell of the matrix, whatever the others are.
pub(super) fn cell(section: &Section, category: Category, rule: Rule) {
    threshold(section, rule.threshold);
    match category.is_sensitive() {
        true => span_action(section, rule.action),
        false => attack_action(section, rule.action),
    }
}

pub(super) fn attack_action(section: &Section, action: Action) {
    if action.replaces() {
        section.problem("action", "only secret and pii have spans to mask; use monitor, quarantine or block");
    }
}

pub(super) fn answer_action(section: &Section, action: Action) {
    if matches!(action, Action::Tokenize | Action::Quarantine) {
        section.problem("action", "what the model made up has nothing to give back; use allow, monitor, mask or block");
    }
}

pub(super) fn span_action(section: &Section, action: Action) {
    if action == Action::Quarantine {
        section.problem("action", "only attacks are withheld with their text; use mask or block");
    }
}

pub(super) fn threshold(section: &Section, threshold: f32) {
    threshold_at(section, "threshold", threshold);
}

pub(super) fn threshold_at(section: &Section, key: &str, threshold: f32) {
    if !(0.0..=1.0).contains(&threshold) {
        section.problem(key, "must be from 0 to 1");
    }
}

/// That a rule finds the entity is for the snapshot to check, which knows the rules.
pub(super) fn entity(section: &Section, name: &str) {
    let is_name = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    if !name.bytes().all(is_name) {
        section.problem(name, "must be the name of an entity type, such as EMAIL_ADDRESS");
    }
}

/// Whatever a level of a policy refuses or masks, each stricter one must too.
pub(super) fn levels(matrix: &Matrix, policy: &Section) {
    for (lax, strict) in Level::ALL.into_iter().zip(Level::ALL.into_iter().skip(1)) {
        for category in Category::ALL {
            let (low, high) = (matrix.rule(lax, category), matrix.rule(strict, category));
            if low.action == Action::Allow {
                continue;
            }
            let key = format!("levels.{strict}.{category}");
            let both_hide = high.action.replaces() && low.action.replaces();
            if high.action < low.action && !both_hide {
                let text = format!("{} is laxer than {} at level {lax}", high.action.name(), low.action.name());
                policy.problem(&format!("{key}.action"), text);
            }
            if high.threshold > low.threshold {
                let text = format!("{} is laxer than {} at level {lax}", high.threshold, low.threshold);
                policy.problem(&format!("{key}.threshold"), text);
            }
        }
    }
}

pub(super) fn limits(limits: &Limits, source: &Source) {
    for (key, value, most_key, most) in [
        ("hold", limits.hold, "body", limits.body),
        ("string", limits.string, "body", limits.body),
        ("key", limits.key, "string", limits.string),
        ("target", limits.target, "head", limits.head),
        ("hold", limits.hold, "memory", limits.memory),
    ] {
        if value > most {
            source.problem(format!("limits.{key}"), format!("is more than limits.{most_key}"));
        }
    }
}

/// # Errors
/// What is wrong with the address of a key set, without repeating it.
pub(super) fn jwks_uri(text: &str) -> Result<(), &'static str> {
    let url = Url::parse(text).map_err(|_| "is not a URL")?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must not hold a user name or password");
    }
    let loopback = match url.host() {
        None => return Err("names no host"),
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
    };
    match url.scheme() {
        "https" => Ok(()),
        "http" if loopback => Ok(()),
        _ => Err("must begin with https://: whoever can change the key set can sign any token"),
    }
}
