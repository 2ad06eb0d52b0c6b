//! Which words of a text can belong to a name at all, and what is known of each: features as numbers. Decides nothing.

use super::gazetteer::{COMMON, COUNTRY, FIRST, Gazetteer, PLACE, STREET, pair};
use super::token::{Folded, Gap, Shape, Token, gap, mix, tokens};
use crate::text::Span;

/// A text, its words and their flags.
pub struct Scene<'t> {
    text: &'t str,
    tokens: Vec<Token>,
    flags: Vec<u8>,
    gazetteer: Gazetteer<'t>,
}

/// Names of features as hashes; the model has a row for those it knows.
pub type Features = [u64; FEATURES];

pub const FEATURES: usize = 18;

impl<'t> Scene<'t> {
    pub fn of(text: &'t str, gazetteer: Gazetteer<'t>) -> Self {
        let tokens = tokens(text);
        let flags = tokens.iter().map(|token| known(token, gazetteer)).collect();
        Scene { text, tokens, flags, gazetteer }
    }

    /// The span of word `at`.
    pub fn span(&self, at: usize) -> Span {
        self.tokens.get(at).map_or(Span::new(0, 0), |token| Span::new(token.start, token.end))
    }

    /// How many words there are.
    pub fn len(&self) -> usize {
        self.tokens.len()
    }

    pub fn is_empty(&self) -> bool {
        self.tokens.is_empty()
    }

    /// Word `at`; nothing beyond the last.
    pub fn word(&self, at: usize) -> &'t str {
        let span = self.span(at);
        self.text.get(span.start..span.end).unwrap_or_default()
    }

    pub fn word_is(&self, at: usize, word: &str) -> bool {
        self.word(at).eq_ignore_ascii_case(word)
    }

    pub fn shape(&self, at: usize) -> Option<Shape> {
        self.tokens.get(at).map(|token| token.shape)
    }

    /// Whether word `at` begins with a digit.
    pub fn has_digits(&self, at: usize) -> bool {
        self.tokens.get(at).is_some_and(|token| {
            token.shape == Shape::Digits
                || token.shape == Shape::Alnum && self.word(at).starts_with(|c: char| c.is_ascii_digit())
        })
    }

    /// What stands between word `at` and the one before.
    pub fn gap(&self, at: usize) -> Gap {
        let Some(before) = at.checked_sub(1).and_then(|before| self.tokens.get(before)) else { return Gap::Start };
        let start = self.span(at).start;
        self.text.as_bytes().get(before.end..start).map_or(Gap::Start, gap)
    }

    /// Runs of words that may be names, as ranges of word numbers. All other words are none.
    pub fn segments(&self) -> Vec<std::ops::Range<usize>> {
        let mut segments: Vec<std::ops::Range<usize>> = Vec::new();
        for at in (0..self.tokens.len()).filter(|&at| self.opens(at)) {
            let reached = segments.last().map_or(0, |last| last.end);
            let start = if at < reached { reached } else { self.reach_left(at, reached) };
            let end = self.reach_right(at);
            match segments.last_mut() {
                Some(last) if start <= last.end + BRIDGE && self.bridged(last.end, start) => {
                    last.end = end.max(last.end)
                }
                _ => segments.push(start..end),
            }
        }
        segments.retain(|segment| segment.len() <= LONGEST_RUN || self.has_lines(segment));
        segments
    }

    /// Whether a line ends in it now and then.
    fn has_lines(&self, segment: &std::ops::Range<usize>) -> bool {
        let starts = segment.clone().filter(|&at| self.gap(at) == Gap::Line).count();
        starts * LONGEST_RUN >= segment.len()
    }

    fn reach_left(&self, at: usize, reached: usize) -> usize {
        let mut start = at;
        while start > reached && at - start < REACH && self.joins(start - 1) {
            start -= 1;
        }
        start
    }

    fn reach_right(&self, at: usize) -> usize {
        let mut end = at + 1;
        while end <= at + REACH && self.joins(end) {
            end += 1;
        }
        end
    }

    /// Short words between two runs: "University of the West", "Rua da Paz".
    fn bridged(&self, from: usize, to: usize) -> bool {
        self.tokens.get(from..to).is_some_and(|between| {
            between.iter().all(|token| token.shape != Shape::Lower || token.end - token.start <= LONGEST_BRIDGE)
        })
    }

    /// Whether a name may be at this word without its neighbours' help.
    fn opens(&self, at: usize) -> bool {
        let (Some(token), flags) = (self.tokens.get(at), self.flag(at)) else { return false };
        let named = flags & (FIRST | PLACE | COUNTRY) != 0;
        match token.shape {
            Shape::Digits | Shape::Alnum => false,
            Shape::Lower if flags & STREET != 0 && self.near_digits(at) => true,
            Shape::Lower => named && flags & COMMON == 0,
            Shape::Initial => self
                .tokens
                .get(at + 1)
                .is_some_and(|next| matches!(next.shape, Shape::Title | Shape::Upper | Shape::Initial)),
            _ if self.is_code(token) => false,
            Shape::Title if flags & COMMON != 0 && self.gap(at).begins_a_sentence() => named || self.follows_title(at),
            Shape::Title | Shape::Upper | Shape::Mixed => {
                flags & COMMON == 0 || flags & !COMMON != 0 || self.follows_title(at)
            }
        }
    }

    /// A common word with a capital beside another capital: "Blue Sky Solutions".
    fn follows_title(&self, at: usize) -> bool {
        let titled = |at: usize| {
            self.tokens.get(at).is_some_and(|token| matches!(token.shape, Shape::Title | Shape::Upper | Shape::Mixed))
        };
        let next = titled(at + 1) && self.gap(at + 1) == Gap::Space;
        let before = at > 0 && titled(at - 1) && self.gap(at) == Gap::Space;
        next || before
    }

    /// Part of an identifier, a call or a path.
    fn is_code(&self, token: &Token) -> bool {
        let bytes = self.text.as_bytes();
        let before = token.start.checked_sub(1).and_then(|at| bytes.get(at));
        matches!(bytes.get(token.end), Some(b'(' | b'_' | b'[' | b'='))
            || matches!(before, Some(b'_' | b'$' | b'.' | b'#'))
    }

    /// Whether a word beside a name may be part of it.
    fn joins(&self, at: usize) -> bool {
        let Some(token) = self.tokens.get(at) else { return false };
        let flags = self.flag(at);
        match token.shape {
            Shape::Digits | Shape::Alnum => token.end - token.start <= LONGEST_NUMBER,
            Shape::Lower => flags & COMMON == 0 && token.end - token.start > 1 || flags & STREET != 0,
            _ => true,
        }
    }

    fn near_digits(&self, at: usize) -> bool {
        let near = self.tokens.get(at.saturating_sub(3)..(at + 4).min(self.tokens.len())).unwrap_or_default();
        near.iter().any(|token| matches!(token.shape, Shape::Digits | Shape::Alnum))
    }

    fn flag(&self, at: usize) -> u8 {
        self.flags.get(at).copied().unwrap_or(0)
    }

    /// The features of the words of a segment.
    pub fn features(&self, segment: std::ops::Range<usize>) -> impl Iterator<Item = Features> {
        let mut key = self.key(segment.start);
        let around = self.surroundings(&segment);
        let mut view = Viewed::before(self, segment.start);
        segment.map(move |at| {
            view.advance(self, at);
            match self.gap(at) {
                Gap::Colon => key = view.words[1].hash,
                Gap::Code if self.assigned(at) => key = view.words[1].hash,
                Gap::Line | Gap::Stop => key = 0,
                _ => {}
            }
            view.features(&Affixes::of(self.word(at)), key, around)
        })
    }

    fn known_word(&self, at: usize, offset: isize) -> Word {
        let Some(at) = at.checked_add_signed(offset) else { return Word::default() };
        let Some(token) = self.tokens.get(at) else { return Word::default() };
        Word {
            hash: token.hash,
            kind: 1 + token.shape as u64,
            flags: u64::from(self.flag(at)),
            gap: 1 + self.gap(at) as u64,
        }
    }

    fn pair(&self, first: &Word, second: &Word) -> u64 {
        if first.kind == 0 || second.kind == 0 {
            0
        } else {
            u64::from(self.gazetteer.flags(pair(first.hash, second.hash)))
        }
    }

    /// How English the words before and behind are, in small letters.
    fn surroundings(&self, segment: &std::ops::Range<usize>) -> u64 {
        let before = segment.start.saturating_sub(NEAR)..segment.start;
        let behind = segment.end..(segment.end + NEAR).min(self.tokens.len());
        let (mut common, mut other) = (0, 0);
        for at in before.chain(behind) {
            if self.tokens.get(at).is_some_and(|token| token.shape == Shape::Lower) {
                if self.flag(at) & COMMON != 0 { common += 1 } else { other += 1 }
            }
        }
        common.min(4) * 8 + other.min(4)
    }

    /// The word before the colon or `=` that this word stands behind, on its line.
    fn key(&self, at: usize) -> u64 {
        for at in (at.saturating_sub(KEY)..at).rev() {
            match self.gap(at) {
                Gap::Colon => return self.known_word(at, -1).hash,
                Gap::Code if self.assigned(at) => return self.known_word(at, -1).hash,
                Gap::Line | Gap::Stop => return 0,
                _ => {}
            }
        }
        0
    }

    fn assigned(&self, at: usize) -> bool {
        let end = self.span(at).start;
        let start = at.checked_sub(1).map_or(0, |before| self.span(before).end);
        self.text.as_bytes().get(start..end).is_some_and(|between| between.iter().take(16).any(|&byte| byte == b'='))
    }
}

/// A word and what is asked of it; all zero beyond the ends of the text.
#[derive(Clone, Copy, Default)]
struct Word {
    hash: u64,
    kind: u64,
    flags: u64,
    gap: u64,
}

/// A word with the two before and the two behind it, as the view moves over a segment.
struct Viewed {
    words: [Word; 5],
    /// The flags of the word and the one before as a pair, and of it and the next.
    pairs: [u64; 2],
}

impl Viewed {
    /// `advance` to `at` comes next.
    fn before(scene: &Scene, at: usize) -> Self {
        let word = |offset: isize| scene.known_word(at, offset - 3);
        let words = [word(0), word(1), word(2), word(3), word(4)];
        Viewed { words, pairs: [0, scene.pair(&words[2], &words[3])] }
    }

    fn advance(&mut self, scene: &Scene, at: usize) {
        let [_, p2, p1, w0, w1] = self.words;
        self.words = [p2, p1, w0, w1, scene.known_word(at, 2)];
        self.pairs = [self.pairs[1], scene.pair(&w0, &w1)];
    }

    fn features(&self, affix: &Affixes, key: u64, around: u64) -> Features {
        let [p2, p1, w0, w1, w2] = &self.words;
        let kind = w0.kind;
        let named = [
            w0.hash,
            mix(p1.hash, kind),
            mix(w1.hash, kind),
            p2.hash,
            w2.hash,
            mix(w0.hash.rotate_left(9), w1.hash),
            mix(affix.prefix, w0.flags & 63),
            mix(affix.suffix2, kind),
            affix.suffix4,
            pack(&[kind, w0.flags, w0.gap]),
            pack(&[p1.kind, kind, w1.kind, w0.gap, w1.gap]),
            pack(&[p1.flags, w0.flags, w1.flags, kind, w0.gap]),
            pack(&[p2.kind, p1.kind, kind, w1.kind, w2.kind]),
            pack(&[self.pairs[0], self.pairs[1], kind]),
            pack(&[around, kind, w0.flags]),
            mix(key, kind),
            mix(p2.hash.rotate_left(9), mix(p1.hash, kind)),
            mix(w2.hash.rotate_left(9), mix(w1.hash, kind)),
        ];
        let mut features = [0; FEATURES];
        for ((slot, value), name) in features.iter_mut().zip(named).zip(1..) {
            *slot = mix(value, name);
        }
        features
    }
}

struct Affixes {
    prefix: u64,
    suffix2: u64,
    suffix4: u64,
}

impl Affixes {
    fn of(word: &str) -> Self {
        let folded;
        let bytes = if word.is_ascii() {
            word.as_bytes()
        } else {
            folded = Folded::of(word);
            folded.bytes()
        };
        // Of ASCII the capitals are made small here.
        let value = |part: &[u8]| part.iter().fold(0, |value, &byte| value << 8 | u64::from(byte | 0x20));
        let last = |count: usize| value(bytes.get(bytes.len().saturating_sub(count)..).unwrap_or_default());
        Affixes {
            prefix: value(bytes.get(..bytes.len().min(3)).unwrap_or_default()),
            suffix2: last(2),
            suffix4: last(4),
        }
    }
}

fn pack(parts: &[u64]) -> u64 {
    parts.iter().fold(1, |packed, part| packed << 8 | part)
}

/// The flags of a word. A number is in no list, nor is a single letter.
fn known(token: &Token, gazetteer: Gazetteer) -> u8 {
    match token.shape {
        Shape::Digits => 0,
        _ if token.end - token.start < 2 => COMMON,
        Shape::Lower if token.end - token.start < 3 => COMMON | gazetteer.flags(token.hash) & STREET,
        _ => gazetteer.flags(token.hash),
    }
}

/// How many words beside a name are looked at, on either side.
const REACH: usize = 2;
/// How many short words may lie between two runs.
const BRIDGE: usize = 2;
const LONGEST_BRIDGE: usize = 4;
const LONGEST_NUMBER: usize = 10;
/// More capitals in a row than any list of names on one line: shouting, or made to cost time.
const LONGEST_RUN: usize = 160;
const NEAR: usize = 5;
const KEY: usize = 5;
