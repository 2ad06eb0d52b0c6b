//! Reads digits and signs as the letters they stand for where that makes an English word. Folds nothing else.

use super::english::{self, Packed};

/// The word at the start of `bytes`, read as letters. It has as many bytes as what it stands for. In a text that has such
/// words (`context`) numbers are tried too.
pub(super) fn word(bytes: &[u8], context: bool) -> Option<Packed> {
    let (mut token, mut core, mut kinds) = (0, 0, 0);
    for kind in bytes.iter().take(LONGEST + 1).map(|byte| KINDS[usize::from(*byte)]).take_while(|kind| *kind > 0) {
        token += 1;
        kinds |= kind;
        core = if kind == SIGN { core } else { token };
    }
    let whole = bytes.get(..token).filter(|token| token.len() <= LONGEST)?;
    if kinds == LETTER || kinds & LETTER == 0 && !context {
        return None;
    }
    let ends = if core == token { [token, 0] } else { [token, core] };
    ends.into_iter().filter(|end| *end > 0).find_map(|end| read(whole.get(..end)?, context))
}

fn read(token: &[u8], context: bool) -> Option<Packed> {
    // Nearly every identifier is dismissed here, after a few letters.
    if !english::spells(token, |byte| SPELLED[usize::from(byte)]) {
        return None;
    }
    let stands = |byte: &u8| !spelled(*byte).is_empty();
    let signs = token.iter().filter(|byte| stands(byte)).count();
    let last = token.iter().rposition(u8::is_ascii_alphabetic).map_or(0, |at| at + 1);
    let first = token.iter().position(u8::is_ascii_alphanumeric).unwrap_or(token.len());
    // `step5` is a number, `(all` a parenthesis, `all!` a shout.
    let behind = signs == 1 && token.last().is_some_and(|byte| stands(byte) && !matches!(byte, b'$' | b'@'));
    // `i|g|n|o|r|e` has strokes between its letters, not for them.
    let is_stroke = |byte: u8| matches!(byte, b'|' | b'(' | b'+');
    let together = token.windows(2).any(|pair| !pair.iter().any(|byte| is_stroke(*byte)));
    if token.iter().any(|byte| is_stroke(*byte)) && !together {
        return None;
    }
    let at_an_end = behind || first > 0 && token.get(first..last).is_some_and(is_known);
    if signs == 0 || at_an_end && !context {
        return None;
    }
    let choices: usize = token.iter().map(|byte| spelled(*byte).len().max(1)).product();
    (0..choices.min(SPELLINGS)).filter_map(|number| spelling(token, number)).find(|word| word.is_word())
}

/// One of the words that the signs of `token` may spell.
fn spelling(token: &[u8], mut number: usize) -> Option<Packed> {
    let mut word = [0; LONGEST];
    for (letter, byte) in word.iter_mut().zip(token) {
        let all = spelled(*byte);
        *letter = all.get(number % all.len().max(1)).copied().unwrap_or(byte.to_ascii_lowercase());
        number /= all.len().max(1);
    }
    Packed::new(word.get(..token.len())?)
}

fn is_known(word: &[u8]) -> bool {
    Packed::new(&word.to_ascii_lowercase()).is_some_and(Packed::is_word)
}

/// No letter, and nothing that may stand for one.
pub(super) const fn stands_for_nothing(byte: u8) -> bool {
    KINDS[byte as usize] == 0
}

/// A sign, not a digit, that may stand for a letter.
pub(super) fn is_sign(byte: u8) -> bool {
    KINDS[usize::from(byte)] == SIGN
}

/// The likelier letter first.
const fn spelled(byte: u8) -> &'static [u8] {
    match byte {
        b'0' => b"o",
        b'1' | b'!' => b"il",
        b'2' => b"z",
        b'3' => b"e",
        b'4' | b'@' => b"a",
        b'5' | b'$' => b"s",
        b'6' => b"gb",
        b'7' => b"tl",
        b'8' => b"b",
        b'9' => b"gq",
        b'|' => b"li",
        b'(' => b"c",
        b'+' => b"t",
        _ => b"",
    }
}

const LETTER: u8 = 1;
const DIGIT: u8 = 2;
const SIGN: u8 = 4;
/// What every byte is; zero for what is none of these.
const KINDS: [u8; 256] = {
    let mut kinds = [0; 256];
    let mut byte = 0_u8;
    while byte < 128 {
        kinds[byte as usize] = match byte {
            _ if byte.is_ascii_alphabetic() => LETTER,
            _ if byte.is_ascii_digit() => DIGIT,
            _ if !spelled(byte).is_empty() => SIGN,
            _ => 0,
        };
        byte += 1;
    }
    kinds
};
/// The letters each byte may stand for, itself or others; zero where there is none.
const SPELLED: [[u8; 2]; 256] = {
    let mut all = [[0; 2]; 256];
    let mut byte = 0_u8;
    while byte < 128 {
        all[byte as usize] = match spelled(byte) {
            [one] => [*one, 0],
            [one, other, ..] => [*one, *other],
            [] => [byte.to_ascii_lowercase(), 0],
        };
        byte += 1;
    }
    all
};
const LONGEST: usize = 16;
const SPELLINGS: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    fn reads(text: &str, context: bool) -> Option<String> {
        word(text.as_bytes(), context).and_then(Packed::word).map(str::to_owned)
    }

    #[test]
    fn signs_are_read_as_the_letters_that_make_a_word() {
        for (text, expected) in [
            ("1gn0r3", "ignore"),
            ("411ow all", "allow"),
            ("5y573m", "system"),
            ("1n57ruc710n5", "instructions"),
            ("$y$tem", "system"),
            ("rule$", "rules"),
            ("fi1ter!", "filter"),
            ("|gnore", "ignore"),
            ("(ode", "code"),
            ("9uide1ines", "guidelines"),
            ("8ypass", "bypass"),
            ("pr0mp+", "prompt"),
            ("fo||ow", "follow"),
            ("|nstruc+|on5", "instructions"),
        ] {
            assert_eq!(reads(text, false).as_deref(), Some(expected), "{text}");
        }
        for text in [
            "step5", "(all", "base64", "gpt4", "411", "2024", "$how", "@way", "mp3", "b2b", "all", "i|s", "|s", "|n",
            "t|o|l|d",
        ] {
            assert_eq!(reads(text, false), None, "{text}");
        }
        assert_eq!(reads("411 rules", true).as_deref(), Some("all"));
    }
}
