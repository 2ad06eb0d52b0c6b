//! What is known of one request when it is over: the one thing both the audit log and the metrics are made from.
//! Holds names, numbers and identities, and by its types no text, token or body.

use std::sync::Arc;
use std::time::Duration;

use http::Method;

use super::trace_context::TraceId;
use crate::detect::Category;
use crate::policy::{Action, Level};
use crate::sanitize::{Usage, Verdict as Judged};

/// One finished request of the gateway listener.
#[derive(Clone, Debug, PartialEq)]
pub struct RequestRecord {
    pub request_id: String,
    /// Where traces are recorded, whether or not this one is.
    pub trace: Option<TraceId>,
    /// Empty for a caller that was not authenticated.
    pub client_id: String,
    /// `static`, `jwt` or `hmac`.
    pub auth_mode: &'static str,
    /// The route's path as the configuration writes it; `None` when no route matched.
    pub route: Option<Arc<str>>,
    pub format: Option<&'static str>,
    pub upstream: Option<Arc<str>>,
    pub method: Method,
    /// What the caller was answered; 0 when the connection ended before an answer.
    pub status: u16,
    pub verdict: Verdict,
    /// The code of a refusal, such as `content_filter` or `invalid_json`.
    pub code: Option<&'static str>,
    pub level: Level,
    /// The named policy it was judged by; `None` for the common one.
    pub policy: Option<Arc<str>>,
    /// What the candidate policy thinks of it, where there is one beside the common policy.
    pub candidate: Option<CandidateRecord>,
    pub findings: Vec<FindingCount>,
    pub masked: Vec<MaskCount>,
    pub bytes: Bytes,
    /// Placeholders that its values were given, where records are to name them.
    pub placeholders: Vec<Arc<str>>,
    /// What was done to the answer; `None` if there was none, or nothing that could have been done.
    pub answer: Option<AnswerRecord>,
    pub timings: Timings,
    /// Request headers and query keys that did not go up.
    pub dropped_headers: u64,
    pub dropped_query: u64,
}

/// What two policies think of one request, as far as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CandidateRecord {
    /// The name of the candidate.
    pub policy: Arc<str>,
    /// The verdict of the policy in force, and what the candidate's would be: about the text of the request alone.
    pub verdicts: (Verdict, Verdict),
    /// Rules that led to the latter.
    pub rules: Vec<Arc<str>>,
}

/// How a request ended, as far as the gateway decided it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Inspected and unchanged.
    Allowed,
    Masked,
    /// Let pass, because the policy only monitors what would have been refused.
    WouldBlock,
    /// Let pass with a text or more replaced by a notice.
    Quarantined,
    /// Refused by policy.
    Blocked,
    /// Refused for another reason: identity, scope, limits, form.
    Rejected,
    /// The upstream or the gateway failed.
    Failed,
    /// The caller went away.
    Aborted,
}

/// Findings of one rule that led to one action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FindingCount {
    pub rule: Arc<str>,
    pub category: Category,
    pub action: Action,
    pub count: u64,
}

/// Spans of one entity type that were masked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MaskCount {
    pub entity: Arc<str>,
    pub count: u64,
}

/// What was done to an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AnswerRecord {
    /// The caller's own values that were given back.
    pub restored: Vec<MaskCount>,
    /// What the model made up and was masked.
    pub masked: Vec<MaskCount>,
    pub findings: Vec<FindingCount>,
    /// Words like placeholders that stand for nothing known, and placeholders left where their value would have gone astray.
    pub unresolved: u64,
    pub kept_back: u64,
    /// Decoded text given to the detectors.
    pub inspected: u64,
    /// Left alone by choice, with why.
    pub uninspected: Vec<(&'static str, u64)>,
    /// Tokens, where the provider counted them.
    pub usage: Option<Usage>,
    /// How long events waited, added up, and sanitizing took.
    pub waited: Duration,
    pub guard: Duration,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bytes {
    /// Request body from the caller, as received.
    pub received: u64,
    /// Answer body to the caller.
    pub sent: u64,
    /// Of the request, decoded text given to the detectors.
    pub inspected: u64,
    /// Of the request, left alone by choice, with why: `media`, `name`, `sealed`, ...
    pub uninspected: Vec<(&'static str, u64)>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timings {
    /// From the first byte of the request to the last of the answer.
    pub total: Duration,
    /// What the gateway added to it.
    pub overhead: Duration,
    /// Of the overhead, inspecting the request.
    pub guard: Duration,
    /// From the end of the request to the first byte of the answer; `None` when nothing went up.
    pub upstream: Option<Duration>,
}

impl From<Judged> for Verdict {
    fn from(judged: Judged) -> Self {
        match judged {
            Judged::Clean => Verdict::Allowed,
            Judged::Masked => Verdict::Masked,
            Judged::WouldBlock => Verdict::WouldBlock,
            Judged::Quarantined => Verdict::Quarantined,
            Judged::Blocked => Verdict::Blocked,
        }
    }
}

impl FindingCount {
    /// The metric label and the audit field: what came of the findings.
    pub const fn outcome(&self) -> &'static str {
        match self.action {
            Action::Monitor => Verdict::WouldBlock.name(),
            action => action.name(),
        }
    }
}

impl Verdict {
    pub const ALL: [Verdict; 8] = [
        Verdict::Allowed,
        Verdict::Masked,
        Verdict::WouldBlock,
        Verdict::Quarantined,
        Verdict::Blocked,
        Verdict::Rejected,
        Verdict::Failed,
        Verdict::Aborted,
    ];

    /// The metric label and the audit field.
    pub const fn name(self) -> &'static str {
        match self {
            Verdict::Allowed => "allowed",
            Verdict::Masked => "masked",
            Verdict::WouldBlock => "would_block",
            Verdict::Quarantined => "quarantined",
            Verdict::Blocked => "blocked",
            Verdict::Rejected => "rejected",
            Verdict::Failed => "failed",
            Verdict::Aborted => "aborted",
        }
    }

    /// True when the gateway itself said no.
    pub const fn is_refusal(self) -> bool {
        matches!(self, Verdict::Blocked | Verdict::Rejected)
    }
}

#[cfg(test)]
impl RequestRecord {
    /// A masked request, for tests of what is made of one.
    pub(super) fn example() -> Self {
        RequestRecord {
            request_id: "req-1".to_owned(),
            trace: None,
            client_id: "user@company.com".to_owned(),
            auth_mode: "static",
            route: Some(Arc::from("/v1/chat/completions")),
            format: Some("openai.chat"),
            upstream: Some(Arc::from("openai")),
            method: Method::POST,
            status: 200,
            verdict: Verdict::Masked,
            code: None,
            level: Level::Medium,
            policy: None,
            candidate: None,
            findings: vec![FindingCount {
                rule: Arc::from("pii.email"),
                category: Category::Pii,
                action: Action::Mask,
                count: 2,
            }],
            masked: vec![MaskCount { entity: Arc::from("EMAIL_ADDRESS"), count: 2 }],
            placeholders: Vec::new(),
            answer: Some(AnswerRecord {
                usage: None,
                restored: vec![MaskCount { entity: Arc::from("EMAIL_ADDRESS"), count: 1 }],
                masked: vec![MaskCount { entity: Arc::from("API_KEY"), count: 1 }],
                findings: Vec::new(),
                unresolved: 1,
                kept_back: 1,
                inspected: 80,
                uninspected: vec![("sealed", 7)],
                waited: Duration::from_millis(2),
                guard: Duration::from_micros(40),
            }),
            bytes: Bytes { received: 120, sent: 300, inspected: 100, uninspected: vec![("opaque", 20)] },
            timings: Timings {
                total: Duration::from_millis(20),
                overhead: Duration::from_micros(150),
                guard: Duration::from_micros(90),
                upstream: Some(Duration::from_millis(12)),
            },
            dropped_headers: 3,
            dropped_query: 1,
        }
    }
}
