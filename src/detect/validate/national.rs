//! Identity, tax, health and vehicle numbers by their countries' check digits. A number without a check digit is a matter of context, not of this file.

use super::number::luhn;
use super::{Validator, digits, weighted};

pub(super) fn accepts(validator: Validator, text: &str) -> bool {
    let n = digits(text);
    match validator {
        Validator::UsSsn => us_ssn(&n),
        Validator::UkNhs => {
            n.len() == 10 && (11 - weighted(&n, &[10, 9, 8, 7, 6, 5, 4, 3, 2]) % 11) % 11 == last(&n) && varied(&n)
        }
        Validator::CaSin => n.len() == 9 && !n.starts_with(&[0]) && !n.starts_with(&[8]) && luhn(&n) && varied(&n),
        Validator::AuTfn => {
            n.len() == 9 && weighted(&n, &[1, 4, 3, 7, 5, 8, 6, 9, 10]).is_multiple_of(11) && varied(&n)
        }
        Validator::AuAbn => au_abn(&n),
        Validator::InAadhaar => n.len() == 12 && n.first().is_some_and(|d| *d > 1) && verhoeff(&n) && varied(&n),
        Validator::DeTaxId => n.len() == 11 && !n.starts_with(&[0]) && iso7064(&n),
        Validator::DeSocialSecurity => de_social_security(text),
        Validator::EsNif => es_letter(text, ""),
        Validator::EsNie => text.bytes().next().is_some_and(|b| es_letter(text, nie_digit(b))),
        Validator::FrNir => fr_nir(text, &n),
        Validator::ItFiscalCode => it_fiscal_code(text),
        Validator::BrCpf => n.len() == 11 && varied(&n) && br_check(&n, 9, &CPF) && br_check(&n, 10, &CPF),
        Validator::BrCnpj => n.len() == 14 && varied(&n) && br_check(&n, 12, &CNPJ) && br_check(&n, 13, &CNPJ),
        Validator::CnResidentId => cn_resident_id(text, &n),
        Validator::JpMyNumber => jp_my_number(&n),
        Validator::KrRrn => kr_rrn(&n),
        Validator::ZaId => n.len() == 13 && plausible_yymmdd(&n, 0) && n.get(10).is_some_and(|d| *d < 3) && luhn(&n),
        Validator::PlPesel => {
            n.len() == 11 && varied(&n) && weighted(&n, &[1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1]).is_multiple_of(10)
        }
        Validator::NlBsn => nl_bsn(&n),
        Validator::SePersonnummer => se_personnummer(&n),
        Validator::FiHetu => fi_hetu(text, &n),
        Validator::TrTckn => tr_tckn(&n),
        Validator::Npi => n.len() == 10 && luhn(&[&[8, 0, 8, 4, 0], n.as_slice()].concat()),
        Validator::Dea => {
            n.len() == 7 && (weighted(&n, &[1, 0, 1, 0, 1]) + 2 * weighted(&n, &[0, 1, 0, 1, 0, 1])) % 10 == last(&n)
        }
        Validator::Vin => vin(text),
        _ => false,
    }
}

fn last(digits: &[u32]) -> u32 {
    digits.last().copied().unwrap_or(u32::MAX)
}

fn varied(digits: &[u32]) -> bool {
    digits.iter().any(|d| Some(d) != digits.first())
}

fn number(digits: &[u32]) -> u32 {
    digits.iter().fold(0, |n, d| n * 10 + d)
}

/// Six digits from `at` read as year, month and day, the month also with the offsets some countries add for the century.
fn plausible_yymmdd(digits: &[u32], month_offset: u32) -> bool {
    let [_, _, m1, m2, d1, d2, ..] = digits else { return false };
    let month = (m1 * 10 + m2).wrapping_sub(month_offset);
    (1..=12).contains(&month) && (1..=31).contains(&(d1 * 10 + d2))
}

/// Areas 000, 666 and 9xx, group 00 and serial 0000 were never issued (SSA, "Social Security Number Randomization"); the number of the old wallet advertisement
/// and the one of the SSA's own leaflet are nobody's.
fn us_ssn(n: &[u32]) -> bool {
    let [a, b, c, d, e, f, g, h, i] = n else { return false };
    let (area, group, serial) = (number(&[*a, *b, *c]), number(&[*d, *e]), number(&[*f, *g, *h, *i]));
    area != 0
        && area != 666
        && area < 900
        && group != 0
        && serial != 0
        && !matches!((area, group, serial), (78, 5, 1120) | (219, 9, 9999))
        && varied(n)
}

fn au_abn(n: &[u32]) -> bool {
    let [first, rest @ ..] = n else { return false };
    let sum = first.wrapping_sub(1).wrapping_mul(10).wrapping_add(weighted(rest, &[1, 3, 5, 7, 9, 11, 13, 15, 17, 19]));
    n.len() == 11 && *first > 0 && sum.is_multiple_of(89)
}

/// Verhoeff's dihedral check, with the tables computed: d is the group of order 10, p its permutation.
fn verhoeff(n: &[u32]) -> bool {
    const PERMUTATION: [u32; 10] = [1, 5, 7, 6, 2, 8, 3, 0, 9, 4];
    let permuted =
        |d: u32, times: usize| (0..times % 8).fold(d, |d, _| PERMUTATION.get(d as usize).copied().unwrap_or(0));
    let times = |a: u32, b: u32| match (a < 5, b < 5) {
        (true, true) => (a + b) % 5,
        (true, false) => (a + b - 5) % 5 + 5,
        (false, true) => (a + 5 - b) % 5 + 5,
        (false, false) => (a + 5 - b) % 5,
    };
    n.iter().rev().enumerate().fold(0, |sum, (i, d)| times(sum, permuted(*d, i))) == 0
}

/// ISO 7064 mod 11,10: the German tax identification number.
fn iso7064(n: &[u32]) -> bool {
    let Some((check, body)) = n.split_last() else { return false };
    let product = body.iter().fold(10, |product, d| {
        let sum = (product + d) % 10;
        (if sum == 0 { 10 } else { sum }) * 2 % 11
    });
    (11 - product) % 10 == *check && repeats_at_most(body, 3)
}

/// A tax id repeats one or two digits; a filler repeats many.
fn repeats_at_most(n: &[u32], limit: usize) -> bool {
    (0..10).all(|digit| n.iter().filter(|d| **d == digit).count() <= limit)
}

/// Area, birth date, initial, serial, check digit: the letter counts as its two-digit place in the alphabet (VKVV section 4).
fn de_social_security(text: &str) -> bool {
    let expanded: Vec<u32> = text.chars().filter(char::is_ascii_alphanumeric).flat_map(letter_as_two_digits).collect();
    let [_, _, d1, d2, m1, m2, ..] = expanded.as_slice() else { return false };
    let (day, month) = (d1 * 10 + d2, m1 * 10 + m2);
    let products = expanded.iter().zip([2, 1, 2, 5, 7, 1, 2, 1, 2, 1, 2, 1]).map(|(d, w)| d * w);
    let sum: u32 = products.map(|p| p / 10 + p % 10).sum();
    expanded.len() == 13 && (1..=81).contains(&day) && (1..=12).contains(&month) && sum % 10 == last(&expanded)
}

fn letter_as_two_digits(c: char) -> Vec<u32> {
    match c.to_digit(36) {
        Some(value) if value > 9 => vec![(value - 9) / 10, (value - 9) % 10],
        Some(value) => vec![value],
        None => Vec::new(),
    }
}

/// DNI and NIE: the letter is the number modulo 23, an NIE's X, Y, Z standing for 0, 1, 2.
fn es_letter(text: &str, first: &str) -> bool {
    let number: String = first.chars().chain(text.chars().filter(char::is_ascii_digit)).collect();
    let (Ok(number), Some(letter)) = (number.parse::<usize>(), text.bytes().last()) else { return false };
    number > 0 && b"TRWAGMYFPDXBNJZSQVHLCKE".get(number % 23) == Some(&letter.to_ascii_uppercase())
}

fn nie_digit(letter: u8) -> &'static str {
    match letter.to_ascii_uppercase() {
        b'X' => "0",
        b'Y' => "1",
        _ => "2",
    }
}

/// Sex, year, month, department (2A and 2B are 19 and 18 in the sum), commune, order, key of 97 (INSEE).
fn fr_nir(text: &str, n: &[u32]) -> bool {
    let upper = text.to_ascii_uppercase();
    let body = if upper.contains('A') {
        insert(n, 9)
    } else if upper.contains('B') {
        insert(n, 8)
    } else {
        n.to_vec()
    };
    let [sex, _, _, m1, m2, ..] = body.as_slice() else { return false };
    let fold = |part: &[u32]| part.iter().fold(0_u64, |n, d| n * 10 + u64::from(*d));
    let Some((body_digits, key)) = body.split_at_checked(13) else { return false };
    let month = m1 * 10 + m2;
    key.len() == 2 && matches!(sex, 1 | 2) && (1..=99).contains(&month) && 97 - fold(body_digits) % 97 == fold(key)
}

/// Puts the digit that replaces the letter of a Corsican department back in its place.
fn insert(n: &[u32], digit: u32) -> Vec<u32> {
    let (head, tail) = n.split_at(n.len().min(6));
    let head = head.iter().enumerate().map(|(i, d)| if i == 5 { 1 } else { *d });
    head.chain([digit]).chain(tail.iter().copied()).collect()
}

/// Ministero delle Finanze, DM 23/12/1976: odd places by table, even places by value, the last letter the sum modulo 26.
fn it_fiscal_code(text: &str) -> bool {
    const ODD: [u32; 26] =
        [1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23];
    let value =
        |b: u8| u32::from(if b.is_ascii_digit() { b - b'0' } else { b.to_ascii_uppercase().wrapping_sub(b'A') });
    let odd = |b: u8| ODD.get(value(b) as usize).copied().unwrap_or(0);
    let bytes = text.as_bytes();
    let Some((check, body)) = bytes.split_last() else { return false };
    let sum: u32 = body.iter().enumerate().map(|(i, b)| if i % 2 == 0 { odd(*b) } else { value(*b) }).sum();
    bytes.len() == 16 && sum % 26 == value(*check)
}

const CPF: [u32; 12] = [11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 0, 0];
const CNPJ: [u32; 13] = [6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2];

/// The weights of CPF and CNPJ end in 2 at the digit before the one they check.
fn br_check(n: &[u32], at: usize, weights: &[u32]) -> bool {
    let used: Vec<u32> = weights.iter().copied().filter(|w| *w > 0).collect();
    let weights = used.get(used.len().saturating_sub(at)..).unwrap_or_default();
    let rest = weighted(n.get(..at).unwrap_or_default(), weights) % 11;
    n.get(at) == Some(&if rest < 2 { 0 } else { 11 - rest })
}

/// GB 11643: birth date and a check character of modulo 11, X for ten.
fn cn_resident_id(text: &str, n: &[u32]) -> bool {
    let body = n.get(..17).unwrap_or_default();
    let Some(birth) = n.get(6..14) else { return false };
    let rest = weighted(body, &[7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2]) % 11;
    let check = b"10X98765432".get(rest as usize).copied();
    let year = birth.get(..4).map_or(0, number);
    text.len() == 18
        && (1900..=2099).contains(&year)
        && plausible_yymmdd(birth.get(2..).unwrap_or_default(), 0)
        && text.bytes().last().map(|b| b.to_ascii_uppercase()) == check
}

fn jp_my_number(n: &[u32]) -> bool {
    let body: Vec<u32> = n.iter().rev().skip(1).copied().collect();
    let rest = weighted(&body, &[2, 3, 4, 5, 6, 7, 2, 3, 4, 5, 6]) % 11;
    n.len() == 12 && varied(n) && last(n) == if rest < 2 { 0 } else { 11 - rest }
}

/// The check digit was abolished in October 2020, so only the birth date, the century and sex digit are asked for.
fn kr_rrn(n: &[u32]) -> bool {
    n.len() == 13 && plausible_yymmdd(n, 0) && n.get(6).is_some_and(|d| (1..=8).contains(d))
}

fn nl_bsn(n: &[u32]) -> bool {
    let Some((check, body)) = n.split_last() else { return false };
    n.len() == 9 && varied(n) && weighted(body, &[9, 8, 7, 6, 5, 4, 3, 2]) % 11 == *check
}

fn se_personnummer(n: &[u32]) -> bool {
    let short = n.get(n.len().saturating_sub(10)..).unwrap_or_default();
    matches!(n.len(), 10 | 12) && plausible_yymmdd(short, 0) && luhn(short)
}

fn fi_hetu(text: &str, n: &[u32]) -> bool {
    let [d1, d2, m1, m2, ..] = n else { return false };
    let (day, month) = (d1 * 10 + d2, m1 * 10 + m2);
    let body = n.get(..9).unwrap_or_default();
    let check = b"0123456789ABCDEFHJKLMNPRSTUVWXY".get(number(body) as usize % 31);
    body.len() == 9 && (1..=31).contains(&day) && (1..=12).contains(&month) && text.as_bytes().last() == check
}

fn tr_tckn(n: &[u32]) -> bool {
    let [a, b, c, d, e, f, g, h, i, j, k] = n else { return false };
    let tenth = ((a + c + e + g + i) * 7 + 100 - (b + d + f + h)) % 10;
    *a > 0 && tenth == *j && n.iter().take(10).sum::<u32>() % 10 == *k
}

/// ISO 3779 with the North American check digit in the ninth place.
fn vin(text: &str) -> bool {
    const WEIGHTS: [u32; 17] = [8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2];
    const VALUES: [u32; 26] = [1, 2, 3, 4, 5, 6, 7, 8, 0, 1, 2, 3, 4, 5, 0, 7, 0, 9, 2, 3, 4, 5, 6, 7, 8, 9];
    let upper = text.to_ascii_uppercase();
    let value = |b: u8| {
        if b.is_ascii_digit() {
            u32::from(b - b'0')
        } else {
            VALUES.get(usize::from(b.wrapping_sub(b'A'))).copied().unwrap_or(0)
        }
    };
    let sum: u32 = upper.bytes().zip(WEIGHTS).map(|(b, w)| value(b) * w).sum();
    upper.len() == 17
        && upper.bytes().any(|b| b.is_ascii_alphabetic())
        && upper.as_bytes().get(8).copied() == b"0123456789X".get(sum as usize % 11).copied()
}

#[cfg(test)]
mod tests {
    use super::super::tests::check;
    use crate::detect::validate::Validator::*;

    #[test]
    fn national_numbers_are_told_by_their_check_digits() {
        check(&[
            (
                UsSsn,
                &["832-13-6314", "078051121"],
                &["000-12-3456", "666-12-3456", "912-12-3456", "123-00-4567", "123-45-0000", "078-05-1120"],
            ),
            (UkNhs, &["401-023-2137", "221 395 1837", "0032698674"], &["401-023-2138", "0000000000", "40102321"]),
            (CaSin, &["130 692 544"], &["130 692 545", "046 454 286", "13069254"]),
            (AuTfn, &["876 543 210"], &["876 543 211", "000000000"]),
            (AuAbn, &["51 824 753 556"], &["52 824 753 556", "00000000560", "5182475355"]),
            (InAadhaar, &["2341 2341 2346"], &["2341 2341 2347", "1363 4567 8901"]),
            (DeTaxId, &["86095742719", "47036892816"], &["86095742718", "11111111111"]),
            (DeSocialSecurity, &["15070649C103", "65070803A019"], &["15070649C100", "15071349C103", "15070649C10"]),
            (EsNif, &["55555555K", "1111111-G", "12345678z"], &["12345678A", "K", ""]),
            (EsNie, &["X1234567L", "Y1234567X"], &["X1234567A"]),
            (
                FrNir,
                &["2 55 08 14 168 025 38", "255081416802538"],
                &["2 55 08 14 168 025 39", "3 55 08 14 168 025 38", "255"],
            ),
            (ItFiscalCode, &["RSSMRA85T10A562S"], &["RSSMRA85T10A562T", "RSSMRA85T10A562"]),
            (BrCpf, &["529.982.247-25"], &["529.982.247-26", "111.111.111-11"]),
            (BrCnpj, &["11.222.333/0001-81"], &["11.222.333/0001-82", "11.222.333"]),
            (CnResidentId, &["11010519491231002X"], &["110105194912310021", "11010519491331002X", "1101"]),
            (JpMyNumber, &["123456789018"], &["123456789012", "000000000000"]),
            (KrRrn, &["960121-1234567", "911124-5678901"], &["001332-1234567", "960303-0021413", "051102-9234110"]),
            (ZaId, &["8001015009087"], &["8001015009086", "9913326789285"]),
            (PlPesel, &["44051401359"], &["44051401358"]),
            (NlBsn, &["111222333"], &["111222334"]),
            (SePersonnummer, &["811218-9876", "19811218-9876"], &["811218-9877", "811318-9876"]),
            (FiHetu, &["131052-308T"], &["131052-308U", "311352-308T"]),
            (TrTckn, &["10000000146"], &["10000000147", "1000000014"]),
            (Npi, &["1234567893"], &["1234567894"]),
            (Dea, &["BB1388568", "GL0285191"], &["BG8207031", "BB1388569"]),
            (
                Vin,
                &["1M8GDM9AXKP042788", "1HGCM82633A004352"],
                &["1M8GDM9A1KP042788", "1M8GDM9AXKP04278", "01234567890123490"],
            ),
        ]);
    }
}
