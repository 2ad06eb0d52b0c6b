//! Ollama: chat, generate, embed, and its lists. Tables only.
//!
//! From the request types of ollama 0.6.3. The server matches keys without case; another case than its own is on no
//! list and inspected.

use super::rows::{ECHO, END, INPUT, NAMES, OUTPUT, PIECE, TOOL, marks, rows, schema};
use super::{Dialect, Family};
use crate::codec::Treatment::{Label, Media, Model, Name, Text};
use crate::codec::{Mark, Selector};

pub(super) static CHAT: Dialect = Dialect::json(
    "ollama.chat",
    Family::Ollama,
    &[COMMON, MESSAGES, schema!("tools[].function.parameters"), schema!("format")],
    &[CHAT_MARKS],
)
.answering(&[ANSWERS]);
pub(super) static GENERATE: Dialect =
    Dialect::json("ollama.generate", Family::Ollama, &[COMMON, PROMPT, schema!("format")], &[PROMPT_MARKS])
        .answering(&[ANSWERS]);
pub(super) static EMBED: Dialect = Dialect::json("ollama.embed", Family::Ollama, &[COMMON], &[]).answering(&[NAMES]);
pub(super) static TAGS: Dialect = Dialect::bodiless("ollama.tags", Family::Ollama);

const CHAT_MARKS: &[Mark] = marks![
    Turn => "messages[]";
    Assistant => "messages[].tool_calls", "messages[].thinking";
    Definition => "tools", "format";
];

const PROMPT_MARKS: &[Mark] = marks![
    System => "system", "template";
    Definition => "format";
];

const COMMON: &[Selector] = rows![
    Label => "options.stop", "options.stop[]";
    Model => "model";
    Name => "keep_alive", "format", "think", "options.{*}";
];

const MESSAGES: &[Selector] = rows![
    Name => "messages[].role", "messages[].tool_name", "messages[].tool_call_id", "messages[].tool_calls[].id",
        "messages[].tool_calls[].type", "messages[].tool_calls[].function.name", "tools[].type",
        "tools[].function.name";
    Media => "messages[].images[]";
];

/// A template must parse, so it is inspected as a label.
const PROMPT: &[Selector] = rows![
    Label => "template";
    Media => "images[]";
];

/// One object, or one a line.
const ANSWERS: &[Selector] = rows![
    Model => "model";
    Name => "created_at", "done_reason", "message.role", "message.tool_calls[].id", "remote_model",
        "remote_host";
    TOOL => "message.tool_calls[].function.name";
    END => "done";
    INPUT => "prompt_eval_count";
    OUTPUT => "eval_count";
    ECHO => "logprobs";
    Media => "message.images[]";
    PIECE => "message.content", "message.thinking", "response", "thinking";
];
