//! What the tables say about realistic requests, and the error envelopes byte by byte.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::*;
use crate::codec::selector::{Place, Step, Trail};
use crate::codec::{Plan, Treatment};

/// Every string of the body with its treatment, text left out: `Label user`.
fn marked(format: &str, body: &Value) -> BTreeSet<String> {
    let mut leaves = BTreeMap::new();
    let plan = Plan::compile(find(format).unwrap().selectors().copied()).unwrap();
    let mut trail = Trail::default();
    let root = plan.root(&mut trail);
    visit(&plan, root, &mut trail, String::new(), body, &mut leaves);
    leaves
        .into_iter()
        .filter(|(_, treatment)| *treatment != Treatment::Text)
        .map(|(path, treatment)| format!("{} {path}", short(treatment)))
        .collect()
}

fn visit(
    plan: &Plan,
    place: Place,
    trail: &mut Trail,
    path: String,
    value: &Value,
    leaves: &mut BTreeMap<String, Treatment>,
) {
    let mut down = |step: Step<'_>, path: String, value: &Value| {
        let place = plan.descend(place, step, trail);
        visit(plan, place, trail, path, value, leaves);
        plan.ascend(place, trail);
    };
    match value {
        Value::Object(members) => {
            for (key, value) in members {
                let dot = if path.is_empty() { "" } else { "." };
                down(Step::Key(key), format!("{path}{dot}{key}"), value);
            }
        }
        Value::Array(elements) => {
            for value in elements {
                down(Step::Element, format!("{path}[]"), value);
            }
        }
        Value::String(_) => {
            leaves.insert(path, plan.treatment(place, trail));
        }
        _ => {}
    }
}

fn short(treatment: Treatment) -> String {
    match treatment {
        Treatment::Signed { key, up } => format!("Signed({key},{up})"),
        other => format!("{other:?}"),
    }
}

/// A realistic body and all of its strings that are not text.
fn check(format: &str, body: Value, expected: &[&str]) {
    let expected: BTreeSet<String> = expected.iter().map(|row| (*row).to_owned()).collect();
    let got = marked(format, &body);
    let missing: Vec<_> = expected.difference(&got).collect();
    let unexpected: Vec<_> = got.difference(&expected).collect();
    assert!(missing.is_empty() && unexpected.is_empty(), "{format}: missing {missing:#?} unexpected {unexpected:#?}");
}

#[test]
fn openai_chat() {
    let body = json!({
        "model": "gpt-5",
        "messages": [
            {"role": "system", "content": "Be brief.", "name": "ops"},
            {"role": "user", "content": [
                {"type": "text", "text": "look"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA", "detail": "low"}},
                {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
                {"type": "file", "file": {"file_data": "data:application/pdf;base64,AA", "filename": "a.pdf", "file_id": "file-1"}},
            ]},
            {"role": "assistant", "refusal": "no", "reasoning_content": "hm", "audio": {"id": "audio_1"}, "tool_calls": [
                {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{\"id\":\"x\"}"},
                 "extra_content": {"google": {"thought_signature": "AAAA"}}},
                {"id": "call_2", "type": "custom", "custom": {"name": "g", "input": "ls"}},
            ], "function_call": {"name": "h", "arguments": "{}"}},
            {"role": "tool", "tool_call_id": "call_1", "content": "{\"a\":1}"},
        ],
        "tools": [{"type": "function", "function": {"name": "f", "description": "does f", "parameters": {
            "type": "object", "$schema": "x", "required": ["type"], "description": "d",
            "properties": {
                "type": {"type": "string", "description": "a property of this name", "enum": ["a", "b"]},
                "description": {"type": ["string", "null"], "format": "date", "default": "now"},
                "enum": {"type": "string", "description": "and this", "pattern": "^a$"},
                "o": {"default": {"type": "free"}, "examples": [{"type": "free"}], "const": "c", "$ref": "#/x"},
                "p": {"const": {"type": "free"}, "enum": [{"type": "choice"}]},
            }}}},
            {"type": "custom", "custom": {"name": "g", "description": "d",
                "format": {"type": "grammar", "grammar": {"syntax": "lark", "definition": "start: x"}}}}],
        "functions": [{"name": "h", "description": "d", "parameters": {"type": "object", "title": "t"}}],
        "tool_choice": {"type": "function", "function": {"name": "f"}},
        "response_format": {"type": "json_schema", "json_schema": {"name": "r", "description": "d",
            "schema": {"type": "object"}}},
        "prediction": {"type": "content", "content": [{"type": "text", "text": "t"}]},
        "web_search_options": {"user_location": {"type": "approximate", "approximate": {"city": "Wien"}}},
        "metadata": {"case": "4711"}, "user": "u", "safety_identifier": "s", "prompt_cache_key": "k",
        "service_tier": "auto", "stop": ["END"], "unknown": {"future": "text"},
    });
    let expected = [
        "Model model",
        "Name messages[].role",
        "Label messages[].name",
        "Name messages[].content[].type",
        "Media messages[].content[].image_url.url",
        "Name messages[].content[].image_url.detail",
        "Media messages[].content[].input_audio.data",
        "Name messages[].content[].input_audio.format",
        "Media messages[].content[].file.file_data",
        "Label messages[].content[].file.filename",
        "Name messages[].content[].file.file_id",
        "Name messages[].audio.id",
        "Name messages[].tool_calls[].id",
        "Name messages[].tool_calls[].type",
        "Name messages[].tool_calls[].function.name",
        "Sealed messages[].tool_calls[].extra_content.google.thought_signature",
        "Name messages[].tool_calls[].custom.name",
        "Name messages[].function_call.name",
        "Name messages[].tool_call_id",
        "Name tools[].type",
        "Name tools[].function.name",
        "Name tools[].function.parameters.type",
        "Name tools[].function.parameters.$schema",
        "Name tools[].function.parameters.required[]",
        "Name tools[].function.parameters.properties.type.type",
        "Label tools[].function.parameters.properties.type.enum[]",
        "Name tools[].function.parameters.properties.description.type[]",
        "Name tools[].function.parameters.properties.description.format",
        "Name tools[].function.parameters.properties.enum.type",
        "Name tools[].function.parameters.properties.enum.pattern",
        "Label tools[].function.parameters.properties.o.const",
        "Name tools[].function.parameters.properties.o.$ref",
        "Label tools[].function.parameters.properties.p.enum[].type",
        "Name tools[].custom.name",
        "Name tools[].custom.format.type",
        "Name tools[].custom.format.grammar.syntax",
        "Label tools[].custom.format.grammar.definition",
        "Name functions[].name",
        "Name functions[].parameters.type",
        "Name tool_choice.type",
        "Name tool_choice.function.name",
        "Name response_format.type",
        "Name response_format.json_schema.name",
        "Name response_format.json_schema.schema.type",
        "Name prediction.type",
        "Name prediction.content[].type",
        "Name web_search_options.user_location.type",
        "Label metadata.case",
        "Label user",
        "Label safety_identifier",
        "Label prompt_cache_key",
        "Label service_tier",
        "Label stop[]",
    ];
    check("openai.chat", body.clone(), &expected);
    check("azure.chat", body, &expected);
}

#[test]
fn azure_data_sources_hold_credentials_and_a_prompt() {
    let body = json!({"messages": [], "data_sources": [{"type": "azure_search", "parameters": {
        "endpoint": "https://x", "index_name": "i", "role_information": "You are",
        "authentication": {"type": "api_key", "key": "K"},
        "embedding_dependency": {"type": "deployment_name", "deployment_name": "ada"}}}]});
    check(
        "azure.chat",
        body,
        &[
            "Name data_sources[].type",
            "Label data_sources[].parameters.endpoint",
            "Name data_sources[].parameters.index_name",
            "Name data_sources[].parameters.authentication.type",
            "Credential data_sources[].parameters.authentication.key",
            "Name data_sources[].parameters.embedding_dependency.type",
            "Name data_sources[].parameters.embedding_dependency.deployment_name",
        ],
    );
}

#[test]
fn openai_completions_embeddings_and_moderations() {
    check(
        "openai.completions",
        json!({"model": "m", "prompt": ["a", "b"], "suffix": "s", "stop": "x", "user": "u"}),
        &["Model model", "Label stop", "Label user"],
    );
    check(
        "openai.embeddings",
        json!({"model": "m", "input": ["a"], "encoding_format": "base64", "user": "u"}),
        &["Model model", "Name encoding_format", "Label user"],
    );
    check(
        "openai.moderations",
        json!({"model": "m", "input": [{"type": "text", "text": "a"},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}}]}),
        &["Model model", "Name input[].type", "Media input[].image_url.url"],
    );
}

#[test]
fn openai_responses() {
    let body = json!({
        "model": "gpt-5", "instructions": "Be brief.", "previous_response_id": "resp_1",
        "input": [
            {"type": "message", "role": "user", "content": [
                {"type": "input_text", "text": "hi"},
                {"type": "input_image", "image_url": "data:image/png;base64,AA", "detail": "auto"},
                {"type": "input_file", "file_data": "data:application/pdf;base64,AA", "filename": "a.pdf",
                 "file_url": "https://x"}]},
            {"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "f", "arguments": "{\"id\":1}", "status": "completed"},
            {"type": "function_call_output", "call_id": "c1", "output": [{"type": "input_text", "text": "out"},
                {"type": "input_image", "image_url": "data:image/png;base64,AA"}]},
            {"type": "custom_tool_call", "call_id": "c2", "name": "g", "input": "ls"},
            {"type": "custom_tool_call_output", "call_id": "c2", "output": "a b"},
            {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "thought"}],
             "content": [{"type": "reasoning_text", "text": "long thought"}], "encrypted_content": "gAAAA"},
            {"type": "computer_call_output", "call_id": "c3", "output": {"type": "computer_screenshot",
                "image_url": "data:image/png;base64,AA"}},
            {"type": "image_generation_call", "id": "ig_1", "result": "AAAA", "status": "completed"},
            {"type": "shell_call", "call_id": "c4", "action": {"commands": ["ls"], "env": {"A": "b"}}},
            {"type": "apply_patch_call", "call_id": "c5", "operation": {"type": "update_file", "path": "a.rs", "diff": "+x"}},
            {"type": "web_search_call", "id": "ws_1", "action": {"type": "search", "query": "q", "url": "https://x"}},
            {"type": "mcp_call", "id": "m1", "server_label": "s", "name": "t", "arguments": "{}", "output": "o"},
            {"type": "mcp_list_tools", "id": "m2", "server_label": "s", "tools": [{"name": "t", "description": "d",
                "input_schema": {"type": "object", "description": "d"}}]},
            {"type": "program", "id": "p1", "code": "x", "fingerprint": "AA"},
        ],
        "prompt": {"id": "pmpt_1", "version": "2", "variables": {"name": "Anna",
            "pic": {"type": "input_image", "image_url": "data:image/png;base64,AA"},
            "more": {"type": "input_text", "text": "t"}}},
        "tools": [
            {"type": "function", "name": "f", "description": "d", "parameters": {"type": "object", "title": "t"}},
            {"type": "mcp", "server_label": "s", "server_url": "https://mcp", "authorization": "T",
             "headers": {"X-Key": "K"}, "allowed_tools": ["t"], "require_approval": "never", "server_description": "d"},
            {"type": "code_interpreter", "container": {"type": "auto", "network_policy": {"type": "allowlist",
                "allowed_domains": ["x.org"], "domain_secrets": [{"domain": "x.org", "name": "N", "value": "V"}]}}},
            {"type": "namespace", "name": "n", "description": "d", "tools": [{"type": "function", "name": "f",
                "description": "d", "parameters": {"type": "object"}}]},
            {"type": "file_search", "vector_store_ids": ["vs_1"], "filters": {"type": "eq", "key": "k", "value": "v"}},
        ],
        "text": {"format": {"type": "json_schema", "name": "r", "schema": {"type": "object", "description": "d"}}},
        "tool_choice": "auto", "reasoning": {"effort": "low"}, "include": ["reasoning.encrypted_content"],
        "metadata": {"a": "b"}, "user": "u",
    });
    check(
        "openai.responses",
        body,
        &[
            "Model model",
            "State previous_response_id",
            "Name input[].type",
            "Name input[].role",
            "Name input[].id",
            "Name input[].call_id",
            "Name input[].name",
            "Name input[].status",
            "Name input[].server_label",
            "Name input[].content[].type",
            "Media input[].content[].image_url",
            "Name input[].content[].detail",
            "Media input[].content[].file_data",
            "Label input[].content[].filename",
            "Label input[].content[].file_url",
            "Name input[].output[].type",
            "Media input[].output[].image_url",
            "Name input[].summary[].type",
            "Sealed input[].encrypted_content",
            "Name input[].output.type",
            "Media input[].output.image_url",
            "Media input[].result",
            "Name input[].operation.type",
            "Label input[].operation.path",
            "Name input[].action.type",
            "Label input[].action.url",
            "Name input[].tools[].name",
            "Name input[].tools[].input_schema.type",
            "Sealed input[].fingerprint",
            "Name prompt.id",
            "Name prompt.version",
            "Name prompt.variables.pic.type",
            "Media prompt.variables.pic.image_url",
            "Name prompt.variables.more.type",
            "Name tools[].type",
            "Name tools[].name",
            "Name tools[].parameters.type",
            "Name tools[].server_label",
            "Label tools[].server_url",
            "Credential tools[].authorization",
            "Credential tools[].headers.X-Key",
            "Name tools[].allowed_tools[]",
            "Name tools[].require_approval",
            "Name tools[].container.type",
            "Name tools[].container.network_policy.type",
            "Label tools[].container.network_policy.allowed_domains[]",
            "Label tools[].container.network_policy.domain_secrets[].domain",
            "Name tools[].container.network_policy.domain_secrets[].name",
            "Credential tools[].container.network_policy.domain_secrets[].value",
            "Name tools[].tools[].type",
            "Name tools[].tools[].name",
            "Name tools[].tools[].parameters.type",
            "Name tools[].vector_store_ids[]",
            "Name text.format.type",
            "Name text.format.name",
            "Name text.format.schema.type",
            "Name tool_choice",
            "Name reasoning.effort",
            "Name include[]",
            "Label metadata.a",
            "Label user",
        ],
    );
}

fn anthropic_body() -> Value {
    json!({
        "model": "claude", "max_tokens": 9, "system": [{"type": "text", "text": "Be brief.",
            "cache_control": {"type": "ephemeral", "ttl": "5m"}}],
        "messages": [
            {"role": "user", "content": [
                {"type": "text", "text": "hi", "citations": [{"type": "web_search_result_location", "cited_text": "c",
                    "encrypted_index": "E", "url": "https://x", "title": "t"}]},
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}},
                {"type": "image", "source": {"type": "url", "url": "https://x"}},
                {"type": "document", "title": "t", "context": "c", "source": {"type": "text", "media_type": "text/plain", "data": "plain"}},
                {"type": "document", "source": {"type": "content", "content": [{"type": "image",
                    "source": {"type": "base64", "media_type": "image/png", "data": "AA"}}, {"type": "text", "text": "t"}]}},
                {"type": "search_result", "source": "https://x", "title": "t", "content": [{"type": "text", "text": "t"}]},
            ]},
            {"role": "assistant", "content": [
                {"type": "thinking", "thinking": "hm", "signature": "S"},
                {"type": "redacted_thinking", "data": "R"},
                {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"data": "x", "id": "y", "type": "z",
                    "source": {"data": "w"}, "signature": "v"}},
                {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "q"},
                 "caller": {"type": "direct", "tool_id": "t"}},
                {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": [{"type": "web_search_result",
                    "url": "https://x", "title": "t", "encrypted_content": "E"}]},
                {"type": "web_fetch_tool_result", "tool_use_id": "srvtoolu_2", "content": {"type": "web_fetch_result",
                    "url": "https://x", "content": {"type": "document", "title": "t",
                    "source": {"type": "base64", "media_type": "application/pdf", "data": "AA"}}}},
                {"type": "code_execution_tool_result", "tool_use_id": "srvtoolu_3", "content": {
                    "type": "encrypted_code_execution_result", "stdout": "o", "stderr": "e", "encrypted_stdout": "E",
                    "content": [{"type": "code_execution_output", "file_id": "file_1"}]}},
            ]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "toolu_1", "content": "plain"},
                {"type": "tool_result", "tool_use_id": "toolu_1", "content": [{"type": "text", "text": "t"},
                    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AA"}},
                    {"type": "tool_reference", "tool_name": "f"},
                    {"type": "search_result", "source": "s", "title": "t", "content": [{"type": "text", "text": "t"}]}]},
            ]},
        ],
        "tools": [
            {"name": "f", "description": "d", "input_schema": {"type": "object", "properties": {"type": {"type": "string",
                "description": "d"}}}, "input_examples": [{"type": "free"}]},
            {"type": "web_search_20250305", "name": "web_search", "allowed_domains": ["x.org"],
             "user_location": {"type": "approximate", "city": "Wien"}},
        ],
        "tool_choice": {"type": "tool", "name": "f"}, "metadata": {"user_id": "u"}, "stop_sequences": ["END"],
        "service_tier": "auto", "thinking": {"type": "enabled", "budget_tokens": 1024}, "container": "c1",
        "mcp_servers": [{"type": "url", "name": "m", "url": "https://m", "authorization_token": "T"}],
        "output_config": {"effort": "low", "format": {"type": "json_schema", "schema": {"type": "object"}}},
    })
}

const ANTHROPIC: &[&str] = &[
    "Model model",
    "Name system[].type",
    "Name system[].cache_control.type",
    "Name system[].cache_control.ttl",
    "Name messages[].role",
    "Name messages[].content[].type",
    "Name messages[].content[].citations[].type",
    "Sealed messages[].content[].citations[].encrypted_index",
    "Label messages[].content[].citations[].url",
    "Name messages[].content[].source.type",
    "Name messages[].content[].source.media_type",
    "MediaUnlessText messages[].content[].source.data",
    "Label messages[].content[].source.url",
    "Name messages[].content[].source.content[].type",
    "Name messages[].content[].source.content[].source.type",
    "Name messages[].content[].source.content[].source.media_type",
    "MediaUnlessText messages[].content[].source.content[].source.data",
    "Name messages[].content[].content[].type",
    "Name messages[].content[].content[].content[].type",
    "Signed(signature,0) messages[].content[].thinking",
    "Sealed messages[].content[].signature",
    "Sealed messages[].content[].data",
    "Name messages[].content[].id",
    "Name messages[].content[].name",
    "Name messages[].content[].caller.type",
    "Name messages[].content[].caller.tool_id",
    "Name messages[].content[].tool_use_id",
    "Label messages[].content[].content[].url",
    "Sealed messages[].content[].content[].encrypted_content",
    "Name messages[].content[].content.type",
    "Label messages[].content[].content.url",
    "Name messages[].content[].content.content.type",
    "Name messages[].content[].content.content.source.type",
    "Name messages[].content[].content.content.source.media_type",
    "MediaUnlessText messages[].content[].content.content.source.data",
    "Sealed messages[].content[].content.encrypted_stdout",
    "Name messages[].content[].content.content[].type",
    "Name messages[].content[].content.content[].file_id",
    "Name messages[].content[].content[].source.type",
    "Name messages[].content[].content[].source.media_type",
    "MediaUnlessText messages[].content[].content[].source.data",
    "Name messages[].content[].content[].tool_name",
    "Name tools[].type",
    "Name tools[].name",
    "Name tools[].input_schema.type",
    "Name tools[].input_schema.properties.type.type",
    "Label tools[].allowed_domains[]",
    "Name tools[].user_location.type",
    "Name tool_choice.type",
    "Name tool_choice.name",
    "Label metadata.user_id",
    "Label stop_sequences[]",
    "Label service_tier",
    "Name thinking.type",
    "Name container",
    "Name mcp_servers[].type",
    "Name mcp_servers[].name",
    "Label mcp_servers[].url",
    "Credential mcp_servers[].authorization_token",
    "Name output_config.effort",
    "Name output_config.format.type",
    "Name output_config.format.schema.type",
];

#[test]
fn anthropic_messages() {
    check("anthropic.messages", anthropic_body(), ANTHROPIC);
    check("anthropic.count_tokens", anthropic_body(), ANTHROPIC);
}

#[test]
fn anthropic_batches_are_messages_under_a_prefix() {
    let body = json!({"requests": [{"custom_id": "c", "params": anthropic_body()}]});
    let mut expected: Vec<String> = ANTHROPIC.iter().map(|row| row.replacen(' ', " requests[].params.", 1)).collect();
    expected.push("Name requests[].custom_id".into());
    check("anthropic.batches", body, &expected.iter().map(String::as_str).collect::<Vec<_>>());
}

#[test]
fn gemini_generate_in_both_spellings() {
    let camel = json!({
        "contents": [{"role": "user", "parts": [
            {"text": "hi", "thoughtSignature": "S"},
            {"inlineData": {"mimeType": "image/png", "data": "AA", "displayName": "a.png"}},
            {"fileData": {"mimeType": "application/pdf", "fileUri": "https://x"}},
            {"functionCall": {"id": "1", "name": "f", "args": {"id": "x", "data": "y", "inlineData": {"data": "z"}}}},
            {"functionResponse": {"id": "1", "name": "f", "response": {"name": "x"}, "parts": [
                {"inlineData": {"mimeType": "image/png", "data": "AA"}}]}},
            {"executableCode": {"language": "PYTHON", "code": "print()"}},
            {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "o"}, "partMetadata": {"id": "free"}},
        ]}],
        "systemInstruction": {"role": "user", "parts": [{"text": "Be brief."}]},
        "tools": [{"functionDeclarations": [{"name": "f", "description": "d",
            "parameters": {"type": "OBJECT", "properties": {"a": {"type": "STRING", "description": "d", "enum": ["x"]}}},
            "parametersJsonSchema": {"type": "object"}}]},
            {"mcpServers": [{"name": "m", "streamableHttpTransport": {"url": "https://m", "headers": {"A": "K"}}}]}],
        "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["f"]}},
        "generationConfig": {"stopSequences": ["END"], "responseMimeType": "application/json",
            "responseSchema": {"type": "OBJECT", "description": "d"}, "responseJsonSchema": {"type": "object"},
            "speechConfig": {"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": "Kore"},
                "replicatedVoiceConfig": {"voiceSampleAudio": "AA"}}}},
        "safetySettings": [{"category": "C", "threshold": "T"}],
        "cachedContent": "cachedContents/1", "labels": {"team": "a"}, "continuationToken": "AA",
    });
    let expected = [
        "Name contents[].role",
        "Sealed contents[].parts[].thoughtSignature",
        "Name contents[].parts[].inlineData.mimeType",
        "Media contents[].parts[].inlineData.data",
        "Label contents[].parts[].inlineData.displayName",
        "Name contents[].parts[].fileData.mimeType",
        "Label contents[].parts[].fileData.fileUri",
        "Name contents[].parts[].functionCall.id",
        "Name contents[].parts[].functionCall.name",
        "Name contents[].parts[].functionResponse.id",
        "Name contents[].parts[].functionResponse.name",
        "Name contents[].parts[].functionResponse.parts[].inlineData.mimeType",
        "Media contents[].parts[].functionResponse.parts[].inlineData.data",
        "Name contents[].parts[].executableCode.language",
        "Name contents[].parts[].codeExecutionResult.outcome",
        "Name systemInstruction.role",
        "Name tools[].functionDeclarations[].name",
        "Name tools[].functionDeclarations[].parameters.type",
        "Name tools[].functionDeclarations[].parameters.properties.a.type",
        "Label tools[].functionDeclarations[].parameters.properties.a.enum[]",
        "Name tools[].functionDeclarations[].parametersJsonSchema.type",
        "Name tools[].mcpServers[].name",
        "Label tools[].mcpServers[].streamableHttpTransport.url",
        "Credential tools[].mcpServers[].streamableHttpTransport.headers.A",
        "Name toolConfig.functionCallingConfig.mode",
        "Name toolConfig.functionCallingConfig.allowedFunctionNames[]",
        "Label generationConfig.stopSequences[]",
        "Name generationConfig.responseMimeType",
        "Name generationConfig.responseSchema.type",
        "Name generationConfig.responseJsonSchema.type",
        "Name generationConfig.speechConfig.voiceConfig.prebuiltVoiceConfig.voiceName",
        "Media generationConfig.speechConfig.voiceConfig.replicatedVoiceConfig.voiceSampleAudio",
        "Name safetySettings[].category",
        "Name safetySettings[].threshold",
        "Name cachedContent",
        "Label labels.team",
        "Sealed continuationToken",
    ];
    let snake: Vec<String> = expected.iter().map(|row| snake_case(row)).collect();
    let snake: Vec<&str> = snake.iter().map(String::as_str).collect();
    for format in ["gemini.generate", "gemini.stream", "gemini.count_tokens"] {
        check(format, camel.clone(), &expected);
        check(format, snake_keys(&camel), &snake);
    }
}

/// `Media contents[].parts[].inlineData.data` in the other spelling. Header names and treatments stay.
fn snake_case(row: &str) -> String {
    let (treatment, path) = row.split_once(' ').unwrap();
    let steps: Vec<String> = path.split('.').map(snake_key).collect();
    format!("{treatment} {}", steps.join("."))
}

fn snake_key(key: &str) -> String {
    if key.len() == 1 {
        return key.to_owned();
    }
    key.chars().fold(String::new(), |mut out, c| {
        if c.is_ascii_uppercase() {
            out.push('_');
        }
        out.push(c.to_ascii_lowercase());
        out
    })
}

fn snake_keys(value: &Value) -> Value {
    match value {
        Value::Object(members) => members.iter().map(|(key, value)| (snake_key(key), snake_keys(value))).collect(),
        Value::Array(elements) => elements.iter().map(snake_keys).collect(),
        other => other.clone(),
    }
}

#[test]
fn gemini_count_tokens_and_embed_reach_their_nested_contents() {
    let part = json!({"parts": [{"text": "t"}, {"inlineData": {"mimeType": "image/png", "data": "AA"}}]});
    check(
        "gemini.count_tokens",
        json!({"generateContentRequest": {"model": "m", "contents": [part]}}),
        &[
            "Name generateContentRequest.model",
            "Name generateContentRequest.contents[].parts[].inlineData.mimeType",
            "Media generateContentRequest.contents[].parts[].inlineData.data",
        ],
    );
    check(
        "gemini.embed",
        json!({"content": part, "taskType": "T", "title": "t", "requests": [{"model": "m", "content": part}]}),
        &[
            "Name content.parts[].inlineData.mimeType",
            "Media content.parts[].inlineData.data",
            "Name taskType",
            "Name requests[].model",
            "Name requests[].content.parts[].inlineData.mimeType",
            "Media requests[].content.parts[].inlineData.data",
        ],
    );
}

#[test]
fn ollama() {
    check(
        "ollama.chat",
        json!({"model": "m", "messages": [{"role": "user", "content": "hi", "images": ["AA"], "thinking": "t"},
            {"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": {"name": "x"}}}]},
            {"role": "tool", "tool_name": "f", "content": "o"}],
            "tools": [{"type": "function", "function": {"name": "f", "description": "d", "parameters": {"type": "object"}}}],
            "format": {"type": "object", "description": "d"}, "keep_alive": "5m", "options": {"stop": ["END"]}}),
        &[
            "Model model",
            "Name messages[].role",
            "Media messages[].images[]",
            "Name messages[].tool_calls[].function.name",
            "Name messages[].tool_name",
            "Name tools[].type",
            "Name tools[].function.name",
            "Name tools[].function.parameters.type",
            "Name format.type",
            "Name keep_alive",
            "Label options.stop[]",
        ],
    );
    check(
        "ollama.generate",
        json!({"model": "m", "prompt": "p", "suffix": "s", "system": "y", "template": "{{ .Prompt }}", "images": ["AA"],
            "format": "json"}),
        &["Model model", "Label template", "Media images[]", "Name format"],
    );
    check("ollama.embed", json!({"model": "m", "input": ["a"], "prompt": "b"}), &["Model model"]);
}

#[test]
fn cohere_chat() {
    check(
        "cohere.chat",
        json!({"model": "m", "messages": [
            {"role": "user", "content": [{"type": "text", "text": "t"}, {"type": "image_url", "image_url": {"url": "data:", "detail": "auto"}}]},
            {"role": "assistant", "tool_plan": "p", "content": [{"type": "thinking", "thinking": "t"}], "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
             "citations": [{"text": "t", "type": "TEXT_CONTENT", "sources": [{"type": "document", "id": "d", "document": {"id": "free"}}]}]},
            {"role": "tool", "tool_call_id": "c1", "content": [{"type": "document", "document": {"id": "d", "data": {"id": "free"}}}]}],
            "documents": ["s", {"id": "d", "data": {"id": "free"}}],
            "tools": [{"type": "function", "function": {"name": "f", "description": "d", "parameters": {"type": "object"}}}],
            "response_format": {"type": "json_object", "json_schema": {"type": "object"}},
            "stop_sequences": ["END"], "safety_mode": "STRICT"}),
        &[
            "Model model",
            "Name messages[].role",
            "Name messages[].content[].type",
            "Media messages[].content[].image_url.url",
            "Name messages[].content[].image_url.detail",
            "Name messages[].tool_calls[].id",
            "Name messages[].tool_calls[].type",
            "Name messages[].tool_calls[].function.name",
            "Name messages[].citations[].type",
            "Name messages[].citations[].sources[].type",
            "Name messages[].citations[].sources[].id",
            "Name messages[].tool_call_id",
            "Name messages[].content[].document.id",
            "Name documents[].id",
            "Name tools[].type",
            "Name tools[].function.name",
            "Name tools[].function.parameters.type",
            "Name response_format.type",
            "Name response_format.json_schema.type",
            "Label stop_sequences[]",
            "Name safety_mode",
        ],
    );
}

#[test]
fn mistral() {
    check(
        "mistral.chat",
        json!({"model": "m", "messages": [
            {"role": "user", "content": [{"type": "image_url", "image_url": "data:image/png;base64,AA"},
                {"type": "document_url", "document_url": "https://x", "document_name": "a.pdf"},
                {"type": "input_audio", "input_audio": "AA"}]},
            {"role": "assistant", "content": [{"type": "thinking", "thinking": [{"type": "text", "text": "t"}], "signature": "S"},
                {"type": "text", "text": "t"}],
             "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": {"name": "x"}}}]},
            {"role": "tool", "tool_call_id": "c1", "name": "f", "content": "o"}],
            "tools": [{"type": "function", "function": {"name": "f", "description": "d", "parameters": {"type": "object"}}},
                {"type": "connector", "connector_id": "c", "authorization": {"type": "api-key", "value": "K"}}],
            "response_format": {"type": "json_schema", "json_schema": {"name": "r", "schema": {"type": "object"}}},
            "stop": "END", "metadata": {"a": "b"}}),
        &[
            "Model model",
            "Name messages[].role",
            "Name messages[].content[].type",
            "Media messages[].content[].image_url",
            "Media messages[].content[].document_url",
            "Label messages[].content[].document_name",
            "Media messages[].content[].input_audio",
            "Name messages[].content[].thinking[].type",
            "Signed(signature,1) messages[].content[].thinking[].text",
            "Sealed messages[].content[].signature",
            "Name messages[].tool_calls[].id",
            "Name messages[].tool_calls[].type",
            "Name messages[].tool_calls[].function.name",
            "Name messages[].tool_call_id",
            "Label messages[].name",
            "Name tools[].type",
            "Name tools[].function.name",
            "Name tools[].function.parameters.type",
            "Name tools[].connector_id",
            "Name tools[].authorization.type",
            "Credential tools[].authorization.value",
            "Name response_format.type",
            "Name response_format.json_schema.name",
            "Name response_format.json_schema.schema.type",
            "Label stop",
            "Label metadata.a",
        ],
    );
    check("mistral.fim", json!({"model": "m", "prompt": "p", "suffix": "s"}), &["Model model"]);
    check("mistral.embeddings", json!({"model": "m", "inputs": ["p"]}), &["Model model"]);
}

#[test]
fn bedrock_converse() {
    let body = json!({
        "system": [{"text": "Be brief."}, {"cachePoint": {"type": "default"}}],
        "messages": [{"role": "user", "content": [
            {"text": "hi"},
            {"image": {"format": "png", "source": {"bytes": "AA"}}},
            {"document": {"format": "pdf", "name": "n", "context": "c", "source": {"text": "plain"}}},
            {"video": {"format": "mp4", "source": {"s3Location": {"uri": "s3://b/k", "bucketOwner": "1"}}}},
            {"toolUse": {"toolUseId": "t1", "name": "f", "input": {"bytes": "x", "name": "y"}}},
            {"toolResult": {"toolUseId": "t1", "status": "success", "content": [{"json": {"name": "x"}}, {"text": "t"},
                {"image": {"format": "png", "source": {"bytes": "AA"}}}]}},
            {"reasoningContent": {"reasoningText": {"text": "hm", "signature": "S"}}},
            {"reasoningContent": {"redactedContent": "AA"}},
            {"searchResult": {"source": "s", "title": "t", "content": [{"text": "t"}]}},
        ]}],
        "toolConfig": {"tools": [{"toolSpec": {"name": "f", "description": "d", "inputSchema": {"json": {"type": "object",
            "description": "d"}}}}], "toolChoice": {"tool": {"name": "f"}}},
        "inferenceConfig": {"stopSequences": ["END"]}, "requestMetadata": {"a": "b"},
        "additionalModelRequestFields": {"system": "free", "type": "free"}, "promptVariables": {"name": {"text": "t"}},
        "outputConfig": {"textFormat": {"type": "json_schema", "structure": {"jsonSchema": {"name": "r", "schema": "{}",
            "description": "d"}}}},
        "guardrailConfig": {"guardrailIdentifier": "g"},
    });
    let expected = [
        "Name system[].cachePoint.type",
        "Name messages[].role",
        "Name messages[].content[].image.format",
        "Media messages[].content[].image.source.bytes",
        "Name messages[].content[].document.format",
        "Label messages[].content[].document.name",
        "Name messages[].content[].video.format",
        "Label messages[].content[].video.source.s3Location.uri",
        "Name messages[].content[].video.source.s3Location.bucketOwner",
        "Name messages[].content[].toolUse.toolUseId",
        "Name messages[].content[].toolUse.name",
        "Name messages[].content[].toolResult.toolUseId",
        "Name messages[].content[].toolResult.status",
        "Name messages[].content[].toolResult.content[].image.format",
        "Media messages[].content[].toolResult.content[].image.source.bytes",
        "Signed(signature,0) messages[].content[].reasoningContent.reasoningText.text",
        "Sealed messages[].content[].reasoningContent.reasoningText.signature",
        "Sealed messages[].content[].reasoningContent.redactedContent",
        "Name toolConfig.tools[].toolSpec.name",
        "Name toolConfig.tools[].toolSpec.inputSchema.json.type",
        "Name toolConfig.toolChoice.tool.name",
        "Label inferenceConfig.stopSequences[]",
        "Label requestMetadata.a",
        "Name outputConfig.textFormat.type",
        "Name outputConfig.textFormat.structure.jsonSchema.name",
        "Label outputConfig.textFormat.structure.jsonSchema.schema",
        "Name guardrailConfig.guardrailIdentifier",
    ];
    check("bedrock.converse", body.clone(), &expected);
    check("bedrock.converse_stream", body, &expected);
}

#[test]
fn mcp_messages_alone_and_in_a_batch() {
    let message = json!({
        "jsonrpc": "2.0", "id": "c1", "method": "tools/call",
        "params": {"name": "send", "arguments": {"to": "Ann", "name": "x", "deep": [{"uri": "y"}]}, "uri": "file:///a",
            "cursor": "p2", "requestState": "AA", "_meta": {"progressToken": "t", "io.example/v": {"deep": "1"}},
            "inputResponses": {"k": {"action": "accept", "content": {"answer": "yes"}}}},
        "result": {"role": "assistant", "model": "m", "content": [{"type": "text", "text": "t"},
            {"type": "image", "data": "AAAA", "mimeType": "image/png"}]},
    });
    let expected = [
        "Name jsonrpc",
        "Name id",
        "Name method",
        "Name params.name",
        "Label params.uri",
        "Name params.cursor",
        "Sealed params.requestState",
        "Label params._meta.progressToken",
        "Label params._meta.io.example/v.deep",
        "Name params.inputResponses.k.action",
        "Name result.role",
        "Name result.model",
        "Name result.content[].type",
        "Media result.content[].data",
        "Name result.content[].mimeType",
    ];
    check("mcp", message.clone(), &expected);
    let batch: Vec<String> = expected.iter().map(|row| row.replacen(' ', " [].", 1)).collect();
    check("mcp", json!([message]), &batch.iter().map(String::as_str).collect::<Vec<_>>());
}

#[test]
fn an_error_of_mcp_names_the_calls_it_answers() {
    let ids = ["7".to_owned(), r#""a\"b""#.to_owned()];
    let of = |calls| ErrorReply { calls, ..FILTERED };
    let body = |calls| serde_json::from_slice::<Value>(&Family::Mcp.error_body(&of(calls))).unwrap();
    assert_eq!(body(&ids[..1])["id"], 7);
    assert_eq!((&body(&ids)[0]["id"], &body(&ids)[1]["id"]), (&json!(7), &json!("a\"b")));
    assert_eq!(Family::Mcp.error_status(&of(&ids)), 200);
    assert_eq!(Family::Mcp.error_status(&of(&[])), 400);
    assert_eq!(Family::Mcp.error_status(&ErrorReply { status: 401, ..of(&ids) }), 401);
    assert_eq!(Family::OpenAi.error_status(&of(&ids)), 400);
}

#[test]
fn every_table_compiles_and_no_row_is_written_twice() {
    for dialect in FORMATS {
        Plan::compile(dialect.selectors().copied()).unwrap();
        let mut seen = BTreeSet::new();
        let twice: Vec<_> = dialect.selectors().map(|row| row.path).filter(|path| !seen.insert(*path)).collect();
        assert!(twice.is_empty(), "{}: {twice:?}", dialect.name);
    }
}

#[test]
fn formats_have_one_name_each_under_their_family() {
    let mut names = BTreeSet::new();
    for dialect in FORMATS {
        assert!(names.insert(dialect.name), "{}", dialect.name);
        assert_eq!(dialect.name.split('.').next(), Some(dialect.family.name()));
        assert!(std::ptr::eq(find(dialect.name).unwrap(), *dialect));
        assert_eq!(dialect.body == BodyKind::None, dialect.selectors().next().is_none(), "{}", dialect.name);
    }
    assert!(find("openai.unknown").is_none());
}

const FILTERED: ErrorReply = ErrorReply {
    status: 400,
    kind: ErrorKind::InvalidRequest,
    code: "content_filter",
    message: "Blocked by \"policy\"",
    request_id: "req_1",
    calls: &[],
};

#[test]
fn a_policy_verdict_in_each_envelope() {
    let openai = r#"{"error":{"message":"Blocked by \"policy\"","type":"invalid_request_error","param":null,"code":"content_filter"}}"#;
    let cases = [
        (Family::OpenAi, openai),
        (Family::Mistral, openai),
        (
            Family::Azure,
            r#"{"error":{"message":"Blocked by \"policy\"","type":"invalid_request_error","param":null,"code":"content_filter","status":400,"innererror":{"code":"ResponsibleAIPolicyViolation"}}}"#,
        ),
        (
            Family::Anthropic,
            r#"{"type":"error","error":{"type":"invalid_request_error","message":"Blocked by \"policy\"","details":{"error_code":"content_filter"}},"request_id":"req_1"}"#,
        ),
        (
            Family::Gemini,
            r#"{"error":{"code":400,"message":"Blocked by \"policy\"","status":"INVALID_ARGUMENT","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"CONTENT_FILTER","domain":"promptgate"}]}}"#,
        ),
        (Family::Ollama, r#"{"error":"Blocked by \"policy\""}"#),
        (Family::Cohere, r#"{"message":"Blocked by \"policy\"","id":"req_1"}"#),
        (Family::Bedrock, r#"{"message":"Blocked by \"policy\""}"#),
        (
            Family::Mcp,
            r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32090,"message":"Blocked by \"policy\"","data":{"code":"content_filter","request_id":"req_1"}}}"#,
        ),
    ];
    for (family, expected) in cases {
        assert_eq!(String::from_utf8(family.error_body(&FILTERED)).unwrap(), expected, "{family:?}");
    }
}

#[test]
fn every_kind_has_the_word_each_sdk_knows_it_by() {
    // Kind, status, then OpenAI's and Anthropic's type, Gemini's status, Bedrock's exception.
    use ErrorKind::*;
    let cases = [
        (
            InvalidRequest,
            400,
            "invalid_request_error",
            "invalid_request_error",
            "INVALID_ARGUMENT",
            "ValidationException",
        ),
        (
            Authentication,
            401,
            "invalid_request_error",
            "authentication_error",
            "UNAUTHENTICATED",
            "AccessDeniedException",
        ),
        (Permission, 403, "permission_error", "permission_error", "PERMISSION_DENIED", "AccessDeniedException"),
        (NotFound, 404, "invalid_request_error", "not_found_error", "NOT_FOUND", "ResourceNotFoundException"),
        (
            MethodNotAllowed,
            405,
            "invalid_request_error",
            "invalid_request_error",
            "UNIMPLEMENTED",
            "ValidationException",
        ),
        (TooLarge, 413, "invalid_request_error", "request_too_large", "INVALID_ARGUMENT", "ValidationException"),
        (
            UnsupportedMedia,
            415,
            "invalid_request_error",
            "invalid_request_error",
            "INVALID_ARGUMENT",
            "ValidationException",
        ),
        (RateLimit, 429, "rate_limit_error", "rate_limit_error", "RESOURCE_EXHAUSTED", "ThrottlingException"),
        (Unavailable, 503, "server_error", "api_error", "UNAVAILABLE", "ServiceUnavailableException"),
        (Upstream, 502, "server_error", "api_error", "UNAVAILABLE", "InternalServerException"),
        (Timeout, 504, "server_error", "timeout_error", "DEADLINE_EXCEEDED", "ModelTimeoutException"),
    ];
    assert_eq!(cases.map(|case| case.0), ErrorKind::ALL);
    for (kind, status, openai, anthropic, gemini, bedrock) in cases {
        let reply = ErrorReply { status, kind, code: "", message: "m", request_id: "r", calls: &[] };
        let body = |family: Family| serde_json::from_slice::<Value>(&family.error_body(&reply)).unwrap();
        for family in [Family::OpenAi, Family::Azure, Family::Mistral] {
            let error = &body(family)["error"];
            assert_eq!(error["type"], openai, "{kind:?}");
            let code = if kind == Authentication { json!("invalid_api_key") } else { Value::Null };
            assert_eq!(error["code"], code, "{kind:?}");
        }
        assert_eq!(body(Family::Anthropic)["error"], json!({"type": anthropic, "message": "m"}), "{kind:?}");
        let google = json!({"code": status, "message": "m", "status": gemini, "details": []});
        assert_eq!(body(Family::Gemini)["error"], google, "{kind:?}");
        assert_eq!(Family::Bedrock.error_headers(&reply), &[("x-amzn-errortype", bedrock)], "{kind:?}");
        assert_eq!(Family::OpenAi.error_headers(&reply), &[], "{kind:?}");
    }
}

#[test]
fn an_error_is_one_event_in_each_framing() {
    let cases = [
        (Family::OpenAi, "data: {\"error\":{\"message\":\"m\"", "\n\n"),
        (Family::Azure, "data: {\"error\":{\"message\":\"m\"", "\n\n"),
        (Family::Mistral, "data: {\"error\":{\"message\":\"m\"", "\n\n"),
        (Family::Anthropic, "event: error\ndata: {\"type\":\"error\",\"error\":{", "}\n\n"),
        (Family::Gemini, "data: {\"error\":{\"code\":502,", "}\r\n\r\n"),
        (Family::Ollama, "{\"error\":\"m\"}", "\n"),
        (Family::Mcp, "event: message\ndata: {\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{", "}\n\n"),
        (
            Family::Cohere,
            "event: message-end\ndata: {\"type\":\"message-end\",\"id\":\"r\",\"delta\":{\"error\":\"m\",\"finish_reason\":\"ERROR\"}}",
            "\n\n",
        ),
    ];
    let reply = ErrorReply {
        status: 502,
        kind: ErrorKind::Upstream,
        code: "upstream",
        message: "m",
        request_id: "r",
        calls: &[],
    };
    for (family, start, end) in cases {
        let event = String::from_utf8(family.stream_error(&reply)).unwrap();
        assert!(event.starts_with(start) && event.ends_with(end), "{family:?}: {event:?}");
    }
}

#[test]
fn a_bedrock_error_frame_has_lengths_and_checksums_that_hold() {
    let reply =
        ErrorReply { status: 502, kind: ErrorKind::Upstream, code: "", message: "m", request_id: "r", calls: &[] };
    let frame = Family::Bedrock.stream_error(&reply);
    let number = |at: usize| u32::from_be_bytes(frame[at..at + 4].try_into().unwrap());
    let sum = |bytes: &[u8]| {
        let mut crc = flate2::Crc::new();
        crc.update(bytes);
        crc.sum()
    };
    assert_eq!(number(0) as usize, frame.len());
    assert_eq!(number(8), sum(&frame[..8]));
    assert_eq!(number(frame.len() - 4), sum(&frame[..frame.len() - 4]));
    let payload = &frame[12 + number(4) as usize..frame.len() - 4];
    assert_eq!(payload, br#"{"message":"m"}"#);
    let headers = &frame[12..12 + number(4) as usize];
    assert!(
        headers.starts_with(
            b"\x0d:message-type\x07\x00\x09exception\x0f:exception-type\x07\x00\x17internalServerException"
        )
    );
}

#[test]
fn request_headers_go_up_by_name() {
    let cases = [
        (Family::OpenAi, "OpenAI-Organization", true),
        (Family::OpenAi, "X-Stainless-Retry-Count", true),
        (Family::OpenAi, "anthropic-version", false),
        (Family::Anthropic, "anthropic-version", true),
        (Family::Anthropic, "anthropic-beta", true),
        (Family::Gemini, "x-goog-api-client", true),
        (Family::Bedrock, "amz-sdk-request", true),
        (Family::Bedrock, "authorization", false),
        (Family::Mcp, "Mcp-Session-Id", true),
        (Family::Mcp, "mcp-param-region", true),
        (Family::Mcp, "cookie", false),
        (Family::Ollama, "user-agent", true),
        (Family::Cohere, "x-internal-note", false),
    ];
    for (family, name, expected) in cases {
        assert_eq!(request_header_allowed(family, name), expected, "{family:?} {name}");
    }
    for family in Family::ALL {
        for name in NEVER_UPSTREAM.iter().chain(CALLER_CREDENTIAL_HEADERS) {
            assert!(!request_header_allowed(family, name), "{family:?} {name}");
        }
        assert!(NEVER_UPSTREAM.contains(&family.upstream_key().header_name()));
    }
}

#[test]
fn query_keys_go_up_by_name_and_credentials_are_found_in_any_case() {
    assert!(query_key_allowed(Family::Azure, "api-version"));
    assert!(query_key_allowed(Family::Gemini, "alt"));
    assert!(query_key_allowed(Family::Anthropic, "beta"));
    assert!(!query_key_allowed(Family::OpenAi, "api-version"));
    for family in Family::ALL {
        for key in CREDENTIAL_QUERY_KEYS {
            assert!(!query_key_allowed(family, key), "{family:?} {key}");
        }
    }
    for key in ["key", "KEY", "api_key", "Access_Token", "X-Amz-Signature"] {
        assert!(query_key_is_credential(key), "{key}");
    }
    assert!(!query_key_is_credential("alt"));
}

#[test]
fn response_headers_come_down_but_for_cookies_and_identity() {
    for name in ["x-request-id", "retry-after", "x-ratelimit-remaining-tokens", "content-type", "x-amzn-errortype"] {
        assert!(response_header_allowed(name), "{name}");
    }
    for name in ["Set-Cookie", "server", "CF-Ray", "alt-svc", "transfer-encoding", "x-promptgate-verdict"] {
        assert!(!response_header_allowed(name), "{name}");
    }
}

#[test]
fn upstreams_get_their_key_where_they_look_for_it() {
    assert_eq!(Family::OpenAi.upstream_key().header_value("K"), "Bearer K");
    assert_eq!(Family::Anthropic.upstream_key(), UpstreamKey::Header("x-api-key"));
    assert_eq!(Family::Gemini.upstream_key().header_value("K"), "K");
}
