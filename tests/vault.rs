//! The vault against a real Redis, which each case starts for itself; and behind a gateway, for conversations that the
//! upstream keeps.
//!
//! A harness of its own: where no `redis-server` is on the `PATH` the cases are listed as ignored, not as passed.

#[path = "gateway/client.rs"]
#[expect(dead_code, reason = "the gateway's own tests use the rest")]
mod client;
#[path = "gateway/http1.rs"]
#[expect(dead_code, reason = "the gateway's own tests use the rest")]
mod http1;
#[path = "gateway/process.rs"]
#[expect(dead_code, reason = "the gateway's own tests use the rest")]
mod process;
#[path = "gateway/site.rs"]
#[expect(dead_code, reason = "the gateway's own tests use the rest")]
mod site;
#[path = "gateway/upstream.rs"]
#[expect(dead_code, reason = "the gateway's own tests use the rest")]
mod upstream;

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use client::{ADMIN_TOKEN, Ask, TOKEN};
use http1::Wire;
use promptgate::config::Secret;
use promptgate::policy::token::{Original, is_token};
use promptgate::policy::{Mint, SealError, TokenKey, Tokens, seal};
use promptgate::state::redis::{CONNECT, DEADLINE, StoreError};
use promptgate::state::{Vault, VaultError};
use site::Site;

/// Names and functions, from the functions.
macro_rules! cases {
    ($($name:ident,)+) => { &[$((stringify!($name), || block_on($name()))),+] };
}

const CASES: &[(&str, fn())] = cases![
    what_was_stored_is_loaded_by_the_same_tenant_alone,
    a_gateway_that_was_started_again_reads_it_with_the_same_key_alone,
    a_record_is_forgotten_after_its_lifetime,
    a_later_turn_takes_the_place_of_an_earlier_one,
    nothing_in_redis_can_be_read,
    a_record_that_does_not_open_is_told_from_one_that_is_not_there,
    what_is_too_much_is_not_stored,
    without_a_server_there_is_an_error_in_time_and_with_it_again_a_connection,
    a_server_that_does_not_answer_is_not_waited_for,
    a_server_that_stops_in_between_is_given_up_and_found_again,
    a_connection_that_the_server_closed_costs_nobody_an_answer,
    a_password_is_shown_and_a_wrong_one_told_without_it,
    over_tls_the_server_is_checked,
    a_placeholder_of_an_earlier_answer_is_given_back_to_its_tenant_alone,
    a_redis_that_is_killed_ten_times_under_load_holds_nobody_up_and_is_found_again,
    without_redis_a_conversation_goes_on_or_is_refused_as_the_operator_says,
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    // What the system trusts is read from where this variable says; a process cannot safely set its own.
    if std::env::var_os(TRUST).is_none_or(|file| file != CERT) {
        let this = std::env::current_exe().expect("the path of this program");
        let status = Command::new(this).args(&arguments).env(TRUST, CERT).status().expect("it runs again");
        return if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    let (flags, filters): (Vec<&String>, Vec<&String>) = arguments.iter().partition(|word| word.starts_with('-'));
    let chosen: Vec<_> =
        CASES.iter().filter(|(name, _)| filters.is_empty() || filters.iter().any(|f| name.contains(&***f))).collect();
    if flags.iter().any(|flag| *flag == "--list") {
        chosen.iter().for_each(|(name, _)| println!("{name}: test"));
        return ExitCode::SUCCESS;
    }
    let filtered = CASES.len() - chosen.len();
    if !has_redis() {
        chosen.iter().for_each(|(name, _)| println!("test {name} ... ignored, no redis-server on the PATH"));
        println!("test result: ok. 0 passed; 0 failed; {} ignored; 0 measured; {filtered} filtered out", chosen.len());
        return ExitCode::SUCCESS;
    }
    let failed = chosen.iter().filter(|(name, case)| !passes(name, *case)).count();
    let (word, passed) = (if failed == 0 { "ok" } else { "FAILED" }, chosen.len() - failed);
    println!("test result: {word}. {passed} passed; {failed} failed; 0 ignored; 0 measured; {filtered} filtered out");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn passes(name: &str, case: fn()) -> bool {
    let passed = std::thread::spawn(case).join().is_ok();
    println!("test {name} ... {}", if passed { "ok" } else { "FAILED" });
    passed
}

fn block_on(case: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime").block_on(case);
}

// ── behind a gateway ──

/// A gateway with a vault in this Redis.
fn gateway(redis: &Redis, more: &str) -> Site {
    let config = format!("[tokens]\nvault = true\n{more}[redis]\nurl = \"{}\"\n", redis.url());
    Site::start_with(&config, &[("PROMPTGATE_TOKEN_KEY", "0123456789abcdef0123456789abcdef")])
}

/// One turn of a conversation that the upstream keeps: the caller's input, the answer's text, and what of it came back.
async fn turn(site: &Site, token: &str, body: &serde_json::Value, id: &str, answer: impl Fn(&str) -> String) -> String {
    let ask = Ask::post("/v1/responses", body.to_string()).with("authorization", &format!("Bearer {token}"));
    let expected = site.upstream.expect(&ask.id());
    let mut client = Wire::connect(site.address()).await;
    assert!(client.write(&ask.bytes()).await);
    let mut call = expected.call().await;
    let sent = String::from_utf8(call.body().await.bytes).expect("text");
    let text = answer(&sent);
    let content = serde_json::json!([{"type": "output_text", "text": text}]);
    let output = serde_json::json!([{"type": "message", "role": "assistant", "content": content}]);
    call.begin("application/json").await;
    call.chunk(serde_json::json!({"id": id, "object": "response", "output": output}).to_string().as_bytes()).await;
    call.end().await;
    let (_, body) = client.response().await.expect("an answer");
    let body: serde_json::Value = serde_json::from_slice(&body.bytes).expect("JSON");
    // The record is written after the answer; its line in the audit log follows.
    site.gateway.record(&ask.id()).await;
    body["output"][0]["content"][0]["text"].as_str().expect("text").to_owned()
}

async fn a_placeholder_of_an_earlier_answer_is_given_back_to_its_tenant_alone() {
    let redis = Redis::start(&[]);
    let (site, replica) = (gateway(&redis, ""), gateway(&redis, ""));
    let placeholder = std::sync::Mutex::new(String::new());
    let first = serde_json::json!({"model": "m", "input": "write to jane@corp.io"});
    let read = turn(&site, TOKEN, &first, "resp_1", |sent| {
        let mut words = sent.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let token = words.find(|word| is_token(word)).expect("a placeholder");
        *placeholder.lock().unwrap() = token.to_owned();
        format!("to {token}")
    });
    assert_eq!(read.await, "to jane@corp.io");
    let token = placeholder.lock().unwrap().clone();
    let next = |id: &str| serde_json::json!({"model": "m", "input": "go on", "previous_response_id": id});
    let again = |_: &str| format!("again to {token}");
    assert_eq!(turn(&replica, TOKEN, &next("resp_1"), "resp_2", again).await, "again to jane@corp.io");
    assert_eq!(turn(&site, TOKEN, &next("resp_2"), "resp_3", again).await, "again to jane@corp.io");
    assert_eq!(turn(&site, ADMIN_TOKEN, &next("resp_2"), "resp_4", again).await, format!("again to {token}"));
    assert_eq!(turn(&site, TOKEN, &next("resp_9"), "resp_5", again).await, format!("again to {token}"));
}

async fn without_redis_a_conversation_goes_on_or_is_refused_as_the_operator_says() {
    let mut redis = Redis::start(&[]);
    let (open, closed) = (gateway(&redis, ""), gateway(&redis, "vault_failure = \"closed\"\n"));
    redis.stop();
    let body = serde_json::json!({"model": "m", "input": "go on", "previous_response_id": "resp_1"});
    assert_eq!(turn(&open, TOKEN, &body, "resp_2", |_| "on".to_owned()).await, "on");
    let refused = Ask::post("/v1/responses", body.to_string()).send(closed.address()).await;
    assert_eq!(refused.head.status(), 503);
    let fresh = serde_json::json!({"model": "m", "input": "hello"});
    assert_eq!(turn(&closed, TOKEN, &fresh, "resp_3", |_| "hi".to_owned()).await, "hi");
}

async fn a_redis_that_is_killed_ten_times_under_load_holds_nobody_up_and_is_found_again() {
    const BACK: Duration = Duration::from_secs(2);
    let mut redis = Redis::start(&[]);
    let site = Arc::new(gateway(&redis, ""));
    let over = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let clients: Vec<_> = (0..4).map(|_| tokio::spawn(load(site.clone(), over.clone()))).collect();
    for _ in 0..10 {
        tokio::time::sleep(Duration::from_millis(50)).await;
        redis.stop();
        tokio::time::sleep(Duration::from_millis(50)).await;
        redis.start_again();
        let up = Instant::now();
        // A record is the sign that the vault is in use again.
        while redis.keys().is_empty() {
            assert!(up.elapsed() < BACK, "no record after {:?}", up.elapsed());
            tokio::time::sleep(LOOK).await;
        }
    }
    over.store(true, Ordering::Relaxed);
    for client in clients {
        assert!(client.await.expect("a client") > 0);
    }
}

/// Goes on with a conversation until it is over. How many turns there were; each is answered, and in time.
async fn load(site: Arc<Site>, over: Arc<std::sync::atomic::AtomicBool>) -> usize {
    let body = serde_json::json!({"model": "m", "input": "to jane@corp.io", "previous_response_id": "resp_1"});
    let mut turns = 0;
    while !over.load(Ordering::Relaxed) {
        let begun = Instant::now();
        assert_eq!(turn(&site, TOKEN, &body, "resp_2", |_| "on".to_owned()).await, "on");
        // Looked up before the request, and stored after the answer.
        assert!(begun.elapsed() < 3 * DEADLINE, "{:?}", begun.elapsed());
        turns += 1;
    }
    turns
}

// ── the cases ───────────────────────────────────────────────────────────────────────────────────────────────────────

async fn what_was_stored_is_loaded_by_the_same_tenant_alone() {
    let redis = Redis::start(&[]);
    let vault = redis.vault();
    assert_eq!(vault.load("acme", "resp_1").await, Ok(Vec::new()));
    let made = tokens(&["jane@corp.io", "two\nlines"]);
    assert_eq!(vault.store("acme", "resp_1", &made).await, Ok(()));
    assert_eq!(sorted(vault.load("acme", "resp_1").await), all(&made));
    for (tenant, id) in [("evil", "resp_1"), ("acme", "resp_2"), ("", "acmeresp_1"), ("acmeresp_1", "")] {
        assert_eq!(vault.load(tenant, id).await, Ok(Vec::new()), "{tenant} {id}");
    }
    // Another tenant's record of the same id is beside it.
    let others = tokens(&["joe@evil.example"]);
    assert_eq!(vault.store("evil", "resp_1", &others).await, Ok(()));
    assert_eq!(sorted(vault.load("evil", "resp_1").await), all(&others));
    assert_eq!(sorted(vault.load("acme", "resp_1").await), all(&made));
}

async fn a_gateway_that_was_started_again_reads_it_with_the_same_key_alone() {
    let redis = Redis::start(&[]);
    let made = tokens(&["jane@corp.io"]);
    redis.vault().store("acme", "resp_1", &made).await.unwrap();
    assert_eq!(sorted(redis.vault().load("acme", "resp_1").await), all(&made));
    let other = Vault::new(&Secret::new(redis.url()), &[8; 32], HOUR).unwrap();
    assert_eq!(other.load("acme", "resp_1").await, Ok(Vec::new()));
}

async fn a_record_is_forgotten_after_its_lifetime() {
    let redis = Redis::start(&[]);
    let vault = redis.vault();
    vault.store("acme", "resp_1", &tokens(&["jane@corp.io"])).await.unwrap();
    let left = |name: &str| redis.ask::<i64>(redis::cmd("TTL").arg(name));
    let name = redis.only_key();
    assert!((3590..=3600).contains(&left(&name)), "{}", left(&name));
    redis.ask::<()>(redis::cmd("EXPIRE").arg(&name).arg(100));
    vault.load("acme", "resp_1").await.unwrap();
    assert!(left(&name) <= 100, "reading makes nothing last longer");
    let short = Vault::new(&Secret::new(redis.url()), KEY, Duration::from_millis(10)).unwrap();
    short.store("acme", "resp_1", &tokens(&["jane@corp.io"])).await.unwrap();
    assert!(left(&name) <= 1);
    eventually(|| left(&name) == -2).await;
    assert_eq!(vault.load("acme", "resp_1").await, Ok(Vec::new()));
}

async fn a_later_turn_takes_the_place_of_an_earlier_one() {
    let redis = Redis::start(&[]);
    let vault = redis.vault();
    vault.store("acme", "conv_1", &tokens(&["jane@corp.io"])).await.unwrap();
    let both = tokens(&["jane@corp.io", "joe@corp.io"]);
    vault.store("acme", "conv_1", &both).await.unwrap();
    vault.store("acme", "conv_1", &Tokens::default()).await.unwrap();
    assert_eq!(sorted(vault.load("acme", "conv_1").await), all(&both));
}

async fn nothing_in_redis_can_be_read() {
    let redis = Redis::start(&[]);
    let vault = redis.vault();
    let made = tokens(&["value-canary"]);
    for id in ["id-canary-1", "id-canary-2"] {
        vault.store("tenant-canary", id, &made).await.unwrap();
    }
    let names = redis.keys();
    let records: Vec<Vec<u8>> = names.iter().map(|name| redis.ask(redis::cmd("GET").arg(name))).collect();
    assert_eq!(names.len(), 2);
    let whole = [names.concat().into_bytes(), records.concat()].concat();
    for plain in ["canary", "EMAIL", "_x"] {
        assert!(!whole.windows(plain.len()).any(|window| window == plain.as_bytes()), "{plain}");
    }
    // The same under two names, or twice under one, has nothing in common but the version.
    vault.store("tenant-canary", "id-canary-1", &made).await.unwrap();
    let again: Vec<Vec<u8>> = names.iter().map(|name| redis.ask(redis::cmd("GET").arg(name))).collect();
    let distinct: std::collections::BTreeSet<&[u8]> =
        records.iter().chain(&again).map(|record| &record[1..13]).collect();
    assert_eq!(distinct.len(), 3);
}

async fn a_record_that_does_not_open_is_told_from_one_that_is_not_there() {
    let redis = Redis::start(&[]);
    let vault = redis.vault();
    vault.store("evil", "resp_1", &tokens(&["joe@evil.example"])).await.unwrap();
    let theirs = redis.only_key();
    vault.store("acme", "resp_1", &tokens(&["jane@corp.io"])).await.unwrap();
    let ours = redis.keys().into_iter().find(|name| *name != theirs).unwrap();
    let long = vec![1_u8; seal::MAX_RECORD + 7];
    let commands = [
        redis::cmd("COPY").arg(&theirs).arg(&ours).arg("REPLACE").clone(),
        redis::cmd("SETRANGE").arg(&ours).arg(20).arg("x").clone(),
        redis::cmd("SET").arg(&ours).arg("x").clone(),
        redis::cmd("SET").arg(&ours).arg(long).clone(),
        redis::cmd("DEL").arg(&ours).clone(),
    ];
    for command in &commands[..4] {
        redis.ask::<redis::Value>(command);
        assert_eq!(vault.load("acme", "resp_1").await, Err(VaultError::Damaged));
    }
    redis.ask::<redis::Value>(&commands[4]);
    assert_eq!(vault.load("acme", "resp_1").await, Ok(Vec::new()));
    redis.ask::<redis::Value>(redis::cmd("LPUSH").arg(&ours).arg("x"));
    assert_eq!(vault.load("acme", "resp_1").await, Err(VaultError::Damaged));
    // A new answer heals it.
    let made = tokens(&["jane@corp.io"]);
    vault.store("acme", "resp_1", &made).await.unwrap();
    assert_eq!(sorted(vault.load("acme", "resp_1").await), all(&made));
}

async fn what_is_too_much_is_not_stored() {
    let redis = Redis::start(&[]);
    let vault = redis.vault();
    let (most, more) = (seal::MAX_BYTES - 1000, seal::MAX_BYTES);
    let too_long = tokens(&[&"v".repeat(more)]);
    assert_eq!(vault.store("acme", "resp_1", &too_long).await, Err(VaultError::TooLarge(SealError::TooLong)));
    assert_eq!(redis.keys(), [""; 0]);
    let long = tokens(&[&"v".repeat(most)]);
    vault.store("acme", "resp_1", &long).await.unwrap();
    assert_eq!(sorted(vault.load("acme", "resp_1").await), all(&long));
}

async fn without_a_server_there_is_an_error_in_time_and_with_it_again_a_connection() {
    let mut redis = Redis::start(&[]);
    let vault = redis.vault();
    let made = tokens(&["jane@corp.io"]);
    vault.store("acme", "resp_1", &made).await.unwrap();
    redis.stop();
    for _ in 0..20 {
        let began = Instant::now();
        let error = vault.load("acme", "resp_1").await.unwrap_err();
        assert!(error == VaultError::Store(StoreError::Unreachable) && error.is_outage(), "{error:?}");
        assert!(began.elapsed() < DEADLINE);
    }
    assert_eq!(vault.store("acme", "resp_1", &made).await, Err(VaultError::Store(StoreError::Unreachable)));
    redis.start_again();
    let deadline = Instant::now() + PATIENCE;
    while let Err(error) = vault.store("acme", "resp_1", &made).await {
        assert!(Instant::now() < deadline, "{error}");
        tokio::time::sleep(LOOK).await;
    }
    assert_eq!(sorted(vault.load("acme", "resp_1").await), all(&made));
}

async fn a_server_that_does_not_answer_is_not_waited_for() {
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let url = format!("redis://{}", silent.local_addr().unwrap());
    let vault = Vault::new(&Secret::new(url), KEY, HOUR).unwrap();
    let began = Instant::now();
    let asked = (0..8).map(|_| vault.load("acme", "resp_1"));
    for answer in futures_util::future::join_all(asked).await {
        assert_eq!(answer, Err(VaultError::Store(StoreError::Timeout)));
    }
    // Together, as they share the attempt: one by one they would have taken eight times as long.
    assert!(began.elapsed() < CONNECT * 2, "{:?}", began.elapsed());
}

/// As when its host is gone without a word: the old connection would never break.
async fn a_server_that_stops_in_between_is_given_up_and_found_again() {
    let redis = Redis::start(&[]);
    let vault = redis.vault();
    let made = tokens(&["jane@corp.io"]);
    vault.store("acme", "resp_1", &made).await.unwrap();
    let before = redis.connections();
    redis.signal("-STOP");
    let began = Instant::now();
    assert_eq!(vault.load("acme", "resp_1").await, Err(VaultError::Store(StoreError::Timeout)));
    assert!(began.elapsed() < CONNECT, "the time for one answer: {:?}", began.elapsed());
    redis.signal("-CONT");
    assert_eq!(sorted(vault.load("acme", "resp_1").await), all(&made));
    assert_eq!(redis.connections() - before, 2, "the vault's second, and that of this question");
}

async fn a_connection_that_the_server_closed_costs_nobody_an_answer() {
    let mut redis = Redis::start(&[]);
    let vault = redis.vault();
    let made = tokens(&["jane@corp.io"]);
    vault.store("acme", "resp_1", &made).await.unwrap();
    for _ in 0..5 {
        redis.ask::<redis::Value>(redis::cmd("CLIENT").arg("KILL").arg("TYPE").arg("normal"));
        assert_eq!(sorted(vault.load("acme", "resp_1").await), all(&made));
    }
    redis.stop();
    redis.start_again();
    assert_eq!(vault.load("acme", "resp_1").await, Ok(Vec::new()), "this Redis keeps nothing on disk");
}

async fn a_password_is_shown_and_a_wrong_one_told_without_it() {
    let redis = Redis::start(&["--requirepass", "right-canary"]);
    let vault = |user: &str| {
        let url = format!("redis://{user}127.0.0.1:{}/3", redis.port);
        Vault::new(&Secret::new(url), KEY, HOUR).unwrap()
    };
    let made = tokens(&["jane@corp.io"]);
    vault(":right-canary@").store("acme", "resp_1", &made).await.unwrap();
    assert_eq!(sorted(vault(":right-canary@").load("acme", "resp_1").await), all(&made));
    for user in ["", ":wrong-canary@", "canary:right-canary@"] {
        let error = vault(user).load("acme", "resp_1").await.unwrap_err();
        assert!(matches!(error, VaultError::Store(StoreError::Refused(_))), "{user} {error:?}");
        assert!(!format!("{error:?} {error}").contains("canary"));
    }
}

async fn over_tls_the_server_is_checked() {
    let redis = Redis::start_with(true, &[]);
    let vault = |url: String| Vault::new(&Secret::new(url), KEY, HOUR).unwrap();
    let made = tokens(&["jane@corp.io"]);
    let trusted = vault(format!("rediss://localhost:{}", redis.port));
    trusted.store("acme", "resp_1", &made).await.unwrap();
    assert_eq!(sorted(trusted.load("acme", "resp_1").await), all(&made));
    // The certificate is for the name alone, and a server with TLS does not talk without.
    let misnamed = vault(format!("rediss://127.0.0.1:{}", redis.port)).load("acme", "resp_1").await;
    assert_eq!(misnamed, Err(VaultError::Store(StoreError::Unreachable)));
    let plain = vault(format!("redis://localhost:{}", redis.port)).load("acme", "resp_1").await;
    assert!(plain.unwrap_err().is_outage());
}

// ── what they are made of ───────────────────────────────────────────────────────────────────────────────────────────

const KEY: &[u8] = &[7; 32];
const TRUST: &str = "SSL_CERT_FILE";
const CERT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/localhost-test-only.cert.pem");
const PRIVATE_KEY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/localhost-test-only.key.pem");
const HOUR: Duration = Duration::from_secs(3600);
/// For what takes milliseconds on an idle machine.
const PATIENCE: Duration = Duration::from_secs(20);
const LOOK: Duration = Duration::from_millis(20);

fn tokens(values: &[&str]) -> Tokens {
    let mint = Mint { key: Arc::new(TokenKey::new(KEY, 1)), tenant: "acme".into() };
    let mut tokens = Tokens::default();
    for value in values {
        tokens.mint(&mint, &"EMAIL_ADDRESS".into(), value);
    }
    tokens
}

type Pairs = Vec<(String, String, String)>;

fn all(tokens: &Tokens) -> Pairs {
    sorted(Ok(tokens.iter().map(|(token, original)| (token.clone(), original.clone())).collect()))
}

fn sorted(loaded: Result<Vec<(Arc<str>, Original)>, VaultError>) -> Pairs {
    let plain = |(token, original): (Arc<str>, Original)| {
        (token.to_string(), original.entity.to_string(), original.value.to_string())
    };
    let mut pairs: Pairs = loaded.expect("the vault answers").into_iter().map(plain).collect();
    pairs.sort();
    pairs
}

async fn eventually(what: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !what() {
        assert!(Instant::now() < deadline, "it never happens");
        tokio::time::sleep(LOOK).await;
    }
}

fn has_redis() -> bool {
    Command::new("redis-server").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
}

/// A server on a free port of the loopback address, with nothing on disk; killed when dropped.
struct Redis {
    port: u16,
    tls: bool,
    arguments: Vec<String>,
    directory: PathBuf,
    child: Child,
}

impl Redis {
    fn start(arguments: &[&str]) -> Redis {
        Redis::start_with(false, arguments)
    }

    fn start_with(tls: bool, arguments: &[&str]) -> Redis {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("promptgate-vault-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let directory = std::env::temp_dir().join(name);
        std::fs::create_dir(&directory).expect("a directory for the server");
        let arguments: Vec<String> = arguments.iter().map(|word| (*word).to_owned()).collect();
        // A free port may be taken by somebody else before the server binds it.
        for _ in 0..5 {
            let port = free_port();
            let child = spawn(port, tls, &arguments, &directory);
            let mut redis = Redis { port, tls, arguments: arguments.clone(), directory: directory.clone(), child };
            if redis.is_up() {
                return redis;
            }
        }
        panic!("redis-server does not start");
    }

    fn stop(&mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it ends");
    }

    fn start_again(&mut self) {
        self.child = spawn(self.port, self.tls, &self.arguments, &self.directory);
        assert!(self.is_up(), "redis-server does not start again");
    }

    fn signal(&self, signal: &str) {
        let sent = Command::new("kill").args([signal, &self.child.id().to_string()]).status();
        assert!(sent.expect("kill runs").success());
    }

    /// Whether it takes connections, as soon as it does.
    fn is_up(&mut self) -> bool {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline && self.child.try_wait().expect("a child").is_none() {
            if TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_ok() {
                return true;
            }
            std::thread::sleep(LOOK);
        }
        false
    }

    fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    fn vault(&self) -> Vault {
        Vault::new(&Secret::new(self.url()), KEY, HOUR).unwrap()
    }

    /// Past the vault, over a connection of its own.
    fn ask<T: redis::FromRedisValue>(&self, command: &redis::Cmd) -> T {
        let mut connection = redis::Client::open(self.url()).and_then(|client| client.get_connection()).expect("Redis");
        command.query(&mut connection).expect("an answer")
    }

    /// That there have been, the one that asks included.
    fn connections(&self) -> u64 {
        let stats: String = self.ask(redis::cmd("INFO").arg("stats"));
        let count = stats.lines().find_map(|line| line.strip_prefix("total_connections_received:"));
        count.and_then(|count| count.trim().parse().ok()).expect("a number")
    }

    fn keys(&self) -> Vec<String> {
        self.ask(redis::cmd("KEYS").arg("*"))
    }

    fn only_key(&self) -> String {
        let [name] = &self.keys()[..] else { panic!("there is one record") };
        name.clone()
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        // It may be stopped already, and a case that failed has said why.
        self.child.kill().ok();
        self.child.wait().ok();
        std::fs::remove_dir_all(&self.directory).ok();
    }
}

fn spawn(port: u16, tls: bool, arguments: &[String], directory: &Path) -> Child {
    let port = port.to_string();
    let mut command = Command::new("redis-server");
    command.args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir"]).arg(directory).args(arguments);
    if tls {
        command.args(["--port", "0", "--tls-port", &port, "--tls-auth-clients", "no"]);
        command.args(["--tls-cert-file", CERT, "--tls-key-file", PRIVATE_KEY]);
    } else {
        command.args(["--port", &port]);
    }
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("redis-server starts")
}

fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("its address").port()
}
