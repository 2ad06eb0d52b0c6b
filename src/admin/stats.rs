//! `GET /get_security_stats`: what is looked for, how strictly, and what was found so far. Counts nothing itself.

use std::collections::BTreeMap;

use http::Method;
use schemars::JsonSchema;
use serde::Serialize;

use super::reply::JSON;
use super::route::{Answer, Call, Endpoint, Output, Route, schema_of};
use super::{App, Reply};
use crate::auth::{Principal, Scope};
use crate::detect::Category;
use crate::detect::semantics::{TOPICS, topic_words};
use crate::snapshot::Snapshot;

pub(super) const ROUTE: Route = Route {
    method: Method::GET,
    path: "/get_security_stats",
    tool: Some("get_security_stats"),
    summary: "Security level, rules and traffic",
    description: "The current security level and those of single callers, the number of rules by kind, what the analysis can do, and counts of the \
                  gateway's traffic since the process started.",
    input: None,
    outputs: &[Output {
        status: 200,
        description: "The statistics.",
        content_type: JSON,
        schema: schema_of::<StatsResponse>,
        example: r#"{"success":true,"current_security_level":"medium","client_security_levels":{"team-a":"high"},"pattern_counts":{"injection_patterns":40,
            "sensitive_data_patterns":120,"malicious_patterns":20,"jailbreak_patterns":30,"total_nlp_patterns":210},
            "nlp_capabilities":{"model":null,"languages":["en"],"features":["sentences"],
            "analysis_types":["injection"],"normalization":["nfkc"]},
            "semantic_keywords":{"categories":["credentials"],"total_keywords":24},
            "authentication":{"mode":"static","client_authenticated":true,"client_id":"user@company.com"},
            "description":"promptgate 0.1.0","traffic":{"requests":1200,"refused":3,
            "masked_by_entity":{"EMAIL_ADDRESS":41},"since":"2026-01-01T00:00:00.000000Z"}}"#,
    }],
    endpoint: Endpoint::Guarded { scope: Some(Scope::Stats), answer },
};

#[derive(Debug, Serialize, JsonSchema)]
struct StatsResponse {
    success: bool,
    current_security_level: &'static str,
    /// Callers that have a level of their own, by client id; left out where none has.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    client_security_levels: BTreeMap<String, &'static str>,
    pattern_counts: PatternCounts,
    nlp_capabilities: Capabilities,
    semantic_keywords: Keywords,
    authentication: Authentication,
    description: &'static str,
    traffic: Traffic,
}

/// Rules in force. Those against prompt extraction count as injection.
#[derive(Debug, Serialize, JsonSchema)]
struct PatternCounts {
    injection_patterns: usize,
    sensitive_data_patterns: usize,
    malicious_patterns: usize,
    jailbreak_patterns: usize,
    total_nlp_patterns: usize,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Capabilities {
    /// No language model takes part.
    model: Option<&'static str>,
    /// Languages in which commands and questions are recognised by their words.
    languages: &'static [&'static str],
    features: &'static [&'static str],
    analysis_types: Vec<&'static str>,
    /// What is undone before attacks are looked for.
    normalization: &'static [&'static str],
}

#[derive(Debug, Serialize, JsonSchema)]
struct Keywords {
    categories: Vec<&'static str>,
    total_keywords: usize,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Authentication {
    /// static, jwt or hmac.
    mode: &'static str,
    client_authenticated: bool,
    client_id: String,
}

/// Of the gateway listener, on this replica.
#[derive(Debug, Serialize, JsonSchema)]
struct Traffic {
    requests: u64,
    refused: u64,
    /// Masked spans by entity type.
    masked_by_entity: BTreeMap<String, u64>,
    /// Start of the process, RFC 3339.
    since: String,
}

fn answer(call: Call) -> Answer {
    Box::pin(async move {
        let Call { app, principal, .. } = call;
        let snapshot = app.live.snapshot();
        Reply::json(&StatsResponse {
            success: true,
            current_security_level: app.live.level().name(),
            client_security_levels: client_levels(&app),
            pattern_counts: pattern_counts(&snapshot),
            nlp_capabilities: capabilities(),
            semantic_keywords: keywords(),
            authentication: authentication(&snapshot, principal),
            description: concat!("promptgate ", env!("CARGO_PKG_VERSION"), ": an in-line gateway for LLM traffic"),
            traffic: traffic(&app),
        })
    })
}

fn client_levels(app: &App) -> BTreeMap<String, &'static str> {
    app.live.client_levels().iter().map(|(client, level)| (client.to_owned(), level.name())).collect()
}

fn pattern_counts(snapshot: &Snapshot) -> PatternCounts {
    let of = |categories: &[Category]| categories.iter().map(|category| snapshot.rules_of(*category)).sum();
    PatternCounts {
        injection_patterns: of(&[Category::Injection, Category::PromptExtraction]),
        sensitive_data_patterns: of(&[Category::Secret, Category::Pii]),
        malicious_patterns: of(&[Category::MaliciousCode]),
        jailbreak_patterns: of(&[Category::Jailbreak]),
        total_nlp_patterns: of(&Category::ALL),
    }
}

fn capabilities() -> Capabilities {
    Capabilities {
        model: None,
        languages: &["en"],
        features: &["sentences", "words", "commands", "questions", "entities", "topics"],
        analysis_types: Category::ALL.iter().map(|category| category.name()).collect(),
        normalization: &[
            "nfkc",
            "invisible characters",
            "confusables",
            "case",
            "spacing",
            "base64",
            "hex",
            "url",
            "html",
        ],
    }
}

fn keywords() -> Keywords {
    Keywords { categories: TOPICS.iter().map(|(name, _)| *name).collect(), total_keywords: topic_words() }
}

fn authentication(snapshot: &Snapshot, principal: Principal) -> Authentication {
    Authentication {
        mode: snapshot.authenticator.mode().name(),
        client_authenticated: true,
        client_id: principal.client_id,
    }
}

fn traffic(app: &App) -> Traffic {
    let totals = app.metrics.totals();
    Traffic { requests: totals.requests, refused: totals.refused, masked_by_entity: totals.masked, since: totals.since }
}
