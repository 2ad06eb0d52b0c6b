//! A JSON Web Key Set: which keys may verify what. Fetches nothing and holds public keys only.

use std::collections::{HashMap, HashSet};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::error::{AuthError, KeySetError};
use super::jws::is_key_id;
use super::strict_json;

/// The most keys a set may have. Issuers publish two to ten.
pub const MAX_KEYS: usize = 256;

/// The keys of one issuer that are fit to verify signatures. Anything else in the document was left out, key by key.
#[derive(Clone, Debug, Default)]
pub struct KeySet {
    named: HashMap<String, Key>,
    unnamed: Vec<Key>,
    ignored: usize,
}

/// One public key and the algorithms it is bound to.
#[derive(Clone, Debug)]
struct Key {
    algorithms: Vec<Algorithm>,
    decoding: DecodingKey,
}

impl KeySet {
    /// Reads a JWKS document (RFC 7517 section 5). A key that is not fit is left out and counted; one bad key does
    /// not void the rest.
    ///
    /// Of keys with the same id none is used: which one is meant would depend on the reader.
    pub fn parse(document: &[u8]) -> Result<Self, KeySetError> {
        let document: Document = serde_json::from_slice(document).map_err(|_| KeySetError::NotAKeySet)?;
        if document.keys.len() > MAX_KEYS {
            return Err(KeySetError::TooManyKeys(document.keys.len()));
        }
        let mut set = KeySet::default();
        let mut ambiguous = HashSet::new();
        for raw in &document.keys {
            match parse_key(raw.get()) {
                None => set.ignored += 1,
                Some((None, key)) => set.unnamed.push(key),
                Some((Some(kid), key)) => {
                    if set.named.insert(kid.clone(), key).is_some() {
                        set.ignored += 1;
                        ambiguous.insert(kid);
                    }
                }
            }
        }
        set.ignored += ambiguous.len();
        set.named.retain(|kid, _| !ambiguous.contains(kid));
        Ok(set)
    }

    /// Number of usable keys.
    pub fn len(&self) -> usize {
        self.named.len() + self.unnamed.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Number of keys in the document that are not used.
    pub fn ignored(&self) -> usize {
        self.ignored
    }

    /// True if asking the issuer again could not help: the set has what a token with this header needs, or refuses it
    /// for good.
    pub fn answers(&self, kid: Option<&str>, algorithm: Algorithm) -> bool {
        !matches!(self.find(kid, algorithm), Err(AuthError::UnknownKey))
    }

    /// The key a token asks for. A token without key id is served only if exactly one key fits its algorithm.
    pub(super) fn find(&self, kid: Option<&str>, algorithm: Algorithm) -> Result<&DecodingKey, AuthError> {
        match kid {
            Some(kid) => {
                let key = self.named.get(kid).ok_or(AuthError::UnknownKey)?;
                key.algorithms.contains(&algorithm).then_some(&key.decoding).ok_or(AuthError::Algorithm)
            }
            None => {
                let mut fitting =
                    self.named.values().chain(&self.unnamed).filter(|key| key.algorithms.contains(&algorithm));
                match (fitting.next(), fitting.next()) {
                    (Some(key), None) => Ok(&key.decoding),
                    _ => Err(AuthError::UnknownKey),
                }
            }
        }
    }
}

/// The keys are read one by one, so that a bad one does not void the others.
#[derive(Deserialize)]
struct Document {
    keys: Vec<Box<RawValue>>,
}

fn parse_key(text: &str) -> Option<(Option<String>, Key)> {
    let members = strict_json::object(text.as_bytes())?;
    if !is_for_verification(&members) {
        return None;
    }
    let kid = match members.get("kid") {
        None => None,
        Some(Value::String(kid)) if is_key_id(kid) => Some(kid.clone()),
        Some(_) => return None,
    };
    let (fitting, decoding) = match members.get("kty")?.as_str()? {
        "RSA" => (RSA, rsa(&members)?),
        "EC" => elliptic(&members)?,
        "OKP" => (ED25519, ed25519(&members)?),
        // `oct` is a shared secret: published in a key set it is a secret no more.
        _ => return None,
    };
    Some((kid, Key { algorithms: bound_algorithms(&members, fitting)?, decoding }))
}

const RSA: &[Algorithm] =
    &[Algorithm::RS256, Algorithm::RS384, Algorithm::RS512, Algorithm::PS256, Algorithm::PS384, Algorithm::PS512];
const P256: &[Algorithm] = &[Algorithm::ES256];
const P384: &[Algorithm] = &[Algorithm::ES384];
const ED25519: &[Algorithm] = &[Algorithm::EdDSA];

/// `use`, if named, is `sig`; `key_ops`, if named, has `verify`; and no private part is published with it: everybody
/// could sign.
fn is_for_verification(members: &Map<String, Value>) -> bool {
    let is_sig = members.get("use").is_none_or(|value| value.as_str() == Some("sig"));
    let may_verify = members.get("key_ops").is_none_or(|value| {
        value.as_array().is_some_and(|ops| ops.iter().any(|operation| operation.as_str() == Some("verify")))
    });
    let is_public = !["d", "p", "q", "dp", "dq", "qi", "oth", "k"].iter().any(|name| members.contains_key(*name));
    is_sig && may_verify && is_public
}

/// The one algorithm the key names, or all that its type can do. A named algorithm that does not fit voids the key.
fn bound_algorithms(members: &Map<String, Value>, fitting: &[Algorithm]) -> Option<Vec<Algorithm>> {
    match members.get("alg") {
        None => Some(fitting.to_vec()),
        Some(Value::String(name)) => {
            let algorithm = name.parse().ok()?;
            fitting.contains(&algorithm).then(|| vec![algorithm])
        }
        Some(_) => None,
    }
}

fn rsa(members: &Map<String, Value>) -> Option<DecodingKey> {
    let n = bytes(members, "n")?;
    let e = bytes(members, "e")?;
    // Some issuers print the sign byte of their big-integer library; ring refuses it.
    let n = n.strip_prefix(&[0]).unwrap_or(&n);
    is_strong_rsa(n, &e).then(|| DecodingKey::from_rsa_raw_components(n, &e))
}

/// 2048 to 8192 bits with the top bit set where it is counted, an odd exponent from 3 to 33 bits, and not a ROCA key.
fn is_strong_rsa(n: &[u8], e: &[u8]) -> bool {
    let bits = n.first().map_or(0, |first| n.len() * 8 - first.leading_zeros() as usize);
    let exponent = (e.len() <= 5).then(|| e.iter().fold(0u64, |value, byte| value << 8 | u64::from(*byte)));
    let is_exponent = |value: u64| (3..1 << 33).contains(&value) && value % 2 == 1 && e.first() != Some(&0);
    (2048..=8192).contains(&bits) && exponent.is_some_and(is_exponent) && !is_roca(n)
}

/// True for the weak keys of CVE-2017-15361, whose modulus is a power of 65537 modulo every small prime. A random
/// modulus passes
/// for one with a probability of about 2^-27.
fn is_roca(n: &[u8]) -> bool {
    const PRIMES: [u32; 38] = [
        3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101, 103, 107,
        109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167,
    ];
    PRIMES.iter().all(|&prime| {
        let residue = n.iter().fold(0, |value, byte| (value << 8 | u32::from(*byte)) % prime);
        let mut power = 1;
        (0..prime).any(|_| {
            power = power * (65537 % prime) % prime;
            power == residue
        })
    })
}

fn elliptic(members: &Map<String, Value>) -> Option<(&'static [Algorithm], DecodingKey)> {
    let (algorithms, size) = match members.get("crv")?.as_str()? {
        "P-256" => (P256, 32),
        "P-384" => (P384, 48),
        _ => return None,
    };
    let (x, y) = (bytes(members, "x")?, bytes(members, "y")?);
    // That the point lies on the curve is checked by ring at each verification.
    (x.len() == size && y.len() == size)
        .then(|| (algorithms, DecodingKey::from_ec_der(&[&[4], x.as_slice(), y.as_slice()].concat())))
}

fn ed25519(members: &Map<String, Value>) -> Option<DecodingKey> {
    let x = bytes(members, "x")?;
    (members.get("crv")?.as_str()? == "Ed25519" && x.len() == 32).then(|| DecodingKey::from_ed_der(&x))
}

fn bytes(members: &Map<String, Value>, name: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(members.get(name)?.as_str()?).ok()
}
