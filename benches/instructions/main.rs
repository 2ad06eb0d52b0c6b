//! Instructions of a few library cases, counted by callgrind and held against the figures in `benches/instructions.toml`:
//! clocks lie on a busy machine, instructions do not.
//!
//! `make instructions` and `make instructions-write` start it. It runs itself under callgrind with `--cases`; more than 5 % above
//! a figure fails with the name of the case, `--write` replaces the figures.

mod cases;
#[path = "../corpus/mod.rs"]
mod corpus;
#[path = "../setup/mod.rs"]
mod setup;

use std::collections::BTreeMap;
use std::env;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

/// The argument that makes this program run the cases, to be counted.
const CASES: &str = "--cases";
/// How much worse a case may be, in percent: what the random keys of hash tables move stays far below it.
const WORSE: f64 = 5.0;

type Figures = BTreeMap<String, u64>;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let done = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [CASES] => {
            cases::run();
            Ok(())
        }
        [] => count().and_then(|counted| check(&counted)),
        ["--write"] => count().and_then(|counted| write(&counted)),
        _ => Err("the only argument is --write".into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("instructions: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Instructions of one run of each case. Callgrind counts inside `measured` alone and dumps after each return from it.
fn count() -> Result<Figures, Box<dyn Error>> {
    let folder = env::temp_dir().join(format!("promptgate-instructions-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    let counted = count_in(&folder);
    fs::remove_dir_all(&folder)?;
    counted
}

fn count_in(folder: &Path) -> Result<Figures, Box<dyn Error>> {
    let mut valgrind = Command::new("valgrind");
    valgrind.args([
        "--tool=callgrind",
        "--quiet",
        "--toggle-collect=*cases::measured",
        "--dump-after=*cases::measured",
    ]);
    valgrind.arg(format!("--callgrind-out-file={}", folder.join("out").display()));
    valgrind.arg(env::current_exe()?).arg(CASES);
    let ran = valgrind.output().map_err(|error| format!("valgrind: {error}"))?;
    if !ran.status.success() {
        return Err(format!("valgrind: {}\n{}", ran.status, String::from_utf8_lossy(&ran.stderr)).into());
    }
    let names = String::from_utf8(ran.stdout)?;
    // The dumps are numbered in the order in which the cases ran.
    let dumps = names.lines().zip(1..).map(|(name, number)| {
        let dump = fs::read_to_string(folder.join(format!("out.{number}")))?;
        let total = dump.lines().find_map(|line| line.strip_prefix("totals: ")?.trim().parse().ok());
        Ok((name.to_owned(), total.ok_or_else(|| format!("no total for {name}"))?))
    });
    dumps.collect()
}

fn check(counted: &Figures) -> Result<(), Box<dyn Error>> {
    let committed: Figures = toml::from_str(&fs::read_to_string(file())?)?;
    let mut worse = Vec::new();
    println!("{:<24} {:>14} {:>14} {:>8}", "instructions", "committed", "counted", "change");
    for (name, count) in counted {
        let Some(before) = committed.get(name) else {
            worse.push(format!("{name} has no committed figure"));
            continue;
        };
        let change = (*count as f64 / *before as f64 - 1.0) * 100.0;
        println!("{name:<24} {before:>14} {count:>14} {change:>+7.1}%");
        if change > WORSE {
            worse.push(format!("{name}: {change:.1} % more instructions"));
        }
    }
    worse
        .extend(committed.keys().filter(|name| !counted.contains_key(*name)).map(|name| format!("{name} did not run")));
    if worse.is_empty() { Ok(()) } else { Err(worse.join("\n").into()) }
}

fn write(counted: &Figures) -> Result<(), Box<dyn Error>> {
    let header = "# Instructions of one run of each case of benches/instructions, as callgrind counts them on x86-64.\n\
                  # Written by `make instructions-write`.\n";
    fs::write(file(), format!("{header}{}", toml::to_string(counted)?))?;
    println!("{} figures written to {}", counted.len(), file().display());
    Ok(())
}

fn file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/instructions.toml")
}
