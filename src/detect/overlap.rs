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
