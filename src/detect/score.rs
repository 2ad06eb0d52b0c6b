//! Findings to one score a category. Knows no thresholds.

use super::{Category, Finding};

/// The highest confidence of each category, in the order of `Category::ALL`.
pub fn scores(findings: &[Finding]) -> [f32; 6] {
    let mut scores = [0.0f32; 6];
    for finding in findings {
        let score = &mut scores[finding.category as usize];
        *score = score.max(finding.confidence);
    }
    scores
}

/// Noisy-or over the distinct rules of each category: independent hints add up, repetition does not. At most 0.99, since no
/// rule is proof.
pub(super) fn added_up(findings: &[Finding]) -> [f32; 6] {
    let mut seen: Vec<&Finding> = findings.iter().collect();
    seen.sort_by(|a, b| a.rule.cmp(&b.rule));
    seen.dedup_by(|a, b| a.rule == b.rule);
    Category::ALL.map(|category| {
        let of_category = seen.iter().filter(|finding| finding.category == category);
        let innocent: f32 = of_category.map(|finding| 1.0 - finding.confidence).product();
        (1.0 - innocent).min(HIGHEST)
    })
}

const HIGHEST: f32 = 0.99;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::Severity;
    use crate::text::Span;

    fn finding(rule: &str, category: Category, confidence: f32) -> Finding {
        let (entity, severity) = (category.name().into(), Severity::Low);
        Finding { rule: rule.into(), category, entity, severity, confidence, span: Span::new(0, 1) }
    }

    #[test]
    fn distinct_rules_add_up_and_repetition_does_not() {
        let weak = |rule| finding(rule, Category::Injection, 0.5);
        let sure = finding("c", Category::Jailbreak, 1.0);
        let findings = [weak("a"), weak("b"), weak("a"), sure];
        assert_eq!(scores(&findings), [0.0, 0.0, 0.5, 1.0, 0.0, 0.0]);
        assert_eq!(added_up(&findings), [0.0, 0.0, 0.75, 0.99, 0.0, 0.0]);
    }
}
