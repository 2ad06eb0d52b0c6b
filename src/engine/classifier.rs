//! A model with its tokenizer: text in, how likely it is an attack out. Decides nothing.

use std::path::Path;
use std::time::Instant;

use tokenizers::{PostProcessor, Tokenizer, TruncationDirection};

use super::LoadError;
use super::description::Description;
use super::math::{sigmoid, softmax};
use super::network::Network;
use super::pool::Scorer;
use super::weights::File;
use crate::sanitize::consult::Unanswered;

const TOKENIZER: &str = "tokenizer.json";

#[derive(Debug)]
pub(super) struct Classifier {
    tokenizer: Tokenizer,
    /// Tokens of one window, without the marks around them.
    room: usize,
    network: Network,
    attacks: Vec<usize>,
    independent: bool,
}

impl Classifier {
    /// `attacks` are names or numbers of labels; without any, those are taken whose names say that they are.
    pub fn load(directory: &Path, attacks: &[String], max_tokens: usize) -> Result<Self, LoadError> {
        let description = Description::read(directory)?;
        let attacks = attack_labels(&description.labels, attacks)?;
        let (tokenizer, room) = tokenizer(directory, max_tokens.min(description.longest))?;
        let tokens = tokenizer.get_vocab_size(true);
        if tokens > description.vocabulary {
            return Err(LoadError::Vocabulary { tokens, rows: description.vocabulary });
        }
        let file = File::read(directory)?;
        let mut weights = file.weights()?;
        weights.epsilon = description.epsilon;
        let network = Network::load(&weights, &description)?;
        let independent = description.independent || description.labels.len() == 1;
        Ok(Classifier { tokenizer, room, network, attacks, independent })
    }

    /// One window.
    fn probability(&self, tokens: &[u32]) -> Option<f32> {
        let mut logits = self.network.logits(tokens)?;
        let of = |label: &usize| logits.get((0, *label)).copied();
        let probability = if self.independent {
            self.attacks.iter().filter_map(of).map(sigmoid).reduce(f32::max)?
        } else {
            softmax(&mut logits);
            self.attacks.iter().filter_map(|label| logits.get((0, *label))).sum()
        };
        // Weights are finite; what they lead to need not be.
        probability.is_finite().then(|| probability.clamp(0.0, 1.0))
    }
}

impl Scorer for Classifier {
    /// The worst window counts.
    fn score(&self, text: &str, due: Instant) -> Result<f32, Unanswered> {
        let mut first = self.tokenizer.encode_fast(text, false).map_err(|_| Unanswered::Failed)?;
        // Windows overlap by a quarter, so that what one cuts is whole in the next. The tokenizer's own truncation would
        // read no more than the first.
        first.truncate(self.room, self.room / 4, TruncationDirection::Right);
        let others = first.take_overflowing();
        let mut worst = 0.0_f32;
        for window in std::iter::once(first).chain(others) {
            if Instant::now() >= due {
                return Err(Unanswered::Late);
            }
            let window = self.tokenizer.post_process(window, None, true).map_err(|_| Unanswered::Failed)?;
            worst = worst.max(self.probability(window.get_ids()).ok_or(Unanswered::Failed)?);
        }
        Ok(worst)
    }
}

/// And the room it leaves in a window.
fn tokenizer(directory: &Path, max_tokens: usize) -> Result<(Tokenizer, usize), LoadError> {
    let read = std::fs::read(directory.join(TOKENIZER));
    let bytes = read.map_err(|error| LoadError::Unreadable { file: TOKENIZER, error })?;
    let damaged = |reason: String| LoadError::Damaged { file: TOKENIZER, reason };
    let mut tokenizer = Tokenizer::from_bytes(bytes).map_err(|error| damaged(error.to_string()))?;
    let marks = tokenizer.get_post_processor().map_or(0, |post| post.added_tokens(false));
    let room = max_tokens.saturating_sub(marks);
    if room == 0 {
        return Err(LoadError::Unsupported(format!("windows of {max_tokens} tokens, {marks} of them marks,")));
    }
    tokenizer.with_truncation(None).map_err(|error| damaged(error.to_string()))?;
    tokenizer.with_padding(None);
    Ok((tokenizer, room))
}

/// The numbers of the labels that say attack.
fn attack_labels(labels: &[String], asked: &[String]) -> Result<Vec<usize>, LoadError> {
    let error = |reason: String| LoadError::Label { reason, labels: labels.join(", ") };
    let at = |name: &String| {
        let named = labels.iter().position(|label| label.eq_ignore_ascii_case(name));
        let number = name.parse::<usize>().ok().filter(|number| *number < labels.len());
        named.or(number).ok_or_else(|| error(format!("{name:?} is none of them")))
    };
    if !asked.is_empty() {
        return asked.iter().map(at).collect();
    }
    let says_attack = |label: &String| ATTACKS.iter().any(|name| label.eq_ignore_ascii_case(name));
    let found: Vec<usize> = (0..).zip(labels).filter(|(_, label)| says_attack(label)).map(|(at, _)| at).collect();
    match found.is_empty() || found.len() == labels.len() && labels.len() > 1 {
        true => Err(error("none or all of them say that a text is an attack".to_owned())),
        false => Ok(found),
    }
}

/// What published classifiers of prompt attacks call them.
const ATTACKS: &[&str] = &["injection", "jailbreak", "attack", "malicious", "unsafe", "harmful", "label_1"];
