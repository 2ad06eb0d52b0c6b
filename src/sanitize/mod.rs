//! The streaming sanitizer: bytes in, bytes and a report out. Knows nothing of HTTP, sockets or providers.
//!
//! [`Request`] reads a JSON body in any chunks, masks inside its string values and splices every other byte through;
//! [`text`] does the same for one piece of plain text. Neither's outcome depends on how its input was cut.

mod judge;
mod junction;
pub mod limits;
mod media;
mod nested;
mod output;
mod request;
pub mod scrub;
mod text;
mod window;

use std::hash::RandomState;

pub use judge::{Report, Verdict};
pub use limits::Limits;
pub use request::{Refusal, Request};
pub use text::{Sanitized, text};

use crate::detect::Scanner;
use crate::policy::Matrix;

/// What requests are judged with, shared by all of them.
#[derive(Debug)]
pub struct Guard {
    pub scanner: Scanner,
    pub matrix: Matrix,
    /// Keys the hashes by which object keys are compared, so that nobody outside can make two collide.
    pub hashing: RandomState,
}
