//! Each section of the file into its type. What several sections decide together is in `check`.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use ring::digest::{SHA256, digest};
use toml::Table;

use super::env::overlay;
use super::problem::{Problem, Problems, quoted};
use super::source::{Section, Source};
use super::value::{Sha256, Size, VariableName, one_of};
use super::{
    Admin, Audit, Auth, Config, Gateway, Hmac, Jwt, Limits, Loaded, Log, LogFormat, LogLevel, Rules, SHIPPED, Secret,
    Security, StaticToken, Timeouts, Tls, check, rows, upstream,
};
use crate::detect::Category;
use crate::policy::{Level, Matrix};

/// What a token may be allowed to do.
pub(super) const SCOPES: &[&str] = &["prompt:validate", "prompt:analyze", "security:stats", "security:admin"];

/// See [`Config::load`].
pub(super) fn config(
    text: Option<&str>,
    variables: impl IntoIterator<Item = (String, String)>,
) -> Result<Loaded, Problems> {
    let shipped = parsed(SHIPPED)?;
    let file = text.map_or_else(|| Ok(shipped.clone()), parsed)?;
    let variables: BTreeMap<String, String> = variables.into_iter().collect();
    let source = Source::new(overlay(&variables, &file), variables);
    let config = sections(&source, &file, &shipped);
    let (problems, warnings) = source.finish();
    match config {
        Some(config) if problems.is_empty() => Ok(Loaded { config, warnings }),
        _ => Err(Problems(problems)),
    }
}

/// The message of the TOML parser without the line it would print: that may hold a secret.
fn parsed(text: &str) -> Result<Table, Problems> {
    text.parse::<Table>().map_err(|error| {
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        Problems(vec![Problem::new(format!("line {line}"), error.message().trim_end())])
    })
}

/// `None` when something that must be there is not; then there is a problem too.
fn sections(source: &Source, file: &Table, shipped: &Table) -> Option<Config> {
    let root = source.root(file);
    let gateway = gateway(root.section("gateway"));
    let admin = admin(root.section("admin"));
    let auth = auth(root.section("auth"));
    let security = security(root.section("security"));
    let limits = limits(root.section("limits"));
    let timeouts = timeouts(root.section("timeouts"));
    let (upstreams, routes) = rows::read(&root, shipped, upstream::timeouts_of(&timeouts));
    let rules = rules(root.section("rules"));
    let audit = audit(root.section("audit"));
    let log = log(root.section("log"));
    root.finish();
    check::listeners(&gateway, &admin, source);
    check::levels(&security.matrix, source);
    check::limits(&limits, source);
    let auth = auth?;
    check::tokens(&auth, &gateway, &admin, source);
    Some(Config { gateway, admin, auth, security, limits, timeouts, upstreams, routes, rules, audit, log })
}

fn gateway(section: Section) -> Gateway {
    let listen = section.read_or("listen", loopback(8080));
    let given = section.has("tls");
    let tls = tls(section.section("tls"), given);
    section.finish();
    Gateway { listen, tls }
}

fn tls(section: Section, given: bool) -> Option<Tls> {
    let client_ca = section.read("client_ca");
    let (cert, key) = match given {
        true => (section.required("cert"), section.required("key")),
        false => (section.read("cert"), section.read("key")),
    };
    section.finish();
    Some(Tls { cert: cert?, key: key?, client_ca })
}

fn admin(section: Section) -> Admin {
    let origins: Vec<String> = section.read_or("cors_origins", Vec::new());
    for origin in origins.iter().filter(|origin| !is_origin(origin)) {
        let text = format!("{} is not an origin such as \"https://console.example.com\"", quoted(origin));
        section.problem("cors_origins", text);
    }
    let hosts: Vec<String> = section.read_or("allowed_hosts", Vec::new());
    for host in hosts.iter().filter(|host| url::Host::parse(host).is_err()) {
        section.problem("allowed_hosts", format!("{} is not a host name without port", quoted(host)));
    }
    let admin = Admin {
        listen: section.read_or("listen", loopback(8001)),
        cors_origins: origins,
        allowed_hosts: hosts.iter().map(|host| host.to_ascii_lowercase()).collect(),
    };
    section.finish();
    admin
}

fn is_origin(text: &str) -> bool {
    url::Url::parse(text).is_ok_and(|url| url.has_host() && url.origin().ascii_serialization() == text)
}

/// Reads all three modes, so that every key is checked, and keeps the one in force.
fn auth(section: Section) -> Option<Auth> {
    let mode: Option<Mode> = if section.has("mode") { section.read("mode") } else { Some(Mode(STATIC)) };
    let in_force = |name: &str| mode.is_some_and(|mode| mode.0 == name);
    let fixed = fixed(section.section("static"));
    let jwt = jwt(section.section("jwt"), in_force(JWT));
    let hmac = hmac(section.section("hmac"), in_force(HMAC));
    section.finish();
    match mode?.0 {
        JWT => jwt.map(Auth::Jwt),
        HMAC => hmac.map(Auth::Hmac),
        _ => Some(fixed),
    }
}

const STATIC: &str = "static";
const JWT: &str = "jwt";
const HMAC: &str = "hmac";

#[derive(Clone, Copy)]
struct Mode(&'static str);

impl super::value::Leaf for Mode {
    fn from_text(text: &str) -> Result<Self, String> {
        one_of(text, &[STATIC, JWT, HMAC]).map(Mode)
    }
}

fn fixed(section: Section) -> Auth {
    let dev_tokens = section.read_or("dev_tokens", true);
    let tokens = section.sections("token").into_iter().filter_map(token).collect();
    section.finish();
    Auth::Static { dev_tokens, tokens }
}

fn token(section: Section) -> Option<StaticToken> {
    let sha256 = match (section.has("sha256"), section.has("env")) {
        (true, true) | (false, false) => {
            section.problem("sha256", "give either sha256 or env");
            section.read::<Sha256>("sha256").and(section.read::<VariableName>("env")).and(None)
        }
        (true, false) => section.read::<Sha256>("sha256").map(|hash| hash.0),
        (false, true) => section.read("env").and_then(|VariableName(name)| hash_of_variable(&section, &name)),
    };
    let client_id: Option<String> = section.required("client_id");
    let name = section.read("name").or_else(|| client_id.clone());
    let scopes: Vec<String> = section.required("scopes").unwrap_or_default();
    for scope in scopes.iter().filter(|scope| !SCOPES.contains(&scope.as_str())) {
        section.problem("scopes", one_of(scope, SCOPES).err().unwrap_or_default());
    }
    section.finish();
    Some(StaticToken { sha256: sha256?, client_id: client_id?, name: name?, scopes })
}

/// Shorter tokens can be guessed by someone who holds their hash.
const TOKEN_BYTES: usize = 32;

fn hash_of_variable(section: &Section, name: &str) -> Option<[u8; 32]> {
    let Some(token) = section.source().variable(name) else {
        section.problem("env", format!("the variable {name} is not set"));
        return None;
    };
    if token.len() < TOKEN_BYTES {
        section.problem("env", format!("the token in {name} is shorter than {TOKEN_BYTES} bytes"));
    }
    digest(&SHA256, token.as_bytes()).as_ref().try_into().ok()
}

fn jwt(section: Section, in_force: bool) -> Option<Jwt> {
    let text = |key| if in_force { section.required::<String>(key) } else { section.read(key) };
    let (jwks_uri, issuer, audience) = (text("jwks_uri"), text("issuer"), text("audience"));
    if let Some(uri) = &jwks_uri {
        check::jwks_uri(uri).unwrap_or_else(|message| section.problem("jwks_uri", message));
    }
    let algorithms: Vec<String> =
        section.read("algorithms").unwrap_or_else(|| vec!["RS256".to_owned(), "ES256".to_owned()]);
    if algorithms.is_empty() {
        section.problem("algorithms", "is empty: no token could be accepted");
    }
    for algorithm in algorithms.iter().filter(|name| !ASYMMETRIC.contains(&name.as_str())) {
        section.problem("algorithms", one_of(algorithm, ASYMMETRIC).err().unwrap_or_default());
    }
    let leeway = leeway(&section);
    let cache_ttl = section.read_or("cache_ttl", Duration::from_secs(600));
    if cache_ttl.is_zero() {
        section.problem("cache_ttl", "must not be 0");
    }
    let scopes_claim = section.read("scopes_claim");
    section.finish();
    Some(Jwt { jwks_uri: jwks_uri?, issuer: issuer?, audience: audience?, algorithms, leeway, cache_ttl, scopes_claim })
}

const ASYMMETRIC: &[&str] = &["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"];

/// More than this would keep an expired token alive.
const MAX_LEEWAY: Duration = Duration::from_secs(60);

fn leeway(section: &Section) -> Duration {
    let leeway = section.read_or("leeway", Duration::from_secs(30));
    if leeway > MAX_LEEWAY {
        section.problem("leeway", format!("must be at most {}s", MAX_LEEWAY.as_secs()));
    }
    leeway
}

fn hmac(section: Section, in_force: bool) -> Option<Hmac> {
    let VariableName(variable) = section.read_or("secret_env", VariableName("JWT_SHARED_SECRET".to_owned()));
    let algorithm: String = section.read_or("algorithm", "HS256".to_owned());
    if let Err(message) = one_of(&algorithm, &["HS256", "HS384", "HS512"]) {
        section.problem("algorithm", message);
    }
    let (issuer, audience) = (section.read("issuer"), section.read("audience"));
    let leeway = leeway(&section);
    let secret = if in_force { hmac_secret(&section, &variable) } else { None };
    section.finish();
    Some(Hmac { secret: secret?, issuer, audience, algorithm, leeway })
}

/// RFC 7518 section 3.2 asks for a key as long as the hash of HS256.
const HMAC_BYTES: usize = 32;

fn hmac_secret(section: &Section, variable: &str) -> Option<Secret> {
    match section.source().variable(variable) {
        None => section.problem("secret_env", format!("the variable {variable} is not set")),
        Some(secret) if secret.len() < HMAC_BYTES => {
            section.problem("secret_env", format!("the secret in {variable} is shorter than {HMAC_BYTES} bytes"));
        }
        Some(secret) => return Some(Secret::new(secret)),
    }
    None
}

fn security(section: Section) -> Security {
    let level = section.read_or("level", Level::default());
    let matrix = matrix(section.section("levels"));
    section.finish();
    Security { level, matrix }
}

/// The default matrix with the cells the file gives.
fn matrix(section: Section) -> Matrix {
    let mut matrix = Matrix::default();
    for level in Level::ALL {
        let of_level = section.section(level.name());
        for category in Category::ALL {
            let cell = of_level.section(category.name());
            let mut rule = matrix.rule(level, category);
            rule.threshold = cell.read_or("threshold", rule.threshold);
            rule.action = cell.read_or("action", rule.action);
            check::cell(&cell, category, rule);
            cell.finish();
            matrix.set(level, category, rule);
        }
        of_level.finish();
    }
    section.finish();
    matrix
}

fn limits(section: Section) -> Limits {
    let size = |key, default| above_zero(&section, key, section.read_or(key, Size(default)).0);
    let count = |key, default| above_zero(&section, key, section.read_or(key, default));
    let body = size("body", 64 << 20);
    let limits = Limits {
        hold: size("hold", 1 << 20),
        body,
        string: size("string", body),
        depth: count("depth", 128),
        keys: count("keys", 65_536),
        key: size("key", 64 << 10),
        ratio: count("ratio", 100),
        head: size("head", 64 << 10),
        headers: count("headers", 100),
        target: size("target", 8 << 10),
        connections: count("connections", 10_000),
        in_flight: count("in_flight", 1_024),
        memory: size("memory", 1 << 30),
    };
    section.finish();
    limits
}

fn above_zero(section: &Section, key: &str, number: usize) -> usize {
    if number == 0 {
        section.problem(key, "must not be 0");
    }
    number
}

fn timeouts(section: Section) -> Timeouts {
    let read = |key, seconds| timeout(&section, key, Duration::from_secs(seconds));
    let timeouts = Timeouts {
        connect: read("connect", 2),
        first_byte: read("first_byte", 600),
        idle: read("idle", 120),
        request_head: read("request_head", 10),
        request_body: read("request_body", 300),
        drain: read("drain", 30),
    };
    section.finish();
    timeouts
}

pub(super) fn timeout(section: &Section, key: &'static str, default: Duration) -> Duration {
    const LONGEST: Duration = Duration::from_secs(24 * 3600);
    let timeout = section.read_or(key, default);
    if timeout.is_zero() || timeout > LONGEST {
        section.problem(key, "must be more than 0 and at most 24h");
    }
    timeout
}

fn rules(section: Section) -> Rules {
    let rules =
        Rules { files: section.read_or("files", Vec::new()), disabled: section.read_or("disabled", Vec::new()) };
    section.finish();
    rules
}

fn audit(section: Section) -> Audit {
    let audit = Audit { path: section.read("path") };
    section.finish();
    audit
}

fn log(section: Section) -> Log {
    let log =
        Log { level: section.read_or("level", LogLevel::Info), format: section.read_or("format", LogFormat::Text) };
    section.finish();
    log
}

fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}
