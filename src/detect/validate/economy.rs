//! More identity, tax and bank numbers of large economies by their check digits: what `national` does for the others.

use super::number::luhn;
use super::{Validator, digits, weighted};

pub(super) fn accepts(validator: Validator, text: &str) -> bool {
    let n = digits(text);
    match validator {
        Validator::RuInn => ru_inn(&n),
        Validator::RuSnils => ru_snils(&n),
        Validator::MxCurp => mx_curp(text),
        Validator::MxClabe => mx_clabe(&n),
        Validator::IdNik => n.len() == 16 && n.get(6..12).is_some_and(id_birth),
        Validator::SaId => n.len() == 10 && luhn(&n) && varied(&n),
        Validator::ChAhv => n.len() == 13 && n.starts_with(&[7, 5, 6]) && ean(&n),
        Validator::AuMedicare => {
            n.len() == 10 && n.get(8).is_some_and(|check| weighted(&n, &[1, 3, 7, 9, 1, 3, 7, 9]) % 10 == *check)
        }
        Validator::FrSiret => matches!(n.len(), 9 | 14) && luhn(&n) && varied(&n),
        Validator::EsCif => es_cif(text),
        Validator::CnUscc => cn_uscc(text),
        Validator::DeIdCard => de_id_card(text),
        _ => false,
    }
}

fn varied(digits: &[u32]) -> bool {
    digits.iter().any(|d| Some(d) != digits.first())
}

/// Ten digits for a company, twelve with two check digits for a person (Federal Tax Service).
fn ru_inn(n: &[u32]) -> bool {
    const WEIGHTS: [u32; 11] = [3, 7, 2, 4, 10, 3, 5, 9, 4, 6, 8];
    let check = |length: usize| {
        let body = n.get(..length).unwrap_or_default();
        let weights = WEIGHTS.get(WEIGHTS.len() - length..).unwrap_or_default();
        n.get(length) == Some(&(weighted(body, weights) % 11 % 10))
    };
    varied(n)
        && match n.len() {
            10 => check(9),
            12 => check(10) && check(11),
            _ => false,
        }
}

/// The last two digits are the sum of the others, by weights from nine down, modulo 101; a remainder of 100 is written 00.
fn ru_snils(n: &[u32]) -> bool {
    let [.., tens, ones] = n else { return false };
    n.len() == 11 && varied(n) && weighted(n, &[9, 8, 7, 6, 5, 4, 3, 2, 1]) % 101 % 100 == tens * 10 + ones
}

/// Values in an alphabet with Ñ between N and O, weights from eighteen down (RENAPO).
fn mx_curp(text: &str) -> bool {
    let value = |byte: u8| match byte {
        b'0'..=b'9' => u32::from(byte - b'0'),
        b'A'..=b'N' => u32::from(byte - b'A') + 10,
        _ => u32::from(byte.saturating_sub(b'A')) + 11,
    };
    let upper = text.to_ascii_uppercase();
    let Some((check, body)) = upper.as_bytes().split_last() else { return false };
    let sum: u32 = body.iter().zip((2..=18).rev()).map(|(byte, weight)| value(*byte) * weight).sum();
    let date = digits(upper.get(4..10).unwrap_or_default());
    body.len() == 17 && month_and_day(&date, 0) && u32::from(check.wrapping_sub(b'0')) == (10 - sum % 10) % 10
}

fn mx_clabe(n: &[u32]) -> bool {
    let Some((check, body)) = n.split_last() else { return false };
    let sum: u32 = body.iter().zip([3, 7, 1].into_iter().cycle()).map(|(d, weight)| d * weight % 10).sum();
    n.len() == 18 && varied(n) && (10 - sum % 10) % 10 == *check
}

/// Day, month, year; forty more for the day of a woman.
fn id_birth(date: &[u32]) -> bool {
    let [d1, d2, m1, m2, ..] = date else { return false };
    let day = d1 * 10 + d2;
    (1..=12).contains(&(m1 * 10 + m2)) && ((1..=31).contains(&day) || (41..=71).contains(&day))
}

/// Year, month, day in two digits each.
fn month_and_day(date: &[u32], offset: u32) -> bool {
    let [_, _, m1, m2, d1, d2] = date else { return false };
    (1..=12).contains(&(m1 * 10 + m2).wrapping_sub(offset)) && (1..=31).contains(&(d1 * 10 + d2))
}

/// The check digit of EAN-13.
fn ean(n: &[u32]) -> bool {
    let sum: u32 = n.iter().zip([1, 3].into_iter().cycle()).map(|(d, weight)| d * weight).sum();
    sum.is_multiple_of(10)
}

/// Spanish companies: a digit or a letter of `JABCDEFGHI` for the same remainder.
fn es_cif(text: &str) -> bool {
    let n = digits(text.get(..text.len().saturating_sub(1)).unwrap_or_default());
    let doubled = |d: u32| if d > 4 { d * 2 - 9 } else { d * 2 };
    let sum: u32 = n.iter().enumerate().map(|(at, &d)| if at % 2 == 0 { doubled(d) } else { d }).sum();
    let check = (10 - sum % 10) % 10;
    let letter = b"JABCDEFGHI".get(check as usize).copied();
    let last = text.bytes().last().map(|byte| byte.to_ascii_uppercase());
    n.len() == 7 && varied(&n) && (last == letter || last == Some(b'0' + check as u8))
}

/// GB 32100-2015: powers of three modulo 31.
fn cn_uscc(text: &str) -> bool {
    const ALPHABET: &[u8] = b"0123456789ABCDEFGHJKLMNPQRTUWXY";
    let value = |byte: u8| ALPHABET.iter().position(|other| *other == byte).map_or(0, |at| at as u32);
    let Some((check, body)) = text.as_bytes().split_last() else { return false };
    let mut weight = 1;
    let mut sum = 0;
    for byte in body {
        sum += value(*byte) * weight;
        weight = weight * 3 % 31;
    }
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    body.len() == 17 && !is_number && value(*check) == (31 - sum % 31) % 31
}

/// ICAO 9303: weights 7, 3, 1 over nine characters. German cards have digits among them.
fn de_id_card(text: &str) -> bool {
    let values: Vec<u32> = text.chars().filter_map(|c| c.to_digit(36)).collect();
    let Some((check, body)) = values.split_last() else { return false };
    body.len() == 9
        && text.bytes().filter(u8::is_ascii_digit).count() > 2
        && weighted(body, &[7, 3, 1, 7, 3, 1, 7, 3, 1]) % 10 == *check
}

#[cfg(test)]
mod tests {
    use super::super::tests::check;
    use crate::detect::validate::Validator::*;

    #[test]
    fn numbers_of_large_economies_are_told_by_their_check_digits() {
        check(&[
            (RuInn, &["7707083893", "500100732259"], &["7707083894", "500100732258", "0000000000", "77070838"]),
            (RuSnils, &["112-233-445 95", "087-654-303 00"], &["112-233-445 96", "000-000-000 00"]),
            (MxCurp, &["GODE561231HDFNNR00", "sabc560626mdflrn01"], &["GODE561231HDFNNR01", "GODE561331HDFNNR00", ""]),
            (MxClabe, &["032180000118359719"], &["032180000118359718", "03218000011835971"]),
            (IdNik, &["3171234507890123", "3201014506900001"], &["3171239967890123", "3171233213890123"]),
            (SaId, &["2345678904"], &["2345678905", "1111111111"]),
            (ChAhv, &["756.9217.0769.85"], &["756.9217.0769.84", "756.9217"]),
            (AuMedicare, &["2950 56751 1"], &["2950 56752 1", "2950"]),
            (FrSiret, &["732 829 320 00074", "732829320"], &["732 829 320 00075", "000000000"]),
            (EsCif, &["A58818501", "Q2826000H"], &["A58818502", "Q2826000J", "A"]),
            (CnUscc, &["91350100M000100Y43"], &["91350100M000100Y44", "913501000000100043"]),
            (DeIdCard, &["T220001293", "L01X00T471"], &["T220001294", "T22000129"]),
        ]);
    }
}
