//! Two neighbouring texts read as one: whether anything may begin in the first and end in the second, told in a fraction of the
//! time it takes to scan both joins. Says nothing of what it is.

use super::{Class, Scan, Scanner, applies};
use crate::detect::Finding;
use crate::detect::compiled::CompiledRule;
use crate::detect::prefilter::Prefilter;
use crate::detect::reach::{self, Unbroken};
use crate::detect::rule::RuleProblem;
use crate::text::Span;

/// Which rules for labels can find what across a cut.
#[derive(Clone, Debug)]
pub(super) struct Across {
    /// Those whose finding may have white space in it.
    broken: Prefilter,
    /// What the others find, each kind once, the shortest first.
    unbroken: Vec<Unbroken>,
}

impl Across {
    /// `rules` are all over the text as it stands.
    pub fn new(rules: &[CompiledRule]) -> Result<Self, RuleProblem> {
        let (mut broken, mut unbroken): (Vec<_>, Vec<Unbroken>) = (Vec::new(), Vec::new());
        for rule in rules.iter().filter(|rule| applies(rule, Class::Label)) {
            let Some(found) = reach::unbroken(&rule.rule.regex).filter(|_| rule.rule.category.is_sensitive()) else {
                broken.push(rule.clone());
                continue;
            };
            match unbroken.iter_mut().find(|known| (known.bytes, known.at) == (found.bytes, found.at)) {
                Some(known) => known.shortest = known.shortest.min(found.shortest),
                None => unbroken.push(found),
            }
        }
        unbroken.sort_by_key(|found| found.shortest);
        Ok(Across { broken: Prefilter::new(broken)?, unbroken })
    }

    pub fn broken(&self) -> &Prefilter {
        &self.broken
    }

    /// Whether what stands around the cut could be a finding without white space, or part of one.
    fn may_cut(&self, tail: &str, head: &str) -> bool {
        let whole = |byte: &u8| !byte.is_ascii_whitespace();
        let length = tail.bytes().rev().take_while(whole).count() + head.bytes().take_while(whole).count();
        self.unbroken.iter().take_while(|found| found.shortest <= length).any(|found| {
            let inside = |byte: &u8| found.bytes[usize::from(*byte)];
            let before = tail.bytes().rev().take_while(inside).count();
            let behind = if before > 0 { head.bytes().take_while(inside).count() } else { 0 };
            let around = || tail.bytes().rev().take(before).chain(head.bytes().take(behind));
            behind > 0 && before + behind >= found.shortest && (!found.at || around().any(|byte| byte == b'@'))
        })
    }
}

impl Scanner {
    /// Whether published formats and attacks have to be looked for across the cut between `tail` and `head`, joined without
    /// anything between or with a space.
    pub fn may_cross(&self, tail: &str, head: &str) -> bool {
        let broken = !self.across.may_cut(tail, head);
        self.crosses(tail, "", head, broken) || (!is_gap(tail, head) && self.crosses(tail, " ", head, true))
    }

    fn crosses(&self, tail: &str, between: &str, head: &str, broken: bool) -> bool {
        let joined = [tail, between, head].concat();
        let cut = Span::new(tail.len(), tail.len() + between.len());
        let scan = Scan { judges: false, broken, ..Scan::new(self, Class::Label, 0) };
        let crosses = |finding: &Finding| finding.span.start < cut.start && finding.span.end > cut.end;
        self.read(&joined, scan).found.iter().any(crosses)
    }
}

/// Whether words end at the cut as it is: a space would change nothing in them. Where a sentence ends with the first text it
/// would say so; what is found in the one reading and not in the other is no whole sentence.
fn is_gap(tail: &str, head: &str) -> bool {
    let ends = |last: char| last.is_ascii_whitespace() || ".,:;?)]}。，：；？！、".contains(last);
    tail.ends_with(ends) || head.starts_with(|first: char| first.is_ascii_whitespace())
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use proptest::prelude::*;

    use super::*;
    use crate::detect::RuleSet;

    static RULES: LazyLock<RuleSet> = LazyLock::new(|| RuleSet::builtin().expect("the shipped rules parse"));
    static SCANNER: LazyLock<Scanner> = LazyLock::new(|| Scanner::compile(&RULES).expect("and compile"));

    /// What all rules for labels find across the cut in both joins.
    fn plainly(tail: &str, head: &str) -> Vec<String> {
        let joins = ["", " "].map(|between| {
            let (joined, start) = ([tail, between, head].concat(), tail.len() + between.len());
            let mut found = Vec::new();
            SCANNER.scan_by_rules(&joined, Class::Label, &mut found);
            found.retain(|finding| finding.span.start < tail.len() && finding.span.end > start);
            found.retain(|finding| between.is_empty() || !finding.category.is_sensitive());
            found
        });
        joins.concat().into_iter().map(|finding| finding.rule.to_string()).collect()
    }

    /// The examples of all rules that are looked for across a cut.
    fn examples() -> impl Strategy<Value = &'static str> {
        let label = |rule: &&crate::detect::Rule| rule.published || !rule.category.is_sensitive();
        let rules = RULES.rules().iter().filter(label);
        let examples: Vec<&str> = rules.flat_map(|rule| rule.examples.iter().map(String::as_str)).collect();
        prop::sample::select(examples)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn what_the_rules_find_across_a_cut_is_not_passed_over(
            before in prop::sample::select(vec!["", "Hello. ", "My café, ", "{\"a\": \"", "x\\n "]),
            example in examples(),
            behind in prop::sample::select(vec!["", " and so on", ".", "\n\nThanks!"]),
            cut in any::<prop::sample::Index>(),
            trimmed in any::<bool>(),
        ) {
            let text = [before, example, behind].concat();
            let (tail, head) = text.split_at(text.floor_char_boundary(before.len() + cut.index(example.len().max(1))));
            let (tail, head) = if trimmed { (tail.trim_end(), head.trim_start()) } else { (tail, head) };
            let found = plainly(tail, head);
            prop_assert!(found.is_empty() || SCANNER.may_cross(tail, head), "{:?} in {} | {}", found, tail, head);
        }
    }

    #[test]
    fn words_end_at_a_sign_and_go_on_elsewhere() {
        for (tail, head, gap) in [
            ("the end.", "Next", true),
            ("the ", "rules", true),
            ("the", " rules", true),
            ("the", "rules", false),
            ("ign", "ore", false),
            ("i.g.n.", "o.r.e", true),
            ("'ignore", "' + 'all", false),
        ] {
            assert_eq!(is_gap(tail, head), gap, "{tail} | {head}");
        }
    }

    #[test]
    fn a_token_is_looked_for_only_where_one_may_be_cut() {
        for (tail, head, may) in [
            ("It is in main.", "What is", false),
            ("It is ghp_aB3dE5fG7hI9jK1l", "M3nO5pQ7rS9tU1vW3xY5 now", true),
            ("write to jo@", "x.io", true),
            ("aaaaaaaaaaaaaaaaaaaaaaaaaaa ", "b", false),
            ("\"ghp_aB3dE5fG7hI9jK1l\"}", "M3nO5pQ7rS9tU1vW3xY5", false),
        ] {
            assert_eq!(SCANNER.across.may_cut(tail, head), may, "{tail} | {head}");
        }
    }
}
