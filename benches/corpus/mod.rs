//! Made-up input for the benches: prose, code, both, text full of findings, and whole chat bodies. Seeded, so that every
//! run sees the same; no sentence is anybody's data. Measures nothing.

#![allow(dead_code, reason = "each bench takes a part of it")]

mod pieces;

use std::sync::Arc;

use pieces::{CODE, DIRTY, NAMES, PROSE, THINGS, VERBS};

/// A small generator (SplitMix64): the same numbers everywhere, and cheap beside what is measured.
#[derive(Clone, Debug)]
pub struct Rng(u64);

impl Rng {
    pub fn new(seed: u64) -> Self {
        Rng(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }
}

/// What a text is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Prose,
    Code,
    /// Two parts prose, one part fenced code, as people write to models.
    Mix,
}

/// A benign text of about `bytes`.
pub fn text(kind: Kind, seed: u64, bytes: usize) -> String {
    let mut rng = Rng::new(seed);
    let mut text = String::with_capacity(bytes + 1024);
    while text.len() < bytes {
        text.push_str(&piece(kind, &mut rng));
    }
    text.truncate(text.floor_char_boundary(bytes));
    text
}

/// A mix with one secret or personal datum in each kilobyte.
pub fn dirty(seed: u64, bytes: usize) -> String {
    let mut rng = Rng::new(seed);
    let mut text = String::with_capacity(bytes + 1024);
    let mut next = 512;
    while text.len() < bytes {
        text.push_str(&piece(Kind::Mix, &mut rng));
        if text.len() >= next {
            text.push_str(rng.pick(DIRTY));
            text.push('\n');
            next += 1024;
        }
    }
    text.truncate(text.floor_char_boundary(bytes));
    text
}

/// A sentence, or a snippet of code, with its blanks filled in.
fn piece(kind: Kind, rng: &mut Rng) -> String {
    let code = match kind {
        Kind::Prose => false,
        Kind::Code => true,
        // A snippet is about five times as long as a sentence.
        Kind::Mix => rng.below(11) == 0,
    };
    let template = if code { rng.pick(CODE) } else { rng.pick(PROSE) };
    let filled = fill(template, rng);
    match (kind, code) {
        (Kind::Mix, true) => format!("\n\n```\n{filled}```\n\n"),
        (_, true) => filled,
        _ if rng.below(6) == 0 => filled + "\n\n",
        _ => filled + " ",
    }
}

/// `{thing}`, `{verb}`, `{name}`, and `{n}` for a number.
fn fill(template: &str, rng: &mut Rng) -> String {
    let mut filled = String::with_capacity(template.len() + 64);
    let mut rest = template;
    while let Some((before, tail)) = rest.split_once('«') {
        let (blank, after) = tail.split_once('»').unwrap_or((tail, ""));
        filled.push_str(before);
        match blank {
            "thing" => filled.push_str(rng.pick(THINGS)),
            "verb" => filled.push_str(rng.pick(VERBS)),
            "name" => filled.push_str(rng.pick(NAMES)),
            _ => filled.push_str(&(2 + rng.below(480)).to_string()),
        }
        rest = after;
    }
    filled.push_str(rest);
    filled
}

/// Makes chat bodies of one size, each another one. The pieces are made once, so that a load generator can afford it.
#[derive(Clone)]
pub struct Chats {
    rng: Rng,
    pieces: Arc<[String]>,
    bytes: usize,
}

const OPENING: &str = r#"{"model":"gpt-5-mini","temperature":0.2,"messages":[{"role":"system","content":"You are a careful assistant for a team that runs a storage service. Answer briefly and name the file you mean."}"#;
const CLOSING: &str = r#"],"stream":false,"max_completion_tokens":512}"#;
const TURNS: [&str; 2] = [r#",{"role":"user","content":""#, r#",{"role":"assistant","content":""#];
const TURN_END: &str = r#""}"#;
const PIECES: usize = 4096;
/// A turn of the conversation is as long as a page and a half.
const TURN: usize = 4096;
const SHORTEST_TURN: usize = 256;

impl Chats {
    /// Bodies of `bytes`, less at most the length of a sentence.
    pub fn new(seed: u64, bytes: usize) -> Self {
        let mut rng = Rng::new(seed);
        let escaped = |piece: String| {
            let quoted = serde_json::to_string(&piece).expect("a string is JSON");
            quoted[1..quoted.len() - 1].to_owned()
        };
        let pieces = (0..PIECES).map(|_| escaped(piece(Kind::Mix, &mut rng))).collect();
        Chats { rng, pieces, bytes }
    }

    /// Others, put together from the same pieces.
    pub fn others(&self, seed: u64, bytes: usize) -> Self {
        Chats { rng: Rng::new(seed), pieces: self.pieces.clone(), bytes }
    }

    /// Appends the next body.
    pub fn next(&mut self, body: &mut Vec<u8>) {
        let start = body.len();
        let end = start + self.bytes.saturating_sub(CLOSING.len() + TURN_END.len());
        body.extend_from_slice(OPENING.as_bytes());
        for turn in 0.. {
            body.extend_from_slice(TURNS[turn % 2].as_bytes());
            self.turn(body, end.min(body.len() + TURN));
            body.extend_from_slice(TURN_END.as_bytes());
            if body.len() + SHORTEST_TURN > end {
                break;
            }
        }
        body.extend_from_slice(CLOSING.as_bytes());
    }

    /// Pieces up to `end`, as long as one of a few tried fits.
    fn turn(&mut self, body: &mut Vec<u8>, end: usize) {
        let mut misses = 0;
        while misses < 16 {
            let piece = &self.pieces[self.rng.below(self.pieces.len())];
            if body.len() + piece.len() > end {
                misses += 1;
            } else {
                body.extend_from_slice(piece.as_bytes());
            }
        }
    }
}

/// A chat body with one message, `content`.
pub fn chat(content: &str) -> Vec<u8> {
    let content = serde_json::to_string(content).expect("a string is JSON");
    format!(r#"{{"model":"gpt-5-mini","messages":[{{"role":"user","content":{content}}}]}}"#).into_bytes()
}

/// A chat body with an image of `bytes` base64 letters.
pub fn image_chat(seed: u64, bytes: usize) -> Vec<u8> {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut rng = Rng::new(seed);
    let image: String = (0..bytes / 4 * 4).map(|_| char::from(rng.pick(LETTERS))).collect();
    let url = format!(r#"{{"type":"image_url","image_url":{{"url":"data:image/png;base64,{image}"}}}}"#);
    let text = r#"{"type":"text","text":"What is in this picture?"}"#;
    format!(r#"{{"model":"gpt-5-mini","messages":[{{"role":"user","content":[{text},{url}]}}]}}"#).into_bytes()
}
