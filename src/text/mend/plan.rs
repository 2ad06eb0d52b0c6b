//! What is to be changed in the folded words, and the view that comes of it. Finds nothing wrong itself.

use std::ops::Range;

use crate::text::words::Word;
use crate::text::{Span, View};

/// The words and the changes to them; no word is changed twice.
pub(super) struct Plan<'t> {
    pub words: &'t str,
    pub tokens: &'t [Word],
    /// The tokens that are letters and no English word: few in most texts.
    pub odd: &'t [usize],
    edits: Vec<Edit>,
    taken: Vec<bool>,
    weight: u32,
}

struct Edit {
    tokens: Range<usize>,
    pieces: Vec<Piece>,
}

/// A word, or part of one, in place of what it was made of.
#[derive(Clone, Debug)]
pub(super) struct Piece {
    pub text: String,
    pub source: Span,
}

impl<'t> Plan<'t> {
    pub fn new(words: &'t str, tokens: &'t [Word], odd: &'t [usize]) -> Self {
        Plan { words, tokens, odd, edits: Vec::new(), taken: Vec::new(), weight: 0 }
    }

    pub fn is_free(&self, token: usize) -> bool {
        !self.taken.get(token).copied().unwrap_or_default()
    }

    /// The odd tokens that nothing was done about yet.
    pub fn open(&self) -> impl Iterator<Item = (usize, Word)> {
        self.odd.iter().filter(|at| self.is_free(**at)).filter_map(|at| Some((*at, *self.tokens.get(*at)?)))
    }

    /// Whether `count` of the open tokens that are `wanted` stand within `width` tokens.
    pub fn is_dense(&self, count: usize, width: usize, wanted: impl Fn(Word) -> bool) -> bool {
        let places = || self.open().filter(|(_, token)| wanted(*token)).map(|(at, _)| at);
        places().zip(places().skip(count - 1)).any(|(first, last)| last - first < width)
    }

    /// Whether something is changed already.
    pub fn has_weight(&self) -> bool {
        self.weight >= ENOUGH
    }

    /// Puts `pieces` in place of `tokens`. What weighs one is worth another reading only together with something else.
    pub fn replace(&mut self, tokens: Range<usize>, pieces: Vec<Piece>, weight: u32) {
        if tokens.clone().any(|token| !self.is_free(token)) {
            return;
        }
        self.taken.resize(self.tokens.len(), false);
        self.taken.get_mut(tokens.clone()).unwrap_or_default().fill(true);
        self.edits.push(Edit { tokens, pieces });
        self.weight += weight;
    }

    /// The changed text, if the changes are worth another reading.
    pub fn view(mut self) -> Option<View> {
        if !self.has_weight() {
            return None;
        }
        self.edits.sort_by_key(|edit| edit.tokens.start);
        let mut view = View::with_capacity(self.words.len() + self.words.len() / 4);
        let mut plain = 0;
        for edit in &self.edits {
            let (first, last) = (self.tokens[edit.tokens.start], self.tokens[edit.tokens.end - 1]);
            view.copy(&self.words[plain..first.start()], plain);
            for (number, piece) in edit.pieces.iter().enumerate() {
                if number > 0 {
                    view.replace(" ", Span::new(piece.source.start, piece.source.start));
                }
                view.replace(&piece.text, piece.source);
            }
            plain = last.end();
        }
        view.copy(&self.words[plain..], plain);
        Some(view)
    }
}

/// Stretches in which `values` add up to `least` or more, each from its first gain to its highest point. One ends where the
/// sum falls by `drop`.
pub(super) fn runs(values: impl Iterator<Item = i32>, drop: i32, least: i32) -> Vec<Range<usize>> {
    let values: Vec<i32> = values.collect();
    runs_from(0..values.len(), values.len(), |at| values.get(at).copied().unwrap_or_default(), drop, least)
}

/// The same over `count` values, where only those at `gains` can be more than zero: nothing else is looked at between runs.
pub(super) fn runs_from(
    gains: impl Iterator<Item = usize>,
    count: usize,
    value: impl Fn(usize) -> i32,
    drop: i32,
    least: i32,
) -> Vec<Range<usize>> {
    let (mut found, mut after) = (Vec::new(), 0);
    for start in gains {
        if start < after {
            continue;
        }
        let (mut sum, mut best, mut end) = (0, 0, start);
        after = start;
        while after < count {
            sum += value(after);
            after += 1;
            if sum > best {
                (best, end) = (sum, after);
            }
            if sum <= 0 || sum < best - drop {
                break;
            }
        }
        if best >= least && end > start {
            found.push(start..end);
        }
    }
    found
}

const ENOUGH: u32 = 2;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_begin_and_end_with_a_gain() {
        let values = [0, -3, 2, 0, 3, -1, 4, -9, 5, -2, 1, 6];
        assert_eq!(runs(values.into_iter(), 4, 5), [2..7, 8..12]);
        assert_eq!(runs(values.into_iter(), 4, 11), [0..0; 0]);
    }
}
