//! Why a request goes no further. Knows no HTTP status.

use std::sync::Arc;

use crate::codec::coding::CodingError;
use crate::codec::json::{Reason, SyntaxError};

/// Why a request goes no further. Carries names and numbers, never text of the request.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Refusal {
    #[error("the body is not valid JSON: {0}")]
    Syntax(#[from] SyntaxError),
    #[error("an object repeats one of its keys")]
    DuplicateKey,
    #[error("the name of a field contains {0}, which cannot be masked there")]
    FindingInKey(Arc<str>),
    #[error("a field that must hold base64 media holds something else")]
    NotMedia,
    #[error("objects hold more than {0} keys")]
    TooManyKeys(usize),
    #[error("a string is longer than {0} bytes")]
    StringTooLong(u64),
    #[error("the body is longer than {0} bytes")]
    BodyTooLong(u64),
    #[error("signed text with findings is longer than {0} bytes")]
    SignedTooLong(usize),
    #[error("{0}")]
    Coding(#[from] CodingError),
    /// The report says which categories.
    #[error("the request was blocked by policy")]
    Policy,
}

impl Refusal {
    /// The machine-readable reason: `error.code` of the answer and a metric label.
    pub fn code(&self) -> &'static str {
        match self {
            Refusal::Syntax(SyntaxError { reason: Reason::TooDeep | Reason::KeyTooLong, .. })
            | Refusal::TooManyKeys(_) => "json_limit",
            Refusal::Syntax(_) => "invalid_json",
            Refusal::DuplicateKey => "duplicate_key",
            Refusal::FindingInKey(_) => "finding_in_key",
            Refusal::NotMedia => "invalid_media",
            Refusal::StringTooLong(_) | Refusal::BodyTooLong(_) | Refusal::SignedTooLong(_) => "request_too_large",
            Refusal::Coding(CodingError::TooLarge { .. } | CodingError::Bomb { .. }) => "request_too_large",
            Refusal::Coding(CodingError::Damaged) => "invalid_encoding",
            Refusal::Policy => "content_filter",
        }
    }
}
