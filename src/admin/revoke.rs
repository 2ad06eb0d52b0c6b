//! `POST /revoke`: a token, a subject or a client is refused from now on, by all replicas. Every call is audited.

use std::time::Duration;

use http::Method;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::reply::{ErrorBody, JSON};
use super::route::{Answer, Call, Endpoint, Input, Output, Route, schema_of};
use super::{Refusal, Reply, body};
use crate::auth::{RevocationError, Scope};
use crate::state::fleet::{FleetError, Kind};

pub(super) const ROUTE: Route = Route {
    method: Method::POST,
    path: "/revoke",
    tool: None,
    summary: "Revoke a token, a subject or a client",
    description: "Whoever has this token (by its claim jti), subject (sub) or client id is refused: here from the next request on, on the \
                  other replicas within a second, and until it expires, if that is said. Only where replicas share revocations \
                  (redis.share); otherwise the configuration and its file say who is revoked. Audited, without the id.",
    input: Some(Input { limit: LIMIT, schema: schema_of::<RevokeRequest>, example: r#"{"kind":"jti","id":"7f3a"}"# }),
    outputs: &[
        Output {
            status: 200,
            description: "It is revoked.",
            content_type: JSON,
            schema: schema_of::<RevokeResponse>,
            example: r#"{"success":true,"revoked_by":"admin@company.com"}"#,
        },
        Output {
            status: 409,
            description: "Revocations are not shared, or there are as many as there may be.",
            content_type: JSON,
            schema: schema_of::<ErrorBody>,
            example: r#"{"success":false,"error":"revocations are not shared (redis.share)"}"#,
        },
    ],
    endpoint: Endpoint::Guarded { scope: Some(Scope::Admin), answer },
};

/// Largest request body, in bytes.
const LIMIT: usize = 16 << 10;

/// Largest id, in bytes.
const ID_LIMIT: usize = 4096;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RevokeRequest {
    kind: RevokedKind,
    /// Compared whole and with its case; one line, without space around it.
    #[schemars(length(min = 1, max = 4096))]
    id: String,
    /// Seconds; for good when left out.
    #[schemars(range(min = 1, max = 4_294_967_295_u32))]
    expires_in: Option<u32>,
}

/// What the id is of.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum RevokedKind {
    Jti,
    Sub,
    Client,
}

#[derive(Debug, Serialize, JsonSchema)]
struct RevokeResponse {
    success: bool,
    /// Client id of the caller.
    revoked_by: String,
}

fn answer(call: Call) -> Answer {
    Box::pin(async move {
        let request: RevokeRequest = body::parse(&call.body)?;
        let (kind, name) = match request.kind {
            RevokedKind::Jti => (Kind::Token, "jti"),
            RevokedKind::Sub => (Kind::Subject, "sub"),
            RevokedKind::Client => (Kind::Client, "client"),
        };
        let id = &request.id;
        if id.is_empty() || id.len() > ID_LIMIT || id.trim() != id || id.chars().any(char::is_control) {
            let message = format!("id must have 1 to {ID_LIMIT} bytes on one line, without space around them");
            return Err(Refusal::BadRequest(message));
        }
        if request.expires_in == Some(0) {
            return Err(Refusal::BadRequest("expires_in must be at least 1".to_owned()));
        }
        let lifetime = request.expires_in.map(|seconds| Duration::from_secs(seconds.into()));
        match call.app.live.revoke(kind, id, lifetime).await {
            None => return Err(Refusal::Conflict("revocations are not shared (redis.share)")),
            Some(Err(FleetError::Revoked(RevocationError::TooMany))) => {
                return Err(Refusal::Conflict("there are as many revocations as there may be"));
            }
            Some(Err(error)) => return Err(Refusal::unchanged(&call.app, "revocations", &error)),
            Some(Ok(())) => {}
        }
        call.app.audit.revoked(name, &call.principal.client_id, &call.request_id);
        Reply::json(&RevokeResponse { success: true, revoked_by: call.principal.client_id })
    })
}
