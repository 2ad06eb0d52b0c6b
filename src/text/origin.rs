//! Whose text it is. Decides nothing; policy does.

use std::fmt;

/// Where a text of a request comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Origin {
    /// The application: system and developer messages.
    System,
    /// The last user message. What no table places elsewhere in a conversation is taken for it.
    User,
    /// A user message that another user message or a tool result follows.
    History,
    /// The model: its answers, its reasoning, the arguments of its tool calls.
    Assistant,
    /// What a tool returned.
    Tool,
    /// A document, or a passage of one, given to the model to read.
    Document,
    /// Definitions of tools and schemas.
    Definition,
    /// Anything else.
    #[default]
    Other,
}

impl Origin {
    pub const ALL: [Origin; 8] = [
        Origin::System,
        Origin::User,
        Origin::History,
        Origin::Assistant,
        Origin::Tool,
        Origin::Document,
        Origin::Definition,
        Origin::Other,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Origin::System => "system",
            Origin::User => "user",
            Origin::History => "history",
            Origin::Assistant => "assistant",
            Origin::Tool => "tool",
            Origin::Document => "document",
            Origin::Definition => "definition",
            Origin::Other => "other",
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
