//! The section `[auth]`: who may call, and how they prove it. Decides about no token; `crate::auth` does.

use std::time::Duration;

use crate::auth::{
    Algorithm, Authenticator, ClaimRules, HMAC_ALGORITHMS, JWT_ALGORITHMS, MAX_LEEWAY, Mode, Scope, SetupError,
    StaticToken, StaticTokens,
};

use super::Secret;
use super::check;
use super::source::Section;
use super::value::{Leaf, Sha256, VariableName, not_one_of};

/// Configured tokens work in every mode; the rest belongs to the mode in force.
#[derive(Clone, Debug, PartialEq)]
pub struct Auth {
    pub mode: AuthMode,
    pub tokens: Vec<StaticToken>,
}

/// The mode with what it needs, and nothing of the others.
#[derive(Clone, Debug, PartialEq)]
pub enum AuthMode {
    Static { dev_tokens: bool },
    Jwt(Jwt),
    Hmac(Hmac),
}

#[derive(Clone, Debug, PartialEq)]
pub struct Jwt {
    /// HTTPS, or HTTP to a loopback address.
    pub jwks_uri: String,
    /// How long fetched keys are used.
    pub cache_ttl: Duration,
    /// Names out of `JWT_ALGORITHMS`, at least one.
    pub algorithms: Vec<String>,
    pub rules: ClaimRules,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Hmac {
    pub secret: Secret,
    /// A name out of `HMAC_ALGORITHMS`.
    pub algorithm: String,
    pub rules: ClaimRules,
}

impl Auth {
    pub const fn mode(&self) -> Mode {
        match self.mode {
            AuthMode::Static { .. } => Mode::Static,
            AuthMode::Jwt(_) => Mode::Jwt,
            AuthMode::Hmac(_) => Mode::Hmac,
        }
    }

    /// What decides about tokens. `Config::load` has made one already, so for a loaded configuration this succeeds.
    ///
    /// # Errors
    /// Why these settings make none.
    pub fn authenticator(&self) -> Result<Authenticator, SetupError> {
        let tokens = |dev_tokens| StaticTokens::new(self.tokens.clone(), dev_tokens);
        match &self.mode {
            AuthMode::Static { dev_tokens } => Ok(Authenticator::fixed(tokens(*dev_tokens)?)),
            AuthMode::Jwt(jwt) => Authenticator::jwt(&jwt.algorithms, jwt.rules.clone(), tokens(false)?),
            AuthMode::Hmac(hmac) => Authenticator::hmac(
                &hmac.algorithm,
                hmac.secret.expose().as_bytes(),
                hmac.rules.clone(),
                tokens(false)?,
            ),
        }
    }
}

/// Reads all three modes, so that every key is checked, and keeps the one in force.
pub(super) fn read(section: Section) -> Option<Auth> {
    let mode = if section.has("mode") { section.read("mode") } else { Some(Mode::Static) };
    let (dev_tokens, tokens) = fixed(section.section("static"));
    let jwt = jwt(section.section("jwt"), mode == Some(Mode::Jwt));
    let hmac = hmac(section.section("hmac"), mode == Some(Mode::Hmac));
    let mode = match mode {
        None => None,
        Some(Mode::Static) => Some(AuthMode::Static { dev_tokens }),
        Some(Mode::Jwt) => jwt.map(AuthMode::Jwt),
        Some(Mode::Hmac) => hmac.map(AuthMode::Hmac),
    };
    let auth = mode.map(|mode| Auth { mode, tokens });
    if let Some(Err(error)) = auth.as_ref().map(Auth::authenticator) {
        section.problem(key_of(&error), error.to_string());
    }
    section.finish();
    auth
}

/// Below `auth`, the key that what was not noticed before is about.
fn key_of(error: &SetupError) -> &'static str {
    match error {
        SetupError::ShortSecret { .. } | SetupError::WeakSecret => "hmac.secret_env",
        SetupError::DuplicateToken | SetupError::PlaceholderToken | SetupError::TokenHash => "static.token",
        SetupError::Algorithm { .. } | SetupError::NoAlgorithm => "algorithm",
        SetupError::NoIssuer => "issuer",
        SetupError::NoAudience => "audience",
        SetupError::Leeway { .. } => "leeway",
    }
}

fn fixed(section: Section) -> (bool, Vec<StaticToken>) {
    let dev_tokens = section.read_or("dev_tokens", true);
    let tokens = section.sections("token").into_iter().filter_map(token).collect();
    section.finish();
    (dev_tokens, tokens)
}

fn token(section: Section) -> Option<StaticToken> {
    let hash: Option<Sha256> = section.read("sha256");
    let variable: Option<VariableName> = section.read("env");
    let owner = owner(&section);
    if section.has("sha256") == section.has("env") {
        section.problem("sha256", "give either sha256 or env");
    }
    let token = match (hash, variable) {
        (Some(Sha256(hash)), None) => owner.and_then(|(client_id, name, scopes)| {
            let token = StaticToken::from_sha256(&hash, client_id, name, scopes);
            token.map_err(|error| section.problem("sha256", error.to_string())).ok()
        }),
        (None, Some(VariableName(variable))) => from_variable(&section, &variable, owner),
        _ => None,
    };
    section.finish();
    token
}

fn from_variable(section: &Section, variable: &str, owner: Option<Owner>) -> Option<StaticToken> {
    let Some(token) = section.source().variable(variable) else {
        section.problem("env", format!("the variable {variable} is not set"));
        return None;
    };
    let (client_id, name, scopes) = owner?;
    let token = StaticToken::from_secret(token, client_id, name, scopes);
    token.map_err(|error| section.problem("env", format!("{variable}: {error}"))).ok()
}

/// `client_id`, `name` and scopes.
type Owner = (String, Option<String>, Vec<String>);

fn owner(section: &Section) -> Option<Owner> {
    let (client_id, name) = (section.required("client_id"), section.read("name"));
    let scopes: Option<Scopes> = section.required("scopes");
    let scopes = scopes?.0.iter().map(|scope| scope.name().to_owned()).collect();
    Some((client_id?, name, scopes))
}

fn jwt(section: Section, in_force: bool) -> Option<Jwt> {
    let text = |key| if in_force { section.required::<String>(key) } else { section.read(key) };
    let jwks_uri = text("jwks_uri");
    if let Some(uri) = &jwks_uri {
        check::jwks_uri(uri).unwrap_or_else(|message| section.problem("jwks_uri", message));
    }
    let algorithms: Vec<String> =
        section.read("algorithms").unwrap_or_else(|| vec!["RS256".to_owned(), "ES256".to_owned()]);
    if algorithms.is_empty() {
        section.problem("algorithms", "is empty: no token could be accepted");
    }
    for name in &algorithms {
        allowed(name, JWT_ALGORITHMS).unwrap_or_else(|message| section.problem("algorithms", message));
    }
    let cache_ttl = section.read_or("cache_ttl", Duration::from_secs(600));
    if cache_ttl.is_zero() {
        section.problem("cache_ttl", "must not be 0");
    }
    let scopes_claim = section.read("scopes_claim");
    let rules = rules(&section, in_force);
    section.finish();
    Some(Jwt { jwks_uri: jwks_uri?, cache_ttl, algorithms, rules: ClaimRules { scopes_claim, ..rules? } })
}

fn hmac(section: Section, in_force: bool) -> Option<Hmac> {
    let VariableName(variable) = section.read_or("secret_env", VariableName("JWT_SHARED_SECRET".to_owned()));
    let algorithm: String = section.read_or("algorithm", "HS256".to_owned());
    let known: Vec<Algorithm> = HMAC_ALGORITHMS.iter().map(|(algorithm, _)| *algorithm).collect();
    allowed(&algorithm, &known).unwrap_or_else(|message| section.problem("algorithm", message));
    let secret = section.source().variable(&variable).map(Secret::new);
    if in_force && secret.is_none() {
        section.problem("secret_env", format!("the variable {variable} is not set"));
    }
    let rules = rules(&section, in_force);
    section.finish();
    Some(Hmac { secret: secret?, algorithm, rules: rules? })
}

/// What both kinds of signed tokens have to say.
fn rules(section: &Section, in_force: bool) -> Option<ClaimRules> {
    let text = |key| if in_force { section.required::<String>(key) } else { section.read(key) };
    let (issuer, audience) = (text("issuer"), text("audience"));
    let leeway = section.read_or("leeway", ClaimRules::DEFAULT_LEEWAY);
    if leeway > MAX_LEEWAY {
        section.problem("leeway", format!("must be at most {}s", MAX_LEEWAY.as_secs()));
    }
    Some(ClaimRules { leeway, ..ClaimRules::new(issuer?, audience?) })
}

fn allowed(name: &str, algorithms: &[Algorithm]) -> Result<(), String> {
    let names: Vec<String> = algorithms.iter().map(|algorithm| format!("{algorithm:?}")).collect();
    match names.iter().any(|known| known == name) {
        true => Ok(()),
        false => Err(not_one_of(name, &names.iter().map(String::as_str).collect::<Vec<_>>())),
    }
}

/// Names of scopes, checked one by one.
struct Scopes(Vec<Scope>);

impl Leaf for Scopes {
    fn from_text(text: &str) -> Result<Self, String> {
        Vec::from_text(text)?.iter().map(|name: &String| Scope::from_text(name)).collect::<Result<_, _>>().map(Scopes)
    }

    fn from_value(value: &toml::Value) -> Result<Self, String> {
        Vec::from_value(value)?.iter().map(|name: &String| Scope::from_text(name)).collect::<Result<_, _>>().map(Scopes)
    }
}
