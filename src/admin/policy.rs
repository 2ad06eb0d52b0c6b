//! The candidate policy: how it does beside the common one, and the calls that put it in that one's place and back.

use http::Method;
use schemars::JsonSchema;
use serde::Serialize;

use super::reply::{ErrorBody, JSON};
use super::route::{Answer, Call, Endpoint, Output, Route, schema_of};
use super::{App, Refusal, Reply};
use crate::auth::Scope;
use crate::state::{Difference, Tried};
use crate::telemetry::rfc3339;

pub(super) const SHOW: Route = Route {
    method: Method::GET,
    path: "/get_candidate_policy",
    tool: None,
    summary: "The candidate policy and what it would have done",
    description: "Which policy is in the place of the common one, and how the candidate policy (security.candidate) does beside it: counts by \
                  the verdict of either, and the latest requests of which they think differently, by their ids. Counts are of this replica, \
                  since the first request that both have judged.",
    input: None,
    outputs: &[Output {
        status: 200,
        description: "What is known of it.",
        content_type: JSON,
        schema: schema_of::<PolicyResponse>,
        example: r#"{"success":true,"in_force":null,"candidate":"strict","trial":{"since":"2026-01-01T00:00:00.000000Z",
            "requests":1200,"differing":3,"verdicts":[{"in_force":"allowed","candidate":"blocked","requests":3}],
            "differences":[{"request_id":"req-1","route":"/v1/messages","in_force":"allowed","candidate":"blocked",
            "rules":["injection.override.all_instructions"]}]}}"#,
    }],
    endpoint: Endpoint::Guarded { scope: Some(Scope::Stats), answer: show },
};

pub(super) const PROMOTE: Route = Route {
    method: Method::POST,
    path: "/promote_candidate_policy",
    tool: None,
    summary: "Put the candidate policy in force",
    description: "Puts the candidate policy in the place of the common one, for the next request and until it is rolled back, the process ends, \
                  or a configuration without it is read. Only on this replica, unless replicas share it (redis.share): to keep it, write it into the configuration. Audited.",
    input: None,
    outputs: &[CHANGED, CONFLICT],
    endpoint: Endpoint::Guarded { scope: Some(Scope::Admin), answer: promote },
};

pub(super) const ROLL_BACK: Route = Route {
    method: Method::POST,
    path: "/roll_back_policy",
    tool: None,
    summary: "Put the common policy back in force",
    description: "Undoes the promotion of a candidate policy, for the next request. Audited.",
    input: None,
    outputs: &[CHANGED, CONFLICT],
    endpoint: Endpoint::Guarded { scope: Some(Scope::Admin), answer: roll_back },
};

const CHANGED: Output = Output {
    status: 200,
    description: "It is in force.",
    content_type: JSON,
    schema: schema_of::<ChangeResponse>,
    example: r#"{"success":true,"in_force":"strict","updated_by":"admin@company.com"}"#,
};

const CONFLICT: Output = Output {
    status: 409,
    description: "There is nothing to change; the error says why.",
    content_type: JSON,
    schema: schema_of::<ErrorBody>,
    example: r#"{"success":false,"error":"no policy is promoted"}"#,
};

#[derive(Debug, Serialize, JsonSchema)]
struct PolicyResponse {
    success: bool,
    /// The named policy in the place of the common one; null for the common one itself.
    in_force: Option<String>,
    /// The policy that security.candidate names.
    candidate: Option<String>,
    /// Null before the first request that both have judged.
    trial: Option<TrialBody>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct TrialBody {
    /// The first request, RFC 3339.
    since: String,
    requests: u64,
    /// Of these, those of which the two policies think differently.
    differing: u64,
    verdicts: Vec<VerdictCount>,
    /// The latest of those that differ, the newest first.
    differences: Vec<DifferenceBody>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct VerdictCount {
    in_force: &'static str,
    candidate: &'static str,
    requests: u64,
}

#[derive(Debug, Serialize, JsonSchema)]
struct DifferenceBody {
    request_id: String,
    route: String,
    in_force: &'static str,
    candidate: &'static str,
    /// Rules that led the candidate to its verdict.
    rules: Vec<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct ChangeResponse {
    success: bool,
    /// The named policy in the place of the common one; null for the common one itself.
    in_force: Option<String>,
    /// Client id of the caller.
    updated_by: String,
}

fn show(call: Call) -> Answer {
    Box::pin(async move {
        let live = &call.app.live;
        let candidate = live.snapshot().config.security.candidate.as_deref().map(str::to_owned);
        let trial = candidate.as_deref().and_then(|name| live.trial().of(name));
        let in_force = live.promoted().map(|name| name.to_string());
        Reply::json(&PolicyResponse { success: true, in_force, candidate, trial: trial.map(TrialBody::from) })
    })
}

fn promote(call: Call) -> Answer {
    Box::pin(async move {
        let snapshot = call.app.live.snapshot();
        let Some(candidate) = snapshot.config.security.candidate.as_deref() else {
            return Err(Refusal::Conflict("the configuration names no candidate policy (security.candidate)"));
        };
        if call.app.live.promoted().is_some_and(|name| *name == candidate) {
            return Err(Refusal::Conflict("the candidate policy is in force already"));
        }
        change(&call, Some(candidate.to_owned())).await
    })
}

fn roll_back(call: Call) -> Answer {
    Box::pin(async move {
        if call.app.live.promoted().is_none() {
            return Err(Refusal::Conflict("no policy is promoted"));
        }
        change(&call, None).await
    })
}

async fn change(call: &Call, to: Option<String>) -> Result<Reply, Refusal> {
    let App { live, audit, .. } = &*call.app;
    let changed = live.change_policy(to.clone()).await;
    let before = changed.map_err(|error| Refusal::unchanged(&call.app, "security", &error))?;
    let before = before.as_ref().map(|name| name.as_str());
    audit.policy_changed((before, to.as_deref()), &call.principal.client_id, &call.request_id);
    Reply::json(&ChangeResponse { success: true, in_force: to, updated_by: call.principal.client_id.clone() })
}

impl From<Tried> for TrialBody {
    fn from(tried: Tried) -> Self {
        let count = |((in_force, candidate), requests)| VerdictCount { in_force, candidate, requests };
        let verdicts: Vec<VerdictCount> = tried.verdicts.into_iter().map(count).collect();
        let differing = verdicts.iter().filter(|count| count.in_force != count.candidate);
        TrialBody {
            since: rfc3339::format(tried.since),
            requests: tried.requests,
            differing: differing.map(|count| count.requests).sum(),
            verdicts,
            differences: tried.differences.into_iter().rev().map(DifferenceBody::from).collect(),
        }
    }
}

impl From<Difference> for DifferenceBody {
    fn from(difference: Difference) -> Self {
        DifferenceBody {
            request_id: difference.request_id,
            route: difference.route.to_string(),
            in_force: difference.verdict,
            candidate: difference.candidate,
            rules: difference.rules.iter().map(|rule| rule.to_string()).collect(),
        }
    }
}
