//! What one request can make the gateway hold: of n bytes no more than 10 n and 256 KiB. Measured from outside, as the highest
//! resident size of a fresh process while many such requests are under way at once, divided by their number; of a compressed
//! body n is what it unpacks to. `PROMPTGATE_AMPLIFICATION=all cargo test --test gateway -- --nocapture amplification` tries every
//! kind and prints what each needs, and with the name of a kind that one.

use std::fmt::Write as _;

use crate::client::{Ask, gzip};
use crate::http1::Wire;
use crate::site::Site;

const CHAT: &str = "/v1/chat/completions";

/// So many at once, so that what the process holds anyway does not count.
const AT_ONCE: usize = 16;
const LENGTH: usize = 32 * 1024;

/// What a request of `n` bytes may make the process hold.
const fn allowed(n: usize) -> usize {
    10 * n + 256 * 1024
}

/// What is tried unless `PROMPTGATE_AMPLIFICATION` is set: a process of its own for each takes a while.
const FEW: &[&str] = &["keys", "escapes", "addresses", "headers"];

/// `one` again and again between the ends of an array, each time with another number.
fn many(one: impl Fn(usize) -> String) -> String {
    let mut body = "[".to_owned();
    for number in 0.. {
        if body.len() >= LENGTH {
            break;
        }
        write!(body, "{}{}", if number == 0 { "" } else { "," }, one(number)).expect("room");
    }
    body + "]"
}

fn message(text: &str) -> String {
    format!(r#"{{"messages":[{{"role":"user","content":"{text}"}}]}}"#)
}

fn bodies() -> Vec<(&'static str, String)> {
    let keys = many(|number| format!(r#"{{"k{number}":1}}"#)).replace("},{", ",");
    vec![
        ("deep arrays", many(|_| format!("{}{}", "[".repeat(120), "]".repeat(120)))),
        ("empty arrays", many(|_| "[]".to_owned())),
        ("tiny strings", many(|_| "\"a\"".to_owned())),
        ("keys", keys.trim_matches(['[', ']']).to_owned()),
        ("numbers", many(|number| number.to_string())),
        ("messages", format!(r#"{{"messages":{}}}"#, many(|n| format!(r#"{{"role":"user","content":"{n}"}}"#)))),
        ("escapes", message(&"\\u0061".repeat(LENGTH / 6))),
        ("marks that fold away", message(&"\u{200b}a".repeat(LENGTH / 4))),
        ("letters that fold to several", message(&"\u{fdfa}".repeat(LENGTH / 3))),
        ("addresses", message(&many(|number| format!("a{number}@example.com ")))),
        ("addresses of machines", message(&many(|n| format!("8.{}.{}.{} ", n % 250, n / 250 % 250, n / 62_500)))),
        ("passwords", message(&many(|number| format!("password: x{number}Zq9! ")))),
        ("text in other codings", message(&"aGVsbG8gdGhlcmUsIGhvdyBhcmUgeW91 ".repeat(LENGTH / 33))),
        ("percent signs", message(&"%61%62".repeat(LENGTH / 6))),
        ("JSON in strings", message(&many(|_| "{\\\"a\\\":\\\"b\\\"}".to_owned()))),
        ("words that begin like keys", message(&"ghp_ sk- AKIA ".repeat(LENGTH / 14))),
    ]
}

/// Sends all of them but their last bytes, then those, and answers with how much more the process held for each.
async fn held(site: &Site, ask: &Ask) -> usize {
    // What the first of its kind leaves for good, patterns that are made on demand and pages of the model, is no request's.
    assert!(ask.send(site.address()).await.status() < 500);
    site.gateway.forget_peak();
    let before = site.gateway.memory();
    let bytes = ask.bytes();
    let (last, first) = bytes.split_last().expect("a request");
    let mut wires = Vec::new();
    for _ in 0..AT_ONCE {
        let mut wire = Wire::connect(site.address()).await;
        assert!(wire.write(first).await);
        wires.push(wire);
    }
    for wire in &mut wires {
        // A head over the limits is refused before its end.
        wire.write(&[*last]).await;
    }
    for mut wire in wires {
        let (head, _) = wire.response().await.expect("an answer");
        assert!(head.status() < 500, "{}", head.first);
    }
    site.gateway.peak().saturating_sub(before) / AT_ONCE
}

#[tokio::test]
async fn no_request_makes_the_gateway_hold_much_more_than_itself() {
    let plain = bodies().into_iter().map(|(what, body)| (what, Ask::post(CHAT, body.as_str()), body.len()));
    let chunked = ("chunks", Ask::post(CHAT, message(&"a ".repeat(LENGTH / 2))).chunked(16), LENGTH);
    let packed = message(&"harmless words ".repeat(LENGTH / 15));
    let packed = ("gzip", Ask::post(CHAT, gzip(packed.as_bytes())).with("content-encoding", "gzip"), packed.len());
    let headers = (0..90).fold(Ask::post(CHAT, "{}"), |ask, number| ask.and(&format!("x-{number}"), &"a".repeat(300)));
    let length = headers.head().len();
    let more = [chunked, packed, ("headers", headers, length)];
    let asked_for = std::env::var("PROMPTGATE_AMPLIFICATION").ok();
    let wanted = |what: &str| match &asked_for {
        Some(kind) => kind == "all" || kind == what,
        None => FEW.contains(&what),
    };
    for (what, ask, length) in plain.chain(more).filter(|(what, ..)| wanted(what)) {
        let site = Site::start("");
        let held = held(&site, &ask).await;
        println!(
            "{what}: {held} bytes held for {length}, {:.1} of what is allowed",
            held as f64 / allowed(length) as f64
        );
        assert!(held <= allowed(length), "{what}: {held} bytes for {length}");
    }
}

#[tokio::test]
async fn a_bomb_is_refused_before_it_has_grown() {
    let site = Site::start("");
    let bomb = gzip(message(&"a".repeat(96 << 20)).as_bytes());
    let ask = Ask::post(CHAT, bomb).with("content-encoding", "gzip");
    site.gateway.forget_peak();
    let before = site.gateway.memory();
    assert_eq!(ask.send(site.address()).await.status(), 413);
    let grown = site.gateway.peak().saturating_sub(before);
    assert!(grown < 32 << 20, "{grown} bytes more");
}
