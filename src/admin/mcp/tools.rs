//! The rows of `ROUTES` that name a tool, as MCP tells of tools and calls them. Knows nothing of HTTP or of pipes.

use std::sync::{Arc, LazyLock};

use rmcp::ServerHandler;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, ErrorData, Implementation, JsonObject,
    ListToolsResult, PaginatedRequestParams, ServerCapabilities, ServerConfig, Tool, ToolAnnotations,
};
use rmcp::service::{RequestContext, RoleServer};
use schemars::generate::SchemaSettings;
use schemars::{Schema, SchemaGenerator};
use serde_json::{Map, Value};

use crate::admin::route::{Call, Endpoint, Route};
use crate::admin::{App, ROUTES, Refusal, Reply, gate};
use crate::auth::{Principal, Scope};

/// The tools as one caller may use them.
#[derive(Clone)]
pub(super) struct Tools {
    app: Arc<App>,
    principal: Principal,
    request_id: String,
}

impl Tools {
    pub(super) fn of(app: Arc<App>, principal: Principal, request_id: String) -> Self {
        Tools { app, principal, request_id }
    }

    async fn call(&self, route: &Route, arguments: JsonObject) -> Result<Reply, Refusal> {
        let Endpoint::Guarded { scope, answer } = route.endpoint else { return Err(Refusal::NotFound) };
        gate::authorize(scope, &self.principal)?;
        let body = match &route.input {
            Some(input) => body(arguments, input.limit)?,
            None if arguments.is_empty() => Default::default(),
            None => return Err(Refusal::BadRequest("this tool takes no arguments".to_owned())),
        };
        let (app, principal, request_id) = (self.app.clone(), self.principal.clone(), self.request_id.clone());
        answer(Call { app, principal, headers: Default::default(), body, request_id }).await
    }
}

impl ServerHandler for Tools {
    fn get_info(&self) -> ServerConfig {
        let server = Implementation::new("promptgate", env!("CARGO_PKG_VERSION")).with_title("promptgate");
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_server_info(server)
            .with_instructions(INSTRUCTIONS)
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(TOOLS.clone()))
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        TOOLS.iter().find(|tool| tool.name == name).cloned()
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let route = route_of(&request.name).ok_or_else(|| ErrorData::invalid_params("there is no such tool", None))?;
        let answer = self.call(route, request.arguments.unwrap_or_default()).await;
        Ok(answer.and_then(|reply| success(&reply)).unwrap_or_else(|refusal| error(&refusal)).into())
    }
}

/// The row of the tool.
pub(super) fn route_of(name: &str) -> Option<&'static Route> {
    ROUTES.iter().find(|route| route.tool == Some(name))
}

fn body(arguments: JsonObject, limit: usize) -> Result<axum::body::Bytes, Refusal> {
    let body = serde_json::to_vec(&Value::Object(arguments)).map_err(|_| Refusal::Internal)?;
    if body.len() > limit { Err(Refusal::TooLarge(limit)) } else { Ok(body.into()) }
}

/// The answer of the endpoint as data, and for older clients as text.
fn success(reply: &Reply) -> Result<CallToolResult, Refusal> {
    let value: Value = serde_json::from_slice(&reply.body).map_err(|_| Refusal::Internal)?;
    Ok(CallToolResult::structured(value))
}

/// As text alone: the SDK of TypeScript holds data against the schema of the answer, of an error too.
fn error(refusal: &Refusal) -> CallToolResult {
    CallToolResult::error(vec![ContentBlock::text(serde_json::to_string(&refusal.body()).unwrap_or_default())])
}

static TOOLS: LazyLock<Vec<Tool>> =
    LazyLock::new(|| ROUTES.iter().filter_map(|route| Some(tool(route.tool?, route))).collect());

fn tool(name: &'static str, route: &Route) -> Tool {
    let input = route.input.as_ref().map_or_else(no_arguments, |input| object((input.schema)(&mut generator(false))));
    let output = route.outputs.iter().find(|output| output.status == 200);
    let changes = route.scope() == Some(Scope::Admin);
    let hints = ToolAnnotations::with_title(route.summary).read_only(!changes).destructive(changes).open_world(false);
    let tool = Tool::new(name, route.description, input).with_title(route.summary).with_annotations(hints);
    match output {
        Some(output) => tool.with_raw_output_schema(Arc::new(object((output.schema)(&mut generator(true))))),
        None => tool,
    }
}

/// Each schema stands alone.
fn generator(written: bool) -> SchemaGenerator {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    });
    if written { settings.for_serialize().into_generator() } else { settings.for_deserialize().into_generator() }
}

fn object(mut schema: Schema) -> Map<String, Value> {
    let mut object = std::mem::take(schema.ensure_object());
    without_number_format(&mut object);
    object
}

/// A `format` that only tells the width of a number is none of JSON Schema's, and validators complain of it.
fn without_number_format(object: &mut Map<String, Value>) {
    if object.get("format").and_then(Value::as_str).is_some_and(|format| NUMBER_FORMATS.contains(&format)) {
        object.remove("format");
    }
    for value in object.values_mut() {
        match value {
            Value::Object(fields) => without_number_format(fields),
            Value::Array(items) => items.iter_mut().filter_map(Value::as_object_mut).for_each(without_number_format),
            _ => {}
        }
    }
}

fn no_arguments() -> Map<String, Value> {
    let fields =
        [("type", "object".into()), ("properties", Value::Object(Map::new())), ("additionalProperties", false.into())];
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

const NUMBER_FORMATS: [&str; 4] = ["uint", "uint64", "double", "float"];
const INSTRUCTIONS: &str = "Checks prompts as the gateway does: what is sensitive in them, what is an attack, and the text with \
                            what is sensitive masked. Nothing is sent anywhere.";
