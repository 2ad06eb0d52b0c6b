//! Which rules are worth running where: one automaton over all keywords of a view's rules, and the gates. Reports matches, judges none.

use aho_corasick::{AhoCorasick, AhoCorasickKind};

use super::compiled::CompiledRule;
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
    gated: Vec<(Gate, usize)>,
}

impl Prefilter {
    pub fn new(rules: Vec<CompiledRule>) -> Result<Self, RuleProblem> {
        let mut patterns: Vec<String> = Vec::new();
        let mut wanted: Vec<Vec<usize>> = Vec::new();
        let mut gated = Vec::new();
        for (index, rule) in rules.iter().enumerate() {
            let keywords = match &rule.rule.trigger {
                Trigger::Keywords(keywords) => keywords,
                Trigger::Gate(gate) => {
                    gated.push((*gate, index));
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
                rule.matches(&text[..region.end], region.start.max(from), |span| found(rule, span));
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
        let mut gates = Gates::new(text);
        for &(gate, rule) in &self.gated {
            if gates.open(gate) {
                add(rule, Span::new(0, text.len()));
            }
        }
        regions
    }
}

impl CompiledRule {
    /// The stretch around a keyword in which a match may lie. Tokens may be long; what is said to a model is within a few lines.
    fn region(&self, text: &str, keyword: Span) -> Span {
        let start = text.floor_char_boundary(keyword.start.saturating_sub(CONTEXT));
        let sensitive = self.rule.category.is_sensitive();
        let end = if sensitive { text.len() } else { text.ceil_char_boundary(keyword.end + REACH) };
        Span::new(start, end)
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

/// How far behind its keyword the match of an attack rule may end.
const REACH: usize = 512;

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
