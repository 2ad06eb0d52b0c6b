//! Random strings told from words, names and paths. Hexadecimal ones are random too: whether they are keys or digests is said beside them.

/// Drawn at random and not a digest, a UUID or filled up.
pub(super) fn random(text: &str) -> bool {
    let filler = || text.as_bytes().array_windows().any(|three| matches!(three, b"xxx" | b"XXX" | b"..." | b"___"));
    !is_hash(text) && looks_drawn(text) && !filler()
}

/// The same or hexadecimal: what may be a secret if something says so.
pub fn looks_random(text: &str) -> bool {
    let is_row = |eight: &[u8; 8]| matches!(eight, b"01020304" | b"abcdefgh" | b"ABCDEFGH");
    let drawn = if is_hash(text) {
        has_digits_and_letters(text) && Counts::of(text).distinct() >= FEWEST_DISTINCT
    } else {
        looks_drawn(text)
    };
    drawn && !text.as_bytes().array_windows().any(is_row)
}

/// Words, identifiers and paths consist of the pairs of letters that languages and their abbreviations use, and keep
/// letters, digits and cases in runs; a random string has two of five such pairs by chance and changes class about
/// every second character. Of 44,000 names of sixteen characters and more in source code one in 170 passes, of random
/// strings of that length 97 in 100.
pub(super) fn looks_drawn(text: &str) -> bool {
    let counts = Counts::of(text);
    let Counts { pairs, usual, digits, .. } = counts;
    let (length, changes) = (text.len() as f32, counts.changes as f32);
    let wordlike = (usual as f32 + 1.0) / (pairs as f32 + 1.3);
    let (words, change) = (usual as f32 / length, changes / length);
    digits < text.len()
        && (words < 0.45 || pairs >= MANY_PAIRS)
        && (change >= 0.3 && digits >= 2 || wordlike < 0.68)
        && wordlike - change <= if pairs < MANY_PAIRS { 0.45 } else { 0.6 }
        && counts.distinct() >= FEWEST_DISTINCT
        && counts.is_base64_or_no_path(text)
        && !is_constant(text)
}

/// `NL80211_CMD_DEL_PMK`
fn is_constant(text: &str) -> bool {
    text.contains('_') && text.bytes().all(|b| b == b'_' || b.is_ascii_uppercase() || b.is_ascii_digit())
}

/// What is counted of a text, in one pass over it.
#[derive(Default)]
struct Counts {
    /// Pairs of letters that its words have, and how many of them are usual. A capital behind a small letter begins a word.
    pairs: usize,
    usual: usize,
    /// Neighbours of different class; a separator ends a word and counts for nothing.
    changes: usize,
    digits: usize,
    /// Which bytes there are, the lower half of ASCII first.
    seen: [u64; 2],
}

impl Counts {
    fn of(text: &str) -> Self {
        let (mut counts, mut before, mut last) = (Counts::default(), b' ', OTHER);
        for byte in text.bytes() {
            let class = CLASSES[usize::from(byte)];
            let pair = PAIRS[usize::from(last << 4 | class)];
            let inside = pair & INSIDE == INSIDE;
            counts.pairs += usize::from(inside);
            counts.usual += usize::from(inside & is_usual(before, byte));
            counts.changes += usize::from(pair & CHANGE == CHANGE);
            counts.digits += usize::from(class == DIGIT);
            counts.seen[usize::from(byte >> 6 & 1)] |= 1 << (byte & 0x3f);
            (before, last) = (byte, class);
        }
        counts
    }

    fn distinct(&self) -> u32 {
        self.seen[0].count_ones() + self.seen[1].count_ones()
    }

    /// With a slash or a plus sign in it, only what has the whole alphabet of base64; a path or a sum has not.
    fn is_base64_or_no_path(&self, text: &str) -> bool {
        let signs = text.bytes().filter(|b| matches!(b, b'/' | b'+')).count();
        let has = |wanted: u8| text.bytes().any(|byte| CLASSES[usize::from(byte)] == wanted);
        let path = || text.starts_with("//") || text.starts_with('/') && text.len() < SHORTEST_BASE64;
        signs == 0 || signs * 6 <= text.len() && has(UPPER) && has(LOWER) && has(DIGIT) && !path()
    }
}

const OTHER: u8 = 8;
const UPPER: u8 = 1;
const LOWER: u8 = 2;
const DIGIT: u8 = 4;
/// The class of every byte.
const CLASSES: [u8; 256] = {
    let mut classes = [OTHER; 256];
    let mut byte = 0_u8;
    while byte < 128 {
        classes[byte as usize] = match byte {
            b'A'..=b'Z' => UPPER,
            b'a'..=b'z' => LOWER,
            b'0'..=b'9' => DIGIT,
            _ => OTHER,
        };
        byte += 1;
    }
    classes
};

/// Two letters of one word.
const INSIDE: u8 = 1;
/// Two characters of different class, neither of them a separator.
const CHANGE: u8 = 2;
/// What two neighbours are, by their classes, four bits each.
const PAIRS: [u8; 256] = {
    let mut pairs = [0; 256];
    let mut at = 0;
    while at < 256 {
        let (last, class) = (at as u8 >> 4, at as u8 & 15);
        let inside = (last | class) & !(UPPER | LOWER) == 0 && !(last == LOWER && class == UPPER);
        let change = last != class && last != OTHER && class != OTHER;
        pairs[at] = if inside { INSIDE } else { 0 } | if change { CHANGE } else { 0 };
        at += 1;
    }
    pairs
};

/// Words joined by capitals or signs: `X25519PublicKey`, `project-cache-v5`, `core_1.crypto`.
pub(super) fn is_name(text: &str) -> bool {
    let bytes = text.as_bytes();
    let Counts { pairs, usual, .. } = Counts::of(text);
    let humps = bytes.windows(2).any(|pair| matches!(pair, [a, b] if a.is_ascii_lowercase() && b.is_ascii_uppercase()));
    let joined = humps || bytes.iter().any(|b| b"_-.:".contains(b));
    let letters = bytes.iter().filter(|b| b.is_ascii_alphabetic()).count();
    joined && pairs >= 4 && usual * 10 >= pairs * 8 && letters * 10 >= bytes.len() * 6
}

/// Of two letters, in any case.
fn is_usual(first: u8, second: u8) -> bool {
    let place = |letter: u8| letter & 31;
    USUAL_AT[usize::from(place(first))] >> place(second) & 1 == 1
}

/// The same by the last five bits of a letter, which are its number from one on.
const USUAL_AT: [u32; 32] = {
    let mut usual = [0; 32];
    let mut letter = 0;
    while letter < USUAL.len() {
        usual[letter + 1] = USUAL[letter] << 1;
        letter += 1;
    }
    usual
};

/// For each first letter the second ones, `a` lowest: the 249 pairs that make up 95 % of English text and source code.
const USUAL: [u32; 26] = [
    0x1be_bd6e, 0x112_4911, 0x01e_4db5, 0x016_4159, 0x1ef_b87f, 0x012_6931, 0x016_2190, 0x008_4111, 0x2ae_f87f,
    0x000_0000, 0x004_0110, 0x11c_4939, 0x014_d113, 0x13c_ed7d, 0x07e_fd6e, 0x11e_c911, 0x010_0000, 0x11e_7d5d,
    0x11c_cd95, 0x11e_c995, 0x00e_b97f, 0x000_0111, 0x002_4191, 0x008_8000, 0x00c_c000, 0x000_0010,
];

/// Hexadecimal throughout: a commit, a digest, an address or a UUID.
fn is_hash(text: &str) -> bool {
    text.trim_start_matches("0x").bytes().all(|b| b == b'-' || b.is_ascii_hexdigit())
}

fn has_digits_and_letters(text: &str) -> bool {
    text.bytes().any(|b| b.is_ascii_digit()) && text.bytes().any(|b| b.is_ascii_alphabetic())
}

const FEWEST_DISTINCT: u32 = 7;
/// From here on chance makes no word of random letters.
const MANY_PAIRS: usize = 15;
const SHORTEST_BASE64: usize = 40;

#[cfg(test)]
mod tests {
    use super::super::tests::check;
    use super::*;
    use crate::detect::validate::Validator::*;

    #[test]
    fn random_strings_are_told_from_names() {
        check(&[(
            Random,
            &[
                "FKlPcmWOeHS3gaTEd9x0",
                "8eT37MONlSRaOshthVpuij8MOEqFSV4ZY1sz",
                "zvxqkjwhfpdmbgtc",
                "wJalrXUtnFEMI/K7MDENG/bPxRfiCYzQ8kLm4+w1",
            ],
            &[
                "getElementsByClassName2",
                "internationalization",
                "7c71c4ac-29b3-4612-af4d-5a306291959b",
                "d54a167b35bb35246d6a0b083a6cd5edb71157aa",
                "0x1a3594d7283c077017cd511144bf3db3",
                "2024_11_22_report",
                "SOME_CONSTANT_NAME",
                "NL80211_CMD_DEL_PMK",
                "aarch64-unknown-linux-gnu",
                "www.github.com/nodejs/node-gyp/commit/81bfa1f1b63d522a9f8a",
                "1000000000000000000u64",
            ],
        )]);
    }

    #[test]
    fn a_digest_looks_random_and_a_number_does_not() {
        for text in ["7c71c4ac-29b3-4612-af4d-5a306291959b", "d54a167b35bb35246d6a0b083a6cd5edb71157aa"] {
            assert!(looks_random(text), "{text}");
        }
        for text in [
            "1234567890123456",
            "00000000-0000-0000-0000-000000000000",
            "deadbeefdeadbeef",
            "----------------",
            "ABCDEFGHIJKLMNOP0",
        ] {
            assert!(!looks_random(text), "{text}");
        }
    }
}
