//! How far a long input was read, for who waits at a terminal. Into a pipe or a file nothing is written.

use std::fs::File;
use std::io::{self, IsTerminal};
use std::os::fd::AsFd;

use indicatif::{ProgressBar, ProgressStyle};

/// A bar on standard error, which is hidden where that is no terminal.
#[derive(Debug)]
pub(super) struct Progress {
    bar: ProgressBar,
    /// Whether what is written to standard output appears among it.
    is_shared: bool,
}

impl Progress {
    /// Of standard input. How long it is only a file tells.
    pub fn of_input() -> Self {
        let length = length(&io::stdin());
        let template = if length.is_some() { OF_KNOWN } else { OF_UNKNOWN };
        let bar = length.map_or_else(ProgressBar::new_spinner, ProgressBar::new);
        // The templates are fixed; a test reads them.
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        Progress { bar: bar.with_style(style), is_shared: io::stdout().is_terminal() }
    }

    pub fn read(&self, bytes: usize, said: impl FnOnce() -> String) {
        self.bar.inc(bytes as u64);
        self.bar.set_message(said());
    }

    /// Writes to standard output, above the bar.
    pub fn above(&self, write: impl FnOnce()) {
        if self.is_shared { self.bar.suspend(write) } else { write() }
    }

    pub fn end(&self) {
        self.bar.finish_and_clear();
    }
}

fn length(input: &impl AsFd) -> Option<u64> {
    let known = File::from(input.as_fd().try_clone_to_owned().ok()?).metadata().ok()?;
    known.is_file().then_some(known.len())
}

const OF_KNOWN: &str = "{bar:24} {percent:>3} %  {bytes} of {total_bytes}  {bytes_per_sec}  {eta} left  {msg}";
const OF_UNKNOWN: &str = "{spinner} {bytes}  {bytes_per_sec}  {elapsed}  {msg}";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_templates_are_templates() {
        for template in [OF_KNOWN, OF_UNKNOWN] {
            assert!(ProgressStyle::with_template(template).is_ok(), "{template}");
        }
    }

    #[test]
    fn a_file_has_a_length_and_a_pipe_has_none() {
        let manifest = File::open(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")).unwrap();
        assert_eq!(length(&manifest), Some(manifest.metadata().unwrap().len()));
        assert_eq!(length(&io::pipe().unwrap().0), None);
    }
}
