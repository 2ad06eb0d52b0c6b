//! The vault, alone and behind a gateway, for conversations that the upstream keeps.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use promptgate::config::RedisServers;
use promptgate::policy::token::{Original, is_token};
use promptgate::policy::{Mint, SealError, TokenKey, Tokens, seal};
use promptgate::state::redis::{ANSWER, CONNECT, DEADLINE, StoreError};
use promptgate::state::{Vault, VaultError};

use crate::client::{ADMIN_TOKEN, Ask, TOKEN};
use crate::http1::{SECOND, Wire, is_within};
use crate::server::{LOOK, PATIENCE, Redis, eventually};
use crate::site::Site;

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

pub async fn a_placeholder_of_an_earlier_answer_is_given_back_to_its_tenant_alone() {
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

pub async fn without_redis_a_conversation_goes_on_or_is_refused_as_the_operator_says() {
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

pub async fn a_redis_that_is_killed_ten_times_under_load_holds_nobody_up_and_is_found_again() {
    let mut redis = Redis::start(&[]);
    let site = Arc::new(gateway(&redis, ""));
    let over = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let clients: Vec<_> = (0..4).map(|_| tokio::spawn(load(site.clone(), over.clone()))).collect();
    let mut back = Vec::new();
    for _ in 0..10 {
        tokio::time::sleep(Duration::from_millis(50)).await;
        redis.stop();
        tokio::time::sleep(Duration::from_millis(50)).await;
        redis.start_again();
        let up = Instant::now();
        // A record is the sign that the vault is in use again.
        while redis.keys().is_empty() {
            assert!(up.elapsed() < PATIENCE, "no record after {:?}", up.elapsed());
            tokio::time::sleep(LOOK).await;
        }
        back.push(up.elapsed());
    }
    assert!(is_within(2 * SECOND, back));
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

pub async fn what_was_stored_is_loaded_by_the_same_tenant_alone() {
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

pub async fn a_gateway_that_was_started_again_reads_it_with_the_same_key_alone() {
    let redis = Redis::start(&[]);
    let made = tokens(&["jane@corp.io"]);
    redis.vault().store("acme", "resp_1", &made).await.unwrap();
    assert_eq!(sorted(redis.vault().load("acme", "resp_1").await), all(&made));
    let other = open(&redis.url(), &[8; 32], HOUR);
    assert_eq!(other.load("acme", "resp_1").await, Ok(Vec::new()));
}

pub async fn a_record_is_forgotten_after_its_lifetime() {
    let redis = Redis::start(&[]);
    let vault = redis.vault();
    vault.store("acme", "resp_1", &tokens(&["jane@corp.io"])).await.unwrap();
    let left = |name: &str| redis.ask::<i64>(redis::cmd("TTL").arg(name));
    let name = redis.only_key();
    assert!((3590..=3600).contains(&left(&name)), "{}", left(&name));
    redis.ask::<()>(redis::cmd("EXPIRE").arg(&name).arg(100));
    vault.load("acme", "resp_1").await.unwrap();
    assert!(left(&name) <= 100, "reading makes nothing last longer");
    let short = open(&redis.url(), KEY, Duration::from_millis(10));
    short.store("acme", "resp_1", &tokens(&["jane@corp.io"])).await.unwrap();
    assert!(left(&name) <= 1);
    eventually(|| left(&name) == -2).await;
    assert_eq!(vault.load("acme", "resp_1").await, Ok(Vec::new()));
}

pub async fn a_later_turn_takes_the_place_of_an_earlier_one() {
    let redis = Redis::start(&[]);
    let vault = redis.vault();
    vault.store("acme", "conv_1", &tokens(&["jane@corp.io"])).await.unwrap();
    let both = tokens(&["jane@corp.io", "joe@corp.io"]);
    vault.store("acme", "conv_1", &both).await.unwrap();
    vault.store("acme", "conv_1", &Tokens::default()).await.unwrap();
    assert_eq!(sorted(vault.load("acme", "conv_1").await), all(&both));
}

pub async fn nothing_in_redis_can_be_read() {
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

pub async fn a_record_that_does_not_open_is_told_from_one_that_is_not_there() {
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

pub async fn what_is_too_much_is_not_stored() {
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

pub async fn without_a_server_there_is_an_error_in_time_and_with_it_again_a_connection() {
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

pub async fn a_server_that_does_not_answer_is_not_waited_for() {
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let url = format!("redis://{}", silent.local_addr().unwrap());
    let vault = open(&url, KEY, HOUR);
    let began = Instant::now();
    let asked = (0..8).map(|_| vault.load("acme", "resp_1"));
    for answer in futures_util::future::join_all(asked).await {
        assert_eq!(answer, Err(VaultError::Store(StoreError::Timeout)));
    }
    // Together, as they share the attempt: one by one they would have taken eight times as long.
    assert!(began.elapsed() < CONNECT * 4, "{:?}", began.elapsed());
}

/// As when its host is gone without a word: the old connection would never break.
pub async fn a_server_that_stops_in_between_is_given_up_and_found_again() {
    let redis = Redis::start(&[]);
    let vault = redis.vault();
    let made = tokens(&["jane@corp.io"]);
    vault.store("acme", "resp_1", &made).await.unwrap();
    let before = redis.connections();
    redis.signal("-STOP");
    let began = Instant::now();
    assert_eq!(vault.load("acme", "resp_1").await, Err(VaultError::Store(StoreError::Timeout)));
    assert!(began.elapsed() < ANSWER + CONNECT, "the time for one answer: {:?}", began.elapsed());
    redis.signal("-CONT");
    assert_eq!(sorted(vault.load("acme", "resp_1").await), all(&made));
    assert_eq!(redis.connections() - before, 2, "the vault's second, and that of this question");
}

pub async fn a_connection_that_the_server_closed_costs_nobody_an_answer() {
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

pub async fn where_the_server_became_a_replica_the_master_is_looked_for() {
    let redis = Redis::start(&[]);
    let vault = redis.vault();
    let made = tokens(&["jane@corp.io"]);
    vault.store("acme", "resp_1", &made).await.unwrap();
    let before = redis.connections();
    redis.ask::<()>(redis::cmd("REPLICAOF").arg("127.0.0.1").arg(1));
    let refused = VaultError::Store(StoreError::Refused("READONLY".to_owned()));
    assert_eq!(vault.store("acme", "resp_1", &made).await, Err(refused));
    redis.ask::<()>(redis::cmd("REPLICAOF").arg("NO").arg("ONE"));
    vault.store("acme", "resp_1", &made).await.unwrap();
    assert_eq!(redis.connections() - before, 5, "twice the vault's, and three questions of ours");
}

pub async fn a_password_is_shown_and_a_wrong_one_told_without_it() {
    let redis = Redis::start(&["--requirepass", "right-canary"]);
    let vault = |user: &str| {
        let url = format!("redis://{user}127.0.0.1:{}/3", redis.port);
        open(&url, KEY, HOUR)
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

pub async fn over_tls_the_server_is_checked() {
    let redis = Redis::start_with_tls(&[]);
    let vault = |url: String| open(&url, KEY, HOUR);
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

pub const KEY: &[u8] = &[7; 32];
pub const HOUR: Duration = Duration::from_secs(3600);

fn open(url: &str, key: &[u8], lifetime: Duration) -> Vault {
    Vault::new(&Arc::new(RedisServers::parse(url).expect("an address")), key, lifetime).expect("a vault")
}

pub fn tokens(values: &[&str]) -> Tokens {
    let mint = Mint { key: Arc::new(TokenKey::new(KEY, 1)), tenant: "acme".into() };
    let mut tokens = Tokens::default();
    for value in values {
        tokens.mint(&mint, &"EMAIL_ADDRESS".into(), value);
    }
    tokens
}

pub type Pairs = Vec<(String, String, String)>;

pub fn all(tokens: &Tokens) -> Pairs {
    sorted(Ok(tokens.iter().collect()))
}

pub fn sorted(loaded: Result<Vec<(Arc<str>, Original)>, VaultError>) -> Pairs {
    let plain = |(token, original): (Arc<str>, Original)| {
        (token.to_string(), original.entity.to_string(), original.value.to_string())
    };
    let mut pairs: Pairs = loaded.expect("the vault answers").into_iter().map(plain).collect();
    pairs.sort();
    pairs
}

impl Redis {
    fn vault(&self) -> Vault {
        open(&self.url(), KEY, HOUR)
    }
}
