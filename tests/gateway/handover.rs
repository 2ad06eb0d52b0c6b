//! Everything an operator changes while applications go on: configuration, certificate, binary. Nobody notices.

use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use reqwest::{Certificate, Client};
use tokio::task::JoinHandle;
use tokio::time::{interval, sleep};

use crate::client::Ask;
use crate::http1::in_time;
use crate::process::{BINARY, Gateway};
use crate::tls::{LOCALHOST, Renewed, ZEBRA, pem};
use crate::upstream::{ANSWER, RUNTIME, Upstream};

const CHAT: &str = "/v1/chat/completions";

/// How long it goes on: `PROMPTGATE_OPERATION`, in seconds.
fn duration() -> Duration {
    let seconds = std::env::var("PROMPTGATE_OPERATION").ok().and_then(|text| text.parse().ok());
    Duration::from_secs(seconds.unwrap_or(2))
}

/// Applications that never pause, until they are told to.
struct Load {
    url: String,
    upstream: Upstream,
    until: Mutex<Option<Instant>>,
    answered: AtomicUsize,
    streamed: AtomicUsize,
    failures: Mutex<Vec<String>>,
}

impl Load {
    fn goes_on(&self) -> bool {
        self.until.lock().unwrap().is_none_or(|until| Instant::now() < until)
    }

    fn stop(&self) {
        *self.until.lock().unwrap() = Some(Instant::now());
    }

    fn request(&self, client: &Client, ask: &Ask) -> reqwest::RequestBuilder {
        let request = client.post(&self.url).body(ask.body.clone());
        let headers = ask.headers.iter().filter(|(name, _)| name != "host");
        headers.fold(request, |request, (name, value)| request.header(name, value))
    }

    fn note(&self, kind: &AtomicUsize, outcome: Result<String, reqwest::Error>, expected: &str) {
        match outcome {
            Ok(text) if text == expected => {
                kind.fetch_add(1, Ordering::Relaxed);
            }
            other => self.failures.lock().unwrap().push(format!("{other:?}")),
        }
    }

    /// Requests one after the other; a new connection for every tenth.
    async fn requests(&self, http2: bool) {
        while self.goes_on() {
            let client = client(http2);
            for _ in 0..10 {
                let request = self.request(&client, &Ask::post(CHAT, "{}"));
                let outcome = in_time(async { request.send().await?.error_for_status()?.text().await }).await;
                self.note(&self.answered, outcome, ANSWER);
            }
        }
    }

    /// Streams one after the other, each of a few events.
    async fn streams(&self, http2: bool) {
        let client = client(http2);
        let event = |number: usize| format!("data: {{\"event\":{number}}}\n\n");
        let expected: String = (0..EVENTS).map(event).collect();
        while self.goes_on() {
            let ask = Ask::post(CHAT, "{}");
            let arrives = self.upstream.expect(&ask.id());
            let answer = async {
                let mut call = arrives.call().await;
                call.begin("text/event-stream").await;
                for number in 0..EVENTS {
                    call.chunk(event(number).as_bytes()).await;
                    sleep(PACE).await;
                }
                call.end().await;
            };
            let request = self.request(&client, &ask);
            let outcome = async { request.send().await?.error_for_status()?.text().await };
            let ((), outcome) = tokio::join!(answer, in_time(outcome));
            self.note(&self.streamed, outcome, &expected);
        }
    }
}

const EVENTS: usize = 20;

/// Between two events.
const PACE: Duration = Duration::from_millis(50);

/// A client that knows the certificate before and the one after.
fn client(http2: bool) -> Client {
    let known = [LOCALHOST.0, ZEBRA.0].map(|name| Certificate::from_pem(&pem(name)).expect("a certificate"));
    let builder = Client::builder().tls_certs_only(known).no_proxy();
    if http2 { builder } else { builder.http1_only() }.build().expect("a client")
}

/// How many requests a process has answered.
fn served(gateway: &Gateway) -> usize {
    gateway.audit_text().lines().filter(|line| line.contains("\"event\":\"request\"")).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_notices_a_reload_each_second_another_certificate_and_another_binary() {
    promptgate::server::install_crypto();
    let sockets = Arc::new([(); 2].map(|()| TcpListener::bind("127.0.0.1:0").expect("a free port")));
    let port = sockets[0].local_addr().expect("its address").port();
    let (renewed, upstream) = (Renewed::new(), Upstream::http1());
    let config = format!("{}[[upstream]]\nname = \"openai\"\nurl = \"http://{}\"\n", renewed.table(), upstream.address);
    let mut before = Gateway::start_with(&sockets, &config, &[]);
    let url = format!("https://localhost:{port}{CHAT}");
    let load = Arc::new(Load {
        url,
        upstream,
        until: Mutex::default(),
        answered: AtomicUsize::default(),
        streamed: AtomicUsize::default(),
        failures: Mutex::default(),
    });
    let tasks: Vec<_> = [false, true]
        .into_iter()
        .flat_map(|http2| {
            let (one, other) = (load.clone(), load.clone());
            [
                RUNTIME.spawn(async move { one.requests(http2).await }),
                RUNTIME.spawn(async move { other.streams(http2).await }),
            ]
        })
        .collect();
    let (begun, mut starting, mut after, mut swapped, mut reloads) = (Instant::now(), None, None, false, Vec::new());
    let mut tick = interval(Duration::from_secs(1));
    while begun.elapsed() < duration() || after.is_none() {
        tick.tick().await;
        if !swapped && begun.elapsed() >= duration() / 3 {
            renewed.put("cert.pem", ZEBRA.0);
            renewed.put("key.pem", ZEBRA.1);
            swapped = true;
        }
        if swapped && starting.is_none() && begun.elapsed() >= duration() / 2 {
            let (sockets, other, config) = (sockets.clone(), renewed.path("promptgate-next"), config.clone());
            starting = Some(RUNTIME.spawn(async move {
                // By another process: a file that this one has just written cannot always be run.
                assert!(Command::new("cp").arg(BINARY).arg(&other).status().expect("the command cp").success());
                Gateway::start_beside(&sockets, &other, &config).await
            }));
        }
        if after.is_none() && starting.as_ref().is_some_and(JoinHandle::is_finished) {
            after = Some(starting.as_mut().expect("it was started").await.expect("another process"));
            before.terminate();
        }
        let gateway = after.as_ref().unwrap_or(&before);
        gateway.append(&format!("# {}\n", reloads.len()));
        let asked = Instant::now();
        assert_eq!(gateway.reload().await["result"], "ok");
        reloads.push(asked.elapsed());
    }
    let lasted = begun.elapsed();
    load.stop();
    for task in tasks {
        task.await.expect("an application that ends");
    }
    let after = after.expect("another process");
    assert_eq!(before.ended().await, Some(0));
    assert!(after.ask_admin("/readyz").starts_with("HTTP/1.1 200"), "nobody else can answer that now");
    assert_ne!(after.binary(), Path::new(BINARY));
    reloads.sort();
    let (answered, streamed) = (load.answered.load(Ordering::Relaxed), load.streamed.load(Ordering::Relaxed));
    let shares = (served(&before), served(&after));
    let failures = load.failures.lock().unwrap();
    println!(
        "{} reloads in {lasted:.1?} ({:?} at the median, {:?} at most), {answered} requests, {streamed} streams, by process \
         {shares:?}, {} failed",
        reloads.len(),
        reloads[reloads.len() / 2],
        reloads[reloads.len() - 1],
        failures.len()
    );
    assert!(failures.is_empty(), "{failures:#?}");
    assert!(answered > 0 && streamed > 0 && shares.0 > 0 && shares.1 > 0);
}

#[tokio::test]
async fn a_hangup_ends_no_gateway_that_is_still_starting() {
    let sockets = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").expect("a free port"));
    let gateway = Gateway::start_beside(&sockets, Path::new(BINARY), "").await;
    assert_eq!(gateway.reload().await["result"], "ok");
}
