//! Checksums that tell a number from a look-alike. Sees the span only, never its surroundings.

use serde::Deserialize;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Validator {
    #[default]
    None,
    Luhn,
}

impl Validator {
    pub fn accepts(self, text: &str) -> bool {
        match self {
            Validator::None => true,
            Validator::Luhn => luhn(text),
        }
    }
}

/// ISO/IEC 7812-1 annex B over the digits of `text`.
fn luhn(text: &str) -> bool {
    let digits = text.bytes().rev().filter(u8::is_ascii_digit).map(|digit| u32::from(digit - b'0'));
    let sum: u32 = digits.enumerate().map(|(i, d)| if i % 2 == 0 { d } else { d / 5 + d * 2 % 10 }).sum();
    sum > 0 && sum.is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn luhn_takes_valid_cards_only() {
        for (card, valid) in [("4111 1111 1111 1111", true), ("4111 1111 1111 1112", false), ("0000", false)] {
            assert_eq!(Validator::Luhn.accepts(card), valid, "{card}");
        }
    }
}
