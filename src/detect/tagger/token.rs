//! Words as the tagger sees them: where they stand, how they are written, what lies before them. Knows no labels.

/// A run of letters and digits of a script the tagger reads (Latin, Greek, Cyrillic).
#[derive(Clone, Copy, Debug)]
pub struct Token {
    pub start: usize,
    pub end: usize,
    /// Of the folded word, so that `Ö`, `ö` and `o` are one.
    pub hash: u64,
    pub shape: Shape,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Shape {
    Lower,
    Title,
    /// One capital alone: an initial.
    Initial,
    Upper,
    /// Capitals inside: `camelCase`, `McDonald`.
    Mixed,
    Digits,
    /// Letters and digits: `184th`, `12b`.
    Alnum,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Gap {
    Start,
    Space,
    Comma,
    /// A full stop, exclamation or question mark and a space: a new sentence, or an abbreviation's end.
    Stop,
    Line,
    Hyphen,
    Apostrophe,
    /// A full stop with nothing behind it: `example.com`, `U.S.`
    Point,
    Colon,
    /// Quotes and brackets that open, or close and open again.
    Quote,
    Slash,
    /// `_ $ \ = < > { }` and the like: more likely code than prose.
    Code,
    Other,
}

impl Gap {
    /// A capital behind it says nothing.
    pub fn begins_a_sentence(self) -> bool {
        matches!(self, Gap::Start | Gap::Stop | Gap::Line | Gap::Quote | Gap::Other)
    }
}

/// Splits `text`. Scripts without capitals, or not read, hold no tokens.
pub fn tokens(text: &str) -> Vec<Token> {
    let bytes = text.as_bytes();
    let mut found = Vec::with_capacity(bytes.len() / 5);
    let mut at = 0;
    while let Some(start) = (at..bytes.len()).find(|&at| letter(bytes, at) > 0) {
        let token = ascii_word(bytes, start).unwrap_or_else(|| wide_word(text, start));
        at = token.end;
        found.push(token);
    }
    found
}

/// The word at `start`, eight bytes at a step; `None` if it is not all ASCII.
fn ascii_word(bytes: &[u8], start: usize) -> Option<Token> {
    let (mut hash, mut at, mut upper, mut lower, mut digit) = (SEED, start, 0, 0, 0);
    let mut first = Classes::default();
    loop {
        let eight = eight(bytes, at);
        let classes = Classes::of(eight);
        let length = (!classes.word() & HIGH).trailing_zeros() / 8;
        if length > 0 {
            let kept = u64::MAX >> (64 - 8 * length);
            hash = mix(hash, (eight | SMALL) & kept);
            let rest = if at == start { kept & !0xFF } else { kept };
            (upper, lower, digit) =
                (upper | classes.upper & rest, lower | classes.lower & rest, digit | classes.digit & rest);
        }
        if at == start {
            first = classes;
        }
        at += length as usize;
        if length < 8 {
            break;
        }
    }
    if bytes.get(at).is_some_and(|byte| *byte >= 0x80) && letter(bytes, at) > 0 {
        return None;
    }
    let rest = Rest { upper: upper != 0, lower: lower != 0, digit: digit != 0 };
    let shape = shape(first.digit & 0x80 != 0, first.upper & 0x80 != 0, rest);
    Some(Token { start, end: at, hash, shape })
}

/// Which of eight bytes are what: the high bit of each.
#[derive(Clone, Copy, Default)]
struct Classes {
    upper: u64,
    lower: u64,
    digit: u64,
}

impl Classes {
    fn of(eight: u64) -> Self {
        let seven = eight & !HIGH;
        let ascii = !eight & HIGH;
        // No sum of two seven-bit numbers carries into the next byte.
        let from = |value: u64, least: u8| value + (0x80 - u64::from(least)) * EACH;
        let small = seven | SMALL;
        let letter = from(small, b'a') & !from(small, b'z' + 1) & ascii;
        let digit = from(seven, b'0') & !from(seven, b'9' + 1) & ascii;
        let is_small = (eight & SMALL) << 2;
        Classes { upper: letter & !is_small, lower: letter & is_small, digit }
    }

    fn word(self) -> u64 {
        self.upper | self.lower | self.digit
    }
}

/// A word with letters beyond ASCII.
fn wide_word(text: &str, start: usize) -> Token {
    let bytes = text.as_bytes();
    let mut end = start;
    loop {
        match letter(bytes, end) {
            0 => break,
            width => end += width,
        }
    }
    let word = &text[start..end];
    let mut rest = Rest::default();
    for c in word.chars().skip(1) {
        match c {
            '0'..='9' => rest.digit = true,
            _ if c.is_uppercase() => rest.upper = true,
            _ => rest.lower = true,
        }
    }
    let first = word.chars().next().unwrap_or(' ');
    Token { start, end, hash: word_hash(word), shape: shape(first.is_ascii_digit(), first.is_uppercase(), rest) }
}

/// The bytes of the letter or digit at `at`; 0 if there is none the tagger reads.
fn letter(bytes: &[u8], at: usize) -> usize {
    match bytes.get(at) {
        Some(byte) if byte.is_ascii_alphanumeric() => 1,
        Some(0xC3..=0xD4) => wide_letter(bytes, at),
        Some(0xE1) => wide_letter(bytes, at),
        _ => 0,
    }
}

/// Latin, Greek and Cyrillic, but for U+00D7 and U+00F7, the signs of multiplication and division; of the characters of
/// three bytes Latin Extended Additional, which is Vietnamese.
fn wide_letter(bytes: &[u8], at: usize) -> usize {
    match (bytes.get(at), bytes.get(at + 1)) {
        (Some(0xC3), Some(0x97 | 0xB7)) | (_, None) => 0,
        (Some(0xE1), Some(0xB8..=0xBB)) => 3,
        (Some(0xE1), _) => 0,
        _ => 2,
    }
}

/// What else is in a word than its first character.
#[derive(Clone, Copy, Default)]
struct Rest {
    upper: bool,
    lower: bool,
    digit: bool,
}

fn shape(digit: bool, upper: bool, rest: Rest) -> Shape {
    match (digit, upper, rest) {
        (true, _, Rest { upper: false, lower: false, .. }) => Shape::Digits,
        (true, _, _) | (_, _, Rest { digit: true, .. }) => Shape::Alnum,
        (_, true, Rest { upper: false, lower: false, .. }) => Shape::Initial,
        (_, true, Rest { upper: false, .. }) => Shape::Title,
        (_, true, Rest { lower: false, .. }) => Shape::Upper,
        (_, false, Rest { upper: false, .. }) => Shape::Lower,
        _ => Shape::Mixed,
    }
}

/// The eight bytes from `at`, and zeros beyond the end.
fn eight(bytes: &[u8], at: usize) -> u64 {
    if let Some(Ok(eight)) = bytes.get(at..at + 8).map(<[u8; 8]>::try_from) {
        return u64::from_le_bytes(eight);
    }
    let rest = bytes.get(at..).unwrap_or_default();
    rest.iter().take(8).rev().fold(0, |value, byte| value << 8 | u64::from(*byte))
}

/// What lies between two words.
pub fn gap(between: &[u8]) -> Gap {
    match between {
        b" " => Gap::Space,
        b", " | b"," => Gap::Comma,
        b". " | b"! " | b"? " => Gap::Stop,
        b"-" => Gap::Hyphen,
        b"'" | b"\xE2\x80\x99" => Gap::Apostrophe,
        b"." => Gap::Point,
        b": " => Gap::Colon,
        _ => rare_gap(between),
    }
}

fn rare_gap(between: &[u8]) -> Gap {
    let between = between.get(..LONGEST_GAP).unwrap_or(between);
    let has = |set: &[u8]| between.iter().any(|byte| set.contains(byte));
    if has(b"\n") {
        Gap::Line
    } else if has(b"_$\\=<>{}#@%^~`|+*") {
        Gap::Code
    } else if has(b":") {
        Gap::Colon
    } else if has(b"\"()[]\xE2\xC2") || between.contains(&b'\'') {
        Gap::Quote
    } else if has(b".!?") {
        if has(b" ") { Gap::Stop } else { Gap::Point }
    } else if has(b",;") {
        Gap::Comma
    } else if has(b"/") {
        Gap::Slash
    } else if has(b"-") {
        Gap::Hyphen
    } else if has(b" \t") {
        Gap::Space
    } else {
        Gap::Other
    }
}

/// The start of a word in small letters without accents: what names are looked up and compared by.
pub struct Folded {
    bytes: [u8; LONGEST_WORD],
    len: usize,
}

impl Folded {
    pub fn of(word: &str) -> Self {
        let mut folded = Folded { bytes: [0; LONGEST_WORD], len: 0 };
        word.chars().for_each(|c| folded.push(c));
        folded
    }

    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    fn push(&mut self, c: char) {
        let c = match c {
            'A'..='Z' => c.to_ascii_lowercase(),
            '\u{C0}'..='\u{17F}' => char::from(PLAIN.get(c as usize - 0xC0).copied().unwrap_or(b'?')),
            _ => c.to_lowercase().next().unwrap_or(c),
        };
        let mut buffer = [0; 4];
        for byte in c.encode_utf8(&mut buffer).bytes() {
            if let Some(slot) = self.bytes.get_mut(self.len) {
                *slot = byte;
                self.len += 1;
            }
        }
    }
}

/// The hash of a word of a list. Equals `Token::hash` of the same word in any case.
pub fn word_hash(word: &str) -> u64 {
    if word.is_ascii() {
        return hash(word.as_bytes());
    }
    hash(Folded::of(word).bytes())
}

fn hash(word: &[u8]) -> u64 {
    word.chunks(8).fold(SEED, |hash, chunk| mix(hash, (eight(chunk, 0) | SMALL) & (u64::MAX >> (64 - 8 * chunk.len()))))
}

pub fn mix(hash: u64, value: u64) -> u64 {
    let product = u128::from(hash ^ value) * u128::from(MULTIPLIER);
    (product as u64) ^ (product >> 64) as u64
}

/// The high bit of each byte, one in each, and the bit that makes capitals small and leaves digits alone.
const HIGH: u64 = 0x8080_8080_8080_8080;
const EACH: u64 = 0x0101_0101_0101_0101;
const SMALL: u64 = 0x2020_2020_2020_2020;
const SEED: u64 = 0x243F_6A88_85A3_08D3;
const MULTIPLIER: u64 = 0x9E37_79B9_7F4A_7C15;
/// Longer gaps are looked at by their beginning.
const LONGEST_GAP: usize = 16;
/// Longer words are known by their beginning.
const LONGEST_WORD: usize = 48;

/// U+00C0 to U+017F without accents, in small letters.
const PLAIN: &[u8; 192] = b"aaaaaaaceeeeiiiidnooooo?ouuuuytsaaaaaaaceeeeiiiidnooooo?ouuuuyty\
aaaaaaccccccccddddeeeeeeeeeegggggggghhhhiiiiiiiiiiiijjkkklllllll\
lllnnnnnnnnnoooooooorrrrrrssssssssttttttuuuuuuuuuuuuwwyyyzzzzzzs";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_told_by_how_it_is_written_and_what_stands_before() {
        let text = "Mr. Ångström-Smith's 12b, McCoy\n«Ω» 日本 USA x=1 J.";
        let found = tokens(text);
        let found: Vec<_> = (0..found.len())
            .map(|at| {
                let end = at.checked_sub(1).map_or(0, |before| found[before].end);
                let gap = if at == 0 { Gap::Start } else { gap(&text.as_bytes()[end..found[at].start]) };
                (&text[found[at].start..found[at].end], found[at].shape, gap)
            })
            .collect();
        assert_eq!(
            found,
            [
                ("Mr", Shape::Title, Gap::Start),
                ("Ångström", Shape::Title, Gap::Stop),
                ("Smith", Shape::Title, Gap::Hyphen),
                ("s", Shape::Lower, Gap::Apostrophe),
                ("12b", Shape::Alnum, Gap::Space),
                ("McCoy", Shape::Mixed, Gap::Comma),
                ("Ω", Shape::Initial, Gap::Line),
                ("USA", Shape::Upper, Gap::Quote),
                ("x", Shape::Lower, Gap::Space),
                ("1", Shape::Digits, Gap::Code),
                ("J", Shape::Initial, Gap::Space),
            ]
        );
    }

    #[test]
    fn a_name_is_one_in_any_case_and_with_or_without_accents() {
        for (a, b) in
            [("Ångström", "angstrom"), ("KATEŘINA", "katerina"), ("ΛΕΥΚΩΣΙΑ", "λευκωσια"), ("Øyvind", "oyvind")]
        {
            assert_eq!(word_hash(a), word_hash(b), "{a}");
        }
        assert_ne!(word_hash("ab"), word_hash("ba"));
    }
}
