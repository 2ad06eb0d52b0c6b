//! stub
use super::{Dialect, Family};
pub(super) static CHAT: Dialect = Dialect::json("mistral.chat", Family::Mistral, &[]);
pub(super) static FIM: Dialect = Dialect::json("mistral.fim", Family::Mistral, &[]);
pub(super) static EMBEDDINGS: Dialect = Dialect::json("mistral.embeddings", Family::Mistral, &[]);
pub(super) static MODELS: Dialect = Dialect::bodiless("mistral.models", Family::Mistral);
