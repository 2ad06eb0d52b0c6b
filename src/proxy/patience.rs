//! How long an upstream may keep silent: before its answer begins, and within it. Pingora has one timer for both, and no hook
//! while nothing comes, so this one stands beside it and ends the connection. Knows nothing of HTTP.

use std::io;
use std::net::{Shutdown, TcpStream};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use pingora::connectors::L4Connect;
use pingora::http::ResponseHeader;
use pingora::protocols::l4::{socket::SocketAddr, stream::Stream};
use pingora::protocols::raw_connect::ProxyDigest;
use pingora::protocols::{Digest, GetProxyDigest};
use pingora::{Error, ErrorType};
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep_until, timeout};

/// Connects to upstreams over TCP, and leaves a second handle of the socket with each connection.
#[derive(Debug)]
pub struct Connector {
    pub limit: Duration,
}

/// The second handle. It lives as long as Pingora keeps the connection.
struct Handle(Arc<TcpStream>);

/// Waits for one answer. Dropping it ends the waiting and leaves the connection alone.
pub struct Patience {
    shared: Arc<Shared>,
    task: AbortHandle,
}

struct Shared {
    socket: Arc<TcpStream>,
    /// When something was last heard, and how long nothing may be.
    clock: Mutex<(Instant, Duration)>,
    /// How long nothing may be heard within the answer.
    within: Duration,
    over: AtomicBool,
    /// The head of the answer is there.
    answering: AtomicBool,
}

#[async_trait]
impl L4Connect for Connector {
    async fn connect(&self, address: &SocketAddr) -> pingora::Result<Stream> {
        let Some(address) = address.as_inet() else { return Err(Error::new(ErrorType::ConnectError)) };
        let connected = timeout(self.limit, tokio::net::TcpStream::connect(address)).await;
        let socket = connected.map_err(|_| Error::new(ErrorType::ConnectTimedout))?.map_err(|error| failed(&error))?;
        let handle = TcpStream::from(socket.as_fd().try_clone_to_owned().map_err(|error| failed(&error))?);
        let mut stream = Stream::from(socket);
        // Pingora's place for what the maker of a connection wants to know it by; there is no proxy and no answer of one.
        let head = Box::new(ResponseHeader::build(200, None)?);
        stream.set_proxy_digest(ProxyDigest::new(head, Some(Box::new(Handle(Arc::new(handle))))));
        Ok(stream)
    }
}

fn failed(error: &io::Error) -> Box<Error> {
    Error::new(match error.kind() {
        io::ErrorKind::ConnectionRefused => ErrorType::ConnectRefused,
        io::ErrorKind::TimedOut => ErrorType::ConnectTimedout,
        io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable => ErrorType::ConnectNoRoute,
        _ => ErrorType::ConnectError,
    })
}

impl Patience {
    /// Begins to wait for an answer over a connection that a [`Connector`] made, so long before it and so long `within` it; no
    /// longer than until `ending` turns true.
    pub fn new(
        digest: Option<&Digest>,
        (before, within): (Duration, Duration),
        ending: watch::Receiver<bool>,
    ) -> Option<Self> {
        let data = digest?.proxy_digest.as_ref()?;
        let Handle(socket) = data.user_data.as_ref()?.downcast_ref()?;
        let shared = Shared {
            socket: socket.clone(),
            clock: Mutex::new((Instant::now(), before)),
            within,
            over: AtomicBool::new(false),
            answering: AtomicBool::new(false),
        };
        let shared = Arc::new(shared);
        let task = tokio::spawn(shared.clone().wait(ending)).abort_handle();
        Some(Patience { shared, task })
    }

    /// Something was sent or heard: the time begins anew.
    pub fn restart(&self) {
        self.shared.set(|clock| clock.0 = Instant::now());
    }

    /// The answer begins.
    pub fn answered(&self) {
        self.shared.answering.store(true, Ordering::Release);
        self.shared.set(|clock| *clock = (Instant::now(), self.shared.within));
    }

    /// Whether the connection was ended. What looks like the end of an answer then is none.
    pub fn is_over(&self) -> bool {
        self.shared.over.load(Ordering::Acquire)
    }
}

impl Drop for Patience {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Shared {
    fn set(&self, change: impl FnOnce(&mut (Instant, Duration))) {
        change(&mut self.clock.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn due(&self) -> Instant {
        let clock = self.clock.lock().unwrap_or_else(PoisonError::into_inner);
        clock.0 + clock.1
    }

    async fn wait(self: Arc<Self>, mut ending: watch::Receiver<bool>) {
        // A piece that waits when the time is up may be the end of the head; the head does not get more time for the next.
        let mut extended = false;
        loop {
            let (due, now) = (self.due(), Instant::now());
            if due > now {
                tokio::select! {
                    // Not longer than is waited within an answer, which may begin now: so nobody has to be woken for it.
                    () = sleep_until(due.min(now + self.within)) => {}
                    Ok(_) = ending.wait_for(|ending| *ending) => return self.end(),
                }
            } else if self.has_unread() && (self.answering.load(Ordering::Acquire) || !extended) {
                extended = true;
                // The upstream was not silent; what it sent waits for a caller who does not read.
                self.set(|clock| clock.0 = Instant::now());
            } else {
                return self.end();
            }
        }
    }

    fn end(&self) {
        self.over.store(true, Ordering::Release);
        // Fails when the peer was faster, and then there is nothing to end.
        self.socket.shutdown(Shutdown::Both).ok();
    }

    fn has_unread(&self) -> bool {
        self.socket.peek(&mut [0]).is_ok_and(|bytes| bytes > 0)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;

    const LONG: Duration = Duration::from_secs(600);
    const SHORT: Duration = Duration::from_millis(20);

    async fn connection() -> (Stream, Digest, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = SocketAddr::from(listener.local_addr().unwrap());
        let connector = Connector { limit: LONG };
        let (stream, peer) = tokio::join!(connector.connect(&address), listener.accept());
        let stream = stream.unwrap();
        let digest = Digest { proxy_digest: stream.get_proxy_digest(), ..Digest::default() };
        (stream, digest, peer.unwrap().0)
    }

    fn never() -> watch::Receiver<bool> {
        watch::channel(false).1
    }

    #[tokio::test]
    async fn a_head_has_its_time_whatever_drips_in() {
        let (_stream, digest, mut peer) = connection().await;
        peer.write_all(b"HTTP/1.1 200 OK\r\nx: ").await.unwrap();
        let patience = Patience::new(Some(&digest), (SHORT, LONG), never()).unwrap();
        while !patience.is_over() {
            tokio::time::sleep(SHORT / 10).await;
            peer.write_all(b"a").await.ok();
        }
    }

    #[tokio::test]
    async fn the_end_of_the_process_is_the_end_of_waiting() {
        let (mut stream, digest, _peer) = connection().await;
        let (end, ending) = watch::channel(false);
        let patience = Patience::new(Some(&digest), (LONG, LONG), ending).unwrap();
        end.send_replace(true);
        assert_eq!(stream.read(&mut [0]).await.unwrap(), 0);
        assert!(patience.is_over());
    }

    #[tokio::test]
    async fn silence_ends_the_connection_and_speech_does_not() {
        let (mut stream, digest, mut peer) = connection().await;
        let patience = Patience::new(Some(&digest), (LONG, SHORT), never()).unwrap();
        peer.write_all(b"a").await.unwrap();
        assert_eq!(stream.read_u8().await.unwrap(), b'a');
        assert!(!patience.is_over());
        patience.answered();
        assert_eq!(stream.read(&mut [0]).await.unwrap(), 0);
        assert!(patience.is_over());
    }

    #[tokio::test]
    async fn what_nobody_has_read_yet_is_no_silence() {
        let (mut stream, digest, mut peer) = connection().await;
        peer.write_all(b"a").await.unwrap();
        while digest_unread(&digest).await == 0 {}
        let patience = Patience::new(Some(&digest), (LONG, SHORT), never()).unwrap();
        patience.answered();
        tokio::time::sleep(SHORT * 5).await;
        assert!(!patience.is_over());
        assert_eq!(stream.read_u8().await.unwrap(), b'a');
        assert_eq!(stream.read(&mut [0]).await.unwrap(), 0);
        assert!(patience.is_over());
    }

    async fn digest_unread(digest: &Digest) -> usize {
        tokio::task::yield_now().await;
        let data = digest.proxy_digest.as_ref().unwrap().user_data.as_ref().unwrap();
        data.downcast_ref::<Handle>().unwrap().0.peek(&mut [0]).unwrap_or(0)
    }

    #[tokio::test]
    async fn dropped_patience_leaves_the_connection_alone() {
        let (mut stream, digest, mut peer) = connection().await;
        drop(Patience::new(Some(&digest), (Duration::from_millis(1), LONG), never()));
        tokio::time::sleep(SHORT).await;
        peer.write_all(b"a").await.unwrap();
        assert_eq!(stream.read_u8().await.unwrap(), b'a');
    }

    #[tokio::test]
    async fn a_closed_connection_is_closed_for_the_peer_though_there_were_two_handles() {
        let (stream, digest, mut peer) = connection().await;
        drop((stream, digest));
        assert_eq!(peer.read(&mut [0]).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn an_address_where_nobody_listens_is_refused() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = SocketAddr::from(listener.local_addr().unwrap());
        drop(listener);
        let refused = Connector { limit: LONG }.connect(&address).await.unwrap_err();
        assert_eq!(*refused.etype(), ErrorType::ConnectRefused);
    }
}
