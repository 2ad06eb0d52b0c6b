//! Trains the tagger's model from documents with spans and measures it. Writes `models/tagger.bin`; part of no server.
//!
//! `train_tagger --gazetteer FILE --train FILE[=WEIGHT]... --eval FILE... [-o MODEL] [--rounds N] [--rows N] [--misses N]`

use std::collections::HashMap;
use std::error::Error;
use std::fs;

use promptgate::detect::tagger::gazetteer::{COMMON, Gazetteer, ORG, STREET, pair};
use promptgate::detect::tagger::label::{Kind, LABELS, OUTSIDE, may_follow};
use promptgate::detect::tagger::model::{Model, SCALE, write};
use promptgate::detect::tagger::scene::{FEATURES, Features, Scene};
use promptgate::detect::tagger::tag_with;
use promptgate::detect::tagger::token::word_hash;
use serde::Deserialize;

#[derive(Deserialize)]
struct Document {
    text: String,
    #[serde(default)]
    spans: Vec<Labelled>,
}

/// Offsets in code points.
#[derive(Deserialize)]
struct Labelled {
    start: usize,
    end: usize,
    #[serde(rename = "type")]
    entity: String,
}

/// One run of words: features by number, and the label of each word.
struct Run {
    words: Vec<([u32; FEATURES], usize)>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::read()?;
    let rows = gazetteer(&fs::read_to_string(&options.gazetteer)?);
    let slots = Gazetteer::build(&rows);
    let (runs, names) = options.load(&slots, &thinned(&rows))?;
    eprintln!(
        "{} runs, {} words, {} features",
        runs.len(),
        runs.iter().map(|run| run.words.len()).sum::<usize>(),
        names.len()
    );
    let mut field = Field::new(names.len());
    let mut order: Vec<usize> = (0..runs.len()).collect();
    let mut random = Random(options.seed);
    for round in 0..options.rounds {
        random.shuffle(&mut order);
        let loss: f64 = order.iter().filter_map(|&at| runs.get(at)).map(|run| field.learn(run)).sum();
        eprintln!("round {round}: loss {:.4}", loss / runs.len() as f64);
    }
    let bytes = field.write(&slots, &names, options.rows);
    let model = Model::parse(&bytes).ok_or("the model cannot be read back")?;
    for file in &options.eval {
        measure(&model, file, options.misses)?;
    }
    if let Some(output) = &options.output {
        fs::write(output, &bytes)?;
    }
    Ok(())
}

#[derive(Default)]
struct Options {
    gazetteer: String,
    train: Vec<(String, usize)>,
    eval: Vec<String>,
    output: Option<String>,
    rounds: usize,
    rows: usize,
    misses: usize,
    seed: u64,
}

impl Options {
    fn read() -> Result<Self, Box<dyn Error>> {
        let mut options = Options { rounds: 8, rows: 1 << 17, seed: 1, ..Options::default() };
        let mut words = std::env::args().skip(1);
        while let Some(name) = words.next() {
            let value = words.next().ok_or("an option without a value")?;
            match name.as_str() {
                "--gazetteer" => options.gazetteer = value,
                "--train" => {
                    let (file, weight) = value.split_once('=').unwrap_or((&value, "1"));
                    options.train.push((file.to_owned(), weight.parse()?));
                }
                "--eval" => options.eval.push(value),
                "-o" => options.output = Some(value),
                "--rounds" => options.rounds = value.parse()?,
                "--rows" => options.rows = value.parse()?,
                "--misses" => options.misses = value.parse()?,
                "--seed" => options.seed = value.parse()?,
                _ => return Err(format!("unknown option {name}").into()),
            }
        }
        Ok(options)
    }

    /// All runs, and the hash of each feature that occurs `OFTEN`, by its number from 1.
    fn load(&self, full: &[u8], thin: &[u8]) -> Result<(Vec<Run>, Vec<u64>), Box<dyn Error>> {
        let mut read: Vec<(Vec<(Features, usize)>, usize)> = Vec::new();
        let mut lost = 0;
        for (file, weight) in &self.train {
            for (at, document) in documents(file)?.iter().enumerate() {
                let scene = Scene::of(&document.text, Gazetteer::new(if at % 2 == 0 { full } else { thin }));
                let mut spans = spans(document);
                for segment in scene.segments() {
                    let mut before = OUTSIDE;
                    let words = segment.clone().zip(scene.features(segment)).map(|(at, features)| {
                        before = possible(before, gold(scene.span(at), &mut spans));
                        (features, before)
                    });
                    let words = words.collect();
                    read.push((words, *weight));
                }
                lost += spans.iter().filter(|span| !span.3).count();
            }
        }
        eprintln!("{lost} entities have no candidate word");
        let mut counts: HashMap<u64, u32> = HashMap::new();
        for feature in read.iter().flat_map(|(words, _)| words).flat_map(|(features, _)| features) {
            *counts.entry(*feature).or_default() += 1;
        }
        let mut names: Vec<u64> = counts.iter().filter(|(_, count)| **count >= OFTEN).map(|(hash, _)| *hash).collect();
        names.sort_unstable();
        let numbers: HashMap<u64, u32> = names.iter().copied().zip(1..).collect();
        let number = |features: Features| features.map(|feature| numbers.get(&feature).copied().unwrap_or(0));
        let mut runs = Vec::new();
        for (words, weight) in read {
            let words: Vec<_> = words.into_iter().map(|(features, label)| (number(features), label)).collect();
            runs.extend((0..weight).map(|_| Run { words: words.clone() }));
        }
        Ok((runs, names))
    }
}

fn documents(file: &str) -> Result<Vec<Document>, Box<dyn Error>> {
    let text = fs::read_to_string(file)?;
    Ok(text.lines().map(serde_json::from_str).collect::<Result<_, _>>()?)
}

/// Kind, start and end in bytes, and whether a word of it has been met.
type Gold = (Kind, usize, usize, bool);

fn spans(document: &Document) -> Vec<Gold> {
    let offsets: Vec<usize> = document.text.char_indices().map(|(at, _)| at).chain([document.text.len()]).collect();
    let at = |code_point: usize| offsets.get(code_point).copied().unwrap_or(document.text.len());
    let spans = document.spans.iter();
    spans.filter_map(|span| Some((kind(&span.entity)?, at(span.start), at(span.end), false))).collect()
}

fn kind(entity: &str) -> Option<Kind> {
    Some(match entity {
        "PERSON" => Kind::Person,
        "LOCATION" | "GPE" => Kind::Location,
        "ADDRESS" | "STREET_ADDRESS" | "ZIP_CODE" => Kind::Address,
        "ORGANIZATION" => Kind::Organization,
        "NRP" => Kind::Group,
        "TITLE" => Kind::Title,
        _ => return None,
    })
}

fn gold(word: promptgate::text::Span, spans: &mut [Gold]) -> usize {
    match spans.iter_mut().find(|(_, start, end, _)| word.start < *end && word.end > *start) {
        Some((kind, _, _, met)) => {
            let (first, rest) = kind.labels();
            if std::mem::replace(met, true) { rest } else { first }
        }
        None => OUTSIDE,
    }
}

/// The rest of an entity whose beginning no run holds begins it.
fn possible(before: usize, label: usize) -> usize {
    if may_follow(before, label) { label } else { label - 1 }
}

fn gazetteer(rows: &str) -> Vec<(u64, u8)> {
    let row = |line: &str| {
        let (words, flags) = line.split_once('\t')?;
        let hash = match words.split_once(' ') {
            Some((first, second)) => pair(word_hash(first), word_hash(second)),
            None => word_hash(words),
        };
        Some((hash, flags.trim().parse().ok()?))
    };
    rows.lines().filter_map(row).collect()
}

/// A table that lacks part of the names, so that the model learns to do without.
fn thinned(rows: &[(u64, u8)]) -> Vec<u8> {
    let kept = |hash: u64| (hash >> 20) % 100 >= THINNED;
    let rows = rows.iter().map(|&(hash, flags)| (hash, if kept(hash) { flags } else { flags & NO_NAMES }));
    Gazetteer::build(&rows.filter(|(_, flags)| *flags != 0).collect::<Vec<_>>())
}

/// The conditional random field while it learns, by AdaGrad.
struct Field {
    weights: Vec<[f32; LABELS]>,
    squares: Vec<[f32; LABELS]>,
    steps: [[f32; LABELS]; LABELS + 1],
    step_squares: [[f32; LABELS]; LABELS + 1],
}

impl Field {
    fn new(features: usize) -> Self {
        let mut steps = [[0.0; LABELS]; LABELS + 1];
        for (before, row) in steps.iter_mut().enumerate() {
            for (next, step) in row.iter_mut().enumerate() {
                *step = if may_follow(before, next) { 0.0 } else { f32::NEG_INFINITY };
            }
        }
        Field {
            weights: vec![[0.0; LABELS]; features + 1],
            squares: vec![[1e-6; LABELS]; features + 1],
            steps,
            step_squares: [[1e-6; LABELS]; LABELS + 1],
        }
    }

    /// One step towards the labels of `run`; the loss before it.
    fn learn(&mut self, run: &Run) -> f64 {
        let scores: Vec<[f32; LABELS]> = run.words.iter().map(|(features, _)| self.score(features)).collect();
        let (ahead, behind, total) = self.sums(&scores);
        let mut gold_score = 0.0;
        let mut step_gradient = [[0.0_f32; LABELS]; LABELS + 1];
        let mut before = LABELS;
        for (at, (features, label)) in run.words.iter().enumerate() {
            gold_score += f64::from(scores[at][*label]) + f64::from(self.steps[before][*label]);
            let mut gradient = [0.0_f32; LABELS];
            for (next, gradient) in gradient.iter_mut().enumerate() {
                *gradient = ((ahead[at][next] + behind[at][next] - total).exp()) as f32;
            }
            for from in 0..=LABELS {
                let came = match (at, from) {
                    (0, LABELS) => 0.0,
                    (0, _) | (_, LABELS) => continue,
                    _ => ahead[at - 1][from],
                };
                for next in 0..LABELS {
                    let step = self.steps[from][next];
                    if step > f32::NEG_INFINITY {
                        let log = came + f64::from(step + scores[at][next]) + behind[at][next] - total;
                        step_gradient[from][next] += log.exp() as f32;
                    }
                }
            }
            gradient[*label] -= 1.0;
            step_gradient[before][*label] -= 1.0;
            before = *label;
            self.update(features, &gradient);
        }
        for (row, (squares, gradient)) in self.steps.iter_mut().zip(self.step_squares.iter_mut().zip(step_gradient)) {
            descend(row, squares, &gradient);
        }
        total - gold_score
    }

    fn score(&self, features: &[u32; FEATURES]) -> [f32; LABELS] {
        let mut score = [0.0; LABELS];
        for feature in features.iter().filter(|feature| **feature > 0) {
            for (sum, weight) in score.iter_mut().zip(self.weights[*feature as usize]) {
                *sum += weight;
            }
        }
        score
    }

    /// Logarithms of the sums over all ways to a label and from it, and of all.
    fn sums(&self, scores: &[[f32; LABELS]]) -> (Vec<[f64; LABELS]>, Vec<[f64; LABELS]>, f64) {
        let mut ahead: Vec<[f64; LABELS]> = Vec::with_capacity(scores.len());
        for (at, score) in scores.iter().enumerate() {
            let mut row = [0.0; LABELS];
            for (next, sum) in row.iter_mut().enumerate() {
                let ways = match at {
                    0 => f64::from(self.steps[LABELS][next]),
                    _ => log_sum((0..LABELS).map(|from| ahead[at - 1][from] + f64::from(self.steps[from][next]))),
                };
                *sum = ways + f64::from(score[next]);
            }
            ahead.push(row);
        }
        let mut behind = vec![[0.0; LABELS]; scores.len()];
        for at in (0..scores.len().saturating_sub(1)).rev() {
            for from in 0..LABELS {
                let way = |next: usize| f64::from(self.steps[from][next] + scores[at + 1][next]) + behind[at + 1][next];
                behind[at][from] = log_sum((0..LABELS).map(way));
            }
        }
        let total = ahead.last().map_or(0.0, |last| log_sum(last.iter().copied()));
        (ahead, behind, total)
    }

    fn update(&mut self, features: &[u32; FEATURES], gradient: &[f32; LABELS]) {
        for feature in features.iter().filter(|feature| **feature > 0) {
            let at = *feature as usize;
            descend(&mut self.weights[at], &mut self.squares[at], gradient);
        }
    }

    /// The features that weigh most come first.
    fn write(&self, slots: &[u8], names: &[u64], rows: usize) -> Vec<u8> {
        let size = |weights: &[f32; LABELS]| weights.iter().fold(0.0_f32, |most, weight| most.max(weight.abs()));
        let mut ranked: Vec<(u64, &[f32; LABELS])> = names.iter().copied().zip(self.weights.iter().skip(1)).collect();
        ranked.sort_by(|a, b| size(b.1).total_cmp(&size(a.1)).then(a.0.cmp(&b.0)));
        let byte = |weight: f32| (weight * SCALE).round().clamp(-127.0, 127.0) as i8;
        let features: Vec<_> = ranked.iter().map(|(hash, weights)| (*hash, weights.map(byte))).collect();
        let steps = self.steps.map(|row| row.map(|step| (step * SCALE).round().clamp(-3000.0, 3000.0) as i16));
        write(slots, &steps, &features, rows)
    }
}

fn descend(weights: &mut [f32; LABELS], squares: &mut [f32; LABELS], gradient: &[f32; LABELS]) {
    for ((weight, square), gradient) in weights.iter_mut().zip(squares).zip(gradient) {
        if weight.is_finite() {
            let slope = gradient + DECAY * *weight;
            *square += slope * slope;
            *weight -= RATE * slope / square.sqrt();
        }
    }
}

fn log_sum(values: impl Iterator<Item = f64> + Clone) -> f64 {
    let most = values.clone().fold(f64::NEG_INFINITY, f64::max);
    if most == f64::NEG_INFINITY { most } else { most + values.map(|value| (value - most).exp()).sum::<f64>().ln() }
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn shuffle(&mut self, items: &mut [usize]) {
        for at in (1..items.len()).rev() {
            items.swap(at, (self.next() % (at as u64 + 1)) as usize);
        }
    }
}

/// Prints precision, recall and F1 by overlap; location and address count as one kind, as the reference measures them.
fn measure(model: &Model, file: &str, misses: usize) -> Result<(), Box<dyn Error>> {
    println!("{file}");
    let mut shown = 0;
    let mut tallies: HashMap<&str, [usize; 4]> = HashMap::new();
    for document in documents(file)? {
        let gold = spans(&document);
        let found = tag_with(model, &document.text);
        let overlaps = |kind: Kind, start: usize, end: usize, other: Kind, a: usize, b: usize| {
            group(kind) == group(other) && start < b && a < end
        };
        let mut wrong = Vec::new();
        for (kind, start, end, _) in &gold {
            let hit = found
                .iter()
                .any(|tagged| overlaps(*kind, *start, *end, tagged.kind, tagged.span.start, tagged.span.end));
            let tally = tallies.entry(group(*kind)).or_default();
            tally[0] += 1;
            tally[1] += usize::from(hit);
            if !hit {
                wrong.push(format!("  missed {} {:?}", kind.entity(), &document.text[*start..*end]));
            }
        }
        for tagged in &found {
            let (start, end) = (tagged.span.start, tagged.span.end);
            let right = gold.iter().any(|(kind, a, b, _)| overlaps(tagged.kind, start, end, *kind, *a, *b));
            let tally = tallies.entry(group(tagged.kind)).or_default();
            tally[2] += 1;
            tally[3] += usize::from(right);
            if !right {
                wrong.push(format!(
                    "  wrong {} {:?} {:.2}",
                    tagged.kind.entity(),
                    &document.text[start..end],
                    tagged.certainty
                ));
            }
        }
        if !wrong.is_empty() && shown < misses {
            shown += 1;
            println!("{:?}\n{}", document.text, wrong.join("\n"));
        }
    }
    let mut rows: Vec<_> = tallies.into_iter().collect();
    rows.sort_unstable();
    for (group, [gold, hit, found, right]) in rows {
        let (recall, precision) = (hit as f64 / gold.max(1) as f64, right as f64 / found.max(1) as f64);
        let f1 = 2.0 * recall * precision / (recall + precision).max(1e-9);
        println!("{group:14} gold {gold:5} found {found:5} precision {precision:.3} recall {recall:.3} F1 {f1:.3}");
    }
    Ok(())
}

fn group(kind: Kind) -> &'static str {
    if kind == Kind::Address { Kind::Location.entity() } else { kind.entity() }
}

/// Of a hundred names, how many the thinned table lacks.
const THINNED: u64 = 50;
const NO_NAMES: u8 = COMMON | ORG | STREET;
/// Rarer features are left out.
const OFTEN: u32 = 3;
const RATE: f32 = 0.15;
const DECAY: f32 = 1e-5;
