//! `promptgate mcp`: the tools of the admin listener on standard input and output. Serves no network.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::{FAILED, report, say};
use crate::{load, server, telemetry};

#[derive(Debug, Args)]
pub(super) struct Mcp {
    /// The configuration file; without it, the built-in defaults.
    #[arg(long, env = "PROMPTGATE_CONFIG")]
    config: Option<PathBuf>,
}

/// Whose scopes the tools have; without it they have all.
const TOKEN: &str = "PROMPTGATE_TOKEN";

impl Mcp {
    pub fn run(&self) -> ExitCode {
        let loaded = match load::config(self.config.as_deref()) {
            Ok(loaded) => loaded,
            Err(problems) => return report(self.config.as_deref(), &problems),
        };
        if let Err(error) = telemetry::logging::init(&loaded.config.log) {
            say(io::stderr(), &format!("logging: {error}"));
        }
        // Not an option of the command: other users could read it there.
        match server::mcp(loaded.config, std::env::var(TOKEN).ok().as_deref()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                say(io::stderr(), &format!("promptgate mcp: {error}"));
                ExitCode::from(FAILED)
            }
        }
    }
}
