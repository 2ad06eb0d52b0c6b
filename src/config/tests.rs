//! Facts about whole configurations. Single values and path patterns have theirs beside them.

use std::time::Duration;

use super::*;
use crate::detect::Category;
use crate::policy::{Action, Leniency, Override};
use crate::text::Origin;

fn load(text: &str, variables: &[(&str, &str)]) -> Result<Loaded, Problems> {
    let owned = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Config::load(Some(text), owned)
}

fn problems(text: &str, variables: &[(&str, &str)]) -> Vec<String> {
    load(text, variables).map_or_else(|all| all.0.iter().map(ToString::to_string).collect(), |_| Vec::new())
}

fn config(text: &str, variables: &[(&str, &str)]) -> Config {
    load(text, variables).unwrap_or_else(|all| panic!("{text}\n{all}")).config
}

#[test]
fn the_shipped_file_loads() {
    let config = Config::load(Some(SHIPPED), []).map_err(|all| all.to_string()).unwrap().config;
    assert_eq!(config, Config::default());
    let names: Vec<&str> = config.upstreams.iter().map(|upstream| upstream.name.as_str()).collect();
    assert_eq!(names, ["openai", "anthropic", "gemini", "azure", "ollama", "cohere", "mistral", "bedrock", "mcp"]);
}

#[test]
fn every_default_in_the_shipped_file_is_the_default_of_an_empty_one() {
    assert_eq!(config("", &[]), Config::default());
}

/// Deployments and tests append tables to the shipped file and replace its `url` lines.
#[test]
fn tables_can_be_appended_to_the_shipped_file() {
    let hash = "ab".repeat(32);
    let text = format!(
        "{SHIPPED}\n[[auth.static.token]]\nsha256 = \"{hash}\"\nclient_id = \"me\"\nscopes = [\"prompt:validate\"]\n\
         [[upstream]]\nname = \"mine\"\nurl = \"http://127.0.0.1:9000/base/\"\n\
         [[route]]\npath = \"/mine\"\nformat = \"openai.chat\"\nupstream = \"mine\"\n"
    );
    let config = config(&text, &[]);
    assert_eq!(config.routes.len(), Config::default().routes.len() + 1);
    assert_eq!(config.upstreams.last().unwrap().address.base_path, "/base");
    assert_eq!((config.auth.mode, config.auth.tokens.len()), (AuthMode::Static { dev_tokens: true }, 1));
    let replaced = SHIPPED.replace("url = \"https://api.openai.com\"", "url = \"http://127.0.0.1:9000\"");
    assert!(load(&replaced, &[]).is_ok());
}

#[test]
fn every_problem_is_reported_at_once_by_its_key() {
    let text = r#"
        surprise = 1
        [gateway]
        listen = "nowhere"
        lissten = "127.0.0.1:1"
        [gateway.tls]
        cert = "/cert.pem"
        [limits]
        hold = "1MB"
        depth = "deep"
        keys = 0
        [timeouts]
        connect = 5
        [security.levels.high.pii]
        threshold = -1
        [security.levels.high.injection]
        action = "monitor"
        [[upstream]]
        name = "openai"
        url = "ftp://example.com"
        api_key = "sk-secret"
        [[upstream]]
        name = "local"
        url = "http://127.0.0.1:1"
        [[route]]
        path = "/v1/chat/completions"
        format = "openai.chatt"
        upstream = "opnai"
        [[route]]
        path = "relative"
        format = "openai.chat"
        upstream = "local"
        method = "GOT"
    "#;
    let variables = [("PROMPTGATE__LIMITS__DEPHT", "3"), ("PROMPTGATE__AUTH__MODE", "open")];
    let expected = [
        "gateway.listen: \"nowhere\" is not an address and port such as \"127.0.0.1:8080\"",
        "gateway.tls.key: is missing",
        "gateway.lissten: unknown key; did you mean \"listen\"?",
        "auth.mode (from PROMPTGATE__AUTH__MODE): \"open\" is not one of static, jwt, hmac",
        "security.levels.high.pii.threshold: must be from 0 to 1",
        "limits.hold: \"1MB\" is not a size; write \"64KiB\", \"1MiB\" or a number of bytes",
        "limits.depth: must be a number, not a string",
        "limits.keys: must not be 0",
        "timeouts.connect: must be a string, not an integer",
        "upstream[0].url: must begin with https:// or http://",
        "upstream[0].api_key: unknown key; did you mean \"api_key_env\"?",
        "route[0].format: no format is called \"openai.chatt\"; did you mean \"openai.chat\"?",
        "route[0].upstream: no upstream is called \"opnai\"; did you mean \"openai\"?",
        "route[1].path: must begin with /",
        "route[1].method: \"GOT\" is not one of POST, GET, PUT, PATCH, DELETE; did you mean \"GET\"?",
        "surprise: unknown key",
        "security.levels.high.injection.action: monitor is laxer than block at level medium",
        "PROMPTGATE__LIMITS__DEPHT: names no key that a variable can set; did you mean \"PROMPTGATE__LIMITS__DEPTH\"?",
    ];
    let mut found = problems(text, &variables);
    let mut expected: Vec<String> = expected.iter().map(|text| (*text).to_owned()).collect();
    found.sort();
    expected.sort();
    assert_eq!(found, expected);
}

/// Each text is refused with a problem at its key.
fn refused(cases: &[(&str, String)]) {
    for (key, text) in cases {
        let found = problems(text, &[]);
        assert!(found.iter().any(|problem| problem.starts_with(&format!("{key}:"))), "{key} in {text}: {found:?}");
    }
}

#[test]
fn a_bad_upstream_or_route_is_refused_at_the_key_that_is_wrong() {
    let upstream = |url: &str| format!("[[upstream]]\nname = \"x\"\nurl = \"{url}\"");
    let route = |rest: &str| format!("[[route]]\nformat = \"openai.chat\"\nupstream = \"openai\"\n{rest}");
    refused(&[
        ("upstream[0].url", upstream("https://10.0.0.1")),
        ("upstream[0].url", upstream("https://[::1]:8443")),
        ("upstream[0].url", upstream("https://")),
        ("upstream[0].url", upstream("http://169.254.169.254")),
        ("upstream[0].url", upstream("http://0xa9fea9fe/latest")),
        ("upstream[0].url", upstream("http://[::ffff:169.254.169.254]")),
        ("upstream[0].url", upstream("http://[fe80::1]")),
        ("upstream[0].url", upstream("http://[fd00:ec2::254]")),
        ("upstream[0].url", upstream("http://metadata.google.internal")),
        ("upstream[0].url", upstream("http://0.0.0.0:80")),
        ("upstream[0].url", upstream("https://user:pass@example.com")),
        ("upstream[0].url", upstream("https://example.com/?key=1")),
        ("upstream[0].url", upstream("https://example.com/a//b")),
        ("upstream[0].name", "[[upstream]]\nname = \"a b\"\nurl = \"https://e.com\"".to_owned()),
        ("upstream[0].name", "[[upstream]]\nurl = \"https://e.com\"".to_owned()),
        ("upstream[1].name", upstream("https://e.com") + "\n" + &upstream("https://e.com")),
        ("upstream[0].allow_headers", upstream("https://e.com") + "\nallow_headers = [\"Authorization\"]"),
        ("upstream[0].allow_headers", upstream("https://e.com") + "\nallow_headers = [\"a b\"]"),
        ("upstream[0].http", upstream("https://e.com") + "\nhttp = \"3\""),
        ("upstream[0].api_key_env", upstream("https://e.com") + "\nauth = \"pass\"\napi_key_env = \"K\""),
        ("upstream[0].api_key_env", upstream("https://e.com") + "\napi_key_env = \"sk-abc\""),
        ("upstream[0].timeouts.connect", upstream("https://e.com") + "\n[upstream.timeouts]\nconnect = \"0s\""),
        ("upstream", "upstream = 3".to_owned()),
        ("gateway", "gateway = 3".to_owned()),
        ("route[0].path", route("")),
        ("route[0].path", route("path = \"/a//b\"")),
        ("route[0].path", route("path = \"/a/\"")),
        ("route[0].path", route("path = \"/a/../b\"")),
        ("route[0].path", route("path = \"/a%20b\"")),
        ("route[0].path", route("path = \"/{id}x\"")),
        ("route[0].path", route("path = \"/{id}/{id}\"")),
        ("route[0].path", route("path = \"/{\"")),
        ("route[0].upstream_path", route("path = \"/a/{id}\"\nupstream_path = \"/{other}\"")),
        ("route[0].scope", route("path = \"/a\"\nscope = \"prompt:everything\"")),
        ("route[1].path", route("path = \"/a/{x}\"") + "\n" + &route("path = \"/a/{y}\"")),
        ("route[1].path", route("path = \"/a/{x}\"") + "\n" + &route("path = \"/{x}/a\"\nmethod = \"GET\"")),
        ("upstream[0].allow_query", upstream("https://e.com") + "\nallow_query = [\"Key\"]"),
    ]);
}

#[test]
fn a_bad_section_is_refused_at_the_key_that_is_wrong() {
    refused(&[
        ("auth.jwt.jwks_uri", "[auth]\nmode = \"jwt\"\n[auth.jwt]\nissuer = \"i\"\naudience = \"a\"".to_owned()),
        ("auth.jwt.jwks_uri", "[auth.jwt]\njwks_uri = \"http://example.com/keys\"".to_owned()),
        ("auth.jwt.algorithms", "[auth.jwt]\nalgorithms = [\"HS256\"]".to_owned()),
        ("auth.jwt.algorithms", "[auth.jwt]\nalgorithms = [\"none\"]".to_owned()),
        ("auth.jwt.algorithms", "[auth.jwt]\nalgorithms = []".to_owned()),
        ("auth.jwt.leeway", "[auth.jwt]\nleeway = \"10m\"".to_owned()),
        ("auth.hmac.secret_env", "[auth]\nmode = \"hmac\"".to_owned()),
        ("auth.hmac.issuer", "[auth]\nmode = \"hmac\"".to_owned()),
        ("auth.static.token[0].scope", "[[auth.static.token]]\nenv = \"T\"\nscope = \"x\"".to_owned()),
        (
            "auth.static.token[0].scopes",
            "[[auth.static.token]]\nenv = \"T\"\nclient_id = \"c\"\nscopes = [\"all\"]".to_owned(),
        ),
        ("auth.hmac.algorithm", "[auth.hmac]\nalgorithm = \"RS256\"".to_owned()),
        ("auth.static.token[0].sha256", "[[auth.static.token]]\nclient_id = \"c\"\nscopes = []".to_owned()),
        ("auth.static.token[0].env", "[[auth.static.token]]\nenv = \"T\"\nclient_id = \"c\"\nscopes = []".to_owned()),
        ("auth.static.dev_tokens", "[gateway]\nlisten = \"0.0.0.0:8080\"".to_owned()),
        ("auth.static.dev_tokens", "[admin]\nlisten = \"[::]:8001\"".to_owned()),
        ("admin.listen", "[admin]\nlisten = \"127.0.0.1:8080\"".to_owned()),
        ("admin.cors_origins", "[admin]\ncors_origins = [\"*\"]".to_owned()),
        ("admin.cors_origins", "[admin]\ncors_origins = [\"https://example.com/\"]".to_owned()),
        ("admin.allowed_hosts", "[admin]\nallowed_hosts = [\"example.com:80\"]".to_owned()),
        ("limits.hold", "[limits]\nhold = \"2MiB\"\nbody = \"1MiB\"\nkey = 1\nstring = 1".to_owned()),
        ("limits.string", "[limits]\nstring = \"128MiB\"".to_owned()),
        ("security.levels.low.injection.action", "[security.levels.low.injection]\naction = \"mask\"".to_owned()),
        ("security.levels.medium.pii.threshold", "[security.levels.low.pii]\nthreshold = 0.1".to_owned()),
        ("log.level", "[log]\nlevel = \"loud\"".to_owned()),
        ("audit.path", "[audit]\npath = \"\"".to_owned()),
        ("rules.files", "[rules]\nfiles = [3]".to_owned()),
        ("rules.override[0].id", "[[rules.override]]\nconfidence = 0.5".to_owned()),
        ("rules.override[0].confidence", "[[rules.override]]\nid = \"a\"\nconfidence = 1.5".to_owned()),
        ("rules.override[0].severity", "[[rules.override]]\nid = \"a\"\nseverity = \"grave\"".to_owned()),
        ("rules.override[0]", "[[rules.override]]\nid = \"a\"".to_owned()),
    ]);
}

#[test]
fn no_value_that_may_be_a_secret_appears_in_a_problem() {
    let secret = "s3cr3t-v4lu3";
    let texts = [
        format!("[gateway]\nlisten = \"127.0.0.1:1\"\nx = {secret}"),
        format!("[[upstream]]\nname = \"x\"\nurl = \"https://{secret}@example.com\""),
        format!("[[upstream]]\nname = \"x\"\nurl = \"{secret}\""),
        format!("[[upstream]]\nname = \"x\"\nurl = \"https://e.com\"\napi_key = \"{secret}\""),
        format!("[[upstream]]\nname = \"x\"\nurl = \"https://e.com\"\napi_key_env = \"{secret}\""),
        format!("[[auth.static.token]]\nsha256 = \"{secret}\"\nclient_id = \"c\"\nscopes = []"),
        format!("[auth.hmac]\nsecret_env = \"{secret}\""),
        format!("[auth.jwt]\njwks_uri = \"http://u:{secret}@e.com\""),
        "[auth]\nmode = \"hmac\"".to_owned(),
        "[[auth.static.token]]\nenv = \"JWT_SHARED_SECRET\"\nclient_id = \"c\"\nscopes = []".to_owned(),
    ];
    for text in texts {
        let found = problems(&text, &[("JWT_SHARED_SECRET", secret)]);
        assert!(!found.is_empty(), "{text}");
        assert!(found.iter().all(|problem| !problem.contains(secret)), "{found:?}");
    }
}

#[test]
fn a_key_or_secret_is_not_in_debug_output() {
    let variables =
        [("OPENAI_API_KEY", "sk-proj-canary"), ("JWT_SHARED_SECRET", "canary-q7Zx1Lw9Vb3Nc5Md8Kf2Jg4Hh6Ty0RpQ")];
    let config = config("[auth]\nmode = \"hmac\"\n[auth.hmac]\nissuer = \"i\"\naudience = \"a\"", &variables);
    assert!(!format!("{config:?}").contains("canary"));
    assert_eq!(config.upstreams[0].key, UpstreamKey::Set(Secret::new("sk-proj-canary")));
}

#[test]
fn an_unset_provider_key_is_a_warning_and_an_unneeded_one_is_none() {
    let loaded = load("", &[("OPENAI_API_KEY", "k"), ("ANTHROPIC_API_KEY", "")]).unwrap();
    let key = |name: &str| loaded.config.upstreams.iter().find(|one| one.name == name).unwrap().key.clone();
    assert_eq!(key("openai"), UpstreamKey::Set(Secret::new("k")));
    assert_eq!(key("anthropic"), UpstreamKey::Unset { variable: "ANTHROPIC_API_KEY".to_owned() });
    assert_eq!(key("ollama"), UpstreamKey::None);
    let warnings: Vec<String> = loaded.warnings.iter().map(ToString::to_string).collect();
    assert_eq!(warnings.len(), 7, "{warnings:?}");
    assert!(warnings[0].starts_with("upstream[1].api_key_env: ANTHROPIC_API_KEY is not set"), "{warnings:?}");
}

#[test]
fn a_file_with_upstreams_but_no_routes_gets_the_shipped_routes_to_them() {
    let config = config("[[upstream]]\nname = \"openai\"\nurl = \"http://127.0.0.1:9000\"", &[]);
    assert!(!config.routes.is_empty());
    assert!(config.routes.iter().all(|route| route.upstream.address.port == 9000));
}

#[test]
fn an_upstream_no_route_leads_to_is_a_warning() {
    let text = format!("{SHIPPED}\n[[upstream]]\nname = \"idle\"\nurl = \"http://127.0.0.1:1\"");
    let warnings = load(&text, &[]).unwrap().warnings;
    assert!(warnings.iter().any(|one| one.to_string() == "upstream[9]: no route leads to \"idle\""), "{warnings:?}");
}

#[test]
fn the_original_servers_variables_are_honoured() {
    let secret = "kP3vX8nQ1zR6wT9yB4mC7dF2gH5jL0sAeU3iO8pN1qW6rE9tY4uI7oK2lM5xZ0cV";
    let variables = [
        ("FASTMCP_AUTH_MODE", "hmac"),
        ("JWT_SHARED_SECRET", secret),
        ("JWT_ISSUER", "me"),
        ("JWT_AUDIENCE", "you"),
        ("JWT_ALGORITHM", "HS512"),
        ("SERVER_HOST", "::1"),
        ("SERVER_PORT", "9001"),
        ("LOG_LEVEL", "WARNING"),
        ("DEFAULT_SECURITY_LEVEL", "HIGH"),
    ];
    let config = config("", &variables);
    let AuthMode::Hmac(hmac) = &config.auth.mode else { panic!("mode") };
    assert_eq!((hmac.secret.expose(), hmac.algorithm.as_str()), (secret, "HS512"));
    assert_eq!((hmac.rules.issuer.as_str(), hmac.rules.audience.as_str()), ("me", "you"));
    assert_eq!(config.admin.listen.to_string(), "[::1]:9001");
    assert_eq!((config.log.level, config.security.level), (LogLevel::Warn, Level::High));
}

#[test]
fn the_original_jwt_variables_are_enough_for_that_mode() {
    let variables = [
        ("FASTMCP_AUTH_MODE", "jwt"),
        ("JWT_JWKS_URI", "https://id.example.com/keys"),
        ("JWT_ISSUER", "https://id.example.com/"),
        ("JWT_AUDIENCE", "promptgate"),
        ("JWT_ALGORITHM", "RS256"),
        ("SERVER_PORT", "9001"),
    ];
    let config = config("", &variables);
    let AuthMode::Jwt(jwt) = &config.auth.mode else { panic!("mode") };
    assert_eq!((jwt.rules.audience.as_str(), jwt.algorithms.as_slice()), ("promptgate", &["RS256".to_owned()][..]));
    assert_eq!(config.admin.listen.to_string(), "127.0.0.1:9001");
}

#[test]
fn an_algorithm_of_the_other_mode_is_refused() {
    let hs = [("FASTMCP_AUTH_MODE", "jwt"), ("JWT_ALGORITHM", "HS256")];
    assert!(problems("", &hs).iter().any(|one| one.starts_with("auth.jwt.algorithms (from JWT_ALGORITHM):")));
    let rs = [("FASTMCP_AUTH_MODE", "hmac"), ("JWT_ALGORITHM", "RS256")];
    assert!(problems("", &rs).iter().any(|one| one.starts_with("auth.hmac.algorithm (from JWT_ALGORITHM):")));
}

#[test]
fn a_variable_beats_the_file_and_our_own_names_beat_the_original_ones() {
    let text = "[security]\nlevel = \"low\"\n[limits]\nhold = \"2MiB\"\n[admin]\nlisten = \"127.0.0.1:7000\"";
    let mut variables = vec![("DEFAULT_SECURITY_LEVEL", "medium"), ("PROMPTGATE__LIMITS__HOLD", "3MiB")];
    assert_eq!(config(text, &variables).security.level, Level::Medium);
    variables.extend([
        ("PROMPTGATE__SECURITY__LEVEL", "high"),
        ("PROMPTGATE__AUTH__STATIC__DEV_TOKENS", "false"),
        ("PROMPTGATE__ADMIN__CORS_ORIGINS", "https://a.example, https://b.example"),
        ("PROMPTGATE__SECURITY__LEVELS__HIGH__PII__THRESHOLD", "0.1"),
        ("PROMPTGATE__GATEWAY__TLS__CERT", "/c"),
        ("PROMPTGATE__GATEWAY__TLS__KEY", "/k"),
        ("PROMPTGATE__ADMIN__LISTEN", "0.0.0.0:1"),
        ("SERVER_PORT", "2"),
        ("PROMPTGATE__TIMEOUTS__IDLE", "1m"),
    ]);
    let config = config(text, &variables);
    assert_eq!((config.security.level, config.limits.hold), (Level::High, 3 << 20));
    assert_eq!(config.auth, Auth { mode: AuthMode::Static { dev_tokens: false }, tokens: Vec::new() });
    assert_eq!(config.admin.cors_origins, ["https://a.example", "https://b.example"]);
    assert_eq!(config.security.matrix.rule(Level::High, Category::Pii).threshold, 0.1);
    assert_eq!(config.admin.listen.port(), 1);
    assert_eq!(config.upstreams[0].timeouts.idle, Duration::from_secs(60));
    let files: Vec<String> = config.files().into_iter().map(|(key, _)| key).collect();
    assert_eq!(files, ["gateway.tls.cert", "gateway.tls.key"]);
}

#[test]
fn a_configured_token_opens_the_gateway_in_every_mode() {
    let row = "[[auth.static.token]]\nenv = \"MY_TOKEN\"\nclient_id = \"c\"\nscopes = [\"security:admin\"]";
    let token = "vT4qL9xZ2mWc7RkY8pHs1NfJ6bDg3uXe";
    let hmac = ("JWT_SHARED_SECRET", "q7Zx1Lw9Vb3Nc5Md8Kf2Jg4Hh6Ty0RpQ");
    for mode in ["static", "hmac"] {
        let variables =
            [("MY_TOKEN", token), ("FASTMCP_AUTH_MODE", mode), ("JWT_ISSUER", "i"), ("JWT_AUDIENCE", "a"), hmac];
        let config = config(row, &variables);
        let principal = config.auth.authenticator().unwrap().authenticate(token, &Default::default(), 0).unwrap();
        assert_eq!(principal.client_id, "c");
        assert!(!format!("{config:?}").contains(token));
    }
    for (value, expected) in [
        ("", "auth.static.token[0].env: the variable MY_TOKEN is not set"),
        ("short", "auth.static.token[0].env: MY_TOKEN: the secret has 5 bytes, at least 32 are needed"),
    ] {
        assert_eq!(problems(row, &[("MY_TOKEN", value)]), [expected]);
    }
    let twice = format!("{row}\n{row}");
    assert_eq!(problems(&twice, &[("MY_TOKEN", token)]), ["auth.static.token: the same token is configured twice"]);
}

#[test]
fn a_token_without_its_hash_is_one_problem() {
    let row = "[[auth.static.token]]\nclient_id = \"c\"\nname = \"n\"\nscopes = []";
    assert_eq!(problems(row, &[]), ["auth.static.token[0].sha256: give either sha256 or env"]);
}

#[test]
fn a_weak_shared_secret_is_refused() {
    for secret in ["short", "changeme-changeme-changeme-changeme", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"] {
        let variables =
            [("FASTMCP_AUTH_MODE", "hmac"), ("JWT_SHARED_SECRET", secret), ("JWT_ISSUER", "i"), ("JWT_AUDIENCE", "a")];
        let found = problems("", &variables);
        assert!(found.len() == 1 && found[0].starts_with("auth.hmac.secret_env: the secret "), "{found:?}");
    }
}

#[test]
fn a_level_may_be_loosened_only_from_below() {
    let loose = "[security.levels.low.injection]\naction = \"monitor\"\nthreshold = 0.9";
    assert!(load(loose, &[]).is_ok());
    let off = "[security.levels.low.pii]\naction = \"allow\"\nthreshold = 0.0";
    assert!(load(off, &[]).is_ok());
}

#[test]
fn entity_types_are_named_in_the_file_or_in_variables() {
    let text = "[security.entities.PERSON]\naction = \"mask\"\n[security.entities.IBAN_CODE]\nthreshold = 0.5";
    let variables = [
        ("PROMPTGATE__SECURITY__ENTITIES__PERSON__THRESHOLD", "0.9"),
        ("PROMPTGATE__SECURITY__ENTITIES__IP_ADDRESS__ACTION", "block"),
    ];
    let entities = config(text, &variables).security.matrix.entities;
    let rule = |threshold, action| Override { threshold, action };
    assert_eq!(entities.of("PERSON"), rule(Some(0.9), Some(Action::Mask)));
    assert_eq!(entities.of("IBAN_CODE"), rule(Some(0.5), None));
    assert_eq!(entities.of("IP_ADDRESS"), rule(None, Some(Action::Block)));
    assert_eq!(entities.of("LOCATION"), rule(None, Some(Action::Allow)));
    assert_eq!(entities.of("EMAIL_ADDRESS"), Override::default());
}

#[test]
fn what_is_wrong_with_an_entity_types_rule_is_reported_by_its_key() {
    let text = "[security.entities.person]\naction = \"mask\"\n[security.entities.AGE]\nthreshold = 2.0\nx = 1";
    let expected = [
        "security.entities.AGE.threshold: must be from 0 to 1",
        "security.entities.AGE.x: unknown key",
        "security.entities.person: must be the name of an entity type, such as EMAIL_ADDRESS",
    ];
    assert_eq!(problems(text, &[]), expected);
}

#[test]
fn an_origin_is_adjusted_as_a_whole_or_by_category() {
    let text = "[security.origins.tool]\naction = \"block\"\n[security.origins.tool.jailbreak]\nthreshold = 0.95\n\
                [security.origins.system.injection]\naction = \"block\"";
    let origins = config(text, &[]).security.matrix.origins;
    let of = |origin, category| origins.of(origin, category);
    let row = |threshold, action| Leniency { threshold, action };
    assert_eq!(of(Origin::Tool, Category::Injection), row(0.9, Action::Block));
    assert_eq!(of(Origin::Tool, Category::Jailbreak), row(0.95, Action::Block));
    assert_eq!(of(Origin::Tool, Category::MaliciousCode), row(0.9, Action::Block));
    assert_eq!(of(Origin::System, Category::Injection), row(0.985, Action::Block));
    assert_eq!(of(Origin::System, Category::Jailbreak), row(0.985, Action::Monitor));
    assert_eq!(of(Origin::Document, Category::Injection), row(0.9, Action::Quarantine));
}

#[test]
fn an_action_that_a_finding_cannot_have_is_a_problem() {
    let text = "[security.origins.tool]\naction = \"mask\"\n[security.origins.tools]\n[security.origins.user.pii]\n\
                [security.levels.high.pii]\naction = \"quarantine\"\n[security.entities.AGE]\naction = \"quarantine\"";
    let span = "only attacks are withheld with their text; use mask or block";
    let attack = "only secret and pii have spans to mask; use monitor, quarantine or block";
    let expected = [
        format!("security.levels.high.pii.action: {span}"),
        format!("security.entities.AGE.action: {span}"),
        format!("security.origins.tool.action: {attack}"),
        "security.origins.user.pii: unknown key".to_owned(),
        "security.origins.tools: unknown key; did you mean \"tool\"?".to_owned(),
    ];
    let found = problems(text, &[]);
    for problem in &expected {
        assert!(found.contains(problem), "{problem} in {found:#?}");
    }
    assert_eq!(found.len(), expected.len(), "{found:#?}");
}

#[test]
fn a_syntax_error_names_its_line_and_shows_nothing_of_it() {
    assert_eq!(problems("[log]\nlevel = \"info\"\n\nformat = secret", &[]).len(), 1);
    let found = problems("[log]\nlevel = \"info\"\n\nformat = secret", &[]);
    assert!(found[0].starts_with("line 4: ") && !found[0].contains("secret"), "{found:?}");
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]

    #[test]
    fn no_text_and_no_variable_panics(text in ".{0,200}", name in "(PROMPTGATE__|JWT_|SERVER_)[A-Z_]{0,20}", value in ".{0,20}") {
        let _ = load(&text, &[(&name, &value)]);
    }
}

#[test]
fn a_named_policy_begins_as_the_common_one_and_changes_what_it_names() {
    let text = "[security]\ncandidate = \"strict\"\n[security.levels.high.pii]\nthreshold = 0.1\n\
                [security.entities.PERSON]\naction = \"mask\"\n[security.answers.pii]\naction = \"monitor\"\n\
                [policies.strict]\nlevel = \"high\"\nclients = [\"batch\"]\n[policies.strict.entities.PERSON]\naction = \"block\"\n\
                [policies.lax.levels.low.secret]\naction = \"monitor\"\n";
    let security = config(text, &[("PROMPTGATE__POLICIES__STRICT__WATCH", "0.4")]).security;
    let [lax, strict] = &security.policies[..] else { panic!("two policies") };
    assert_eq!((security.candidate.as_deref(), &*strict.named.name), (Some("strict"), "strict"));
    assert_eq!((strict.named.level, lax.named.level), (Some(Level::High), None));
    assert_eq!((&strict.clients[..], lax.clients.is_empty()), (&["batch".to_owned()][..], true));
    let person = |matrix: &Matrix| matrix.entities.of("PERSON").action;
    assert_eq!((person(&security.matrix), person(&lax.named.matrix)), (Some(Action::Mask), Some(Action::Mask)));
    assert_eq!((person(&strict.named.matrix), strict.named.matrix.watch), (Some(Action::Block), 0.4));
    assert_eq!(strict.named.matrix.rule(Level::High, Category::Pii).threshold, 0.1);
    assert_eq!(strict.named.matrix.answer(Category::Pii).action, Some(Action::Monitor));
    assert_eq!(lax.named.matrix.rule(Level::Low, Category::Secret).action, Action::Monitor);
}

#[test]
fn a_policy_that_is_not_there_or_laxer_at_a_stricter_level_is_a_problem() {
    for (text, problem) in [
        (
            "[security]\ncandidate = \"strcit\"\n[policies.strict]\nlevel = \"high\"",
            "security.candidate: there is no table [policies.strcit]",
        ),
        ("[policies.Strict]\nlevel = \"high\"", "policies.Strict: "),
        ("[policies.\"a b\"]\nlevel = \"high\"", "policies.a b: must consist of"),
        (
            "[policies.a]\nclients = [\"x\"]\n[policies.b]\nclients = [\"x\"]",
            "policies.b.clients: \"x\" is in [policies.a] already",
        ),
        ("[policies.a.levels.high.pii]\naction = \"allow\"", "policies.a.levels.high.pii.action: allow is laxer"),
        ("[policies.a]\nlevle = \"high\"", "policies.a.levle: "),
        (
            "[[route]]\npath = \"/v1/chat/completions\"\nformat = \"openai.chat\"\nupstream = \"openai\"\npolicy = \"a\"",
            "route[0].policy: there is no table [policies.a]",
        ),
    ] {
        let found = problems(text, &[]);
        assert!(found.iter().any(|one| one.starts_with(problem)), "{text}: {found:?}");
    }
}
