//! Characters written as numbers (hex, binary, octal, decimal, places in the alphabet) or in Morse. Reads text only.

use super::{SHORTEST, readable, runs};
use crate::text::Span;
use crate::text::table::table;

pub(super) fn find(text: &str, found: &mut Vec<(Span, String)>) {
    let mut parts = Parts::default();
    for span in runs(text, &NUMBERS, SHORTEST, 0) {
        parts.read(text.as_bytes(), span);
        // Of a run that can be read in several ways the first is taken.
        for code in CODES.into_iter().filter(|code| parts.longest[*code as usize] >= code.least()) {
            let before = found.len();
            let stretches = parts.all.split(|part| part.codes & code.bit() == 0);
            found.extend(stretches.filter_map(|stretch| code.read(text.as_bytes(), stretch)));
            if found.len() > before {
                break;
            }
        }
    }
    for span in runs(text, &MORSE, SHORTEST, 0) {
        found.extend(morse(&text[span.start..span.end]).map(|decoded| (span, decoded)));
    }
}

/// The numbers of a run.
#[derive(Default)]
struct Parts {
    all: Vec<Part>,
    /// By code, the most bytes that numbers in a row can stand for.
    longest: [usize; CODES.len()],
}

/// A number, or several in one.
#[derive(Clone, Copy)]
struct Part {
    start: usize,
    end: usize,
    /// What it can be, as bits.
    codes: u8,
    /// Some of its digits are marked with `x`.
    marked: bool,
}

impl Parts {
    /// Reads the numbers of `run`. One that goes on beyond it is part of a word.
    fn read(&mut self, bytes: &[u8], run: Span) {
        let inside = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_alphanumeric);
        self.all.clear();
        self.longest = [0; CODES.len()];
        let mut lengths = [0; CODES.len()];
        let mut at = run.start;
        while at < run.end {
            let kinds = |byte: &u8| Some(KINDS[usize::from(*byte)]).filter(|kind| *kind > 0);
            let (length, kinds) =
                bytes[at..run.end].iter().map_while(kinds).fold((0, 0), |(length, all), kind| (length + 1, all | kind));
            let (start, end) = (at, at + length);
            at = end.max(start + 1);
            if length == 0 || start == run.start && start > 0 && inside(start - 1) || end == run.end && inside(end) {
                continue;
            }
            let codes = codes(&bytes[start..end], kinds);
            for (code, (length, longest)) in CODES.into_iter().zip(lengths.iter_mut().zip(&mut self.longest)) {
                *length = if codes & code.bit() == 0 { 0 } else { *length + code.most(end - start) };
                *longest = (*longest).max(*length);
            }
            self.all.push(Part { start, end, codes, marked: kinds & MARK > 0 });
        }
    }
}

/// What a number with digits of these kinds can be, as bits.
fn codes(part: &[u8], kinds: u8) -> u8 {
    let len = part.len();
    let binary = matches!(len, 7 | 8) || len >= SHORTEST && len.is_multiple_of(8);
    let hex = if kinds & MARK == 0 {
        len.is_multiple_of(2)
    } else {
        pairs(part).all(|digits| digits.len().is_multiple_of(2))
    };
    let bit = |code: Code, holds: bool| if holds { code.bit() } else { 0 };
    bit(Code::Binary, binary && kinds <= BIT)
        | bit(Code::Decimal, len <= 3 && kinds <= DIGIT)
        | bit(Code::Octal, (2..=4).contains(&len) && kinds <= OCTAL)
        | bit(Code::Hex, hex)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Code {
    Binary,
    Decimal,
    Octal,
    Hex,
}

impl Code {
    fn bit(self) -> u8 {
        1 << self as u8
    }

    /// Bytes that are worth reading.
    fn least(self) -> usize {
        if self == Code::Hex { SHORTEST / 2 } else { SHORTEST }
    }

    /// Bytes that a number of `digits` stands for at most.
    fn most(self, digits: usize) -> usize {
        match self {
            Code::Binary => (digits / 8).max(1),
            Code::Decimal | Code::Octal => 1,
            Code::Hex => digits / 2,
        }
    }

    /// What `parts` say, all of which can be this.
    fn read(self, text: &[u8], parts: &[Part]) -> Option<(Span, String)> {
        let (first, last) = (parts.first()?, parts.last()?);
        if parts.iter().map(|part| self.most(part.end - part.start)).sum::<usize>() < self.least() {
            return None;
        }
        let mut bytes = Vec::new();
        for part in parts {
            let digits = text.get(part.start..part.end)?;
            if part.marked {
                pairs(digits).try_for_each(|digits| self.push(digits, &mut bytes))?;
            } else {
                self.push(digits, &mut bytes)?;
            }
        }
        if self == Code::Decimal && bytes.len() >= SHORTEST && bytes.iter().all(|number| *number <= 26) {
            bytes.iter_mut().for_each(|number| *number = if *number == 0 { b' ' } else { b'`' + *number });
        }
        let letters = bytes.iter().filter(|byte| byte.is_ascii_alphabetic() || **byte == b' ').count();
        let text = self == Code::Hex || letters * 5 >= bytes.len() * 4;
        let decoded = if bytes.len() >= self.least() && text { readable(bytes) } else { None };
        decoded.map(|decoded| (Span::new(first.start, last.end), decoded))
    }

    /// Appends the bytes that `digits` stand for.
    fn push(self, digits: &[u8], bytes: &mut Vec<u8>) -> Option<()> {
        let (radix, width) = match self {
            Code::Binary => (2, digits.len().min(8)),
            Code::Decimal => (10, digits.len()),
            Code::Octal => (8, digits.len()),
            Code::Hex => (16, 2),
        };
        for digits in digits.chunks(width.max(1)) {
            let number = digits.iter().fold(0, |number, digit| number * radix + u32::from(VALUES[usize::from(*digit)]));
            bytes.push(u8::try_from(number).ok()?);
        }
        Some(())
    }
}

/// Hex digits without their marks, `0x` and `x`.
fn pairs(part: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(part);
    let pieces = std::iter::from_fn(move || {
        let part = rest?;
        let Some(mark) = part.iter().position(|byte| matches!(byte, b'x' | b'X')) else { return rest.take() };
        rest = part.get(mark + 1..);
        let zero = usize::from(part.get(mark) == Some(&b'x') && mark > 0 && part.get(mark - 1) == Some(&b'0'));
        part.get(..mark - zero)
    });
    pieces.filter(|digits| !digits.is_empty())
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

const CODES: [Code; 4] = [Code::Binary, Code::Decimal, Code::Octal, Code::Hex];
/// What kind of digit a byte is; each kind is also of the kinds below it, so that the greatest of a number tells of all.
const BIT: u8 = 1;
const OCTAL: u8 = BIT | 2;
const DIGIT: u8 = OCTAL | 4;
const LETTER: u8 = DIGIT | 8;
const MARK: u8 = 16;
const KINDS: [u8; 256] = {
    let mut kinds = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        kinds[byte] = match byte as u8 {
            b'0' | b'1' => BIT,
            b'2'..=b'7' => OCTAL,
            b'8' | b'9' => DIGIT,
            b'a'..=b'f' | b'A'..=b'F' => LETTER,
            b'x' | b'X' => MARK | LETTER,
            _ => 0,
        };
        byte += 1;
    }
    kinds
};
const VALUES: [u8; 256] = {
    let mut values = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        values[byte] = match byte as u8 {
            digit @ b'0'..=b'9' => digit - b'0',
            letter @ b'a'..=b'f' => letter - b'a' + 10,
            letter @ b'A'..=b'F' => letter - b'A' + 10,
            _ => 0,
        };
        byte += 1;
    }
    values
};
const NUMBERS: [bool; 256] = table(b"0123456789abcdefABCDEFxX \t\r\n:,;.-_|/\\[]()#+");
const MORSE: [bool; 256] = table(b".-_/| \r\n");
/// Marks of a full stop or a question mark.
const LONGEST_SIGN: usize = 6;
/// By a one followed by the marks as bits, a dot as zero.
const LETTERS: &str = "__etianmsurwdkgohvf_l_pjbxcyzq__54_3___2_______16_______7___8_90";
