//! Finds words that are spelled out, cut, glued together or garbled, and writes them as one does.

use std::ops::Range;

use super::LONGEST;
use super::plan::{Piece, Plan, runs, runs_from};
use crate::text::Span;
use crate::text::english::{Packed, may_be, segment, tells};
use crate::text::segment::Cut;
use crate::text::words::Word;

/// The letters of the spelling alphabet by their names.
pub(super) fn named(plan: &mut Plan) {
    let words = plan.words;
    let is_name = |at: &usize| plan.tokens.get(*at).is_some_and(|token| name(token, words).is_some());
    let before = |at: usize| (at.saturating_sub(NAMED)..at).rev().take_while(is_name).count();
    let in_a_row = |at: usize| is_name(&at) && before(at) + (at..at + NAMED).take_while(is_name).count() >= NAMED;
    // Of so many in a row one stands at a multiple of their number.
    if !(0..plan.tokens.len()).step_by(NAMED).any(in_a_row) {
        return;
    }
    let values = plan.tokens.iter().map(|token| name(token, words).map_or(-SPELLED, |_| 2));
    for run in runs(values, 0, 2 * NAMED as i32) {
        let letters = plan.tokens[run.clone()].iter();
        let letters = letters.filter_map(|token| name(token, words).map(|letter| (letter, token.start() as u32)));
        let letters = letters.unzip();
        spelled(plan, run, letters);
    }
}

/// Letters one by one or a few at a time, joined and cut into words.
pub(super) fn letters(plan: &mut Plan) {
    if !plan.is_dense(3, CLOSE, |token| token.len() <= PIECE) {
        return;
    }
    let pieces =
        plan.tokens.iter().enumerate().filter(|(_, token)| token.is_odd() || token.len() == 1).map(|(at, _)| at);
    for run in runs_from(pieces, plan.tokens.len(), |at| single(plan.tokens[at]), DROP, SPELLED) {
        let tokens = &plan.tokens[run.clone()];
        let most = plan.tokens[run.end - 1].end() - plan.tokens[run.start].start();
        let (mut letters, mut places) = (Vec::with_capacity(most), Vec::with_capacity(most));
        for token in tokens {
            letters.extend_from_slice(&plan.words.as_bytes()[token.start()..token.end()]);
            places.extend(token.start() as u32..token.end() as u32);
        }
        spelled(plan, run, (letters, places));
    }
}

/// Cut words in one, and glued ones cut: `instruc tions`, `ignoreallrules`.
pub(super) fn glued(plan: &mut Plan) {
    let mut last = None;
    let mut open = Vec::with_capacity(plan.odd.len());
    open.extend(plan.open());
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
        let free = !first.stop && first.is_english() && second.is_english() && plan.is_free(at) && plan.is_free(at + 1);
        let likely = free
            && (JOINED..=LONGEST).contains(&(first.len() + second.len()))
            && may_be_one(plan.words, &[first, second]);
        let letters = || first.letters(plan.words)?.then(second.letters(plan.words)?);
        let whole = if likely { letters().filter(|word| word.is_word()) } else { None };
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
    let is_lone = |pair: &[usize]| pair[1] - pair[0] <= 2;
    let mut ends = Vec::new();
    for (at, token) in plan.tokens.iter().enumerate() {
        if token.stop {
            ends.push(at);
        }
    }
    if !ends.windows(3).any(|three| is_lone(&three[..2]) && is_lone(&three[1..])) {
        return;
    }
    let lone = |pair: &[usize]| if is_lone(pair) { 1 } else { -LONE };
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

/// The tokens of `run` as the `letters` they stand for, each with its place, cut into words, if that is what they make. Letters
/// may be turned too.
fn spelled(plan: &mut Plan, run: Range<usize>, (mut letters, mut places): (Vec<u8>, Vec<u32>)) {
    if !letters.is_ascii() {
        return;
    }
    let spaced = |cut: &Cut, places: &[u32]| {
        let places = places.get(cut.range()).unwrap_or_default();
        places.first().zip(places.last()).is_some_and(|(first, last)| first.abs_diff(*last) as usize >= cut.len())
    };
    let mut try_as = |letters: &[u8], places: &[u32]| {
        let word = std::str::from_utf8(letters).ok().filter(|_| tells(letters))?;
        let cuts = segment(word);
        let makes_sense = sense(&cuts)?.any(|cut| cuts[cut].len() > 3 && spaced(&cuts[cut], places));
        makes_sense.then(|| plan.replace(run.clone(), pieces(word, &cuts, places), 2))
    };
    let as_written: Vec<u8> = letters.iter().copied().map(digit).collect();
    if try_as(&as_written, &places).is_some() || letters.len() > LONGEST_TURNED {
        return;
    }
    letters.reverse();
    places.reverse();
    if try_as(&letters, &places).is_some() {
        return;
    }
    letters.reverse();
    places.reverse();
    letters.iter_mut().for_each(|letter| *letter = rot13(*letter));
    try_as(&letters, &places);
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
    let before = at.checked_sub(1);
    let two = |first: usize| makes_one::<2>(plan, first).then_some(first..first + 2);
    let three = |first: usize| makes_one::<3>(plan, first).then_some(first..first + 3);
    two(at).or_else(|| three(at)).or_else(|| two(before?)).or_else(|| three(before?))
}

/// Nearly all words that do not make one show it at their ends.
fn may_be_one<const N: usize>(text: &str, words: &[Word; N]) -> bool {
    let (bytes, start) = (text.as_bytes(), words[0].start());
    let second = if words[0].len() > 1 { start + 1 } else { words[1].start() };
    may_be([bytes[start], bytes[second]], bytes[words[N - 1].end() - 1])
}

/// Whether `N` words from `first` on make a known one.
fn makes_one<const N: usize>(plan: &Plan, first: usize) -> bool {
    let Some(tokens) = plan.tokens.get(first..).and_then(<[Word]>::first_chunk::<N>) else { return false };
    let len = tokens[N - 1].end() + 1 - tokens[0].start() - N;
    let stops = tokens[..N - 1].iter().any(|token| token.stop);
    if !(JOINED_ODD..=LONGEST).contains(&len) || stops || !may_be_one(plan.words, tokens) {
        return false;
    }
    let (mut unknown, mut odd, mut whole) = (0, true, false);
    for token in tokens {
        unknown += if token.is_english() { 0 } else { token.len() };
        odd &= !token.is_english();
        // Of three, a known one of some length is whole.
        whole |= token.is_english() && token.len() > 3;
    }
    let least = if odd && N == 2 { JOINED_ODD } else { JOINED };
    let likely = if N == 2 && len > JOINED { unknown * 4 >= len } else { unknown * 2 >= len };
    if len < least || !likely || whole && N > 2 {
        return false;
    }
    let letters = |word: Option<Packed>, token: &Word| word?.then(token.letters(plan.words)?);
    let word = tokens[1..].iter().fold(tokens[0].letters(plan.words), letters);
    word.is_some_and(Packed::is_word) && (first..first + N).all(|at| plan.is_free(at))
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
    if token.len() <= SHORT_NAME {
        return None;
    }
    let word = words.as_bytes().get(token.start()..token.end())?;
    let (first, last) = (*word.first()?, word.last()?);
    let ends = LAST.get(usize::from(first.wrapping_sub(b'a'))) == Some(last);
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
/// A word of no more letters is the name of none.
const SHORT_NAME: usize = 3;
/// With what the name of each letter ends.
const LAST: &[u8; 26] = b"aoeaotflatoaerracoaomryyeu";
#[rustfmt::skip]
const NAMES: &[&str] = &[
    "alfa", "alpha", "bravo", "charlie", "delta", "echo", "foxtrot", "golf", "hotel", "india", "juliet", "juliett", "kilo",
    "lima", "mike", "november", "oscar", "papa", "quebec", "romeo", "sierra", "tango", "uniform", "victor", "whiskey",
    "whisky", "xray", "yankee", "zulu",
];
