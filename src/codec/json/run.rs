//! Runs of bytes inside a string: where it ends, and whether they are characters that may stand there.

use memchr::memchr_iter;

use super::Reason;

/// Where the closing quote of a string stands, of which all before `from` was looked through.
pub(super) fn end(written: &[u8], from: usize) -> Option<usize> {
    let escapes = |quote: usize| written[..quote].iter().rev().take_while(|byte| **byte == b'\\').count();
    let quotes = memchr_iter(b'"', &written[from..]).map(|quote| from + quote);
    quotes.into_iter().find(|quote| escapes(*quote) % 2 == 0)
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

/// Written so that the compiler vectorises the common case, a run without control characters.
fn position_of_control(run: &[u8]) -> Option<usize> {
    let any = run.iter().fold(false, |any, &byte| any | (byte < 0x20));
    if any { run.iter().position(|&byte| byte < 0x20) } else { None }
}
