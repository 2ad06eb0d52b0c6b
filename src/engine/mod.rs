//! A transformer that classifies text, for where the built-in score leaves doubt: loaded from a directory, asked through a
//! queue, away from whoever waits. Knows nothing of requests and policy.
//!
//! What is read is what Hugging Face saves: `config.json` and `model.safetensors` of a BERT or DeBERTa-v2 (also v3)
//! sequence classifier, and `tokenizer.json`.

mod classifier;
mod description;
mod math;
mod network;
mod pool;
mod relative;
#[cfg(test)]
mod tests;
mod weights;

use std::io;
use std::sync::Arc;

use crate::config::{self, Problem};
use crate::sanitize::consult;

use classifier::Classifier;
use pool::Pool;

/// The engine that `[engine]` describes, with its model in memory and its threads running; `None` if it names none.
///
/// # Errors
/// What is wrong with the directory, or with a label.
pub fn load(config: &config::Engine) -> Result<Option<Arc<dyn consult::Engine>>, Problem> {
    let Some(directory) = &config.directory else { return Ok(None) };
    let classifier = Classifier::load(directory, &config.attack_labels, config.max_tokens).map_err(|error| {
        let key = if matches!(error, LoadError::Label { .. }) { "engine.attack_labels" } else { "engine.directory" };
        Problem::new(key, error.to_string())
    })?;
    let pool = Pool::start(Arc::new(classifier), config.threads, config.queue, config.doubt.deadline);
    let pool = pool.map_err(|error| Problem::new("engine.threads", error.to_string()))?;
    Ok(Some(Arc::new(pool)))
}

/// Why a directory is not a model that can be used.
#[derive(Debug, thiserror::Error)]
enum LoadError {
    #[error("{file} cannot be read: {error}")]
    Unreadable { file: &'static str, error: io::Error },
    #[error("{file} is damaged: {reason}")]
    Damaged { file: &'static str, reason: String },
    #[error(
        "the model is a {0}; what can be loaded is BertForSequenceClassification or DebertaV2ForSequenceClassification"
    )]
    Architecture(String),
    #[error("config.json asks for {0}, which is not supported")]
    Unsupported(String),
    #[error("{0} is not in model.safetensors")]
    NoTensor(String),
    #[error("{name} in model.safetensors is {found}, not {expected}")]
    Tensor { name: String, found: String, expected: String },
    #[error("{reason}; the model's labels are {labels}")]
    Label { reason: String, labels: String },
    #[error("the tokenizer has {tokens} tokens, the model {rows}")]
    Vocabulary { tokens: usize, rows: usize },
}
