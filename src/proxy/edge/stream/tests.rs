//! What is written of an answer, as its client sees it arrive.

use std::sync::Arc;

use futures_util::FutureExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufWriter, DuplexStream, duplex};

use super::*;
use crate::proxy::edge::{Ahead, Serving};

const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
const CHUNK: &[u8] = b"5\r\nhello\r\n";
const END: &[u8] = b"0\r\n\r\n";

/// Keeps what is written until it is flushed, as TLS may.
#[derive(Debug)]
struct Keeping(BufWriter<DuplexStream>);

impl AsyncRead for Keeping {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Keeping {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

#[async_trait]
impl Shutdown for Keeping {
    async fn shutdown(&mut self) {}
}

impl UniqueID for Keeping {
    fn id(&self) -> UniqueIDType {
        0
    }
}

impl Ssl for Keeping {}

impl Peek for Keeping {}

impl GetTimingDigest for Keeping {
    fn get_timing_digest(&self) -> Vec<Option<TimingDigest>> {
        Vec::new()
    }
}

impl GetProxyDigest for Keeping {
    fn get_proxy_digest(&self) -> Option<Arc<ProxyDigest>> {
        None
    }
}

impl GetSocketDigest for Keeping {
    fn get_socket_digest(&self) -> Option<Arc<SocketDigest>> {
        None
    }
}

/// A connection on which a request is served, and the client's end of it.
fn served() -> (Guarded, Serving, DuplexStream) {
    let (client, inner) = duplex(1 << 20);
    let inner = Keeping(BufWriter::new(inner));
    let metrics = Arc::new(Metrics::new().unwrap());
    let open = metrics.connect();
    let guarded = Guarded::new(Box::new(inner), Bounds::of(&Config::default()), metrics, open);
    let serving = guarded.connection.serve();
    (guarded, serving, client)
}

async fn write(guarded: &mut Guarded, bytes: &[u8]) {
    guarded.write_all(bytes).await.unwrap();
    guarded.flush().await.unwrap();
}

/// What the client has so far.
fn heard(client: &mut DuplexStream) -> Vec<u8> {
    let (mut all, mut piece) = (Vec::new(), [0; 64 << 10]);
    while let Some(Ok(length @ 1..)) = client.read(&mut piece).now_or_never() {
        all.extend_from_slice(&piece[..length]);
    }
    all
}

#[tokio::test]
async fn an_answer_that_is_at_hand_leaves_in_one_piece() {
    let (mut guarded, serving, mut client) = served();
    serving.announce(Ahead::Head);
    serving.announce(Ahead::End);
    for part in [HEAD, CHUNK] {
        write(&mut guarded, part).await;
        assert_eq!(heard(&mut client), b"");
    }
    write(&mut guarded, END).await;
    assert_eq!(heard(&mut client), [HEAD, CHUNK, END].concat());
}

#[tokio::test]
async fn a_head_waits_for_what_follows_at_once_and_no_longer() {
    let (mut guarded, serving, mut client) = served();
    serving.announce(Ahead::Head);
    write(&mut guarded, HEAD).await;
    assert_eq!(heard(&mut client), b"");
    // As Pingora does while it waits for the upstream.
    assert!(guarded.read_u8().now_or_never().is_none());
    assert_eq!(heard(&mut client), HEAD);
    write(&mut guarded, CHUNK).await;
    assert_eq!(heard(&mut client), CHUNK);
}

#[tokio::test]
async fn the_first_piece_of_a_stream_takes_its_head_along() {
    let (mut guarded, serving, mut client) = served();
    serving.announce(Ahead::Head);
    write(&mut guarded, HEAD).await;
    write(&mut guarded, CHUNK).await;
    assert_eq!(heard(&mut client), [HEAD, CHUNK].concat());
}

#[tokio::test]
async fn a_long_piece_is_sent_behind_what_was_written_before() {
    let (mut guarded, serving, mut client) = served();
    let long = vec![b'x'; 100_000];
    serving.announce(Ahead::End);
    for part in [HEAD, &long, END] {
        write(&mut guarded, part).await;
    }
    assert!(heard(&mut client) == [HEAD, &long, END].concat());
}

#[tokio::test]
async fn what_nobody_announced_is_sent_as_it_is_written() {
    let (mut guarded, serving, mut client) = served();
    serving.announce(Ahead::Head);
    drop(serving);
    write(&mut guarded, HEAD).await;
    assert_eq!(heard(&mut client), HEAD);
}

#[tokio::test]
async fn streams_of_http2_keep_nothing_of_each_other_back() {
    let (mut guarded, serving, mut client) = served();
    guarded.phase = Phase::Http2(Instant::now());
    serving.announce(Ahead::End);
    write(&mut guarded, b"frame").await;
    assert_eq!(heard(&mut client), b"frame");
}

#[tokio::test]
async fn what_was_written_is_not_lost_with_the_connection() {
    for shuts_down in [true, false] {
        let (mut guarded, serving, mut client) = served();
        serving.announce(Ahead::End);
        write(&mut guarded, HEAD).await;
        if shuts_down {
            AsyncWriteExt::shutdown(&mut client).await.unwrap();
            AsyncWriteExt::shutdown(&mut guarded).await.unwrap();
        }
        drop(guarded);
        assert_eq!(heard(&mut client), HEAD);
    }
}
