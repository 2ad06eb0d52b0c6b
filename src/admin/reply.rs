//! Answers and refusals as HTTP. The only place of the admin listener that knows statuses.

use axum::body::{Body, Bytes};
use axum::response::{IntoResponse, Response};
use http::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderName, HeaderValue, StatusCode};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

use super::App;
use crate::auth::{AuthError, Scope};
use crate::state::fleet::FleetError;

pub(super) const JSON: &str = "application/json";

/// The content type of an answer without a body.
pub(super) const NO_CONTENT: &str = "";

/// What an endpoint answers.
#[derive(Debug)]
pub struct Reply {
    pub status: StatusCode,
    pub content_type: &'static str,
    pub body: Bytes,
}

impl Reply {
    pub fn json<T: Serialize>(value: &T) -> Result<Reply, Refusal> {
        Reply::json_with(StatusCode::OK, value)
    }

    pub fn json_with<T: Serialize>(status: StatusCode, value: &T) -> Result<Reply, Refusal> {
        let body = serde_json::to_vec(value).map_err(|_| Refusal::Internal)?;
        Ok(Reply { status, content_type: JSON, body: body.into() })
    }

    /// Text that is part of the binary.
    pub fn fixed(content_type: &'static str, body: &'static str) -> Reply {
        Reply { status: StatusCode::OK, content_type, body: Bytes::from_static(body.as_bytes()) }
    }

    pub fn text(content_type: &'static str, body: String) -> Reply {
        Reply { status: StatusCode::OK, content_type, body: body.into() }
    }
}

impl IntoResponse for Reply {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::from(self.body));
        *response.status_mut() = self.status;
        if self.content_type != NO_CONTENT {
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(self.content_type));
        }
        response
    }
}

/// Why a request was not answered. Repeats nothing the caller sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("{0}")]
    BadRequest(String),
    #[error("{0}")]
    Unauthorized(AuthError),
    #[error("the scope {required} is required")]
    Forbidden { required: Scope, granted: Vec<String> },
    /// The same for a tool, told in the envelope of MCP to the client that asked with this id.
    #[error("the scope {required} is required")]
    ForbiddenTool { required: Scope, granted: Vec<String>, id: Value },
    #[error("pages of this origin may not call; add it to admin.cors_origins")]
    ForeignOrigin,
    #[error("there is no such endpoint")]
    NotFound,
    #[error("this endpoint does not serve this method")]
    MethodNotAllowed { allow: String },
    #[error("{0}")]
    Conflict(&'static str),
    #[error("{0}")]
    Unavailable(String),
    #[error("the request body did not arrive within {0} seconds")]
    Timeout(u64),
    #[error("the request body is larger than {0} bytes")]
    TooLarge(usize),
    #[error("the request body must be JSON in UTF-8 without a content coding: content-type application/json")]
    UnsupportedMedia,
    #[error("this listener does not serve the host the request names; add it to admin.allowed_hosts")]
    Misdirected,
    #[error("an error of the server; the request id names it in the log")]
    Internal,
}

impl Refusal {
    /// Of a change that all replicas should have held.
    pub(super) fn unchanged(app: &App, used: &str, error: &FleetError) -> Refusal {
        app.metrics.shared_state(used, false);
        Refusal::Unavailable(format!("nothing is known to have changed, as replicas share it: {error}"))
    }

    pub const fn status(&self) -> StatusCode {
        match self {
            Refusal::BadRequest(_) => StatusCode::BAD_REQUEST,
            Refusal::Unauthorized(AuthError::KeysUnavailable | AuthError::RevocationsUnavailable)
            | Refusal::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
            Refusal::Unauthorized(_) => StatusCode::UNAUTHORIZED,
            Refusal::Forbidden { .. } | Refusal::ForbiddenTool { .. } | Refusal::ForeignOrigin => StatusCode::FORBIDDEN,
            Refusal::NotFound => StatusCode::NOT_FOUND,
            Refusal::MethodNotAllowed { .. } => StatusCode::METHOD_NOT_ALLOWED,
            Refusal::Conflict(_) => StatusCode::CONFLICT,
            Refusal::Timeout(_) => StatusCode::REQUEST_TIMEOUT,
            Refusal::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Refusal::UnsupportedMedia => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Refusal::Misdirected => StatusCode::MISDIRECTED_REQUEST,
            Refusal::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The header that goes with the status, if one does. Challenges are those of RFC 6750, section 3.
    fn header(&self) -> Option<(HeaderName, String)> {
        match self {
            Refusal::Unauthorized(AuthError::KeysUnavailable | AuthError::RevocationsUnavailable)
            | Refusal::Unavailable(_) => Some((RETRY_AFTER, "5".to_owned())),
            Refusal::Unauthorized(AuthError::Missing) => {
                Some((WWW_AUTHENTICATE, "Bearer realm=\"promptgate\"".to_owned()))
            }
            Refusal::Unauthorized(error) => {
                let challenge =
                    format!("Bearer realm=\"promptgate\", error=\"invalid_token\", error_description=\"{error}\"");
                Some((WWW_AUTHENTICATE, challenge))
            }
            Refusal::Forbidden { required, .. } | Refusal::ForbiddenTool { required, .. } => {
                let challenge =
                    format!("Bearer realm=\"promptgate\", error=\"insufficient_scope\", scope=\"{required}\"");
                Some((WWW_AUTHENTICATE, challenge))
            }
            Refusal::MethodNotAllowed { allow } => Some((ALLOW, allow.clone())),
            _ => None,
        }
    }

    /// The body of the refusal.
    pub fn body(&self) -> ErrorBody {
        let (required_scope, client_scopes) = match self {
            Refusal::Forbidden { required, granted } | Refusal::ForbiddenTool { required, granted, .. } => {
                (Some(required.name().to_owned()), Some(granted.clone()))
            }
            _ => (None, None),
        };
        ErrorBody { success: false, error: self.to_string(), required_scope, client_scopes }
    }

    fn json(&self) -> Vec<u8> {
        let body = match self {
            Refusal::ForbiddenTool { required, granted, id } => serde_json::to_vec(&json!({
                "jsonrpc": "2.0",
                "id": id,
                "error": {
                    "code": MCP_FORBIDDEN,
                    "message": self.to_string(),
                    "data": { "required_scope": required.name(), "client_scopes": granted },
                },
            })),
            _ => serde_json::to_vec(&self.body()),
        };
        // Structs of strings: nothing that could fail.
        body.unwrap_or_default()
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response =
            Reply { status: self.status(), content_type: JSON, body: self.json().into() }.into_response();
        if let Some((name, value)) = self.header()
            && let Ok(value) = HeaderValue::try_from(value)
        {
            response.headers_mut().insert(name, value);
        }
        response
    }
}

/// A code for servers to choose: what JSON-RPC and MCP reserve lies elsewhere.
const MCP_FORBIDDEN: i32 = -32090;

/// The body of every error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "Error")]
pub struct ErrorBody {
    /// Always false.
    pub success: bool,
    /// What was wrong, for people.
    pub error: String,
    /// With status 403: the scope the endpoint needs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub required_scope: Option<String>,
    /// With status 403: the scopes the token has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_scopes: Option<Vec<String>>,
}
