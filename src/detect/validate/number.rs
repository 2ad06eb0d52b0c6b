//! Numbers of money and reachability: cards, accounts, telephones, dates. Not the identity numbers of a country.

use super::{digits, weighted};

/// ISO/IEC 7812: issuer range, its lengths, Luhn digit, not one digit repeated.
pub(super) fn card(text: &str) -> bool {
    let digits = digits(text);
    let varied = digits.iter().any(|d| Some(d) != digits.first());
    varied && known_issuer(&digits) && luhn(&digits)
}

pub(super) fn luhn(digits: &[u32]) -> bool {
    let doubled = |d: u32| if d > 4 { d * 2 - 9 } else { d * 2 };
    let sum: u32 = digits.iter().rev().enumerate().map(|(i, &d)| if i % 2 == 1 { doubled(d) } else { d }).sum();
    sum.is_multiple_of(10)
}

fn known_issuer(digits: &[u32]) -> bool {
    let prefix = digits.iter().chain([&0; 6]).take(6).fold(0, |n, d| n * 10 + d);
    ISSUERS.iter().any(|(low, high, lengths)| (*low..=*high).contains(&prefix) && lengths.contains(&digits.len()))
}

/// First six digits from, to, and the lengths issued (Wikipedia, "Payment card number", checked against the schemes' own pages).
const ISSUERS: &[(u32, u32, &[usize])] = &[
    (180_000, 180_099, &[15]),                     // JCB, old
    (213_100, 213_199, &[15]),                     // JCB, old
    (220_000, 220_499, &[16, 17, 18, 19]),         // Mir
    (222_100, 272_099, &[16]),                     // Mastercard, 2-series
    (300_000, 305_999, &[14, 16]),                 // Diners Club
    (309_500, 309_599, &[14, 16]),                 // Diners Club
    (340_000, 349_999, &[15]),                     // American Express
    (350_000, 359_999, &[15, 16, 17, 18, 19]),     // JCB
    (360_000, 369_999, &[14, 15, 16]),             // Diners Club
    (370_000, 379_999, &[15]),                     // American Express
    (380_000, 399_999, &[14, 16]),                 // Diners Club
    (400_000, 499_999, &[13, 16, 19]),             // Visa
    (500_000, 509_999, &[12, 13, 14, 15, 16, 19]), // Maestro, Verve, Elo
    (510_000, 559_999, &[16]),                     // Mastercard
    (560_000, 589_999, &[12, 13, 14, 15, 16, 19]), // Maestro
    (600_000, 609_999, &[16]),                     // Discover, RuPay, Hipercard
    (620_000, 629_999, &[16, 17, 18, 19]),         // UnionPay
    (630_000, 639_999, &[12, 13, 14, 15, 16, 19]), // Maestro, InstaPayment
    (640_000, 659_999, &[16, 17, 18, 19]),         // Discover, RuPay
    (670_000, 679_999, &[12, 13, 14, 15, 16, 19]), // Maestro
    (810_000, 817_199, &[16, 17, 18, 19]),         // UnionPay, RuPay
];

/// ISO 13616: length of the country, remainder 1 of 97.
pub(super) fn iban(text: &str) -> bool {
    let compact: Vec<char> = text.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_uppercase()).collect();
    let country: String = compact.iter().take(2).collect();
    let length = IBAN_LENGTHS.split_whitespace().find_map(|row| row.strip_prefix(country.as_str())?.parse().ok());
    length == Some(compact.len()) && mod_97(compact.iter().skip(4).chain(compact.iter().take(4))) == 1
}

fn mod_97<'a>(chars: impl Iterator<Item = &'a char>) -> u32 {
    let step = |rest: u32, value: u32| (rest * if value > 9 { 100 } else { 10 } + value) % 97;
    chars.filter_map(|c| c.to_digit(36)).fold(0, step)
}

/// The IBAN registry, SWIFT release 99.
const IBAN_LENGTHS: &str = "
    AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 DO28 EE20 EG29
    ES24 FI18 FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HN28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20
    LB28 LC32 LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28 NL18 NO15 OM23 PK24 PL28 PS29
    PT25 QA29 RO24 RS22 RU33 SA24 SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20
    YE30
";

/// Routing number of the American Bankers Association: weights 3, 7, 1 and a Federal Reserve district in front.
pub(super) fn aba(text: &str) -> bool {
    let digits = digits(text);
    let district = digits.iter().take(2).fold(0, |n, d| n * 10 + d);
    let known = matches!(district, 1..=12 | 21..=32 | 61..=72 | 80);
    digits.len() == 9 && known && weighted(&digits, &[3, 7, 1, 3, 7, 1, 3, 7, 1]).is_multiple_of(10)
}

/// A number with an international prefix (E.164: a country code of the plan, 8 to 15 digits) or one in the North American plan.
pub(super) fn phone(text: &str) -> bool {
    let number = text.split(['x', 'X', 'e', '#']).next().unwrap_or_default();
    let digits = digits(number);
    match international(number, &digits) {
        Some(rest) => (8..=15).contains(&rest.len()) && country_code(rest) && varied(rest),
        None => phone_digits(number),
    }
}

/// The digits after `+` or `00`.
fn international<'d>(number: &str, digits: &'d [u32]) -> Option<&'d [u32]> {
    if number.trim_start_matches('(').starts_with('+') { Some(digits) } else { digits.strip_prefix(&[0, 0]) }
}

/// Codes in use begin with one of these; 1 and 7 stand alone, 21x, 35x and the like go by their first two digits (ITU-T E.164 annex).
fn country_code(digits: &[u32]) -> bool {
    match digits {
        [1, area, ..] => *area > 0,
        [7, ..] => true,
        [2, second, ..] => !matches!(second, 8),
        [3 | 4 | 6 | 9, ..] => true,
        [5, ..] => true,
        [8, second, ..] => !matches!(second, 3 | 9),
        _ => false,
    }
}

/// Enough digits for a national number, not a counting or repeating filler, not a calendar date.
pub(super) fn phone_digits(text: &str) -> bool {
    let digits = digits(text);
    (6..=15).contains(&digits.len()) && varied(&digits) && !date(text)
}

/// At least three different digits: `000-000-0000` and `1111 1111` are fillers.
fn varied(digits: &[u32]) -> bool {
    let seen = digits.iter().fold(0_u16, |seen, d| seen | 1 << d);
    seen.count_ones() > 2
}

/// A calendar date written with digits, in any of the usual orders, or with a month's name.
pub(super) fn date(text: &str) -> bool {
    let parts: Vec<&str> = text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|part| !part.is_empty()).collect();
    let numbers: Vec<u32> = parts.iter().filter_map(|part| leading_number(part)).collect();
    match (numbers.as_slice(), parts.iter().any(|part| is_month_name(part))) {
        ([day, year] | [year, day], true) if parts.len() == 3 => is_day(*day) && is_year(*year),
        ([a, b, c], false) if parts.len() == 3 => is_date(*a, *b, *c),
        _ => false,
    }
}

/// `3`, `03`, `3rd`.
fn leading_number(part: &str) -> Option<u32> {
    let end = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
    let (number, suffix) = part.split_at(end);
    let ordinal = matches!(suffix.to_ascii_lowercase().as_str(), "" | "st" | "nd" | "rd" | "th");
    if ordinal && end <= 4 { number.parse().ok() } else { None }
}

fn is_month_name(part: &str) -> bool {
    let lower = part.to_ascii_lowercase();
    lower.len() > 2 && MONTHS.iter().any(|month| month.starts_with(&lower) || lower == "sept")
}

/// In small letters.
pub const MONTHS: &[&str] = &[
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

fn is_date(a: u32, b: u32, c: u32) -> bool {
    let day_and_month = |x, y| (is_day(x) && is_month(y)) || (is_month(x) && is_day(y));
    (is_year(c) && day_and_month(a, b)) || (a > 31 && is_year(a) && is_month(b) && is_day(c))
}

fn is_day(n: u32) -> bool {
    (1..=31).contains(&n)
}

fn is_month(n: u32) -> bool {
    (1..=12).contains(&n)
}

fn is_year(n: u32) -> bool {
    n < 100 || (1900..=2099).contains(&n)
}

#[cfg(test)]
mod tests {
    use super::super::tests::check;
    use crate::detect::validate::Validator::*;

    #[test]
    fn numbers_are_told_by_their_checksums_and_ranges() {
        check(&[
            (
                Luhn,
                &[
                    "4111 1111 1111 1111",
                    "5500-0055-5555-5559",
                    "340000000000009",
                    "30243755250032",
                    "2307733725847513",
                    "503802053770",
                ],
                &["4111 1111 1111 1112", "0000000000000000", "1234567812345670", "411111111111111", "9999999999999995"],
            ),
            (
                Iban,
                &["GB82 WEST 1234 5698 7654 32", "DE89370400440532013000", "fr1420041010050500013m02606"],
                &["GB82 WEST 1234 5698 7654 33", "DE8937040044053201300", "XX89370400440532013000", "DE"],
            ),
            (Aba, &["021000021", "011401533"], &["021000022", "991000021", "02100002"]),
            (
                Phone,
                &["+1 212 555 0187", "+44 20 7946 0958", "0049 30 901820", "(212) 555-0187 x12", "212-555-0187"],
                &["+0 212 555 0187", "+1 111 111 1111", "2024-11-22", "+12", "00 00 00 00 00"],
            ),
            (PhoneDigits, &["668 5702", "28-64-66-98"], &["12-11-2024", "1111111", "12345"]),
            (
                Date,
                &["12/11/1984", "1984-11-12", "12.11.84", "12 November 1984", "March 3rd, 1990", "Sept 9, 2001"],
                &["32/13/1984", "1984-13-12", "12 Foo 1984", "1/2", "12345/1/1"],
            ),
        ]);
    }
}
