//! Anthropic: messages, token counts, batches, models. Tables only.
//!
//! From the request types, beta ones included, of anthropic 0.125.0 and 2.12.0.

use super::rows::{rows, schema};
use super::{Dialect, Family};
use crate::codec::Treatment::{Credential, Label, MediaUnlessText, Name, Sealed, Signed, Text};

/// The tables of one message request below `$at`.
macro_rules! message_tables {
    ($at:literal) => {
        &[
            rows![at concat!($at, "messages[].content[].");
                // Tool inputs are free-form: nothing in them has a meaning of its own.
                Text => "input.**";
                Name => "type", "id", "name", "tool_use_id", "server_name", "caller.type", "caller.tool_id", "file_id",
                    "cache_control.type", "cache_control.ttl", "source.type", "source.media_type", "source.file_id",
                    "citations[].type", "citations[].file_id", "tool_name", "tool.type", "tool.name";
                Label => "source.url", "citations[].url";
                // One that was changed would make the provider refuse the next turn.
                Signed { key: "signature", up: 0 } => "thinking";
                Sealed => "signature", "data", "encrypted_content", "citations[].encrypted_index";
                MediaUnlessText => "source.data", "source.content[].source.data";
                Name => "source.content[].type", "source.content[].source.type",
                    "source.content[].source.media_type", "source.content[].source.file_id",
                    "source.content[].cache_control.type", "source.content[].cache_control.ttl";
                Label => "source.content[].source.url";
            ],
            // Tool results: a list of blocks, or one object for the server's own tools.
            rows![at concat!($at, "messages[].content[].content[].");
                Name => "type", "file_id", "tool_name", "cache_control.type", "cache_control.ttl", "source.type",
                    "source.media_type", "source.file_id", "citations[].type", "citations[].file_id",
                    "source.content[].type", "source.content[].source.type", "source.content[].source.media_type",
                    "source.content[].source.file_id";
                Label => "url", "source.url", "citations[].url", "source.content[].source.url";
                Sealed => "encrypted_content", "citations[].encrypted_index";
                MediaUnlessText => "source.data", "source.content[].source.data";
            ],
            rows![at concat!($at, "messages[].content[].content.");
                Name => "type", "error_code", "file_type", "content[].type", "content[].file_id", "content.type",
                    "content.source.type", "content.source.media_type", "tool_references[].type",
                    "tool_references[].tool_name";
                Label => "url";
                Sealed => "encrypted_stdout", "encrypted_content";
                MediaUnlessText => "content.source.data";
            ],
            rows![at $at;
                Name => "model", "messages[].role", "system[].type", "system[].cache_control.type",
                    "system[].cache_control.ttl", "system[].citations[].type", "container", "container.id",
                    "container.skills[].type", "container.skills[].skill_id", "container.skills[].version",
                    "thinking.type", "thinking.display", "tool_choice.**", "output_config.effort",
                    "output_config.format.type", "output_format.type", "context_management.edits[].type",
                    "inference_geo", "speed", "cache_control.type", "cache_control.ttl";
                Label => "metadata.{*}", "service_tier", "stop_sequences[]";
                Name => "tools[].type", "tools[].name", "tools[].model", "tools[].mcp_server_name",
                    "tools[].allowed_callers[]", "tools[].cache_control.type", "tools[].cache_control.ttl",
                    "tools[].user_location.type";
                Label => "tools[].allowed_domains[]", "tools[].blocked_domains[]";
                Name => "mcp_servers[].type", "mcp_servers[].name", "mcp_servers[].tool_configuration.allowed_tools[]";
                Label => "mcp_servers[].url";
                Credential => "mcp_servers[].authorization_token";
            ],
            schema!(concat!($at, "tools[].input_schema")),
            schema!(concat!($at, "output_config.format.schema")),
            schema!(concat!($at, "output_format.schema")),
        ]
    };
}

pub(super) static MESSAGES: Dialect = Dialect::json("anthropic.messages", Family::Anthropic, message_tables!(""));
pub(super) static COUNT_TOKENS: Dialect =
    Dialect::json("anthropic.count_tokens", Family::Anthropic, message_tables!(""));
pub(super) static BATCHES: Dialect =
    Dialect::json("anthropic.batches", Family::Anthropic, message_tables!("requests[].params."));
pub(super) static MODELS: Dialect = Dialect::bodiless("anthropic.models", Family::Anthropic);
