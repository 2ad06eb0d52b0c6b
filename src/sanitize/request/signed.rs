//! Text that a key beside it may sign: written as it is, and masked later if no signature comes.

use super::Pass;
use super::refusal::Refusal;
use crate::codec::json::Container;
use crate::codec::selector::Treatment;
use crate::detect::Finding;
use crate::policy::Action;
use crate::sanitize::output::{Deferred, Edit};
use crate::sanitize::window::{Mask, Quote};

impl Pass {
    /// The frame and bit that will tell whether this text is signed.
    pub(super) fn signed(&self, treatment: Treatment) -> Option<(usize, u8)> {
        let Treatment::Signed { key, up } = treatment else { return None };
        let mut objects =
            self.frames.iter().enumerate().rev().filter(|(_, frame)| frame.container == Container::Object);
        let (frame, _) = objects.nth(up.into())?;
        Some((frame, self.plan.guard_bit(key)))
    }

    /// Writes the text as it is and remembers what would have been masked, until its container closes.
    pub(super) fn flush_signed(
        &mut self,
        frame: usize,
        bit: u8,
        findings: Vec<Finding>,
        last: bool,
    ) -> Result<(), Refusal> {
        let actions: Vec<Action> = findings.iter().map(|finding| self.judge.foresee(&self.guard, finding)).collect();
        let start = self.output.position();
        let masks = self.window.masks(&findings, &actions, &mut self.placer, Quote::InJson, last);
        self.string.ends_masked = self.window.ends_in(&masks);
        self.output.write(self.window.decided());
        self.window.consume();
        // Without a finding there may be masks: the rest of a token that began in an earlier window.
        if findings.is_empty() && masks.is_empty() {
            return Ok(());
        }
        let edits = masks.into_iter().map(|Mask { raw, replacement, .. }| Edit {
            start: start + raw.start as u64,
            end: start + raw.end as u64,
            replacement: replacement.as_bytes().to_vec(),
        });
        self.output.deferred.push(Deferred { frame, guard: bit, start, edits: edits.collect() });
        self.deferred.push(findings);
        let witnesses = self.frames.get_mut(frame).map_or(0, |frame| {
            frame.waiting = true;
            frame.witnesses
        });
        if witnesses & bit != 0 { self.settle(frame, witnesses, false) } else { Ok(()) }
    }

    /// Decides what waits for a container: what proved to be signed, and once it is `closed` the rest.
    pub(super) fn settle(&mut self, frame: usize, witnesses: u8, closed: bool) -> Result<(), Refusal> {
        let entries = std::mem::take(&mut self.output.deferred).into_iter().zip(std::mem::take(&mut self.deferred));
        let (mut edits, mut masking) = (Vec::new(), false);
        for (entry, findings) in entries {
            let signed = witnesses & entry.guard != 0;
            if entry.frame != frame || !(signed || closed) {
                self.output.deferred.push(entry);
                self.deferred.push(findings);
            } else if signed {
                let bytes = entry.edits.iter().map(|edit| edit.end - edit.start).sum::<u64>();
                self.judge.report.skip("signed", bytes as usize);
            } else {
                // One without findings goes on with the token of the one before.
                if !findings.is_empty() {
                    let guard = self.guard.clone();
                    let actions = self.judge.observe_sensitive(&guard, &findings);
                    masking = actions.into_iter().any(Action::replaces);
                    self.verdict()?;
                }
                edits.extend(entry.edits.into_iter().filter(|_| masking));
            }
        }
        self.output.apply(&edits);
        self.settle_signed(frame, witnesses, closed)
    }

    /// Text that waits to be found signed must not make the request hold more and more.
    pub(super) fn bound(&mut self) -> Result<(), Refusal> {
        let hold = self.limits.hold;
        if self.output.deferred() > hold { Err(Refusal::SignedTooLong(hold)) } else { self.bound_cases() }
    }

    /// The string that begins with this text may be the signature something waits for.
    pub(super) fn witness(&mut self) -> Result<(), Refusal> {
        let Some(index) = self.frames.len().checked_sub(1) else { return Ok(()) };
        let frame = &mut self.frames[index];
        frame.witnesses |= self.string.mark.guard;
        if frame.waiting { self.settle(index, self.frames[index].witnesses, false) } else { Ok(()) }
    }
}
