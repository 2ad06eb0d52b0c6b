//! The Model Context Protocol between agents and tool servers: JSON-RPC messages, one or, in revision 2025-03-26, a batch of
//! them. Tables only.
//!
//! From the schemas of 2024-11-05 to 2026-07-28. Both sides may ask: a server's request comes down in an answer, and the
//! agent's response to it goes up in a body of its own.

use super::rows::{marks, rows, schema};
use super::{Dialect, Family};
use crate::codec::Treatment::{Label, Media, Name, Sealed, Text};
use crate::codec::{Mark, Selector};

/// A message that goes up below `$at`. Tool arguments, and whatever else no row names, are text.
macro_rules! messages {
    ($at:literal) => {
        rows![at $at;
            Name => "jsonrpc", "id", "method", "params.name", "params.cursor", "params.protocolVersion", "params.level",
                "params.ref.type", "params.ref.name", "params.argument.name", "params.requestId", "params.progressToken",
                "params.taskId", "params.inputResponses.{*}.action", "params.inputResponses.{*}.role",
                "params.inputResponses.{*}.model", "params.inputResponses.{*}.stopReason",
                "params.inputResponses.{*}.content.type", "params.inputResponses.{*}.content[].type", "result.role",
                "result.model", "result.stopReason", "result.action", "result.content.type", "result.content.mimeType",
                "result.content[].type", "result.content[].mimeType";
            Label => "params.uri", "params.ref.uri", "params._meta.**", "params.clientInfo.**", "params.capabilities.**",
                "result._meta.**", "result.roots[].uri";
            Media => "result.content.data", "result.content[].data", "params.inputResponses.{*}.content.data",
                "params.inputResponses.{*}.content[].data";
            Sealed => "params.requestState";
        ]
    };
}

/// Arguments, and answers to what a server asked, are the agent's. What it tells of itself has names like
/// `io.modelcontextprotocol/protocolVersion` in every message.
macro_rules! message_marks {
    ($at:literal) => {
        marks![at $at;
            Assistant => "params", "result", "error";
            Definition => "params._meta", "params.capabilities", "params.clientInfo", "result._meta";
        ]
    };
}

/// A message that comes down below `$at`.
macro_rules! answer {
    ($at:literal) => {
        rows![at $at;
            Name => "jsonrpc", "id", "method", "result.protocolVersion", "result.supportedVersions[]", "result.nextCursor",
                "result.resultType", "result.cacheScope", "result.capabilities.**", "result.content[].type",
                "result.content[].mimeType", "result.content[].resource.mimeType", "result.contents[].mimeType",
                "result.messages[].role", "result.messages[].content.type", "result.messages[].content.mimeType",
                "result.messages[].content.resource.mimeType", "result.tools[].name", "result.prompts[].name",
                "result.prompts[].arguments[].name", "result.resources[].mimeType", "result.resourceTemplates[].mimeType",
                "result.taskId", "params.level", "params.progressToken", "params.requestId", "params.mode",
                "params.elicitationId", "params.messages[].role", "params.messages[].content.type",
                "params.messages[].content[].type";
            Label => "result._meta.**", "params._meta.**", "result.content[].uri", "result.content[].resource.uri",
                "result.contents[].uri", "result.resources[].uri", "result.resourceTemplates[].uriTemplate",
                "result.messages[].content.uri", "result.messages[].content.resource.uri", "params.uri", "params.url";
            Media => "result.content[].data", "result.content[].resource.blob", "result.contents[].blob",
                "result.messages[].content.data", "result.messages[].content.resource.blob", "params.messages[].content.data",
                "params.messages[].content[].data", "result.**.icons[].src";
            Sealed => "result.requestState", "params.requestState";
        ]
    };
}

/// All of it is the server's: what its tools returned or what it asks for, what it tells of them, and documents.
macro_rules! answer_marks {
    ($at:literal) => {
        marks![at $at;
            Tool => "result", "error", "params";
            Definition => "result.tools", "result.prompts", "result.resources", "result.resourceTemplates",
                "result.instructions", "result.serverInfo";
            Document => "result.contents";
        ]
    };
}

pub(super) static MESSAGE: Dialect =
    Dialect::json("mcp", Family::Mcp, &[messages!(""), messages!("[].")], &[message_marks!(""), message_marks!("[].")])
        .answering(ANSWERS)
        .marking(ANSWER_MARKS);

/// What a server says unasked, and the end of a session.
pub(super) static SESSION: Dialect =
    Dialect::bodiless("mcp.session", Family::Mcp).answering(ANSWERS).marking(ANSWER_MARKS);

const ANSWERS: &[&[Selector]] = &[
    answer!(""),
    answer!("[]."),
    schema!("result.tools[].inputSchema"),
    schema!("result.tools[].outputSchema"),
    schema!("params.requestedSchema"),
    schema!("[].result.tools[].inputSchema"),
    schema!("[].result.tools[].outputSchema"),
    schema!("[].params.requestedSchema"),
];

const ANSWER_MARKS: &[&[Mark]] = &[answer_marks!(""), answer_marks!("[].")];
