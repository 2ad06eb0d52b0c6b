//! Policies by name: whom they apply to, and the one that is tried beside the common one.

use serde_json::{Value, json};

use crate::client::{ADMIN_TOKEN, Ask, Reply};
use crate::process::Gateway;
use crate::site::Site;

const CHAT: &str = "/v1/chat/completions";
const RULES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/zebra-rule.toml");

/// Blocked at level high, let pass below.
fn zebra() -> Ask {
    Ask::post(CHAT, r#"{"messages":[{"role":"user","content":"zebra saddle"}]}"#)
}

async fn admin(gateway: &Gateway, ask: Ask) -> Reply {
    let ask = ask.with("host", "localhost").with("authorization", &format!("Bearer {ADMIN_TOKEN}"));
    ask.send(gateway.admin).await
}

async fn candidate(gateway: &Gateway) -> Value {
    admin(gateway, Ask::get("/get_candidate_policy")).await.json()
}

async fn change(gateway: &Gateway, path: &str) -> u16 {
    admin(gateway, Ask::post(path, "").without("content-type")).await.status()
}

#[tokio::test]
async fn a_caller_has_its_policy_before_its_route_and_a_route_before_the_common_one() {
    let site = Site::start(&format!(
        "[rules]\nfiles = [{RULES:?}]\n[policies.strict]\nlevel = \"high\"\n[policies.lax]\nlevel = \"low\"\n\
         clients = [\"admin@company.com\"]\n\
         [[route]]\npath = \"{CHAT}\"\nformat = \"openai.chat\"\nupstream = \"openai\"\npolicy = \"strict\"\n\
         [[route]]\npath = \"/common\"\nformat = \"openai.chat\"\nupstream = \"openai\"\n"
    ));
    let by_admin = zebra().with("authorization", &format!("Bearer {ADMIN_TOKEN}"));
    let mut common = zebra();
    common.target = "/common".to_owned();
    for (ask, status, policy) in
        [(zebra(), 400, "strict".into()), (by_admin, 200, "lax".into()), (common, 200, Value::Null)]
    {
        assert_eq!(ask.send(site.address()).await.status(), status, "{policy}");
        let record = site.gateway.record(&ask.id()).await;
        assert_eq!((&record["policy"], record["level"] == "medium"), (&policy, policy.is_null()), "{record}");
    }
}

#[tokio::test]
async fn a_caller_that_is_given_a_level_has_it_from_its_next_request_on_whatever_its_route_says() {
    let site = Site::start(&format!(
        "[rules]\nfiles = [{RULES:?}]\n[policies.lax]\nlevel = \"low\"\n\
         [[route]]\npath = \"{CHAT}\"\nformat = \"openai.chat\"\nupstream = \"openai\"\npolicy = \"lax\"\n"
    ));
    let by_admin = || zebra().with("authorization", &format!("Bearer {ADMIN_TOKEN}"));
    for (own, status, level) in [("low", 200, "low"), ("high", 400, "high"), ("default", 200, "low")] {
        let body = json!({"level": own, "client": "user@company.com"}).to_string();
        let reply = admin(&site.gateway, Ask::post("/update_security_level", body)).await;
        assert_eq!(reply.status(), 200, "{}", reply.text());
        let ask = zebra();
        assert_eq!(ask.send(site.address()).await.status(), status, "{own}");
        assert_eq!(site.gateway.record(&ask.id()).await["level"], level);
        assert_eq!(by_admin().send(site.address()).await.status(), 200, "nobody else has it");
    }
    assert_eq!(site.gateway.audit_text().matches("\"client\":\"user@company.com\",\"old\":").count(), 3);
}

#[tokio::test]
async fn a_candidate_is_counted_beside_the_policy_in_force_until_it_takes_its_place_and_again_after() {
    let config = format!(
        "[security]\ncandidate = \"strict\"\n[policies.strict]\nlevel = \"high\"\n[rules]\nfiles = [{RULES:?}]\n"
    );
    let site = Site::start(&config);
    assert_eq!(candidate(&site.gateway).await["trial"], Value::Null);
    let differs = zebra();
    assert_eq!(differs.send(site.address()).await.status(), 200);
    let record = site.gateway.record(&differs.id()).await;
    assert_eq!((&record["verdict"], &record["candidate"]["policy"]), (&"allowed".into(), &"strict".into()), "{record}");
    assert_eq!(record["candidate"]["verdict"], "blocked");
    assert_eq!(record["candidate"]["rules"][0], "injection.test.zebra");
    let same = Ask::post(CHAT, r#"{"messages":[{"role":"user","content":"hello"}]}"#);
    assert_eq!(same.send(site.address()).await.status(), 200);
    site.gateway.record(&same.id()).await;

    let known = candidate(&site.gateway).await;
    assert_eq!((&known["candidate"], &known["in_force"]), (&"strict".into(), &Value::Null));
    assert_eq!((&known["trial"]["requests"], &known["trial"]["differing"]), (&2.into(), &1.into()), "{known}");
    let difference = &known["trial"]["differences"][0];
    assert_eq!((&difference["request_id"], &difference["candidate"]), (&differs.id().into(), &"blocked".into()));
    let metrics = site.gateway.ask_admin("/metrics");
    for (verdict, candidate) in [("allowed", "blocked"), ("allowed", "allowed")] {
        let line = format!("promptgate_candidate_requests_total{{candidate=\"{candidate}\",verdict=\"{verdict}\"}} 1");
        assert!(metrics.contains(&line), "{metrics}");
    }

    assert_eq!(change(&site.gateway, "/roll_back_policy").await, 409, "nothing was promoted");
    assert_eq!(change(&site.gateway, "/promote_candidate_policy").await, 200);
    assert_eq!(change(&site.gateway, "/promote_candidate_policy").await, 409, "it is in force already");
    assert_eq!(zebra().send(site.address()).await.status(), 400);
    assert_eq!(candidate(&site.gateway).await["in_force"], "strict");
    assert_eq!(change(&site.gateway, "/roll_back_policy").await, 200);
    let again = zebra();
    assert_eq!(again.send(site.address()).await.status(), 200);
    site.gateway.record(&again.id()).await;
    assert_eq!(candidate(&site.gateway).await["trial"]["differing"], 2);
    let changes = site.gateway.audit_text().matches("\"event\":\"policy_changed\"").count();
    assert_eq!(changes, 2);
}

#[tokio::test]
async fn a_promoted_policy_outlives_a_reload_unless_it_is_gone() {
    let config = format!("[rules]\nfiles = [{RULES:?}]\n[security]\ncandidate = \"strict\"\n");
    let site = Site::start(&format!("{config}[policies.strict]\nlevel = \"high\"\n"));
    assert_eq!(change(&site.gateway, "/promote_candidate_policy").await, 200);
    assert_eq!(site.gateway.reload().await["result"], "ok");
    assert_eq!(zebra().send(site.address()).await.status(), 400);
    site.gateway.edit("candidate = \"strict\"", "");
    site.gateway.edit("[policies.strict]\nlevel = \"high\"\n", "");
    assert_eq!(site.gateway.reload().await["result"], "ok");
    assert_eq!(zebra().send(site.address()).await.status(), 200);
    assert_eq!(change(&site.gateway, "/promote_candidate_policy").await, 409, "there is none");
}
