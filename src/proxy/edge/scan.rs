//! The bytes of a request head of HTTP/1 as they arrive: how many, and what Pingora mends without a word. Parses no field.

/// One head, read byte by byte.
#[derive(Clone, Debug, Default)]
pub struct Scan {
    bytes: usize,
    place: Place,
    after_cr: bool,
    spaces: usize,
    line: usize,
    fields: usize,
    mended: Option<Mended>,
}

/// What Pingora would set right: `X: x\nTransfer-Encoding: chunked` is two fields to it and one to others, and a target with
/// other bytes than it may have is escaped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mended {
    LineEnd,
    Target,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    #[default]
    RequestLine,
    Fields,
    Behind,
}

impl Scan {
    /// The next bytes; those behind the head are left alone.
    pub fn push(&mut self, bytes: &[u8]) {
        for byte in bytes {
            if self.place == Place::Behind {
                return;
            }
            self.byte(*byte);
        }
    }

    fn byte(&mut self, byte: u8) {
        self.bytes += 1;
        match byte {
            b'\n' => self.end_line(),
            b'\r' => {}
            _ => {
                self.line += 1;
                if self.place == Place::RequestLine {
                    self.spaces += usize::from(byte == b' ');
                    if self.spaces > 2 || !matches!(byte, b' ' | 0x21..=0x7e) {
                        self.mended.get_or_insert(Mended::Target);
                    }
                }
            }
        }
        self.after_cr = byte == b'\r';
    }

    fn end_line(&mut self) {
        if !self.after_cr {
            self.mended = Some(Mended::LineEnd);
        }
        self.place = match (self.place, self.line) {
            // An empty line before the request line is skipped, as RFC 9112 (2.2) has it.
            (Place::RequestLine, 0) => Place::RequestLine,
            (Place::Fields, 0) => Place::Behind,
            (Place::Fields, _) => {
                self.fields += 1;
                Place::Fields
            }
            _ => Place::Fields,
        };
        self.line = 0;
    }

    /// Bytes of the head so far.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Lines behind the request line.
    pub fn fields(&self) -> usize {
        self.fields
    }

    pub fn mended(&self) -> Option<Mended> {
        self.mended
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_be_mended_is_seen_however_the_head_is_cut() {
        let cases: &[(&[u8], Option<Mended>)] = &[
            (b"POST /v1/x HTTP/1.1\r\nhost: x\r\n\r\n", None),
            (b"\r\n\r\nPOST /v1/x HTTP/1.1\r\nhost: \xc3\xa9  x\r\n\r\n\xff \n", None),
            (b"POST /v1/x HTTP/1.1\nhost: x\r\n\r\n", Some(Mended::LineEnd)),
            (b"POST /v1/x HTTP/1.1\r\nx: x\nTransfer-Encoding: chunked\r\n\r\n", Some(Mended::LineEnd)),
            (b"POST /v1/x HTTP/1.1\r\nhost: x\r\n\n", Some(Mended::LineEnd)),
            (b"\nPOST /v1/x HTTP/1.1\r\nhost: x\r\n\r\n", Some(Mended::LineEnd)),
            (b"POST /v1/\xc3\xa9 HTTP/1.1\r\nhost: x\r\n\r\n", Some(Mended::Target)),
            (b"POST /v1/a b HTTP/1.1\r\nhost: x\r\n\r\n", Some(Mended::Target)),
            (b"POST /v1/\x7f HTTP/1.1\r\nhost: x\r\n\r\n", Some(Mended::Target)),
            (b"POST /v1/\t HTTP/1.1\r\nhost: x\r\n\r\n", Some(Mended::Target)),
        ];
        for (head, expected) in cases {
            for size in [1, 2, 7, head.len()] {
                let mut scan = Scan::default();
                head.chunks(size).for_each(|piece| scan.push(piece));
                assert_eq!(scan.mended(), *expected, "{}", head.escape_ascii());
            }
        }
    }

    #[test]
    fn bytes_behind_the_head_are_not_its_own() {
        let mut scan = Scan::default();
        scan.push(b"GET / HTTP/1.1\r\nhost: x\r\na: b\r\n\r\nbody\r\n");
        assert_eq!((scan.bytes(), scan.fields()), (33, 2));
    }
}
