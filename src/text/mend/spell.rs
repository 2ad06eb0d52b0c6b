//! Finds words that are spelled out, cut, glued together or garbled, and writes them as one does.

use std::ops::Range;

use super::Token;
use super::plan::{Piece, Plan, runs};
use crate::text::Span;
use crate::text::english::{Packed, segment};

/// Letters one by one or a few at a time, and those of the spelling alphabet, joined and cut into words.
pub(super) fn letters(plan: &mut Plan) {
    for run in runs(plan.tokens.iter().map(|token| single(*token)), DROP, SPELLED) {
        spelled(plan, run, |token, words| words[token.start..token.end].bytes().zip(token.start..).collect());
    }
    let named = |token: &Token, words: &str| name(&words[token.start..token.end]);
    let values: Vec<i32> = plan.tokens.iter().map(|token| named(token, plan.words).map_or(-SPELLED, |_| 2)).collect();
    for run in runs(values.into_iter(), 0, SPELLED + 2) {
        spelled(plan, run, |token, words| {
            named(token, words).map(|letter| (letter, token.start)).into_iter().collect()
        });
    }
}

/// Cut words in one, and glued ones cut: `instruc tions`, `ignoreallrules`.
pub(super) fn glued(plan: &mut Plan) {
    let mut last = None;
    for at in 0..plan.tokens.len() {
        let token = plan.tokens[at];
        if token.known || !token.plain || !plan.is_free(at) {
            continue;
        }
        if token.len() >= GLUED {
            let word = &plan.words[token.start..token.end];
            let (ends, covered) = segment(word);
            let fits = covered * 20 >= word.len() * 17 && word.len() >= ends.len() * 3;
            if ends.len() > 1 && fits {
                let sources: Vec<usize> = (token.start..token.end).collect();
                let beside = last.is_some_and(|last| last + 2 >= at);
                let weight = if ends.len() > 3 && word.len() >= TELLING || beside { 2 } else { 0 };
                plan.replace(at..at + 1, pieces(word, &ends, &sources), weight);
                last = Some(at);
            }
        } else if let Some(run) = joined(plan, at) {
            let source = Span::new(plan.tokens[run.start].start, plan.tokens[run.end - 1].end);
            let text = plan.words[source.start..source.end].replace(' ', "");
            plan.replace(run, vec![Piece { text, source }], 2);
        }
    }
}

/// Words whose letters are repeated, in disorder, or put behind as in pig latin. One alone is a slip of the pen.
pub(super) fn garbled(plan: &mut Plan) {
    let garbled = |(at, token): (usize, &Token)| {
        let word = token.letters.filter(|word| !token.known && word.len() > 2 && plan.is_free(at))?;
        let repaired = word.without_repeats().or_else(|| word.unscrambled()).map(str::to_owned);
        Some((at, repaired.or_else(|| pig_latin(&plan.words[token.start..token.end]))?))
    };
    let found: Vec<(usize, String)> = plan.tokens.iter().enumerate().filter_map(garbled).collect();
    let near = |a: usize, b: Option<&(usize, String)>| b.is_some_and(|(b, _)| a.abs_diff(*b) <= NEAR);
    for (number, (at, word)) in found.iter().enumerate() {
        let before = number.checked_sub(1).and_then(|number| found.get(number));
        if plan.has_weight() || near(*at, before) || near(*at, found.get(number + 1)) {
            let token = plan.tokens[*at];
            let piece = Piece { text: word.clone(), source: Span::new(token.start, token.end) };
            plan.replace(*at..*at + 1, vec![piece], 1);
        }
    }
}

/// How much `token` looks like a piece of a word.
fn single(token: Token) -> i32 {
    match (token.len(), token.known) {
        (1, false) if token.plain => 2,
        (1, _) => 1,
        (2..=4, false) if token.plain && !token.stop => 2,
        (5, false) if token.plain && !token.stop => 1,
        (2..=3, true) => -1,
        (4, true) => -2,
        (_, true) => -SPELLED,
        _ => -3,
    }
}

/// The tokens of `run` as the letters they stand for, cut into words, if that is what they make. Letters may be turned too.
fn spelled(plan: &mut Plan, run: Range<usize>, letters: impl Fn(&Token, &str) -> Vec<(u8, usize)>) {
    let tokens = &plan.tokens[run.clone()];
    let letters: Vec<(u8, usize)> = tokens.iter().flat_map(|token| letters(token, plan.words)).collect();
    let before: usize = tokens.iter().filter(|token| token.known && token.len() > 1).map(|token| token.len()).sum();
    let backwards = || letters.iter().rev().copied();
    let readings: [Vec<(u8, usize)>; 3] = [
        letters.iter().map(|(letter, at)| (digit(*letter), *at)).collect(),
        backwards().collect(),
        letters.iter().map(|(letter, at)| (rot13(*letter), *at)).collect(),
    ];
    for reading in readings {
        let (word, sources): (String, Vec<usize>) =
            reading.iter().map(|(letter, at)| (char::from(*letter), *at)).unzip();
        if !word.is_ascii() {
            return;
        }
        let (ends, covered) = segment(&word);
        if covered * 4 >= word.len() * 3 && word.len() * 5 >= ends.len() * 13 && covered * 2 > before * 3 {
            return plan.replace(run, pieces(&word, &ends, &sources), 2);
        }
    }
}

/// `word` cut at `ends`; each of its letters stands for the one at its place in the source.
fn pieces(word: &str, ends: &[usize], sources: &[usize]) -> Vec<Piece> {
    let starts = std::iter::once(0).chain(ends.iter().copied());
    let piece = |(start, end): (usize, &usize)| {
        let places = sources.get(start..*end)?;
        let (first, last) = (places.iter().min()?, places.iter().max()?);
        Some(Piece { text: word.get(start..*end)?.to_owned(), source: Span::new(*first, last + 1) })
    };
    starts.zip(ends).filter_map(piece).collect()
}

/// The neighbours that together with the unknown word `at` make a known one.
fn joined(plan: &Plan, at: usize) -> Option<Range<usize>> {
    let runs = [(0, 2), (0, 3), (1, 1), (1, 2)];
    runs.into_iter().find_map(|(before, behind)| {
        let run = at.checked_sub(before)?..at + behind;
        let tokens = plan.tokens.get(run.clone())?;
        let len: usize = tokens.iter().map(|token| token.len()).sum();
        let unknown: usize = tokens.iter().filter(|token| !token.known).map(|token| token.len()).sum();
        let apart = tokens[..tokens.len() - 1].iter().any(|token| token.stop);
        if !(JOINED..=16).contains(&len) || unknown * 2 < len || apart || run.clone().any(|at| !plan.is_free(at)) {
            return None;
        }
        let word: Vec<u8> = tokens.iter().flat_map(|token| plan.words[token.start..token.end].bytes()).collect();
        Packed::new(&word).filter(|word| word.is_word()).map(|_| run)
    })
}

/// `eviouspray` and `ignoreway` are `previous` and `ignore`.
fn pig_latin(word: &str) -> Option<String> {
    let known = |word: &String| word.len() > 1 && Packed::new(word.as_bytes()).is_some_and(Packed::is_word);
    let stem = word.strip_suffix("ay")?;
    let whole = ["w", "y", "h", ""].iter().filter_map(|link| stem.strip_suffix(link)).map(str::to_owned).find(known);
    let moved = |count: usize| {
        let (end, start) = stem.split_at_checked(stem.len().checked_sub(count)?)?;
        Some(format!("{start}{end}")).filter(known)
    };
    whole.or_else(|| (1..4).find_map(moved))
}

/// The letter that a word of the spelling alphabet stands for.
fn name(word: &str) -> Option<u8> {
    let known = NAMES.binary_search(&word).is_ok();
    word.bytes().next().filter(|_| known)
}

/// A digit among letters stands for one.
fn digit(byte: u8) -> u8 {
    match byte {
        b'0' => b'o',
        b'1' => b'i',
        b'3' => b'e',
        b'4' => b'a',
        b'5' => b's',
        b'7' => b't',
        other => other,
    }
}

fn rot13(letter: u8) -> u8 {
    if letter.is_ascii_lowercase() { b'a' + (letter - b'a' + 13) % 26 } else { letter }
}

/// Tokens of one letter that are too many for initials, twice.
const SPELLED: i32 = 8;
const DROP: i32 = 6;
/// Letters of a word that may be several.
const GLUED: usize = 12;
/// Letters of one that is worth another reading by itself. Names in source code are shorter.
const TELLING: usize = 18;
/// Letters of a word that is found in joined pieces.
const JOINED: usize = 6;
/// Words from one garbled word to the next.
const NEAR: usize = 6;
#[rustfmt::skip]
const NAMES: &[&str] = &[
    "alfa", "alpha", "bravo", "charlie", "delta", "echo", "foxtrot", "golf", "hotel", "india", "juliet", "juliett", "kilo",
    "lima", "mike", "november", "oscar", "papa", "quebec", "romeo", "sierra", "tango", "uniform", "victor", "whiskey",
    "whisky", "xray", "yankee", "zulu",
];
