//! Who a caller is and what they may do. Knows nothing of how that was found out.

use std::fmt;

use serde::{Deserialize, Serialize};

/// An authenticated caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// From the static token's table, or the claims `client_id`, else `azp`, else `sub`. At most 256 bytes, no
    /// control characters.
    pub client_id: String,
    /// As granted, including names this gateway does not know.
    pub scopes: Vec<String>,
    /// The kind of token that was accepted. In the modes `jwt` and `hmac` a configured static token has `Static` here.
    pub mode: Mode,
    /// Whose placeholders these are: the tenant claim, else the client id.
    pub tenant: String,
    /// The claim `sub`.
    pub subject: Option<String>,
    /// The claim `jti`.
    pub jti: Option<String>,
    /// The label of a configured static token.
    pub name: Option<String>,
    /// The second (Unix time) at which the token ends, leeway not included. Static tokens do not end.
    pub expires: Option<u64>,
}

impl Principal {
    /// Whole-name equality: no prefix, no wildcard.
    pub fn has(&self, scope: Scope) -> bool {
        self.scopes.iter().any(|granted| granted == scope.name())
    }
}

/// What a listener's operation requires.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scope {
    Validate,
    Analyze,
    Stats,
    Admin,
}

impl Scope {
    pub const ALL: [Scope; 4] = [Scope::Validate, Scope::Analyze, Scope::Stats, Scope::Admin];

    pub const fn name(self) -> &'static str {
        match self {
            Scope::Validate => "prompt:validate",
            Scope::Analyze => "prompt:analyze",
            Scope::Stats => "security:stats",
            Scope::Admin => "security:admin",
        }
    }

    pub fn from_name(name: &str) -> Option<Scope> {
        Scope::ALL.into_iter().find(|scope| scope.name() == name)
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How tokens are checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    Static,
    Jwt,
    Hmac,
}

impl Mode {
    /// The value of the metric label `mode` and of the setting `auth.mode`.
    pub const fn name(self) -> &'static str {
        match self {
            Mode::Static => "static",
            Mode::Jwt => "jwt",
            Mode::Hmac => "hmac",
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
