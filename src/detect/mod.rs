//! Detection: text in, findings out. Decides nothing; `policy` does.

pub mod finding;
pub mod validate;

pub use finding::{Category, Finding, Severity};
