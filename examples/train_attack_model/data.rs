//! Labelled prompts as features. Learns nothing.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use promptgate::detect::classifier::features::{self, Chain};
use promptgate::detect::{Category, Rule, RuleSet};
use promptgate::text::fold;
use promptgate::text::words::words;
use serde::Deserialize;

/// What a head is asked; `None` where the example has no answer.
#[derive(Clone, Copy, Debug, Default)]
pub struct Labels {
    pub attack: Option<bool>,
    pub code: Option<bool>,
    pub injection: Option<bool>,
    pub extraction: Option<bool>,
}

impl Labels {
    /// For each head of the model.
    pub fn of_head(&self, head: usize) -> Option<bool> {
        [self.attack, self.attack, self.code, self.code, self.injection, self.extraction][head]
    }
}

/// Features that end with one word, as numbers of the corpus; absent where the word repeats or the feature is rare.
#[derive(Clone, Copy, Debug)]
pub struct Position {
    pub word: Option<u32>,
    pub chains: [Option<u32>; 3],
}

#[derive(Debug)]
pub struct Example {
    pub family: String,
    key: u64,
    pub labels: Labels,
    pub weight: f32,
    pub positions: Vec<Position>,
}

impl Example {
    /// Our own texts are held out one by one, those of others by source: figures are wanted for sources unseen.
    pub fn fold(&self, folds: u64) -> u64 {
        self.key % folds
    }

    pub fn is_benign(&self) -> bool {
        self.labels.attack == Some(false) && self.labels.code == Some(false)
    }
}

/// Everything that is learnt from.
#[derive(Debug, Default)]
pub struct Corpus {
    pub examples: Vec<Example>,
    /// Of each distinct word: its own feature first, then those of its parts.
    pub words: Vec<Vec<u32>>,
    pub word_texts: Vec<String>,
    pub word_counts: Vec<u32>,
    /// Hash of each feature.
    pub features: Vec<u64>,
}

#[derive(Deserialize)]
struct Row {
    text: String,
    label: String,
    category: String,
    #[serde(default)]
    family: String,
    #[serde(default)]
    license: String,
    /// Where in the text the attack stands, in characters; the rest is harmless.
    span: Option<(usize, usize)>,
}

impl Row {
    fn attack_only(&self) -> String {
        let (start, end) = self.span.unwrap_or((0, usize::MAX));
        self.text.chars().skip(start).take(end - start).collect()
    }
}

impl Corpus {
    /// Reads files and folders of labelled JSONL.
    pub fn read(paths: &[PathBuf]) -> io::Result<Self> {
        let mut files = Vec::new();
        paths.iter().try_for_each(|path| list(path, &mut files))?;
        let mut rows = Vec::new();
        for file in &files {
            let own = file.parent().and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned());
            for line in fs::read_to_string(file)?.split('\n').filter(|line| !line.trim().is_empty()) {
                let mut row: Row = serde_json::from_str(line).map_err(io::Error::other)?;
                if row.family.is_empty() {
                    row.family = format!("own_{}", own.clone().unwrap_or_default());
                }
                rows.push(row);
            }
        }
        rows.retain(is_wanted);
        rows.extend(examples_of_rules()?);
        Ok(Builder::default().build(rows))
    }

    pub fn summary(&self) -> String {
        let count = |wanted: fn(&Example) -> bool| self.examples.iter().filter(|example| wanted(example)).count();
        let (attacks, code) = (count(|e| e.labels.attack == Some(true)), count(|e| e.labels.code == Some(true)));
        let benign = count(Example::is_benign);
        let (words, features) = (self.words.len(), self.features.len());
        format!(
            "{attacks} prompt attacks, {code} requests for malicious code, {benign} benign; {words} words, {features} features"
        )
    }
}

fn list(path: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    if path.is_dir() {
        let mut inside: Vec<PathBuf> = fs::read_dir(path)?.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>()?;
        inside.sort();
        return inside.iter().try_for_each(|path| list(path, files));
    }
    if path.extension().is_some_and(|extension| extension == "jsonl") {
        files.push(path.to_owned());
    }
    Ok(())
}

/// The rules' own: who tells a secret attacks nobody, and neither do the near misses of rules about wording.
fn examples_of_rules() -> io::Result<Vec<Row>> {
    let rules = RuleSet::builtin().map_err(|problems| io::Error::other(format!("{problems:?}")))?;
    let row = |text: &String, attack: bool, category: Category| Row {
        text: text.replace(['«', '»'], ""),
        label: if attack { "attack" } else { "benign" }.to_owned(),
        category: category.name().to_owned(),
        family: "own_rules".to_owned(),
        license: String::new(),
        span: None,
    };
    let of_rule = |rule: &Rule| {
        let (category, sensitive) = (rule.category, rule.category.is_sensitive());
        let examples = rule.examples.iter().map(move |text| row(text, !sensitive, category));
        let negative = rule.negative_examples.iter().map(move |text| row(text, false, category));
        examples.chain(negative.filter(move |_| !sensitive)).collect::<Vec<Row>>()
    };
    Ok(rules.rules().iter().flat_map(of_rule).collect())
}

/// Only what a shipped model may be made of, and not what is made from one template: it hurt wherever it was tried.
fn is_wanted(row: &Row) -> bool {
    let permissive = !UNFIT.iter().any(|licence| row.license.contains(licence));
    permissive && row.family != "slabs"
}

const UNFIT: &[&str] = &["NC", "non-commercial", "none stated", "GPL"];

fn labels(row: &Row) -> Option<Labels> {
    let kind = |injection, extraction| Labels {
        attack: Some(true),
        code: None,
        injection: Some(injection),
        extraction: Some(extraction),
    };
    Some(match (row.label.as_str(), row.category.as_str()) {
        ("benign", _) => Labels { attack: Some(false), code: Some(false), ..Labels::default() },
        (_, "injection" | "indirect_injection") => kind(true, false),
        (_, "jailbreak") => kind(false, false),
        (_, "prompt_extraction") => kind(false, true),
        (_, "malicious_code") => Labels { code: Some(true), ..Labels::default() },
        // A harmful topic is no attack on the model.
        (_, "harmful_request") => Labels { attack: Some(false), ..Labels::default() },
        _ => return None,
    })
}

/// Turns texts into numbers.
#[derive(Default)]
struct Builder {
    corpus: Corpus,
    known_words: HashMap<String, u32>,
    /// Documents a feature is in, and the last of them.
    seen: HashMap<u64, (u32, u32)>,
    numbers: HashMap<u64, u32>,
}

impl Builder {
    fn build(mut self, rows: Vec<Row>) -> Corpus {
        let texts: Vec<_> = rows.iter().map(|row| fold::words(&row.attack_only())).collect();
        for (document, text) in texts.iter().enumerate() {
            self.count(document as u32, text.text());
        }
        for (row, text) in rows.iter().zip(&texts) {
            if let Some(labels) = labels(row) {
                let positions = self.positions(text.text());
                let own = row.family.starts_with("own_");
                let key = features::word(if own { &row.text } else { &row.family }) >> 8;
                let family = row.family.clone();
                if labels.attack == Some(false) {
                    let positions = fragment(&positions, features::word(&row.text));
                    self.corpus.examples.push(Example { family: family.clone(), key, labels, weight: 1.0, positions });
                }
                self.corpus.examples.push(Example { family, key, labels, weight: 1.0, positions });
            }
        }
        self.corpus.examples.retain(|example| !example.positions.is_empty());
        weigh(&mut self.corpus.examples);
        self.corpus
    }

    fn count(&mut self, document: u32, text: &str) {
        let mut chain = Chain::default();
        let seen = &mut self.seen;
        let mut note = |hash| {
            let (count, last) = seen.entry(hash).or_insert((0, u32::MAX));
            *count += u32::from(*last != document);
            *last = document;
        };
        features::tokens(text, &words(text), |place, _| {
            let token = &text[place.start..place.end];
            let position = chain.next(features::word(token));
            position.chains.into_iter().for_each(&mut note);
            if !position.word_again {
                note(position.word);
                features::parts(token, &mut note);
            }
        });
    }

    /// The number of a feature that is in more than one document.
    fn number(&mut self, hash: u64) -> Option<u32> {
        self.seen.get(&hash).filter(|(count, _)| *count > 1)?;
        let next = self.numbers.len() as u32;
        let number = *self.numbers.entry(hash).or_insert(next);
        if number == next {
            self.corpus.features.push(hash);
        }
        Some(number)
    }

    fn positions(&mut self, text: &str) -> Vec<Position> {
        let (mut chain, mut tokens) = (Chain::default(), Vec::new());
        features::tokens(text, &words(text), |place, _| tokens.push(text[place.start..place.end].to_owned()));
        tokens.iter().map(|token| self.position(token, &mut chain)).collect()
    }

    fn position(&mut self, token: &str, chain: &mut Chain) -> Position {
        let position = chain.next(features::word(token));
        let word = self.word(token);
        let chains = position.chains.map(|hash| self.number(hash).filter(|_| !position.pair_again));
        Position { word: word.filter(|_| !position.word_again), chains }
    }

    fn word(&mut self, token: &str) -> Option<u32> {
        if let Some(number) = self.known_words.get(token) {
            self.corpus.word_counts[*number as usize] += 1;
            return Some(*number);
        }
        let own = self.number(features::word(token)).unwrap_or(NO_FEATURE);
        let mut parts = Vec::new();
        features::parts(token, |part| parts.push(part));
        let features = std::iter::once(own).chain(parts.into_iter().filter_map(|part| self.number(part)));
        let features: Vec<u32> = features.collect();
        let number = self.corpus.words.len() as u32;
        self.corpus.words.push(features);
        self.corpus.word_texts.push(token.to_owned());
        self.corpus.word_counts.push(1);
        self.known_words.insert(token.to_owned(), number);
        Some(number)
    }
}

/// A few words out of one harmless text in six: most of what is that short is harmless, and hardly any corpus has it.
fn fragment(positions: &[Position], hash: u64) -> Vec<Position> {
    let words = 1 + (hash >> 40) as usize % 6;
    let Some(room) = positions.len().checked_sub(2 * words).filter(|_| hash.is_multiple_of(6)) else {
        return Vec::new();
    };
    let start = (hash >> 8) as usize % (room + 1);
    let mut words = positions[start..start + words].to_vec();
    // Chains with what stood before.
    words.iter_mut().take(2).for_each(|position| position.chains = [None; 3]);
    words
}

/// The place of a word's own feature where it has none: it is in one document only.
pub const NO_FEATURE: u32 = u32::MAX;

/// Our harmless texts were written to resemble attacks; with full weight they teach to overlook those.
const TWIN: f32 = 0.6;

/// A large source counts for less than its rows do, a small one for more.
fn weigh(examples: &mut [Example]) {
    let key = |example: &Example| (example.family.clone(), example.labels.attack, example.labels.code);
    let mut counts: HashMap<_, f32> = HashMap::new();
    examples.iter().for_each(|example| *counts.entry(key(example)).or_default() += 1.0);
    for example in examples {
        let twin = example.family.starts_with("own_") && example.is_benign();
        let of_source = (counts[&key(example)] / 1000.0).powf(-0.3).min(3.0);
        example.weight = if twin { of_source * TWIN } else { of_source };
    }
}
