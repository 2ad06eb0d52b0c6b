//! `POST /validate_and_secure_prompt`: what the gateway would make of a prompt. Sends nothing anywhere.
//!
//! A prompt that would be refused still gets its masked text: refusing is the gateway's part, showing is this one's.

use std::fmt::Write;

use http::Method;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::client::ClientInfo;
use super::inspect::{Inspection, Verdict, off_the_reactor};
use super::reply::JSON;
use super::route::{Answer, Call, Endpoint, Input, Output, Route, schema_of};
use super::semantics::SemanticFeatures;
use super::{Refusal, Reply, body};
use crate::auth::Scope;
use crate::detect::{Category, Finding};
use crate::policy::{Action, Level};
use crate::text::{Span, offsets};

pub(super) const ROUTE: Route = Route {
    method: Method::POST,
    path: "/validate_and_secure_prompt",
    tool: Some("validate_and_secure_prompt"),
    summary: "Validate and secure a prompt",
    description: "Looks for secrets, personal data and attacks in a prompt, at the current security level, and returns it \
                  with what is sensitive masked. `secured_prompt` is the masked text also when `is_safe` is false.",
    input: Some(Input {
        limit: PROMPT_LIMIT,
        schema: schema_of::<ValidateRequest>,
        example: r#"{"prompt":"My password is secret123"}"#,
    }),
    outputs: &[Output {
        status: 200,
        description: "The verdict. A prompt that is not safe is an answer too, not an error.",
        content_type: JSON,
        schema: schema_of::<ValidateResponse>,
        example: r#"{"is_safe":true,"secured_prompt":"My password is [PASSWORD_MASKED]",
            "original_prompt":"My password is secret123","warnings":["1 sensitive value was masked: PASSWORD."],
            "blocked_patterns":[],"confidence":1.0,"modifications_made":true,"nlp_analysis":{"total_matches":1,
            "matches":[{"label":"secret.generic.password","text":"secret123","start":15,"end":24}],
            "injection_score":0.0,"sensitive_score":0.8,"malicious_score":0.0,"jailbreak_score":0.0,
            "semantic_features":{"sentence_count":1,"word_count":4,"avg_word_length":5.25,"imperative_sentences":0,
            "question_sentences":0,"entities":[{"text":"secret123","label":"PASSWORD"}],"topics":["credentials"]},
            "sanitization_applied":true},"client_info":{"client_id":"user@company.com","authenticated":true,
            "scopes":["prompt:validate"]}}"#,
    }],
    endpoint: Endpoint::Guarded { scope: Some(Scope::Validate), answer },
};

/// Largest request body with a prompt, in bytes.
pub(super) const PROMPT_LIMIT: usize = 1 << 20;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ValidateRequest {
    /// The prompt to validate.
    prompt: String,
    /// A JSON object as a string, for the caller's own use. It is checked for its form and has no part in the verdict.
    #[schemars(extend("contentMediaType" = "application/json", "contentSchema" = { "type": "object" }))]
    context: Option<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct ValidateResponse {
    /// False when the gateway would refuse the prompt at the current level.
    is_safe: bool,
    secured_prompt: String,
    original_prompt: String,
    warnings: Vec<String>,
    /// `prompt_injection`, `jailbreak_attempt`, `malicious_code`, `sensitive_data`.
    blocked_patterns: Vec<&'static str>,
    /// 1 minus the highest attack score.
    confidence: f64,
    modifications_made: bool,
    nlp_analysis: NlpAnalysis,
    client_info: ClientInfo,
}

#[derive(Debug, Serialize, JsonSchema)]
struct NlpAnalysis {
    total_matches: usize,
    /// At most the first 1,000, in the order of the text.
    matches: Vec<Match>,
    injection_score: f64,
    sensitive_score: f64,
    malicious_score: f64,
    jailbreak_score: f64,
    semantic_features: SemanticFeatures,
    sanitization_applied: bool,
}

/// Offsets are in Unicode code points, end exclusive.
#[derive(Debug, Serialize, JsonSchema)]
struct Match {
    /// Rule id.
    label: String,
    text: String,
    start: usize,
    end: usize,
}

fn answer(call: Call) -> Answer {
    Box::pin(async move {
        let request: ValidateRequest = body::parse(&call.body)?;
        request.context.as_deref().map_or(Ok(()), check_context)?;
        let (snapshot, level) = (call.app.live.snapshot(), call.app.live.level());
        let client_info = ClientInfo::from(&call.principal);
        off_the_reactor(move || {
            let inspection = Inspection::of(&snapshot.guard, level, &request.prompt);
            Reply::json(&response(request.prompt, level, inspection, client_info))
        })
        .await
    })
}

fn check_context(context: &str) -> Result<(), Refusal> {
    let object: Result<serde_json::Map<String, serde_json::Value>, _> = serde_json::from_str(context);
    object.map(drop).map_err(|_| Refusal::BadRequest("context must be a JSON object in a string".to_owned()))
}

fn response(prompt: String, level: Level, inspection: Inspection, client_info: ClientInfo) -> ValidateResponse {
    let modified = inspection.secured != prompt;
    ValidateResponse {
        is_safe: !inspection.blocks(&Category::ALL),
        warnings: warnings(level, &inspection),
        blocked_patterns: PATTERNS.iter().filter(|(_, of)| inspection.blocks(of)).map(|(name, _)| *name).collect(),
        confidence: rounded(1.0 - inspection.score(ATTACKS)),
        modifications_made: modified,
        nlp_analysis: NlpAnalysis {
            total_matches: inspection.findings.len(),
            matches: matches(&prompt, &inspection.findings),
            injection_score: rounded(inspection.score(INJECTION)),
            sensitive_score: rounded(inspection.score(SENSITIVE)),
            malicious_score: rounded(inspection.score(MALICIOUS)),
            jailbreak_score: rounded(inspection.score(JAILBREAK)),
            semantic_features: SemanticFeatures::of(&prompt, &inspection.findings),
            sanitization_applied: modified,
        },
        secured_prompt: inspection.secured,
        original_prompt: prompt,
        client_info,
    }
}

fn matches(prompt: &str, findings: &[Finding]) -> Vec<Match> {
    let findings = findings.get(..MAX_MATCHES).unwrap_or(findings);
    let spans: Vec<_> = findings.iter().map(|finding| offsets::on_boundaries(prompt, finding.span)).collect();
    let offsets = offsets::code_points(prompt, &spans);
    let one = |((finding, span), (start, end)): ((&Finding, &Span), (usize, usize))| Match {
        label: finding.rule.to_string(),
        text: prompt.get(span.start..span.end).unwrap_or_default().to_owned(),
        start,
        end,
    };
    findings.iter().zip(&spans).zip(offsets).map(one).collect()
}

fn warnings(level: Level, inspection: &Inspection) -> Vec<String> {
    let attacks = inspection.verdicts.iter().filter(|verdict| !verdict.category.is_sensitive());
    let mut warnings: Vec<String> = attacks.map(|verdict| attack_warning(level, *verdict)).collect();
    let total: u64 = inspection.masked.values().sum();
    if total > 0 {
        let names: Vec<&str> = inspection.masked.keys().map(|entity| &**entity).collect();
        let noun = if total == 1 { "value was" } else { "values were" };
        warnings.push(format!("{total} sensitive {noun} masked: {}.", names.join(", ")));
    }
    if inspection.blocks(SENSITIVE) {
        warnings.push(format!("Sensitive data is refused at level {level}."));
    }
    warnings
}

fn attack_warning(level: Level, verdict: Verdict) -> String {
    let Verdict { category, score, threshold, action } = verdict;
    let mut warning = format!("{} (score {score:.2}, ", NAMES[category as usize]);
    let rest = match action {
        Action::Block => write!(warning, "threshold {threshold:.2}): refused at level {level}."),
        Action::Quarantine => write!(warning, "threshold {threshold:.2}): withheld at level {level}."),
        Action::Monitor => write!(warning, "threshold {threshold:.2}): only monitored at level {level}."),
        Action::Allow | Action::Tokenize | Action::Mask => {
            write!(warning, "not above {threshold:.2}): allowed at level {level}.")
        }
    };
    // Writing to a string does not fail.
    rest.map_or_else(|_| String::new(), |()| warning)
}

/// Four digits: what a score means ends well before.
fn rounded(score: f32) -> f64 {
    (f64::from(score) * 1e4).round() / 1e4
}

/// In the order of `Category::ALL`.
const NAMES: [&str; 6] =
    ["Secret", "Personal data", "Prompt injection", "Jailbreak attempt", "Prompt extraction", "Malicious code"];
const SENSITIVE: &[Category] = &[Category::Secret, Category::Pii];
const INJECTION: &[Category] = &[Category::Injection, Category::PromptExtraction];
const JAILBREAK: &[Category] = &[Category::Jailbreak];
const MALICIOUS: &[Category] = &[Category::MaliciousCode];
const ATTACKS: &[Category] =
    &[Category::Injection, Category::PromptExtraction, Category::Jailbreak, Category::MaliciousCode];
const PATTERNS: &[(&str, &[Category])] = &[
    ("prompt_injection", INJECTION),
    ("jailbreak_attempt", JAILBREAK),
    ("malicious_code", MALICIOUS),
    ("sensitive_data", SENSITIVE),
];
/// So that an answer is never many times larger than its question.
const MAX_MATCHES: usize = 1000;
