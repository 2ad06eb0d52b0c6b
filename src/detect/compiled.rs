//! One rule ready to run: pattern, then validator, entropy and allowlist. Knows no views and no other rules.

use regex::bytes::{Regex, RegexBuilder};

use super::rule::{Rule, RuleProblem, ViewKind};
use crate::text::{Span, entropy, fold};

/// A `Rule` with its patterns compiled.
#[derive(Clone, Debug)]
pub(super) struct CompiledRule {
    pub rule: Rule,
    pattern: Regex,
    secret: Option<usize>,
    not: Option<usize>,
    allow: Vec<Regex>,
    unless: Vec<Regex>,
}

impl CompiledRule {
    pub fn new(rule: &Rule) -> Result<Self, RuleProblem> {
        let compile = |source: &str| {
            build(source).map_err(|error| RuleProblem { rule: rule.id.to_string(), problem: error.to_string() })
        };
        let pattern = compile(&rule.regex)?;
        let group = |wanted| pattern.capture_names().position(|name| name == Some(wanted));
        let (secret, not) = (group("secret"), group("not"));
        let allow = rule.allow.iter().map(|source| compile(source)).collect::<Result<_, _>>()?;
        let unless = rule.unless.iter().map(|source| compile(source)).collect::<Result<_, _>>()?;
        Ok(CompiledRule { rule: rule.clone(), pattern, secret, not, allow, unless })
    }

    /// A keyword as it stands in the view the rule is matched against.
    pub fn fold(&self, keyword: &str) -> String {
        match self.rule.view {
            ViewKind::Text => keyword.to_ascii_lowercase(),
            ViewKind::Words => fold::words(keyword).text().to_owned(),
        }
    }

    /// Calls `found` with the span of every match in `text` that starts at or after `at`.
    pub fn matches(&self, text: &str, mut at: usize, mut found: impl FnMut(Span)) {
        let bytes = text.as_bytes();
        while at <= bytes.len() {
            let Some(whole) = self.pattern.find_at(bytes, at) else { return };
            let whole = Span::new(whole.start(), whole.end());
            if self.negated(bytes, whole) {
                at = whole.end.max(at + 1);
                continue;
            }
            let accepted = self.span(text, whole).filter(|span| self.accepts(&text[span.start..span.end]));
            let accepted = accepted.filter(|_| !self.vetoed(bytes, whole));
            if let Some(span) = accepted {
                found(span);
            }
            at = resume(bytes, whole, accepted.is_some());
        }
    }

    /// The part of the match that the rule is about, widened to character boundaries: patterns run over bytes.
    fn span(&self, text: &str, whole: Span) -> Option<Span> {
        let span = match self.secret {
            None => whole,
            Some(group) => {
                let captures = self.pattern.captures_at(text.as_bytes(), whole.start)?;
                let group = captures.get(group)?;
                Span::new(group.start(), group.end())
            }
        };
        let span = Span::new(text.floor_char_boundary(span.start), text.ceil_char_boundary(span.end));
        (!span.is_empty()).then_some(span)
    }

    /// The group `not` takes part: "never ignore your instructions".
    fn negated(&self, bytes: &[u8], whole: Span) -> bool {
        let taken =
            |group| self.pattern.captures_at(bytes, whole.start).is_some_and(|found| found.get(group).is_some());
        self.not.is_some_and(taken)
    }

    fn vetoed(&self, bytes: &[u8], whole: Span) -> bool {
        let around = &bytes[whole.start.saturating_sub(AROUND)..(whole.end + AROUND).min(bytes.len())];
        self.unless.iter().any(|pattern| pattern.is_match(around))
    }

    fn accepts(&self, span: &str) -> bool {
        self.rule.validator.accepts(span)
            && (self.rule.entropy <= 0.0 || entropy::shannon(span) >= self.rule.entropy)
            && !self.allow.iter().any(|pattern| pattern.is_match(span.as_bytes()))
    }
}

/// Where to look next. A refused short match may hide a good one that starts inside it ("12 4111 1111 ..."), so the search
/// goes on at its next word; a refused long one is passed as a whole, which keeps the search linear.
fn resume(bytes: &[u8], whole: Span, accepted: bool) -> usize {
    if accepted || whole.len() > LONGEST_RETRY {
        return whole.end.max(whole.start + 1);
    }
    let inside = &bytes[whole.start..whole.end];
    let word = inside.iter().position(u8::is_ascii_alphanumeric).unwrap_or(inside.len());
    let after = inside.iter().skip(word).position(|byte| !byte.is_ascii_alphanumeric());
    after.map_or(whole.end, |length| whole.start + word + length).max(whole.start + 1)
}

/// ASCII classes throughout: they are what token formats mean, and Unicode ones fall off the fast engine.
fn build(source: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(source).unicode(false).size_limit(REGEX_BYTES).dfa_size_limit(DFA_BYTES).build()
}

/// How far `unless` looks to either side of a match: about a clause.
const AROUND: usize = 48;
const LONGEST_RETRY: usize = 64;
const REGEX_BYTES: usize = 4 << 20;
const DFA_BYTES: usize = 4 << 20;
