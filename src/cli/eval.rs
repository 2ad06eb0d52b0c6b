//! `promptgate eval`: reads labelled files, judges every row as the gateway would, prints the figures. Computes none.

use std::fs::File;
use std::hint::black_box;
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use clap::Args;

use super::{UNREADABLE, say, snapshot};
use crate::eval::{Judged, Report, Row};
use crate::policy::Level;
use crate::sanitize::{self, Guard};

#[derive(Debug, Args)]
pub(super) struct Eval {
    /// Labelled JSON lines, or folders that are searched for *.jsonl.
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// The configuration whose rules and policy judge; without it, the built-in defaults.
    #[arg(long, env = "PROMPTGATE_CONFIG")]
    config: Option<PathBuf>,
    /// The figures as JSON.
    #[arg(long)]
    json: bool,
    /// Write the outcome of every row there, one JSON object a line.
    #[arg(long, value_name = "FILE")]
    rows: Option<PathBuf>,
    /// Name this many of the worst rows of each kind, by id.
    #[arg(long, value_name = "N", default_value_t = 0)]
    errors: usize,
}

impl Eval {
    pub fn run(&self) -> ExitCode {
        let Some(snapshot) = snapshot(self.config.as_deref()) else { return ExitCode::from(UNREADABLE) };
        match self.evaluate(&snapshot.guard) {
            Ok(report) => {
                let text = if self.json { serde_json::to_string_pretty(&report).ok() } else { Some(report.to_text()) };
                say(io::stdout(), text.unwrap_or_default().trim_end());
                ExitCode::SUCCESS
            }
            Err(problem) => {
                say(io::stderr(), &problem);
                ExitCode::from(UNREADABLE)
            }
        }
    }

    fn evaluate(&self, guard: &Guard) -> Result<Report, String> {
        let (mut rows, mut took) = (Vec::new(), Vec::new());
        for file in files(&self.paths)? {
            for row in read(&file)? {
                let (judged, nanos) = judge(guard, &row.text);
                rows.push((row, judged));
                took.push(nanos);
            }
        }
        if let Some(path) = &self.rows {
            write_rows(path, &rows).map_err(|error| named(path, &error))?;
        }
        Ok(Report::new(&rows, &took, self.errors))
    }
}

/// The outcome at every level with all names, and the nanoseconds the gateway takes, which looks for names where policy asks
/// it to: the least of three, since levels cost the same and the machine may have other work.
fn judge(guard: &Guard, text: &str) -> (Judged, u64) {
    let times = Level::ALL.map(|level| {
        let start = Instant::now();
        black_box(sanitize::text(guard, level, text));
        u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX)
    });
    let outcomes = Level::ALL.map(|level| sanitize::text_with_names(guard, level, text));
    (Judged::new(guard, text, &outcomes), times.into_iter().min().unwrap_or(u64::MAX))
}

/// The files named, and those below the folders named, in the order of their names.
fn files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, String> {
    let mut files = Vec::new();
    for path in paths {
        if path.is_dir() { below(path, &mut files)? } else { files.push(path.clone()) }
    }
    if files.is_empty() { Err("no *.jsonl file there".to_owned()) } else { Ok(files) }
}

fn below(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), String> {
    let entries = std::fs::read_dir(folder).and_then(Iterator::collect::<io::Result<Vec<_>>>);
    let mut paths: Vec<PathBuf> =
        entries.map_err(|error| named(folder, &error))?.into_iter().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            below(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "jsonl") {
            files.push(path);
        }
    }
    Ok(())
}

fn read(path: &Path) -> Result<Vec<Row>, String> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let file = File::open(path).map_err(|error| named(path, &error))?;
    let mut rows = Vec::new();
    for (line, number) in BufReader::new(file).lines().zip(1..) {
        let line = line.map_err(|error| named(path, &error))?;
        if !line.trim().is_empty() {
            rows.push(Row::parse(&line, &name).map_err(|error| format!("{}:{number}: {error}", path.display()))?);
        }
    }
    Ok(rows)
}

fn write_rows(path: &Path, rows: &[(Row, Judged)]) -> io::Result<()> {
    let mut out = BufWriter::new(File::create(path)?);
    for (row, judged) in rows {
        serde_json::to_writer(&mut out, &judged.to_json(&row.id))?;
        out.write_all(b"\n")?;
    }
    out.flush()
}

fn named(path: &Path, error: &io::Error) -> String {
    format!("{}: {error}", path.display())
}
