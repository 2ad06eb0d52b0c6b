//! `GET /get_overview` and `GET /get_recent_verdicts`: what happens now, for people. Count nothing themselves.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use http::Method;
use schemars::JsonSchema;
use serde::Serialize;

use super::reply::JSON;
use super::route::{Answer, Call, Endpoint, Output, Route, schema_of};
use super::{App, Reply};
use crate::auth::Scope;
use crate::config::Upstream;
use crate::telemetry::{FindingCount, RuleCount, Seen, Spread, rfc3339};

pub(super) const OVERVIEW: Route = Route {
    method: Method::GET,
    path: "/get_overview",
    tool: None,
    summary: "What happens now, at a glance",
    description: "Counts of this replica since the process started, and how long each stage took in the latest requests.",
    input: None,
    outputs: &[Output {
        status: 200,
        description: "The overview.",
        content_type: JSON,
        schema: schema_of::<OverviewResponse>,
        example: r#"{"success":true,"version":"0.1.0","security_level":"medium","since":"2026-01-01T00:00:00.000000Z",
            "requests":1200,"refused":3,"restored":40,"in_flight":2,"connections":5,"verdicts":{},"masked":{},
            "auth_failures":{},"latency":{"sample":0,"guard":null,"overhead":null,"upstream":null,"total":null},
            "upstreams":[{"name":"openai","address":"api.openai.com:443","reachable":null,"errors":0}],"rules":[]}"#,
    }],
    endpoint: Endpoint::Guarded { scope: Some(Scope::Stats), answer: overview },
};

pub(super) const RECENT: Route = Route {
    method: Method::GET,
    path: "/get_recent_verdicts",
    tool: None,
    summary: "The latest requests and what became of them",
    description: "The latest 200 requests of this replica, the newest first: ids, verdicts and rules, never text. The audit log \
                  has all of them.",
    input: None,
    outputs: &[Output {
        status: 200,
        description: "The requests.",
        content_type: JSON,
        schema: schema_of::<RecentResponse>,
        example: r#"{"success":true,"requests":[]}"#,
    }],
    endpoint: Endpoint::Guarded { scope: Some(Scope::Stats), answer: recent },
};

#[derive(Debug, Serialize, JsonSchema)]
struct OverviewResponse {
    success: bool,
    version: &'static str,
    security_level: &'static str,
    /// Start of the process, RFC 3339.
    since: String,
    requests: u64,
    refused: u64,
    /// Values given back to callers in answers.
    restored: u64,
    /// Requests and streamed answers under way.
    in_flight: u64,
    connections: u64,
    /// Requests by verdict.
    verdicts: BTreeMap<String, u64>,
    /// Masked spans of requests by entity type.
    masked: BTreeMap<String, u64>,
    /// Callers turned away, by reason, on both listeners.
    auth_failures: BTreeMap<String, u64>,
    latency: Latency,
    upstreams: Vec<UpstreamState>,
    /// What rules found, the most frequent first.
    rules: Vec<RuleBody>,
}

/// Of the latest requests, in microseconds.
#[derive(Debug, Serialize, JsonSchema)]
struct Latency {
    /// How many requests.
    sample: usize,
    /// Inspecting the request.
    guard: Option<SpreadBody>,
    /// All that the gateway added.
    overhead: Option<SpreadBody>,
    /// Until the first byte of the upstream's answer.
    upstream: Option<SpreadBody>,
    total: Option<SpreadBody>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct SpreadBody {
    median: u64,
    p95: u64,
}

#[derive(Debug, Serialize, JsonSchema)]
struct UpstreamState {
    name: String,
    /// The one that is asked first.
    address: String,
    /// Null where there is no other address to go to, so nobody looks.
    reachable: Option<bool>,
    /// Requests it did not answer properly.
    errors: u64,
}

#[derive(Debug, Serialize, JsonSchema)]
struct RuleBody {
    rule: String,
    category: String,
    /// What policy did with what it found.
    action: String,
    count: u64,
}

#[derive(Debug, Serialize, JsonSchema)]
struct RecentResponse {
    success: bool,
    requests: Vec<SeenBody>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct SeenBody {
    /// When it was over, RFC 3339.
    time: String,
    request_id: String,
    /// Empty for a caller that was not authenticated.
    client_id: String,
    /// Null when no route matched.
    route: Option<String>,
    /// 0 when the connection ended before an answer.
    status: u16,
    verdict: &'static str,
    /// Of a refusal.
    code: Option<&'static str>,
    level: &'static str,
    /// Of the request and of its answer.
    rules: Vec<RuleBody>,
    masked: BTreeMap<String, u64>,
    /// Microseconds.
    guard: u64,
    total: u64,
}

fn overview(call: Call) -> Answer {
    Box::pin(async move {
        let App { live, metrics, .. } = &*call.app;
        let (totals, overview) = (metrics.totals(), metrics.overview());
        let config = &live.snapshot().config;
        let state = |upstream: &Arc<Upstream>| UpstreamState {
            name: upstream.name.clone(),
            address: format!("{}:{}", upstream.address.host, upstream.address.port),
            reachable: live.health().reachable(upstream),
            errors: overview.upstream_errors.get(&upstream.name).copied().unwrap_or_default(),
        };
        let upstreams = config.upstreams.iter().map(state).collect();
        Reply::json(&OverviewResponse {
            success: true,
            version: env!("CARGO_PKG_VERSION"),
            security_level: live.level().name(),
            since: totals.since,
            requests: totals.requests,
            refused: totals.refused,
            restored: overview.restored,
            in_flight: overview.in_flight,
            connections: overview.connections,
            verdicts: overview.verdicts,
            masked: totals.masked,
            auth_failures: overview.auth_failures,
            latency: Latency::of(&metrics.recent().all()),
            upstreams,
            rules: overview.rules.into_iter().map(RuleBody::from).collect(),
        })
    })
}

fn recent(call: Call) -> Answer {
    Box::pin(async move {
        let requests = call.app.metrics.recent().all();
        Reply::json(&RecentResponse {
            success: true,
            requests: requests.iter().map(|seen| SeenBody::of(seen)).collect(),
        })
    })
}

impl Latency {
    fn of(requests: &[Arc<Seen>]) -> Self {
        let of = |stage: fn(&Seen) -> Option<Duration>| {
            Spread::of(requests.iter().filter_map(|seen| stage(seen))).map(SpreadBody::from)
        };
        Latency {
            sample: requests.len(),
            guard: of(|seen| Some(seen.timings.guard)),
            overhead: of(|seen| Some(seen.timings.overhead)),
            upstream: of(|seen| seen.timings.upstream),
            total: of(|seen| Some(seen.timings.total)),
        }
    }
}

impl From<Spread> for SpreadBody {
    fn from(spread: Spread) -> Self {
        SpreadBody { median: micros(spread.median), p95: micros(spread.p95) }
    }
}

impl From<RuleCount> for RuleBody {
    fn from(RuleCount { rule, category, action, count }: RuleCount) -> Self {
        RuleBody { rule, category, action, count }
    }
}

impl SeenBody {
    fn of(seen: &Seen) -> Self {
        let rule = |finding: &FindingCount| RuleBody {
            rule: finding.rule.to_string(),
            category: finding.category.name().to_owned(),
            action: finding.outcome().to_owned(),
            count: finding.count,
        };
        SeenBody {
            time: rfc3339::format(seen.at),
            request_id: seen.request_id.clone(),
            client_id: seen.client_id.clone(),
            route: seen.route.as_deref().map(str::to_owned),
            status: seen.status,
            verdict: seen.verdict.name(),
            code: seen.code,
            level: seen.level.name(),
            rules: seen.findings.iter().map(rule).collect(),
            masked: seen.masked.iter().map(|mask| (mask.entity.to_string(), mask.count)).collect(),
            guard: micros(seen.timings.guard),
            total: micros(seen.timings.total),
        }
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
