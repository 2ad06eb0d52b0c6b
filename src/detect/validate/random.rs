//! Random strings told from words, names and paths. Hexadecimal ones are random too: whether they are keys or digests is said beside them.

/// Drawn at random and not a digest, a UUID or filled up.
pub(super) fn random(text: &str) -> bool {
    !is_hash(text) && looks_drawn(text) && !["xxx", "XXX", "...", "___"].iter().any(|filler| text.contains(filler))
}

/// The same or hexadecimal: what may be a secret if something says so.
pub fn looks_random(text: &str) -> bool {
    let counted = ["01020304", "abcdefgh", "ABCDEFGH"].iter().any(|row| text.contains(row));
    !counted
        && if is_hash(text) {
            has_digits_and_letters(text) && distinct(text) >= FEWEST_DISTINCT
        } else {
            looks_drawn(text)
        }
}

/// Words, identifiers and paths consist of the pairs of letters that languages and their abbreviations use, and keep
/// letters, digits and cases in runs; a random string has two of five such pairs by chance and changes class about
/// every second character. Of 44,000 names of sixteen characters and more in source code one in 170 passes, of random
/// strings of that length 97 in 100.
pub(super) fn looks_drawn(text: &str) -> bool {
    let classes: Vec<Class> = text.bytes().map(Class::of).collect();
    let digits = classes.iter().filter(|class| **class == Class::Digit).count();
    let (pairs, usual) = letter_pairs(text.as_bytes());
    let (length, changes) = (text.len() as f32, changes(&classes) as f32);
    let wordlike = (usual as f32 + 1.0) / (pairs as f32 + 1.3);
    let (words, change) = (usual as f32 / length, changes / length);
    digits < text.len()
        && (words < 0.45 || pairs >= MANY_PAIRS)
        && (change >= 0.3 && digits >= 2 || wordlike < 0.68)
        && wordlike - change <= if pairs < MANY_PAIRS { 0.45 } else { 0.6 }
        && distinct(text) >= FEWEST_DISTINCT
        && is_base64_or_no_path(text, &classes)
        && !is_constant(text)
}

/// With a slash or a plus sign in it, only what has the whole alphabet of base64; a path or a sum has not.
fn is_base64_or_no_path(text: &str, classes: &[Class]) -> bool {
    let signs = text.bytes().filter(|b| matches!(b, b'/' | b'+')).count();
    let all = [Class::Upper, Class::Lower, Class::Digit].iter().all(|class| classes.contains(class));
    let path = text.starts_with("//") || text.starts_with('/') && text.len() < SHORTEST_BASE64;
    signs == 0 || all && signs * 6 <= text.len() && !path
}

/// `NL80211_CMD_DEL_PMK`
fn is_constant(text: &str) -> bool {
    text.contains('_') && text.bytes().all(|b| b == b'_' || b.is_ascii_uppercase() || b.is_ascii_digit())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Upper,
    Lower,
    Digit,
    Other,
}

impl Class {
    fn of(b: u8) -> Self {
        match b {
            b'A'..=b'Z' => Class::Upper,
            b'a'..=b'z' => Class::Lower,
            b'0'..=b'9' => Class::Digit,
            _ => Class::Other,
        }
    }
}

/// Neighbours of different class; a separator ends a word and counts for nothing.
fn changes(classes: &[Class]) -> usize {
    let differ = |pair: &&[Class]| pair.first() != pair.last() && !pair.contains(&Class::Other);
    classes.windows(2).filter(differ).count()
}

/// Words joined by capitals or signs: `X25519PublicKey`, `project-cache-v5`, `core_1.crypto`.
pub(super) fn is_name(text: &str) -> bool {
    let bytes = text.as_bytes();
    let (pairs, usual) = letter_pairs(bytes);
    let humps = bytes.windows(2).any(|pair| matches!(pair, [a, b] if a.is_ascii_lowercase() && b.is_ascii_uppercase()));
    let joined = humps || bytes.iter().any(|b| b"_-.:".contains(b));
    let letters = bytes.iter().filter(|b| b.is_ascii_alphabetic()).count();
    joined && pairs >= 4 && usual * 10 >= pairs * 8 && letters * 10 >= bytes.len() * 6
}

/// How many pairs of letters the words of a text have, and how many of them are usual. A capital behind a small letter
/// begins a word.
fn letter_pairs(bytes: &[u8]) -> (usize, usize) {
    let inside = |pair: &&[u8]| match pair {
        [a, b] => {
            a.is_ascii_alphabetic() && b.is_ascii_alphabetic() && !(a.is_ascii_lowercase() && b.is_ascii_uppercase())
        }
        _ => false,
    };
    let pairs = bytes.windows(2).filter(inside);
    pairs.fold((0, 0), |(all, usual), pair| (all + 1, usual + usize::from(is_usual(pair))))
}

fn is_usual(pair: &[u8]) -> bool {
    let place = |b: &u8| u32::from(b.to_ascii_lowercase().wrapping_sub(b'a'));
    let [a, b] = pair else { return false };
    USUAL.get(place(a) as usize).is_some_and(|seconds| seconds >> place(b) & 1 == 1)
}

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

fn distinct(text: &str) -> u32 {
    text.bytes().fold(0_u128, |seen, b| seen | 1 << (b & 0x7f)).count_ones()
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
