//! Keeps the provider's key out of what comes down: an upstream that echoes its request would hand it to the caller.
//! Replaces by as many bytes, so no length changes. Bytes in, bytes out; knows no format.

use std::fmt;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use memchr::memmem::Finder;

/// One answer body. Holds back only what could still become the key.
pub struct Scrub {
    finder: Arc<Finder<'static>>,
    tail: BytesMut,
    found: u64,
}

/// Without the key.
impl fmt::Debug for Scrub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scrub").field("found", &self.found).finish_non_exhaustive()
    }
}

impl Scrub {
    /// For one answer with this key. `None` for a key too short to be told from text.
    pub fn new(key: &str) -> Option<Self> {
        let finder = || Arc::new(Finder::new(key.as_bytes()).into_owned());
        (key.len() >= 8).then(|| Scrub { finder: finder(), tail: BytesMut::new(), found: 0 })
    }

    /// For another answer; what is made of the key is shared.
    pub fn another(&self) -> Self {
        Scrub { finder: self.finder.clone(), tail: BytesMut::new(), found: 0 }
    }

    /// The next chunk, with `end` for the last. What comes out may be shorter by a tail, or empty.
    pub fn push(&mut self, chunk: &Bytes, end: bool) -> Bytes {
        if self.tail.is_empty() && self.finder.find(chunk).is_none() {
            let keep = if end { 0 } else { overlap(chunk, self.finder.needle()) };
            self.tail.extend_from_slice(&chunk[chunk.len() - keep..]);
            return chunk.slice(..chunk.len() - keep);
        }
        let mut bytes = std::mem::take(&mut self.tail);
        bytes.extend_from_slice(chunk);
        let len = self.finder.needle().len();
        let places: Vec<usize> = self.finder.find_iter(&bytes).collect();
        for at in &places {
            bytes[*at..at + len].fill(b'*');
        }
        self.found += places.len() as u64;
        let keep = if end { 0 } else { overlap(&bytes, self.finder.needle()) };
        self.tail = bytes.split_off(bytes.len() - keep);
        bytes.freeze()
    }

    /// How often the key was replaced.
    pub fn found(&self) -> u64 {
        self.found
    }
}

/// Length of the longest end of `bytes` that the needle begins with, short of the whole needle.
fn overlap(bytes: &[u8], needle: &[u8]) -> usize {
    let longest = bytes.len().min(needle.len() - 1);
    (1..=longest).rev().find(|&len| needle.starts_with(&bytes[bytes.len() - len..])).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scrub(chunks: &[&str]) -> String {
        let mut scrub = Scrub::new("key-canary").unwrap();
        let mut output = Vec::new();
        for (index, chunk) in chunks.iter().enumerate() {
            let end = index + 1 == chunks.len();
            output.extend_from_slice(&scrub.push(&Bytes::copy_from_slice(chunk.as_bytes()), end));
        }
        String::from_utf8(output).unwrap()
    }

    #[test]
    fn the_key_is_starred_wherever_it_is_cut() {
        let text = "a key-canary b key-canarykey-canary, key-canar";
        let expected = "a ********** b ********************, key-canar";
        for first in 0..=text.len() {
            for second in [first, (first + 4).min(text.len()), text.len()] {
                let chunks = [&text[..first], &text[first..second], &text[second..]];
                assert_eq!(scrub(&chunks), expected, "{chunks:?}");
            }
        }
    }

    #[test]
    fn text_without_it_is_held_back_only_where_it_could_begin() {
        let mut scrub = Scrub::new("key-canary").unwrap();
        assert_eq!(scrub.push(&Bytes::from_static(b"data: hello\n\n"), false), "data: hello\n\n");
        assert_eq!(scrub.push(&Bytes::from_static(b"a key-can"), false), "a ");
        assert_eq!(scrub.push(&Bytes::from_static(b"dle"), false), "key-candle");
    }

    #[test]
    fn what_is_shared_of_the_key_starts_anew_and_is_not_shown() {
        let mut first = Scrub::new("key-canary").unwrap();
        assert_eq!(first.push(&Bytes::from_static(b"key-canary key-"), false), "********** ");
        let mut second = first.another();
        assert_eq!(second.push(&Bytes::from_static(b"canary"), true), "canary");
        assert!(!format!("{first:?}{second:?}").contains("canary"));
        assert!(Scrub::new("short").is_none());
    }
}
