//! `promptgate verify`: canaries through every route of a running gateway, and what became of them. Judges by what the gateway
//! says of each request, and with `--listen` by what arrives upstream.

mod probe;
mod witness;

use std::fmt;
use std::io::{self, IsTerminal};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use reqwest::{Client, Method, Url, redirect};
use serde::Serialize;

use super::paint::{Paint, tone};
use super::{FAILED, UNREADABLE, say, snapshot};
use crate::config::{Placeholders, Route};
use crate::sanitize::{self, Guard};
use crate::server::install_crypto;
use crate::snapshot::Snapshot;
use crate::wire::BodyKind;
use probe::{Canaries, Plant, Writing};
use witness::Witness;

#[derive(Debug, Args)]
pub(super) struct Verify {
    /// Where the gateway listens, such as http://127.0.0.1:8080.
    #[arg(long)]
    gateway: Url,
    /// The configuration the gateway runs with; without it, the built-in defaults.
    #[arg(long, env = "PROMPTGATE_CONFIG")]
    config: Option<PathBuf>,
    /// Be the upstream: listen at this address, which the gateway's upstreams have to have as their url, and look at what arrives.
    #[arg(long)]
    listen: Option<SocketAddr>,
    /// JSON on a terminal too.
    #[arg(long)]
    json: bool,
}

/// What the gateway is asked with.
const TOKEN: &str = "PROMPTGATE_TOKEN";

/// How long one answer may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// What became of one canary.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    /// It was read, and did not leave.
    Masked,
    Refused,
    /// The text around it was withheld, and the rest went on.
    Withheld,
    /// It was read and let pass, as the configuration says.
    LetPass,
    /// It left as it was.
    Unread,
    /// The gateway did not take the request or did not reach the upstream.
    Unknown,
}

/// One request and its outcome.
#[derive(Debug, Serialize)]
struct Row {
    route: String,
    format: &'static str,
    place: String,
    writing: &'static str,
    canary: &'static str,
    outcome: Outcome,
    /// What left though it should not have, or why nothing is known.
    #[serde(skip_serializing_if = "String::is_empty")]
    detail: String,
}

impl Verify {
    pub fn run(&self) -> ExitCode {
        let Some(snapshot) = snapshot(self.config.as_deref()) else { return ExitCode::from(UNREADABLE) };
        install_crypto();
        let rows = tokio::runtime::Runtime::new()
            .map_err(|error| error.to_string())
            .and_then(|runtime| runtime.block_on(self.rows(&snapshot)));
        match rows {
            Ok(rows) => {
                self.show(&rows);
                code(&rows)
            }
            Err(problem) => {
                say(io::stderr(), &problem);
                ExitCode::from(UNREADABLE)
            }
        }
    }

    async fn rows(&self, snapshot: &Snapshot) -> Result<Vec<Row>, String> {
        let token = std::env::var(TOKEN).map_err(|_| format!("{TOKEN} must hold a token of the gateway"))?;
        let witness = match self.listen {
            Some(address) => Some(Witness::listen(address).await.map_err(|error| format!("{address}: {error}"))?),
            None => None,
        };
        let client = Client::builder().redirect(redirect::Policy::none()).timeout(PATIENCE).no_proxy().build();
        let run = Run {
            gateway: &self.gateway,
            client: client.map_err(|error| error.to_string())?,
            canaries: Canaries::new().ok_or("the system gives no random bytes")?,
            snapshot,
            token,
            witness,
        };
        let mut rows = Vec::new();
        for route in snapshot.config.routes.iter().filter(|route| route.dialect.body == BodyKind::Json) {
            run.route(route, &mut rows).await?;
        }
        Ok(rows)
    }

    fn show(&self, rows: &[Row]) {
        if self.json || !io::stdout().is_terminal() {
            let report = serde_json::json!({ "gateway": self.gateway.as_str(), "requests": rows });
            return say(io::stdout(), &serde_json::to_string_pretty(&report).unwrap_or_default());
        }
        let paint = Paint::of(&io::stdout());
        let wide = |of: fn(&Row) -> usize| rows.iter().map(of).max().unwrap_or_default();
        let (route, place) = (wide(|row| row.route.len()), wide(|row| row.place.len()));
        for row in rows {
            let outcome = paint.with(tone(row.outcome.tone()), &format!("{:<8}", row.outcome.to_string()));
            let Row { canary, writing, detail, .. } = row;
            let line =
                format!("{outcome}  {:<route$}  {:<place$}  {canary:<6} {writing:<7} {detail}", row.route, row.place);
            say(io::stdout(), line.trim_end());
        }
        say(io::stdout(), &summary(rows));
    }
}

/// All that requests have in common.
struct Run<'a> {
    gateway: &'a Url,
    client: Client,
    canaries: Canaries,
    snapshot: &'a Snapshot,
    token: String,
    witness: Option<Witness>,
}

impl Run<'_> {
    /// Data in every place, written in both ways, and an attack in the first.
    async fn route(&self, route: &Route, rows: &mut Vec<Row>) -> Result<(), String> {
        let Some(template) = probe::template(route.dialect.name) else { return Ok(()) };
        let data = (0..probe::places(template))
            .flat_map(|at| [Writing::Plain, Writing::Escaped].map(|writing| (at, Plant::Data, writing)));
        for (at, plant, writing) in data.chain([(0, Plant::Attack, Writing::Plain)]) {
            let body = probe::fill(template, at, &self.canaries.text(plant), writing);
            let (outcome, detail) = self.ask(route, plant, body).await?;
            rows.push(Row {
                route: route.label().to_owned(),
                format: route.dialect.name,
                place: probe::place(template, at),
                writing: if writing == Writing::Plain { "plain" } else { "escaped" },
                canary: if plant == Plant::Data { "data" } else { "attack" },
                outcome,
                detail,
            });
        }
        Ok(())
    }

    /// An answer that cannot be had is an error: the gateway is not there.
    async fn ask(&self, route: &Route, plant: Plant, body: String) -> Result<(Outcome, String), String> {
        static COUNT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
        let number = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let id = format!("promptgate-verify-{}-{number}", std::process::id());
        let url = self.gateway.join(&path(route.label())).map_err(|error| error.to_string())?;
        let method = Method::from_bytes(route.method.as_str().as_bytes()).unwrap_or(Method::POST);
        let request = self.client.request(method, url).body(body);
        let request = request.header("content-type", "application/json").header(witness::ID, &id);
        let request = request.header("accept", "application/json, text/event-stream");
        let answer = request.header("x-promptgate-token", &self.token).send().await;
        let answer = answer.map_err(|error| format!("{}: {error}", self.gateway))?;
        let verdict = answer.headers().get("x-promptgate-verdict").and_then(|verdict| verdict.to_str().ok());
        let said = format!("{}, verdict {}", answer.status(), verdict.unwrap_or("none"));
        let allowed = self.policy_allows(route, plant);
        let arrived = self.witness.as_ref().map(|witness| witness.body(&id));
        Ok(match (verdict.unwrap_or_default(), arrived) {
            ("blocked", None | Some(None)) => (Outcome::Refused, String::new()),
            ("blocked", Some(Some(_))) => (Outcome::Unread, format!("arrived upstream though {said}")),
            ("quarantined" | "masked" | "would_block" | "allowed", Some(None)) => {
                (Outcome::Unknown, format!("did not arrive at the address of --listen: {said}"))
            }
            ("quarantined", _) => (Outcome::Withheld, String::new()),
            ("would_block", _) if plant == Plant::Attack => (Outcome::LetPass, String::new()),
            (verdict @ ("masked" | "allowed" | "would_block"), arrived) => {
                self.passed(verdict, plant, allowed, arrived.flatten().as_deref())
            }
            _ => (Outcome::Unknown, said),
        })
    }

    /// What is to be said of a request that went up.
    fn passed(&self, verdict: &str, plant: Plant, allowed: bool, arrived: Option<&[u8]>) -> (Outcome, String) {
        let left = arrived.map(|body| self.canaries.left_in(body));
        match (verdict, plant, left) {
            _ if allowed => (Outcome::LetPass, String::new()),
            ("masked", _, None) => (Outcome::Masked, String::new()),
            ("would_block", _, None) => (Outcome::Unknown, "the verdict would_block does not tell".to_owned()),
            (_, Plant::Data, Some(left)) if left.is_empty() => (Outcome::Masked, String::new()),
            (_, Plant::Data, Some(left)) => (Outcome::Unread, left.join(", ")),
            _ => (Outcome::Unread, String::new()),
        }
    }

    /// Whether the configuration lets pass, wherever it stands, what is planted.
    fn policy_allows(&self, route: &Route, plant: Plant) -> bool {
        let (guard, level) = self.policy(route);
        let report = sanitize::text(guard, level, &self.canaries.text(plant)).report;
        match plant {
            Plant::Data => route.placeholders == Placeholders::Keep || report.masked.is_empty(),
            Plant::Attack => report.blocked.is_empty() && report.withheld == 0 && report.would_block.is_empty(),
        }
    }

    fn policy(&self, route: &Route) -> (&Guard, crate::policy::Level) {
        let level = self.snapshot.config.security.level;
        match route.policy.as_deref().and_then(|name| self.snapshot.named(name)) {
            Some(policy) => (&policy.guard, policy.level.unwrap_or(level)),
            None => (&self.snapshot.guard, level),
        }
    }
}

/// The path of a route with a word for each of its parameters.
fn path(pattern: &str) -> String {
    let mut path = String::new();
    let mut rest = pattern;
    while let Some((before, (_, after))) =
        rest.split_once('{').and_then(|(before, rest)| Some((before, rest.split_once('}')?)))
    {
        path.push_str(before);
        path.push_str("promptgate-verify");
        rest = after;
    }
    path + rest
}

impl Outcome {
    const ALL: [Outcome; 6] =
        [Outcome::Masked, Outcome::Refused, Outcome::Withheld, Outcome::LetPass, Outcome::Unread, Outcome::Unknown];

    /// The verdict whose colour it has.
    const fn tone(self) -> &'static str {
        match self {
            Outcome::Masked => "masked",
            Outcome::Refused | Outcome::Withheld => "allowed",
            Outcome::LetPass | Outcome::Unknown => "would_block",
            Outcome::Unread => "blocked",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Outcome::Masked => "masked",
            Outcome::Refused => "refused",
            Outcome::Withheld => "withheld",
            Outcome::LetPass => "let pass",
            Outcome::Unread => "unread",
            Outcome::Unknown => "unknown",
        })
    }
}

fn summary(rows: &[Row]) -> String {
    let count = |outcome| rows.iter().filter(|row| row.outcome == outcome).count();
    let counts = Outcome::ALL.map(|outcome| format!("{} {outcome}", count(outcome)));
    format!("{} requests: {}", rows.len(), counts.join(", "))
}

/// What went through unread is worse than what nobody knows.
fn code(rows: &[Row]) -> ExitCode {
    let any = |outcome| rows.iter().any(|row| row.outcome == outcome);
    if any(Outcome::Unread) {
        ExitCode::from(FAILED)
    } else if any(Outcome::Unknown) || rows.is_empty() {
        ExitCode::from(UNREADABLE)
    } else {
        ExitCode::SUCCESS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_of_a_path_become_words() {
        assert_eq!(path("/v1beta/models/{model}:countTokens"), "/v1beta/models/promptgate-verify:countTokens");
        assert_eq!(path("/v2/chat"), "/v2/chat");
    }
}
