//! stub
use super::{Dialect, Family};
pub(super) static CHAT: Dialect = Dialect::json("cohere.chat", Family::Cohere, &[]);
