//! `promptgate check`: one prompt from standard input, its verdict as JSON on standard output.

use std::io::{self, Read};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};

use super::{FAILED, UNREADABLE, say, snapshot};
use crate::detect::Category;
use crate::policy::Level;
use crate::sanitize::{self, Sanitized};
use crate::text::offsets;

#[derive(Debug, Args)]
pub(super) struct Check {
    /// The configuration whose rules and policy judge; without it, the built-in defaults.
    #[arg(long, env = "PROMPTGATE_CONFIG")]
    config: Option<PathBuf>,
    /// The security level; without it, that of the configuration.
    #[arg(long)]
    level: Option<Level>,
}

impl Check {
    pub fn run(&self) -> ExitCode {
        let Some(snapshot) = snapshot(self.config.as_deref()) else { return ExitCode::from(UNREADABLE) };
        let mut prompt = String::new();
        if let Err(error) = io::stdin().read_to_string(&mut prompt) {
            say(io::stderr(), &format!("standard input: {error}"));
            return ExitCode::from(UNREADABLE);
        }
        let level = self.level.unwrap_or(snapshot.config.security.level);
        let judged = sanitize::text_with_names(&snapshot.guard, level, &prompt);
        let verdict = verdict(&judged, level, &prompt);
        say(io::stdout(), &serde_json::to_string_pretty(&verdict).unwrap_or_default());
        if judged.report.blocked.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(FAILED) }
    }
}

/// Offsets are in Unicode code points, end exclusive.
fn verdict(judged: &Sanitized, level: Level, prompt: &str) -> Value {
    let report = &judged.report;
    let spans: Vec<_> =
        judged.findings.iter().map(|(finding, _)| offsets::on_boundaries(prompt, finding.span)).collect();
    let findings = judged.findings.iter().zip(offsets::code_points(prompt, &spans));
    let findings = findings.map(|((finding, action), (start, end))| {
        json!({
            "rule": &*finding.rule,
            "category": finding.category.name(),
            "entity": &*finding.entity,
            "severity": finding.severity,
            "confidence": finding.confidence,
            "action": action.name(),
            "start": start,
            "end": end,
        })
    });
    let scores: serde_json::Map<String, Value> = Category::ALL
        .into_iter()
        .map(|category| (category.name().to_owned(), json!(report.scores[category as usize])))
        .collect();
    json!({
        "is_safe": report.blocked.is_empty(),
        "verdict": report.verdict().name(),
        "level": level.name(),
        "secured_prompt": judged.text,
        "blocked": report.blocked,
        "quarantined": report.quarantined,
        "would_block": report.would_block,
        "scores": scores,
        "findings": findings.collect::<Vec<_>>(),
    })
}
