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
const MANY: usize = 7;
/// What a gated pattern reads before and behind the digits or the sign that opens it: an address, or a word of context.
const MARGIN: usize = 96;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gate_opens_around_its_sign_only() {
        let text = format!("{0}12 34-567{0}1.2{0}a@b{0}", "x".repeat(500));
        for (gate, count) in [(Gate::Digits, 1), (Gate::Digit, 2), (Gate::At, 1), (Gate::Dotted, 1), (Gate::Colon, 0)] {
            let regions = regions(gate, &text, &digits(&text));
            assert_eq!(regions.len(), count, "{gate:?}");
            assert!(regions.iter().all(|region| region.len() < 3 * MARGIN), "{gate:?}");
        }
    }
}
