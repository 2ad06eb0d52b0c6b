//! `POST /analyze_prompt_semantics`: what kind of text a prompt is. Judges nothing.

use http::Method;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::client::ClientInfo;
use super::inspect::{Inspection, off_the_reactor};
use super::reply::JSON;
use super::route::{Answer, Call, Endpoint, Input, Output, Route, schema_of};
use super::semantics::SemanticFeatures;
use super::validate::PROMPT_LIMIT;
use super::{Reply, body};
use crate::auth::Scope;

pub(super) const ROUTE: Route = Route {
    method: Method::POST,
    path: "/analyze_prompt_semantics",
    tool: Some("analyze_prompt_semantics"),
    summary: "Analyse the semantics of a prompt",
    description: "Counts sentences and words, recognises commands and questions, and lists entities: what \
                  the rules find, names by the built-in tagger, and simple patterns. Moods are recognised by English word \
                  lists.",
    input: Some(Input {
        limit: PROMPT_LIMIT,
        schema: schema_of::<AnalyzeRequest>,
        example: r#"{"prompt":"Summarise the report. What is missing?"}"#,
    }),
    outputs: &[Output {
        status: 200,
        description: "The analysis.",
        content_type: JSON,
        schema: schema_of::<AnalyzeResponse>,
        example: r#"{"success":true,"prompt":"Summarise the report. What is missing?","analysis":{"sentence_count":2,
            "word_count":6,"avg_word_length":5.5,"imperative_sentences":1,"question_sentences":1,"entities":[],
            "topics":[]},"client_info":{"client_id":"user@company.com","authenticated":true,
            "scopes":["prompt:validate","prompt:analyze"]}}"#,
    }],
    endpoint: Endpoint::Guarded { scope: Some(Scope::Analyze), answer },
};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct AnalyzeRequest {
    /// The prompt to analyse.
    prompt: String,
}

#[derive(Debug, Serialize, JsonSchema)]
struct AnalyzeResponse {
    success: bool,
    prompt: String,
    analysis: SemanticFeatures,
    client_info: ClientInfo,
}

fn answer(call: Call) -> Answer {
    Box::pin(async move {
        let request: AnalyzeRequest = body::parse(&call.body)?;
        let (snapshot, level) = (call.app.live.snapshot(), call.app.live.level());
        let client_info = ClientInfo::from(&call.principal);
        off_the_reactor(move || {
            let inspection = Inspection::of(&snapshot.guard, level, &request.prompt);
            let analysis = SemanticFeatures::of(&request.prompt, &inspection.findings);
            Reply::json(&AnalyzeResponse { success: true, prompt: request.prompt, analysis, client_info })
        })
        .await
    })
}
