//! HTTP/1 as bytes on a socket, for both ends of the gateway. Repairs nothing and follows nothing, so that what it reports
//! is what was there.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::time::timeout;

/// No wait in these tests is longer; one that is has failed.
pub const PATIENCE: Duration = Duration::from_secs(60);
pub const SECOND: Duration = Duration::from_secs(1);

/// One connection. What was read too early waits for the next reader.
pub struct Wire {
    read: OwnedReadHalf,
    write: OwnedWriteHalf,
    buffer: Vec<u8>,
    /// Where the unread part of `buffer` begins.
    at: usize,
}

/// A request or response head, as it was written.
#[derive(Clone, Debug)]
pub struct Head {
    pub raw: Vec<u8>,
    /// The request or status line.
    pub first: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
}

/// A body, and whether its end was reached as its framing announces it.
#[derive(Clone, Debug, Default)]
pub struct Body {
    pub bytes: Vec<u8>,
    pub complete: bool,
}

impl Wire {
    pub async fn connect(address: SocketAddr) -> Wire {
        Wire::new(in_time(TcpStream::connect(address)).await.expect("a connection"))
    }

    pub fn new(stream: TcpStream) -> Wire {
        stream.set_nodelay(true).ok();
        let (read, write) = stream.into_split();
        Wire { read, write, buffer: Vec::new(), at: 0 }
    }

    /// False when the peer takes no more.
    pub async fn write(&mut self, bytes: &[u8]) -> bool {
        in_time(self.write.write_all(bytes)).await.is_ok()
    }

    /// The end of what this side says; it still listens.
    pub async fn finish(&mut self) {
        self.write.shutdown().await.ok();
    }

    /// Writes while it reads, as clients do that see an early answer. False when the peer took only part of it.
    pub async fn exchange(&mut self, request: &[u8]) -> (bool, Option<(Head, Body)>) {
        let Wire { read, write, buffer, at } = self;
        let mut reader = Reader { read, buffer, at };
        let written = async { write.write_all(request).await.is_ok() };
        in_time(async { tokio::join!(written, reader.response()) }).await
    }

    pub async fn head(&mut self) -> Option<Head> {
        in_time(self.reader().head()).await
    }

    /// Waits as long as it takes: a kept connection may never carry another request.
    pub async fn next_head(&mut self) -> Option<Head> {
        self.reader().head().await
    }

    pub async fn body(&mut self, head: &Head) -> Body {
        in_time(self.reader().body(head)).await
    }

    pub async fn response(&mut self) -> Option<(Head, Body)> {
        in_time(self.reader().response()).await
    }

    /// Reads chunks until at least `length` bytes of a chunked body are there, or it ends.
    pub async fn chunked(&mut self, length: usize) -> Body {
        let mut body = Body::default();
        while body.bytes.len() < length && !body.complete {
            match in_time(self.reader().chunk()).await {
                Some(chunk) => {
                    body.complete = chunk.is_empty();
                    body.bytes.extend(chunk);
                }
                None => break,
            }
        }
        body
    }

    /// How long it takes until the peer has ended the connection, by its end or by a reset.
    pub async fn ended(&mut self) -> Duration {
        let begun = Instant::now();
        while in_time(self.reader().more()).await {}
        begun.elapsed()
    }

    fn reader(&mut self) -> Reader<'_> {
        Reader { read: &mut self.read, buffer: &mut self.buffer, at: &mut self.at }
    }
}

/// Whether what was tried several times takes no longer than promised, at the median: the machine may do other things meanwhile.
pub fn is_within(promised: Duration, mut took: Vec<Duration>) -> bool {
    took.sort_unstable();
    took.get(took.len() / 2).is_some_and(|median| *median < promised)
}

pub async fn in_time<T>(what: impl Future<Output = T>) -> T {
    timeout(PATIENCE, what).await.expect("the peer does its part in time")
}

/// The reading side of a connection.
struct Reader<'a> {
    read: &'a mut OwnedReadHalf,
    buffer: &'a mut Vec<u8>,
    at: &'a mut usize,
}

impl Reader<'_> {
    /// False at the end of the connection.
    async fn more(&mut self) -> bool {
        let mut piece = vec![0; 64 * 1024];
        // A reset is an end.
        let length = self.read.read(&mut piece).await.unwrap_or(0);
        self.buffer.extend_from_slice(&piece[..length]);
        length > 0
    }

    fn take(&mut self, length: usize) -> Vec<u8> {
        let taken = self.buffer[*self.at..*self.at + length].to_vec();
        *self.at += length;
        if *self.at > 1 << 20 || *self.at == self.buffer.len() {
            self.buffer.drain(..*self.at);
            *self.at = 0;
        }
        taken
    }

    /// Through `mark`; `None` when the connection ends before it.
    async fn until(&mut self, mark: &[u8]) -> Option<Vec<u8>> {
        loop {
            if let Some(place) = memchr::memmem::find(&self.buffer[*self.at..], mark) {
                return Some(self.take(place + mark.len()));
            }
            if !self.more().await {
                return None;
            }
        }
    }

    /// As many as there are, up to `length`.
    async fn exactly(&mut self, length: usize) -> Body {
        while self.buffer.len() - *self.at < length {
            if !self.more().await {
                let rest = self.buffer.len() - *self.at;
                return Body { bytes: self.take(rest), complete: false };
            }
        }
        Body { bytes: self.take(length), complete: true }
    }

    async fn head(&mut self) -> Option<Head> {
        self.until(b"\r\n\r\n").await.map(Head::parse)
    }

    /// The answer to a request, without the interim ones before it.
    async fn response(&mut self) -> Option<(Head, Body)> {
        loop {
            let head = self.head().await?;
            if head.status() >= 200 {
                let body = self.body(&head).await;
                return Some((head, body));
            }
        }
    }

    async fn body(&mut self, head: &Head) -> Body {
        if head.header("transfer-encoding").is_some() {
            return self.chunks().await;
        }
        match head.header("content-length") {
            Some(length) => self.exactly(length.parse().expect("a length")).await,
            None if head.first.starts_with("HTTP/") => {
                while self.more().await {}
                let rest = self.buffer.len() - *self.at;
                Body { bytes: self.take(rest), complete: true }
            }
            None => Body { bytes: Vec::new(), complete: true },
        }
    }

    async fn chunks(&mut self) -> Body {
        let mut bytes = Vec::new();
        while let Some(chunk) = self.chunk().await {
            if chunk.is_empty() {
                return Body { bytes, complete: true };
            }
            bytes.extend(chunk);
        }
        Body { bytes, complete: false }
    }

    /// The next chunk; the last one is empty. `None` when it is cut off.
    async fn chunk(&mut self) -> Option<Vec<u8>> {
        let line = self.until(b"\r\n").await?;
        let digits = std::str::from_utf8(&line).expect("a chunk size").trim_end();
        let length = usize::from_str_radix(digits, 16).unwrap_or_else(|_| panic!("{digits:?} is no chunk size"));
        let chunk = self.exactly(length + 2).await;
        if !chunk.complete {
            return None;
        }
        assert!(chunk.bytes.ends_with(b"\r\n"), "a chunk must end where its size says");
        Some(chunk.bytes[..length].to_vec())
    }
}

impl Head {
    pub fn parse(raw: Vec<u8>) -> Head {
        let text = String::from_utf8_lossy(&raw).into_owned();
        let mut lines = text.split("\r\n");
        let first = lines.next().unwrap_or_default().to_owned();
        let header =
            |line: &str| line.split_once(':').map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()));
        let headers = lines.filter_map(header).collect();
        Head { raw, first, headers }
    }

    /// As HTTP/1 would write it.
    pub fn of_http2(parts: &http::request::Parts) -> Head {
        let mut raw = format!("{} {} HTTP/2\r\n", parts.method, parts.uri).into_bytes();
        for (name, value) in &parts.headers {
            raw.extend_from_slice(&[name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
        }
        Head::parse([&raw[..], b"\r\n"].concat())
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Method and target of a request.
    pub fn asks(&self) -> &str {
        self.first.strip_suffix(" HTTP/1.1").unwrap_or(&self.first)
    }

    /// Of a response.
    pub fn status(&self) -> u16 {
        self.first.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status")
    }
}
