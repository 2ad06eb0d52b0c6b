//! Golden cases: whole request bodies of every dialect with the bytes the upstream has to receive. Holds no case; those
//! are the folders of `tests/corpus`.
//!
//! A case is a folder with
//! - `in.json`, the body as a client sends it, byte for byte;
//! - `case.toml`: `format`, `about` (what the case shows), `level` where it is not `medium`, and what is expected: the
//!   table `[masked]` of spans by entity, the categories for which a text was withheld (`quarantined`) or that were only
//!   counted (`would_block`), and for a refused body `refusal` (its code) and `blocked` (the categories);
//! - `out.json`, the body as it leaves. A body that must come out as it went in, or not at all, has none.
//!
//! To add one, write `in.json` and `case.toml`, run `PROMPTGATE_BLESS=1 cargo test --test golden`, which writes the
//! `out.json` files, and read every difference `git diff` shows. What `case.toml` says is never written for you.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use promptgate::detect::Category;
use promptgate::policy::Level;
use promptgate::sanitize::Verdict;
use promptgate::wire::{self, BodyKind, Family};
use serde::Deserialize;

#[path = "support/sanitizer.rs"]
mod sanitizer;

use sanitizer::{Outcome, Seeded, cut, run};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    format: String,
    #[allow(dead_code, reason = "for who reads the case")]
    about: String,
    #[serde(default)]
    level: Level,
    refusal: Option<String>,
    #[serde(default)]
    blocked: Vec<String>,
    #[serde(default)]
    quarantined: Vec<String>,
    #[serde(default)]
    would_block: Vec<String>,
    #[serde(default)]
    masked: BTreeMap<String, u64>,
}

struct Case {
    folder: PathBuf,
    name: String,
    body: Vec<u8>,
    expected: Expected,
}

impl Case {
    fn read(folder: PathBuf) -> Case {
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let body = fs::read(folder.join("in.json")).unwrap_or_else(|error| panic!("{name}/in.json: {error}"));
        let text = fs::read_to_string(folder.join("case.toml")).unwrap_or_else(|error| panic!("{name}: {error}"));
        let expected = toml::from_str(&text).unwrap_or_else(|error| panic!("{name}/case.toml: {error}"));
        Case { folder, name, body, expected }
    }

    fn run<'a>(&'a self, chunks: impl IntoIterator<Item = &'a [u8]>) -> Outcome {
        run(&self.expected.format, self.expected.level, chunks)
    }

    /// What has to leave: `out.json`, or without one the body itself.
    fn output(&self) -> Vec<u8> {
        fs::read(self.folder.join("out.json")).unwrap_or_else(|_| self.body.clone())
    }

    fn bless(&self, outcome: &Outcome) {
        let path = self.folder.join("out.json");
        match &outcome.body {
            Ok(body) if *body != self.body => fs::write(path, body).expect("the corpus can be written"),
            _ => drop(fs::remove_file(path)),
        }
    }

    fn kind(&self) -> Verdict {
        let expected = &self.expected;
        match &expected.refusal {
            Some(_) => Verdict::Blocked,
            None if !expected.quarantined.is_empty() => Verdict::Quarantined,
            None if !expected.would_block.is_empty() => Verdict::WouldBlock,
            None if !expected.masked.is_empty() => Verdict::Masked,
            None => Verdict::Clean,
        }
    }
}

fn corpus() -> Vec<Case> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let entries = fs::read_dir(root).expect("the corpus is there").map(|entry| entry.expect("and can be read").path());
    let mut folders: Vec<PathBuf> = entries.filter(|path| path.is_dir()).collect();
    folders.sort();
    folders.into_iter().map(Case::read).collect()
}

/// The surroundings of the first byte that differs.
fn difference(expected: &[u8], found: &[u8]) -> String {
    let at = expected.iter().zip(found).take_while(|(a, b)| a == b).count();
    let around = |bytes: &[u8]| {
        let around = &bytes[at.saturating_sub(60).min(bytes.len())..(at + 60).min(bytes.len())];
        String::from_utf8_lossy(around).into_owned()
    };
    format!("differs at byte {at}:\n  expected {}\n  found    {}", around(expected), around(found))
}

#[test]
fn every_case_comes_out_as_written_down() {
    let bless = std::env::var_os("PROMPTGATE_BLESS").is_some();
    let mut wrong = Vec::new();
    for case in corpus() {
        let outcome = case.run([&case.body[..]]);
        if bless {
            case.bless(&outcome);
        }
        let code = outcome.body.as_ref().err().map(|refusal| refusal.code().to_owned());
        let masked: BTreeMap<String, u64> = outcome.report.masked.iter().map(|(k, v)| (k.to_string(), *v)).collect();
        let names = |categories: &[Category]| categories.iter().map(ToString::to_string).collect::<Vec<_>>();
        let blocked = names(&outcome.report.blocked);
        let passed = (names(&outcome.report.quarantined), names(&outcome.report.would_block));
        let expected = &case.expected;
        if code != expected.refusal || blocked != expected.blocked {
            wrong.push(format!("{}: refused for {code:?} {blocked:?}, {:?}", case.name, outcome.report.findings));
        } else if outcome.is_refused() {
            continue;
        } else if passed != (expected.quarantined.clone(), expected.would_block.clone()) {
            wrong.push(format!("{}: withheld and counted {passed:?}, {:?}", case.name, outcome.report.findings));
        } else if masked != expected.masked {
            wrong.push(format!("{}: masked {masked:?}, {:?}", case.name, outcome.report.findings));
        } else if outcome.body.as_deref() != Ok(&case.output()[..]) {
            wrong.push(format!("{}: {}", case.name, difference(&case.output(), outcome.text().as_bytes())));
        }
    }
    assert!(wrong.is_empty(), "{} cases:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn no_cut_changes_what_comes_out_or_the_report() {
    for (number, case) in corpus().iter().enumerate() {
        let whole = case.run([&case.body[..]]);
        assert_eq!(case.run(case.body.chunks(1)), whole, "{} by bytes", case.name);
        let mut seeded = Seeded(number as u64);
        for largest in [7, 100, 3000] {
            let sizes = seeded.sizes(case.body.len(), largest);
            let outcome = case.run(cut(&case.body, &sizes));
            assert_eq!(outcome, whole, "{} in chunks of up to {largest}", case.name);
        }
    }
}

#[test]
fn what_comes_out_changed_is_json_of_the_same_shape() {
    let changed = |case: &&Case| matches!(case.kind(), Verdict::Masked | Verdict::Quarantined);
    for case in corpus().iter().filter(changed) {
        let (input, output) = (shape(&case.body), shape(&case.output()));
        assert_eq!(input, output, "{}", case.name);
    }
}

/// The bytes between the string values, and how many of those there are.
fn shape(body: &[u8]) -> (Vec<u8>, usize) {
    let (mut rest, mut strings) = (Vec::new(), 0);
    let mut bytes = body.iter();
    while let Some(byte) = bytes.next() {
        rest.push(*byte);
        if *byte == b'"' {
            strings += 1;
            let mut content = Vec::new();
            while let Some(byte) = bytes.next().filter(|byte| **byte != b'"') {
                content.push(*byte);
                if *byte == b'\\' {
                    content.extend(bytes.next());
                }
            }
        }
    }
    (rest, strings)
}

#[test]
fn every_format_has_a_case_and_every_family_a_clean_a_masked_and_a_refused_one() {
    let corpus = corpus();
    for dialect in wire::FORMATS.iter().filter(|dialect| dialect.body == BodyKind::Json) {
        assert!(corpus.iter().any(|case| case.expected.format == dialect.name), "{} has no case", dialect.name);
    }
    for family in Family::ALL {
        let of_family =
            corpus.iter().filter(|case| wire::find(&case.expected.format).is_some_and(|d| d.family == family));
        let kinds: BTreeSet<&str> = of_family.map(|case| case.kind().name()).collect();
        assert!(kinds.is_superset(&BTreeSet::from(["blocked", "clean", "masked"])), "{}: {kinds:?}", family.name());
    }
}
