//! Authentication: a token, keys and a time in, a principal out. Fetches nothing.
//!
//! In every mode configured static tokens are tried first, so that a monitoring job can have one while people bring
//! JSON Web
//! Tokens, and so that they work while the issuer's keys cannot be loaded. The development tokens belong to the mode
//! `static` alone.
//!
//! The modes `jwt` (public keys of an issuer) and `hmac` (a shared secret) have no algorithm in common, so a public
//! key can never
//! be taken for a shared secret.

mod claims;
mod error;
mod jws;
mod keys;
mod principal;
mod provider;
mod revocation;
mod secret;
mod static_token;
mod strict_json;
#[cfg(test)]
mod tests;

use jsonwebtoken::DecodingKey;

pub use claims::{ClaimRules, MAX_LEEWAY};
pub use error::{AuthError, KeySetError, SetupError};
pub use jsonwebtoken::Algorithm;
pub use jws::MAX_KID;
pub use keys::{KeySet, MAX_KEYS};
pub use principal::{Mode, Principal, Scope};
pub use provider::install_crypto;
pub use revocation::{MAX_REVOCATIONS, RevocationError, Revocations};
pub use static_token::{DEVELOPMENT_TOKENS, DevelopmentToken, MIN_TOKEN, StaticToken, StaticTokens};

use jws::Compact;

/// The longest token that is looked at, in bytes. Real ones have one or two thousand.
pub const MAX_TOKEN: usize = 16 * 1024;

/// Algorithms of the mode `jwt`.
pub const JWT_ALGORITHMS: &[Algorithm] = &[
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
];

/// Algorithms of the mode `hmac`, each with the fewest bytes its secret may have (RFC 7518 section 3.2: the size of
/// the hash).
pub const HMAC_ALGORITHMS: &[(Algorithm, usize)] =
    &[(Algorithm::HS256, 32), (Algorithm::HS384, 48), (Algorithm::HS512, 64)];

/// Decides who presents a token. One is built for a configuration and shared by all requests.
#[derive(Clone, Debug)]
pub enum Authenticator {
    Static(StaticTokens),
    Jwt(Jwt, StaticTokens),
    Hmac(Hmac, StaticTokens),
}

/// Tokens signed by an issuer whose public keys are published.
#[derive(Clone, Debug)]
pub struct Jwt {
    algorithms: Vec<Algorithm>,
    rules: ClaimRules,
}

/// Tokens signed with a shared secret.
#[derive(Clone, Debug)]
pub struct Hmac {
    algorithm: Algorithm,
    key: DecodingKey,
    rules: ClaimRules,
}

/// Which key has to be in the [`KeySet`] for a token to be decided.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct KeyRequest {
    pub kid: Option<String>,
    pub algorithm: Algorithm,
}

impl Authenticator {
    /// The mode `static`.
    pub fn fixed(tokens: StaticTokens) -> Self {
        Authenticator::Static(tokens)
    }

    /// The mode `jwt`. `algorithms` are names out of [`JWT_ALGORITHMS`], at least one.
    pub fn jwt(algorithms: &[impl AsRef<str>], rules: ClaimRules, tokens: StaticTokens) -> Result<Self, SetupError> {
        install_crypto();
        rules.check()?;
        let algorithms =
            algorithms.iter().map(|name| jwt_algorithm(name.as_ref())).collect::<Result<Vec<_>, SetupError>>()?;
        if algorithms.is_empty() {
            return Err(SetupError::NoAlgorithm);
        }
        Ok(Authenticator::Jwt(Jwt { algorithms, rules }, tokens))
    }

    /// The mode `hmac`. `algorithm` is a name out of [`HMAC_ALGORITHMS`]; the secret has to be random and as long as
    /// its hash.
    pub fn hmac(algorithm: &str, secret: &[u8], rules: ClaimRules, tokens: StaticTokens) -> Result<Self, SetupError> {
        install_crypto();
        rules.check()?;
        let (algorithm, need) = hmac_algorithm(algorithm)?;
        secret::check(secret, need)?;
        Ok(Authenticator::Hmac(Hmac { algorithm, key: DecodingKey::from_secret(secret), rules }, tokens))
    }

    pub fn mode(&self) -> Mode {
        match self {
            Authenticator::Static(_) => Mode::Static,
            Authenticator::Jwt(..) => Mode::Jwt,
            Authenticator::Hmac(..) => Mode::Hmac,
        }
    }

    /// The key that must be at hand to decide this token. Nothing if [`Authenticator::authenticate`] decides it
    /// without: a static
    /// token, a token that is refused whatever the keys are, or another mode. So nothing is fetched for rubbish.
    pub fn needs_key(&self, token: &str) -> Option<KeyRequest> {
        let Authenticator::Jwt(jwt, tokens) = self else { return None };
        if token.len() > MAX_TOKEN || tokens.find(token).is_some() {
            return None;
        }
        let header = Compact::parse(token).ok()?.header;
        jwt.algorithms
            .contains(&header.algorithm)
            .then_some(KeyRequest { kid: header.kid, algorithm: header.algorithm })
    }

    /// Who presents `token` at `now` (Unix time in seconds). `keys` is looked at in the mode `jwt` only.
    pub fn authenticate(&self, token: &str, keys: &KeySet, now: u64) -> Result<Principal, AuthError> {
        if token.is_empty() {
            return Err(AuthError::Missing);
        }
        if token.len() > MAX_TOKEN {
            return Err(AuthError::TooLong);
        }
        let (Authenticator::Static(tokens) | Authenticator::Jwt(_, tokens) | Authenticator::Hmac(_, tokens)) = self;
        if let Some(principal) = tokens.find(token) {
            return Ok(principal);
        }
        match self {
            Authenticator::Static(_) => Err(AuthError::Unknown),
            Authenticator::Jwt(jwt, _) => jwt.rules.principal(&object(&jwt.payload(token, keys)?)?, Mode::Jwt, now),
            Authenticator::Hmac(hmac, _) => hmac.rules.principal(&object(&hmac.payload(token)?)?, Mode::Hmac, now),
        }
    }
}

impl Jwt {
    fn payload(&self, token: &str, keys: &KeySet) -> Result<Vec<u8>, AuthError> {
        let token = Compact::parse(token)?;
        if !self.algorithms.contains(&token.header.algorithm) {
            return Err(AuthError::Algorithm);
        }
        let key = keys.find(token.header.kid.as_deref(), token.header.algorithm)?;
        token.verify(key)
    }
}

impl Hmac {
    /// There is one secret, so a key id chooses nothing and is not looked at.
    fn payload(&self, token: &str) -> Result<Vec<u8>, AuthError> {
        let token = Compact::parse(token)?;
        if token.header.algorithm != self.algorithm {
            return Err(AuthError::Algorithm);
        }
        token.verify(&self.key)
    }
}

fn object(payload: &[u8]) -> Result<serde_json::Map<String, serde_json::Value>, AuthError> {
    strict_json::object(payload).ok_or(AuthError::Malformed)
}

fn jwt_algorithm(name: &str) -> Result<Algorithm, SetupError> {
    name.parse().ok().filter(|algorithm| JWT_ALGORITHMS.contains(algorithm)).ok_or_else(|| SetupError::Algorithm {
        name: name.to_owned(),
        supported: "RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 EdDSA",
    })
}

fn hmac_algorithm(name: &str) -> Result<(Algorithm, usize), SetupError> {
    let wanted = name.parse().ok();
    HMAC_ALGORITHMS
        .iter()
        .find(|(algorithm, _)| Some(*algorithm) == wanted)
        .copied()
        .ok_or_else(|| SetupError::Algorithm { name: name.to_owned(), supported: "HS256 HS384 HS512" })
}
