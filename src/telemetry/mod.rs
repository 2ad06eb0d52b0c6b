//! Metrics, audit and logging. Never sees matched text.

pub mod audit;
pub mod chain;
mod connections;
pub mod engine;
mod families;
pub mod logging;
pub mod metrics;
pub mod overview;
pub mod recent;
pub mod record;
pub mod rfc3339;
pub mod trace_context;
mod trace_ids;

pub use audit::Audit;
pub use connections::Connected;
pub use engine::Counted;
pub use metrics::{Held, InFlight, Metrics, Totals};
pub use overview::{Overview, RuleCount};
pub use recent::{Recent, Seen, Spread};
pub use record::{AnswerRecord, Bytes, CandidateRecord, FindingCount, MaskCount, RequestRecord, Timings, Verdict};
pub use trace_context::{SpanId, TraceContext, TraceId};
