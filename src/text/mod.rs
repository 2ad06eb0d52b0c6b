//! Text as the detectors see it. Knows nothing of JSON, rules or policy.

mod confusable;
pub mod decode;
pub mod entropy;
pub mod fold;
pub mod span;
pub mod squeeze;
pub mod unescape;
pub mod view;

pub use span::Span;
pub use view::View;
