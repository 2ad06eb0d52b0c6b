//! `POST /update_security_level`: the one dial, and those of single callers. Every turn of one is audited.

use http::Method;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::reply::{ErrorBody, JSON};
use super::route::{Answer, Call, Endpoint, Input, Output, Route, schema_of};
use super::{Refusal, Reply, body};
use crate::auth::Scope;
use crate::policy::Level;
use crate::policy::level::UnknownLevel;
use crate::state::fleet::FleetError;

pub(super) const ROUTE: Route = Route {
    method: Method::POST,
    path: "/update_security_level",
    tool: Some("update_security_level"),
    summary: "Change the security level",
    description: "Sets the security level of the gateway to low, medium or high. With `client`, that of one caller, before whatever \
                  level a policy or the gateway has for it; there, default takes it away again. It takes effect for the next request \
                  and is written to the audit log with the old level, the new one and who changed it.",
    input: Some(Input { limit: LEVEL_LIMIT, schema: schema_of::<LevelRequest>, example: r#"{"level":"high"}"# }),
    outputs: &[
        Output {
            status: 200,
            description: "The level is in force.",
            content_type: JSON,
            schema: schema_of::<LevelResponse>,
            example: r#"{"success":true,"new_level":"high","message":"Security level set to high",
                "updated_by":"admin@company.com"}"#,
        },
        Output {
            status: 409,
            description: "As many callers have a level of their own as may.",
            content_type: JSON,
            schema: schema_of::<ErrorBody>,
            example: r#"{"success":false,"error":"as many callers have a level of their own as may"}"#,
        },
    ],
    endpoint: Endpoint::Guarded { scope: Some(Scope::Admin), answer },
};

/// Largest request body with a level, in bytes.
const LEVEL_LIMIT: usize = 16 << 10;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct LevelRequest {
    /// low, medium or high, in any case; with `client`, default too.
    #[schemars(extend("pattern" = "^([Ll][Oo][Ww]|[Mm][Ee][Dd][Ii][Uu][Mm]|[Hh][Ii][Gg][Hh]|[Dd][Ee][Ff][Aa][Uu][Ll][Tt])$"))]
    level: String,
    /// Client id of the caller whose level it is; that of all when left out.
    #[schemars(length(min = 1, max = 256))]
    client: Option<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct LevelResponse {
    success: bool,
    new_level: &'static str,
    message: String,
    /// Client id of the caller.
    updated_by: String,
    /// Whose level it is, if not that of all.
    #[serde(skip_serializing_if = "Option::is_none")]
    client: Option<String>,
}

/// What takes a caller's level away.
const DEFAULT: &str = "default";

/// Largest client id, in bytes.
const CLIENT_LIMIT: usize = 256;

fn answer(call: Call) -> Answer {
    Box::pin(async move {
        let LevelRequest { level, client } = body::parse(&call.body)?;
        match client {
            Some(client) => of_client(call, &level, client).await,
            None => of_all(call, &level).await,
        }
    })
}

async fn of_all(call: Call, level: &str) -> Result<Reply, Refusal> {
    let level = parsed(level)?;
    let changed = call.app.live.change_level(level).await;
    let old = changed.map_err(|error| Refusal::unchanged(&call.app, "security", &error))?;
    call.app.audit.level_changed(old, level, &call.principal.client_id, &call.request_id);
    Reply::json(&LevelResponse {
        success: true,
        new_level: level.name(),
        message: format!("Security level set to {level}"),
        updated_by: call.principal.client_id,
        client: None,
    })
}

async fn of_client(call: Call, level: &str, client: String) -> Result<Reply, Refusal> {
    let level = if level.eq_ignore_ascii_case(DEFAULT) { None } else { Some(parsed(level)?) };
    let is_line = client.trim() == client && !client.chars().any(char::is_control);
    if client.is_empty() || client.len() > CLIENT_LIMIT || !is_line {
        let message = format!("client must have 1 to {CLIENT_LIMIT} bytes on one line, without space around them");
        return Err(Refusal::BadRequest(message));
    }
    let old = match call.app.live.change_client_level(&client, level).await {
        Err(FleetError::Levels(_)) => {
            return Err(Refusal::Conflict("as many callers have a level of their own as may"));
        }
        changed => changed.map_err(|error| Refusal::unchanged(&call.app, "security", &error))?,
    };
    call.app.audit.client_level_changed(&client, (old, level), &call.principal.client_id, &call.request_id);
    let new_level = level.map_or(DEFAULT, Level::name);
    Reply::json(&LevelResponse {
        success: true,
        new_level,
        message: format!("Security level of this client set to {new_level}"),
        updated_by: call.principal.client_id,
        client: Some(client),
    })
}

fn parsed(level: &str) -> Result<Level, Refusal> {
    level.parse().map_err(|error: UnknownLevel| Refusal::BadRequest(error.to_string()))
}
