//! One piece of plain text, sanitized in the same windows as a string value of a request.

use std::sync::Arc;

use super::consult::{Answers, Consult};
use super::judge::{Judge, Tally};
use super::nested::Opening;
use super::placer::Placer;
use super::window::{Quote, Window};
use super::{Guard, Report};
use crate::detect::scanner::{Class, STEP};
use crate::detect::{Category, Finding};
use crate::policy::{Action, Level, placeholder};
use crate::text::Origin;

/// What became of a text.
#[derive(Clone, Debug)]
pub struct Sanitized {
    /// With placeholders in place of what policy masks.
    pub text: String,
    /// Every finding with the action policy gave it; spans count bytes of the input.
    pub findings: Vec<(Finding, Action)>,
    pub report: Report,
}

/// Sanitizes `input` as if it were one user message. A blocked text is read to its end all the same. Where the guard has an
/// engine and the text leaves doubt, its answer is waited for.
pub fn text(guard: &Guard, level: Level, input: &str) -> Sanitized {
    of_class(guard, Class::Text, level, input)
}

/// The same, and the findings hold the names of persons and places whether or not policy does something about them.
pub fn text_with_names(guard: &Guard, level: Level, input: &str) -> Sanitized {
    of_class(guard, Class::Named, level, input)
}

fn of_class(guard: &Guard, class: Class, level: Level, input: &str) -> Sanitized {
    let of_answers = |answers| Pass::over(guard, class, level, Origin::User, answers, input);
    let mut pass = of_answers(Answers::new());
    let questions = pass.consult.questions();
    match &guard.second_look {
        Some(second) if !questions.is_empty() => of_answers(second.wait(questions)).sanitized(input),
        _ => pass.sanitized(input),
    }
}

/// The attacks in one text.
pub(super) struct Attacks {
    /// Those that count, with what policy makes of each.
    pub found: Vec<(Category, Arc<str>, Action)>,
    /// How the text begins if it is JSON.
    pub opening: Option<Opening>,
}

/// The attacks in a text of that origin, by the built-in score.
pub(super) fn attacks(guard: &Guard, level: Level, origin: Origin, input: &str) -> Attacks {
    let pass = Pass::over(guard, Class::Text, level, origin, Answers::new(), input);
    let attacks = pass.findings.iter().filter(|(finding, _)| !finding.category.is_sensitive());
    Attacks {
        found: attacks.map(|(finding, action)| (finding.category, finding.rule.clone(), *action)).collect(),
        opening: pass.window.opening(),
    }
}

struct Pass<'g> {
    guard: &'g Guard,
    class: Class,
    origin: Origin,
    judge: Judge,
    consult: Consult,
    window: Window,
    findings: Vec<(Finding, Action)>,
    output: Vec<u8>,
}

impl<'g> Pass<'g> {
    fn over(guard: &'g Guard, class: Class, level: Level, origin: Origin, answers: Answers, input: &str) -> Self {
        let mut pass = Pass {
            guard,
            class,
            origin,
            judge: Judge::new(level),
            consult: Consult::knowing(answers),
            window: Window::default(),
            findings: Vec::new(),
            output: Vec::new(),
        };
        let mut rest = input;
        while rest.len() > STEP {
            let (piece, tail) = rest.split_at(rest.floor_char_boundary(STEP));
            pass.push(piece);
            rest = tail;
        }
        pass.push(rest);
        pass.advance(true);
        pass
    }

    fn sanitized(mut self, input: &str) -> Sanitized {
        let mut report = self.judge.report;
        report.inspected = input.len() as u64;
        let withheld = self.findings.iter().find(|(_, action)| *action == Action::Quarantine);
        if let Some((finding, _)) = withheld {
            report.withheld = 1;
            self.output = placeholder::notice(self.origin, finding.category).into_bytes();
        }
        (report.bytes_in, report.bytes_out) = (input.len() as u64, self.output.len() as u64);
        // Placeholders are ASCII and masks lie on character boundaries.
        let text = String::from_utf8_lossy(&self.output).into_owned();
        Sanitized { text, findings: self.findings, report }
    }

    fn push(&mut self, piece: &str) {
        self.window.push(piece);
        while self.window.is_full() {
            self.advance(false);
        }
    }

    fn advance(&mut self, last: bool) {
        let findings = self.window.scan(self.guard, self.class, last, |_, _| {});
        let mut tally = Tally::of(&findings);
        if let Some(tally) = &mut tally {
            self.consult.weigh(self.guard, self.window.scanned(), &findings, tally);
        }
        let actions = self.judge.observe(self.guard, self.origin, &findings, tally);
        self.window.will_ask();
        let masks = self.window.masks(&findings, &actions, &mut Placer::default(), Quote::Plain, last);
        let decided = self.window.decided();
        let mut sent = 0;
        for mask in masks {
            self.output.extend_from_slice(&decided[sent..mask.raw.start]);
            self.output.extend_from_slice(mask.replacement.as_bytes());
            sent = mask.raw.end;
        }
        self.output.extend_from_slice(&decided[sent..]);
        let base = self.window.base() as usize;
        let named = |(finding, action): &(Finding, Action)| finding.is_notable() || *action != Action::Allow;
        for (mut finding, action) in findings.into_iter().zip(actions).filter(named) {
            finding.span.start += base;
            finding.span.end += base;
            self.findings.push((finding, action));
        }
        self.window.consume();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::{RuleSet, Scanner};
    use crate::policy::{Matrix, Rule};

    const HINT: &str = r#"
        [[rule]]
        id = "injection.test.hint"
        category = "injection"
        severity = "low"
        confidence = 0.1
        keywords = ["hint"]
        regex = '\bhint\b'
        examples = ["hint", "a hint", "hint it"]
        negative_examples = ["hints", "hin", "thin"]
    "#;

    #[test]
    fn a_threshold_below_what_is_worth_naming_is_a_threshold_all_the_same() {
        let rules = RuleSet::parse(&[("hint.toml", HINT)]).expect("a rule");
        let mut matrix = Matrix::default();
        matrix.set(Level::High, Category::Injection, Rule { threshold: 0.05, action: Action::Block });
        let guard = Guard::new(Scanner::compile(&rules).expect("it compiles"), matrix);
        let refused = text(&guard, Level::High, "a hint of it");
        assert_eq!(refused.report.blocked, [Category::Injection]);
        assert_eq!((refused.findings.len(), refused.report.rules().len()), (1, 1));
        let passed = text(&guard, Level::Medium, "a hint of it");
        assert!(passed.report.blocked.is_empty() && passed.findings.is_empty() && passed.report.findings.is_empty());
        assert!((passed.report.scores[Category::Injection as usize] - 0.1).abs() < 1e-6);
    }
}
