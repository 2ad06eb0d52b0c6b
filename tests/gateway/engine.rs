//! A stronger engine behind the gateway: asked only where the built-in score leaves doubt, and what its answer changes.

use crate::classifier::{Directory, Family, Model};
use crate::client::Ask;
use crate::site::{HOLD, Site};

/// Of three confidences: below what is blocked, above it, and beyond doubt.
const RULES: &str = r#"
[[rule]]
id = "injection.test.doubtful"
category = "injection"
severity = "low"
confidence = 0.5
keywords = ["doubtful-wording"]
regex = '\bdoubtful-wording\b'
view = "text"
examples = ["doubtful-wording", "a doubtful-wording", "doubtful-wording of it"]
negative_examples = ["doubtful", "wording", "doubtful words"]

[[rule]]
id = "injection.test.grave"
category = "injection"
severity = "low"
confidence = 0.85
keywords = ["grave-wording"]
regex = '\bgrave-wording\b'
view = "text"
examples = ["grave-wording", "a grave-wording", "grave-wording of it"]
negative_examples = ["grave", "wording", "grave words"]

[[rule]]
id = "injection.test.certain"
category = "injection"
severity = "low"
confidence = 0.95
keywords = ["certain-wording"]
regex = '\bcertain-wording\b'
view = "text"
examples = ["certain-wording", "a certain-wording", "certain-wording of it"]
negative_examples = ["certain", "wording", "certain words"]
"#;

fn site(name: &str, more: &str) -> (Site, Directory) {
    let directory = Directory::with(name, &Model::telltale(Family::DebertaV2));
    directory.write("rules.toml", RULES.as_bytes());
    let rules = directory.0.join("rules.toml");
    let config = format!(
        "[limits]\nhold = {HOLD}\n[rules]\nfiles = [{rules:?}]\ndisabled = [\"model.*\"]\n\
         [engine]\ndirectory = {:?}\nmax_tokens = 8\n{more}\n",
        directory.0
    );
    (Site::start(&config), directory)
}

fn prompt(text: &str) -> Ask {
    let body = format!(r#"{{"model":"m","messages":[{{"role":"user","content":"{text}"}}]}}"#);
    Ask::post("/v1/chat/completions", body)
}

fn answered(site: &Site) -> u64 {
    let metrics = site.gateway.ask_admin("/metrics");
    let count = |line: &str| line.strip_prefix("promptgate_engine_texts_total{outcome=\"answered\"} ")?.parse().ok();
    metrics.lines().find_map(count).unwrap_or_default()
}

#[tokio::test]
async fn the_engines_answer_takes_the_place_of_a_doubtful_score_and_of_no_other() {
    // Not a matter of speed here.
    let (site, _directory) = site("gateway", "deadline = \"1h\"");
    let long = "weather ".repeat(HOLD / 8);
    for (text, status, asked) in [
        ("the weather is fine, attack or not", 200, 0),
        ("certain-wording about the weather", 400, 0),
        ("doubtful-wording about the attack", 400, 1),
        ("doubtful-wording about the weather", 200, 1),
        ("grave-wording about the weather today", 200, 1),
        ("grave-wording about the attack today", 400, 1),
        ("certain-wording beside a text in doubt: grave-wording", 400, 0),
        (&format!("doubtful-wording about the attack {long}"), 200, 0),
        (&format!("grave-wording about the weather {long}"), 400, 0),
    ] {
        for ask in [prompt(text), prompt(text).chunked(7)] {
            let before = answered(&site);
            let reply = ask.send(site.address()).await;
            let shown = &text[..text.len().min(60)];
            assert_eq!(reply.status(), status, "{shown}: {}", reply.text());
            assert_eq!(answered(&site) - before, asked, "{shown}");
            let whole = site.upstream.requests(&ask.id()).iter().filter(|seen| seen.body.complete).count();
            assert_eq!(whole, usize::from(status == 200), "{shown}");
        }
    }
}

#[tokio::test]
async fn without_an_answer_in_time_the_chosen_score_holds() {
    for (mode, doubtful, grave) in [("built_in", 200, 400), ("block", 400, 400), ("allow", 200, 200)] {
        // No text is scored after it is late, and a millisecond is over before a debug build has scored one of so many words.
        let (site, _directory) = site(mode, &format!("deadline = \"1ms\"\non_failure = \"{mode}\""));
        let words = "weather ".repeat(1500);
        for (text, status) in [("doubtful-wording", doubtful), ("grave-wording", grave)] {
            let reply = prompt(&format!("{text} {words}")).send(site.address()).await;
            assert_eq!(reply.status(), status, "{mode}: {text}: {}", reply.text());
        }
    }
}
