//! Makes sensitive findings disjoint without uncovering a byte of a secret. Judges spans and confidence, reads no text.

use std::cmp::Ordering;

use super::{Category, Finding};
use crate::text::Span;

/// Disjoint findings in order. The more confident wins, then the longer, the earlier, a secret before personal data.
/// A losing secret that sticks out widens the winner; it takes the winner's place if that is personal data inside it
/// (an e-mail address within a password).
pub(super) fn resolve(mut candidates: Vec<Finding>) -> Vec<Finding> {
    candidates.sort_by(precedence);
    let mut kept: Vec<Finding> = Vec::new();
    for candidate in candidates {
        place(candidate, &mut kept);
    }
    kept
}

/// Adds what `weaker` findings have outside of `kept`, so that a name the policy may leave alone never takes the place of what
/// it masks. Both are disjoint and in order; so is the result.
pub(super) fn fill(kept: Vec<Finding>, weaker: Vec<Finding>, text: &str) -> Vec<Finding> {
    let mut filled: Vec<Finding> = Vec::with_capacity(kept.len() + weaker.len());
    let mut kept = kept.into_iter().peekable();
    for finding in weaker {
        let mut start = finding.span.start.max(filled.last().map_or(0, |last| last.span.end));
        while let Some(strong) = kept.next_if(|strong| strong.span.start < finding.span.end) {
            filled.extend(piece(&finding, Span::new(start, strong.span.start.max(start)), text));
            start = start.max(strong.span.end);
            filled.push(strong);
        }
        filled.extend(piece(&finding, Span::new(start, finding.span.end.max(start)), text));
    }
    filled.extend(kept);
    filled
}

/// The part of a finding in `span` without its outer spaces and commas; `None` if no letter or digit is in it.
fn piece(finding: &Finding, span: Span, text: &str) -> Option<Finding> {
    let part = text.get(span.start..span.end)?;
    let start = span.start + part.find(char::is_alphanumeric)?;
    let last = part.char_indices().rfind(|(_, c)| c.is_alphanumeric())?;
    Some(Finding { span: Span::new(start, span.start + last.0 + last.1.len_utf8()), ..finding.clone() })
}

/// Inserts into `kept`, which is disjoint and in order.
fn place(candidate: Finding, kept: &mut Vec<Finding>) {
    let first = kept.partition_point(|finding| finding.span.end <= candidate.span.start);
    let last = kept.partition_point(|finding| finding.span.start < candidate.span.end);
    if first >= last {
        kept.insert(first, candidate);
        return;
    }
    let rivals = &kept[first..last];
    let union = rivals.iter().fold(candidate.span, |span, rival| join(span, rival.span));
    let covered = rivals.len() == 1 && union == rivals[0].span;
    if candidate.category != Category::Secret || covered {
        return;
    }
    let personal = rivals.iter().all(|rival| rival.category == Category::Pii) && union == candidate.span;
    let best = rivals.iter().min_by(|a, b| precedence(a, b)).filter(|_| !personal).cloned();
    let winner = Finding { span: union, ..best.unwrap_or(candidate) };
    kept.splice(first..last, [winner]);
}

fn join(a: Span, b: Span) -> Span {
    Span::new(a.start.min(b.start), a.end.max(b.end))
}

fn precedence(a: &Finding, b: &Finding) -> Ordering {
    let secret_first = |finding: &Finding| finding.category as u8;
    b.confidence
        .total_cmp(&a.confidence)
        .then(b.span.len().cmp(&a.span.len()))
        .then(a.span.start.cmp(&b.span.start))
        .then(secret_first(a).cmp(&secret_first(b)))
        .then_with(|| a.rule.cmp(&b.rule))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::Severity;

    fn finding(rule: &str, start: usize, end: usize) -> Finding {
        let (entity, severity) = (rule.into(), Severity::Low);
        Finding {
            rule: rule.into(),
            category: Category::Pii,
            entity,
            severity,
            confidence: 0.5,
            span: Span::new(start, end),
        }
    }

    #[test]
    fn a_name_fills_only_what_stronger_findings_leave() {
        let text = "12 Main St, 90210, Ann a@b.io, end";
        let kept = vec![finding("zip", 12, 17), finding("mail", 23, 29)];
        let weaker = vec![finding("address", 0, 17), finding("person", 19, 29), finding("place", 31, 34)];
        let filled = fill(kept.clone(), weaker, text);
        let found: Vec<_> =
            filled.iter().map(|finding| (&*finding.rule, &text[finding.span.start..finding.span.end])).collect();
        assert_eq!(
            found,
            [("address", "12 Main St"), ("zip", "90210"), ("person", "Ann"), ("mail", "a@b.io"), ("place", "end")]
        );
        assert_eq!(fill(kept.clone(), vec![finding("person", 24, 26)], text), kept);
        assert_eq!(fill(Vec::new(), kept.clone(), text), kept);
    }
}
