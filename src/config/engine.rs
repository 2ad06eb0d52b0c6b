//! `[engine]`: a stronger classifier for texts whose built-in score leaves doubt. Opens no file.

use std::path::PathBuf;
use std::time::Duration;

use super::read;
use super::source::Section;
use crate::sanitize::consult::Doubt;

#[derive(Clone, Debug, PartialEq)]
pub struct Engine {
    /// Where the model is; without one no engine is asked.
    pub directory: Option<PathBuf>,
    /// Names or numbers of the labels that mean an attack; empty: those whose names say so.
    pub attack_labels: Vec<String>,
    pub doubt: Doubt,
    /// Of one window; a longer text is read in several.
    pub max_tokens: usize,
    pub threads: usize,
    /// Texts that may wait.
    pub queue: usize,
}

/// What holds for a text that the engine did not answer for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OnFailure {
    BuiltIn,
    Block,
    Allow,
}

pub(super) fn read(section: Section) -> Engine {
    let count = |key, default, most: usize| {
        let count = section.read_or(key, default);
        if !(1..=most).contains(&count) {
            section.problem(key, format!("must be from 1 to {most}"));
        }
        count
    };
    let (low, high) = (section.read_or("low", 0.3), section.read_or("high", 0.9));
    if !(0.0..=1.0).contains(&low) || !(0.0..=1.0).contains(&high) || low >= high {
        section.problem("low", "must be less than high, both from 0 to 1");
    }
    let unanswered = match section.read_or("on_failure", OnFailure::BuiltIn) {
        OnFailure::BuiltIn => None,
        OnFailure::Block => Some(1.0),
        OnFailure::Allow => Some(0.0),
    };
    let deadline = read::timeout(&section, "deadline", Duration::from_millis(200));
    let engine = Engine {
        directory: section.read("directory"),
        attack_labels: section.read_or("attack_labels", Vec::new()),
        doubt: Doubt { low, high, texts: count("texts", 8, 64), deadline, unanswered },
        max_tokens: count("max_tokens", 512, 8192),
        threads: count("threads", 1, 256),
        queue: count("queue", 16, 4096),
    };
    section.finish();
    engine
}

#[cfg(test)]
mod tests {
    use crate::config::Config;

    #[test]
    fn what_cannot_be_is_a_problem_at_its_key() {
        let text =
            "[engine]\nlow = 0.9\nhigh = 0.3\ntexts = 0\nthreads = 1000\ndeadline = \"0s\"\non_failure = \"open\"\n";
        let problems = Config::load(Some(text), []).expect_err("nearly all of it is wrong").0;
        let mut keys: Vec<&str> = problems.iter().map(|problem| problem.key.as_str()).collect();
        keys.sort_unstable();
        assert_eq!(keys, ["deadline", "low", "on_failure", "texts", "threads"].map(|key| format!("engine.{key}")));
    }

    #[test]
    fn a_failure_is_a_score_or_none() {
        let of = |mode| Config::load(Some(&format!("[engine]\non_failure = \"{mode}\"")), []).expect("a mode").config;
        let scores = ["built_in", "block", "allow"].map(|mode| of(mode).engine.doubt.unanswered);
        assert_eq!(scores, [None, Some(1.0), Some(0.0)]);
    }
}
