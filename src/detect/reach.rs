//! How long a text a pattern must see before it can be said to match. Looks at patterns, never at text.

use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Hir, HirKind};

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

const LONGEST: usize = 2048;

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
}
