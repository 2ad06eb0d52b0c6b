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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_keeps_to_its_own_level_and_without_one_to_that_in_force() {
        let policy = |level| NamedPolicy { name: "own".into(), level, matrix: Matrix::default() };
        for in_force in Level::ALL {
            assert_eq!(policy(None).level_under(in_force), in_force);
            assert_eq!(policy(Some(Level::High)).level_under(in_force), Level::High);
        }
    }
}
