//! Framings of streams and content codings: bytes that are taken apart before anything is known of them.

use promptgate::codec::coding::{Coding, CodingError, Decoder};
use promptgate::codec::frame::{Frame, FrameError, Framer, Framing};

/// Of one frame, in bytes: small, so that short inputs exceed it.
const LONGEST_FRAME: usize = 1024;

pub fn frame(input: &[u8]) {
    for framing in [Framing::Sse, Framing::Lines, Framing::Array, Framing::EventStream] {
        let (frames, ended) = frames(framing, [input]);
        let again = self::frames(framing, super::cuts(input));
        assert!(again.0 == frames, "{framing:?}: the cut matters");
        assert_eq!(again.1, ended, "{framing:?}: the cut matters to how it ends");
        let joined: Vec<u8> = frames.iter().flat_map(|frame| frame.bytes.clone()).collect();
        assert!(input.starts_with(&joined), "{framing:?}: the frames are not the input");
        assert!(ended.is_err() || joined == input, "{framing:?}: something is missing at the end");
        for frame in &frames {
            assert!(!frame.bytes.is_empty() && frame.bytes.len() <= LONGEST_FRAME, "{framing:?}");
            assert!(frame.payload.iter().all(|at| frame.bytes.get(at.clone()).is_some()), "{framing:?}");
            assert!(frame.payload.windows(2).all(|pair| pair[0].end <= pair[1].start), "{framing:?}: not in order");
        }
    }
}

fn frames<'c>(framing: Framing, chunks: impl IntoIterator<Item = &'c [u8]>) -> (Vec<Frame>, Result<(), FrameError>) {
    let mut framer = Framer::new(framing, LONGEST_FRAME);
    let mut frames = Vec::new();
    for chunk in chunks {
        if let Err(error) = framer.push(chunk, &mut frames) {
            return (frames, Err(error));
        }
        assert!(framer.held() <= LONGEST_FRAME, "{framing:?} holds {}", framer.held());
    }
    let ended = framer.finish(&mut frames);
    (frames, ended)
}

/// How many plain bytes are allowed, and how many for one compressed byte.
const LIMIT: u64 = 4 << 20;
const RATIO: u64 = 100;

pub fn coding(input: &[u8]) {
    for coding in [Coding::Gzip, Coding::Brotli, Coding::Zstd] {
        let whole = decoded(coding, [input]);
        assert_eq!(decoded(coding, super::cuts(input)), whole, "{coding:?}: the cut matters");
        assert!(whole.is_err() || !input.is_empty(), "{coding:?}: nothing is no stream");
    }
}

/// What came out, or why it ended. What comes out before an error may depend on the cut: such a body is refused.
fn decoded<'c>(coding: Coding, chunks: impl IntoIterator<Item = &'c [u8]>) -> Result<Vec<u8>, CodingError> {
    let mut decoder = Decoder::new(coding, LIMIT, RATIO).expect("every coding has a decoder").gathering();
    let mut plain = Vec::new();
    for chunk in chunks {
        decoder.push(chunk, |bytes| take(&mut plain, bytes))?;
    }
    decoder.finish(|bytes| take(&mut plain, bytes))?;
    Ok(plain)
}

fn take(plain: &mut Vec<u8>, bytes: &[u8]) -> Result<(), CodingError> {
    plain.extend_from_slice(bytes);
    assert!(plain.len() as u64 <= LIMIT, "more came out than may");
    Ok(())
}
