//! An admin listener on a free port, and an HTTP/1.1 client that sends what it is told, right or wrong.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use promptgate::admin::{App, serve};
use promptgate::config::{AuthMode, Config};
use promptgate::snapshot::Snapshot;
use promptgate::state::Live;
use promptgate::state::jwks::{Jwks, JwksConfig};
use promptgate::telemetry::{Audit, Metrics};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;

pub struct Server {
    pub address: SocketAddr,
    pub app: Arc<App>,
    audit_log: PathBuf,
    stop: Option<oneshot::Sender<()>>,
    task: Option<JoinHandle<()>>,
}

pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub text: String,
    /// `Null` when the text is not JSON.
    pub body: Value,
}

impl Server {
    /// `config` is TOML over the shipped configuration.
    pub async fn start(config: &str) -> Server {
        let config = Config::load(Some(config), []).expect("the configuration of the test").config;
        let snapshot = Snapshot::build(config, &[("test.toml", RULES)]).expect("the rules of the test");
        let jwks = match &snapshot.config.auth.mode {
            AuthMode::Jwt(jwt) => {
                Some(Arc::new(Jwks::new(JwksConfig::new(&jwt.jwks_uri)).expect("a client for the keys")))
            }
            _ => None,
        };
        let live = Arc::new(Live::new(snapshot, jwks));
        let metrics = Arc::new(Metrics::new().expect("metrics of distinct names"));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a bound listener");
        let name = format!("promptgate-admin-{}-{}.jsonl", std::process::id(), address.port());
        let audit_log = std::env::temp_dir().join(name);
        let config = promptgate::config::Audit { path: Some(audit_log.clone()), ..Default::default() };
        let audit = Arc::new(Audit::open(&config, &metrics).expect("a place for temporary files"));
        let app = Arc::new(App { live, metrics, audit });
        let (stop, stopped) = oneshot::channel::<()>();
        let serving = serve(listener, None, app.clone(), async move { stopped.await.unwrap_or_default() });
        let task = tokio::spawn(async move { serving.await.expect("the listener serves") });
        Server { address, app, audit_log, stop: Some(stop), task: Some(task) }
    }

    pub async fn stop(&mut self) {
        drop(self.stop.take());
        let task = self.task.take().expect("stopped once");
        timeout(Duration::from_secs(5), task).await.expect("in time").expect("without a panic");
    }

    /// With these headers and a `Host` and `Content-Length`.
    pub async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
        let host = self.address.to_string();
        let length = body.len().to_string();
        let own = [("host", host.as_str()), ("content-length", length.as_str())];
        let all: Vec<(&str, &str)> = own.into_iter().chain(headers.iter().copied()).collect();
        self.raw(method, path, &all, body).await
    }

    pub async fn json(&self, method: &str, path: &str, token: &str, body: &str) -> Reply {
        let bearer = format!("Bearer {token}");
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        self.send(method, path, &headers, body.as_bytes()).await
    }

    pub async fn bytes(&self, path: &str, token: &str, body: &[u8]) -> Reply {
        let bearer = format!("Bearer {token}");
        self.send("POST", path, &[("authorization", &bearer), ("content-type", "application/json")], body).await
    }

    pub async fn chunked(&self, path: &str, token: &str, body: &[u8]) -> Reply {
        let mut chunks = Vec::new();
        for chunk in body.chunks(10_000) {
            chunks.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
            chunks.extend_from_slice(chunk);
            chunks.extend_from_slice(b"\r\n");
        }
        chunks.extend_from_slice(b"0\r\n\r\n");
        let bearer = format!("Bearer {token}");
        let headers = [
            ("host", "localhost"),
            ("transfer-encoding", "chunked"),
            ("authorization", bearer.as_str()),
            ("content-type", "application/json"),
        ];
        self.raw("POST", path, &headers, &chunks).await
    }

    pub async fn with_host(&self, path: &str, token: &str, hosts: &[&str]) -> Reply {
        let bearer = format!("Bearer {token}");
        let hosts = hosts.iter().map(|host| ("host", *host));
        let headers: Vec<(&str, &str)> = hosts.chain([("authorization", bearer.as_str())]).collect();
        self.raw("GET", path, &headers, b"").await
    }

    pub async fn level(&self) -> String {
        let stats = self.json("GET", "/get_security_stats", TOKEN, "").await;
        stats.body["current_security_level"].as_str().unwrap_or_default().to_owned()
    }

    pub async fn set_level(&self, level: &str) {
        let reply = self.json("POST", "/update_security_level", TOKEN, &json!({ "level": level }).to_string()).await;
        assert_eq!(reply.status, 200, "{}", reply.text);
    }

    /// The audit records so far, without their times and hashes.
    pub fn audited(&self) -> Vec<Value> {
        assert!(self.app.audit.flush(Duration::from_secs(10)));
        let text = std::fs::read_to_string(&self.audit_log).expect("the file of the audit log");
        let record = |line: &str| {
            let mut record: Value = serde_json::from_str(line).expect("one JSON object a line");
            let fields = record.as_object_mut().expect("one JSON object a line");
            for every in ["time", "previous", "chain"] {
                assert!(fields.remove(every).is_some(), "{every}");
            }
            record
        };
        text.lines().map(record).collect()
    }

    async fn raw(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
        let mut request = format!("{method} {path} HTTP/1.1\r\nconnection: close\r\n");
        for (name, value) in headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        request.push_str("\r\n");
        let request = [request.as_bytes(), body].concat();
        Reply::of(self.address, &request).await.unwrap_or_else(|| panic!("no answer to {method} {path}"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        std::fs::remove_file(&self.audit_log).ok();
    }
}

impl Reply {
    /// Writes everything before it reads, as simple clients do. `None` when there is no whole answer.
    pub async fn of(address: SocketAddr, request: &[u8]) -> Option<Reply> {
        let exchange = async {
            let mut stream = TcpStream::connect(address).await.ok()?;
            stream.write_all(request).await.ok()?;
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).await.ok()?;
            Reply::parse(&answer)
        };
        timeout(Duration::from_secs(60), exchange).await.expect("an answer in time")
    }

    fn parse(answer: &[u8]) -> Option<Reply> {
        let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n")?;
        let head = String::from_utf8_lossy(&answer[..end]).into_owned();
        let text = String::from_utf8_lossy(&answer[end + 4..]).into_owned();
        let mut lines = head.lines();
        let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
        let header = |line: &str| line.split_once(": ").map(|(name, value)| (name.to_lowercase(), value.to_owned()));
        let body = serde_json::from_str(&text).unwrap_or_default();
        Some(Reply { status, headers: lines.filter_map(header).collect(), text, body })
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

const TOKEN: &str = "spv-admin-dev-2024-abc123";

/// One rule of each attack category, below the threshold of the default level for all but malicious code.
pub const RULES: &str = r#"
[[rule]]
id = "injection.test.zebra"
category = "injection"
severity = "high"
confidence = 0.5
keywords = ["zebra override"]
regex = 'zebra override'
examples = ["zebra override", "a zebra override", "zebra override b"]
negative_examples = ["zebra", "override", "over zebra"]

[[rule]]
id = "prompt_extraction.test.zebra"
category = "prompt_extraction"
severity = "high"
confidence = 0.5
keywords = ["zebra reveal"]
regex = 'zebra reveal'
examples = ["zebra reveal", "a zebra reveal", "zebra reveal b"]
negative_examples = ["zebra", "reveal", "reveal zebra"]

[[rule]]
id = "jailbreak.test.zebra"
category = "jailbreak"
severity = "high"
confidence = 0.5
keywords = ["zebra persona"]
regex = 'zebra persona'
examples = ["zebra persona", "a zebra persona", "zebra persona b"]
negative_examples = ["zebra", "persona", "persona zebra"]

[[rule]]
id = "malicious_code.test.zebra"
category = "malicious_code"
severity = "high"
confidence = 0.5
keywords = ["zebra payload"]
regex = 'zebra payload'
examples = ["zebra payload", "a zebra payload", "zebra payload b"]
negative_examples = ["zebra", "payload", "payload zebra"]
"#;
