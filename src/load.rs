//! Files and variables into a configuration and a snapshot. Reads them; what they mean is decided elsewhere.

use std::io;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use ring::rand::{SecureRandom, SystemRandom};

use crate::auth::Revocations;
use crate::config::{self, Config, Loaded, Problem, Problems};
use crate::policy::TokenKey;
use crate::sanitize::consult::Engine;
use crate::snapshot::Snapshot;

/// The configuration file at `path`, the built-in defaults without one, with the variables of this process laid over it.
///
/// # Errors
/// Everything that is wrong with the file, or why it cannot be read.
pub fn config(path: Option<&Path>) -> Result<Loaded, Problems> {
    let text = path.map(std::fs::read_to_string).transpose();
    let text = text.map_err(|error| Problems(vec![Problem::new("", error.to_string())]))?;
    Config::load(text.as_deref(), variables())
}

/// Variables that are not UTF-8 are none of ours.
pub fn variables() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}

/// The engine the configuration names, and `snapshot_with` it.
pub fn snapshot(config: Config) -> Result<Snapshot, Problems> {
    let engine = engine(&config.engine)?;
    snapshot_with(config, engine, None)
}

/// The engine the configuration names, loaded.
///
/// # Errors
/// What is wrong with its directory, or that this build has none.
#[cfg(feature = "transformer")]
pub fn engine(config: &config::Engine) -> Result<Option<Arc<dyn Engine>>, Problems> {
    crate::engine::load(config).map_err(|problem| Problems(vec![problem]))
}

/// See the other one.
#[cfg(not(feature = "transformer"))]
pub fn engine(config: &config::Engine) -> Result<Option<Arc<dyn Engine>>, Problems> {
    let without = "names a model, but this build cannot load one; build it with --features transformer";
    match config.directory {
        Some(_) => Err(Problems(vec![Problem::new("engine.directory", without)])),
        None => Ok(None),
    }
}

/// Reads the rule files the configuration names and builds the snapshot, which consults that engine. What has not changed
/// since the snapshot `before` is taken over from it.
///
/// # Errors
/// Every file that is missing or cannot be read, else everything that is wrong with what they hold.
pub fn snapshot_with(
    config: Config,
    engine: Option<Arc<dyn Engine>>,
    before: Option<&Snapshot>,
) -> Result<Snapshot, Problems> {
    let mut problems = missing_files(&config);
    let mut texts = Vec::new();
    for path in &config.rules.files {
        match std::fs::read_to_string(path) {
            Ok(text) => texts.push((path.display().to_string(), text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => problems.push(Problem::new("rules.files", format!("{}: {error}", path.display()))),
        }
    }
    if !problems.is_empty() {
        return Err(Problems(problems));
    }
    let files: Vec<(&str, &str)> = texts.iter().map(|(name, text)| (&**name, &**text)).collect();
    let snapshot = Snapshot::build_after(config, &files, before)?.with_token_key(token_secret());
    Ok(match engine {
        Some(engine) => snapshot.consulting(engine),
        None => snapshot,
    })
}

/// The revocations of the configuration and of the file it names.
///
/// # Errors
/// Why the file cannot be read or understood.
pub fn revocations(revocation: &config::Revocation) -> Result<Revocations, Problems> {
    let listed = revocation.listed.clone();
    let Some(path) = &revocation.file else { return Ok(listed) };
    let problem = |problem: String| Problems(vec![Problem::new("revocation.file", problem)]);
    let text = std::fs::read_to_string(path).map_err(|error| problem(format!("{}: {error}", path.display())))?;
    listed.with_list(&text).map_err(|error| problem(format!("{}: {error}", path.display())))
}

/// A secret of this process for placeholders, where the configuration has none: the same after it was read again.
fn token_secret() -> &'static [u8] {
    static SECRET: OnceLock<[u8; TokenKey::SHORTEST]> = OnceLock::new();
    SECRET.get_or_init(|| {
        let mut secret = [0; TokenKey::SHORTEST];
        // The operating system's source of randomness only fails where nothing else of TLS would work either.
        SystemRandom::new().fill(&mut secret).expect("the system gives random bytes");
        secret
    })
}

fn missing_files(config: &Config) -> Vec<Problem> {
    let missing = |(key, path): (String, &Path)| {
        (!path.is_file()).then(|| Problem::new(key, format!("there is no file {}", path.display())))
    };
    config.files().into_iter().filter_map(missing).collect()
}

#[cfg(all(test, not(feature = "transformer")))]
mod tests {
    use super::*;

    #[test]
    fn a_build_without_an_engine_says_so() {
        let loaded = Config::load(Some("[engine]\ndirectory = \"/model\""), []).expect("a configuration");
        let problems = snapshot(loaded.config).expect_err("no engine").to_string();
        assert!(
            problems.starts_with("engine.directory: ") && problems.contains("--features transformer"),
            "{problems}"
        );
    }
}
