//! Why a caller was refused or a configuration was not accepted. Holds no token, no claim and no secret.

use thiserror::Error;

/// Why a token was not accepted. [`AuthError::KeysUnavailable`] and [`AuthError::RevocationsUnavailable`] are the gateway's
/// trouble (503), everything else the caller's (401).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
pub enum AuthError {
    #[error("no token was presented")]
    Missing,
    #[error("the token is longer than the limit")]
    TooLong,
    #[error("the token is not well formed")]
    Malformed,
    #[error("the token is not known")]
    Unknown,
    #[error("the token's algorithm is not allowed")]
    Algorithm,
    #[error("the token asks for an extension that is not supported")]
    Extension,
    #[error("no key of the issuer has the token's key id")]
    UnknownKey,
    #[error("the issuer's keys could not be loaded")]
    KeysUnavailable,
    #[error("the token's signature is not valid")]
    Signature,
    #[error("the token's claims are missing or have the wrong type")]
    Claims,
    #[error("the token has expired")]
    Expired,
    #[error("the token is not valid yet")]
    NotYetValid,
    #[error("the token was issued by another issuer")]
    Issuer,
    #[error("the token is meant for another audience")]
    Audience,
    #[error("the token, its subject or its client was revoked")]
    Revoked,
    #[error("what was revoked could not be loaded")]
    RevocationsUnavailable,
}

impl AuthError {
    pub const ALL: [AuthError; 16] = [
        AuthError::Missing,
        AuthError::TooLong,
        AuthError::Malformed,
        AuthError::Unknown,
        AuthError::Algorithm,
        AuthError::Extension,
        AuthError::UnknownKey,
        AuthError::KeysUnavailable,
        AuthError::Signature,
        AuthError::Claims,
        AuthError::Expired,
        AuthError::NotYetValid,
        AuthError::Issuer,
        AuthError::Audience,
        AuthError::Revoked,
        AuthError::RevocationsUnavailable,
    ];

    /// The value of the metric label `reason`.
    pub const fn reason(self) -> &'static str {
        match self {
            AuthError::Missing => "missing",
            AuthError::TooLong => "too_long",
            AuthError::Malformed => "malformed",
            AuthError::Unknown => "unknown",
            AuthError::Algorithm => "algorithm",
            AuthError::Extension => "extension",
            AuthError::UnknownKey => "unknown_key",
            AuthError::KeysUnavailable => "keys_unavailable",
            AuthError::Signature => "signature",
            AuthError::Claims => "claims",
            AuthError::Expired => "expired",
            AuthError::NotYetValid => "not_yet_valid",
            AuthError::Issuer => "issuer",
            AuthError::Audience => "audience",
            AuthError::Revoked => "revoked",
            AuthError::RevocationsUnavailable => "revocations_unavailable",
        }
    }
}

/// Why an authenticator could not be built. Carries numbers and names of settings, never a secret.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SetupError {
    #[error("the secret has {have} bytes, at least {need} are needed")]
    ShortSecret { have: usize, need: usize },
    #[error("the secret is a placeholder, a dictionary phrase or a repetition; generate a random one")]
    WeakSecret,
    #[error("a development token or placeholder cannot be configured as a token")]
    PlaceholderToken,
    #[error("a token's SHA-256 must be 64 hexadecimal digits")]
    TokenHash,
    #[error("the same token is configured twice")]
    DuplicateToken,
    #[error("`{name}` is not an algorithm this mode supports; supported: {supported}")]
    Algorithm { name: String, supported: &'static str },
    #[error("no algorithm is allowed")]
    NoAlgorithm,
    #[error("an issuer is required")]
    NoIssuer,
    #[error("an audience is required")]
    NoAudience,
    #[error("a leeway of {have} s is more than the maximum of {max} s")]
    Leeway { have: u64, max: u64 },
}

/// Why a document is not a usable key set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum KeySetError {
    #[error("the document is not a JSON Web Key Set")]
    NotAKeySet,
    #[error("the key set has {0} keys, more than the limit")]
    TooManyKeys(usize),
}
