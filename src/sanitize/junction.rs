//! Neighbouring texts read as one. Providers join the parts of a message, so an attack or a token that is cut over two of
//! them is looked for across the cut. Changes nothing itself.

use super::Guard;
use super::recall::Scan;
use crate::detect::scanner::{CONTEXT, Class};
use crate::detect::{Finding, Scanner};
use crate::text::Span;

/// What makes two texts neighbours: the array that holds their objects, and their key there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Row {
    /// Number of the array among the containers of the document.
    pub array: u64,
    /// Hash of the key.
    pub key: u64,
}

/// The ends of the texts before, of the rows read last.
#[derive(Debug, Default)]
pub(super) struct Junction {
    tails: Vec<(Row, String)>,
}

/// Rows that are followed at once: a part has few texts beside its own.
const ROWS: usize = 4;

impl Junction {
    /// What begins in the text before and ends in the one that begins with `head`; spans cover its part of that. Joined
    /// without anything between, as parts are, and with a space, as messages are read.
    pub fn findings(&self, guard: &Guard, row: Option<Row>, head: &str) -> Vec<Finding> {
        let tail = row.and_then(|row| self.tails.iter().find(|(other, _)| *other == row));
        let Some((_, tail)) = tail.filter(|(_, tail)| !tail.is_empty() && !head.is_empty()) else { return Vec::new() };
        let head = &head[..head.floor_char_boundary(CONTEXT)];
        guard.recall(Scan::Junction, [tail, head], || {
            if !guard.scanner.may_cross(tail, head) {
                return Vec::new();
            }
            let mut found = across(&guard.scanner, tail, "", head);
            let spaced = across(&guard.scanner, tail, " ", head).into_iter();
            found.extend(spaced.filter(|finding| !finding.category.is_sensitive()));
            found
        })
    }

    /// Whether there is a text before.
    pub fn has(&self, row: Option<Row>) -> bool {
        self.tails.iter().any(|(other, tail)| Some(*other) == row && !tail.is_empty())
    }

    /// Remembers the end of a text. Short ones add up: a part may be a single word.
    pub fn leave(&mut self, row: Option<Row>, text: &str) {
        let Some(row) = row else { return };
        let known = self.tails.iter().position(|(other, _)| *other == row).map(|index| self.tails.remove(index).1);
        let mut tail = known.unwrap_or_default();
        tail.push_str(&text[text.ceil_char_boundary(text.len().saturating_sub(CONTEXT))..]);
        let surplus = tail.len().saturating_sub(CONTEXT);
        tail.drain(..tail.ceil_char_boundary(surplus));
        if self.tails.len() == ROWS {
            self.tails.remove(0);
        }
        self.tails.push((row, tail));
    }

    /// The text before ended in something masked: what follows is not its continuation.
    pub fn forget(&mut self, row: Option<Row>) {
        self.tails.retain(|(other, _)| Some(*other) != row);
    }
}

/// Published formats and attacks only: digits of neighbouring cells are not one number.
fn across(scanner: &Scanner, tail: &str, between: &str, head: &str) -> Vec<Finding> {
    let joined = [tail, between, head].concat();
    let start = tail.len() + between.len();
    let crosses = |finding: &Finding| finding.span.start < tail.len() && finding.span.end > start;
    let mut findings = Vec::new();
    scanner.scan_by_rules(&joined, Class::Label, &mut findings);
    findings.retain(crosses);
    // What the model says is of both texts, each of which it judges for itself: here it only says how sure a rule is.
    if findings.iter().any(|finding| !finding.category.is_sensitive()) {
        findings.clear();
        scanner.scan(&joined, 0, Class::Label, &mut findings);
        findings.retain(crosses);
    }
    for finding in &mut findings {
        finding.span = Span::new(0, finding.span.end - start);
    }
    findings
}
