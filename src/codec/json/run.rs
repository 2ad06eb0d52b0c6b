//! Runs of bytes inside a string: where it ends, and whether they are characters that may stand there.

use std::str::Utf8Error;

use memchr::memchr_iter;

use super::Reason;

/// Where in `more` the closing quote of a string stands that began with `before`.
pub(super) fn end(before: &[u8], more: &[u8]) -> Option<usize> {
    let backwards = |quote: usize| more[..quote].iter().rev().chain(before.iter().rev());
    let escapes = |quote: usize| backwards(quote).take_while(|byte| **byte == b'\\').count();
    memchr_iter(b'"', more).find(|quote| escapes(*quote) % 2 == 0)
}

/// The characters of a run that holds neither quote nor backslash, and what is left of it where the chunk `ends` inside one;
/// or where it is damaged.
pub(super) fn characters(run: &[u8], ends: bool) -> Result<(&str, &[u8]), (usize, Reason)> {
    if let Some(control) = position_of_control(run) {
        // Unless the text before it is damaged already, that is the error.
        return Err(match std::str::from_utf8(&run[..control]) {
            Ok(_) => (control, Reason::ControlCharacter),
            Err(error) => (error.valid_up_to(), Reason::InvalidUtf8),
        });
    }
    match std::str::from_utf8(run) {
        Ok(text) => Ok((text, &[])),
        Err(error) if error.error_len().is_none() && ends => {
            let (valid, cut) = run.split_at(error.valid_up_to());
            Ok((std::str::from_utf8(valid).unwrap_or_default(), cut))
        }
        Err(error) => Err((error.valid_up_to(), Reason::InvalidUtf8)),
    }
}

/// A stretch of a chunk that was looked through: characters, and no control characters. Runs are often a few bytes long, between
/// two escapes, and to look at each by itself takes longer than reading it.
#[derive(Default)]
pub(super) struct Sound<'c> {
    text: &'c str,
    start: usize,
}

impl<'c> Sound<'c> {
    /// The run of `length` bytes at `at`, if it is known to be sound, or short and turns out to be.
    pub fn run(&mut self, chunk: &'c [u8], at: usize, length: usize) -> Option<&'c str> {
        if at < self.start || at + length > self.start + self.text.len() {
            if length > STRETCH / 2 {
                return None;
            }
            let ahead = &chunk[at..chunk.len().min(at + STRETCH)];
            let ahead = &ahead[..position_of_control(ahead).unwrap_or(ahead.len())];
            let valid = |error: Utf8Error| std::str::from_utf8(&ahead[..error.valid_up_to()]).unwrap_or_default();
            *self = Sound { text: std::str::from_utf8(ahead).unwrap_or_else(valid), start: at };
        }
        self.text.get(at - self.start..at - self.start + length)
    }
}

const STRETCH: usize = 512;

/// Written so that the compiler vectorises the common case, a run without control characters.
fn position_of_control(run: &[u8]) -> Option<usize> {
    let any = run.iter().fold(false, |any, &byte| any | (byte < 0x20));
    if any { run.iter().position(|&byte| byte < 0x20) } else { None }
}
