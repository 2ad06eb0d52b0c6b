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
fn upright(character: char) -> Option<char> {
    FLIPPED.iter().find(|(flipped, _)| *flipped == character).map(|(_, upright)| *upright)
}

/// Characters of a line that make it one to be turned.
const TURNED: usize = 3;
#[rustfmt::skip]
const FLIPPED: &[(char, char)] = &[
    ('ɐ', 'a'), ('q', 'b'), ('ɔ', 'c'), ('p', 'd'), ('ǝ', 'e'), ('ɟ', 'f'), ('ƃ', 'g'), ('ᵷ', 'g'), ('ɓ', 'g'), ('ɥ', 'h'),
    ('ᴉ', 'i'), ('ı', 'i'), ('ɾ', 'j'), ('ʞ', 'k'), ('ן', 'l'), ('ꞁ', 'l'), ('ɯ', 'm'), ('u', 'n'), ('d', 'p'), ('b', 'q'),
    ('ɹ', 'r'), ('ʇ', 't'), ('n', 'u'), ('ʌ', 'v'), ('ʍ', 'w'), ('ʎ', 'y'), ('∀', 'a'), ('ᗺ', 'b'), ('Ɔ', 'c'), ('ᗡ', 'd'),
    ('Ǝ', 'e'), ('Ⅎ', 'f'), ('⅁', 'g'), ('ſ', 'j'), ('⋊', 'k'), ('Ꞁ', 'l'), ('⅂', 'l'), ('˥', 'l'), ('W', 'm'), ('M', 'w'),
    ('Ԁ', 'p'), ('Ό', 'q'), ('ᴚ', 'r'), ('┴', 't'), ('⊥', 't'), ('Ʇ', 't'), ('∩', 'u'), ('Λ', 'v'), ('⅄', 'y'), ('˙', '.'),
    ('¿', '?'), ('¡', '!'), ('‘', ','), ('6', '9'), ('9', '6'),
];
