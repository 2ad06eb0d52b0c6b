//! The chain of audit records: each ends with a hash over the one before and itself, so that a change, a gap or another order
//! shows. Knows nothing of what a record says. What was cut off the end shows only against a note of where the chain ended.

use std::fmt;
use std::io;

use ring::digest::{Context, SHA256};
use ring::hmac;

/// The hash of a record and, through the one before, of all before it. Shown as 64 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link([u8; 32]);

/// What links are made with. Without a secret whoever may write the file can make all of them anew.
#[derive(Clone, Debug, Default)]
pub struct Seal(Option<hmac::Key>);

/// The end of a chain that grows.
#[derive(Debug)]
pub struct Chain {
    seal: Seal,
    last: Link,
    /// The next record names the one before, so that a file can be checked without the file before.
    named: bool,
}

/// What a file ends with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tail {
    /// Of the last record; `None` when the file has none.
    pub last: Option<Link>,
    /// Bytes of a line that was not written to its end.
    pub torn: u64,
    /// The last line has no end yet.
    pub open: bool,
}

/// Reads records in order and tells the first that does not belong where it is.
#[derive(Debug, Default)]
pub struct Reader {
    seal: Seal,
    last: Option<Link>,
    /// The length of a line that is no record, until what follows says whether it was torn.
    torn: Option<u64>,
    pub records: u64,
    /// Lines that were not written to their end, as the process was killed.
    pub torn_lines: u64,
    /// Chains that begin at the beginning of a file, the first one not counted.
    pub begun_anew: u64,
}

/// Why a line does not belong where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    #[error("no record of the chain")]
    NoRecord,
    #[error("the record is not what was written, or one before it is missing")]
    Altered,
    #[error("records before this one are missing")]
    Gap,
}

impl Link {
    /// Before the first record.
    pub const START: Link = Link([0; 32]);

    fn parse(hex: &[u8]) -> Option<Link> {
        let digit = |byte: u8| match byte {
            b'0'..=b'9' => Some(byte - b'0'),
            b'a'..=b'f' => Some(byte - b'a' + 10),
            _ => None,
        };
        let mut link = Link::START;
        let (pairs, []) = hex.as_chunks::<2>() else { return None };
        if pairs.len() != link.0.len() {
            return None;
        }
        for (byte, [high, low]) in link.0.iter_mut().zip(pairs) {
            *byte = digit(*high)? << 4 | digit(*low)?;
        }
        Some(link)
    }
}

impl Seal {
    pub fn new(secret: Option<&[u8]>) -> Self {
        Seal(secret.map(|secret| hmac::Key::new(hmac::HMAC_SHA256, secret)))
    }

    /// The link of the record behind this one.
    fn next(&self, before: Link, record: &[u8]) -> Link {
        let mut next = Link::START;
        match &self.0 {
            Some(key) => {
                let mut context = hmac::Context::with_key(key);
                context.update(&before.0);
                context.update(record);
                next.0.copy_from_slice(context.sign().as_ref());
            }
            None => {
                let mut context = Context::new(&SHA256);
                context.update(&before.0);
                context.update(record);
                next.0.copy_from_slice(context.finish().as_ref());
            }
        }
        next
    }
}

impl fmt::Display for Link {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

impl Chain {
    pub fn after(last: Link, seal: Seal) -> Self {
        Chain { seal, last, named: true }
    }

    /// What follows is in another file.
    pub fn turn_over(&mut self) {
        self.named = true;
    }

    /// Adds the record, a JSON object with members, as a line.
    pub fn seal(&mut self, record: &str, lines: &mut Vec<u8>) {
        let start = lines.len();
        lines.extend_from_slice(record.strip_suffix('}').unwrap_or(record).as_bytes());
        if self.named {
            add(lines, PREVIOUS, self.last);
        }
        self.last = self.seal.next(self.last, &lines[start..]);
        add(lines, CHAIN, self.last);
        lines.extend_from_slice(b"}\n");
        self.named = false;
    }
}

impl Tail {
    /// Of the last bytes of a file, which must hold its last two lines.
    pub fn of(bytes: &[u8]) -> Self {
        let end = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let (whole, rest) = bytes.split_at(end);
        let link = |line: &[u8]| split(line).map(|(_, link)| link);
        if let Some(last) = link(rest) {
            return Tail { last: Some(last), torn: 0, open: true };
        }
        let last = whole.split(|byte| *byte == b'\n').rev().find(|line| !line.is_empty()).and_then(link);
        Tail { last, torn: rest.len() as u64, open: !rest.is_empty() }
    }
}

impl Reader {
    pub fn new(seal: Seal) -> Self {
        Reader { seal, ..Reader::default() }
    }

    /// The next line of a file, without its end; `first` of the file.
    ///
    /// # Errors
    /// When it does not belong where it is.
    pub fn line(&mut self, line: &[u8], first: bool) -> Result<(), Flaw> {
        let Some((record, link)) = split(line) else {
            // Two lines in a row are not torn.
            return if self.torn.replace(line.len() as u64).is_none() { Ok(()) } else { Err(Flaw::NoRecord) };
        };
        let before = self.before(record, first)?;
        if self.seal.next(before, record) != link {
            return Err(Flaw::Altered);
        }
        if let Some(torn) = self.torn.take() {
            if resumed(line) != Some(torn) {
                return Err(Flaw::NoRecord);
            }
            self.torn_lines += 1;
        }
        self.last = Some(link);
        self.records += 1;
        Ok(())
    }

    /// After the last line of a file; `ended` when that had its end.
    ///
    /// # Errors
    /// When the last line is no record although it was written to its end.
    pub fn end(&mut self, ended: bool) -> Result<(), Flaw> {
        match self.torn.take() {
            Some(_) if ended => Err(Flaw::NoRecord),
            torn => {
                self.torn_lines += u64::from(torn.is_some());
                Ok(())
            }
        }
    }

    /// Where the chain ends so far.
    pub fn last(&self) -> Option<Link> {
        self.last
    }

    fn before(&mut self, record: &[u8], first: bool) -> Result<Link, Flaw> {
        let named = cut(record, PREVIOUS).map(|(_, link)| link);
        match (self.last, named) {
            (None, None) => Err(Flaw::Gap),
            (Some(_), Some(Link::START)) if first => {
                self.begun_anew += 1;
                Ok(Link::START)
            }
            (Some(last), Some(named)) if last != named => Err(Flaw::Gap),
            (Some(link), _) | (None, Some(link)) => Ok(link),
        }
    }
}

const PREVIOUS: &[u8] = b",\"previous\":\"";
const CHAIN: &[u8] = b",\"chain\":\"";

/// Hexadecimal digits of a link.
const DIGITS: usize = 64;

fn add(lines: &mut Vec<u8>, name: &[u8], link: Link) {
    lines.extend_from_slice(name);
    // Writing to memory does not fail.
    io::Write::write_fmt(lines, format_args!("{link}\"")).ok();
}

/// A line as what is hashed and its hash.
fn split(line: &[u8]) -> Option<(&[u8], Link)> {
    cut(line.strip_suffix(b"}")?, CHAIN)
}

/// What stands before the link that `text` ends with, and the link.
fn cut<'a>(text: &'a [u8], name: &[u8]) -> Option<(&'a [u8], Link)> {
    let text = text.strip_suffix(b"\"")?;
    let (rest, digits) = text.split_at_checked(text.len().checked_sub(DIGITS)?)?;
    Some((rest.strip_suffix(name)?, Link::parse(digits)?))
}

/// How many bytes were torn, by the record that says so.
fn resumed(line: &[u8]) -> Option<u64> {
    let record: serde_json::Value = serde_json::from_slice(line).ok()?;
    record.get("event").filter(|event| *event == RESUMED)?;
    record.get("torn_bytes")?.as_u64()
}

/// The name of the event with which a chain goes on in a file that was there before.
pub const RESUMED: &str = "audit_resumed";

#[cfg(test)]
mod tests {
    use super::*;

    fn written(chain: &mut Chain, numbers: std::ops::Range<u32>) -> Vec<u8> {
        let mut lines = Vec::new();
        numbers.for_each(|number| chain.seal(&format!("{{\"number\":{number}}}"), &mut lines));
        lines
    }

    /// The number of records, or the line that does not belong and why.
    fn read(reader: &mut Reader, file: &[u8]) -> Result<u64, (usize, Flaw)> {
        let ended = file.ends_with(b"\n");
        let lines: Vec<&[u8]> = file.strip_suffix(b"\n").unwrap_or(file).split(|byte| *byte == b'\n').collect();
        for (index, line) in lines.iter().enumerate() {
            reader.line(line, index == 0).map_err(|flaw| (index + 1, flaw))?;
        }
        reader.end(ended).map_err(|flaw| (lines.len(), flaw))?;
        Ok(reader.records)
    }

    fn text(bytes: &[u8]) -> Vec<&str> {
        std::str::from_utf8(bytes).unwrap().lines().collect()
    }

    #[test]
    fn what_was_written_is_intact_and_every_line_is_json() {
        let file = written(&mut Chain::after(Link::START, Seal::default()), 0..5);
        assert_eq!(read(&mut Reader::default(), &file), Ok(5));
        for line in text(&file) {
            assert!(serde_json::from_str::<serde_json::Value>(line).unwrap()["chain"].is_string());
        }
    }

    #[test]
    fn whatever_byte_is_changed_the_line_is_named() {
        let file = written(&mut Chain::after(Link::START, Seal::default()), 0..3);
        // Without its line end the last record is a torn one.
        for position in 0..file.len() - 1 {
            let mut other = file.clone();
            other[position] ^= 1;
            let line = 1 + file[..position].iter().filter(|byte| **byte == b'\n').count();
            let (found, _) = read(&mut Reader::default(), &other).expect_err("a change shows");
            assert!((line..=line + 1).contains(&found), "byte {position} of line {line}, found in line {found}");
        }
    }

    #[test]
    fn a_missing_a_doubled_and_an_exchanged_line_show() {
        let file = written(&mut Chain::after(Link::START, Seal::default()), 0..4);
        let lines = text(&file);
        for (order, line) in [(vec![0, 2, 3], 2), (vec![0, 1, 1, 2, 3], 3), (vec![0, 2, 1, 3], 2), (vec![1, 2, 3], 1)] {
            let other: String = order.iter().map(|index| format!("{}\n", lines[*index])).collect();
            let (found, _) = read(&mut Reader::default(), other.as_bytes()).expect_err("it shows");
            assert_eq!(found, line, "{order:?}");
        }
    }

    #[test]
    fn a_chain_goes_on_in_the_next_file_and_a_file_alone_can_be_read() {
        let mut chain = Chain::after(Link::START, Seal::default());
        let first = written(&mut chain, 0..2);
        chain.turn_over();
        let second = written(&mut chain, 2..4);
        chain.turn_over();
        let third = written(&mut chain, 4..6);
        let mut reader = Reader::default();
        let counts = [&first, &second, &third].map(|file| read(&mut reader, file));
        assert_eq!(counts, [Ok(2), Ok(4), Ok(6)]);
        assert_eq!(read(&mut Reader::default(), &second), Ok(2));
        let mut reader = Reader::default();
        assert_eq!(read(&mut reader, &first), Ok(2));
        assert_eq!(read(&mut reader, &third), Err((1, Flaw::Gap)));
    }

    #[test]
    fn a_torn_line_at_the_end_or_before_a_resumption_is_no_tampering() {
        let mut whole = written(&mut Chain::after(Link::START, Seal::default()), 0..3);
        for cut in 1..text(&whole)[2].len() {
            let mut file = whole.clone();
            file.truncate(file.len() - 1 - cut);
            let mut reader = Reader::default();
            assert_eq!(read(&mut reader, &file), Ok(2));
            assert_eq!(reader.torn_lines, 1, "the last line without {cut} bytes");
            let tail = Tail::of(&file);
            file.push(b'\n');
            let resumed = format!("{{\"event\":\"{RESUMED}\",\"torn_bytes\":{}}}", tail.torn);
            Chain::after(tail.last.unwrap(), Seal::default()).seal(&resumed, &mut file);
            assert_eq!(read(&mut Reader::default(), &file), Ok(3));
            let lies = String::from_utf8(file).unwrap().replacen("{\"number\":2", "{\"numb", 1);
            assert!(read(&mut Reader::default(), lies.as_bytes()).is_err() || cut + 11 > text(&whole)[2].len());
        }
        whole.pop();
        assert_eq!((Tail::of(&whole).torn, Tail::of(&whole).open), (0, true));
    }

    #[test]
    fn a_new_chain_is_told_at_the_beginning_of_a_file_and_a_flaw_elsewhere() {
        let first = written(&mut Chain::after(Link::START, Seal::default()), 0..2);
        let mut reader = Reader::default();
        assert_eq!((read(&mut reader, &first), read(&mut reader, &first)), (Ok(2), Ok(4)));
        assert_eq!(reader.begun_anew, 1);
        let joined = [&*first, &*first].concat();
        assert_eq!(read(&mut Reader::default(), &joined), Err((3, Flaw::Gap)));
    }

    #[test]
    fn with_a_key_nobody_without_it_makes_a_chain_that_holds() {
        let keyed = || Seal::new(Some(b"0123456789abcdef0123456789abcdef"));
        let file = written(&mut Chain::after(Link::START, keyed()), 0..3);
        assert_eq!(read(&mut Reader::new(keyed()), &file), Ok(3));
        for seal in [Seal::default(), Seal::new(Some(b"another key that is long enough.."))] {
            assert_eq!(read(&mut Reader::new(seal.clone()), &file), Err((1, Flaw::Altered)));
            let forged = written(&mut Chain::after(Link::START, seal), 0..3);
            assert_eq!(read(&mut Reader::new(keyed()), &forged), Err((1, Flaw::Altered)));
        }
    }

    #[test]
    fn a_file_without_records_ends_with_none() {
        assert_eq!(Tail::of(b""), Tail { last: None, torn: 0, open: false });
        assert_eq!(Tail::of(b"{\"old\":1}\n"), Tail { last: None, torn: 0, open: false });
    }
}
