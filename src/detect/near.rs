//! Whether the words around a random-looking token say that it is a secret. Knows nothing of the token's own form: that is the rule's.

mod lexicon;

use serde::Deserialize;

use crate::text::Span;
use lexicon::{COMMON_VENDOR, CONNECTOR, DIGEST, ID, ID_OWNER, QUALIFIER, STRONG, VENDOR, WEAK};

/// What a rule asks of the text around its match, `near = "..."`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Near {
    /// A word for a credential stands before it on the line, or close behind it ("... is my key").
    Credential,
    /// A key, token or password is said to be it: `key = ...`, `"token": "..."`, "the key is ...".
    Assigned,
    /// The name of a service stands before it; where the name is also an ordinary word, with a word for a credential or
    /// as what the token is given to.
    Vendor,
    /// The same, and it is said to be the service's: for forms that are mostly identifiers.
    VendorAssigned,
    /// Nothing says that it is a public, primary or cache key, a digest or a revision: for rules whose pattern has the rest.
    Unqualified,
    /// An identifier that goes with a secret is said to be it: `client_id`, `appId`.
    Identifier,
}

impl Near {
    /// True if what is around `span` is what the rule asks for. `seen` is of this text.
    pub(super) fn accepts(self, text: &str, span: Span, seen: &mut Seen) -> bool {
        let before = seen.before(text, span.start);
        match self {
            Near::Credential => before.credential() || (seen.sight == Sight::Both && credential_behind(text, span.end)),
            Near::Assigned => before.assigned(),
            Near::Vendor => before.vendor(),
            Near::VendorAssigned => before.vendor() && (before.assigned() || before.given_to_vendor()),
            Near::Unqualified => before.unqualified(),
            Near::Identifier => before.identifier(),
        }
    }

    /// False if no token inside `run`, the whole of a run of letters, digits and the signs that join them, can be accepted. Told once
    /// for all rules that ask, before any of their patterns is tried. `seen` is of this text.
    pub(super) fn may_accept(self, text: &str, run: Span, seen: &mut Seen) -> bool {
        let meanings = self.meanings();
        meanings == 0 || {
            let known = seen.around(text, run);
            known.meanings & meanings != 0 || self == Near::Credential && known.behind
        }
    }

    /// Lower-case words of which one is around every span that is accepted, at most `AROUND` bytes from it. None if there
    /// are no such words.
    pub(super) fn words(self) -> Vec<Vec<u8>> {
        let more = if matches!(self, Near::Credential | Near::Assigned) { GLUED } else { &[] };
        lexicon::with(self.meanings()).chain(more.iter().copied()).map(<[u8]>::to_vec).collect()
    }

    /// What one word before every span that is accepted means; zero if there need be none.
    fn meanings(self) -> u16 {
        match self {
            Near::Credential => STRONG | WEAK,
            Near::Assigned => STRONG,
            Near::Vendor | Near::VendorAssigned => VENDOR | COMMON_VENDOR,
            Near::Unqualified => 0,
            Near::Identifier => ID,
        }
    }
}

/// What stands before the latest places of one text: several rules ask about the same token.
#[derive(Debug, Default)]
pub(super) struct Seen {
    places: [Option<(usize, Before)>; SEEN],
    runs: [Option<(Span, Around)>; SEEN],
    /// What the words of the text mean: those before one token stand before the next as well.
    known: Known,
    pub sight: Sight,
}

/// What the latest words mean, by their places.
#[derive(Debug)]
struct Known([(Span, u8, [u16; MOST_PARTS]); KNOWN]);

impl Default for Known {
    fn default() -> Self {
        Known([(Span::new(0, 0), 0, [0; MOST_PARTS]); KNOWN])
    }
}

/// What the words around a run and in it mean.
#[derive(Clone, Copy, Debug)]
struct Around {
    /// All those before it, and those it consists of, which stand before a token that begins later in it.
    meanings: u16,
    /// A credential is spoken of close behind it.
    behind: bool,
}

/// To which side of a match its surroundings are looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Sight {
    #[default]
    Both,
    /// What stands behind it is not written yet, and nobody waits for it.
    Before,
}

impl Seen {
    pub fn new(sight: Sight) -> Self {
        Seen { sight, ..Seen::default() }
    }

    fn before(&mut self, text: &str, at: usize) -> Before {
        let known = &mut self.places[at % SEEN];
        match known {
            Some((place, before)) if *place == at => *before,
            _ => known.insert((at, Before::of(text, at, &mut self.known))).1,
        }
    }

    fn around(&mut self, text: &str, run: Span) -> Around {
        if let Some((known, around)) = self.runs[run.start % SEEN]
            && known == run
        {
            return around;
        }
        let before = self.before(text, run.start);
        let around = Around::of(text, run, &before, &mut self.known, self.sight);
        self.runs[run.start % SEEN] = Some((run, around));
        around
    }
}

impl Around {
    fn of(text: &str, run: Span, before: &Before, known: &mut Known, sight: Sight) -> Self {
        let bytes = text.as_bytes();
        let (front, back) = (bytes.get(..run.start).unwrap_or_default(), bytes.get(run.end..).unwrap_or_default());
        // The run goes on in letters that are not ASCII: what its first word is, only the token tells.
        if front.last().is_some_and(|byte| !byte.is_ascii()) {
            return Around { meanings: u16::MAX, behind: true };
        }
        let (mut meanings, mut start) = (before.meanings(), run.start);
        for word in bytes.get(run.start..run.end).unwrap_or_default().split(|byte| !is_word(*byte)) {
            let mut inside = Before::default();
            if !word.is_empty() {
                inside.look_up(Span::new(start, start + word.len()), word, false, known);
            }
            meanings |= inside.meanings();
            start += word.len() + 1;
        }
        // A token may take in a sign that ends a run and what that joins to it.
        let goes_on = back.first().is_some_and(|byte| JOINTS.contains(byte));
        Around { meanings, behind: sight == Sight::Both && (goes_on || credential_behind(text, run.end)) }
    }
}

/// The words before a token, nearest first, those that mean nothing included.
#[derive(Clone, Copy, Debug, Default)]
struct Before {
    words: [Word; MOST_WORDS],
    count: usize,
    /// Something that gives a value stands between the nearest word and the token.
    sign: bool,
}

#[derive(Clone, Copy, Debug, Default)]
struct Word {
    meaning: u16,
    /// On the token's line, or on the line before if the token begins its own.
    near: bool,
}

impl Before {
    fn of(text: &str, at: usize, known: &mut Known) -> Self {
        let start = text.floor_char_boundary(at.saturating_sub(REACH));
        let bytes = &text.as_bytes()[start..at];
        let (mut rest, gap) = bytes.split_at(bytes.len() - ending(bytes, |b| !is_word(b)));
        let mut before = Before { sign: gap.iter().any(|b| SIGNS.contains(b)), ..Before::default() };
        let mut near = gap.iter().filter(|b| **b == b'\n').count() < 2;
        while before.count < MOST_WORDS && !rest.is_empty() {
            let (left, run) = rest.split_at(rest.len() - ending(rest, is_word));
            before.look_up(Span::new(start + left.len(), start + rest.len()), run, near, known);
            let (left, separator) = left.split_at(left.len() - ending(left, |b| !is_word(b)));
            near = near && !separator.contains(&b'\n');
            rest = left;
        }
        before
    }

    /// Takes in what the run that stands at `place` says.
    fn look_up(&mut self, place: Span, run: &[u8], near: bool, known: &mut Known) {
        let (known, count, meanings) = &mut known.0[place.end % KNOWN];
        if *known == place {
            return meanings.iter().take(usize::from(*count)).for_each(|meaning| self.push(*meaning, near));
        }
        let first = self.count;
        self.read(run, near);
        let read = self.words.get(first..self.count).unwrap_or_default();
        if read.len() <= meanings.len() && self.count < MOST_WORDS {
            (*known, *count) = (place, read.len() as u8);
            meanings.iter_mut().zip(read).for_each(|(meaning, word)| *meaning = word.meaning);
        }
    }

    /// Takes in what a run of letters and digits says: `fbApiKey` is "key", "api" and "fb" as well as one word.
    fn read(&mut self, run: &[u8], near: bool) {
        let mut lower = [0; LONGEST_WORD];
        let Some(lower) = lower.get_mut(..run.len()).filter(|_| !is_token(run)) else { return self.push(0, near) };
        lower.copy_from_slice(run);
        lower.make_ascii_lowercase();
        let first = self.count;
        let mut end = run.len();
        while end > 0 {
            let from = part(run, end);
            if !run.get(from).is_some_and(u8::is_ascii_digit) {
                self.push(lexicon::meaning_or_beginning(&lower[from..end]), near);
            }
            if from == 0 && end < run.len() {
                self.push(lexicon::meaning_or_beginning(lower), near);
            }
            end = from;
        }
        if let Some(word) = self.words.get_mut(first)
            && word.meaning & (STRONG | WEAK | DIGEST) == 0
            && is_glued(lower)
        {
            word.meaning |= STRONG;
        }
    }

    fn push(&mut self, meaning: u16, near: bool) {
        if let Some(word) = self.words.get_mut(self.count) {
            *word = Word { meaning, near };
            self.count += 1;
        }
    }

    /// What all of its words mean.
    fn meanings(&self) -> u16 {
        self.words().fold(0, |all, word| all | word.meaning)
    }

    fn words(&self) -> impl Iterator<Item = &Word> {
        self.words.iter().take(self.count)
    }

    fn has(&self, at: usize, meaning: u16) -> bool {
        self.words().nth(at).is_some_and(|word| word.meaning & meaning != 0)
    }

    /// The nearest word that makes something of the token: a secret or a digest.
    fn decisive(&self, reach: usize) -> Option<(usize, u16)> {
        let mut near = self.words().take(reach).take_while(|word| word.near).enumerate();
        near.find_map(|(at, word)| match word.meaning & (STRONG | WEAK | DIGEST) {
            0 => None,
            meaning => Some((at, meaning)),
        })
    }

    fn credential(&self) -> bool {
        self.decisive(MOST_WORDS).is_some_and(|(at, meaning)| meaning & DIGEST == 0 && !self.qualified(at))
    }

    fn assigned(&self) -> bool {
        let Some((at, meaning)) = self.decisive(ASSIGNED_WORDS) else { return false };
        let said = self.sign || self.has(0, CONNECTOR);
        meaning & DIGEST == 0 && meaning & STRONG != 0 && (said || at == 0) && !self.qualified(at)
    }

    /// "primary key", "cache token": not what opens a door.
    fn qualified(&self, at: usize) -> bool {
        self.has(at + 1, QUALIFIER)
    }

    fn unqualified(&self) -> bool {
        self.decisive(ASSIGNED_WORDS).is_none_or(|(at, meaning)| meaning & DIGEST == 0 && !self.qualified(at))
    }

    fn vendor(&self) -> bool {
        let near = || self.words().take_while(|word| word.near);
        let digest = near().take(VENDOR_WORDS).any(|word| word.meaning & DIGEST != 0);
        let credential = near().any(|word| word.meaning & (STRONG | WEAK) != 0);
        let named = |word: &Word| word.meaning & VENDOR != 0 && (word.near || credential);
        let common = || credential && self.words().any(|word| word.meaning & COMMON_VENDOR != 0);
        !digest && (self.words().take(VENDOR_WORDS).any(named) || self.given_to_vendor() || common())
    }

    /// `render: ...`, `notion = "..."`
    fn given_to_vendor(&self) -> bool {
        self.sign && self.has(0, VENDOR | COMMON_VENDOR)
    }

    fn identifier(&self) -> bool {
        self.sign && self.has(0, ID) && (self.has(0, ID_OWNER) || self.has(1, ID_OWNER))
    }
}

/// Cut in more parts than a name has: another token.
fn is_token(run: &[u8]) -> bool {
    run.len() >= SHORTEST_TOKEN && (1..run.len()).filter(|at| begins_part(run, *at)).nth(MOST_PARTS).is_some()
}

fn is_word(b: u8) -> bool {
    CLASSES[usize::from(b)] != 0
}

/// How many bytes at the end are of a kind.
fn ending(bytes: &[u8], kind: impl Fn(u8) -> bool) -> usize {
    bytes.len() - bytes.iter().rposition(|b| !kind(*b)).map_or(0, |other| other + 1)
}

/// Where the part begins that ends at `end`.
fn part(run: &[u8], end: usize) -> usize {
    (1..end).rev().find(|at| begins_part(run, *at)).unwrap_or(0)
}

/// Where a word in camel case begins, or digits begin or end.
fn begins_part(run: &[u8], at: usize) -> bool {
    let class = |at: usize| run.get(at).map_or(0, |byte| CLASSES[usize::from(*byte)]);
    let Some(before) = at.checked_sub(1).map(class) else { return true };
    match class(at) {
        UPPER => before != UPPER || class(at + 1) == LOWER,
        DIGIT => before != DIGIT,
        _ => before == DIGIT,
    }
}

/// `algoliakey`, `mytoken`: a name and a word for a credential with nothing between them.
fn is_glued(word: &[u8]) -> bool {
    // Every ending below ends with one of these.
    if !matches!(word.last(), Some(b'y' | b'n' | b't' | b'd' | b'h' | b'i' | b's')) {
        return false;
    }
    let endings: [&[u8]; 5] = [b"apikey", b"token", b"secret", b"password", b"passwd"];
    let after = |end: &&[u8]| word.strip_suffix(*end).is_some_and(|name| name.len() > 1);
    let service = |end: &&[u8]| {
        word.strip_suffix(*end).is_some_and(|name| lexicon::meaning(name) & (VENDOR | COMMON_VENDOR) != 0)
    };
    endings.iter().any(after) || GLUED.iter().any(service)
}

/// "... is my production key", "... (Datadog token)": a few words on the same line lead to a word for a credential.
fn credential_behind(text: &str, at: usize) -> bool {
    let behind = text.as_bytes().get(at..).unwrap_or_default();
    let closing = behind.iter().take_while(|byte| b"\"'`),".contains(byte)).count();
    if !matches!(behind.get(closing), Some(b' ' | b'\t')) {
        return false;
    }
    let end = text.ceil_char_boundary((at + BEHIND).min(text.len()));
    let line = text[at..end].lines().next().unwrap_or_default();
    if line.is_ascii() {
        let words = line.as_bytes().split(|byte| !byte.is_ascii_alphanumeric());
        is_decided(words.filter(|word| !word.is_empty()))
    } else {
        is_decided(line.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::as_bytes))
    }
}

/// The first of a few words that makes something of a token makes it a secret.
fn is_decided<'t>(words: impl Iterator<Item = &'t [u8]>) -> bool {
    let meaning = |word: &[u8]| {
        let mut lower = [0; LONGEST_WORD];
        lower.get_mut(..word.len()).map_or(0, |lower| {
            lower.copy_from_slice(word);
            lower.make_ascii_lowercase();
            lexicon::meaning(lower)
        })
    };
    let mut meanings = words.take(BEHIND_WORDS).map(meaning);
    meanings.find(|meaning| meaning & (DIGEST | STRONG) != 0).is_some_and(|meaning| meaning & DIGEST == 0)
}

const LOWER: u8 = 1;
const UPPER: u8 = 2;
const DIGIT: u8 = 3;
/// Of a word in another alphabet.
const OTHER: u8 = 4;
/// The class of every byte; zero for what no word has.
const CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut byte = 0_u8;
    loop {
        classes[byte as usize] = match byte {
            b'a'..=b'z' => LOWER,
            b'A'..=b'Z' => UPPER,
            b'0'..=b'9' => DIGIT,
            0x80.. => OTHER,
            _ => 0,
        };
        if byte == u8::MAX {
            break classes;
        }
        byte += 1;
    }
};
/// What joins the parts of a token that are runs of their own, and fills it up.
const JOINTS: &[u8] = b".~:=";
/// What follows the name of a service in one word with it.
const GLUED: &[&[u8]] = &[b"key", b"auth", b"pat", b"api", b"pass"];
/// How far from a token words are read at most.
pub(super) const AROUND: usize = 96;
/// Places that are remembered, a power of two.
const SEEN: usize = 8;
/// Words that are, a power of two.
const KNOWN: usize = 32;
/// How far before a token words are read, in bytes and in words.
const REACH: usize = 96;
const MOST_WORDS: usize = 14;
/// How many words may stand between a key and what it is said to be.
const ASSIGNED_WORDS: usize = 6;
const VENDOR_WORDS: usize = 8;
const BEHIND: usize = 56;
const BEHIND_WORDS: usize = 7;
const LONGEST_WORD: usize = 40;
const SHORTEST_TOKEN: usize = 12;
const MOST_PARTS: usize = 5;
/// What gives a value to the name before it.
const SIGNS: &[u8] = b"=:>(\"'`|";

#[cfg(test)]
mod tests {
    use super::*;

    /// The token in a case is the word of x-es.
    fn accepts(near: Near, text: &str) -> bool {
        near.accepts(text, token(text), &mut Seen::default())
    }

    fn token(text: &str) -> Span {
        let start = text.find("xxxx").expect("the token");
        let length = text[start..].bytes().take_while(|b| *b == b'x').count();
        Span::new(start, start + length)
    }

    #[test]
    fn the_nearest_word_that_says_something_decides() {
        for (near, yes, no) in [
            (
                Near::Credential,
                &[
                    "my api key xxxx",
                    "call the API with xxxx",
                    "please rotate xxxx",
                    "xxxx is my production key",
                    "fbApiKey: 'xxxx'",
                ] as &[&str],
                &["token sha256 xxxx", "see xxxx", "primary key xxxx", "the key\nand\nthen xxxx", "xxxx commit key"]
                    as &[&str],
            ),
            (
                Near::Assigned,
                &["key=xxxx", "\"token\": \"xxxx\"", "the key for prod is xxxx", "key xxxx", "algoliakey: xxxx"],
                &["the key of xxxx", "etag: xxxx", "public key: xxxx", "cache_key: xxxx", "monkey: xxxx"],
            ),
            (
                Near::Unqualified,
                &["key=xxxx", "see xxxx"],
                &["public_key=xxxx", "token_hash: xxxx", "oauth2 v0.1 h1:xxxx"],
            ),
            (Near::VendorAssigned, &["HEROKU_API_KEY=xxxx", "linear: xxxx"], &["heroku app xxxx", "api_key=xxxx"]),
            (
                Near::Identifier,
                &["client_id=xxxx", "\"appId\": \"xxxx\"", "clientid: xxxx"],
                &["row_id=xxxx", "client xxxx"],
            ),
            (
                Near::Vendor,
                &["algolia_admin: xxxx", "my datadog xxxx", "notion token xxxx"],
                &["datadog trace id xxxx", "a notion xxxx"],
            ),
        ] {
            for text in yes {
                assert!(accepts(near, text), "{near:?} refuses {text}");
                assert!(near.may_accept(text, token(text), &mut Seen::default()), "{near:?} passes over {text}");
            }
            for text in no {
                assert!(!accepts(near, text), "{near:?} accepts {text}");
            }
        }
    }

    #[test]
    fn a_run_is_passed_over_where_nothing_around_it_and_nothing_in_it_says_anything() {
        let may = |near: Near, text: &str| {
            let start = text.find(['X', '-']).expect("the run");
            let end = text[start..].find([' ', '=']).map_or(text.len(), |length| start + length);
            near.may_accept(text, Span::new(start, end), &mut Seen::default())
        };
        for (near, text) in [
            (Near::Credential, "see Xxxx here"),
            (Near::Assigned, "see Xxxx and the key"),
            (Near::Vendor, "my key Xxxx"),
            (Near::Identifier, "my key: Xxxx"),
        ] {
            assert!(!may(near, text), "{near:?} asks about {text}");
        }
        for (near, text) in [
            (Near::Credential, "see X-key-xxxx here"),
            (Near::Credential, "see Xxxx, my key"),
            (Near::Credential, "see Xxxx= here"),
            (Near::Assigned, "see X/token/xxxx"),
            (Near::Vendor, "éX"),
            (Near::Unqualified, "see Xxxx"),
        ] {
            assert!(may(near, text), "{near:?} passes over {text}");
        }
    }

    #[test]
    fn a_name_is_read_in_its_parts() {
        let parts =
            |run: &str| -> Vec<usize> { (0..run.len()).filter(|at| begins_part(run.as_bytes(), *at)).collect() };
        assert_eq!(parts("fbApiKey2"), [0, 2, 5, 8]);
        assert_eq!(parts("APIKey"), [0, 3]);
        assert_eq!(parts("größe"), [0]);
    }
}
