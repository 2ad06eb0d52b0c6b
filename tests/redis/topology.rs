//! Redis as operators run it where it must not be away: over TLS by an authority of their own, behind Sentinels, as a cluster.

use std::sync::Arc;
use std::time::{Duration, Instant};

use promptgate::config::{Login, RedisServers, Secret, Topology};
use promptgate::state::redis::StoreError;
use promptgate::state::{Vault, VaultError};
use serde_json::json;

use crate::fleet::{admin, chat, is_current, level, set_level, until};
use crate::server::{CERT, Redis, eventually, free_port};
use crate::site::{Site, fixture};
use crate::vault::{HOUR, KEY, all, sorted, tokens};

/// Nothing here trusts it by itself.
const ZEBRA: (&str, &str) = ("zebra-test-only.cert.pem", "zebra-test-only.key.pem");

pub async fn over_tls_an_authority_of_its_own_is_trusted_and_no_other() {
    let (cert, key) = (fixture(ZEBRA.0), fixture(ZEBRA.1));
    let redis = Redis::start_with_tls(&["--tls-cert-file", &cert, "--tls-key-file", &key]);
    let url = format!("rediss://localhost:{}", redis.port);
    let made = tokens(&["jane@corp.io"]);
    for (ca, expected) in [
        (None, Err(VaultError::Store(StoreError::Unreachable))),
        (Some(CERT), Err(VaultError::Store(StoreError::Unreachable))),
        (Some(&*cert), Ok(())),
    ] {
        let mut servers = RedisServers::parse(&url).expect("an address");
        servers.ca = ca.map(Into::into);
        let vault = Vault::new(&Arc::new(servers), KEY, HOUR).expect("a vault");
        assert_eq!(vault.store("acme", "resp_1", &made).await, expected, "{ca:?}");
    }
    let site = Site::start(&format!("[redis]\nurl = \"{url}\"\nca = {cert:?}\nshare = [\"security\"]\n"));
    assert_eq!(set_level(&site.gateway, "high").await.status(), 200);
    assert!(is_current(&site.gateway));
}

pub async fn where_the_master_is_killed_the_gateway_follows_to_the_promoted_one() {
    let user = ["--user", "gateway", "on", ">servers-password", "~*", "&*", "+@all"];
    let mut master = Redis::start(&user);
    let port = master.port.to_string();
    let of_master = ["--replicaof", "127.0.0.1", &port, "--repl-diskless-sync-delay", "0"];
    let standby = Redis::start(&[&user[..], &of_master].concat());
    eventually(|| master.ask::<String>(redis::cmd("INFO").arg("replication")).contains("state=online")).await;
    let sentinel = Redis::start_sentinel(&master);
    eventually(|| {
        let known: Vec<Vec<String>> = sentinel.ask(redis::cmd("SENTINEL").arg("REPLICAS").arg("main"));
        !known.is_empty()
    })
    .await;
    // Of two Sentinels the first is away.
    let nodes = format!("127.0.0.1:{},127.0.0.1:{}/main", free_port(), sentinel.port);
    for (of_server, of_sentinel, is_right) in [
        ("servers-password", "watchers-password", true),
        ("servers-password", "x", false),
        ("x", "watchers-password", false),
    ] {
        let mut servers = RedisServers::parse(&format!("redis+sentinel://gateway:{of_server}@{nodes}")).expect("one");
        let known = Login { user: Some(Secret::new("watcher")), password: Some(Secret::new(of_sentinel)) };
        servers.topology = Topology::Sentinel { master: "main".to_owned(), login: known };
        let vault = Vault::new(&Arc::new(servers), KEY, HOUR).expect("a vault");
        assert_eq!(vault.load("acme", "resp_1").await.is_ok(), is_right, "{of_server} {of_sentinel}");
    }
    let url = format!("redis+sentinel://gateway:servers-password@{nodes}");
    let config = format!(
        "[redis]\nurl = \"{url}\"\nsentinel_user = \"watcher\"\nsentinel_password = \"watchers-password\"\n\
         share = [\"security\", \"revocations\"]\n[rate_limit]\nstore = \"redis\"\ntimeout = \"10s\"\nrequests_per_minute = 1000\n"
    );
    let site = Site::start(&config);
    assert_eq!(set_level(&site.gateway, "high").await.status(), 200);
    let revoked = json!({"kind": "jti", "id": "token"}).to_string();
    assert_eq!(admin(&site.gateway, "POST", "/revoke", &revoked).await.status(), 200);
    // What a master acknowledged its replica may not have yet.
    assert_eq!(master.ask::<i64>(redis::cmd("WAIT").arg(1).arg(5000)), 1);
    master.stop();
    let killed = Instant::now();
    eventually(|| sentinel.does(redis::cmd("SENTINEL").arg("FAILOVER").arg("main"))).await;
    until(async || {
        assert_eq!(chat(&site).await, 200, "nobody is kept waiting");
        set_level(&site.gateway, "low").await.status() == 200
    })
    .await;
    until(async || level(&site.gateway).await == "low" && is_current(&site.gateway)).await;
    println!("a level can be changed again {:?} after its master was killed", killed.elapsed());
    assert_eq!(standby.ask::<String>(redis::cmd("HGET").arg("promptgate:{shared}").arg("level")), "low");
    assert_eq!(standby.ask::<usize>(redis::cmd("ZCARD").arg("promptgate:{shared}:revoked")), 1);
    let is_shared = |line: &str| line.starts_with("promptgate_rate_limit_counted_total{result=\"shared\"}");
    // A Redis that failed is not asked again for a second.
    until(async || {
        assert_eq!(chat(&site).await, 200);
        site.gateway.ask_admin("/metrics").lines().any(|line| is_shared(line) && !line.ends_with(" 0"))
    })
    .await;
}

pub async fn a_cluster_is_one_redis_to_all_uses() {
    let nodes = cluster();
    let url = |order: [usize; 2]| {
        let nodes = order.map(|at| format!("127.0.0.1:{}", nodes[at].port));
        format!("redis+cluster://{}", nodes.join(","))
    };
    // Each knows other nodes, and finds the rest.
    let replica = |order| {
        let keys = "store = \"redis\"\ntimeout = \"10s\"\nrequests_per_minute = 3\n";
        let class = "[[rate_limit.class]]\nname = \"all\"\nper = \"class\"\nconcurrent = 9\nclients = [\"x\"]\n";
        let share = "share = [\"security\", \"revocations\"]";
        Site::start(&format!("[redis]\nurl = \"{}\"\n{share}\n[rate_limit]\n{keys}{class}", url(order)))
    };
    let fleet = [replica([0, 1]), replica([2, 0])];
    assert_eq!(set_level(&fleet[0].gateway, "high").await.status(), 200);
    let changed = Instant::now();
    until(async || level(&fleet[1].gateway).await == "high").await;
    println!("a level spreads through a cluster in {:?}", changed.elapsed());
    assert_eq!([chat(&fleet[0]).await, chat(&fleet[1]).await, chat(&fleet[0]).await], [200; 3]);
    assert_eq!(chat(&fleet[1]).await, 429, "counted together");
    let revoked = json!({"kind": "client", "id": "user@company.com"}).to_string();
    assert_eq!(admin(&fleet[1].gateway, "POST", "/revoke", &revoked).await.status(), 200);
    until(async || chat(&fleet[0]).await == 401).await;
    // Records are wherever their names are.
    let vault = Vault::new(&Arc::new(RedisServers::parse(&url([1, 2])).expect("an address")), KEY, HOUR).expect("one");
    let made = tokens(&["jane@corp.io"]);
    for number in 0..16 {
        let id = format!("resp_{number}");
        vault.store("acme", &id, &made).await.expect("stored");
        assert_eq!(sorted(vault.load("acme", &id).await), all(&made));
    }
    let kept = nodes.iter().map(|node| node.ask::<Vec<String>>(redis::cmd("KEYS").arg("promptgate:vault:*")).len());
    let kept: Vec<usize> = kept.collect();
    assert!(kept.iter().sum::<usize>() == 16 && kept.iter().filter(|count| **count > 0).count() > 1, "{kept:?}");
}

/// Three nodes that know each other and have all slots between them.
fn cluster() -> [Redis; 3] {
    let nodes: [Redis; 3] = std::array::from_fn(|_| {
        let bus = free_port().to_string();
        Redis::start(&["--cluster-enabled", "yes", "--cluster-port", &bus, "--cluster-node-timeout", "15000"])
    });
    let bounds = [0, 5461, 10923, 16384];
    for (at, node) in nodes.iter().enumerate() {
        node.ask::<()>(redis::cmd("CLUSTER").arg("ADDSLOTSRANGE").arg(bounds[at]).arg(bounds[at + 1] - 1));
        node.ask::<()>(redis::cmd("CLUSTER").arg("SET-CONFIG-EPOCH").arg(at + 1));
    }
    for other in &nodes[1..] {
        let config: Vec<String> = other.ask(redis::cmd("CONFIG").arg("GET").arg("cluster-port"));
        nodes[0].ask::<()>(redis::cmd("CLUSTER").arg("MEET").arg("127.0.0.1").arg(other.port).arg(&config[1]));
    }
    let deadline = Instant::now() + Duration::from_secs(20);
    let knows_all = |node: &Redis| {
        let info: String = node.ask(redis::cmd("CLUSTER").arg("INFO"));
        info.contains("cluster_state:ok") && info.contains("cluster_known_nodes:3")
    };
    while !nodes.iter().all(knows_all) {
        assert!(Instant::now() < deadline, "the nodes do not find each other");
        std::thread::sleep(Duration::from_millis(20));
    }
    nodes
}
