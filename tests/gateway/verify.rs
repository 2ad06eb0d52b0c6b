//! `promptgate verify` against a running gateway: what it reports is what arrives, and it can fail.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::client::TOKEN;
use crate::process::Gateway;
use crate::site::unused;

/// Routes of three providers at one address; a table for each, so that no others are there.
fn tables(upstream: SocketAddr) -> String {
    let rows = [
        ("anthropic", "/v1/messages", "anthropic.messages", ""),
        ("cohere", "/v2/chat", "cohere.chat", ""),
        ("mcp", "/mcp", "mcp", "placeholders = \"keep\"\n"),
    ];
    let upstreams = rows.map(|(name, ..)| format!("[[upstream]]\nname = \"{name}\"\nurl = \"http://{upstream}\"\n"));
    let routes = rows.map(|(name, path, format, more)| {
        format!("[[route]]\npath = \"{path}\"\nformat = \"{format}\"\nupstream = \"{name}\"\n{more}")
    });
    upstreams.concat() + &routes.concat()
}

/// The exit code and the requests it reports.
fn verify(gateway: &Gateway, config: &Path, listen: Option<SocketAddr>) -> (Option<i32>, Vec<Value>) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_promptgate"));
    command.args(["verify", "--gateway", &format!("http://{}", gateway.address), "--config"]).arg(config);
    listen.iter().for_each(|address| {
        command.args(["--listen", &address.to_string()]);
    });
    let output = command.env_clear().env("PROMPTGATE_TOKEN", TOKEN).output().expect("the binary");
    let report: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    (output.status.code(), report["requests"].as_array().expect("requests").clone())
}

fn of<'a>(rows: &'a [Value], route: &str, canary: &str) -> Vec<&'a str> {
    let rows = rows.iter().filter(|row| row["route"] == route && row["canary"] == canary);
    rows.map(|row| row["outcome"].as_str().expect("an outcome")).collect()
}

#[test]
fn every_place_of_every_route_is_read_and_what_the_configuration_lets_pass_is_no_failure() {
    let upstream = unused();
    let gateway = Gateway::start(&tables(upstream), &[]);
    let (code, rows) = verify(&gateway, &gateway.config(), Some(upstream));
    assert_eq!(code, Some(0), "{rows:#?}");
    for (route, places) in [("/v1/messages", 6), ("/v2/chat", 6)] {
        assert_eq!(of(&rows, route, "data"), vec!["masked"; 2 * places], "{route}");
        // A message of the user or a tool behind it makes the one it stands in history.
        assert_eq!(of(&rows, route, "attack"), ["withheld"], "{route}");
    }
    assert_eq!(of(&rows, "/mcp", "data"), vec!["let_pass"; 6]);
    assert_eq!(of(&rows, "/mcp", "attack"), ["refused"]);
}

#[test]
fn what_leaves_unread_is_named_and_fails() {
    let upstream = unused();
    let tables = tables(upstream);
    let lax = "[security.levels.low.secret]\naction = \"allow\"\n[security.levels.medium.secret]\naction = \"allow\"\n";
    let gateway = Gateway::start(&format!("{lax}{tables}"), &[]);
    let strict = gateway.config().with_file_name("strict.toml");
    std::fs::write(&strict, &tables).expect("a configuration that says otherwise");
    let (code, rows) = verify(&gateway, &strict, Some(upstream));
    assert_eq!(code, Some(1));
    let unread = rows.iter().filter(|row| row["outcome"] == "unread").collect::<Vec<_>>();
    assert!(unread.len() == 24 && unread.iter().all(|row| row["detail"] == "secret"), "{rows:#?}");
}

#[test]
fn what_did_not_reach_an_upstream_is_not_known() {
    let gateway = Gateway::start(&tables(unused()), &[]);
    let (code, rows) = verify(&gateway, &gateway.config(), None);
    assert_eq!(code, Some(2));
    assert_eq!(of(&rows, "/v2/chat", "data"), vec!["unknown"; 12]);
    assert_eq!(of(&rows, "/mcp", "attack"), ["refused"], "nothing of it was to arrive");
}
