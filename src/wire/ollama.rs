//! stub
use super::{Dialect, Family};
pub(super) static CHAT: Dialect = Dialect::json("ollama.chat", Family::Ollama, &[]);
pub(super) static GENERATE: Dialect = Dialect::json("ollama.generate", Family::Ollama, &[]);
pub(super) static EMBED: Dialect = Dialect::json("ollama.embed", Family::Ollama, &[]);
pub(super) static TAGS: Dialect = Dialect::bodiless("ollama.tags", Family::Ollama);
