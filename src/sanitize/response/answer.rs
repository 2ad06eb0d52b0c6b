//! What the texts of one answer have in common: how they are judged, what their placeholders stand for, and what became of
//! them. Touches no bytes.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::restore::Restorer;
use super::usage::Usage;
use crate::codec::selector::UsagePart;
use crate::detect::growing::Progress;
use crate::detect::{Category, Finding};
use crate::policy::{Action, Level, Tokens, placeholder};
use crate::sanitize::judge::note;
use crate::sanitize::text::attacks;
use crate::sanitize::{Guard, Sent};
use crate::text::Origin;

/// Where nothing is given back, since it leaves the caller's hands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sinks {
    /// The address of an image, which is fetched when it is shown.
    pub images: bool,
    /// The address of a link.
    pub links: bool,
    /// Arguments of tools of these names; `*` at either end stands for anything.
    pub tools: Vec<String>,
}

/// What was done to one answer. Holds counts and names, never text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AnswerReport {
    /// Values given back, by entity type.
    pub restored: BTreeMap<Arc<str>, u64>,
    /// What the model made up and was masked, by entity type.
    pub masked: BTreeMap<Arc<str>, u64>,
    /// Findings by rule and by what policy made of them.
    pub findings: BTreeMap<(Category, Arc<str>, Action), u64>,
    /// Categories that ended the answer, and that would have, were their action not `monitor`.
    pub blocked: Vec<Category>,
    pub would_block: Vec<Category>,
    /// Texts of others than the model that were withheld for attacks in them.
    pub withheld: u64,
    /// Words like placeholders that are none of this request's: damaged, foreign or made up.
    pub unresolved: u64,
    /// Placeholders left as they are where their value would have left the caller's hands.
    pub kept_back: u64,
    /// Bytes of unescaped text that were inspected, and of other strings that were not, by reason.
    pub inspected: u64,
    pub uninspected: BTreeMap<&'static str, u64>,
    /// Tokens, where the provider counted them.
    pub usage: Option<Usage>,
    /// Which model it says has answered, as it says so first.
    pub model: Option<String>,
    /// The most bytes that waited at once.
    pub held: usize,
}

/// One answer's judge.
#[derive(Debug)]
pub(super) struct Answer {
    guard: Arc<Guard>,
    level: Level,
    guards: bool,
    sinks: Arc<Sinks>,
    sent: Sent,
    pub restorer: Arc<Restorer>,
    /// Names of what the API remembers of it.
    pub states: Vec<String>,
    pub report: AnswerReport,
}

impl Answer {
    pub fn new(guard: Arc<Guard>, level: Level) -> Self {
        Answer {
            guards: guard.matrix.guards_answers(level),
            restorer: Arc::new(Restorer::new(&Tokens::default())),
            guard,
            level,
            sinks: Arc::default(),
            sent: Sent::default(),
            states: Vec::new(),
            report: AnswerReport::default(),
        }
    }

    pub fn restoring(mut self, tokens: &Tokens, sinks: Arc<Sinks>) -> Self {
        self.restorer = Arc::new(Restorer::new(tokens));
        self.sinks = sinks;
        self
    }

    /// With what policy masks left as it is.
    pub fn keeping(mut self, keeps: bool) -> Self {
        self.guards &= !keeps;
        self
    }

    pub fn knowing(mut self, sent: Sent) -> Self {
        self.sent = sent;
        self
    }

    /// Text of a leaf that is not inspected, and why.
    pub fn skip(&mut self, reason: &'static str, text: &str) {
        *self.report.uninspected.entry(reason).or_default() += text.len() as u64;
    }

    /// Takes note of the model that answers.
    pub fn note_model(&mut self, name: &str) {
        /// No model has a longer name.
        const LONGEST: usize = 256;
        if self.report.model.is_none() && (1..=LONGEST).contains(&name.len()) {
            self.report.model = Some(name.to_owned());
        }
    }

    /// Takes note of what the provider counted.
    pub fn note_usage(&mut self, counted: &[(UsagePart, u64)]) {
        for (part, tokens) in counted {
            self.report.usage.get_or_insert_default().note(*part, *tokens);
        }
    }

    /// Whether anything could be found that leads to something.
    pub fn guards(&self) -> bool {
        self.guards
    }

    pub fn sinks(&self) -> Arc<Sinks> {
        self.sinks.clone()
    }

    pub fn is_blocked(&self) -> bool {
        !self.report.blocked.is_empty()
    }

    pub fn note_state(&mut self, name: &str) {
        /// Of one answer: its own name and that of its conversation.
        const MOST: usize = 4;
        let known = self.states.iter().any(|known| known == name);
        if !known && !name.is_empty() && self.states.len() < MOST {
            self.states.push(name.to_owned());
        }
    }

    /// Where the end of `text[from..]` begins that could become something else.
    /// `text` is kept, from `base` on, of one that grows.
    pub fn growing(&self, text: &str, from: usize, base: usize, progress: &mut Progress) -> usize {
        let token = self.restorer.growing(text, from);
        match self.guards {
            true => token.min(self.guard.scanner.growing.start(text, from, base, progress)),
            false => token,
        }
    }

    /// Of findings that end before `from`, some may be left out.
    pub fn scan(&self, text: &str, from: usize) -> Vec<Finding> {
        let mut findings = Vec::new();
        self.guard.scanner.scan_answer(text, from, &mut findings);
        findings
    }

    /// What stands in place of a text of that origin, if policy withholds it for its attacks.
    pub fn withhold(&mut self, origin: Origin, text: &str) -> Option<String> {
        let attacks = attacks(&self.guard, self.level, origin, text);
        let report = &mut self.report;
        let mut withheld = None;
        for (category, rule, action) in attacks.found {
            *report.findings.entry((category, rule, action)).or_default() += 1;
            match action {
                Action::Monitor => note(&mut report.would_block, category),
                Action::Quarantine => withheld = withheld.or(Some(category)),
                Action::Block => note(&mut report.blocked, category),
                Action::Allow | Action::Tokenize | Action::Mask => {}
            }
        }
        let notice = placeholder::notice(origin, withheld?);
        report.withheld += 1;
        Some(attacks.opening.map_or_else(|| notice.clone(), |opening| opening.plainly_around(&notice)))
    }

    /// What is made of `finding`, which is of `text`.
    pub fn judge(&mut self, finding: &Finding, text: &str) -> Action {
        let action = match self.guard.matrix.decide_answer(self.level, finding) {
            Action::Allow => Action::Allow,
            _ if self.sent.holds(text, &self.guard.words) => Action::Allow,
            action => action,
        };
        let report = &mut self.report;
        *report.findings.entry((finding.category, finding.rule.clone(), action)).or_default() += 1;
        match action {
            Action::Allow => {}
            Action::Monitor => note(&mut report.would_block, finding.category),
            Action::Tokenize | Action::Mask => *report.masked.entry(finding.entity.clone()).or_default() += 1,
            Action::Quarantine | Action::Block => note(&mut report.blocked, finding.category),
        }
        action
    }
}

impl Sinks {
    /// Whether the tool of that name is one that sends its arguments somewhere.
    pub fn is_network_tool(&self, name: &str) -> bool {
        self.tools.iter().any(|pattern| match (pattern.strip_prefix('*'), pattern.strip_suffix('*')) {
            (Some(rest), Some(_)) => name.contains(rest.trim_end_matches('*')),
            (Some(end), None) => name.ends_with(end),
            (None, Some(start)) => name.starts_with(start),
            (None, None) => name == pattern,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tool_is_named_whole_or_by_a_part() {
        let tools = ["http_get", "fetch*", "*_search", "*curl*"].map(str::to_owned).to_vec();
        let sinks = Sinks { tools, ..Sinks::default() };
        for (name, expected) in [
            ("http_get", true),
            ("http_get2", false),
            ("fetch_url", true),
            ("web_search", true),
            ("search_web", false),
            ("run_curl_now", true),
        ] {
            assert_eq!(sinks.is_network_tool(name), expected, "{name}");
        }
    }
}
