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
mod window;

use std::hash::RandomState;
use std::sync::Arc;

pub use judge::{Report, Verdict};
pub use limits::Limits;
pub use recall::Verdicts;
pub use request::{Refusal, Request};
pub use response::{AnswerLimits, AnswerReport, Broken, Form, Response, Sinks};
pub use sent::Sent;
pub use text::{Sanitized, text, text_with_names};

use crate::detect::{Category, Scanner, tagger};
use crate::policy::Matrix;

/// What requests are judged with, shared by all of them.
#[derive(Debug)]
pub struct Guard {
    pub scanner: Scanner,
    pub matrix: Matrix,
    /// Whether policy does something about the names of persons and places. Otherwise only who asks for them is told them.
    names: bool,
    /// Keys the hashes by which object keys are compared, so that nobody outside can make two collide.
    hashing: RandomState,
    /// Keys a second hash of texts, where one is too short.
    second: RandomState,
    /// Remembers what was found where; without it everything is scanned again.
    pub verdicts: Option<Arc<dyn Verdicts>>,
    /// Is asked where the scanner's score leaves doubt; without one that score stands.
    pub second_look: Option<consult::Second>,
}

impl Guard {
    pub fn new(scanner: Scanner, matrix: Matrix) -> Self {
        Guard {
            names: tagger::entities().any(|entity| matrix.acts_on(Category::Pii, entity)),
            scanner,
            matrix,
            hashing: RandomState::new(),
            second: RandomState::new(),
            verdicts: None,
            second_look: None,
        }
    }
}
