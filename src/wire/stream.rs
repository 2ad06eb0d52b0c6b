//! How answers stream: which framing a content type means, and what a waiting caller takes for a sign of life. Knows nothing
//! of what events say.

use super::{Dialect, Family};
use crate::codec::frame::Framing;

impl Dialect {
    /// The framing of an answer of that content type; `None` for one document.
    pub fn framing(&self, content_type: &str) -> Option<Framing> {
        let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match essence.as_str() {
            "text/event-stream" => Some(Framing::Sse),
            "application/x-ndjson" | "application/ndjson" | "application/jsonl" | "application/x-jsonl" => {
                Some(Framing::Lines)
            }
            "application/vnd.amazon.eventstream" => Some(Framing::EventStream),
            // Without `alt=sse` the events are the elements of one array.
            "application/json" if self.name == "gemini.stream" => Some(Framing::Array),
            _ => None,
        }
    }

    /// An event without meaning that clients of the dialect pass over, if there is one they all do.
    pub fn ping(&self, framing: Framing) -> Option<&'static [u8]> {
        match (framing, self.family) {
            (Framing::Sse, Family::Anthropic) => Some(b"event: ping\ndata: {\"type\": \"ping\"}\n\n"),
            // Google's own client fails on a comment.
            (Framing::Sse, Family::Gemini) => None,
            (Framing::Sse, _) => Some(b": ping\n\n"),
            // A blank line, or a message of another type, is an error to clients.
            (Framing::Lines | Framing::Array | Framing::EventStream, _) => None,
        }
    }
}
