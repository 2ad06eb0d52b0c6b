//! Just enough HTTP/1.1 to time it: whole messages over one keep-alive connection. Bodies are counted, not kept.

use std::io;

use memchr::memmem;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// One connection.
pub struct Wire {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// A message that was read to its end.
#[derive(Clone, Debug)]
pub struct Message {
    /// The request or status line and the header fields.
    pub head: Vec<u8>,
    pub body: u64,
}

impl Wire {
    pub fn new(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        Ok(Wire { stream, buffer: vec![0; 64 * 1024] })
    }

    pub async fn send(&mut self, message: &[u8]) -> io::Result<()> {
        self.stream.write_all(message).await
    }

    /// The next message; `None` if the other side closed instead of beginning one.
    pub async fn receive(&mut self) -> io::Result<Option<Message>> {
        let mut filled = 0;
        let head = loop {
            let read = self.stream.read(&mut self.buffer[filled..]).await?;
            if read == 0 {
                return if filled == 0 { Ok(None) } else { Err(io::ErrorKind::UnexpectedEof.into()) };
            }
            filled += read;
            if let Some(end) = memmem::find(&self.buffer[..filled], b"\r\n\r\n") {
                break end + 4;
            }
        };
        let mut message = Message { head: self.buffer[..head].to_vec(), body: 0 };
        message.body = match message.length()? {
            Some(length) => self.counted(length, filled - head).await?,
            None => self.chunked(head, filled).await?,
        };
        Ok(Some(message))
    }

    async fn counted(&mut self, length: u64, mut have: usize) -> io::Result<u64> {
        let mut left = length;
        loop {
            left = left.checked_sub(have as u64).ok_or(io::ErrorKind::InvalidData)?;
            if left == 0 {
                return Ok(length);
            }
            have = self.stream.read(&mut self.buffer).await?;
            if have == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    /// Reads up to the last chunk. No message here holds that mark in its text.
    async fn chunked(&mut self, head: usize, filled: usize) -> io::Result<u64> {
        const LAST: &[u8] = b"0\r\n\r\n";
        let mut tail = self.buffer[head..filled].to_vec();
        let mut body = tail.len() as u64;
        while !tail.ends_with(LAST) {
            let read = self.stream.read(&mut self.buffer).await?;
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            body += read as u64;
            tail.drain(..tail.len().saturating_sub(LAST.len()));
            tail.extend_from_slice(&self.buffer[..read]);
        }
        Ok(body)
    }
}

impl Message {
    pub fn status(&self) -> Option<u16> {
        std::str::from_utf8(self.head.get(9..12)?).ok()?.parse().ok()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let head = std::str::from_utf8(&self.head).ok()?;
        head.lines().skip(1).find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    /// Of the body, where it is told; `None` for a chunked one.
    fn length(&self) -> io::Result<Option<u64>> {
        match (self.header("content-length"), self.header("transfer-encoding")) {
            (Some(length), _) => length.parse().map(Some).map_err(|_| io::ErrorKind::InvalidData.into()),
            (None, Some(_)) => Ok(None),
            (None, None) => Ok(Some(0)),
        }
    }
}
