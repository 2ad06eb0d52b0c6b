//! Facts about the tokenizer. Cases are data.

use proptest::prelude::*;

use super::*;

const LIMITS: Limits = Limits { depth: 128, key: 1024 };

/// Writes down everything that it is told, and reproduces the input.
#[derive(Default, Debug, PartialEq, Clone)]
struct Recorder {
    output: Vec<u8>,
    events: Vec<String>,
    string: String,
}

impl Sink for Recorder {
    type Error = SyntaxError;

    fn raw(&mut self, bytes: &[u8]) {
        self.output.extend_from_slice(bytes);
    }
    fn open(&mut self, container: Container) -> Result<(), SyntaxError> {
        self.events.push(format!("open {container:?}"));
        Ok(())
    }
    fn close(&mut self) -> Result<(), SyntaxError> {
        self.events.push("close".to_owned());
        Ok(())
    }
    fn key(&mut self, key: &str, start: u64, end: u64) -> Result<(), SyntaxError> {
        self.events.push(format!("key {key:?} {start}..{end}"));
        Ok(())
    }
    fn begin_string(&mut self, at: u64) -> Result<(), SyntaxError> {
        self.events.push(format!("string at {at}"));
        Ok(())
    }
    fn text(&mut self, text: &str) -> Result<(), SyntaxError> {
        self.output.extend_from_slice(text.as_bytes());
        self.string.push_str(text);
        Ok(())
    }
    fn escape(&mut self, character: char, raw: &[u8]) -> Result<(), SyntaxError> {
        self.output.extend_from_slice(raw);
        self.string.push(character);
        Ok(())
    }
    fn end_string(&mut self, at: u64) -> Result<(), SyntaxError> {
        let string = std::mem::take(&mut self.string);
        self.events.push(format!("{string:?} ends at {at}"));
        Ok(())
    }
    fn begin_scalar(&mut self, at: u64) -> Result<(), SyntaxError> {
        self.events.push(format!("scalar {at}"));
        Ok(())
    }
    fn end_scalar(&mut self, at: u64) -> Result<(), SyntaxError> {
        self.events.push(format!("to {at}"));
        Ok(())
    }
}

fn read<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> Result<Recorder, SyntaxError> {
    let mut tokenizer = Tokenizer::new(LIMITS);
    let mut recorder = Recorder::default();
    for chunk in chunks {
        tokenizer.feed(chunk, &mut recorder)?;
    }
    tokenizer.finish(&mut recorder)?;
    Ok(recorder)
}

fn strings(json: &str) -> Vec<String> {
    let events = read([json.as_bytes()]).unwrap().events;
    events.iter().filter_map(|event| event.split_once(" ends at").map(|(string, _)| string.to_owned())).collect()
}

#[test]
fn escapes_are_decoded_and_lone_surrogates_read_as_the_replacement_character() {
    let cases: &[(&str, &str)] = &[
        (r#""\"\\\/\b\f\n\r\t""#, "\"\\/\u{8}\u{c}\n\r\t"),
        (r#""\u0041\u00e9\u4e2d""#, "Aé中"),
        (r#""\ud83d\ude00""#, "😀"),
        (r#""\uD83D\uDE00x""#, "😀x"),
        (r#""\ud83d""#, "\u{fffd}"),
        (r#""\ud83dx""#, "\u{fffd}x"),
        (r#""\ud83d\n""#, "\u{fffd}\n"),
        (r#""\ud83d\u0041""#, "\u{fffd}A"),
        (r#""\ud83d\ud83d\ude00""#, "\u{fffd}😀"),
        (r#""\ude00\ud83d""#, "\u{fffd}\u{fffd}"),
        (r#""\ud83dé""#, "\u{fffd}é"),
    ];
    for (json, expected) in cases {
        assert_eq!(strings(json), [format!("{expected:?}")], "{json}");
    }
}

#[test]
fn what_is_not_json_is_refused() {
    let cases: &[&str] = &[
        "",
        " ",
        "{",
        "[",
        "]",
        "}",
        "[1,]",
        "{,}",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "[1 2]",
        "{a:1}",
        "'a'",
        "\"",
        "\"\\",
        "\"\\u12\"",
        "\"\\u12g4\"",
        "\"\\x\"",
        "01",
        "-",
        "1.",
        ".5",
        "1e",
        "1e+",
        "+1",
        "0x1",
        "NaN",
        "Infinity",
        "-Infinity",
        "tru",
        "nul ",
        "truee",
        "1 2",
        "{}{}",
        "[]x",
        "// c\n1",
        "\u{feff}{}",
        "\"a\nb\"",
        "\"\t\"",
        "{\"a\":1 \"b\":2}",
        "[1}",
        "{\"a\":1]",
        "{1:2}",
        "\u{a0}1",
        "\u{c}1",
        "[,1]",
    ];
    for json in cases {
        assert!(read([json.as_bytes()]).is_err(), "{json:?}");
    }
}

#[test]
fn invalid_utf8_is_refused_wherever_it_stands_and_however_it_is_cut() {
    let forms: &[&[u8]] = &[
        b"\xff",
        b"\xc0\xaf",
        b"\xe2\x82",
        b"\xed\xa0\x80",
        b"\xf4\x90\x80\x80",
        b"\x80",
        b"\xc3(",
        b"\xf0\x80\x80\x80",
    ];
    for form in forms {
        for frame in [("[\"", "\"]"), ("{\"", "\":1}"), ("[\"ab", "cd\"]"), ("[", "]"), ("", "[]")] {
            let bytes = [frame.0.as_bytes(), form, frame.1.as_bytes()].concat();
            assert!(read([&bytes[..]]).is_err(), "{bytes:x?}");
            assert!(read(bytes.chunks(1)).is_err(), "{bytes:x?} by bytes");
        }
    }
}

#[test]
fn nesting_and_keys_are_bounded() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(read([nested(128).as_bytes()]).is_ok());
    assert_eq!(read([nested(129).as_bytes()]).unwrap_err().reason, Reason::TooDeep);
    assert_eq!(read(["[".repeat(100_000).as_bytes()]).unwrap_err().reason, Reason::TooDeep);
    let keyed = |len: usize| format!("{{\"{}\":1}}", "k".repeat(len));
    assert!(read([keyed(1024).as_bytes()]).is_ok());
    assert_eq!(read([keyed(1025).as_bytes()]).unwrap_err().reason, Reason::KeyTooLong);
}

#[test]
fn offsets_point_at_the_content() {
    let events = read([&br#" {"k\u0041": "v", "n":-1.5e3 }"#[..]]).unwrap().events;
    assert_eq!(
        events,
        [
            "open Object",
            "key \"kA\" 3..10",
            "string at 14",
            "\"v\" ends at 15",
            "key \"n\" 19..20",
            "scalar 22",
            "to 28",
            "close"
        ]
    );
}

#[test]
fn the_offset_of_an_error_does_not_depend_on_the_cut() {
    let json = br#"{"a": [1, "x\q"]}"#;
    let whole = read([&json[..]]).unwrap_err();
    assert_eq!(whole, SyntaxError { offset: 13, reason: Reason::InvalidEscape });
    assert_eq!(read(json.chunks(1)).unwrap_err(), whole);
}

#[test]
fn numbers_are_read_as_the_standard_writes_them() {
    for number in ["0", "-0", "0.5", "10", "1e5", "1E+05", "-1.50e-2", "9999999999999999999999"] {
        assert!(read([number.as_bytes()]).is_ok(), "{number}");
        assert!(read([format!("[{number},{number}]").as_bytes()]).is_ok(), "{number}");
    }
}

#[test]
fn the_offset_of_damage_before_a_control_character_is_its_own() {
    let at = |json: &[u8]| read([json]).map_err(|error| (error.offset, error.reason)).err();
    assert_eq!(at(b"[\"abc\xff\x01\"]"), Some((5, Reason::InvalidUtf8)));
    assert_eq!(at(b"[\"abc\x01\xff\"]"), Some((5, Reason::ControlCharacter)));
}

#[test]
fn of_two_errors_the_first_is_reported_however_the_bytes_are_cut() {
    let cases: [&[u8]; 3] = [b"\"#\x80\0", b"\"\xc3\0", b"\"\0\xff"];
    for bytes in cases {
        assert_eq!(read(bytes.chunks(1)), read([bytes]), "{bytes:x?}");
    }
}

/// Text that is JSON more often than not, with the escapes and cuts that matter.
fn jsonish() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        Just("-0.0".to_owned()),
        Just("1e400".to_owned()),
        "[0-9]{1,30}",
        r#""([ -!#-\[\]-~é中😀]|\\n|\\/|\\u00e9|\\ud83d|\\ude00|\\\\|\\"){0,12}""#,
    ];
    let tree = leaf.prop_recursive(4, 40, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(|items| format!("[{}]", items.join(" , "))),
            prop::collection::vec((r#"[a-z\\]{0,3}"#, inner), 0..5).prop_map(|pairs| {
                let pairs: Vec<String> =
                    pairs.iter().map(|(key, value)| format!("\"{}\":{value}", key.replace('\\', "\\u0041"))).collect();
                format!("{{{}}}", pairs.join(","))
            }),
        ]
    });
    prop_oneof![9 => tree.clone(), 1 => (tree, 0..200usize).prop_map(|(json, cut)| {
        json.chars().take(cut).collect()
    })]
}

fn cut(bytes: &[u8], cuts: &[usize]) -> Vec<Vec<u8>> {
    let mut rest = bytes;
    let mut chunks = Vec::new();
    for &size in cuts {
        let (chunk, tail) = rest.split_at(size.min(rest.len()));
        chunks.push(chunk.to_vec());
        rest = tail;
    }
    chunks.push(rest.to_vec());
    chunks
}

proptest! {
    #[test]
    fn splitting_anywhere_changes_nothing(json in jsonish(), cuts in prop::collection::vec(0..20usize, 0..40)) {
        let whole = read([json.as_bytes()]);
        let chunks = cut(json.as_bytes(), &cuts);
        prop_assert_eq!(read(chunks.iter().map(|chunk| &chunk[..])), whole.clone());
        prop_assert_eq!(read(json.as_bytes().chunks(1)), whole);
    }

    #[test]
    fn every_byte_comes_out_again(json in jsonish()) {
        if let Ok(recorder) = read([json.as_bytes()]) {
            prop_assert_eq!(recorder.output, json.as_bytes());
        }
    }

    #[test]
    fn it_accepts_what_serde_json_accepts(json in jsonish()) {
        // `RawValue` checks the grammar without judging surrogates or the size of numbers.
        let oracle = serde_json::from_str::<Box<serde_json::value::RawValue>>(&json).is_ok();
        prop_assert_eq!(read([json.as_bytes()]).is_ok(), oracle);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let whole = read([&bytes[..]]);
        prop_assert_eq!(read(bytes.chunks(3)), whole);
    }
}
