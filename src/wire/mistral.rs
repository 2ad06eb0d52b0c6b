//! Mistral: chat, fill-in-the-middle, embeddings, models. Tables only.
//!
//! From the request types of mistralai 1.12.4 and 3.7.0.

use super::openai::CHAT_ANSWERS;
use super::rows::{NAMES, ROW, marks, rows, schema};
use super::{Dialect, Family};
use crate::codec::Treatment::{Credential, Label, Media, Model, Name, Sealed, Signed, Text};
use crate::codec::{Mark, Selector};

pub(super) static CHAT: Dialect = Dialect::json(
    "mistral.chat",
    Family::Mistral,
    &[COMMON, MESSAGES, TOOLS, schema!("tools[].function.parameters"), schema!("response_format.json_schema.schema")],
    &[MARKS],
)
.answering(&[ANSWERS, CHAT_ANSWERS]);
pub(super) static FIM: Dialect =
    Dialect::json("mistral.fim", Family::Mistral, &[COMMON], &[]).answering(&[ANSWERS, CHAT_ANSWERS]);
pub(super) static EMBEDDINGS: Dialect = Dialect::json(
    "mistral.embeddings",
    Family::Mistral,
    &[COMMON, rows![Name => "encoding_format", "output_dtype";]],
    &[],
)
.answering(&[NAMES]);
pub(super) static MODELS: Dialect = Dialect::bodiless("mistral.models", Family::Mistral);

const MARKS: &[Mark] = marks![
    Turn => "messages[]";
    Assistant => "messages[].tool_calls", "messages[].content[].thinking";
    Document => "prediction";
    Definition => "tools", "response_format";
];

const COMMON: &[Selector] = rows![
    Model => "model";
    Name => "agent_id", "prompt_mode", "reasoning_effort";
    Label => "metadata.{*}", "prompt_cache_key", "service_tier", "stop", "stop[]", "user";
];

/// Thinking is a list of chunks under the signature of their part, or in older bodies a string beside it.
const MESSAGES: &[Selector] = rows![at "messages[].";
    Name => "role", "tool_call_id", "tool_calls[].id", "tool_calls[].type", "tool_calls[].function.name",
        "content[].type", "content[].file_id", "content[].image_url.detail", "content[].content.type",
        "content[].content.image_url.detail", "content[].reference_ids[]", "content[].thinking[].type",
        "content[].thinking[].reference_ids[]", "content[].thinking[].tool";
    Label => "name", "content[].document_name", "content[].metadata.{*}", "content[].uri", "content[].thinking[].url",
        "content[].thinking[].favicon";
    Media => "content[].image_url", "content[].image_url.url", "content[].input_audio", "content[].input_audio.data",
        "content[].document_url", "content[].content.image_url", "content[].content.image_url.url";
    Signed { key: "signature", up: 1 } => "content[].thinking[].text";
    Signed { key: "signature", up: 0 } => "content[].thinking";
    Sealed => "content[].signature";
];

const TOOLS: &[Selector] = rows![
    Name => "tools[].type", "tools[].function.name", "tools[].connector_id", "tools[].library_ids[]",
        "tools[].authorization.type", "tools[].tool_configuration.include[]", "tools[].tool_configuration.exclude[]",
        "tools[].tool_configuration.requires_confirmation[]", "tool_choice.**", "response_format.type",
        "response_format.json_schema.name", "prediction.type", "guardrails[].{*}.model_name", "guardrails[].{*}.action";
    Credential => "tools[].authorization.value";
];

/// Before OpenAI's rows: content may be a list of parts, and thinking may be signed.
const ANSWERS: &[Selector] = rows![
    Name => "choices[].message.content[].type", "choices[].message.content[].thinking[].type",
        "choices[].delta.content[].type", "choices[].delta.content[].thinking[].type";
    Sealed => "choices[].message.content[].signature", "choices[].delta.content[].signature";
    ROW => "choices[].delta.content[].text", "choices[].delta.content[].thinking[].text";
];
