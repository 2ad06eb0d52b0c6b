//! Codecs: bytes to structure and back. Know nothing of findings, providers or HTTP.

pub mod coding;
pub mod frame;
pub mod json;
pub mod selector;

pub use selector::{Mark, Plan, Selector, Source, Treatment};
