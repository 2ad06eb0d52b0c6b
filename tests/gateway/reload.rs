//! Files that change while the gateway runs, without a signal.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::client::Ask;
use crate::site::Site;

const RULES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/zebra-rule.toml");
const WATCHED: (&str, &str) = ("PROMPTGATE__RELOAD__WATCH", "true");

async fn status(site: &Site) -> u16 {
    let ask = Ask::post("/v1/chat/completions", r#"{"messages":[{"role":"user","content":"zebra saddle"}]}"#);
    ask.send(site.address()).await.status()
}

/// What `/readyz` says of the configuration.
fn standing(site: &Site) -> Value {
    let answer = site.gateway.ask_admin("/readyz");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    assert!(head.starts_with("HTTP/1.1 200"), "{answer}");
    serde_json::from_str::<Value>(body).expect("JSON")["configuration"].clone()
}

#[tokio::test]
async fn a_good_file_takes_effect_by_itself_and_a_bad_one_is_told_of_and_changes_nothing() {
    let site = Site::start_with("[security]\nlevel = \"high\"\n", &[WATCHED]);
    assert_eq!(status(&site).await, 200);
    site.gateway.append(&format!("[rules]\nfiles = [{RULES:?}]\n"));
    assert_eq!(site.gateway.reloaded(0).await["result"], "ok");
    assert_eq!((status(&site).await, standing(&site)), (400, json!({"refused": [], "restart": []})));

    let bad = "[[rules.override]]\nid = \"canary\"\nconfidence = 7\n";
    site.gateway.append(bad);
    assert_eq!(site.gateway.reloaded(1).await["result"], "failed");
    let refused = json!({"refused": ["rules.override[0].confidence"], "restart": []});
    assert_eq!((status(&site).await, standing(&site)), (400, refused));
    assert!(site.gateway.stderr().contains("rules.override[0].confidence: must be from 0 to 1"));

    site.gateway.edit(bad, "[log]\nlevel = \"error\"\n");
    assert_eq!(site.gateway.reloaded(2).await["result"], "ok");
    let waiting = json!({"refused": [], "restart": ["log"]});
    assert_eq!((status(&site).await, standing(&site)), (400, waiting.clone()));
    site.gateway.append("[engine]\nlow = 0.2\n");
    assert_eq!(site.gateway.reloaded(3).await["result"], "ok");
    assert_eq!(standing(&site), waiting, "what waited still does");
}

/// Files as Kubernetes mounts them: each is a link through `..data`, which is swapped.
struct Mounted(PathBuf);

impl Mounted {
    fn new(name: &str, text: &str) -> Mounted {
        let directory = std::env::temp_dir().join(format!("promptgate-mounted-{}", std::process::id()));
        fs::create_dir(&directory).expect("a directory");
        let mounted = Mounted(directory);
        mounted.swap("..1", name, text);
        symlink(Path::new("..data").join(name), mounted.0.join(name)).expect("a link");
        mounted
    }

    fn swap(&self, version: &str, name: &str, text: &str) {
        fs::create_dir(self.0.join(version)).expect("a directory");
        fs::write(self.0.join(version).join(name), text).expect("a file");
        symlink(version, self.0.join("..data_tmp")).expect("a link");
        fs::rename(self.0.join("..data_tmp"), self.0.join("..data")).expect("a link in the place of another");
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
    }
}

#[tokio::test]
async fn a_rule_file_that_kubernetes_swaps_takes_effect_by_itself() {
    let rules = fs::read_to_string(RULES).expect("the fixture");
    let mounted = Mounted::new("rules.toml", &rules);
    let path = mounted.0.join("rules.toml");
    let site = Site::start_with(&format!("[security]\nlevel = \"high\"\n[rules]\nfiles = [{path:?}]\n"), &[WATCHED]);
    assert_eq!(status(&site).await, 400);
    mounted.swap("..2", "rules.toml", "");
    assert_eq!(site.gateway.reloaded(0).await["result"], "ok");
    assert_eq!(status(&site).await, 200);
    mounted.swap("..3", "rules.toml", &rules);
    assert_eq!(site.gateway.reloaded(1).await["result"], "ok");
    assert_eq!(status(&site).await, 400);
}
