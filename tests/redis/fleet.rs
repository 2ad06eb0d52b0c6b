//! The level, the policy in force and revocations, which three replicas hold the same.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use promptgate::policy::MAX_CLIENT_LEVELS;
use serde_json::{Value, json};

use crate::client::{ADMIN_TOKEN, Ask, Reply};
use crate::process::Gateway;
use crate::server::{LOOK, PATIENCE, Redis};
use crate::site::Site;

/// What is promised.
const SPREAD: Duration = Duration::from_secs(1);
const BACK: Duration = Duration::from_secs(2);

pub async fn a_level_that_is_changed_on_one_replica_holds_on_all_within_a_second() {
    let redis = Redis::start(&[]);
    let fleet = [replica(&redis, ""), replica(&redis, ""), replica(&redis, "")];
    let mut took = Vec::new();
    for (turn, level) in ["high", "low", "high", "medium", "low"].into_iter().enumerate() {
        assert_eq!(set_level(&fleet[turn % 3].gateway, level).await.status(), 200);
        let changed = Instant::now();
        for site in &fleet {
            until(async || self::level(&site.gateway).await == level).await;
        }
        took.push(changed.elapsed());
    }
    took.sort();
    println!("a level spreads in {:?} at the median, {:?} at most", took[2], took[4]);
    assert!(took[2] < SPREAD, "{took:?}");
    for site in &fleet {
        assert!(site.gateway.ask_admin("/readyz").contains(r#""shared_state":"current""#));
        let metrics = site.gateway.ask_admin("/metrics");
        assert!(metrics.contains(r#"promptgate_shared_state_total{result="failed",use="security"} 0"#), "{metrics}");
    }
}

pub async fn a_replica_that_starts_later_has_the_level_and_the_policy_from_its_first_request_on() {
    let redis = Redis::start(&[]);
    let first = replica(&redis, POLICY);
    set_level(&first.gateway, "low").await;
    assert_eq!(admin(&first.gateway, "POST", "/promote_candidate_policy", "").await.status(), 200);
    let later = replica(&redis, POLICY);
    assert_eq!(level(&later.gateway).await, "low");
    assert_eq!(in_force(&later.gateway).await, "strict");
    assert_eq!(admin(&later.gateway, "POST", "/roll_back_policy", "").await.status(), 200);
    until(async || in_force(&first.gateway).await.is_null()).await;
    let last = replica(&redis, POLICY);
    assert_eq!(in_force(&last.gateway).await, Value::Null);
}

pub async fn the_level_of_a_caller_is_the_same_on_all_and_on_a_redis_that_lost_its_memory() {
    let mut redis = Redis::start(&[]);
    let fleet = [replica(&redis, ""), replica(&redis, "")];
    for (client, level) in [("team: a", "high"), ("b", "low"), ("b", "default")] {
        assert_eq!(set_own_level(&fleet[0].gateway, client, level).await.status(), 200);
    }
    let only = json!({"team: a": "high"});
    until(async || own_levels(&fleet[1].gateway).await == only).await;
    redis.stop();
    assert_eq!(set_own_level(&fleet[1].gateway, "b", "low").await.status(), 503);
    redis.start_again();
    until(async || !redis.keys().is_empty() && is_current(&fleet[1].gateway)).await;
    let later = replica(&redis, "");
    assert_eq!(own_levels(&later.gateway).await, only);
    // As many as there may be, and by whom they are not told.
    let mut fill = redis::cmd("HSET");
    fill.arg(SHARED);
    (1..MAX_CLIENT_LEVELS).for_each(|number| _ = fill.arg(format!("level:{number}")).arg("low"));
    redis.ask::<i64>(&fill);
    until(async || own_levels(&later.gateway).await["999"] == "low").await;
    assert_eq!(set_own_level(&later.gateway, "b", "low").await.status(), 409);
    assert_eq!(set_own_level(&later.gateway, "999", "high").await.status(), 200);
    assert_eq!(set_own_level(&later.gateway, "1", "default").await.status(), 200);
    assert_eq!(set_own_level(&later.gateway, "b", "low").await.status(), 200);
    assert!(is_current(&later.gateway));
}

pub async fn a_change_is_seen_where_nobody_announces_it() {
    let redis = Redis::start(&[]);
    let fleet = [replica(&redis, ""), replica(&redis, "")];
    redis.ask::<()>(redis::cmd("HSET").arg(SHARED).arg("level").arg("high").arg("generation").arg(1));
    for site in &fleet {
        until(async || level(&site.gateway).await == "high").await;
    }
    // Nor by those whose connection is gone.
    redis.ask::<i64>(redis::cmd("CLIENT").arg("KILL").arg("TYPE").arg("pubsub"));
    set_level(&fleet[0].gateway, "low").await;
    until(async || level(&fleet[1].gateway).await == "low").await;
}

pub async fn whoever_is_revoked_on_one_replica_is_refused_by_all_and_by_those_that_start_later() {
    let redis = Redis::start(&[]);
    let fleet = [replica(&redis, ""), replica(&redis, "")];
    for site in &fleet {
        assert_eq!(chat(site).await, 200);
    }
    let body = json!({"kind": "client", "id": "user@company.com"}).to_string();
    let reply = admin(&fleet[0].gateway, "POST", "/revoke", &body).await;
    assert_eq!((reply.status(), reply.json()), (200, json!({"success": true, "revoked_by": "admin@company.com"})));
    assert_eq!(chat(&fleet[0]).await, 401, "here from the next request on");
    until(async || chat(&fleet[1]).await == 401).await;
    assert_eq!(chat(&replica(&redis, "")).await, 401);
    // An operator's way back, and to the same without a gateway.
    redis.ask::<i64>(redis::cmd("ZREM").arg(REVOKED).arg("client user@company.com"));
    for site in &fleet {
        until(async || chat(site).await == 200).await;
    }
    redis.ask::<i64>(redis::cmd("ZADD").arg(REVOKED).arg("inf").arg("client user@company.com"));
    for site in &fleet {
        until(async || chat(site).await == 401).await;
    }
    for (body, status) in [
        (r#"{"kind":"client","id":""}"#, 400),
        (r#"{"kind":"client","id":"a\nclient b"}"#, 400),
        (r#"{"kind":"user","id":"a"}"#, 400),
        (r#"{"kind":"sub","id":"a","expires_in":0}"#, 400),
    ] {
        assert_eq!(admin(&fleet[0].gateway, "POST", "/revoke", body).await.status(), status, "{body}");
    }
}

pub async fn a_revocation_ends_when_it_was_to_end() {
    let redis = Redis::start(&[]);
    let site = replica(&redis, "");
    let body = json!({"kind": "client", "id": "user@company.com", "expires_in": 3600}).to_string();
    assert_eq!(admin(&site.gateway, "POST", "/revoke", &body).await.status(), 200);
    assert_eq!(chat(&site).await, 401);
    let ends: f64 = redis.ask(redis::cmd("ZSCORE").arg(REVOKED).arg("client user@company.com"));
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs_f64();
    assert!((3500.0..=3600.0).contains(&(ends - now)), "{ends} {now}");
    // As if the time were over; nothing else tells that it is.
    redis.ask::<i64>(redis::cmd("ZADD").arg(REVOKED).arg(now - 1.0).arg("client user@company.com"));
    until(async || chat(&site).await == 200).await;
}

pub async fn without_redis_the_last_level_stays_and_is_not_changed() {
    let mut redis = Redis::start(&[]);
    let site = replica(&redis, POLICY);
    set_level(&site.gateway, "high").await;
    redis.stop();
    let refused = set_level(&site.gateway, "low").await;
    assert_eq!((refused.status(), refused.header("retry-after")), (503, Some("5")), "{}", refused.text());
    assert!(refused.text().contains("Redis cannot be reached"), "{}", refused.text());
    assert_eq!(admin(&site.gateway, "POST", "/promote_candidate_policy", "").await.status(), 503);
    let body = json!({"kind": "client", "id": "user@company.com"}).to_string();
    assert_eq!(admin(&site.gateway, "POST", "/revoke", &body).await.status(), 503);
    until(async || {
        site.gateway
            .ask_admin("/readyz")
            .contains(r#""ready":true,"checks":{"draining":false,"keys":"not_used","shared_state":"stale"}"#)
    })
    .await;
    assert_eq!((level(&site.gateway).await, in_force(&site.gateway).await), ("high".to_owned(), Value::Null));
    assert_eq!(chat(&site).await, 200);
    let failed = |line: &str| {
        line.starts_with(r#"promptgate_shared_state_total{result="failed",use="security"} "#) && !line.ends_with(" 0")
    };
    assert!(site.gateway.ask_admin("/metrics").lines().any(failed));
}

pub async fn a_replica_that_never_saw_the_revocations_serves_or_refuses_as_the_operator_says() {
    let mut redis = Redis::start(&[]);
    redis.ask::<i64>(redis::cmd("ZADD").arg(REVOKED).arg("inf").arg("client user@company.com"));
    redis.ask::<redis::Value>(&redis::cmd("SAVE"));
    redis.stop();
    let open = replica(&redis, "");
    assert!(open.gateway.ask_admin("/readyz").contains(r#""shared_state":"never_loaded""#));
    assert_eq!(chat(&open).await, 200);
    let closed = Gateway::start_live(&config(&redis, "[revocation]\nfailure = \"closed\"\n"), &[]);
    assert!(closed.ask_admin("/readyz").starts_with("HTTP/1.1 503"));
    let refused = Ask::post(CHAT, HELLO).send(closed.address).await;
    assert_eq!((refused.status(), refused.header("retry-after").is_some()), (503, true));
    assert!(refused.text().contains("revocations_unavailable"), "{}", refused.text());
    redis.start_again();
    until(async || closed.ask_admin("/readyz").starts_with("HTTP/1.1 200")).await;
    assert_eq!(Ask::post(CHAT, HELLO).send(closed.address).await.status(), 401);
    until(async || chat(&open).await == 401).await;
}

pub async fn a_redis_that_is_killed_ten_times_under_load_loses_nothing_it_acknowledged_and_is_found_again() {
    let mut redis = Redis::start(&["--appendonly", "yes", "--appendfsync", "always"]);
    let fleet = Arc::new([replica(&redis, ""), replica(&redis, ""), replica(&redis, "")]);
    let over = Arc::new(AtomicBool::new(false));
    let callers: Vec<_> = (0..3).map(|at| tokio::spawn(load(fleet.clone(), at, over.clone()))).collect();
    let mut back = Vec::new();
    for turn in 0..10 {
        let new = ["high", "low"][turn % 2];
        assert_eq!(set_level(&fleet[turn % 3].gateway, new).await.status(), 200);
        let revoked = json!({"kind": "jti", "id": format!("token-{turn}")}).to_string();
        assert_eq!(admin(&fleet[turn % 3].gateway, "POST", "/revoke", &revoked).await.status(), 200);
        redis.stop();
        assert_eq!(level(&fleet[turn % 3].gateway).await, new);
        redis.start_again();
        let up = Instant::now();
        // It takes connections before it has read its file.
        let info = redis::cmd("INFO").arg("persistence").clone();
        until(async || redis.ask::<String>(&info).contains("\nloading:0")).await;
        assert_eq!(redis.ask::<String>(redis::cmd("HGET").arg(SHARED).arg("level")), new);
        assert_eq!(redis.ask::<usize>(redis::cmd("ZCARD").arg(REVOKED)), turn + 1);
        for site in fleet.iter() {
            until(async || level(&site.gateway).await == new && is_current(&site.gateway)).await;
        }
        back.push(up.elapsed());
    }
    back.sort();
    println!("what is shared is current again {:?} after Redis at the median, {:?} at most", back[5], back[9]);
    assert!(back[5] < BACK, "{back:?}");
    over.store(true, Ordering::Relaxed);
    for caller in callers {
        assert!(caller.await.expect("a caller") > 0);
    }
}

/// Asks until it is over. How often; each was answered.
async fn load(fleet: Arc<[Site; 3]>, at: usize, over: Arc<AtomicBool>) -> usize {
    let mut asked = 0;
    while !over.load(Ordering::Relaxed) {
        assert_eq!(chat(&fleet[at]).await, 200);
        asked += 1;
    }
    asked
}

pub async fn a_redis_that_lost_its_memory_is_given_it_back() {
    let mut redis = Redis::start(&[]);
    let fleet = [replica(&redis, POLICY), replica(&redis, POLICY)];
    set_level(&fleet[0].gateway, "low").await;
    assert_eq!(admin(&fleet[0].gateway, "POST", "/promote_candidate_policy", "").await.status(), 200);
    let body = json!({"kind": "client", "id": "user@company.com", "expires_in": 3600}).to_string();
    assert_eq!(admin(&fleet[0].gateway, "POST", "/revoke", &body).await.status(), 200);
    redis.stop();
    redis.start_again();
    until(async || redis.keys().len() == 2 && is_current(&fleet[0].gateway)).await;
    let later = replica(&redis, POLICY);
    assert_eq!((level(&later.gateway).await, in_force(&later.gateway).await), ("low".to_owned(), "strict".into()));
    assert_eq!(chat(&later).await, 401);
    let ends: f64 = redis.ask(redis::cmd("ZSCORE").arg(REVOKED).arg("client user@company.com"));
    assert!(ends.is_finite());
}

pub async fn what_redis_holds_that_means_nothing_changes_nothing_and_is_told() {
    let redis = Redis::start(&[]);
    let site = replica(&redis, POLICY);
    set_level(&site.gateway, "high").await;
    let set = |field: &str, value: &str| redis::cmd("HSET").arg(SHARED).arg(field).arg(value).clone();
    // What was read once is put back, a policy of another configuration too: each is mended by what it was before.
    for (breaks, mends, fault) in [
        (set("level", "canary"), set("level", "high"), "holds a level that is none"),
        (set("policy", "canary"), set("policy", ""), "names a policy"),
        (
            redis::cmd("ZADD").arg(REVOKED).arg("inf").arg("canary").clone(),
            redis::cmd("ZREM").arg(REVOKED).arg("canary").clone(),
            "line 1",
        ),
        (redis::cmd("SET").arg(SHARED).arg("canary").clone(), redis::cmd("DEL").arg(SHARED).clone(), "WRONGTYPE"),
    ] {
        redis.ask::<redis::Value>(&breaks);
        until(async || site.gateway.stderr().contains(fault)).await;
        assert_eq!((level(&site.gateway).await, chat(&site).await), ("high".to_owned(), 200), "{fault}");
        assert!(!site.gateway.stderr().contains("canary"));
        redis.ask::<redis::Value>(&mends);
        until(async || is_current(&site.gateway)).await;
    }
    // Another level takes the place of one that is none.
    redis.ask::<i64>(redis::cmd("HSET").arg(SHARED).arg("level").arg("canary"));
    assert_eq!(set_level(&site.gateway, "low").await.status(), 200);
    until(async || is_current(&site.gateway)).await;
    assert_eq!(level(&site.gateway).await, "low");
}

pub async fn another_redis_is_followed_after_a_reload() {
    let (one, other) = (Redis::start(&[]), Redis::start(&[]));
    other.ask::<()>(redis::cmd("HSET").arg(SHARED).arg("level").arg("high").arg("generation").arg(1));
    let site = replica(&one, "");
    set_level(&site.gateway, "low").await;
    site.gateway.edit(&one.url(), &other.url());
    assert_eq!(site.gateway.reload().await["result"], "ok");
    until(async || level(&site.gateway).await == "high").await;
}

// ── what they are made of ───────────────────────────────────────────────────────────────────────────────────────────

const SHARED: &str = "promptgate:{shared}";
const REVOKED: &str = "promptgate:{shared}:revoked";
const CHAT: &str = "/v1/chat/completions";
const HELLO: &str = r#"{"messages":[{"role":"user","content":"hello"}]}"#;
const POLICY: &str = "[security]\ncandidate = \"strict\"\n[policies.strict]\nlevel = \"high\"\n";

fn config(redis: &Redis, more: &str) -> String {
    format!("{more}[redis]\nurl = \"{}\"\nshare = [\"security\", \"revocations\"]\n", redis.url())
}

fn replica(redis: &Redis, more: &str) -> Site {
    Site::start(&config(redis, more))
}

/// The status of a caller's request.
pub async fn chat(site: &Site) -> u16 {
    Ask::post(CHAT, HELLO).send(site.address()).await.status()
}

pub async fn admin(gateway: &Gateway, method: &'static str, path: &str, body: &str) -> Reply {
    let ask = Ask::post(path, body).method(method).with("host", "localhost");
    let ask = ask.with("authorization", &format!("Bearer {ADMIN_TOKEN}"));
    let ask = if body.is_empty() { ask.without("content-type") } else { ask };
    ask.send(gateway.admin).await
}

pub async fn set_level(gateway: &Gateway, level: &str) -> Reply {
    admin(gateway, "POST", "/update_security_level", &json!({ "level": level }).to_string()).await
}

async fn set_own_level(gateway: &Gateway, client: &str, level: &str) -> Reply {
    let body = json!({"level": level, "client": client}).to_string();
    admin(gateway, "POST", "/update_security_level", &body).await
}

async fn own_levels(gateway: &Gateway) -> Value {
    admin(gateway, "GET", "/get_security_stats", "").await.json()["client_security_levels"].clone()
}

pub async fn level(gateway: &Gateway) -> String {
    let stats = admin(gateway, "GET", "/get_security_stats", "").await.json();
    stats["current_security_level"].as_str().expect("a level").to_owned()
}

async fn in_force(gateway: &Gateway) -> Value {
    admin(gateway, "GET", "/get_candidate_policy", "").await.json()["in_force"].clone()
}

pub fn is_current(gateway: &Gateway) -> bool {
    gateway.ask_admin("/readyz").contains(r#""shared_state":"current""#)
}

pub async fn until(what: impl AsyncFn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !what().await {
        assert!(Instant::now() < deadline, "it never happens");
        tokio::time::sleep(LOOK).await;
    }
}
