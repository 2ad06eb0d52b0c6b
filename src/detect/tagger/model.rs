//! The weights as they lie in the binary, the best labels for a run of words, and how sure they are. Knows no text.

use super::gazetteer::Gazetteer;
use super::label::{LABELS, LANES, OUTSIDE, may_follow};
use super::scene::Features;

/// A linear-chain conditional random field over hashed features.
#[derive(Debug)]
pub struct Model<'m> {
    gazetteer: Gazetteer<'m>,
    rows: &'m [[u8; LANES]],
    /// From each label, and from the start in the last row, to each label.
    steps: [Scores; LABELS + 1],
}

/// For each label, in multiples of 1 / `SCALE`.
type Scores = [i16; LANES];

/// The label of each word and the probability that it is right.
pub struct Decoded {
    pub labels: Vec<usize>,
    pub certainty: Vec<f32>,
}

impl<'m> Model<'m> {
    /// Reads what `write` wrote. `None` if it is something else.
    pub fn parse(bytes: &'m [u8]) -> Option<Self> {
        let rest = bytes.strip_prefix(MAGIC)?;
        let (sizes, rest) = rest.split_at_checked(8)?;
        let size = |at: usize| Some(u32::from_le_bytes(sizes.get(at..at + 4)?.try_into().ok()?) as usize);
        let (steps, rest) = rest.split_at_checked((LABELS + 1) * LABELS * 2)?;
        let (slots, rows) = rest.split_at_checked(size(0)?)?;
        let (rows, []) = rows.as_chunks::<LANES>() else { return None };
        if rows.len() != size(4)? || !rows.len().is_power_of_two() {
            return None;
        }
        let mut model = Model { gazetteer: Gazetteer::new(slots), rows, steps: [[IMPOSSIBLE; LANES]; LABELS + 1] };
        let (pairs, _) = steps.as_chunks::<2>();
        for (at, pair) in pairs.iter().enumerate() {
            let (before, next) = (at / LABELS, at % LABELS);
            if may_follow(before, next) {
                let step = i16::from_le_bytes(*pair);
                *model.steps.get_mut(before)?.get_mut(next)? = step.max(IMPOSSIBLE);
            }
        }
        Some(model)
    }

    pub fn gazetteer(&self) -> Gazetteer<'m> {
        self.gazetteer
    }

    /// The most probable labels of a run of words.
    pub fn decode(&self, words: impl Iterator<Item = Features>) -> Decoded {
        let scores: Vec<Scores> = words.map(|features| self.score(&features)).collect();
        let labels = self.best(&scores);
        let certainty = if labels.iter().any(|label| *label != OUTSIDE) {
            self.certainty(&scores, &labels)
        } else {
            vec![1.0; labels.len()]
        };
        Decoded { labels, certainty }
    }

    fn score(&self, features: &Features) -> Scores {
        let mut score = [0; LANES];
        for hash in features {
            let Some(row) = self.rows.get(*hash as usize & (self.rows.len() - 1)) else { continue };
            let [.., low, high] = *row;
            // No branch: whether a row is the feature's own is as good as random.
            let own = -i16::from([low, high] == check(*hash));
            for (sum, weight) in score.iter_mut().zip(row) {
                *sum += i16::from(weight.cast_signed()) & own;
            }
        }
        score
    }

    /// Viterbi. Sums are kept relative to the best, so that no run of words is too long for them.
    fn best(&self, scores: &[Scores]) -> Vec<usize> {
        let mut reached = self.steps[LABELS];
        let mut from: Vec<[i16; LANES]> = Vec::with_capacity(scores.len());
        for (at, score) in scores.iter().enumerate() {
            let mut origin = [0; LANES];
            if at > 0 {
                let mut next = [i16::MIN; LANES];
                for (before, (steps, sum)) in (0_i16..).zip(self.steps.iter().zip(reached).take(LABELS)) {
                    for ((best, origin), step) in next.iter_mut().zip(&mut origin).zip(steps) {
                        let way = sum + step;
                        *origin = if way > *best { before } else { *origin };
                        *best = way.max(*best);
                    }
                }
                reached = next;
            }
            for (sum, score) in reached.iter_mut().zip(score) {
                *sum = sum.saturating_add(*score);
            }
            let most = reached.iter().take(LABELS).copied().max().unwrap_or(0);
            reached.iter_mut().for_each(|sum| *sum = sum.saturating_sub(most).max(IMPOSSIBLE));
            from.push(origin);
        }
        let mut label = largest(reached.iter().take(LABELS));
        let mut labels = vec![OUTSIDE; from.len()];
        for (slot, origin) in labels.iter_mut().zip(&from).rev() {
            *slot = label;
            label = origin.get(label).map_or(OUTSIDE, |before| *before as usize);
        }
        labels
    }

    /// How probable the label of each word is if those of its neighbours are right; of words outside it is not asked.
    fn certainty(&self, scores: &[Scores], labels: &[usize]) -> Vec<f32> {
        let mut before = LABELS;
        let mut certainty = Vec::with_capacity(labels.len());
        for (at, (score, label)) in scores.iter().zip(labels).enumerate() {
            certainty.push(if *label == OUTSIDE { 1.0 } else { self.lead(score, before, *label, labels.get(at + 1)) });
            before = *label;
        }
        certainty
    }

    fn lead(&self, score: &Scores, before: usize, label: usize, next: Option<&usize>) -> f32 {
        let Some(steps) = self.steps.get(before) else { return 0.0 };
        let mut ways = [0_i32; LABELS];
        for (at, (way, (score, step))) in ways.iter_mut().zip(score.iter().zip(steps)).enumerate() {
            let on = next.and_then(|next| self.steps.get(at)?.get(*next)).copied().unwrap_or(0);
            *way = i32::from(*score) + i32::from(*step) + i32::from(on);
        }
        let own = ways.get(label).copied().unwrap_or(0);
        let others = ways.iter().enumerate().filter(|(at, _)| *at != label).map(|(_, way)| *way).max().unwrap_or(0);
        1.0 / (1.0 + ((others - own) as f32 / SCALE).exp())
    }
}

/// A file for `parse`: the list table, the steps and the rows of `(feature, weights)`, both as multiples of 1 / `SCALE`.
/// Of features that share a row the earlier stays.
pub fn write(
    slots: &[u8],
    steps: &[[i16; LABELS]; LABELS + 1],
    features: &[(u64, [i8; LABELS])],
    rows: usize,
) -> Vec<u8> {
    let mut table = vec![[0_u8; LANES]; rows.next_power_of_two()];
    let mask = table.len() - 1;
    for (hash, weights) in features {
        let Some(row) = table.get_mut(*hash as usize & mask).filter(|row| **row == [0; LANES]) else { continue };
        let [lanes @ .., low, high] = row;
        [*low, *high] = check(*hash);
        for (lane, weight) in lanes.iter_mut().zip(weights) {
            *lane = weight.cast_unsigned();
        }
    }
    let mut bytes = MAGIC.to_vec();
    bytes.extend((slots.len() as u32).to_le_bytes());
    bytes.extend((table.len() as u32).to_le_bytes());
    bytes.extend(steps.iter().flatten().flat_map(|step| step.to_le_bytes()));
    bytes.extend(slots);
    bytes.extend(table.iter().flatten());
    bytes
}

/// What a row bears of its feature's hash, beside its place.
fn check(hash: u64) -> [u8; 2] {
    ((hash >> 48) as u16).to_le_bytes()
}

fn largest<'a>(scores: impl Iterator<Item = &'a i16>) -> usize {
    scores.enumerate().max_by(|(a, x), (b, y)| x.cmp(y).then(b.cmp(a))).map_or(OUTSIDE, |(at, _)| at)
}

/// Weights are multiples of its inverse.
pub const SCALE: f32 = 24.0;
const MAGIC: &[u8] = b"PGTAG1\0\0";
/// Below any sum of weights; two of it do not overflow.
const IMPOSSIBLE: i16 = -15_000;
