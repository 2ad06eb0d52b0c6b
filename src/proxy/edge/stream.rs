//! A connection with bounds: how long a head may take, how large it may be, how long a client may send or take nothing, and
//! how it ends. Knows of HTTP where a head of HTTP/1 begins and ends, no more.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Buf, Bytes, BytesMut};
use pingora::http::ResponseHeader;
use pingora::protocols::raw_connect::ProxyDigest;
use pingora::protocols::tls::{SslDigest, TlsRef};
use pingora::protocols::{
    ALPN, GetProxyDigest, GetSocketDigest, GetTimingDigest, Peek, Shutdown, SocketDigest, Ssl, Stream, TimingDigest,
    UniqueID, UniqueIDType,
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use super::Connection;
use super::gather::{Ahead, Gathered};
use super::scan::Scan;
use super::writing::Writing;
use crate::config::Config;
use crate::proxy::reply::{self, Failure};
use crate::telemetry::{Connected, Metrics};

/// The bounds of one connection.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    pub head_time: Duration,
    head: usize,
    fields: usize,
    keepalive: Duration,
    pub stall: Duration,
    /// What a client that lags behind has to take in each `stall`.
    pub quota: usize,
}

impl Bounds {
    pub fn of(config: &Config) -> Self {
        let (limits, timeouts) = (&config.limits, &config.timeouts);
        Bounds {
            head_time: timeouts.request_head,
            head: limits.head + SPARE,
            fields: limits.headers,
            keepalive: timeouts.keepalive,
            stall: timeouts.stall,
            quota: limits.min_rate.saturating_mul(usize::try_from(timeouts.stall.as_secs()).unwrap_or(usize::MAX)),
        }
    }
}

/// Of a head that is not much over the limit more is known, and its client is told so in its dialect.
const SPARE: usize = 4096;

/// One connection of a client.
pub struct Guarded {
    inner: Stream,
    bounds: Bounds,
    connection: Arc<Connection>,
    phase: Phase,
    timer: Pin<Box<Sleep>>,
    writing: Writing,
    gathered: Gathered,
    /// Something was gathered since all was flushed, to be seen to before anything is waited for.
    unflushed: bool,
    /// What was read to see which protocol it is.
    peeked: BytesMut,
    /// Why nothing more is read, until the client was told.
    refusal: Option<Failure>,
    ending: Ending,
    /// The client sends nothing more.
    ended: bool,
    metrics: Arc<Metrics>,
    _open: Connected,
}

/// What is being read.
enum Phase {
    /// Nothing: no request since then.
    Idle(Instant),
    /// A head since then; so many requests had begun before it.
    Head { since: Instant, before: u64, scan: Scan },
    /// The rest of a request.
    Request,
    /// HTTP/2, of which something was last read then.
    Http2(Instant),
}

/// How far the end of the connection has come.
enum Ending {
    Open,
    /// What was written is sent.
    Leaving,
    Telling(Bytes),
    Closing,
    /// So many bytes more are taken.
    Lingering(usize),
    Done,
}

impl Guarded {
    pub fn new(inner: Stream, bounds: Bounds, metrics: Arc<Metrics>, open: Connected) -> Self {
        let now = Instant::now();
        let http2 = matches!(inner.selected_alpn_proto(), Some(ALPN::H2));
        Guarded {
            inner,
            bounds,
            connection: Arc::default(),
            phase: if http2 { Phase::Http2(now) } else { Phase::Idle(now) },
            timer: Box::pin(sleep_until(now + bounds.keepalive)),
            writing: Writing::default(),
            gathered: Gathered::default(),
            unflushed: false,
            peeked: BytesMut::new(),
            refusal: None,
            ending: Ending::Open,
            ended: false,
            metrics,
            _open: open,
        }
    }

    /// Ends the connection with an answer; with `heard`, waits until the client can have read it.
    pub async fn refuse(&mut self, failure: Failure, heard: bool) {
        self.refusal = Some(failure);
        self.ended |= !heard;
        AsyncWriteExt::shutdown(self).await.ok();
    }

    /// One step towards the end: the answer if one is due, our end of the connection, and then for a moment what the client
    /// still sends. A socket that is closed before that is reset, and the answer lost with it.
    fn end(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.ending {
            Ending::Telling(rest) if rest.is_empty() => {
                ready!(Pin::new(&mut self.inner).poll_flush(cx))?;
                self.ending = Ending::Closing;
            }
            Ending::Telling(rest) => {
                let written = ready!(Pin::new(&mut self.inner).poll_write(cx, rest))?;
                rest.advance(written);
            }
            Ending::Closing => {
                ready!(Pin::new(&mut self.inner).poll_shutdown(cx))?;
                self.ending = if self.ended { Ending::Done } else { Ending::Lingering(LINGER_BYTES) };
            }
            Ending::Lingering(rest) => {
                let mut piece = [0; 4096];
                let mut piece = ReadBuf::new(&mut piece);
                ready!(Pin::new(&mut self.inner).poll_read(cx, &mut piece))?;
                *rest = rest.saturating_sub(piece.filled().len());
                if piece.filled().is_empty() || *rest == 0 {
                    self.ending = Ending::Done;
                }
            }
            Ending::Open => {
                self.timer.as_mut().reset(Instant::now() + LINGER);
                self.ending = Ending::Leaving;
            }
            Ending::Leaving => {
                ready!(self.flush_all(cx))?;
                self.ending = match self.refusal.take() {
                    Some(failure) => {
                        self.metrics.connection_refused(failure.code);
                        Ending::Telling(reply::bare(&failure).into())
                    }
                    None => Ending::Closing,
                };
            }
            Ending::Done => {}
        }
        Poll::Ready(Ok(()))
    }

    /// What the gateway is going to write. Streams of HTTP/2 share a connection, and none may keep back what another has written.
    fn ahead(&self) -> Ahead {
        if matches!(self.phase, Phase::Http2(_)) { Ahead::Unknown } else { self.connection.ahead.get() }
    }

    /// Sends what was gathered, and what is kept of it below: TLS has a buffer of its own.
    fn flush_all(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.gathered.is_empty() {
            match ready!(Pin::new(&mut self.inner).poll_write(cx, self.gathered.bytes()))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                sent => self.gathered.sent(sent),
            }
        }
        ready!(Pin::new(&mut self.inner).poll_flush(cx))?;
        self.unflushed = false;
        Poll::Ready(Ok(()))
    }

    /// Writes, behind what was gathered.
    fn write(&mut self, cx: &mut Context<'_>, bufs: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        if let Some(taken) = self.gathered.take(bufs, self.ahead()) {
            self.unflushed = true;
            return Poll::Ready(Ok(taken));
        }
        while !self.gathered.is_empty() {
            let own = self.gathered.bytes().len();
            let parts: Vec<_> =
                [io::IoSlice::new(self.gathered.bytes())].into_iter().chain(bufs.iter().copied()).collect();
            let sent = ready!(Pin::new(&mut self.inner).poll_write_vectored(cx, &parts))?;
            self.gathered.sent(sent.min(own));
            match sent {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                sent if sent > own => return Poll::Ready(Ok(sent - own)),
                _ => {}
            }
        }
        Pin::new(&mut self.inner).poll_write_vectored(cx, bufs)
    }

    /// Brings the phase up to what the gateway has done since the last read.
    fn turn(&mut self) {
        let now = Instant::now();
        let over = match &self.phase {
            Phase::Head { before, .. } => self.connection.begun() != *before,
            Phase::Request => true,
            Phase::Idle(_) | Phase::Http2(_) => false,
        };
        if over {
            self.phase = if self.connection.is_serving() { Phase::Request } else { Phase::Idle(now) };
        }
    }

    /// Takes note of what was read.
    fn note(&mut self, bytes: &[u8]) -> io::Result<()> {
        let now = Instant::now();
        if let Phase::Idle(_) = self.phase {
            self.phase = Phase::Head { since: now, before: self.connection.begun(), scan: Scan::default() };
        }
        match &mut self.phase {
            Phase::Head { scan, .. } => {
                scan.push(bytes);
                self.connection.set_mended(scan.mended());
                if scan.bytes() > self.bounds.head {
                    let most = self.bounds.head - SPARE;
                    return Err(self.give_up(Failure::head_longer(most), io::ErrorKind::InvalidData));
                }
            }
            Phase::Http2(read) => *read = now,
            Phase::Idle(_) | Phase::Request => {}
        }
        Ok(())
    }

    /// Pingora answers by itself, without a body, what it cannot read as a request. Ours takes the place of that answer.
    fn takes_over(&mut self, answer: &[u8]) -> bool {
        let begun = self.connection.begun();
        let Phase::Head { before, scan, .. } = &self.phase else { return false };
        if *before != begun {
            return false;
        }
        let failure = match answer.get(9..12) {
            Some(b"405") => Failure::method_not_allowed(""),
            _ if scan.fields() > self.bounds.fields => {
                Failure::head_too_large(self.bounds.head - SPARE, self.bounds.fields)
            }
            _ => Failure::bad_request("bad_request", "the request head cannot be read as HTTP"),
        };
        self.refusal.get_or_insert(failure);
        true
    }

    fn give_up(&mut self, failure: Failure, kind: io::ErrorKind) -> io::Error {
        self.refusal = Some(failure);
        kind.into()
    }

    /// Nothing is there to be read: whether that may go on.
    fn wait(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let now = Instant::now();
        let due = match self.phase {
            Phase::Idle(since) => since + self.bounds.keepalive,
            Phase::Head { since, .. } => since + self.bounds.head_time,
            // Pingora has a time limit for each read of a body.
            Phase::Request => return Poll::Pending,
            Phase::Http2(read) if self.connection.is_uploading() => read + self.bounds.stall,
            // A body may begin to be awaited at any time.
            Phase::Http2(_) => now + self.bounds.stall,
        };
        if self.timer.deadline() != due && !(matches!(self.phase, Phase::Http2(_)) && self.timer.deadline() > now) {
            self.timer.as_mut().reset(due);
        }
        while self.timer.as_mut().poll(cx).is_ready() {
            if due > Instant::now() {
                self.timer.as_mut().reset(due);
                continue;
            }
            return Poll::Ready(self.late());
        }
        Poll::Pending
    }

    fn late(&mut self) -> io::Result<()> {
        self.ended |= matches!(self.phase, Phase::Idle(_));
        match self.phase {
            // Like a client that has nothing more to ask.
            Phase::Idle(_) => Ok(()),
            Phase::Head { .. } => {
                let failure = Failure::head_too_slow(self.bounds.head_time);
                Err(self.give_up(failure, io::ErrorKind::TimedOut))
            }
            Phase::Request | Phase::Http2(_) => {
                self.metrics.connection_refused("stalled");
                Err(io::ErrorKind::TimedOut.into())
            }
        }
    }
}

/// How long and for how many bytes a client may go on sending after its connection was ended.
const LINGER: Duration = Duration::from_secs(2);
const LINGER_BYTES: usize = 1 << 20;

impl AsyncRead for Guarded {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.refusal.is_some() || !matches!(this.ending, Ending::Open) {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        if !this.peeked.is_empty() {
            let length = this.peeked.len().min(buf.remaining());
            buf.put_slice(&this.peeked[..length]);
            this.peeked.advance(length);
            return Poll::Ready(Ok(()));
        }
        // Nothing more is written for now. What does not leave at once leaves with what comes next.
        if this.unflushed
            && let Poll::Ready(Err(error)) = this.flush_all(cx)
        {
            return Poll::Ready(Err(error));
        }
        this.turn();
        let before = buf.filled().len();
        match Pin::new(&mut this.inner).poll_read(cx, buf) {
            Poll::Pending => this.wait(cx),
            Poll::Ready(Ok(())) if buf.filled().len() > before => Poll::Ready(this.note(&buf.filled()[before..])),
            Poll::Ready(end) => {
                this.ended = true;
                Poll::Ready(end)
            }
        }
    }
}

impl AsyncWrite for Guarded {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        if this.takes_over(buf) {
            return Poll::Ready(Ok(buf.len()));
        }
        let tried = this.write(cx, &[io::IoSlice::new(buf)]);
        let taken = if let Poll::Ready(Ok(taken)) = tried { taken } else { 0 };
        this.writing.watch(cx, &this.bounds, tried, taken)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        if bufs.first().is_some_and(|first| this.takes_over(first)) {
            return Poll::Ready(Ok(bufs.iter().map(|buf| buf.len()).sum()));
        }
        let tried = this.write(cx, bufs);
        let taken = if let Poll::Ready(Ok(taken)) = tried { taken } else { 0 };
        this.writing.watch(cx, &this.bounds, tried, taken)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let ahead = this.ahead();
        if this.gathered.may_wait(ahead) {
            if ahead == Ahead::Head {
                this.connection.ahead.set(Ahead::Unknown);
            }
            return Poll::Ready(Ok(()));
        }
        let tried = this.flush_all(cx);
        // Once it is through, the client has all there is, or its kernel has.
        this.writing.watch(cx, &this.bounds, tried, usize::MAX)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        while !matches!(this.ending, Ending::Done) {
            match this.end(cx) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(_)) => this.ending = Ending::Done,
                // Whoever neither takes the answer nor stops sending is cut off.
                Poll::Pending if this.timer.as_mut().poll(cx).is_ready() => this.ending = Ending::Done,
                Poll::Pending => return Poll::Pending,
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        // Pingora lets go of a connection as it is when an answer breaks off: what went before leaves if it can at once.
        if self.unflushed {
            let _ = self.flush_all(&mut Context::from_waker(Waker::noop()));
        }
    }
}

#[async_trait]
impl Shutdown for Guarded {
    async fn shutdown(&mut self) {
        AsyncWriteExt::shutdown(self).await.ok();
    }
}

#[async_trait]
impl Peek for Guarded {
    /// Reads until it is clear whether `buf` would be the preface of HTTP/2. Pingora's own waits for as many bytes as the
    /// preface has, for ever.
    async fn try_peek(&mut self, buf: &mut [u8]) -> io::Result<bool> {
        const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
        let mut seen = BytesMut::with_capacity(4096);
        while PREFACE.starts_with(&seen) && seen.len() < PREFACE.len() {
            match self.read_buf(&mut seen).await {
                Ok(0) => break,
                Ok(_) => {}
                Err(error) => {
                    Shutdown::shutdown(self).await;
                    return Err(error);
                }
            }
        }
        if seen.starts_with(PREFACE) {
            self.phase = Phase::Http2(Instant::now());
            self.connection.set_mended(None);
        }
        buf.fill(0);
        let length = seen.len().min(buf.len());
        buf[..length].copy_from_slice(&seen[..length]);
        self.peeked = seen;
        Ok(true)
    }
}

impl GetProxyDigest for Guarded {
    /// The place Pingora has for what a connection tells the sessions on it.
    fn get_proxy_digest(&self) -> Option<Arc<ProxyDigest>> {
        let head = ResponseHeader::build(200, Some(0)).ok()?;
        Some(Arc::new(ProxyDigest::new(Box::new(head), Some(Box::new(self.connection.clone())))))
    }
}

impl GetSocketDigest for Guarded {
    fn get_socket_digest(&self) -> Option<Arc<SocketDigest>> {
        self.inner.get_socket_digest()
    }
}

impl GetTimingDigest for Guarded {
    fn get_timing_digest(&self) -> Vec<Option<TimingDigest>> {
        self.inner.get_timing_digest()
    }
}

impl UniqueID for Guarded {
    fn id(&self) -> UniqueIDType {
        self.inner.id()
    }
}

impl Ssl for Guarded {
    fn get_ssl(&self) -> Option<&TlsRef> {
        self.inner.get_ssl()
    }

    fn get_ssl_digest(&self) -> Option<Arc<SslDigest>> {
        self.inner.get_ssl_digest()
    }

    fn selected_alpn_proto(&self) -> Option<ALPN> {
        self.inner.selected_alpn_proto()
    }
}

impl std::fmt::Debug for Guarded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Guarded").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
