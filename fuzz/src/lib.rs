//! What is fuzzed: one function a target, which panics where a promise does not hold. Also run over the stored corpora by
//! `tests/fuzz_replay.rs`, so this is stable Rust and knows nothing of a fuzzer.

mod answer;
mod bytes;
mod json;
mod request;
mod settings;
mod text;
mod token;

#[path = "../../tests/support/json_reader.rs"]
mod json_reader;
#[path = "../../tests/support/sanitizer.rs"]
mod sanitizer;

/// Panics where a promise does not hold.
type Target = fn(&[u8]);

/// By name of the target, which is also that of its corpus.
pub const TARGETS: &[(&str, Target)] = &[
    ("answer", answer::answer),
    ("coding", bytes::coding),
    ("config", settings::config),
    ("decode", text::decode),
    ("frame", bytes::frame),
    ("header", settings::header),
    ("json", json::json),
    ("jwks", token::jwks),
    ("jwt", token::jwt),
    ("request", request::request),
    ("route", settings::route),
    ("view", text::view),
];

/// Runs a target by its name.
pub fn run(name: &str, input: &[u8]) {
    let target = TARGETS.iter().find(|(target, _)| *target == name);
    target.unwrap_or_else(|| panic!("there is no target {name}")).1(input);
}

/// Cuts an input into pieces. Where depends on what it holds, so that a corpus file is the plain input and yet a fuzzer
/// that changes a byte tries other cuts.
fn cuts(input: &[u8]) -> Vec<&[u8]> {
    let mut seeded = sanitizer::Seeded(digest(input));
    let largest = [1, 3, 17, 200][seeded.below(4)];
    let sizes = seeded.sizes(input.len(), largest);
    sanitizer::cut(input, &sizes)
}

/// FNV-1a: a number that changes with every byte of the input.
fn digest(input: &[u8]) -> u64 {
    input.iter().fold(0xCBF2_9CE4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01B3))
}

/// The input as text. Damaged UTF-8 is mended, so that a fuzzer need not learn it.
fn text(input: &[u8]) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(input)
}
