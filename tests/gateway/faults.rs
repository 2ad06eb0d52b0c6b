//! Neighbours that fail in the middle of things: a provider behind a faulty connection, one that is killed, an issuer whose
//! keys do not come. Nothing cut short may look complete, nothing may hang, and what is back is used again.

use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::client::{Ask, Reply};
use crate::http1::{SECOND, is_within};
use crate::shim::{Fault, Shim};
use crate::site::{Site, unused};
use crate::upstream::{RUNTIME, Upstream};

const CHAT: &str = "/v1/chat/completions";
const MESSAGE: &str = r#"{"model":"m","stream":true}"#;
const END: &str = "data: [DONE]\n\n";

/// `timeouts.first_byte` and `.idle` of these gateways. No answer may take longer than both and a bit.
const SHORT: &str = "[timeouts]\nconnect = \"1s\"\nfirst_byte = \"1s\"\nidle = \"1s\"\n";
const LONGEST: Duration = Duration::from_secs(8);

fn document() -> Vec<u8> {
    let body = format!(r#"{{"choices":[{{"message":{{"content":"{}"}}}}]}}"#, "harmless words ".repeat(20));
    let length = body.len();
    format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}").into_bytes()
}

fn stream() -> Vec<u8> {
    let mut answer =
        b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
    let events =
        (0..10).map(|number| format!("data: {{\"choices\":[{{\"delta\":{{\"content\":\"word{number} \"}}}}]}}\n\n"));
    for event in events.chain([END.to_owned()]) {
        answer.extend_from_slice(format!("{:x}\r\n{event}\r\n", event.len()).as_bytes());
    }
    answer.extend_from_slice(b"0\r\n\r\n");
    answer
}

/// A provider that gives every request this answer, byte for byte.
async fn provider(answer: Vec<u8>) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("its address");
    RUNTIME.spawn(serve(listener, answer, Duration::ZERO));
    address
}

/// In ten pieces, with a pause between them.
async fn serve(listener: tokio::net::TcpListener, answer: Vec<u8>, pause: Duration) {
    let answer: Arc<[u8]> = answer.into();
    while let Ok((mut stream, _)) = listener.accept().await {
        let answer = answer.clone();
        tokio::spawn(async move {
            let mut request = vec![0; 64 * 1024];
            // The requests here are small and come alone.
            while stream.read(&mut request).await.is_ok_and(|length| length > 0) {
                for piece in answer.chunks(answer.len() / 10 + 1) {
                    if stream.write_all(piece).await.is_err() {
                        return;
                    }
                    tokio::time::sleep(pause).await;
                }
            }
        });
    }
}

/// Within the time that anything may take.
async fn asked(site: &Site) -> Option<Reply> {
    let ask = Ask::post(CHAT, MESSAGE);
    let begun = Instant::now();
    let reply = Reply::to(site.address(), &ask.bytes()).await;
    assert!(begun.elapsed() < LONGEST, "it took {:?}", begun.elapsed());
    reply
}

#[tokio::test]
async fn an_answer_over_a_faulty_connection_is_whole_or_shows_that_it_is_not() {
    for answer in [document(), stream()] {
        let length = answer.len();
        let body_ends = |reply: &Reply| reply.text().ends_with(if answer[..80].contains(&b'j') { "}]}" } else { END });
        let shim = Shim::before(provider(answer.clone()).await, RUNTIME.handle());
        let site = Site::with_upstream(
            &format!("url = \"http://{}\"\n{SHORT}", shim.address).replace("[timeouts]", "[upstream.timeouts]"),
        );
        for fault in [Fault::None, Fault::Latency(Duration::from_millis(20)), Fault::Drip] {
            shim.set(fault);
            let reply = asked(&site).await.expect("an answer");
            assert!(reply.status() == 200 && reply.body.complete && body_ends(&reply), "{fault:?}: {reply:?}");
        }
        shim.set(Fault::Hole);
        let status = asked(&site).await.map(|reply| reply.status());
        // A kept connection from before may have no fault.
        assert!([Some(504), Some(200)].contains(&status), "{status:?}");
        let places = [0, 1, 17, 60, length / 2, length - 6, length - 5, length - 1];
        for place in places {
            for fault in [Fault::Reset(place), Fault::HalfClose(place), Fault::Cut(place)] {
                shim.set(fault);
                for _ in 0..2 {
                    let Some(reply) = asked(&site).await else { continue };
                    let whole = reply.status() == 200 && reply.body.complete;
                    assert!(!whole || body_ends(&reply), "{fault:?} of {length}: {reply:?}");
                    assert!(
                        whole || !reply.body.complete || [502, 504].contains(&reply.status()),
                        "{fault:?}: {reply:?}"
                    );
                }
            }
        }
        shim.set(Fault::None);
        let reply = asked(&site).await.expect("an answer");
        assert!(reply.status() == 200 && reply.body.complete && body_ends(&reply), "{reply:?}");
    }
}

/// Not a test but a process of the one below: a provider that streams, until it is killed.
#[test]
#[ignore = "is started by the test that kills it"]
fn a_provider_to_be_killed() {
    let Ok(address) = std::env::var(VICTIM) else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind(address).await.expect("the port it had before");
        serve(listener, stream(), Duration::from_millis(2)).await;
    });
}

const VICTIM: &str = "PROMPTGATE_TEST_PROVIDER";

struct Provider(Child);

impl Provider {
    fn start(address: SocketAddr) -> Provider {
        let mut command = Command::new(std::env::current_exe().expect("the path of this program"));
        command.args(["--exact", "faults::a_provider_to_be_killed", "--ignored"]).env(VICTIM, address.to_string());
        Provider(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("a process"))
    }

    /// As `kill -9` does.
    fn kill(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.kill();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_provider_that_is_killed_ten_times_under_load_leaves_no_answer_that_only_looks_whole() {
    const CLIENTS: usize = 8;
    let address = unused();
    let site = Arc::new(Site::with_upstream(
        &format!("url = \"http://{address}\"\n{SHORT}").replace("[timeouts]", "[upstream.timeouts]"),
    ));
    let mut provider = Provider::start(address);
    until_served(&site).await;
    let over = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..CLIENTS).map(|_| tokio::spawn(load(site.clone(), over.clone()))).collect();
    let mut back = Vec::new();
    for _ in 0..10 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        provider.kill();
        assert!(asked(&site).await.is_none_or(|reply| reply.status() != 200), "nobody is there to answer");
        provider = Provider::start(address);
        while tokio::net::TcpStream::connect(address).await.is_err() {
            tokio::task::yield_now().await;
        }
        let listening = Instant::now();
        until_served(&site).await;
        back.push(listening.elapsed());
    }
    assert!(is_within(2 * SECOND, back));
    over.store(true, Ordering::Relaxed);
    let mut whole = 0;
    for client in clients {
        whole += client.await.expect("a client");
    }
    assert!(whole > 10, "{whole} answers in all: that was no load");
}

async fn until_served(site: &Site) {
    let deadline = Instant::now() + LONGEST;
    while asked(site).await.is_none_or(|reply| reply.status() != 200 || !reply.body.complete) {
        assert!(Instant::now() < deadline, "the provider is not used again");
    }
}

/// Asks until it is over. How many answers were whole.
async fn load(site: Arc<Site>, over: Arc<AtomicBool>) -> usize {
    let mut whole = 0;
    while !over.load(Ordering::Relaxed) {
        match asked(&site).await {
            Some(reply) if reply.status() == 200 && reply.body.complete => {
                assert!(reply.text().ends_with(END), "{reply:?}");
                whole += 1;
            }
            Some(reply) => assert!([200, 502, 504].contains(&reply.status()), "{reply:?}"),
            None => {}
        }
    }
    whole
}

#[tokio::test]
async fn while_the_issuers_keys_do_not_come_only_its_callers_are_refused_and_in_time() {
    // Any signed token will do: it cannot be decided without a key.
    const TOKEN: &str = "eyJhbGciOiJSUzI1NiIsImtpZCI6ImEifQ.eyJpc3MiOiJpIn0.c2lnbmF0dXJl";
    let own = "q7Zk2mVx9TbLw4RfYc8NsJd3HgPu6EaQ";
    for fault in [Fault::Hole, Fault::Reset(20), Fault::Cut(60)] {
        let shim = Shim::before(provider(document()).await, RUNTIME.handle());
        shim.set(fault);
        let (upstream, keys) = (Upstream::http1(), shim.address);
        let config = format!(
            "[auth]\nmode = \"jwt\"\n[auth.static]\ndev_tokens = false\n[[auth.static.token]]\nenv = \"OWN\"\nclient_id = \"own\"\n\
             scopes = [\"prompt:validate\"]\n[auth.jwt]\njwks_uri = \"http://{keys}/keys\"\nissuer = \"i\"\naudience = \"a\"\n\
             [[upstream]]\nname = \"openai\"\nurl = \"http://{}\"\n",
            upstream.address
        );
        let gateway = crate::process::Gateway::start_live(&config, &[("OWN", own)]);
        let jwt = Ask::post(CHAT, MESSAGE).with("authorization", &format!("Bearer {TOKEN}"));
        let other = Ask::post(CHAT, MESSAGE).with("authorization", &format!("Bearer {own}"));
        let begun = Instant::now();
        let (refused, served) = tokio::join!(jwt.send(gateway.address), other.send(gateway.address));
        assert_eq!((refused.status(), served.status()), (503, 200), "{fault:?}");
        assert_eq!(refused.json()["error"]["code"], "keys_unavailable");
        assert!(begun.elapsed() < LONGEST, "{fault:?}: {:?}", begun.elapsed());
    }
}
