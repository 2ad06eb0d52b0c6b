//! Codecs: bytes to structure and back. Know nothing of findings, providers or HTTP.

pub mod selector;

pub use selector::{Selector, Treatment};
