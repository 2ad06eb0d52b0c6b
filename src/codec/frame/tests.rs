//! Facts about the framings. Cases are data.

use proptest::prelude::*;

use super::*;

const LIMIT: usize = 4096;
const ALL: [Framing; 4] = [Framing::Sse, Framing::Lines, Framing::Array, Framing::EventStream];

/// Everything a stream gives, and how it ended.
fn read<'a>(
    framing: Framing,
    limit: usize,
    chunks: impl IntoIterator<Item = &'a [u8]>,
) -> (Vec<Frame>, Result<(), FrameError>) {
    let mut framer = Framer::new(framing, limit);
    let mut frames = Vec::new();
    for chunk in chunks {
        if let Err(error) = framer.push(chunk, &mut frames) {
            return (frames, Err(error));
        }
        assert!(framer.held() <= limit, "more is held than a frame may be long");
    }
    let outcome = framer.finish(&mut frames);
    (frames, outcome)
}

fn frames(framing: Framing, input: &[u8]) -> Vec<Frame> {
    let (frames, outcome) = read(framing, LIMIT, [input]);
    assert_eq!(outcome, Ok(()), "{framing:?} {:?}", String::from_utf8_lossy(input));
    frames
}

/// What comes at once, before the stream ends.
fn at_once(framing: Framing, input: &[u8]) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    Framer::new(framing, LIMIT).push(input, &mut frames).unwrap();
    frames.into_iter().map(|frame| frame.bytes).collect()
}

fn string(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The payload, or `-` where there is none.
fn payload(frame: &Frame) -> String {
    if frame.payload.is_empty() { "-".to_owned() } else { string(&frame.text()) }
}

fn edit(at: Range<usize>, text: &str) -> Edit {
    Edit { at, text: text.into() }
}

// ── server-sent events ──────────────────────────────────────────────────────────────────────────────────────────────

/// Input -> frames as (bytes, name, payload).
type Case = (&'static str, &'static [(&'static str, &'static str, &'static str)]);

const SSE: &[Case] = &[
    ("", &[]),
    ("data: {}\n\n", &[("data: {}\n\n", "", "{}")]),
    ("data:{}\n\ndata: [DONE]\n\n", &[("data:{}\n\n", "", "{}"), ("data: [DONE]\n\n", "", "[DONE]")]),
    // One space is taken, no more; none after the name of a field.
    ("data:  x \n\n", &[("data:  x \n\n", "", " x ")]),
    ("data : x\n\n", &[("data : x\n\n", "", "-")]),
    ("event: ping\ndata: {}\n\n", &[("event: ping\ndata: {}\n\n", "ping", "{}")]),
    // The name may follow, the last one counts, and it is the event's alone.
    (
        "data: 1\nevent:a\nevent: b\n\ndata: 2\n\n",
        &[("data: 1\nevent:a\nevent: b\n\n", "b", "1"), ("data: 2\n\n", "", "2")],
    ),
    ("event: only\n\n", &[("event: only\n\n", "only", "-")]),
    (
        "id: 7\nretry: 10\nnobody: knows\nword\ndata: x\n\n",
        &[("id: 7\nretry: 10\nnobody: knows\nword\ndata: x\n\n", "", "x")],
    ),
    ("data: a\ndata\ndata:\ndata: b\n\n", &[("data: a\ndata\ndata:\ndata: b\n\n", "", "a\n\n\nb")]),
    ("data\n\n", &[("data\n\n", "", "")]),
    // The line feed of a blank line's CRLF comes as it comes.
    (
        "data: a\r\n\r\ndata: b\r\n\r\n",
        &[("data: a\r\n\r", "", "a"), ("\n", "", "-"), ("data: b\r\n\r", "", "b"), ("\n", "", "-")],
    ),
    ("data: a\r\rdata: b\r\r", &[("data: a\r\r", "", "a"), ("data: b\r\r", "", "b")]),
    (
        "data: a\ndata: b\r\ndata: c\rdata: d\n\r\n",
        &[("data: a\ndata: b\r\ndata: c\rdata: d\n\r", "", "a\nb\nc\nd"), ("\n", "", "-")],
    ),
    ("data: a\r\n\n\n", &[("data: a\r\n\n", "", "a"), ("\n", "", "-")]),
    (
        "\n\r\n\rdata: a\n\n",
        &[("\n", "", "-"), ("\r", "", "-"), ("\n", "", "-"), ("\r", "", "-"), ("data: a\n\n", "", "a")],
    ),
    // Comments: before an event each is a frame, in an event it is part of it.
    (": ping\n\ndata: a\n\n", &[(": ping\n", "", "-"), ("\n", "", "-"), ("data: a\n\n", "", "a")]),
    (
        ":\r\n:b\ndata: a\n: c\ndata: d\n\n",
        &[(":\r", "", "-"), ("\n", "", "-"), (":b\n", "", "-"), ("data: a\n: c\ndata: d\n\n", "", "a\nd")],
    ),
    // The mark is passed at the start and is no mark elsewhere.
    ("\u{feff}data: a\n\n", &[("\u{feff}data: a\n\n", "", "a")]),
    ("\u{feff}\n\u{feff}data: a\n\n", &[("\u{feff}\n", "", "-"), ("\u{feff}data: a\n\n", "", "-")]),
    ("\u{feff}: a\ndata: b\n\n", &[("\u{feff}: a\n", "", "-"), ("data: b\n\n", "", "b")]),
    // Ends that are none.
    ("data: a", &[("data: a", "", "a")]),
    ("event: e\r\ndata: a\r", &[("event: e\r\ndata: a\r", "e", "a")]),
    ("data: a\n\nda", &[("data: a\n\n", "", "a"), ("da", "", "-")]),
    ("\u{feff}", &[("\u{feff}", "", "-")]),
    // Line ends of other standards are text.
    (
        "data: a\u{2028}b\u{85}c\u{b}d\u{c}e\n\n",
        &[("data: a\u{2028}b\u{85}c\u{b}d\u{c}e\n\n", "", "a\u{2028}b\u{85}c\u{b}d\u{c}e")],
    ),
];

const LINES: &[Case] = &[
    ("", &[]),
    ("{\"a\":1}\n{\"b\":2}\r\n", &[("{\"a\":1}\n", "", "{\"a\":1}"), ("{\"b\":2}\r\n", "", "{\"b\":2}")]),
    (
        "{}\n\n\r\n \t\n{}",
        &[("{}\n", "", "{}"), ("\n", "", "-"), ("\r\n", "", "-"), (" \t\n", "", "-"), ("{}", "", "{}")],
    ),
    (" {} \n", &[(" {} \n", "", "{}")]),
    ("{}\r{}\n", &[("{}\r{}\n", "", "{}\r{}")]),
    (" ", &[(" ", "", "-")]),
];

const ARRAY: &[Case] = &[
    ("", &[]),
    ("[]", &[("[]", "", "-")]),
    (
        "[{\"a\":1}\n,\r\n{\"b\":[{}]}\n]\n",
        &[
            ("[", "", "-"),
            ("{\"a\":1}", "", "{\"a\":1}"),
            ("\n,\r\n", "", "-"),
            ("{\"b\":[{}]}", "", "{\"b\":[{}]}"),
            ("\n]", "", "-"),
            ("\n", "", "-"),
        ],
    ),
    // Brackets in strings are text, whatever is escaped.
    (
        r#" [ {"a":"}\"]{\\"},{"b\\":"\\\"}"} ]"#,
        &[
            (" [ ", "", "-"),
            (r#"{"a":"}\"]{\\"}"#, "", r#"{"a":"}\"]{\\"}"#),
            (",", "", "-"),
            (r#"{"b\\":"\\\"}"}"#, "", r#"{"b\\":"\\\"}"}"#),
            (" ]", "", "-"),
        ],
    ),
    (
        r#"[1,"a,]", [2 ,3],null]"#,
        &[
            ("[", "", "-"),
            ("1", "", "1"),
            (",", "", "-"),
            (r#""a,]""#, "", r#""a,]""#),
            (", ", "", "-"),
            ("[2 ,3]", "", "[2 ,3]"),
            (",", "", "-"),
            ("null", "", "null"),
            ("]", "", "-"),
        ],
    ),
    // Bodies that are no array.
    (
        " {\"error\":{\"code\":400}}\n",
        &[(" {\"error\":{\"code\":400}}", "", "{\"error\":{\"code\":400}}"), ("\n", "", "-")],
    ),
    ("{\"error\":{", &[("{\"error\":{", "", "{\"error\":{")]),
    ("\n<html>]</html>\n", &[("\n<html>]</html>\n", "", "<html>]</html>\n")]),
    ("\"text\"", &[("\"text\"", "", "\"text\"")]),
    ("  ", &[("  ", "", "-")]),
    // Garbage: nothing but punctuation goes without being a payload.
    (
        "[{}{}}]]x",
        &[("[", "", "-"), ("{}", "", "{}"), ("{}", "", "{}"), ("}", "", "}"), ("]", "", "-"), ("]x", "", "]x")],
    ),
    ("[] {}", &[("[]", "", "-"), (" {}", "", "{}")]),
];

#[test]
fn frames_are_found_where_the_tables_say() {
    for (framing, cases) in [(Framing::Sse, SSE), (Framing::Lines, LINES), (Framing::Array, ARRAY)] {
        for (input, expected) in cases {
            let found: Vec<_> = frames(framing, input.as_bytes())
                .iter()
                .map(|frame| (string(&frame.bytes), frame.name.clone(), payload(frame)))
                .collect();
            let found: Vec<_> = found.iter().map(|(a, b, c)| (a.as_str(), b.as_str(), c.as_str())).collect();
            assert_eq!(found, *expected, "{framing:?} {input:?}");
        }
    }
}

#[test]
fn every_cut_of_the_tables_gives_the_same_frames() {
    for (framing, cases) in [(Framing::Sse, SSE), (Framing::Lines, LINES), (Framing::Array, ARRAY)] {
        for (input, _) in cases {
            let (input, whole) = (input.as_bytes(), frames(framing, input.as_bytes()));
            assert_eq!(read(framing, LIMIT, input.chunks(1)).0, whole);
            for cut in 0..input.len() {
                let (a, b) = input.split_at(cut);
                assert_eq!(read(framing, LIMIT, [a, b]).0, whole, "{framing:?} {:?}", string(input));
            }
        }
    }
}

#[test]
fn a_frame_waits_for_no_byte_after_its_end() {
    const CASES: &[(Framing, &str, usize)] = &[
        (Framing::Sse, "data: a\n\n", 1),
        (Framing::Sse, "data: a\r\n\r", 1),
        (Framing::Sse, "data: a\r\n\r\n", 2),
        (Framing::Sse, ": ping\n", 1),
        (Framing::Sse, "\n", 1),
        (Framing::Lines, "{}\n", 1),
        (Framing::Array, "[{}", 2),
        (Framing::Array, "[{},\n{}", 4),
        (Framing::Array, "[{}\n]", 3),
        (Framing::Array, "{\"error\":{}}", 1),
    ];
    for (framing, input, count) in CASES {
        let found = at_once(*framing, input.as_bytes());
        assert_eq!(found.concat(), input.as_bytes());
        assert_eq!(found.len(), *count, "{framing:?} {input:?}");
    }
}

#[test]
fn an_array_that_is_cut_off_is_incomplete() {
    for input in ["[", "[{}", "[{},", "[{\"a\":\"", "[1", " [ "] {
        assert_eq!(read(Framing::Array, LIMIT, [input.as_bytes()]).1, Err(FrameError::Incomplete), "{input:?}");
    }
}

// ── limits and errors ───────────────────────────────────────────────────────────────────────────────────────────────

#[test]
fn a_frame_may_be_as_long_as_the_limit_and_no_longer() {
    let message = eventstream::message(&[], b"{}");
    let cases: &[(Framing, &[u8])] = &[
        (Framing::Sse, b"data: 0123456789\n\n"),
        (Framing::Lines, b"{\"a\":1}\n"),
        (Framing::Array, b"{\"a\":[1,2]}"),
        (Framing::EventStream, &message),
    ];
    for (framing, input) in cases {
        let limit = input.len();
        for size in 1..=input.len() {
            assert_eq!(read(*framing, limit, input.chunks(size)).1, Ok(()), "{framing:?}");
            let (frames, outcome) = read(*framing, limit - 1, input.chunks(size));
            assert_eq!(outcome, Err(FrameError::TooLong { limit: limit - 1 }), "{framing:?}");
            assert_eq!(frames, []);
        }
    }
}

#[test]
fn a_message_announced_too_long_is_refused_at_its_prelude() {
    let message = eventstream::message(&[], &[b' '; LIMIT]);
    let outcome = Framer::new(Framing::EventStream, LIMIT).push(&message[..12], &mut Vec::new());
    assert_eq!(outcome, Err(FrameError::TooLong { limit: LIMIT }));
}

#[test]
fn an_error_is_repeated_and_what_came_before_it_stays() {
    let mut framer = Framer::new(Framing::Lines, 3);
    let mut frames = Vec::new();
    assert_eq!(framer.push(b"{}\n{   }\n{}\n", &mut frames), Err(FrameError::TooLong { limit: 3 }));
    assert_eq!(framer.push(b"{}\n", &mut frames), Err(FrameError::TooLong { limit: 3 }));
    assert_eq!(framer.finish(&mut frames), Err(FrameError::TooLong { limit: 3 }));
    assert_eq!((frames.len(), framer.held()), (1, 0));
}

/// Were what is held read again with each byte, this would be 10^11 bytes a framing.
#[test]
fn a_long_frame_byte_by_byte_is_read_once() {
    let text = "x".repeat(500_000);
    let inputs = [
        (Framing::Sse, format!("data: {text}\n\n").into_bytes()),
        (Framing::Lines, format!("{text}\n").into_bytes()),
        (Framing::Array, format!("{{\"{text}\":{text}}}").into_bytes()),
        (Framing::Array, format!("[{text},1]").into_bytes()),
        (Framing::EventStream, eventstream::message(&[], text.as_bytes())),
    ];
    for (framing, input) in inputs {
        assert_eq!(read(framing, input.len(), input.chunks(1)).1, Ok(()), "{framing:?}");
    }
}

#[test]
fn debug_output_holds_no_payload() {
    let frame = frames(Framing::Lines, b"\"hunter2\"").remove(0);
    let mut framer = Framer::new(Framing::Lines, LIMIT);
    framer.push(b"\"hunter2\"", &mut Vec::new()).unwrap();
    let shown = format!("{frame:?} {framer:?} {:?}", edit(0..1, "hunter2"));
    assert!(!shown.contains("hunter2") && !shown.contains("104"), "{shown}");
}

// ── edits ───────────────────────────────────────────────────────────────────────────────────────────────────────────

#[test]
fn edits_land_in_the_payload_and_nowhere_else() {
    type Edits = &'static [(Range<usize>, &'static str)];
    const CASES: &[(Framing, &str, Edits, &str)] = &[
        (Framing::Sse, "event: e\ndata: abcdef\nid: 1\n\n", &[(1..3, "XYZ")], "event: e\ndata: aXYZdef\nid: 1\n\n"),
        (Framing::Sse, "data:abc\n\n", &[(0..0, "<"), (1..2, ""), (3..3, ">")], "data:<ac>\n\n"),
        (Framing::Sse, "data: abc\r\r", &[(0..3, "")], "data: \r\r"),
        // `ab\ncd\n\nef`
        (
            Framing::Sse,
            "data: ab\n: c\ndata:cd\r\ndata\nevent: e\ndata: ef\n\n",
            &[(1..2, "1"), (2..2, "2"), (3..3, "3"), (5..5, "5"), (6..6, "6"), (7..9, "7")],
            "data: a12\n: c\ndata:3cd5\r\ndata:6\nevent: e\ndata: 7\n\n",
        ),
        // Over line ends: nothing of what is replaced stays.
        (Framing::Sse, "data: ab\ndata: cd\ndata: ef\n\n", &[(1..7, "X")], "data: aX\ndata: \ndata: f\n\n"),
        (Framing::Sse, "data: ab\ndata: cd\n\n", &[(2..4, "X"), (5..5, "Y")], "data: abX\ndata: dY\n\n"),
        (Framing::Lines, " {\"a\":1}\r\n", &[(5..6, "23")], " {\"a\":23}\r\n"),
        (Framing::Array, "\n{\"a\":1}", &[(1..4, "")], "\n{:1}"),
        // Where there is no payload there is nothing to edit.
        (Framing::Sse, ": abc\n", &[(0..3, "X")], ": abc\n"),
        (Framing::Lines, "ab\n", &[(3..4, "X")], "ab\n"),
    ];
    for (framing, input, edits, expected) in CASES {
        let edits: Vec<Edit> = edits.iter().map(|(at, text)| edit(at.clone(), text)).collect();
        let frame = frames(*framing, input.as_bytes()).remove(0);
        assert_eq!(string(&frame.with(&edits)), *expected, "{framing:?} {input:?}");
    }
}

// ── whatever comes ──────────────────────────────────────────────────────────────────────────────────────────────────

/// Streams of a framing's own words in any order.
fn stream(framing: Framing) -> BoxedStrategy<Vec<u8>> {
    const SSE_WORDS: &[&str] =
        &["data:", "data: {\"a\":1}", "data", "event: e", ": c", ":", " ", "\r", "\n", "\r\n", "\n\n", "x", "\u{feff}"];
    const LINES_WORDS: &[&str] = &["{\"a\":1}", "\n", "\r\n", " ", "é", "\r"];
    const ARRAY_WORDS: &[&str] =
        &["[", "]", "{", "}", ",", "\"", "\\", " ", "\n", "1", "{\"a\":[\"}\\\"\"]}", "{}", "]\n", ","];
    let words = match framing {
        Framing::Sse => SSE_WORDS,
        Framing::Lines => LINES_WORDS,
        Framing::Array => ARRAY_WORDS,
        Framing::EventStream => return messages(),
    };
    let text = prop::collection::vec(prop::sample::select(words), 0..40).prop_map(|words| words.concat().into_bytes());
    if framing != Framing::Array {
        return text.boxed();
    }
    let opened = text.clone().prop_map(|text| [&b"["[..], &text, b"]"].concat());
    prop_oneof![text, opened].boxed()
}

/// Messages, some of them damaged or cut off.
fn messages() -> BoxedStrategy<Vec<u8>> {
    let header = prop::sample::select(&[(":event-type", "e"), (":message-type", "event"), ("other", "")][..]);
    let message = (prop::collection::vec(header, 0..3), "[a-z{}\"]{0,20}")
        .prop_map(|(headers, payload)| eventstream::message(&headers, payload.as_bytes()));
    let whole = prop::collection::vec(message, 0..5).prop_map(|messages| messages.concat());
    let flip = |(mut bytes, at, to): (Vec<u8>, prop::sample::Index, u8)| {
        if !bytes.is_empty() {
            let at = at.index(bytes.len());
            bytes[at] = to;
        }
        bytes
    };
    let damaged = (whole.clone(), any::<prop::sample::Index>(), any::<u8>()).prop_map(flip);
    let cut = (whole.clone(), any::<prop::sample::Index>()).prop_map(|(mut bytes, at)| {
        bytes.truncate(at.index(bytes.len() + 1));
        bytes
    });
    prop_oneof![3 => whole, 1 => damaged, 1 => cut].boxed()
}

fn streams() -> impl Strategy<Value = (Framing, Vec<u8>)> {
    prop::sample::select(&ALL[..]).prop_flat_map(|framing| {
        let any_bytes = prop::collection::vec(any::<u8>(), 0..80).boxed();
        prop_oneof![5 => stream(framing), 1 => any_bytes].prop_map(move |bytes| (framing, bytes))
    })
}

/// Pieces of `bytes` of the sizes given, then the rest.
fn cut<'a>(mut bytes: &'a [u8], sizes: &[usize]) -> Vec<&'a [u8]> {
    let mut chunks = Vec::new();
    for size in sizes {
        chunks.push(bytes.split_off(..(*size).min(bytes.len())).unwrap());
    }
    chunks.push(bytes);
    chunks
}

/// Edits of one frame within the lines of its payload, made from numbers. None makes a line begin with a space.
fn edits(text: &[u8], numbers: &[(usize, usize, String)]) -> Vec<Edit> {
    let mut from = 0;
    let mut edits: Vec<Edit> = Vec::new();
    for (skip, length, replacement) in numbers {
        let start = from + skip;
        let end = start + length;
        if end > text.len() || text[start..end].contains(&b'\n') || text[end..].starts_with(b" ") {
            break;
        }
        edits.push(edit(start..end, replacement));
        from = end + 1;
    }
    edits
}

/// What an edited payload must read.
fn edited(text: &[u8], edits: &[Edit]) -> Vec<u8> {
    let mut text = text.to_vec();
    for edit in edits.iter().rev() {
        text.splice(edit.at.clone(), edit.text.iter().copied());
    }
    text
}

fn json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<i32>().prop_map(Into::into),
        r#"[a"\\\[\]{},\n]{0,6}"#.prop_map(Into::into),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
            prop::collection::vec((r#"[a"\\}]{0,3}"#, inner), 0..4)
                .prop_map(|members| serde_json::Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn the_payloads_of_an_array_are_its_elements(elements in prop::collection::vec(json(), 0..5), pretty in any::<bool>()) {
        let print = if pretty { serde_json::to_vec_pretty } else { serde_json::to_vec };
        let frames = frames(Framing::Array, &print(&elements).unwrap());
        let payloads = frames.iter().filter(|frame| !frame.payload.is_empty());
        let found: Vec<serde_json::Value> = payloads.map(|frame| serde_json::from_slice(&frame.text()).unwrap()).collect();
        prop_assert_eq!(found, elements);
    }

    #[test]
    fn cutting_anywhere_changes_nothing(
        (framing, input) in streams(),
        sizes in prop::collection::vec(0..9usize, 0..60),
        limit in prop_oneof![16..60usize, Just(LIMIT)],
    ) {
        let whole = read(framing, limit, [&input[..]]);
        prop_assert_eq!(&read(framing, limit, cut(&input, &sizes)), &whole);
        prop_assert_eq!(&read(framing, limit, input.chunks(1)), &whole);
    }

    #[test]
    fn the_frames_are_the_input((framing, input) in streams()) {
        let (frames, outcome) = read(framing, LIMIT, [&input[..]]);
        let bytes = frames.iter().flat_map(|frame| frame.bytes.clone()).collect::<Vec<u8>>();
        prop_assert!(input.starts_with(&bytes));
        prop_assert!(outcome.is_err() || input.len() == bytes.len());
        for frame in frames {
            prop_assert!(!frame.bytes.is_empty());
            let bytes = frame.bytes.clone();
            prop_assert_eq!(frame.with(&[]), bytes);
        }
    }

    #[test]
    fn an_edited_frame_reads_as_its_edited_payload(
        (framing, input) in streams(),
        numbers in prop::collection::vec((0..6usize, 0..4usize, "[xy]{0,3}"), 0..5),
    ) {
        for (index, frame) in read(framing, LIMIT, [&input[..]]).0.into_iter().enumerate() {
            let edits = edits(&frame.text(), &numbers);
            let (name, text, payload) = (frame.name.clone(), edited(&frame.text(), &edits), frame.payload.clone());
            let around = payload.first().map(|at| (frame.bytes[..at.start].to_vec(), frame.bytes[at.end..].to_vec()));
            let output = frame.with(&edits);
            match (framing, around) {
                (_, None) => {}
                (Framing::Lines | Framing::Array, Some((before, after))) => {
                    prop_assert_eq!(output, [before, text, after].concat());
                }
                (Framing::Sse | Framing::EventStream, Some(_)) => {
                    // A byte order mark is one in the first frame only.
                    let before = if framing == Framing::Sse && index > 0 { "\n" } else { "" };
                    let mut again = frames(framing, &[before.as_bytes(), &output].concat());
                    prop_assert_eq!(again.len(), before.len() + 1);
                    let last = again.remove(before.len());
                    prop_assert_eq!(&last.name, &name);
                    prop_assert_eq!(last.text(), &text[..]);
                }
            }
        }
    }

    #[test]
    fn no_edits_make_it_panic(
        (framing, input) in streams(),
        places in prop::collection::vec((0..30usize, 0..30usize), 0..5),
    ) {
        let edits: Vec<Edit> = places.into_iter().map(|(start, end)| edit(start..end, "x")).collect();
        for frame in read(framing, LIMIT, [&input[..]]).0 {
            frame.with(&edits);
        }
    }
}
