//! `GET /openapi.json`: the description of this listener, derived from `ROUTES`. Written by hand is only what no row says.

use std::sync::LazyLock;

use axum::body::Bytes;
use http::{Method, StatusCode};
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::reply::{ErrorBody, JSON, NO_CONTENT};
use super::route::{Answer, Call, Endpoint, Input, Output, Route, schema_of};
use super::{ROUTES, Reply};

pub(super) const ROUTE: Route = Route {
    method: Method::GET,
    path: "/openapi.json",
    tool: None,
    summary: "Description of this interface",
    description: "This document, in OpenAPI 3.1. Needs a valid token of any scope.",
    input: None,
    outputs: &[Output {
        status: 200,
        description: "The description.",
        content_type: JSON,
        schema: schema_of::<Description>,
        example: r#"{"openapi":"3.1.0"}"#,
    }],
    endpoint: Endpoint::Guarded { scope: None, answer },
};

/// The description as a document.
pub fn document() -> Value {
    let mut schemas = Schemas::new();
    let mut paths = Map::new();
    for route in &ROUTES {
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        path[route.method.as_str().to_ascii_lowercase()] = operation(route, &mut schemas);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "promptgate admin listener",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Administration, health and metrics of a gateway for LLM traffic. Every answer carries `x-request-id`; \
                every error is JSON. A path that is not listed here is answered with 404, a method that is not with 405.",
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{ "url": "/" }],
        "tags": [
            { "name": "tools", "description": "Also offered as MCP tools of the same names." },
            { "name": "administration", "description": "What changes the gateway and is no tool." },
            { "name": "description", "description": "How programs call the tools and learn of them. Any valid token." },
            { "name": "open", "description": "Health, metrics and pages. No token." },
        ],
        "paths": paths,
        "components": {
            "schemas": schemas.definitions(),
            "securitySchemes": { "token": { "type": "http", "scheme": "bearer", "description": TOKEN } },
        },
    })
}

const TOKEN: &str =
    "A static token of the configuration, or a JWT, as the authentication mode says. Scopes are those of the token.";

/// The schema of `GET /openapi.json` itself.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "OpenApi", extend("additionalProperties" = true))]
struct Description {
    openapi: String,
}

/// What is read from requests and what is written to responses differ: a default makes a field optional in the one only.
struct Schemas {
    requests: SchemaGenerator,
    responses: SchemaGenerator,
}

impl Schemas {
    fn new() -> Self {
        let settings = SchemaSettings::draft2020_12().with(|settings| {
            settings.definitions_path = "/components/schemas".into();
            settings.meta_schema = None;
        });
        Schemas {
            requests: settings.clone().for_deserialize().into_generator(),
            responses: settings.for_serialize().into_generator(),
        }
    }

    fn definitions(mut self) -> Map<String, Value> {
        let mut all = self.requests.take_definitions(true);
        all.extend(self.responses.take_definitions(true));
        all
    }
}

fn operation(route: &Route, schemas: &mut Schemas) -> Value {
    let mut operation = json!({
        "operationId": operation_id(route),
        "tags": [tag(route)],
        "summary": route.summary,
        "description": route.description,
        "responses": responses(route, schemas),
        "security": [],
    });
    if route.is_guarded() {
        // OpenAPI 3.1 allows scopes for every scheme.
        let scopes: Vec<&str> = route.scope().iter().map(|scope| scope.name()).collect();
        operation["security"] = json!([{ "token": scopes }]);
    }
    if let Some(input) = &route.input {
        operation["requestBody"] = request_body(input, schemas);
    }
    operation
}

/// The tool's name, or the path with what a name in a program cannot hold replaced.
fn operation_id(route: &Route) -> String {
    let letter = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    route.tool.unwrap_or(route.path).chars().map(letter).collect::<String>().trim_matches('_').to_owned()
}

fn tag(route: &Route) -> &'static str {
    match (route.tool, route.scope(), route.is_guarded()) {
        (Some(_), ..) => "tools",
        (None, Some(_), _) => "administration",
        (None, None, true) => "description",
        (None, None, false) => "open",
    }
}

fn request_body(input: &Input, schemas: &mut Schemas) -> Value {
    let schema = (input.schema)(&mut schemas.requests);
    json!({
        "required": true,
        "description": format!("At most {} bytes. Unknown fields and fields that come twice are refused.", input.limit),
        "content": { JSON: { "schema": schema, "example": example(JSON, input.example) } },
    })
}

fn responses(route: &Route, schemas: &mut Schemas) -> Value {
    let mut responses = Map::new();
    for output in route.outputs {
        let schema = (output.schema)(&mut schemas.responses);
        let content = json!({ "schema": schema, "example": example(output.content_type, output.example) });
        let media = output.content_type.split(';').next().unwrap_or(output.content_type);
        let mut response = json!({ "description": output.description, "headers": headers() });
        if output.content_type != NO_CONTENT {
            response["content"] = json!({ media: content });
        }
        responses.insert(output.status.to_string(), response);
    }
    for (status, description) in errors(route) {
        responses.entry(status.as_str()).or_insert_with(|| error(status, description, schemas));
    }
    Value::Object(responses)
}

/// The refusals a row can meet. 405 belongs to methods that have no row.
fn errors(route: &Route) -> impl Iterator<Item = (StatusCode, &'static str)> {
    let (guarded, scoped, input) = (route.is_guarded(), route.scope().is_some(), route.input.is_some());
    let all = [
        (true, StatusCode::BAD_REQUEST, "The Host header or the body is not valid; the error says why."),
        (guarded, StatusCode::UNAUTHORIZED, "No token, or not a valid one."),
        (scoped, StatusCode::FORBIDDEN, "The token lacks the scope."),
        (input, StatusCode::REQUEST_TIMEOUT, "The body did not arrive in time."),
        (input, StatusCode::PAYLOAD_TOO_LARGE, "The body is too large."),
        (input, StatusCode::UNSUPPORTED_MEDIA_TYPE, "The body is not announced as JSON."),
        (true, StatusCode::MISDIRECTED_REQUEST, "The Host header names a host that is not served here."),
        (true, StatusCode::INTERNAL_SERVER_ERROR, "A fault of the server."),
        (
            guarded,
            StatusCode::SERVICE_UNAVAILABLE,
            "The issuer's keys could not be loaded, so no token can be checked.",
        ),
    ];
    all.into_iter().filter(|(applies, ..)| *applies).map(|(_, status, description)| (status, description))
}

fn error(status: StatusCode, description: &str, schemas: &mut Schemas) -> Value {
    let mut example = json!({ "success": false, "error": description });
    if status == StatusCode::FORBIDDEN {
        example["required_scope"] = json!("security:admin");
        example["client_scopes"] = json!(["prompt:validate"]);
    }
    let schema = schema_of::<ErrorBody>(&mut schemas.responses);
    let mut headers = headers();
    if let Some((name, text)) = header_of(status) {
        headers[name] = json!({ "description": text, "schema": { "type": "string" } });
    }
    json!({ "description": description, "headers": headers, "content": { JSON: { "schema": schema, "example": example } } })
}

/// What else a refusal of that status carries.
fn header_of(status: StatusCode) -> Option<(&'static str, &'static str)> {
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Some(("www-authenticate", "The challenge of RFC 6750.")),
        StatusCode::SERVICE_UNAVAILABLE => Some(("retry-after", "Seconds.")),
        _ => None,
    }
}

fn headers() -> Value {
    json!({ "x-request-id": { "description": "The id of the request in logs.", "schema": { "type": "string" } } })
}

fn example(content_type: &str, text: &str) -> Value {
    let parsed = if content_type == JSON { serde_json::from_str(text).ok() } else { None };
    parsed.unwrap_or_else(|| Value::from(text))
}

fn answer(_: Call) -> Answer {
    static DOCUMENT: LazyLock<Bytes> = LazyLock::new(|| document().to_string().into());
    Box::pin(async { Ok(Reply { status: StatusCode::OK, content_type: JSON, body: DOCUMENT.clone() }) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_json_example_of_the_table_is_json() {
        for route in &ROUTES {
            let outputs =
                route.outputs.iter().filter(|output| output.content_type == JSON).map(|output| output.example);
            for text in outputs.chain(route.input.iter().map(|input| input.example)) {
                assert!(serde_json::from_str::<Value>(text).is_ok(), "{} {text}", route.path);
            }
        }
    }

    #[test]
    fn the_formats_of_bodies_are_those_of_the_table() {
        let document = document();
        let listed = document.pointer("/components/schemas/ExplainRequest/properties/format/enum").expect("a list");
        for dialect in crate::wire::FORMATS {
            let has_body = dialect.body == crate::wire::BodyKind::Json;
            assert_eq!(listed.as_array().expect("a list").contains(&json!(dialect.name)), has_body, "{}", dialect.name);
        }
    }

    #[test]
    fn every_reference_has_its_definition() {
        let document = document();
        let mut open = vec![&document];
        while let Some(value) = open.pop() {
            match value {
                Value::Array(items) => open.extend(items),
                Value::Object(fields) => {
                    if let Some(Value::String(reference)) = fields.get("$ref") {
                        let pointer = reference.strip_prefix('#').expect("a local reference");
                        assert!(document.pointer(pointer).is_some(), "{reference}");
                    }
                    open.extend(fields.values());
                }
                _ => {}
            }
        }
    }
}
