//! Provider dialects: where text lives in each API and how each reports an error. Knows nothing of sockets.
//!
//! A dialect is a table of selectors. What no row names is text and inspected, so the tables hold only what is not
//! plain text; a new text field of a provider needs no change here. Rows name whole paths, never a bare key: tool
//! inputs are free-form, and `input.data` there is text like any other.

mod anthropic;
mod azure;
mod bedrock;
mod calls;
mod cohere;
mod error;
mod gemini;
mod headers;
mod mcp;
mod mistral;
mod ollama;
mod openai;
mod quota;
mod rows;

mod stream;

pub use calls::Calls;
pub use error::{ErrorKind, ErrorReply};
pub use headers::{
    CALLER_CREDENTIAL_HEADERS, CREDENTIAL_QUERY_KEYS, NEVER_UPSTREAM, UpstreamKey, may_be_nominated, query_key_allowed,
    query_key_is_credential, request_header_allowed, response_header_allowed,
};
pub use quota::Quota;

use crate::codec::selector::BadSelector;
use crate::codec::{Mark, Plan, Selector};

/// Whose API it is: decides error envelopes, headers and where the upstream's key goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    OpenAi,
    Azure,
    Anthropic,
    Gemini,
    Ollama,
    Cohere,
    Mistral,
    Bedrock,
    Mcp,
}

impl Family {
    pub const ALL: [Family; 9] = [
        Family::OpenAi,
        Family::Azure,
        Family::Anthropic,
        Family::Gemini,
        Family::Ollama,
        Family::Cohere,
        Family::Mistral,
        Family::Bedrock,
        Family::Mcp,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Family::OpenAi => "openai",
            Family::Azure => "azure",
            Family::Anthropic => "anthropic",
            Family::Gemini => "gemini",
            Family::Ollama => "ollama",
            Family::Cohere => "cohere",
            Family::Mistral => "mistral",
            Family::Bedrock => "bedrock",
            Family::Mcp => "mcp",
        }
    }
}

/// What a request of the dialect carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyKind {
    /// One JSON document.
    Json,
    /// Nothing: model lists and the like.
    None,
}

/// One wire format: a row of `FORMATS`.
#[derive(Debug)]
pub struct Dialect {
    /// The name configuration uses, `openai.chat`.
    pub name: &'static str,
    pub family: Family,
    pub body: BodyKind,
    tables: &'static [&'static [Selector]],
    /// The same for what its answers hold.
    answers: &'static [&'static [Selector]],
    marks: &'static [&'static [Mark]],
    /// Whose text stands in its answers; nothing where that is the model's alone.
    answer_marks: &'static [&'static [Mark]],
}

impl Dialect {
    const fn json(
        name: &'static str,
        family: Family,
        tables: &'static [&'static [Selector]],
        marks: &'static [&'static [Mark]],
    ) -> Self {
        Dialect { name, family, body: BodyKind::Json, tables, answers: &[], marks, answer_marks: &[] }
    }

    /// With the rows of its answers. What no row names is text there, too.
    const fn answering(mut self, answers: &'static [&'static [Selector]]) -> Self {
        self.answers = answers;
        self
    }

    /// With marks of its answers: attacks are looked for in what they place.
    const fn marking(mut self, marks: &'static [&'static [Mark]]) -> Self {
        self.answer_marks = marks;
        self
    }

    const fn bodiless(name: &'static str, family: Family) -> Self {
        let answers = &[rows::NAMES];
        Dialect { name, family, body: BodyKind::None, tables: &[], answers, marks: &[], answer_marks: &[] }
    }

    /// The rows for a request body, in order: the first that matches a path decides its treatment.
    pub fn selectors(&self) -> impl Iterator<Item = &'static Selector> {
        self.tables.iter().copied().flatten()
    }

    /// Whether its answers hold any text.
    pub fn answers_with_text(&self) -> bool {
        self.answers.iter().flat_map(|table| table.iter()).all(|row| row.path != "**")
    }

    /// How an answer is read: in one document or in events, whose paths are told apart.
    ///
    /// # Errors
    /// Never for the tables here, as a test proves.
    pub fn answer_plan(&self) -> Result<Plan, BadSelector> {
        let marks = self.answer_marks.iter().copied().flatten().copied();
        Plan::compile(self.answers.iter().copied().flatten().copied())?.with_marks(marks)
    }

    /// How a request body is read: its rows and whose text stands where.
    ///
    /// # Errors
    /// Never for the tables here, as a test proves.
    pub fn plan(&self) -> Result<Plan, BadSelector> {
        let plan = Plan::compile(self.selectors().copied())?;
        // A call with a notice in place of an argument is another call, and it would be made.
        let plan = if self.family == Family::Mcp { plan.refusing() } else { plan };
        plan.with_marks(self.marks.iter().copied().flatten().copied())
    }
}

/// Every wire format, by family.
pub static FORMATS: &[&Dialect] = &[
    &openai::CHAT,
    &openai::COMPLETIONS,
    &openai::RESPONSES,
    &openai::EMBEDDINGS,
    &openai::MODERATIONS,
    &openai::MODELS,
    &azure::CHAT,
    &azure::COMPLETIONS,
    &azure::RESPONSES,
    &azure::EMBEDDINGS,
    &azure::MODELS,
    &anthropic::MESSAGES,
    &anthropic::COUNT_TOKENS,
    &anthropic::BATCHES,
    &anthropic::MODELS,
    &gemini::GENERATE,
    &gemini::STREAM,
    &gemini::COUNT_TOKENS,
    &gemini::EMBED,
    &gemini::MODELS,
    &ollama::CHAT,
    &ollama::GENERATE,
    &ollama::EMBED,
    &ollama::TAGS,
    &cohere::CHAT,
    &mistral::CHAT,
    &mistral::FIM,
    &mistral::EMBEDDINGS,
    &mistral::MODELS,
    &bedrock::CONVERSE,
    &bedrock::CONVERSE_STREAM,
    &mcp::MESSAGE,
    &mcp::SESSION,
];

/// Those whose requests carry a body.
pub fn with_bodies() -> impl Iterator<Item = &'static Dialect> {
    FORMATS.iter().copied().filter(|dialect| dialect.body == BodyKind::Json)
}

/// The format of that name.
pub fn find(name: &str) -> Option<&'static Dialect> {
    FORMATS.iter().copied().find(|dialect| dialect.name == name)
}

#[cfg(test)]
mod tests;
