//! Values that have a placeholder already, found again where nothing around them says what they are: the model's answer
//! repeats a password without the word, and comes back with the next turn. Looks for exact values; detects nothing.

use std::fmt;
use std::hash::BuildHasher;

use foldhash::quality::RandomState;

use crate::detect::Finding;
use crate::text::Span;

/// See the module. Its `Debug` tells how many. In few bytes: a hostile text has thousands.
#[derive(Clone, Default)]
pub(super) struct Known {
    /// How many are remembered.
    most: usize,
    values: Vec<Value>,
    /// The values as they were written, one behind the other.
    text: String,
    /// By a hash of the first bytes, the last value with it: its number and one. A power of two of them, or none.
    heads: Vec<u32>,
    state: RandomState,
    /// What made them known. Most of one text were found by the same few rules.
    findings: Vec<Finding>,
    /// A hash of the first so many values.
    fingerprint: (u128, usize),
}

#[derive(Clone, Copy)]
struct Value {
    /// Where it begins in the text, and its length.
    start: u32,
    length: u32,
    /// Number of the finding.
    finding: u32,
    /// The value before with the same hash: its number and one, or zero.
    before: u32,
}

/// Shorter values would be found in what has nothing to do with them.
const HEAD: usize = 6;
/// How many of the last findings are looked at for one that is the same.
const RECENT: usize = 8;

impl fmt::Debug for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Known({})", self.values.len())
    }
}

impl Known {
    pub fn new(most: usize) -> Self {
        Known { most, ..Known::default() }
    }

    /// Remembers the value, unless it is too short or there is no room.
    pub fn learn(&mut self, finding: &Finding, value: &str) {
        let Some(head) = value.as_bytes().first_chunk() else { return };
        if self.values.len() >= self.most || self.beginning(head).any(|(known, _)| known == value) {
            return;
        }
        let (Ok(start), Ok(length)) = (u32::try_from(self.text.len()), u32::try_from(value.len())) else { return };
        let finding = self.number(finding);
        self.text.push_str(value);
        self.values.push(Value { start, length, finding, before: 0 });
        if self.values.len() > self.heads.len() {
            self.heads = vec![0; self.values.len().next_power_of_two()];
            (0..self.values.len()).for_each(|number| self.link(number));
        } else {
            self.link(self.values.len() - 1);
        }
    }

    /// Makes a value the last of those with its hash.
    fn link(&mut self, number: usize) {
        let head = self.written(&self.values[number]).as_bytes().first_chunk();
        let Some(slot) = head.and_then(|head| self.slot(head)) else { return };
        self.values[number].before = std::mem::replace(&mut self.heads[slot], number as u32 + 1);
    }

    fn slot(&self, head: &[u8; HEAD]) -> Option<usize> {
        let last = self.heads.len().checked_sub(1)?;
        Some(self.state.hash_one(head) as usize & last)
    }

    fn written(&self, value: &Value) -> &str {
        let start = value.start as usize;
        self.text.get(start..start + value.length as usize).unwrap_or_default()
    }

    /// A hash of all values, in the order in which they became known, by a hash of one behind that of those before.
    pub fn fingerprint(&mut self, hash: impl Fn(u128, &str) -> u128) -> u128 {
        let (before, read) = self.fingerprint;
        let now = self.values[read..].iter().fold(before, |before, value| hash(before, self.written(value)));
        self.fingerprint = (now, self.values.len());
        now
    }

    /// Number of the finding, wherever its span is.
    fn number(&mut self, finding: &Finding) -> u32 {
        let finding = Finding { span: Span::new(0, 0), ..finding.clone() };
        let same = self.findings.iter().enumerate().rev().take(RECENT).find(|(_, known)| **known == finding);
        let number = same.map_or(self.findings.len(), |(number, _)| number);
        if number == self.findings.len() {
            self.findings.push(finding);
        }
        number as u32
    }

    /// The values with the hash of these first bytes.
    fn beginning(&self, head: &[u8; HEAD]) -> impl Iterator<Item = (&str, &Value)> {
        let get = |number: u32| self.values.get(number.checked_sub(1)? as usize);
        let last = self.slot(head).and_then(|slot| self.heads.get(slot)).copied().unwrap_or(0);
        std::iter::successors(get(last), move |value| get(value.before)).map(|value| (self.written(value), value))
    }

    /// Learns what was found in `text` and gets a placeholder, and adds what else of it is known.
    pub fn learn_and_find(&mut self, text: &str, findings: &mut Vec<Finding>, tokenizes: impl Fn(&Finding) -> bool) {
        for finding in findings.iter().filter(|finding| tokenizes(finding)) {
            self.learn(finding, &text[finding.span.start..finding.span.end]);
        }
        self.find(text, findings);
    }

    /// Adds what of `text` is known and in no sensitive finding yet. Those are in order, and so is the result.
    pub fn find(&self, text: &str, findings: &mut Vec<Finding>) {
        if self.values.is_empty() {
            return;
        }
        let (mut found, mut at) = (Vec::new(), 0);
        while at + HEAD <= text.len() {
            match self.at(text, at).filter(|finding| is_free(findings, finding.span)) {
                Some(finding) => {
                    at = finding.span.end;
                    found.push(finding);
                }
                None => at = next_start(text.as_bytes(), at),
            }
        }
        if !found.is_empty() {
            findings.extend(found);
            // Attacks stand behind what is sensitive, as the scanner has them.
            findings.sort_by_key(|finding| (!finding.category.is_sensitive(), finding.span.start));
        }
    }

    /// The longest known value that begins here and is no part of a longer word.
    fn at(&self, text: &str, at: usize) -> Option<Finding> {
        let rest = &text.as_bytes()[at..];
        let fits = |value: &str| rest.starts_with(value.as_bytes()) && ends_word(text.as_bytes(), at, at + value.len());
        let fitting = self.beginning(rest.first_chunk()?).filter(|(value, _)| fits(value));
        let (value, Value { finding, .. }) = fitting.max_by_key(|(value, _)| value.len())?;
        Some(Finding { span: Span::new(at, at + value.len()), ..self.findings.get(*finding as usize)?.clone() })
    }
}

/// Where a value could begin next: at a word, or at what is neither letter nor digit.
fn next_start(bytes: &[u8], at: usize) -> usize {
    let mut next = at + 1;
    while next < bytes.len() && is_word(bytes[next - 1]) && is_word(bytes[next]) && !ends_escape(bytes, next) {
        next += 1;
    }
    next
}

fn ends_word(bytes: &[u8], start: usize, end: usize) -> bool {
    let joined = |left: Option<&u8>, right: Option<&u8>| match (left, right) {
        (Some(left), Some(right)) => is_word(*left) && is_word(*right),
        _ => false,
    };
    let begins = !joined(start.checked_sub(1).and_then(|before| bytes.get(before)), bytes.get(start));
    (begins || ends_escape(bytes, start)) && !joined(bytes.get(end - 1), bytes.get(end))
}

/// Whether what ends at `at` may be an escape for white space, as JSON in a string has it: a word may begin behind it.
fn ends_escape(bytes: &[u8], at: usize) -> bool {
    at >= 2 && bytes[at - 2] == b'\\' && matches!(bytes[at - 1], b'n' | b't' | b'r' | b'b' | b'f')
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte >= 0x80
}

/// Those that are sensitive come first, in order and without overlap.
fn is_free(findings: &[Finding], span: Span) -> bool {
    let sensitive = &findings[..findings.partition_point(|finding| finding.category.is_sensitive())];
    let next = sensitive.partition_point(|finding| finding.span.end <= span.start);
    sensitive.get(next).is_none_or(|finding| finding.span.start >= span.end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::{Category, Severity};

    fn known(values: &[&str]) -> Known {
        let mut known = Known::new(8);
        for value in values {
            known.learn(&finding(0, 0), value);
        }
        known
    }

    fn finding(start: usize, end: usize) -> Finding {
        let (category, severity) = (Category::Secret, Severity::High);
        let (rule, entity) = ("secret.test".into(), "PASSWORD".into());
        Finding { rule, category, entity, severity, confidence: 0.9, span: Span::new(start, end) }
    }

    #[test]
    fn a_value_is_found_as_a_whole_word_wherever_it_stands() {
        let known = known(&["hunter22", "hunter22!x", "-----BEGIN", "short"]);
        for (text, expected) in [
            ("I set hunter22 as asked", vec!["hunter22"]),
            ("(hunter22)", vec!["hunter22"]),
            ("hunter22!x and hunter22!", vec!["hunter22!x", "hunter22"]),
            ("hunter223 xhunter22 éhunter22", vec![]),
            ("short", vec![]),
            ("a-----BEGIN", vec!["-----BEGIN"]),
        ] {
            let mut findings = Vec::new();
            known.find(text, &mut findings);
            let found: Vec<&str> = findings.iter().map(|f| &text[f.span.start..f.span.end]).collect();
            assert_eq!(found, expected, "{text}");
        }
    }

    #[test]
    fn what_a_finding_covers_stays_with_it() {
        let mut findings = vec![finding(4, 16)];
        known(&["hunter22"]).find("key=hunter22.abc hunter22", &mut findings);
        let spans: Vec<_> = findings.iter().map(|finding| (finding.span.start, finding.span.end)).collect();
        assert_eq!(spans, [(4, 16), (17, 25)]);
    }
}
