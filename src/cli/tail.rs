//! `promptgate tail`: the audit log, readable, as it grows. Follows a file through its rotation; changes nothing.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Seek, SeekFrom, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use clap::Args;
use serde_json::Value;

use super::paint::{Paint, tone};
use super::{UNREADABLE, say};

#[derive(Debug, Args)]
pub(super) struct Tail {
    /// The file that audit.path of the configuration names.
    file: PathBuf,
    /// Begin with this many of its last lines.
    #[arg(short = 'n', long, default_value_t = 10)]
    lines: usize,
    /// End where the file ends.
    #[arg(long)]
    no_follow: bool,
}

/// How often a file that ended is looked at again.
const EVERY: Duration = Duration::from_millis(250);

impl Tail {
    pub fn run(&self) -> ExitCode {
        let paint = Paint::of(&io::stdout());
        let mut follower = match Follower::open(&self.file) {
            Ok(follower) => follower,
            Err(error) => return self.unreadable(&error),
        };
        let mut skip = true;
        loop {
            let lines = match follower.read() {
                Ok(lines) => lines,
                Err(error) => return self.unreadable(&error),
            };
            let first = if std::mem::take(&mut skip) { lines.len().saturating_sub(self.lines) } else { 0 };
            for line in lines.iter().skip(first) {
                // A reader that went away, as `head` does, wants no more.
                if writeln!(io::stdout(), "{}", readable(line, paint)).is_err() {
                    return ExitCode::SUCCESS;
                }
            }
            if self.no_follow {
                return ExitCode::SUCCESS;
            }
            thread::sleep(EVERY);
        }
    }

    fn unreadable(&self, error: &io::Error) -> ExitCode {
        say(io::stderr(), &format!("{}: {error}", self.file.display()));
        ExitCode::from(UNREADABLE)
    }
}

/// A file that is read as it grows, and the next of its name when it was renamed or cut.
struct Follower {
    path: PathBuf,
    file: BufReader<File>,
    inode: u64,
    read: u64,
    /// The beginning of a line whose end is not written yet.
    partial: Vec<u8>,
}

impl Follower {
    fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let inode = file.metadata()?.ino();
        Ok(Follower { path: path.to_owned(), file: BufReader::new(file), inode, read: 0, partial: Vec::new() })
    }

    /// The whole lines that came since the last time: what is left of a renamed file, then what is in the new one.
    fn read(&mut self) -> io::Result<Vec<String>> {
        let mut lines = Vec::new();
        if self.file.get_ref().metadata()?.len() < self.read {
            self.file.seek(SeekFrom::Start(0))?;
            self.read = 0;
            self.partial.clear();
        }
        self.drain(&mut lines)?;
        // Between the rename and the new file there is none of the name for a moment.
        let renamed = std::fs::metadata(&self.path).is_ok_and(|now| now.ino() != self.inode);
        if renamed {
            *self = Follower::open(&self.path)?;
            self.drain(&mut lines)?;
        }
        Ok(lines)
    }

    fn drain(&mut self, lines: &mut Vec<String>) -> io::Result<()> {
        loop {
            let count = self.file.read_until(b'\n', &mut self.partial)?;
            self.read += count as u64;
            if self.partial.last() != Some(&b'\n') {
                return Ok(());
            }
            self.partial.pop();
            lines.push(String::from_utf8_lossy(&self.partial).into_owned());
            self.partial.clear();
        }
    }
}

/// One record for people. What is no record is shown as it is, without what moves a cursor.
fn readable(line: &str, paint: Paint) -> String {
    let Ok(record) = serde_json::from_str::<Value>(line) else { return clean(line) };
    let field = |name: &str| text(&record[name]);
    let time = field("time");
    let clock = time.get(11..23).map_or(time.clone(), str::to_owned);
    let rest = match record["event"].as_str() {
        Some("request") => request(&record, paint),
        Some("level_changed") if record["client"].is_string() => {
            let level = |name: &str| if record[name].is_null() { "default".to_owned() } else { field(name) };
            format!("level of {} {} -> {} by {}", field("client"), level("old"), level("new"), field("by"))
        }
        Some("level_changed") => format!("level {} -> {} by {}", field("old"), field("new"), field("by")),
        Some("policy_changed") => format!("policy {} -> {} by {}", field("old"), field("new"), field("by")),
        Some("config_reloaded") => {
            format!("configuration reloaded: {}, {} problems", field("result"), field("problems"))
        }
        _ => clean(line),
    };
    format!("{}  {rest}", paint.dim(&clock))
}

fn request(record: &Value, paint: Paint) -> String {
    let field = |name: &str| text(&record[name]);
    let verdict = field("verdict");
    // What was found and led to nothing would hide what did.
    let rules = record["rules"].as_array().into_iter().flatten().filter(|rule| rule["action"] != "allow");
    let rules: Vec<String> = rules.map(|rule| format!("{}={}", text(&rule["id"]), text(&rule["action"]))).collect();
    let code = record["code"].as_str().map(|code| format!(" {}", clean(code))).unwrap_or_default();
    let millis = record["total_us"].as_f64().unwrap_or_default() / 1000.0;
    let verdict = paint.with(tone(&verdict), &format!("{verdict:<11}"));
    let id = paint.dim(&field("request_id"));
    let (status, client, route) = (field("status"), field("client_id"), field("route"));
    format!("{verdict} {status:>3}{code}  {client}  {route}  {millis:.1} ms  {}  {id}", rules.join(" "))
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => clean(text),
        Value::Null => "-".to_owned(),
        other => other.to_string(),
    }
}

fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use std::fs::OpenOptions;

    use super::*;

    struct Scratch(PathBuf);

    impl Scratch {
        fn new(name: &str) -> Self {
            Scratch(std::env::temp_dir().join(format!("promptgate-tail-{}-{name}", std::process::id())))
        }

        fn write(&self, text: &str) {
            let mut file = OpenOptions::new().create(true).append(true).open(&self.0).unwrap();
            file.write_all(text.as_bytes()).unwrap();
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            std::fs::remove_file(&self.0).ok();
        }
    }

    #[test]
    fn no_line_is_lost_or_torn_when_the_file_is_rotated() {
        let (log, old) = (Scratch::new("log"), Scratch::new("old"));
        log.write("1\n2");
        let mut follower = Follower::open(&log.0).unwrap();
        assert_eq!(follower.read().unwrap(), ["1"]);
        log.write("2\n");
        std::fs::rename(&log.0, &old.0).unwrap();
        assert_eq!(follower.read().unwrap(), ["22"]);
        old.write("3\n");
        log.write("4\n");
        assert_eq!(follower.read().unwrap(), ["3", "4"]);
    }

    #[test]
    fn a_file_that_was_cut_is_read_from_its_beginning() {
        let log = Scratch::new("cut");
        log.write("a long line\n");
        let mut follower = Follower::open(&log.0).unwrap();
        assert_eq!(follower.read().unwrap(), ["a long line"]);
        std::fs::write(&log.0, "new\n").unwrap();
        assert_eq!(follower.read().unwrap(), ["new"]);
    }

    #[test]
    fn a_record_is_one_readable_line_that_moves_no_cursor() {
        let line = r#"{"time":"2026-01-01T10:20:30.123456Z","event":"request","request_id":"r-1","client_id":"a\u001b[2J","route":"/v1/messages",
            "status":400,"verdict":"blocked","code":"content_filter","rules":[{"id":"pii.x","action":"allow"},{"id":"injection.x","action":"block"}],"total_us":1500}"#;
        let shown = readable(line, Paint(false));
        let expected =
            "10:20:30.123  blocked     400 content_filter  a\u{fffd}[2J  /v1/messages  1.5 ms  injection.x=block  r-1";
        assert_eq!(shown, expected);
        assert_eq!(readable("\u{1b}[2J", Paint(false)), "\u{fffd}[2J");
    }
}
