//! `promptgate serve`: the gateway and the admin listener until a signal ends them. Decides nothing about requests.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::{FAILED, report, say};
use crate::config::{Config, Problem};
use crate::policy::Level;
use crate::server::{self, Source};
use crate::{load, telemetry};

#[derive(Debug, Args)]
pub(super) struct Serve {
    /// The configuration file; without it, the built-in defaults.
    #[arg(long, env = "PROMPTGATE_CONFIG")]
    config: Option<PathBuf>,
    /// The security level to start with, before file and variables.
    #[arg(long)]
    level: Option<Level>,
}

impl Serve {
    pub fn run(&self) -> ExitCode {
        let loaded = match load::config(self.config.as_deref()) {
            Ok(loaded) => loaded,
            Err(problems) => return report(self.config.as_deref(), &problems),
        };
        let mut config = loaded.config;
        if let Some(level) = self.level {
            config.security.level = level;
        }
        start(config, &loaded.warnings, Source::File(self.config.clone()))
    }
}

/// Starts logging and serves.
pub(super) fn start(config: Config, warnings: &[Problem], source: Source) -> ExitCode {
    if let Err(error) = telemetry::logging::init(&config.log) {
        say(io::stderr(), &format!("logging: {error}"));
    }
    for warning in warnings {
        tracing::warn!("{warning}");
    }
    let (gateway, admin) = (config.gateway.listen, config.admin.listen);
    tracing::info!(%gateway, %admin, level = %config.security.level, auth = config.auth.mode().name(), "starting");
    match server::run(config, source) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(io::stderr(), &format!("promptgate cannot start: {error}"));
            ExitCode::from(FAILED)
        }
    }
}
