//! Environment variables as an overlay on key paths. Reads no environment: the variables are given.

use std::collections::BTreeMap;

use toml::{Table, Value};

use super::source::Overlay;

/// Begins the name of every variable that names a key: `PROMPTGATE__LIMITS__HOLD` is `limits.hold`.
const PREFIX: &str = "PROMPTGATE__";

/// The original server's variables and the keys they stand for. Of keys in `auth.jwt` and `auth.hmac` only the one of the
/// mode in force is meant: both modes share these variables.
const ORIGINAL: &[(&str, &[&str])] = &[
    ("FASTMCP_AUTH_MODE", &["auth.mode"]),
    ("JWT_JWKS_URI", &["auth.jwt.jwks_uri"]),
    ("JWT_ISSUER", &["auth.jwt.issuer", "auth.hmac.issuer"]),
    ("JWT_AUDIENCE", &["auth.jwt.audience", "auth.hmac.audience"]),
    ("JWT_ALGORITHM", &["auth.jwt.algorithms", "auth.hmac.algorithm"]),
    ("LOG_LEVEL", &["log.level"]),
    ("DEFAULT_SECURITY_LEVEL", &["security.level"]),
];

/// The overlay by key path. A variable that is set to nothing counts as not set, as compose files write it.
pub(super) fn overlay(variables: &BTreeMap<String, String>, file: &Table) -> BTreeMap<String, Overlay> {
    let given = |name: &str| variables.get(name).filter(|text| !text.is_empty());
    let own: BTreeMap<String, Overlay> = variables
        .iter()
        .filter(|(name, text)| name.starts_with(PREFIX) && !text.is_empty())
        .map(|(name, text)| (path_of(name), Overlay { variable: name.clone(), text: text.clone() }))
        .collect();
    let mode = [own.get("auth.mode").map(|o| o.text.as_str()), given("FASTMCP_AUTH_MODE").map(String::as_str)]
        .into_iter()
        .flatten()
        .next()
        .or_else(|| file.get("auth")?.get("mode")?.as_str())
        .unwrap_or("static");
    let mut all: BTreeMap<String, Overlay> = ORIGINAL
        .iter()
        .filter_map(|(name, paths)| Some((name, paths, given(name)?)))
        .flat_map(|(name, paths, text)| {
            let in_force = |path: &&&str| is_in_force(path, mode);
            paths.iter().filter(in_force).map(|path| (path.to_string(), overlay_of(name, text)))
        })
        .collect();
    all.extend(admin_listen(given("SERVER_HOST"), given("SERVER_PORT"), file));
    all.extend(own);
    all
}

/// The variable that sets a key path.
pub(super) fn variable_of(path: &str) -> String {
    PREFIX.to_owned() + &path.to_ascii_uppercase().replace('.', "__")
}

fn path_of(variable: &str) -> String {
    variable.strip_prefix(PREFIX).unwrap_or(variable).to_ascii_lowercase().replace("__", ".")
}

fn is_in_force(path: &str, mode: &str) -> bool {
    let of_mode = |other: &str| path.starts_with(&format!("auth.{other}."));
    of_mode(mode) || !(of_mode("static") || of_mode("jwt") || of_mode("hmac"))
}

fn overlay_of(variable: &str, text: &str) -> Overlay {
    Overlay { variable: variable.to_owned(), text: text.to_owned() }
}

/// `SERVER_HOST` and `SERVER_PORT` are the two halves of one key; either may be set alone.
fn admin_listen(host: Option<&String>, port: Option<&String>, file: &Table) -> Option<(String, Overlay)> {
    if host.is_none() && port.is_none() {
        return None;
    }
    let listen = file.get("admin").and_then(|admin| admin.get("listen")).and_then(Value::as_str);
    let (file_host, file_port) = listen.and_then(|text| text.rsplit_once(':')).unwrap_or(("127.0.0.1", "8001"));
    let host = host.map_or(file_host.to_owned(), |host| match host.contains(':') && !host.starts_with('[') {
        true => format!("[{host}]"),
        false => host.clone(),
    });
    let text = format!("{host}:{}", port.map_or(file_port, String::as_str));
    Some(("admin.listen".to_owned(), overlay_of("SERVER_HOST, SERVER_PORT", &text)))
}
