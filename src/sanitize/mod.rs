//! The streaming sanitizer: bytes in, bytes and a report out. Knows nothing of HTTP, sockets or providers.
//!
//! [`Request`] reads a JSON body in any chunks, masks inside its string values and splices every other byte through;
//! [`Response`] gives the caller's values back in the answer and masks what the model made up; [`text`] sanitizes one piece
//! of plain text. No outcome depends on how the input was cut.

pub mod consult;
mod judge;
mod junction;
mod known;
pub mod limits;
mod media;
mod nested;
mod output;
mod placer;
mod recall;
mod request;
mod response;
pub mod scrub;
mod sent;
mod text;
mod trace;
mod window;

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use highway::Key;

pub use judge::{Report, Verdict};
pub use limits::Limits;
pub use recall::{Seen, Verdicts};
pub use request::{Refusal, Request, Whole};
pub use response::{AnswerLimits, AnswerReport, Broken, Form, Response, Sinks, Usage};
pub use sent::Sent;
pub use text::{Sanitized, text, text_with_names};

use crate::detect::{Category, Scanner, tagger};
use crate::policy::{Matrix, NamedPolicy};

/// What requests are judged with, shared by all of them.
#[derive(Debug)]
pub struct Guard {
    pub scanner: Arc<Scanner>,
    pub matrix: Matrix,
    /// Judged beside it, and followed in nothing.
    pub candidate: Option<NamedPolicy>,
    /// Whether policy does something about the names of persons and places. Otherwise only who asks for them is told them.
    names: bool,
    /// Keys the hashes by which object keys are compared, so that nobody outside can make two collide.
    hashing: RandomState,
    /// Keys the hashes by which texts are known again: of 128 bits, as one text taken for another would pass unread.
    texts: Key,
    /// Keys those by which single words are.
    words: foldhash::quality::RandomState,
    /// Remembers what was found where; without it everything is scanned again.
    pub verdicts: Option<Arc<dyn Verdicts>>,
    /// Is asked where the scanner's score leaves doubt; without one that score stands.
    pub second_look: Option<consult::Second>,
}

impl Guard {
    pub fn new(scanner: impl Into<Arc<Scanner>>, matrix: Matrix) -> Self {
        Guard {
            names: acts_on_names(&matrix),
            scanner: scanner.into(),
            matrix,
            candidate: None,
            hashing: RandomState::new(),
            texts: Key(std::array::from_fn(|part| RandomState::new().hash_one(part))),
            words: foldhash::quality::RandomState::default(),
            verdicts: None,
            second_look: None,
        }
    }

    /// This guard with a policy that is judged beside its own.
    pub fn trying(mut self, candidate: Option<NamedPolicy>) -> Self {
        self.names |= candidate.as_ref().is_some_and(|candidate| acts_on_names(&candidate.matrix));
        self.candidate = candidate;
        self
    }
}

fn acts_on_names(matrix: &Matrix) -> bool {
    tagger::entities().any(|entity| matrix.acts_on(Category::Pii, entity))
}
