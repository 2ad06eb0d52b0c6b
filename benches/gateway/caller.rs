//! One connection of the load, in each protocol the gateway speaks, with one request under way at a time.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use h2::client::SendRequest;
use pingora::tls::{ClientConfig, RootCertStore, ServerName, TlsConnector, load_ca_file_into_store};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use super::http1::Wire;
use super::targets::CERT;

/// The published development token; the other targets send it on.
pub const TOKEN: &str = "spv-basic-dev-2024-ghi789";

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protocol {
    #[default]
    Http1,
    Http1Tls,
    Http2,
    Http2Tls,
}

impl Protocol {
    pub const ALL: [Protocol; 4] = [Protocol::Http1, Protocol::Http1Tls, Protocol::Http2, Protocol::Http2Tls];

    pub const fn name(self) -> &'static str {
        match self {
            Protocol::Http1 => "HTTP/1.1",
            Protocol::Http1Tls => "HTTP/1.1 over TLS",
            Protocol::Http2 => "HTTP/2 (h2c)",
            Protocol::Http2Tls => "HTTP/2 over TLS",
        }
    }

    pub const fn tls(self) -> bool {
        matches!(self, Protocol::Http1Tls | Protocol::Http2Tls)
    }

    const fn alpn(self) -> &'static [u8] {
        match self {
            Protocol::Http1 | Protocol::Http1Tls => b"http/1.1",
            Protocol::Http2 | Protocol::Http2Tls => b"h2",
        }
    }
}

/// See the module.
pub enum Caller {
    Http1(Wire<Box<dyn Stream>>, Vec<u8>),
    Http2(SendRequest<Bytes>),
}

/// Bytes in both directions.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// What came back.
#[derive(Clone, Debug)]
pub struct Reply {
    pub status: u16,
    /// The gateway changed the request or remarked on it.
    pub touched: bool,
    /// What the answer's head said, where it was not 200.
    pub head: String,
}

impl Caller {
    pub async fn connect(address: SocketAddr, protocol: Protocol) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let stream: Box<dyn Stream> = if protocol.tls() {
            let name = ServerName::try_from("localhost").map_err(io::Error::other)?;
            Box::new(connector(protocol)?.connect(name, stream).await?)
        } else {
            Box::new(stream)
        };
        if matches!(protocol, Protocol::Http1 | Protocol::Http1Tls) {
            return Ok(Caller::Http1(Wire::over(stream), Vec::new()));
        }
        let (sender, connection) = h2::client::handshake(stream).await.map_err(io::Error::other)?;
        tokio::spawn(async move { connection.await.ok() });
        Ok(Caller::Http2(sender))
    }

    /// Sends a request and reads its answer to the end.
    pub async fn ask(&mut self, path: &str, body: &[u8]) -> io::Result<Reply> {
        match self {
            Caller::Http1(wire, request) => {
                write_request(request, path, body);
                wire.send(request).await?;
                let answer = wire.receive().await?.ok_or(io::ErrorKind::UnexpectedEof)?;
                let status = answer.status().unwrap_or(0);
                let touched = answer.header(VERDICT).is_some_and(|verdict| verdict != "allowed");
                let head = if status == 200 { String::new() } else { String::from_utf8_lossy(&answer.head).into() };
                Ok(Reply { status, touched, head })
            }
            Caller::Http2(sender) => ask_http2(sender, path, body).await.map_err(io::Error::other),
        }
    }
}

const VERDICT: &str = "x-promptgate-verdict";

pub fn write_request(request: &mut Vec<u8>, path: &str, body: &[u8]) {
    request.clear();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: gateway.local\r\nuser-agent: bench\r\naccept: application/json\r\n\
         authorization: Bearer {TOKEN}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    request.extend_from_slice(head.as_bytes());
    request.extend_from_slice(body);
}

async fn ask_http2(sender: &mut SendRequest<Bytes>, path: &str, body: &[u8]) -> Result<Reply, h2::Error> {
    let head = http::Request::post(format!("http://gateway.local{path}"))
        .header("user-agent", "bench")
        .header("accept", "application/json")
        .header("authorization", format!("Bearer {TOKEN}"))
        .header("content-type", "application/json")
        .header("content-length", body.len())
        .body(())
        .expect("a head of constants");
    let mut ready = sender.clone().ready().await?;
    let (answer, mut stream) = ready.send_request(head, false)?;
    stream.send_data(Bytes::copy_from_slice(body), true)?;
    let (parts, mut data) = answer.await?.into_parts();
    while let Some(piece) = data.data().await {
        data.flow_control().release_capacity(piece?.len())?;
    }
    let touched = parts.headers.get(VERDICT).is_some_and(|verdict| verdict != "allowed");
    let head = if parts.status == 200 { String::new() } else { format!("{:?}", parts.headers) };
    Ok(Reply { status: parts.status.as_u16(), touched, head })
}

fn connector(protocol: Protocol) -> io::Result<TlsConnector> {
    static ROOTS: LazyLock<Result<Arc<RootCertStore>, String>> = LazyLock::new(|| {
        pingora::tls::install_default_crypto_provider();
        let mut roots = RootCertStore::empty();
        load_ca_file_into_store(CERT, &mut roots).map_err(|error| error.to_string())?;
        Ok(Arc::new(roots))
    });
    let roots = ROOTS.as_ref().map_err(|error| io::Error::other(error.as_str()))?;
    let mut config = ClientConfig::builder().with_root_certificates(roots.clone()).with_no_client_auth();
    config.alpn_protocols = vec![protocol.alpn().to_vec()];
    Ok(TlsConnector::from(Arc::new(config)))
}
