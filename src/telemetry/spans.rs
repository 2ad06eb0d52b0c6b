//! The spans of a trace, as OTLP has them. Sends none, and reads nothing but names, numbers and times.
//!
//! The gateway's own span is that of an HTTP server, the call of the upstream one of a client of generative AI, or of HTTP
//! where no model is asked. `url.path`, `url.query`, `user_agent.original` and `client.address` are left out, which the
//! conventions ask for: callers write into them what they like.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{Span, SpanFlags, Status};

use super::conventions;
use super::record::{AnswerRecord, FindingCount, MaskCount, RequestRecord, Verdict};
use super::trace::{Call, Place, Trace};
use super::trace_context::SpanId;

/// Longer names are cut: callers choose some of them.
const MAX_CHARS: usize = 128;

/// Rules that one span names.
const MAX_RULES: usize = 32;

/// `guard` adds one for each inspection.
pub(super) fn of(trace: &Trace, guard: bool) -> Vec<Span> {
    let mut spans = vec![served(trace)];
    spans.extend(trace.call.as_ref().map(|call| called(trace, call)));
    if guard {
        spans.extend(request_inspected(trace));
        spans.extend(trace.record.answer.as_ref().and_then(|answer| answer_inspected(trace, answer)));
    }
    spans
}

/// The request, from its first byte to the last of its answer.
fn served(trace: &Trace) -> Span {
    let (record, place) = (&trace.record, &trace.place);
    let method = method(record);
    let name = match &record.route {
        Some(route) => format!("{method} {route}"),
        None => method.to_owned(),
    };
    let mut attributes = Attributes::default();
    attributes.text("http.request.method", method);
    attributes.maybe("http.route", record.route.as_deref());
    attributes.text("url.scheme", if place.secure { "https" } else { "http" });
    attributes.status(Some(record.status).filter(|status| *status > 0));
    attributes.text("promptgate.request_id", &record.request_id);
    attributes.text("promptgate.verdict", record.verdict.name());
    attributes.text("promptgate.level", record.level.name());
    attributes.maybe("promptgate.format", record.format);
    attributes.maybe("promptgate.upstream", record.upstream.as_deref());
    attributes.maybe("promptgate.policy", record.policy.as_deref());
    attributes.maybe("promptgate.code", record.code);
    attributes.number("promptgate.overhead_us", micros(record.timings.overhead));
    // What a caller did wrong is no error of the server, and neither is a refusal.
    let failed = record.status >= 500 || record.verdict == Verdict::Failed;
    let error = failed.then(|| error_type(record.code, Some(record.status)));
    attributes.maybe("error.type", error.as_deref());
    let remote = if place.parent.is_some() { SpanFlags::ContextIsRemoteMask as u32 } else { 0 };
    let span = span(place, name, SpanKind::Server, place.span, Duration::ZERO..record.timings.total);
    Span {
        parent_span_id: place.parent.map(bytes).unwrap_or_default(),
        flags: span.flags | remote,
        attributes: attributes.0,
        status: failed.then_some(FAILED),
        ..span
    }
}

/// The call of the upstream.
fn called(trace: &Trace, call: &Call) -> Span {
    let record = &trace.record;
    let generative = record.format.and_then(conventions::of);
    let model = call.model.as_deref().filter(|_| generative.is_some()).map(clean);
    let mut attributes = Attributes::default();
    let name = match generative {
        Some((provider, operation)) => {
            attributes.text("gen_ai.operation.name", operation);
            attributes.text("gen_ai.provider.name", provider);
            attributes.maybe("gen_ai.request.model", model.as_deref());
            attributes.maybe("gen_ai.response.model", call.answered_by.as_deref());
            // As the conventions have it: left out is no.
            if call.streamed {
                attributes.push("gen_ai.request.stream", Value::BoolValue(true));
            }
            model.map_or_else(|| operation.to_owned(), |model| format!("{operation} {model}"))
        }
        None => method(record).to_owned(),
    };
    attributes.text("http.request.method", method(record));
    attributes.status(call.status);
    attributes.text("server.address", &call.host);
    attributes.number("server.port", call.port.into());
    if let Some(usage) = record.answer.as_ref().and_then(|answer| answer.usage).filter(|_| generative.is_some()) {
        attributes.number("gen_ai.usage.input_tokens", usage.input());
        attributes.number("gen_ai.usage.output_tokens", usage.output());
    }
    let failed = call.status.is_none_or(|status| status >= 400) || record.verdict == Verdict::Failed;
    // A caller that has gone away is no error of the upstream's.
    let failed = failed && !(record.verdict == Verdict::Aborted && call.status.is_none());
    let error = failed.then(|| error_type(record.code, call.status));
    attributes.maybe("error.type", error.as_deref());
    let span = span(&trace.place, name, SpanKind::Client, call.span, call.began..record.timings.total);
    Span { parent_span_id: bytes(trace.place.span), attributes: attributes.0, status: failed.then_some(FAILED), ..span }
}

/// Until the verdict, as far as the body was read. `None` if there was nothing to read.
fn request_inspected(trace: &Trace) -> Option<Span> {
    let record = &trace.record;
    if record.bytes.inspected == 0 && record.findings.is_empty() {
        return None;
    }
    let mut attributes = Attributes::default();
    attributes.number("promptgate.inspected_bytes", record.bytes.inspected);
    attributes.number("promptgate.guard_us", micros(record.timings.guard));
    attributes.findings(&record.findings);
    attributes.number("promptgate.masked", sum(&record.masked));
    let end = trace.call.as_ref().and_then(|call| call.sent).unwrap_or(record.timings.total);
    Some(inspected(trace, "inspect request", Duration::ZERO..end, attributes))
}

fn answer_inspected(trace: &Trace, answer: &AnswerRecord) -> Option<Span> {
    let begin = trace.call.as_ref()?.answered?;
    let mut attributes = Attributes::default();
    attributes.number("promptgate.inspected_bytes", answer.inspected);
    attributes.number("promptgate.guard_us", micros(answer.guard));
    attributes.number("promptgate.waited_us", micros(answer.waited));
    attributes.findings(&answer.findings);
    attributes.number("promptgate.masked", sum(&answer.masked));
    attributes.number("promptgate.restored", sum(&answer.restored));
    Some(inspected(trace, "inspect answer", begin..trace.record.timings.total, attributes))
}

fn inspected(trace: &Trace, name: &str, time: std::ops::Range<Duration>, attributes: Attributes) -> Span {
    let span = span(&trace.place, name.to_owned(), SpanKind::Internal, SpanId::draw(), time);
    Span { parent_span_id: bytes(trace.place.span), attributes: attributes.0, ..span }
}

/// One that has no parent yet. Of `tracestate` nothing is recorded: it is for the systems that wrote it.
fn span(place: &Place, name: String, kind: SpanKind, id: SpanId, time: std::ops::Range<Duration>) -> Span {
    Span {
        trace_id: place.trace.0.get().to_be_bytes().to_vec(),
        span_id: bytes(id),
        flags: u32::from(place.flags.bits()) | SpanFlags::ContextHasIsRemoteMask as u32,
        name,
        kind: kind.into(),
        start_time_unix_nano: nanos(place.began, time.start),
        end_time_unix_nano: nanos(place.began, time.end),
        ..Span::default()
    }
}

const FAILED: Status = Status { message: String::new(), code: StatusCode::Error as i32 };

/// Our own code of what went wrong, else the status.
fn error_type(code: Option<&'static str>, status: Option<u16>) -> String {
    match (code, status) {
        (Some(code), _) => code.to_owned(),
        (None, Some(status)) if status > 0 => status.to_string(),
        (None, _) => "_OTHER".to_owned(),
    }
}

/// Of those that callers may choose freely only what HTTP knows.
fn method(record: &RequestRecord) -> &str {
    const KNOWN: &[&str] = &["CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "QUERY", "TRACE"];
    let method = record.method.as_str();
    KNOWN.iter().find(|known| **known == method).copied().unwrap_or("_OTHER")
}

/// Of a bounded length, and without what moves a terminal's cursor.
fn clean(text: &str) -> String {
    let clean = |c: char| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c };
    text.chars().take(MAX_CHARS).map(clean).collect()
}

fn bytes(id: SpanId) -> Vec<u8> {
    id.0.get().to_be_bytes().to_vec()
}

fn nanos(began: SystemTime, since: Duration) -> u64 {
    let time = began.duration_since(UNIX_EPOCH).unwrap_or_default() + since;
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

fn sum(masks: &[MaskCount]) -> u64 {
    masks.iter().map(|mask| mask.count).sum()
}

/// Of one span.
#[derive(Default)]
struct Attributes(Vec<KeyValue>);

impl Attributes {
    fn text(&mut self, key: &str, text: &str) {
        self.0.push(attribute(key, text));
    }

    fn maybe(&mut self, key: &str, text: Option<&str>) {
        self.0.extend(text.map(|text| attribute(key, text)));
    }

    fn number(&mut self, key: &str, number: u64) {
        self.push(key, Value::IntValue(i64::try_from(number).unwrap_or(i64::MAX)));
    }

    fn status(&mut self, status: Option<u16>) {
        if let Some(status) = status {
            self.number("http.response.status_code", status.into());
        }
    }

    /// How many, and the rules that made them.
    fn findings(&mut self, findings: &[FindingCount]) {
        self.number("promptgate.findings", findings.iter().map(|finding| finding.count).sum());
        let rules = findings.iter().take(MAX_RULES).map(|finding| any(Value::StringValue(clean(&finding.rule))));
        self.push("promptgate.rules", Value::ArrayValue(ArrayValue { values: rules.collect() }));
    }

    fn push(&mut self, key: &str, value: Value) {
        self.0.push(KeyValue { key: key.to_owned(), value: Some(any(value)), ..KeyValue::default() });
    }
}

/// An attribute whose value is a text, bounded and clean.
pub(super) fn attribute(key: &str, text: &str) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(any(Value::StringValue(clean(text)))), ..KeyValue::default() }
}

const fn any(value: Value) -> AnyValue {
    AnyValue { value: Some(value) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(span: &Span, key: &str) -> Option<Value> {
        span.attributes.iter().find(|attribute| attribute.key == key)?.value.clone()?.value
    }

    fn text(span: &Span, key: &str) -> Option<String> {
        match value(span, key)? {
            Value::StringValue(text) => Some(text),
            other => panic!("{key} is {other:?}"),
        }
    }

    #[test]
    fn the_call_of_the_upstream_stands_below_the_gateways_own_span_and_that_below_the_callers() {
        let trace = Trace::example();
        let [served, called] = &of(&trace, false)[..] else { panic!("two spans") };
        assert_eq!((&*served.name, served.kind()), ("POST /v1/chat/completions", SpanKind::Server));
        assert_eq!((&*called.name, called.kind()), ("chat gpt-5", SpanKind::Client));
        assert_eq!(served.parent_span_id, bytes(trace.place.parent.unwrap()));
        assert_eq!(called.parent_span_id, served.span_id);
        assert!([served, called].iter().all(|span| span.trace_id == trace.place.trace.0.get().to_be_bytes()));
        let lasted = |span: &Span| (span.end_time_unix_nano - span.start_time_unix_nano) / 1_000_000;
        assert_eq!((lasted(served), lasted(called)), (20, 19));
        assert_eq!((served.flags, called.flags), (0x303, 0x103));
        for (key, expected) in [
            ("http.request.method", "POST"),
            ("http.route", "/v1/chat/completions"),
            ("promptgate.request_id", "req-1"),
            ("promptgate.verdict", "masked"),
            ("promptgate.level", "medium"),
        ] {
            assert_eq!(text(served, key).as_deref(), Some(expected), "{key}");
        }
        for (key, expected) in [
            ("gen_ai.operation.name", "chat"),
            ("gen_ai.provider.name", "openai"),
            ("gen_ai.request.model", "gpt-5"),
            ("gen_ai.response.model", "gpt-5-0613"),
            ("server.address", "api.example.com"),
        ] {
            assert_eq!(text(called, key).as_deref(), Some(expected), "{key}");
        }
        assert_eq!(value(called, "server.port"), Some(Value::IntValue(443)));
        assert_eq!(value(called, "gen_ai.request.stream"), Some(Value::BoolValue(true)));
    }

    #[test]
    fn where_no_model_is_asked_the_call_is_one_of_http() {
        let mut trace = Trace::example();
        trace.record.format = Some("mcp");
        let called = &of(&trace, false)[1];
        assert_eq!((&*called.name, text(called, "gen_ai.request.model")), ("POST", None));
        trace.call = None;
        trace.record.route = None;
        let spans = of(&trace, true);
        assert_eq!((&*spans[0].name, text(&spans[0], "http.route")), ("POST", None));
    }

    #[test]
    fn what_callers_choose_is_bounded_and_clean() {
        let mut trace = Trace::example();
        trace.record.method = http::Method::from_bytes(b"CANARY").unwrap();
        trace.record.request_id = "r".repeat(9000);
        trace.call.as_mut().unwrap().model = Some(format!("a\u{1b}[2J{}", "x".repeat(9000)));
        trace.record.findings = vec![trace.record.findings[0].clone(); 1000];
        let spans = of(&trace, true);
        let whole = format!("{spans:?}");
        assert!(!whole.contains("CANARY") && !whole.contains("1b") && whole.len() < 20_000, "{whole}");
        let model = text(&spans[1], "gen_ai.request.model").unwrap();
        assert_eq!((model.chars().count(), &*model.chars().take(5).collect::<String>()), (128, "a\u{fffd}[2J"));
        let Some(Value::ArrayValue(rules)) = value(&spans[2], "promptgate.rules") else { panic!("rules") };
        assert_eq!(rules.values.len(), MAX_RULES);
        assert_eq!(value(&spans[2], "promptgate.findings"), Some(Value::IntValue(2000)));
    }

    #[test]
    fn an_inspection_has_a_span_only_where_there_was_one() {
        let mut trace = Trace::example();
        let names = |trace: &Trace| of(trace, true).iter().map(|span| span.name.clone()).collect::<Vec<_>>();
        assert_eq!(names(&trace)[2..], ["inspect request", "inspect answer"]);
        assert!(of(&trace, true)[2..].iter().all(|span| span.parent_span_id == bytes(trace.place.span)));
        trace.record.answer = None;
        trace.record.bytes.inspected = 0;
        trace.record.findings = Vec::new();
        assert_eq!(names(&trace).len(), 2);
    }

    #[test]
    fn an_error_is_of_the_span_whose_it_is() {
        type Case = (u16, Verdict, Option<&'static str>, Option<u16>, Option<&'static str>, Option<&'static str>);
        let cases: &[Case] = &[
            (200, Verdict::Masked, None, Some(200), None, None),
            (429, Verdict::Allowed, None, Some(429), None, Some("429")),
            (500, Verdict::Allowed, None, Some(500), Some("500"), Some("500")),
            (
                502,
                Verdict::Failed,
                Some("upstream_unreachable"),
                None,
                Some("upstream_unreachable"),
                Some("upstream_unreachable"),
            ),
            (
                200,
                Verdict::Failed,
                Some("upstream_timeout"),
                Some(200),
                Some("upstream_timeout"),
                Some("upstream_timeout"),
            ),
            (0, Verdict::Aborted, None, None, None, None),
            (200, Verdict::Aborted, None, Some(200), None, None),
        ];
        for (status, verdict, code, upstream, served, called) in cases {
            let mut trace = Trace::example();
            trace.record = RequestRecord { status: *status, verdict: *verdict, code: *code, ..trace.record };
            trace.call.as_mut().unwrap().status = *upstream;
            let spans = of(&trace, false);
            let failed = |span: &Span| span.status.clone().map(|status| status.code()) == Some(StatusCode::Error);
            for (span, expected) in [(&spans[0], served), (&spans[1], called)] {
                assert_eq!(text(span, "error.type").as_deref(), *expected, "{status} {verdict:?}: {}", span.name);
                assert_eq!(failed(span), expected.is_some(), "{status} {verdict:?}: {}", span.name);
            }
        }
        let mut refused = Trace { call: None, ..Trace::example() };
        refused.record =
            RequestRecord { status: 400, verdict: Verdict::Blocked, code: Some("content_filter"), ..refused.record };
        let served = &of(&refused, false)[0];
        assert_eq!(
            (text(served, "promptgate.code").as_deref(), text(served, "error.type")),
            (Some("content_filter"), None)
        );
    }
}
