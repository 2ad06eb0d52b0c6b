//! Characters that look like a Latin letter and that NFKC leaves alone. A table, no policy on when to apply it.

/// The lower-case letter `character` passes for.
pub fn latin(character: char) -> Option<char> {
    let code = character as u32;
    match code {
        0x1F150..=0x1F169 => letter(code - 0x1F150),
        0x1F170..=0x1F189 => letter(code - 0x1F170),
        0x1F1E6..=0x1F1FF => letter(code - 0x1F1E6),
        0x2800..=0x283F => BRAILLE
            .bytes()
            .zip(b'a'..=b'z')
            .find(|(dots, _)| code - 0x2800 == u32::from(*dots))
            .map(|(_, letter)| char::from(letter)),
        // Han, kana and Hangul have none.
        0x2E80..=0x9FFF | 0xAC00..=0xD7A3 => None,
        // The small letters of Cherokee look like the capital ones.
        0xAB70..=0xABBF => cherokee(code - 0xAB70 + 0x13A0),
        0x13F8..=0x13FD => cherokee(code - 8),
        0x13A0..=0x13F5 => cherokee(code),
        _ => LOOK_ALIKES
            .binary_search_by_key(&character, |row| row.0)
            .ok()
            .and_then(|at| LOOK_ALIKES.get(at))
            .map(|row| row.1),
    }
}

/// Scripts in which a look-alike may also be just a letter of an honest word.
pub fn is_of_another_script(character: char) -> bool {
    matches!(character, '\u{370}'..='\u{58F}' | '\u{13A0}'..='\u{13FF}' | '\u{1F00}'..='\u{1FFF}' | '\u{AB70}'..='\u{ABBF}')
}

/// Greek, or one of the Cyrillic letters that no eye can tell from Latin: a word of nothing else is read as Latin in Latin text.
pub fn is_twin(character: char) -> bool {
    !matches!(character, '\u{400}'..='\u{52F}') || "аеорсухіјѕһԁԛԝӏАЕОРСУХІЈЅВНМТК".contains(character)
}

fn cherokee(code: u32) -> Option<char> {
    CHEROKEE.iter().find(|(known, _)| u32::from(*known) == code).map(|(_, letter)| *letter)
}

fn letter(index: u32) -> Option<char> {
    u8::try_from(index).ok().map(|index| char::from(b'a' + index % 26))
}

/// The dots of the letters a to z, as bits.
const BRAILLE: &str =
    "\x01\x03\x09\x19\x11\x0b\x1b\x13\x0a\x1a\x05\x07\x0d\x1d\x15\x0f\x1f\x17\x0e\x1e\x25\x27\x3a\x2d\x3d\x35";
#[rustfmt::skip]
const CHEROKEE: &[(char, char)] = &[
    ('Ꭰ', 'd'), ('Ꭱ', 'r'), ('Ꭲ', 't'), ('Ꭵ', 'i'), ('Ꭺ', 'a'), ('Ꭻ', 'j'), ('Ꭼ', 'e'), ('Ꮃ', 'w'), ('Ꮇ', 'm'), ('Ꮋ', 'h'),
    ('Ꮍ', 'y'), ('Ꮎ', 'o'), ('Ꮐ', 'g'), ('Ꮒ', 'h'), ('Ꮓ', 'z'), ('Ꮖ', 'i'), ('Ꮜ', 'u'), ('Ꮞ', '4'), ('Ꮟ', 'b'), ('Ꮢ', 'r'),
    ('Ꮤ', 'w'), ('Ꮥ', 's'), ('Ꮩ', 'v'), ('Ꮪ', 's'), ('Ꮮ', 'l'), ('Ꮯ', 'c'), ('Ꮲ', 'p'), ('Ꮳ', 'c'), ('Ꮶ', 'k'), ('Ᏼ', 'b'),
    ('Ᏽ', 'g'),
];
/// Sorted by the first column.
#[rustfmt::skip]
const LOOK_ALIKES: &[(char, char)] = &[
    ('¢', 'c'), ('×', 'x'), ('ø', 'o'), ('þ', 'p'), ('đ', 'd'), ('ı', 'i'), ('ĸ', 'k'), ('ł', 'l'),
    ('ŧ', 't'), ('ſ', 'f'), ('ƀ', 'b'), ('ƃ', 'g'), ('ƈ', 'c'), ('ƒ', 'f'), ('Ɩ', 'l'), ('ƙ', 'k'),
    ('ƞ', 'n'), ('ƭ', 't'), ('ƴ', 'y'), ('ƶ', 'z'), ('ƽ', 's'), ('ƿ', 'p'), ('ǝ', 'e'), ('ǥ', 'g'),
    ('ȥ', 'z'), ('ȷ', 'j'), ('ȼ', 'c'), ('Ʉ', 'u'), ('ɉ', 'j'), ('ɋ', 'q'), ('ɍ', 'r'), ('ɐ', 'a'),
    ('ɑ', 'a'), ('ɓ', 'b'), ('ɔ', 'c'), ('ɗ', 'd'), ('ə', 'e'), ('ɛ', 'e'), ('ɟ', 'f'), ('ɠ', 'g'),
    ('ɡ', 'g'), ('ɢ', 'g'), ('ɥ', 'h'), ('ɨ', 'i'), ('ɪ', 'i'), ('ɭ', 'l'), ('ɯ', 'm'), ('ɱ', 'm'),
    ('ɴ', 'n'), ('ɵ', 'o'), ('ɹ', 'r'), ('ʀ', 'r'), ('ʂ', 's'), ('ʇ', 't'), ('ʊ', 'u'), ('ʌ', 'v'),
    ('ʍ', 'w'), ('ʎ', 'y'), ('ʏ', 'y'), ('ʐ', 'z'), ('ʑ', 'z'), ('ʙ', 'b'), ('ʜ', 'h'), ('ʝ', 'j'),
    ('ʞ', 'k'), ('ʟ', 'l'), ('Α', 'a'), ('Β', 'b'), ('Ε', 'e'), ('Ζ', 'z'), ('Η', 'h'), ('Ι', 'i'),
    ('Κ', 'k'), ('Μ', 'm'), ('Ν', 'n'), ('Ο', 'o'), ('Ρ', 'p'), ('Τ', 't'), ('Υ', 'y'), ('Χ', 'x'),
    ('α', 'a'), ('β', 'b'), ('γ', 'y'), ('ε', 'e'), ('η', 'n'), ('ι', 'i'), ('κ', 'k'), ('μ', 'u'),
    ('ν', 'v'), ('ο', 'o'), ('ρ', 'p'), ('σ', 'o'), ('τ', 't'), ('υ', 'u'), ('χ', 'x'), ('ω', 'w'),
    ('ϝ', 'f'), ('ϲ', 'c'), ('ϳ', 'j'), ('Ϲ', 'c'), ('Є', 'e'), ('Ѕ', 's'), ('І', 'i'), ('Ј', 'j'),
    ('А', 'a'), ('В', 'b'), ('Е', 'e'), ('И', 'n'), ('К', 'k'), ('М', 'm'), ('Н', 'h'), ('О', 'o'),
    ('Р', 'p'), ('С', 'c'), ('Т', 't'), ('У', 'y'), ('Х', 'x'), ('Ъ', 'b'), ('Ь', 'b'), ('Я', 'r'),
    ('а', 'a'), ('в', 'b'), ('г', 'r'), ('е', 'e'), ('и', 'n'), ('к', 'k'), ('м', 'm'), ('н', 'h'),
    ('о', 'o'), ('п', 'n'), ('р', 'p'), ('с', 'c'), ('т', 't'), ('у', 'y'), ('х', 'x'), ('ц', 'u'),
    ('ш', 'w'), ('щ', 'w'), ('ь', 'b'), ('я', 'r'), ('є', 'e'), ('ѕ', 's'), ('і', 'i'), ('ј', 'j'),
    ('ѳ', 'o'), ('Ѵ', 'v'), ('ѵ', 'v'), ('ғ', 'f'), ('Ү', 'y'), ('ү', 'y'), ('ҳ', 'x'), ('Һ', 'h'),
    ('һ', 'h'), ('ҽ', 'e'), ('Ӏ', 'i'), ('ӏ', 'i'), ('ө', 'o'), ('Ԁ', 'd'), ('ԁ', 'd'), ('ԍ', 'g'),
    ('Ԛ', 'q'), ('ԛ', 'q'), ('Ԝ', 'w'), ('ԝ', 'w'), ('Տ', 's'), ('ա', 'w'), ('գ', 'q'), ('զ', 'q'),
    ('ժ', 'd'), ('հ', 'h'), ('ո', 'n'), ('ռ', 'n'), ('ս', 'u'), ('ց', 'g'), ('ք', 'f'), ('օ', 'o'),
    ('०', 'o'), ('০', 'o'), ('၀', 'o'), ('ᴀ', 'a'), ('ᴄ', 'c'), ('ᴅ', 'd'), ('ᴇ', 'e'),
    ('ᴉ', 'i'), ('ᴊ', 'j'), ('ᴋ', 'k'), ('ᴍ', 'm'), ('ᴏ', 'o'), ('ᴘ', 'p'), ('ᴛ', 't'), ('ᴜ', 'u'),
    ('ᴠ', 'v'), ('ᴡ', 'w'), ('ᴢ', 'z'), ('ᴦ', 'r'), ('ℎ', 'h'), ('℮', 'e'), ('ⅼ', 'l'), ('∀', 'a'),
    ('ⱥ', 'a'), ('ⱱ', 'v'), ('ⲥ', 'c'), ('ꓒ', 'd'), ('ꓡ', 'l'), ('ꜰ', 'f'), ('ꜱ', 's'), ('ꞵ', 'b'),
    ('ꬲ', 'e'), ('ꬵ', 'f'), ('ꭇ', 'r'), ('ꭰ', 'd'), ('ꭺ', 'a'), ('ꮋ', 'h'), ('ꮟ', 'b'), ('ꮪ', 's'),
    ('ꮯ', 'c'),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_maps_to_ascii() {
        assert!(LOOK_ALIKES.windows(2).all(|pair| pair[0].0 < pair[1].0));
        assert!(LOOK_ALIKES.iter().all(|row| row.1.is_ascii_lowercase() && !row.0.is_ascii()));
    }
}
