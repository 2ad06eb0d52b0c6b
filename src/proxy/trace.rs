//! The trace that a request belongs to: joined or begun with its head, told to the upstream, handed over when it is over.
//! Knows nothing of who records it.

use std::time::{Duration, Instant, SystemTime};

use http::{HeaderMap, HeaderName, StatusCode};
use pingora::http::RequestHeader;

use super::context::Context;
use crate::sanitize;
use crate::telemetry::trace::{Call, Place};
use crate::telemetry::trace_context::{Flags, TRACEPARENT, TRACESTATE, traceparent};
use crate::telemetry::{SpanId, TraceContext, TraceId};

/// Of a request under way.
pub struct Trace {
    pub id: TraceId,
    parent: Option<SpanId>,
    flags: Flags,
    state: String,
    /// Whether it would be recorded if its caller had said nothing.
    drawn: bool,
    began: SystemTime,
    /// Of the call of the upstream, and when that began.
    call: SpanId,
    called: Option<Instant>,
    status: Option<StatusCode>,
}

impl Trace {
    /// `ratio` is the part of the traces begun here that is recorded.
    pub fn begin(headers: &HeaderMap, ratio: f64) -> Self {
        let id = TraceId::draw();
        let drawn = id.is_within(ratio);
        let begun = Trace {
            id,
            parent: None,
            flags: Flags::begun(drawn),
            state: String::new(),
            drawn,
            began: SystemTime::now(),
            call: SpanId::draw(),
            called: None,
            status: None,
        };
        match TraceContext::of(headers) {
            Some(TraceContext { trace, parent, flags, state }) => {
                Trace { id: trace, parent: Some(parent), flags, state, ..begun }
            }
            None => begun,
        }
    }

    /// An address of the upstream is asked, the first or another.
    pub fn call(&mut self) {
        self.called.get_or_insert_with(Instant::now);
    }

    /// The upstream has answered.
    pub fn answered(&mut self, status: StatusCode) {
        self.status = Some(status);
    }

    /// Puts the call into the head that goes up, in place of what the caller said.
    pub fn stamp(&self, head: &mut RequestHeader) -> pingora::Result<()> {
        head.insert_header(HeaderName::from_static(TRACEPARENT), traceparent(self.id, self.call, self.flags))?;
        head.remove_header(TRACESTATE);
        if !self.state.is_empty() {
            head.insert_header(HeaderName::from_static(TRACESTATE), self.state.as_str())?;
        }
        Ok(())
    }

    /// By the caller's word, if it is known who that is: others could fill the queue with it.
    const fn is_recorded(&self, known: bool) -> bool {
        if known { self.flags.sampled() } else { self.drawn }
    }
}

/// What there is to record of the trace, besides the request's own record.
pub fn of(context: &Context) -> Option<(Place, Option<Call>)> {
    let trace = context.trace.as_ref().filter(|trace| trace.is_recorded(context.principal.is_some()))?;
    let place = Place {
        trace: trace.id,
        flags: trace.flags.with_sampled(true),
        parent: trace.parent,
        span: SpanId::draw(),
        began: trace.began,
        secure: context.snapshot.config.gateway.tls.is_some(),
    };
    Some((place, call(trace, context)))
}

fn call(trace: &Trace, context: &Context) -> Option<Call> {
    let since = |at: Instant| -> Duration { at.saturating_duration_since(context.started) };
    let (began, target) = (trace.called?, context.target.as_ref()?);
    let address = context.way.as_ref().map_or(&target.route.upstream.address, |way| &way.place);
    let guard = &context.policy.guard;
    let answer = context.answer.as_ref();
    let harmless = |name: &String| sanitize::text(guard, context.level, name).text;
    Some(Call {
        span: trace.call,
        host: address.host.clone(),
        port: address.port,
        began: since(began),
        sent: context.clock.sent_up.map(since),
        answered: context.clock.first_byte.map(since),
        status: trace.status.map(|status| status.as_u16()),
        model: context.models.first().map(harmless),
        answered_by: answer.and_then(|filter| filter.report().model.as_ref()).map(harmless),
        streamed: answer.is_some_and(|filter| filter.is_stream()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALLER: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-";

    fn begin(parent: Option<&str>, ratio: f64) -> Trace {
        let mut headers = HeaderMap::new();
        if let Some(parent) = parent {
            headers.insert(TRACEPARENT, parent.parse().unwrap());
            headers.insert(TRACESTATE, "congo=1".parse().unwrap());
        }
        Trace::begin(&headers, ratio)
    }

    fn up(trace: &Trace) -> (String, Option<String>) {
        let mut head = RequestHeader::build("POST", b"/", None).unwrap();
        head.insert_header(TRACEPARENT, "what the caller said").unwrap();
        head.insert_header(TRACESTATE, "what the caller said").unwrap();
        trace.stamp(&mut head).unwrap();
        let of = |name: &str| head.headers.get(name).map(|value| value.to_str().unwrap().to_owned());
        (of(TRACEPARENT).unwrap(), of(TRACESTATE))
    }

    #[test]
    fn a_trace_that_a_caller_began_goes_on_with_our_call_as_the_parent() {
        let trace = begin(Some(&format!("{CALLER}01")), 0.0);
        let expected = format!("00-0af7651916cd43dd8448eb211c80319c-{}-01", trace.call);
        assert_eq!(up(&trace), (expected, Some("congo=1".to_owned())));
        assert_eq!(trace.parent.map(|parent| parent.to_string()).as_deref(), Some("b7ad6b7169203331"));
    }

    #[test]
    fn what_is_no_context_begins_anew_and_nothing_of_it_goes_on() {
        for parent in [None, Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-1")] {
            let trace = begin(parent, 1.0);
            assert_eq!(up(&trace), (format!("00-{}-{}-03", trace.id, trace.call), None));
            assert_eq!(trace.parent, None);
        }
    }

    #[test]
    fn a_known_caller_says_what_is_recorded_and_chance_says_it_of_others() {
        for (flags, ratio, known, unknown) in
            [("01", 0.0, true, false), ("00", 1.0, false, true), ("01", 1.0, true, true), ("00", 0.0, false, false)]
        {
            let trace = begin(Some(&format!("{CALLER}{flags}")), ratio);
            assert_eq!((trace.is_recorded(true), trace.is_recorded(false)), (known, unknown), "{flags} {ratio}");
        }
        for (ratio, recorded) in [(0.0, false), (1.0, true)] {
            assert_eq!(
                (begin(None, ratio).is_recorded(true), begin(None, ratio).is_recorded(false)),
                (recorded, recorded)
            );
        }
    }
}
