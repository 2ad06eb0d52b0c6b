//! Requests damaged at random, from a seed: whatever becomes of one, the upstream sees whole requests in one framing and only
//! those that were let through, and connections stay in step. `PROMPTGATE_CASES` is how many, `PROMPTGATE_SEED` where to begin.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::Value;

use crate::client::{Ask, TOKEN};
use crate::http1::Wire;
use crate::random::Random;
use crate::site::{Site, key};
use crate::upstream::{ANSWER, ID, Seen};

const CHAT: &str = "/v1/chat/completions";

/// What hides behind every request. It has no credential, so that it may never arrive.
const HIDDEN: &str = "POST /v1/chat/completions HTTP/1.1\r\nhost: gateway.test\r\nx-client-request-id: smuggled\r\n\
                      x-request-id: smuggled\r\nauthorization: Bearer none\r\ncontent-type: application/json\r\n\
                      content-length: 13\r\n\r\n{\"n\":\"smugd\"}";

/// A request in parts, each with its own line end.
struct Draft {
    line: Vec<u8>,
    fields: Vec<Vec<u8>>,
    body: Vec<u8>,
    ends: Vec<&'static [u8]>,
}

const ENDS: &[&[u8]] =
    &[b"\n", b"\r", b"\r\r\n", b"\n\r", b"\r\n ", b"\r\n\t", b"\x0b\r\n", b"\0\r\n", b" \r\n", b"\x85", b""];
const METHODS: &[&str] = &[
    "post",
    "GET",
    "PUT",
    "POST\t",
    " POST",
    "P\0ST",
    "",
    "POSTPOST",
    "CONNECT",
    "TRACE",
    "PRI",
    "POST\r\nPOST",
    "\"POST\"",
];
const TARGETS: &[&str] = &[
    "*",
    "",
    "/",
    "//",
    "@h/",
    "h",
    "http://h/v1/chat/completions",
    "http://gateway.test/v1/chat/completions",
    "/%2e%2e/v1",
    "/v1/chat/completions#a",
    "/v1/chat/completions?a=b c",
    "/v1/chat/completions\0",
    "/v1/chat/completions?\n",
    "/v1/chat/completions HTTP/1.1\r\nx: y",
    "/v1/chat/./completions",
    "/v1/chat/completions;a",
    "/\\v1",
    "/v1/chat/\u{e9}",
    "/v1/models/a%0d%0ab",
    "/v1/models/m",
    "/v1/messages",
    "/v1/chat%2fcompletions",
    "gateway.test:443",
    "/v1/\x7f",
];
const VERSIONS: &[&str] = &[
    "HTTP/1.0",
    "HTTP/1.2",
    "HTTP/0.9",
    "HTTP/2.0",
    "http/1.1",
    "HTTP/1.1 ",
    "HTTP/ 1.1",
    "HTTP/1.10",
    "",
    "HTTP/11",
    "HTTP/1.1\t",
    "HTTP/1,1",
    "HTTP/1.1 HTTP/1.1",
    "ICY/1.1",
];
const HOSTS: &[&str] = &[
    "host:",
    "Host: a, b",
    "Host: a\r\nHost: b",
    "HoSt : a",
    "Host: a@b",
    "Host: a:b",
    "host: [::1",
    "host: a/b",
    "host:\0",
    "host:\tgateway.test",
    "x: y",
    "Host: http://gateway.test",
    "host: gateway.test\r\n x",
];
const LENGTHS: &[&str] = &[
    "0",
    "1",
    "+#",
    "-#",
    "0x#",
    "#,#",
    "#, #",
    "# #",
    "  #",
    "#\t",
    "\x0b#",
    "#\0",
    "0#",
    "#.0",
    "#e0",
    "9999999999999999999",
    "18446744073709551616",
    "",
    "#;",
    "#\r\nContent-Length: 1",
    "#_",
    "\"#\"",
    "#,",
    ",#",
    "2147483648",
    "4294967297",
    "9223372036854775808",
    "\u{661}",
    "NaN",
];
const CODINGS: &[&str] = &[
    "chunked",
    " chunked",
    "\tchunked",
    "chunked ",
    "Chunked",
    "CHUNKED",
    "xchunked",
    "chunked, identity",
    "identity, chunked",
    "gzip, chunked",
    "chunked, chunked",
    ",chunked",
    "chunked,",
    "\"chunked\"",
    "'chunked'",
    "chunk",
    "chunked;a=b",
    "\0chunked",
    "\x0bchunked",
    "\nchunked",
    "\r\n chunked",
    "identity",
    "",
    "x\r\nTransfer-Encoding: chunked",
    "chunked\r\nTransfer-Encoding: x",
    "chun\u{212a}ed",
    "deflate",
    "chunked\x0b",
    "ch\tunked",
];
const NAMES: &[&str] = &[
    "Content-Length",
    "Transfer-Encoding",
    "content_length",
    "transfer_encoding",
    "Content-Length ",
    "Transfer-Encoding ",
    " Transfer-Encoding",
    "\tContent-Length",
    "Content Length",
    "Transfer-Encoding\t",
    "Transfer\0-Encoding",
    "X: x\nTransfer-Encoding",
    "X: x\rContent-Length",
    "Transfer-Encoding\x0b",
    "\x0cTransfer-Encoding",
    "Transfer-Encoding:",
    "x\r\n\r\nTransfer-Encoding",
    "Transfer\u{2010}Encoding",
    "\"Content-Length\"",
    "Content-Length\0",
    "TE",
    "Content-Encoding",
    "Connection",
    "Expect",
    "Upgrade",
    "Trailer",
    "X-HTTP-Method-Override",
    "Proxy-Connection",
    "HTTP2-Settings",
];
const SIZES: &[&str] = &[
    "0x#",
    "+#",
    "-#",
    "#;",
    "#;a=b",
    "#;a=\"\r\n\"",
    "#;\n",
    "# ",
    "#\t",
    " #",
    "0#",
    "0000000000000000000#",
    "#\n",
    "#\r",
    "#\0",
    "ffffffffffffffff",
    "1000000000000000#",
    "",
    "g",
    "#_0",
    "#,#",
    "0",
    "1",
    "#;\0",
    "\"#\"",
    "#.0",
];
const LASTS: &[&str] = &[
    "0\n\n",
    "00\r\n\r\n",
    "0;x\r\n\r\n",
    "0\r\nX: y\r\n\r\n",
    "0\r\nContent-Length: 5\r\n\r\n",
    "0\r\n",
    "\r\n\r\n",
    "0 \r\n\r\n",
    "0\r\nTransfer-Encoding: chunked\r\n\r\n",
    "0\r\n\n",
    "0\r\r\n\r\n",
    "-0\r\n\r\n",
    "0x0\r\n\r\n",
    "0\r\nHost: a\r\n\r\n",
    "0\r\n\r\n\r\n",
    "0\r\n :\r\n\r\n",
    "",
    "1\r\n \r\n0\r\n\r\n",
];

impl Draft {
    fn new(random: &mut Random, id: &str) -> Draft {
        let json = format!("{{\"n\":\"{id}\"}}");
        let mut fields: Vec<String> = vec![
            "host: gateway.test".to_owned(),
            format!("authorization: Bearer {TOKEN}"),
            format!("{ID}: {id}"),
            format!("x-request-id: {id}"),
            "content-type: application/json".to_owned(),
        ];
        let body = if random.below(2) == 0 {
            fields.push(format!("content-length: {}", json.len()));
            json
        } else {
            fields.push("transfer-encoding: chunked".to_owned());
            let (first, second) = json.split_at(5);
            format!("5\r\n{first}\r\n{:x}\r\n{second}\r\n0\r\n\r\n", second.len())
        };
        let ends = vec![&b"\r\n"[..]; fields.len() + 2];
        let fields = fields.into_iter().map(String::into_bytes).collect();
        Draft { line: format!("POST {CHAT} HTTP/1.1").into_bytes(), fields, body: body.into_bytes(), ends }
    }

    fn mutate(&mut self, random: &mut Random) {
        let field = random.below(self.fields.len());
        let place = if random.below(2) == 0 { field } else { self.fields.len() };
        match random.below(15) {
            0 => self.line = [pick(random, METHODS), format!(" {CHAT} HTTP/1.1").as_bytes()].concat(),
            1 => self.line = [b"POST ", pick(random, TARGETS), b" HTTP/1.1"].concat(),
            2 => self.line = [format!("POST {CHAT} ").as_bytes(), pick(random, VERSIONS)].concat(),
            3 => self.fields[0] = pick(random, HOSTS).to_vec(),
            4 => {
                let end = random.below(self.ends.len());
                self.ends[end] = ENDS[random.below(ENDS.len())];
            }
            5 => self.add(place, self.fields[field].clone()),
            6 => drop(self.fields.remove(field)),
            7 => {
                let other = random.below(self.fields.len());
                self.fields.swap(field, other);
            }
            8 | 9 => {
                let value = self.length(random);
                self.add(place, [pick(random, NAMES), b": ", &value].concat());
            }
            10 => {
                let value = self.length(random);
                self.value(b"content-length: ", &value);
            }
            11 => self.value(b"transfer-encoding: ", pick(random, CODINGS)),
            12 => self.add(place, [pick(random, NAMES), b": ", pick(random, CODINGS)].concat()),
            13 if self.body.starts_with(b"5\r") => {
                let size = String::from_utf8_lossy(pick(random, SIZES)).replace('#', "5");
                self.body.splice(..1, size.into_bytes());
            }
            _ if self.body.ends_with(b"0\r\n\r\n") => {
                self.body.truncate(self.body.len() - 5);
                self.body.extend_from_slice(pick(random, LASTS));
            }
            _ => self.body.truncate(random.below(self.body.len().max(1))),
        }
    }

    /// A length, of this body or not.
    fn length(&self, random: &mut Random) -> Vec<u8> {
        let length = [self.body.len(), self.body.len() + HIDDEN.len(), 0, 5][random.below(4)];
        String::from_utf8_lossy(pick(random, LENGTHS)).replace('#', &length.to_string()).into_bytes()
    }

    fn add(&mut self, place: usize, field: Vec<u8>) {
        self.fields.insert(place, field);
        self.ends.push(b"\r\n");
    }

    fn value(&mut self, name: &[u8], value: &[u8]) {
        if let Some(field) = self.fields.iter_mut().find(|field| field.starts_with(name)) {
            *field = [name, value].concat();
        }
    }

    fn bytes(&self, random: &mut Random) -> Vec<u8> {
        let mut bytes = self.line.clone();
        for (field, end) in self.fields.iter().map(Vec::as_slice).zip(&self.ends) {
            bytes.extend_from_slice(end);
            bytes.extend_from_slice(field);
        }
        // That of the last field, and the empty line.
        for end in [self.ends[self.ends.len() - 1], self.ends[self.ends.len() - 2]] {
            bytes.extend_from_slice(end);
        }
        bytes.extend_from_slice(&self.body);
        if random.below(3) == 0 {
            let (at, byte) = (random.below(bytes.len()), random.below(256) as u8);
            match random.below(4) {
                0 => bytes.insert(at, byte),
                1 => bytes[at] = byte,
                2 => drop(bytes.remove(at)),
                _ => {
                    let piece = bytes[at..bytes.len().min(at + random.below(40))].to_vec();
                    bytes.splice(at..at, piece);
                }
            }
        }
        bytes
    }
}

fn pick(random: &mut Random, from: &'static [&'static str]) -> &'static [u8] {
    from[random.below(from.len())].as_bytes()
}

/// One damaged request, and another on its connection if that goes on. Returns the status of the first.
async fn attack(site: &Site, seed: u64, number: usize) -> Option<u16> {
    let mut random = Random::new(seed.wrapping_add(number as u64));
    let id = format!("mutant-{number}");
    let mut draft = Draft::new(&mut random, &id);
    for _ in 0..=random.below(3) {
        draft.mutate(&mut random);
    }
    let request = draft.bytes(&mut random);
    let shown = || format!("case {number} of seed {seed}: {}", request.escape_ascii());
    let mut wire = Wire::connect(site.address()).await;
    wire.write(&[&request, HIDDEN.as_bytes()].concat()).await;
    let (head, _) = wire.response().await?;
    let status = head.status();
    assert!(status < 500, "{status}, {}", shown());
    if head.header("connection") != Some("close") {
        let probe = Ask::post(CHAT, "{}").with("x-request-id", &format!("{id}-probe"));
        wire.write(&probe.bytes()).await;
        while let Some((head, body)) = wire.response().await {
            if head.header("x-promptgate-request-id") == Some(&format!("{id}-probe")) {
                assert_eq!((head.status(), &*body.bytes), (200, ANSWER.as_bytes()), "{}", shown());
                assert_eq!(site.upstream.requests(&probe.id()).len(), 1, "{}", shown());
                break;
            }
            // What hid was taken for a request, as it is one, and refused like any other.
            assert!((400..500).contains(&head.status()), "{}: out of step, {}", head.status(), shown());
        }
    }
    Some(status)
}

/// Why this is not a request as the gateway would write it.
fn flaw(seen: &Seen) -> Option<&'static str> {
    let head = &seen.head;
    let lines: Vec<&[u8]> = head.raw.split(|byte| *byte == b'\n').collect();
    let odd = |line: &&[u8]| {
        let text = line.strip_suffix(b"\r");
        !line.is_empty() && text.is_none_or(|text| text.iter().any(|byte| *byte < 0x20 && *byte != b'\t'))
    };
    let count = |name: &str| head.headers.iter().filter(|(known, _)| known == name).count();
    let of = |name: &str| head.header(name).unwrap_or_default();
    let key = format!("Bearer {}", key("openai"));
    let framed = match (count("content-length"), count("transfer-encoding")) {
        (1, 0) => of("content-length").bytes().all(|byte| byte.is_ascii_digit()),
        (0, 1) => of("transfer-encoding") == "chunked",
        (0, 0) => head.first.starts_with("GET "),
        _ => false,
    };
    let known = ["POST /v1/", "GET /v1/models/"].iter().any(|start| head.first.starts_with(start));
    match () {
        () if lines.iter().any(odd) => Some("a line holds what it must not"),
        () if !known || !head.first.ends_with(" HTTP/1.1") => Some("the request line is none of ours"),
        () if count("host") != 1 || !framed => Some("its host or its length is in doubt"),
        () if head.first.contains(CHAT) && of("authorization") != key => Some("it has another key"),
        () if of(ID) == "smuggled" || of("x-request-id") == "smuggled" => Some("it was smuggled"),
        () if seen.body.complete
            && !seen.body.bytes.is_empty()
            && serde_json::from_slice::<Value>(&seen.body.bytes).is_err() =>
        {
            Some("its body is no JSON")
        }
        () => None,
    }
}

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name} is no number")))
}

#[tokio::test]
async fn no_damaged_request_is_smuggled_malformed_or_out_of_step() {
    const AT_ONCE: usize = 96;
    let (cases, seed) = (setting("PROMPTGATE_CASES", 600) as usize, setting("PROMPTGATE_SEED", 20_261_127));
    let config = "[timeouts]\nrequest_head = \"1s\"\nstall = \"1s\"\n";
    let site = Arc::new(Site::start(config));
    let mut statuses: HashMap<Option<u16>, usize> = HashMap::new();
    let mut tasks = tokio::task::JoinSet::new();
    let mut next = 0..cases;
    loop {
        while tasks.len() < AT_ONCE
            && let Some(number) = next.next()
        {
            let site = site.clone();
            tasks.spawn(async move { attack(&site, seed, number).await });
        }
        let Some(done) = tasks.join_next().await else { break };
        *statuses.entry(done.expect("a case that holds")).or_default() += 1;
    }
    let seen = site.upstream.everything();
    let mut arrived: HashMap<&[u8], usize> = HashMap::new();
    for request in &seen {
        let flaw = flaw(request);
        assert!(flaw.is_none(), "{flaw:?}: {}", request.head.raw.escape_ascii());
        if request.body.complete && request.body.bytes.starts_with(b"{\"n\":") {
            *arrived.entry(&request.body.bytes).or_default() += 1;
        }
    }
    assert!(arrived.values().all(|count| *count == 1), "a request arrived twice");
    assert!(!seen.is_empty() && statuses.contains_key(&Some(200)) && statuses.contains_key(&Some(400)));
    // Under --nocapture.
    println!("{cases} cases of seed {seed}: {statuses:?}, {} requests upstream", seen.len());
}
