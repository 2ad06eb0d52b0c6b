//! Reads of a request just what an echo needs: the last user text, the model and whether to stream. Knows no dialect by name.
//!
//! Everything else is skipped unread, so bodies a strict reader refuses (`1e400`, a lone surrogate, deep nesting) are answered too.

use std::fmt;

use serde::Deserialize;
use serde::de::{self, Deserializer, Visitor};
use serde_json::value::RawValue;

pub struct Request {
    pub model: String,
    /// `None` where the body does not say: dialects differ in what that means.
    pub stream: Option<bool>,
    /// OpenAI's `stream_options.include_usage`.
    pub include_usage: bool,
    pub user_text: String,
    /// Words in the body: the demo has no tokenizer, and its usage numbers say so by being countable.
    pub words: usize,
}

impl Request {
    pub fn parse(body: &[u8], path: &str) -> Result<Request, serde_json::Error> {
        let fields: Fields = serde_json::from_slice(body)?;
        let user_text = fields.turns().and_then(last_user_text).unwrap_or_default();
        Ok(Request {
            model: fields.model.map(|text| text.0).unwrap_or_else(|| model_in(path)),
            stream: fields.stream,
            include_usage: fields.stream_options.is_some_and(|options| options.include_usage.unwrap_or(false)),
            words: user_text.split_whitespace().count(),
            user_text,
        })
    }
}

/// The union of what the dialects call these things.
#[derive(Deserialize)]
struct Fields<'a> {
    model: Option<Text>,
    stream: Option<bool>,
    stream_options: Option<StreamOptions>,
    #[serde(borrow)]
    messages: Option<&'a RawValue>,
    #[serde(borrow)]
    contents: Option<&'a RawValue>,
    #[serde(borrow)]
    input: Option<&'a RawValue>,
    #[serde(borrow)]
    prompt: Option<&'a RawValue>,
}

impl<'a> Fields<'a> {
    fn turns(&self) -> Option<&'a RawValue> {
        self.messages.or(self.contents).or(self.input).or(self.prompt)
    }
}

#[derive(Deserialize)]
struct StreamOptions {
    include_usage: Option<bool>,
}

/// One message, content part or tool result; the first of these fields that is there holds its text.
#[derive(Deserialize)]
struct Turn<'a> {
    role: Option<Text>,
    #[serde(borrow)]
    text: Option<&'a RawValue>,
    #[serde(borrow)]
    content: Option<&'a RawValue>,
    #[serde(borrow)]
    parts: Option<&'a RawValue>,
}

impl<'a> Turn<'a> {
    fn is_user(&self) -> bool {
        self.role.as_ref().is_none_or(|role| role.0 == "user")
    }

    fn text(&self) -> Option<String> {
        self.text.or(self.content).or(self.parts).and_then(all_text)
    }
}

/// The text of the last turn that is the user's and has any.
fn last_user_text(turns: &RawValue) -> Option<String> {
    let Ok(list) = serde_json::from_str::<Vec<&RawValue>>(turns.get()) else { return all_text(turns) };
    list.into_iter().rev().find_map(|turn| match serde_json::from_str::<Turn>(turn.get()) {
        Ok(object) if object.is_user() => object.text(),
        Ok(_) => None,
        Err(_) => all_text(turn),
    })
}

/// Text, at any depth of parts, one line a part.
fn all_text(value: &RawValue) -> Option<String> {
    let json = value.get();
    if let Ok(Text(text)) = serde_json::from_str(json) {
        return Some(text);
    }
    if let Ok(parts) = serde_json::from_str::<Vec<&RawValue>>(json) {
        let texts: Vec<String> = parts.into_iter().filter_map(all_text).collect();
        return (!texts.is_empty()).then(|| texts.join("\n"));
    }
    serde_json::from_str::<Turn>(json).ok()?.text()
}

/// `models/NAME:verb`, `deployments/NAME/...`, `model/NAME/...`
fn model_in(path: &str) -> String {
    let mut segments = path.split('/').skip_while(|segment| !matches!(*segment, "models" | "deployments" | "model"));
    let name = segments.nth(1).and_then(|segment| segment.split(':').next()).filter(|name| !name.is_empty());
    name.unwrap_or("demo").to_owned()
}

/// A JSON string in which a lone surrogate is read as U+FFFD instead of refused.
struct Text(String);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Text, D::Error> {
        struct Bytes;
        impl Visitor<'_> for Bytes {
            type Value = Text;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Text, E> {
                Ok(Text(String::from_utf8_lossy(bytes).into_owned()))
            }
        }
        deserializer.deserialize_bytes(Bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_user_text_is_found_in_every_shape() {
        for (body, text) in [
            (r#"{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"}]}"#, "a"),
            (
                r#"{"messages":[{"content":[{"type":"text","text":"a"},{"type":"text","text":"b"}],"role":"user"}]}"#,
                "a\nb",
            ),
            (r#"{"messages":[{"role":"user","content":[{"type":"tool_result","content":[{"text":"a"}]}]}]}"#, "a"),
            (r#"{"messages":[{"role":"user","content":"a"},{"role":"user","content":[{"type":"image_url"}]}]}"#, "a"),
            (r#"{"contents":[{"role":"user","parts":[{"text":"a"}]},{"role":"model","parts":[{"text":"b"}]}]}"#, "a"),
            (r#"{"contents":{"parts":{"text":"a"}}}"#, "a"),
            (r#"{"input":"a"}"#, "a"),
            (r#"{"input":["a","b"]}"#, "b"),
            (r#"{"prompt":"\u00fc\ud83d\ude00"}"#, "ü😀"),
            (r#"{"prompt":"<\ud800>","x":1e400}"#, "<\u{fffd}\u{fffd}\u{fffd}>"),
            (r#"{"messages":[]}"#, ""),
            (r#"{}"#, ""),
        ] {
            assert_eq!(Request::parse(body.as_bytes(), "/").unwrap().user_text, text, "{body}");
        }
    }

    #[test]
    fn the_model_comes_from_the_body_or_the_path() {
        for (body, path, model) in [
            (r#"{"model":"x"}"#, "/v1/chat/completions", "x"),
            ("{}", "/v1beta/models/gemini-3:generateContent", "gemini-3"),
            ("{}", "/openai/deployments/d/chat/completions", "d"),
            ("{}", "/model/amazon.nova/converse", "amazon.nova"),
            ("{}", "/api/chat", "demo"),
        ] {
            assert_eq!(Request::parse(body.as_bytes(), path).unwrap().model, model, "{path}");
        }
    }

    #[test]
    fn what_is_not_an_object_is_an_error() {
        for body in ["", "{", "1", "\"a\"", "{} {}"] {
            assert!(Request::parse(body.as_bytes(), "/").is_err(), "{body}");
        }
    }
}
