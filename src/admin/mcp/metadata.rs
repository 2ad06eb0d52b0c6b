//! `/.well-known/oauth-protected-resource`: who issues the tokens this listener takes (RFC 9728). Needs no token itself, as
//! clients read it to find out how to get one.

use std::sync::Arc;

use http::Method;
use schemars::JsonSchema;
use serde::Serialize;

use super::PATH;
use crate::admin::reply::JSON;
use crate::admin::route::{Answer, Endpoint, Output, Route, schema_of};
use crate::admin::{App, Reply};
use crate::auth::Scope;
use crate::config::AuthMode;

/// Of `/mcp`: RFC 9728, section 3.1, puts the path of the resource behind the well-known one.
pub(in crate::admin) const METADATA: Route = route("/.well-known/oauth-protected-resource/mcp", mcp);

/// The same, where clients look that do not know the path.
pub(in crate::admin) const METADATA_OF_ROOT: Route = route("/.well-known/oauth-protected-resource", mcp);

const fn route(path: &'static str, answer: fn(Arc<App>, &str) -> Answer) -> Route {
    Route {
        method: Method::GET,
        path,
        tool: None,
        summary: "Who issues the tokens",
        description: "Protected-resource metadata of RFC 9728 for `/mcp`. Names an authorization server in the mode jwt \
                      alone: other tokens are given out by hand.",
        input: None,
        outputs: &[Output {
            status: 200,
            description: "The metadata.",
            content_type: JSON,
            schema: schema_of::<Metadata>,
            example: r#"{"resource":"http://127.0.0.1:8001/mcp","authorization_servers":["https://id.example.com"],
                "scopes_supported":["prompt:validate"],"bearer_methods_supported":["header"],
                "resource_name":"promptgate"}"#,
        }],
        endpoint: Endpoint::Located(answer),
    }
}

/// The address of the metadata for a listener that is found at `base`.
pub(in crate::admin) fn address(base: &str) -> String {
    format!("{base}{}", METADATA.path)
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ProtectedResource")]
struct Metadata {
    resource: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    authorization_servers: Vec<String>,
    scopes_supported: Vec<&'static str>,
    bearer_methods_supported: [&'static str; 1],
    resource_name: &'static str,
}

fn mcp(app: Arc<App>, base: &str) -> Answer {
    let resource = format!("{base}{PATH}");
    Box::pin(async move {
        let snapshot = app.live.snapshot();
        let issuer = match &snapshot.config.auth.mode {
            AuthMode::Jwt(jwt) => Some(jwt.rules.issuer.clone()),
            _ => None,
        };
        Reply::json(&Metadata {
            resource,
            authorization_servers: issuer.into_iter().collect(),
            scopes_supported: Scope::ALL.map(Scope::name).to_vec(),
            bearer_methods_supported: ["header"],
            resource_name: "promptgate",
        })
    })
}
