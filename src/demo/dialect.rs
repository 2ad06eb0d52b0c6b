//! How each dialect writes the same short answer, whole and streamed. No sockets.

use std::fmt::Display;

use axum::http::Method;
use serde_json::{Value, json};

use super::request::Request;

const SSE: &str = "text/event-stream";
const NDJSON: &str = "application/x-ndjson";
const JSON: &str = "application/json";
const MODEL: &str = "promptgate-demo";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    OpenAiChat,
    OpenAiCompletions,
    OpenAiResponses,
    AnthropicMessages,
    AnthropicCountTokens,
    GeminiWhole,
    GeminiSse,
    GeminiArray,
    GeminiCountTokens,
    OllamaChat,
    OllamaGenerate,
    CohereChat,
    BedrockConverse,
    Models,
}

pub enum Reply {
    Whole(Value),
    Stream { content_type: &'static str, pieces: Vec<String> },
}

pub struct Answer {
    serial: u64,
    created: u64,
    model: String,
    text: String,
    words_in: usize,
    words_out: usize,
}

impl Answer {
    pub fn new(serial: u64, created: u64, request: &Request) -> Answer {
        let text = format!("You said: {}", request.user_text);
        let words_out = text.split_whitespace().count();
        Answer { serial, created, model: request.model.clone(), text, words_in: request.words, words_out }
    }

    /// Some six characters a piece, and at most about fifty pieces however long the text is.
    fn pieces(&self) -> Vec<String> {
        let characters: Vec<char> = self.text.chars().collect();
        let size = characters.len().div_ceil(50).max(6);
        characters.chunks(size).map(|piece| piece.iter().collect()).collect()
    }
}

impl Dialect {
    /// By the end of the path, since a gateway may put anything before it.
    pub fn of(method: &Method, path: &str, query: &str) -> Option<Dialect> {
        const POST: &[(&str, Dialect)] = &[
            ("/chat/completions", Dialect::OpenAiChat),
            ("/completions", Dialect::OpenAiCompletions),
            ("/responses", Dialect::OpenAiResponses),
            ("/messages", Dialect::AnthropicMessages),
            ("/messages/count_tokens", Dialect::AnthropicCountTokens),
            (":generateContent", Dialect::GeminiWhole),
            (":streamGenerateContent", Dialect::GeminiArray),
            (":countTokens", Dialect::GeminiCountTokens),
            ("/api/chat", Dialect::OllamaChat),
            ("/api/generate", Dialect::OllamaGenerate),
            ("/v2/chat", Dialect::CohereChat),
            ("/converse", Dialect::BedrockConverse),
        ];
        const GET: &[(&str, Dialect)] = &[("/models", Dialect::Models), ("/api/tags", Dialect::Models)];
        let table = if method == Method::POST {
            POST
        } else if method == Method::GET {
            GET
        } else {
            &[]
        };
        let dialect = table.iter().find(|(end, _)| path.ends_with(end)).map(|(_, dialect)| *dialect)?;
        let sse = query.split('&').any(|pair| pair == "alt=sse");
        Some(if dialect == Dialect::GeminiArray && sse { Dialect::GeminiSse } else { dialect })
    }

    pub fn reply(self, answer: &Answer, request: &Request) -> Reply {
        let asked = request.stream == Some(true);
        match self {
            Dialect::OpenAiChat if asked => stream(SSE, openai_chat_events(answer, request.include_usage)),
            Dialect::OpenAiChat => Reply::Whole(openai_chat(answer)),
            Dialect::OpenAiCompletions if asked => stream(SSE, openai_completion_events(answer)),
            Dialect::OpenAiCompletions => Reply::Whole(openai_completion(answer, &answer.text, Some("stop"))),
            Dialect::OpenAiResponses if asked => stream(SSE, openai_response_events(answer)),
            Dialect::OpenAiResponses => Reply::Whole(openai_response(answer, "completed")),
            Dialect::AnthropicMessages if asked => stream(SSE, anthropic_events(answer)),
            Dialect::AnthropicMessages => Reply::Whole(anthropic_message(answer)),
            Dialect::AnthropicCountTokens => Reply::Whole(json!({"input_tokens": answer.words_in})),
            Dialect::GeminiWhole => Reply::Whole(gemini(answer, &answer.text, Some("STOP"))),
            Dialect::GeminiSse => stream(SSE, gemini_events(answer)),
            Dialect::GeminiArray => stream(JSON, gemini_array(answer)),
            Dialect::GeminiCountTokens => Reply::Whole(json!({"totalTokens": answer.words_in})),
            // Ollama streams unless told not to.
            Dialect::OllamaChat if request.stream != Some(false) => stream(NDJSON, ollama_lines(answer, ollama_chat)),
            Dialect::OllamaChat => Reply::Whole(ollama_chat(answer, &answer.text, true)),
            Dialect::OllamaGenerate if request.stream != Some(false) => {
                stream(NDJSON, ollama_lines(answer, ollama_generate))
            }
            Dialect::OllamaGenerate => Reply::Whole(ollama_generate(answer, &answer.text, true)),
            Dialect::CohereChat if asked => stream(SSE, cohere_events(answer)),
            Dialect::CohereChat => Reply::Whole(cohere(answer)),
            Dialect::BedrockConverse => Reply::Whole(bedrock(answer)),
            Dialect::Models => Reply::Whole(models()),
        }
    }
}

/// One list every SDK can read: OpenAI's and Anthropic's `data`, and the `models` of Gemini and Ollama.
pub fn models() -> Value {
    json!({
        "object": "list",
        "data": [{
            "id": MODEL, "object": "model", "type": "model", "created": 0, "owned_by": "promptgate",
            "display_name": "Echo", "created_at": "1970-01-01T00:00:00Z",
        }],
        "has_more": false, "first_id": MODEL, "last_id": MODEL,
        "models": [{"name": format!("models/{MODEL}"), "model": MODEL, "displayName": "Echo"}],
    })
}

fn stream(content_type: &'static str, pieces: Vec<String>) -> Reply {
    Reply::Stream { content_type, pieces }
}

fn unnamed(data: &impl Display) -> String {
    format!("data: {data}\n\n")
}

/// An event named as its own `type`, the way Anthropic, OpenAI Responses and Cohere do it.
fn named(data: &Value) -> String {
    let name = data.get("type").and_then(Value::as_str).unwrap_or("message");
    format!("event: {name}\ndata: {data}\n\n")
}

fn openai_usage(answer: &Answer) -> Value {
    let (input, output) = (answer.words_in, answer.words_out);
    json!({"prompt_tokens": input, "completion_tokens": output, "total_tokens": input + output})
}

fn openai_chat(answer: &Answer) -> Value {
    json!({
        "id": format!("chatcmpl-demo-{}", answer.serial), "object": "chat.completion", "created": answer.created,
        "model": answer.model,
        "choices": [{
            "index": 0, "message": {"role": "assistant", "content": answer.text, "refusal": null},
            "logprobs": null, "finish_reason": "stop",
        }],
        "usage": openai_usage(answer),
    })
}

fn openai_chat_chunk(answer: &Answer, delta: Value, finish_reason: Option<&str>) -> Value {
    json!({
        "id": format!("chatcmpl-demo-{}", answer.serial), "object": "chat.completion.chunk",
        "created": answer.created, "model": answer.model,
        "choices": [{"index": 0, "delta": delta, "logprobs": null, "finish_reason": finish_reason}],
    })
}

fn openai_chat_events(answer: &Answer, include_usage: bool) -> Vec<String> {
    let first = openai_chat_chunk(answer, json!({"role": "assistant", "content": ""}), None);
    let deltas = answer.pieces().into_iter().map(|piece| openai_chat_chunk(answer, json!({"content": piece}), None));
    let last = openai_chat_chunk(answer, json!({}), Some("stop"));
    let mut chunks: Vec<Value> = [first].into_iter().chain(deltas).chain([last]).collect();
    if include_usage {
        let mut usage = openai_chat_chunk(answer, json!({}), None);
        usage["choices"] = json!([]);
        usage["usage"] = openai_usage(answer);
        chunks.push(usage);
    }
    chunks.iter().map(unnamed).chain([unnamed(&"[DONE]")]).collect()
}

fn openai_completion(answer: &Answer, text: &str, finish_reason: Option<&str>) -> Value {
    json!({
        "id": format!("cmpl-demo-{}", answer.serial), "object": "text_completion", "created": answer.created,
        "model": answer.model,
        "choices": [{"index": 0, "text": text, "logprobs": null, "finish_reason": finish_reason}],
        "usage": openai_usage(answer),
    })
}

fn openai_completion_events(answer: &Answer) -> Vec<String> {
    let deltas = answer.pieces().into_iter().map(|piece| openai_completion(answer, &piece, None));
    let chunks = deltas.chain([openai_completion(answer, "", Some("stop"))]);
    chunks.map(|chunk| unnamed(&chunk)).chain([unnamed(&"[DONE]")]).collect()
}

fn openai_response(answer: &Answer, status: &str) -> Value {
    let (input, output) = (answer.words_in, answer.words_out);
    json!({
        "id": format!("resp_demo_{}", answer.serial), "object": "response", "created_at": answer.created,
        "status": status, "model": answer.model, "error": null, "incomplete_details": null, "instructions": null,
        "metadata": {}, "parallel_tool_calls": true, "tool_choice": "auto", "tools": [],
        "temperature": 1.0, "top_p": 1.0,
        "output": if status == "completed" { vec![openai_response_item(answer, &answer.text, status)] } else { vec![] },
        "usage": {
            "input_tokens": input, "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": output, "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": input + output,
        },
    })
}

fn openai_response_item(answer: &Answer, text: &str, status: &str) -> Value {
    let content = if text.is_empty() { vec![] } else { vec![openai_response_part(text)] };
    json!({"id": item_id(answer), "type": "message", "role": "assistant", "status": status, "content": content})
}

fn openai_response_part(text: &str) -> Value {
    json!({"type": "output_text", "text": text, "annotations": []})
}

fn item_id(answer: &Answer) -> String {
    format!("msg_demo_{}", answer.serial)
}

fn openai_response_events(answer: &Answer) -> Vec<String> {
    let place = json!({"item_id": item_id(answer), "output_index": 0, "content_index": 0});
    let item = |text, status| json!({"output_index": 0, "item": openai_response_item(answer, text, status)});
    let mut events = vec![
        ("response.created", json!({"response": openai_response(answer, "in_progress")})),
        ("response.in_progress", json!({"response": openai_response(answer, "in_progress")})),
        ("response.output_item.added", item("", "in_progress")),
        ("response.content_part.added", with(&place, json!({"part": openai_response_part("")}))),
    ];
    let deltas = answer.pieces().into_iter().map(|piece| with(&place, json!({"delta": piece, "logprobs": []})));
    events.extend(deltas.map(|delta| ("response.output_text.delta", delta)));
    events.extend([
        ("response.output_text.done", with(&place, json!({"text": answer.text, "logprobs": []}))),
        ("response.content_part.done", with(&place, json!({"part": openai_response_part(&answer.text)}))),
        ("response.output_item.done", item(&answer.text, "completed")),
        ("response.completed", json!({"response": openai_response(answer, "completed")})),
    ]);
    let numbered = events.into_iter().enumerate();
    numbered
        .map(|(number, (name, event))| named(&with(&event, json!({"type": name, "sequence_number": number}))))
        .collect()
}

/// The fields of both objects.
fn with(base: &Value, more: Value) -> Value {
    let fields = [base.as_object(), more.as_object()].into_iter().flatten().flatten();
    Value::Object(fields.map(|(key, value)| (key.clone(), value.clone())).collect())
}

fn anthropic_message(answer: &Answer) -> Value {
    json!({
        "id": format!("msg_demo_{}", answer.serial), "type": "message", "role": "assistant", "model": answer.model,
        "content": [{"type": "text", "text": answer.text}], "stop_reason": "end_turn", "stop_sequence": null,
        "usage": {"input_tokens": answer.words_in, "output_tokens": answer.words_out},
    })
}

fn anthropic_events(answer: &Answer) -> Vec<String> {
    let empty = json!({
        "content": [], "stop_reason": null, "usage": {"input_tokens": answer.words_in, "output_tokens": 0},
    });
    let mut events = vec![
        json!({"type": "message_start", "message": with(&anthropic_message(answer), empty)}),
        json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
        json!({"type": "ping"}),
    ];
    events.extend(answer.pieces().into_iter().map(
        |piece| json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": piece}}),
    ));
    events.extend([
        json!({"type": "content_block_stop", "index": 0}),
        json!({
            "type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": null},
            "usage": {"output_tokens": answer.words_out},
        }),
        json!({"type": "message_stop"}),
    ]);
    events.iter().map(named).collect()
}

fn gemini(answer: &Answer, text: &str, finish_reason: Option<&str>) -> Value {
    let (input, output) = (answer.words_in, answer.words_out);
    let mut candidate = json!({"content": {"role": "model", "parts": [{"text": text}]}, "index": 0});
    if let Some(reason) = finish_reason {
        candidate["finishReason"] = json!(reason);
    }
    json!({
        "candidates": [candidate],
        "usageMetadata": {"promptTokenCount": input, "candidatesTokenCount": output, "totalTokenCount": input + output},
        "modelVersion": answer.model, "responseId": format!("demo-{}", answer.serial),
    })
}

fn gemini_chunks(answer: &Answer) -> Vec<Value> {
    let pieces = answer.pieces();
    let last = pieces.len().saturating_sub(1);
    let finish = |number| (number == last).then_some("STOP");
    pieces.iter().enumerate().map(|(number, piece)| gemini(answer, piece, finish(number))).collect()
}

/// Google separates its events by CRLF.
fn gemini_events(answer: &Answer) -> Vec<String> {
    gemini_chunks(answer).iter().map(|chunk| format!("data: {chunk}\r\n\r\n")).collect()
}

/// Without `alt=sse` the stream is one JSON array, sent piece by piece.
fn gemini_array(answer: &Answer) -> Vec<String> {
    let chunks = gemini_chunks(answer).into_iter().enumerate();
    let pieces = chunks.map(|(number, chunk)| format!("{}{chunk}", if number == 0 { "[" } else { "\n,\r\n" }));
    pieces.chain(["\n]\n".to_owned()]).collect()
}

fn ollama(answer: &Answer, text: Value, done: bool) -> Value {
    let base = json!({"model": answer.model, "created_at": "1970-01-01T00:00:00Z", "done": done});
    let counters = json!({
        "done_reason": "stop", "total_duration": 0, "load_duration": 0,
        "prompt_eval_count": answer.words_in, "eval_count": answer.words_out,
    });
    let line = with(&base, text);
    if done { with(&line, counters) } else { line }
}

fn ollama_chat(answer: &Answer, text: &str, done: bool) -> Value {
    ollama(answer, json!({"message": {"role": "assistant", "content": text}}), done)
}

fn ollama_generate(answer: &Answer, text: &str, done: bool) -> Value {
    ollama(answer, json!({"response": text}), done)
}

fn ollama_lines(answer: &Answer, line: fn(&Answer, &str, bool) -> Value) -> Vec<String> {
    let pieces = answer.pieces().into_iter().map(|piece| line(answer, &piece, false));
    pieces.chain([line(answer, "", true)]).map(|line| format!("{line}\n")).collect()
}

fn cohere_usage(answer: &Answer) -> Value {
    let tokens = json!({"input_tokens": answer.words_in, "output_tokens": answer.words_out});
    json!({"billed_units": tokens, "tokens": tokens})
}

fn cohere(answer: &Answer) -> Value {
    json!({
        "id": format!("demo-{}", answer.serial), "finish_reason": "COMPLETE", "usage": cohere_usage(answer),
        "message": {"role": "assistant", "content": [{"type": "text", "text": answer.text}]},
    })
}

fn cohere_events(answer: &Answer) -> Vec<String> {
    let content = |text: &str| json!({"message": {"content": {"type": "text", "text": text}}});
    let mut events = vec![
        json!({"type": "message-start", "id": format!("demo-{}", answer.serial),
            "delta": {"message": {"role": "assistant", "content": [], "tool_plan": "", "tool_calls": [], "citations": []}}}),
        json!({"type": "content-start", "index": 0, "delta": content("")}),
    ];
    events.extend(
        answer.pieces().into_iter().map(
            |piece| json!({"type": "content-delta", "index": 0, "delta": {"message": {"content": {"text": piece}}}}),
        ),
    );
    events.extend([
        json!({"type": "content-end", "index": 0}),
        json!({"type": "message-end", "delta": {"finish_reason": "COMPLETE", "usage": cohere_usage(answer)}}),
    ]);
    events.iter().map(named).chain([unnamed(&"[DONE]")]).collect()
}

fn bedrock(answer: &Answer) -> Value {
    let (input, output) = (answer.words_in, answer.words_out);
    json!({
        "output": {"message": {"role": "assistant", "content": [{"text": answer.text}]}}, "stopReason": "end_turn",
        "usage": {"inputTokens": input, "outputTokens": output, "totalTokens": input + output},
        "metrics": {"latencyMs": 0},
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Path, body, and the JSON pointers where a stream's event may carry text.
    const STREAMS: &[(&str, &str, &[&str])] = &[
        ("/v1/chat/completions", r#""messages":[{"role":"user","content":"TEXT"}]"#, &["/choices/0/delta/content"]),
        ("/v1/completions", r#""prompt":"TEXT""#, &["/choices/0/text"]),
        ("/v1/responses", r#""input":"TEXT""#, &["/delta"]),
        ("/v1/messages", r#""messages":[{"role":"user","content":"TEXT"}]"#, &["/delta/text"]),
        ("/m:streamGenerateContent?alt=sse", r#""contents":[{"parts":[{"text":"TEXT"}]}]"#, GEMINI_TEXT),
        ("/api/chat", r#""messages":[{"role":"user","content":"TEXT"}]"#, &["/message/content"]),
        ("/api/generate", r#""prompt":"TEXT""#, &["/response"]),
        ("/v2/chat", r#""messages":[{"role":"user","content":"TEXT"}]"#, &["/delta/message/content/text"]),
    ];
    const GEMINI_TEXT: &[&str] = &["/candidates/0/content/parts/0/text"];

    fn pieces_of(path: &str, body: &str) -> Vec<String> {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let request = Request::parse(body.as_bytes(), path).unwrap();
        let answer = Answer::new(7, 1, &request);
        match Dialect::of(&Method::POST, path, query).unwrap().reply(&answer, &request) {
            Reply::Stream { pieces, .. } => pieces,
            Reply::Whole(value) => panic!("{path} is not streamed: {value}"),
        }
    }

    fn text_of(event: &str, pointers: &[&str]) -> String {
        let line = event.trim_end().lines().last().unwrap();
        let Ok(value) = serde_json::from_str::<Value>(line.trim_start_matches("data: ")) else {
            assert_eq!(line, "data: [DONE]");
            return String::new();
        };
        pointers.iter().filter_map(|pointer| value.pointer(pointer)?.as_str()).collect()
    }

    #[test]
    fn streamed_pieces_add_up_to_the_whole_answer() {
        let said = "my key is [API_KEY_MASKED] — ünïcode 😀 ".repeat(100);
        for (path, turns, pointers) in STREAMS {
            let body = format!("{{\"stream\":true,{}}}", turns.replace("TEXT", &said));
            let pieces = pieces_of(path, &body);
            let text: String = pieces.iter().map(|piece| text_of(piece, pointers)).collect();
            assert_eq!(text, format!("You said: {said}"), "{path}");
            assert!((10..70).contains(&pieces.len()), "{path} {}", pieces.len());
        }
    }

    #[test]
    fn a_gemini_stream_without_sse_is_one_json_array() {
        let array = pieces_of("/m:streamGenerateContent", r#"{"contents":"hello there"}"#).concat();
        let chunks: Vec<Value> = serde_json::from_str(&array).unwrap();
        let text: String = chunks.iter().filter_map(|chunk| chunk.pointer(GEMINI_TEXT[0])?.as_str()).collect();
        assert_eq!(text, "You said: hello there");
    }

    #[test]
    fn usage_is_sent_in_a_stream_only_when_asked_for() {
        let asked =
            pieces_of("/chat/completions", r#"{"prompt":"a b","stream":true,"stream_options":{"include_usage":true}}"#);
        assert!(asked[asked.len() - 2].contains(r#""prompt_tokens":2"#));
        let unasked = pieces_of("/chat/completions", r#"{"prompt":"a b","stream":true}"#);
        assert!(!unasked.concat().contains("prompt_tokens"));
        assert_eq!(unasked.last().unwrap(), "data: [DONE]\n\n");
    }
}
