//! Bytes written in letters: base64 and its variants, base32, base58, base85, and letters turned by half of ASCII.

use base64::Engine;
use base64::alphabet;
use base64::engine::general_purpose::GeneralPurpose;
use base64::engine::{DecodePaddingMode, GeneralPurposeConfig};

use super::{SHORTEST, SHORTEST_TEXT, readable, runs};
use crate::text::Span;
use crate::text::english::Packed;
use crate::text::table::table;

pub(super) fn find(text: &str, cut: bool, found: &mut Vec<(Span, String)>) {
    for span in runs(text, &BASE64_BYTES, SHORTEST, LONGEST_LINE) {
        let token = &text[span.start..span.end];
        let decoded = base64(token, cut && span.start == 0).or_else(|| base32(token)).or_else(|| base58(token));
        found.extend(decoded.map(|decoded| (span, decoded)));
    }
    cut_up(text, found);
    for span in runs(text, &GRAPHIC, SHORTEST_85, 0) {
        found.extend(base85(&text[span.start..span.end]).map(|decoded| (span, decoded)));
    }
    let mut after = 0;
    for span in runs(text, &TURNED, SHORTEST_TURNED, 0) {
        if span.start >= after {
            let line = line(text, span);
            found.extend(rot47(&text[line.start..line.end]).map(|decoded| (line, decoded)));
            after = line.end;
        }
    }
}

fn base64(token: &str, cut: bool) -> Option<String> {
    if !cut && beginning(token).is_some_and(|beginning| !may_be_text(&beginning)) {
        return None;
    }
    let letters = letters(token);
    let shifts = if cut { 0..4 } else { 0..1 };
    shifts
        .filter_map(|shift| {
            let letters = letters.get(shift..)?;
            let whole = letters.len() - usize::from(letters.len() % 4 == 1);
            readable(BASE64.decode(letters.get(..whole)?).ok()?)
        })
        .next()
}

/// The first bytes that base64 stands for: of a random token they tell that it holds no text. `None` if it has fewer.
fn beginning(token: &str) -> Option<[u8; BEGINNING]> {
    let mut bytes = [0; BEGINNING];
    let mut letters = token.bytes().filter(|letter| !letter.is_ascii_whitespace()).take_while(|letter| *letter != b'=');
    for bytes in bytes.as_chunks_mut::<3>().0 {
        let mut group = 0;
        for _ in 0..4 {
            group = group << 6 | u32::from(DIGITS_64[usize::from(letters.next()?)]);
        }
        let [_, decoded @ ..] = group.to_be_bytes();
        *bytes = decoded;
    }
    Some(bytes)
}

/// False if no text that is `readable` begins so.
fn may_be_text(beginning: &[u8]) -> bool {
    let cut = beginning.iter().take(3).take_while(|byte| (0x80..0xC0).contains(*byte)).count();
    let utf8 = |bytes| std::str::from_utf8(bytes).map_or_else(|error| error.error_len().is_none(), |_| true);
    utf8(&beginning[cut..]) || beginning.iter().skip(1).step_by(2).all(|byte| *byte == 0)
}

/// The letters of `token` up to its padding, in the standard alphabet.
fn letters(token: &str) -> Vec<u8> {
    let token = token.as_bytes();
    let mut letters = token[..memchr::memchr(b'=', token).unwrap_or(token.len())].to_vec();
    letters.iter_mut().for_each(|letter| *letter = standard(*letter));
    if letters.iter().any(u8::is_ascii_whitespace) {
        letters.retain(|letter| !letter.is_ascii_whitespace());
    }
    letters
}

/// The URL-safe alphabet reads as the standard one.
fn standard(byte: u8) -> u8 {
    match byte {
        b'-' => b'+',
        b'_' => b'/',
        other => other,
    }
}

/// Base64 in groups of equal length with a space between them, as codes are printed. A small letter before a capital one
/// inside a word is where to look. What stands before the groups or behind them may have their length, so that what is
/// readable counts.
fn cut_up(text: &str, found: &mut Vec<(Span, String)>) {
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(place) = hump(bytes, at) {
        let start = place - bytes[at..place].iter().rev().take_while(|byte| BASE64_BYTES[usize::from(**byte)]).count();
        let width = group(bytes, start);
        at = start + width.max(1);
        if !(2..2 * LONGEST_LINE).contains(&width) {
            continue;
        }
        let mut first = start;
        let same = |at: usize| group(bytes, at) == width && (at == 0 || bytes[at - 1].is_ascii_whitespace());
        while first > width && bytes[first - 1].is_ascii_whitespace() && same(first - width - 1) {
            first -= width + 1;
        }
        let mut end = start + width;
        while bytes.get(end).is_some_and(u8::is_ascii_whitespace) && same(end + 1) {
            end += width + 1;
        }
        let last = group(bytes, end + 1);
        end += if bytes.get(end).is_some_and(u8::is_ascii_whitespace) && last < width { 1 + last } else { 0 };
        if end - start > width && end - start >= SHORTEST {
            found.extend(
                [first, start]
                    .iter()
                    .find_map(|first| ascii(&text[*first..end]))
                    .map(|decoded| (Span::new(first, end), decoded)),
            );
            at = at.max(end);
        }
    }
}

/// The first capital letter behind a small one that stands at `at` or later.
fn hump(bytes: &[u8], at: usize) -> Option<usize> {
    let is_hump = |small: u8, capital: u8| small.is_ascii_lowercase() & capital.is_ascii_uppercase();
    let (first, second) = (bytes.get(at..)?, bytes.get(at + 1..)?);
    // Whole stretches of most texts have none, which is told without a branch a byte.
    let stretches = first.as_chunks::<STRETCH>().0.iter().zip(second.as_chunks::<STRETCH>().0);
    let without = |(first, second): &(&[u8; STRETCH], &[u8; STRETCH])| {
        !first.iter().zip(*second).fold(false, |any, (first, second)| any | is_hump(*first, *second))
    };
    let plain = stretches.take_while(without).count() * STRETCH;
    let mut pairs = first[plain..].iter().zip(&second[plain..]);
    pairs.position(|(first, second)| is_hump(*first, *second)).map(|offset| at + plain + offset + 1)
}

/// Length of the base64 at `at`.
fn group(bytes: &[u8], at: usize) -> usize {
    bytes
        .get(at..)
        .unwrap_or_default()
        .iter()
        .take(2 * LONGEST_LINE)
        .take_while(|byte| BASE64_BYTES[usize::from(**byte)])
        .count()
}

/// The groups decoded as far as they are ASCII.
fn ascii(groups: &str) -> Option<String> {
    let is_text = |byte: &u8| byte.is_ascii_graphic() || byte.is_ascii_whitespace();
    if beginning(groups).is_some_and(|beginning| !beginning.iter().take(SHORTEST_TEXT).all(is_text)) {
        return None;
    }
    let letters = letters(groups);
    let whole = letters.len() - usize::from(letters.len() % 4 == 1);
    let mut bytes = BASE64.decode(letters.get(..whole)?).ok()?;
    let text = bytes.iter().take_while(|byte| is_text(byte)).count();
    bytes.truncate(text);
    readable(bytes)
}

/// RFC 4648, in either case.
fn base32(token: &str) -> Option<String> {
    // Most tokens are none, and show it before they could be long enough.
    if token.bytes().take(SHORTEST_32).any(|byte| matches!(byte, b'0' | b'1' | b'8' | b'9' | b'+' | b'-' | b'/' | b'_'))
    {
        return None;
    }
    let (mut bytes, mut bits, mut held) = (Vec::new(), 0_u32, 0_u32);
    for letter in token.bytes().filter(|byte| !byte.is_ascii_whitespace()).take_while(|byte| *byte != b'=') {
        let value = match letter.to_ascii_lowercase() {
            letter @ b'a'..=b'z' => letter - b'a',
            digit @ b'2'..=b'7' => digit - b'2' + 26,
            _ => return None,
        };
        bits = (bits << 5 | u32::from(value)) & 0xFFFF;
        held += 5;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held) as u8);
        }
    }
    readable(bytes)
}

/// Bitcoin's alphabet. The number is as long as the token, so the work grows with its square.
fn base58(token: &str) -> Option<String> {
    let mixed =
        token.bytes().any(|byte| byte.is_ascii_uppercase()) && token.bytes().any(|byte| byte.is_ascii_lowercase());
    if token.len() > LONGEST_58 || !mixed || token.bytes().any(|letter| DIGITS_58[usize::from(letter)] == NONE) {
        return None;
    }
    let mut limbs: Vec<u32> = Vec::with_capacity(token.len() / 5 + 1);
    for letter in token.bytes() {
        let mut carry = u64::from(DIGITS_58[usize::from(letter)]);
        for limb in &mut limbs {
            carry += u64::from(*limb) * 58;
            *limb = carry as u32;
            carry >>= 32;
        }
        if carry > 0 {
            limbs.push(carry as u32);
        }
    }
    let bytes = limbs.iter().rev().flat_map(|limb| limb.to_be_bytes()).skip_while(|byte| *byte == 0);
    readable(bytes.collect())
}

/// Ascii85 with or without its frame, and the alphabet of RFC 1924.
fn base85(token: &str) -> Option<String> {
    let framed = token.strip_prefix("<~").and_then(|token| token.strip_suffix("~>"));
    let bare = token.trim_matches(['"', '\'', '`']);
    let whole = framed.unwrap_or(token);
    let plain = [Some(whole), Some(bare).filter(|bare| bare.len() != whole.len())];
    let read = |token| groups_of_five(token, &DIGITS_ASCII85).or_else(|| groups_of_five(token, &DIGITS_85));
    plain.into_iter().flatten().find_map(read)
}

fn groups_of_five(token: &str, digits: &[u8; 256]) -> Option<String> {
    let mut bytes = Vec::new();
    for group in token.as_bytes().chunks(5) {
        let mut number = 0;
        for place in 0..5 {
            let digit = group.get(place).map_or(84, |letter| digits[usize::from(*letter)]);
            if digit == NONE {
                return None;
            }
            number = number * 85 + u64::from(digit);
        }
        let decoded = u32::try_from(number).ok()?.to_be_bytes();
        // Text is ASCII for the most part; anything else is given up at once.
        if decoded.iter().take(group.len() - 1).filter(|byte| !byte.is_ascii() || byte.is_ascii_control()).count() > 2 {
            return None;
        }
        bytes.extend(decoded.iter().take(group.len() - 1));
    }
    readable(bytes)
}

/// Every printing character as the one 47 places on, if that makes words of most of the line.
fn rot47(line: &str) -> Option<String> {
    let mut turned = line.as_bytes().to_vec();
    if !line.is_ascii() {
        turned.retain(u8::is_ascii);
    }
    turned.iter_mut().for_each(|byte| *byte = TURNS[usize::from(*byte)]);
    let (mut words, mut known) = (0, 0);
    for word in turned.split(|letter| !letter.is_ascii_alphabetic()).filter(|word| word.len() > 1) {
        words += 1;
        known += usize::from(Packed::new(&word.to_ascii_lowercase()).is_some_and(Packed::is_word));
    }
    if known * 2 > words { String::from_utf8(turned).ok() } else { None }
}

/// The line, or the part of it of a sensible length, that holds `span`.
fn line(text: &str, span: Span) -> Span {
    let start = text[..span.start].rfind('\n').map_or(0, |at| at + 1);
    let end = text[span.end..].find('\n').map_or(text.len(), |at| span.end + at);
    Span::new(start, end)
}

const BASE64_BYTES: [bool; 256] = table(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_=");
const GRAPHIC: [bool; 256] =
    table(b"!\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~");
/// What small letters and spaces are in a text turned by 47.
const TURNED: [bool; 256] = table(b" 23456789:;<=>?@ABCDEFGHIJK");
/// What every byte is turned to.
const TURNS: [u8; 256] = {
    let mut turns = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let letter = byte as u8;
        turns[byte] = if letter.is_ascii_graphic() { b'!' + (letter - b'!' + 47) % 94 } else { letter };
        byte += 1;
    }
    turns
};
const DIGITS_58: [u8; 256] = digits(b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz");
const DIGITS_64: [u8; 256] = {
    let mut digits = digits(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/");
    (digits[b'-' as usize], digits[b'_' as usize]) = (62, 63);
    digits
};
const DIGITS_85: [u8; 256] =
    digits(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;<=>?@^_`{|}~");
const DIGITS_ASCII85: [u8; 256] =
    digits(b"!\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstu");
const NONE: u8 = u8::MAX;

/// The place of every byte in an alphabet.
const fn digits(alphabet: &[u8]) -> [u8; 256] {
    let mut digits = [NONE; 256];
    let mut at = 0;
    while at < alphabet.len() {
        digits[alphabet[at] as usize] = at as u8;
        at += 1;
    }
    digits
}

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);
/// Bytes of a token that are looked at before all are.
const BEGINNING: usize = 12;
/// Letters that are too few to be read.
const SHORTEST_32: usize = 12;
const LONGEST_58: usize = 256;
const SHORTEST_85: usize = 20;
const SHORTEST_TURNED: usize = 12;
const STRETCH: usize = 32;
/// MIME wraps at 76, PEM at 64.
const LONGEST_LINE: usize = 40;
