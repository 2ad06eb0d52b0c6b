//! Whether the words around a random-looking token say that it is a secret. Knows nothing of the token's own form: that is the rule's.

mod lexicon;

use serde::Deserialize;

use crate::text::Span;
use lexicon::{COMMON_VENDORS, CONNECTORS, CREDENTIALS, DIGESTS, ID_OWNERS, IDS, QUALIFIERS, STRONG, VENDORS};

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
    /// An identifier that goes with a secret is said to be it: `client_id`, `appId`.
    Identifier,
}

impl Near {
    /// True if what is around `span` is what the rule asks for.
    pub fn accepts(self, text: &str, span: Span) -> bool {
        let before = Before::of(text, span.start);
        match self {
            Near::Credential => before.credential() || credential_behind(text, span.end),
            Near::Assigned => before.assigned(),
            Near::Vendor => before.vendor(),
            Near::VendorAssigned => before.vendor() && (before.assigned() || before.given_to_vendor()),
            Near::Identifier => before.identifier(),
        }
    }
}

/// The words before a token, nearest first.
struct Before {
    words: Vec<Word>,
    /// Something that gives a value stands between the nearest word and the token.
    sign: bool,
}

struct Word {
    meaning: Meaning,
    connector: bool,
    vendor: bool,
    common_vendor: bool,
    qualifier: bool,
    id: bool,
    id_owner: bool,
    /// On the token's line, or on the line before if the token begins its own.
    near: bool,
}

/// What a word makes of the token it stands before. The nearest word that makes something of it decides.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Meaning {
    Nothing,
    /// A key, a token, a password.
    Strong,
    /// Something about credentials: `auth`, `login`, "revoke".
    Weak,
    /// A digest, a revision, a trace.
    Digest,
}

impl Before {
    fn of(text: &str, at: usize) -> Self {
        let start = text.floor_char_boundary(at.saturating_sub(REACH));
        let before = &text[start..at];
        let tail = before.len() - before.bytes().rev().take_while(|b| !b.is_ascii_alphanumeric() && *b < 0x80).count();
        let gap = &before[tail..];
        let mut words = Vec::new();
        let mut near = !gap.contains("\n\n");
        for (word, separator) in backwards(&before[..tail]) {
            near = near && !separator.contains('\n');
            Word::read(word, near, &mut words);
            if words.len() >= MOST_WORDS {
                break;
            }
        }
        Before { words, sign: gap.bytes().any(|b| SIGNS.contains(&b)) }
    }

    fn decisive(&self, reach: usize) -> Option<(usize, Meaning)> {
        let mut near = self.words.iter().take(reach).take_while(|word| word.near).enumerate();
        near.find_map(|(at, word)| (word.meaning != Meaning::Nothing).then_some((at, word.meaning)))
    }

    fn credential(&self) -> bool {
        self.decisive(MOST_WORDS).is_some_and(|(at, meaning)| meaning != Meaning::Digest && !self.qualified(at))
    }

    fn assigned(&self) -> bool {
        let Some((at, Meaning::Strong)) = self.decisive(ASSIGNED_WORDS) else { return false };
        let said = self.sign || self.words.first().is_some_and(|word| word.connector);
        (said || at == 0) && !self.qualified(at)
    }

    /// "primary key", "cache token": not what opens a door.
    fn qualified(&self, at: usize) -> bool {
        self.words.iter().skip(at + 1).take(2).any(|word| word.qualifier)
    }

    fn vendor(&self) -> bool {
        let near = || self.words.iter().take_while(|word| word.near);
        let digest = near().take(VENDOR_WORDS).any(|word| word.meaning == Meaning::Digest);
        let credential = near().any(|word| matches!(word.meaning, Meaning::Strong | Meaning::Weak));
        let vendor = self.words.iter().take(VENDOR_WORDS).any(|word| word.vendor && (word.near || credential));
        !digest && (vendor || self.given_to_vendor() || credential && self.words.iter().any(|word| word.common_vendor))
    }

    /// `render: ...`, `notion = "..."`
    fn given_to_vendor(&self) -> bool {
        self.sign && self.words.first().is_some_and(|word| word.vendor || word.common_vendor)
    }

    fn identifier(&self) -> bool {
        let id = self.words.first().is_some_and(|word| word.id);
        let owner = self.words.iter().take(2).any(|word| word.id_owner);
        self.sign && id && owner
    }
}

impl Word {
    /// Appends what a run of letters and digits says: `fbApiKey` is "key", "api" and "fb" as well as one word.
    fn read(run: &str, near: bool, words: &mut Vec<Word>) {
        if run.len() > LONGEST_WORD {
            words.push(Word::nothing(near));
            return;
        }
        let whole = run.to_ascii_lowercase();
        let parts = parts(run);
        let first = words.len();
        words.extend(parts.iter().rev().map(|part| Word::of(&part.to_ascii_lowercase(), near)));
        if parts.len() != 1 {
            words.push(Word::of(&whole, near));
        }
        if let Some(word) = words.get_mut(first)
            && word.meaning == Meaning::Nothing
            && let Some(meaning) = glued(&whole)
        {
            word.meaning = meaning;
        }
    }

    fn of(word: &str, near: bool) -> Self {
        let meaning = if DIGESTS.has(word) {
            Meaning::Digest
        } else if STRONG.has(word) {
            Meaning::Strong
        } else if CREDENTIALS.has(word) {
            Meaning::Weak
        } else {
            Meaning::Nothing
        };
        Word {
            meaning,
            connector: CONNECTORS.has(word),
            vendor: meaning == Meaning::Nothing && VENDORS.begins(word),
            common_vendor: COMMON_VENDORS.has(word),
            qualifier: QUALIFIERS.has(word),
            id: IDS.has(word),
            id_owner: ID_OWNERS.has(word),
            near,
        }
    }

    fn nothing(near: bool) -> Self {
        Word {
            meaning: Meaning::Nothing,
            connector: false,
            vendor: false,
            common_vendor: false,
            qualifier: false,
            id: false,
            id_owner: false,
            near,
        }
    }
}

/// `algoliakey`, `mytoken`: a name and a word for a credential with nothing between them.
fn glued(whole: &str) -> Option<Meaning> {
    let endings = ["apikey", "token", "secret", "password", "passwd"];
    let vendors = ["key", "auth", "pat", "api", "pass"];
    let after = |end: &&str| whole.strip_suffix(*end).is_some_and(|name| name.len() > 1);
    let vendor =
        |end: &&str| whole.strip_suffix(*end).is_some_and(|name| VENDORS.has(name) || COMMON_VENDORS.has(name));
    (endings.iter().any(after) || vendors.iter().any(vendor)).then_some(Meaning::Strong)
}

/// Runs of letters and digits from the end, each with what stands between it and the one read before.
fn backwards(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let (mut rest, mut separator) = (text, "");
    std::iter::from_fn(move || {
        let length = rest.bytes().rev().take_while(|b| b.is_ascii_alphanumeric() || *b >= 0x80).count();
        let (before, word) = rest.split_at_checked(rest.len() - length)?;
        if word.is_empty() {
            return None;
        }
        let width = before.bytes().rev().take_while(|b| !b.is_ascii_alphanumeric() && *b < 0x80).count();
        let (left, next) = before.split_at_checked(before.len() - width)?;
        let given = (word, separator);
        (rest, separator) = (left, next);
        Some(given)
    })
}

/// The parts of a name in camel case; digits part words and are none.
fn parts(run: &str) -> Vec<&str> {
    let bytes = run.as_bytes();
    let upper = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_uppercase);
    let lower = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_lowercase);
    let digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    let starts = |at: usize| {
        at > 0
            && (upper(at) && (!upper(at - 1) || lower(at + 1)) || digit(at) != digit(at - 1))
            && run.is_char_boundary(at)
    };
    let mut found = Vec::new();
    let mut from = 0;
    for at in (1..run.len()).filter(|at| starts(*at)).chain([run.len()]) {
        found.extend(run.get(from..at).filter(|part| !part.starts_with(|c: char| c.is_ascii_digit())));
        from = at;
    }
    found
}

/// "... is my production key", "... (Datadog token)": a few words on the same line lead to a word for a credential.
fn credential_behind(text: &str, at: usize) -> bool {
    let end = text.ceil_char_boundary((at + BEHIND).min(text.len()));
    let line = text[at..end].lines().next().unwrap_or_default();
    let mut words = line.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).take(BEHIND_WORDS);
    let prose = line.trim_start_matches(['"', '\'', '`', ')', ',']).starts_with([' ', '\t']);
    prose
        && words.by_ref().find_map(|word| {
            let word = word.to_ascii_lowercase();
            if DIGESTS.has(&word) { Some(false) } else { STRONG.has(&word).then_some(true) }
        }) == Some(true)
}

/// How far before a token words are read, in bytes and in words.
const REACH: usize = 96;
const MOST_WORDS: usize = 14;
/// How many words may stand between a key and what it is said to be.
const ASSIGNED_WORDS: usize = 6;
const VENDOR_WORDS: usize = 8;
const BEHIND: usize = 56;
const BEHIND_WORDS: usize = 7;
const LONGEST_WORD: usize = 40;
/// What gives a value to the name before it.
const SIGNS: &[u8] = b"=:>(\"'`|";

#[cfg(test)]
mod tests {
    use super::*;

    /// The token in a case is the word of x-es.
    fn accepts(near: Near, text: &str) -> bool {
        let start = text.find("xxxx").expect("the token");
        let length = text[start..].bytes().take_while(|b| *b == b'x').count();
        near.accepts(text, Span::new(start, start + length))
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
            }
            for text in no {
                assert!(!accepts(near, text), "{near:?} accepts {text}");
            }
        }
    }

    #[test]
    fn a_name_is_read_in_its_parts() {
        assert_eq!(parts("fbApiKey2"), ["fb", "Api", "Key"]);
        assert_eq!(parts("APIKey"), ["API", "Key"]);
        assert_eq!(parts("größe"), ["größe"]);
    }
}
