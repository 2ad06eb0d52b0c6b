//! An escape or UTF-8 sequence that is read byte by byte. Knows nothing of where in a document it stands.

use super::Reason;

/// The bytes of an unfinished UTF-8 sequence or escape: at most a surrogate pair, twelve bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Carry {
    bytes: [u8; 12],
    len: usize,
}

pub(super) enum Step {
    More,
    /// The carry is one whole UTF-8 sequence.
    Text,
    /// The carry is one whole escape.
    Escape(char),
    /// The first six bytes are a lone high surrogate.
    LoneThen(Rest),
}

pub(super) enum Rest {
    Nothing,
    Backslash,
    Escape(char),
    HighSurrogate,
}

impl Carry {
    pub fn fill(&mut self, bytes: &[u8]) {
        self.bytes[..bytes.len()].copy_from_slice(bytes);
        self.len = bytes.len();
    }

    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    pub fn push(&mut self, byte: u8) -> Result<Step, Reason> {
        if self.bytes[0] != b'\\' {
            return self.push_utf8(byte);
        }
        if self.len == 6 && byte != b'\\' {
            return Ok(Step::LoneThen(Rest::Nothing));
        }
        if self.len == 7 && byte != b'u' {
            return Ok(Step::LoneThen(Rest::Backslash));
        }
        self.append(byte);
        match self.len {
            2 => simple_escape(byte),
            3..=5 | 9..=11 => hex_digit(byte).map(|_| Step::More),
            6 => hex_digit(byte).map(|_| self.first_unit()),
            12 => hex_digit(byte).map(|_| self.second_unit()),
            _ => Ok(Step::More),
        }
    }

    fn push_utf8(&mut self, byte: u8) -> Result<Step, Reason> {
        self.append(byte);
        match std::str::from_utf8(self.bytes()) {
            Ok(_) => Ok(Step::Text),
            Err(error) if error.error_len().is_none() => Ok(Step::More),
            Err(_) => Err(Reason::InvalidUtf8),
        }
    }

    fn append(&mut self, byte: u8) {
        self.bytes[self.len] = byte;
        self.len += 1;
    }

    fn first_unit(&self) -> Step {
        let unit = unit(&self.bytes[2..6]);
        match unit {
            0xD800..=0xDBFF => Step::More,
            _ => Step::Escape(lone(unit)),
        }
    }

    fn second_unit(&self) -> Step {
        let (high, low) = (unit(&self.bytes[2..6]), unit(&self.bytes[8..12]));
        match low {
            0xDC00..=0xDFFF => {
                let code = 0x10000 + ((u32::from(high) - 0xD800) << 10) + (u32::from(low) - 0xDC00);
                Step::Escape(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER))
            }
            0xD800..=0xDBFF => Step::LoneThen(Rest::HighSurrogate),
            _ => Step::LoneThen(Rest::Escape(lone(low))),
        }
    }
}

fn simple_escape(byte: u8) -> Result<Step, Reason> {
    match short_escape(byte) {
        Some(character) => Ok(Step::Escape(character)),
        None if byte == b'u' => Ok(Step::More),
        None => Err(Reason::InvalidEscape),
    }
}

/// What a backslash and this byte stand for, if that is all of the escape.
pub(super) fn short_escape(byte: u8) -> Option<char> {
    Some(match byte {
        b'"' | b'\\' | b'/' => char::from(byte),
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        _ => return None,
    })
}

fn hex_digit(byte: u8) -> Result<u16, Reason> {
    char::from(byte).to_digit(16).map(|digit| digit as u16).ok_or(Reason::InvalidEscape)
}

fn unit(digits: &[u8]) -> u16 {
    digits.iter().fold(0, |unit, &digit| unit << 4 | hex_digit(digit).unwrap_or(0))
}

fn lone(unit: u16) -> char {
    char::from_u32(unit.into()).unwrap_or(char::REPLACEMENT_CHARACTER)
}
