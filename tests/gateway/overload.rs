//! Four times as many requests as may be served at once: the rest is told so at once, and those that are served are as many as
//! before. `PROMPTGATE_OVERLOAD=60 cargo test --profile fast --test gateway -- --nocapture overload` does it for 60 s and holds the figures
//! against their limits; without the variable a second shows the facts that no busy machine changes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::client::Ask;
use crate::http1::{PATIENCE, Wire};
use crate::site::Site;
use crate::upstream::{ANSWER, RUNTIME};

const CHAT: &str = "/v1/chat/completions";
const IN_FLIGHT: usize = 8;
const OVER: usize = 4;

/// How long the provider takes; with `IN_FLIGHT` this is the capacity.
const WORK: Duration = Duration::from_millis(50);

/// How soon a client that was refused asks again.
const AGAIN: Duration = Duration::from_millis(100);

#[derive(Default)]
struct Outcome {
    served: usize,
    /// How long each refusal took.
    refused: Vec<Duration>,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn four_times_as_many_as_may_be_leave_as_many_served_as_before() {
    let asked_for = std::env::var("PROMPTGATE_OVERLOAD").ok().map(|text| text.parse().expect("a number of seconds"));
    let long = Duration::from_secs(asked_for.unwrap_or(1));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("its address");
    RUNTIME.spawn(provide(listener));
    let config = format!("url = \"http://{address}\"\n[limits]\nin_flight = {IN_FLIGHT}\n");
    let site = Arc::new(Site::with_upstream(&config));
    let peak = load(&site, IN_FLIGHT, long).await;
    let before = memory(&site);
    let over = load(&site, IN_FLIGHT * OVER, long).await;
    let grown = memory(&site).saturating_sub(before);

    assert!(!over.refused.is_empty(), "that was no overload");
    // In one second of a busy machine half of the time may be somebody else's.
    let least = if asked_for.is_some() { 8 } else { 2 };
    assert!(over.served * 10 >= peak.served * least, "{} of {} are served", over.served, peak.served);
    recovered(&site).await;
    if asked_for.is_some() {
        let mut took = over.refused;
        took.sort_unstable();
        let slow = took[took.len() * 99 / 100];
        let (served, peak, refused) = (over.served, peak.served, took.len());
        println!("served {served} (peak {peak}), refused {refused}, 99 % of them within {slow:?}, {grown} KiB more");
        assert!(slow < Duration::from_millis(50), "a refusal takes {slow:?}");
        assert!(grown < 32 * 1024, "{grown} KiB more");
    }
}

async fn provide(listener: tokio::net::TcpListener) {
    let answer = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{ANSWER}",
        ANSWER.len()
    );
    let answer: Arc<str> = answer.into();
    while let Ok((mut stream, _)) = listener.accept().await {
        let answer = answer.clone();
        tokio::spawn(async move {
            let mut request = vec![0; 64 * 1024];
            // The requests here are small and come alone.
            while stream.read(&mut request).await.is_ok_and(|length| length > 0) {
                tokio::time::sleep(WORK).await;
                if stream.write_all(answer.as_bytes()).await.is_err() {
                    return;
                }
            }
        });
    }
}

/// So many clients, each with one request after the other.
async fn load(site: &Arc<Site>, clients: usize, long: Duration) -> Outcome {
    let end = Instant::now() + long;
    let clients: Vec<_> = (0..clients).map(|_| tokio::spawn(client(site.clone(), end))).collect();
    let mut all = Outcome::default();
    for client in clients {
        let one = client.await.expect("a client");
        all.served += one.served;
        all.refused.extend(one.refused);
    }
    all
}

async fn client(site: Arc<Site>, end: Instant) -> Outcome {
    let mut outcome = Outcome::default();
    let mut wire = Wire::connect(site.address()).await;
    while Instant::now() < end {
        let ask = Ask::post(CHAT, r#"{"messages":[{"role":"user","content":"hello"}]}"#);
        let begun = Instant::now();
        let (_, answer) = wire.exchange(&ask.bytes()).await;
        let (head, body) = answer.expect("an answer, whatever it says");
        assert!(body.complete);
        match head.status() {
            200 => outcome.served += 1,
            503 => {
                assert_eq!(head.header("retry-after"), Some("1"));
                outcome.refused.push(begun.elapsed());
                tokio::time::sleep(AGAIN).await;
            }
            other => panic!("{other}"),
        }
        if head.header("connection") == Some("close") {
            wire = Wire::connect(site.address()).await;
        }
    }
    outcome
}

/// Everybody is served again.
async fn recovered(site: &Site) {
    let deadline = Instant::now() + PATIENCE;
    while Ask::post(CHAT, "{}").send(site.address()).await.status() != 200 {
        assert!(Instant::now() < deadline, "the gateway does not recover");
    }
}

/// Of the gateway, in KiB.
fn memory(site: &Site) -> u64 {
    let metrics = site.gateway.ask_admin("/metrics");
    let bytes = metrics.lines().find_map(|line| line.strip_prefix("process_resident_memory_bytes "));
    bytes.and_then(|bytes| bytes.parse::<u64>().ok()).expect("the size of the process") / 1024
}
