//! Certificates of the listeners: which a client is shown, which it has to show, and how they are renewed.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use reqwest::{Certificate, Client, ClientBuilder, Identity, RequestBuilder};

use crate::client::{Ask, unique};
use crate::http1::in_time;
use crate::process::Gateway;
use crate::site::{Site, TLS, fixture, tls};

pub const LOCALHOST: (&str, &str) = ("localhost-test-only.cert.pem", "localhost-test-only.key.pem");
/// For zebra.test, and for localhost too.
pub const ZEBRA: (&str, &str) = ("zebra-test-only.cert.pem", "zebra-test-only.key.pem");

pub fn pem(name: &str) -> Vec<u8> {
    fs::read(fixture(name)).expect("the fixture")
}

/// A client that trusts this certificate and no other.
pub fn trusting(name: &str) -> ClientBuilder {
    promptgate::server::install_crypto();
    let certificate = Certificate::from_pem(&pem(name)).expect("a certificate");
    Client::builder().tls_certs_only([certificate]).no_proxy()
}

/// This request to this host.
pub fn request(client: &Client, host: &str, port: u16, ask: &Ask) -> RequestBuilder {
    let request = client.post(format!("https://{host}:{port}{}", ask.target)).body(ask.body.clone());
    let headers = ask.headers.iter().filter(|(name, _)| name != "host");
    headers.fold(request, |request, (name, value)| request.header(name, value))
}

/// The status of a request to this host, if there is a connection.
async fn ask(client: &Client, host: &str, port: u16) -> Option<u16> {
    let request = request(client, host, port, &Ask::post("/v1/chat/completions", "{}"));
    in_time(request.send()).await.ok().map(|reply| reply.status().as_u16())
}

#[tokio::test]
async fn a_client_is_shown_the_certificate_of_the_host_it_names_and_else_the_first() {
    let more = format!("[[gateway.tls.certificate]]\ncert = {:?}\nkey = {:?}\n", fixture(ZEBRA.0), fixture(ZEBRA.1));
    let site = Site::start(&format!("{TLS}{more}"));
    let address = site.address();
    for (trusted, host, expected) in [
        (LOCALHOST.0, "localhost", Some(200)),
        (ZEBRA.0, "localhost", None),
        (ZEBRA.0, "zebra.test", Some(200)),
        (LOCALHOST.0, "zebra.test", None),
        (LOCALHOST.0, "other.test", None),
    ] {
        let client = trusting(trusted).resolve(host, address).build().expect("a client");
        assert_eq!(ask(&client, host, address.port()).await, expected, "{host} by {trusted}");
    }
}

/// The connection puts head and body together, and TLS keeps what is not flushed.
#[tokio::test]
async fn a_stream_begins_before_its_first_event_and_each_event_arrives_before_the_next_one_is_sent() {
    let address = tls().address();
    let client = trusting(LOCALHOST.0).http1_only().resolve("localhost", address).build().expect("a client");
    let ask = Ask::post("/v1/chat/completions", r#"{"model":"m","stream":true}"#);
    let expected = tls().upstream.expect(&ask.id());
    let answer = tokio::spawn(request(&client, "localhost", address.port(), &ask).send());
    let mut call = expected.call().await;
    assert!(call.body().await.complete);
    call.begin("text/event-stream").await;
    let mut answer = in_time(answer).await.expect("no panic").expect("the head arrives before any event");
    for number in 0..20 {
        let event = format!("event: delta\ndata: {{\"number\":{number}}}\n\n");
        call.chunk(event.as_bytes()).await;
        let mut arrived = Vec::new();
        while arrived.len() < event.len() {
            arrived.extend(in_time(answer.chunk()).await.expect("no error").expect("no end"));
        }
        assert_eq!(String::from_utf8(arrived).expect("UTF-8"), event);
    }
    call.end().await;
    assert_eq!(in_time(answer.chunk()).await.expect("no error"), None);
}

#[tokio::test]
async fn a_client_certificate_is_required_or_only_checked() {
    let identity = |(cert, key)| Identity::from_pem(&[pem(cert), pem(key)].concat()).expect("an identity");
    for (required, without) in [("", None), ("client_required = false\n", Some(200))] {
        let site = Site::start(&format!("{TLS}client_ca = {:?}\n{required}", fixture(ZEBRA.0)));
        let port = site.address().port();
        let client = || trusting(LOCALHOST.0);
        let known = client().identity(identity(ZEBRA)).build().expect("a client");
        assert_eq!(ask(&known, "localhost", port).await, Some(200), "{required}");
        let nobody = client().build().expect("a client");
        assert_eq!(ask(&nobody, "localhost", port).await, without, "{required}");
        let stranger = client().identity(identity(LOCALHOST)).build().expect("a client");
        assert_eq!(ask(&stranger, "localhost", port).await, None, "{required}");
    }
}

/// A certificate and a key in a directory of their own, replaced as tools that renew them do.
pub struct Renewed(PathBuf);

impl Renewed {
    pub fn new() -> Renewed {
        let name = format!("promptgate-renewed-{}-{}", std::process::id(), unique());
        let directory = std::env::temp_dir().join(name);
        fs::create_dir(&directory).expect("a directory");
        let renewed = Renewed(directory);
        renewed.put("cert.pem", LOCALHOST.0);
        renewed.put("key.pem", LOCALHOST.1);
        renewed
    }

    pub fn put(&self, name: &str, source: &str) {
        let beside = self.0.join("new");
        fs::copy(fixture(source), &beside).expect("a file");
        fs::rename(beside, self.0.join(name)).expect("a file in the place of another");
    }

    /// Of a file beside them.
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub fn table(&self) -> String {
        format!("[gateway.tls]\ncert = {:?}\nkey = {:?}\n", self.path("cert.pem"), self.path("key.pem"))
    }
}

impl Drop for Renewed {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
    }
}

fn expiry(gateway: &Gateway) -> String {
    const NAME: &str = "promptgate_tls_certificate_expiry_timestamp_seconds{listener=\"gateway\"} ";
    let metrics = gateway.ask_admin("/metrics");
    metrics.lines().find_map(|line| line.strip_prefix(NAME)).expect("the expiry").to_owned()
}

#[tokio::test]
async fn a_renewed_certificate_is_shown_to_the_next_and_ends_no_connection_and_half_a_pair_is_not_taken() {
    let renewed = Renewed::new();
    let site = Site::start_with(&renewed.table(), &[("PROMPTGATE__RELOAD__WATCH", "true")]);
    let port = site.address().port();
    // Once its connection is gone it could not get another.
    let kept = trusting(LOCALHOST.0).pool_idle_timeout(None::<Duration>).build().expect("a client");
    let first = expiry(&site.gateway);
    let opens = async |trusted| {
        let client = trusting(trusted).build().expect("a client");
        ask(&client, "localhost", port).await.is_some()
    };
    assert_eq!(ask(&kept, "localhost", port).await, Some(200));
    assert!(opens(LOCALHOST.0).await && !opens(ZEBRA.0).await);

    renewed.put("cert.pem", ZEBRA.0);
    assert_eq!(site.gateway.reloaded(0).await["result"], "failed");
    assert!(site.gateway.stderr().contains("gateway.tls.key: "), "{}", site.gateway.stderr());
    assert!(opens(LOCALHOST.0).await && !opens(ZEBRA.0).await, "the pair before stays");
    assert_eq!(expiry(&site.gateway), first);

    renewed.put("key.pem", ZEBRA.1);
    assert_eq!(site.gateway.reloaded(1).await["result"], "ok");
    assert!(!opens(LOCALHOST.0).await && opens(ZEBRA.0).await);
    assert_ne!(expiry(&site.gateway), first);
    assert_eq!(ask(&kept, "localhost", port).await, Some(200), "its connection is still there");
}

#[tokio::test]
async fn the_admin_listener_speaks_tls_and_nothing_else_where_it_is_told_to() {
    let gateway = Gateway::start_unasked(&TLS.replace("[gateway.tls]", "[admin.tls]"), &[]);
    for version in [http::Version::HTTP_11, http::Version::HTTP_2] {
        let builder = trusting(LOCALHOST.0);
        let client = if version == http::Version::HTTP_11 { builder.http1_only() } else { builder };
        let request =
            client.build().expect("a client").get(format!("https://localhost:{}/readyz", gateway.admin.port()));
        let reply = in_time(request.send()).await.expect("an answer");
        assert_eq!((reply.status().as_u16(), reply.version()), (200, version));
    }
    assert!(!gateway.tries_admin("/readyz"), "in the clear");
}

#[tokio::test]
async fn an_upstream_is_believed_by_the_authorities_it_is_configured_with_alone() {
    // The upstream is another gateway: it answers, that there is no token, over HTTP/1 and HTTP/2.
    let upstream = Site::start(TLS);
    let url = format!("https://localhost:{}", upstream.address().port());
    for (ca, http, expected) in [
        (Some(LOCALHOST.0), "auto", 401),
        (Some(LOCALHOST.0), "1", 401),
        (Some(LOCALHOST.0), "2", 401),
        (Some(ZEBRA.0), "auto", 502),
        (None, "auto", 502),
    ] {
        let ca = ca.map(|name| format!("ca = {:?}\n", fixture(name))).unwrap_or_default();
        let site = Site::with_upstream(&format!("url = \"{url}\"\nhttp = \"{http}\"\n{ca}"));
        let reply = Ask::post("/v1/chat/completions", r#"{"model":"m"}"#).send(site.address()).await;
        assert_eq!(reply.status(), expected, "{ca} {http} {}", reply.text());
    }
}
