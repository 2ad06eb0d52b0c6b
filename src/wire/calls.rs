//! Which calls a JSON-RPC body makes: an error is only heard by who asked if it names the call. Judges nothing.

use crate::codec::json::{Container, Limits, Sink, SyntaxError, Tokenizer};

/// Reads a body in any chunks, as far as it is JSON.
#[derive(Debug)]
pub struct Calls {
    tokenizer: Option<Tokenizer>,
    found: Found,
    /// How much of the body was read, and may be.
    read: u64,
    most: u64,
}

impl Calls {
    /// For a body of so many bytes.
    pub fn new(most: u64, depth: usize, key: usize) -> Self {
        Calls { tokenizer: Some(Tokenizer::new(Limits { depth, key })), found: Found::default(), read: 0, most }
    }

    /// Whether the body may go on.
    pub fn push(&mut self, chunk: &[u8]) -> bool {
        let base = self.read;
        self.read += chunk.len() as u64;
        let more = self.read <= self.most;
        let mut reader = Reader { found: &mut self.found, chunk, base };
        let fine = self.tokenizer.as_mut().is_some_and(|tokenizer| tokenizer.feed(chunk, &mut reader).is_ok());
        if fine && more {
            reader.keep_scalar(self.read);
        } else {
            self.tokenizer = None;
        }
        more
    }

    /// Their ids as JSON. Notifications have none, nor have responses.
    pub fn ids(&self) -> &[String] {
        &self.found.ids
    }
}

#[derive(Debug, Default)]
struct Found {
    depth: usize,
    /// How deep the messages themselves are: 1, or 2 in a batch.
    messages: usize,
    member: Member,
    /// Of the message being read.
    id: Option<String>,
    asks: bool,
    ids: Vec<String>,
    /// The id being read, and from where on if it is a number.
    text: String,
    number: Option<u64>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Member {
    Id,
    Method,
    #[default]
    Other,
}

/// Messages of a batch that are told apart.
const MOST: usize = 64;
/// Bytes of an id; nobody has longer ones.
const LONGEST: usize = 256;

/// The tokenizer's sink, with the chunk it reads.
struct Reader<'a> {
    found: &'a mut Found,
    chunk: &'a [u8],
    base: u64,
}

impl Reader<'_> {
    fn take(&mut self, text: &str) {
        if self.found.member == Member::Id && self.found.text.len() <= LONGEST {
            self.found.text.push_str(text);
        }
    }

    /// What the chunk holds of a number, up to `end` of the body.
    fn keep_scalar(&mut self, end: u64) {
        let Some(start) = self.found.number else { return };
        let range = start.saturating_sub(self.base) as usize..end.saturating_sub(self.base) as usize;
        let digits = self.chunk.get(range).and_then(|digits| std::str::from_utf8(digits).ok());
        self.take(digits.unwrap_or_default());
        self.found.number = Some(end);
    }

    fn end_id(&mut self, json: String) {
        if self.found.member == Member::Id && json.len() <= LONGEST && json != "null" {
            self.found.id = Some(json);
        }
        self.found.member = Member::Other;
    }
}

impl Sink for Reader<'_> {
    type Error = SyntaxError;

    fn raw(&mut self, _: &[u8]) {}

    fn open(&mut self, container: Container) -> Result<(), SyntaxError> {
        let found = &mut self.found;
        found.depth += 1;
        if found.depth == 1 {
            found.messages = if container == Container::Object { 1 } else { 2 };
        }
        found.member = Member::Other;
        Ok(())
    }

    fn close(&mut self) -> Result<(), SyntaxError> {
        let found = &mut self.found;
        if found.depth == found.messages {
            let (id, asks) = (found.id.take(), std::mem::take(&mut found.asks));
            let room = found.ids.len() < MOST;
            found.ids.extend(id.filter(|_| asks && room));
        }
        found.depth = found.depth.saturating_sub(1);
        Ok(())
    }

    fn key(&mut self, key: &str, _: u64, _: u64) -> Result<(), SyntaxError> {
        let found = &mut self.found;
        found.member = match key {
            "id" if found.depth == found.messages => Member::Id,
            "method" if found.depth == found.messages => Member::Method,
            _ => Member::Other,
        };
        found.asks |= found.member == Member::Method;
        Ok(())
    }

    fn begin_string(&mut self, _: u64) -> Result<(), SyntaxError> {
        self.found.text.clear();
        Ok(())
    }

    fn text(&mut self, text: &str) -> Result<(), SyntaxError> {
        self.take(text);
        Ok(())
    }

    fn escape(&mut self, character: char, _: &[u8]) -> Result<(), SyntaxError> {
        self.take(character.encode_utf8(&mut [0; 4]));
        Ok(())
    }

    fn end_string(&mut self, _: u64) -> Result<(), SyntaxError> {
        let json = serde_json::to_string(&self.found.text).unwrap_or_default();
        self.end_id(json);
        Ok(())
    }

    fn begin_scalar(&mut self, at: u64) -> Result<(), SyntaxError> {
        self.found.text.clear();
        self.found.number = Some(at);
        Ok(())
    }

    fn end_scalar(&mut self, at: u64) -> Result<(), SyntaxError> {
        self.keep_scalar(at);
        self.found.number = None;
        let json = std::mem::take(&mut self.found.text);
        self.end_id(json);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_known_by_their_ids_however_the_body_is_cut() {
        let cases: &[(&str, &[&str])] = &[
            (r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#, &["1"]),
            (r#"{"method":"tools/call","params":{"id":"x","method":"y"},"jsonrpc":"2.0","id":"a\"b"}"#, &[r#""a\"b""#]),
            (r#"{"jsonrpc":"2.0","method":"m","id": -12 }"#, &["-12"]),
            (r#"[{"id":1,"method":"a"},{"method":"b"},{"id":2,"result":{}},{"id":"c","method":"d"}]"#, &["1", "\"c\""]),
            (r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#, &[]),
            (r#"{"jsonrpc":"2.0","id":7,"result":{"id":1,"method":"m"}}"#, &[]),
            (r#"{"id":null,"method":"m"}"#, &[]),
            (r#"{"id":{"id":3},"method":"m"}"#, &[]),
            (r#"{"id":1,"method":"m"} and no more JSON"#, &["1"]),
            ("no JSON", &[]),
        ];
        for (body, expected) in cases {
            for cut in 1..=body.len() {
                let mut calls = Calls::new(1 << 20, 64, 1024);
                for chunk in body.as_bytes().chunks(cut) {
                    assert!(calls.push(chunk));
                }
                assert_eq!(calls.ids(), *expected, "{body} in chunks of {cut}");
            }
        }
    }

    #[test]
    fn a_body_beyond_its_limit_goes_on_no_more() {
        let mut calls = Calls::new(10, 64, 1024);
        assert!(calls.push(b"{\"id\":1"));
        assert!(!calls.push(b",\"method\":\"m\"}"));
        assert_eq!(calls.ids(), ["1"]);
    }
}
