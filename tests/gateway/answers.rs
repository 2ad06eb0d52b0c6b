//! Both directions: what a caller sends does not reach the provider, and comes back to the caller; what the model made up
//! reaches nobody.

use std::sync::LazyLock;

use promptgate::policy::token::is_token;
use serde_json::{Value, json};

use crate::client::{ADMIN_TOKEN, Ask, gzip};
use crate::formats::SECRET;
use crate::http1::{Body, Head, Wire};
use crate::site::{Site, plain};

const CHAT: &str = "/v1/chat/completions";
const MAIL: &str = "jane.doe@acme.example";

/// The exchange: what the provider got, and what the caller got when the provider answers with what `answer` makes of it.
async fn exchange(site: &Site, ask: &Ask, kind: &str, answer: impl Fn(&str) -> Vec<u8>) -> (String, Head, Body) {
    let expected = site.upstream.expect(&ask.id());
    let mut client = Wire::connect(site.address()).await;
    assert!(client.write(&ask.bytes()).await);
    let mut call = expected.call().await;
    let sent = String::from_utf8(call.body().await.bytes).expect("text");
    call.begin(kind).await;
    for piece in answer(&sent).chunks(7) {
        call.chunk(piece).await;
    }
    call.end().await;
    let (head, body) = client.response().await.expect("an answer");
    (sent, head, body)
}

fn user(text: &str) -> Value {
    json!({"model": "m", "messages": [{"role": "user", "content": text}]})
}

/// The placeholder in a body that went up.
fn token(sent: &str) -> &str {
    let mut words = sent.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.find(|word| is_token(word)).unwrap_or_else(|| panic!("no placeholder in {sent}"))
}

fn chunk(delta: &Value) -> String {
    format!("data: {}\n\n", json!({"id": "c", "choices": [{"index": 0, "delta": delta, "finish_reason": null}]}))
}

#[tokio::test]
async fn a_value_does_not_go_up_and_comes_back_whole_in_a_document_and_in_a_stream() {
    let ask = Ask::post(CHAT, user(&format!("write to {MAIL}")).to_string());
    let (sent, head, body) = exchange(plain(), &ask, "application/json", |sent| {
        json!({"choices": [{"message": {"content": format!("Dear {}, hello", token(sent))}}]}).to_string().into_bytes()
    })
    .await;
    assert!(!sent.contains(MAIL), "{sent}");
    let answer: Value = serde_json::from_slice(&body.bytes).expect("JSON");
    assert_eq!(answer["choices"][0]["message"]["content"], format!("Dear {MAIL}, hello"));
    assert_eq!((head.status(), head.header("x-promptgate-verdict")), (200, Some("masked")));

    let ask = Ask::post(CHAT, user(&format!("write to {MAIL}")).to_string());
    let (again, _, body) = exchange(plain(), &ask, "text/event-stream", |sent| {
        let (start, end) = token(sent).split_at(9);
        let deltas = ["Dear ", start, end, ", hello"].map(|text| chunk(&json!({"content": text})));
        format!("{}data: [DONE]\n\n", deltas.concat()).into_bytes()
    })
    .await;
    assert_eq!(again, sent, "the same request goes up as the same bytes");
    let deltas = ["Dear ", MAIL, "", ", hello"].map(|text| chunk(&json!({"content": text})));
    assert_eq!(String::from_utf8(body.bytes).expect("text"), format!("{}data: [DONE]\n\n", deltas.concat()));
}

#[tokio::test]
async fn what_the_model_made_up_is_masked_and_told_of() {
    let ask = Ask::post(CHAT, user("hello").to_string());
    let (_, _, body) = exchange(plain(), &ask, "text/event-stream", |_| {
        let deltas = ["use ", &SECRET[..11], &SECRET[11..], " now"].map(|text| chunk(&json!({"content": text})));
        deltas.concat().into_bytes()
    })
    .await;
    let text = String::from_utf8(body.bytes).expect("text");
    assert!(text.contains("[ACCESS_TOKEN_MASKED]") && !text.contains(&SECRET[11..]), "{text}");
    let record = plain().gateway.record(&ask.id()).await;
    assert_eq!(record["answer"]["masked"], json!({"ACCESS_TOKEN": 1}));
    assert!(!record.to_string().contains(&SECRET[..11]), "{record}");
}

/// A body is judged before it goes up, or as it passes; both know afterwards what the caller sent.
#[tokio::test]
async fn what_the_caller_sent_himself_is_no_finding_of_the_answer_however_it_was_sent() {
    let prompt = user(&format!("write to {MAIL}")).to_string();
    let judged = Ask::post(CHAT, prompt.clone());
    let chunked = Ask::post(CHAT, prompt.clone()).chunked(10);
    let coded = Ask::post(CHAT, gzip(prompt.as_bytes())).with("content-encoding", "gzip");
    for ask in [judged, chunked, coded] {
        let text = format!("{MAIL}, or {SECRET}");
        let document = |text: &str| json!({"choices": [{"message": {"content": text}}]}).to_string();
        let (_, _, body) = exchange(plain(), &ask, "application/json", |_| document(&text).into_bytes()).await;
        let expected = document(&format!("{MAIL}, or [ACCESS_TOKEN_MASKED]"));
        assert_eq!(String::from_utf8(body.bytes).expect("text"), expected);
        let record = plain().gateway.record(&ask.id()).await;
        assert_eq!(record["answer"]["masked"], json!({"ACCESS_TOKEN": 1}));
    }
}

#[tokio::test]
async fn a_placeholder_of_another_tenant_stays_what_it_is() {
    let ask = Ask::post(CHAT, user(&format!("write to {MAIL}")).to_string());
    let (sent, ..) = exchange(plain(), &ask, "application/json", |_| b"{}".to_vec()).await;
    let foreign = token(&sent).to_owned();
    for text in ["hello".to_owned(), format!("write to {MAIL}"), format!("what is {foreign}?")] {
        let ask = Ask::post(CHAT, user(&text).to_string()).with("authorization", &format!("Bearer {ADMIN_TOKEN}"));
        let answer = json!({"choices": [{"message": {"content": format!("it is {foreign}")}}]}).to_string();
        let (sent, _, body) = exchange(plain(), &ask, "application/json", |_| answer.clone().into_bytes()).await;
        assert!(!sent.contains(MAIL));
        assert_eq!(String::from_utf8(body.bytes).expect("text"), answer);
    }
}

#[tokio::test]
async fn one_way_placeholders_are_for_whom_the_operator_says() {
    static SITE: LazyLock<Site> = LazyLock::new(|| {
        Site::start(
            "[security.entities.EMAIL_ADDRESS]\naction = \"mask\"\n[tokens]\nmask_clients = [\"admin@company.com\"]\n\
             [[route]]\npath = \"/v1/chat/completions\"\nformat = \"openai.chat\"\nupstream = \"openai\"\n\
             [[route]]\npath = \"/oneway/chat\"\nformat = \"openai.chat\"\nupstream = \"openai\"\nplaceholders = \"mask\"\n",
        )
    });
    let text = format!("{MAIL} and {SECRET}");
    let admin = format!("Bearer {ADMIN_TOKEN}");
    for (ask, expected) in [
        (Ask::post(CHAT, user(&text).to_string()), "[EMAIL_MASKED] and ACCESS_TOKEN_x"),
        (Ask::post("/oneway/chat", user(&text).to_string()), "[EMAIL_MASKED] and [ACCESS_TOKEN_MASKED]"),
        (Ask::post(CHAT, user(&text).to_string()).with("authorization", &admin), "and [ACCESS_TOKEN_MASKED]"),
    ] {
        let (sent, ..) = exchange(&SITE, &ask, "application/json", |_| b"{}".to_vec()).await;
        assert!(sent.contains(expected), "{sent}");
    }
}

#[tokio::test]
async fn a_withheld_answer_ends_with_the_dialects_own_error_and_never_looks_complete() {
    static SITE: LazyLock<Site> = LazyLock::new(|| Site::start("[security.answers.secret]\naction = \"block\"\n"));
    let stream = |_: &str| {
        let deltas = ["use ", SECRET, " now", " and more"].map(|text| chunk(&json!({"content": text})));
        format!("{}data: [DONE]\n\n", deltas.concat()).into_bytes()
    };
    let ask = Ask::post(CHAT, user("hello").to_string());
    let (_, head, body) = exchange(&SITE, &ask, "text/event-stream", stream).await;
    let text = String::from_utf8(body.bytes).expect("text");
    assert_eq!(head.status(), 200);
    assert!(
        text.starts_with(&chunk(&json!({"content": "use "}))) && text.contains("\"code\":\"content_filter\""),
        "{text}"
    );
    assert!(!text.contains("ghp_") && !text.contains("[DONE]") && !text.contains("more"), "{text}");
    assert_eq!(SITE.gateway.record(&ask.id()).await["verdict"], "blocked");

    let ask = Ask::post("/v1/messages", user("hello").to_string());
    let document = json!({"type": "message", "content": [{"type": "text", "text": SECRET}]}).to_string();
    let (_, _, body) = exchange(&SITE, &ask, "application/json", |_| document.clone().into_bytes()).await;
    let answer: Value = serde_json::from_slice(&body.bytes).expect("JSON");
    assert_eq!(answer["type"], "error", "{answer}");
}

/// A conversation of an agent, turn by turn, as its client keeps it: with what came back in its history.
#[tokio::test]
async fn every_turn_of_a_conversation_goes_up_with_the_beginning_of_the_one_before() {
    const KEY: (&str, &str) = ("PROMPTGATE_TOKEN_KEY", "0123456789abcdef0123456789abcdef");
    let replicas = [Site::start_with("", &[KEY]), Site::start_with("", &[KEY])];
    let mut messages = vec![
        json!({"role": "system", "content": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}]}),
        json!({"role": "user", "content": format!("My password is hunter2-blue. Tell {MAIL} \"hi\"\nplease.")}),
    ];
    let mut before = String::new();
    for turn in 0..6 {
        let body = json!({"messages": messages}).to_string();
        let ask = Ask::post(CHAT, body.as_str());
        let site = &replicas[turn % 2];
        let (sent, _, answer) = exchange(site, &ask, "application/json", |sent| {
            let (password, mail) = placeholders(sent);
            let arguments = json!({"to": mail, "note": format!("she said \"{password}\"\n"), "turn": turn}).to_string();
            let call = json!({"id": format!("call_{turn}"), "type": "function",
                              "function": {"name": "send", "arguments": arguments}});
            let message =
                json!({"role": "assistant", "content": format!("I set {password} for {mail}."), "tool_calls": [call]});
            json!({"choices": [{"index": 0, "message": message}]}).to_string().into_bytes()
        })
        .await;
        assert!(!sent.contains("hunter2") && !sent.contains(MAIL), "{sent}");
        let open = before.trim_end_matches("]}");
        assert!(sent.starts_with(open), "turn {turn}:\n{open}\n{sent}");
        before = sent;
        let answer: Value = serde_json::from_slice(&answer.bytes).expect("JSON");
        let message = &answer["choices"][0]["message"];
        assert_eq!(message["content"], format!("I set hunter2-blue for {MAIL}."));
        let arguments = message["tool_calls"][0]["function"]["arguments"].as_str().expect("text");
        let arguments: Value = serde_json::from_str(arguments).expect("JSON");
        assert_eq!((&arguments["note"], &arguments["to"]), (&json!("she said \"hunter2-blue\"\n"), &json!(MAIL)));
        messages.push(message.clone());
        messages.push(json!({"role": "tool", "tool_call_id": format!("call_{turn}"),
                             "content": format!("{{\"sent_to\":\"{MAIL}\",\"ok\":true}}")}));
    }
}

/// Of the password and of the mail address.
fn placeholders(sent: &str) -> (String, String) {
    let words = sent.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let tokens: Vec<&str> = words.filter(|word| is_token(word)).collect();
    let of = |entity: &str| tokens.iter().find(|token| token.starts_with(entity)).expect("a placeholder").to_string();
    (of("PASSWORD"), of("EMAIL_ADDRESS"))
}
