//! Good clients beside five hundred of `slowhttptest`'s, in three of its modes: heads, bodies and answers that take their time.
//! `PROMPTGATE_SLOW=20 cargo test --profile fast --test gateway -- --nocapture slowhttptest` does each for 20 s and judges;
//! without the variable each takes 4 s, and clocks of a busy machine decide nothing. Passes over where the tool is missing.

use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::client::Ask;
use crate::http1::Wire;
use crate::site::Site;

const CHAT: &str = "/v1/chat/completions";

/// How each mode is called there.
const MODES: &[(&str, &[&str])] = &[
    ("heads", &["-H", "-i", "1"]),
    ("bodies", &["-B", "-i", "1", "-s", "8192", "-t", "POST"]),
    ("answers", &["-X", "-w", "1", "-y", "2", "-n", "1", "-z", "1"]),
];

/// How long requests over one kept connection take, one after the other, the longest of a hundred.
async fn p99(site: &Site, long: Duration) -> Duration {
    let end = Instant::now() + long;
    let mut took = Vec::new();
    let mut wire = Wire::connect(site.address()).await;
    while Instant::now() < end {
        let begun = Instant::now();
        let (_, answer) = wire.exchange(&Ask::post(CHAT, r#"{"a":"b"}"#).bytes()).await;
        took.push(begun.elapsed());
        let (head, _) = answer.expect("an answer");
        assert_eq!(head.status(), 200);
        if head.header("connection") == Some("close") {
            wire = Wire::connect(site.address()).await;
        }
    }
    took.sort_unstable();
    took[took.len() * 99 / 100]
}

#[tokio::test]
async fn good_clients_are_served_beside_those_of_slowhttptest() {
    let asked_for = std::env::var("PROMPTGATE_SLOW").ok().map(|text| text.parse().expect("a number of seconds"));
    let long = Duration::from_secs(asked_for.unwrap_or(4));
    let site = Site::start("[timeouts]\nrequest_head = \"2s\"\nstall = \"2s\"\n");
    let alone = p99(&site, long).await;
    for (mode, arguments) in MODES {
        let url = format!("http://{}{CHAT}", site.address());
        let seconds = long.as_secs().to_string();
        let mut tool = tokio::process::Command::new("slowhttptest");
        tool.args(["-c", "500", "-r", "500", "-p", "3", "-l", &seconds, "-u", &url]).args(*arguments);
        tool.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
        let Ok(mut tool) = tool.spawn() else {
            println!("slowhttptest is not installed");
            return;
        };
        let beside = p99(&site, long).await;
        tool.kill().await.ok();
        let ratio = beside.as_secs_f64() / alone.as_secs_f64();
        println!("slow {mode}: p99 {beside:?}, alone {alone:?}, {ratio:.2} of it");
        assert!(asked_for.is_none() || ratio < 2.0, "slow {mode}: {ratio:.2}");
    }
    let metrics = site.gateway.ask_admin("/metrics");
    assert!(metrics.contains("reason=\"head_timeout\""), "the tool opened nothing slow:\n{metrics}");
}
