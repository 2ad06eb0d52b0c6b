//! Stretches of text that look drawn at random: what keys, tokens and digests have in common. Does not say which of them it is.

use super::validate::looks_random;
use crate::text::Span;

/// Random-looking runs of `SHORTEST` bytes and more, with the parts that a dot or a colon joins to them in front. Ordinary text has none.
pub(super) fn runs(text: &str) -> Vec<Span> {
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    let mut at: usize = 0;
    // No run can reach past a foreign byte, so every sixteenth byte is enough to find one.
    while let Some(end) = at.checked_add(SHORTEST).filter(|end| *end <= bytes.len()) {
        if let Some(foreign) = bytes[at..end].iter().rposition(|b| !is_run(*b)) {
            at += foreign + 1;
            continue;
        }
        let length = SHORTEST + bytes[end..].iter().take_while(|b| is_run(**b)).count();
        let run = Span::new(at, at + length);
        if length <= LONGEST && !is_path(bytes, run) && looks_random(&text[run.start..run.end]) {
            found.push(Span::new(joined(text, run.start), run.end));
        }
        at = run.end;
    }
    found
}

fn is_run(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'+' | b'/')
}

/// The rest of a URL or of a file's name behind a dot.
fn is_path(bytes: &[u8], run: Span) -> bool {
    let joined = bytes[..run.start].last().is_some_and(|b| matches!(b, b'.' | b':' | b'~'));
    joined && bytes[run.start..run.end].contains(&b'/')
}

/// Where the text begins that a sign joins to a run: `k1.` before the long part of a key, and before a colon what looks
/// drawn itself, since most of what stands there is a name.
fn joined(text: &str, start: usize) -> usize {
    let bytes = &text.as_bytes()[..start];
    let front =
        |signs: &[u8]| start - bytes.iter().rev().take(FRONT).take_while(|b| is_run(**b) || signs.contains(b)).count();
    match bytes.last() {
        Some(b'.' | b'~') => front(b".~"),
        Some(b':') => {
            let from = start - 1 - bytes[..start - 1].iter().rev().take(FRONT).take_while(|b| is_run(**b)).count();
            if looks_random(&text[from..start - 1]) { from } else { start }
        }
        _ => start,
    }
}

const SHORTEST: usize = 16;
/// A longer one is a picture or a program.
const LONGEST: usize = 1024;
const FRONT: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<&str> {
        runs(text).into_iter().map(|run| &text[run.start..run.end]).collect()
    }

    #[test]
    fn runs_are_found_wherever_they_start() {
        for shift in 0..40 {
            let text = format!("{}a é FKlPcmWOeHS3gaTEd9x0, and_so_on_without_end", " ".repeat(shift));
            assert_eq!(found(&text), ["FKlPcmWOeHS3gaTEd9x0"], "{shift}");
        }
    }

    #[test]
    fn words_names_and_pictures_are_none() {
        for text in [
            "internationalization and getElementsByClassName or SOME_CONSTANT_NAME_2",
            "https://example.com/some/long/path/to/a/file-name.html",
            "https://docs.example.com/document/d/1hsY1WEy0q9t5U0ywzDyuaL3Ns6XJJRriLODVq7ZhQJv/edit",
            &"iVBORw0KGgoAAAANSUhEUgAA".repeat(100),
            "",
        ] {
            assert!(runs(text).is_empty(), "{text}");
        }
        assert_eq!(found("key:acc0r3t8wtvd:v3du54w770pbpnlvb55x"), ["acc0r3t8wtvd:v3du54w770pbpnlvb55x"]);
        assert_eq!(found("k1.4fQ9.FKlPcmWOeHS3gaTEd9x0"), ["k1.4fQ9.FKlPcmWOeHS3gaTEd9x0"]);
    }
}
