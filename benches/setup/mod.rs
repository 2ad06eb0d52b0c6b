//! What the library benches measure: snapshots with more rules, fewer or none of the models, whole bodies through the
//! sanitizer, and the CPU time of a thread. Knows no text; `corpus` has them.

#![allow(dead_code, reason = "each bench takes a part of it")]

use std::fs;
use std::path::Path;
use std::sync::{Arc, LazyLock};
use std::thread;
use std::time::{Duration, Instant};

use promptgate::codec::Plan;
use promptgate::config::{Config, Route};
use promptgate::policy::Tokens;
use promptgate::sanitize::{Form, Request, Response};
use promptgate::snapshot::Snapshot;

/// Which detectors are in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detectors {
    Every,
    /// All but the attack model.
    WithoutClassifier,
    /// The rules alone: neither the attack model nor the tagger.
    WithoutModels,
    /// Every one, and each rule nine times more, under other ids and with other keywords.
    TenTimes,
}

/// The shipped configuration at level medium with these detectors.
pub fn snapshot(detectors: Detectors) -> Snapshot {
    let mut config = Config::default();
    let off: &[&str] = match detectors {
        Detectors::Every | Detectors::TenTimes => &[],
        Detectors::WithoutClassifier => &["model.*"],
        Detectors::WithoutModels => &["model.*", "pii.model.*"],
    };
    config.rules.disabled = off.iter().map(|id| (*id).to_owned()).collect();
    let files = if detectors == Detectors::TenTimes { copies(9) } else { Vec::new() };
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (&**name, &**text)).collect();
    Snapshot::build(config, &files).expect("the shipped configuration and rules")
}

/// The shipped rule files, so many times, with other ids and keywords.
fn copies(count: usize) -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("conf/rules");
    let entries = fs::read_dir(folder).expect("the shipped rules");
    let mut files: Vec<_> = entries.map(|entry| entry.expect("a rule file").path()).collect();
    files.sort();
    let texts: Vec<String> = files.iter().map(|file| fs::read_to_string(file).expect("a rule file")).collect();
    let copy = |number: usize| texts.iter().enumerate().map(move |(file, text)| (number, file, text));
    let copies = (1..=count).flat_map(copy);
    copies.map(|(number, file, text)| (format!("copy {number} of {file}"), altered(text, number as u8))).collect()
}

/// One rule file with other ids and with the letters of its keywords moved on by `by`; without its allowlist.
fn altered(text: &str, by: u8) -> String {
    let mut file: toml::Table = text.parse().expect("a rule file is TOML");
    file.remove("allow");
    let moved = |letter: char| match letter {
        'a'..='z' => char::from(b'a' + (letter as u8 - b'a' + by) % 26),
        other => other,
    };
    let rules = file.get_mut("rule").and_then(toml::Value::as_array_mut);
    for rule in rules.into_iter().flatten().filter_map(toml::Value::as_table_mut) {
        if let Some(toml::Value::String(id)) = rule.get_mut("id") {
            id.push_str(&format!("_{by}"));
        }
        for keyword in rule.get_mut("keywords").and_then(toml::Value::as_array_mut).into_iter().flatten() {
            if let toml::Value::String(keyword) = keyword {
                *keyword = keyword.to_lowercase().chars().map(moved).collect();
            }
        }
    }
    file.to_string()
}

/// The route of the bodies that `corpus` makes.
pub fn route(snapshot: &Snapshot) -> Arc<Route> {
    let mut routes = snapshot.config.routes.iter();
    routes.find(|route| route.dialect.name == "openai.chat").expect("a route for chat bodies").clone()
}

/// How such a body is read.
pub fn plan(snapshot: &Snapshot) -> Arc<Plan> {
    snapshot.plan(&route(snapshot)).expect("a plan for chat bodies").clone()
}

/// One body through the sanitizer in chunks, from the first byte to the verdict; what comes out is counted.
pub fn request(snapshot: &Snapshot, plan: &Arc<Plan>, body: &[u8], chunk: usize) -> usize {
    let level = snapshot.config.security.level;
    let mut request = Request::new(snapshot.guard.clone(), plan.clone(), level, snapshot.limits());
    let mut bytes = 0;
    for chunk in body.chunks(chunk) {
        if request.push(chunk).is_err() {
            return bytes;
        }
        bytes += request.take().len();
    }
    // A body that is refused was read to its end like any other.
    bytes + request.finish().map_or(0, |rest| rest.len())
}

/// One streamed answer, an event at a time.
pub fn answer(snapshot: &Snapshot, events: &[String]) -> usize {
    let route = route(snapshot);
    let plan = snapshot.answer_plan(&route).expect("chat answers hold text").clone();
    let framing = route.dialect.framing("text/event-stream").expect("chat answers stream");
    let (level, form, limits) = (snapshot.config.security.level, Form::Stream(framing), snapshot.answer_limits());
    let response = Response::new(snapshot.guard.clone(), plan, level, form, limits);
    let mut response = response.restoring(&Tokens::default(), snapshot.config.tokens.sinks.clone());
    let mut bytes = 0;
    for event in events {
        response.push(event.as_bytes(), Duration::ZERO).expect("the stream is well-formed");
        bytes += response.take().len();
    }
    response.finish().expect("the stream ends as it should");
    bytes + response.take().len()
}

/// A streamed chat answer of so many events, which say these pieces over and over.
pub fn events(pieces: &[&str], count: usize) -> Vec<String> {
    let event = |number: usize| {
        let piece = pieces[number % pieces.len()];
        format!(
            "data: {{\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,\"model\":\"m\",\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{piece}\"}},\"finish_reason\":null}}]}}\n\n"
        )
    };
    (0..count).map(event).chain(["data: [DONE]\n\n".to_owned()]).collect()
}

/// Words as a model writes them; each event ends between two, so that nothing could go on from it.
pub const WORDS: &[&str] = &["The ", "lock ", "protects ", "the ", "list ", "of ", "waiting ", "jobs. "];
/// The same cut as tokenisers cut: the last word of an event could always go on.
pub const PIECES: &[&str] = &[" The", " lock", " prot", "ects", " the", " list", " of", " waiting", " jobs", "."];

/// A store as the gateway has it.
#[cfg(feature = "proxy")]
pub fn verdicts() -> Arc<dyn promptgate::sanitize::Verdicts> {
    let counter = |name: &str| prometheus::IntCounter::new(name, "how often").expect("a name for a counter");
    Arc::new(promptgate::state::VerdictCache::new(16 << 20, counter("hits"), counter("misses")))
}

/// Megabytes a second of CPU time, by as many passes over `bytes` as take a while.
pub fn rate(bytes: usize, mut pass: impl FnMut()) -> f64 {
    const LONG_ENOUGH: Duration = Duration::from_millis(20);
    let before = cpu_of_thread();
    for passes in 1_u32.. {
        pass();
        let took = cpu_of_thread().saturating_sub(before);
        if took >= LONG_ENOUGH {
            return bytes as f64 * f64::from(passes) / took.as_secs_f64() / 1e6;
        }
    }
    f64::NAN
}

/// What this thread has used of a core so far: other load on the machine does not count. Without the kernel's word, the time.
fn cpu_of_thread() -> Duration {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    // The kernel adds up when it switches; at other times its figure is some milliseconds old.
    thread::yield_now();
    let schedstat = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanoseconds = schedstat.split_whitespace().next().and_then(|field| field.parse().ok());
    nanoseconds.map_or_else(|| START.elapsed(), Duration::from_nanos)
}
