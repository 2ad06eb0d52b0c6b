//! Colours for terminals. Decides nothing about what is written.

use std::io::IsTerminal;

/// Whether to colour.
#[derive(Clone, Copy, Debug)]
pub(super) struct Paint(pub bool);

/// A colour of a terminal, by its SGR code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tone(u8);

const RED: Tone = Tone(31);
const GREEN: Tone = Tone(32);
const YELLOW: Tone = Tone(33);
const BLUE: Tone = Tone(34);
const DIM: Tone = Tone(2);

impl Paint {
    /// Colours on a terminal whose user does not ask for none (`NO_COLOR`).
    pub fn of(out: &impl IsTerminal) -> Self {
        Paint(out.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()))
    }

    pub fn with(self, Tone(code): Tone, text: &str) -> String {
        if self.0 { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    pub fn dim(self, text: &str) -> String {
        self.with(DIM, text)
    }
}

/// The colour of a verdict.
pub(super) fn tone(verdict: &str) -> Tone {
    match verdict {
        "blocked" | "failed" => RED,
        "allowed" | "clean" => GREEN,
        "masked" => BLUE,
        _ => YELLOW,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_colours_a_text_is_itself() {
        assert_eq!(Paint(false).with(tone("blocked"), "x"), "x");
        assert_eq!(Paint(true).with(tone("blocked"), "x"), "\u{1b}[31mx\u{1b}[0m");
    }
}
