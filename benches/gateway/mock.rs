//! The upstream: answers every request with one fixed chat completion, as fast as it can, on a thread of its own.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use tokio::net::{TcpListener, TcpStream};

use super::http1::Wire;

/// A running upstream. It ends with the process.
pub struct Mock {
    pub address: SocketAddr,
    requests: Arc<AtomicU64>,
}

const ANSWER: &str = r#"{"id":"chatcmpl-bench","object":"chat.completion","created":1700000000,"model":"gpt-5-mini","choices":[{"index":0,"message":{"role":"assistant","content":"The lock protects the list of waiting jobs. Without it two workers could take the same job, and the second one would fail when it writes the result. Hold it only while the list changes.","refusal":null},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":212,"completion_tokens":41,"total_tokens":253}}"#;

impl Mock {
    pub fn start() -> io::Result<Self> {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let requests = Arc::new(AtomicU64::new(0));
        let counter = requests.clone();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        thread::Builder::new().name("mock".to_owned()).spawn(move || runtime.block_on(serve(listener, counter)))?;
        Ok(Mock { address, requests })
    }

    /// Requests answered so far.
    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }
}

async fn serve(listener: std::net::TcpListener, requests: Arc<AtomicU64>) -> io::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    let length = ANSWER.len();
    let answer =
        format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{ANSWER}");
    let answer: Arc<[u8]> = answer.into_bytes().into();
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(converse(stream, answer.clone(), requests.clone()));
    }
}

/// A connection that breaks is the other side's to report.
async fn converse(stream: TcpStream, answer: Arc<[u8]>, requests: Arc<AtomicU64>) -> io::Result<()> {
    let mut wire = Wire::new(stream)?;
    while wire.receive().await?.is_some() {
        requests.fetch_add(1, Ordering::Relaxed);
        wire.send(&answer).await?;
    }
    Ok(())
}
