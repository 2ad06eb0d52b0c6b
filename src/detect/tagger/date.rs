//! Calendar dates and years by their form: digits and month names need no model. Knows no holidays and no "last week".

use super::scene::Scene;
use super::token::{Gap, Shape};
use crate::detect::validate::MONTHS;
use crate::text::Span;

/// Spans of the dates of a text, in order and without overlap.
pub fn dates(scene: &Scene) -> Vec<Span> {
    let mut found: Vec<Span> = Vec::new();
    let mut at = 0;
    while at < scene.len() {
        let length = if scene.has_digits(at) { date_at(scene, at) } else { None };
        let Some((start, end)) = length else {
            at += 1;
            continue;
        };
        let span = Span::new(scene.span(start).start, scene.span(end - 1).end);
        if found.last().is_none_or(|last| last.end <= span.start) {
            found.push(span);
        }
        at = end.max(at + 1);
    }
    found
}

/// The first and behind the last word of the date that the number at `at` belongs to.
fn date_at(scene: &Scene, at: usize) -> Option<(usize, usize)> {
    numeric(scene, at).or_else(|| day_first(scene, at)).or_else(|| month_first(scene, at)).or_else(|| year(scene, at))
}

/// `6/28/1939`, `28.06.39`, `2024-01-05`.
fn numeric(scene: &Scene, at: usize) -> Option<(usize, usize)> {
    let gap = scene.gap(at + 1);
    let joined = matches!(gap, Gap::Slash | Gap::Hyphen | Gap::Point) && scene.gap(at + 2) == gap;
    let [a, b, c] = [number(scene, at)?, number(scene, at + 1)?, number(scene, at + 2)?];
    let longer = scene.gap(at) == gap || (scene.gap(at + 3) == gap && scene.has_digits(at + 3));
    let day_and_month = |x, y| (is_day(x) && is_month(y)) || (is_month(x) && is_day(y));
    let is_date = (is_year(c) && day_and_month(a, b)) || (a.digits == 4 && is_year(a) && is_month(b) && is_day(c));
    // Three small numbers with full stops between them are a version.
    let version = gap == Gap::Point && c.digits != 4 && a.digits != 2;
    (joined && !longer && is_date && !version).then_some((at, at + 3))
}

/// `28 June 1939`, `28th of June`.
fn day_first(scene: &Scene, at: usize) -> Option<(usize, usize)> {
    let month = if scene.word_is(at + 1, "of") { at + 2 } else { at + 1 };
    is_day(number(scene, at)?).then_some(())?;
    is_month_name(scene, month).then_some(())?;
    Some((at, with_year(scene, month + 1)))
}

/// `June 28, 1939`, `June 28th`, `June 1939`.
fn month_first(scene: &Scene, at: usize) -> Option<(usize, usize)> {
    let month = at.checked_sub(1)?;
    let value = number(scene, at)?;
    is_month_name(scene, month).then_some(())?;
    match value {
        year if year.digits == 4 && is_year(year) => Some((month, at + 1)),
        day if is_day(day) => Some((month, with_year(scene, at + 1))),
        _ => None,
    }
}

/// A year alone, where a word says that it is one: `in 1977`.
fn year(scene: &Scene, at: usize) -> Option<(usize, usize)> {
    let value = number(scene, at)?;
    let told = scene.gap(at) == Gap::Space && BEFORE_A_YEAR.iter().any(|word| at > 0 && scene.word_is(at - 1, word));
    let alone = !matches!(scene.gap(at + 1), Gap::Point | Gap::Slash | Gap::Code | Gap::Hyphen);
    (told && alone && value.digits == 4 && is_year(value)).then_some((at, at + 1))
}

fn with_year(scene: &Scene, at: usize) -> usize {
    let near = matches!(scene.gap(at), Gap::Space | Gap::Comma | Gap::Hyphen | Gap::Stop);
    let year = number(scene, at).is_some_and(|value| value.digits == 4 && is_year(value));
    if near && year { at + 1 } else { at }
}

#[derive(Clone, Copy)]
struct Number {
    value: u32,
    digits: usize,
}

/// A number of one, two or four digits, or an ordinal.
fn number(scene: &Scene, at: usize) -> Option<Number> {
    let word = scene.word(at);
    let digits = word.find(|c: char| !c.is_ascii_digit()).unwrap_or(word.len());
    let (value, suffix) = word.split_at(digits);
    let whole = matches!(suffix, "" | "st" | "nd" | "rd" | "th");
    (whole && matches!(digits, 1 | 2 | 4)).then(|| value.parse().ok().map(|value| Number { value, digits }))?
}

fn is_day(n: Number) -> bool {
    n.digits < 3 && (1..=31).contains(&n.value)
}

fn is_month(n: Number) -> bool {
    n.digits < 3 && (1..=12).contains(&n.value)
}

fn is_year(n: Number) -> bool {
    n.digits == 2 || (1900..=2099).contains(&n.value)
}

/// In full or by three letters, with a capital unless no verb is written so.
fn is_month_name(scene: &Scene, at: usize) -> bool {
    let word = scene.word(at);
    let named = |month: &str| {
        word.len() >= 3
            && (word.eq_ignore_ascii_case(month)
                || month.get(..3).is_some_and(|short| word.eq_ignore_ascii_case(short)))
    };
    let near = matches!(
        scene.gap(at),
        Gap::Start | Gap::Space | Gap::Hyphen | Gap::Comma | Gap::Line | Gap::Quote | Gap::Stop | Gap::Colon
    );
    let ambiguous = word == "may" || word == "march" || word == "mar";
    near && !ambiguous
        && scene.shape(at).is_some_and(|shape| shape != Shape::Digits)
        && (MONTHS.iter().any(|month| named(month)) || word.eq_ignore_ascii_case("sept"))
}

const BEFORE_A_YEAR: [&str; 10] = ["in", "since", "from", "until", "till", "of", "by", "year", "before", "after"];

#[cfg(test)]
mod tests {
    use super::super::gazetteer::Gazetteer;
    use super::*;

    #[test]
    fn dates_are_told_from_other_numbers() {
        let cases: &[(&str, &[&str])] = &[
            ("It's 6/28/1939, or 28.06.1939.", &["6/28/1939", "28.06.1939"]),
            ("on 2024-01-05 and 5-3-98", &["2024-01-05", "5-3-98"]),
            ("June 28, 1939 and 28 June 1939", &["June 28, 1939", "28 June 1939"]),
            ("the 3rd of March; Sept 4th; 12-Jan-2020", &["3rd of March", "Sept 4th", "12-Jan-2020"]),
            ("in 1977 she left; since May 2004", &["1977", "May 2004"]),
            ("version 1.2.3, 10.0.0.15, 3/4 cup, 45/99/2020", &[]),
            ("call 212-555-0187 or 12-34-56-78", &[]),
            ("you may 3 times march 4 miles", &[]),
            ("room 1977, of 12 people", &[]),
            ("", &[]),
        ];
        for (text, expected) in cases {
            let scene = Scene::of(text, Gazetteer::new(&[]));
            let found: Vec<&str> = dates(&scene).iter().map(|span| &text[span.start..span.end]).collect();
            assert_eq!(&found, expected, "{text}");
        }
    }
}
