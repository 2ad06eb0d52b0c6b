//! Traces to a collector, over OTLP/HTTP, by a thread of its own. Never makes a request wait: what does not fit into the queue
//! is dropped and counted.

use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::{Duration, Instant};
use std::{fs, io, thread};

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use opentelemetry_proto::tonic::common::v1::{InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans};
use prometheus::{Error, IntCounter, IntCounterVec};
use prost::Message;
use reqwest::{Certificate, Client, StatusCode, redirect};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::time::{sleep, timeout_at};

use super::families::Families;
use super::metrics::Metrics;
use super::spans::attribute;
use super::trace::Trace;
use super::{conventions, spans};
use crate::config::Otlp;

/// Where traces go. Dropping it ends the thread after what is queued.
pub struct Traces {
    queue: Sender<Job>,
    counts: Counts,
    sample_ratio: f64,
}

/// What kept the exporter from starting.
#[derive(Debug, thiserror::Error)]
pub enum TracesError {
    #[error("ca: {0}")]
    Authority(io::Error),
    #[error("ca: holds no certificate in PEM, or a damaged one")]
    NoAuthority,
    #[error("no HTTP client could be made; are the system's CA certificates installed?")]
    Client,
    #[error("its thread cannot be started: {0}")]
    Thread(io::Error),
}

/// What became of traces.
#[derive(Clone)]
pub(super) struct Counts {
    exported: IntCounter,
    dropped: IntCounterVec,
    rejected: IntCounter,
}

/// There was no room for one.
const QUEUE: &str = "queue";
/// The collector was not reached, or did not take it.
const COLLECTOR: &str = "collector";

/// Requests that are sent together, and how long the first of them waits for others.
const BATCH: usize = 256;
const GATHER: Duration = Duration::from_millis(500);

/// How often a batch is sent at most, and how long is waited before the second time; twice as long before the third.
const ATTEMPTS: u32 = 3;
const BACKOFF: Duration = Duration::from_secs(1);
/// The longest that a collector may ask to be left alone.
const LONGEST_BACKOFF: Duration = Duration::from_secs(30);

/// Of a collector's answer.
const LONGEST_ANSWER: usize = 64 * 1024;

/// How long `flush` waits before it asks a full queue again.
const RETRY: Duration = Duration::from_millis(5);

enum Job {
    Trace(Box<Trace>),
    /// Everything before is to be sent; then say so.
    Flush(SyncSender<()>),
}

impl Counts {
    /// With every reason from the first: Prometheus sees no increase in a counter that begins at 1.
    pub fn new(families: &Families) -> Result<Self, Error> {
        let dropped = families.counters("traces_dropped_total", "Traces that nobody was told.", &["reason"])?;
        for reason in [QUEUE, COLLECTOR] {
            dropped.with_label_values(&[reason]);
        }
        Ok(Counts {
            exported: families.counter("traces_exported_total", "Traces that the collector has taken.")?,
            dropped,
            rejected: families.counter("spans_rejected_total", "Spans of them that it says it left out.")?,
        })
    }

    fn lose(&self, reason: &str, traces: usize) {
        self.dropped.with_label_values(&[reason]).inc_by(traces as u64);
    }
}

impl Traces {
    /// # Errors
    /// When the file of authorities cannot be used, or the thread not be started. Nothing is sent yet.
    pub fn start(config: &Otlp, metrics: &Metrics) -> Result<Self, TracesError> {
        let (queue, jobs) = channel(config.queue);
        let counts = metrics.traces();
        let exporter = Exporter::new(config, counts.clone())?;
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(TracesError::Thread)?;
        let run = move || runtime.block_on(exporter.run(jobs));
        thread::Builder::new().name("traces".to_owned()).spawn(run).map_err(TracesError::Thread)?;
        Ok(Traces { queue, counts, sample_ratio: config.sample_ratio.into() })
    }

    /// The part of the traces begun here that is recorded.
    pub const fn sample_ratio(&self) -> f64 {
        self.sample_ratio
    }

    pub fn request(&self, trace: Trace) {
        if self.queue.try_send(Job::Trace(Box::new(trace))).is_err() {
            self.counts.lose(QUEUE, 1);
        }
    }

    /// Waits until everything so far is sent, but not longer than `patience`. False when it is not.
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
}

struct Exporter {
    client: Client,
    config: Otlp,
    headers: HeaderMap,
    resource: Resource,
    counts: Counts,
    /// Whether it was said that the collector does not take anything.
    said: bool,
}

/// Why a batch was not taken.
struct Refusal {
    reason: &'static str,
    /// How long to wait before it may be sent again; `None` if that would be in vain.
    again: Option<Duration>,
}

impl Exporter {
    fn new(config: &Otlp, counts: Counts) -> Result<Self, TracesError> {
        // Without it reqwest panics where it meets TLS. A second installation changes nothing.
        pingora::tls::install_default_crypto_provider();
        let mut client = Client::builder().redirect(redirect::Policy::none()).timeout(config.timeout);
        if config.is_local() {
            client = client.no_proxy();
        }
        if let Some(path) = &config.ca {
            let pem = fs::read(path).map_err(TracesError::Authority)?;
            let found = Certificate::from_pem_bundle(&pem).map_err(|_| TracesError::NoAuthority)?;
            if found.is_empty() {
                return Err(TracesError::NoAuthority);
            }
            client = client.tls_certs_only(found);
        }
        let client = client.build().map_err(|_| TracesError::Client)?;
        let (headers, resource) = (headers(config), resource(config));
        Ok(Exporter { client, config: config.clone(), headers, resource, counts, said: false })
    }

    async fn run(mut self, mut jobs: Receiver<Job>) {
        let mut batch = Vec::new();
        while let Some(job) = jobs.recv().await {
            let flushed = gather(job, &mut jobs, &mut batch).await;
            if !batch.is_empty() {
                self.deliver(std::mem::take(&mut batch)).await;
            }
            if let Some(done) = flushed {
                // Whoever asked may have waited long enough.
                done.try_send(()).ok();
            }
        }
    }

    async fn deliver(&mut self, batch: Vec<Trace>) {
        let traces = batch.len();
        let body = Bytes::from(self.encode(batch).encode_to_vec());
        let mut attempt = 1;
        let refusal = loop {
            match self.send(body.clone()).await {
                Ok(rejected) => {
                    self.said = false;
                    self.counts.exported.inc_by(traces as u64);
                    return self.counts.rejected.inc_by(rejected);
                }
                Err(Refusal { again: Some(wait), .. }) if attempt < ATTEMPTS => {
                    sleep(wait.max(BACKOFF * attempt).min(LONGEST_BACKOFF)).await;
                    attempt += 1;
                }
                Err(refusal) => break refusal,
            }
        };
        self.counts.lose(COLLECTOR, traces);
        if !std::mem::replace(&mut self.said, true) {
            let host = self.config.endpoint.host_str();
            tracing::warn!(reason = refusal.reason, host, "traces are dropped: the collector does not take them");
        }
    }

    fn encode(&self, batch: Vec<Trace>) -> ExportTraceServiceRequest {
        let guard = self.config.guard_spans;
        let scope = InstrumentationScope {
            name: env!("CARGO_PKG_NAME").to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            ..InstrumentationScope::default()
        };
        let spans = ScopeSpans {
            scope: Some(scope),
            spans: batch.iter().flat_map(|trace| spans::of(trace, guard)).collect(),
            schema_url: conventions::SCHEMA.to_owned(),
        };
        let resource = Some(self.resource.clone());
        let schema_url = conventions::SCHEMA.to_owned();
        ExportTraceServiceRequest {
            resource_spans: vec![ResourceSpans { resource, scope_spans: vec![spans], schema_url }],
        }
    }

    /// Once. Tells how many spans the collector has left out.
    async fn send(&self, body: Bytes) -> Result<u64, Refusal> {
        let request = self.client.post(self.config.endpoint.clone()).headers(self.headers.clone()).body(body);
        let mut response = request.send().await.map_err(|error| away(&error))?;
        let status = response.status();
        if !status.is_success() {
            return Err(refusal(status, response.headers()));
        }
        let mut answer = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| away(&error))? {
            if answer.len() + chunk.len() > LONGEST_ANSWER {
                return Ok(0);
            }
            answer.extend_from_slice(&chunk);
        }
        // What is no such message says nothing of spans left out.
        let partial = ExportTraceServiceResponse::decode(answer.as_slice()).ok().and_then(|told| told.partial_success);
        Ok(partial.map_or(0, |partial| u64::try_from(partial.rejected_spans).unwrap_or_default()))
    }
}

/// The job, and what else comes in a moment, up to a batch; who waits for it to be sent.
async fn gather(first: Job, jobs: &mut Receiver<Job>, batch: &mut Vec<Trace>) -> Option<SyncSender<()>> {
    let deadline = tokio::time::Instant::now() + GATHER;
    let mut next = Some(first);
    while let Some(job) = next {
        match job {
            Job::Trace(trace) => batch.push(*trace),
            Job::Flush(done) => return Some(done),
        }
        if batch.len() >= BATCH {
            break;
        }
        next = timeout_at(deadline, jobs.recv()).await.ok().flatten();
    }
    None
}

fn away(error: &reqwest::Error) -> Refusal {
    let reason = if error.is_timeout() { "timeout" } else { "unreachable" };
    Refusal { reason, again: Some(Duration::ZERO) }
}

/// By the section "OTLP/HTTP Response" of the protocol.
fn refusal(status: StatusCode, headers: &HeaderMap) -> Refusal {
    let asked = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    let again = matches!(status.as_u16(), 429 | 502..=504).then(|| Duration::from_secs(asked.unwrap_or(0)));
    Refusal { reason: "status", again }
}

fn headers(config: &Otlp) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in &config.headers {
        if let Ok(mut value) = HeaderValue::from_str(value.expose()) {
            value.set_sensitive(true);
            headers.insert(name, value);
        }
    }
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"));
    headers
}

fn resource(config: &Otlp) -> Resource {
    let own = [("service.name", &*config.service_name), ("service.version", env!("CARGO_PKG_VERSION"))];
    let more = config.resource_attributes.iter().map(|(name, value)| (&**name, &**value));
    let more = more.filter(|(name, _)| own.iter().all(|(own, _)| own != name));
    let attributes: Vec<KeyValue> = own.into_iter().chain(more).map(|(name, value)| attribute(name, value)).collect();
    Resource { attributes, ..Resource::default() }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;

    use super::*;
    use crate::config::Config;

    const PATIENCE: Duration = Duration::from_secs(20);

    fn config(listener: &TcpListener, more: &str) -> Otlp {
        let endpoint = format!("endpoint = \"http://{}\"", listener.local_addr().unwrap());
        let variables = [("OTLP_HEADERS".to_owned(), "api-key=k".to_owned())];
        let text = format!("[telemetry.otlp]\nheaders_env = \"OTLP_HEADERS\"\n{endpoint}\n{more}\n");
        Config::load(Some(&text), variables).unwrap().config.telemetry.otlp.unwrap()
    }

    fn counted(metrics: &Metrics, name: &str) -> u64 {
        let text = metrics.render();
        let line = text.lines().find_map(|line| line.strip_prefix(name)).expect("a counter");
        line.trim().parse().unwrap()
    }

    /// Reads one request and answers it with this.
    fn answer(listener: &TcpListener, response: &[u8]) -> (String, Vec<u8>) {
        let (mut stream, _) = listener.accept().unwrap();
        let (mut read, mut buffer) = (Vec::new(), [0; 4096]);
        loop {
            let head = read.windows(4).position(|four| four == b"\r\n\r\n");
            if let Some(end) = head {
                let head = String::from_utf8(read[..end].to_vec()).unwrap().to_ascii_lowercase();
                let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
                if read.len() >= end + 4 + length.parse::<usize>().unwrap() {
                    stream.write_all(response).unwrap();
                    return (head, read.split_off(end + 4));
                }
            }
            let count = stream.read(&mut buffer).unwrap();
            assert!(count > 0, "the request broke off");
            read.extend_from_slice(&buffer[..count]);
        }
    }

    #[test]
    fn a_batch_is_sent_with_its_headers_and_what_is_left_out_of_it_is_counted() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let metrics = Metrics::new().unwrap();
        let traces = Traces::start(&config(&listener, "service_name = \"edge\""), &metrics).unwrap();
        traces.request(Trace::example());
        traces.request(Trace::example());
        let collector = thread::spawn(move || {
            // partial_success { rejected_spans: 3 }
            answer(&listener, b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\nconnection: close\r\n\r\n\x0a\x02\x08\x03")
        });
        assert!(traces.flush(PATIENCE));
        let (head, body) = collector.join().unwrap();
        assert!(head.starts_with("post /v1/traces http/1.1"), "{head}");
        assert!(head.contains("api-key: k") && head.contains("content-type: application/x-protobuf"), "{head}");
        let sent = ExportTraceServiceRequest::decode(&*body).unwrap();
        assert_eq!(sent.resource_spans[0].scope_spans[0].spans.len(), 4);
        assert_eq!(counted(&metrics, "promptgate_traces_exported_total"), 2);
        assert_eq!(counted(&metrics, "promptgate_spans_rejected_total"), 3);
    }

    #[test]
    fn a_batch_is_sent_again_where_the_collector_is_busy_and_only_there() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let metrics = Metrics::new().unwrap();
        let traces = Traces::start(&config(&listener, ""), &metrics).unwrap();
        let collector = thread::spawn(move || {
            for status in ["503 Busy", "200 OK", "400 Bad"] {
                answer(
                    &listener,
                    format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").as_bytes(),
                );
            }
        });
        for _ in 0..2 {
            traces.request(Trace::example());
            assert!(traces.flush(PATIENCE));
        }
        collector.join().unwrap();
        assert_eq!(counted(&metrics, "promptgate_traces_exported_total"), 1);
        assert_eq!(counted(&metrics, "promptgate_traces_dropped_total{reason=\"collector\"}"), 1);
    }

    #[test]
    fn a_collector_that_never_answers_costs_traces_and_nobody_waits() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let metrics = Metrics::new().unwrap();
        let traces = Traces::start(&config(&listener, "queue = 4"), &metrics).unwrap();
        const SENT: usize = 1000;
        (0..SENT).for_each(|_| traces.request(Trace::example()));
        // One batch is on its way, and the queue is full behind it.
        let dropped = counted(&metrics, "promptgate_traces_dropped_total{reason=\"queue\"}");
        assert!(dropped >= (SENT - BATCH - 4) as u64, "{dropped}");
        assert!(!traces.flush(Duration::ZERO));
    }

    #[test]
    fn a_file_of_authorities_that_holds_none_is_told_at_the_start() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let start = |ca: &str| Traces::start(&config(&listener, &format!("ca = \"{ca}\"")), &Metrics::new().unwrap());
        assert!(matches!(start("Cargo.toml"), Err(TracesError::NoAuthority)));
        assert!(matches!(start("nowhere.pem"), Err(TracesError::Authority(_))));
    }
}
