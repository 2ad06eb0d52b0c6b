//! Counters, gauges and histograms, and their Prometheus text. Every label value comes from the configuration, a rule file
//! or the program, never from a request, so the number of series is bounded.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use prometheus::process_collector::ProcessCollector;
use prometheus::{
    Error, Histogram, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Registry, TextEncoder,
};

use super::connections::{Connected, Connections};
use super::engine::Counted;
use super::families::Families;
use super::otlp::Counts;
use super::overview::{Overview, by_label, by_rule};
use super::recent::Recent;
use super::record::{AnswerRecord, RequestRecord, Verdict};
use super::rfc3339;
use crate::limits::Unit;
use crate::policy::Level;
use crate::sanitize::consult::Engine;

/// All metrics of the process, in a registry of their own.
pub struct Metrics {
    registry: Registry,
    recent: Recent,
    since: SystemTime,
    refused: AtomicU64,
    finished: AtomicU64,
    requests: IntCounterVec,
    duration: Histogram,
    overhead: Histogram,
    guard: HistogramVec,
    findings: IntCounterVec,
    masked: IntCounterVec,
    restored: IntCounter,
    answer_masked: IntCounterVec,
    unresolved: IntCounterVec,
    waited: Histogram,
    inspected: IntCounterVec,
    uninspected: IntCounterVec,
    verdict_cache: IntCounterVec,
    vault: IntCounterVec,
    shared_state: IntCounterVec,
    engine_texts: IntCounterVec,
    engine_seconds: Histogram,
    held: IntGauge,
    candidate: IntCounterVec,
    rate_limited: IntCounterVec,
    rate_limit_counted: IntCounterVec,
    tokens: IntCounterVec,
    auth_failures: IntCounterVec,
    jwks_refreshes: IntCounterVec,
    upstream_errors: IntCounterVec,
    config_reloads: IntCounterVec,
    revocation_reads: IntCounterVec,
    tls_expiry: IntGaugeVec,
    level: IntGauge,
    in_flight: IntGauge,
    connections: Connections,
    dropped_headers: IntCounter,
    dropped_query: IntCounter,
    audit_dropped: IntCounter,
    traces: Counts,
}

/// What happened since the process started, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Totals {
    pub requests: u64,
    /// Refused by the gateway, for whatever reason.
    pub refused: u64,
    /// Masked spans by entity type.
    pub masked: BTreeMap<String, u64>,
    /// RFC 3339.
    pub since: String,
}

/// One direction of a request, the label `phase`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    Request,
    Response,
}

/// A request under way; counted as long as it lives.
#[derive(Debug)]
pub struct InFlight(IntGauge);

/// Bytes one request holds back; counted as long as it lives.
#[derive(Debug)]
pub struct Held {
    gauge: IntGauge,
    bytes: i64,
}

const ENGINE_TEXTS: &str = "Doubtful texts by what the engine made of them.";

const TLS_EXPIRY: &str = "When the first certificate of a listener ends.";
const UNRESOLVED: &str = "Words like placeholders in answers that were left as they are.";
const SHARED_STATE: &str = "Looks at what replicas share, and changes of it.";
const CANDIDATE: &str = "Requests judged by the candidate policy too, by what both think of them.";

const RATE_LIMITED: &str = "Requests refused for a limit, by its class and what it counts.";
const COUNTED: &str = "Requests whose limits were looked up, by who has counted them.";
const TOKENS: &str = "Tokens of requests and answers, where the provider counted them.";

impl Metrics {
    /// # Errors
    /// Only if two families had one name.
    pub fn new() -> Result<Self, Error> {
        let families = Families(Registry::new());
        families.build_info()?;
        families.0.register(Box::new(ProcessCollector::for_self()))?;
        Ok(Metrics {
            recent: Recent::default(),
            since: SystemTime::now(),
            refused: AtomicU64::new(0),
            finished: AtomicU64::new(0),
            requests: families.counters(
                "requests_total",
                "Requests of the gateway listener that are over.",
                &["route", "format", "status", "verdict"],
            )?,
            duration: families.histogram(
                "request_duration_seconds",
                "From the first byte of a request to the last of its answer.",
                SECONDS,
            )?,
            overhead: families.histogram("overhead_seconds", "What the gateway added to a request.", FRACTIONS)?,
            guard: families.histograms("guard_seconds", "Inspecting one body.", &["phase"], FRACTIONS)?,
            findings: families.counters(
                "findings_total",
                "Findings by what the policy did with them.",
                &["category", "rule", "action"],
            )?,
            masked: families.counters("masked_spans_total", "Spans replaced by a placeholder.", &["entity"])?,
            restored: families.counter("restored_spans_total", "Values given back to callers in answers.")?,
            answer_masked: families.counters(
                "answer_masked_spans_total",
                "Spans of answers that the model made up and were masked.",
                &["entity"],
            )?,
            unresolved: families.counters("unresolved_placeholders_total", UNRESOLVED, &["reason"])?,
            waited: families.histogram("answer_wait_seconds", "How long events of one answer waited.", FRACTIONS)?,
            inspected: families.counters("inspected_bytes_total", "Decoded text that was inspected.", &["phase"])?,
            uninspected: families.counters("uninspected_bytes_total", "Bytes left alone by choice.", &["reason"])?,
            verdict_cache: families.counters("verdict_cache_total", "Texts looked up before a scan.", &["result"])?,
            vault: families.counters("vault_total", "Placeholders of earlier answers.", &["operation", "result"])?,
            shared_state: families.counters("shared_state_total", SHARED_STATE, &["use", "result"])?,
            engine_texts: families.counters("engine_texts_total", ENGINE_TEXTS, &["outcome"])?,
            engine_seconds: families.histogram("engine_seconds", "From a question to its answer.", FRACTIONS)?,
            held: families.gauge("held_bytes", "Bytes held back until a verdict, in all requests.")?,
            candidate: families.counters("candidate_requests_total", CANDIDATE, &["verdict", "candidate"])?,
            rate_limited: families.counters("rate_limited_total", RATE_LIMITED, &["scope", "limit"])?,
            rate_limit_counted: families.counters("rate_limit_counted_total", COUNTED, &["result"])?,
            tokens: families.counters("tokens_total", TOKENS, &["route", "kind"])?,
            auth_failures: families.counters("auth_failures_total", "Callers turned away.", &["mode", "reason"])?,
            jwks_refreshes: families.counters("jwks_refresh_total", "Attempts to fetch the key set.", &["result"])?,
            upstream_errors: families.counters(
                "upstream_errors_total",
                "Requests an upstream did not answer properly.",
                &["upstream", "kind"],
            )?,
            config_reloads: families.outcomes("config_reloads_total", "Reloads of the configuration.")?,
            revocation_reads: families.outcomes("revocation_reads_total", "Reads of its file.")?,
            tls_expiry: families.gauges("tls_certificate_expiry_timestamp_seconds", TLS_EXPIRY, &["listener"])?,
            level: families.gauge("security_level", "The security level: 1 low, 2 medium, 3 high.")?,
            in_flight: families.gauge("in_flight_requests", "Requests being served.")?,
            connections: Connections::new(&families)?,
            dropped_headers: families.counter("dropped_headers_total", "Request headers that did not go up.")?,
            dropped_query: families.counter("dropped_query_keys_total", "Query keys that did not go up.")?,
            audit_dropped: families.counter("audit_dropped_total", "Audit records that could not be written.")?,
            traces: Counts::new(&families)?,
            registry: families.0,
        })
    }

    /// Counts a finished request: the only place where one is counted.
    pub fn request(&self, record: &RequestRecord) {
        let route = record.route.as_deref().unwrap_or(NONE);
        let labels = [route, record.format.unwrap_or(NONE), status(record.status), record.verdict.name()];
        self.requests.with_label_values(&labels).inc();
        self.count_totals(record.verdict);
        self.recent.note(SystemTime::now(), record);
        self.duration.observe(record.timings.total.as_secs_f64());
        self.overhead.observe(record.timings.overhead.as_secs_f64());
        self.inspected(Phase::Request, record.bytes.inspected, record.timings.guard);
        for (reason, bytes) in &record.bytes.uninspected {
            self.uninspected.with_label_values(&[*reason]).inc_by(*bytes);
        }
        for finding in &record.findings {
            let labels = [finding.category.name(), &finding.rule, finding.outcome()];
            self.findings.with_label_values(&labels).inc_by(finding.count);
        }
        if let Some(answer) = &record.answer {
            self.answer(answer);
            let counted = answer.usage.map(|usage| [("input", usage.input()), ("output", usage.output())]);
            for (kind, tokens) in counted.into_iter().flatten() {
                self.tokens.with_label_values(&[route, kind]).inc_by(tokens);
            }
        }
        if let Some(candidate) = &record.candidate {
            let (verdict, other) = candidate.verdicts;
            self.candidate.with_label_values(&[verdict.name(), other.name()]).inc();
        }
        for mask in &record.masked {
            self.masked.with_label_values(&[&*mask.entity]).inc_by(mask.count);
        }
        self.dropped_headers.inc_by(record.dropped_headers);
        self.dropped_query.inc_by(record.dropped_query);
    }

    fn answer(&self, answer: &AnswerRecord) {
        self.inspected(Phase::Response, answer.inspected, answer.guard);
        for (reason, bytes) in &answer.uninspected {
            self.uninspected.with_label_values(&[*reason]).inc_by(*bytes);
        }
        self.restored.inc_by(answer.restored.iter().map(|mask| mask.count).sum());
        for mask in &answer.masked {
            self.answer_masked.with_label_values(&[&*mask.entity]).inc_by(mask.count);
        }
        for finding in &answer.findings {
            let labels = [finding.category.name(), &finding.rule, finding.outcome()];
            self.findings.with_label_values(&labels).inc_by(finding.count);
        }
        for (reason, count) in [("unknown", answer.unresolved), ("sink", answer.kept_back)] {
            self.unresolved.with_label_values(&[reason]).inc_by(count);
        }
        self.waited.observe(answer.waited.as_secs_f64());
    }

    /// Text that was inspected, and how long that took. Counts nothing when there was none.
    pub fn inspected(&self, phase: Phase, bytes: u64, took: Duration) {
        if bytes > 0 {
            self.inspected.with_label_values(&[phase.name()]).inc_by(bytes);
            self.guard.with_label_values(&[phase.name()]).observe(took.as_secs_f64());
        }
    }

    /// Counters of texts that were known, and of those that were not.
    pub fn verdict_cache(&self) -> (IntCounter, IntCounter) {
        let of = |result: &str| self.verdict_cache.with_label_values(&[result]);
        (of("hit"), of("miss"))
    }

    /// A look into the vault: whether it knew any placeholder, or by the name of the error.
    pub fn vault_load(&self, result: Result<bool, &'static str>) {
        let result = result.map_or_else(|error| error, |known| if known { "hit" } else { "miss" });
        self.vault.with_label_values(&["load", result]).inc();
    }

    /// Placeholders given to the vault, or the name of the error.
    pub fn vault_store(&self, result: Result<(), &'static str>) {
        self.vault.with_label_values(&["store", result.err().unwrap_or("stored")]).inc();
    }

    /// A look at what replicas share, or a change of it. Both results are there from the first on.
    pub fn shared_state(&self, used: &str, succeeded: bool) {
        let of = |succeeded| self.shared_state.with_label_values(&[used, outcome(succeeded)]);
        of(!succeeded).inc_by(0);
        of(succeeded).inc();
    }

    /// The engine, with its answers counted.
    pub fn counted(&self, engine: Arc<dyn Engine>) -> Counted {
        Counted { engine, texts: self.engine_texts.clone(), seconds: self.engine_seconds.clone() }
    }

    /// `scope` is the name of a class of the configuration.
    pub fn rate_limited(&self, scope: &str, limit: Unit) {
        self.rate_limited.with_label_values(&[scope, limit.name()]).inc();
    }

    /// `result` is `memory`, `shared` (Redis), or while that is away `open` or `closed`.
    pub fn rate_limit_counted(&self, result: &'static str) {
        self.rate_limit_counted.with_label_values(&[result]).inc();
    }

    pub fn auth_failure(&self, mode: &'static str, reason: &'static str) {
        self.auth_failures.with_label_values(&[mode, reason]).inc();
    }

    pub fn jwks_refresh(&self, result: &'static str) {
        self.jwks_refreshes.with_label_values(&[result]).inc();
    }

    /// `upstream` is its name in the configuration.
    pub fn upstream_error(&self, upstream: &str, kind: &'static str) {
        self.upstream_errors.with_label_values(&[upstream, kind]).inc();
    }

    pub fn config_reload(&self, succeeded: bool) {
        self.config_reloads.with_label_values(&[outcome(succeeded)]).inc();
    }

    pub fn revocations_read(&self, succeeded: bool) {
        self.revocation_reads.with_label_values(&[outcome(succeeded)]).inc();
    }

    /// When the first certificate of a listener ends, in Unix time.
    pub fn tls_expiry(&self, listener: &'static str, seconds: i64) {
        self.tls_expiry.with_label_values(&[listener]).set(seconds);
    }

    pub fn security_level(&self, level: Level) {
        self.level.set(match level {
            Level::Low => 1,
            Level::Medium => 2,
            Level::High => 3,
        });
    }

    /// Counts a request as under way until the result is dropped.
    pub fn begin(&self) -> InFlight {
        self.in_flight.inc();
        InFlight(self.in_flight.clone())
    }

    /// Requests under way.
    pub fn in_flight(&self) -> usize {
        usize::try_from(self.in_flight.get()).unwrap_or_default()
    }

    /// Counts a client's connection as open until the result is dropped.
    pub fn connect(&self) -> Connected {
        self.connections.connect()
    }

    /// Connections of clients.
    pub fn open_connections(&self) -> usize {
        self.connections.open()
    }

    pub fn connection_refused(&self, reason: &'static str) {
        self.connections.refuse(reason);
    }

    /// Counts the bytes a request holds back until the result is dropped.
    pub fn hold(&self) -> Held {
        Held { gauge: self.held.clone(), bytes: 0 }
    }

    /// Bytes held back in all requests.
    pub fn held(&self) -> usize {
        usize::try_from(self.held.get()).unwrap_or_default()
    }

    pub(super) fn audit_dropped(&self) -> IntCounter {
        self.audit_dropped.clone()
    }

    pub(super) fn traces(&self) -> Counts {
        self.traces.clone()
    }

    /// In the Prometheus text format 0.0.4.
    pub fn render(&self) -> String {
        let mut text = String::new();
        // Writing to a string fails only on a family without a name; all are named above.
        match TextEncoder::new().encode_utf8(&self.registry.gather(), &mut text) {
            Ok(()) => text,
            Err(error) => format!("# {error}\n"),
        }
    }

    pub fn totals(&self) -> Totals {
        Totals {
            requests: self.finished.load(Ordering::Relaxed),
            refused: self.refused.load(Ordering::Relaxed),
            masked: by_label(&self.masked, "entity"),
            since: rfc3339::format(self.since),
        }
    }

    pub fn overview(&self) -> Overview {
        let count = |gauge: &IntGauge| u64::try_from(gauge.get()).unwrap_or_default();
        Overview {
            verdicts: by_label(&self.requests, "verdict"),
            rules: by_rule(&self.findings),
            auth_failures: by_label(&self.auth_failures, "reason"),
            upstream_errors: by_label(&self.upstream_errors, "upstream"),
            restored: self.restored.get(),
            in_flight: count(&self.in_flight),
            connections: self.connections.open() as u64,
        }
    }

    /// The latest requests.
    pub fn recent(&self) -> &Recent {
        &self.recent
    }

    fn count_totals(&self, verdict: Verdict) {
        self.finished.fetch_add(1, Ordering::Relaxed);
        self.refused.fetch_add(u64::from(verdict.is_refusal()), Ordering::Relaxed);
    }
}

impl Phase {
    const fn name(self) -> &'static str {
        match self {
            Phase::Request => "request",
            Phase::Response => "response",
        }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl Held {
    /// The request now holds this many bytes.
    pub fn set(&mut self, bytes: usize) {
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        self.gauge.add(bytes - self.bytes);
        self.bytes = bytes;
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.gauge.sub(self.bytes);
    }
}

/// The label of what has no route or format.
const NONE: &str = "none";

/// Whole requests: answers of a model take seconds to minutes.
const SECONDS: &[f64] =
    &[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0];

/// The gateway's own share: from 50 microseconds.
const FRACTIONS: &[f64] =
    &[0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0];

/// The value of the label `result` of what either works or does not.
pub(super) const fn outcome(succeeded: bool) -> &'static str {
    if succeeded { "ok" } else { "failed" }
}

/// The codes that occur, each as itself; of the rest, which an upstream may choose, the class.
fn status(code: u16) -> &'static str {
    const KNOWN: &[(u16, &str)] = &[
        (200, "200"),
        (202, "202"),
        (400, "400"),
        (401, "401"),
        (402, "402"),
        (403, "403"),
        (404, "404"),
        (405, "405"),
        (408, "408"),
        (409, "409"),
        (411, "411"),
        (413, "413"),
        (414, "414"),
        (415, "415"),
        (417, "417"),
        (422, "422"),
        (429, "429"),
        (431, "431"),
        (499, "499"),
        (500, "500"),
        (502, "502"),
        (503, "503"),
        (504, "504"),
        (529, "529"),
    ];
    let known = KNOWN.iter().find(|(known, _)| *known == code).map(|(_, text)| *text);
    known.unwrap_or(match code {
        0 => "none",
        100..=199 => "1xx",
        200..=299 => "2xx",
        300..=399 => "3xx",
        400..=499 => "4xx",
        500..=599 => "5xx",
        _ => "other",
    })
}

#[cfg(test)]
mod tests {
    use http::Method;

    use super::*;

    #[test]
    fn one_request_is_counted_once_in_every_family_it_belongs_to() {
        let metrics = Metrics::new().unwrap();
        metrics.request(&RequestRecord::example());
        metrics.auth_failure("jwt", "expired");
        metrics.jwks_refresh("ok");
        for result in [Ok(true), Ok(false), Err("damaged")] {
            metrics.vault_load(result);
        }
        metrics.vault_store(Ok(()));
        metrics.vault_store(Err("failed"));
        metrics.upstream_error("openai", "connect");
        metrics.config_reload(false);
        metrics.revocations_read(true);
        metrics.connection_refused("head_timeout");
        metrics.tls_expiry("gateway", 4_000_000_000);
        let (first, second) = (metrics.connect(), metrics.connect());
        assert_eq!(second.count(), 2);
        drop(first);
        metrics.security_level(Level::High);
        let text = metrics.render();
        for line in [
            "promptgate_requests_total{format=\"openai.chat\",route=\"/v1/chat/completions\",status=\"200\",verdict=\"masked\"} 1",
            "promptgate_request_duration_seconds_count 1",
            "promptgate_overhead_seconds_bucket{le=\"0.00025\"} 1",
            "promptgate_guard_seconds_count{phase=\"request\"} 1",
            "promptgate_findings_total{action=\"mask\",category=\"pii\",rule=\"pii.email\"} 2",
            "promptgate_masked_spans_total{entity=\"EMAIL_ADDRESS\"} 2",
            "promptgate_uninspected_bytes_total{reason=\"sealed\"} 7",
            "promptgate_restored_spans_total 1",
            "promptgate_answer_masked_spans_total{entity=\"API_KEY\"} 1",
            "promptgate_unresolved_placeholders_total{reason=\"sink\"} 1",
            "promptgate_inspected_bytes_total{phase=\"response\"} 80",
            "promptgate_inspected_bytes_total{phase=\"request\"} 100",
            "promptgate_uninspected_bytes_total{reason=\"opaque\"} 20",
            "promptgate_auth_failures_total{mode=\"jwt\",reason=\"expired\"} 1",
            "promptgate_jwks_refresh_total{result=\"ok\"} 1",
            "promptgate_vault_total{operation=\"load\",result=\"hit\"} 1",
            "promptgate_vault_total{operation=\"load\",result=\"miss\"} 1",
            "promptgate_vault_total{operation=\"load\",result=\"damaged\"} 1",
            "promptgate_vault_total{operation=\"store\",result=\"stored\"} 1",
            "promptgate_vault_total{operation=\"store\",result=\"failed\"} 1",
            "promptgate_upstream_errors_total{kind=\"connect\",upstream=\"openai\"} 1",
            "promptgate_config_reloads_total{result=\"failed\"} 1",
            "promptgate_revocation_reads_total{result=\"ok\"} 1",
            "promptgate_tls_certificate_expiry_timestamp_seconds{listener=\"gateway\"} 4000000000",
            "promptgate_security_level 3",
            "promptgate_client_connections 1",
            "promptgate_connections_refused_total{reason=\"head_timeout\"} 1",
            "promptgate_in_flight_requests 0",
            "promptgate_held_bytes 0",
            "promptgate_dropped_headers_total 3",
            "promptgate_dropped_query_keys_total 1",
            "promptgate_audit_dropped_total 0",
            &format!(
                "promptgate_build_info{{commit=\"{}\",version=\"{}\"}} 1",
                super::super::families::COMMIT,
                env!("CARGO_PKG_VERSION")
            ),
        ] {
            assert!(text.lines().any(|have| have == line), "{line} is not in\n{text}");
        }
        assert!(text.contains("process_resident_memory_bytes "), "{text}");
    }

    #[test]
    fn what_may_fail_once_is_counted_from_zero() {
        let text = Metrics::new().unwrap().render();
        for name in ["config_reloads_total", "revocation_reads_total"] {
            for result in ["ok", "failed"] {
                let line = format!("promptgate_{name}{{result=\"{result}\"}} 0");
                assert!(text.lines().any(|have| have == line), "{line} is not in\n{text}");
            }
        }
    }

    #[test]
    fn totals_count_requests_refusals_and_masked_spans() {
        let metrics = Metrics::new().unwrap();
        for verdict in Verdict::ALL {
            metrics.request(&RequestRecord { verdict, ..RequestRecord::example() });
        }
        let totals = metrics.totals();
        assert_eq!((totals.requests, totals.refused), (8, 2));
        assert_eq!(totals.masked, BTreeMap::from([("EMAIL_ADDRESS".to_owned(), 16)]));
        assert!(totals.since.ends_with('Z'));
    }

    #[test]
    fn gauges_fall_back_when_a_request_ends_however_it_ends() {
        let metrics = Metrics::new().unwrap();
        let request = metrics.begin();
        let (mut one, mut other) = (metrics.hold(), metrics.hold());
        one.set(100);
        other.set(10);
        one.set(70);
        assert_eq!((metrics.in_flight(), metrics.held()), (1, 80));
        drop((request, one, other));
        assert_eq!((metrics.in_flight(), metrics.held()), (0, 0));
    }

    #[test]
    fn ten_thousand_callers_with_names_of_their_own_make_no_series() {
        let metrics = Metrics::new().unwrap();
        let series = |metrics: &Metrics| metrics.render().lines().filter(|line| !line.starts_with('#')).count();
        let record = |number: u32| RequestRecord {
            request_id: format!("req-{number}"),
            client_id: format!("client-{number}"),
            method: Method::from_bytes(format!("METHOD{number}").as_bytes()).unwrap(),
            status: u16::try_from(number % 1000).unwrap(),
            ..RequestRecord::example()
        };
        (0..1000).for_each(|number| metrics.request(&record(number)));
        let before = series(&metrics);
        (1000..10_000).for_each(|number| metrics.request(&record(number)));
        assert_eq!(series(&metrics), before);
        assert!(before < 3000, "{before}");
    }

    #[test]
    fn no_status_an_upstream_invents_makes_a_series_of_its_own() {
        let labels: std::collections::BTreeSet<&str> = (0..=u16::MAX).map(status).collect();
        assert_eq!(labels.len(), 31);
        assert_eq!((status(200), status(418), status(0), status(999)), ("200", "4xx", "none", "other"));
    }
}
