//! Cohere: v2 chat. Tables only.
//!
//! From the request types of cohere 5.21.1 and 7.3.1.

use super::rows::{marks, rows, schema};
use super::{Dialect, Family};
use crate::codec::Treatment::{Label, Media, Name, Text};
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
);

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
    Name => "model", "documents[].id", "tools[].type", "tools[].function.name", "tool_choice", "response_format.type",
        "citation_options.mode", "safety_mode", "thinking.type", "reasoning_effort";
    Label => "stop_sequences[]";
];
