//! Made-up input for the benches: texts of each kind, and in `chats` whole bodies of them, in `hostile` what is made to be
//! slow. Seeded, so that every run sees the same; no sentence is anybody's data. Measures nothing.

#![allow(dead_code, reason = "each bench takes a part of it")]

pub mod chats;
pub mod hostile;
mod pieces;

use pieces::{CHINESE, CODE, DIRTY, JSON, NAMES, PROSE, THINGS, VERBS};

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
    English,
    Code,
    /// Two parts English, one part fenced code, as people write to models.
    Mix,
    /// What tools answer.
    Json,
    Chinese,
    /// The letters of an image.
    Image,
    /// A mix with one secret or personal datum in each kilobyte.
    Dirty,
    /// Random printable characters, which could be anything.
    Noise,
}

impl Kind {
    pub const ALL: [Kind; 8] =
        [Kind::Mix, Kind::English, Kind::Code, Kind::Json, Kind::Chinese, Kind::Image, Kind::Dirty, Kind::Noise];

    pub const fn name(self) -> &'static str {
        match self {
            Kind::English => "English",
            Kind::Code => "code",
            Kind::Mix => "mix",
            Kind::Json => "JSON",
            Kind::Chinese => "Chinese",
            Kind::Image => "image",
            Kind::Dirty => "dirty",
            Kind::Noise => "noise",
        }
    }
}

/// A text of about `bytes`.
pub fn text(kind: Kind, seed: u64, bytes: usize) -> String {
    /// Between two findings of a dirty text.
    const APART: usize = 1024;
    let mut rng = Rng::new(seed);
    let mut text = String::with_capacity(bytes + 1024);
    let mut next = APART / 2;
    while text.len() < bytes {
        text.push_str(&piece(kind, &mut rng));
        if kind == Kind::Dirty && text.len() >= next {
            text.push_str(&finding(&mut rng));
            next += APART;
        }
    }
    text.truncate(text.floor_char_boundary(bytes));
    text
}

/// A line with one finding.
fn finding(rng: &mut Rng) -> String {
    format!("{}\n", rng.pick(DIRTY))
}

/// A sentence, a snippet of code or an object, with its blanks filled in.
fn piece(kind: Kind, rng: &mut Rng) -> String {
    match kind {
        Kind::Code => fill(rng.pick(CODE), rng),
        Kind::Json => fill(rng.pick(JSON), rng),
        Kind::Chinese => fill(rng.pick(CHINESE), rng),
        Kind::Image => characters(rng, BASE64, 512),
        Kind::Noise => characters(rng, PRINTABLE, 64),
        // A snippet is about five times as long as a sentence.
        Kind::Mix | Kind::Dirty if rng.below(11) == 0 => format!("\n\n```\n{}```\n\n", fill(rng.pick(CODE), rng)),
        Kind::English | Kind::Mix | Kind::Dirty => {
            let end = if rng.below(6) == 0 { "\n\n" } else { " " };
            fill(rng.pick(PROSE), rng) + end
        }
    }
}

/// The letters of base64.
pub const BASE64: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
/// What a keyboard writes.
pub const PRINTABLE: &str =
    r##" !"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\]^_`abcdefghijklmnopqrstuvwxyz{|}~"##;

/// So many characters drawn from these.
pub fn characters(rng: &mut Rng, from: &str, count: usize) -> String {
    (0..count).map(|_| char::from(from.as_bytes()[rng.below(from.len())])).collect()
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
