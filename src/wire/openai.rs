//! OpenAI: chat completions, completions, responses, embeddings, moderations, models. Tables only.
//!
//! From the request types of openai 1.109.1 and 3.54.0; `thought_signature` from Gemini's OpenAI-compatible surface,
//! video and audio URLs from vLLM's.

use super::rows::{ECHO, END, INPUT, NAMES, OUTPUT, PIECE, STATE, TOOL, marks, rows, schema};
use super::{Dialect, Family};
use crate::codec::Treatment::{Credential, Label, Media, Model, Name, Sealed, State, Text};
use crate::codec::{Mark, Selector};

/// The content parts of the Responses API below `$at`.
macro_rules! parts {
    ($at:literal) => {
        rows![at $at;
            Name => "type", "file_id", "detail", "input_audio.format";
            Label => "filename", "file_url";
            Media => "image_url", "file_data", "input_audio.data";
        ]
    };
}

/// The tools of the Responses API below `$at`. Credentials in them are meant for the provider, who uses them.
macro_rules! tools {
    ($at:literal) => {
        rows![at $at;
            Name => "type", "name", "server_label", "connector_id", "allowed_tools.**", "require_approval.**",
                "vector_store_ids[]", "container", "container.type", "container.file_ids[]", "container.memory_limit",
                "environment.type", "environment.container_id", "environment.file_ids[]", "environment.skills[].type",
                "environment.skills[].skill_id", "environment.skills[].version", "environment.skills[].name",
                "environment.skills[].source.type", "environment.skills[].source.media_type", "format.type",
                "format.syntax", "model", "svg.model", "size", "execution", "tunnel_id", "search_context_size",
                "container.network_policy.type", "environment.network_policy.type",
                "container.network_policy.domain_secrets[].name", "environment.network_policy.domain_secrets[].name",
                "user_location.type", "input_image_mask.file_id";
            Label => "server_url", "format.definition", "filters.allowed_domains[]",
                "container.network_policy.allowed_domains[]", "environment.network_policy.allowed_domains[]",
                "container.network_policy.domain_secrets[].domain",
                "environment.network_policy.domain_secrets[].domain", "environment.skills[].path";
            Media => "input_image_mask.image_url", "environment.skills[].source.data";
            Credential => "authorization", "headers.{*}", "container.network_policy.domain_secrets[].value",
                "environment.network_policy.domain_secrets[].value";
        ]
    };
}

pub(super) static CHAT: Dialect =
    Dialect::json("openai.chat", Family::OpenAi, CHAT_TABLES, &[CHAT_MARKS]).answering(&[CHAT_ANSWERS]);
pub(super) static COMPLETIONS: Dialect =
    Dialect::json("openai.completions", Family::OpenAi, COMPLETIONS_TABLES, &[]).answering(&[COMPLETIONS_ANSWERS]);
pub(super) static RESPONSES: Dialect =
    Dialect::json("openai.responses", Family::OpenAi, RESPONSES_TABLES, &[RESPONSES_MARKS])
        .answering(RESPONSES_ANSWERS);
pub(super) static EMBEDDINGS: Dialect =
    Dialect::json("openai.embeddings", Family::OpenAi, EMBEDDINGS_TABLES, &[]).answering(&[NAMES]);
pub(super) static MODERATIONS: Dialect =
    Dialect::json("openai.moderations", Family::OpenAi, &[MODERATION], &[]).answering(&[NAMES]);
pub(super) static MODELS: Dialect = Dialect::bodiless("openai.models", Family::OpenAi);

pub(super) const CHAT_MARKS: &[Mark] = marks![
    Turn => "messages[]";
    Assistant => "messages[].tool_calls", "messages[].function_call", "messages[].reasoning",
        "messages[].reasoning_content";
    Document => "messages[].content[].file", "prediction";
    Definition => "tools", "functions", "response_format";
];

/// Items other than messages have no role: what a tool returned and what the model asked for are told by their key.
pub(super) const RESPONSES_MARKS: &[Mark] = marks![
    Turn => "input[]";
    System => "instructions";
    Assistant => "input[].arguments", "input[].summary", "input[].action", "input[].code", "input[].input",
        "input[].queries", "input[].operation";
    Tool => "input[].output", "input[].outputs", "input[].results", "input[].result";
    Document => "input[].content[].file_data", "input[].content[].annotations";
    Definition => "tools", "input[].tools", "text.format", "input[].text.format";
];

const CHAT_TABLES: &[&[Selector]] = &[COMMON, CHAT_MESSAGES, CHAT_REQUEST, TOOL_SCHEMA, FUNCTION_SCHEMA, FORMAT_SCHEMA];
pub(super) const COMPLETIONS_TABLES: &[&[Selector]] = &[COMMON];
pub(super) const EMBEDDINGS_TABLES: &[&[Selector]] = &[COMMON, rows![Name => "encoding_format";]];

pub(super) const TOOL_SCHEMA: &[Selector] = schema!("tools[].function.parameters");
pub(super) const FUNCTION_SCHEMA: &[Selector] = schema!("functions[].parameters");
pub(super) const FORMAT_SCHEMA: &[Selector] = schema!("response_format.json_schema.schema");

/// What the caller may choose in any request.
pub(super) const COMMON: &[Selector] = rows![
    Model => "model";
    Name => "prompt_cache_retention";
    Label => "user", "safety_identifier", "prompt_cache_key", "metadata.{*}", "service_tier", "stop", "stop[]";
];

pub(super) const CHAT_MESSAGES: &[Selector] = rows![at "messages[].";
    Name => "role", "tool_call_id", "audio.id", "content[].type", "content[].image_url.detail",
        "content[].input_audio.format", "content[].file.file_id", "tool_calls[].id", "tool_calls[].type",
        "tool_calls[].function.name", "tool_calls[].custom.name", "function_call.name";
    Label => "name", "content[].file.filename";
    Media => "content[].image_url", "content[].image_url.url", "content[].input_audio.data", "content[].file.file_data",
        "content[].video_url.url", "content[].audio_url.url";
    Sealed => "extra_content.google.thought_signature", "tool_calls[].extra_content.google.thought_signature";
];

/// A grammar must parse, so it is inspected as a label.
pub(super) const CHAT_REQUEST: &[Selector] = rows![
    Name => "tools[].type", "tools[].function.name", "tools[].custom.name", "tools[].custom.format.type",
        "tools[].custom.format.grammar.syntax", "functions[].name", "tool_choice.**", "function_call",
        "function_call.name", "response_format.type", "response_format.json_schema.name", "modalities[]", "audio.voice",
        "audio.voice.id", "audio.format", "reasoning_effort", "verbosity", "prediction.type",
        "prediction.content[].type", "web_search_options.search_context_size", "web_search_options.user_location.type",
        "moderation.model";
    Label => "tools[].custom.format.grammar.definition";
];

pub(super) const RESPONSES_TABLES: &[&[Selector]] = &[
    COMMON,
    RESPONSES_REQUEST,
    RESPONSES_ITEMS,
    parts!("input[].content[]."),
    parts!("input[].output[]."),
    parts!("input[].output."),
    parts!("input[]."),
    parts!("prompt.variables.{*}."),
    tools!("tools[]."),
    tools!("tools[].tools[]."),
    tools!("input[].tools[]."),
    tools!("input[].tools[].tools[]."),
    schema!("text.format.schema"),
    schema!("tools[].parameters"),
    schema!("tools[].tools[].parameters"),
    schema!("input[].tools[].parameters"),
    schema!("input[].tools[].tools[].parameters"),
    schema!("input[].tools[].input_schema"),
    schema!("tools[].output_schema"),
    schema!("tools[].tools[].output_schema"),
    schema!("input[].tools[].output_schema"),
    schema!("input[].tools[].tools[].output_schema"),
    schema!("input[].text.format.schema"),
];

const RESPONSES_REQUEST: &[Selector] = rows![
    State => "previous_response_id", "conversation", "conversation.id";
    Name => "prompt.id", "prompt.version", "include[]",
        "truncation", "reasoning.effort", "reasoning.summary", "reasoning.generate_summary", "text.verbosity",
        "text.format.type", "text.format.name", "tool_choice.**", "context_management[].type",
        "background_options.continuation_id", "prompt_cache_options.comparison_response_id", "moderation.model",
        "reasoning.mode";
];

/// Items of a conversation. `result` is an image or, of a program, text, which the treatment tells apart by itself.
const RESPONSES_ITEMS: &[Selector] = rows![at "input[].";
    Name => "id", "role", "status", "phase", "call_id", "name", "namespace", "server_label", "container_id",
        "approval_request_id", "action.type", "operation.type", "results[].file_id", "outputs[].type", "execution",
        "caller.type", "caller.caller_id", "environment.type", "environment.container_id", "summary[].type",
        "content[].annotations[].type", "content[].annotations[].file_id", "content[].annotations[].container_id",
        "acknowledged_safety_checks[].id", "acknowledged_safety_checks[].code", "pending_safety_checks[].id",
        "pending_safety_checks[].code", "environment.skills[].name", "error.type", "error.code", "text.format.type",
        "text.format.name", "svg_usage.model", "size";
    Label => "action.url", "action.sources[].url", "operation.path", "results[].filename", "outputs[].url",
        "content[].annotations[].url", "content[].annotations[].filename";
    Media => "result";
    Sealed => "encrypted_content", "fingerprint", "content[].encrypted_content";
];
const MODERATION: &[Selector] = rows![
    Model => "model";
    Name => "input[].type";
    Media => "input[].image_url.url";
];

/// A message, whole or in pieces: whatever stands in a delta goes on in the next.
pub(super) const CHAT_ANSWERS: &[Selector] = rows![
    Model => "model";
    Name => "id", "object", "service_tier", "system_fingerprint", "obfuscation", "choices[].message.role",
        "choices[].message.tool_calls[].id", "choices[].message.tool_calls[].type", "choices[].message.audio.id",
        "choices[].message.annotations[].type", "choices[].delta.role", "choices[].delta.tool_calls[].id",
        "choices[].delta.tool_calls[].type", "choices[].delta.audio.id", "choices[].delta.annotations[].type";
    TOOL => "choices[].message.tool_calls[].function.name", "choices[].message.tool_calls[].custom.name",
        "choices[].message.function_call.name", "choices[].delta.tool_calls[].function.name",
        "choices[].delta.tool_calls[].custom.name", "choices[].delta.function_call.name";
    END => "choices[].finish_reason";
    INPUT => "usage.prompt_tokens";
    OUTPUT => "usage.completion_tokens";
    ECHO => "choices[].logprobs";
    Media => "choices[].message.audio.data", "choices[].message.images[].image_url.url", "choices[].delta.audio.data",
        "choices[].delta.images[].image_url.url";
    Sealed => "choices[].message.reasoning_details[].data", "choices[].message.reasoning_details[].signature",
        "choices[].delta.reasoning_details[].data", "choices[].delta.reasoning_details[].signature",
        "choices[].message.tool_calls[].extra_content.google.thought_signature",
        "choices[].delta.tool_calls[].extra_content.google.thought_signature";
    Text => "choices[].delta.annotations[].**";
    PIECE => "choices[].delta.**";
];

pub(super) const COMPLETIONS_ANSWERS: &[Selector] = rows![
    Model => "model";
    Name => "id", "object", "system_fingerprint";
    END => "choices[].finish_reason";
    INPUT => "usage.prompt_tokens";
    OUTPUT => "usage.completion_tokens";
    ECHO => "choices[].logprobs";
    PIECE => "choices[].text";
];

/// An item of an answer below `$at`.
macro_rules! answer_item {
    ($at:literal) => {
        rows![at $at;
            Name => "id", "type", "role", "status", "phase", "call_id", "server_label", "container_id",
                "approval_request_id", "content[].type", "summary[].type", "action.type", "outputs[].type",
                "results[].file_id", "content[].annotations[].type", "content[].annotations[].file_id",
                "content[].annotations[].container_id";
            TOOL => "name";
            ECHO => "content[].logprobs";
            Media => "result";
            Sealed => "encrypted_content", "content[].encrypted_content", "fingerprint";
        ]
    };
}

/// A whole answer below `$at`, which repeats the request's own settings.
macro_rules! answer_object {
    ($at:literal) => {
        rows![at $at;
            STATE => "id", "conversation.id";
            INPUT => "usage.input_tokens";
            OUTPUT => "usage.output_tokens";
            Model => "model";
            Name => "object", "status", "previous_response_id", "prompt.id",
                "prompt.version", "service_tier", "truncation", "background", "prompt_cache_retention", "tool_choice",
                "tool_choice.**", "reasoning.effort", "reasoning.summary", "text.verbosity", "text.format.type",
                "text.format.name", "tools[].type", "tools[].name", "tools[].server_label", "billing.payer",
                "incomplete_details.reason", "error.code";
        ]
    };
}

/// Events carry a piece, a finished part or item, or the whole answer so far: the same text up to five times.
pub(super) const RESPONSES_ANSWERS: &[&[Selector]] = &[
    rows![
        Name => "type", "item_id", "response_id", "obfuscation", "part.type", "annotation.type", "annotation.file_id",
            "annotation.container_id";
        ECHO => "logprobs", "part.logprobs";
        Media => "partial_image_b64";
        PIECE => "delta", "delta.**";
    ],
    answer_object!(""),
    answer_object!("response."),
    answer_item!("output[]."),
    answer_item!("response.output[]."),
    answer_item!("item."),
];
