//! The detectors, compiled: prefilter, then pattern, over each reading of the text. Decides nothing about what it finds.

use aho_corasick::{AhoCorasick, AhoCorasickKind};

use super::compiled::CompiledRule;
use super::rule::{Gate, RuleProblem, RuleSet, Trigger, ViewKind};
use super::{Finding, overlap};
use crate::text::Span;

/// How far a window advances.
pub const STEP: usize = 32 * 1024;
/// How much of the text behind a window it also sees; no rule needs a longer match.
pub const OVERLAP: usize = 8 * 1024;
/// How much of the text before a window it also sees; a keyword stands at most this far behind the start of its match.
pub const CONTEXT: usize = 256;

/// What kind of text is scanned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Natural language or data: every rule.
    Text,
    /// Names and identifiers: published secret formats, e-mail addresses and attacks only.
    Label,
}

/// All rules, ready to run. Cheap to share, dear to build.
#[derive(Clone, Debug)]
pub struct Scanner {
    text: Prefilter,
}

impl Scanner {
    /// Compiles every rule; all that do not compile are reported.
    pub fn compile(rules: &RuleSet) -> Result<Self, Vec<RuleProblem>> {
        let (mut compiled, mut problems) = (Vec::new(), Vec::new());
        for rule in rules.rules() {
            match CompiledRule::new(rule) {
                Ok(rule) => compiled.push(rule),
                Err(problem) => problems.push(problem),
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let (text, _words): (Vec<_>, Vec<_>) = compiled.into_iter().partition(|rule| rule.rule.view == ViewKind::Text);
        let text = Prefilter::new(text).map_err(|problem| vec![problem])?;
        Ok(Scanner { text })
    }

    /// Appends the findings of the window `text` whose match starts at or after `from`; what stands before is context.
    /// Sensitive findings come first, in order and without overlap; then attacks, which may overlap.
    pub fn scan(&self, text: &str, from: usize, class: Class, findings: &mut Vec<Finding>) {
        let mut found = Vec::new();
        self.text.scan(text, from, |rule| applies(rule, class), |rule, span| found.push(finding(rule, span)));
        let (sensitive, attacks): (Vec<_>, Vec<_>) =
            found.into_iter().partition(|finding: &Finding| finding.category.is_sensitive());
        findings.extend(overlap::resolve(sensitive));
        findings.extend(attacks);
    }
}

/// Rules of one view and the automaton over all their keywords.
#[derive(Clone, Debug)]
struct Prefilter {
    rules: Vec<CompiledRule>,
    keywords: AhoCorasick,
    /// Rules that want keyword `i`.
    wanted: Vec<Vec<usize>>,
    gated: Vec<(Gate, usize)>,
}

impl Prefilter {
    fn new(rules: Vec<CompiledRule>) -> Result<Self, RuleProblem> {
        let mut patterns: Vec<String> = Vec::new();
        let mut wanted: Vec<Vec<usize>> = Vec::new();
        let mut gated = Vec::new();
        for (index, rule) in rules.iter().enumerate() {
            match &rule.rule.trigger {
                Trigger::Gate(gate) => gated.push((*gate, index)),
                Trigger::Keywords(keywords) => {
                    for keyword in keywords.iter().map(|word| word.to_ascii_lowercase()) {
                        let slot = patterns.iter().position(|known| *known == keyword).unwrap_or_else(|| {
                            patterns.push(keyword);
                            wanted.push(Vec::new());
                            patterns.len() - 1
                        });
                        wanted[slot].push(index);
                    }
                }
            }
        }
        let keywords = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .kind(Some(AhoCorasickKind::DFA))
            .build(&patterns)
            .map_err(|error| RuleProblem { rule: "keywords".to_owned(), problem: error.to_string() })?;
        Ok(Prefilter { rules, keywords, wanted, gated })
    }

    fn scan(
        &self,
        text: &str,
        from: usize,
        applies: impl Fn(&CompiledRule) -> bool,
        mut found: impl FnMut(&CompiledRule, Span),
    ) {
        let mut first = vec![None; self.rules.len()];
        for hit in self.keywords.find_overlapping_iter(text) {
            for &rule in &self.wanted[hit.pattern().as_usize()] {
                first[rule].get_or_insert(hit.start().saturating_sub(CONTEXT));
            }
        }
        let mut gates = Gates::new(text);
        for &(gate, rule) in &self.gated {
            if gates.open(gate) {
                first[rule] = Some(0);
            }
        }
        for (rule, start) in self.rules.iter().zip(first) {
            let Some(start) = start else { continue };
            if applies(rule) {
                let range = Span::new(start.max(from).min(text.len()), text.len());
                rule.matches(text, range, |span| found(rule, span));
            }
        }
    }
}

/// Which gates a text opens, each computed at most once.
struct Gates<'t> {
    bytes: &'t [u8],
    known: [Option<bool>; 5],
}

impl<'t> Gates<'t> {
    fn new(text: &'t str) -> Self {
        Gates { bytes: text.as_bytes(), known: [None; 5] }
    }

    fn open(&mut self, gate: Gate) -> bool {
        let bytes = self.bytes;
        *self.known[gate as usize].get_or_insert_with(|| match gate {
            Gate::Digits => seven_digits_near(bytes),
            Gate::Digit => bytes.iter().any(u8::is_ascii_digit),
            Gate::At => bytes.contains(&b'@'),
            Gate::Colon => bytes.contains(&b':'),
            Gate::Dotted => {
                bytes.windows(3).any(|three| three[1] == b'.' && three[0].is_ascii_digit() && three[2].is_ascii_digit())
            }
        })
    }
}

fn seven_digits_near(bytes: &[u8]) -> bool {
    let (mut digits, mut gap) = (0, 0);
    for byte in bytes {
        if byte.is_ascii_digit() {
            (digits, gap) = (digits + 1, 0);
            if digits == 7 {
                return true;
            }
        } else {
            gap += 1;
            if gap > 3 {
                digits = 0;
            }
        }
    }
    false
}

fn applies(rule: &CompiledRule, class: Class) -> bool {
    let rule = &rule.rule;
    class == Class::Text || !rule.category.is_sensitive() || rule.published || &*rule.entity == "EMAIL_ADDRESS"
}

fn finding(rule: &CompiledRule, span: Span) -> Finding {
    let rule = &rule.rule;
    Finding {
        rule: rule.id.clone(),
        category: rule.category,
        entity: rule.entity.clone(),
        severity: rule.severity,
        confidence: rule.confidence,
        span,
    }
}
