//! Azure OpenAI: OpenAI's bodies under deployment paths. Tables only.
//!
//! From the Azure clients of openai 1.109.1 and 3.54.0.

use super::openai::{CHAT_TABLES, COMPLETIONS_TABLES, EMBEDDINGS_TABLES, RESPONSES_TABLES};
use super::{Dialect, Family};

pub(super) static CHAT: Dialect = Dialect::json("azure.chat", Family::Azure, CHAT_TABLES);
pub(super) static COMPLETIONS: Dialect = Dialect::json("azure.completions", Family::Azure, COMPLETIONS_TABLES);
pub(super) static RESPONSES: Dialect = Dialect::json("azure.responses", Family::Azure, RESPONSES_TABLES);
pub(super) static EMBEDDINGS: Dialect = Dialect::json("azure.embeddings", Family::Azure, EMBEDDINGS_TABLES);
pub(super) static MODELS: Dialect = Dialect::bodiless("azure.models", Family::Azure);
