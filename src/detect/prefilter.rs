//! Which rules are worth running where: one automaton over all keywords of a view's rules, and the gates. Reports matches, judges none.

use std::collections::HashMap;

use regex_automata::meta::Regex;
use regex_automata::util::syntax;
use regex_automata::{Input, MatchKind, PatternSet};

use super::compiled::CompiledRule;
use super::gate;
use super::literals::Finder;
use super::marks::{self, Marks};
use super::near::{self, Seen, Sight};
use super::need::{self, Literals};
use super::rule::{Gate, RuleProblem, Trigger};
use super::scanner::CONTEXT;
use crate::text::Span;
use crate::text::words::Word;

/// Rules of one view and the automaton over all their keywords.
#[derive(Clone, Debug)]
pub(super) struct Prefilter {
    rules: Vec<CompiledRule>,
    /// What each rule needs, as marks, and whether it stands near the keyword.
    needs: Vec<Needs>,
    literals: Finder,
    /// What literal `i` is good for.
    uses: Vec<Use>,
    /// Marks of long tokens and of runs of digits, and how long those are.
    tokens: Vec<(usize, u16)>,
    digits: Vec<(usize, u16)>,
    marks: usize,
    gated: Vec<Gated>,
}

#[derive(Clone, Debug, Default)]
struct Needs {
    marks: Vec<u16>,
    near: bool,
}

/// One literal may be a keyword of some rules and in sets that others need.
#[derive(Clone, Debug, Default)]
struct Use {
    wanted: Vec<u32>,
    marks: Vec<u16>,
}

/// Behind which gate a rule stands, and what else it asks for. Rules that are alike in that are looked for together.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Behind {
    gate: Gate,
    /// The words around a match have to say that it is one. A pattern that leaves it to them matches most of what opens the
    /// gate: no pass could say that nothing does.
    near: bool,
    /// It has marks that keep it from most of what opens the gate.
    needs: bool,
}

/// The rules behind one gate, which no keyword tells apart: one pass says which of them match at all.
#[derive(Clone, Debug)]
struct Gated {
    gate: Gate,
    near: bool,
    rules: Vec<usize>,
    patterns: Regex,
}

impl Prefilter {
    pub fn new(rules: Vec<CompiledRule>) -> Result<Self, RuleProblem> {
        let mut gated: Vec<(Behind, Vec<usize>)> = Vec::new();
        let mut table = Table::default();
        let mut needs = Vec::new();
        for (index, rule) in rules.iter().enumerate() {
            needs.push(match &rule.rule.trigger {
                Trigger::Keywords(keywords) => table.keywords(index, rule, keywords),
                Trigger::Gate(gate) => {
                    let mut marks = table.pattern(rule);
                    let near = rule.rule.near.is_some();
                    let needs = !marks.is_empty() && !near;
                    marks.extend(table.words_around(rule));
                    let behind = Behind { gate: *gate, near, needs };
                    match gated.iter_mut().find(|(known, _)| *known == behind) {
                        Some((_, rules)) => rules.push(index),
                        None => gated.push((behind, vec![index])),
                    }
                    Needs { marks, near: true }
                }
            });
        }
        gated.sort_by_key(|(behind, _)| behind.gate as u8);
        let gated =
            gated.into_iter().map(|(behind, members)| Gated::new(behind, members, &rules)).collect::<Result<_, _>>()?;
        let marks = usize::from(table.marks);
        let literals = Finder::new(&table.literals);

        let Table { uses, tokens, digits, .. } = table;
        Ok(Prefilter { rules, needs, literals, uses, tokens, digits, marks, gated })
    }

    /// Calls `found` for every match that starts at or after `from`, of the rules that apply. The words are known of a folded text.
    pub fn scan(
        &self,
        (text, words): (&str, Option<&[Word]>),
        from: usize,
        sight: Sight,
        applies: impl Fn(&CompiledRule) -> bool,
        mut found: impl FnMut(&CompiledRule, Span),
    ) {
        let mut seen = Seen::new(sight);
        let regions = self.regions((text, words), &mut seen, applies);
        if regions.is_empty() {
            return;
        }
        // Up to where each region was read.
        let mut reached: Vec<usize> = Vec::with_capacity(regions.len());
        for Region { rule, span, goes_on, before } in regions {
            let before = before.and_then(|before| reached.get(before)).copied().unwrap_or(0);
            let start = span.start.max(if goes_on { from.max(before) } else { from });
            reached.push(if span.end > start.max(from) {
                self.rules[rule]
                    .matches(text, Span::new(start, span.end), &mut seen, |span| found(&self.rules[rule], span))
            } else {
                before
            });
        }
    }

    /// Where each rule has to look: disjoint for one rule, so that a rule reads no byte twice.
    fn regions(
        &self,
        (text, words): (&str, Option<&[Word]>),
        seen: &mut Seen,
        applies: impl Fn(&CompiledRule) -> bool,
    ) -> Vec<Region> {
        let mut regions = Regions::default();
        let mut marks = Marks::new(self.marks, text.len());
        let digits = if self.gated.is_empty() && self.digits.is_empty() { Vec::new() } else { gate::digits(text) };
        let keywords = self.mark(text, words, &digits, &mut marks);
        for Keyword { literal, start, end } in keywords {
            let keyword = Span::new(start as usize, end as usize);
            for &rule in &self.uses[literal as usize].wanted {
                let (needs, rule) = (&self.needs[rule as usize], rule as usize);
                if self.rules[rule].whole_words && is_inside(text, keyword.start) {
                    continue;
                }
                if marks.hold(&needs.marks, needs.near.then_some(keyword.start)) && applies(&self.rules[rule]) {
                    let since = keyword.start.saturating_sub(self.rules[rule].context());
                    regions.add(rule, self.rules[rule].region(text, keyword), since);
                }
            }
        }
        self.behind_gates((text, &digits), &mut marks, seen, applies, &mut regions);
        regions.found
    }

    fn behind_gates(
        &self,
        (text, digits): (&str, &[Span]),
        marks: &mut Marks,
        seen: &mut Seen,
        applies: impl Fn(&CompiledRule) -> bool,
        regions: &mut Regions,
    ) {
        let mut open: Option<(Gate, Vec<Span>)> = None;
        let mut holding = Vec::new();
        for gated in &self.gated {
            let row = marks.anywhere();
            let may_hold = |rule: &usize| marks::has(row, &self.needs[*rule].marks) && applies(&self.rules[*rule]);
            if !gated.rules.iter().any(may_hold) {
                continue;
            }
            let mut matching = None;
            let known = open.take().filter(|(gate, _)| *gate == gated.gate);
            let (_, places) =
                open.insert(known.unwrap_or_else(|| (gated.gate, gate::regions(gated.gate, text, digits))));
            for region in places.iter().copied() {
                let row = if region.len() <= marks::BEHIND / 2 { marks.near(region.start) } else { marks.anywhere() };
                holding.clear();
                holding.extend(gated.rules.iter().copied().filter(|&index| {
                    let rule = &self.rules[index];
                    let near = rule.rule.near.filter(|_| gated.gate == Gate::Token);
                    marks::has(row, &self.needs[index].marks)
                        && applies(rule)
                        && near.is_none_or(|near| near.may_accept(text, region, seen))
                }));
                if holding.is_empty() || !gated.near && !gated.matches(text, region) {
                    continue;
                }
                if holding.len() * (region.len() + EACH) <= ALL * region.len() {
                    holding.iter().for_each(|rule| regions.add(*rule, region, region.start));
                    continue;
                }
                let matching = matching.get_or_insert_with(|| PatternSet::new(gated.rules.len()));
                gated.matching(text, region, matching);
                let members = matching.iter().map(|member| gated.rules[member.as_usize()]);
                members.filter(|rule| holding.contains(rule)).for_each(|rule| regions.add(rule, region, region.start));
            }
        }
    }

    /// Marks what rules need where it stands, and returns the keywords.
    fn mark(&self, text: &str, words: Option<&[Word]>, digits: &[Span], marks: &mut Marks) -> Vec<Keyword> {
        let mut keywords = Vec::with_capacity(FEW);
        let note = |literal: usize, place: Span| {
            let used = &self.uses[literal];
            used.marks.iter().for_each(|mark| marks.set(*mark, place.end));
            if !used.wanted.is_empty() {
                keywords.push(Keyword { literal: literal as u32, start: place.start as u32, end: place.end as u32 });
            }
        };
        match words {
            Some(words) => self.literals.find_among(words, text, note),
            None => self.literals.find(text, note),
        }
        keywords.sort_unstable_by_key(|keyword| keyword.start);
        let shortest = self.tokens.iter().map(|(length, _)| *length).min();
        if let Some(shortest) = shortest.filter(|_| !keywords.is_empty() || !digits.is_empty()) {
            marks.set_long(&marks::tokens(text, shortest), &self.tokens);
        }
        marks.set_long(digits, &self.digits);
        keywords
    }
}

/// The byte before goes on as a word.
fn is_inside(text: &str, at: usize) -> bool {
    let before = at.checked_sub(1).and_then(|before| text.as_bytes().get(before));
    before.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
}

/// A literal that was found, in few bytes: a hostile text has one at every byte.
struct Keyword {
    literal: u32,
    start: u32,
    end: u32,
}

/// Where a rule looks.
struct Region {
    rule: usize,
    span: Span,
    /// It is looked at as if it were one with the rule's region before: not inside a match that began there.
    goes_on: bool,
    /// Number of the rule's region before.
    before: Option<usize>,
}

/// Keywords of a short text.
const FEW: usize = 32;

#[derive(Default)]
struct Regions {
    found: Vec<Region>,
    /// The last region of each rule up to the last that has one: its index and one, or zero. Empty while there are few.
    latest: Vec<u32>,
}

impl Regions {
    /// Adds where a rule looks, which is one with all that reaches to `since`.
    fn add(&mut self, rule: usize, span: Span, since: usize) {
        let before = self.last(rule);
        let last = before.and_then(|before| self.found.get_mut(before)).map(|region| &mut region.span);
        let goes_on = last.as_ref().is_some_and(|last| last.end >= since.min(span.start));
        match last.filter(|last| last.end >= span.start) {
            Some(last) => last.end = last.end.max(span.end),
            None => {
                self.found.push(Region { rule, span, goes_on, before });
                if self.found.len() >= LOOKED_THROUGH {
                    self.note();
                }
            }
        }
    }

    /// The number of the rule's last region.
    fn last(&self, rule: usize) -> Option<usize> {
        if self.found.len() < LOOKED_THROUGH {
            return self.found.iter().rposition(|region| region.rule == rule);
        }
        (*self.latest.get(rule)? as usize).checked_sub(1)
    }

    /// Notes the regions that are new.
    fn note(&mut self) {
        let from = if self.latest.is_empty() { 0 } else { self.found.len() - 1 };
        for (number, region) in self.found.iter().enumerate().skip(from) {
            if self.latest.len() <= region.rule {
                self.latest.resize(region.rule + 1, 0);
            }
            self.latest[region.rule] = number as u32 + 1;
        }
    }
}

/// Regions that are looked through for the last of a rule.
const LOOKED_THROUGH: usize = 16;

/// The literals of all rules, each once, while the rules are read.
#[derive(Default)]
struct Table {
    literals: Vec<Vec<u8>>,
    uses: Vec<Use>,
    known: HashMap<Vec<u8>, usize>,
    sets: HashMap<Literals, u16>,
    tokens: Vec<(usize, u16)>,
    digits: Vec<(usize, u16)>,
    /// How many there are.
    marks: u16,
}

impl Table {
    fn keywords(&mut self, index: usize, rule: &CompiledRule, keywords: &[String]) -> Needs {
        let keywords: Vec<Vec<u8>> = keywords.iter().map(|word| rule.rule.view.keyword(word).into_bytes()).collect();
        for keyword in &keywords {
            let slot = self.slot(keyword);
            self.uses[slot].wanted.push(index as u32);
        }
        let needs = need::of(&rule.rule.regex);
        let mut marks = Vec::new();
        for set in needs.literals {
            if need::rate(&set) < WORTH * need::rate(&keywords)
                || !set.iter().all(|literal| implied(literal, &keywords))
            {
                marks.extend(self.set(set));
            }
        }
        marks.extend(self.run(needs.token, TOKENS, |table| &mut table.tokens));
        marks.extend(self.run(needs.digits, DIGITS, |table| &mut table.digits));
        marks.extend(self.words_around(rule));
        let around = if rule.rule.near.is_some() { near::AROUND } else { 0 };
        let longest = keywords.iter().map(Vec::len).max().unwrap_or(0) + around + SLACK;
        let near = rule
            .reach()
            .is_some_and(|(before, behind)| before + around <= marks::BEFORE && longest + behind < marks::BEHIND);
        Needs { marks, near }
    }

    /// The marks of what every match behind a gate has: a rare word or a long token.
    fn pattern(&mut self, rule: &CompiledRule) -> Vec<u16> {
        let needs = need::of(&rule.rule.regex);
        let mut marks: Vec<u16> = needs.literals.into_iter().filter_map(|set| self.set(set)).collect();
        marks.extend(self.run(needs.token, TOKENS, |table| &mut table.tokens));
        marks
    }

    /// The mark of the words that the rule wants around its match.
    fn words_around(&mut self, rule: &CompiledRule) -> Option<u16> {
        let mut words = rule.rule.near?.words();
        words.sort_unstable();
        if words.is_empty() { None } else { self.set(words) }
    }

    fn slot(&mut self, literal: &[u8]) -> usize {
        if let Some(slot) = self.known.get(literal) {
            return *slot;
        }
        self.known.insert(literal.to_vec(), self.literals.len());
        self.literals.push(literal.to_vec());
        self.uses.push(Use::default());
        self.literals.len() - 1
    }

    /// The mark of a set of literals, or none if there are too many.
    fn set(&mut self, set: Literals) -> Option<u16> {
        if let Some(mark) = self.sets.get(&set) {
            return Some(*mark);
        }
        let mark = self.next()?;
        for literal in &set {
            let slot = self.slot(literal);
            self.uses[slot].marks.push(mark);
        }
        self.sets.insert(set, mark);
        Some(mark)
    }

    /// The mark of the runs that are as long as needed, or as the next shorter of `lengths`.
    fn run(&mut self, needed: usize, lengths: &[usize], runs: fn(&mut Self) -> &mut Vec<(usize, u16)>) -> Option<u16> {
        let length = *lengths.iter().rev().find(|length| **length <= needed)?;
        if let Some((_, mark)) = runs(self).iter().find(|(known, _)| *known == length) {
            return Some(*mark);
        }
        let mark = self.next()?;
        runs(self).push((length, mark));
        Some(mark)
    }

    fn next(&mut self) -> Option<u16> {
        let mark = self.marks;
        self.marks = mark.checked_add(1)?;
        Some(mark)
    }
}

fn implied(literal: &[u8], keywords: &[Vec<u8>]) -> bool {
    keywords.iter().any(|keyword| literal.windows(keyword.len()).any(|window| window == keyword))
}

/// How much rarer than the keywords a set has to be to be looked for beside them.
const WORTH: f64 = 0.3;
/// Lengths of tokens that are told apart.
const TOKENS: &[usize] = &[14, 16, 20, 24, 32, 40];
/// Lengths of runs of digits that are.
const DIGITS: &[usize] = &[1, 2, 3, 4, 6, 8];

impl Gated {
    fn new(Behind { gate, near, .. }: Behind, rules: Vec<usize>, all: &[CompiledRule]) -> Result<Self, RuleProblem> {
        let sources: Vec<&str> = rules.iter().map(|&rule| &*all[rule].rule.regex).collect();
        let patterns = Regex::builder()
            .syntax(syntax::Config::new().unicode(false).utf8(false))
            .configure(Regex::config().match_kind(MatchKind::All).utf8_empty(false).hybrid_cache_capacity(CACHE))
            .build_many(&sources)
            .map_err(|error| RuleProblem { rule: format!("rules behind {gate:?}"), problem: error.to_string() })?;
        Ok(Gated { gate, near, rules, patterns })
    }

    /// Whether a member matches somewhere in `region`: told in a fraction of the time it takes to tell which do.
    fn matches(&self, text: &str, region: Span) -> bool {
        self.patterns.is_match(Input::new(&text.as_bytes()[..region.end]).range(region.start..))
    }

    /// The members that match somewhere in `region`.
    fn matching(&self, text: &str, region: Span, found: &mut PatternSet) {
        found.clear();
        let input = Input::new(&text.as_bytes()[..region.end]).range(region.start..);
        self.patterns.which_overlapping_matches(&input, found);
    }
}

/// To ask all patterns behind a gate which of them match takes this many times as long as to try one, which takes as long
/// as reading this many bytes before it begins.
const ALL: usize = 8;
const EACH: usize = 40;
/// States of the lazily built automaton over the patterns behind a gate, in bytes a thread.
const CACHE: usize = 16 << 20;

impl CompiledRule {
    /// The stretch around a keyword in which a match may lie. What is said to a model is within a few lines; a secret as
    /// far as its pattern can reach.
    fn region(&self, text: &str, keyword: Span) -> Span {
        let (before, end) = match self.reach() {
            Some((before, behind)) => (before, text.ceil_char_boundary(keyword.end + behind + SLACK)),
            None => (self.lead, text.len()),
        };
        Span::new(text.floor_char_boundary(keyword.start.saturating_sub(before)), end)
    }

    /// How far before the keyword a match of any pattern may begin.
    fn context(&self) -> usize {
        if self.rule.category.is_sensitive() { CONTEXT } else { BEFORE }
    }

    /// How far before and behind the keyword.
    fn reach(&self) -> Option<(usize, usize)> {
        let sensitive = self.rule.category.is_sensitive();
        if sensitive { Some((self.lead, self.reach?)) } else { Some((self.lead.min(BEFORE), REACH)) }
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
    fn a_region_close_behind_another_goes_on_from_it() {
        let mut regions = Regions::default();
        for (span, since) in [((0, 100), 0), ((90, 150), 0), ((200, 300), 140), ((400, 500), 390)] {
            regions.add(0, Span::new(span.0, span.1), since);
        }
        let found: Vec<_> =
            regions.found.iter().map(|region| (region.span.start, region.span.end, region.goes_on)).collect();
        assert_eq!(found, [(0, 150, false), (200, 300, true), (400, 500, false)]);
    }

    #[test]
    fn a_region_is_joined_to_the_last_of_its_rule_among_few_and_among_many() {
        for rules in [3, 4 * LOOKED_THROUGH] {
            let mut regions = Regions::default();
            for start in [0, 50, 200] {
                (0..rules).for_each(|rule| regions.add(rule, Span::new(start, start + 100), start));
            }
            let found: Vec<_> = regions
                .found
                .iter()
                .map(|region| (region.rule, region.span.start, region.span.end, region.before))
                .collect();
            let first = (0..rules).map(|rule| (rule, 0, 150, None));
            let second = (0..rules).map(|rule| (rule, 200, 300, Some(rule)));
            assert_eq!(found, first.chain(second).collect::<Vec<_>>());
        }
    }

    #[test]
    fn each_rule_reads_a_text_of_nothing_but_keywords_once() {
        let rules = RuleSet::builtin().expect("the shipped rules parse");
        let compiled = rules.rules().iter().map(|rule| CompiledRule::new(rule).expect("compiles")).collect();
        let prefilter = Prefilter::new(compiled).expect("compiles");
        for keyword in ["ignore ", "password=", "write a token key ", "@1234567 "] {
            let text = keyword.repeat(4096);
            let mut read = vec![0; prefilter.rules.len()];
            for region in prefilter.regions((&text, None), &mut Seen::default(), |_| true) {
                read[region.rule] += region.span.len();
            }
            assert!(read.iter().all(|bytes| *bytes <= text.len()), "{keyword}");
        }
    }
}
