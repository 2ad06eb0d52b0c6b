//! Claims of a token whose signature was verified: time, issuer, audience, scopes. Knows nothing of keys or signatures.

use std::time::Duration;

use serde_json::{Map, Value};

use super::error::{AuthError, SetupError};
use super::principal::{Mode, Principal};

/// The most clock difference that may be allowed for.
pub const MAX_LEEWAY: Duration = Duration::from_secs(60);

/// The longest client or tenant id, in bytes.
const MAX_ID: usize = 256;

/// Seconds beyond this are not exact in a JSON number.
const MAX_SECONDS: f64 = 9_007_199_254_740_992.0;

/// What a token has to say to be accepted, and where it says what it grants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimRules {
    /// `iss` must equal this, character by character. Required.
    pub issuer: String,
    /// `aud` must be this or an array with it. Required.
    pub audience: String,
    /// Clock difference allowed for in `exp` and `nbf`, at most [`MAX_LEEWAY`].
    pub leeway: Duration,
    /// One more claim with scopes (an array, or a list separated by spaces) beside `scopes`, `scope` and `scp`.
    pub scopes_claim: Option<String>,
    /// The claim that names the tenant; a token without it belongs to the tenant named like its client.
    pub tenant_claim: Option<String>,
}

impl ClaimRules {
    pub const DEFAULT_LEEWAY: Duration = Duration::from_secs(30);

    pub fn new(issuer: impl Into<String>, audience: impl Into<String>) -> Self {
        ClaimRules {
            issuer: issuer.into(),
            audience: audience.into(),
            leeway: Self::DEFAULT_LEEWAY,
            scopes_claim: None,
            tenant_claim: None,
        }
    }

    pub(super) fn check(&self) -> Result<(), SetupError> {
        if self.issuer.is_empty() {
            return Err(SetupError::NoIssuer);
        }
        if self.audience.is_empty() {
            return Err(SetupError::NoAudience);
        }
        if self.leeway > MAX_LEEWAY {
            return Err(SetupError::Leeway { have: self.leeway.as_secs(), max: MAX_LEEWAY.as_secs() });
        }
        Ok(())
    }

    /// Who the claims speak of, if they hold at `now` (Unix time in seconds).
    pub(super) fn principal(&self, claims: &Map<String, Value>, mode: Mode, now: u64) -> Result<Principal, AuthError> {
        self.check_parties(claims)?;
        let expires = self.check_times(claims, now)?;
        let client_id = client_id(claims)?;
        let tenant = match &self.tenant_claim {
            Some(name) => id(claims, name)?.unwrap_or_else(|| client_id.clone()),
            None => client_id.clone(),
        };
        Ok(Principal {
            scopes: self.scopes(claims),
            subject: id(claims, "sub")?,
            jti: id(claims, "jti")?,
            name: None,
            expires: Some(expires),
            client_id,
            tenant,
            mode,
        })
    }

    fn check_parties(&self, claims: &Map<String, Value>) -> Result<(), AuthError> {
        if claims.get("iss").and_then(Value::as_str) != Some(&self.issuer) {
            return Err(AuthError::Issuer);
        }
        let is_for_us = match claims.get("aud") {
            Some(Value::String(audience)) => *audience == self.audience,
            Some(Value::Array(members)) => {
                members.iter().all(Value::is_string) && members.iter().any(|member| *member == *self.audience)
            }
            _ => false,
        };
        is_for_us.then_some(()).ok_or(AuthError::Audience)
    }

    /// The token's end in whole seconds.
    fn check_times(&self, claims: &Map<String, Value>, now: u64) -> Result<u64, AuthError> {
        let (now, leeway) = (now as f64, self.leeway.as_secs_f64());
        let end = claims.get("exp").and_then(seconds).ok_or(AuthError::Claims)?;
        if now >= end + leeway {
            return Err(AuthError::Expired);
        }
        if let Some(start) = claims.get("nbf")
            && seconds(start).ok_or(AuthError::Claims)? > now + leeway
        {
            return Err(AuthError::NotYetValid);
        }
        Ok(end as u64)
    }

    /// The union over all claims that may hold scopes. A claim of another shape grants nothing.
    fn scopes(&self, claims: &Map<String, Value>) -> Vec<String> {
        let mut scopes = Vec::new();
        let own = self.scopes_claim.as_deref().map(|name| (name, Shape::Either));
        let sources = [("scopes", Shape::Array), ("scope", Shape::List), ("scp", Shape::Either)];
        for (name, shape) in sources.into_iter().chain(own) {
            match claims.get(name) {
                Some(Value::Array(members)) if shape != Shape::List => {
                    members.iter().filter_map(Value::as_str).for_each(|scope| add(&mut scopes, scope));
                }
                // RFC 6749 section 3.3: separated by spaces, nothing else.
                Some(Value::String(list)) if shape != Shape::Array => {
                    list.split(' ').for_each(|scope| add(&mut scopes, scope));
                }
                _ => {}
            }
        }
        scopes
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Shape {
    Array,
    List,
    Either,
}

fn add(scopes: &mut Vec<String>, scope: &str) {
    if !scope.is_empty() && !scopes.iter().any(|known| known == scope) {
        scopes.push(scope.to_owned());
    }
}

/// A NumericDate (RFC 7519 section 2): a number, not a string with digits, not negative, and one that can be a time.
fn seconds(value: &Value) -> Option<f64> {
    value.as_f64().filter(|seconds| (0.0..=MAX_SECONDS).contains(seconds))
}

fn client_id(claims: &Map<String, Value>) -> Result<String, AuthError> {
    for name in ["client_id", "azp", "sub"] {
        if let Some(id) = id(claims, name)? {
            return Ok(id);
        }
    }
    Err(AuthError::Claims)
}

/// A claim that ends up in records and keys: text, bounded, printable. A claim that is there but cannot be used voids
/// the
/// token, so that no caller takes on another name by spoiling its own.
fn id(claims: &Map<String, Value>, name: &str) -> Result<Option<String>, AuthError> {
    match claims.get(name) {
        None => Ok(None),
        Some(Value::String(id)) if is_id(id) => Ok(Some(id.clone())),
        Some(_) => Err(AuthError::Claims),
    }
}

fn is_id(id: &str) -> bool {
    !id.is_empty() && id.len() <= MAX_ID && !id.chars().any(char::is_control)
}
