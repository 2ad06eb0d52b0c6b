//! Undoes escapes inside a decoded string once more: JSON and C, and optionally URL and HTML. Lenient: what is no escape stays.

use super::{Span, View};

/// Which escapes to undo.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Escapes {
    /// `\n \" \\ \/ \uXXXX \xHH`: JSON or source code held in a string.
    Backslash,
    /// Those, and `%XX`, `&lt;`, `&#105;`, `&#x69;`.
    All,
}

/// `None` where nothing is escaped.
pub fn unescape(text: &str, escapes: Escapes) -> Option<View> {
    let starts: &[u8] = if escapes == Escapes::All { br"\%&" } else { br"\" };
    let bytes = text.as_bytes();
    let mut view: Option<View> = None;
    let (mut plain, mut at) = (0, 0);
    while let Some(offset) = bytes[at..].iter().position(|byte| starts.contains(byte)) {
        at += offset;
        let Some((decoded, length)) = escape(&bytes[at..]) else {
            at += 1;
            continue;
        };
        let view = view.get_or_insert_with(|| View::with_capacity(text.len()));
        view.copy(&text[plain..at], plain);
        view.replace(&decoded, Span::new(at, at + length));
        at += length;
        plain = at;
    }
    let mut view = view?;
    view.copy(&text[plain..], plain);
    Some(view)
}

/// The text of the escape at the start of `bytes` and its length, which covers ASCII only.
fn escape(bytes: &[u8]) -> Option<(String, usize)> {
    match *bytes.first()? {
        b'\\' => backslash(bytes),
        b'%' => percent(bytes),
        _ => entity(bytes),
    }
}

fn backslash(bytes: &[u8]) -> Option<(String, usize)> {
    let simple = |text: &str| Some((text.to_owned(), 2));
    match *bytes.get(1)? {
        b'n' => simple("\n"),
        b'r' => simple("\r"),
        b't' => simple("\t"),
        b'b' | b'f' | b'0' => simple(" "),
        b'"' => simple("\""),
        b'\'' => simple("'"),
        b'\\' => simple("\\"),
        b'/' => simple("/"),
        b'x' => number(bytes.get(2..4)?, 16).map(|text| (text, 4)),
        b'u' if bytes.get(2) == Some(&b'{') => {
            let close = bytes.iter().take(10).position(|&byte| byte == b'}')?;
            number(bytes.get(3..close)?, 16).map(|text| (text, close + 1))
        }
        b'u' => unicode(bytes),
        _ => None,
    }
}

/// `\uXXXX`, and the low half of a pair if one follows; a half alone reads as U+FFFD.
fn unicode(bytes: &[u8]) -> Option<(String, usize)> {
    let unit = |at: usize| digits(bytes.get(at..at + 4)?, 16);
    let first = unit(2)?;
    let second = if bytes.get(6..8) == Some(br"\u") { unit(8) } else { None };
    match (first, second) {
        (0xD800..=0xDBFF, Some(low @ 0xDC00..=0xDFFF)) => {
            let code = 0x10000 + ((first - 0xD800) << 10) + (low - 0xDC00);
            Some((char::from_u32(code)?.to_string(), 12))
        }
        _ => Some((char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER).to_string(), 6)),
    }
}

/// A run of `%XX` that is UTF-8; of another run its first byte, if that is ASCII.
fn percent(bytes: &[u8]) -> Option<(String, usize)> {
    let run = bytes.chunks_exact(3).take_while(|chunk| chunk[0] == b'%').map(|chunk| digits(&chunk[1..], 16));
    let decoded: Vec<u8> = run.map_while(|code| u8::try_from(code?).ok()).take(LONGEST_RUN).collect();
    let length = std::str::from_utf8(&decoded).map_or_else(|error| error.valid_up_to(), str::len);
    let text = std::str::from_utf8(&decoded[..length]).ok().filter(|text| !text.is_empty())?;
    Some((text.to_owned(), length * 3))
}

fn entity(bytes: &[u8]) -> Option<(String, usize)> {
    let end = bytes.iter().take(LONGEST_ENTITY).position(|&byte| byte == b';')?;
    let text = match bytes.get(1..end)? {
        [b'#', b'x' | b'X', hex @ ..] => number(hex, 16)?,
        [b'#', decimal @ ..] => number(decimal, 10)?,
        name => ENTITIES.iter().find(|(known, _)| known.as_bytes() == name)?.1.to_owned(),
    };
    Some((text, end + 1))
}

fn number(bytes: &[u8], radix: u32) -> Option<String> {
    digits(bytes, radix).and_then(char::from_u32).map(String::from)
}

fn digits(bytes: &[u8], radix: u32) -> Option<u32> {
    let plain = !bytes.is_empty() && bytes.iter().all(u8::is_ascii_alphanumeric);
    std::str::from_utf8(bytes).ok().filter(|_| plain).and_then(|text| u32::from_str_radix(text, radix).ok())
}

const LONGEST_RUN: usize = 64;
const LONGEST_ENTITY: usize = 12;
const ENTITIES: &[(&str, &str)] = &[
    ("lt", "<"),
    ("gt", ">"),
    ("amp", "&"),
    ("quot", "\""),
    ("apos", "'"),
    ("nbsp", " "),
    ("colon", ":"),
    ("period", "."),
    ("lpar", "("),
    ("rpar", ")"),
    ("sol", "/"),
    ("NewLine", "\n"),
    ("Tab", "\t"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_undone_once() {
        for (text, expected) in [
            (r#"{\"a\":\"b\\n\"}"#, r#"{"a":"b\n"}"#),
            (r"caf\u00e9 \uD83D\uDE00 \x41 \u{42}", "café 😀 A B"),
            (r"half \ud83d!", "half \u{FFFD}!"),
            (r"C:\Users \", r"C:\Users \"),
            (r"a\/b\tc", "a/b\tc"),
        ] {
            let view = unescape(text, Escapes::Backslash);
            assert_eq!(view.as_ref().map_or(text, View::text), expected);
        }
    }

    #[test]
    fn url_and_html_escapes_are_undone_on_request() {
        for (text, expected) in
            [("ignore%20all%C3%A9", "ignore allé"), ("&#105;&#x67;n &lt;b&gt; AT&T", "ig"), ("100% sure", "100% sure")]
        {
            let view = unescape(text, Escapes::All);
            assert!(view.as_ref().map_or(text, View::text).starts_with(expected), "{text}");
        }
    }

    #[test]
    fn a_span_of_the_unescaped_text_covers_its_escapes() {
        let view = unescape(r"a\u0062c", Escapes::Backslash).expect("has an escape");
        assert_eq!(view.source(Span::new(1, 2)), Span::new(1, 7));
        assert_eq!(view.source(Span::new(0, 3)), Span::new(0, 8));
    }
}
