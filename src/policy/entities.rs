//! Policy by entity type, over that of its category. Data, so that configuration can add to it.

use std::collections::BTreeMap;

use super::Action;

/// What is done with some entity types at every level, whatever their category says.
#[derive(Clone, Debug, PartialEq)]
pub struct Entities(BTreeMap<String, Override>);

/// `None` leaves it to the category.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Override {
    pub threshold: Option<f32>,
    pub action: Option<Action>,
}

/// Types that prompts are full of and that a tagger finds by guessing: left alone unless somebody asks.
pub const LEFT_ALONE: &[&str] =
    &["ADDRESS", "AGE", "DATE_TIME", "LOCATION", "NRP", "ORGANIZATION", "PERSON", "TITLE", "URL"];

impl Entities {
    pub fn of(&self, entity: &str) -> Override {
        self.0.get(entity).copied().unwrap_or_default()
    }

    pub fn set(&mut self, entity: &str, rule: Override) {
        self.0.insert(entity.to_owned(), rule);
    }

    pub(super) fn actions(&self) -> impl Iterator<Item = Action> {
        self.0.values().filter_map(|rule| rule.action)
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

impl Default for Entities {
    fn default() -> Self {
        let allow = Override { threshold: None, action: Some(Action::Allow) };
        Entities(LEFT_ALONE.iter().map(|entity| ((*entity).to_owned(), allow)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_left_alone_by_name_until_one_has_a_rule_of_its_own() {
        let mut entities = Entities::default();
        assert_eq!(entities.names().collect::<Vec<_>>(), LEFT_ALONE);
        assert!(entities.actions().all(|action| action == Action::Allow));
        assert_eq!(entities.actions().count(), LEFT_ALONE.len());
        assert_eq!(entities.of("EMAIL_ADDRESS"), Override::default());
        let rule = Override { threshold: Some(0.5), action: Some(Action::Mask) };
        entities.set("PERSON", rule);
        assert_eq!(entities.of("PERSON"), rule);
        assert!(entities.actions().any(|action| action == Action::Mask));
    }
}
