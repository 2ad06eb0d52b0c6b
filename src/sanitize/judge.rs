//! The judge: findings of one request in, a decision for each and the report of all out. Touches no bytes.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Guard;
use crate::detect::{Category, Finding, scores};
use crate::policy::{Action, Level, Matrix};
use crate::text::Origin;

/// What was done to one request. Holds counts and names, never text.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// Masked spans by entity type.
    pub masked: BTreeMap<Arc<str>, u64>,
    /// Findings by rule and by what policy made of them.
    pub findings: BTreeMap<(Category, Arc<str>, Action), u64>,
    /// Highest score of a window, by category; sensitive categories hold the highest confidence.
    pub scores: [f32; 6],
    /// Categories whose score made policy refuse the request.
    pub blocked: Vec<Category>,
    /// Categories whose score made policy withhold a text.
    pub quarantined: Vec<Category>,
    /// Texts that were withheld.
    pub withheld: u64,
    /// Categories that would have, were their action not `monitor`.
    pub would_block: Vec<Category>,
    /// Bytes of unescaped text that were inspected.
    pub inspected: u64,
    /// Bytes of string values that were not, by reason.
    pub uninspected: BTreeMap<&'static str, u64>,
    pub bytes_in: u64,
    pub bytes_out: u64,
    /// What the candidate policy would have made of what was found, if there is one and anything was.
    pub candidate: Option<Box<Report>>,
}

/// The outcome in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Clean,
    Masked,
    WouldBlock,
    Quarantined,
    Blocked,
}

impl Verdict {
    pub const fn name(self) -> &'static str {
        match self {
            Verdict::Clean => "clean",
            Verdict::Masked => "masked",
            Verdict::WouldBlock => "would_block",
            Verdict::Quarantined => "quarantined",
            Verdict::Blocked => "blocked",
        }
    }
}

impl Report {
    pub fn verdict(&self) -> Verdict {
        if !self.blocked.is_empty() {
            Verdict::Blocked
        } else if self.withheld > 0 {
            Verdict::Quarantined
        } else if !self.would_block.is_empty() {
            Verdict::WouldBlock
        } else if !self.masked.is_empty() {
            Verdict::Masked
        } else {
            Verdict::Clean
        }
    }

    /// Ids of the rules that led to something, sorted, each once.
    pub fn rules(&self) -> Vec<Arc<str>> {
        let acted = self.findings.keys().filter(|(_, _, action)| *action != Action::Allow);
        let mut rules: Vec<_> = acted.map(|(_, rule, _)| rule.clone()).collect();
        rules.sort();
        rules.dedup();
        rules
    }

    pub fn skip(&mut self, reason: &'static str, bytes: usize) {
        *self.uninspected.entry(reason).or_default() += bytes as u64;
    }
}

/// The attacks of one window: all that is needed to judge them later, when it is known whose text it is.
#[derive(Clone, Debug)]
pub(super) struct Tally {
    scores: [f32; 6],
    /// In order, each once: nearly always one or two.
    rules: Vec<((Category, Arc<str>), Count)>,
}

/// Findings of one rule.
#[derive(Clone, Copy, Debug, Default)]
struct Count {
    findings: u64,
    /// One of them at least is worth naming even if nothing comes of it.
    notable: bool,
}

impl Tally {
    /// These and others of the same category and rule, as if they had one score.
    pub fn add(&mut self, other: Tally) {
        for (rule, count) in other.rules {
            self.count(rule, count);
        }
        for (peak, score) in self.scores.iter_mut().zip(other.scores) {
            *peak = peak.max(score);
        }
    }

    /// `None` for findings without an attack.
    pub fn of(findings: &[Finding]) -> Option<Tally> {
        let attacks = || findings.iter().filter(|finding| !finding.category.is_sensitive());
        attacks().next()?;
        let mut tally = Tally { scores: scores(findings), rules: Vec::new() };
        for finding in attacks() {
            let count = Count { findings: 1, notable: finding.is_notable() };
            tally.count((finding.category, finding.rule.clone()), count);
        }
        Some(tally)
    }

    fn count(&mut self, rule: (Category, Arc<str>), more: Count) {
        let at = self.rules.binary_search_by(|(known, _)| known.cmp(&rule)).unwrap_or_else(|at| {
            self.rules.insert(at, (rule, Count::default()));
            at
        });
        let Some((_, count)) = self.rules.get_mut(at) else { return };
        count.findings += more.findings;
        count.notable |= more.notable;
    }

    /// The highest score of an attack.
    pub fn peak(&self) -> f32 {
        self.strongest().map_or(0.0, |category| self.scores[category as usize])
    }

    /// Puts another's score in place of the highest, and holds all others to it. Counts as a finding of `rule`.
    pub fn replace(&mut self, score: f32, rule: &str) {
        let Some(strongest) = self.strongest() else { return };
        for category in attacks() {
            let held = &mut self.scores[category as usize];
            *held = if category == strongest { score } else { held.min(score) };
        }
        self.count((strongest, rule.into()), Count { findings: 1, notable: true });
    }

    /// The category with the highest score among those that were found.
    fn strongest(&self) -> Option<Category> {
        let found = attacks().filter(|category| self.scores[*category as usize] > 0.0);
        found.max_by(|a, b| self.scores[*a as usize].total_cmp(&self.scores[*b as usize]))
    }
}

/// Applies policy to findings as they come and adds them up.
#[derive(Debug)]
pub(super) struct Judge {
    level: Level,
    /// Whether a placeholder can be undone later.
    reversible: bool,
    /// Whether what is sensitive passes.
    keeps: bool,
    pub report: Report,
}

impl Judge {
    pub fn new(level: Level) -> Self {
        Judge { level, reversible: false, keeps: false, report: Report::default() }
    }

    pub fn reversible(mut self, reversible: bool) -> Self {
        self.reversible = reversible;
        self
    }

    pub fn keeping(mut self, keeps: bool) -> Self {
        self.keeps = keeps;
        self
    }

    pub fn keeps(&self) -> bool {
        self.keeps
    }

    /// Judges the findings of one window of a text of that origin, whose attacks add up to `tally`: the action for each,
    /// in their order.
    pub fn observe(
        &mut self,
        guard: &Guard,
        origin: Origin,
        findings: &[Finding],
        tally: Option<Tally>,
    ) -> Vec<Action> {
        let mut actions = self.observe_sensitive(guard, findings);
        let Some(tally) = tally else { return actions };
        for (finding, action) in findings.iter().zip(&mut actions) {
            if !finding.category.is_sensitive() {
                *action = self.decide(&guard.matrix, origin, finding.category, &tally);
            }
        }
        self.settle(guard, origin, &tally, false);
        actions
    }

    /// Judges what is sensitive among the findings of one window; attacks are allowed here and judged apart.
    pub fn observe_sensitive(&mut self, guard: &Guard, findings: &[Finding]) -> Vec<Action> {
        if !findings.is_empty() {
            self.beside(guard, |candidate, matrix| drop(candidate.count_sensitive(matrix, findings)));
        }
        self.count_sensitive(&guard.matrix, findings)
    }

    fn count_sensitive(&mut self, matrix: &Matrix, findings: &[Finding]) -> Vec<Action> {
        let mut actions = Vec::with_capacity(findings.len());
        for finding in findings {
            actions.push(if finding.category.is_sensitive() { self.mask(matrix, finding) } else { Action::Allow });
        }
        if !findings.is_empty() {
            self.peak(&scores(findings), Category::is_sensitive);
        }
        actions
    }

    /// The action for a sensitive finding that may never count.
    pub fn foresee(&self, guard: &Guard, finding: &Finding) -> Action {
        self.foreseen(&guard.matrix, finding)
    }

    /// Whether the finding gets a placeholder that can be undone.
    pub fn tokenizes(&self, guard: &Guard, finding: &Finding) -> bool {
        finding.category.is_sensitive() && self.foresee(guard, finding) == Action::Tokenize
    }

    fn foreseen(&self, matrix: &Matrix, finding: &Finding) -> Action {
        match matrix.decide(self.level, finding) {
            Action::Tokenize | Action::Mask if self.keeps => Action::Allow,
            Action::Tokenize if !self.reversible => Action::Mask,
            action => action,
        }
    }

    /// The strictest action for these attacks if the text is of that origin.
    pub fn strictest(&self, guard: &Guard, origin: Origin, tally: &Tally) -> Action {
        self.strictest_by(&guard.matrix, origin, tally)
    }

    fn strictest_by(&self, matrix: &Matrix, origin: Origin, tally: &Tally) -> Action {
        let actions = tally.rules.iter().map(|((category, _), _)| self.decide(matrix, origin, *category, tally));
        actions.max().unwrap_or(Action::Allow)
    }

    /// The category for which a text of that origin is to be withheld, among those that are.
    pub fn withheld_for(&self, guard: &Guard, origin: Origin, tally: &Tally) -> Option<Category> {
        let mut categories = tally.rules.iter().map(|((category, _), _)| *category);
        categories.find(|category| self.decide(&guard.matrix, origin, *category, tally) == Action::Quarantine)
    }

    /// Judges these attacks in a text of that origin. A text that is `fixed` cannot be replaced; what would withhold it
    /// refuses the request.
    pub fn settle(&mut self, guard: &Guard, origin: Origin, tally: &Tally, fixed: bool) {
        self.beside(guard, |candidate, matrix| candidate.count_attacks(matrix, origin, tally, fixed));
        self.count_attacks(&guard.matrix, origin, tally, fixed);
    }

    /// The same while it is not known whose text it is, as policy makes the same of it for all whose it may be. A candidate,
    /// which might not, is taken at its strictest.
    pub fn settle_early(
        &mut self,
        guard: &Guard,
        (origin, may_be): (Origin, impl Fn(Origin) -> bool),
        tally: &Tally,
        fixed: bool,
    ) {
        self.beside(guard, |candidate, matrix| {
            let origins = Origin::ALL.into_iter().filter(|origin| may_be(*origin));
            let strictest = origins.max_by_key(|origin| candidate.strictest_by(matrix, *origin, tally));
            candidate.count_attacks(matrix, strictest.unwrap_or(origin), tally, fixed);
        });
        self.count_attacks(&guard.matrix, origin, tally, fixed);
    }

    fn count_attacks(&mut self, matrix: &Matrix, origin: Origin, tally: &Tally, fixed: bool) {
        for ((category, rule), count) in &tally.rules {
            let action = match self.decide(matrix, origin, *category, tally) {
                Action::Quarantine if fixed => Action::Block,
                action => action,
            };
            // The model scores every text: what is next to nothing and leads to nothing counts by its score alone.
            if action == Action::Allow && !count.notable {
                continue;
            }
            *self.report.findings.entry((*category, rule.clone(), action)).or_default() += count.findings;
            match action {
                Action::Allow => {}
                Action::Monitor => note(&mut self.report.would_block, *category),
                Action::Quarantine => note(&mut self.report.quarantined, *category),
                // An attack has no span whose removal would make the rest harmless.
                Action::Tokenize | Action::Mask | Action::Block => note(&mut self.report.blocked, *category),
            }
        }
        self.peak(&tally.scores, |category| !category.is_sensitive());
    }

    pub fn level(&self) -> Level {
        self.level
    }

    pub fn is_blocked(&self) -> bool {
        !self.report.blocked.is_empty()
    }

    /// Lets the candidate policy, if there is one, judge the same in a report of its own.
    fn beside(&mut self, guard: &Guard, judge: impl FnOnce(&mut Judge, &Matrix)) {
        let Some(candidate) = &guard.candidate else { return };
        let report = self.report.candidate.take().map_or_else(Report::default, |report| *report);
        let mut beside =
            Judge { level: candidate.level_under(self.level), reversible: self.reversible, keeps: self.keeps, report };
        judge(&mut beside, &candidate.matrix);
        beside.report.withheld = beside.report.quarantined.len() as u64;
        self.report.candidate = Some(Box::new(beside.report));
    }

    fn decide(&self, matrix: &Matrix, origin: Origin, category: Category, tally: &Tally) -> Action {
        matrix.decide_attack(self.level, origin, category, tally.scores[category as usize])
    }

    fn mask(&mut self, matrix: &Matrix, finding: &Finding) -> Action {
        let action = self.foreseen(matrix, finding);
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

    fn peak(&mut self, scores: &[f32; 6], of: impl Fn(Category) -> bool) {
        for category in Category::ALL.into_iter().filter(|category| of(*category)) {
            let peak = &mut self.report.scores[category as usize];
            *peak = peak.max(scores[category as usize]);
        }
    }
}

fn attacks() -> impl Iterator<Item = Category> {
    Category::ALL.into_iter().filter(|category| !category.is_sensitive())
}

pub(super) fn note(categories: &mut Vec<Category>, category: Category) {
    if !categories.contains(&category) {
        categories.push(category);
    }
}
