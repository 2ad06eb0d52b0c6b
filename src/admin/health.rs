//! `GET /livez` and `GET /readyz`: for orchestrators. Tell nothing that a token would protect.

use std::sync::Arc;

use http::{Method, StatusCode};
use schemars::JsonSchema;
use serde::Serialize;

use super::reply::JSON;
use super::route::{Answer, Endpoint, Output, Route, schema_of};
use super::{App, Reply};
use crate::state::Standing;
use crate::state::fleet::Sight;

pub(super) const LIVEZ: Route = Route {
    method: Method::GET,
    path: "/livez",
    tool: None,
    summary: "Is the process alive?",
    description: "Answers as long as the process can answer at all. For liveness probes.",
    input: None,
    outputs: &[Output {
        status: 200,
        description: "It is alive.",
        content_type: JSON,
        schema: schema_of::<Liveness>,
        example: r#"{"status":"alive"}"#,
    }],
    endpoint: Endpoint::Open(livez),
};

pub(super) const READYZ: Route = Route {
    method: Method::GET,
    path: "/readyz",
    tool: None,
    summary: "Should this replica get traffic?",
    description: "Not ready while draining for shutdown, in the mode jwt until the issuer's keys were loaded once, and until it was tried to \
                  read what replicas share; with revocation.failure closed, until that was read once. A configuration that was \
                  refused changes nothing: the one before is in force.",
    input: None,
    outputs: &[
        Output {
            status: 200,
            description: "It should.",
            content_type: JSON,
            schema: schema_of::<Readiness>,
            example: r#"{"ready":true,"checks":{"draining":false,"keys":"not_used","shared_state":"not_used"},"configuration":{"refused":[],"restart":[]}}"#,
        },
        Output {
            status: 503,
            description: "It should not.",
            content_type: JSON,
            schema: schema_of::<Readiness>,
            example: r#"{"ready":false,"checks":{"draining":false,"keys":"never_loaded","shared_state":"not_used"},"configuration":{"refused":["gateway.listen"],"restart":[]}}"#,
        },
    ],
    endpoint: Endpoint::Open(readyz),
};

#[derive(Debug, Serialize, JsonSchema)]
struct Liveness {
    /// Always `alive`.
    status: &'static str,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Readiness {
    ready: bool,
    checks: Checks,
    configuration: Configuration,
}

/// How the configuration that was read last stands to the one in force; by keys, why is in the log.
#[derive(Debug, Serialize, JsonSchema)]
struct Configuration {
    /// Where it is wrong, if it was not taken; at most twenty.
    refused: Vec<String>,
    /// What of the one in force waits for a restart.
    restart: Vec<String>,
}

/// More keys than this tell an operator no more.
const MOST_KEYS: usize = 20;

#[derive(Debug, Serialize, JsonSchema)]
struct Checks {
    /// True from the moment a shutdown was asked for.
    draining: bool,
    keys: Keys,
    shared_state: SharedState,
}

/// What replicas share.
#[derive(Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum SharedState {
    /// They share nothing.
    NotUsed,
    /// This one did not look yet.
    Waiting,
    Current,
    /// Redis could not be read the last time; what was read before is in force.
    Stale,
    /// Redis could never be read; what the configuration says is in force.
    NeverLoaded,
}

/// The issuer's key set.
#[derive(Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Keys {
    /// The authentication mode needs none.
    NotUsed,
    Loaded,
    NeverLoaded,
}

fn livez(_: Arc<App>) -> Answer {
    Box::pin(async { Reply::json(&Liveness { status: "alive" }) })
}

fn readyz(app: Arc<App>) -> Answer {
    Box::pin(async move {
        let draining = app.live.is_draining();
        let loaded = app.live.keys_loaded();
        if loaded == Some(false) {
            // Without traffic no token would ask for them. Not waited for: probes have short timeouts.
            let live = app.live.clone();
            tokio::spawn(async move { live.warm().await });
        }
        let keys = match loaded {
            None => Keys::NotUsed,
            Some(true) => Keys::Loaded,
            Some(false) => Keys::NeverLoaded,
        };
        let fleet = app.live.fleet();
        let shared_state = match fleet.as_ref().map(|fleet| fleet.sight()) {
            None => SharedState::NotUsed,
            Some(Sight::Waiting) => SharedState::Waiting,
            Some(Sight::Current) => SharedState::Current,
            Some(Sight::Stale) => SharedState::Stale,
            Some(Sight::NeverLoaded) => SharedState::NeverLoaded,
        };
        let blind = shared_state == SharedState::Waiting || fleet.is_some_and(|fleet| fleet.is_blind());
        let ready = !draining && keys != Keys::NeverLoaded && !blind;
        let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        let Standing { mut refused, waiting: restart } = Standing::clone(&app.live.standing());
        refused.truncate(MOST_KEYS);
        let configuration = Configuration { refused, restart };
        let checks = Checks { draining, keys, shared_state };
        Reply::json_with(status, &Readiness { ready, checks, configuration })
    })
}
