//! Where records are written: a file that gives way to another when it is full, or standard error. Knows no record.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::config;
use crate::telemetry::chain::Tail;

pub enum Sink {
    File(Log),
    StandardError,
}

/// The file there is, and when another takes its place.
pub struct Log {
    file: File,
    path: PathBuf,
    length: u64,
    /// About when its first record was written.
    began: SystemTime,
    longest: Option<u64>,
    oldest: Option<Duration>,
    /// How many that were full or old are kept.
    keep: usize,
}

/// The end of a file in which its last records are looked for; a record is shorter by far.
const TAIL: u64 = 1024 * 1024;

impl Sink {
    pub fn open(config: &config::Audit) -> io::Result<Self> {
        let Some(path) = config.path.clone() else { return Ok(Sink::StandardError) };
        let file = append(&path)?;
        let (length, began) = known(&file)?;
        let config::Audit { max_size: longest, max_age: oldest, keep, .. } = *config;
        Ok(Sink::File(Log { file, path, length, began, longest, oldest, keep }))
    }

    /// Keeps the old file when the new one cannot be opened: a record in a renamed file is better than none.
    pub fn reopen(&mut self) {
        if let Sink::File(log) = self {
            log.reopen();
        }
    }

    /// Gives a file that is full, or too old for another record, another name and begins a new one, if it can. True when it did.
    pub fn turn_over(&mut self, now: SystemTime) -> bool {
        match self {
            Sink::File(log) => (log.is_full() || log.is_old(now)) && log.shift().is_ok() && log.reopen(),
            Sink::StandardError => false,
        }
    }

    /// What the file ends with; `None` when it is empty, or no file.
    pub fn tail(&self) -> io::Result<Option<Tail>> {
        let Sink::File(log) = self else { return Ok(None) };
        let mut file = File::open(&log.path)?;
        let length = file.metadata()?.len();
        if length == 0 {
            return Ok(None);
        }
        let mut bytes = Vec::new();
        file.seek(SeekFrom::Start(length.saturating_sub(TAIL)))?;
        file.take(TAIL).read_to_end(&mut bytes)?;
        Ok(Some(Tail::of(&bytes)))
    }

    pub fn write(&mut self, lines: &[u8], now: SystemTime) -> io::Result<()> {
        match self {
            Sink::File(log) => {
                if log.length == 0 {
                    log.began = now;
                }
                log.length += lines.len() as u64;
                log.file.write_all(lines)
            }
            Sink::StandardError => io::stderr().lock().write_all(lines),
        }
    }
}

impl Log {
    fn reopen(&mut self) -> bool {
        let opened = append(&self.path).and_then(|file| Ok((known(&file)?, file)));
        opened.map(|(known, file)| ((self.length, self.began), self.file) = (known, file)).is_ok()
    }

    fn is_full(&self) -> bool {
        self.longest.is_some_and(|longest| self.length >= longest)
    }

    /// Of a clock that was set back, it is not.
    fn is_old(&self, now: SystemTime) -> bool {
        let age = now.duration_since(self.began).unwrap_or_default();
        self.length > 0 && self.oldest.is_some_and(|oldest| age >= oldest)
    }

    /// `audit.jsonl` becomes `audit.jsonl.1`, that `audit.jsonl.2`, and the last of those that are kept is gone.
    fn shift(&self) -> io::Result<()> {
        for number in (1..self.keep).rev() {
            let (old, new) = (self.numbered(number), self.numbered(number + 1));
            if old.exists() {
                fs::rename(old, new)?;
            }
        }
        fs::rename(&self.path, self.numbered(1))
    }

    fn numbered(&self, number: usize) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(format!(".{number}"));
        name.into()
    }
}

/// How long a file is, and when it was made; where the file system does not say, when it was written last.
fn known(file: &File) -> io::Result<(u64, SystemTime)> {
    let about = file.metadata()?;
    Ok((about.len(), about.created().or_else(|_| about.modified())?))
}

/// Readable by the owner only: it tells who asked what, when.
pub fn append(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    OpenOptions::new().create(true).append(true).mode(0o600).open(path)
}
