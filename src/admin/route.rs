//! The shape of a row of `ROUTES`. Answers nothing itself.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use axum::body::Bytes;
use http::{HeaderMap, Method};
use schemars::{JsonSchema, Schema, SchemaGenerator};

use super::{App, Refusal, Reply};
use crate::auth::{Principal, Scope};

/// One endpoint.
pub struct Route {
    pub method: Method,
    pub path: &'static str,
    /// Name of the endpoint as an MCP tool; `None` where it is none.
    pub tool: Option<&'static str>,
    pub summary: &'static str,
    pub description: &'static str,
    /// The JSON body it takes, if it takes one.
    pub input: Option<Input>,
    /// What it answers when nothing is wrong.
    pub outputs: &'static [Output],
    pub endpoint: Endpoint,
}

/// Who may call, and what answers.
#[derive(Clone, Copy)]
pub enum Endpoint {
    /// Needs no token and must tell nothing that one would protect.
    Open(fn(Arc<App>) -> Answer),
    /// The same, for an answer that names addresses of this listener: it is told at which the caller found it.
    Located(fn(Arc<App>, &str) -> Answer),
    /// Needs a valid token and, if one is named, the scope.
    Guarded { scope: Option<Scope>, answer: fn(Call) -> Answer },
}

pub type Answer = Pin<Box<dyn Future<Output = Result<Reply, Refusal>> + Send>>;

/// One authenticated and authorised call.
pub struct Call {
    pub app: Arc<App>,
    pub principal: Principal,
    /// Of the request; empty where there was none, as for a tool.
    pub headers: HeaderMap,
    /// The whole body, at most `Input::limit` bytes; empty where the route takes none.
    pub body: Bytes,
    pub request_id: String,
}

/// A JSON request body.
pub struct Input {
    /// In bytes; more is 413.
    pub limit: usize,
    pub schema: fn(&mut SchemaGenerator) -> Schema,
    /// A valid body, as JSON text.
    pub example: &'static str,
}

/// One documented answer.
pub struct Output {
    pub status: u16,
    pub description: &'static str,
    /// Empty where the answer has no body.
    pub content_type: &'static str,
    pub schema: fn(&mut SchemaGenerator) -> Schema,
    /// JSON text, or plain text as `content_type` says.
    pub example: &'static str,
}

impl Route {
    /// `HEAD` is served wherever `GET` is.
    pub fn serves(&self, method: &Method) -> bool {
        self.method == *method || (self.method == Method::GET && *method == Method::HEAD)
    }

    pub fn is_guarded(&self) -> bool {
        matches!(self.endpoint, Endpoint::Guarded { .. })
    }

    pub fn scope(&self) -> Option<Scope> {
        match self.endpoint {
            Endpoint::Open(_) | Endpoint::Located(_) => None,
            Endpoint::Guarded { scope, .. } => scope,
        }
    }
}

/// For the tables: the schema of `T`, by reference.
pub(super) fn schema_of<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}
