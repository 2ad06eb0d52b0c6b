//! Finds words that are spelled out, cut, glued together or garbled, and writes them as one does.

use std::ops::Range;

use super::LONGEST;
use super::plan::{Piece, Plan, runs, runs_from};
use crate::text::Span;
use crate::text::english::{Packed, segment};
use crate::text::segment::Cut;
use crate::text::words::Word;

/// The letters of the spelling alphabet by their names.
pub(super) fn named(plan: &mut Plan) {
    let words = plan.words;
    // Of so many in a row one stands at a multiple of three.
    if !plan.tokens.iter().step_by(3).any(|token| name(token, words).is_some()) {
        return;
    }
    let values = plan.tokens.iter().map(|token| name(token, words).map_or(-SPELLED, |_| 2));
    for run in runs(values, 0, 2 * NAMED as i32) {
        spelled(plan, run, |token, words| {
            name(token, words).map(|letter| (letter, token.start() as u32)).into_iter().collect()
        });
    }
}

/// Letters, each with its place in the words.
type Letters = Vec<(u8, u32)>;

/// Letters one by one or a few at a time, joined and cut into words.
pub(super) fn letters(plan: &mut Plan) {
    if !plan.is_dense(3, CLOSE, |token| token.len() <= PIECE) {
        return;
    }
    let pieces =
        plan.tokens.iter().enumerate().filter(|(_, token)| token.is_odd() || token.len() == 1).map(|(at, _)| at);
    for run in runs_from(pieces, plan.tokens.len(), |at| single(plan.tokens[at]), DROP, SPELLED) {
        spelled(plan, run, |token, words| {
            words[token.start()..token.end()].bytes().zip(token.start() as u32..).collect()
        });
    }
}

/// Cut words in one, and glued ones cut: `instruc tions`, `ignoreallrules`.
pub(super) fn glued(plan: &mut Plan) {
    let mut last = None;
    let open: Vec<(usize, Word)> = plan.open().collect();
    for (at, token) in open {
        if token.len() > LONGEST
            && let Some(text) = without_repeats(&plan.words[token.start()..token.end()])
        {
            let source = Span::new(token.start(), token.end());
            plan.replace(at..at + 1, vec![Piece { text: text.to_owned(), source }], 1);
        } else if token.len() >= GLUED {
            let word = &plan.words[token.start()..token.end()];
            let cuts = segment(word);
            let Some(sense) = sense(&cuts).filter(|_| cuts.len() > 1) else { continue };
            let sources: Vec<u32> = (token.start() as u32..token.end() as u32).collect();
            let beside = last.is_some_and(|last| last + 2 >= at);
            let letters: usize = cuts[sense.clone()].iter().map(|cut| cut.len()).sum();
            let weight = if sense.len() > 3 && letters >= TELLING || beside { 2 } else { 0 };
            plan.replace(at..at + 1, pieces(word, &cuts, &sources), weight);
            last = Some(at);
        } else if token.len() < LONGEST_PIECE
            && let Some(run) = joined(plan, at)
        {
            let source = Span::new(plan.tokens[run.start].start(), plan.tokens[run.end - 1].end());
            let text = plan.words[source.start..source.end].replace(' ', "");
            plan.replace(run, vec![Piece { text, source }], 2);
        }
    }
}

/// Two words that are one, in a text where others were cut: `over ride`.
pub(super) fn halves(plan: &mut Plan) {
    let mut at = 0;
    while plan.has_weight() && at + 1 < plan.tokens.len() {
        let (first, second) = (plan.tokens[at], plan.tokens[at + 1]);
        let free = plan.is_free(at) && plan.is_free(at + 1) && !first.stop && first.is_english() && second.is_english();
        let letters = || first.letters(plan.words)?.then(second.letters(plan.words)?);
        let whole = if free { letters().filter(|word| word.len() >= JOINED && word.is_word()) } else { None };
        if let Some(text) = whole.and_then(Packed::word) {
            let source = Span::new(first.start(), second.end());
            plan.replace(at..at + 2, vec![Piece { text: text.to_owned(), source }], 1);
        }
        at += 1;
    }
}

/// A word a sentence, numbered or not: three such sentences or more are one.
pub(super) fn stops(plan: &mut Plan) {
    let number = |token: &Word| plan.words[token.start()..token.end()].bytes().all(|byte| byte.is_ascii_digit());
    let ends: Vec<usize> = plan.tokens.iter().enumerate().filter(|(_, token)| token.stop).map(|(at, _)| at).collect();
    let lone = |pair: &[usize]| if pair[1] - pair[0] <= 2 { 1 } else { -LONE };
    for run in runs(ends.windows(2).map(lone), 0, LONE - 1) {
        let tokens = ends[run.start].saturating_sub(1)..(ends[run.end] + 2).min(plan.tokens.len());
        let words = plan.tokens[tokens.clone()].iter().filter(|token| !number(token));
        let piece = |token: &Word| {
            let source = Span::new(token.start(), token.end());
            Piece { text: plan.words[token.start()..token.end()].to_owned(), source }
        };
        let pieces: Vec<Piece> = words.map(piece).collect();
        if pieces.len() > 2 {
            plan.replace(tokens, pieces, 2);
        }
    }
}

/// Three words in pig latin or more.
pub(super) fn pig_latin(plan: &mut Plan) {
    let words = plan.words;
    let ends = |token: &Word| token.len() > 3 && words[..token.end()].ends_with("ay");
    let pigs: Vec<(usize, Word)> = plan.open().filter(|(_, token)| ends(token)).collect();
    if pigs.len() < PIGS {
        return;
    }
    let read = |(at, token): (usize, Word)| unpigged(&words[token.start()..token.end()]).map(|word| (at, token, word));
    let pigs: Vec<(usize, Word, &str)> = pigs.into_iter().filter_map(read).collect();
    for (at, token, word) in pigs.iter().filter(|_| pigs.len() >= PIGS) {
        let piece = Piece { text: (*word).to_owned(), source: Span::new(token.start(), token.end()) };
        plan.replace(*at..*at + 1, vec![piece], 1);
    }
}

/// Words whose letters are repeated or in disorder. One alone is a slip of the pen.
pub(super) fn garbled(plan: &mut Plan) {
    if !plan.has_weight() && !plan.is_dense(2, NEAR + 1, |token| token.len() > 2) {
        return;
    }
    let garbled = |(at, token): (usize, Word)| {
        let word = token.letters(plan.words).filter(|word| word.len() > 2)?;
        Some((at, word.without_repeats().or_else(|| word.unscrambled())?.to_owned()))
    };
    let found: Vec<(usize, String)> = plan.open().filter_map(garbled).collect();
    let near = |a: usize, b: Option<&(usize, String)>| b.is_some_and(|(b, _)| a.abs_diff(*b) <= NEAR);
    for (number, (at, word)) in found.iter().enumerate() {
        let before = number.checked_sub(1).and_then(|number| found.get(number));
        if plan.has_weight() || near(*at, before) || near(*at, found.get(number + 1)) {
            let token = plan.tokens[*at];
            let piece = Piece { text: word.clone(), source: Span::new(token.start(), token.end()) };
            plan.replace(*at..*at + 1, vec![piece], 1);
        }
    }
}

/// How much `token` looks like a piece of a word.
fn single(token: Word) -> i32 {
    match (token.len(), token.is_english()) {
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
fn spelled(plan: &mut Plan, run: Range<usize>, letters: impl Fn(&Word, &str) -> Letters) {
    let tokens = &plan.tokens[run.clone()];
    let letters: Letters = tokens.iter().flat_map(|token| letters(token, plan.words)).collect();
    let spaced = |cut: &Cut, sources: &[u32]| {
        let places = sources.get(cut.range()).unwrap_or_default();
        places.first().zip(places.last()).is_some_and(|(first, last)| first.abs_diff(*last) as usize >= cut.len())
    };
    let readings: [fn(&Letters) -> Letters; 3] = [
        |letters| letters.iter().map(|(letter, at)| (digit(*letter), *at)).collect(),
        |letters| letters.iter().rev().copied().collect(),
        |letters| letters.iter().map(|(letter, at)| (rot13(*letter), *at)).collect(),
    ];
    let tries = if letters.len() <= LONGEST_TURNED { 3 } else { 1 };
    for reading in readings.into_iter().take(tries) {
        let (word, sources): (String, Vec<u32>) =
            reading(&letters).into_iter().map(|(letter, at)| (char::from(letter), at)).unzip();
        if !word.is_ascii() {
            return;
        }
        let cuts = segment(&word);
        let sense =
            sense(&cuts).filter(|sense| cuts[sense.clone()].iter().any(|cut| cut.len() > 3 && spaced(cut, &sources)));
        if sense.is_some() {
            return plan.replace(run, pieces(&word, &cuts, &sources), 2);
        }
    }
}

/// The first of `cuts` that read as a text.
fn sense(cuts: &[Cut]) -> Option<Range<usize>> {
    runs(cuts.iter().map(|cut| cut.value()), DROP, SENSE).into_iter().next()
}

/// The pieces of `word`; each of its letters stands for the one at its place in the source.
fn pieces(word: &str, cuts: &[Cut], sources: &[u32]) -> Vec<Piece> {
    let piece = |cut: &Cut| {
        let places = sources.get(cut.range())?;
        let (first, last) = (*places.iter().min()? as usize, *places.iter().max()? as usize);
        Some(Piece { text: word.get(cut.range())?.to_owned(), source: Span::new(first, last + 1) })
    };
    cuts.iter().filter_map(piece).collect()
}

/// A word that is too long to be looked up only because its letters are repeated.
fn without_repeats(word: &str) -> Option<&'static str> {
    let mut letters: Vec<u8> = word.bytes().take(4 * LONGEST).collect();
    letters.dedup();
    let shape = Packed::new(&letters).filter(|_| letters.len() * 3 <= word.len() * 2)?;
    shape.by_letters()
}

/// The neighbours that together with the unknown word `at` make a known one.
fn joined(plan: &Plan, at: usize) -> Option<Range<usize>> {
    let runs = [(0, 2), (0, 3), (1, 1), (1, 2)];
    runs.into_iter().find_map(|(before, behind)| {
        let run = at.checked_sub(before)?..at + behind;
        let tokens = plan.tokens.get(run.clone())?;
        let len = tokens.last()?.end() + 1 - tokens.first()?.start() - tokens.len();
        if !(JOINED_ODD..=LONGEST).contains(&len) {
            return None;
        }
        let odd = tokens.iter().all(|token| !token.is_english());
        let least = if odd && tokens.len() == 2 { JOINED_ODD } else { JOINED };
        if !(least..=LONGEST).contains(&len) || tokens.iter().rev().skip(1).any(|token| token.stop) {
            return None;
        }
        let unknown: usize = tokens.iter().filter(|token| !token.is_english()).map(|token| token.len()).sum();
        let likely = if tokens.len() == 2 && len > JOINED { unknown * 4 >= len } else { unknown * 2 >= len };
        // Of three, a known one of some length is whole.
        if !likely || tokens.len() > 2 && tokens.iter().any(|token| token.is_english() && token.len() > 3) {
            return None;
        }
        let mut letters = tokens.iter().map(|token| token.letters(plan.words));
        let first = letters.next()??;
        let word = letters.try_fold(first, |word, next| word.then(next?))?;
        (run.clone().all(|at| plan.is_free(at)) && word.is_word()).then_some(run)
    })
}

/// What was a word before its first consonants went to its end: `eviouspray`, `ignoreway`. Of several the commonest.
fn unpigged(word: &str) -> Option<&'static str> {
    let stem = word.strip_suffix("ay")?.as_bytes();
    let whole = ["w", "y", "h", ""].iter().filter_map(|link| Packed::new(stem.strip_suffix(link.as_bytes())?));
    let moved = (1..=CLUSTER).filter_map(|count| {
        let (start, end) = stem.split_at_checked(stem.len().checked_sub(count)?)?;
        Packed::new(end)?.then(Packed::new(start)?)
    });
    let words = whole.chain(moved).filter(|word| word.len() > 1);
    words.filter_map(|word| Some((word.rank()?, word))).min_by_key(|(rank, _)| *rank)?.1.word()
}

/// The letter that a word of the spelling alphabet stands for. Nearly every other word shows by its ends that it is none.
fn name(token: &Word, words: &str) -> Option<u8> {
    let word = words.as_bytes().get(token.start()..token.end())?;
    let (first, last) = (*word.first()?, word.last()?);
    let ends = word.len() > 3 && LAST.get(usize::from(first.wrapping_sub(b'a'))) == Some(last);
    (ends && NAMES.binary_search_by(|name| name.as_bytes().cmp(word)).is_ok()).then_some(first)
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

/// Words among which three pieces are worth a look.
const CLOSE: usize = 7;
/// Letters of a piece that is joined to its neighbour are fewer.
const LONGEST_PIECE: usize = 8;
/// Letters of a piece of a word, and how many names of letters spell one.
const PIECE: usize = 5;
const NAMED: usize = 5;
/// Tokens of one letter that are too many for initials, twice.
const SPELLED: i32 = 8;
const DROP: i32 = 6;
/// Letters of a word that may be several.
const GLUED: usize = 12;
/// Letters of one that is worth another reading by itself. Names in source code are shorter.
const TELLING: usize = 18;
/// Letters of a word that is found in two joined pieces that are no words.
const JOINED_ODD: usize = 4;
/// Letters of a word that is found in joined pieces.
const JOINED: usize = 6;
/// What letters that make sense are worth together, about two words.
const SENSE: i32 = 10;
/// Letters that are also tried backwards and turned.
const LONGEST_TURNED: usize = 512;
/// Sentences of a word that are no sentences.
const LONE: i32 = 3;
const PIGS: usize = 3;
/// Letters that pig latin puts behind a word at most.
const CLUSTER: usize = 4;
/// Words from one garbled word to the next.
const NEAR: usize = 6;
/// With what the name of each letter ends.
const LAST: &[u8; 26] = b"aoeaotflatoaerracoaomryyeu";
#[rustfmt::skip]
const NAMES: &[&str] = &[
    "alfa", "alpha", "bravo", "charlie", "delta", "echo", "foxtrot", "golf", "hotel", "india", "juliet", "juliett", "kilo",
    "lima", "mike", "november", "oscar", "papa", "quebec", "romeo", "sierra", "tango", "uniform", "victor", "whiskey",
    "whisky", "xray", "yankee", "zulu",
];
