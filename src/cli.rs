//! The command line: words in, exit code out. Reads files and variables; what they mean is decided elsewhere.

#[cfg(feature = "proxy")]
mod audit;
mod check;
mod completions;
#[cfg(feature = "proxy")]
mod demo;
mod eval;
#[cfg(feature = "proxy")]
mod mcp;
mod paint;
mod progress;
#[cfg(feature = "proxy")]
mod serve;
mod tail;
#[cfg(feature = "proxy")]
mod verify;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

use crate::config::Problems;
use crate::detect::{RuleSet, Scanner};
use crate::load;
use crate::snapshot::Snapshot;

/// An in-line gateway for LLM traffic: masks secrets and personal data, refuses dangerous prompts, changes nothing else.
#[derive(Debug, Parser)]
#[command(name = "promptgate", version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the gateway and the admin listener.
    #[cfg(feature = "proxy")]
    Serve(serve::Serve),
    /// Run them with a built-in upstream that echoes what it received, and print commands to try.
    #[cfg(feature = "proxy")]
    Demo(demo::Demo),
    /// Offer the tools of the admin listener over MCP on standard input and output, for desktop clients.
    ///
    /// They have the scopes of the token in PROMPTGATE_TOKEN, and all without one. Level and counts are those of this process.
    #[cfg(feature = "proxy")]
    Mcp(mcp::Mcp),
    /// Look at audit files.
    #[cfg(feature = "proxy")]
    #[command(subcommand)]
    Audit(audit::Audit),
    /// Send canaries through every route of a running gateway and report what became of each.
    ///
    /// They are made up and new in every run. The token is that of PROMPTGATE_TOKEN. Exit code 0 nothing left unread, 1 something
    /// did, 2 not known.
    #[cfg(feature = "proxy")]
    Verify(verify::Verify),
    /// Judge a prompt, a request body or a log of them from standard input; exit code 0 safe, 1 one at least is refused, 2 unreadable.
    Check(check::Check),
    /// Show the audit log, readable, as it grows.
    Tail(tail::Tail),
    /// Judge labelled texts, each as one user message, and measure how well.
    Eval(eval::Eval),
    /// Look at configuration files.
    Config {
        #[command(subcommand)]
        command: ConfigCommand,
    },
    /// Look at detector rules.
    Rules {
        #[command(subcommand)]
        command: RulesCommand,
    },
    /// Print what a shell needs to complete commands and options.
    Completions(completions::Completions),
    /// Print the manual page, in roff.
    Man,
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Report everything that is wrong with each file.
    Check {
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// Warnings are errors.
        #[arg(long)]
        strict: bool,
    },
}

#[derive(Debug, Subcommand)]
enum RulesCommand {
    /// Run the examples of every rule: the built-in ones and those of the files.
    Check { files: Vec<PathBuf> },
}

/// What a command ends with.
const FAILED: u8 = 1;
const UNREADABLE: u8 = 2;

/// Runs the command that the process was started with.
pub fn main() -> ExitCode {
    match Cli::parse().command {
        #[cfg(feature = "proxy")]
        Command::Serve(serve) => serve.run(),
        #[cfg(feature = "proxy")]
        Command::Demo(demo) => demo.run(),
        #[cfg(feature = "proxy")]
        Command::Mcp(mcp) => mcp.run(),
        #[cfg(feature = "proxy")]
        Command::Audit(audit) => audit.run(),
        #[cfg(feature = "proxy")]
        Command::Verify(verify) => verify.run(),
        Command::Check(check) => check.run(),
        Command::Tail(tail) => tail.run(),
        Command::Eval(eval) => eval.run(),
        Command::Config { command: ConfigCommand::Check { files, strict } } => check_configs(&files, strict),
        Command::Rules { command: RulesCommand::Check { files } } => check_rules(&files),
        Command::Completions(completions) => completions.run(Cli::command()),
        Command::Man => completions::man(Cli::command()),
    }
}

fn check_configs(files: &[PathBuf], strict: bool) -> ExitCode {
    let fine = files.iter().filter(|path| check_config(path, strict)).count();
    if fine == files.len() { ExitCode::SUCCESS } else { ExitCode::from(FAILED) }
}

fn check_config(path: &Path, strict: bool) -> bool {
    let shown = path.display();
    let outcome = load::config(Some(path)).and_then(|loaded| load::snapshot(loaded.config).map(|_| loaded.warnings));
    match outcome {
        Ok(warnings) => {
            for warning in &warnings {
                say(io::stdout(), &format!("{shown}: {}: {warning}", if strict { "error" } else { "warning" }));
            }
            let fine = warnings.is_empty() || !strict;
            if fine {
                say(io::stdout(), &format!("{shown}: ok"));
            }
            fine
        }
        Err(problems) => {
            report(Some(path), &problems);
            false
        }
    }
}

/// What prompts are judged by; what is wrong with the configuration is said.
fn snapshot(path: Option<&Path>) -> Option<Snapshot> {
    match load::config(path).and_then(|loaded| load::snapshot(loaded.config)) {
        Ok(snapshot) => Some(snapshot),
        Err(problems) => {
            report(path, &problems);
            None
        }
    }
}

fn report(path: Option<&Path>, problems: &Problems) -> ExitCode {
    let shown = path.map_or_else(|| "configuration".to_owned(), |path| path.display().to_string());
    for problem in &problems.0 {
        say(io::stderr(), &format!("{shown}: error: {problem}"));
    }
    ExitCode::from(FAILED)
}

fn check_rules(files: &[PathBuf]) -> ExitCode {
    let mut texts = Vec::new();
    for path in files {
        match std::fs::read_to_string(path) {
            Ok(text) => texts.push((path.display().to_string(), text)),
            Err(error) => {
                say(io::stderr(), &format!("{}: {error}", path.display()));
                return ExitCode::from(UNREADABLE);
            }
        }
    }
    let named: Vec<(&str, &str)> = texts.iter().map(|(name, text)| (&**name, &**text)).collect();
    let checked = RuleSet::with_builtin(&named).and_then(|rules| {
        Scanner::compile(&rules)?;
        let problems = rules.check();
        if problems.is_empty() { Ok(rules.rules().len()) } else { Err(problems) }
    });
    match checked {
        Ok(count) => {
            say(io::stdout(), &format!("{count} rules: every example is found, no negative example is"));
            ExitCode::SUCCESS
        }
        Err(problems) => {
            for problem in problems {
                say(io::stderr(), &problem.to_string());
            }
            ExitCode::from(FAILED)
        }
    }
}

/// A reader that went away is no error of ours.
fn say(mut to: impl Write, line: &str) {
    writeln!(to, "{line}").ok();
}
