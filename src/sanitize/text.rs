//! One piece of plain text, sanitized in the same windows as a string value of a request.

use super::consult::{Answers, Consult, Question};
use super::judge::{Judge, Tally};
use super::placer::Placer;
use super::window::{Quote, Window};
use super::{Guard, Report};
use crate::detect::Finding;
use crate::detect::scanner::{Class, STEP};
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
    let (sanitized, questions) = once(guard, class, level, input, Answers::new());
    match &guard.second_look {
        Some(second) if !questions.is_empty() => once(guard, class, level, input, second.wait(questions)).0,
        _ => sanitized,
    }
}

fn once(guard: &Guard, class: Class, level: Level, input: &str, answers: Answers) -> (Sanitized, Vec<Question>) {
    let mut pass = Pass {
        guard,
        class,
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
    let mut report = pass.judge.report;
    report.inspected = input.len() as u64;
    let withheld = pass.findings.iter().find(|(_, action)| *action == Action::Quarantine);
    if let Some((finding, _)) = withheld {
        report.withheld = 1;
        pass.output = placeholder::notice(Origin::User, finding.category).into_bytes();
    }
    (report.bytes_in, report.bytes_out) = (input.len() as u64, pass.output.len() as u64);
    // Placeholders are ASCII and masks lie on character boundaries.
    let text = String::from_utf8_lossy(&pass.output).into_owned();
    (Sanitized { text, findings: pass.findings, report }, pass.consult.questions())
}

struct Pass<'g> {
    guard: &'g Guard,
    class: Class,
    judge: Judge,
    consult: Consult,
    window: Window,
    findings: Vec<(Finding, Action)>,
    output: Vec<u8>,
}

impl Pass<'_> {
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
        let actions = self.judge.observe(self.guard, Origin::User, &findings, tally);
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
    use crate::detect::{Category, RuleSet, Scanner};
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
