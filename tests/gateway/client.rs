//! The application: a request that is right by default, and what it got. Sends exactly what it is told.

use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};

use flate2::{Compression, write::GzEncoder};
use serde_json::Value;

use crate::http1::{Body, Head, Wire};
use crate::upstream::ID;

/// A development token with the scope `prompt:validate`.
pub const TOKEN: &str = "spv-user-dev-2024-def456";
pub const ADMIN_TOKEN: &str = "spv-admin-dev-2024-abc123";

/// One request of HTTP/1.
#[derive(Clone, Debug)]
pub struct Ask {
    pub method: &'static str,
    pub target: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// By chunks of this many bytes instead of a `Content-Length`.
    chunks: Option<usize>,
}

/// What came back.
#[derive(Clone, Debug)]
pub struct Reply {
    pub head: Head,
    pub body: Body,
    /// Whether the gateway took the whole request.
    pub took_all: bool,
}

impl Ask {
    pub fn post(target: &str, body: impl Into<Vec<u8>>) -> Ask {
        Ask::new("POST", target, body.into()).with("content-type", "application/json")
    }

    pub fn get(target: &str) -> Ask {
        Ask::new("GET", target, Vec::new())
    }

    fn new(method: &'static str, target: &str, body: Vec<u8>) -> Ask {
        let ask = Ask { method, target: target.to_owned(), headers: Vec::new(), body, chunks: None };
        let id = unique();
        let bearer = format!("Bearer {TOKEN}");
        ask.with("host", "gateway.test").with("authorization", &bearer).with(ID, &id).with("x-request-id", &id)
    }

    /// The header once, with this value.
    pub fn with(self, name: &str, value: &str) -> Ask {
        self.without(name).and(name, value)
    }

    /// One header more.
    pub fn and(mut self, name: &str, value: &str) -> Ask {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn without(mut self, name: &str) -> Ask {
        self.headers.retain(|(known, _)| known != name);
        self
    }

    pub fn method(mut self, method: &'static str) -> Ask {
        self.method = method;
        self
    }

    pub fn chunked(mut self, size: usize) -> Ask {
        self.chunks = Some(size);
        self
    }

    /// By which the upstream, the audit log and the answer know it.
    pub fn id(&self) -> String {
        let id = self.headers.iter().find(|(name, _)| name == ID);
        id.map(|(_, value)| value.clone()).expect("every request of these tests has an id")
    }

    /// Up to the empty line.
    pub fn head(&self) -> Vec<u8> {
        let mut head = format!("{} {} HTTP/1.1\r\n", self.method, self.target);
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        match self.chunks {
            Some(_) => head.push_str("transfer-encoding: chunked\r\n"),
            None if self.method == "GET" && self.body.is_empty() => {}
            None => head.push_str(&format!("content-length: {}\r\n", self.body.len())),
        }
        head.push_str("\r\n");
        head.into_bytes()
    }

    pub fn bytes(&self) -> Vec<u8> {
        let body = self
            .chunks
            .map_or_else(|| self.body.clone(), |size| [chunks(&self.body, size), b"0\r\n\r\n".to_vec()].concat());
        [self.head(), body].concat()
    }

    pub async fn send(&self, gateway: SocketAddr) -> Reply {
        Reply::to(gateway, &self.bytes())
            .await
            .unwrap_or_else(|| panic!("no answer to {} {}", self.method, self.target))
    }
}

impl Reply {
    /// To any bytes; `None` when the connection ends without an answer.
    pub async fn to(gateway: SocketAddr, request: &[u8]) -> Option<Reply> {
        let (took_all, answer) = Wire::connect(gateway).await.exchange(request).await;
        answer.map(|(head, body)| Reply { head, body, took_all })
    }

    pub fn status(&self) -> u16 {
        self.head.status()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.header(name)
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body.bytes).into_owned()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body.bytes).unwrap_or_else(|_| panic!("{} is no JSON", self.text()))
    }
}

/// A body as chunks, without the last one.
pub fn chunks(body: &[u8], size: usize) -> Vec<u8> {
    let mut framed = Vec::with_capacity(body.len() + body.len() / size * 8);
    for chunk in body.chunks(size) {
        framed.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        framed.extend_from_slice(chunk);
        framed.extend_from_slice(b"\r\n");
    }
    framed
}

/// A name no other request has.
pub fn unique() -> String {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    format!("test-{}", COUNT.fetch_add(1, Ordering::Relaxed))
}

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}
