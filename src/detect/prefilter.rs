//! Which rules are worth running where: one automaton over all keywords of a view's rules, and the gates. Reports matches, judges none.

use aho_corasick::{AhoCorasick, AhoCorasickKind};
use regex_automata::meta::Regex;
use regex_automata::util::syntax;
use regex_automata::{Input, MatchKind, PatternSet};

use super::compiled::CompiledRule;
use super::gate;
use super::rule::{Gate, RuleProblem, Trigger};
use super::scanner::CONTEXT;
use crate::text::Span;

/// Rules of one view and the automaton over all their keywords.
#[derive(Clone, Debug)]
pub(super) struct Prefilter {
    rules: Vec<CompiledRule>,
    keywords: AhoCorasick,
    /// Rules that want keyword `i`.
    wanted: Vec<Vec<usize>>,
    gated: Vec<Gated>,
}

/// The rules behind one gate, which no keyword tells apart: one pass says which of them match at all.
#[derive(Clone, Debug)]
struct Gated {
    gate: Gate,
    rules: Vec<usize>,
    patterns: Regex,
}

impl Prefilter {
    pub fn new(rules: Vec<CompiledRule>) -> Result<Self, RuleProblem> {
        let mut patterns: Vec<String> = Vec::new();
        let mut wanted: Vec<Vec<usize>> = Vec::new();
        let mut gated: Vec<(Gate, Vec<usize>)> = Vec::new();
        for (index, rule) in rules.iter().enumerate() {
            let keywords = match &rule.rule.trigger {
                Trigger::Keywords(keywords) => keywords,
                Trigger::Gate(gate) => {
                    match gated.iter_mut().find(|(known, _)| known == gate) {
                        Some((_, rules)) => rules.push(index),
                        None => gated.push((*gate, vec![index])),
                    }
                    continue;
                }
            };
            for keyword in keywords.iter().map(|word| rule.fold(word)) {
                let slot = patterns.iter().position(|known| *known == keyword).unwrap_or_else(|| {
                    patterns.push(keyword);
                    wanted.push(Vec::new());
                    patterns.len() - 1
                });
                wanted[slot].push(index);
            }
        }
        let keywords = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .kind(Some(AhoCorasickKind::DFA))
            .build(&patterns)
            .map_err(|error| RuleProblem { rule: "keywords".to_owned(), problem: error.to_string() })?;
        let gated =
            gated.into_iter().map(|(gate, members)| Gated::new(gate, members, &rules)).collect::<Result<_, _>>()?;
        Ok(Prefilter { rules, keywords, wanted, gated })
    }

    /// Calls `found` for every match that starts at or after `from`, of the rules that apply.
    pub fn scan(
        &self,
        text: &str,
        from: usize,
        applies: impl Fn(&CompiledRule) -> bool,
        mut found: impl FnMut(&CompiledRule, Span),
    ) {
        for (index, region) in self.regions(text) {
            let rule = &self.rules[index];
            if region.end > from && applies(rule) {
                rule.matches(text, Span::new(region.start.max(from), region.end), |span| found(rule, span));
            }
        }
    }

    /// Where each rule has to look: disjoint for one rule, so that a rule reads no byte twice.
    fn regions(&self, text: &str) -> Vec<(usize, Span)> {
        let mut regions: Vec<(usize, Span)> = Vec::new();
        let mut latest: Vec<Option<usize>> = vec![None; self.rules.len()];
        let mut add = |rule: usize, region: Span| match latest[rule].map(|at| &mut regions[at].1) {
            Some(last) if last.end >= region.start => last.end = last.end.max(region.end),
            _ => {
                latest[rule] = Some(regions.len());
                regions.push((rule, region));
            }
        };
        for hit in self.keywords.find_overlapping_iter(text) {
            for &rule in &self.wanted[hit.pattern().as_usize()] {
                add(rule, self.rules[rule].region(text, Span::new(hit.start(), hit.end())));
            }
        }
        for gated in &self.gated {
            let mut matching = PatternSet::new(gated.rules.len());
            for region in gate::regions(gated.gate, text) {
                gated.matching(text, region, &mut matching);
                matching.iter().for_each(|member| add(gated.rules[member.as_usize()], region));
            }
        }
        regions
    }
}

impl Gated {
    fn new(gate: Gate, rules: Vec<usize>, all: &[CompiledRule]) -> Result<Self, RuleProblem> {
        let sources: Vec<&str> = rules.iter().map(|&rule| &*all[rule].rule.regex).collect();
        let patterns = Regex::builder()
            .syntax(syntax::Config::new().unicode(false).utf8(false))
            .configure(Regex::config().match_kind(MatchKind::All).utf8_empty(false).hybrid_cache_capacity(CACHE))
            .build_many(&sources)
            .map_err(|error| RuleProblem { rule: format!("rules behind {gate:?}"), problem: error.to_string() })?;
        Ok(Gated { gate, rules, patterns })
    }

    /// The members that match somewhere in `region`.
    fn matching(&self, text: &str, region: Span, found: &mut PatternSet) {
        found.clear();
        let input = Input::new(&text.as_bytes()[..region.end]).range(region.start..);
        self.patterns.which_overlapping_matches(&input, found);
    }
}

/// States of the lazily built automaton over the patterns behind a gate, in bytes a thread.
const CACHE: usize = 16 << 20;

impl CompiledRule {
    /// The stretch around a keyword in which a match may lie. What is said to a model is within a few lines; a secret as
    /// far as its pattern can reach.
    fn region(&self, text: &str, keyword: Span) -> Span {
        let (before, behind) =
            if self.rule.category.is_sensitive() { (CONTEXT, self.reach) } else { (BEFORE, Some(REACH)) };
        let end = behind.map_or(text.len(), |reach| text.ceil_char_boundary(keyword.end + reach + SLACK));
        Span::new(text.floor_char_boundary(keyword.start.saturating_sub(before)), end)
    }
}

/// How far before its keyword the match of an attack rule may start, and how far behind it it may end.
const BEFORE: usize = 128;
const REACH: usize = 256;
/// What a sensitive match may read beyond what its pattern needs: a word boundary, the separators after it.
const SLACK: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::RuleSet;

    #[test]
    fn each_rule_reads_a_text_of_nothing_but_keywords_once() {
        let rules = RuleSet::builtin().expect("the shipped rules parse");
        let compiled = rules.rules().iter().map(|rule| CompiledRule::new(rule).expect("compiles")).collect();
        let prefilter = Prefilter::new(compiled).expect("compiles");
        for keyword in ["ignore ", "password=", "write a token key ", "@1234567 "] {
            let text = keyword.repeat(4096);
            let mut read = vec![0; prefilter.rules.len()];
            for (rule, region) in prefilter.regions(&text) {
                read[rule] += region.len();
            }
            assert!(read.iter().all(|bytes| *bytes <= text.len()), "{keyword}");
        }
    }
}
