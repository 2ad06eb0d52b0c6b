//! A listener with bounds: how many connections, and how long one may be silent; over TLS if it is given what that takes. Knows
//! nothing of HTTP.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::serve::Listener;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep, sleep};
use tokio_rustls::server::TlsStream;
use tokio_rustls::{Accept, TlsAcceptor};

use crate::state::Handshakes;

/// Connections wait in the kernel's queue while `CONNECTIONS` are open.
pub(super) struct Bounded {
    listener: TcpListener,
    tls: Option<Arc<Handshakes>>,
    slots: Arc<Semaphore>,
}

impl Bounded {
    pub(super) fn new(listener: TcpListener, tls: Option<Arc<Handshakes>>) -> Self {
        Bounded { listener, tls, slots: Arc::new(Semaphore::new(CONNECTIONS)) }
    }
}

impl Listener for Bounded {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        // The semaphore is never closed; were it, the connection would go uncounted rather than unserved.
        let slot = self.slots.clone().acquire_owned().await.ok();
        let (stream, peer) = Listener::accept(&mut self.listener).await;
        let wire = Wire::new(stream, self.tls.as_deref());
        (Connection { wire, idle: Box::pin(sleep(IDLE)), _slot: slot }, peer)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// A stream that fails with `TimedOut` when its peer sends nothing for `IDLE`.
pub(super) struct Connection {
    wire: Wire,
    idle: Pin<Box<Sleep>>,
    _slot: Option<OwnedSemaphorePermit>,
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let read = match self.wire.poll(cx) {
            Poll::Ready(Ok(stream)) => stream.poll_read(cx, buf),
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => Poll::Pending,
        };
        if read.is_ready() {
            self.idle.as_mut().reset(Instant::now() + IDLE);
        } else if self.idle.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        read
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.wire.poll(cx))?.poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(self.wire.poll(cx))?.poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.wire.poll(cx))?.poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.wire.poll(cx))?.poll_shutdown(cx)
    }
}

/// What bytes go over. A handshake is made where the connection is served, so that a slow one keeps nobody from being accepted.
enum Wire {
    Plain(TcpStream),
    Beginning(Box<Accept<TcpStream>>),
    Encrypted(Box<TlsStream<TcpStream>>),
}

/// Either, once there is one.
trait Both: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Both for T {}

impl Wire {
    fn new(stream: TcpStream, tls: Option<&Handshakes>) -> Wire {
        match tls {
            None => Wire::Plain(stream),
            Some(tls) => Wire::Beginning(Box::new(TlsAcceptor::from(tls.config()).accept(stream))),
        }
    }

    /// The stream, after its handshake.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Pin<&mut dyn Both>>> {
        if let Wire::Beginning(handshake) = self {
            *self = Wire::Encrypted(Box::new(ready!(Pin::new(handshake).poll(cx))?));
        }
        Poll::Ready(match self {
            Wire::Plain(stream) => Ok(Pin::new(stream)),
            Wire::Encrypted(stream) => Ok(Pin::new(&mut **stream)),
            Wire::Beginning(_) => Err(io::ErrorKind::NotConnected.into()),
        })
    }
}

const CONNECTIONS: usize = 256;
const IDLE: Duration = Duration::from_secs(60);
