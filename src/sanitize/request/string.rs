//! One string value: read in windows, told from media and names, and written as far as it is decided.

use super::Pass;
use super::case::role;
use super::refusal::Refusal;
use super::value::{Current, Kind, Mode, TYPE};
use crate::codec::json::Container;
use crate::codec::selector::Treatment;
use crate::detect::Finding;
use crate::detect::scanner::{Class, STEP};
use crate::sanitize::junction::{Left, Row};
use crate::sanitize::media::MediaCheck;
use crate::sanitize::window::{Mask, Quote};

/// Media up to this many bytes are looked at for published secret formats before they pass, and where only the
/// sibling `type` could tell media from text and has not been seen, taken for text.
pub(in crate::sanitize) const SHORT_MEDIA: u64 = 512;

/// Conversations one request can go on with.
const MOST_STATES: usize = 4;

/// Different models that one request is known to ask: only a batch asks more than one.
const MOST_MODELS: usize = 64;

impl Pass {
    pub(super) fn mode(&self, treatment: Treatment) -> Mode {
        let kind = self.frames.last().map_or(Kind::Unknown, |frame| frame.kind);
        let media = |strict| Mode::Media { check: MediaCheck::new(), strict };
        match treatment {
            Treatment::Text | Treatment::Signed { .. } | Treatment::Answer(_) => Mode::Inspect(Class::Text),
            Treatment::Label => Mode::Inspect(Class::Label),
            Treatment::Name | Treatment::State | Treatment::Model => Mode::Name,
            Treatment::Media => media(false),
            Treatment::MediaUnlessText => match kind {
                Kind::Text => Mode::Inspect(Class::Text),
                Kind::Base64 => media(false),
                Kind::Unknown => media(true),
            },
            Treatment::Sealed => Mode::Unread("sealed"),
            Treatment::Credential => Mode::Unread("credential"),
        }
    }

    pub(super) fn advance(&mut self) -> Result<(), Refusal> {
        match &mut self.string.mode {
            Mode::Name if self.window.total() > self.limits.name as u64 => {
                self.string.mode = Mode::Inspect(Class::Label);
            }
            Mode::Media { check, .. } if self.window.pending() >= STEP && check.is_media() => {
                self.string.mode = Mode::Flow(check.clone());
                self.pass_window("media");
            }
            _ => {}
        }
        while matches!(self.string.mode, Mode::Inspect(_)) && self.window.is_full() {
            self.flush(false)?;
        }
        Ok(())
    }

    /// Lets the window's bytes through unread.
    fn pass_window(&mut self, reason: &'static str) {
        self.judge.report.skip(reason, self.window.raw().len());
        self.output.write(self.window.raw());
        self.window.begin();
    }

    /// What the text before began and this one ends, if this is its first window.
    fn across_the_cut(&self, class: Class) -> Vec<Finding> {
        match self.window.beginning() {
            Some(head) if class == Class::Text => self.junction.findings(&self.guard, self.string.row, head),
            _ => Vec::new(),
        }
    }

    /// Where the string stands among its neighbours: the same key in the next object of the same array.
    pub(super) fn row(&self) -> Option<Row> {
        let [.., array, object] = &self.frames[..] else { return None };
        let cells = array.container == Container::Array && object.container == Container::Object;
        cells.then_some(Row { array: array.number, key: self.key.hash })
    }

    /// Scans the window and writes what is decided.
    pub(super) fn flush(&mut self, last: bool) -> Result<(), Refusal> {
        let class = if let Mode::Inspect(class) = self.string.mode { class } else { Class::Label };
        let mut findings = self.across_the_cut(class);
        let alone = findings.is_empty();
        let (judge, known) = (&self.judge, &mut self.placer.known);
        let tokenizes = |finding: &Finding| judge.tokenizes(&self.guard, finding);
        let add = |text: &str, findings: &mut Vec<Finding>| known.learn_and_find(text, findings, tokenizes);
        findings.extend(self.window.scan(&self.guard, class, last, add));
        if let Some(trace) = &mut self.trace {
            trace.note(&self.window, &findings);
        }
        self.sent.read(self.window.fresh(), &self.guard.words);
        if last && alone {
            self.note_string(class, &findings);
        }
        self.observe_attacks(&findings, class, alone)?;
        if !self.string.tallies.is_empty() {
            self.window.will_ask();
        }
        if let Some((frame, bit)) = self.string.signed {
            findings.retain(|finding| finding.category.is_sensitive());
            return self.flush_signed(frame, bit, findings, last);
        }
        let guard = self.guard.clone();
        let actions = self.judge.observe_sensitive(&guard, &findings);
        self.verdict()?;
        let masks = self.window.masks(&findings, &actions, &mut self.placer, Quote::InJson, last);
        self.string.ends_masked = self.window.ends_in(&masks);
        let decided = self.window.decided();
        let mut sent = 0;
        for Mask { raw, replacement, .. } in masks {
            self.output.write(&decided[sent..raw.start]);
            self.output.write(replacement.as_bytes());
            sent = raw.end;
        }
        self.output.write(&decided[sent..]);
        self.window.consume();
        Ok(())
    }

    fn grow(&mut self, len: usize) -> Result<(), Refusal> {
        self.string.len += len as u64;
        if self.string.len > self.limits.string { Err(Refusal::StringTooLong(self.limits.string)) } else { Ok(()) }
    }

    /// Whether so many bytes more only make the window longer, as nearly all pieces do. Then they are counted.
    pub(super) fn lengthens(&mut self, bytes: usize) -> bool {
        let string = &mut self.string;
        let len = string.len + bytes as u64;
        let untold = string.mark.guard == 0 && !string.mark.is_told();
        let fits = len <= self.limits.string && self.window.pending() + bytes < STEP;
        let lengthens = fits && untold && matches!(string.mode, Mode::Inspect(_));
        if lengthens {
            string.len = len;
        }
        lengthens
    }

    /// Text of the string value, in the bytes it was written with.
    pub(super) fn take_text(&mut self, text: &str, escape: Option<(char, &[u8])>) -> Result<(), Refusal> {
        self.grow(text.len())?;
        if self.string.mark.guard != 0 && self.string.len == text.len() as u64 {
            self.witness()?;
        }
        if self.string.mark.is_told() && self.string.len <= TYPE as u64 {
            self.string.type_text.push_str(text);
        }
        let raw = escape.map_or(text.as_bytes(), |(_, raw)| raw);
        match &mut self.string.mode {
            Mode::Unread(reason) => {
                self.judge.report.skip(reason, raw.len());
                self.output.write(raw);
                return Ok(());
            }
            Mode::Flow(check) => {
                if !check.push(text) {
                    return Err(Refusal::NotMedia);
                }
                self.judge.report.skip("media", raw.len());
                self.output.write(raw);
                return Ok(());
            }
            Mode::Media { check, .. } => {
                if !check.push(text) {
                    let class = if self.window.is_url(text) { Class::Label } else { Class::Text };
                    self.string.mode = Mode::Inspect(class);
                }
            }
            Mode::Inspect(_) | Mode::Name | Mode::Recalled => {}
        }
        match escape {
            Some((character, raw)) => self.window.push_escape(character, raw),
            None => self.window.push(text),
        }
        self.advance()
    }

    pub(super) fn end_value_string(&mut self) -> Result<(), Refusal> {
        match &self.string.mode {
            Mode::Inspect(_) => self.end_inspected()?,
            Mode::Name => {
                let name = self.window.text();
                if self.string.is_state && self.states.len() < MOST_STATES {
                    self.states.push(name.to_owned());
                }
                if self.string.is_model
                    && self.models.len() < MOST_MODELS
                    && !self.models.iter().any(|known| known == name)
                {
                    self.models.push(name.to_owned());
                }
                self.pass_window("name");
            }
            Mode::Media { check, strict } => {
                let (media, short) = (check.is_media(), self.string.len <= SHORT_MEDIA);
                if media && !short {
                    self.pass_window("media");
                } else {
                    let class = if media && !*strict { Class::Label } else { Class::Text };
                    self.string.mode = Mode::Inspect(class);
                    self.end_inspected()?;
                }
            }
            Mode::Flow(_) | Mode::Unread(_) | Mode::Recalled => {}
        }
        Ok(())
    }

    fn end_inspected(&mut self) -> Result<(), Refusal> {
        self.judge.report.inspected += self.string.len;
        self.flush(true)?;
        self.sent.pause();
        if let Mode::Inspect(class) = self.string.mode {
            self.end_case(class)?;
        }
        match self.string.mode {
            Mode::Inspect(Class::Text) if self.string.ends_masked => self.junction.forget(self.string.row),
            Mode::Inspect(Class::Text) => {
                let (left, length) = (Left::Text(self.window.text().into()), self.string.len);
                self.junction.leave(self.string.row, left, length, self.key_of_end(length));
            }
            _ => {}
        }
        Ok(())
    }

    /// What the finished string tells its object.
    pub(super) fn mark(&mut self) -> Result<(), Refusal> {
        let Current { mark, len, type_text, .. } = &self.string;
        let text = if *len == type_text.len() as u64 { type_text.as_str() } else { "" };
        if mark.is_role {
            let role = role(text);
            return self.set_role(role);
        }
        if let Some(frame) = self.frames.last_mut().filter(|_| mark.is_type) {
            frame.kind = match text {
                "text" => Kind::Text,
                "base64" => Kind::Base64,
                _ => Kind::Unknown,
            };
        }
        Ok(())
    }
}
