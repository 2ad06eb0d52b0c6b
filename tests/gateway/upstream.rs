//! The provider: writes down every request that reaches it, byte for byte, and answers as a test wants. Knows no API.

use std::collections::HashMap;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, LazyLock, Mutex};

use bytes::Bytes;
use tokio::runtime::Runtime;
use tokio::sync::{oneshot, watch};
use tokio::time::timeout;

use crate::http1::{Body, Head, PATIENCE, Wire, in_time};

/// Tests each have a runtime that ends with them; what they share lives here.
pub static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().expect("a runtime"));

/// By this header a request says which test it belongs to; the gateway lets it pass for every dialect.
pub const ID: &str = "x-client-request-id";

/// What is answered unless a test takes the call.
pub const ANSWER: &str = r#"{"answer":"from the provider"}"#;

/// One listener and what arrived there.
pub struct Upstream {
    pub address: SocketAddr,
    book: Arc<Book>,
}

#[derive(Default)]
struct Book {
    seen: Mutex<Vec<Seen>>,
    /// Who wants to answer a request himself, by its id.
    taken: Mutex<HashMap<String, oneshot::Sender<Call>>>,
    changed: watch::Sender<()>,
}

/// A request that arrived, whole or not.
#[derive(Clone, Debug)]
pub struct Seen {
    pub head: Head,
    pub body: Body,
}

/// A request under way whose answer a test writes. Dropping it ends the connection.
pub struct Call {
    pub head: Head,
    pub wire: Wire,
}

/// A call to come.
pub struct Expected(oneshot::Receiver<Call>);

impl Upstream {
    pub fn http1() -> Upstream {
        Upstream::serve(|stream, book| async move { book.converse(Wire::new(stream)).await })
    }

    /// HTTP/2 in cleartext, with prior knowledge.
    pub fn http2() -> Upstream {
        Upstream::serve(|stream, book| async move { book.converse2(stream).await })
    }

    fn serve<F, T>(connection: F) -> Upstream
    where
        F: Fn(tokio::net::TcpStream, Arc<Book>) -> T + Send + 'static,
        T: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("its address");
        listener.set_nonblocking(true).expect("a socket that does not block");
        let book = Arc::new(Book::default());
        let shared = book.clone();
        RUNTIME.spawn(async move {
            let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(connection(stream, shared.clone()));
            }
        });
        Upstream { address, book }
    }

    /// From now on the request of this id is the test's to answer.
    pub fn expect(&self, id: &str) -> Expected {
        let (sender, receiver) = oneshot::channel();
        self.book.taken.lock().unwrap().insert(id.to_owned(), sender);
        Expected(receiver)
    }

    /// What has arrived under this id so far.
    pub fn requests(&self, id: &str) -> Vec<Seen> {
        let seen = self.book.seen.lock().unwrap();
        seen.iter().filter(|seen| seen.head.header(ID) == Some(id)).cloned().collect()
    }

    /// The one request of this id, when it is over.
    pub async fn request(&self, id: &str) -> Seen {
        let mut changed = self.book.changed.subscribe();
        let found = async {
            loop {
                if let Some(seen) = self.requests(id).pop() {
                    return seen;
                }
                changed.changed().await.expect("the book lives as long as the upstream");
            }
        };
        let seen = timeout(PATIENCE, found).await.unwrap_or_else(|_| panic!("{id} never arrived upstream"));
        assert_eq!(self.requests(id).len(), 1, "{id} arrived more than once");
        seen
    }

    /// What has arrived so far, in the order in which it was over.
    pub fn everything(&self) -> Vec<Seen> {
        self.book.seen.lock().unwrap().clone()
    }

    /// Everything that arrived, whoever it belongs to, contains none of these bytes.
    pub fn never_saw(&self, text: &str) -> bool {
        let seen = self.book.seen.lock().unwrap();
        let finder = memchr::memmem::Finder::new(text);
        seen.iter().all(|seen| finder.find(&seen.head.raw).is_none() && finder.find(&seen.body.bytes).is_none())
    }
}

impl Expected {
    pub async fn call(self) -> Call {
        in_time(self.0).await.expect("an upstream that listens")
    }
}

impl Call {
    pub async fn body(&mut self) -> Body {
        self.wire.body(&self.head).await
    }

    /// The beginning of a chunked answer, the last on its connection: a kept one could lose the next request on it.
    pub async fn begin(&mut self, content_type: &str) {
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: {content_type}\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n"
        );
        assert!(self.wire.write(head.as_bytes()).await, "the gateway takes the head");
    }

    pub async fn chunk(&mut self, bytes: &[u8]) {
        let chunk = [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat();
        assert!(self.wire.write(&chunk).await, "the gateway takes a chunk");
    }

    pub async fn end(&mut self) {
        assert!(self.wire.write(b"0\r\n\r\n").await, "the gateway takes the end");
    }
}

impl Book {
    fn write_down(&self, seen: Seen) {
        self.seen.lock().unwrap().push(seen);
        self.changed.send_replace(());
    }

    async fn converse(&self, mut wire: Wire) {
        while let Some(head) = wire.next_head().await {
            let taken = head.header(ID).and_then(|id| self.taken.lock().unwrap().remove(id));
            if let Some(test) = taken {
                // A test that has failed does not wait for its call any more.
                test.send(Call { head, wire }).ok();
                return;
            }
            let body = wire.body(&head).await;
            let complete = body.complete;
            self.write_down(Seen { head, body });
            let answer = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{ANSWER}",
                ANSWER.len()
            );
            if !complete || !wire.write(answer.as_bytes()).await {
                return;
            }
        }
    }

    async fn converse2(self: Arc<Self>, stream: tokio::net::TcpStream) {
        let Ok(mut connection) = h2::server::handshake(stream).await else { return };
        while let Some(Ok((request, respond))) = connection.accept().await {
            let book = self.clone();
            tokio::spawn(async move { book.answer2(request, respond).await });
        }
    }

    async fn answer2(&self, request: http::Request<h2::RecvStream>, mut respond: h2::server::SendResponse<Bytes>) {
        let (parts, mut stream) = request.into_parts();
        let mut body = Body { bytes: Vec::new(), complete: true };
        while let Some(piece) = stream.data().await {
            match piece {
                Ok(piece) => {
                    stream.flow_control().release_capacity(piece.len()).ok();
                    body.bytes.extend_from_slice(&piece);
                }
                Err(_) => {
                    body.complete = false;
                    break;
                }
            }
        }
        let complete = body.complete;
        self.write_down(Seen { head: Head::of_http2(&parts), body });
        if complete {
            let head = http::Response::builder().header("content-type", "application/json").body(()).expect("a head");
            if let Ok(mut answer) = respond.send_response(head, false) {
                answer.send_data(Bytes::from_static(ANSWER.as_bytes()), true).ok();
            }
        }
    }
}
