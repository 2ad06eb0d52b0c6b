//! The upstream: answers as fast as it can, on a thread of its own; what with, the path of the request says.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tokio::net::{TcpListener, TcpStream};

use super::http1::Wire;
use super::setup::{PIECES, WORDS, events};

/// One chat completion.
pub const CHAT: &str = "/v1/chat/completions";
/// So many events at once.
pub const HUNDRED: &str = "/events/100";
pub const TEN_THOUSAND: &str = "/events/10000";
/// Events a pause apart, which end between words, or inside them.
pub const WORD_BY_WORD: &str = "/paced/words";
pub const PIECE_BY_PIECE: &str = "/paced/pieces";
/// One event, and then nothing until the other side goes.
pub const IDLE: &str = "/idle";
pub const PATHS: [&str; 6] = [CHAT, HUNDRED, TEN_THOUSAND, WORD_BY_WORD, PIECE_BY_PIECE, IDLE];

/// Events of a paced answer, and the pause between two.
pub const PACED: usize = 100;
pub const PAUSE: Duration = Duration::from_millis(2);

/// A running upstream. It ends with the process.
pub struct Mock {
    pub address: SocketAddr,
    seen: Arc<Seen>,
}

#[derive(Default)]
struct Seen {
    requests: AtomicU64,
    /// When the events of the paced answer under way were written.
    sent: Mutex<Vec<Instant>>,
}

const ANSWER: &str = r#"{"id":"chatcmpl-bench","object":"chat.completion","created":1700000000,"model":"gpt-5-mini","choices":[{"index":0,"message":{"role":"assistant","content":"The lock protects the list of waiting jobs. Without it two workers could take the same job, and the second one would fail when it writes the result. Hold it only while the list changes.","refusal":null},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":212,"completion_tokens":41,"total_tokens":253}}"#;

impl Mock {
    pub fn start() -> io::Result<Self> {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let seen = Arc::new(Seen::default());
        let shared = seen.clone();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        thread::Builder::new().name("mock".to_owned()).spawn(move || runtime.block_on(serve(listener, shared)))?;
        Ok(Mock { address, seen })
    }

    /// Requests answered so far.
    pub fn requests(&self) -> u64 {
        self.seen.requests.load(Ordering::Relaxed)
    }

    /// When the events of the last paced answer were written.
    pub fn sent(&self) -> Vec<Instant> {
        self.seen.sent.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// What is written, made once.
struct Answers {
    chat: Vec<u8>,
    hundred: Vec<u8>,
    ten_thousand: Vec<u8>,
    words: Vec<String>,
    pieces: Vec<String>,
}

const STREAM: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
const LAST_CHUNK: &str = "0\r\n\r\n";

impl Answers {
    fn new() -> Self {
        let length = ANSWER.len();
        let head = format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n");
        Answers {
            chat: format!("{head}{ANSWER}").into_bytes(),
            hundred: at_once(100),
            ten_thousand: at_once(10_000),
            words: chunks(WORDS, PACED),
            pieces: chunks(PIECES, PACED),
        }
    }
}

/// An event each.
fn chunks(pieces: &[&str], count: usize) -> Vec<String> {
    events(pieces, count).into_iter().map(|event| format!("{:x}\r\n{event}\r\n", event.len())).collect()
}

fn at_once(count: usize) -> Vec<u8> {
    [STREAM, &chunks(WORDS, count).concat(), LAST_CHUNK].concat().into_bytes()
}

async fn serve(listener: std::net::TcpListener, seen: Arc<Seen>) -> io::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    let answers = Arc::new(Answers::new());
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // No file is free; one will be.
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        tokio::spawn(converse(stream, answers.clone(), seen.clone()));
    }
}

/// A connection that breaks is the other side's to report.
async fn converse(stream: TcpStream, answers: Arc<Answers>, seen: Arc<Seen>) -> io::Result<()> {
    let mut wire = Wire::new(stream)?;
    while let Some(request) = wire.receive().await? {
        seen.requests.fetch_add(1, Ordering::Relaxed);
        match request.path() {
            HUNDRED => wire.send(&answers.hundred).await?,
            TEN_THOUSAND => wire.send(&answers.ten_thousand).await?,
            WORD_BY_WORD => paced(&mut wire, &answers.words, &seen).await?,
            PIECE_BY_PIECE => paced(&mut wire, &answers.pieces, &seen).await?,
            IDLE => {
                wire.send(STREAM.as_bytes()).await?;
                wire.send(answers.words[0].as_bytes()).await?;
                wire.receive().await?;
                return Ok(());
            }
            _ => wire.send(&answers.chat).await?,
        }
    }
    Ok(())
}

async fn paced(wire: &mut Wire<TcpStream>, events: &[String], seen: &Seen) -> io::Result<()> {
    seen.sent.lock().unwrap_or_else(PoisonError::into_inner).clear();
    wire.send(STREAM.as_bytes()).await?;
    for event in events {
        tokio::time::sleep(PAUSE).await;
        seen.sent.lock().unwrap_or_else(PoisonError::into_inner).push(Instant::now());
        wire.send(event.as_bytes()).await?;
    }
    wire.send(LAST_CHUNK.as_bytes()).await
}
