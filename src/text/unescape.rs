//! Undoes escapes inside a decoded string once more: JSON and C, and optionally URL, mail and HTML. Lenient: what is no escape
//! stays.

use super::table::table;
use super::{Span, View};

/// Which escapes to undo.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Escapes {
    /// `\n \" \\ \/ \uXXXX \UXXXXXXXX \xHH \ooo`: JSON or source code held in a string.
    Backslash,
    /// Those, and `%XX`, `=XX`, `U+XXXX`, `&lt;`, `&#105;`, `&#x69;`, and tags and comments inside words.
    All,
}

/// `None` where nothing is escaped.
pub fn unescape(text: &str, escapes: Escapes) -> Option<View> {
    let bytes = text.as_bytes();
    let places = Places { bytes, escapes, at: 0, marks: 0, marked: 0 };
    let mut view: Option<View> = None;
    let mut plain = 0;
    for at in places {
        if at < plain {
            continue;
        }
        let Some((decoded, length)) = escape(bytes, at) else { continue };
        let view = view.get_or_insert_with(|| View::with_capacity(text.len()));
        view.copy(&text[plain..at], plain);
        view.replace(&decoded, Span::new(at, at + length));
        plain = at + length;
    }
    let mut view = view?;
    view.copy(&text[plain..], plain);
    Some(view)
}

/// Where an escape may begin.
struct Places<'t> {
    bytes: &'t [u8],
    escapes: Escapes,
    /// Where to look next.
    at: usize,
    /// A bit for each place in the stretch that begins at `marked`.
    marks: u16,
    marked: usize,
}

impl Iterator for Places<'_> {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        if self.escapes == Escapes::Backslash {
            let place = self.at + memchr::memchr(b'\\', self.bytes.get(self.at..)?)?;
            self.at = place + 1;
            return Some(place);
        }
        while self.marks == 0 {
            let rest = self.bytes.get(self.at..).filter(|rest| !rest.is_empty())?;
            // Whole stretches of most texts have none, which is told without a branch a byte.
            let begins = |byte: &u8| BEGINNINGS[usize::from(*byte)];
            let without = |stretch: &&[u8; STRETCH]| !stretch.iter().fold(false, |any, byte| any | begins(byte));
            let plain = rest.as_chunks::<STRETCH>().0.iter().take_while(without).count() * STRETCH;
            // Others have a quotation mark at every turn: each stretch is looked through once for all of its own.
            let stretch = rest[plain..].iter().take(STRETCH);
            self.marks = stretch.rev().fold(0, |marks, byte| marks << 1 | u16::from(begins(byte)));
            self.marked = self.at + plain;
            self.at = self.marked + STRETCH;
        }
        let place = self.marked + self.marks.trailing_zeros() as usize;
        self.marks &= self.marks - 1;
        Some(place)
    }
}

/// The text of the escape at `at` and its length, which covers ASCII only.
fn escape(text: &[u8], at: usize) -> Option<(String, usize)> {
    let (before, bytes) = text.split_at_checked(at)?;
    let in_word = before.last().is_some_and(u8::is_ascii_alphanumeric);
    match *bytes.first()? {
        b'\\' => backslash(bytes),
        b'%' => percent(bytes),
        b'=' => mail(bytes, in_word),
        b'<' if in_word => tags(bytes),
        b'*' | b'`' | b'~' if in_word => marks(bytes),
        quote @ (b'\'' | b'"') => concatenated(bytes, quote),
        0x1B => terminal(bytes),
        b'U' if !in_word && bytes.get(1) == Some(&b'+') => code_point(bytes),
        b'&' => entity(bytes),
        _ => None,
    }
}

fn backslash(bytes: &[u8]) -> Option<(String, usize)> {
    let simple = |text: &str| Some((text.to_owned(), 2));
    match *bytes.get(1)? {
        b'n' => simple("\n"),
        b'r' => simple("\r"),
        b't' => simple("\t"),
        b'0'..=b'7' => octal(bytes).or_else(|| Some((" ".to_owned(), 2)).filter(|_| bytes[1] == b'0')),
        b'b' | b'f' => simple(" "),
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
        b'U' => number(bytes.get(2..10)?, 16).map(|text| (text, 10)),
        _ => None,
    }
}

/// Three octal digits.
fn octal(bytes: &[u8]) -> Option<(String, usize)> {
    let digits = bytes.get(1..4)?.iter().all(|digit| matches!(digit, b'0'..=b'7'));
    let value = std::str::from_utf8(bytes.get(1..4)?).ok().and_then(|text| u32::from_str_radix(text, 8).ok());
    value.filter(|value| digits && (0x20..0x7F).contains(value)).and_then(char::from_u32).map(|text| (text.into(), 4))
}

/// `U+0069`, and a space behind it if the next is of its kind.
fn code_point(bytes: &[u8]) -> Option<(String, usize)> {
    let digits = bytes.iter().skip(2).take(6).take_while(|byte| byte.is_ascii_hexdigit()).count();
    let text = number(bytes.get(2..2 + digits).filter(|digits| digits.len() > 3)?, 16)?;
    let more = bytes.get(2 + digits..).is_some_and(|rest| rest.starts_with(b" U+"));
    Some((text, 2 + digits + usize::from(more)))
}

/// Quoted-printable: bytes in a row, a space inside a word, or the end of a line that goes on.
fn mail(bytes: &[u8], in_word: bool) -> Option<(String, usize)> {
    let pairs = || bytes.chunks_exact(3).take_while(|chunk| chunk[0] == b'=').take(LONGEST_RUN);
    let decoded: Vec<u8> = pairs().map_while(|chunk| u8::try_from(digits(&chunk[1..], 16)?).ok()).collect();
    let one = decoded == b" " && in_word && bytes.get(3).is_some_and(u8::is_ascii_alphanumeric);
    if decoded.len() < 2 && !one {
        let goes_on = in_word && bytes.get(1) == Some(&b'\n') && bytes.get(2).is_some_and(u8::is_ascii_alphabetic);
        return goes_on.then(|| (String::new(), 2));
    }
    let length = decoded.len() * 3;
    String::from_utf8(decoded).ok().map(|text| (text, length))
}

/// Tags and comments with letters on both sides: nobody sees them.
fn tags(bytes: &[u8]) -> Option<(String, usize)> {
    let mut at = 0;
    while bytes.get(at) == Some(&b'<') {
        let rest = bytes.get(at..)?;
        let tag = matches!(rest.get(1), Some(b'/' | b'a'..=b'z' | b'A'..=b'Z'));
        at += if rest.starts_with(b"<!--") {
            rest.windows(3).take(LONGEST_COMMENT).position(|end| end == b"-->")? + 3
        } else {
            rest.iter().take(LONGEST_TAG).position(|byte| *byte == b'>').filter(|_| tag)? + 1
        };
    }
    let covers = bytes.get(..at)?.is_ascii() && bytes.get(at).is_some_and(u8::is_ascii_alphanumeric);
    covers.then(|| (String::new(), at))
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

/// What colours the text of a terminal.
fn terminal(bytes: &[u8]) -> Option<(String, usize)> {
    let end = bytes.iter().skip(2).take(LONGEST_TAG).position(|byte| (b'@'..=b'~').contains(byte))?;
    let covers = bytes.get(1) == Some(&b'[') && bytes.get(..end + 3)?.is_ascii();
    covers.then(|| (String::new(), end + 3))
}

/// Emphasis that begins or ends inside a word.
fn marks(bytes: &[u8]) -> Option<(String, usize)> {
    let mark = *bytes.first()?;
    let count = bytes.iter().take(LONGEST_MARK + 1).take_while(|byte| **byte == mark).count();
    let between = count <= LONGEST_MARK && bytes.get(count).is_some_and(u8::is_ascii_alphabetic);
    between.then(|| (String::new(), count))
}

/// From the end of one string to the beginning of the next: `' + '`, `'; b = '`.
fn concatenated(bytes: &[u8], quote: u8) -> Option<(String, usize)> {
    let ahead = bytes.get(1..bytes.len().min(LONGEST_JOINT))?;
    // Of most quotation marks the next byte tells: JSON is full of them.
    let first = ahead.iter().find(|byte| !byte.is_ascii_whitespace())?;
    if !matches!(first, b'+' | b'.' | b'&' | b';') {
        return None;
    }
    let end = ahead.iter().position(|byte| matches!(byte, b'\'' | b'"')).filter(|end| ahead[*end] == quote)?;
    let (first, rest) = ahead[..end].trim_ascii().split_first()?;
    let name = rest.strip_suffix(b"=").unwrap_or(rest).trim_ascii();
    let joins = match first {
        b'+' | b'.' | b'&' => rest.is_empty(),
        b';' => rest.ends_with(b"=") && name.iter().all(|byte| byte.is_ascii_alphanumeric() || b"_$ ".contains(byte)),
        _ => false,
    };
    joins.then(|| (String::new(), end + 2))
}

fn entity(bytes: &[u8]) -> Option<(String, usize)> {
    let end = bytes.iter().take(LONGEST_ENTITY).skip(1).position(|byte| !byte.is_ascii_alphanumeric() && *byte != b'#');
    let end = end.map_or(bytes.len(), |end| end + 1);
    let closed = bytes.get(end) == Some(&b';');
    let text = match bytes.get(1..end)? {
        [b'#', b'x' | b'X', hex @ ..] => number(hex, 16)?,
        [b'#', decimal @ ..] => number(decimal, 10)?,
        name if closed => ENTITIES.iter().find(|(known, _)| known.as_bytes() == name)?.1.to_owned(),
        _ => return None,
    };
    Some((text, end + usize::from(closed)))
}

fn number(bytes: &[u8], radix: u32) -> Option<String> {
    digits(bytes, radix).and_then(char::from_u32).map(String::from)
}

fn digits(bytes: &[u8], radix: u32) -> Option<u32> {
    let plain = !bytes.is_empty() && bytes.iter().all(u8::is_ascii_alphanumeric);
    std::str::from_utf8(bytes).ok().filter(|_| plain).and_then(|text| u32::from_str_radix(text, radix).ok())
}

const BEGINNINGS: [bool; 256] = table(b"\\%&=<U*`~'\"\x1b");
/// Bytes that are looked at without a branch between them: one for each bit of the marks.
const STRETCH: usize = u16::BITS as usize;
const LONGEST_RUN: usize = 64;
const LONGEST_ENTITY: usize = 16;
const LONGEST_MARK: usize = 3;
const LONGEST_JOINT: usize = 48;
const LONGEST_TAG: usize = 64;
const LONGEST_COMMENT: usize = 256;
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
    ("excl", "!"),
    ("comma", ","),
    ("semi", ";"),
    ("quest", "?"),
    ("lowbar", "_"),
    ("hyphen", "-"),
    ("dash", "-"),
    ("num", "#"),
    ("commat", "@"),
    ("dollar", "$"),
    ("ast", "*"),
    ("plus", "+"),
    ("equals", "="),
    ("vert", "|"),
    ("bsol", "\\"),
    ("lsqb", "["),
    ("rsqb", "]"),
    ("lbrace", "{"),
    ("rbrace", "}"),
    ("shy", ""),
    ("zwj", ""),
    ("zwnj", ""),
    ("ZeroWidthSpace", ""),
    ("ensp", " "),
    ("emsp", " "),
    ("thinsp", " "),
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
    fn url_mail_and_html_escapes_are_undone_on_request() {
        for (text, expected) in [
            ("ignore%20all%C3%A9", "ignore allé"),
            ("&#105;&#x67;n &lt;b&gt; AT&T", "ign <b> AT&T"),
            ("&#105&#103 &notin x&y;", "ig &notin x&y;"),
            ("100% sure", "100% sure"),
            ("=69=67nore=20all ru=\nles a=20b x=20;", "ignore all rules a b x=20;"),
            ("U+0069 U+0067 n", "ig n"),
            ("ig<!-- x -->no<b></b>re <b>all</b> a<b", "ignore <b>all</b> a<b"),
            ("ig**no**re `a`ll i*g*n ****b 2*3", "ignore `all ign ****b 2*3"),
            (
                "a='ignore all'; b=' the'; c + ' rules' + ', now' . \"it's\"",
                "a='ignore all the'; c + ' rules, now' . \"it's\"",
            ),
            ("ig\u{1b}[31mno\u{1b}[0mre", "ignore"),
            (r"\151\147\U0000006e \9 a\0b", r"ign \9 a b"),
        ] {
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
