//! Characters written as numbers (hex, binary, octal, decimal, places in the alphabet) or in Morse. Reads text only.

use super::{SHORTEST, readable, runs};
use crate::text::Span;
use crate::text::table::table;

pub(super) fn find(text: &str, found: &mut Vec<(Span, String)>) {
    for span in runs(text, &NUMBERS, SHORTEST, 0) {
        let parts = parts(text, span);
        for code in [Code::Binary, Code::Decimal, Code::Octal, Code::Hex] {
            let stretches = parts.split(|part| !code.takes(&text[part.start..part.end]));
            let before = found.len();
            for stretch in stretches {
                let (Some(first), Some(last)) = (stretch.first(), stretch.last()) else { continue };
                let words = stretch.iter().map(|part| &text[part.start..part.end]);
                found.extend(code.read(words).map(|decoded| (Span::new(first.start, last.end), decoded)));
            }
            if found.len() > before {
                break;
            }
        }
    }
    for span in runs(text, &MORSE, SHORTEST, 0) {
        found.extend(morse(&text[span.start..span.end]).map(|decoded| (span, decoded)));
    }
}

/// The numbers of a run. One that goes on beyond it is part of a word.
fn parts(text: &str, run: Span) -> Vec<Span> {
    let bytes = text.as_bytes();
    let inside = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_alphanumeric);
    let (mut parts, mut at) = (Vec::new(), run.start);
    while at < run.end {
        let length = bytes[at..run.end].iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
        let within = (at > run.start || at == 0 || !inside(at - 1)) && (at + length < run.end || !inside(run.end));
        if length > 0 && within {
            parts.push(Span::new(at, at + length));
        }
        at += length.max(1);
    }
    parts
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Code {
    Binary,
    Decimal,
    Octal,
    Hex,
}

impl Code {
    /// `part` can be one of these, or several in one.
    fn takes(self, part: &str) -> bool {
        let digits = |radix: u32| part.chars().all(|digit| digit.is_digit(radix));
        match self {
            Code::Binary => {
                digits(2) && (matches!(part.len(), 7 | 8) || part.len() >= SHORTEST && part.len().is_multiple_of(8))
            }
            Code::Decimal => part.len() <= 3 && digits(10),
            Code::Octal => (2..=4).contains(&part.len()) && digits(8),
            Code::Hex => pairs(part)
                .all(|digits| digits.len().is_multiple_of(2) && digits.bytes().all(|digit| digit.is_ascii_hexdigit())),
        }
    }

    fn read<'t>(self, parts: impl Iterator<Item = &'t str>) -> Option<String> {
        let radix = match self {
            Code::Binary => 2,
            Code::Decimal => 10,
            Code::Octal => 8,
            Code::Hex => 16,
        };
        let byte = |digits: &[u8]| u8::from_str_radix(std::str::from_utf8(digits).ok()?, radix).ok();
        let mut bytes = Vec::new();
        for part in parts {
            let width = match self {
                Code::Binary if part.len() > 8 => 8,
                Code::Hex => 2,
                _ => part.len(),
            };
            for digits in pairs(part).flat_map(|digits| digits.as_bytes().chunks(width)) {
                bytes.push(byte(digits)?);
            }
        }
        if self == Code::Decimal && bytes.len() >= SHORTEST && bytes.iter().all(|number| *number <= 26) {
            bytes.iter_mut().for_each(|number| *number = if *number == 0 { b' ' } else { b'`' + *number });
        }
        let letters = bytes.iter().filter(|byte| byte.is_ascii_alphabetic() || **byte == b' ').count();
        let text = self == Code::Hex || letters * 5 >= bytes.len() * 4;
        if bytes.len() * (if self == Code::Hex { 2 } else { 1 }) >= SHORTEST && text { readable(bytes) } else { None }
    }
}

/// Hex digits without their marks, `0x` and `x`.
fn pairs(part: &str) -> impl Iterator<Item = &str> {
    part.split("0x").flat_map(|part| part.split(['x', 'X'])).filter(|digits| !digits.is_empty())
}

/// Letters with a space between them; a stroke or more spaces part the words.
fn morse(run: &str) -> Option<String> {
    let mut text = String::new();
    for word in run.split(['/', '|', '\n']).flat_map(|part| part.split("  ")) {
        for sign in word.split_whitespace() {
            let code = sign.bytes().take(LONGEST_SIGN + 1).fold(1, |code, mark| code << 1 | usize::from(mark != b'.'));
            match LETTERS.as_bytes().get(code) {
                Some(b'_') | None if sign.len() > LONGEST_SIGN => return None,
                Some(b'_') | None => text.push('.'),
                Some(letter) => text.push(char::from(*letter)),
            }
        }
        if !text.is_empty() && !text.ends_with(' ') {
            text.push(' ');
        }
    }
    let mut letters: Vec<u8> = text.bytes().filter(u8::is_ascii_alphabetic).collect();
    let enough = letters.len() >= SHORTEST / 2;
    letters.sort_unstable();
    letters.dedup();
    (enough && letters.len() > 4).then_some(text)
}

const NUMBERS: [bool; 256] = table(b"0123456789abcdefABCDEFxX \t\r\n:,;.-_|/\\[]()#+");
const MORSE: [bool; 256] = table(b".-_/| \r\n");
/// Marks of a full stop or a question mark.
const LONGEST_SIGN: usize = 6;
/// By a one followed by the marks as bits, a dot as zero.
const LETTERS: &str = "__etianmsurwdkgohvf_l_pjbxcyzq__54_3___2_______16_______7___8_90";
