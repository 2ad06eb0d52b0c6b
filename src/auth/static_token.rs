//! Opaque tokens from a table, kept as SHA-256. Not JSON Web Tokens.

use std::fmt;

use ring::digest::{SHA256, digest};
use subtle::{ConditionallySelectable, ConstantTimeEq};

use super::error::SetupError;
use super::principal::{Mode, Principal};
use super::secret;

/// The shortest token that may be configured, in bytes.
pub const MIN_TOKEN: usize = 32;

/// A token everybody knows, for trying the gateway on one's own machine.
#[derive(Clone, Copy, Debug)]
pub struct DevelopmentToken {
    pub token: &'static str,
    pub client_id: &'static str,
    pub scopes: &'static [&'static str],
}

pub const DEVELOPMENT_TOKENS: &[DevelopmentToken] = &[
    DevelopmentToken {
        token: "spv-admin-dev-2024-abc123",
        client_id: "admin@company.com",
        scopes: &["prompt:validate", "prompt:analyze", "security:stats", "security:admin"],
    },
    DevelopmentToken {
        token: "spv-user-dev-2024-def456",
        client_id: "user@company.com",
        scopes: &["prompt:validate", "prompt:analyze", "security:stats"],
    },
    DevelopmentToken {
        token: "spv-basic-dev-2024-ghi789",
        client_id: "basic@company.com",
        scopes: &["prompt:validate"],
    },
    DevelopmentToken {
        token: "spv-prod-test-2024-jkl012",
        client_id: "production-client@company.com",
        scopes: &["prompt:validate", "prompt:analyze"],
    },
    DevelopmentToken {
        token: "spv-service-2024-mno345",
        client_id: "service-account@company.com",
        scopes: &["prompt:validate", "prompt:analyze", "security:stats"],
    },
];

/// Values of example configurations, refused also as a hash.
const PLACEHOLDERS: &[&str] = &[
    "",
    "changeme",
    "change-me",
    "dev-token",
    "example",
    "password",
    "secret",
    "test",
    "test-token",
    "token",
    "your-token",
];

/// One configured token. Cannot be turned back into the text that is presented.
#[derive(Clone, PartialEq, Eq)]
pub struct StaticToken {
    sha256: [u8; 32],
    client_id: String,
    name: Option<String>,
    scopes: Vec<String>,
}

impl StaticToken {
    /// From the 64 hexadecimal digits of the token's SHA-256. Hashes of development tokens and placeholders are
    /// refused.
    pub fn from_sha256(
        hex: &str,
        client_id: impl Into<String>,
        name: Option<String>,
        scopes: Vec<String>,
    ) -> Result<Self, SetupError> {
        let sha256 = parse_hex(hex).ok_or(SetupError::TokenHash)?;
        let known = DEVELOPMENT_TOKENS.iter().map(|token| token.token).chain(PLACEHOLDERS.iter().copied());
        if known.into_iter().any(|token| hash(token) == sha256) {
            return Err(SetupError::PlaceholderToken);
        }
        Ok(StaticToken { sha256, client_id: client_id.into(), name, scopes })
    }

    /// From the token itself, as it stands in an environment variable: at least [`MIN_TOKEN`] bytes, and not a
    /// placeholder.
    pub fn from_secret(
        token: &str,
        client_id: impl Into<String>,
        name: Option<String>,
        scopes: Vec<String>,
    ) -> Result<Self, SetupError> {
        if DEVELOPMENT_TOKENS.iter().any(|known| known.token == token) {
            return Err(SetupError::PlaceholderToken);
        }
        secret::check(token.as_bytes(), MIN_TOKEN)?;
        Ok(StaticToken { sha256: hash(token), client_id: client_id.into(), name, scopes })
    }

    fn development(known: &DevelopmentToken) -> Self {
        StaticToken {
            sha256: hash(known.token),
            client_id: known.client_id.to_owned(),
            name: Some("development".to_owned()),
            scopes: known.scopes.iter().map(|scope| (*scope).to_owned()).collect(),
        }
    }

    fn principal(&self) -> Principal {
        Principal {
            client_id: self.client_id.clone(),
            scopes: self.scopes.clone(),
            mode: Mode::Static,
            tenant: self.client_id.clone(),
            subject: None,
            jti: None,
            name: self.name.clone(),
            expires: None,
        }
    }
}

impl fmt::Debug for StaticToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StaticToken")
            .field("client_id", &self.client_id)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// All tokens that are accepted as they are.
#[derive(Clone, Debug, Default)]
pub struct StaticTokens {
    entries: Vec<StaticToken>,
}

impl StaticTokens {
    /// `development` adds [`DEVELOPMENT_TOKENS`]; the configuration refuses that on a listener others can reach.
    pub fn new(configured: Vec<StaticToken>, development: bool) -> Result<Self, SetupError> {
        let mut entries = configured;
        if development {
            entries.extend(DEVELOPMENT_TOKENS.iter().map(StaticToken::development));
        }
        let mut hashes: Vec<_> = entries.iter().map(|entry| entry.sha256).collect();
        hashes.sort_unstable();
        if hashes.windows(2).any(|pair| pair.first() == pair.last()) {
            return Err(SetupError::DuplicateToken);
        }
        Ok(StaticTokens { entries })
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Compares with every entry whether or not one has matched, so that the time tells neither which nor how nearly.
    pub(super) fn find(&self, token: &str) -> Option<Principal> {
        let presented = hash(token);
        let mut found = u32::MAX;
        for (index, entry) in (0u32..).zip(&self.entries) {
            found.conditional_assign(&index, entry.sha256.ct_eq(&presented));
        }
        self.entries.get(usize::try_from(found).ok()?).map(StaticToken::principal)
    }
}

fn hash(token: &str) -> [u8; 32] {
    let mut sha256 = [0; 32];
    sha256.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
    sha256
}

fn parse_hex(hex: &str) -> Option<[u8; 32]> {
    let mut sha256 = [0; 32];
    if hex.len() != 64 || !hex.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    for (index, byte) in sha256.iter_mut().enumerate() {
        *byte = u8::from_str_radix(hex.get(index * 2..index * 2 + 2)?, 16).ok()?;
    }
    Some(sha256)
}
