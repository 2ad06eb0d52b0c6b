//! OpenAI: chat completions, completions, responses, embeddings, moderations, models. Tables only.
//!
//! From the request types of openai 1.109.1 and 3.54.0; `thought_signature` from Gemini's OpenAI-compatible surface, video
//! and audio URLs from vLLM's.

use super::rows::{rows, schema};
use super::{Dialect, Family};
use crate::codec::Selector;
use crate::codec::Treatment::{Label, Media, Name, Sealed, Text};

pub(super) static CHAT: Dialect = Dialect::json("openai.chat", Family::OpenAi, CHAT_TABLES);
pub(super) static COMPLETIONS: Dialect = Dialect::json("openai.completions", Family::OpenAi, COMPLETIONS_TABLES);
pub(super) static RESPONSES: Dialect = Dialect::json("openai.responses", Family::OpenAi, RESPONSES_TABLES);
pub(super) static EMBEDDINGS: Dialect = Dialect::json("openai.embeddings", Family::OpenAi, EMBEDDINGS_TABLES);
pub(super) static MODERATIONS: Dialect = Dialect::json("openai.moderations", Family::OpenAi, &[MODERATION]);
pub(super) static MODELS: Dialect = Dialect::bodiless("openai.models", Family::OpenAi);

pub(super) const CHAT_TABLES: &[&[Selector]] = &[
    COMMON,
    CHAT_MESSAGES,
    CHAT_REQUEST,
    schema!("tools[].function.parameters"),
    schema!("functions[].parameters"),
    schema!("response_format.json_schema.schema"),
];
pub(super) const COMPLETIONS_TABLES: &[&[Selector]] = &[COMMON];
pub(super) const EMBEDDINGS_TABLES: &[&[Selector]] = &[COMMON, rows![Name => "encoding_format";]];

/// What the caller may choose in any request.
const COMMON: &[Selector] = rows![
    Name => "model", "prompt_cache_retention";
    Label => "user", "safety_identifier", "prompt_cache_key", "metadata.{*}", "service_tier", "stop", "stop[]";
];

const CHAT_MESSAGES: &[Selector] = rows![at "messages[].";
    Name => "role", "tool_call_id", "audio.id",
        "content[].type", "content[].image_url.detail", "content[].input_audio.format", "content[].file.file_id",
        "tool_calls[].id", "tool_calls[].type", "tool_calls[].function.name", "tool_calls[].custom.name",
        "function_call.name";
    Label => "name", "content[].file.filename";
    Media => "content[].image_url", "content[].image_url.url", "content[].input_audio.data",
        "content[].file.file_data", "content[].video_url.url", "content[].audio_url.url";
    Sealed => "extra_content.google.thought_signature", "tool_calls[].extra_content.google.thought_signature";
];

/// A grammar must parse, so it is inspected as a label.
const CHAT_REQUEST: &[Selector] = rows![
    Name => "tools[].type", "tools[].function.name", "tools[].custom.name", "tools[].custom.format.type",
        "tools[].custom.format.grammar.syntax", "functions[].name", "tool_choice.**", "function_call",
        "function_call.name", "response_format.type", "response_format.json_schema.name", "modalities[]", "audio.voice",
        "audio.voice.id", "audio.format", "reasoning_effort", "verbosity", "prediction.type", "prediction.content[].type",
        "web_search_options.search_context_size", "web_search_options.user_location.type";
    Label => "tools[].custom.format.grammar.definition";
];

pub(super) const RESPONSES_TABLES: &[&[Selector]] = &[COMMON];
const MODERATION: &[Selector] = rows![
    Name => "model", "input[].type";
    Media => "input[].image_url.url";
];
