//! Every byte of text in a body was inspected or is counted with the reason why not, for every dialect.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use promptgate::config::Config;
use promptgate::policy::Level;
use promptgate::sanitize::Request;
use promptgate::snapshot::Snapshot;
use promptgate::wire::{self, BodyKind, FORMATS};
use serde_json::Value;

/// Bytes of all strings that are values, and of all keys that are more than the plain name of a field.
fn text(value: &Value) -> u64 {
    match value {
        Value::String(text) => text.len() as u64,
        Value::Array(values) => values.iter().map(text).sum(),
        Value::Object(members) => members.iter().map(|(key, value)| key_text(key) + text(value)).sum(),
        _ => 0,
    }
}

fn key_text(key: &str) -> u64 {
    let plain = key.len() <= 24 && key.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'_');
    if plain { 0 } else { key.len() as u64 }
}

/// Format and body of the golden cases that are JSON.
fn bodies() -> Vec<(String, Vec<u8>)> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let cases = std::fs::read_dir(corpus).expect("the corpus").map(|case| case.expect("a case").path());
    let case = |case: std::path::PathBuf| {
        let about: toml::Table = std::fs::read_to_string(case.join("case.toml")).ok()?.parse().ok()?;
        Some((about["format"].as_str()?.to_owned(), std::fs::read(case.join("in.json")).ok()?))
    };
    cases.filter_map(case).collect()
}

#[test]
fn what_was_inspected_and_what_was_not_add_up_to_all_text_of_a_body() {
    const REASONS: [&str; 5] = ["credential", "media", "name", "sealed", "signed"];
    let snapshot = Snapshot::build(Config::default(), &[]).expect("the shipped configuration");
    let mut seen = BTreeSet::new();
    for (format, body) in bodies() {
        let Ok(value) = serde_json::from_slice::<Value>(&body) else { continue };
        let plan = Arc::new(wire::find(&format).expect("a format").plan().expect("its plan"));
        let whole = Request::whole(&snapshot.guard, &plan, Level::Medium, snapshot.limits(), &body);
        if whole.refusal.is_some() {
            continue;
        }
        let report = whole.report;
        // What is signed was read, and left as it is whatever was found.
        let unread: u64 =
            report.uninspected.iter().filter(|(reason, _)| **reason != "signed").map(|(_, bytes)| bytes).sum();
        let about = String::from_utf8_lossy(&body[..body.len().min(200)]);
        assert_eq!(report.inspected + unread, text(&value), "{format} {:?} {about}", report.uninspected);
        assert!(report.uninspected.keys().all(|reason| REASONS.contains(reason)), "{:?}", report.uninspected);
        seen.insert(format);
    }
    let all = FORMATS.iter().filter(|dialect| dialect.body == BodyKind::Json);
    let missing: Vec<&str> = all.map(|dialect| dialect.name).filter(|name| !seen.contains(*name)).collect();
    assert_eq!(missing, [] as [&str; 0], "no body of theirs passes");
}
