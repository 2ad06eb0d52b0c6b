//! Security levels: the one dial an admin turns at run time.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Ordered: a higher level never allows what a lower one refuses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    Low,
    #[default]
    Medium,
    High,
}

impl Level {
    pub const ALL: [Level; 3] = [Level::Low, Level::Medium, Level::High];

    pub const fn name(self) -> &'static str {
        match self {
            Level::Low => "low",
            Level::Medium => "medium",
            Level::High => "high",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The text named no level. It is not repeated here: it came from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown security level; valid levels are low, medium, high")]
pub struct UnknownLevel;

impl FromStr for Level {
    type Err = UnknownLevel;

    /// Case-insensitive, as the original server was.
    fn from_str(text: &str) -> Result<Self, UnknownLevel> {
        Level::ALL.into_iter().find(|level| level.name().eq_ignore_ascii_case(text)).ok_or(UnknownLevel)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_is_read_as_it_is_written_in_either_case_and_nothing_else_is_one() {
        for (level, name) in Level::ALL.into_iter().zip(["low", "medium", "high"]) {
            assert_eq!((level.name(), &*level.to_string()), (name, name));
            assert_eq!((name.parse(), name.to_uppercase().parse()), (Ok(level), Ok(level)));
        }
        assert_eq!(["", "highest", " low"].map(str::parse::<Level>), [Err(UnknownLevel); 3]);
    }
}
