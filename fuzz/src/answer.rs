//! An answer through the response filter with a value to give back: cuts do not matter, and it ends in the same way.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use promptgate::codec::Plan;
use promptgate::codec::frame::Framing;
use promptgate::policy::{Level, Mint, TokenKey, Tokens};
use promptgate::sanitize::{AnswerLimits, Broken, Form, Limits, Request, Response, Sinks};
use promptgate::wire;

use super::sanitizer::GUARD;

/// Small, so that short inputs meet them.
const LIMITS: AnswerLimits = AnswerLimits {
    event: 1 << 12,
    hold: 1 << 11,
    hold_time: Duration::from_secs(60),
    hold_ping: Duration::from_secs(15),
    depth: 32,
    key: 256,
};

/// The caller's request said `jane.doe@corp.io`; with this key and tenant that went up as `EMAIL_ADDRESS_xyebedu4boj`,
/// which inputs repeat.
static TOKENS: LazyLock<Tokens> = LazyLock::new(|| {
    let plan = Arc::new(wire::find("openai.chat").expect("a format").plan().expect("a plan"));
    let mint = Mint { key: Arc::new(TokenKey::new(&[7; 32], 1)), tenant: "acme".into() };
    let mut request = Request::new(GUARD.clone(), plan, Level::Medium, Limits::default()).tokenizing(Some(mint));
    let body = br#"{"model":"m","messages":[{"role":"user","content":"mail jane.doe@corp.io"}]}"#;
    request.push(body).expect("it is let pass");
    request.finish().expect("to its end");
    assert!(request.tokens().iter().any(|(token, _)| &*token == "EMAIL_ADDRESS_xyebedu4boj"), "what inputs repeat");
    request.tokens().clone()
});

/// Of the dialects below, compiled once.
static PLANS: LazyLock<HashMap<&'static str, Arc<Plan>>> = LazyLock::new(|| {
    let plan = |name| (name, Arc::new(wire::find(name).expect("a format").answer_plan().expect("a plan")));
    ["openai.chat", "ollama.chat", "gemini.stream", "bedrock.converse_stream", "anthropic.messages"].map(plan).into()
});

/// The form is told by the first byte, as the content type tells it in earnest.
pub fn answer(input: &[u8]) {
    let forms = match input.first() {
        Some(b'{') => vec![("openai.chat", Form::Document), ("ollama.chat", Form::Stream(Framing::Lines))],
        Some(b'[') => vec![("gemini.stream", Form::Stream(Framing::Array))],
        Some(0) => vec![("bedrock.converse_stream", Form::Stream(Framing::EventStream))],
        Some(b'e') => vec![("anthropic.messages", Form::Stream(Framing::Sse))],
        _ => vec![("openai.chat", Form::Stream(Framing::Sse)), ("openai.chat", Form::Document)],
    };
    for (format, form) in forms {
        let whole = run(format, form, [input]);
        assert_eq!(run(format, form, super::cuts(input)), whole, "{format} {form:?}: the cut matters");
    }
}

fn run<'c>(format: &str, form: Form, chunks: impl IntoIterator<Item = &'c [u8]>) -> (Vec<u8>, Option<Broken>) {
    let response = Response::new(GUARD.clone(), PLANS[format].clone(), Level::Medium, form, LIMITS);
    let mut response = response.restoring(&TOKENS, Arc::new(Sinks::default()));
    let mut output = Vec::new();
    for chunk in chunks {
        let pushed = response.push(chunk, Duration::ZERO);
        output.extend_from_slice(&response.take());
        if let Err(broken) = pushed {
            return (output, Some(broken));
        }
    }
    let broken = response.finish().err();
    output.extend_from_slice(&response.take());
    (output, broken)
}
