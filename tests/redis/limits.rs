//! Limits that three replicas count together.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::client::Ask;
use crate::http1::Wire;
use crate::server::{PATIENCE, Redis, eventually};
use crate::site::Site;
use crate::upstream::Call;

const CHAT: &str = "/v1/chat/completions";
const BODY: &str = r#"{"model":"m","messages":[{"role":"user","content":"hi"}]}"#;

/// Three gateways with these keys of `[rate_limit]`. They wait long for Redis: this machine may be busy.
fn replicas(redis: &Redis, keys: &str) -> [Site; 3] {
    std::array::from_fn(|_| replica(redis, &format!("timeout = \"10s\"\n{keys}")))
}

fn replica(redis: &Redis, keys: &str) -> Site {
    Site::start(&format!("[redis]\nurl = \"{}\"\n[rate_limit]\nstore = \"redis\"\n{keys}\n", redis.url()))
}

async fn status(site: &Site) -> u16 {
    Ask::post(CHAT, BODY).send(site.address()).await.status()
}

/// A request whose answer is still to come.
async fn under_way(site: &Site) -> (Ask, Wire, Call) {
    let ask = Ask::post(CHAT, BODY);
    let expected = site.upstream.expect(&ask.id());
    let mut client = Wire::connect(site.address()).await;
    assert!(client.write(&ask.bytes()).await);
    let call = expected.call().await;
    (ask, client, call)
}

fn counted(site: &Site, result: &str) -> u64 {
    let metrics = site.gateway.ask_admin("/metrics");
    let line = format!("promptgate_rate_limit_counted_total{{result=\"{result}\"}} ");
    metrics.lines().find_map(|found| found.strip_prefix(&line)).and_then(|number| number.parse().ok()).unwrap_or(0)
}

pub async fn three_replicas_let_through_what_one_would() {
    const MOST: u64 = 300;
    let redis = Redis::start(&[]);
    let sites = Arc::new(replicas(&redis, &format!("requests_per_minute = {MOST}")));
    let begun = Instant::now();
    let clients: Vec<_> = (0..12)
        .map(|client| {
            let sites = sites.clone();
            tokio::spawn(async move {
                let mut passed = 0;
                for _ in 0..50 {
                    passed += u64::from(status(&sites[client % 3]).await == 200);
                }
                passed
            })
        })
        .collect();
    let mut passed = 0;
    for client in clients {
        passed += client.await.expect("a client");
    }
    // Five more come back each second.
    let refilled = begun.elapsed().as_millis() as u64 * MOST / 60_000;
    assert!(passed >= MOST.min(600) && passed <= MOST + refilled + 1, "{passed} of {MOST} and {refilled}");
    assert!(sites.iter().all(|site| counted(site, "open") == 0 && counted(site, "shared") > 0));
}

pub async fn requests_under_way_on_all_replicas_are_counted_together() {
    let redis = Redis::start(&[]);
    let sites = replicas(&redis, "concurrent = 3");
    let mut open = Vec::new();
    for site in &sites {
        open.push(under_way(site).await);
    }
    for site in &sites {
        assert_eq!(status(site).await, 429);
    }
    let (ask, client, call) = open.pop().expect("one of three");
    drop((client, call));
    sites[2].gateway.record(&ask.id()).await;
    let name = redis.only_key();
    eventually(|| redis.ask::<u64>(redis::cmd("ZCARD").arg(&name)) == 2).await;
    let another = under_way(&sites[0]).await;
    assert_eq!(status(&sites[1]).await, 429);
    drop((open, another));
}

pub async fn tokens_used_on_one_replica_are_owed_on_another() {
    let redis = Redis::start(&[]);
    let sites = replicas(&redis, "tokens_per_day = 1000");
    let (ask, mut client, mut call) = under_way(&sites[0]).await;
    call.body().await;
    call.begin("application/json").await;
    call.chunk(br#"{"choices":[],"usage":{"prompt_tokens":900,"completion_tokens":600}}"#).await;
    call.end().await;
    client.response().await.expect("an answer");
    sites[0].gateway.record(&ask.id()).await;
    eventually(|| redis.keys().len() == 1).await;
    let name = redis.only_key();
    // A day and a half are used up of one.
    let owed = |redis: &Redis| redis.ask::<i64>(redis::cmd("PTTL").arg(&name)) > 36 * 3_600_000 - 60_000;
    eventually(|| owed(&redis)).await;
    let reply = Ask::post(CHAT, BODY).send(sites[1].address()).await;
    let after: u64 = reply.header("retry-after").and_then(|seconds| seconds.parse().ok()).expect("a number");
    assert!(reply.status() == 429 && (43_000..=43_400).contains(&after), "{after}: half a day");
    assert_eq!(reply.header("x-should-retry"), Some("false"));
}

pub async fn a_request_refused_for_its_body_gives_back_what_its_head_took() {
    let redis = Redis::start(&[]);
    let sites = replicas(&redis, "requests_per_minute = 2\ntokens_per_minute = 10");
    let long = Ask::post(CHAT, BODY.replace("hi", &"words ".repeat(100)));
    for site in &sites {
        assert_eq!(long.send(site.address()).await.status(), 429);
    }
    eventually(|| redis.keys().is_empty()).await;
    assert_eq!(status(&sites[0]).await, 200);
}

pub async fn without_redis_each_replica_counts_alone_or_none_serves_as_the_operator_says() {
    let mut redis = Redis::start(&[]);
    let [open, _, _] = replicas(&redis, "requests_per_minute = 2");
    let [closed, _, _] = replicas(&redis, "requests_per_minute = 2\nfailure = \"closed\"");
    redis.stop();
    assert_eq!([status(&open).await, status(&open).await, status(&open).await], [200, 200, 429]);
    assert_eq!(counted(&open, "open"), 2);
    let reply = Ask::post(CHAT, BODY).send(closed.address()).await;
    assert_eq!((reply.status(), reply.header("retry-after")), (503, Some("1")));
    assert_eq!((&reply.json()["error"]["code"], counted(&closed, "closed")), (&"rate_limit_unavailable".into(), 1));
    redis.start_again();
    let began = Instant::now();
    while counted(&closed, "shared") == 0 {
        status(&closed).await;
        assert!(began.elapsed() < PATIENCE, "Redis is not asked again");
    }
}

pub async fn a_redis_that_does_not_answer_is_waited_for_once_a_second() {
    let redis = Redis::start(&[]);
    let site = replica(&redis, "requests_per_minute = 100000\ntimeout = \"3s\"");
    redis.signal("-STOP");
    let began = Instant::now();
    for _ in 0..10 {
        assert_eq!(status(&site).await, 200);
    }
    // The first has waited; half a minute would pass if all had.
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
    redis.signal("-CONT");
}

pub async fn a_redis_that_is_killed_ten_times_under_load_holds_nobody_up() {
    let mut redis = Redis::start(&[]);
    let sites = Arc::new(replicas(&redis, "requests_per_minute = 1000000\nconcurrent = 1000"));
    let over = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..6)
        .map(|client| {
            let (sites, over) = (sites.clone(), over.clone());
            tokio::spawn(async move {
                while !over.load(Ordering::Relaxed) {
                    assert_eq!(status(&sites[client % 3]).await, 200);
                }
            })
        })
        .collect();
    for _ in 0..10 {
        redis.stop();
        tokio::time::sleep(Duration::from_millis(50)).await;
        redis.start_again();
        let began = Instant::now();
        // A number is the sign that limits are counted there again.
        while redis.keys().is_empty() {
            assert!(began.elapsed() < PATIENCE, "nothing is counted");
            tokio::time::sleep(crate::server::LOOK).await;
        }
    }
    over.store(true, Ordering::Relaxed);
    for client in clients {
        client.await.expect("a client that was always served");
    }
}

pub async fn a_replica_that_was_killed_leaves_its_places_in_a_minute() {
    let redis = Redis::start(&[]);
    let site = replica(&redis, "concurrent = 1\ntimeout = \"10s\"");
    let open = under_way(&site).await;
    let left: i64 = redis.ask(redis::cmd("PTTL").arg(redis.only_key()));
    assert!((1..=60_000).contains(&left), "{left}");
    drop((site, open));
    // As if the minute were over.
    let name = redis.only_key();
    let members: Vec<String> = redis.ask(redis::cmd("ZRANGE").arg(&name).arg(0).arg(-1));
    redis.ask::<i64>(redis::cmd("ZADD").arg(&name).arg(1).arg(&members[0]));
    let another = replica(&redis, "concurrent = 1\ntimeout = \"10s\"");
    assert_eq!(status(&another).await, 200);
}
