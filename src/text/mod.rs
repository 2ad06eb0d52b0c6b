//! Text as the detectors see it. Knows nothing of JSON, rules or policy.

mod confusable;
pub mod decode;
pub(crate) mod english;
pub mod entropy;
pub mod fold;
mod leet;
pub mod mend;
pub mod offsets;
pub mod origin;
mod segment;
pub mod span;
mod table;
pub mod unescape;
pub mod view;
pub mod words;
pub mod wrap;

pub use origin::Origin;
pub use span::Span;
pub use view::View;
