//! Just enough HTTP/1.1 to time it: whole messages over one keep-alive connection. Bodies are counted, not kept.

use std::io;

use memchr::memmem;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

/// One connection.
pub struct Wire<S> {
    stream: S,
    buffer: Vec<u8>,
}

const BUFFER: usize = 64 * 1024;

/// A message that was read to its end.
#[derive(Clone, Debug)]
pub struct Message {
    /// The request or status line and the header fields.
    pub head: Vec<u8>,
    pub body: u64,
}

impl Wire<TcpStream> {
    pub fn new(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        Ok(Wire::over(stream))
    }

    /// With a small buffer, for when there are thousands.
    pub fn small(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        Ok(Wire { stream, buffer: vec![0; 4096] })
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    pub fn over(stream: S) -> Self {
        Wire { stream, buffer: vec![0; BUFFER] }
    }

    pub async fn send(&mut self, message: &[u8]) -> io::Result<()> {
        self.stream.write_all(message).await?;
        // TLS keeps the last record back otherwise.
        self.stream.flush().await
    }

    /// What has come by now, whatever it is; nothing at the end.
    pub async fn read(&mut self) -> io::Result<&[u8]> {
        let read = self.stream.read(&mut self.buffer).await?;
        Ok(&self.buffer[..read])
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
    /// Of a request.
    pub fn path(&self) -> &str {
        let line = self.head.split(|byte| *byte == b'\r').next().unwrap_or_default();
        std::str::from_utf8(line).ok().and_then(|line| line.split(' ').nth(1)).unwrap_or_default()
    }

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
