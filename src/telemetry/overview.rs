//! The counters of the process for people, added up by one label or another. Counts nothing itself.

use std::collections::BTreeMap;

use prometheus::IntCounterVec;
use prometheus::core::Collector;

/// More of it, at a glance.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overview {
    /// Requests by verdict.
    pub verdicts: BTreeMap<String, u64>,
    pub rules: Vec<RuleCount>,
    pub auth_failures: BTreeMap<String, u64>,
    pub upstream_errors: BTreeMap<String, u64>,
    pub restored: u64,
    pub in_flight: u64,
    pub connections: u64,
}

/// What one rule found, and what policy did with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleCount {
    pub rule: String,
    pub category: String,
    pub action: String,
    pub count: u64,
}

/// A family added up by one of its labels.
pub(super) fn by_label(family: &IntCounterVec, label: &str) -> BTreeMap<String, u64> {
    let mut sums = BTreeMap::new();
    for_each(family, |value, count| *sums.entry(value(label)).or_default() += count);
    sums
}

pub(super) fn by_rule(family: &IntCounterVec) -> Vec<RuleCount> {
    let mut counts = Vec::new();
    for_each(family, |value, count| {
        counts.push(RuleCount { rule: value("rule"), category: value("category"), action: value("action"), count });
    });
    counts.sort_by(|one, other| other.count.cmp(&one.count).then_with(|| one.rule.cmp(&other.rule)));
    counts
}

/// Every counter of a family: what its labels are, and its count, far below what a float holds exactly.
fn for_each(family: &IntCounterVec, mut visit: impl FnMut(&dyn Fn(&str) -> String, u64)) {
    for metric in family.collect().iter().flat_map(|family| family.get_metric()) {
        let value = |label: &str| {
            let found = metric.get_label().iter().find(|pair| pair.name() == label);
            found.map(|pair| pair.value().to_owned()).unwrap_or_default()
        };
        visit(&value, metric.get_counter().get_value() as u64);
    }
}
