//! A tiny classifier as Hugging Face would save it, made on the spot. Loads nothing.
#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use safetensors::Dtype;
use safetensors::tensor::{TensorView, serialize};
use serde_json::{Value, json};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    Bert,
    DebertaV2,
}

/// A directory of one test, gone with it.
pub struct Directory(pub PathBuf);

impl Directory {
    pub fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("promptgate-engine-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Directory(path)
    }

    /// A whole model.
    pub fn with(name: &str, model: &Model) -> Self {
        let directory = Directory::new(name);
        directory.write("config.json", model.config.to_string().as_bytes());
        directory.write("tokenizer.json", tokenizer().to_string().as_bytes());
        directory.write("model.safetensors", &model.safetensors());
        directory
    }

    pub fn write(&self, file: &str, bytes: &[u8]) {
        fs::write(self.0.join(file), bytes).unwrap();
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
    }
}

pub struct Model {
    pub config: Value,
    pub tensors: BTreeMap<String, (Vec<usize>, Vec<f32>)>,
}

const WORDS: [&str; 10] = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "attack", "the", "weather", "is", "fine", "today"];

fn tokenizer() -> Value {
    let vocab: serde_json::Map<String, Value> =
        (0..).zip(WORDS).map(|(id, word)| (word.to_owned(), json!(id))).collect();
    json!({
        "version": "1.0",
        "truncation": null,
        "padding": { "strategy": { "Fixed": 64 }, "direction": "Right", "pad_to_multiple_of": null,
                     "pad_id": 0, "pad_type_id": 0, "pad_token": "[PAD]" },
        "added_tokens": [],
        "normalizer": { "type": "Lowercase" },
        "pre_tokenizer": { "type": "Whitespace" },
        "post_processor": { "type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2] },
        "decoder": null,
        "model": { "type": "WordLevel", "vocab": vocab, "unk_token": "[UNK]" }
    })
}

impl Model {
    /// Of pseudo-random weights that any language can repeat from their names.
    pub fn random(family: Family) -> Self {
        let (hidden, wide, layers) = (8, 12, 2);
        let mut model = Model { config: config(family, hidden, wide, layers), tensors: BTreeMap::new() };
        for (name, shape) in shapes(family, hidden, wide, layers) {
            let count = shape.iter().product();
            model.tensors.insert(name.clone(), (shape, pseudo_random(&name, count)));
        }
        model
    }

    /// Of weights by which the word "attack", anywhere in a window, makes it one: all tokens attend to all alike.
    pub fn telltale(family: Family) -> Self {
        let (hidden, wide, layers) = (4, 4, 1);
        let mut model = Model { config: config(family, hidden, wide, layers), tensors: BTreeMap::new() };
        model.config["pooler_hidden_act"] = json!("tanh");
        for (name, shape) in shapes(family, hidden, wide, layers) {
            let identity = |factor: f32| (0..16).map(|at| if at % 5 == 0 { factor } else { 0.0 }).collect();
            let numbers = match name.as_str() {
                _ if name.ends_with("LayerNorm.weight") => vec![1.0; 4],
                _ if name.ends_with("word_embeddings.weight") => {
                    let axis = |word: &str| if word == "attack" { 0 } else { 1 + usize::from(word == "[CLS]") };
                    WORDS.iter().flat_map(|word| (0..4).map(move |at| f32::from(u8::from(at == axis(word))))).collect()
                }
                _ if name.contains("value") && name.ends_with("weight") => identity(100.0),
                _ if name.ends_with("attention.output.dense.weight") => identity(1.0),
                _ if name.ends_with("pooler.dense.weight") => identity(1.0),
                "classifier.weight" => vec![0.0, 0.0, 0.0, 0.0, 20.0, 0.0, 0.0, -20.0],
                "classifier.bias" => vec![0.0, -2.0],
                _ => vec![0.0; shape.iter().product()],
            };
            model.tensors.insert(name, (shape, numbers));
        }
        model
    }

    pub fn safetensors(&self) -> Vec<u8> {
        let bytes: Vec<(&String, &Vec<usize>, Vec<u8>)> = self
            .tensors
            .iter()
            .map(|(name, (shape, numbers))| (name, shape, numbers.iter().flat_map(|x| x.to_le_bytes()).collect()))
            .collect();
        let views = bytes
            .iter()
            .map(|(name, shape, bytes)| (name.as_str(), TensorView::new(Dtype::F32, shape.to_vec(), bytes).unwrap()));
        serialize(views, None).unwrap()
    }
}

fn config(family: Family, hidden: usize, wide: usize, layers: usize) -> Value {
    let mut config = json!({
        "vocab_size": WORDS.len(), "hidden_size": hidden, "num_hidden_layers": layers, "num_attention_heads": 2,
        "intermediate_size": wide, "hidden_act": "gelu", "max_position_embeddings": 16, "layer_norm_eps": 1e-7,
        "id2label": { "0": "SAFE", "1": "INJECTION" },
    });
    let more = match family {
        Family::Bert => json!({ "architectures": ["BertForSequenceClassification"], "type_vocab_size": 2 }),
        Family::DebertaV2 => json!({
            "architectures": ["DebertaV2ForSequenceClassification"], "type_vocab_size": 0, "relative_attention": true,
            "max_relative_positions": -1, "position_buckets": 4, "position_biased_input": false,
            "pos_att_type": "p2c|c2p", "norm_rel_ebd": "layer_norm", "share_att_key": false,
        }),
    };
    config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    config
}

fn shapes(family: Family, hidden: usize, wide: usize, layers: usize) -> Vec<(String, Vec<usize>)> {
    let deberta = family == Family::DebertaV2;
    let root = if deberta { "deberta" } else { "bert" };
    let mut shapes = Vec::new();
    let linear = |shapes: &mut Vec<_>, name: String, outputs: usize, inputs: usize| {
        shapes.push((format!("{name}.weight"), vec![outputs, inputs]));
        shapes.push((format!("{name}.bias"), vec![outputs]));
    };
    let norm = |shapes: &mut Vec<_>, name: String| {
        shapes.push((format!("{name}.weight"), vec![hidden]));
        shapes.push((format!("{name}.bias"), vec![hidden]));
    };
    shapes.push((format!("{root}.embeddings.word_embeddings.weight"), vec![WORDS.len(), hidden]));
    norm(&mut shapes, format!("{root}.embeddings.LayerNorm"));
    if deberta {
        shapes.push(("deberta.encoder.rel_embeddings.weight".to_owned(), vec![8, hidden]));
        norm(&mut shapes, "deberta.encoder.LayerNorm".to_owned());
    } else {
        shapes.push(("bert.embeddings.position_embeddings.weight".to_owned(), vec![16, hidden]));
        shapes.push(("bert.embeddings.token_type_embeddings.weight".to_owned(), vec![2, hidden]));
    }
    for layer in (0..layers).map(|layer| format!("{root}.encoder.layer.{layer}")) {
        let projections: &[&str] = match deberta {
            true => &["query_proj", "key_proj", "value_proj", "pos_key_proj", "pos_query_proj"],
            false => &["query", "key", "value"],
        };
        for projection in projections {
            linear(&mut shapes, format!("{layer}.attention.self.{projection}"), hidden, hidden);
        }
        linear(&mut shapes, format!("{layer}.attention.output.dense"), hidden, hidden);
        norm(&mut shapes, format!("{layer}.attention.output.LayerNorm"));
        linear(&mut shapes, format!("{layer}.intermediate.dense"), wide, hidden);
        linear(&mut shapes, format!("{layer}.output.dense"), hidden, wide);
        norm(&mut shapes, format!("{layer}.output.LayerNorm"));
    }
    linear(&mut shapes, (if deberta { "pooler.dense" } else { "bert.pooler.dense" }).to_owned(), hidden, hidden);
    linear(&mut shapes, "classifier".to_owned(), 2, hidden);
    shapes
}

/// From -0.5 to 0.5, in steps that `f32` holds exactly.
fn pseudo_random(name: &str, count: usize) -> Vec<f32> {
    let mut state =
        name.bytes().fold(2_166_136_261_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(16_777_619));
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 16) as f32 / 65_536.0 - 0.5
    };
    (0..count).map(|_| next()).collect()
}
