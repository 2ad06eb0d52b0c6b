//! Tokens that a line end cuts in two, put together. Knows neither secrets nor words.

use super::{Span, View};

/// Every token that seems to go on in the next line, a line each, with what stands before it in its own. Letters alone are
/// words, and words end with their line.
pub fn unwrapped(text: &str) -> Option<View> {
    let bytes = text.as_bytes();
    let mut view = View::default();
    let mut after = 0;
    for end in memchr::memchr_iter(b'\n', bytes) {
        let first = before(bytes, end);
        if end < after || first.is_empty() || behind(bytes, end).is_none() {
            continue;
        }
        let mut pieces = vec![first];
        let mut line_end = end;
        while let Some(next) = behind(bytes, line_end) {
            line_end = next.end;
            pieces.push(next);
            if bytes.get(line_end).is_none_or(|byte| !matches!(byte, b'\r' | b'\n')) {
                break;
            }
        }
        // What is said of these pieces holds for the last of them alone: lines are read once.
        after = line_end;
        let letters: usize = pieces.iter().map(|piece| piece.len()).sum();
        let telling = pieces.iter().any(|piece| bytes[piece.start..piece.end].iter().any(u8::is_ascii_digit));
        if letters < SHORTEST || !telling {
            continue;
        }
        let line = text[..pieces[0].start].rfind('\n').map_or(0, |at| at + 1);
        let context = line.max(text.floor_char_boundary(pieces[0].start.saturating_sub(CONTEXT)));
        view.copy(&text[context..pieces[0].start], context);
        pieces.iter().for_each(|piece| view.copy(&text[piece.start..piece.end], piece.start));
        view.replace("\n", Span::new(line_end, line_end));
    }
    (!view.text().is_empty()).then_some(view)
}

/// The token that ends with the line that ends at `end`.
fn before(bytes: &[u8], end: usize) -> Span {
    let end = end - usize::from(end > 0 && bytes[end - 1] == b'\r');
    let length = bytes[..end].iter().rev().take(LONGEST).take_while(|byte| is_inside(**byte)).count();
    Span::new(end - length, end)
}

/// The token that the line behind the one that ends at `end` begins with.
fn behind(bytes: &[u8], end: usize) -> Option<Span> {
    let gap = bytes[end..].iter().take(INDENT).take_while(|byte| byte.is_ascii_whitespace()).count();
    let start = end + gap;
    let length = bytes[start..].iter().take(LONGEST).take_while(|byte| is_inside(**byte)).count();
    let one_line = memchr::memchr_iter(b'\n', &bytes[end..start]).count() == 1;
    let ends = bytes.get(start + length).is_none_or(|byte| byte.is_ascii_whitespace() || b"\"'`,;)>}]".contains(byte));
    (length > 0 && one_line && ends).then(|| Span::new(start, start + length))
}

fn is_inside(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'+' | b'/' | b'.')
}

const SHORTEST: usize = 16;
const LONGEST: usize = 256;
/// White space at the beginning of a line that goes on.
const INDENT: usize = 32;
/// What of the line before the token is kept: a secret's name may stand there.
const CONTEXT: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_goes_on_over_line_ends() {
        let view = unwrapped("see key=ghp_aB3dE5\n  fG7hI9jK1\r\n  lM3n, and\nmore").expect("wrapped");
        assert_eq!(view.text(), "see key=ghp_aB3dE5fG7hI9jK1lM3n\n");
        assert_eq!(view.source(Span::new(8, 31)), Span::new(8, 38));
        for text in [
            "a line of words\nand another",
            "ab1\ncd2",
            "k=aB3dE5fG7hI9jK1lM3n\nDEBUG=1",
            "aB3dE5fG7hI9jK1lM3n\n\naB3dE5fG7hI9jK1lM3n",
            "",
        ] {
            assert!(unwrapped(text).is_none(), "{text}");
        }
    }
}
