//! Content codings of request bodies (RFC 9110, section 8.4.1): compressed chunks in, plain bytes out, under caps.
//! Knows nothing of what the bytes mean.
//!
//! The output is capped by the caller's limit and by a ratio to what came in, so that a decompression bomb is refused
//! while it unfolds. Exactly one complete stream (gzip: of any number of members) must fill the body.

use std::io::Write;

use zstd::stream::raw::{self, InBuffer, Operation, OutBuffer};

/// A coding we undo. Several in one header, `deflate` and everything else are refused by the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coding {
    Gzip,
    Brotli,
    Zstd,
}

/// Bytes of output below which the ratio is not looked at: a small body of one repeated letter is no bomb.
pub const RATIO_FLOOR: u64 = 1 << 20;
/// Largest zstd window, as a power of two: 8 MiB, what RFC 9659 asks receivers of HTTP bodies to support.
const ZSTD_WINDOW_LOG: u32 = 23;

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CodingError {
    #[error("the compressed body is damaged or incomplete")]
    Damaged,
    #[error("the body is larger than {limit} bytes after decoding")]
    TooLarge { limit: u64 },
    #[error("the body unfolds by more than {ratio} times")]
    Bomb { ratio: u64 },
}

impl Coding {
    /// Reads one `Content-Encoding` token, case-insensitively. `None` for what we do not undo.
    pub fn from_token(token: &str) -> Option<Coding> {
        TOKENS.iter().find(|(name, _)| name.eq_ignore_ascii_case(token)).map(|(_, coding)| *coding)
    }
}

const TOKENS: &[(&str, Coding)] =
    &[("gzip", Coding::Gzip), ("x-gzip", Coding::Gzip), ("br", Coding::Brotli), ("zstd", Coding::Zstd)];

/// One body being decoded.
pub struct Decoder {
    inner: Inner,
    /// Less than a piece, not decoded yet, where pieces are gathered.
    pending: Option<Vec<u8>>,
    limit: u64,
    ratio: u64,
    received: u64,
    produced: u64,
}

enum Inner {
    Gzip(Box<flate2::write::MultiGzDecoder<Bounded>>),
    Brotli(Box<brotli::DecompressorWriter<Bounded>>),
    Zstd { decoder: Box<raw::Decoder<'static>>, plain: Bounded, complete: bool },
}

/// Compressed bytes taken at once, so that what one step can produce stays small (gzip: 1,032 times as much).
const PIECE: usize = 4 * 1024;

impl Decoder {
    /// `limit` is the largest decoded size in bytes, `ratio` how many of them one compressed byte may become.
    pub fn new(coding: Coding, limit: u64, ratio: u64) -> Result<Self, CodingError> {
        let plain = Bounded::default();
        let inner = match coding {
            Coding::Gzip => Inner::Gzip(Box::new(flate2::write::MultiGzDecoder::new(plain))),
            Coding::Brotli => Inner::Brotli(Box::new(brotli::DecompressorWriter::new(plain, PIECE))),
            Coding::Zstd => Inner::Zstd { decoder: Box::new(zstd_decoder()?), plain, complete: false },
        };
        Ok(Decoder { inner, pending: None, limit, ratio, received: 0, produced: 0 })
    }

    /// Decodes pieces of one size, so that the outcome does not depend on where the input is cut: the decoder for brotli tells
    /// the end of a damaged stream by what it is shown at once. Not for a stream whose reader waits for each event.
    pub fn gathering(self) -> Self {
        Decoder { pending: Some(Vec::with_capacity(PIECE)), ..self }
    }

    /// Decodes one chunk and hands the plain bytes to `sink` piece by piece.
    pub fn push<E: From<CodingError>>(
        &mut self,
        chunk: &[u8],
        mut sink: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let Some(mut pending) = self.pending.take() else {
            return chunk.chunks(PIECE).try_for_each(|piece| self.decode(piece, &mut sink));
        };
        let mut rest = chunk;
        while pending.len() + rest.len() >= PIECE {
            let (piece, later) = rest.split_at(PIECE - pending.len());
            pending.extend_from_slice(piece);
            self.decode(&pending, &mut sink)?;
            pending.clear();
            rest = later;
        }
        pending.extend_from_slice(rest);
        self.pending = Some(pending);
        Ok(())
    }

    fn decode<E: From<CodingError>>(
        &mut self,
        piece: &[u8],
        sink: &mut impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        self.received += piece.len() as u64;
        self.inner.plain().allowance = self.allowance();
        let written = self.inner.write(piece);
        self.drain(written, sink)
    }

    /// Ends the body: it must be complete.
    pub fn finish<E: From<CodingError>>(mut self, mut sink: impl FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
        if let Some(rest) = self.pending.take() {
            self.decode(&rest, &mut sink)?;
        }
        self.inner.plain().allowance = self.allowance();
        let closed =
            if self.received == 0 { Err(std::io::ErrorKind::UnexpectedEof.into()) } else { self.inner.close() };
        self.drain(closed, &mut sink)
    }

    fn allowance(&self) -> u64 {
        let by_ratio = RATIO_FLOOR.max(self.received.saturating_mul(self.ratio));
        self.limit.min(by_ratio).saturating_sub(self.produced)
    }

    fn drain<E: From<CodingError>>(
        &mut self,
        outcome: std::io::Result<()>,
        sink: &mut impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let (limit, ratio) = (self.limit, self.ratio);
        let plain = self.inner.plain();
        if plain.overflowed {
            let bomb = self.produced + plain.allowance < limit;
            return Err(if bomb { CodingError::Bomb { ratio } } else { CodingError::TooLarge { limit } }.into());
        }
        outcome.map_err(|_| CodingError::Damaged)?;
        self.produced += plain.bytes.len() as u64;
        sink(&plain.bytes)?;
        plain.bytes.clear();
        Ok(())
    }
}

fn zstd_decoder() -> Result<raw::Decoder<'static>, CodingError> {
    let mut decoder = raw::Decoder::new().map_err(|_| CodingError::Damaged)?;
    decoder.set_parameter(raw::DParameter::WindowLogMax(ZSTD_WINDOW_LOG)).map_err(|_| CodingError::Damaged)?;
    Ok(decoder)
}

impl Inner {
    fn plain(&mut self) -> &mut Bounded {
        match self {
            Inner::Gzip(decoder) => decoder.get_mut(),
            Inner::Brotli(decoder) => decoder.get_mut(),
            Inner::Zstd { plain, .. } => plain,
        }
    }

    fn write(&mut self, piece: &[u8]) -> std::io::Result<()> {
        match self {
            // It keeps what it has decoded until the next piece comes.
            Inner::Gzip(decoder) => decoder.write_all(piece).and_then(|()| decoder.flush()),
            Inner::Brotli(decoder) => decoder.write_all(piece),
            Inner::Zstd { decoder, plain, complete } => run_zstd(decoder, piece, plain, complete),
        }
    }

    fn close(&mut self) -> std::io::Result<()> {
        match self {
            Inner::Gzip(decoder) => decoder.try_finish(),
            Inner::Brotli(decoder) => decoder.close(),
            Inner::Zstd { complete: true, .. } => Ok(()),
            Inner::Zstd { .. } => Err(std::io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

/// `complete` is set while the input ends exactly at the end of a frame.
fn run_zstd(decoder: &mut raw::Decoder, piece: &[u8], plain: &mut Bounded, complete: &mut bool) -> std::io::Result<()> {
    let mut input = InBuffer::around(piece);
    let mut buffer = [0; PIECE];
    loop {
        let mut output = OutBuffer::around(&mut buffer[..]);
        *complete = decoder.run(&mut input, &mut output)? == 0;
        let full = output.pos() == PIECE;
        plain.write_all(output.as_slice())?;
        if input.pos() == piece.len() && (*complete || !full) {
            return Ok(());
        }
    }
}

/// Takes what a decoder writes, up to an allowance.
#[derive(Default)]
struct Bounded {
    bytes: Vec<u8>,
    allowance: u64,
    overflowed: bool,
}

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if (self.bytes.len() + bytes.len()) as u64 > self.allowance {
            self.overflowed = true;
            return Err(std::io::ErrorKind::FileTooLarge.into());
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encode(coding: Coding, plain: &[u8]) -> Vec<u8> {
        match coding {
            Coding::Gzip => {
                let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
                encoder.write_all(plain).unwrap();
                encoder.finish().unwrap()
            }
            Coding::Brotli => {
                let mut encoder = brotli::CompressorWriter::new(Vec::new(), 4096, 5, 22);
                encoder.write_all(plain).unwrap();
                encoder.into_inner()
            }
            Coding::Zstd => zstd::encode_all(plain, 3).unwrap(),
        }
    }

    fn decode(coding: Coding, chunks: &[&[u8]], limit: u64) -> Result<Vec<u8>, CodingError> {
        let mut decoder = Decoder::new(coding, limit, 100)?.gathering();
        let mut plain = Vec::new();
        let mut sink = |bytes: &[u8]| -> Result<(), CodingError> {
            plain.extend_from_slice(bytes);
            Ok(())
        };
        for chunk in chunks {
            decoder.push(chunk, &mut sink)?;
        }
        decoder.finish(&mut sink)?;
        Ok(plain)
    }

    const ALL: [Coding; 3] = [Coding::Gzip, Coding::Brotli, Coding::Zstd];

    fn sample() -> Vec<u8> {
        (0..50_000_u32).flat_map(|n| (n.wrapping_mul(2_654_435_761) >> 20).to_string().into_bytes()).collect()
    }

    #[test]
    fn every_coding_round_trips_in_chunks_of_any_size() {
        for coding in ALL {
            let packed = encode(coding, &sample());
            for size in [1, 7, 4096, packed.len()] {
                let chunks: Vec<&[u8]> = packed.chunks(size).collect();
                assert_eq!(decode(coding, &chunks, 1 << 24).as_deref(), Ok(&sample()[..]), "{coding:?} by {size}");
            }
        }
    }

    #[test]
    fn members_of_gzip_and_frames_of_zstd_may_follow_each_other() {
        for coding in [Coding::Gzip, Coding::Zstd] {
            let packed = [encode(coding, b"one "), encode(coding, b"two")].concat();
            assert_eq!(decode(coding, &[&packed], 100).as_deref(), Ok(&b"one two"[..]), "{coding:?}");
        }
    }

    #[test]
    fn a_truncated_body_is_damaged() {
        for coding in ALL {
            let packed = encode(coding, &sample());
            for keep in [0, 1, packed.len() / 2, packed.len() - 1] {
                assert_eq!(decode(coding, &[&packed[..keep]], 1 << 24), Err(CodingError::Damaged), "{coding:?} {keep}");
            }
        }
    }

    #[test]
    fn bytes_after_the_end_are_damage() {
        for coding in ALL {
            let mut packed = encode(coding, b"{}");
            packed.extend_from_slice(b"tail of something else");
            assert_eq!(decode(coding, &[&packed], 1 << 20), Err(CodingError::Damaged), "{coding:?}");
        }
    }

    /// What each of several events becomes, flushed one by one.
    fn events(coding: Coding, events: &[&str]) -> Vec<Vec<u8>> {
        fn each(mut encoder: impl Write, events: &[&str], sent: impl Fn() -> usize) -> Vec<usize> {
            let mut write = |event: &&str| {
                encoder.write_all(event.as_bytes()).unwrap();
                encoder.flush().unwrap();
                sent()
            };
            events.iter().map(&mut write).collect()
        }
        #[derive(Clone, Default)]
        struct Sent(std::rc::Rc<std::cell::RefCell<Vec<u8>>>);
        impl Write for Sent {
            fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
                self.0.borrow_mut().extend_from_slice(bytes);
                Ok(bytes.len())
            }
            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
        let sent = Sent::default();
        let length = || sent.0.borrow().len();
        let ends = match coding {
            Coding::Gzip => {
                each(flate2::write::GzEncoder::new(sent.clone(), flate2::Compression::default()), events, length)
            }
            Coding::Brotli => each(brotli::CompressorWriter::new(sent.clone(), 4096, 5, 22), events, length),
            Coding::Zstd => each(zstd::Encoder::new(sent.clone(), 3).unwrap(), events, length),
        };
        let mut start = 0;
        let piece = |end: usize| sent.0.borrow()[std::mem::replace(&mut start, end)..end].to_vec();
        ends.into_iter().map(piece).collect()
    }

    #[test]
    fn an_event_of_a_stream_is_decoded_as_soon_as_it_is_there() {
        for coding in ALL {
            let mut decoder = Decoder::new(coding, u64::MAX, 100).unwrap();
            let sent = ["data: one\n\n", "data: two\n\n", "data: [DONE]\n\n"];
            for (piece, event) in events(coding, &sent).iter().zip(sent) {
                let mut plain = Vec::new();
                let taken: Result<(), CodingError> = decoder.push(piece, |bytes| {
                    plain.extend_from_slice(bytes);
                    Ok(())
                });
                assert_eq!((taken, plain.as_slice()), (Ok(()), event.as_bytes()), "{coding:?}");
            }
        }
    }

    #[test]
    fn a_damaged_stream_is_decided_however_it_is_cut() {
        // Found by fuzzing: refused in pieces, accepted as one.
        let odd = b"\x01\x04\0\0\0\x3d\0\xe7%%\0l\xe3\x01\x04\0\0\0\x1d";
        let whole = decode(Coding::Brotli, &[odd], 1 << 20);
        for size in 1..odd.len() {
            let chunks: Vec<&[u8]> = odd.chunks(size).collect();
            assert_eq!(decode(Coding::Brotli, &chunks, 1 << 20), whole, "by {size}");
        }
    }

    #[test]
    fn a_bomb_is_refused_while_it_unfolds() {
        for coding in ALL {
            let packed = encode(coding, &vec![b' '; 32 << 20]);
            assert_eq!(decode(coding, &[&packed], 64 << 20), Err(CodingError::Bomb { ratio: 100 }), "{coding:?}");
        }
    }

    #[test]
    fn the_decoded_size_has_a_limit() {
        for coding in ALL {
            let packed = encode(coding, &sample());
            let size = sample().len() as u64;
            // The second is met by all pieces together, the third by the first one.
            for (limit, accepted) in [(size, true), (size - 1, false), (1000, false)] {
                let expected = if accepted { Ok(sample()) } else { Err(CodingError::TooLarge { limit }) };
                assert_eq!(decode(coding, &[&packed], limit), expected, "{coding:?} {limit}");
            }
        }
    }

    #[test]
    fn tokens_are_read_without_case_and_others_are_not_known() {
        assert_eq!(Coding::from_token("GZip"), Some(Coding::Gzip));
        assert_eq!(Coding::from_token("x-gzip"), Some(Coding::Gzip));
        assert_eq!(Coding::from_token("br"), Some(Coding::Brotli));
        assert_eq!(Coding::from_token("zstd"), Some(Coding::Zstd));
        for other in ["deflate", "identity", "compress", "gzip, br", ""] {
            assert_eq!(Coding::from_token(other), None, "{other}");
        }
    }
}
