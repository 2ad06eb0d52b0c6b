//! What holds for every request, tried on made-up ones: the promises of the sanitizer as properties. Names no rule.

use std::collections::BTreeSet;

use promptgate::detect::scanner::{OVERLAP, STEP};
use promptgate::policy::Level;
use promptgate::sanitize::{Limits, Refusal};
use proptest::prelude::*;
use proptest::sample::Index;
use serde::de::IgnoredAny;

#[path = "support/bodies.rs"]
mod bodies;
#[path = "support/sanitizer.rs"]
mod sanitizer;

use bodies::{Body, With, bodies, long_bodies, unescaped};
use sanitizer::{Outcome, cut, request, run, watch};

/// As many cases as `PROPTEST_CASES` says, or `few`. A failure is printed whole, so it needs no file.
fn cases(few: u32) -> ProptestConfig {
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    let cases = if std::env::var_os("PROPTEST_CASES").is_some() { config.cases } else { few };
    ProptestConfig { cases, ..config }
}

fn whole(body: &Body) -> Outcome {
    run(body.format, Level::Medium, [body.json.as_bytes()])
}

/// Chunk sizes: tiny ones, as a terminal sends, or such as a socket delivers.
fn sizes() -> impl Strategy<Value = Vec<usize>> {
    prop_oneof![prop::collection::vec(0..24usize, 1..400), prop::collection::vec(1..5000usize, 1..60)]
}

/// The planted values that can be read in `body` as it is, unescaped once or unescaped twice.
fn leaks(body: &str, planted: &[&'static str]) -> BTreeSet<&'static str> {
    let once = unescaped(body);
    let twice = unescaped(&once);
    let readings = [body, &once, &twice];
    planted.iter().copied().filter(|value| readings.iter().any(|reading| reading.contains(value))).collect()
}

fn check_masked(body: &Body) -> Result<(), TestCaseError> {
    let outcome = whole(body);
    prop_assert!(!outcome.is_refused(), "refused: {:?} in {}", outcome.body, body.json);
    let out = outcome.text();
    prop_assert!(serde_json::from_str::<IgnoredAny>(out).is_ok(), "not JSON any more: {}", out);
    let leaks = leaks(out, &body.planted);
    prop_assert!(leaks.is_empty(), "{:?} left in {}", leaks, out);
    Ok(())
}

proptest! {
    #![proptest_config(cases(200))]

    #[test]
    fn nothing_planted_leaves_and_the_output_is_json(body in bodies(With::Sensitive)) {
        check_masked(&body)?;
    }

    #[test]
    fn splitting_anywhere_changes_nothing(
        body in prop_oneof![bodies(With::Sensitive), bodies(With::Attacks)], sizes in sizes(),
    ) {
        let split = run(body.format, Level::Medium, cut(body.json.as_bytes(), &sizes));
        prop_assert_eq!(split, whole(&body));
    }

    #[test]
    fn benign_bodies_come_out_as_they_went_in(body in bodies(With::Nothing), level in 0..3usize) {
        let outcome = run(body.format, Level::ALL[level], [body.json.as_bytes()]);
        // Words without sense mean nothing to a rule; of a thousand of them the model suspects some, and the high level believes it.
        let suspected = outcome.report.findings.keys().all(|(_, rule, _)| rule.starts_with("model."));
        prop_assume!(Level::ALL[level] != Level::High || !outcome.is_refused() || !suspected);
        prop_assert_eq!(outcome.body.as_deref(), Ok(body.json.as_bytes()), "{:?}", outcome.report.findings);
    }

    #[test]
    fn a_stricter_level_never_allows_what_a_laxer_one_refuses(body in bodies(With::Attacks)) {
        let outcomes = Level::ALL.map(|level| run(body.format, level, [body.json.as_bytes()]));
        for pair in outcomes.windows(2) {
            prop_assert!(!pair[0].is_refused() || pair[1].is_refused(), "{}", body.json);
        }
    }

    #[test]
    fn a_stricter_level_never_masks_less(body in bodies(With::Sensitive)) {
        let outcomes = Level::ALL.map(|level| run(body.format, level, [body.json.as_bytes()]));
        for pair in outcomes.windows(2) {
            let (lax, strict) = (&pair[0].report.masked, &pair[1].report.masked);
            prop_assert!(pair[1].is_refused() || lax.iter().all(|(entity, count)| strict.get(entity) >= Some(count)));
        }
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..400), sizes in sizes()) {
        let whole = run("openai.chat", Level::Medium, [&bytes[..]]);
        prop_assert_eq!(run("openai.chat", Level::Medium, cut(&bytes, &sizes)), whole);
    }

    #[test]
    fn a_damaged_body_is_refused_or_sanitized_wherever_it_is_cut(
        body in bodies(With::Sensitive), damage in prop::collection::vec((any::<Index>(), any::<u8>()), 1..4), sizes in sizes(),
    ) {
        let mut bytes = body.json.clone().into_bytes();
        for (at, byte) in &damage {
            let at = at.index(bytes.len());
            bytes[at] = *byte;
        }
        let whole = run(body.format, Level::Medium, [&bytes[..]]);
        if let Ok(out) = &whole.body {
            prop_assert!(serde_json::from_slice::<IgnoredAny>(out).is_ok(), "{}", whole.text());
        }
        prop_assert_eq!(run(body.format, Level::Medium, cut(&bytes, &sizes)), whole);
    }
}

proptest! {
    #![proptest_config(cases(25))]

    #[test]
    fn nothing_planted_at_the_edge_of_a_window_leaves(body in long_bodies(), sizes in sizes()) {
        check_masked(&body)?;
        prop_assert_eq!(run(body.format, Level::Medium, cut(body.json.as_bytes(), &sizes)), whole(&body));
    }

    #[test]
    fn what_is_held_is_bounded_by_hold_chunk_and_window(
        body in long_bodies(), hold in 0..20_000usize, chunk in 1..9000usize,
    ) {
        let limits = Limits { hold, ..Limits::default() };
        let request = request(body.format, Level::Medium, limits);
        let mut most = 0;
        let outcome = watch(request, body.json.as_bytes().chunks(chunk), |request| most = most.max(request.held()));
        prop_assert!(!outcome.is_refused() || matches!(outcome.body, Err(Refusal::SignedTooLong(_))));
        prop_assert!(most <= hold + chunk + WINDOW, "{} held, hold {}, chunk {}", most, hold, chunk);
    }
}

/// The text of a window as it may have been written: every character as `\u0041`.
const WINDOW: usize = 6 * (STEP + OVERLAP);
