//! What a trace is made of, apart from what the record of its request says. Holds names and times, and by its types no text,
//! token or body.

use std::time::{Duration, SystemTime};

use super::record::RequestRecord;
use super::trace_context::{Flags, SpanId, TraceId};

/// One finished request that is recorded.
#[derive(Clone, Debug)]
pub struct Trace {
    pub record: RequestRecord,
    pub place: Place,
    pub call: Option<Call>,
}

/// Where a request stands among others.
#[derive(Clone, Debug)]
pub struct Place {
    pub trace: TraceId,
    pub flags: Flags,
    /// The caller's span.
    pub parent: Option<SpanId>,
    /// The gateway's own.
    pub span: SpanId,
    pub began: SystemTime,
    /// Whether it came over TLS.
    pub secure: bool,
}

/// What was asked of the upstream, over all its addresses. Times are since the request began.
#[derive(Clone, Debug)]
pub struct Call {
    pub span: SpanId,
    /// The address asked last, as the configuration has it.
    pub host: String,
    pub port: u16,
    pub began: Duration,
    /// The request was sent to its end.
    pub sent: Option<Duration>,
    /// The answer began.
    pub answered: Option<Duration>,
    /// Of the upstream's answer.
    pub status: Option<u16>,
    /// The models that the caller and the answer name, without what policy would mask there.
    pub model: Option<String>,
    pub answered_by: Option<String>,
    /// Whether the answer came in events, which it does where the caller wanted it so.
    pub streamed: bool,
}

#[cfg(test)]
impl Trace {
    /// A masked request that was answered, for tests of what is made of one.
    pub(super) fn example() -> Self {
        let millis = Duration::from_millis;
        let parent = SpanId::draw();
        let place = Place {
            trace: TraceId::draw(),
            flags: Flags::begun(true),
            parent: Some(parent),
            span: SpanId::draw(),
            began: SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000),
            secure: false,
        };
        let call = Call {
            span: SpanId::draw(),
            host: "api.example.com".to_owned(),
            port: 443,
            began: millis(1),
            sent: Some(millis(2)),
            answered: Some(millis(14)),
            status: Some(200),
            model: Some("gpt-5".to_owned()),
            answered_by: Some("gpt-5-0613".to_owned()),
            streamed: true,
        };
        Trace { record: RequestRecord::example(), place, call: Some(call) }
    }
}
