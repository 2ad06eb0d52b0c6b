//! A JSON document as events, read by our tokenizer and by serde_json. Compares nothing.

use std::fmt;

use promptgate::codec::json::{Container, Limits, Sink, SyntaxError, Tokenizer};
use serde::de::{Deserialize, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// What a document says, in order: keys and strings decoded, the rest by its kind.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    Open(Container),
    Close,
    Key(String),
    String(String),
    Scalar,
}

/// As our tokenizer reads it.
#[derive(Debug, Default, PartialEq)]
pub struct Ours {
    pub events: Vec<Event>,
    string: String,
    /// All bytes, in the order in which they were told.
    pub raw: Vec<u8>,
}

impl Sink for Ours {
    type Error = SyntaxError;

    fn raw(&mut self, bytes: &[u8]) {
        self.raw.extend_from_slice(bytes);
    }
    fn open(&mut self, container: Container) -> Result<(), SyntaxError> {
        self.events.push(Event::Open(container));
        Ok(())
    }
    fn close(&mut self) -> Result<(), SyntaxError> {
        self.events.push(Event::Close);
        Ok(())
    }
    fn key(&mut self, key: &str, _: u64, _: u64) -> Result<(), SyntaxError> {
        self.events.push(Event::Key(key.to_owned()));
        Ok(())
    }
    fn begin_string(&mut self, _: u64) -> Result<(), SyntaxError> {
        self.string.clear();
        Ok(())
    }
    fn text(&mut self, text: &str) -> Result<(), SyntaxError> {
        self.string.push_str(text);
        self.raw.extend_from_slice(text.as_bytes());
        Ok(())
    }
    fn escape(&mut self, character: char, raw: &[u8]) -> Result<(), SyntaxError> {
        self.string.push(character);
        self.raw.extend_from_slice(raw);
        Ok(())
    }
    fn end_string(&mut self, _: u64) -> Result<(), SyntaxError> {
        self.events.push(Event::String(self.string.clone()));
        Ok(())
    }
    fn begin_scalar(&mut self, _: u64) -> Result<(), SyntaxError> {
        self.events.push(Event::Scalar);
        Ok(())
    }
    fn end_scalar(&mut self, _: u64) -> Result<(), SyntaxError> {
        Ok(())
    }
}

pub fn ours<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> Result<Ours, SyntaxError> {
    let mut tokenizer = Tokenizer::new(Limits { depth: 100, key: 1 << 16 });
    let mut sink = Ours::default();
    for chunk in chunks {
        tokenizer.feed(chunk, &mut sink)?;
    }
    tokenizer.finish(&mut sink)?;
    Ok(sink)
}

/// As serde_json reads it, into the same events.
struct Theirs<'e>(&'e mut Vec<Event>);

impl<'de> DeserializeSeed<'de> for Theirs<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Theirs<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON")
    }
    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        self.0.push(Event::Scalar);
        Ok(())
    }
    fn visit_u64<E: serde::de::Error>(self, _: u64) -> Result<(), E> {
        self.visit_bool(true)
    }
    fn visit_i64<E: serde::de::Error>(self, _: i64) -> Result<(), E> {
        self.visit_bool(true)
    }
    fn visit_f64<E: serde::de::Error>(self, _: f64) -> Result<(), E> {
        self.visit_bool(true)
    }
    fn visit_unit<E: serde::de::Error>(self) -> Result<(), E> {
        self.visit_bool(true)
    }
    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        self.0.push(Event::String(text.to_owned()));
        Ok(())
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        self.0.push(Event::Open(Container::Array));
        while items.next_element_seed(Theirs(self.0))?.is_some() {}
        self.0.push(Event::Close);
        Ok(())
    }
    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        self.0.push(Event::Open(Container::Object));
        while let Some(key) = members.next_key()? {
            self.0.push(Event::Key(key));
            members.next_value_seed(Theirs(self.0))?;
        }
        self.0.push(Event::Close);
        Ok(())
    }
}

pub fn theirs(json: &[u8]) -> Option<Vec<Event>> {
    let mut events = Vec::new();
    let mut reader = serde_json::Deserializer::from_slice(json);
    Theirs(&mut events).deserialize(&mut reader).ok()?;
    reader.end().ok()?;
    Some(events)
}

/// Whether serde_json takes it for JSON. It skips values without a look at their size or, in a slice, their UTF-8.
pub fn is_json(bytes: &[u8]) -> bool {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    std::str::from_utf8(bytes).is_ok() && IgnoredAny::deserialize(&mut reader).is_ok() && reader.end().is_ok()
}
