//! Detection: text in, findings out. Decides nothing; `policy` does.

pub mod finding;
pub mod semantics;

pub use finding::{Category, Finding, Severity};
