//! Anthropic: messages, token counts, batches, models. Tables only.
//!
//! From the request types, beta ones included, of anthropic 0.125.0 and 2.12.0.

use super::rows::{CACHE_READ, CACHE_WRITE, INPUT, NAMES, OUTPUT, PIECE, TOOL, marks, rows, schema};
use super::{Dialect, Family};
use crate::codec::Selector;
use crate::codec::Treatment::{Credential, Label, MediaUnlessText, Model, Name, Sealed, Signed, Text};

/// What every content block may have, wherever it is nested.
macro_rules! block {
    ($at:expr) => {
        rows![at $at;
            Name => "type", "file_id", "cache_control.type", "cache_control.ttl", "source.type", "source.media_type",
                "source.file_id", "citations[].type", "citations[].file_id";
            Label => "source.url", "citations[].url";
            Sealed => "encrypted_content", "citations[].encrypted_index";
            MediaUnlessText => "source.data";
        ]
    };
}

macro_rules! tool {
    ($at:expr) => {
        rows![at $at;
            Name => "type", "name", "model", "mcp_server_name", "allowed_callers[]", "cache_control.type",
                "cache_control.ttl", "user_location.type", "tools[].name";
            Label => "allowed_domains[]", "blocked_domains[]";
        ]
    };
}

/// The tables of one message request below `$at`.
macro_rules! message_tables {
    ($at:literal $(, $more:expr)?) => {
        &[
            $($more,)?
            block!(concat!($at, "system[].")),
            block!(concat!($at, "messages[].content[].")),
            block!(concat!($at, "messages[].content[].source.content[].")),
            // Below tool results: a list of blocks, or one object for the provider's own tools.
            block!(concat!($at, "messages[].content[].content[].")),
            block!(concat!($at, "messages[].content[].content[].source.content[].")),
            block!(concat!($at, "messages[].content[].content[].content[].")),
            block!(concat!($at, "messages[].content[].content.content.")),
            block!(concat!($at, "messages[].content[].content.content.source.content[].")),
            block!(concat!($at, "messages[].content[].content.content[].")),
            rows![at concat!($at, "messages[].content[].");
                Name => "id", "name", "tool_use_id", "server_name", "mcp_server_name", "toolset_name", "caller.type",
                    "caller.tool_id", "from.model", "to.model", "tool.type", "tool.name", "tool.server_name",
                    "tool_changes[].type", "tool_changes[].tool.type", "tool_changes[].tool.name",
                    "tool_changes[].tool.server_name", "tools[].name";
                // The signature covers the text: changed, the provider refuses the next turn.
                Signed { key: "signature", up: 0 } => "thinking";
                Sealed => "signature", "data";
                Name => "content[].tool_name", "content[].tabs[].tab_id", "content[].state_changes[].type",
                    "content[].state_changes[].tab_id", "content[].state_changes[].download_id", "content.type",
                    "content.error_code", "content.file_type", "content.stop_reason", "content.tool_references[].type",
                    "content.tool_references[].tool_name";
                Label => "content[].url", "content.url";
                Sealed => "content.encrypted_stdout", "content.encrypted_content";
            ],
            rows![at $at;
                Model => "model";
                Name => "messages[].role", "container", "container.id", "container.skills[].type",
                    "container.skills[].skill_id", "container.skills[].version", "thinking.type", "thinking.display",
                    "tool_choice.**", "output_config.effort", "output_config.format.type", "output_format.type",
                    "context_management.edits[].type", "context_management.edits[].clear_tool_inputs[]",
                    "context_management.edits[].exclude_tools[]", "diagnostics.previous_message_id",
                    "thread.previous_message_id", "fallbacks[].model", "fallback_credit_token.mode", "inference_geo",
                    "speed", "user_profile_id", "workspace_id", "cache_control.type", "cache_control.ttl", "betas[]";
                Label => "metadata.{*}", "service_tier", "stop_sequences[]";
                Sealed => "fallback_credit_token", "fallback_credit_token.token";
                Name => "mcp_servers[].type", "mcp_servers[].name", "mcp_servers[].tool_configuration.allowed_tools[]";
                Label => "mcp_servers[].url";
                Credential => "mcp_servers[].authorization_token";
            ],
            tool!(concat!($at, "tools[].")),
            tool!(concat!($at, "messages[].content[].tool.definition.")),
            tool!(concat!($at, "messages[].content[].tool_changes[].tool.definition.")),
            schema!(concat!($at, "tools[].input_schema")),
            schema!(concat!($at, "tools[].tools[].input_schema")),
            schema!(concat!($at, "messages[].content[].tools[].input_schema")),
            schema!(concat!($at, "messages[].content[].tool.definition.input_schema")),
            schema!(concat!($at, "messages[].content[].tool_changes[].tool.definition.input_schema")),
            schema!(concat!($at, "output_config.format.schema")),
            schema!(concat!($at, "output_format.schema")),
            schema!(concat!($at, "fallbacks[].output_config.format.schema")),
        ]
    };
}

/// A tool's result is a block of a user message, its content a text or blocks of its own.
macro_rules! message_marks {
    ($at:literal) => {
        &[marks![at $at;
            Turn => "messages[]";
            System => "system";
            Assistant => "messages[].content[].input", "messages[].content[].thinking";
            Tool => "messages[].content[].content";
            Document => "messages[].content[].source", "messages[].content[].title", "messages[].content[].context",
                "messages[].content[].citations";
            Definition => "tools", "messages[].content[].tools", "messages[].content[].tool",
                "messages[].content[].tool_changes", "output_config", "output_format";
        ]]
    };
}

pub(super) static MESSAGES: Dialect =
    Dialect::json("anthropic.messages", Family::Anthropic, message_tables!(""), message_marks!(""))
        .answering(&[ANSWERS]);
pub(super) static COUNT_TOKENS: Dialect =
    Dialect::json("anthropic.count_tokens", Family::Anthropic, message_tables!(""), message_marks!(""))
        .answering(&[NAMES]);
pub(super) static BATCHES: Dialect = Dialect::json(
    "anthropic.batches",
    Family::Anthropic,
    message_tables!("requests[].params.", rows![Name => "requests[].custom_id";]),
    message_marks!("requests[].params."),
)
.answering(&[NAMES]);
pub(super) static MODELS: Dialect = Dialect::bodiless("anthropic.models", Family::Anthropic);

/// A message, whole or in events. What a signature covers stays as it is: it is sent back with the next turn.
const ANSWERS: &[Selector] = rows![
    Model => "model", "message.model";
    Name => "id", "type", "role", "stop_reason", "container.id", "usage.service_tier", "request_id",
        "error.type", "message.id", "message.type", "message.role", "message.stop_reason",
        "message.container.id", "message.usage.service_tier", "delta.type", "delta.stop_reason", "delta.container.id",
        "content[].type", "content[].id", "content[].tool_use_id", "content[].source.type",
        "content[].citations[].type", "content[].citations[].file_id", "content_block.type", "content_block.id",
        "content_block.tool_use_id", "content_block.content[].type", "delta.citation.type", "delta.citation.file_id";
    TOOL => "content[].name", "content_block.name";
    Sealed => "content[].thinking", "content[].signature", "content[].data", "content[].**.encrypted_content",
        "content[].**.encrypted_index", "content[].**.encrypted_stdout", "content_block.thinking",
        "content_block.signature", "content_block.data", "content_block.**.encrypted_content",
        "content_block.**.encrypted_index", "content_block.**.encrypted_stdout", "delta.thinking", "delta.signature",
        "delta.citation.encrypted_index";
    MediaUnlessText => "content[].content[].source.data", "content_block.content[].source.data";
    INPUT => "usage.input_tokens", "message.usage.input_tokens";
    CACHE_READ => "usage.cache_read_input_tokens", "message.usage.cache_read_input_tokens";
    CACHE_WRITE => "usage.cache_creation_input_tokens", "message.usage.cache_creation_input_tokens";
    OUTPUT => "usage.output_tokens", "message.usage.output_tokens";
    PIECE => "delta.text", "delta.partial_json";
];
