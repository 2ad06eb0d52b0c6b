//! Where a text opens a gate: the surroundings of digits, `@` and the like. Cheap byte scans, no patterns.

use super::rule::Gate;
use super::token;
use crate::text::Span;

/// Disjoint stretches of `text`, in order, outside of which no rule behind `gate` can match. `digits` are its runs of digits.
pub(super) fn regions(gate: Gate, text: &str, digits: &[Span]) -> Vec<Span> {
    let bytes = text.as_bytes();
    let places = |byte| memchr::memchr_iter(byte, bytes).map(|at| Span::new(at, at + 1));
    match gate {
        Gate::Digits => around(text, clusters(digits).into_iter()),
        Gate::Digit => around(text, digits.iter().copied()),
        Gate::Token => token::runs(text),
        Gate::At => around(text, places(b'@')),
        Gate::Colon => around(text, places(b':')),
        Gate::Hextets => around(text, hextets(bytes)),
        Gate::Dotted => {
            let dotted =
                digits.windows(2).filter(|pair| pair[0].end + 1 == pair[1].start && bytes[pair[0].end] == b'.');
            around(text, dotted.map(|pair| Span::new(pair[0].end, pair[1].start)))
        }
    }
}

/// Whether what ends here opens the gate itself, whatever follows.
pub(super) fn opens(gate: Gate, text: &str, span: Span) -> bool {
    let before = text.floor_char_boundary(span.start.saturating_sub(BEFORE));
    let text = &text[before..span.end];
    gate == Gate::Token || !regions(gate, text, &digits(text)).is_empty()
}

/// How far before a match what opens its gate may stand: its lead.
const BEFORE: usize = 64;

/// The runs of digits.
pub(super) fn digits(text: &str) -> Vec<Span> {
    let bytes = text.as_bytes();
    let (mut runs, mut at): (Vec<Span>, usize) = (Vec::new(), 0);
    loop {
        let rest = bytes.get(at..).unwrap_or_default();
        // Where there is one there are more. Most text has none: whole stretches are passed over at once.
        let start = rest.iter().take(CLOSE).position(u8::is_ascii_digit).or_else(|| {
            let without = rest.chunks_exact(STRETCH).take_while(|stretch| !has_digit(stretch)).count() * STRETCH;
            rest[without..].iter().position(u8::is_ascii_digit).map(|offset| without + offset)
        });
        let Some(start) = start.map(|offset| at + offset) else { return runs };
        at = start + bytes[start..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        runs.push(Span::new(start, at));
    }
}

/// Without a branch a byte.
fn has_digit(bytes: &[u8]) -> bool {
    bytes.iter().fold(false, |any, byte| any | byte.is_ascii_digit())
}

/// Two colons with at most `HEXTET` hexadecimal digits between them and one on either side. Every address of IPv6 that has more
/// than its end has them: around `::`, and around each group of one written in full.
fn hextets(bytes: &[u8]) -> impl Iterator<Item = Span> {
    let is_digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_hexdigit);
    let mut colons = memchr::memchr_iter(b':', bytes).peekable();
    std::iter::from_fn(move || {
        loop {
            let (first, second) = (colons.next()?, *colons.peek()?);
            let close = second - first <= HEXTET + 1 && (first + 1..second).all(is_digit);
            if close && first.checked_sub(1).is_some_and(is_digit) && is_digit(second + 1) {
                return Some(Span::new(first, second + 1));
            }
        }
    })
}

/// Runs of digits with at most `GAP` other bytes between them that have `MANY` digits together.
fn clusters(digits: &[Span]) -> Vec<Span> {
    let mut found: Vec<(Span, usize)> = Vec::new();
    for run in digits.iter().copied() {
        match found.last_mut() {
            Some((cluster, digits)) if run.start - cluster.end <= GAP => {
                (cluster.end, *digits) = (run.end, *digits + run.len());
            }
            _ => found.push((run, run.len())),
        }
    }
    found.into_iter().filter(|(_, digits)| *digits >= MANY).map(|(cluster, _)| cluster).collect()
}

/// The places with `MARGIN` bytes on either side, joined where they meet.
fn around(text: &str, places: impl Iterator<Item = Span>) -> Vec<Span> {
    let mut joined: Vec<Span> = Vec::new();
    for place in places {
        let start = text.floor_char_boundary(place.start.saturating_sub(MARGIN));
        let end = text.ceil_char_boundary(place.end + MARGIN);
        match joined.last_mut() {
            Some(last) if start <= last.end => last.end = end.max(last.end),
            _ => joined.push(Span::new(start, end)),
        }
    }
    joined
}

/// Bytes between two runs of digits that are close together.
const CLOSE: usize = 8;
const STRETCH: usize = 32;
const GAP: usize = 3;
/// Digits of a group of an address.
const HEXTET: usize = 4;
const MANY: usize = 7;
/// What a gated pattern reads before and behind the digits or the sign that opens it: an address, or a word of context.
const MARGIN: usize = 96;

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use proptest::prelude::*;
    use regex::bytes::Regex;

    use super::*;
    use crate::detect::rule::Trigger;
    use crate::detect::{RuleSet, compiled};

    #[test]
    fn a_gate_opens_around_its_sign_only() {
        let text = format!("{0}12 34-567{0}1.2{0}a@b{0}", "x".repeat(500));
        for (gate, count) in [
            (Gate::Digits, 1),
            (Gate::Digit, 2),
            (Gate::At, 1),
            (Gate::Dotted, 1),
            (Gate::Colon, 0),
            (Gate::Hextets, 0),
        ] {
            let regions = regions(gate, &text, &digits(&text));
            assert_eq!(regions.len(), count, "{gate:?}");
            assert!(regions.iter().all(|region| region.len() < 3 * MARGIN), "{gate:?}");
        }
    }

    /// The patterns of all rules behind that gate.
    static ADDRESSES: LazyLock<Vec<Regex>> = LazyLock::new(|| {
        let rules = RuleSet::builtin().expect("the shipped rules parse");
        let behind = rules.rules().iter().filter(|rule| rule.trigger == Trigger::Gate(Gate::Hextets));
        behind.map(|rule| compiled::build(&rule.regex).expect("it compiles")).collect()
    });

    proptest! {
        #[test]
        fn no_address_stands_where_no_two_colons_do(
            text in "([ .é(]?(([0-9a-f]{1,5}|g):){1,7}((:[0-9a-f]{1,4}){0,3}|[0-9a-f]{1,4})[ .)]?){1,4}",
        ) {
            let regions = regions(Gate::Hextets, &text, &[]);
            for pattern in &*ADDRESSES {
                for found in pattern.find_iter(text.as_bytes()) {
                    let inside = |region: &Span| region.start <= found.start() && found.end() <= region.end;
                    prop_assert!(regions.iter().any(inside), "{}", &text);
                }
            }
        }
    }
}
