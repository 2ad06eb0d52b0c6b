//! From weights by feature to the table the program looks them up in: bytes, two features a bucket. Learns nothing.

use promptgate::detect::classifier::model::{HEADS, Parameters, place};

use crate::calibrate::Curves;
use crate::data::Corpus;
use crate::learn::Weights;

/// 8 MiB.
const ROWS: usize = 1 << 20;
/// Words whose weights are added up when the program starts.
const WORDS: usize = 32_768;
/// What a sure rule adds to the logit: as much as lies between an ordinary harmless text and one that is blocked.
const RULE: f32 = 6.0;

pub fn pack(corpus: &Corpus, weights: &Weights, curves: Curves) -> Parameters {
    let scale = std::array::from_fn(|head| scale(weights, head));
    let mut features: Vec<(i32, u64, [u8; 8])> = corpus
        .features
        .iter()
        .zip(&weights.of)
        .map(|(hash, of)| {
            let bytes: [u8; 8] =
                std::array::from_fn(|head| of.get(head).map_or(0, |weight| quantise(*weight, scale[head])));
            let heaviest = bytes[..HEADS.len()].iter().map(|byte| i32::from(*byte as i8).abs()).max().unwrap_or(0);
            (heaviest, *hash, bytes)
        })
        .collect();
    features.retain(|(heaviest, ..)| *heaviest > 2);
    features.sort_by_key(|(heaviest, hash, _)| (-heaviest, *hash));
    let mut rows = vec![[0u8; 8]; ROWS];
    let mut dropped = 0;
    for (_, hash, bytes) in &features {
        let (bucket, print) = place(*hash, ROWS);
        let print = print.to_le_bytes();
        let free = (bucket..bucket + 2).find(|row| rows[*row][6..] == [0; 2]);
        match free.filter(|_| rows[bucket][6..] != print) {
            Some(row) => rows[row] = [bytes[0], bytes[1], bytes[2], bytes[3], bytes[4], bytes[5], print[0], print[1]],
            None => dropped += 1,
        }
    }
    eprintln!("{} features kept, {dropped} lightest of full buckets dropped", features.len() - dropped);
    Parameters {
        scale,
        bias: weights.bias,
        alone: curves.alone,
        rule: RULE,
        attack: curves.attack,
        code: curves.code,
        words: common(corpus),
        rows: rows.into(),
    }
}

/// The few heaviest weights are cut off, so that the many are told apart.
fn scale(weights: &Weights, head: usize) -> f32 {
    let mut all: Vec<f32> = weights.of.iter().map(|of| of[head].abs()).collect();
    all.sort_by(f32::total_cmp);
    all[all.len() - 1 - all.len() / 20_000] / 127.0
}

fn quantise(weight: f32, scale: f32) -> u8 {
    (weight / scale).round().clamp(-127.0, 127.0) as i8 as u8
}

fn common(corpus: &Corpus) -> Vec<String> {
    let mut words: Vec<usize> = (0..corpus.words.len()).collect();
    words.sort_by_key(|word| (std::cmp::Reverse(corpus.word_counts[*word]), *word));
    words.truncate(WORDS);
    words.into_iter().map(|word| corpus.word_texts[word].clone()).collect()
}
