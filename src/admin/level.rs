//! `POST /update_security_level`: the one dial. Every turn of it is audited.

use http::Method;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::reply::JSON;
use super::route::{Answer, Call, Endpoint, Input, Output, Route, schema_of};
use super::{Refusal, Reply, body};
use crate::auth::Scope;
use crate::policy::Level;
use crate::policy::level::UnknownLevel;

pub(super) const ROUTE: Route = Route {
    method: Method::POST,
    path: "/update_security_level",
    tool: Some("update_security_level"),
    summary: "Change the security level",
    description: "Sets the security level of the gateway to low, medium or high. It takes effect for the next request and \
                  is written to the audit log with the old level, the new one and who changed it.",
    input: Some(Input { limit: LEVEL_LIMIT, schema: schema_of::<LevelRequest>, example: r#"{"level":"high"}"# }),
    outputs: &[Output {
        status: 200,
        description: "The level is in force.",
        content_type: JSON,
        schema: schema_of::<LevelResponse>,
        example: r#"{"success":true,"new_level":"high","message":"Security level set to high",
            "updated_by":"admin@company.com"}"#,
    }],
    endpoint: Endpoint::Guarded { scope: Some(Scope::Admin), answer },
};

/// Largest request body with a level, in bytes.
const LEVEL_LIMIT: usize = 16 << 10;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct LevelRequest {
    /// low, medium or high, in any case.
    #[schemars(extend("pattern" = "^([Ll][Oo][Ww]|[Mm][Ee][Dd][Ii][Uu][Mm]|[Hh][Ii][Gg][Hh])$"))]
    level: String,
}

#[derive(Debug, Serialize, JsonSchema)]
struct LevelResponse {
    success: bool,
    new_level: &'static str,
    message: String,
    /// Client id of the caller.
    updated_by: String,
}

fn answer(call: Call) -> Answer {
    Box::pin(async move {
        let request: LevelRequest = body::parse(&call.body)?;
        let level: Level =
            request.level.parse().map_err(|error: UnknownLevel| Refusal::BadRequest(error.to_string()))?;
        let changed = call.app.live.change_level(level).await;
        let old = changed.map_err(|error| Refusal::unchanged(&call.app, "security", &error))?;
        call.app.audit.level_changed(old, level, &call.principal.client_id, &call.request_id);
        Reply::json(&LevelResponse {
            success: true,
            new_level: level.name(),
            message: format!("Security level set to {level}"),
            updated_by: call.principal.client_id,
        })
    })
}
