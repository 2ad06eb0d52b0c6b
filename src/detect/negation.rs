//! A pattern that may begin with a negation, as two: which of them matched tells what else only a search for groups would, which is
//! several times as dear. Looks at patterns, never at text.

use regex_syntax::hir::{Hir, HirKind};

/// The pattern with the negation, whose group is `not`, and without it. Matched together and in this order they are what the
/// pattern is, which takes the negation where it can. `None` if it has none, or in another place.
pub(super) fn split(pattern: &Hir) -> Option<[Hir; 2]> {
    let HirKind::Concat(parts) = pattern.kind() else { return None };
    let at = parts.iter().position(|part| !matches!(part.kind(), HirKind::Look(_)))?;
    let (looks, rest) = parts.split_at(at);
    let (first, rest) = rest.split_first()?;
    let HirKind::Repetition(negation) = first.kind() else { return None };
    let optional = (negation.min, negation.max, negation.greedy) == (0, Some(1), true);
    let alone = pattern.properties().explicit_captures_len() == 1 && has_group(&negation.sub);
    (optional && alone)
        .then(|| [Hir::concat([looks, &[(*negation.sub).clone()], rest].concat()), Hir::concat([looks, rest].concat())])
}

/// Whether the group `not` is a part of every match.
fn has_group(hir: &Hir) -> bool {
    match hir.kind() {
        HirKind::Capture(group) => group.name.as_deref() == Some("not") || has_group(&group.sub),
        HirKind::Concat(parts) => parts.iter().any(has_group),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use regex_automata::meta::Regex;
    use regex_syntax::ParserBuilder;

    use super::*;

    fn parsed(pattern: &str) -> Hir {
        ParserBuilder::new().unicode(false).utf8(false).build().parse(pattern).expect("a pattern")
    }

    #[test]
    fn which_of_the_two_matches_is_whether_the_group_takes_part() {
        let pattern = parsed(r"\b(?:(?P<not>never|do not) (?:ever )?)?(?:do not stop|stop|tell) it");
        let one = Regex::builder().build_from_hir(&pattern).expect("compiles");
        let two = split(&pattern).expect("begins with a negation");
        let two = Regex::builder().build_many_from_hir(&two).expect("compiles");
        for text in [
            "stop it",
            "never stop it",
            "never ever tell it",
            "do not stop it",
            "never do not stop it",
            "whenever stop it",
        ] {
            let mut groups = one.create_captures();
            one.captures(text, &mut groups);
            let found = two.find(text).expect("a match");
            assert_eq!(groups.get_match().map(|found| found.span()), Some(found.span()), "{text}");
            assert_eq!(groups.get_group_by_name("not").is_some(), found.pattern().as_usize() == 0, "{text}");
        }
    }

    #[test]
    fn other_patterns_are_left_whole() {
        for pattern in
            [r"a (?:never )?b", r"(?:(?P<not>a)|b)?c", r"(?P<not>a)??b", r"(?P<not>a)?(?P<secret>b)", r"a(?P<not>b)?c"]
        {
            assert!(split(&parsed(pattern)).is_none(), "{pattern}");
        }
    }
}
