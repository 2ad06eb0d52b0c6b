//! How long an upstream may keep silent: before its answer begins, and within it. Pingora has one timer for both, and no hook
//! while nothing comes, so this one stands beside it and ends the connection. Knows nothing of HTTP.

use std::io;
use std::net::{Shutdown, TcpStream};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use async_trait::async_trait;
use pingora::connectors::L4Connect;
use pingora::http::ResponseHeader;
use pingora::protocols::l4::{socket::SocketAddr, stream::Stream};
use pingora::protocols::raw_connect::ProxyDigest;
use pingora::protocols::{Digest, GetProxyDigest};
use pingora::{Error, ErrorType};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

/// Connects to upstreams over TCP, and leaves a second handle of the socket with each connection.
#[derive(Debug)]
pub struct Connector {
    pub limit: Duration,
}

/// The second handle. It lives as long as Pingora keeps the connection.
struct Handle(Arc<TcpStream>);

/// Looks after all answers that are waited for, in one task: a task for each would wake a thread for each.
#[derive(Default)]
pub struct Keeper {
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    waiting: Vec<Weak<Shared>>,
    /// The task runs. It ends when there is nothing to wait for.
    runs: bool,
}

/// Waits for one answer. Dropping it ends the waiting and leaves the connection alone.
pub struct Patience(Arc<Shared>);

struct Shared {
    socket: Arc<TcpStream>,
    /// When something was last heard, and how long nothing may be.
    clock: Mutex<(Instant, Duration)>,
    /// How long nothing may be heard within the answer.
    within: Duration,
    over: AtomicBool,
    /// The head of the answer is there.
    answering: AtomicBool,
    /// The time for the head began anew.
    extended: AtomicBool,
}

/// How often the keeper looks, which is how much later than at its time a connection may be ended.
const LOOK: Duration = Duration::from_millis(50);

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

impl Keeper {
    /// Begins to wait for an answer over a connection that a [`Connector`] made, so long before it and so long `within` it; no
    /// longer than until `ending` turns true.
    pub fn wait(
        self: &Arc<Self>,
        digest: Option<&Digest>,
        (before, within): (Duration, Duration),
        ending: impl FnOnce() -> watch::Receiver<bool>,
    ) -> Option<Patience> {
        let data = digest?.proxy_digest.as_ref()?;
        let Handle(socket) = data.user_data.as_ref()?.downcast_ref()?;
        let shared = Arc::new(Shared {
            socket: socket.clone(),
            clock: Mutex::new((Instant::now(), before)),
            within,
            over: AtomicBool::new(false),
            answering: AtomicBool::new(false),
            extended: AtomicBool::new(false),
        });
        let mut kept = self.kept();
        kept.waiting.push(Arc::downgrade(&shared));
        if !std::mem::replace(&mut kept.runs, true) {
            tokio::spawn(self.clone().run(ending()));
        }
        Some(Patience(shared))
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn run(self: Arc<Self>, mut ending: watch::Receiver<bool>) {
        loop {
            let ends = tokio::select! {
                () = sleep(LOOK) => false,
                Ok(_) = ending.wait_for(|ending| *ending) => true,
            };
            // Whoever begins to wait meanwhile does not wait for this.
            let mut waiting = std::mem::take(&mut self.kept().waiting);
            waiting.retain(|shared| shared.upgrade().is_some_and(|shared| shared.goes_on(ends)));
            let mut kept = self.kept();
            kept.waiting.append(&mut waiting);
            kept.runs = !kept.waiting.is_empty();
            if !kept.runs {
                return;
            }
        }
    }
}

impl Patience {
    /// Something was sent or heard: the time begins anew.
    pub fn restart(&self) {
        self.0.set(|clock| clock.0 = Instant::now());
    }

    /// The answer begins.
    pub fn answered(&self) {
        self.0.answering.store(true, Ordering::Release);
        self.0.set(|clock| *clock = (Instant::now(), self.0.within));
    }

    /// Whether the connection was ended. What looks like the end of an answer then is none.
    pub fn is_over(&self) -> bool {
        self.0.over.load(Ordering::Acquire)
    }
}

impl Shared {
    fn set(&self, change: impl FnOnce(&mut (Instant, Duration))) {
        change(&mut self.clock.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn is_due(&self) -> bool {
        let clock = self.clock.lock().unwrap_or_else(PoisonError::into_inner);
        clock.0.elapsed() >= clock.1
    }

    /// Whether there still is something to wait for; the connection is ended if it is time, or the process `ends`.
    fn goes_on(&self, ends: bool) -> bool {
        if !ends && !self.is_due() {
            return true;
        }
        // A piece that waits when the time is up may be the end of the head; the head does not get more time for the next.
        let may = self.answering.load(Ordering::Acquire) || !self.extended.load(Ordering::Acquire);
        if !ends && may && self.has_unread() {
            self.extended.store(true, Ordering::Release);
            // The upstream was not silent; what it sent waits for a caller who does not read.
            self.set(|clock| clock.0 = Instant::now());
            return true;
        }
        self.end();
        false
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

    fn wait(digest: &Digest, limits: (Duration, Duration), ending: watch::Receiver<bool>) -> Patience {
        Arc::new(Keeper::default()).wait(Some(digest), limits, || ending).unwrap()
    }

    fn never() -> watch::Receiver<bool> {
        watch::channel(false).1
    }

    #[tokio::test]
    async fn a_head_has_its_time_whatever_drips_in() {
        let (_stream, digest, mut peer) = connection().await;
        peer.write_all(b"HTTP/1.1 200 OK\r\nx: ").await.unwrap();
        let patience = wait(&digest, (SHORT, LONG), never());
        while !patience.is_over() {
            tokio::time::sleep(SHORT / 10).await;
            peer.write_all(b"a").await.ok();
        }
    }

    #[tokio::test]
    async fn the_end_of_the_process_is_the_end_of_waiting() {
        let (mut stream, digest, _peer) = connection().await;
        let (end, ending) = watch::channel(false);
        let patience = wait(&digest, (LONG, LONG), ending);
        end.send_replace(true);
        assert_eq!(stream.read(&mut [0]).await.unwrap(), 0);
        assert!(patience.is_over());
    }

    #[tokio::test]
    async fn silence_ends_the_connection_and_speech_does_not() {
        let (mut stream, digest, mut peer) = connection().await;
        let patience = wait(&digest, (LONG, SHORT), never());
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
        let patience = wait(&digest, (LONG, SHORT), never());
        patience.answered();
        tokio::time::sleep(LOOK * 3).await;
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
        drop(wait(&digest, (Duration::from_millis(1), LONG), never()));
        tokio::time::sleep(LOOK * 2).await;
        peer.write_all(b"a").await.unwrap();
        assert_eq!(stream.read_u8().await.unwrap(), b'a');
    }

    #[tokio::test]
    async fn a_keeper_that_had_nothing_left_to_wait_for_begins_anew() {
        let keeper = Arc::new(Keeper::default());
        for _ in 0..2 {
            let (mut stream, digest, _peer) = connection().await;
            let patience = keeper.wait(Some(&digest), (SHORT, SHORT), never).unwrap();
            assert_eq!(stream.read(&mut [0]).await.unwrap(), 0);
            assert!(patience.is_over());
            while keeper.kept().runs {
                tokio::task::yield_now().await;
            }
        }
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
