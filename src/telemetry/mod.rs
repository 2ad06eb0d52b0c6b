//! Metrics, audit and logging. Never sees matched text.

pub mod audit;
pub mod chain;
mod connections;
mod conventions;
pub mod engine;
mod families;
pub mod logging;
pub mod metrics;
pub mod otlp;
pub mod overview;
pub mod recent;
pub mod record;
pub mod rfc3339;
mod spans;
pub mod trace;
pub mod trace_context;
mod trace_ids;

pub use audit::Audit;
pub use connections::Connected;
pub use engine::Counted;
pub use metrics::{Held, InFlight, Metrics, Totals};
pub use otlp::{Traces, TracesError};
pub use overview::{Overview, RuleCount};
pub use recent::{Recent, Seen, Spread};
pub use record::{AnswerRecord, Bytes, CandidateRecord, FindingCount, MaskCount, RequestRecord, Timings, Verdict};
pub use trace::Trace;
pub use trace_context::{SpanId, TraceContext, TraceId};
