//! One rule ready to run: pattern, then validator, entropy and allowlist. Knows no views and no other rules.

use std::sync::OnceLock;

use regex::bytes::{Regex, RegexBuilder};
use regex_automata::util::primitives::PatternID;
use regex_automata::{Anchored, Input, Match, meta};

use super::Category;
use super::enclosed::Enclosed;
use super::gate;
use super::near::{Seen, Sight};
use super::negation;
use super::reach;
use super::rule::{Rule, RuleProblem, Trigger};
use super::scanner::CONTEXT;
use crate::text::{Span, entropy};

/// A pattern, made when it is first wanted: there are hundreds, most of them never met with by one gateway. All of them take
/// twenty megabytes, and one of them about a millisecond.
type Pattern = OnceLock<Option<meta::Regex>>;

/// A `Rule` with its patterns compiled.
#[derive(Clone, Debug)]
pub(super) struct CompiledRule {
    pub rule: Rule,
    pattern: Pattern,
    secret: Option<usize>,
    /// For each pattern how much of a match stands before and behind its secret, if that is always the same.
    margins: Vec<(usize, usize)>,
    /// Where the secret stands in a match, if not always at the same place.
    enclosed: Option<Enclosed>,
    not: Option<usize>,
    /// The first pattern is the negated one, the other has no group `not`.
    split: bool,
    allow: Vec<Regex>,
    unless: Vec<Regex>,
    /// How many bytes behind its keyword a match is sure to be recognised, if the pattern has such a limit.
    pub reach: Option<usize>,
    /// How many bytes before its keyword a match may begin.
    pub lead: usize,
    /// Keywords inside words are none of its.
    pub whole_words: bool,
}

impl CompiledRule {
    pub fn new(rule: &Rule) -> Result<Self, RuleProblem> {
        let compile = |key: &str, source: &str| {
            let problem = |error| RuleProblem { rule: rule.id.to_string(), problem: format!("{key}: {error}") };
            build(source).map_err(problem)
        };
        let all = |key: &str, sources: &[String]| -> Result<Vec<Regex>, RuleProblem> {
            sources.iter().enumerate().map(|(at, source)| compile(&format!("{key}[{at}]"), source)).collect()
        };
        let Search { pattern, margins, enclosed, split } = search(&rule.regex)
            .map_err(|problem| RuleProblem { rule: rule.id.to_string(), problem: format!("regex: {problem}") })?;
        let group = |wanted| pattern.group_info().to_index(PatternID::ZERO, wanted);
        let (secret, not) = (group("secret"), group("not"));
        let (allow, unless) = (all("allow", &rule.allow)?, all("unless", &rule.unless)?);
        let margins = match (secret, not) {
            (None, Some(_)) if split => vec![(0, 0); 2],
            (_, Some(_)) => Vec::new(),
            (None, None) => vec![(0, 0)],
            (Some(_), None) => margins,
        };
        let reach = reach::of(&rule.regex);
        let (lead, whole_words) = (lead(rule), whole_words(rule));
        let pattern = Pattern::new();
        let rule = rule.clone();
        Ok(CompiledRule {
            rule,
            pattern,
            secret,
            margins,
            enclosed,
            not,
            split,
            allow,
            unless,
            reach,
            lead,
            whole_words,
        })
    }

    /// The rule with more patterns over the span that make it no finding.
    pub fn letting_pass(mut self, patterns: Vec<Regex>) -> Self {
        self.allow.extend(patterns);
        self
    }

    /// Calls `found` with the span of every match that starts in `region`. Where it ends, the text
    /// behind the region says, and where to look for the next one is returned. `seen` is of this text.
    pub fn matches(&self, text: &str, region: Span, seen: &mut Seen, mut found: impl FnMut(Span)) -> usize {
        let bytes = &text.as_bytes()[..region.end];
        let mut at = region.start;
        let Some(pattern) = self.pattern() else { return at };
        while at <= bytes.len() {
            let Some(whole) = pattern.search(&Input::new(bytes).range(at..)) else { return at };
            let (whole, span) = self.judge(text, whole, region.end, seen);
            if let Judged::Finding(span) = span
                && (seen.sight == Sight::Both || self.opens(text, Span::new(span.start, whole.end.max(span.end))))
            {
                found(span);
            }
            at = match span {
                Judged::Negated => whole.end.max(whole.start + 1),
                Judged::Finding(_) => resume(text.as_bytes(), whole, true),
                Judged::Refused => resume(text.as_bytes(), whole, false),
            };
        }
        at
    }

    /// `None` for a pattern that does not compile, which those of a rule that was made do.
    fn pattern(&self) -> Option<&meta::Regex> {
        self.pattern.get_or_init(|| search(&self.rule.regex).ok().map(|search| search.pattern)).as_ref()
    }

    /// Whether the rule would be asked about this match if the text ended with it: what follows may not bring it up.
    fn opens(&self, text: &str, found: Span) -> bool {
        let before = text.floor_char_boundary(found.start.saturating_sub(CONTEXT));
        let end = text.ceil_char_boundary(found.end);
        match &self.rule.trigger {
            Trigger::Gate(gate) => gate::opens(*gate, text, Span::new(found.start, end)),
            Trigger::Keywords(keywords) => {
                let near = text[before..end].to_ascii_lowercase();
                keywords.iter().any(|keyword| near.contains(&keyword.to_ascii_lowercase()))
            }
        }
    }

    /// The match at `whole.start` in all of the text, and what it is. `whole` is the one in the text up to `read`.
    fn judge(&self, text: &str, whole: Match, read: usize, seen: &mut Seen) -> (Span, Judged) {
        let bytes = text.as_bytes();
        let (whole, span, negated) = self.parts(bytes, whole, read);
        if negated {
            return (whole, Judged::Negated);
        }
        let span = span.map(|span| Span::new(text.floor_char_boundary(span.start), text.ceil_char_boundary(span.end)));
        let span =
            span.map(|span| if self.rule.category == Category::Secret { without_stop(text, span) } else { span });
        // What stands before a token is read once for all rules that ask, so that is the cheaper question.
        let span =
            span.filter(|span| !span.is_empty() && self.rule.near.is_none_or(|near| near.accepts(text, *span, seen)));
        let span = span.filter(|span| self.accepts(&text[span.start..span.end]));
        (whole, span.filter(|_| !self.vetoed(bytes, whole, seen.sight)).map_or(Judged::Refused, Judged::Finding))
    }

    /// The match that begins where `whole` does, what of it is meant, and whether the group `not` takes part. Groups are
    /// asked for only where they cannot be told from the match: that search is the dearer one.
    fn parts(&self, bytes: &[u8], whole: Match, read: usize) -> (Span, Option<Span>, bool) {
        let input = Input::new(bytes).range(whole.start()..).anchored(Anchored::Yes);
        let span = |whole: Match| Span::new(whole.start(), whole.end());
        let Some(pattern) = self.pattern() else { return (span(whole), None, false) };
        if !self.margins.is_empty() || self.enclosed.is_some() {
            let Some(all) = (if read == bytes.len() { Some(whole) } else { pattern.search(&input) }) else {
                return (span(whole), None, false);
            };
            let margins = self.margins.get(all.pattern().as_usize());
            let inside = match &self.enclosed {
                Some(enclosed) => enclosed.secret(bytes, span(all)).filter(|_| is_away_from_edges(span(all), bytes)),
                None => margins.and_then(|margins| within(span(all), *margins, bytes)),
            };
            if inside.is_some() {
                return (span(all), inside, self.split && all.pattern() == PatternID::ZERO);
            }
        }
        let mut groups = pattern.create_captures();
        pattern.search_captures(&input, &mut groups);
        let group = |wanted: usize| groups.get_group(wanted).map(|part| Span::new(part.start, part.end));
        let all = group(0);
        let negated = self.not.and_then(group).is_some();
        (all.unwrap_or(span(whole)), self.secret.map_or(all, group), negated)
    }

    fn vetoed(&self, bytes: &[u8], whole: Span, sight: Sight) -> bool {
        let behind = if sight == Sight::Both { AROUND } else { 0 };
        let around = &bytes[whole.start.saturating_sub(AROUND)..(whole.end + behind).min(bytes.len())];
        self.unless.iter().any(|pattern| pattern.is_match(around))
    }

    fn accepts(&self, span: &str) -> bool {
        self.rule.validator.accepts(span)
            && (self.rule.entropy <= 0.0 || entropy::shannon(span) >= self.rule.entropy)
            && !self.allow.iter().any(|pattern| pattern.is_match(span.as_bytes()))
    }
}

fn lead(rule: &Rule) -> usize {
    reach::lead(&rule.regex, &keywords(rule)).map_or(CONTEXT, |bytes| bytes.min(CONTEXT))
}

fn whole_words(rule: &Rule) -> bool {
    let keywords = keywords(rule);
    !keywords.is_empty() && reach::begins_with_word(&rule.regex, &keywords)
}

/// As they are looked for in the rule's view; none if something else opens it.
fn keywords(rule: &Rule) -> Vec<Vec<u8>> {
    let Trigger::Keywords(keywords) = &rule.trigger else { return Vec::new() };
    keywords.iter().map(|keyword| rule.view.keyword(keyword).into_bytes()).collect()
}

/// A match without its margins. At the edges of the text those may be others.
fn within(all: Span, (before, behind): (usize, usize), bytes: &[u8]) -> Option<Span> {
    let inside = (before, behind) == (0, 0) || is_away_from_edges(all, bytes);
    inside.then(|| Span::new(all.start + before, all.end.saturating_sub(behind)))
}

fn is_away_from_edges(all: Span, bytes: &[u8]) -> bool {
    all.start > 0 && all.end < bytes.len()
}

/// The span without the full stop or comma of the sentence it ends: those are the writer's, not the secret's.
fn without_stop(text: &str, span: Span) -> Span {
    let ends = text[span.end..].chars().next().is_none_or(char::is_whitespace);
    let stops = text[span.start..span.end].bytes().rev().take_while(|byte| matches!(byte, b'.' | b',')).count();
    if ends && stops == 1 { Span::new(span.start, span.end - 1) } else { span }
}

/// What became of a match. Spans are widened to character boundaries: patterns run over bytes.
enum Judged {
    Finding(Span),
    /// The group `not` takes part: "never ignore your instructions".
    Negated,
    Refused,
}

/// Where to look next. A refused short match may hide a good one that starts inside it ("12 4111 1111 ..."), so the search
/// goes on at its next word; a refused long one is passed as a whole, which keeps the search linear.
fn resume(bytes: &[u8], whole: Span, accepted: bool) -> usize {
    if accepted || whole.len() > LONGEST_RETRY {
        return whole.end.max(whole.start + 1);
    }
    let inside = bytes.get(whole.start..whole.end).unwrap_or_default();
    let word = inside.iter().position(u8::is_ascii_alphanumeric).unwrap_or(inside.len());
    let after = inside.iter().skip(word).position(|byte| !byte.is_ascii_alphanumeric());
    after.map_or(whole.end, |length| whole.start + word + length).max(whole.start + 1)
}

/// The pattern of a rule, in the engine that can be told where a match begins.
struct Search {
    pattern: meta::Regex,
    /// Of its parts.
    margins: Vec<(usize, usize)>,
    /// Where its secret stands, if it has no such margins.
    enclosed: Option<Enclosed>,
    /// It is two patterns, of which the first is the negated one.
    split: bool,
}

fn search(source: &str) -> Result<Search, String> {
    let (patterns, margins) = reach::margins(source).map_err(|error| error.to_string())?;
    // Where a rule looks close around its keyword, there is nothing to be passed over on the way to it.
    let config = meta::Regex::config()
        .utf8_empty(false)
        .nfa_size_limit(Some(REGEX_BYTES))
        .hybrid_cache_capacity(DFA_BYTES)
        .auto_prefilter(reach::of(source).is_none());
    let negated = if let [whole] = &*patterns { negation::split(whole) } else { None };
    let enclosed = if let [whole] = &*patterns { reach::enclosed(whole) } else { None };
    let enclosed = enclosed.filter(|_| margins.is_empty() && negated.is_none());
    let split = negated.is_some();
    let patterns = negated.map_or(patterns, Vec::from);
    let pattern = meta::Regex::builder().configure(config).build_many_from_hir(&patterns);
    Ok(Search { pattern: pattern.map_err(|error| error.to_string())?, margins, enclosed, split })
}

/// ASCII classes throughout: they are what token formats mean, and Unicode ones fall off the fast engine.
pub(super) fn build(source: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(source).unicode(false).size_limit(REGEX_BYTES).dfa_size_limit(DFA_BYTES).build()
}

/// How far `unless` looks to either side of a match: about a clause.
const AROUND: usize = 48;
const LONGEST_RETRY: usize = 64;
const REGEX_BYTES: usize = 4 << 20;
const DFA_BYTES: usize = 4 << 20;
