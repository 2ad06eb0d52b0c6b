//! Trains the prompt-attack model: labelled prompts in, `models/attack.bin` out. The features are the library's own; what was
//! tried and what came of it stands in `models/README.md`.
//!
//! `cargo run --no-default-features --profile fast --example train_attack_model -- --out models/attack.bin FILE|DIR...`

mod calibrate;
mod data;
mod learn;
mod pack;

use std::path::PathBuf;
use std::process::ExitCode;

use data::Corpus;
use learn::Weights;

/// Order, held-out folds and what is left out of a step follow from it.
const SEED: u64 = 20261127;
const FOLDS: u64 = 4;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let (mut out, mut paths) = (None, Vec::<PathBuf>::new());
    while let Some(argument) = arguments.next() {
        if argument == "--out" { out = arguments.next().map(PathBuf::from) } else { paths.push(argument.into()) }
    }
    let Some(out) = out.filter(|_| !paths.is_empty()) else {
        eprintln!("usage: train_attack_model --out FILE LABELLED...");
        return ExitCode::from(2);
    };
    match train(&paths).and_then(|bytes| std::fs::write(&out, &bytes).map(|()| bytes.len())) {
        Ok(size) => {
            eprintln!("{}: {size} bytes", out.display());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("train_attack_model: {error}");
            ExitCode::FAILURE
        }
    }
}

fn train(paths: &[PathBuf]) -> std::io::Result<Vec<u8>> {
    let corpus = Corpus::read(paths)?;
    eprintln!("{}", corpus.summary());
    let mut held_out = Vec::new();
    for fold in 0..FOLDS {
        let weights = Weights::learn(&corpus, |example| example.fold(FOLDS) != fold, SEED + fold);
        let unseen = corpus.examples.iter().enumerate().filter(|(_, example)| example.fold(FOLDS) == fold);
        held_out.extend(unseen.map(|(index, example)| (index, weights.logits(&corpus, example))));
        eprintln!("fold {fold} done");
    }
    let curves = calibrate::calibrate(&corpus, &held_out);
    let weights = Weights::learn(&corpus, |_| true, SEED);
    Ok(pack::pack(&corpus, &weights, curves).encode())
}
