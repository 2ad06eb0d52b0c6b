//! What was found in a text when it was scanned before: the history of a conversation comes again with every turn. Asks a
//! store it is given and keeps nothing itself.

use std::fmt;

use highway::{HighwayHash, HighwayHasher};

use super::Guard;
use super::known::Known;
use crate::detect::{Class, Finding};

/// Findings by a keyed hash of the text they were found in. Holds names and spans, never text, and may forget at any time.
/// A store belongs to one `Guard`: its keys mean nothing to another.
pub trait Verdicts: fmt::Debug + Send + Sync {
    fn get(&self, key: u128) -> Option<Vec<Finding>>;
    fn put(&self, key: u128, findings: &[Finding]);
    /// The same of a whole string value, by a hash of it as it is written.
    fn get_string(&self, key: u128) -> Option<Seen>;
    fn put_string(&self, key: u128, seen: &Seen);
}

/// A string value that was read before and of which nothing has to be masked: all that reading it again would tell.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Seen {
    pub findings: Vec<Finding>,
    /// What `Sent` remembers of it, each in as many bits as `WORD`.
    pub words: Vec<u64>,
    /// Bytes of the text it stands for.
    pub length: u64,
    /// Where the part ends, as it is written, that the text before could go on into, and where the one begins that could go on.
    pub head: usize,
    pub tail: usize,
}

impl Seen {
    /// Bits of a word.
    pub const WORD: u32 = 48;
}

/// Which scan the findings are of.
#[derive(Clone, Copy, Debug)]
pub(super) enum Scan {
    Text,
    Named,
    Label,
    /// Of two neighbouring texts, across the cut.
    Junction,
    /// Of a string value as it is written.
    Written,
    NamedWritten,
    LabelWritten,
    /// Of values that have a placeholder.
    Known,
    /// Of two neighbouring texts by the keys of both.
    Neighbours,
}

/// Shorter texts are scanned again: that takes no longer than asking.
pub(super) const WORTH: usize = 24;

impl From<Class> for Scan {
    fn from(class: Class) -> Self {
        match class {
            Class::Text => Scan::Text,
            Class::Named => Scan::Named,
            Class::Label => Scan::Label,
        }
    }
}

impl Guard {
    /// The class as which a text of this one is read.
    fn named(&self, class: Class) -> Class {
        if class == Class::Text && self.names { Class::Named } else { class }
    }

    /// The key of a string value of that class, as it is written, in which these values would be found again.
    pub(super) fn key_of_string(&self, class: Class, known: &mut Known, written: &[u8]) -> u128 {
        let known = known
            .fingerprint(|before, value| self.key_of_bytes(Scan::Known, [&before.to_le_bytes(), value.as_bytes()]));
        let scan = match self.named(class) {
            Class::Text => Scan::Written,
            Class::Named => Scan::NamedWritten,
            Class::Label => Scan::LabelWritten,
        };
        self.key_of_bytes(scan, [&known.to_le_bytes(), written])
    }

    /// The key of two texts that follow each other, or of a text that goes on, by those of both.
    pub(super) fn key_of_two(&self, first: u128, second: u128) -> u128 {
        self.key_of_bytes(Scan::Neighbours, [&first.to_le_bytes(), &second.to_le_bytes()])
    }

    /// The findings of a window, which are the same for the same text.
    pub(super) fn scan(&self, text: &str, class: Class) -> Vec<Finding> {
        let class = self.named(class);
        self.recall(class.into(), [text, ""], || {
            let mut findings = Vec::new();
            self.scanner.scan(text, 0, class, &mut findings);
            findings
        })
    }

    /// What `find` gives for these texts, or gave before. Findings, not actions: those are a matter of level and origin.
    pub(super) fn recall(&self, scan: Scan, texts: [&str; 2], find: impl FnOnce() -> Vec<Finding>) -> Vec<Finding> {
        let len = texts[0].len() + texts[1].len();
        let Some(verdicts) = self.verdicts.as_ref().filter(|_| len >= WORTH) else { return find() };
        let key = self.key(scan, texts);
        verdicts.get(key).unwrap_or_else(|| {
            let findings = find();
            verdicts.put(key, &findings);
            findings
        })
    }

    /// A keyed hash: nobody outside can make two texts collide, and by chance they will not.
    pub(super) fn key(&self, scan: Scan, texts: [&str; 2]) -> u128 {
        self.key_of_bytes(scan, texts.map(str::as_bytes))
    }

    fn key_of_bytes(&self, scan: Scan, texts: [&[u8]; 2]) -> u128 {
        let mut hasher = HighwayHasher::new(self.texts);
        for text in texts {
            hasher.append(&(text.len() as u64).to_le_bytes());
        }
        hasher.append(&[scan as u8]);
        texts.into_iter().for_each(|text| hasher.append(text));
        let [low, high] = hasher.finalize128();
        u128::from(high) << 64 | u128::from(low)
    }
}
