//! Azure OpenAI: OpenAI's bodies under deployment paths, and the credentials of data sources. Tables only.
//!
//! From the Azure clients of openai 1.109.1 and 3.54.0; `data_sources` from the reference of Azure OpenAI On Your Data.

use super::openai::{
    CHAT_ANSWERS, CHAT_MARKS, CHAT_MESSAGES, CHAT_REQUEST, COMMON, COMPLETIONS_ANSWERS, COMPLETIONS_TABLES,
    EMBEDDINGS_TABLES, FORMAT_SCHEMA, FUNCTION_SCHEMA, RESPONSES_ANSWERS, RESPONSES_MARKS, RESPONSES_TABLES,
    TOOL_SCHEMA,
};
use super::rows::{NAMES, marks, rows};
use super::{Dialect, Family};
use crate::codec::Treatment::{Credential, Label, Name};
use crate::codec::{Mark, Selector};

pub(super) static CHAT: Dialect =
    Dialect::json("azure.chat", Family::Azure, CHAT_TABLES, &[CHAT_MARKS, ROLE]).answering(&[CHAT_ANSWERS]);
pub(super) static COMPLETIONS: Dialect =
    Dialect::json("azure.completions", Family::Azure, COMPLETIONS_TABLES, &[]).answering(&[COMPLETIONS_ANSWERS]);
pub(super) static RESPONSES: Dialect =
    Dialect::json("azure.responses", Family::Azure, RESPONSES_TABLES, &[RESPONSES_MARKS]).answering(RESPONSES_ANSWERS);
pub(super) static EMBEDDINGS: Dialect =
    Dialect::json("azure.embeddings", Family::Azure, EMBEDDINGS_TABLES, &[]).answering(&[NAMES]);
pub(super) static MODELS: Dialect = Dialect::bodiless("azure.models", Family::Azure);

const CHAT_TABLES: &[&[Selector]] =
    &[COMMON, CHAT_MESSAGES, CHAT_REQUEST, DATA_SOURCES, TOOL_SCHEMA, FUNCTION_SCHEMA, FORMAT_SCHEMA];

/// `role_information` is a prompt and stays text.
const DATA_SOURCES: &[Selector] = rows![at "data_sources[].";
    Name => "type", "parameters.authentication.type", "parameters.embedding_dependency.type",
        "parameters.embedding_dependency.deployment_name", "parameters.embedding_dependency.authentication.type",
        "parameters.index_name", "parameters.query_type";
    Label => "parameters.endpoint", "parameters.embedding_dependency.endpoint";
    Credential => "parameters.authentication.{*}", "parameters.embedding_dependency.authentication.{*}";
];

const ROLE: &[Mark] = marks![System => "data_sources[].parameters.role_information";];
