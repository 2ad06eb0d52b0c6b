//! `promptgate audit verify`, on files the audit log has written.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use promptgate::config::{self, Secret};
use promptgate::telemetry::{Audit, Metrics};

/// Two files, the older one rotated away.
struct Files(PathBuf);

impl Files {
    fn none(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("promptgate-audit-{}-{name}", std::process::id()));
        std::fs::create_dir(&folder).expect("a folder of the test's own");
        Files(folder)
    }

    fn written(name: &str) -> Self {
        let files = Files::none(name);
        let audit = files.log(config::Audit::default());
        (0..3).for_each(|problems| audit.config_reloaded(problems));
        assert!(audit.flush(Duration::from_secs(10)));
        std::fs::rename(files.current(), files.rotated()).expect("a rotation");
        audit.reopen();
        (3..6).for_each(|problems| audit.config_reloaded(problems));
        assert!(audit.flush(Duration::from_secs(10)));
        files
    }

    fn log(&self, config: config::Audit) -> Audit {
        let config = config::Audit { path: Some(self.current()), ..config };
        Audit::open(&config, &Metrics::new().expect("metrics")).expect("an audit log")
    }

    fn rotated(&self) -> PathBuf {
        self.0.join("audit.jsonl.1")
    }

    fn current(&self) -> PathBuf {
        self.0.join("audit.jsonl")
    }

    fn edit(&self, file: &Path, edit: impl Fn(String) -> String) {
        let text = std::fs::read_to_string(file).expect("an audit file");
        std::fs::write(file, edit(text)).expect("an audit file");
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

/// The exit code and what it says.
fn verify(files: &[PathBuf]) -> (Option<i32>, String) {
    let run = Command::new(env!("CARGO_BIN_EXE_promptgate")).args(["audit", "verify"]).args(files).output();
    let output = run.expect("the binary");
    (output.status.code(), String::from_utf8(output.stdout).expect("text"))
}

#[test]
fn rotated_files_are_intact_together_and_alone() {
    let files = Files::written("intact");
    let (code, said) = verify(&[files.rotated(), files.current()]);
    assert!(code == Some(0) && said.contains("6 records; the chain ends in "), "{said}");
    assert_eq!(verify(&[files.current()]).0, Some(0));
}

#[test]
fn a_full_file_gets_a_number_and_those_that_are_kept_are_intact_together() {
    let files = Files::none("full");
    let config = || config::Audit { max_size: Some(64 << 10), keep: 2, ..config::Audit::default() };
    for _ in 0..2 {
        // Twice, since a restart goes on where it was.
        let audit = files.log(config());
        for _ in 0..20 {
            (0..100).for_each(|problems| audit.config_reloaded(problems));
            assert!(audit.flush(Duration::from_secs(10)));
        }
    }
    let numbered = |number: u32| files.0.join(format!("audit.jsonl.{number}"));
    let length = |file: &Path| std::fs::metadata(file).map_or(0, |about| about.len());
    assert!((64 << 10..100 << 10).contains(&length(&numbered(1))), "{}", length(&numbered(1)));
    assert!(numbered(2).exists() && !numbered(3).exists());
    let (code, said) = verify(&[numbered(2), numbered(1), files.current()]);
    assert!(code == Some(0) && !said.contains("begun anew"), "{said}");
}

#[test]
fn a_chain_with_a_key_is_checked_with_it_alone() {
    const KEY: &str = "0123456789abcdef0123456789abcdef";
    let files = Files::none("keyed");
    let audit = files.log(config::Audit { key: Some(Secret::new(KEY)), ..config::Audit::default() });
    (0..3).for_each(|problems| audit.config_reloaded(problems));
    assert!(audit.flush(Duration::from_secs(10)));
    let with = |key: Option<&str>| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_promptgate"));
        command.args(["audit", "verify", "--key-env", "AUDIT_KEY"]).arg(files.current());
        command.env_clear().envs(key.map(|key| ("AUDIT_KEY", key)));
        command.output().expect("the binary").status.code()
    };
    assert_eq!([with(Some(KEY)), with(Some(&KEY.replace('0', "1"))), with(None)], [Some(0), Some(1), Some(2)]);
    assert_eq!(verify(&[files.current()]).0, Some(1));
}

#[test]
fn the_first_line_that_was_changed_is_named() {
    let files = Files::written("changed");
    files.edit(&files.current(), |text| text.replace("\"problems\":4", "\"problems\":0"));
    let (code, said) = verify(&[files.rotated(), files.current()]);
    assert_eq!(code, Some(1));
    assert!(said.contains(&format!("{}:2: the record is not what was written", files.current().display())), "{said}");
}

#[test]
fn a_record_missing_between_two_files_shows() {
    let files = Files::written("missing");
    files.edit(&files.rotated(), |text| text.lines().take(2).map(|line| format!("{line}\n")).collect());
    let (code, said) = verify(&[files.rotated(), files.current()]);
    assert_eq!(code, Some(1));
    assert!(said.contains(":1: records before this one are missing"), "{said}");
}

#[test]
fn a_last_line_without_its_end_is_no_tampering() {
    let files = Files::written("torn");
    files.edit(&files.current(), |text| text[..text.len() - 20].to_owned());
    let (code, said) = verify(&[files.rotated(), files.current()]);
    assert!(code == Some(0) && said.contains("1 torn"), "{said}");
}

#[test]
fn a_file_that_cannot_be_read_is_neither_intact_nor_changed() {
    assert_eq!(verify(&[PathBuf::from("/nowhere/audit.jsonl")]).0, Some(2));
}
