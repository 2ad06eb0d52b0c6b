//! Models that the tests make themselves, loaded as an operator's would be: what they score, and how a bad one is refused.

use std::fs;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::classifier::Classifier;
use super::description::Description;
use super::network::Network;
use super::pool::Scorer;
use super::weights::File;
use super::*;
use crate::config::Config;
use crate::sanitize::consult::Unanswered;

#[path = "../../tests/support/classifier.rs"]
mod made;

use made::{Directory, Family, Model};

const FAMILIES: [Family; 2] = [Family::Bert, Family::DebertaV2];

fn loaded(directory: &Directory) -> Result<Classifier, String> {
    Classifier::load(&directory.0, &[], 8).map_err(|error| error.to_string())
}

fn far() -> Instant {
    Instant::now() + Duration::from_secs(3600)
}

#[test]
fn the_networks_compute_what_the_published_ones_do() {
    let expected = [EXPECTED_BERT, EXPECTED_DEBERTA];
    for (family, expected) in FAMILIES.into_iter().zip(expected) {
        let directory = Directory::with(&format!("reference-{family:?}"), &Model::random(family));
        let description = Description::read(&directory.0).unwrap();
        let file = File::read(&directory.0).unwrap();
        let mut weights = file.weights().unwrap();
        weights.epsilon = description.epsilon;
        let network = Network::load(&weights, &description).unwrap();
        let logits = network.logits(&[2, 5, 6, 7, 8, 9, 4, 5, 6, 7, 3]).unwrap();
        for (logit, expected) in logits.iter().zip(expected) {
            assert!((logit - expected).abs() < 1e-4, "{family:?}: {logits:?}");
        }
    }
}

/// Of these weights and tokens, from an implementation in another language.
const EXPECTED_BERT: [f32; 2] = [0.612_835_7, 0.511_894_2];
const EXPECTED_DEBERTA: [f32; 2] = [0.521_139_4, 0.462_197_7];

#[test]
fn an_attack_is_found_wherever_it_stands_and_the_worst_window_counts() {
    for family in FAMILIES {
        let directory = Directory::with(&format!("telltale-{family:?}"), &Model::telltale(family));
        let classifier = loaded(&directory).unwrap();
        let score = |text: &str| classifier.score(text, far()).unwrap();
        let mut words = ["the weather is fine today"; 10].join(" ");
        assert!(score(&words) < 0.2 && score("") < 0.2, "{family:?}");
        for (at, _) in words.clone().match_indices(' ') {
            let text = format!("{} Attack{}", &words[..at], &words[at..]);
            assert!(score(&text) > 0.9, "{family:?}: {} {text}", score(&text));
        }
        words.push_str(" never-seen");
        assert!(score(&words) < 0.2);
    }
}

#[test]
fn a_long_text_is_given_up_when_it_is_late() {
    let directory = Directory::with("late", &Model::telltale(Family::Bert));
    let late = Instant::now();
    assert_eq!(loaded(&directory).unwrap().score("the weather", late), Err(Unanswered::Late));
}

#[test]
fn labels_are_found_by_their_names_or_as_the_operator_names_them() {
    let load = |name: &str, labels: Value, asked: &[&str]| {
        let mut model = Model::telltale(Family::Bert);
        model.config["id2label"] = labels;
        let directory = Directory::with(&format!("labels-{name}"), &model);
        let asked: Vec<String> = asked.iter().map(ToString::to_string).collect();
        let loaded = Classifier::load(&directory.0, &asked, 8).map_err(|error| error.to_string());
        loaded.map(|classifier| classifier.score("an attack", far()).unwrap() > 0.5)
    };
    let (plain, odd) = (json!({"0": "LABEL_0", "1": "LABEL_1"}), json!({"0": "good", "1": "bad"}));
    assert_eq!(load("plain", plain, &[]), Ok(true));
    assert_eq!(load("none", Value::Null, &[]), Ok(true));
    assert_eq!(load("name", odd.clone(), &["Bad"]), Ok(true));
    assert_eq!(load("number", odd.clone(), &["1"]), Ok(true));
    assert_eq!(load("other", odd.clone(), &["0"]), Ok(false));
    let message = "none or all of them say that a text is an attack; the model's labels are good, bad";
    assert_eq!(load("unsaid", odd.clone(), &[]), Err(message.to_owned()));
    assert_eq!(load("wrong", odd, &["2"]), Err("\"2\" is none of them; the model's labels are good, bad".to_owned()));
}

#[test]
fn each_thing_that_is_wrong_with_a_directory_is_told() {
    let whole = Model::telltale(Family::DebertaV2);
    let refused = |name: &str, spoil: &dyn Fn(&Directory)| {
        let directory = Directory::with(name, &whole);
        spoil(&directory);
        loaded(&directory).map(drop).unwrap_err()
    };
    for file in ["config.json", "tokenizer.json", "model.safetensors"] {
        let gone = refused("gone", &|directory| fs::remove_file(directory.0.join(file)).unwrap());
        assert!(gone.starts_with(&format!("{file} cannot be read: ")), "{gone}");
        for bytes in [&b"{}x"[..], b"", b"\xff\xff\xff\xff\xff\xff\xff\xff{}"] {
            let damaged = refused("damaged", &|directory| directory.write(file, bytes));
            assert!(damaged.starts_with(&format!("{file} is damaged: ")), "{damaged}");
        }
    }
    let cut = refused("cut", &|directory| directory.write("model.safetensors", &whole.safetensors()[..2000]));
    assert!(cut.starts_with("model.safetensors is damaged: "), "{cut}");
}

#[test]
fn what_is_no_such_model_is_refused_for_what_it_is() {
    let refused = |change: &dyn Fn(&mut Model)| {
        let mut model = Model::telltale(Family::DebertaV2);
        change(&mut model);
        loaded(&Directory::with("refused", &model)).map(drop).unwrap_err()
    };
    let with = |key: &str, value: Value| refused(&|model| model.config[key] = value.clone());
    assert!(with("architectures", json!(["LlamaForCausalLM"])).starts_with("the model is a LlamaForCausalLM; "));
    assert!(with("conv_kernel_size", json!(3)).starts_with("config.json asks for conv_kernel_size"));
    assert!(with("hidden_act", json!("mish")).starts_with("config.json asks for the activation \"mish\""));
    assert!(with("hidden_size", json!(5)).starts_with("config.json is damaged: hidden_size is no multiple"));
    assert!(with("num_hidden_layers", json!(0)).starts_with("config.json is damaged: num_hidden_layers is 0"));
    assert!(with("vocab_size", json!(u32::MAX)).starts_with("config.json is damaged: vocab_size is"));
    assert!(with("vocab_size", json!(9)).starts_with("the tokenizer has 10 tokens, the model 9"));
    assert!(with("intermediate_size", json!(3)).contains("is [4, 4], not [3, 4]"));
    assert!(with("position_buckets", json!(100)).starts_with("config.json is damaged: position_buckets"));
    assert!(with("id2label", json!({"0": "a", "2": "b"})).contains("id2label"));
    let name = "deberta.encoder.layer.0.output.dense.weight";
    assert_eq!(refused(&|model| drop(model.tensors.remove(name))), format!("{name} is not in model.safetensors"));
    let infinite = refused(&|model| model.tensors.get_mut(name).unwrap().1[0] = f32::INFINITY);
    assert!(infinite.ends_with("holds what is no number"), "{infinite}");
}

#[test]
fn a_problem_names_the_key_it_is_about() {
    let load_from = |directory: &Directory, more: &str| {
        let text = format!("[engine]\ndirectory = {:?}\n{more}", directory.0);
        load(&Config::load(Some(&text), []).unwrap().config.engine).map(|engine| engine.is_some())
    };
    let key = |outcome: Result<bool, Problem>| outcome.map_err(|problem| problem.key);
    let good = Directory::with("good", &Model::telltale(Family::Bert));
    assert_eq!(key(load_from(&good, "")), Ok(true));
    assert_eq!(key(load_from(&good, "attack_labels = [\"no\"]")), Err("engine.attack_labels".to_owned()));
    assert_eq!(key(load_from(&Directory::new("empty"), "")), Err("engine.directory".to_owned()));
    assert_eq!(load(&Config::default().engine).map(|engine| engine.is_some()), Ok(false));
}
