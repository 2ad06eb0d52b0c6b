//! What is written of an answer, put together: Pingora sends the head, each piece of the body and the mark of its end by
//! themselves, and to send is the dearest thing that a short answer costs. Sends nothing.

use std::io::IoSlice;
use std::sync::atomic::{AtomicU8, Ordering};

use bytes::{Buf, BytesMut};

/// What is going to be written, as the gateway told its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ahead {
    /// Nobody knows.
    Unknown,
    /// The head of an answer. What follows may follow at once; if it does not, the connection is read in the meantime.
    Head,
    /// The last of a body in chunks, and the mark of its end.
    End,
}

/// The same, shared by the connection and the request.
#[derive(Debug, Default)]
pub struct Shared(AtomicU8);

impl Shared {
    pub fn set(&self, ahead: Ahead) {
        self.0.store(ahead as u8, Ordering::Release);
    }

    pub fn get(&self) -> Ahead {
        match self.0.load(Ordering::Acquire) {
            1 => Ahead::Head,
            2 => Ahead::End,
            _ => Ahead::Unknown,
        }
    }
}

/// Written and not yet sent.
#[derive(Debug, Default)]
pub struct Gathered(BytesMut);

/// More is not put together: it is sent as it comes.
const MOST: usize = 4096;
/// RFC 9112, section 7.1.
const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

impl Gathered {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Takes these in, if there is more to come and they are few.
    pub fn take(&mut self, bytes: &[IoSlice<'_>], ahead: Ahead) -> Option<usize> {
        let length: usize = bytes.iter().map(|part| part.len()).sum();
        let wanted = (ahead != Ahead::Unknown || !self.is_empty()) && self.0.len() + length <= MOST;
        wanted.then(|| {
            bytes.iter().for_each(|part| self.0.extend_from_slice(part));
            length
        })
    }

    /// Whether they may wait for what is written next.
    pub fn may_wait(&self, ahead: Ahead) -> bool {
        match ahead {
            Ahead::Unknown => false,
            Ahead::Head => true,
            Ahead::End => !self.0.ends_with(LAST_CHUNK),
        }
    }

    /// So many were sent. An idle connection keeps no memory for them.
    pub fn sent(&mut self, bytes: usize) {
        self.0.advance(bytes);
        if self.0.is_empty() {
            self.0 = BytesMut::new();
        }
    }
}
