//! stub
use super::{Dialect, Family};
pub(super) static GENERATE: Dialect = Dialect::json("gemini.generate", Family::Gemini, &[]);
pub(super) static STREAM: Dialect = Dialect::json("gemini.stream", Family::Gemini, &[]);
pub(super) static COUNT_TOKENS: Dialect = Dialect::json("gemini.count_tokens", Family::Gemini, &[]);
pub(super) static EMBED: Dialect = Dialect::json("gemini.embed", Family::Gemini, &[]);
pub(super) static MODELS: Dialect = Dialect::bodiless("gemini.models", Family::Gemini);
