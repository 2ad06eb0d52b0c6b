//! Text that is there and does not show, or shows upside down. Reads it, finds nothing in it.

use super::readable;
use crate::text::Span;

pub(super) fn find(text: &str, found: &mut Vec<(Span, String)>) {
    found.extend(selectors(text));
    let lines = text.split_inclusive('\n').scan(0, |at, line| Some((std::mem::replace(at, *at + line.len()), line)));
    for (at, line) in lines.filter(|(_, line)| !line.is_ascii()) {
        if line.chars().filter(|character| is_turned(*character)).nth(TURNED - 1).is_some() {
            let upright = line.trim_end().chars().rev().map(|character| upright(character).unwrap_or(character));
            found.push((Span::new(at, at + line.len()), upright.collect()));
        }
    }
}

/// Bytes smuggled as variation selectors: U+FE00-FE0F are 0-15, U+E0100-E01EF are 16-255.
fn selectors(text: &str) -> Vec<(Span, String)> {
    let mut found = Vec::new();
    // Nearly every text has none, which their first bytes tell.
    let bytes = text.as_bytes();
    let is_first = |at: usize| matches!(bytes.get(at..at + 2), Some([0xEF, 0xB8] | [0xF3, 0xA0]));
    if !memchr::memchr2_iter(0xEF, 0xF3, bytes).any(is_first) {
        return found;
    }
    let (mut start, mut bytes) = (0, Vec::new());
    for (at, character) in text.char_indices().chain([(text.len(), ' ')]) {
        let byte = match character as u32 {
            code @ 0xFE00..=0xFE0F => code - 0xFE00,
            code @ 0xE0100..=0xE01EF => code - 0xE0100 + 16,
            _ => {
                if !bytes.is_empty() {
                    let hidden = std::mem::take(&mut bytes);
                    found.extend(readable(hidden).map(|decoded| (Span::new(start, at), decoded)));
                }
                continue;
            }
        };
        start = if bytes.is_empty() { at } else { start };
        bytes.extend(u8::try_from(byte));
    }
    found
}

/// A letter that stands upside down and is not a letter of the alphabet as well, as `u` is.
fn is_turned(character: char) -> bool {
    !character.is_ascii() && upright(character).is_some()
}

/// The character that `character` is when the page is turned.
#[rustfmt::skip]
fn upright(character: char) -> Option<char> {
    Some(match character {
        'ɐ' | '∀' => 'a', 'q' => 'b', 'ɔ' | 'Ɔ' => 'c', 'p' | 'ᗡ' => 'd', 'ǝ' | 'Ǝ' => 'e', 'ɟ' | 'Ⅎ' => 'f',
        'ƃ' | 'ᵷ' | 'ɓ' | '⅁' => 'g', 'ɥ' => 'h', 'ᴉ' | 'ı' => 'i', 'ɾ' | 'ſ' => 'j', 'ʞ' | '⋊' => 'k',
        'ן' | 'ꞁ' | 'Ꞁ' | '⅂' | '˥' => 'l', 'ɯ' | 'W' => 'm', 'u' => 'n', 'd' | 'Ԁ' => 'p', 'b' | 'Ό' => 'q',
        'ɹ' | 'ᴚ' => 'r', 'ʇ' | '┴' | '⊥' | 'Ʇ' => 't', 'n' | '∩' => 'u', 'ʌ' | 'Λ' => 'v', 'ʍ' | 'M' => 'w',
        'ʎ' | '⅄' => 'y', 'ᗺ' => 'b', '˙' => '.', '¿' => '?', '¡' => '!', '‘' => ',', '6' => '9', '9' => '6',
        _ => return None,
    })
}

/// Characters of a line that make it one to be turned.
const TURNED: usize = 3;
