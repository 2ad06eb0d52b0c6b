//! HTTP/2 frame by frame, written by hand: what no client library would send. Decides nothing about bodies.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::client::{Ask, TOKEN, unique};
use crate::http1::{PATIENCE, in_time};
use crate::site::{Site, plain};
use crate::upstream::ID;

const CHAT: &str = "/v1/chat/completions";
const BODY: &[u8] = br#"{"model":"m"}"#;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const PRIORITY: u8 = 2;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PUSH_PROMISE: u8 = 5;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;

const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const PADDED: u8 = 8;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a short payload").to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// Preface and settings.
fn opening(settings: &[(u16, u32)]) -> Vec<u8> {
    let settings: Vec<u8> =
        settings.iter().flat_map(|(id, value)| [&id.to_be_bytes()[..], &value.to_be_bytes()].concat()).collect();
    [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(), frame(SETTINGS, 0, 0, &settings)].concat()
}

/// A number with a prefix of seven bits.
fn number(mut value: usize) -> Vec<u8> {
    if value < 127 {
        return vec![value as u8];
    }
    value -= 127;
    let mut bytes = vec![127];
    while value >= 128 {
        bytes.push((value % 128) as u8 | 128);
        value /= 128;
    }
    bytes.push(value as u8);
    bytes
}

/// One field, literally and without a place in the table.
fn field(name: &[u8], value: &[u8]) -> Vec<u8> {
    [&[0][..], &number(name.len()), name, &number(value.len()), value].concat()
}

type Field<'a> = (&'a [u8], &'a [u8]);

fn fields(fields: &[Field]) -> Vec<u8> {
    fields.iter().flat_map(|(name, value)| field(name, value)).collect()
}

const PSEUDO: &[Field] =
    &[(b":method", b"POST"), (b":scheme", b"http"), (b":path", CHAT.as_bytes()), (b":authority", b"gateway.test")];

/// What every request needs beside the pseudo-headers.
fn regular(id: &str) -> Vec<u8> {
    let bearer = format!("Bearer {TOKEN}");
    fields(&[
        (ID.as_bytes(), id.as_bytes()),
        (b"authorization", bearer.as_bytes()),
        (b"content-type", b"application/json"),
    ])
}

/// What became of the first stream, or of the connection before that.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Status(u16),
    Reset,
    /// `GOAWAY` for a fault, or the end of the connection.
    Ended,
}

struct Raw {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Raw {
    async fn open(site: &Site, settings: &[(u16, u32)]) -> Raw {
        let stream = in_time(TcpStream::connect(site.address())).await.expect("a connection");
        let mut raw = Raw { stream, buffer: Vec::new() };
        raw.write(&opening(settings)).await;
        raw
    }

    /// False when the gateway takes no more.
    async fn write(&mut self, bytes: &[u8]) -> bool {
        timeout(PATIENCE, self.stream.write_all(bytes)).await.is_ok_and(|written| written.is_ok())
    }

    /// Kind, flags, stream and payload; `None` at the end of the connection.
    async fn frame(&mut self) -> Option<(u8, u8, u32, Vec<u8>)> {
        loop {
            if let Some((head, rest)) = self.buffer.split_first_chunk::<9>() {
                let length = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
                if rest.len() >= length {
                    let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
                    let found = (head[3], head[4], stream, rest[..length].to_vec());
                    self.buffer.drain(..9 + length);
                    return Some(found);
                }
            }
            let mut piece = [0; 4096];
            let length = in_time(self.stream.read(&mut piece)).await.unwrap_or(0);
            self.buffer.extend_from_slice(&piece[..length]);
            if length == 0 {
                return None;
            }
        }
    }

    async fn outcome(&mut self) -> Outcome {
        while let Some((kind, _, stream, payload)) = self.frame().await {
            match kind {
                HEADERS if stream == 1 => return Outcome::Status(status(&payload)),
                RST_STREAM if stream == 1 => return Outcome::Reset,
                GOAWAY if payload[4..8] != [0; 4] => return Outcome::Ended,
                _ => {}
            }
        }
        Outcome::Ended
    }
}

/// Of a block of fields that begins with it.
fn status(block: &[u8]) -> u16 {
    match block {
        [0x88, ..] => 200,
        [0x8c, ..] => 400,
        [0x8d, ..] => 404,
        [0x8e, ..] => 500,
        // A field of its own whose value is coded: five or six bits a digit.
        [0x48 | 0x08 | 0x18, length, digits @ ..] if length & 128 != 0 => {
            let mut bits = digits.iter().take(3).fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << 8;
            bits <<= 8 * (3 - digits.len().min(3));
            (0..3).fold(0, |status, _| {
                let short = bits >> 27 < 3;
                let (digit, length) = if short { (bits >> 27, 5) } else { ((bits >> 26) - 0b011_001 + 3, 6) };
                bits <<= length;
                status * 10 + digit as u16
            })
        }
        [0x48 | 0x08 | 0x18, 3, digits @ ..] => {
            digits[..3].iter().fold(0, |status, digit| status * 10 + u16::from(digit - b'0'))
        }
        _ => panic!("no status: {block:02x?}"),
    }
}

/// A request with this block of fields and `BODY`; what became of it, after which the gateway serves others.
async fn ask(block: &[u8], body: &[u8]) -> Outcome {
    let mut raw = Raw::open(plain(), &[]).await;
    raw.write(&frame(HEADERS, END_HEADERS, 1, block)).await;
    raw.write(&frame(DATA, END_STREAM, 1, body)).await;
    raw.outcome().await
}

async fn served(site: &Site) {
    assert_eq!(Ask::post(CHAT, "{}").send(site.address()).await.status(), 200);
}

/// Of the gateway, in KiB.
fn memory(site: &Site) -> u64 {
    let metrics = site.gateway.ask_admin("/metrics");
    let bytes = metrics.lines().find_map(|line| line.strip_prefix("process_resident_memory_bytes "));
    bytes.and_then(|bytes| bytes.parse::<u64>().ok()).expect("the size of the process") / 1024
}

#[tokio::test]
async fn frames_written_by_hand_are_a_request_like_any_other() {
    let id = unique();
    assert_eq!(ask(&[fields(PSEUDO), regular(&id)].concat(), BODY).await, Outcome::Status(200));
    assert_eq!(plain().upstream.request(&id).await.body.bytes, BODY);
    for (path, status) in [("/v1/nowhere", 404), ("/v1/models", 405)] {
        let mut pseudo = PSEUDO.to_vec();
        pseudo[2].1 = path.as_bytes();
        assert_eq!(ask(&[fields(&pseudo), regular(&unique())].concat(), BODY).await, Outcome::Status(status));
    }
}

#[tokio::test]
async fn a_head_that_could_be_read_in_two_ways_is_not_served() {
    let long = "a".repeat(9000);
    // In front of the regular fields, and behind them.
    let cases: &[(&[Field], &[Field])] = &[
        // Fields of a connection of HTTP/1.
        (PSEUDO, &[(b"connection", b"close")]),
        (PSEUDO, &[(b"connection", b"authorization")]),
        (PSEUDO, &[(b"keep-alive", b"timeout=5")]),
        (PSEUDO, &[(b"proxy-connection", b"keep-alive")]),
        (PSEUDO, &[(b"transfer-encoding", b"chunked")]),
        (PSEUDO, &[(b"upgrade", b"websocket")]),
        (PSEUDO, &[(b"te", b"gzip")]),
        (PSEUDO, &[(b"te", b"trailers, gzip")]),
        // Names and values that would be two lines, or none, in HTTP/1.
        (PSEUDO, &[(b"x", b"a\r\ntransfer-encoding: chunked")]),
        (PSEUDO, &[(b"x", b"a\nb")]),
        (PSEUDO, &[(b"x", b"a\rb")]),
        (PSEUDO, &[(b"x", b"a\0b")]),
        (PSEUDO, &[(b"X", b"a")]),
        (PSEUDO, &[(b"x y", b"a")]),
        (PSEUDO, &[(b"x:", b"a")]),
        (PSEUDO, &[(b"x\r\ny", b"a")]),
        (PSEUDO, &[(b"", b"a")]),
        // Pseudo-headers that lack, stand twice, are unknown or late.
        (&PSEUDO[1..], &[]),
        (&[PSEUDO[0], PSEUDO[2], PSEUDO[3]], &[]),
        (&[PSEUDO[0], PSEUDO[1], PSEUDO[3]], &[]),
        (&[PSEUDO[0], PSEUDO[1], PSEUDO[2], PSEUDO[3], PSEUDO[0]], &[]),
        (&[PSEUDO[0], PSEUDO[1], PSEUDO[2], PSEUDO[3], (b":path", b"/v1/models")], &[]),
        (&[PSEUDO[0], PSEUDO[1], PSEUDO[2], PSEUDO[3], PSEUDO[1]], &[]),
        (&[PSEUDO[0], PSEUDO[1], PSEUDO[2], PSEUDO[3], PSEUDO[3]], &[]),
        (&[PSEUDO[0], PSEUDO[1], PSEUDO[2], PSEUDO[3], (b":unknown", b"a")], &[]),
        (&[PSEUDO[0], PSEUDO[1], PSEUDO[2], PSEUDO[3], (b":status", b"200")], &[]),
        (&[PSEUDO[0], PSEUDO[1], PSEUDO[3]], &[PSEUDO[2]]),
        (PSEUDO, &[(b":path", b"/v1/models")]),
        // Whose request it is.
        (&PSEUDO[..3], &[]),
        (PSEUDO, &[(b"host", b"other.test")]),
        (PSEUDO, &[(b"host", b"")]),
        (PSEUDO, &[(b"host", b"gateway.test"), (b"host", b"gateway.test")]),
        (&[PSEUDO[0], PSEUDO[1], PSEUDO[2], (b":authority", b"user@gateway.test")], &[]),
        (&[PSEUDO[0], PSEUDO[1], PSEUDO[2], (b":authority", b"a.test, b.test")], &[]),
        (&[PSEUDO[0], PSEUDO[1], PSEUDO[2], (b":authority", b"a.test/v1")], &[]),
        (&[PSEUDO[0], PSEUDO[1], PSEUDO[2], (b":authority", b"")], &[]),
        // Targets.
        (&[PSEUDO[0], PSEUDO[1], (b":path", b""), PSEUDO[3]], &[]),
        (&[PSEUDO[0], PSEUDO[1], (b":path", b"*"), PSEUDO[3]], &[]),
        (&[PSEUDO[0], PSEUDO[1], (b":path", b"v1/chat/completions"), PSEUDO[3]], &[]),
        (&[PSEUDO[0], PSEUDO[1], (b":path", b"@other.test/v1/chat/completions"), PSEUDO[3]], &[]),
        (&[PSEUDO[0], PSEUDO[1], (b":path", b"http://other.test/v1/chat/completions"), PSEUDO[3]], &[]),
        (&[PSEUDO[0], PSEUDO[1], (b":path", b"//v1/chat/completions"), PSEUDO[3]], &[]),
        (&[PSEUDO[0], PSEUDO[1], (b":path", b"/v1/x/../chat/completions"), PSEUDO[3]], &[]),
        (&[PSEUDO[0], PSEUDO[1], (b":path", b"/v1/chat%2fcompletions"), PSEUDO[3]], &[]),
        (&[PSEUDO[0], PSEUDO[1], (b":path", b"/v1/chat/completions HTTP/1.1"), PSEUDO[3]], &[]),
        (&[PSEUDO[0], PSEUDO[1], (b":path", b"/v1/chat/completions\r\nx: y"), PSEUDO[3]], &[]),
        (&[PSEUDO[0], PSEUDO[1], (b":path", b"/v1/chat/completions?a=\xc3\xa9"), PSEUDO[3]], &[]),
        (&[PSEUDO[0], PSEUDO[1], (b":path", long.as_bytes()), PSEUDO[3]], &[]),
        // Tunnels and odd methods.
        (&[(b":method", b"CONNECT"), PSEUDO[3]], &[]),
        (&[(b":method", b"CONNECT"), PSEUDO[1], PSEUDO[2], PSEUDO[3], (b":protocol", b"websocket")], &[]),
        (&[(b":method", b"TRACE"), PSEUDO[1], PSEUDO[2], PSEUDO[3]], &[]),
        (&[(b":method", b"post"), PSEUDO[1], PSEUDO[2], PSEUDO[3]], &[]),
        (&[(b":method", b"POST /x HTTP/1.1\r\n"), PSEUDO[1], PSEUDO[2], PSEUDO[3]], &[]),
        // Lengths.
        (PSEUDO, &[(b"content-length", b"12")]),
        (PSEUDO, &[(b"content-length", b"14")]),
        (PSEUDO, &[(b"content-length", b"0")]),
        (PSEUDO, &[(b"content-length", b"+13")]),
        (PSEUDO, &[(b"content-length", b"13, 13")]),
        (PSEUDO, &[(b"content-length", b"13"), (b"content-length", b"13")]),
        (PSEUDO, &[(b"content-length", b"99999999999999999999")]),
        // Two of what must stand once.
        (PSEUDO, &[(b"authorization", b"Bearer other")]),
        (PSEUDO, &[(b"content-type", b"application/json")]),
    ];
    let mut passed = Vec::new();
    for (before, behind) in cases {
        let id = unique();
        let outcome = ask(&[fields(before), regular(&id), fields(behind)].concat(), BODY).await;
        let refused = !matches!(outcome, Outcome::Status(..400 | 500..));
        if !refused || plain().upstream.requests(&id).iter().any(|seen| seen.body.complete) {
            passed.push(format!("{outcome:?}: {} {}", fields(before).escape_ascii(), fields(behind).escape_ascii()));
        }
    }
    assert!(passed.is_empty(), "{passed:#?}");
    served(plain()).await;
}

#[tokio::test]
async fn what_http2_itself_allows_is_served() {
    for behind in [&[(&b"te"[..], &b"trailers"[..])][..], &[(b"host", b"gateway.test")], &[(b"content-length", b"13")]]
    {
        let id = unique();
        let outcome = ask(&[fields(PSEUDO), regular(&id), fields(behind)].concat(), BODY).await;
        assert_eq!(outcome, Outcome::Status(200), "{}", fields(behind).escape_ascii());
    }
}

#[tokio::test]
async fn a_fragment_ends_here() {
    // The library drops it before anybody sees it, so it can at least not go up.
    let (id, mut pseudo) = (unique(), PSEUDO.to_vec());
    pseudo[2].1 = b"/v1/chat/completions#x";
    assert_eq!(ask(&[fields(&pseudo), regular(&id)].concat(), BODY).await, Outcome::Status(200));
    assert_eq!(plain().upstream.request(&id).await.head.asks(), "POST /v1/chat/completions");
}

#[tokio::test]
async fn trailers_end_here_whatever_they_name() {
    let id = unique();
    let mut raw = Raw::open(plain(), &[]).await;
    raw.write(&frame(HEADERS, END_HEADERS, 1, &[fields(PSEUDO), regular(&id)].concat())).await;
    raw.write(&frame(DATA, 0, 1, BODY)).await;
    let trailers = fields(&[(b":path", b"/v1/models"), (b"x-trailer", b"a"), (b"authorization", b"Bearer other")]);
    raw.write(&frame(HEADERS, END_HEADERS | END_STREAM, 1, &trailers)).await;
    assert_eq!(raw.outcome().await, Outcome::Status(200));
    let seen = plain().upstream.request(&id).await;
    assert_eq!((seen.head.asks(), &*seen.body.bytes), ("POST /v1/chat/completions", BODY));
    assert!(memchr::memmem::find(&seen.head.raw, b"x-trailer").is_none());
}

#[tokio::test]
async fn frames_in_the_wrong_place_end_the_stream_or_the_connection() {
    let open = |id: &str| frame(HEADERS, END_HEADERS, 1, &[fields(PSEUDO), regular(id)].concat());
    let whole = |id: &str| [open(id), frame(DATA, END_STREAM, 1, BODY)].concat();
    type Damaged<'a> = &'a dyn Fn(&str) -> Vec<u8>;
    let cases: &[(&str, Damaged)] = &[
        ("data on the connection", &|id| [frame(DATA, 0, 0, BODY), whole(id)].concat()),
        ("data on a stream nobody opened", &|_| frame(DATA, END_STREAM, 1, BODY)),
        ("a stream of the server's", &|id| frame(HEADERS, END_HEADERS, 2, &[fields(PSEUDO), regular(id)].concat())),
        ("a head on the connection", &|id| frame(HEADERS, END_HEADERS, 0, &regular(id))),
        ("a promise", &|id| [frame(PUSH_PROMISE, END_HEADERS, 1, &[0, 0, 0, 2]), whole(id)].concat()),
        ("a head that goes on without a beginning", &|id| [frame(CONTINUATION, 4, 1, b""), whole(id)].concat()),
        ("data within a head", &|id| {
            [frame(HEADERS, 0, 1, &[fields(PSEUDO), regular(id)].concat()), frame(DATA, END_STREAM, 1, BODY)].concat()
        }),
        ("another stream within a head", &|id| {
            [frame(HEADERS, 0, 1, &fields(PSEUDO)), frame(CONTINUATION, END_HEADERS, 3, &regular(id))].concat()
        }),
        ("more padding than frame", &|id| [open(id), frame(DATA, END_STREAM | PADDED, 1, &[200, b'{', b'}'])].concat()),
        ("a window that grows by nothing", &|id| [open(id), frame(WINDOW_UPDATE, 0, 1, &[0; 4])].concat()),
        ("a window beyond its limit", &|id| {
            [frame(WINDOW_UPDATE, 0, 0, &[0x7f, 0xff, 0xff, 0xff]), whole(id)].concat()
        }),
        ("a stream that depends on itself", &|id| {
            [frame(PRIORITY, 0, 1, &[0, 0, 0, 1, 5]), frame(PRIORITY, 0, 1, &[0]), whole(id)].concat()
        }),
        ("a reset of a stream nobody opened", &|id| [frame(RST_STREAM, 0, 1, &[0; 4]), whole(id)].concat()),
        ("settings of a stream", &|id| [frame(SETTINGS, 0, 1, b""), whole(id)].concat()),
        ("half a setting", &|id| [frame(SETTINGS, 0, 0, &[0, 4, 0]), whole(id)].concat()),
        ("a window setting beyond its limit", &|id| {
            [frame(SETTINGS, 0, 0, &[0, 4, 0xff, 0xff, 0xff, 0xff]), whole(id)].concat()
        }),
        ("a frame size below the least", &|id| [frame(SETTINGS, 0, 0, &[0, 5, 0, 0, 0, 1]), whole(id)].concat()),
        ("a ping of seven bytes", &|id| [frame(PING, 0, 0, &[0; 7]), whole(id)].concat()),
        ("a frame above the size agreed on", &|id| [open(id), frame(DATA, END_STREAM, 1, &[b' '; 20_000])].concat()),
        ("a table index that nobody filled", &|id| {
            frame(HEADERS, END_HEADERS, 1, &[&[0xff, 0x40][..], &regular(id)].concat())
        }),
        ("a field that ends too early", &|id| {
            frame(HEADERS, END_HEADERS, 1, &[fields(PSEUDO), regular(id), vec![0, 5, b'x']].concat())
        }),
        ("a second head in the middle", &|id| [open(id), open(id), frame(DATA, END_STREAM, 1, BODY)].concat()),
    ];
    for (what, damaged) in cases {
        let id = unique();
        let mut raw = Raw::open(plain(), &[]).await;
        raw.write(&damaged(&id)).await;
        let outcome = raw.outcome().await;
        assert!(!matches!(outcome, Outcome::Status(..400 | 500..)), "{what}: {outcome:?}");
        assert!(plain().upstream.requests(&id).iter().all(|seen| !seen.body.complete), "{what}");
    }
    served(plain()).await;
}

/// So much more memory is a lot for a connection that is refused.
const MUCH: u64 = 16 * 1024;

/// Sends pieces until the gateway takes no more, or all of them are sent; how many it took.
async fn flood(site: &Site, first: &[u8], piece: &[u8], most: usize) -> usize {
    let mut raw = Raw::open(site, &[]).await;
    raw.write(first).await;
    let mut taken = 0;
    let wait = Duration::from_secs(5);
    while taken < most && timeout(wait, raw.stream.write_all(piece)).await.is_ok_and(|written| written.is_ok()) {
        taken += 1;
    }
    taken
}

#[tokio::test]
async fn a_flood_of_frames_costs_little_and_holds_up_nobody() {
    let site = Site::start("[timeouts]\nrequest_head = \"1s\"\nstall = \"1s\"\nkeepalive = \"2s\"\n");
    let filler = field(b"x", &[b'a'; 1000]);
    let begun = frame(HEADERS, 0, 1, &fields(PSEUDO));
    let open = |stream: u32| frame(HEADERS, END_HEADERS | END_STREAM, stream, &[fields(PSEUDO), regular("-")].concat());
    let reset: Vec<u8> = (0..10_000)
        .map(|number| 2 * number + 1)
        .flat_map(|stream| [open(stream), frame(RST_STREAM, 0, stream, &[0, 0, 0, 8])].concat())
        .collect();
    let damaged: Vec<u8> = (0..10_000)
        .map(|number| 2 * number + 1)
        .flat_map(|stream| [open(stream), frame(WINDOW_UPDATE, 0, stream, &[0; 4])].concat())
        .collect();
    let pings = frame(PING, 0, 0, &[0; 8]).repeat(1000);
    let settings = frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0xff, 0xff]).repeat(1000);
    let nothing = frame(DATA, 0, 1, b"").repeat(1000);
    let cases: &[(&str, &[u8], &[u8], usize)] = &[
        ("a head without an end", &begun, &frame(CONTINUATION, 0, 1, &filler), 10_000),
        ("a head that goes on with nothing", &begun, &frame(CONTINUATION, 0, 1, b"").repeat(1000), 1000),
        ("streams that are reset at once", b"", &reset, 5),
        ("streams that the gateway has to reset", b"", &damaged, 5),
        ("pings whose answers nobody reads", b"", &pings, 2000),
        ("settings whose answers nobody reads", b"", &settings, 2000),
        ("empty data", &frame(HEADERS, END_HEADERS, 1, &[fields(PSEUDO), regular("-")].concat()), &nothing, 2000),
    ];
    served(&site).await;
    let before = memory(&site);
    for (what, first, piece, most) in cases {
        let begun = Instant::now();
        let others = async {
            for _ in 0..5 {
                served(&site).await;
            }
        };
        let (taken, ()) = tokio::join!(flood(&site, first, piece, *most), others);
        assert!(begun.elapsed() < PATIENCE, "{what}");
        let grown = memory(&site).saturating_sub(before);
        println!("{what}: {taken} of {most} pieces were taken, {grown} KiB more in {:?}", begun.elapsed());
        assert!(taken < *most, "{what}: nobody ends it");
        assert!(grown < MUCH, "{what}: {grown} KiB more");
    }
}

#[tokio::test]
async fn a_head_that_is_large_only_when_unpacked_is_refused() {
    let id = unique();
    // One field of 3,000 bytes that gets a place in the table, and then a thousand times one byte for it.
    let entry = [&[0x40][..], &number(1), b"x", &number(3000), &[b'a'; 3000]].concat();
    let block = [fields(PSEUDO), regular(&id), entry, vec![0x80 | 62; 1000]].concat();
    let before = memory(plain());
    let outcome = ask(&block, BODY).await;
    assert!(matches!(outcome, Outcome::Status(431) | Outcome::Reset | Outcome::Ended), "{outcome:?}");
    assert!(plain().upstream.requests(&id).is_empty());
    assert!(memory(plain()).saturating_sub(before) < MUCH);
    // Large as it stands, in several frames.
    let pieces = 5;
    let filler = field(b"x", &[b'a'; 15_000]);
    let mut raw = Raw::open(plain(), &[]).await;
    raw.write(&frame(HEADERS, END_STREAM, 1, &[fields(PSEUDO), regular(&id)].concat())).await;
    for number in 1..=pieces {
        raw.write(&frame(CONTINUATION, if number == pieces { END_HEADERS } else { 0 }, 1, &filler)).await;
    }
    let outcome = raw.outcome().await;
    assert!(matches!(outcome, Outcome::Status(431) | Outcome::Reset | Outcome::Ended), "{outcome:?}");
    assert!(plain().upstream.requests(&id).is_empty());
}

#[tokio::test]
async fn a_client_that_opens_no_window_is_cut_though_it_goes_on_talking() {
    let site = Site::start("[timeouts]\nstall = \"1s\"\n");
    let mut raw = Raw::open(&site, &[(4, 0)]).await;
    raw.write(&frame(HEADERS, END_HEADERS, 1, &[fields(PSEUDO), regular(&unique())].concat())).await;
    raw.write(&frame(DATA, END_STREAM, 1, BODY)).await;
    let begun = Instant::now();
    loop {
        assert!(begun.elapsed() < PATIENCE, "the stream is never ended");
        if !raw.write(&frame(PING, 0, 0, &[0; 8])).await {
            break;
        }
        if let Ok(None | Some((RST_STREAM | GOAWAY, ..))) = timeout(Duration::from_millis(100), raw.frame()).await {
            break;
        }
    }
    served(&site).await;
}
