//! Cohere: v2 chat. Tables only.
//!
//! From the request types of cohere 5.21.1 and 7.3.1.

use super::rows::{ECHO, INPUT, OUTPUT, PIECE, TOOL, marks, rows, schema};
use super::{Dialect, Family};
use crate::codec::Treatment::{Label, Media, Model, Name, Text};
use crate::codec::{Mark, Selector};

pub(super) static CHAT: Dialect = Dialect::json(
    "cohere.chat",
    Family::Cohere,
    &[
        MESSAGES,
        REQUEST,
        schema!("tools[].function.parameters"),
        schema!("response_format.json_schema"),
        schema!("response_format.schema"),
    ],
    &[MARKS],
)
.answering(&[ANSWERS]);

const MARKS: &[Mark] = marks![
    Turn => "messages[]";
    Assistant => "messages[].tool_calls", "messages[].tool_plan", "messages[].citations";
    Document => "documents", "messages[].content[].document";
    Definition => "tools", "response_format";
];

/// Thinking is not signed here and stays text.
const MESSAGES: &[Selector] = rows![at "messages[].";
    Name => "role", "tool_call_id", "content[].type", "content[].document.id", "content[].image_url.detail",
        "tool_calls[].id", "tool_calls[].type", "tool_calls[].function.name", "citations[].type",
        "citations[].sources[].type", "citations[].sources[].id";
    Media => "content[].image_url.url";
];

const REQUEST: &[Selector] = rows![
    Model => "model";
    Name => "documents[].id", "tools[].type", "tools[].function.name", "tool_choice", "response_format.type",
        "citation_options.mode", "safety_mode", "thinking.type", "reasoning_effort";
    Label => "stop_sequences[]";
];

/// A message, whole or in events, and the sources it cites.
const ANSWERS: &[Selector] = rows![
    Name => "id", "type", "finish_reason", "message.role", "message.content[].type", "message.tool_calls[].id",
        "message.tool_calls[].type", "delta.finish_reason", "delta.message.role", "delta.message.content.type",
        "delta.message.tool_calls.id", "delta.message.tool_calls.type", "message.citations[].type",
        "delta.message.citations.type";
    TOOL => "message.tool_calls[].function.name", "delta.message.tool_calls.function.name";
    INPUT => "usage.tokens.input_tokens", "delta.usage.tokens.input_tokens";
    OUTPUT => "usage.tokens.output_tokens", "delta.usage.tokens.output_tokens";
    ECHO => "logprobs", "delta.logprobs";
    PIECE => "delta.message.content.text", "delta.message.content.thinking", "delta.message.tool_plan",
        "delta.message.tool_calls.function.arguments";
];
