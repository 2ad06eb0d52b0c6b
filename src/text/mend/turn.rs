//! Finds words that are written backwards or with other letters of the alphabet in their place, and turns them back.

use std::ops::Range;

use super::LONGEST;
use super::plan::{Piece, Plan, runs_from};
use crate::text::Span;
use crate::text::english::Packed;
use crate::text::words::Word;

/// Every stretch that is English once turned.
pub(super) fn turned(plan: &mut Plan) {
    let long = |(_, token): (usize, Word)| if token.len() >= TELL { token.letters(plan.words) } else { None };
    let long: Vec<Packed> = plan.open().filter_map(long).collect();
    for turn in TURNS.into_iter().filter(|turn| long.iter().any(|word| turn.of(*word).is_word())) {
        let value = |at| if plan.is_free(at) { turn.value(plan.tokens[at], plan.words) } else { GAP };
        for run in runs_from(plan.odd.iter().copied(), plan.tokens.len(), value, DROP, TELL as i32) {
            undo(plan, run, turn);
        }
    }
    if plan.is_dense(3, CLOSE, |_| true) {
        let value = |at| strange(plan, at, plan.tokens[at]);
        for run in runs_from(plan.odd.iter().copied(), plan.tokens.len(), value, DROP, STRANGE) {
            if let Some(turn) = shift(plan.words, &plan.tokens[run.clone()]) {
                undo(plan, run, turn);
            }
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    Reversed,
    /// Every letter stands for the one so many places behind it in the alphabet.
    Shifted(u8),
    /// `a` stands for `z`.
    Mirrored,
}

impl Turn {
    fn of(self, word: Packed) -> Packed {
        match self {
            Turn::Reversed => word.reversed(),
            Turn::Shifted(by) => word.shifted(by),
            Turn::Mirrored => word.mirrored(),
        }
    }

    fn letter(self, letter: u8) -> u8 {
        match (self, letter) {
            (Turn::Shifted(by), b'a'..=b'z') => b'a' + (letter - b'a' + by) % 26,
            (Turn::Mirrored, b'a'..=b'z') => b'a' + (b'z' - letter),
            _ => letter,
        }
    }

    /// How much `token` speaks for this turn.
    fn value(self, token: Word, words: &str) -> i32 {
        let len = i32::try_from(token.len()).unwrap_or(i32::MAX / 4);
        let makes_sense = token.letters(words).is_some_and(|word| self.of(word).is_word());
        match (token.is_english(), makes_sense) {
            (false, true) if len > 2 => len,
            (false, true) => len - 1,
            (false, false) => -2,
            (true, true) => 0,
            (true, false) => -len,
        }
    }

    fn text(self, word: &str) -> String {
        match self {
            Turn::Reversed => word.chars().rev().collect(),
            _ => word
                .chars()
                .map(|letter| u8::try_from(letter).map_or(letter, |byte| char::from(self.letter(byte))))
                .collect(),
        }
    }
}

fn undo(plan: &mut Plan, run: Range<usize>, turn: Turn) {
    let piece = |token: &Word| Piece {
        text: turn.text(&plan.words[token.start()..token.end()]),
        source: Span::new(token.start(), token.end()),
    };
    let mut pieces: Vec<Piece> = plan.tokens[run.clone()].iter().map(piece).collect();
    if turn == Turn::Reversed && pieces.len() > 1 {
        let ordered = pieces.clone();
        pieces.reverse();
        pieces.last_mut().into_iter().for_each(|last| last.text.push('.'));
        pieces.extend(ordered);
    }
    plan.replace(run, pieces, 2);
}

/// How much `token` looks like letters put for others.
fn strange(plan: &Plan, at: usize, token: Word) -> i32 {
    let len = i32::try_from(token.len()).unwrap_or(i32::MAX / 4);
    match (token.is_english(), token.plain && token.len() <= LONGEST && plan.is_free(at)) {
        (true, _) => -len,
        (false, true) => len,
        (false, false) => GAP,
    }
}

/// The shift that makes English of most of the words of `run`: of those that give the letters their usual numbers.
fn shift(text: &str, run: &[Word]) -> Option<Turn> {
    let run = &run[..run.len().min(LONGEST_LOOK)];
    let words = || run.iter().filter_map(|token| token.letters(text).filter(|word| word.len() > 2));
    words().nth(2)?;
    let mut counts = [0_i16; 26];
    for word in words() {
        word.letters().for_each(|letter| counts[usize::from(letter - b'a') % 26] += 1);
    }
    let fit = |by: u8| -> i32 {
        let usual = USUAL_TWICE.iter().skip(usize::from(by));
        counts.iter().zip(usual).map(|(count, usual)| i32::from(*count) * i32::from(*usual)).sum()
    };
    let mut shifts: [(i32, u8); 25] = std::array::from_fn(|at| (fit(at as u8 + 1), at as u8 + 1));
    // The better fit first, of equal ones the smaller shift.
    let better = |(fit, by): &(i32, u8)| (std::cmp::Reverse(*fit), *by);
    shifts.select_nth_unstable_by_key(TRIES, better);
    shifts[..TRIES].sort_unstable_by_key(better);
    let letters: usize = words().map(Packed::len).sum();
    shifts.into_iter().take(TRIES).map(|(_, by)| Turn::Shifted(by)).find(|turn| {
        let read = || words().filter(|word| turn.of(*word).is_word());
        read().count() > 2 && read().map(Packed::len).sum::<usize>() * 10 >= letters * 6
    })
}

const TURNS: [Turn; 3] = [Turn::Reversed, Turn::Shifted(13), Turn::Mirrored];
/// Words among which three unknown ones are worth a look.
const CLOSE: usize = 6;
/// Letters that turned make a word and do not do so by chance.
const TELL: usize = 5;
const DROP: i32 = 12;
const GAP: i32 = -3;
/// Letters of unknown words in a row that a shift is looked for in.
const STRANGE: i32 = 14;
const LONGEST_LOOK: usize = 64;
const TRIES: usize = 3;
/// How many of a thousand letters of English are `a`, `b` and so on.
const USUAL: [i16; 26] =
    [82, 15, 28, 43, 127, 22, 20, 61, 70, 2, 8, 40, 24, 67, 75, 19, 1, 60, 63, 91, 28, 10, 24, 2, 20, 1];
const USUAL_TWICE: [i16; 52] = {
    let mut twice = [0; 52];
    let mut letter = 0;
    while letter < 52 {
        twice[letter] = USUAL[letter % 26];
        letter += 1;
    }
    twice
};
