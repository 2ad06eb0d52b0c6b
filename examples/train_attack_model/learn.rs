//! Stochastic gradient descent with a step of its own for each weight (AdaGrad), on the worst window of each text. Reads no files.

use promptgate::detect::classifier::model::HEADS;
use promptgate::detect::classifier::norm;

use crate::data::{Corpus, Example, NO_FEATURE, Position};

const COUNT: usize = HEADS.len();
type PerHead = [f32; COUNT];
/// By head and length of the window, as in `Parameters`.
type Bias = [[f32; 4]; COUNT];

/// Weights by feature and head.
pub struct Weights {
    pub of: Vec<PerHead>,
    pub bias: Bias,
}

const EPOCHS: usize = 8;
/// By head: those that say which kind of attack it is have fewer examples, and are less sure with shorter steps.
const RATE: PerHead = [0.1, 0.1, 0.05, 0.05, 0.05, 0.05];
const DECAY: f32 = 1e-5;
/// Of the words of a text, the share that a step leaves alone, so that none becomes the only witness.
const LEFT_OUT: f64 = 0.5;
/// In the first pass nothing is known of what is worst: part of a long text is taken.
const FIRST_LOOK: usize = 48;

impl Weights {
    /// Learns from the examples that `take` chooses.
    pub fn learn(corpus: &Corpus, take: impl Fn(&Example) -> bool, seed: u64) -> Self {
        let size = corpus.features.len();
        let mut learner = Learner {
            weights: Weights { of: vec![[0.0; COUNT]; size], bias: [[-1.0; 4]; COUNT] },
            squares: vec![[0.0; COUNT]; size],
            bias_squares: [[0.0; 4]; COUNT],
            random: Random(seed),
        };
        let mut order: Vec<&Example> = corpus.examples.iter().filter(|example| take(example)).collect();
        for epoch in 0..EPOCHS {
            learner.random.shuffle(&mut order);
            for example in &order {
                for head in 0..COUNT {
                    if let Some(label) = example.labels.of_head(head) {
                        learner.step(corpus, example, head, label, epoch == 0);
                    }
                }
            }
        }
        learner.weights
    }

    /// The logit of each head.
    pub fn logits(&self, corpus: &Corpus, example: &Example) -> PerHead {
        std::array::from_fn(|head| self.worst(corpus, &example.positions, head).logit)
    }

    fn position(&self, corpus: &Corpus, position: &Position, head: usize) -> f32 {
        features(corpus, position, head).map(|feature| self.of[feature as usize][head]).sum()
    }

    fn worst(&self, corpus: &Corpus, positions: &[Position], head: usize) -> Window {
        let mut sums = vec![0.0];
        let mut sum = 0.0;
        for position in positions {
            sum += self.position(corpus, position, head);
            sums.push(sum);
        }
        let words = positions.len();
        let mut worst = Window { logit: f32::MIN, start: 0, end: words, scale: 0 };
        for (scale, window) in HEADS[head].windows.iter().enumerate() {
            let length = words.min(*window);
            for start in 0..=words - length {
                let end = start + length;
                let logit = (sums[end] - sums[start]) * norm(length) + self.bias[head][scale];
                if logit > worst.logit {
                    worst = Window { logit, start, end, scale };
                }
            }
            if length == words {
                break;
            }
        }
        worst
    }
}

struct Window {
    logit: f32,
    start: usize,
    end: usize,
    scale: usize,
}

fn features<'c>(corpus: &'c Corpus, position: &Position, head: usize) -> impl Iterator<Item = u32> + use<'c> {
    let word = position.word.map_or(&[][..], |word| &corpus.words[word as usize][..]);
    let word = if HEADS[head].parts { word } else { &word[..word.len().min(1)] };
    word.iter().copied().chain(position.chains.into_iter().flatten()).filter(|feature| *feature != NO_FEATURE)
}

struct Learner {
    weights: Weights,
    squares: Vec<PerHead>,
    bias_squares: Bias,
    random: Random,
}

impl Learner {
    fn step(&mut self, corpus: &Corpus, example: &Example, head: usize, label: bool, first: bool) {
        let window = if first { self.look(corpus, example, head, label) } else { None };
        let window = window.unwrap_or_else(|| self.weights.worst(corpus, &example.positions, head));
        let likely = 1.0 / (1.0 + (-window.logit).exp());
        let error = (likely - f32::from(u8::from(label))) * example.weight;
        if error.abs() < 1e-4 {
            return;
        }
        let share = norm(window.end - window.start);
        for position in &example.positions[window.start..window.end] {
            if self.random.fraction() >= LEFT_OUT {
                for feature in features(corpus, position, head) {
                    self.move_weight(feature as usize, head, error * share);
                }
            }
        }
        let (bias, squares) = (&mut self.weights.bias[head][window.scale], &mut self.bias_squares[head][window.scale]);
        *squares += error * error;
        *bias -= RATE[head] * error / (squares.sqrt() + 1e-3);
    }

    fn move_weight(&mut self, feature: usize, head: usize, gradient: f32) {
        let weight = &mut self.weights.of[feature][head];
        let gradient = gradient + DECAY * *weight;
        let squares = &mut self.squares[feature][head];
        *squares += gradient * gradient;
        *weight -= RATE[head] * gradient / (squares.sqrt() + 1e-3);
    }

    /// The beginning of a long attack, or any part of a long harmless text.
    fn look(&mut self, corpus: &Corpus, example: &Example, head: usize, label: bool) -> Option<Window> {
        let words = example.positions.len();
        let room = words.checked_sub(FIRST_LOOK).filter(|room| *room > 0)?;
        let start = if label { 0 } else { self.random.below(room + 1) };
        let part = &example.positions[start..start + FIRST_LOOK];
        let sum: f32 = part.iter().map(|position| self.weights.position(corpus, position, head)).sum();
        let windows = HEADS[head].windows;
        let scale = windows.iter().position(|window| FIRST_LOOK <= *window).unwrap_or(windows.len() - 1);
        let logit = sum * norm(FIRST_LOOK) + self.weights.bias[head][scale];
        Some(Window { logit, start, end: start + FIRST_LOOK, scale })
    }
}

/// Xorshift: the same numbers for the same seed, everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    fn fraction(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    fn shuffle<T>(&mut self, all: &mut [T]) {
        for last in (1..all.len()).rev() {
            let other = self.below(last + 1);
            all.swap(last, other);
        }
    }
}
