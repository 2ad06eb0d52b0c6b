//! Where in a match its secret stands, told by what may not stand in it: `key\s*=\s*"(?P<secret>[^"]+)"` has it behind the last quote but
//! one. A search for groups says the same and is several times as dear as the one for the match. Looks at patterns, and at matches.

use regex_syntax::hir::{Class, Hir, HirKind};

use crate::text::Span;

/// What is known of every match of a pattern.
#[derive(Clone, Debug)]
pub(super) struct Enclosed {
    /// The bytes that a secret consists of, none of which stands directly before it.
    inside: Bytes,
    /// How many bytes of a match stand behind it.
    behind: usize,
}

/// A set of bytes.
type Bytes = Box<[bool; 256]>;

impl Enclosed {
    /// `None` if a byte of the secret could stand before it as well, or nothing. `behind` bytes follow the part `secret` of
    /// `parts`.
    pub fn new(parts: &[Hir], secret: usize, behind: usize) -> Option<Self> {
        let mut inside = Bytes::new([false; 256]);
        all(parts.get(secret)?, &mut inside)?;
        let mut before = Bytes::new([false; 256]);
        let is_empty = last(parts.get(..secret)?, &mut before)?;
        let apart = inside.iter().zip(before.iter()).all(|(inside, before)| !(inside & before));
        (apart && !is_empty).then_some(Enclosed { inside, behind })
    }

    /// The secret of the match `whole`.
    pub fn secret(&self, bytes: &[u8], whole: Span) -> Option<Span> {
        let found = bytes.get(whole.start..whole.end.checked_sub(self.behind)?)?;
        let before = found.iter().rposition(|byte| !self.inside[usize::from(*byte)])?;
        Some(Span::new(whole.start + before + 1, whole.start + found.len()))
    }
}

/// Adds all bytes that a match of `hir` may have. `None` if they cannot be told.
fn all(hir: &Hir, bytes: &mut Bytes) -> Option<()> {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => Some(()),
        HirKind::Literal(literal) => {
            literal.0.iter().for_each(|byte| bytes[usize::from(*byte)] = true);
            Some(())
        }
        HirKind::Class(class) => add(class, bytes),
        HirKind::Repetition(repeated) => all(&repeated.sub, bytes),
        HirKind::Capture(group) => all(&group.sub, bytes),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => parts.iter().try_for_each(|part| all(part, bytes)),
    }
}

/// Adds the bytes that a match of all `parts` may end with, and says whether it may be empty. `None` if that cannot be told.
fn last(parts: &[Hir], bytes: &mut Bytes) -> Option<bool> {
    for part in parts.iter().rev() {
        if !last_of(part, bytes)? {
            return Some(false);
        }
    }
    Some(true)
}

fn last_of(hir: &Hir, bytes: &mut Bytes) -> Option<bool> {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => Some(true),
        HirKind::Literal(literal) => {
            bytes[usize::from(*literal.0.last()?)] = true;
            Some(false)
        }
        HirKind::Class(class) => add(class, bytes).map(|()| false),
        HirKind::Repetition(repeated) => Some(last_of(&repeated.sub, bytes)? || repeated.min == 0),
        HirKind::Capture(group) => last_of(&group.sub, bytes),
        HirKind::Concat(parts) => last(parts, bytes),
        HirKind::Alternation(branches) => {
            branches.iter().try_fold(false, |empty, branch| Some(last_of(branch, bytes)? || empty))
        }
    }
}

fn add(class: &Class, bytes: &mut Bytes) -> Option<()> {
    let Class::Bytes(class) = class else { return None };
    for range in class.iter() {
        (range.start()..=range.end()).for_each(|byte| bytes[usize::from(byte)] = true);
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use regex_automata::meta::Regex;
    use regex_syntax::ParserBuilder;

    use super::*;

    fn enclosed(pattern: &str) -> (Hir, Option<Enclosed>) {
        let hir = ParserBuilder::new().unicode(false).utf8(false).build().parse(pattern).expect("a pattern");
        let HirKind::Concat(parts) = hir.kind() else { return (hir, None) };
        let secret = parts.iter().position(|part| matches!(part.kind(), HirKind::Capture(_))).expect("a group");
        let behind = parts[secret + 1..].iter().filter_map(|part| part.properties().maximum_len()).sum();
        let enclosed = Enclosed::new(parts, secret, behind);
        (hir, enclosed)
    }

    #[test]
    fn a_secret_begins_behind_the_last_byte_it_cannot_have() {
        for (pattern, text) in [
            (r#"(?i)key\s{0,3}[:=]\s{0,3}"(?P<secret>[^"\s]{3,})""#, r#"a KEY = "s3=cret:" b"#),
            (r"\b(?:token|bearer)\s{1,3}'?(?P<secret>[a-z0-9]{4,}={0,2})", "the bearer  'abcd12== is"),
            (r"pass(?:word|)[:=](?P<secret>(?:[a-z]+-)?\d+)[,;]", "password=ab-12, pass:77;"),
        ] {
            let (hir, enclosed) = enclosed(pattern);
            let regex = Regex::builder().build_from_hir(&hir).expect("compiles");
            let enclosed = enclosed.expect("ends before the secret");
            let mut groups = regex.create_captures();
            regex.captures(text, &mut groups);
            let (whole, secret) = (groups.get_match().expect("a match"), groups.get_group(1).expect("a secret"));
            let found = enclosed.secret(text.as_bytes(), Span::new(whole.start(), whole.end()));
            assert_eq!(found, Some(Span::new(secret.start, secret.end)), "{pattern}");
        }
    }

    #[test]
    fn where_a_byte_of_the_secret_may_stand_before_it_nothing_is_told() {
        for pattern in [r"key[:=]?(?P<secret>[a-z]+)", r"k=(?P<secret>[a-z=]+)", r"\s?(?P<secret>[a-z]+)"] {
            assert!(enclosed(pattern).1.is_none(), "{pattern}");
        }
    }
}
