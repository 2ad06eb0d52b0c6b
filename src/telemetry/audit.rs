//! The audit log: one JSON object a line, chained to the one before, written by a thread of its own. Never makes a request
//! wait: what does not fit into the queue is dropped and counted.

mod sink;

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, TrySendError, sync_channel};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use prometheus::IntCounter;
use serde::{Serialize, Serializer};

use super::chain::{Chain, Link, Seal};
use super::metrics::Metrics;
use super::record::{AnswerRecord, CandidateRecord, FindingCount, MaskCount, RequestRecord};
use super::rfc3339;
use crate::config;
use crate::policy::Level;
use sink::Sink;

/// Where records go. Dropping it ends the thread after what is queued.
pub struct Audit {
    queue: SyncSender<Job>,
    dropped: IntCounter,
}

/// Records that wait for the disk. At a kilobyte each, eight megabytes.
const QUEUE: usize = 8192;

/// How long `flush` waits before it asks a full queue again.
const RETRY: Duration = Duration::from_millis(5);

/// How long a record waits for others, so that under load there is one write for many. The queue holds what comes meanwhile.
const GATHER: Duration = Duration::from_millis(2);

/// Longer names and ids are cut: a caller's identity provider chooses some of them.
const MAX_CHARS: usize = 256;

enum Job {
    Line(String),
    /// Open the file again by its name: it was rotated.
    Reopen,
    /// Everything before is to be written; then say so.
    Flush(SyncSender<()>),
}

impl Audit {
    /// Appends to the file that is configured, or to standard error without one.
    ///
    /// # Errors
    /// When the file cannot be opened or the thread cannot be started.
    pub fn open(config: &config::Audit, metrics: &Metrics) -> io::Result<Self> {
        let (queue, jobs) = sync_channel(QUEUE);
        let dropped = metrics.audit_dropped();
        let seal = Seal::new(config.key.as_ref().map(|key| key.expose().as_bytes()));
        let mut writer = Writer::new(Sink::open(config)?, seal, dropped.clone())?;
        thread::Builder::new().name("audit".to_owned()).spawn(move || writer.run(&jobs))?;
        Ok(Audit { queue, dropped })
    }

    pub fn request(&self, record: &RequestRecord) {
        self.write(&Event::Request(Box::new(RequestLine::from(record))));
    }

    /// `by` is the `client_id` of who changed it.
    pub fn level_changed(&self, old: Level, new: Level, by: &str, request_id: &str) {
        let (old, new) = (Some(old), Some(new));
        self.write(&Event::LevelChanged { client: None, old, new, by: Bounded(by), request_id: Bounded(request_id) });
    }

    /// Of one caller; no level is that of all.
    pub fn client_level_changed(
        &self,
        client: &str,
        (old, new): (Option<Level>, Option<Level>),
        by: &str,
        request_id: &str,
    ) {
        let client = Some(Bounded(client));
        self.write(&Event::LevelChanged { client, old, new, by: Bounded(by), request_id: Bounded(request_id) });
    }

    /// The named policy in the place of the common one is another, or none.
    pub fn policy_changed(&self, (old, new): (Option<&str>, Option<&str>), by: &str, request_id: &str) {
        self.write(&Event::PolicyChanged { old, new, by: Bounded(by), request_id: Bounded(request_id) });
    }

    /// A token, subject or client, as `kind` says; whose, the list itself tells.
    pub fn revoked(&self, kind: &'static str, by: &str, request_id: &str) {
        self.write(&Event::Revoked { kind, by: Bounded(by), request_id: Bounded(request_id) });
    }

    /// `problems` is how many kept the new configuration from taking effect; 0 when it did.
    pub fn config_reloaded(&self, problems: usize) {
        self.write(&Event::ConfigReloaded { result: if problems == 0 { "ok" } else { "failed" }, problems });
    }

    /// After the file was renamed: what follows goes into a new one of the old name.
    pub fn reopen(&self) {
        // A full queue means the disk does not keep up; the operator's rotation can be repeated.
        self.queue.try_send(Job::Reopen).ok();
    }

    /// Waits until everything so far is written, but not longer than `patience`. False when it is not.
    pub fn flush(&self, patience: Duration) -> bool {
        let deadline = Instant::now() + patience;
        let (done, finished) = sync_channel(1);
        let mut job = Job::Flush(done);
        while let Err(error) = self.queue.try_send(job) {
            match error {
                TrySendError::Full(back) if Instant::now() < deadline => job = back,
                _ => return false,
            }
            thread::sleep(RETRY);
        }
        finished.recv_timeout(deadline.saturating_duration_since(Instant::now())).is_ok()
    }

    fn write(&self, event: &Event) {
        let queued = line(event).is_ok_and(|line| self.queue.try_send(Job::Line(line)).is_ok());
        if !queued {
            self.dropped.inc();
        }
    }
}

fn line(event: &Event) -> serde_json::Result<String> {
    serde_json::to_string(&Line { time: rfc3339::format(SystemTime::now()), event })
}

#[derive(Serialize)]
struct Line<'a> {
    time: String,
    #[serde(flatten)]
    event: &'a Event<'a>,
}

#[derive(Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Event<'a> {
    Request(Box<RequestLine<'a>>),
    LevelChanged {
        #[serde(skip_serializing_if = "Option::is_none")]
        client: Option<Bounded<'a>>,
        old: Option<Level>,
        new: Option<Level>,
        by: Bounded<'a>,
        request_id: Bounded<'a>,
    },
    Revoked {
        kind: &'static str,
        by: Bounded<'a>,
        request_id: Bounded<'a>,
    },
    PolicyChanged {
        old: Option<&'a str>,
        new: Option<&'a str>,
        by: Bounded<'a>,
        request_id: Bounded<'a>,
    },
    ConfigReloaded {
        result: &'static str,
        problems: usize,
    },
    /// Named by `chain::RESUMED`: the file had records before, and perhaps a last line without an end.
    AuditResumed {
        torn_bytes: u64,
    },
}

#[derive(Serialize)]
struct RequestLine<'a> {
    request_id: Bounded<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace_id: Option<String>,
    client_id: Bounded<'a>,
    auth_mode: &'static str,
    route: Option<Bounded<'a>>,
    format: Option<&'static str>,
    upstream: Option<Bounded<'a>>,
    method: Bounded<'a>,
    status: u16,
    verdict: &'static str,
    code: Option<&'static str>,
    level: Level,
    #[serde(skip_serializing_if = "Option::is_none")]
    policy: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    candidate: Option<CandidateLine<'a>>,
    rules: Vec<RuleLine<'a>>,
    masked: BTreeMap<&'a str, u64>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    placeholders: &'a [Arc<str>],
    answer: Option<AnswerLine<'a>>,
    bytes_in: u64,
    bytes_out: u64,
    total_us: u128,
    overhead_us: u128,
    guard_us: u128,
    upstream_us: Option<u128>,
}

/// What the candidate policy would have made of it.
#[derive(Serialize)]
struct CandidateLine<'a> {
    policy: &'a str,
    verdict: &'static str,
    rules: Vec<Bounded<'a>>,
}

/// Counts by entity, never values.
#[derive(Serialize)]
struct AnswerLine<'a> {
    restored: BTreeMap<&'a str, u64>,
    masked: BTreeMap<&'a str, u64>,
    rules: Vec<RuleLine<'a>>,
    unresolved: u64,
    kept_back: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    tokens: Option<TokensLine>,
    waited_us: u128,
    guard_us: u128,
}

/// By the provider's count.
#[derive(Serialize)]
struct TokensLine {
    input: u64,
    output: u64,
}

#[derive(Serialize)]
struct RuleLine<'a> {
    id: Bounded<'a>,
    category: &'static str,
    action: &'static str,
    count: u64,
}

impl<'a> From<&'a RequestRecord> for RequestLine<'a> {
    fn from(record: &'a RequestRecord) -> Self {
        RequestLine {
            request_id: Bounded(&record.request_id),
            trace_id: record.trace.map(|trace| trace.to_string()),
            client_id: Bounded(&record.client_id),
            auth_mode: record.auth_mode,
            route: record.route.as_deref().map(Bounded),
            format: record.format,
            upstream: record.upstream.as_deref().map(Bounded),
            method: Bounded(record.method.as_str()),
            status: record.status,
            verdict: record.verdict.name(),
            code: record.code,
            level: record.level,
            policy: record.policy.as_deref(),
            candidate: record.candidate.as_ref().map(CandidateLine::from),
            rules: rules(&record.findings),
            masked: by_entity(&record.masked),
            placeholders: &record.placeholders,
            answer: record.answer.as_ref().map(AnswerLine::from),
            bytes_in: record.bytes.received,
            bytes_out: record.bytes.sent,
            total_us: record.timings.total.as_micros(),
            overhead_us: record.timings.overhead.as_micros(),
            guard_us: record.timings.guard.as_micros(),
            upstream_us: record.timings.upstream.map(|took| took.as_micros()),
        }
    }
}

impl<'a> From<&'a CandidateRecord> for CandidateLine<'a> {
    fn from(candidate: &'a CandidateRecord) -> Self {
        let rules = candidate.rules.iter().map(|rule| Bounded(rule)).collect();
        CandidateLine { policy: &candidate.policy, verdict: candidate.verdicts.1.name(), rules }
    }
}

impl<'a> From<&'a AnswerRecord> for AnswerLine<'a> {
    fn from(answer: &'a AnswerRecord) -> Self {
        AnswerLine {
            restored: by_entity(&answer.restored),
            masked: by_entity(&answer.masked),
            rules: rules(&answer.findings),
            unresolved: answer.unresolved,
            kept_back: answer.kept_back,
            tokens: answer.usage.map(|usage| TokensLine { input: usage.input(), output: usage.output() }),
            waited_us: answer.waited.as_micros(),
            guard_us: answer.guard.as_micros(),
        }
    }
}

fn rules<'a>(findings: &'a [FindingCount]) -> Vec<RuleLine<'a>> {
    let rule = |finding: &'a FindingCount| RuleLine {
        id: Bounded(&finding.rule),
        category: finding.category.name(),
        action: finding.outcome(),
        count: finding.count,
    };
    findings.iter().map(rule).collect()
}

fn by_entity(counts: &[MaskCount]) -> BTreeMap<&str, u64> {
    counts.iter().map(|mask| (&*mask.entity, mask.count)).collect()
}

/// Text of a bounded length without control characters. JSON escapes those below U+0020; the others, U+0080 to U+009F, move the
/// cursor of a terminal as well.
struct Bounded<'a>(&'a str);

impl Serialize for Bounded<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0.len() <= MAX_CHARS && self.0.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
            return serializer.serialize_str(self.0);
        }
        let clean = |c: char| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c };
        serializer.collect_str(&self.0.chars().take(MAX_CHARS).map(clean).collect::<String>())
    }
}

struct Writer {
    sink: Sink,
    seal: Seal,
    chain: Chain,
    /// The last lines were not written whole: the chain goes on from what the file has.
    broken: bool,
    /// Lines on their way to the sink, and how many.
    pending: Vec<u8>,
    lines: u64,
    dropped: IntCounter,
}

/// Writes at the latest at this many bytes, and whenever the queue is empty.
const BATCH: usize = 64 * 1024;

impl Writer {
    fn new(sink: Sink, seal: Seal, dropped: IntCounter) -> io::Result<Self> {
        let chain = Chain::after(Link::START, seal.clone());
        let mut writer = Writer { sink, seal, chain, broken: false, pending: Vec::new(), lines: 0, dropped };
        writer.resume()?;
        Ok(writer)
    }

    /// Goes on after the last record of the file, if it has anything, with a record that says so.
    fn resume(&mut self) -> io::Result<()> {
        let Some(tail) = self.sink.tail()? else { return Ok(()) };
        if tail.open {
            self.pending.push(b'\n');
        }
        self.chain = Chain::after(tail.last.unwrap_or(Link::START), self.seal.clone());
        self.add(&line(&Event::AuditResumed { torn_bytes: tail.torn })?);
        Ok(())
    }

    fn add(&mut self, line: &str) {
        self.chain.seal(line, &mut self.pending);
        self.lines += 1;
    }

    fn run(&mut self, jobs: &Receiver<Job>) {
        loop {
            match jobs.try_recv() {
                Ok(job) => self.work(job, SystemTime::now()),
                Err(TryRecvError::Disconnected) => return self.write(SystemTime::now()),
                Err(TryRecvError::Empty) => {
                    self.write(SystemTime::now());
                    match jobs.recv() {
                        Ok(job) => self.work(job, SystemTime::now()),
                        Err(_) => return,
                    }
                    // What else comes in a moment is written with it, and wakes nobody.
                    thread::sleep(GATHER);
                }
            }
        }
    }

    fn work(&mut self, job: Job, now: SystemTime) {
        match job {
            Job::Line(line) => {
                if self.pending.is_empty() {
                    self.turn_over(now);
                }
                if self.broken {
                    self.broken = self.resume().is_err();
                }
                self.add(&line);
                if self.pending.len() >= BATCH {
                    self.write(now);
                }
            }
            Job::Reopen => {
                self.write(now);
                self.sink.reopen();
                self.chain.turn_over();
            }
            Job::Flush(done) => {
                self.write(now);
                done.try_send(()).ok();
            }
        }
    }

    fn write(&mut self, now: SystemTime) {
        if !self.pending.is_empty() && self.sink.write(&self.pending, now).is_err() {
            self.dropped.inc_by(self.lines);
            self.broken = true;
        }
        self.pending.clear();
        self.lines = 0;
        self.turn_over(now);
    }

    fn turn_over(&mut self, now: SystemTime) {
        if self.sink.turn_over(now) {
            self.chain.turn_over();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::path::PathBuf;

    use super::sink::append;
    use super::*;
    use crate::telemetry::chain::Reader;

    const PATIENCE: Duration = Duration::from_secs(10);

    /// A file of the test's own, removed when it ends.
    struct Scratch(PathBuf);

    impl Scratch {
        fn new(name: &str) -> Self {
            Scratch(std::env::temp_dir().join(format!("promptgate-{}-{name}.jsonl", std::process::id())))
        }

        fn config(&self) -> config::Audit {
            config::Audit { path: Some(self.0.clone()), ..config::Audit::default() }
        }

        fn lines_but_torn(&self) -> Vec<serde_json::Value> {
            let text = std::fs::read_to_string(&self.0).unwrap();
            text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
        }

        fn lines(&self) -> Vec<serde_json::Value> {
            let text = std::fs::read_to_string(&self.0).unwrap();
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            std::fs::remove_file(&self.0).ok();
        }
    }

    #[test]
    fn a_request_a_level_change_and_a_reload_are_one_line_each() {
        let (scratch, metrics) = (Scratch::new("lines"), Metrics::new().unwrap());
        let audit = Audit::open(&scratch.config(), &metrics).unwrap();
        audit.request(&RequestRecord::example());
        audit.level_changed(Level::Low, Level::High, "admin@company.com", "req-2");
        audit.client_level_changed("team-a", (Some(Level::Low), None), "admin@company.com", "req-3");
        audit.config_reloaded(3);
        assert!(audit.flush(PATIENCE));
        let mut lines = scratch.lines();
        for line in &mut lines {
            let time = line.as_object_mut().unwrap().remove("time").unwrap();
            assert!(time.as_str().unwrap().ends_with('Z'));
            line.as_object_mut().unwrap().retain(|name, _| !["chain", "previous"].contains(&&**name));
        }
        let request = serde_json::json!({
            "event": "request", "request_id": "req-1", "client_id": "user@company.com", "auth_mode": "static",
            "route": "/v1/chat/completions", "format": "openai.chat", "upstream": "openai", "method": "POST", "status": 200,
            "verdict": "masked", "code": null, "level": "medium",
            "rules": [{"id": "pii.email", "category": "pii", "action": "mask", "count": 2}],
            "masked": {"EMAIL_ADDRESS": 2},
            "answer": {
                "restored": {"EMAIL_ADDRESS": 1}, "masked": {"API_KEY": 1}, "rules": [], "unresolved": 1, "kept_back": 1,
                "waited_us": 2_000, "guard_us": 40,
            },
            "bytes_in": 120, "bytes_out": 300,
            "total_us": 20_000, "overhead_us": 150, "guard_us": 90, "upstream_us": 12_000,
        });
        let change = serde_json::json!({
            "event": "level_changed", "old": "low", "new": "high", "by": "admin@company.com", "request_id": "req-2",
        });
        let of_client = serde_json::json!({
            "event": "level_changed", "client": "team-a", "old": "low", "new": null, "by": "admin@company.com",
            "request_id": "req-3",
        });
        let reload = serde_json::json!({"event": "config_reloaded", "result": "failed", "problems": 3});
        assert_eq!(lines, [request, change, of_client, reload]);
    }

    #[test]
    fn what_a_caller_chose_can_neither_end_a_line_nor_move_a_cursor_nor_grow() {
        let (scratch, metrics) = (Scratch::new("hostile"), Metrics::new().unwrap());
        let audit = Audit::open(&scratch.config(), &metrics).unwrap();
        let hostile = format!("a\n{{\"event\":\"x\"}}\r\u{1b}[2J\u{9b}2J\"{}", "x".repeat(5000));
        audit.request(&RequestRecord { client_id: hostile, ..RequestRecord::example() });
        assert!(audit.flush(PATIENCE));
        let lines = scratch.lines();
        assert_eq!(lines.len(), 1);
        let written = lines[0]["client_id"].as_str().unwrap();
        assert_eq!(written.chars().count(), MAX_CHARS);
        assert!(written.starts_with("a\u{fffd}{\"event\":\"x\"}") && !written.chars().any(char::is_control));
    }

    #[test]
    fn a_full_queue_drops_the_record_and_counts_it() {
        let metrics = Metrics::new().unwrap();
        let (queue, _stuck) = sync_channel(1);
        let audit = Audit { queue, dropped: metrics.audit_dropped() };
        for _ in 0..3 {
            audit.request(&RequestRecord::example());
        }
        assert!(metrics.render().contains("promptgate_audit_dropped_total 2\n"));
        assert!(!audit.flush(Duration::from_millis(1)));
    }

    #[test]
    fn a_rotated_file_is_followed_by_a_new_one() {
        let (scratch, old) = (Scratch::new("rotated"), Scratch::new("rotated-old"));
        let audit = Audit::open(&scratch.config(), &Metrics::new().unwrap()).unwrap();
        audit.config_reloaded(0);
        assert!(audit.flush(PATIENCE));
        std::fs::rename(&scratch.0, &old.0).unwrap();
        audit.reopen();
        audit.config_reloaded(1);
        assert!(audit.flush(PATIENCE));
        assert_eq!((old.lines().len(), scratch.lines().len()), (1, 1));
    }

    fn intact(files: &[&Scratch]) -> Reader {
        let mut reader = Reader::default();
        for file in files {
            let bytes = std::fs::read(&file.0).unwrap();
            for (index, line) in bytes.strip_suffix(b"\n").unwrap().split(|byte| *byte == b'\n').enumerate() {
                reader.line(line, index == 0).unwrap();
            }
            reader.end(true).unwrap();
        }
        reader
    }

    #[test]
    fn the_chain_goes_on_through_rotation_restart_and_a_torn_line() {
        let (scratch, old) = (Scratch::new("chain"), Scratch::new("chain-old"));
        for torn in ["", "{\"time\":\"2026-"] {
            let audit = Audit::open(&scratch.config(), &Metrics::new().unwrap()).unwrap();
            audit.config_reloaded(0);
            audit.config_reloaded(1);
            assert!(audit.flush(PATIENCE));
            append(&scratch.0).unwrap().write_all(torn.as_bytes()).unwrap();
        }
        let audit = Audit::open(&scratch.config(), &Metrics::new().unwrap()).unwrap();
        assert!(audit.flush(PATIENCE));
        std::fs::rename(&scratch.0, &old.0).unwrap();
        audit.reopen();
        audit.config_reloaded(2);
        assert!(audit.flush(PATIENCE));
        let reader = intact(&[&old, &scratch]);
        assert_eq!((reader.records, reader.torn_lines, reader.begun_anew), (7, 1, 0));
        assert_eq!(old.lines_but_torn()[5]["torn_bytes"], 14);
    }

    #[test]
    fn a_file_too_old_for_a_record_is_followed_by_another_and_the_chain_goes_on() {
        const AGE: Duration = Duration::from_secs(86_400);
        let scratch = Scratch::new("aged");
        let [old, older] = [1, 2].map(|number| Scratch(format!("{}.{number}", scratch.0.display()).into()));
        let config = config::Audit { max_age: Some(AGE), keep: 2, ..scratch.config() };
        let writer = || {
            let dropped = Metrics::new().unwrap().audit_dropped();
            Writer::new(Sink::open(&config).unwrap(), Seal::new(None), dropped).unwrap()
        };
        let record = |writer: &mut Writer, now: SystemTime| {
            writer.work(Job::Line(line(&Event::ConfigReloaded { result: "ok", problems: 0 }).unwrap()), now);
            writer.write(now);
        };
        let (start, second) = (SystemTime::now(), Duration::from_secs(1));
        let mut first = writer();
        for now in [start, start + AGE - second, start + AGE, start + AGE * 2 - second, start - AGE] {
            record(&mut first, now);
        }
        assert_eq!((old.lines().len(), scratch.lines().len()), (2, 3), "a clock that is set back makes none");
        // Idle for long: the record that comes then begins a file, and the day is counted from it.
        record(&mut first, start + AGE * 9);
        record(&mut first, start + AGE * 9 + second);
        assert_eq!((older.lines().len(), old.lines().len(), scratch.lines().len()), (2, 3, 2));
        assert_eq!(intact(&[&older, &old, &scratch]).records, 7);
        // A start again is no new beginning.
        let mut second_start = writer();
        second_start.write(start + AGE / 2);
        record(&mut second_start, start + AGE / 2 + second);
        record(&mut second_start, start + AGE + second * 60);
        assert_eq!((old.lines().len(), scratch.lines().len()), (4, 1));
    }

    #[test]
    fn a_file_that_cannot_be_opened_is_an_error_at_start() {
        let nowhere = config::Audit { path: Some("/nowhere/audit.jsonl".into()), ..config::Audit::default() };
        assert!(Audit::open(&nowhere, &Metrics::new().unwrap()).is_err());
    }
}
