//! Every stored input of every fuzz target, on the stable toolchain: what a fuzzer once found stays found. Fuzzes nothing.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

#[path = "../fuzz/src/lib.rs"]
mod targets;

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz")
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut names: Vec<_> =
        entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[test]
fn every_stored_input_keeps_every_promise() {
    let inputs = targets::TARGETS.iter().flat_map(|(target, _)| {
        let folder = fuzz().join("corpus").join(target);
        names(&folder).into_iter().map(move |name| (*target, folder.join(name)))
    });
    for (target, path) in inputs {
        // Shown only if the next line panics.
        println!("{target}: {}", path.display());
        targets::run(target, &fs::read(&path).expect("it can be read"));
    }
}

#[test]
fn every_target_has_a_program_a_corpus_and_a_place_in_the_table() {
    let table: BTreeSet<String> = targets::TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    let programs = names(&fuzz().join("fuzz_targets")).into_iter().map(|file| file.trim_end_matches(".rs").to_owned());
    assert_eq!(programs.collect::<BTreeSet<_>>(), table);
    assert_eq!(names(&fuzz().join("corpus")).into_iter().collect::<BTreeSet<_>>(), table);
    for name in &table {
        assert!(!names(&fuzz().join("corpus").join(name)).is_empty(), "{name} has no inputs");
    }
}
