//! Callers that are judged at a level of their own, by client id: set by an admin at run time. Knows no policy.

use std::collections::BTreeMap;

use super::Level;

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientLevels(BTreeMap<String, Level>);

/// How many callers may have one.
pub const MAX_CLIENT_LEVELS: usize = 1000;

/// Nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("more than {MAX_CLIENT_LEVELS} callers have a level of their own")]
pub struct TooManyLevels;

impl ClientLevels {
    pub fn of(&self, client: &str) -> Option<Level> {
        self.0.get(client).copied()
    }

    /// Gives a caller a level, or none. Returns the one before.
    ///
    /// # Errors
    /// [`TooManyLevels`]; of taking one away, none.
    pub fn set(&mut self, client: &str, level: Option<Level>) -> Result<Option<Level>, TooManyLevels> {
        let Some(level) = level else { return Ok(self.0.remove(client)) };
        if self.0.len() >= MAX_CLIENT_LEVELS && !self.0.contains_key(client) {
            return Err(TooManyLevels);
        }
        Ok(self.0.insert(client.to_owned(), level))
    }

    /// In the order of the ids.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Level)> {
        self.0.iter().map(|(client, level)| (client.as_str(), *level))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_has_the_level_it_was_given_until_it_is_taken_away() {
        let mut levels = ClientLevels::default();
        assert_eq!(levels.set("a", Some(Level::High)), Ok(None));
        assert_eq!(levels.set("a", Some(Level::Low)), Ok(Some(Level::High)));
        assert_eq!((levels.of("a"), levels.of("A")), (Some(Level::Low), None));
        assert_eq!(levels.set("b", None), Ok(None));
        assert_eq!(levels.set("a", None), Ok(Some(Level::Low)));
        assert_eq!((levels.of("a"), levels.iter().count()), (None, 0));
    }

    #[test]
    fn there_are_only_so_many() {
        let mut levels = ClientLevels::default();
        for number in 0..MAX_CLIENT_LEVELS {
            assert_eq!(levels.set(&number.to_string(), Some(Level::High)), Ok(None));
        }
        assert_eq!(levels.set("more", Some(Level::High)), Err(TooManyLevels));
        assert_eq!(levels.set("7", Some(Level::Low)), Ok(Some(Level::High)), "another for one that has one");
        assert_eq!(levels.set("8", None), Ok(Some(Level::High)));
        assert_eq!(levels.set("more", Some(Level::High)), Ok(None));
    }
}
