//! A TCP connection in between that has faults. Knows no protocol; the faults are on the way back, from the server to the client.

use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tokio::sync::watch;

/// What goes wrong. Holds for connections that begin while it is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    None,
    /// Every piece is late by this much.
    Latency(Duration),
    /// Bytes come one at a time.
    Drip,
    /// The connection is taken, and nothing ever comes.
    Hole,
    /// After so many bytes the connection ends as a killed process ends it.
    Reset(usize),
    /// After so many bytes no more come, and what the client says is still read.
    HalfClose(usize),
    /// After so many bytes both sides are closed in order.
    Cut(usize),
}

/// Stands before one server.
pub struct Shim {
    pub address: SocketAddr,
    fault: watch::Sender<Fault>,
}

impl Shim {
    pub fn before(server: SocketAddr, runtime: &Handle) -> Shim {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("its address");
        listener.set_nonblocking(true).expect("a socket that does not block");
        let (fault, now) = watch::channel(Fault::None);
        runtime.spawn(async move {
            let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
            while let Ok((client, _)) = listener.accept().await {
                let fault = *now.borrow();
                tokio::spawn(async move {
                    // Either side may be gone, which is what this is for.
                    pass(client, server, fault).await.ok();
                });
            }
        });
        Shim { address, fault }
    }

    pub fn set(&self, fault: Fault) {
        self.fault.send_replace(fault);
    }
}

async fn pass(client: TcpStream, server: SocketAddr, fault: Fault) -> std::io::Result<()> {
    client.set_nodelay(true)?;
    if fault == Fault::Reset(0) {
        return client.set_zero_linger();
    }
    let server = TcpStream::connect(server).await?;
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let up = tokio::spawn(async move { tokio::io::copy(&mut from_client, &mut to_server).await.map(|_| from_client) });
    let mut left = match fault {
        Fault::Reset(most) | Fault::HalfClose(most) | Fault::Cut(most) => most,
        Fault::None | Fault::Latency(_) | Fault::Drip | Fault::Hole => usize::MAX,
    };
    let mut piece = vec![0; 64 * 1024];
    while left > 0 {
        let length = from_server.read(&mut piece).await?.min(left);
        if length == 0 {
            break;
        }
        left -= length;
        write(&mut to_client, &piece[..length], fault).await?;
    }
    match fault {
        Fault::HalfClose(_) if left == 0 => {
            to_client.shutdown().await?;
            up.await??;
        }
        Fault::Reset(_) if left == 0 => {
            to_client.as_ref().set_zero_linger()?;
            up.abort();
        }
        _ => up.abort(),
    }
    Ok(())
}

async fn write(client: &mut tokio::net::tcp::OwnedWriteHalf, bytes: &[u8], fault: Fault) -> std::io::Result<()> {
    match fault {
        Fault::Hole => Ok(()),
        Fault::Drip => {
            for byte in bytes {
                client.write_all(std::slice::from_ref(byte)).await?;
                tokio::task::yield_now().await;
            }
            Ok(())
        }
        Fault::Latency(late) => {
            tokio::time::sleep(late).await;
            client.write_all(bytes).await
        }
        Fault::None | Fault::Reset(_) | Fault::HalfClose(_) | Fault::Cut(_) => client.write_all(bytes).await,
    }
}
