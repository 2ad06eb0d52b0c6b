//! The caller as responses show it.

use schemars::JsonSchema;
use serde::Serialize;

use crate::auth::Principal;

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct ClientInfo {
    client_id: String,
    /// Always true: nobody else gets an answer.
    authenticated: bool,
    scopes: Vec<String>,
}

impl From<&Principal> for ClientInfo {
    fn from(principal: &Principal) -> Self {
        ClientInfo { client_id: principal.client_id.clone(), authenticated: true, scopes: principal.scopes.clone() }
    }
}
