//! The key cache against an issuer that misbehaves. Time is told to it, so nothing sleeps.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::FutureExt;
use futures_util::future::join_all;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use super::*;

const ES256: Algorithm = Algorithm::ES256;

/// What the issuer answers.
#[derive(Clone)]
enum Answer {
    Keys(Vec<&'static str>),
    /// Status line with headers, and body.
    Raw(&'static str, Vec<u8>),
    /// Body without end, in pieces, until the other side has had enough.
    Endless,
    /// One byte, and then a wait, again and again.
    Drip,
    Hang,
    Reset,
}

struct Issuer {
    uri: String,
    hits: Arc<AtomicUsize>,
    sent: Arc<AtomicUsize>,
    answer: Arc<Mutex<Answer>>,
    /// One permit for each answer.
    gate: Arc<Semaphore>,
}

impl Issuer {
    async fn start(answer: Answer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = Issuer {
            uri: format!("http://{}/jwks", listener.local_addr().unwrap()),
            hits: Arc::default(),
            sent: Arc::default(),
            answer: Arc::new(Mutex::new(answer)),
            gate: Arc::new(Semaphore::new(Semaphore::MAX_PERMITS)),
        };
        let (hits, sent) = (Arc::clone(&issuer.hits), Arc::clone(&issuer.sent));
        let (answer, gate) = (Arc::clone(&issuer.answer), Arc::clone(&issuer.gate));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (hits, sent) = (Arc::clone(&hits), Arc::clone(&sent));
                let (answer, gate) = (Arc::clone(&answer), Arc::clone(&gate));
                tokio::spawn(async move {
                    hits.fetch_add(1, Ordering::SeqCst);
                    gate.acquire().await.unwrap().forget();
                    let answer = answer.lock().unwrap().clone();
                    respond(stream, answer, &sent).await;
                });
            }
        });
        issuer
    }

    async fn with_keys(kids: &[&'static str]) -> Self {
        Self::start(Answer::Keys(kids.to_vec())).await
    }

    /// Makes fetches wait until [`Issuer::open`].
    fn close(&self) {
        self.gate.forget_permits(Semaphore::MAX_PERMITS);
    }

    fn open(&self) {
        self.gate.add_permits(1000);
    }

    fn answer(&self, answer: Answer) {
        *self.answer.lock().unwrap() = answer;
    }

    fn hits(&self) -> usize {
        self.hits.load(Ordering::SeqCst)
    }
}

async fn respond(mut stream: TcpStream, answer: Answer, sent: &AtomicUsize) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
    match answer {
        Answer::Keys(kids) => write(&mut stream, "HTTP/1.1 200 OK", &jwks(&kids)).await,
        Answer::Raw(head, body) => write(&mut stream, head, &body).await,
        Answer::Endless => {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n").await;
            while sent.load(Ordering::SeqCst) < 24 << 20 && stream.write_all(&[b' '; 16 << 10]).await.is_ok() {
                sent.fetch_add(16 << 10, Ordering::SeqCst);
            }
        }
        Answer::Drip => {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n").await;
            while stream.write_all(b" ").await.is_ok() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        Answer::Hang => std::future::pending().await,
        Answer::Reset => drop(stream),
    }
}

async fn write(stream: &mut TcpStream, head: &str, body: &[u8]) {
    let length =
        if head.contains("content-length") { String::new() } else { format!("\r\ncontent-length: {}", body.len()) };
    let head = format!("{head}{length}\r\nconnection: close\r\n\r\n");
    let _ = stream.write_all(head.as_bytes()).await;
    let _ = stream.write_all(body).await;
    let _ = stream.shutdown().await;
}

fn jwks(kids: &[&str]) -> Vec<u8> {
    let x = URL_SAFE_NO_PAD.encode([1; 32]);
    let key = |kid: &&str| format!(r#"{{"kty":"EC","crv":"P-256","kid":"{kid}","x":"{x}","y":"{x}"}}"#);
    format!(r#"{{"keys":[{}]}}"#, kids.iter().map(key).collect::<Vec<_>>().join(",")).into_bytes()
}

/// A cache whose clock stands still until it is moved, and what it reported.
struct Subject {
    jwks: Jwks,
    elapsed: Arc<Mutex<Duration>>,
    results: Arc<Mutex<Vec<Refresh>>>,
}

impl Subject {
    fn new(issuer: &Issuer) -> Self {
        Self::with(issuer, |_| {})
    }

    fn with(issuer: &Issuer, change: impl FnOnce(&mut JwksConfig)) -> Self {
        let (start, elapsed) = (Instant::now(), Arc::new(Mutex::new(Duration::ZERO)));
        let results = Arc::new(Mutex::new(Vec::new()));
        let mut config = JwksConfig::new(&issuer.uri);
        let (clock, sink) = (Arc::clone(&elapsed), Arc::clone(&results));
        config.clock = Arc::new(move || start + *clock.lock().unwrap());
        config.observer = Arc::new(move |result| sink.lock().unwrap().push(result));
        change(&mut config);
        Subject { jwks: Jwks::new(config).unwrap(), elapsed, results }
    }

    fn wait(&self, seconds: u64) {
        *self.elapsed.lock().unwrap() += Duration::from_secs(seconds);
    }

    async fn find(&self, kid: &str) -> Result<(), AuthError> {
        self.jwks.keys_for(Some(kid), ES256).await.map(|_| ())
    }

    fn results(&self) -> Vec<Refresh> {
        self.results.lock().unwrap().clone()
    }
}

#[tokio::test]
async fn keys_are_fetched_once_and_then_at_hand() {
    let issuer = Issuer::with_keys(&["a", "b"]).await;
    let subject = Subject::new(&issuer);
    assert!(!subject.jwks.ready());
    assert!(subject.jwks.warm().await && subject.jwks.ready() && subject.jwks.warm().await);
    for kid in ["a", "b", "a"] {
        assert_eq!(subject.find(kid).await, Ok(()));
    }
    assert_eq!((issuer.hits(), subject.results()), (1, vec![Refresh::Ok]));
}

#[tokio::test]
async fn many_at_a_cold_start_share_one_fetch() {
    let issuer = Issuer::with_keys(&["a"]).await;
    let subject = Subject::new(&issuer);
    let found = join_all((0..100).map(|_| subject.find("a"))).await;
    assert!(found.iter().all(Result::is_ok));
    assert_eq!(issuer.hits(), 1);
}

#[tokio::test]
async fn a_flood_of_unknown_ids_costs_one_fetch_in_a_cool_down_and_delays_nobody() {
    let issuer = Issuer::with_keys(&["known"]).await;
    let subject = Subject::new(&issuer);
    subject.jwks.warm().await;
    for wave in 0..3 {
        subject.wait(30);
        issuer.close();
        let kids: Vec<_> = (0..200).map(|number| format!("unknown-{wave}-{number}")).collect();
        let flood = join_all(kids.iter().map(|kid| subject.find(kid)));
        let watch = async {
            while issuer.hits() < 2 + wave {
                tokio::task::yield_now().await;
            }
            // The fetch is under way: a known key is there without waiting for anything.
            assert_eq!(subject.find("known").now_or_never(), Some(Ok(())));
            issuer.open();
        };
        let (refused, ()) = tokio::join!(flood, watch);
        assert!(refused.iter().all(|outcome| *outcome == Err(AuthError::UnknownKey)));
        // Others, and the same again, within the cool-down.
        for kid in ["another", "unknown-0-0", &kids[7]] {
            assert_eq!(subject.find(kid).await, Err(AuthError::UnknownKey));
        }
        assert_eq!(issuer.hits(), 2 + wave);
    }
}

#[tokio::test]
async fn callers_who_hang_up_start_no_further_fetches() {
    let issuer = Issuer::with_keys(&["a"]).await;
    let subject = Subject::new(&issuer);
    issuer.close();
    for _ in 0..20 {
        let jwks = subject.jwks.clone();
        let caller = tokio::spawn(async move { jwks.keys_for(Some("a"), ES256).await.is_ok() });
        while issuer.hits() == 0 {
            tokio::task::yield_now().await;
        }
        caller.abort();
        let _ = caller.await;
    }
    issuer.open();
    assert_eq!(subject.find("a").await, Ok(()));
    assert_eq!(issuer.hits(), 1);
}

#[tokio::test]
async fn a_new_key_is_found_after_the_cool_down_and_an_old_one_refused_after_the_ttl() {
    let issuer = Issuer::with_keys(&["old"]).await;
    let subject = Subject::new(&issuer);
    subject.jwks.warm().await;
    issuer.answer(Answer::Keys(vec!["new"]));
    subject.wait(29);
    assert_eq!(subject.find("new").await, Err(AuthError::UnknownKey));
    subject.wait(1);
    assert_eq!(subject.find("new").await, Ok(()));
    assert_eq!(subject.find("old").await, Err(AuthError::UnknownKey));

    issuer.answer(Answer::Keys(vec!["newest"]));
    subject.wait(599);
    assert_eq!(subject.find("new").await, Ok(()));
    subject.wait(1);
    assert_eq!(subject.find("new").await, Err(AuthError::UnknownKey));
}

#[tokio::test]
async fn an_id_that_was_absent_is_found_once_it_is_there() {
    let issuer = Issuer::with_keys(&["a"]).await;
    let subject = Subject::new(&issuer);
    subject.jwks.warm().await;
    subject.wait(30);
    assert_eq!(subject.find("b").await, Err(AuthError::UnknownKey));
    issuer.answer(Answer::Keys(vec!["a", "b"]));
    subject.wait(30);
    assert_eq!(subject.find("b").await, Ok(()));
    assert_eq!(issuer.hits(), 3);
}

#[tokio::test]
async fn only_what_a_fetch_did_not_find_is_remembered_as_absent() {
    let issuer = Issuer::with_keys(&["a"]).await;
    let subject = Subject::with(&issuer, |config| config.absent_ttl = Duration::from_secs(600));
    subject.jwks.warm().await;
    subject.wait(10);
    // Not asked of the issuer, for the cool-down: so not remembered either.
    assert_eq!(subject.find("b").await, Err(AuthError::UnknownKey));
    subject.wait(20);
    assert_eq!(subject.find("b").await, Err(AuthError::UnknownKey));
    assert_eq!(issuer.hits(), 2);
    subject.wait(30);
    assert_eq!(subject.find("b").await, Err(AuthError::UnknownKey));
    assert_eq!(issuer.hits(), 2);
    // Another id makes a fetch, and what that brings counts for all.
    issuer.answer(Answer::Keys(vec!["a", "b"]));
    assert_eq!(subject.find("c").await, Err(AuthError::UnknownKey));
    assert_eq!(subject.find("b").await, Ok(()));
    assert_eq!(issuer.hits(), 3);
}

#[tokio::test]
async fn an_attempt_that_ran_does_not_run_again_for_a_late_caller() {
    let issuer = Issuer::with_keys(&["a"]).await;
    let subject = Subject::new(&issuer);
    subject.jwks.warm().await;
    subject.wait(30);
    let _ = subject.find("b").await;
    for number in [0, 1, 2] {
        Arc::clone(&subject.jwks.source).join(number).await;
    }
    assert_eq!(issuer.hits(), 2);
}

#[tokio::test]
async fn a_refresh_ahead_of_time_delays_nobody() {
    let issuer = Issuer::with_keys(&["a"]).await;
    let subject = Subject::new(&issuer);
    subject.jwks.warm().await;
    subject.wait(449);
    assert_eq!(subject.find("a").now_or_never(), Some(Ok(())));
    assert_eq!(subject.results().len(), 1);
    subject.wait(1);
    assert_eq!(subject.find("a").now_or_never(), Some(Ok(())));
    while subject.results().len() < 2 {
        tokio::task::yield_now().await;
    }
    subject.wait(599);
    assert_eq!(subject.find("a").now_or_never(), Some(Ok(())));
}

/// Faults, and how each is reported. None of them may throw away good keys.
fn faults() -> Vec<(&'static str, Answer, Refresh)> {
    let raw = |head, body: &[u8]| Answer::Raw(head, body.to_vec());
    let ok = "HTTP/1.1 200 OK";
    let whole = jwks(&["a"]);
    vec![
        ("500", raw("HTTP/1.1 500 Internal Server Error", &whole), Refresh::Status),
        ("404", raw("HTTP/1.1 404 Not Found", &whole), Refresh::Status),
        ("204", raw("HTTP/1.1 204 No Content\r\ncontent-length: 0", b""), Refresh::Status),
        ("redirect", raw("HTTP/1.1 302 Found\r\nlocation: /jwks", b""), Refresh::Status),
        ("garbage", raw(ok, b"\x00\xff<html>"), Refresh::Invalid),
        ("empty body", raw(ok, b""), Refresh::Invalid),
        ("null", raw(ok, b"null"), Refresh::Invalid),
        ("null keys", raw(ok, br#"{"keys":null}"#), Refresh::Invalid),
        ("cut JSON", raw(ok, &whole[..whole.len() - 2]), Refresh::Invalid),
        ("no keys", raw(ok, br#"{"keys":[]}"#), Refresh::Empty),
        ("only bad keys", raw(ok, br#"{"keys":[{"kty":"oct","kid":"a","k":"AAAA"}]}"#), Refresh::Empty),
        ("truncated", raw("HTTP/1.1 200 OK\r\ncontent-length: 5000", &whole), Refresh::Network),
        ("not HTTP", raw("SSH-2.0-OpenSSH", b""), Refresh::Network),
        ("reset", Answer::Reset, Refresh::Network),
        ("24 MB", Answer::Endless, Refresh::TooLarge),
        ("hang", Answer::Hang, Refresh::Timeout),
        ("drip", Answer::Drip, Refresh::Timeout),
    ]
}

/// Short only where the fault is to be slow, so that a busy machine makes no other fault look like it.
fn patience(expected: Refresh) -> Duration {
    Duration::from_secs(if expected == Refresh::Timeout { 2 } else { 60 })
}

#[tokio::test]
async fn whatever_the_issuer_does_the_last_good_keys_stay_until_they_are_too_old() {
    for (name, fault, result) in faults() {
        let issuer = Issuer::with_keys(&["a"]).await;
        let subject = Subject::with(&issuer, |config| config.timeout = patience(result));
        subject.jwks.warm().await;
        issuer.answer(fault);
        subject.wait(600);
        assert_eq!(subject.find("a").await, Ok(()), "{name}");
        assert_eq!(subject.results(), [Refresh::Ok, result], "{name}");
        subject.wait(2999);
        assert_eq!(subject.find("a").await, Ok(()), "{name}");
        subject.wait(1);
        assert_eq!(subject.find("a").await, Err(AuthError::KeysUnavailable), "{name}");
        issuer.answer(Answer::Keys(vec!["a"]));
        subject.wait(30);
        assert_eq!(subject.find("a").await, Ok(()), "{name}");
    }
}

#[tokio::test]
async fn without_keys_a_cold_start_says_so_and_does_not_hammer_the_issuer() {
    for (name, fault, result) in faults() {
        let issuer = Issuer::start(fault).await;
        let subject = Subject::with(&issuer, |config| config.timeout = patience(result));
        assert!(!subject.jwks.warm().await, "{name}");
        for kid in ["a", "b", "c"] {
            assert_eq!(subject.find(kid).await, Err(AuthError::KeysUnavailable), "{name}");
        }
        assert_eq!((subject.results(), subject.jwks.ready()), (vec![result], false), "{name}");
        // Far less was read than was on offer: the limit and what the sockets hold.
        assert!(issuer.sent.load(Ordering::SeqCst) < 16 << 20, "{name}");
        issuer.answer(Answer::Keys(vec!["a"]));
        subject.wait(29);
        assert!(!subject.jwks.warm().await, "{name}");
        subject.wait(1);
        assert!(subject.jwks.warm().await, "{name}");
    }
}

#[tokio::test]
async fn an_unreachable_host_is_a_network_error() {
    let issuer = Issuer { uri: "http://127.0.0.1:1/jwks".into(), ..Issuer::with_keys(&[]).await };
    let subject = Subject::new(&issuer);
    assert!(!subject.jwks.warm().await);
    assert_eq!(subject.results(), [Refresh::Network]);
}

#[test]
fn addresses_that_would_leak_or_trust_the_network_are_refused() {
    let cases = [
        ("https://issuer.example/keys", None),
        ("http://127.0.0.1:8080/keys", None),
        ("http://localhost/keys", None),
        ("http://[::1]/keys", None),
        ("http://issuer.example/keys", Some(JwksError::NotSecure)),
        ("http://127.0.0.1.evil.example/keys", Some(JwksError::NotSecure)),
        ("http://localhost.evil.example/keys", Some(JwksError::NotSecure)),
        ("http://10.0.0.1/keys", Some(JwksError::NotSecure)),
        ("ftp://localhost/keys", Some(JwksError::NotSecure)),
        ("https://user:password@issuer.example/keys", Some(JwksError::Credentials)),
        ("file:///etc/keys", Some(JwksError::NotAUrl)),
        ("issuer.example/keys", Some(JwksError::NotAUrl)),
        ("", Some(JwksError::NotAUrl)),
    ];
    for (uri, problem) in cases {
        assert_eq!(Jwks::new(JwksConfig::new(uri)).err(), problem, "{uri}");
    }
}
