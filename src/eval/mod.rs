//! How well detection does on labelled texts: rows and verdicts in, figures out. Reads no file and no clock.
//!
//! [`Row`] is one labelled line, [`Judged`] what the gateway's own path made of its text at each level, [`Report`] the
//! figures of all. Nothing here detects or decides: a row is judged by `sanitize::text`.

mod entity;
mod judged;
mod original;
mod prompts;
mod report;
mod row;
mod spans;
mod statistic;
mod table;
#[cfg(test)]
mod tests;
mod worst;

pub use judged::{Found, Judged, Level3};
pub use report::{Cost, Report};
pub use row::{Gold, Known, Row, RowError};
