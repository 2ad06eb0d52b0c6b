//! `promptgate audit verify`: whether audit files are what was written. Says nothing of what their records mean.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Subcommand;

use super::{FAILED, UNREADABLE, say};
use crate::telemetry::chain::{Flaw, Reader, Seal};

#[derive(Debug, Subcommand)]
pub(super) enum Audit {
    /// Check that no record was changed, removed or put elsewhere; exit code 0 intact, 1 not, 2 unreadable.
    Verify {
        /// Rotated files, the oldest first.
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// The variable that holds the key of the chain (`audit.key_env`), if it has one.
        #[arg(long)]
        key_env: Option<String>,
    },
}

/// A line that is longer is no record.
const LINE: u64 = 1024 * 1024;

enum Failure {
    Read(io::Error),
    Flaw { line: u64, flaw: Flaw },
}

impl Audit {
    pub fn run(&self) -> ExitCode {
        let Audit::Verify { files, key_env } = self;
        let key = key_env.as_ref().map(std::env::var).transpose();
        let Ok(key) = key else {
            say(io::stderr(), "the variable that --key-env names is not set, or is no text");
            return ExitCode::from(UNREADABLE);
        };
        let mut reader = Reader::new(Seal::new(key.as_deref().map(str::as_bytes)));
        for file in files {
            match read(&mut reader, file) {
                Ok(lines) => say(io::stdout(), &format!("{}: intact, {lines} lines", file.display())),
                Err(Failure::Flaw { line, flaw }) => {
                    say(io::stdout(), &format!("{}:{line}: {flaw}", file.display()));
                    return ExitCode::from(FAILED);
                }
                Err(Failure::Read(error)) => {
                    say(io::stderr(), &format!("{}: {error}", file.display()));
                    return ExitCode::from(UNREADABLE);
                }
            }
        }
        say(io::stdout(), &summary(&reader));
        ExitCode::SUCCESS
    }
}

/// How many lines the file has.
fn read(reader: &mut Reader, path: &Path) -> Result<u64, Failure> {
    let mut file = BufReader::new(File::open(path).map_err(Failure::Read)?);
    let (mut line, mut number, mut ended) = (Vec::new(), 0, true);
    loop {
        line.clear();
        if file.by_ref().take(LINE).read_until(b'\n', &mut line).map_err(Failure::Read)? == 0 {
            break;
        }
        number += 1;
        ended = line.pop_if(|byte| *byte == b'\n').is_some();
        reader.line(&line, number == 1).map_err(|flaw| Failure::Flaw { line: number, flaw })?;
    }
    reader.end(ended).map_err(|flaw| Failure::Flaw { line: number, flaw })?;
    Ok(number)
}

fn summary(reader: &Reader) -> String {
    let mut summary = format!("{} records", reader.records);
    for (count, what) in [
        (reader.torn_lines, "torn, as the process was killed"),
        (reader.begun_anew, "begun anew at the beginning of a file: compare the file before with a copy"),
    ] {
        if count > 0 {
            summary += &format!("; {count} {what}");
        }
    }
    if let Some(last) = reader.last() {
        summary += &format!("; the chain ends in {last}");
    }
    summary
}
