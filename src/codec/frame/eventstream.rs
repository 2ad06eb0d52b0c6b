//! Messages of `application/vnd.amazon.eventstream`: lengths, headers and checksums, read and written. Knows nothing of
//! what a payload says.
//!
//! total length u32, headers length u32, CRC of those eight bytes u32, headers, payload, CRC of all before it u32; numbers
//! are big-endian and the CRC is that of gzip. Amazon Transcribe Developer Guide, "Event stream encoding"; Smithy,
//! "Amazon Event Stream specification".

use flate2::Crc;

use super::{Found, FrameError};

/// The two lengths and their checksum.
const PRELUDE: usize = 12;
const CHECKSUM: usize = 4;

/// What the specification allows, in bytes: all headers of a message, one header's value, its name.
const LONGEST_HEADERS: usize = 128 * 1024;
const LONGEST_VALUE: usize = 32_767;
const LONGEST_NAME: usize = 255;

const STRING: u8 = 7;

pub(super) struct EventStream {
    limit: usize,
    /// The lengths of the message that is awaited, once their checksum has proved them.
    lengths: Option<Lengths>,
}

#[derive(Clone, Copy)]
struct Lengths {
    total: usize,
    headers: usize,
}

impl EventStream {
    pub(super) fn new(limit: usize) -> Self {
        EventStream { limit, lengths: None }
    }

    pub(super) fn read(&mut self, held: &[u8]) -> Result<Option<Found>, FrameError> {
        if self.lengths.is_none() {
            self.lengths = held.first_chunk().map(|prelude| Lengths::read(prelude, self.limit)).transpose()?;
        }
        let Some((lengths, message)) = self.lengths.and_then(|lengths| Some((lengths, held.get(..lengths.total)?)))
        else {
            return Ok(None);
        };
        self.lengths = None;
        open(message, lengths).ok_or(FrameError::Damaged).map(Some)
    }
}

impl Lengths {
    /// A message that is announced to be too long is refused before its bytes are held.
    fn read(prelude: &[u8; PRELUDE], limit: usize) -> Result<Self, FrameError> {
        let [a, b, c, d, e, f, g, h, sum @ ..] = *prelude;
        if crc(&prelude[..8]) != u32::from_be_bytes(sum) {
            return Err(FrameError::Damaged);
        }
        let total = u32::from_be_bytes([a, b, c, d]) as usize;
        let headers = u32::from_be_bytes([e, f, g, h]) as usize;
        let longest = total.checked_sub(PRELUDE + CHECKSUM).map(|rest| rest.min(LONGEST_HEADERS));
        if longest.is_none_or(|longest| headers > longest) {
            return Err(FrameError::Damaged);
        }
        if total > limit { Err(FrameError::TooLong { limit }) } else { Ok(Lengths { total, headers }) }
    }
}

/// Checks a whole message. `None` if it is damaged.
fn open(message: &[u8], lengths: Lengths) -> Option<Found> {
    let (content, sum) = message.split_last_chunk::<CHECKSUM>()?;
    if crc(content) != u32::from_be_bytes(*sum) {
        return None;
    }
    let start = PRELUDE + lengths.headers;
    let headers = Headers { rest: content.get(PRELUDE..start)? }.collect::<Option<Vec<Header>>>()?;
    // Readers disagree on which of two counts.
    let mut names: Vec<&[u8]> = headers.iter().map(|header| header.name).collect();
    names.sort_unstable();
    if names.windows(2).any(|pair| pair[0] == pair[1]) {
        return None;
    }
    let name = [":event-type", ":exception-type"].into_iter().find_map(|name| find(headers.iter().copied(), name));
    let name = name.unwrap_or_default().to_owned();
    Some(Found { name, ..Found::new(message.len(), start..content.len()) })
}

/// The value of a string header of a whole message.
pub(super) fn header<'a>(message: &'a [u8], name: &str) -> Option<&'a str> {
    let (_, rest) = message.split_first_chunk::<4>()?;
    let (length, _) = rest.split_first_chunk()?;
    let end = PRELUDE.checked_add(u32::from_be_bytes(*length) as usize)?;
    find(Headers { rest: message.get(PRELUDE..end)? }.map_while(|header| header), name)
}

fn find<'a>(mut headers: impl Iterator<Item = Header<'a>>, name: &str) -> Option<&'a str> {
    let found = headers.find(|header| header.kind == STRING && header.name == name.as_bytes())?;
    std::str::from_utf8(found.value).ok()
}

#[derive(Clone, Copy)]
struct Header<'a> {
    name: &'a [u8],
    kind: u8,
    value: &'a [u8],
}

/// Reads headers one by one. An item `None` is damage, and the last.
struct Headers<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Headers<'a> {
    type Item = Option<Header<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let header = self.read();
        if header.is_none() {
            self.rest = &[];
        }
        Some(header)
    }
}

impl<'a> Headers<'a> {
    fn read(&mut self) -> Option<Header<'a>> {
        let length = *self.rest.split_off_first()?;
        let name = self.rest.split_off(..usize::from(length))?;
        let kind = *self.rest.split_off_first()?;
        let length = match kind {
            // True and false.
            0 | 1 => 0,
            // Byte, short, integer, long.
            2 => 1,
            3 => 2,
            4 => 4,
            5 => 8,
            // Byte array and string.
            6 | STRING => {
                let (length, rest) = self.rest.split_first_chunk()?;
                self.rest = rest;
                usize::from(u16::from_be_bytes(*length))
            }
            // Timestamp, UUID.
            8 => 8,
            9 => 16,
            _ => return None,
        };
        Some(Header { name, kind, value: self.rest.split_off(..length)? })
    }
}

/// A message of string headers and a payload. What is longer than the format can say (a name of 255 bytes, a value of
/// 32,767) is cut there.
pub fn message(headers: &[(&str, &str)], payload: &[u8]) -> Vec<u8> {
    let mut message = vec![0; PRELUDE];
    for (name, value) in headers {
        let (name, value) = (cut(name, LONGEST_NAME), cut(value, LONGEST_VALUE));
        // Both fit after the cut.
        message.push(name.len() as u8);
        message.extend_from_slice(name.as_bytes());
        message.push(STRING);
        message.extend_from_slice(&(value.len() as u16).to_be_bytes());
        message.extend_from_slice(value.as_bytes());
    }
    let length = number(message.len() - PRELUDE);
    message[4..8].copy_from_slice(&length);
    message.extend_from_slice(payload);
    message.extend_from_slice(&[0; CHECKSUM]);
    seal(&mut message);
    message
}

/// Writes the total length and both checksums over what stands in their places.
pub(super) fn seal(message: &mut [u8]) {
    let total = number(message.len());
    // Shorter than that is no message.
    let Some((content, sum)) = message.split_last_chunk_mut::<CHECKSUM>() else { return };
    if content.len() < PRELUDE {
        return;
    }
    content[..4].copy_from_slice(&total);
    let prelude = crc(&content[..8]).to_be_bytes();
    content[8..PRELUDE].copy_from_slice(&prelude);
    *sum = crc(content).to_be_bytes();
}

/// No message of 4 GiB is made here: a frame is under the framer's limit and its edits are under the limits of a request.
fn number(length: usize) -> [u8; 4] {
    u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes()
}

fn cut(text: &str, length: usize) -> &str {
    &text[..text.floor_char_boundary(length)]
}

fn crc(bytes: &[u8]) -> u32 {
    let mut crc = Crc::new();
    crc.update(bytes);
    crc.sum()
}

#[cfg(test)]
mod tests {
    use super::super::{Edit, Frame, Framer, Framing};
    use super::*;

    fn bytes(hex: &str) -> Vec<u8> {
        (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
    }

    fn read(input: &[u8]) -> Result<Vec<Frame>, FrameError> {
        let mut framer = Framer::new(Framing::EventStream, 1 << 20);
        let mut frames = Vec::new();
        framer.push(input, &mut frames)?;
        framer.finish(&mut frames)?;
        Ok(frames)
    }

    const EVENT: &[(&str, &str)] =
        &[(":event-type", "contentBlockDelta"), (":content-type", "application/json"), (":message-type", "event")];
    const DELTA: &str = "\
        000000a2000000579acad7c80b3a6576656e742d74797065070011636f6e74656e74426c6f636b44656c74610d3a636f6e74656e742d747970\
        650700106170706c69636174696f6e2f6a736f6e0d3a6d6573736167652d747970650700056576656e747b22636f6e74656e74426c6f636b49\
        6e646578223a302c2264656c7461223a7b2274657874223a22454d41494c5f78227d2c2270223a226162227d629b1e25";
    /// The same with `ann@example.org` for `EMAIL_x`.
    const RESTORED: &str = "\
        000000aa00000057aaba9c090b3a6576656e742d74797065070011636f6e74656e74426c6f636b44656c74610d3a636f6e74656e742d747970\
        650700106170706c69636174696f6e2f6a736f6e0d3a6d6573736167652d747970650700056576656e747b22636f6e74656e74426c6f636b49\
        6e646578223a302c2264656c7461223a7b2274657874223a22616e6e406578616d706c652e6f7267227d2c2270223a226162227d5e368e52";
    const EXCEPTION: &str = "\
        00000090000000618e91a9b70f3a657863657074696f6e2d7479706507001376616c69646174696f6e457863657074696f6e0d3a636f6e7465\
        6e742d747970650700106170706c69636174696f6e2f6a736f6e0d3a6d6573736167652d74797065070009657863657074696f6e7b226d6573\
        73616765223a22426c6f636b656420627920706f6c696379227d1f717108";

    /// Message, name, payload: the vectors that AWS's SDKs share, then messages as Bedrock sends them. All of them were
    /// read by botocore 1.44 (`botocore.eventstream.EventStreamBuffer`), which checks both checksums.
    const VECTORS: &[(&str, &str, &str)] = &[
        ("000000100000000005c248eb7d98c8ff", "", ""),
        ("0000001d00000000fd528c5a7b27666f6f273a27626172277dc3653936", "", "{'foo':'bar'}"),
        ("0000002b0000000e348bec7b086576656e742d6964040000a00c7b27666f6f273a27626172277dd3890285", "", "{'foo':'bar'}"),
        (
            "0000003d0000002007fd83960c636f6e74656e742d747970650700106170706c69636174696f6e2f6a736f6e7b27666f6f273a27626172\
             277d8d9c08b1",
            "",
            "{'foo':'bar'}",
        ),
        // A header of each type.
        (
            "000000620000005203b5cb9c013000013101013202020133030003013404000000040135050000000000000005013606000562797465730\
             1370700047574663801380800000000000000080139093031323334353637383961626364656663353671",
            "",
            "",
        ),
        (DELTA, "contentBlockDelta", r#"{"contentBlockIndex":0,"delta":{"text":"EMAIL_x"},"p":"ab"}"#),
        (EXCEPTION, "validationException", r#"{"message":"Blocked by policy"}"#),
    ];

    #[test]
    fn messages_are_read_as_the_sdk_reads_them() {
        for (hex, name, payload) in VECTORS {
            let frames = read(&bytes(hex)).unwrap();
            assert_eq!(frames.len(), 1, "{hex}");
            assert_eq!((frames[0].name.as_str(), &frames[0].text()[..]), (*name, payload.as_bytes()), "{hex}");
            assert_eq!(frames[0].payload.is_empty(), payload.is_empty());
        }
        let all: Vec<u8> = VECTORS.iter().flat_map(|(hex, ..)| bytes(hex)).collect();
        assert_eq!(read(&all).unwrap().len(), VECTORS.len());
    }

    #[test]
    fn messages_are_written_as_the_sdk_reads_them() {
        let payload = br#"{"contentBlockIndex":0,"delta":{"text":"EMAIL_x"},"p":"ab"}"#;
        assert_eq!(message(EVENT, payload), bytes(DELTA));
        let exception = [
            (":exception-type", "validationException"),
            (":content-type", "application/json"),
            (":message-type", "exception"),
        ];
        assert_eq!(message(&exception, br#"{"message":"Blocked by policy"}"#), bytes(EXCEPTION));
        assert_eq!(message(&[], b""), bytes(VECTORS[0].0));
    }

    #[test]
    fn an_edited_message_has_new_lengths_and_checksums_and_the_same_headers() {
        let frame = read(&bytes(DELTA)).unwrap().remove(0);
        let at = frame.text().windows(7).position(|word| word == b"EMAIL_x").unwrap();
        let edit = Edit { at: at..at + 7, text: b"ann@example.org".to_vec() };
        assert_eq!(frame.with(&[edit]), bytes(RESTORED));
    }

    #[test]
    fn headers_can_be_asked_for() {
        let frame = read(&bytes(DELTA)).unwrap().remove(0);
        assert_eq!(frame.header(":message-type"), Some("event"));
        assert_eq!(frame.header(":content-type"), Some("application/json"));
        assert_eq!(frame.header(":exception-type"), None);
    }

    #[test]
    fn no_damaged_byte_goes_unseen() {
        let whole = bytes(DELTA);
        for at in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] ^= 0x10;
            assert_eq!(read(&damaged), Err(FrameError::Damaged), "byte {at}");
        }
        for length in 1..whole.len() {
            assert_eq!(read(&whole[..length]), Err(FrameError::Incomplete), "{length} bytes");
        }
    }

    /// A message with right checksums around `headers`, announced as `announced` bytes.
    fn forged(headers: &[u8], announced: u32) -> Vec<u8> {
        let mut message = vec![0; PRELUDE];
        message[4..8].copy_from_slice(&announced.to_be_bytes());
        message.extend_from_slice(headers);
        message.extend_from_slice(&[0; CHECKSUM]);
        seal(&mut message);
        message
    }

    #[test]
    fn headers_that_cannot_be_are_damage() {
        const CASES: &[&[u8]] = &[
            // Ends in a name, before a type, in a length, in a value; an unknown type; one name twice.
            b"\x05abc",
            b"\x03abc",
            b"\x03abc\x07\x00",
            b"\x03abc\x07\x00\x04xyz",
            b"\x03abc\x09xyz",
            b"\x03abc\x0a",
            b"\x01a\x00\x01b\x00\x01a\x01",
        ];
        for headers in CASES {
            assert_eq!(read(&forged(headers, headers.len() as u32)), Err(FrameError::Damaged), "{headers:?}");
        }
        for announced in [1, u32::MAX] {
            assert_eq!(read(&forged(b"", announced)), Err(FrameError::Damaged), "{announced}");
        }
        let long = vec![0; LONGEST_HEADERS + 2];
        assert_eq!(read(&forged(&long, long.len() as u32)), Err(FrameError::Damaged));
    }

    #[test]
    fn a_total_length_below_the_smallest_message_is_damage() {
        for total in [0_u32, 12, 15] {
            let mut prelude = [total.to_be_bytes(), [0; 4]].concat();
            prelude.extend_from_slice(&crc(&prelude).to_be_bytes());
            assert_eq!(read(&prelude), Err(FrameError::Damaged), "{total}");
        }
    }

    #[test]
    fn headers_too_long_to_be_written_are_cut_and_the_message_stays_whole() {
        let frame = read(&message(&[(&"n".repeat(300), &"é".repeat(20_000))], b"{}")).unwrap().remove(0);
        assert_eq!(frame.header(&"n".repeat(255)).map(str::len), Some(32_766));
        assert_eq!(&frame.text()[..], b"{}");
    }
}
