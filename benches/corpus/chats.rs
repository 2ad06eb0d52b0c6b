//! Chat bodies: many of one size, each another one, and an agent's turns, each a little longer than the one before. Made
//! from pieces that are made once, so that a load generator can afford it. Sends nothing.

use std::sync::Arc;

use super::{Kind, Rng, finding, piece};

/// Makes chat bodies of one size, each another one.
#[derive(Clone)]
pub struct Chats {
    rng: Rng,
    kind: Kind,
    pieces: Arc<[String]>,
    bytes: usize,
}

const OPENING: &str = r#"{"model":"gpt-5-mini","temperature":0.2,"messages":[{"role":"system","content":"You are a careful assistant for a team that runs a storage service. Answer briefly and name the file you mean."}"#;
const CLOSING: &str = r#"],"stream":false,"max_completion_tokens":512}"#;
const PIECES: usize = 4096;
/// Between two findings of a dirty body.
const APART: usize = 1024;
const SHORTEST_TURN: usize = 256;

/// How the messages of a kind begin and end, in turns, and how long they are at most.
struct Shape {
    turns: [(&'static str, &'static str); 2],
    longest: usize,
}

/// A turn of a conversation is as long as a page and a half.
const TALK: Shape = Shape {
    turns: [(r#",{"role":"user","content":""#, r#""}"#), (r#",{"role":"assistant","content":""#, r#""}"#)],
    longest: 4096,
};
const TOOLS: Shape = Shape {
    turns: [(
        r#",{"role":"assistant","content":null,"tool_calls":[{"id":"call_7f3a","type":"function","function":{"name":"search","arguments":"{\"path\":\"src\",\"limit\":200}"}}]},{"role":"tool","tool_call_id":"call_7f3a","content":"["#,
        r#"null]"}"#,
    ); 2],
    longest: 8192,
};
const IMAGE: Shape = Shape {
    turns: [(
        r#",{"role":"user","content":[{"type":"text","text":"What is in this picture?"},{"type":"image_url","image_url":{"url":"data:image/png;base64,"#,
        r#""}}]}"#,
    ); 2],
    longest: usize::MAX,
};

impl Kind {
    const fn shape(self) -> Shape {
        match self {
            Kind::Json => TOOLS,
            Kind::Image => IMAGE,
            Kind::English | Kind::Code | Kind::Mix | Kind::Chinese | Kind::Dirty | Kind::Noise => TALK,
        }
    }
}

impl Chats {
    /// Bodies of `bytes`, less at most the length of a sentence.
    pub fn new(kind: Kind, seed: u64, bytes: usize) -> Self {
        let mut rng = Rng::new(seed);
        let pieces = (0..PIECES).map(|_| escaped(&piece(kind, &mut rng))).collect();
        Chats { rng, kind, pieces, bytes }
    }

    /// Others, put together from the same pieces.
    pub fn others(&self, seed: u64, bytes: usize) -> Self {
        Chats { rng: Rng::new(seed), bytes, ..self.clone() }
    }

    /// A number for a seed.
    pub fn draw(&mut self) -> u64 {
        self.rng.next()
    }

    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Appends the next body.
    pub fn next(&mut self, body: &mut Vec<u8>) {
        let end = body.len() + self.bytes.saturating_sub(CLOSING.len());
        self.messages(body, end);
        body.extend_from_slice(CLOSING.as_bytes());
    }

    /// All of a body but its end.
    fn messages(&mut self, body: &mut Vec<u8>, end: usize) {
        let Shape { turns, longest } = self.kind.shape();
        body.extend_from_slice(OPENING.as_bytes());
        for (opens, closes) in turns.into_iter().cycle() {
            body.extend_from_slice(opens.as_bytes());
            self.turn(body, end.saturating_sub(closes.len()).min(body.len().saturating_add(longest)));
            body.extend_from_slice(closes.as_bytes());
            if body.len() + SHORTEST_TURN > end {
                break;
            }
        }
    }

    /// Pieces up to `end`, as long as one of a few tried fits.
    fn turn(&mut self, body: &mut Vec<u8>, end: usize) {
        let (mut misses, mut next) = (0, body.len() + APART / 2);
        while misses < 16 {
            let piece = &self.pieces[self.rng.below(self.pieces.len())];
            if body.len() + piece.len() > end {
                misses += 1;
            } else {
                body.extend_from_slice(piece.as_bytes());
            }
            if self.kind == Kind::Dirty && body.len() >= next {
                body.extend_from_slice(escaped(&finding(&mut self.rng)).as_bytes());
                next += APART;
            }
        }
    }
}

/// An agent's conversation: each body is the one before and a turn of 4 KB more; after a few it goes back to where it was, and
/// on in other words.
pub struct Conversation {
    chats: Chats,
    messages: Vec<u8>,
    history: usize,
    turns: usize,
}

const TURNS: usize = 8;
const NEW: usize = 4096;

impl Conversation {
    pub fn new(mut chats: Chats) -> Self {
        let mut messages = Vec::new();
        let bytes = chats.bytes;
        chats.messages(&mut messages, bytes);
        Conversation { chats, history: messages.len(), messages, turns: 0 }
    }

    /// Appends the next body.
    pub fn next(&mut self, body: &mut Vec<u8>) {
        if self.turns == TURNS {
            self.messages.truncate(self.history);
            self.turns = 0;
        }
        self.turns += 1;
        let [(user, end), (assistant, _)] = TALK.turns;
        for (opens, bytes) in [(assistant, NEW / 4), (user, NEW - NEW / 4)] {
            self.messages.extend_from_slice(opens.as_bytes());
            let end_of_turn = self.messages.len() + bytes - opens.len() - end.len();
            self.chats.turn(&mut self.messages, end_of_turn);
            self.messages.extend_from_slice(end.as_bytes());
        }
        body.extend_from_slice(&self.messages);
        body.extend_from_slice(CLOSING.as_bytes());
    }
}

/// A chat body with one message, `content`.
pub fn chat(content: &str) -> Vec<u8> {
    format!(r#"{{"model":"gpt-5-mini","messages":[{{"role":"user","content":"{}"}}]}}"#, escaped(content)).into_bytes()
}

fn escaped(text: &str) -> String {
    let quoted = serde_json::to_string(text).expect("a string is JSON");
    quoted[1..quoted.len() - 1].to_owned()
}
