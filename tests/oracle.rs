//! serde_json as an oracle for the tokenizer: what is accepted and what strings decode to. Where the two differ on purpose,
//! the test says so: a repeated key and nesting beyond the limit are refused, a lone surrogate is not.

use std::collections::HashSet;

use promptgate::codec::json::{Reason, SyntaxError};
use promptgate::policy::Level;
use promptgate::sanitize::Refusal;
use proptest::prelude::*;
use proptest::sample::Index;

#[path = "support/json_reader.rs"]
mod json_reader;
#[path = "support/sanitizer.rs"]
mod sanitizer;

use json_reader::{Event, is_json, ours, theirs};

/// Whether an object of the document repeats a key.
fn repeats(events: &[Event]) -> bool {
    let mut open: Vec<HashSet<&str>> = Vec::new();
    events.iter().any(|event| {
        match event {
            Event::Open(_) => open.push(HashSet::new()),
            Event::Close => drop(open.pop()),
            Event::Key(key) => return open.last_mut().is_some_and(|keys| !keys.insert(key)),
            Event::String(_) | Event::Scalar => {}
        }
        false
    })
}

/// JSON written in every way the standard allows: spaces, escapes, numbers; keys repeat at times.
fn documents() -> impl Strategy<Value = String> {
    let string = r#""([ -!#-\[\]-~é中😀\x7f]|\\["\\/bfnrt]|\\u00[0-9a-fA-F]{2}|\\uD83D\\uDE00|\\u[0-9a-cA-C][0-9A-Fa-f]{3}){0,10}""#;
    let lone = r#""([a-c]|\\u[dD][89a-fA-F][0-9a-f]{2}|\\n){1,6}""#;
    let leaf = prop_oneof![
        3 => string,
        1 => lone,
        1 => prop::sample::select(vec!["null", "true", "false"]).prop_map(str::to_owned),
        2 => r"-?(0|[1-9][0-9]{0,25})(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,4})?",
    ];
    let space = || r"[ \t\r\n]{0,2}";
    leaf.prop_recursive(5, 50, 6, move |inner| {
        let item = (space(), inner.clone(), space()).prop_map(|(a, item, b)| format!("{a}{item}{b}"));
        let key = r#""([a-d]|\\u0061|\\n|é){0,2}""#;
        let member = (space(), key, space(), item.clone()).prop_map(|(a, key, b, item)| format!("{a}{key}{b}:{item}"));
        prop_oneof![
            prop::collection::vec(item, 0..6).prop_map(|items| format!("[{}]", items.join(","))),
            prop::collection::vec(member, 0..6).prop_map(|members| format!("{{{}}}", members.join(","))),
        ]
    })
}

/// Documents with a byte or two changed, dropped or doubled.
fn damaged() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![prop::sample::select(b"{}[]\",:\\ue-+.0 \n\x00\x1f\xc3\xed\xf4".to_vec()), any::<u8>()];
    (documents(), prop::collection::vec((any::<Index>(), 0..3u8, byte), 1..3)).prop_map(|(json, damage)| {
        let mut bytes = json.into_bytes();
        for (at, kind, byte) in damage {
            let at = at.index(bytes.len().max(1));
            match kind {
                0 if at < bytes.len() => bytes[at] = byte,
                1 if at < bytes.len() => drop(bytes.remove(at)),
                _ => bytes.insert(at.min(bytes.len()), byte),
            }
        }
        bytes
    })
}

fn cases(few: u32) -> ProptestConfig {
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    let cases = if std::env::var_os("PROPTEST_CASES").is_some() { config.cases } else { few };
    ProptestConfig { cases, ..config }
}

fn check(json: &[u8], chunk: usize) -> Result<(), TestCaseError> {
    let ours = ours(json.chunks(chunk));
    let deep = matches!(&ours, Err(SyntaxError { reason: Reason::TooDeep, .. }));
    prop_assert!(deep || ours.is_ok() == is_json(json), "{:?}", String::from_utf8_lossy(json));
    let Ok(ours) = ours else { return Ok(()) };
    prop_assert_eq!(&ours.raw[..], json, "every byte once");
    // What it cannot read: a lone surrogate, a number beyond f64. There is nothing to compare then.
    if let Some(theirs) = theirs(json) {
        prop_assert_eq!(ours.events, theirs);
    }
    Ok(())
}

proptest! {
    #![proptest_config(cases(1500))]

    #[test]
    fn documents_are_read_as_serde_json_reads_them(json in documents(), chunk in 1..40usize) {
        prop_assert!(ours(json.as_bytes().chunks(chunk)).is_ok(), "{}", json);
        check(json.as_bytes(), chunk)?;
    }

    #[test]
    fn one_cut_anywhere_changes_neither_what_is_read_nor_the_error(json in prop_oneof![documents().prop_map(String::into_bytes), damaged()]) {
        let whole = ours([&json[..]]);
        for at in 0..=json.len() {
            let (first, second) = json.split_at(at);
            prop_assert_eq!(&ours([first, second]), &whole, "cut at {}", at);
        }
        prop_assert_eq!(&ours(json.chunks(1)), &whole, "by bytes");
    }

    #[test]
    fn damaged_documents_are_accepted_where_serde_json_accepts_them(json in damaged(), chunk in 1..40usize) {
        check(&json, chunk)?;
    }
}

proptest! {
    #![proptest_config(cases(400))]

    #[test]
    fn a_request_is_json_without_repeated_keys_and_nothing_else_is(json in prop_oneof![documents().prop_map(String::into_bytes), damaged()]) {
        let outcome = sanitizer::run("openai.chat", Level::Low, [&json[..]]);
        let expected = match ours([&json[..]]) {
            Err(_) => Some("invalid_json"),
            Ok(read) if repeats(&read.events) => Some("duplicate_key"),
            Ok(_) => None,
        };
        // Which of two errors comes first in the body is the body's to say.
        let code = outcome.body.as_ref().err().map(Refusal::code);
        prop_assert_eq!(code.is_some(), expected.is_some(), "{:?} {:?}", code, String::from_utf8_lossy(&json));
        if expected == Some("duplicate_key") {
            prop_assert_eq!(code, expected);
        }
        prop_assert_eq!(code.is_none(), is_json(&json) && expected != Some("duplicate_key"));
    }
}

#[test]
fn a_lone_surrogate_reads_as_the_replacement_character() {
    for json in [r#""\ud800""#, r#""\ud800\ud800""#, r#""\udc00x""#, r#""\ud83d\n""#] {
        assert_eq!(theirs(json.as_bytes()), None, "{json}");
        let read = ours(json.as_bytes().chunks(1)).unwrap();
        let [Event::String(text)] = &read.events[..] else { panic!("{json}: {:?}", read.events) };
        assert!(text.contains('\u{FFFD}'), "{json}");
    }
}
