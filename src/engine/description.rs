//! What `config.json` says of a model, checked. Reads no weights.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use super::LoadError;
use super::math::Activation;

const FILE: &str = "config.json";

/// A model as it can be loaded.
#[derive(Debug)]
pub(super) struct Description {
    pub family: Family,
    pub vocabulary: usize,
    pub hidden: usize,
    pub layers: usize,
    pub heads: usize,
    pub intermediate: usize,
    pub activation: Activation,
    pub pooler: Activation,
    /// Positions that are told to the model by an embedding of their own; 0 for none.
    pub positions: usize,
    /// Tokens it was made for.
    pub longest: usize,
    pub segments: usize,
    pub epsilon: f32,
    pub relative: Option<Distances>,
    pub labels: Vec<String>,
    /// Each label has a probability of its own.
    pub independent: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    Bert,
    DebertaV2,
}

/// How DeBERTa tells tokens how far apart they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Distances {
    /// Distances either way that have an embedding.
    pub span: usize,
    /// Farther ones share buckets of growing width, up to this distance.
    pub buckets: Option<Buckets>,
    pub content_to_position: bool,
    pub position_to_content: bool,
    /// Positions go through the projections of the content.
    pub shared: bool,
    pub normed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Buckets {
    pub count: usize,
    pub farthest: usize,
}

impl Description {
    pub fn read(directory: &Path) -> Result<Self, LoadError> {
        let read = std::fs::read(directory.join(FILE));
        let bytes = read.map_err(|error| LoadError::Unreadable { file: FILE, error })?;
        let raw: Raw = serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
        raw.checked()
    }
}

fn damaged(reason: impl Into<String>) -> LoadError {
    LoadError::Damaged { file: FILE, reason: reason.into() }
}

/// As written.
#[derive(Deserialize)]
struct Raw {
    #[serde(default)]
    model_type: String,
    #[serde(default)]
    architectures: Vec<String>,
    #[serde(default)]
    vocab_size: usize,
    #[serde(default)]
    hidden_size: usize,
    #[serde(default)]
    num_hidden_layers: usize,
    #[serde(default)]
    num_attention_heads: usize,
    #[serde(default)]
    intermediate_size: usize,
    #[serde(default = "gelu")]
    hidden_act: String,
    pooler_hidden_act: Option<String>,
    pooler_hidden_size: Option<usize>,
    #[serde(default = "positions")]
    max_position_embeddings: usize,
    #[serde(default)]
    type_vocab_size: usize,
    #[serde(default = "epsilon")]
    layer_norm_eps: f32,
    id2label: Option<BTreeMap<usize, String>>,
    problem_type: Option<String>,
    position_embedding_type: Option<String>,
    embedding_size: Option<usize>,
    conv_kernel_size: Option<usize>,
    attention_head_size: Option<usize>,
    #[serde(default)]
    relative_attention: bool,
    max_relative_positions: Option<i64>,
    position_buckets: Option<i64>,
    #[serde(default = "yes")]
    position_biased_input: bool,
    pos_att_type: Option<Names>,
    #[serde(default)]
    share_att_key: bool,
    norm_rel_ebd: Option<String>,
}

/// `"c2p|p2c"` or `["c2p", "p2c"]`.
#[derive(Deserialize)]
#[serde(untagged)]
enum Names {
    Joined(String),
    Listed(Vec<String>),
}

impl Names {
    fn have(&self, name: &str) -> bool {
        match self {
            Names::Joined(names) => names.split('|').any(|given| given.trim() == name),
            Names::Listed(names) => names.iter().any(|given| given == name),
        }
    }
}

fn gelu() -> String {
    "gelu".to_owned()
}

fn positions() -> usize {
    512
}

fn epsilon() -> f32 {
    1e-12
}

fn yes() -> bool {
    true
}

impl Raw {
    fn checked(self) -> Result<Description, LoadError> {
        let family = self.family()?;
        self.refuse_unsupported()?;
        let of_bert = family == Family::Bert;
        let absolute = of_bert || self.position_biased_input;
        Ok(Description {
            family,
            vocabulary: self.vocab_size,
            hidden: self.hidden_size,
            layers: self.num_hidden_layers,
            heads: self.num_attention_heads,
            intermediate: self.intermediate_size,
            activation: activation(&self.hidden_act)?,
            pooler: match &self.pooler_hidden_act {
                _ if of_bert => Activation::Tanh,
                None => Activation::Gelu,
                Some(name) => activation(name)?,
            },
            positions: if absolute { self.max_position_embeddings } else { 0 },
            longest: self.max_position_embeddings,
            segments: self.type_vocab_size,
            epsilon: self.layer_norm_eps,
            relative: if of_bert { None } else { self.distances()? },
            labels: self.labels()?,
            independent: self.problem_type.as_deref() == Some("multi_label_classification"),
        })
    }

    fn family(&self) -> Result<Family, LoadError> {
        let name = self.architectures.first().map_or(self.model_type.as_str(), String::as_str);
        match name {
            "BertForSequenceClassification" | "bert" => Ok(Family::Bert),
            "DebertaV2ForSequenceClassification" | "deberta-v2" => Ok(Family::DebertaV2),
            "" => Err(damaged("it names neither architectures nor model_type")),
            other => Err(LoadError::Architecture(other.chars().take(80).collect())),
        }
    }

    /// Sizes that a network cannot have, and variants that exist but are not made here.
    fn refuse_unsupported(&self) -> Result<(), LoadError> {
        /// Far above any classifier, far below what would overflow or not fit in memory.
        const MOST: usize = 1 << 20;
        let sizes = [
            ("vocab_size", self.vocab_size),
            ("hidden_size", self.hidden_size),
            ("num_hidden_layers", self.num_hidden_layers),
            ("num_attention_heads", self.num_attention_heads),
            ("intermediate_size", self.intermediate_size),
            ("max_position_embeddings", self.max_position_embeddings),
        ];
        if let Some((name, size)) = sizes.into_iter().find(|(_, size)| !(1..=MOST).contains(size)) {
            return Err(damaged(format!("{name} is {size}")));
        }
        if !self.hidden_size.is_multiple_of(self.num_attention_heads) {
            return Err(damaged("hidden_size is no multiple of num_attention_heads"));
        }
        let other = |size: Option<usize>, usual: usize| size.is_some_and(|size| size != usual);
        let head = self.hidden_size / self.num_attention_heads;
        let unsupported = [
            ("conv_kernel_size", other(self.conv_kernel_size, 0)),
            ("another embedding_size than hidden_size", other(self.embedding_size, self.hidden_size)),
            ("another pooler_hidden_size than hidden_size", other(self.pooler_hidden_size, self.hidden_size)),
            ("an attention_head_size of its own", other(self.attention_head_size, head)),
            (
                "relative position_embedding_type",
                self.position_embedding_type.as_deref().unwrap_or("absolute") != "absolute",
            ),
        ];
        match unsupported.into_iter().find(|(_, asked)| *asked) {
            Some((what, _)) => Err(LoadError::Unsupported(what.to_owned())),
            None => Ok(()),
        }
    }

    fn distances(&self) -> Result<Option<Distances>, LoadError> {
        if !self.relative_attention {
            return Ok(None);
        }
        let above_zero =
            |number: Option<i64>| number.and_then(|number| usize::try_from(number).ok()).filter(|n| *n > 0);
        let farthest = above_zero(self.max_relative_positions).unwrap_or(self.max_position_embeddings);
        let count = above_zero(self.position_buckets);
        if count.is_some_and(|count| count < 4 || farthest <= count) {
            return Err(damaged("position_buckets must be at least 4 and less than the positions"));
        }
        let has = |name| self.pos_att_type.as_ref().is_some_and(|names| names.have(name));
        Ok(Some(Distances {
            span: count.unwrap_or(farthest),
            buckets: count.map(|count| Buckets { count, farthest }),
            content_to_position: has("c2p"),
            position_to_content: has("p2c"),
            shared: self.share_att_key,
            normed: self.norm_rel_ebd.as_deref().is_some_and(|names| names.contains("layer_norm")),
        }))
    }

    /// In the order of their numbers. A model that names none has two.
    fn labels(&self) -> Result<Vec<String>, LoadError> {
        let Some(labels) = &self.id2label else { return Ok(vec!["LABEL_0".to_owned(), "LABEL_1".to_owned()]) };
        let in_order = labels.keys().copied().eq(0..labels.len());
        match in_order && !labels.is_empty() {
            true => Ok(labels.values().cloned().collect()),
            false => Err(damaged("the numbers of id2label are not 0, 1, ...")),
        }
    }
}

fn activation(name: &str) -> Result<Activation, LoadError> {
    Activation::from_name(name).ok_or_else(|| LoadError::Unsupported(format!("the activation {name:?}")))
}
