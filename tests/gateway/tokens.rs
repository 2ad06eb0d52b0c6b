//! Tokens of an identity provider, and what is taken back before its time. Which tokens are valid is shown in the library.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use futures_util::future::join_all;

use crate::client::{Ask, unique};
use crate::http1::PATIENCE;
use crate::issuer::Issuer;
use crate::site::Site;

fn chat(token: &str) -> Ask {
    let body = r#"{"messages":[{"role":"user","content":"hello"}]}"#;
    Ask::post("/v1/chat/completions", body).with("authorization", &format!("Bearer {token}"))
}

async fn status(site: &Site, token: &str) -> u16 {
    chat(token).send(site.address()).await.status()
}

#[tokio::test]
async fn a_flood_of_unknown_key_ids_is_refused_and_costs_the_issuer_three_fetches_at_most() {
    let issuer = Issuer::start();
    let site = Site::start(&issuer.config());
    let good = issuer.token("ed", &[]);
    assert_eq!(status(&site, &good).await, 200);
    let unknown: Vec<String> = (0..200).map(|number| issuer.token(&format!("unknown-{number}"), &[])).collect();
    // As many at once as leave a file descriptor to other tests.
    for wave in unknown.chunks(50) {
        let (refused, served) =
            tokio::join!(join_all(wave.iter().map(|token| status(&site, token))), async { status(&site, &good).await });
        assert_eq!((refused, served), (vec![401; wave.len()], 200));
    }
    assert!((1..=3).contains(&issuer.fetches()), "{} fetches", issuer.fetches());
    let metrics = site.gateway.ask_admin("/metrics");
    assert!(metrics.contains("promptgate_auth_failures_total{mode=\"jwt\",reason=\"unknown_key\"} 200"), "{metrics}");
}

#[tokio::test]
async fn a_verified_token_is_known_by_all_of_it() {
    let issuer = Issuer::start();
    let site = Site::start(&issuer.config());
    let good = issuer.token("ed", &[]);
    let other = issuer.token("ed", &[("scope", "nothing"), ("sub", "mallory")]);
    let (signed, signature) = good.rsplit_once('.').expect("three segments");
    let forged = format!("{}.{signature}", other.rsplit_once('.').expect("three segments").0);
    for _ in 0..3 {
        assert_eq!(status(&site, &good).await, 200);
        assert_eq!(status(&site, &other).await, 403, "its own scopes, though its beginning is the same");
        for bad in [&forged, signed, &format!("{good}A"), &good[..good.len() - 1]] {
            assert_eq!(status(&site, bad).await, 401, "{bad}");
        }
    }
}

#[tokio::test]
async fn a_reload_forgets_what_was_verified_by_the_rules_before() {
    let issuer = Issuer::start();
    let site = Site::start(&issuer.config());
    // No tenant's name: of no interest until there is a claim for it.
    let token = issuer.token("ed", &[("org", "")]);
    assert_eq!(status(&site, &token).await, 200);
    site.gateway.append("[tokens]\ntenant_claim = \"org\"\n");
    assert_eq!(site.gateway.reload().await["result"], "ok");
    assert_eq!(status(&site, &token).await, 401);
    assert_eq!(issuer.fetches(), 1, "the keys stay");
}

/// A file that is gone when the test ends.
struct Revoked(PathBuf);

impl Revoked {
    fn new() -> Revoked {
        let revoked =
            Revoked(std::env::temp_dir().join(format!("promptgate-revoked-{}-{}", std::process::id(), unique())));
        revoked.write("");
        revoked
    }

    /// Whole or not at all, as an operator's tools would.
    fn write(&self, list: &str) {
        let draft = self.0.with_extension("draft");
        std::fs::write(&draft, list).expect("a file");
        std::fs::rename(&draft, &self.0).expect("in its place");
    }
}

impl Drop for Revoked {
    fn drop(&mut self) {
        std::fs::remove_file(&self.0).ok();
    }
}

/// How long it takes until the token is answered with that status.
async fn until(site: &Site, token: &str, wanted: u16) -> Duration {
    let start = Instant::now();
    while status(site, token).await != wanted {
        assert!(start.elapsed() < PATIENCE, "still not {wanted}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    start.elapsed()
}

#[tokio::test]
async fn what_is_revoked_is_refused_within_seconds_though_its_token_was_verified_before() {
    let (issuer, revoked) = (Issuer::start(), Revoked::new());
    let listed = "[revocation]\nclients = [\"old-batch\"]\n";
    let site = Site::start(&format!("{listed}file = {:?}\n{}", revoked.0, issuer.config()));
    let token = |client: &str, jti: &str| issuer.token("ed", &[("client_id", client), ("jti", jti)]);
    let (one, two, by_client) = (token("app", "1"), token("app", "2"), token("old-batch", "3"));
    assert_eq!(status(&site, &by_client).await, 401, "the configuration lists it");
    for (list, refused) in
        [("jti 1\n", [true, false]), ("sub alice\n", [true, true]), ("client other\n", [false, false])]
    {
        assert_eq!(status(&site, &two).await, 200, "{list}");
        revoked.write(list);
        let waited = [
            until(&site, &one, if refused[0] { 401 } else { 200 }).await,
            until(&site, &two, if refused[1] { 401 } else { 200 }).await,
        ];
        println!("{list:?} took {waited:?}");
        revoked.write("");
        until(&site, &one, 200).await;
        until(&site, &two, 200).await;
    }
    let metrics = site.gateway.ask_admin("/metrics");
    assert!(metrics.contains("promptgate_auth_failures_total{mode=\"jwt\",reason=\"revoked\"}"), "{metrics}");
}

#[tokio::test]
async fn a_damaged_list_of_revocations_changes_nothing_and_is_told_of() {
    let (issuer, revoked) = (Issuer::start(), Revoked::new());
    let site = Site::start(&format!("[revocation]\nfile = {:?}\n{}", revoked.0, issuer.config()));
    let token = issuer.token("ed", &[("jti", "1")]);
    revoked.write("jti 1\n");
    until(&site, &token, 401).await;
    revoked.write("everybody is welcome\n");
    let start = Instant::now();
    while site.gateway.ask_admin("/metrics").contains("revocation_reads_total{result=\"failed\"} 0\n") {
        assert!(start.elapsed() < PATIENCE, "never counted");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(status(&site, &token).await, 401, "what was read last stays");
    assert!(site.gateway.stderr().contains("revocation.file"), "{}", site.gateway.stderr());
    assert_eq!(site.gateway.reload().await["result"], "failed", "nor is it taken at a reload");
    revoked.write("");
    until(&site, &token, 200).await;
}
