//! What a word can be: nothing, or the beginning or the rest of an entity. Knows no text.

/// An entity the model names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Person,
    Location,
    Address,
    Organization,
    Group,
    Title,
}

impl Kind {
    pub const ALL: [Kind; 6] =
        [Kind::Person, Kind::Location, Kind::Address, Kind::Organization, Kind::Group, Kind::Title];

    /// The entity type of findings: a Presidio name, but for `ADDRESS` and `TITLE`, which Presidio has not.
    pub const fn entity(self) -> &'static str {
        match self {
            Kind::Person => "PERSON",
            Kind::Location => "LOCATION",
            Kind::Address => "ADDRESS",
            Kind::Organization => "ORGANIZATION",
            Kind::Group => "NRP",
            Kind::Title => "TITLE",
        }
    }

    /// The last part of the rule's id.
    pub const fn name(self) -> &'static str {
        match self {
            Kind::Person => "person",
            Kind::Location => "location",
            Kind::Address => "address",
            Kind::Organization => "organization",
            Kind::Group => "nationality",
            Kind::Title => "title",
        }
    }

    /// The label of the first word of such an entity, of the others.
    pub const fn labels(self) -> (usize, usize) {
        (1 + 2 * self as usize, 2 + 2 * self as usize)
    }
}

/// The label of a word that belongs to no entity.
pub const OUTSIDE: usize = 0;
/// Labels in use: outside, and two for each kind.
pub const LABELS: usize = 1 + 2 * Kind::ALL.len();
/// Labels with padding: what a row of weights holds, the last two bytes of which tell whose row it is.
pub const LANES: usize = 16;

/// What the label's entity is, and whether the word is its first.
pub fn kind(label: usize) -> Option<(Kind, bool)> {
    let kind = Kind::ALL.get(label.checked_sub(1)? / 2)?;
    Some((*kind, label % 2 == 1))
}

/// Whether a word labelled `next` may follow one labelled `before`: the rest of an entity has a beginning.
pub fn may_follow(before: usize, next: usize) -> bool {
    match kind(next) {
        Some((wanted, false)) => kind(before).is_some_and(|(found, _)| found == wanted),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_and_kinds_lead_to_each_other() {
        for kind_of in Kind::ALL {
            let (first, rest) = kind_of.labels();
            assert_eq!((kind(first), kind(rest)), (Some((kind_of, true)), Some((kind_of, false))));
            assert!(may_follow(first, rest) && may_follow(rest, rest) && !may_follow(OUTSIDE, rest) && rest < LABELS);
        }
        assert_eq!((kind(OUTSIDE), kind(LABELS)), (None, None));
    }
}
