//! The house rules as tests: which module may import which, what a file looks like. Reads sources, runs none of them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use regex::Regex;

#[path = "tidy/rust.rs"]
mod rust;

use rust::{UsePath, paths, tokens, without_tests};

/// Module -> the modules it may import, directly; arrows are transitive. `ARCHITECTURE.md` draws the same table.
const LAYERS: &[(&str, &[&str])] = &[
    ("text", &[]),
    ("codec", &["text"]),
    ("detect", &["text"]),
    ("policy", &["detect"]),
    ("sanitize", &["policy", "codec"]),
    ("eval", &["sanitize"]),
    ("wire", &["codec"]),
    ("auth", &[]),
    ("limits", &[]),
    ("config", &["sanitize", "wire", "auth", "limits"]),
    ("snapshot", &["config"]),
    ("engine", &["config"]),
    ("load", &["snapshot", "engine"]),
    ("state", &["snapshot"]),
    ("telemetry", &["snapshot"]),
    ("proxy", &["state", "telemetry"]),
    ("admin", &["state", "telemetry"]),
    ("demo", &["wire"]),
    ("server", &["load", "proxy", "admin", "demo"]),
    ("cli", &["server", "eval"]),
    ("main", &["cli"]),
];

/// The modules that build without any feature.
const PURE: &[&str] =
    &["text", "codec", "detect", "policy", "sanitize", "eval", "wire", "auth", "limits", "config", "snapshot"];

/// What a pure module may not name outside its tests: threads, clocks, variables, files and sockets are arguments or
/// belong to the other half. (`std::net::IpAddr` is a value and allowed.)
const IMPURE: &[&[&str]] = &[
    &["std", "env"],
    &["std", "fs"],
    &["std", "process"],
    &["std", "thread"],
    &["std", "net", "TcpListener"],
    &["std", "net", "TcpStream"],
    &["std", "net", "ToSocketAddrs"],
    &["std", "net", "UdpSocket"],
    &["Instant", "now"],
    &["SystemTime", "now"],
    &["tokio"],
    &["async"],
    &["await"],
];

/// Names that say nothing about what a module holds, so that everything ends up in it.
const EMPTY_NAMES: &[&str] = &["common", "helper", "helpers", "misc", "types", "util", "utils"];

/// Lines of a file outside its tests.
const MAX_LINES: usize = 500;

/// Files that are one long table: rows are searched, not read from top to bottom.
const TABLES: &[&str] = &["src/detect/near/lexicon.rs", "src/detect/semantics/lexicon.rs"];

// ── the facts ───────────────────────────────────────────────────────────────────────────────────────────────────────

#[test]
fn every_import_follows_the_layer_rule() {
    none(sources("src").iter().flat_map(layer_violations));
}

#[test]
fn every_top_level_module_has_its_place_in_the_layer_table() {
    let known: BTreeSet<&str> = LAYERS.iter().map(|(name, _)| *name).chain(["lib"]).collect();
    let found: BTreeSet<String> = sources("src").iter().map(|source| source.modules()[0].clone()).collect();
    none(found.iter().filter(|name| !known.contains(name.as_str())).map(|name| {
        format!("src/{name}: not in the table LAYERS of tests/tidy.rs; give it a row that says what it may import")
    }));
}

#[test]
fn no_arrow_of_the_layer_table_turns_back() {
    none(
        LAYERS
            .iter()
            .filter(|(name, _)| reachable(name).contains(name))
            .map(|(name, _)| format!("`{name}` can reach itself through the table LAYERS")),
    );
}

#[test]
fn the_pure_half_names_no_clock_file_socket_variable_or_thread() {
    none(sources("src").iter().flat_map(purity_violations));
}

#[test]
fn the_first_line_of_every_file_says_what_it_is() {
    none(rust_files().iter().filter(|source| !starts_with_a_sentence(&source.text)).map(|source| {
        format!("{}:1: the first line must be `//! ` and say what the file is and what it is not", source.path)
    }));
}

#[test]
fn no_module_has_an_empty_name() {
    none(rust_files().iter().flat_map(|source| {
        let named = source.modules().into_iter().find(|name| EMPTY_NAMES.contains(&name.as_str()));
        named.map(|name| format!("{}:1: `{name}` says nothing about what is in it", source.path))
    }));
}

#[test]
fn no_file_outgrows_its_limit() {
    none(sources("src").iter().filter_map(|source| {
        let lines = lines_without_tests(&source.text);
        let exempt = source.is_test() || TABLES.contains(&source.path.as_str());
        let long = !exempt && lines > MAX_LINES;
        long.then(|| format!("{}:{MAX_LINES}: {lines} lines without tests; split it by what it does", source.path))
    }));
}

#[test]
fn nothing_unfinished_is_left_in_the_code() {
    none(rust_files().iter().flat_map(unfinished));
}

#[test]
fn every_rule_file_is_compiled_in() {
    let list = fs::read_to_string(root().join("src/detect/rule.rs")).expect("src/detect/rule.rs lists the rule files");
    let files = files_under("conf/rules", &["toml"]);
    assert!(!files.is_empty(), "conf/rules holds no rule file");
    none(files.iter().filter(|file| !list.contains(&format!("../../{file}\""))).map(|file| {
        format!("{file}:1: not in the include_str! list of src/detect/rule.rs, so its rules are not in the binary")
    }));
}

#[test]
fn every_configuration_key_is_in_the_readme() {
    let shipped = fs::read_to_string(root().join("conf/promptgate.toml")).expect("the shipped configuration");
    let readme = fs::read_to_string(root().join("README.md")).expect("the README");
    none(
        configuration_keys(&shipped)
            .iter()
            .filter(|key| !is_documented(key, &readme))
            .map(|key| format!("README.md: the table of the configuration does not name {key}")),
    );
}

#[test]
fn every_metric_is_in_the_readme() {
    static NAME: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r#"families\s*\.\w+\(\s*"([a-z_]+)""#).expect("a constant pattern"));
    let read = |name: &str| fs::read_to_string(root().join("src/telemetry").join(name)).expect("the metrics");
    let source = read("metrics.rs") + &read("connections.rs") + &read("otlp.rs");
    let readme = fs::read_to_string(root().join("README.md")).expect("the README");
    let names: Vec<&str> = NAME.captures_iter(&source).map(|found| found.extract::<1>().1[0]).collect();
    assert!(names.len() > 10, "the families are not written as this test reads them");
    none(
        names
            .iter()
            .filter(|name| !readme.contains(&format!("`promptgate_{name}`")))
            .map(|name| format!("README.md: the table of the metrics does not name promptgate_{name}")),
    );
}

#[test]
fn no_file_names_a_path_of_one_machine() {
    none(tracked_text().iter().flat_map(|(path, text)| machine_paths(path, text)));
}

// ── the checks ──────────────────────────────────────────────────────────────────────────────────────────────────────

fn layer_violations(source: &Source) -> Vec<String> {
    let module = source.modules()[0].clone();
    if module == "lib" {
        return Vec::new();
    }
    let allowed = reachable(&module);
    let tokens = tokens(&source.text);
    let wrong = |target: &str| target != module && !allowed.contains(target);
    paths(&tokens)
        .iter()
        .filter_map(|path| Some((path.line, target(path, &source.modules())?)))
        .filter(|(_, target)| wrong(target))
        .map(|(line, target)| format!("{}:{line}: `{module}` may not import `{target}`", source.path))
        .collect()
}

/// The top-level module a path leads to, if it leads through the crate root.
fn target<'a>(path: &UsePath<'a>, file: &[String]) -> Option<&'a str> {
    let names: Vec<&str> = path.names.iter().copied().skip_while(|name| *name == "self").collect();
    match names.first().copied()? {
        "crate" | "promptgate" => names.get(1).copied(),
        "super" => {
            let ups = names.iter().take_while(|name| **name == "super").count();
            let depth = file.len() + path.inline_modules;
            (ups >= depth).then(|| names.get(ups).copied()).flatten()
        }
        _ => None,
    }
}

fn purity_violations(source: &Source) -> Vec<String> {
    let module = source.modules()[0].clone();
    if !PURE.contains(&module.as_str()) || source.is_test() {
        return Vec::new();
    }
    let all = tokens(&source.text);
    let outside_tests = without_tests(&all);
    paths(&outside_tests)
        .iter()
        .filter_map(|path| {
            let found = IMPURE.iter().find(|banned| path.names.windows(banned.len()).any(|names| names == **banned))?;
            let name = found.join("::");
            Some(format!("{}:{}: `{module}` is pure and may not name `{name}`", source.path, path.line))
        })
        .collect()
}

fn starts_with_a_sentence(text: &str) -> bool {
    text.lines().next().is_some_and(|line| line.strip_prefix("//! ").is_some_and(|rest| rest.contains(' ')))
}

fn lines_without_tests(text: &str) -> usize {
    let all = tokens(text);
    let kept: BTreeSet<usize> = without_tests(&all).iter().map(|token| token.line).collect();
    let dropped: BTreeSet<usize> = all.iter().map(|token| token.line).filter(|line| !kept.contains(line)).collect();
    let span = |lines: &BTreeSet<usize>| Some(lines.last()? - lines.first()? + 1);
    text.lines().count() - span(&dropped).unwrap_or(0)
}

/// Words of work in progress, in comments, and macros of work in progress, in code.
fn unfinished(source: &Source) -> Vec<String> {
    static WORDS: LazyLock<Regex> = LazyLock::new(|| {
        let pattern = [concat!(r"\bTO", r"DO\b"), concat!(r"\bFIX", r"ME\b"), r"\b(dbg|todo|unimplemented)!"];
        Regex::new(&pattern.join("|")).expect("a constant pattern")
    });
    let numbered = source.text.lines().zip(1..);
    let found = numbered.filter(|(line, _)| WORDS.is_match(line) && !line.contains("WORDS"));
    found.map(|(_, number)| format!("{}:{number}: unfinished work; finish it or open an issue", source.path)).collect()
}

fn machine_paths(path: &str, text: &str) -> Vec<String> {
    // Built from halves, so that this file is not a finding of its own.
    let banned = [concat!("/wo", "rk/"), concat!("/tmp/", "wt"), concat!("/Us", "ers/")];
    let numbered = text.lines().zip(1..);
    let found = numbered.filter(|(line, _)| banned.iter().any(|word| line.contains(word)));
    found.map(|(_, number)| format!("{path}:{number}: names a path that exists on one machine only")).collect()
}

/// `section.key` of every key outside arrays of tables, commented-out ones included: they are optional, not absent.
fn configuration_keys(toml: &str) -> Vec<String> {
    static LINE: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"^(?:# )?(?:(?<array>\[\[)|\[(?<section>[a-z_.]+)\]|(?<key>[a-z_0-9]+) = )")
            .expect("a constant pattern")
    });
    let mut section = None;
    let mut keys = Vec::new();
    for found in toml.lines().filter_map(|line| LINE.captures(line)) {
        if let Some(name) = found.name("section") {
            // A level's cell stands for eighteen of its kind, an origin's for eight, a policy for any; the README has tables of them.
            let cells = ["security.levels", "security.origins", "policies"];
            let is_cell = |name: &str| cells.iter().any(|cell| name.starts_with(cell));
            section = Some(name.as_str()).filter(|name| !is_cell(name) && *name != "upstream.timeouts");
        } else if found.name("array").is_some() {
            section = None;
        } else if let (Some(section), Some(key)) = (section, found.name("key")) {
            keys.push(format!("{section}.{}", key.as_str()));
        }
    }
    keys
}

/// In full, or as `` `.key` `` in the row of a key beside it.
fn is_documented(key: &str, readme: &str) -> bool {
    let (section, name) = key.rsplit_once('.').unwrap_or(("", key));
    let row = |line: &str| line.contains(&format!("`{section}.")) && line.contains(&format!("`.{name}`"));
    readme.contains(&format!("`{key}`")) || readme.lines().any(row)
}

/// Everything `module` may import: the transitive closure of its row.
fn reachable(module: &str) -> BTreeSet<&'static str> {
    let row = |name: &str| LAYERS.iter().find(|(row, _)| *row == name).map_or(&[][..], |(_, imports)| *imports);
    let mut open: Vec<&'static str> = row(module).to_vec();
    let mut seen = BTreeSet::new();
    while let Some(name) = open.pop() {
        if seen.insert(name) {
            open.extend(row(name));
        }
    }
    seen
}

fn none(violations: impl IntoIterator<Item = String>) {
    let all: Vec<String> = violations.into_iter().collect();
    assert!(all.is_empty(), "\n{}\n", all.join("\n"));
}

// ── files ───────────────────────────────────────────────────────────────────────────────────────────────────────────

struct Source {
    /// From the root of the package, with `/`.
    path: String,
    text: String,
}

impl Source {
    /// `src/policy/level.rs` is `policy`, `level`; `src/policy/mod.rs` is `policy`.
    fn modules(&self) -> Vec<String> {
        let inside = self.path.split_once('/').map_or(self.path.as_str(), |(_, inside)| inside);
        let mut names: Vec<String> = inside.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
        if names.len() > 1 && names.last().is_some_and(|name| name == "mod") {
            names.pop();
        }
        names
    }

    /// A file that only tests see.
    fn is_test(&self) -> bool {
        self.modules().iter().any(|name| name == "tests" || name.ends_with("_tests"))
    }
}

fn sources(folder: &str) -> Vec<Source> {
    let read = |path: String| {
        let text = fs::read_to_string(root().join(&path)).expect("a source file is UTF-8");
        Source { path, text }
    };
    files_under(folder, &["rs"]).into_iter().map(read).collect()
}

fn rust_files() -> Vec<Source> {
    ["src", "tests", "benches", "fuzz/src", "fuzz/fuzz_targets"].into_iter().flat_map(sources).collect()
}

/// Every text file of the package that a person wrote.
fn tracked_text() -> Vec<(String, String)> {
    const KINDS: &[&str] = &["rs", "toml", "md", "yml", "yaml", "sh", "py", "json", "run", "Makefile", "Dockerfile"];
    let named = [".ci", ".", "src", "tests", "benches", "conf", "deploy", "fuzz/src", "fuzz/fuzz_targets"];
    let files = named.into_iter().flat_map(|folder| files_under(folder, KINDS));
    files.filter_map(|path| Some((path.clone(), fs::read_to_string(root().join(&path)).ok()?))).collect()
}

/// Files below `folder` whose extension, or whole name, is one of `kinds`. Of "." only the files directly in it.
fn files_under(folder: &str, kinds: &[&str]) -> Vec<String> {
    let Ok(entries) = fs::read_dir(root().join(folder)) else { return Vec::new() };
    let mut found = Vec::new();
    for entry in entries.map(|entry| entry.expect("a readable folder").path()) {
        let name = entry.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
        let path = if folder == "." { name.clone() } else { format!("{folder}/{name}") };
        if entry.is_dir() && folder != "." && name != "__pycache__" {
            found.extend(files_under(&path, kinds));
        } else if entry.is_file() && kinds.contains(&kind(&entry)) {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn kind(path: &Path) -> &str {
    path.extension().or(path.file_name()).and_then(|kind| kind.to_str()).unwrap_or_default()
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

// ── the checks themselves, on made-up files ─────────────────────────────────────────────────────────────────────────

fn made_up(path: &str, text: &str) -> Source {
    Source { path: path.to_owned(), text: text.to_owned() }
}

#[test]
fn the_layer_check_sees_every_way_to_write_an_import() {
    const CASES: &[(&str, &str, &[usize])] = &[
        ("src/detect/rule.rs", "use crate::sanitize::Request;", &[1]),
        ("src/detect/mod.rs", "\n\npub use crate::policy;", &[3]),
        ("src/detect/rule.rs", "use crate::{text::Span,\n    wire as w};", &[2]),
        ("src/detect/rule.rs", "use crate::{text::{Span}, policy::{Level, Action}};", &[1, 1]),
        ("src/detect/rule.rs", "fn f() -> crate::policy::Level { todo() }", &[1]),
        ("src/detect/rule.rs", "use super::super::policy::Level;", &[1]),
        ("src/detect/mod.rs", "use super::policy::Level;", &[1]),
        ("src/detect/rule.rs", "#[cfg(test)]\nmod tests {\n    use super::super::super::wire;\n}", &[3]),
        ("src/detect/rule.rs", "mod a { }\nuse super::super::wire;", &[2]),
        ("src/detect/rule.rs", "use crate::*;", &[1]),
        ("src/detect/rule.rs", "macro_rules! m { () => { $crate::wire::find() } }", &[1]),
        ("src/proxy/mod.rs", "use crate::admin::routes;", &[1]),
        ("src/admin/mod.rs", "use crate::proxy::Gateway;", &[1]),
        ("src/server.rs", "use crate::cli;", &[1]),
        ("src/main.rs", "use promptgate::nowhere;", &[1]),
        ("src/auth/mod.rs", "use crate::text::Span;", &[1]),
        // Allowed: what lies below, one's own module, and what only looks like an import.
        ("src/detect/rule.rs", "use crate::text::Span; use crate::detect::Finding; use super::finding;", &[]),
        ("src/sanitize/mod.rs", "use crate::{text, detect::Finding, codec, policy};", &[]),
        ("src/policy/level.rs", "#[cfg(test)]\nmod tests { use super::super::Matrix; use super::*; }", &[]),
        ("src/detect/rule.rs", "// use crate::wire;\n/* crate::wire */ const A: &str = \"crate::wire\";", &[]),
        (
            "src/detect/rule.rs",
            "const A: &str = r#\"\" crate::wire\"#; const B: char = '\"'; fn f<'a>(_: &'a str) {}",
            &[],
        ),
        ("src/detect/rule.rs", "pub(crate) fn f() {} pub(super) fn g() {} use self::f as h;", &[]),
        ("src/cli.rs", "use crate::{admin, auth, config, demo, proxy, server, wire};", &[]),
        ("src/lib.rs", "pub use crate::server::run;", &[]),
    ];
    for (path, text, lines) in CASES {
        let found = layer_violations(&made_up(path, text));
        let expected: Vec<String> = lines.iter().map(|line| format!("{path}:{line}: ")).collect();
        let agree = found.len() == expected.len() && found.iter().zip(&expected).all(|(a, b)| a.starts_with(b));
        assert!(agree, "{path}: {text}\nfound {found:?}");
    }
}

#[test]
fn the_purity_check_spares_tests_and_values() {
    const CASES: &[(&str, &str, usize)] = &[
        ("src/auth/jwt.rs", "fn f() { let now = std::time::SystemTime::now(); }", 1),
        ("src/config.rs", "use std::{env, fs::read_to_string};", 2),
        ("src/sanitize/request.rs", "async fn f() { g().await }", 2),
        ("src/wire/mod.rs", "use std::net::{IpAddr, TcpStream};", 1),
        ("src/wire/mod.rs", "use std::net::IpAddr; use std::time::SystemTime; const V: &str = env!(\"V\");", 0),
        ("src/config.rs", "#[cfg(test)]\nmod tests { use std::fs; }", 0),
        ("src/config.rs", "#[cfg(test)]\nmod tests { fn a() {} }\nuse std::fs;", 1),
        ("src/config/tests.rs", "use std::fs;", 0),
        ("src/state/mod.rs", "use std::fs;", 0),
    ];
    for (path, text, count) in CASES {
        let found = purity_violations(&made_up(path, text));
        assert_eq!(found.len(), *count, "{path}: {text}\nfound {found:?}");
    }
}

#[test]
fn a_first_line_must_be_a_sentence() {
    assert!(starts_with_a_sentence("//! SSE framing. Knows nothing of JSON.\n"));
    for text in ["", "use std::fs;", "\n//! Late.", "// Not a doc comment.", "//!", "//! word"] {
        assert!(!starts_with_a_sentence(text), "{text:?}");
    }
}

#[test]
fn tests_do_not_count_as_length() {
    let code = "//! A file of four.\nfn f() {\n    g();\n}\n";
    assert_eq!(lines_without_tests(code), 4);
    assert_eq!(lines_without_tests(&format!("{code}#[cfg(test)]\nmod tests {{\n    fn t() {{}}\n}}\n")), 4);
}

#[test]
fn unfinished_work_is_found_in_comments_and_code() {
    let found = |text: &str| unfinished(&made_up("src/a.rs", text)).len();
    assert_eq!(found(concat!("// TO", "DO: later\nfn f() { dbg", "!(1) }\n")), 2);
    assert_eq!(found("fn todos() { methodology(); } // a to-do list\n"), 0);
}

#[test]
fn paths_of_one_machine_are_found_with_their_line() {
    let text = concat!("fine\ncd /wo", "rk/main\n");
    assert_eq!(machine_paths("README.md", text).len(), 1);
    assert!(machine_paths("README.md", text)[0].starts_with("README.md:2: "));
    assert!(machine_paths("README.md", "cp target/release/promptgate /usr/local/bin/\nnetwork/path\n").is_empty());
}

#[test]
fn configuration_keys_are_found_as_the_shipped_file_writes_them() {
    let toml = "# a = 0\n[gateway]\nlisten = \"\"\n# [gateway.tls]\n# cert = \"\"\n\
                [[route]]\npath = \"\"\n[log]\n# Says: level = x\nlevel = \"\"\n";
    assert_eq!(configuration_keys(toml), ["gateway.listen", "gateway.tls.cert", "log.level"]);
    assert!(is_documented("log.level", "| `log.level` |") && is_documented("log.level", "| `log.format` `.level` |"));
    assert!(!is_documented("log.level", "| `log.format` |\n| `security.seed` `.level` |"));
}
