//! What is known of the string value being read and of the containers around it. Decides nothing.

use super::case::Whose;
use crate::codec::json::Container;
use crate::codec::selector::Place;
use crate::detect::scanner::Class;
use crate::sanitize::judge::Tally;
use crate::sanitize::junction::Row;
use crate::sanitize::media::MediaCheck;
use crate::text::Origin;

/// One open container.
#[derive(Debug)]
pub(super) struct Frame {
    pub place: Place,
    pub container: Container,
    /// Number of this object, part of its keys' hashes.
    pub number: u64,
    /// Length of `key_stack` when it was opened.
    pub keys: usize,
    pub whose: Whose,
    /// What its `type` member said so far.
    pub kind: Kind,
    /// Bits of the guard keys seen with a non-empty string.
    pub witnesses: u8,
    /// Whether text waits for it to tell if it is signed.
    pub waiting: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Kind {
    #[default]
    Unknown,
    Text,
    Base64,
}

/// What the last key means to its object.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct KeyMark {
    pub hash: u64,
    pub guard: u8,
    pub is_type: bool,
    pub is_role: bool,
}

impl KeyMark {
    /// Whether the value tells something of its object.
    pub fn is_told(self) -> bool {
        self.is_type || self.is_role
    }
}

/// The string value being read.
#[derive(Debug)]
pub(super) struct Current {
    pub mode: Mode,
    pub place: Option<Place>,
    pub mark: KeyMark,
    pub signed: Option<(usize, u8)>,
    /// It names what the API remembers.
    pub is_state: bool,
    /// It names the model that is to answer.
    pub is_model: bool,
    pub row: Option<Row>,
    pub whose: Whose,
    /// Attacks that wait to be judged.
    pub tallies: Vec<Tally>,
    /// Its last text was masked.
    pub ends_masked: bool,
    pub type_text: String,
    pub len: u64,
    /// By which it is known again, if it may be.
    pub key: Option<u128>,
}

#[derive(Debug)]
pub(super) enum Mode {
    Inspect(Class),
    /// Passed if short, inspected as a label otherwise.
    Name,
    /// Undecided: the window holds all of it. `strict` ends as text when it is short.
    Media {
        check: MediaCheck,
        strict: bool,
    },
    /// Media that has proved to be; the check goes on.
    Flow(MediaCheck),
    Unread(&'static str),
    /// Taken as read.
    Recalled,
}

/// Longest `type` or `role` that is of interest.
pub(super) const TYPE: usize = 16;

impl Default for Current {
    fn default() -> Self {
        Current {
            mode: Mode::Inspect(Class::Text),
            place: None,
            mark: KeyMark::default(),
            signed: None,
            is_state: false,
            is_model: false,
            row: None,
            whose: Whose::Known(Origin::Other),
            tallies: Vec::new(),
            ends_masked: false,
            type_text: String::new(),
            len: 0,
            key: None,
        }
    }
}
