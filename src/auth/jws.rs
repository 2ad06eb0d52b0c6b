//! A signed token in compact form: strict reading and the signature. Knows nothing of claims.

use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, crypto};
use serde_json::{Map, Value};

use super::error::AuthError;
use super::strict_json;

/// The longest key id, in bytes.
pub const MAX_KID: usize = 256;

/// Header members that change what the rest means (RFC 7515 `crit`, RFC 7797 `b64`, RFC 7516 `zip` and `enc`).
/// A reader that ignores them reads another token than the issuer signed. `jku`, `x5u`, `jwk` and `x5c` are not here:
/// they
/// offer a key, and keys from tokens are never looked at.
const EXTENSIONS: &[&str] = &["crit", "b64", "zip", "enc"];

/// Types of tokens that give access (RFC 7519 section 5.1, RFC 9068). A logout token or a DPoP proof of the same
/// issuer,
/// signed with the same key, is another kind of statement (RFC 8725 section 3.11).
const TYPES: &[&str] = &["jwt", "at+jwt", "application/jwt", "application/at+jwt"];

/// A token taken apart. Nothing in it is trusted before [`Compact::verify`].
pub(super) struct Compact<'a> {
    pub header: Header,
    signed: &'a str,
    payload: Vec<u8>,
    signature: &'a str,
}

pub(super) struct Header {
    pub algorithm: Algorithm,
    pub kid: Option<String>,
}

impl<'a> Compact<'a> {
    /// Exactly three segments of canonical base64url without padding, the first of them a header this gateway
    /// understands.
    /// The caller has limited the token's length.
    pub fn parse(token: &'a str) -> Result<Self, AuthError> {
        let (signed, signature) = token.rsplit_once('.').ok_or(AuthError::Malformed)?;
        let (header, payload) = signed.split_once('.').ok_or(AuthError::Malformed)?;
        let header = strict_json::object(&decode(header)?).ok_or(AuthError::Malformed)?;
        // A fourth segment leaves a dot in the payload, which is not base64url.
        let payload = decode(payload)?;
        decode(signature)?;
        Ok(Compact { header: Header::read(&header)?, signed, payload, signature })
    }

    /// The payload, if `key` signed it with the header's algorithm. The caller has checked that the key may be used
    /// with it.
    pub fn verify(self, key: &DecodingKey) -> Result<Vec<u8>, AuthError> {
        match crypto::verify(self.signature, self.signed.as_bytes(), key, self.header.algorithm) {
            Ok(true) => Ok(self.payload),
            _ => Err(AuthError::Signature),
        }
    }
}

impl Header {
    fn read(members: &Map<String, Value>) -> Result<Self, AuthError> {
        if EXTENSIONS.iter().any(|name| members.contains_key(*name)) {
            return Err(AuthError::Extension);
        }
        let algorithm = members.get("alg").and_then(Value::as_str).ok_or(AuthError::Algorithm)?;
        let algorithm = Algorithm::from_str(algorithm).map_err(|_| AuthError::Algorithm)?;
        match members.get("typ") {
            None => {}
            Some(Value::String(kind)) if TYPES.contains(&kind.to_ascii_lowercase().as_str()) => {}
            Some(_) => return Err(AuthError::Malformed),
        }
        let kid = match members.get("kid") {
            None => None,
            Some(Value::String(kid)) if is_key_id(kid) => Some(kid.clone()),
            Some(_) => return Err(AuthError::Malformed),
        };
        Ok(Header { algorithm, kid })
    }
}

/// A key id that is compared, cached and shown: not empty, bounded, printable.
pub(super) fn is_key_id(kid: &str) -> bool {
    !kid.is_empty() && kid.len() <= MAX_KID && !kid.chars().any(char::is_control)
}

/// The engine refuses padding, other alphabets, whitespace and non-zero trailing bits, so each value has one spelling.
fn decode(segment: &str) -> Result<Vec<u8>, AuthError> {
    URL_SAFE_NO_PAD.decode(segment).map_err(|_| AuthError::Malformed)
}
