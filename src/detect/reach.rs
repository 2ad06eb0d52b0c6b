//! How long a text a pattern must see before it can be said to match. Looks at patterns, never at text.

use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Class, Hir, HirKind, Look};

use super::enclosed::Enclosed;
use super::need::{self, Literals};

/// Bytes from the start of a match after which the rest can only lengthen it: `sk-[a-z]{20,}` needs 23. `None` if a part
/// without limit has to be followed by something, or the limit is of no use.
pub(super) fn of(pattern: &str) -> Option<usize> {
    let hir = ParserBuilder::new().unicode(false).utf8(false).build().parse(pattern).ok()?;
    needed(&hir).filter(|bytes| *bytes <= LONGEST)
}

fn needed(hir: &Hir) -> Option<usize> {
    match hir.kind() {
        HirKind::Alternation(branches) => branches.iter().map(needed).try_fold(0, |most, bytes| Some(most.max(bytes?))),
        HirKind::Capture(group) => needed(&group.sub),
        HirKind::Repetition(repeated) => {
            let once = repeated.sub.properties().maximum_len()?;
            Some(once * usize::try_from(repeated.min).ok()?)
        }
        HirKind::Concat(parts) => {
            let last = parts.iter().rposition(|part| part.properties().minimum_len() != Some(0))?;
            let before = parts[..last].iter().map(|part| part.properties().maximum_len());
            before.chain([needed(&parts[last])]).try_fold(0, |sum, bytes| Some(sum + bytes?))
        }
        _ => hir.properties().maximum_len(),
    }
}

/// At most how many bytes behind the start of a match the first of its `keywords` begins. `None` if that has no limit, or a
/// match need not have one: `(?:my )?(?:ip|host) is` has `ip` or `host` after at most three bytes.
pub fn lead(pattern: &str, keywords: &[Vec<u8>]) -> Option<usize> {
    let hir = ParserBuilder::new().unicode(false).utf8(false).build().parse(pattern).ok()?;
    first(&hir, keywords)
}

/// Every match begins with one of its `keywords`, where a word does: `ip` inside `script` is none.
pub fn begins_with_word(pattern: &str, keywords: &[Vec<u8>]) -> bool {
    let hir = ParserBuilder::new().unicode(false).utf8(false).build().parse(pattern);
    let Ok(HirKind::Concat(parts)) = hir.map(Hir::into_kind) else { return false };
    let words = keywords.iter().all(|keyword| keyword.first().is_some_and(u8::is_ascii_alphanumeric));
    let boundary = matches!(parts.first().map(Hir::kind), Some(HirKind::Look(Look::WordAscii | Look::WordStartAscii)));
    words && boundary && first(&Hir::concat(parts), keywords) == Some(0)
}

fn first(hir: &Hir, keywords: &[Vec<u8>]) -> Option<usize> {
    match hir.kind() {
        HirKind::Capture(group) => first(&group.sub, keywords),
        HirKind::Repetition(repeated) if repeated.min > 0 => first(&repeated.sub, keywords),
        HirKind::Alternation(branches) => {
            branches.iter().map(|branch| first(branch, keywords)).try_fold(0, |most, bytes| Some(most.max(bytes?)))
        }
        HirKind::Concat(parts) => {
            let mut before = 0;
            for (at, part) in parts.iter().enumerate() {
                if let Some(inside) = first(part, keywords).or_else(|| spelled(&parts[at..], keywords)) {
                    return Some(before + inside);
                }
                before += part.properties().maximum_len()?;
            }
            None
        }
        _ => spelled(std::slice::from_ref(hir), keywords),
    }
}

/// The same where the parts begin with literals of which each holds a keyword.
fn spelled(parts: &[Hir], keywords: &[Vec<u8>]) -> Option<usize> {
    let mut all: Literals = vec![Vec::new()];
    for part in parts {
        all = need::joined(&all, &need::exact(part)?)?;
        let mut places = all.iter().map(|literal| {
            let starts = |at: &usize| keywords.iter().any(|keyword| literal[*at..].starts_with(keyword));
            (0..literal.len()).find(starts)
        });
        if let Some(most) = places.try_fold(0, |most, place| Some(most.max(place?))) {
            return Some(most);
        }
    }
    None
}

/// What a pattern finds, if no white space is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unbroken {
    /// Bytes that may be in it.
    pub bytes: [bool; 256],
    /// Bytes of the shortest.
    pub shortest: usize,
    /// Each has an `@`.
    pub at: bool,
}

/// `None` if what is found, the group `secret` or all of the match, may have white space in it.
pub fn unbroken(pattern: &str) -> Option<Unbroken> {
    let hir = ParserBuilder::new().unicode(false).utf8(false).build().parse(pattern).ok()?;
    let found = secret(&hir).unwrap_or(&hir);
    let mut bytes = [false; 256];
    add_bytes(found, &mut bytes);
    let broken = (0..=u8::MAX).any(|byte| byte.is_ascii_whitespace() && bytes[usize::from(byte)]);
    let shortest = found.properties().minimum_len().unwrap_or(0);
    (!broken).then(|| Unbroken { bytes, shortest, at: holds(found, b'@') })
}

fn secret(hir: &Hir) -> Option<&Hir> {
    match hir.kind() {
        _ if is_secret(hir) => Some(hir),
        HirKind::Capture(group) => secret(&group.sub),
        HirKind::Repetition(repeated) => secret(&repeated.sub),
        HirKind::Alternation(parts) | HirKind::Concat(parts) => parts.iter().find_map(secret),
        _ => None,
    }
}

/// Adds what may stand in a match.
fn add_bytes(hir: &Hir, bytes: &mut [bool; 256]) {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => {}
        HirKind::Literal(literal) => literal.0.iter().for_each(|byte| bytes[usize::from(*byte)] = true),
        HirKind::Class(Class::Bytes(class)) => {
            class.iter().for_each(|range| bytes[usize::from(range.start())..=usize::from(range.end())].fill(true))
        }
        HirKind::Class(Class::Unicode(_)) => bytes.fill(true),
        HirKind::Capture(group) => add_bytes(&group.sub, bytes),
        HirKind::Repetition(repeated) => add_bytes(&repeated.sub, bytes),
        HirKind::Alternation(parts) | HirKind::Concat(parts) => parts.iter().for_each(|part| add_bytes(part, bytes)),
    }
}

/// Whether every match has this byte.
fn holds(hir: &Hir, byte: u8) -> bool {
    match hir.kind() {
        HirKind::Literal(literal) => literal.0.contains(&byte),
        HirKind::Capture(group) => holds(&group.sub, byte),
        HirKind::Repetition(repeated) => repeated.min > 0 && holds(&repeated.sub, byte),
        HirKind::Alternation(branches) => branches.iter().all(|branch| holds(branch, byte)),
        HirKind::Concat(parts) => parts.iter().any(|part| holds(part, byte)),
        _ => false,
    }
}

/// Bytes before the secret and behind it, for each pattern.
pub type Margins = Vec<(usize, usize)>;

/// A pattern as one or a few that together match the same, and for each how many bytes of every match stand before the group
/// `secret` and behind it. None of those if that is not the same for all matches but those at the edges of the text. What may
/// stand in front of a secret often differs in length: `(?:^|[^#]|[a-z]#)` is a pattern each.
pub fn margins(pattern: &str) -> Result<(Vec<Hir>, Margins), Box<regex_syntax::Error>> {
    let hir = ParserBuilder::new().unicode(false).utf8(false).build().parse(pattern)?;
    let branches = branches(&hir).unwrap_or_default();
    let margins: Vec<_> = branches.iter().map_while(around_secret).collect();
    if let Some(margins) = around_secret(&hir) {
        return Ok((vec![hir], vec![margins]));
    }
    let all = !branches.is_empty() && margins.len() == branches.len();
    Ok(if all { (branches, margins) } else { (vec![hir], Vec::new()) })
}

/// The pattern once for each way it may begin, in the order in which they are preferred.
fn branches(hir: &Hir) -> Option<Vec<Hir>> {
    let HirKind::Concat(parts) = hir.kind() else { return None };
    let (first, rest) = parts.split_first()?;
    let HirKind::Alternation(branches) = first.kind() else { return None };
    let few = branches.len() <= MOST_BRANCHES && first.properties().explicit_captures_len() == 0;
    let whole = |branch: &Hir| Hir::concat([std::slice::from_ref(branch), rest].concat());
    few.then(|| branches.iter().map(whole).collect())
}

fn around_secret(hir: &Hir) -> Option<(usize, usize)> {
    let HirKind::Concat(parts) = hir.kind() else { return is_secret(hir).then_some((0, 0)) };
    let at = parts.iter().position(is_secret)?;
    let length = |parts: &[Hir]| parts.iter().try_fold(0, |sum, part| Some(sum + inside(part)?.0));
    Some((length(&parts[..at])?, length(&parts[at + 1..])?))
}

/// Where the secret stands in matches of `hir`, if what may not stand in it tells.
pub fn enclosed(hir: &Hir) -> Option<Enclosed> {
    let HirKind::Concat(parts) = hir.kind() else { return None };
    let at = parts.iter().position(is_secret).filter(|_| hir.properties().explicit_captures_len() == 1)?;
    let behind = parts[at + 1..].iter().try_fold(0, |sum, part| Some(sum + inside(part)?.0))?;
    Enclosed::new(parts, at, behind)
}

fn is_secret(hir: &Hir) -> bool {
    matches!(hir.kind(), HirKind::Capture(group) if group.name.as_deref() == Some("secret"))
}

/// The one length of what a part matches away from the edges of the text, and whether it can match there. `None` if it has
/// several.
fn inside(hir: &Hir) -> Option<(usize, bool)> {
    match hir.kind() {
        HirKind::Look(Look::Start | Look::End) => Some((0, false)),
        HirKind::Capture(group) => inside(&group.sub),
        HirKind::Concat(parts) => parts.iter().try_fold((0, true), |(sum, may), part| {
            let (length, able) = inside(part)?;
            Some((sum + length, may && able))
        }),
        HirKind::Alternation(branches) => {
            let lengths = branches.iter().map(inside).collect::<Option<Vec<_>>>()?;
            let mut able = lengths.iter().filter(|(_, able)| *able).map(|(length, _)| *length);
            let first = able.next();
            let empty = lengths.iter().all(|(length, able)| *able || *length == 0);
            (empty && able.all(|length| Some(length) == first)).then_some((first.unwrap_or(0), first.is_some()))
        }
        _ => {
            let (least, most) = (hir.properties().minimum_len()?, hir.properties().maximum_len()?);
            (least == most).then_some((least, true))
        }
    }
}

const LONGEST: usize = 2048;
const MOST_BRANCHES: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_open_end_may_be_cut() {
        for (pattern, bytes) in [
            (r"\bsk-[a-z]{20,}", Some(23)),
            (r"\bsk-(?P<secret>[a-z]{20,})={0,2}\b", Some(23)),
            (r"ab?c", Some(3)),
            (r"a[^b]*b", None),
            (r"(?:x{3}|y{5,})", Some(5)),
        ] {
            assert_eq!(of(pattern), bytes, "{pattern}");
        }
    }

    #[test]
    fn a_keyword_begins_within_so_many_bytes_of_its_match() {
        for (pattern, bytes) in [
            (r"(?i)\b(?:ip|host(?:name)?) is", Some(0)),
            (r"(?i)\b(?:my |our )?(?:the IP|host)", Some(8)),
            (r"(?:^|[^a-z])x?host", Some(2)),
            (r"[a-z]*host", None),
            (r"(?:host|server)", None),
            (r"(?:host)? ip?", None),
        ] {
            assert_eq!(lead(pattern, &[b"ip".to_vec(), b"host".to_vec()]), bytes, "{pattern}");
        }
    }

    #[test]
    fn a_keyword_begins_a_word_if_nothing_may_stand_between() {
        for (pattern, begins) in [
            (r"(?i)\b(?:ip|host(?:name)?) is", true),
            (r"\b(?:my )?ip", false),
            (r"(?:ip|host) is", false),
            (r"\b(?:ip|x) is", false),
        ] {
            assert_eq!(begins_with_word(pattern, &[b"ip".to_vec(), b"host".to_vec()]), begins, "{pattern}");
        }
    }

    #[test]
    fn what_is_found_is_unbroken_if_it_has_no_white_space() {
        for (pattern, found) in [
            (r"\bsk-[a-z]{20,}\b", Some((23, false))),
            (r"(?:key|token)\s*=\s*(?P<secret>[^\s@]{8,12})", Some((8, false))),
            (r"[a-z]+@(?:[a-z]+\.)+[a-z]{2,}", Some((6, true))),
            (r"[a-z]{3}(?:@x)?", Some((3, false))),
            (r"my (?:x )?key", None),
            (r"-----BEGIN[^-]+-----", None),
            (r"(?P<secret>[^,]{8})", None),
        ] {
            let known = unbroken(pattern);
            assert_eq!(known.map(|known| (known.shortest, known.at)), found, "{pattern}");
        }
        let bytes = unbroken(r"key=(?P<secret>x[0-9]{3})").expect("no white space").bytes;
        let inside: Vec<u8> = (0..=u8::MAX).filter(|byte| bytes[usize::from(*byte)]).collect();
        assert_eq!(inside, b"0123456789x");
    }

    #[test]
    fn a_secret_stands_at_the_same_place_in_every_match() {
        for (pattern, places) in [
            (r"\b(?P<secret>[a-z]{20,})\b", vec![(0, 0)]),
            (r"(?:^|[^a-z])(?P<secret>[a-z]+)(?:\.|$|,)", vec![(1, 1)]),
            (r"(?:^|x|yz)(?P<secret>[a-z]+)", vec![(0, 0), (1, 0), (2, 0)]),
            (r"(?:^|x+)(?P<secret>[a-z]+)", vec![]),
            (r"key(?P<secret>[a-z]+)", vec![(3, 0)]),
            (r"key ?(?P<secret>[a-z]+)", vec![]),
            (r"(?:a(?P<secret>[a-z]+)|b)", vec![]),
            (r"[a-z]+", vec![]),
        ] {
            assert_eq!(margins(pattern).expect("a pattern").1, places, "{pattern}");
        }
    }
}
