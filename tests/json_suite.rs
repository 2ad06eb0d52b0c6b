//! JSONTestSuite over the sanitizer, from the folder `$PROMPTGATE_VECTORS/json` (the files are no part of this
//! repository). Tests what is accepted and that nothing gets past inspection; not what strings decode to.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use promptgate::policy::Level;
use promptgate::sanitize::Refusal;

#[path = "support/sanitizer.rs"]
mod sanitizer;

use sanitizer::{Outcome, run};

const SURROGATE: &str = "a lone surrogate escape is legal JSON and passes as it is";
const NUMBER: &str = "numbers have no limit of size and pass as they are";
const UTF8: &str = "invalid UTF-8: parsers differ in what they read";
const UTF16: &str = "not UTF-8: an upstream that guesses the encoding would read other text than we do";

/// What the standard leaves open: whether it is accepted, and why.
const OPEN: &[(&str, bool, &str)] = &[
    ("i_number_double_huge_neg_exp", true, NUMBER),
    ("i_number_huge_exp", true, NUMBER),
    ("i_number_neg_int_huge_exp", true, NUMBER),
    ("i_number_pos_double_huge_exp", true, NUMBER),
    ("i_number_real_neg_overflow", true, NUMBER),
    ("i_number_real_pos_overflow", true, NUMBER),
    ("i_number_real_underflow", true, NUMBER),
    ("i_number_too_big_neg_int", true, NUMBER),
    ("i_number_too_big_pos_int", true, NUMBER),
    ("i_number_very_big_negative_int", true, NUMBER),
    ("i_object_key_lone_2nd_surrogate", true, SURROGATE),
    ("i_string_1st_surrogate_but_2nd_missing", true, SURROGATE),
    ("i_string_1st_valid_surrogate_2nd_invalid", true, SURROGATE),
    ("i_string_UTF-16LE_with_BOM", false, UTF16),
    ("i_string_UTF-8_invalid_sequence", false, UTF8),
    ("i_string_UTF8_surrogate_U+D800", false, UTF8),
    ("i_string_incomplete_surrogate_and_escape_valid", true, SURROGATE),
    ("i_string_incomplete_surrogate_pair", true, SURROGATE),
    ("i_string_incomplete_surrogates_escape_valid", true, SURROGATE),
    ("i_string_invalid_lonely_surrogate", true, SURROGATE),
    ("i_string_invalid_surrogate", true, SURROGATE),
    ("i_string_invalid_utf-8", false, UTF8),
    ("i_string_inverted_surrogates_U+1D11E", true, SURROGATE),
    ("i_string_iso_latin_1", false, UTF8),
    ("i_string_lone_second_surrogate", true, SURROGATE),
    ("i_string_lone_utf8_continuation_byte", false, UTF8),
    ("i_string_not_in_unicode_range", false, UTF8),
    ("i_string_overlong_sequence_2_bytes", false, UTF8),
    ("i_string_overlong_sequence_6_bytes", false, UTF8),
    ("i_string_overlong_sequence_6_bytes_null", false, UTF8),
    ("i_string_truncated-utf-8", false, UTF8),
    ("i_string_utf16BE_no_BOM", false, UTF16),
    ("i_string_utf16LE_no_BOM", false, UTF16),
    ("i_structure_500_nested_arrays", false, "deeper than `limits.depth`"),
    ("i_structure_UTF-8_BOM_empty_object", false, "RFC 8259 allows no byte order mark"),
    ("number_-9223372036854775808", true, NUMBER),
    ("number_-9223372036854775809", true, NUMBER),
    ("number_1.0", true, NUMBER),
    ("number_1.000000000000000005", true, NUMBER),
    ("number_1000000000000000", true, NUMBER),
    ("number_10000000000000000999", true, NUMBER),
    ("number_1e-999", true, NUMBER),
    ("number_1e6", true, NUMBER),
    ("number_9223372036854775807", true, NUMBER),
    ("number_9223372036854775808", true, NUMBER),
    ("object_key_nfc_nfd", true, "keys are compared by code points: these are two"),
    ("object_key_nfd_nfc", true, "keys are compared by code points: these are two"),
    ("object_same_key_different_values", false, "a key twice: parsers differ in which they read"),
    ("object_same_key_same_value", false, "a key twice: parsers differ in which they read"),
    ("object_same_key_unclear_values", false, "a key twice: parsers differ in which they read"),
    ("string_1_escaped_invalid_codepoint", true, SURROGATE),
    ("string_1_invalid_codepoint", false, UTF8),
    ("string_2_escaped_invalid_codepoints", true, SURROGATE),
    ("string_2_invalid_codepoints", false, UTF8),
    ("string_3_escaped_invalid_codepoints", true, SURROGATE),
    ("string_3_invalid_codepoints", false, UTF8),
    ("string_with_escaped_NULL", true, "an escaped NUL is legal and inspected"),
    ("y_object_duplicated_key", false, "a key twice: parsers differ in which they read"),
    ("y_object_duplicated_key_and_value", false, "a key twice: parsers differ in which they read"),
];

const SECRET: &str = "ghp_rtDrK56vF8aOMphA86Jlms6u6zdjz4CyVP3u";
const MASK: &str = "[ACCESS_TOKEN_MASKED]";

/// The files by name, or nothing where the suite is not there.
fn suite() -> BTreeMap<String, Vec<u8>> {
    let Some(root) = std::env::var_os("PROMPTGATE_VECTORS").map(PathBuf::from) else {
        println!("did not run: PROMPTGATE_VECTORS is not set (the folder that holds JSONTestSuite as `json`)");
        return BTreeMap::new();
    };
    ["test_parsing", "test_transform"].iter().flat_map(|folder| files(&root.join("json").join(folder))).collect()
}

fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let paths = entries.map(|entry| entry.expect("the folder can be read").path());
    let json = paths.filter(|path| path.extension().is_some_and(|extension| extension == "json"));
    let name = |path: &Path| path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    json.map(|path| (name(&path), fs::read(&path).expect("and its files"))).collect()
}

fn accepted(name: &str) -> bool {
    match OPEN.iter().find(|(open, _, _)| *open == name) {
        Some((_, accepted, _)) => *accepted,
        None if name.starts_with("y_") => true,
        None if name.starts_with("n_") => false,
        None => panic!("{name} stands in no table"),
    }
}

fn chat<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> Outcome {
    run("openai.chat", Level::Medium, chunks)
}

#[test]
fn every_file_is_decided_as_labelled_or_as_the_table_says() {
    let suite = suite();
    let mut wrong = Vec::new();
    for (name, bytes) in &suite {
        let outcome = chat([&bytes[..]]);
        if outcome.is_refused() == accepted(name) {
            wrong.push(format!("{name}: {:?}", outcome.body.as_ref().err().map(Refusal::code)));
        }
        if !outcome.is_refused() {
            assert_eq!(outcome.body.as_deref(), Ok(&bytes[..]), "{name} passes as it is");
        }
        // Two of the files are megabytes of brackets that are refused early.
        if bytes.len() < 10_000 {
            assert_eq!(chat(bytes.chunks(1)), outcome, "{name} by bytes");
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    if !suite.is_empty() {
        println!("{} files decided", suite.len());
        assert_eq!(suite.len(), 318 + 22, "of test_parsing and of test_transform");
        let missing: Vec<_> = OPEN.iter().filter(|(name, _, _)| !suite.contains_key(*name)).collect();
        assert!(missing.is_empty(), "in the table and not in the suite: {missing:?}");
    }
}

#[test]
fn embedded_in_a_request_no_file_carries_a_secret_past_inspection() {
    let (mut refused, mut masked) = (0, 0);
    for (name, bytes) in &suite() {
        for (way, body) in embedded(bytes).into_iter().enumerate() {
            let outcome = chat([&body[..]]);
            assert_eq!(chat(body.chunks(97)), outcome, "{name}, way {way}, in chunks");
            match outcome.body {
                Err(_) => refused += 1,
                Ok(out) => {
                    assert_eq!(out, replaced(&body), "{name}, way {way}");
                    masked += 1;
                }
            }
        }
    }
    println!("{refused} bodies refused, {masked} masked");
}

/// As a field nobody knows, as a content part, and as JSON in a string, each next to the secret.
fn embedded(file: &[u8]) -> [Vec<u8>; 3] {
    let around = |before: &str, inner: &[u8], after: &str| {
        [before.as_bytes(), inner, after.replace('@', SECRET).as_bytes()].concat()
    };
    [
        around(r#"{"model":"m","extra": "#, file, r#" ,"messages":[{"role":"user","content":"key @ end"}]}"#),
        around(r#"{"messages":[{"role":"user","content":["#, file, r#",{"type":"text","text":"@"}]}],"model":"m"}"#),
        around(
            r#"{"messages":[{"role":"assistant","tool_calls":[{"function":{"arguments":""#,
            &quoted(file),
            r#" @ "}}]}]}"#,
        ),
    ]
}

/// As the content of a JSON string: what has to be escaped is, what is no UTF-8 stays.
fn quoted(file: &[u8]) -> Vec<u8> {
    let escape = |byte: &u8| match byte {
        b'"' | b'\\' => vec![b'\\', *byte],
        0..0x20 => format!("\\u{byte:04x}").into_bytes(),
        _ => vec![*byte],
    };
    file.iter().flat_map(escape).collect()
}

fn replaced(body: &[u8]) -> Vec<u8> {
    let at = body.windows(SECRET.len()).position(|window| window == SECRET.as_bytes()).expect("it is planted");
    [&body[..at], MASK.as_bytes(), &body[at + SECRET.len()..]].concat()
}
