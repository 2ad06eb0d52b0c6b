//! Where the listening sockets come from: bound here, or handed over by who started the process. Accepts nothing.
//!
//! Who hands them over, as systemd does, keeps them open: two processes may accept from the same queue, so that one takes the
//! place of the other without a connection that nobody accepts.

use std::io;
use std::net::{SocketAddr, TcpListener};

use listenfd::ListenFd;

use super::StartError;

/// Listening sockets that were handed over, by the variables LISTEN_FDS and LISTEN_PID.
pub struct Sockets(Vec<TcpListener>);

impl Sockets {
    /// # Errors
    /// If one that was handed over does not listen for TCP.
    pub fn inherited() -> io::Result<Sockets> {
        let mut given = ListenFd::from_env();
        let taken = (0..given.len()).map(|number| given.take_tcp_listener(number));
        taken.filter_map(Result::transpose).collect::<io::Result<_>>().map(Sockets)
    }

    /// Whether another process accepts from that one too, before this one or after it.
    pub fn shares(&self, address: SocketAddr) -> bool {
        self.0.iter().any(|socket| socket.local_addr().is_ok_and(|local| local == address))
    }

    /// The one of this address, which needs no name and no order; without one it is bound.
    pub fn listener(&mut self, what: &'static str, address: SocketAddr) -> Result<TcpListener, StartError> {
        let given = self.0.iter().position(|socket| socket.local_addr().is_ok_and(|local| local == address));
        let listener = match given {
            Some(number) => Ok(self.0.swap_remove(number)),
            // Its queue is as long as the system allows.
            None => TcpListener::bind(address),
        };
        let ready = listener.and_then(|listener| {
            listener.set_nonblocking(true)?;
            Ok(listener)
        });
        ready.map_err(|source| StartError::Listen { what, address, source })
    }

    /// # Errors
    /// If one is left: connections to it would wait for ever.
    pub fn finish(self) -> Result<(), StartError> {
        match self.0.first().map(TcpListener::local_addr) {
            None => Ok(()),
            Some(Ok(address)) => Err(StartError::Unclaimed(address.to_string())),
            Some(Err(error)) => Err(StartError::Unclaimed(error.to_string())),
        }
    }
}
