//! A policy that has a name: what some routes and callers are judged by in place of the common one, or what may become the
//! common one. Which it is, configuration says.

use std::sync::Arc;

use super::{Level, Matrix};

#[derive(Clone, Debug, PartialEq)]
pub struct NamedPolicy {
    pub name: Arc<str>,
    /// What it keeps to; the level in force without one.
    pub level: Option<Level>,
    pub matrix: Matrix,
}

impl NamedPolicy {
    pub fn level_under(&self, in_force: Level) -> Level {
        self.level.unwrap_or(in_force)
    }
}
