//! Each section of the file into its type. What several sections decide together is in `check`.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use toml::Table;

use super::env::overlay;
use super::problem::{Problem, Problems, quoted};
use super::source::{Section, Source};
use super::value::{Size, VariableName};
use super::{
    Admin, Audit, AuthMode, Config, Gateway, Hmac, Jwt, Limits, Loaded, Log, LogFormat, LogLevel, Reload, Rules,
    SHIPPED, Secret, Security, Telemetry, Timeouts, auth, check, engine, otlp, policies, rate_limit, redis, revocation,
    rows, tls, tokens, upstream,
};
use crate::detect::{Adjustment, Category};
use crate::policy::{Action, Entities, Leniency, Level, Matrix, Origins, Override};
use crate::text::Origin;

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
    let auth = auth::read(root.section("auth"));
    let revocation = revocation::read(root.section("revocation"));
    let of_security = root.section("security");
    let mut security = security(&of_security);
    security.policies = policies::read(root.section("policies"), &security.matrix);
    security.candidate = policies::named(&of_security, "candidate", &security.policies);
    of_security.finish();
    let limits = limits(root.section("limits"));
    let timeouts = timeouts(root.section("timeouts"));
    let (upstreams, routes) = rows::read(&root, shipped, upstream::timeouts_of(&timeouts), &security.policies);
    let of_tokens = root.section("tokens");
    let vaulted = of_tokens.read_or("vault", false);
    let of_rates = root.section("rate_limit");
    let counted = rate_limit::is_shared(&of_rates);
    let users = [("tokens.vault keeps its records", vaulted), ("rate_limit.store counts", counted)];
    let redis = redis::read(root.section("redis"), &users);
    let rate_limit = rate_limit::read(of_rates, counted, &redis, &routes);
    let (tokens, tenant_claim) = tokens::read(of_tokens, vaulted, &redis);
    let rules = rules(root.section("rules"));
    let engine = engine::read(root.section("engine"));
    let audit = audit(root.section("audit"));
    let telemetry = telemetry(root.section("telemetry"));
    let log = log(root.section("log"));
    let reload = reload(root.section("reload"));
    root.finish();
    check::listeners(&gateway, &admin, source);
    check::limits(&limits, source);
    let mut auth = auth?;
    if let AuthMode::Jwt(Jwt { rules, .. }) | AuthMode::Hmac(Hmac { rules, .. }) = &mut auth.mode {
        rules.tenant_claim = tenant_claim;
    }
    check::tokens(&auth, &gateway, &admin, source);
    Some(Config {
        gateway,
        admin,
        auth,
        revocation,
        security,
        limits,
        rate_limit,
        timeouts,
        upstreams,
        routes,
        tokens,
        redis,
        rules,
        engine,
        audit,
        telemetry,
        log,
        reload,
    })
}

fn gateway(section: Section) -> Gateway {
    let listen = section.read_or("listen", loopback(8080));
    let tls = tls::read(&section);
    section.finish();
    Gateway { listen, tls }
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
    let public_url: Option<String> = section.read("public_url");
    if let Some(url) = public_url.as_ref().filter(|url| !is_origin(url)) {
        let text = format!("{} is not an origin such as \"https://promptgate.example.com\"", quoted(url));
        section.problem("public_url", text);
    }
    let admin = Admin {
        listen: section.read_or("listen", loopback(8001)),
        tls: tls::read(&section),
        cors_origins: origins,
        allowed_hosts: hosts.iter().map(|host| host.to_ascii_lowercase()).collect(),
        public_url,
    };
    section.finish();
    admin
}

fn is_origin(text: &str) -> bool {
    url::Url::parse(text).is_ok_and(|url| url.has_host() && url.origin().ascii_serialization() == text)
}

fn security(section: &Section) -> Security {
    let level = section.read_or("level", Level::default());
    let matrix = policy(section, Matrix::default());
    check::levels(&matrix, section);
    Security { level, matrix, policies: Vec::new(), candidate: None }
}

/// What the tables of a policy make of `before`.
pub(super) fn policy(section: &Section, before: Matrix) -> Matrix {
    let mut matrix = matrix(section.section("levels"), before);
    matrix.watch = section.read_or("watch", matrix.watch);
    check::threshold_at(section, "watch", matrix.watch);
    entities(section.section("entities"), &mut matrix.entities);
    origins(section.section("origins"), &mut matrix.origins);
    answers(section.section("answers"), &mut matrix);
    matrix
}

/// The matrix with the cells the file gives.
fn matrix(section: Section, mut matrix: Matrix) -> Matrix {
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

/// The rules the file gives to entity types, over the default ones.
fn entities(section: Section, entities: &mut Entities) {
    for name in section.names() {
        let entity = section.section(&name);
        check::entity(&section, &name);
        let default = entities.of(&name);
        let rule = Override {
            threshold: entity.read("threshold").or(default.threshold),
            action: entity.read("action").or(default.action),
        };
        check::threshold(&entity, rule.threshold.unwrap_or_default());
        check::span_action(&entity, rule.action.unwrap_or(Action::Tokenize));
        entity.finish();
        entities.set(&name, rule);
    }
    section.finish();
}

/// What the file says of origins, over the default: of a whole origin first, then of single categories.
fn origins(section: Section, origins: &mut Origins) {
    for origin in Origin::ALL {
        let of_origin = section.section(origin.name());
        let whole = leniency(&of_origin);
        for category in Category::ALL.into_iter().filter(|category| !category.is_sensitive()) {
            let cell = of_origin.section(category.name());
            let (default, own) = (origins.of(origin, category), leniency(&cell));
            cell.finish();
            let threshold = own.0.or(whole.0).unwrap_or(default.threshold);
            let action = own.1.or(whole.1).unwrap_or(default.action);
            origins.set(origin, category, Leniency { threshold, action });
        }
        of_origin.finish();
    }
    section.finish();
}

/// What is done otherwise in what the model says.
fn answers(section: Section, matrix: &mut Matrix) {
    for category in Category::ALL.into_iter().filter(|category| category.is_sensitive()) {
        let cell = section.section(category.name());
        let before = matrix.answer(category);
        let own = Override {
            threshold: cell.read("threshold").or(before.threshold),
            action: cell.read("action").or(before.action),
        };
        check::threshold(&cell, own.threshold.unwrap_or_default());
        check::answer_action(&cell, own.action.unwrap_or(Action::Mask));
        cell.finish();
        matrix.set_answer(category, own);
    }
    section.finish();
}

fn leniency(section: &Section) -> (Option<f32>, Option<Action>) {
    let (threshold, action) = (section.read("threshold"), section.read("action"));
    check::threshold(section, threshold.unwrap_or_default());
    check::attack_action(section, action.unwrap_or(Action::Block));
    (threshold, action)
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
        name: size("name", 512),
        placeholders: section.read_or("placeholders", 2_048),
        event: size("event", 64 << 20),
        hold_ping: timeout(&section, "hold_ping", Duration::from_secs(15)),
        hold_time: timeout(&section, "hold_time", Duration::from_secs(60)),
        verdict_cache: section.read_or("verdict_cache", Size(16 << 20)).0,
        ratio: count("ratio", 100),
        head: size("head", 64 << 10),
        headers: count("headers", 100),
        target: size("target", 8 << 10),
        connections: count("connections", 10_000),
        connection_requests: count("connection_requests", 10_000),
        min_rate: size("min_rate", 512),
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
        stall: read("stall", 20),
        keepalive: read("keepalive", 75),
        inspection: read("inspection", 60),
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
    let rules = Rules {
        files: section.read_or("files", Vec::new()),
        disabled: section.read_or("disabled", Vec::new()),
        overrides: section.sections("override").into_iter().filter_map(rule_override).collect(),
    };
    section.finish();
    rules
}

fn rule_override(section: Section) -> Option<Adjustment> {
    let id = section.required("id");
    let (confidence, severity) = (section.read("confidence"), section.read("severity"));
    if confidence.is_some_and(|confidence| !(0.0..=1.0).contains(&confidence)) {
        section.problem("confidence", "must be from 0 to 1");
    }
    if !section.has("confidence") && !section.has("severity") {
        section.source().problem(section.here(), "changes neither confidence nor severity");
    }
    section.finish();
    Some(Adjustment { id: id?, confidence, severity })
}

fn audit(section: Section) -> Audit {
    let audit = Audit {
        path: section.read("path"),
        key: audit_key(&section),
        max_size: section.read("max_size").map(|Size(bytes)| bytes as u64),
        max_age: section.read("max_age"),
        keep: section.read_or("keep", 7),
        placeholders: section.read_or("placeholders", false),
    };
    if audit.max_size.is_some_and(|bytes| bytes < SMALLEST_LOG) {
        section.problem("max_size", "must be at least 64KiB");
    }
    if audit.max_age.is_some_and(|age| !(SHORTEST_AGE..=LONGEST_AGE).contains(&age)) {
        section.problem("max_age", "must be from 1m to 8760h");
    }
    if !(1..=1000).contains(&audit.keep) {
        section.problem("keep", "must be from 1 to 1000");
    }
    section.finish();
    audit
}

/// What is written at once.
const SMALLEST_LOG: u64 = 64 << 10;

/// A thousand files that are kept are to be of use for more than a day, and one for a year at most.
const SHORTEST_AGE: Duration = Duration::from_secs(60);
const LONGEST_AGE: Duration = Duration::from_secs(8760 * 3600);

fn audit_key(section: &Section) -> Option<Secret> {
    /// As long as what it makes.
    const SHORTEST: usize = 32;
    let VariableName(variable) = section.read("key_env")?;
    let key = section.source().variable(&variable).map(Secret::new);
    match &key {
        None => section.problem("key_env", format!("{variable} is not set")),
        Some(key) if key.expose().len() < SHORTEST => {
            section.problem("key_env", format!("{variable} must hold at least {SHORTEST} bytes"));
        }
        Some(_) => {}
    }
    key
}

fn telemetry(section: Section) -> Telemetry {
    let telemetry = Telemetry { otlp: otlp::read(section.section("otlp")) };
    section.finish();
    telemetry
}

fn log(section: Section) -> Log {
    let log =
        Log { level: section.read_or("level", LogLevel::Info), format: section.read_or("format", LogFormat::Text) };
    section.finish();
    log
}

fn reload(section: Section) -> Reload {
    let reload = Reload { watch: section.read_or("watch", true) };
    section.finish();
    reload
}

fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}
