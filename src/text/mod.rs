//! Text as the detectors see it. Knows nothing of JSON, rules or policy.

pub mod entropy;
pub mod span;

pub use span::Span;
