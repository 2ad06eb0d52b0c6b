//! Attacks that are judged by whose text they stand in: known at once where the path tells, else when the message's role
//! does, and for a user message when another follows or the conversation ends. Until then its text is held.

use std::ops::Range;

use super::Pass;
use super::refusal::Refusal;
use crate::codec::json::Container;
use crate::codec::selector::Source;
use crate::detect::Finding;
use crate::detect::scanner::Class;
use crate::policy::{Action, placeholder};
use crate::sanitize::judge::Tally;
use crate::sanitize::nested::Opening;
use crate::sanitize::output::Edit;
use crate::text::Origin;

/// What is known of whose text it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whose {
    Known(Origin),
    /// Of the message with this object number, whose role has not been read.
    Turn(u64),
    /// A user message. Whether it is the last will be known when the container at this index of the frame stack, its
    /// conversation, goes on or closes.
    Latest(usize),
}

/// The message being read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Turn {
    number: u64,
    /// Index of its object on the frame stack.
    frame: usize,
    role: Option<Origin>,
}

/// One text with attacks that wait to be judged. Where it stands is at the same index of `output.kept`.
#[derive(Debug)]
pub(super) struct Case {
    whose: Whose,
    /// The frame and bit that will tell whether it is signed: then it is left alone.
    pub signed: Option<(usize, u8)>,
    tallies: Vec<Tally>,
    /// It is no prose: a notice would make it invalid.
    fixed: bool,
    /// How its text begins if that is JSON.
    json: Option<Opening>,
}

/// Texts of user messages that could be held no longer and were withheld before it was known which message is the last.
#[derive(Debug)]
pub(super) struct Ahead {
    whose: Whose,
    tally: Tally,
    texts: u64,
}

impl Whose {
    pub fn may_be(self, origin: Origin) -> bool {
        match self {
            Whose::Known(known) => known == origin,
            Whose::Turn(_) => !matches!(origin, Origin::Document | Origin::Definition | Origin::Other),
            Whose::Latest(_) => matches!(origin, Origin::User | Origin::History),
        }
    }
}

impl Turn {
    fn conversation(&self) -> usize {
        self.frame.saturating_sub(1)
    }

    fn whose(&self) -> Whose {
        match self.role {
            None => Whose::Turn(self.number),
            Some(Origin::User) => Whose::Latest(self.conversation()),
            Some(origin) => Whose::Known(origin),
        }
    }
}

impl Pass {
    /// Whose text the value is that begins here; with `opens`, an object of that number.
    pub(super) fn whose(&mut self, mark: Option<Source>, opens: Option<(Container, u64)>) -> Whose {
        match (mark, opens) {
            (Some(Source::Of(origin)), _) => Whose::Known(origin),
            (Some(Source::Turn), Some((Container::Object, number))) => {
                self.turn = Some(Turn { number, frame: self.frames.len(), role: None });
                Whose::Turn(number)
            }
            _ => self.frames.last().map_or(Whose::Known(Origin::Other), |frame| frame.whose),
        }
    }

    /// As far as the role is known by now.
    pub(super) fn resolved(&self, whose: Whose) -> Whose {
        match (whose, &self.turn) {
            (Whose::Turn(number), Some(turn)) if turn.number == number => turn.whose(),
            _ => whose,
        }
    }

    /// Whether a key here is that of the message's role.
    pub(super) fn names_role(&self, key: &str) -> bool {
        key == "role" && self.turn.is_some_and(|turn| turn.frame + 1 == self.frames.len())
    }

    /// The message's role has been read, or it has none.
    pub(super) fn set_role(&mut self, role: Origin) -> Result<(), Refusal> {
        let Some(turn) = &mut self.turn else { return Ok(()) };
        turn.role = Some(role);
        let turn = *turn;
        self.bound()?;
        let follows = matches!(role, Origin::User | Origin::Tool);
        for case in &mut self.cases {
            case.whose = match case.whose {
                Whose::Latest(at) if at == turn.conversation() && follows => Whose::Known(Origin::History),
                Whose::Turn(number) if number == turn.number => turn.whose(),
                other => other,
            };
        }
        if follows {
            self.settle_ahead(turn.conversation(), Origin::History)?;
        }
        self.settle_cases()
    }

    /// The container at this index of the frame stack has closed: it may have been the message, or the conversation.
    pub(super) fn end_turn(&mut self, index: usize) -> Result<(), Refusal> {
        if self.turn.is_some_and(|turn| turn.frame == index) {
            if self.turn.is_some_and(|turn| turn.role.is_none()) {
                self.set_role(Origin::User)?;
            }
            self.turn = None;
        }
        if self.cases.iter().any(|case| case.whose == Whose::Latest(index)) {
            self.bound()?;
        }
        self.settle_ahead(index, Origin::User)?;
        for case in self.cases.iter_mut().filter(|case| case.whose == Whose::Latest(index)) {
            case.whose = Whose::Known(Origin::User);
        }
        self.settle_cases()
    }

    /// The attacks of one window of the string being read: judged at once if that lets it pass or refuses it, else kept.
    /// `alone` if all of them stand in it.
    pub(super) fn observe_attacks(&mut self, findings: &[Finding], class: Class, alone: bool) -> Result<(), Refusal> {
        let Some(mut tally) = Tally::of(findings) else { return Ok(()) };
        let guard = self.guard.clone();
        if alone && class == Class::Text {
            self.consult.weigh(&guard, self.window.scanned(), findings, &mut tally);
        }
        let (origin, action) = self.strictest(self.string.whose, &tally, self.is_fixed(class));
        let known = matches!(self.string.whose, Whose::Known(_)) && self.string.signed.is_none();
        if action <= Action::Monitor || (known && action != Action::Quarantine) {
            let whose = self.string.whose;
            self.judge.settle_early(&guard, (origin, |of| whose.may_be(of)), &tally, self.is_fixed(class));
            return self.verdict();
        }
        self.string.tallies.push(tally);
        self.output.pinned = true;
        Ok(())
    }

    /// Whether a notice cannot stand in place of such a text.
    pub(super) fn is_fixed(&self, class: Class) -> bool {
        class == Class::Label || self.plan.refuses()
    }

    /// An attack in the name of a field, where nothing can be replaced.
    pub(super) fn observe_key(&mut self, findings: &[Finding]) -> Result<(), Refusal> {
        let Some(tally) = Tally::of(findings) else { return Ok(()) };
        let guard = self.guard.clone();
        let whose = self.frames.last().map_or(Whose::Known(Origin::Other), |frame| frame.whose);
        let whose = self.resolved(whose);
        let (origin, _) = self.strictest(whose, &tally, true);
        self.judge.settle_early(&guard, (origin, |of| whose.may_be(of)), &tally, true);
        self.verdict()
    }

    /// The string being read has ended: what was kept of it is judged as soon as it can be.
    pub(super) fn end_case(&mut self, class: Class) -> Result<(), Refusal> {
        if self.string.tallies.is_empty() {
            return Ok(());
        }
        self.bound()?;
        self.output.pinned = false;
        let signed = self.string.signed.filter(|(frame, bit)| match self.frames.get_mut(*frame) {
            Some(frame) => {
                frame.waiting = true;
                frame.witnesses & bit == 0
            }
            None => true,
        });
        if self.string.signed.is_some() && signed.is_none() {
            self.string.tallies.clear();
            self.judge.report.skip("signed", self.string.len as usize);
            return Ok(());
        }
        self.output.kept.push(self.output.text..self.output.position());
        self.cases.push(Case {
            whose: self.string.whose,
            signed,
            tallies: std::mem::take(&mut self.string.tallies),
            fixed: self.is_fixed(class),
            json: self.window.opening(),
        });
        if matches!(self.string.whose, Whose::Known(_)) {
            self.string.ends_masked = true;
        }
        self.settle_cases()
    }

    /// What a witness or the end of its container says of signed texts.
    pub(super) fn settle_signed(&mut self, frame: usize, witnesses: u8, closed: bool) -> Result<(), Refusal> {
        let mut index = 0;
        while let Some(case) = self.cases.get_mut(index) {
            match case.signed {
                Some((at, bit)) if at == frame && witnesses & bit != 0 => {
                    self.cases.remove(index);
                    let text = self.output.kept.remove(index);
                    self.judge.report.skip("signed", (text.end - text.start) as usize);
                    continue;
                }
                Some((at, _)) if at == frame && closed => case.signed = None,
                _ => {}
            }
            index += 1;
        }
        self.settle_cases()
    }

    /// A text that waits must not make the request hold more and more. What waits too long refuses the request, but for a
    /// user message: that is withheld, and the request refused later if it turns out to be the last.
    pub(super) fn bound_cases(&mut self) -> Result<(), Refusal> {
        while self.output.kept() > self.limits.hold {
            if !self.withhold_ahead() {
                return self.refuse_first();
            }
        }
        Ok(())
    }

    fn withhold_ahead(&mut self) -> bool {
        let Some(case) = self.cases.first() else { return false };
        let strictest = |origin| {
            let mut strictest = Action::Allow;
            for tally in &case.tallies {
                strictest = strictest.max(self.judge.strictest(&self.guard, origin, tally));
            }
            strictest
        };
        let is_user = matches!(case.whose, Whose::Latest(_)) && case.signed.is_none() && !case.fixed;
        // Where policy lets either of the two pass, its text must not be changed for the other.
        if !is_user || strictest(Origin::History) != Action::Quarantine || strictest(Origin::User) < Action::Quarantine
        {
            return false;
        }
        let (mut case, text) = (self.cases.remove(0), self.output.kept.remove(0));
        let edit = self.notice(&case, Origin::History, text);
        self.output.apply(edit.as_slice());
        let Some(mut tally) = case.tallies.pop() else { return true };
        case.tallies.into_iter().for_each(|other| tally.add(other));
        match self.ahead.iter_mut().find(|ahead| ahead.whose == case.whose) {
            Some(ahead) => {
                ahead.texts += 1;
                ahead.tally.add(tally);
            }
            None => self.ahead.push(Ahead { whose: case.whose, tally, texts: 1 }),
        }
        true
    }

    /// What was withheld ahead in the conversation at this index turns out to be of that origin.
    fn settle_ahead(&mut self, conversation: usize, origin: Origin) -> Result<(), Refusal> {
        let guard = self.guard.clone();
        for ahead in self.ahead.extract_if(.., |ahead| ahead.whose == Whose::Latest(conversation)) {
            self.judge.settle(&guard, origin, &ahead.tally, false);
            if self.judge.is_blocked() {
                return Err(Refusal::Policy);
            }
            self.judge.report.withheld += ahead.texts;
        }
        Ok(())
    }

    fn refuse_first(&mut self) -> Result<(), Refusal> {
        let guard = self.guard.clone();
        let (signed, tallies, whose) = match self.cases.first() {
            Some(case) => (case.signed, &case.tallies, case.whose),
            None => (self.string.signed, &self.string.tallies, self.string.whose),
        };
        if signed.is_some() {
            return Err(Refusal::SignedTooLong(self.limits.hold));
        }
        for tally in tallies.clone() {
            let (origin, _) = self.strictest(whose, &tally, true);
            self.judge.settle_early(&guard, (origin, |of| whose.may_be(of)), &tally, true);
        }
        Err(Refusal::Policy)
    }

    /// Judges every case of which all is known.
    fn settle_cases(&mut self) -> Result<(), Refusal> {
        let guard = self.guard.clone();
        let (mut edits, mut index) = (Vec::new(), 0);
        while let Some(case) = self.cases.get(index) {
            let (Whose::Known(origin), None) = (case.whose, case.signed) else {
                index += 1;
                continue;
            };
            let (case, text) = (self.cases.remove(index), self.output.kept.remove(index));
            for tally in &case.tallies {
                self.judge.settle(&guard, origin, tally, case.fixed);
            }
            self.verdict()?;
            let edit = self.notice(&case, origin, text);
            self.judge.report.withheld += u64::from(edit.is_some());
            edits.extend(edit);
        }
        self.output.apply(&edits);
        Ok(())
    }

    /// The notice in place of the text, if one of its attacks asks for that.
    fn notice(&self, case: &Case, origin: Origin, text: Range<u64>) -> Option<Edit> {
        let categories = case.tallies.iter().filter_map(|tally| self.judge.withheld_for(&self.guard, origin, tally));
        let notice = placeholder::notice(origin, categories.min()?);
        let replacement = case.json.map_or_else(|| notice.clone(), |opening| opening.around(&notice)).into_bytes();
        Some(Edit { start: text.start, end: text.end, replacement })
    }

    /// The strictest that can become of these attacks, and the origin it would be for.
    pub(super) fn strictest(&self, whose: Whose, tally: &Tally, fixed: bool) -> (Origin, Action) {
        let of = |origin| (origin, self.judge.strictest(&self.guard, origin, tally));
        let origins = Origin::ALL.into_iter().filter(|origin| whose.may_be(*origin)).map(of);
        let (origin, action) = origins.max_by_key(|(_, action)| *action).unwrap_or((Origin::Other, Action::Block));
        (origin, if fixed && action == Action::Quarantine { Action::Block } else { action })
    }
}

/// The role that a message names. What is none of these is judged as the strictest.
pub(super) fn role(name: &str) -> Origin {
    match name {
        "system" | "developer" => Origin::System,
        "assistant" | "model" => Origin::Assistant,
        "tool" | "function" => Origin::Tool,
        _ => Origin::User,
    }
}
