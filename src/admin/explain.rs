//! `POST /explain_prompt`: one text or request body at every level side by side, and why. Sends and logs nothing of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use http::Method;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::inspect::off_the_reactor;
use super::reply::JSON;
use super::route::{Answer, Call, Endpoint, Input, Output, Route, schema_of};
use super::validate::PROMPT_LIMIT;
use super::{Refusal, Reply, body};
use crate::auth::Scope;
use crate::detect::{Category, Finding};
use crate::policy::{Action, Level};
use crate::sanitize::{self, Guard, Limits, Report, Request, Sanitized, Whole};
use crate::snapshot::Snapshot;
use crate::text::offsets;
use crate::wire::{self, Dialect};

pub(super) const ROUTE: Route = Route {
    method: Method::POST,
    path: "/explain_prompt",
    tool: None,
    summary: "Explain what becomes of a prompt at every level",
    description: "Judges a text as one user message, or a whole request body of a wire format as the gateway does, at low, medium \
                  and high: the masked text, scores against thresholds, the rules that led there, and where in it each finding \
                  stands. Nothing of it is sent or logged.",
    input: Some(Input {
        limit: PROMPT_LIMIT,
        schema: schema_of::<ExplainRequest>,
        example: r#"{"text":"My password is secret123"}"#,
    }),
    outputs: &[Output {
        status: 200,
        description: "The explanation. A text that would be refused is an answer too, not an error.",
        content_type: JSON,
        schema: schema_of::<ExplainResponse>,
        example: r#"{"success":true,"security_level":"medium","findings":[{"rule":"secret.password.first_person",
            "category":"secret","entity":"PASSWORD","severity":"high","confidence":0.9,"start":15,"end":24}],
            "levels":[{"level":"low","verdict":"masked","refusal":null,"secured":"My password is [PASSWORD_MASKED]",
            "categories":[{"category":"secret","score":0.9,"threshold":0.2,"action":"mask","outcome":"mask"}],
            "rules":[{"rule":"secret.password.first_person","category":"secret","action":"mask","count":1}],
            "masked_by_entity":{"PASSWORD":1}}]}"#,
    }],
    endpoint: Endpoint::Guarded { scope: Some(Scope::Analyze), answer },
};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ExplainRequest {
    /// The text, or a request body as text.
    text: String,
    /// The wire format of the body; without one the text is one user message.
    #[schemars(extend("enum" = formats()))]
    format: Option<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct ExplainResponse {
    success: bool,
    /// The level in force.
    security_level: &'static str,
    /// In the order of the text, at most the first 1,000, whatever the levels make of them.
    findings: Vec<FindingBody>,
    /// Low, medium, high.
    levels: Vec<LevelBody>,
}

/// One finding and where it stands in the text that was given, which for a body is its JSON as it was written. Places are
/// counted in Unicode code points, not in bytes or UTF-16.
#[derive(Debug, Serialize, JsonSchema)]
struct FindingBody {
    rule: String,
    category: &'static str,
    entity: String,
    severity: String,
    confidence: f64,
    start: usize,
    /// The first behind it.
    end: usize,
}

/// What the table of wire formats has bodies for, and nothing.
fn formats() -> Vec<Option<&'static str>> {
    wire::with_bodies().map(|dialect| Some(dialect.name)).chain([None]).collect()
}

/// What becomes of it at one level.
#[derive(Debug, Serialize, JsonSchema)]
struct LevelBody {
    level: &'static str,
    /// clean, masked, would_block, quarantined or blocked; rejected for a body that could not be read.
    verdict: &'static str,
    /// Why a body is refused, in words.
    refusal: Option<String>,
    /// With placeholders, also where it is refused and nothing of it is sent; null for a body that could not be read.
    secured: Option<String>,
    /// In the order of their names in the configuration.
    categories: Vec<CategoryBody>,
    rules: Vec<RuleBody>,
    masked_by_entity: BTreeMap<String, u64>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct CategoryBody {
    category: &'static str,
    score: f64,
    /// A higher score leads to the action. What another than the caller says is judged more mildly or strictly.
    threshold: f64,
    action: &'static str,
    /// The action that was taken: block, quarantine, monitor, mask or allow.
    outcome: &'static str,
}

#[derive(Debug, Serialize, JsonSchema)]
struct RuleBody {
    rule: String,
    category: &'static str,
    action: &'static str,
    count: u64,
}

fn answer(call: Call) -> Answer {
    Box::pin(async move {
        let ExplainRequest { text, format } = body::parse(&call.body)?;
        let dialect = format.as_deref().map(dialect).transpose()?;
        let (snapshot, level) = (call.app.live.snapshot(), call.app.live.level());
        let judged = move || Ok(explain(&snapshot, level, &text, dialect));
        Reply::json(&off_the_reactor(judged).await?)
    })
}

fn dialect(name: &str) -> Result<&'static Dialect, Refusal> {
    wire::with_bodies()
        .find(|dialect| dialect.name == name)
        .ok_or_else(|| Refusal::BadRequest("unknown format; README.md lists them, such as openai.chat".to_owned()))
}

fn explain(snapshot: &Snapshot, level: Level, text: &str, dialect: Option<&Dialect>) -> ExplainResponse {
    let (findings, levels) = match dialect {
        None => of_text(&snapshot.guard, text),
        Some(dialect) => of_body(&snapshot.guard, dialect, snapshot.limits(), text),
    };
    ExplainResponse { success: true, security_level: level.name(), findings, levels }
}

fn of_text(guard: &Guard, text: &str) -> (Vec<FindingBody>, Vec<LevelBody>) {
    let judged = Level::ALL.map(|level| (level, sanitize::text_with_names(guard, level, text)));
    let strictest = judged.last().map(|(_, sanitized)| sanitized.findings.iter().map(|(finding, _)| finding));
    let found = strictest.map(|of| findings(text, of.collect())).unwrap_or_default();
    let one = |(level, sanitized): (Level, Sanitized)| {
        LevelBody::of(guard, level, &sanitized.report, Some(sanitized.text), None)
    };
    (found, judged.into_iter().map(one).collect())
}

fn of_body(guard: &Arc<Guard>, dialect: &Dialect, limits: Limits, text: &str) -> (Vec<FindingBody>, Vec<LevelBody>) {
    // The tables are fixed and a test proves that each compiles.
    let Ok(plan) = dialect.plan().map(Arc::new) else { return (Vec::new(), Vec::new()) };
    let judged = Level::ALL.map(|level| (level, Request::whole(guard, &plan, level, limits, text.as_bytes())));
    let found = judged.last().map(|(_, whole)| findings(text, whole.findings.iter().collect())).unwrap_or_default();
    let one = |(level, whole): (Level, Whole)| {
        let secured = whole.masked.map(|body| String::from_utf8_lossy(&body).into_owned());
        LevelBody::of(guard, level, &whole.report, secured, whole.refusal.as_ref())
    };
    (found, judged.into_iter().map(one).collect())
}

fn findings(text: &str, mut found: Vec<&Finding>) -> Vec<FindingBody> {
    found.sort_by_key(|finding| finding.span);
    found.truncate(MAX_FINDINGS);
    let spans: Vec<_> = found.iter().map(|finding| offsets::on_boundaries(text, finding.span)).collect();
    let one = |(finding, (start, end)): (&&Finding, (usize, usize))| FindingBody {
        rule: finding.rule.to_string(),
        category: finding.category.name(),
        entity: finding.entity.to_string(),
        severity: format!("{:?}", finding.severity).to_lowercase(),
        confidence: rounded(finding.confidence),
        start,
        end,
    };
    found.iter().zip(offsets::code_points(text, &spans)).map(one).collect()
}

impl LevelBody {
    fn of(
        guard: &Guard,
        level: Level,
        report: &Report,
        secured: Option<String>,
        refusal: Option<&sanitize::Refusal>,
    ) -> Self {
        let by_policy = refusal.is_none_or(|refusal| *refusal == sanitize::Refusal::Policy);
        let category = |category: Category| {
            let rule = guard.matrix.rule(level, category);
            CategoryBody {
                category: category.name(),
                score: rounded(report.scores[category as usize]),
                threshold: rounded(rule.threshold),
                action: rule.action.name(),
                outcome: outcome(report, category).name(),
            }
        };
        let scored = |category: &Category| report.scores[*category as usize] > 0.0;
        let acted = report.findings.iter().filter(|((_, _, action), _)| *action != Action::Allow);
        LevelBody {
            level: level.name(),
            verdict: if by_policy { report.verdict().name() } else { "rejected" },
            refusal: refusal.map(ToString::to_string),
            secured,
            categories: Category::ALL.into_iter().filter(scored).map(category).collect(),
            rules: acted
                .map(|((category, rule, action), count)| RuleBody {
                    rule: rule.to_string(),
                    category: category.name(),
                    action: action.name(),
                    count: *count,
                })
                .collect(),
            masked_by_entity: report.masked.iter().map(|(entity, count)| (entity.to_string(), *count)).collect(),
        }
    }
}

fn outcome(report: &Report, category: Category) -> Action {
    let replaced = || report.findings.keys().any(|(of, _, action)| *of == category && action.replaces());
    match category {
        category if report.blocked.contains(&category) => Action::Block,
        category if report.quarantined.contains(&category) => Action::Quarantine,
        category if report.would_block.contains(&category) => Action::Monitor,
        _ if replaced() => Action::Mask,
        _ => Action::Allow,
    }
}

/// Four digits: what a score means ends well before.
fn rounded(score: f32) -> f64 {
    (f64::from(score) * 1e4).round() / 1e4
}

/// So that an answer is never many times larger than its question.
const MAX_FINDINGS: usize = 1000;
