//! The tables `[policies.NAME]`: policies that some routes and callers are judged by, and the one that is tried beside the
//! common one. Each begins as `[security]` is and changes what it names.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::problem::{did_you_mean, quoted};
use super::source::Section;
use super::{check, read};
use crate::policy::{Matrix, NamedPolicy};

/// One of the tables.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    pub named: NamedPolicy,
    /// Callers by their client id, whom it applies to on every route.
    pub clients: Vec<String>,
}

/// All of them, each over `common`.
pub(super) fn read(section: Section, common: &Matrix) -> Vec<Policy> {
    let mut policies: Vec<Policy> = Vec::new();
    // A variable names one in capitals.
    let names: BTreeSet<String> = section.names().iter().map(|name| name.to_ascii_lowercase()).collect();
    for name in names {
        let table = section.section(&name);
        if !is_name(&name) {
            section.problem(&name, "must consist of a to z, 0 to 9, - and _, and be at most 64 long");
        }
        let clients: Vec<String> = table.read_or("clients", Vec::new());
        for client in &clients {
            if let Some(other) = policies.iter().find(|policy| policy.clients.contains(client)) {
                let text = format!("{} is in [policies.{}] already", quoted(client), other.named.name);
                table.problem("clients", text);
            }
        }
        let level = table.read("level");
        let matrix = read::policy(&table, common.clone());
        check::levels(&matrix, &table);
        table.finish();
        policies.push(Policy { named: NamedPolicy { name: name.as_str().into(), level, matrix }, clients });
    }
    section.finish();
    policies
}

/// The policy that `key` of `section` names, if it names one.
pub(super) fn named(section: &Section, key: &'static str, policies: &[Policy]) -> Option<Arc<str>> {
    let name: String = section.read(key)?;
    let known = policies.iter().find(|policy| *policy.named.name == *name);
    if known.is_none() {
        let hint = did_you_mean(&name, policies.iter().map(|policy| &*policy.named.name));
        section.problem(key, format!("there is no table [policies.{name}]{hint}"));
    }
    known.map(|policy| policy.named.name.clone())
}

/// Names are labels of metrics and parts of key paths.
pub(super) fn is_name(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_'))
}
