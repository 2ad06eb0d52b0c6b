//! A request body through the sanitizer with the shipped rules: cuts do not matter, and only strings change.

use promptgate::policy::Level;
use promptgate::wire::{BodyKind, FORMATS};

use super::json_reader::{Event, ours};
use super::sanitizer::run;

pub fn request(input: &[u8]) {
    let formats: Vec<_> = FORMATS.iter().filter(|format| format.body == BodyKind::Json).collect();
    let choice = super::digest(input) as usize;
    let (format, level) = (formats[choice % formats.len()].name, Level::ALL[choice / 64 % Level::ALL.len()]);
    let whole = run(format, level, [input]);
    assert_eq!(run(format, level, super::cuts(input)), whole, "{format}, {level}: the cut matters");
    let Ok(output) = &whole.body else { return };
    let report = &whole.report;
    if report.masked.is_empty() && report.quarantined.is_empty() {
        assert_eq!(output, input, "{format}, {level}: nothing was found and yet something changed");
    }
    let (before, after) = (ours([input]), ours([&output[..]]));
    let shape = |read: &[Event]| read.iter().map(without_text).collect::<Vec<_>>();
    match (before, after) {
        (Ok(before), Ok(after)) => assert_eq!(shape(&before.events), shape(&after.events), "{format}, {level}"),
        (_, after) => panic!("{format}, {level}: what was let pass is no JSON: {after:?}"),
    }
}

/// A string may change, but not into something else.
fn without_text(event: &Event) -> Event {
    match event {
        Event::String(_) => Event::String(String::new()),
        other => other.clone(),
    }
}
