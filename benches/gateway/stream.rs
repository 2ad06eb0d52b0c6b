//! Streams side by side: how long the first event of an answer takes, and how long each after the one before, through the
//! bare proxy and through the gateway with every guard on.

use std::error::Error;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::thread;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::http1::Wire;
use super::process::Server;

/// Events of one answer, and the pause between two.
const EVENTS: usize = 100;
const PAUSE: Duration = Duration::from_millis(5);
/// Words as a model writes them; each event ends between two, so that nothing could go on from it.
const WORDS: &[&str] = &["The ", "lock ", "protects ", "the ", "list ", "of ", "waiting ", "jobs. "];
/// The same cut as tokenisers cut: the last word of an event could always go on.
const PIECES: &[&str] = &[" The", " lock", " prot", "ects", " the", " list", " of", " waiting", " jobs", "."];

/// The upstream: an event every few milliseconds, in `pieces`.
fn upstream(pieces: &'static [&'static str]) -> io::Result<SocketAddr> {
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    thread::Builder::new().name("stream".to_owned()).spawn(move || {
        runtime.block_on(async move {
            let listener = TcpListener::from_std(listener)?;
            loop {
                let (stream, _) = listener.accept().await?;
                tokio::spawn(converse(stream, pieces));
            }
            #[expect(unreachable_code, reason = "says what the block is of")]
            Ok::<(), io::Error>(())
        })
    })?;
    Ok(address)
}

async fn converse(stream: TcpStream, pieces: &'static [&'static str]) -> io::Result<()> {
    let mut wire = Wire::new(stream)?;
    while wire.receive().await?.is_some() {
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
        wire.send(head.as_bytes()).await?;
        for number in 0..EVENTS {
            tokio::time::sleep(PAUSE).await;
            let piece = pieces[number % pieces.len()];
            let event = format!(
                "data: {{\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,\"model\":\"m\",\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{piece}\"}},\"finish_reason\":null}}]}}\n\n"
            );
            wire.send(format!("{:x}\r\n{event}\r\n", event.len()).as_bytes()).await?;
        }
        wire.send(b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n").await?;
    }
    Ok(())
}

/// When the events of one answer arrived, counted from the request.
async fn times(address: SocketAddr) -> io::Result<Vec<Duration>> {
    let body =
        r#"{"model":"m","stream":true,"messages":[{"role":"user","content":"Why is there a lock? Ask jane@corp.io"}]}"#;
    let request = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        super::load::TOKEN,
        body.len()
    );
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let begun = Instant::now();
    stream.write_all(request.as_bytes()).await?;
    let (mut arrived, mut buffer, mut tail) = (Vec::new(), vec![0; 64 * 1024], Vec::new());
    loop {
        let read = stream.read(&mut buffer).await?;
        if read == 0 {
            return Ok(arrived);
        }
        tail.extend_from_slice(&buffer[..read]);
        let events = memchr::memmem::find_iter(&tail, b"\"content\"").count();
        arrived.extend(std::iter::repeat_n(begun.elapsed(), events));
        let keep = tail.len().saturating_sub(b"\"content".len());
        tail.drain(..keep);
    }
}

#[derive(Default)]
struct Figures {
    first: Vec<Duration>,
    gaps: Vec<Duration>,
}

impl Figures {
    fn add(&mut self, times: &[Duration]) -> Result<(), Box<dyn Error>> {
        if times.len() != EVENTS {
            return Err(format!("{} events arrived of {EVENTS}", times.len()).into());
        }
        self.first.extend(times.first());
        self.gaps.extend(times.windows(2).map(|pair| pair[1] - pair[0]));
        Ok(())
    }

    fn row(&mut self, name: &str, text: &str) -> String {
        let mut cell = |of: fn(&mut Figures) -> &mut Vec<Duration>| {
            let values = of(self);
            values.sort_unstable();
            let at = |percent: usize| values[(values.len() - 1) * percent / 100].as_secs_f64() * 1e3;
            format!("{:.2} | {:.2}", at(50), at(99))
        };
        format!("| {text} | {name} | {} | {} |", cell(|figures| &mut figures.first), cell(|figures| &mut figures.gaps))
    }
}

/// Prints the table: in each round one stream through each, in turns.
pub fn run(rounds: usize, folder: &std::path::Path) -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    println!("| deltas | through | first event p50, ms | p99 | gap p50, ms | p99 |\n|---|---|---|---|---|---|");
    for (text, pieces) in [("end between words", WORDS), ("end inside words", PIECES)] {
        let upstream = upstream(pieces)?;
        let servers =
            [("bare proxy", Server::bare_proxy(upstream, folder)?), ("promptgate", Server::gateway(upstream, folder)?)];
        let mut figures = [Figures::default(), Figures::default()];
        for round in 0..rounds * 4 {
            for turn in 0..servers.len() {
                let which = (round + turn) % servers.len();
                let times = runtime.block_on(times(servers[which].1.address))?;
                // The first of each warms up.
                if round > 0 {
                    figures[which].add(&times)?;
                }
            }
        }
        for ((name, _), figures) in servers.iter().zip(&mut figures) {
            println!("{}", figures.row(name, text));
        }
    }
    println!("{EVENTS} events an answer, {} ms apart, {} answers a row.", PAUSE.as_millis(), rounds * 4 - 1);
    Ok(())
}
