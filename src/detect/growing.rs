//! What at the end of a text could still become a finding when more of it comes. Finds nothing itself.
//!
//! Most of what rules find is one word, so the last word of a text is enough to wait for. The patterns of the others
//! run as automata, from every place where one of them could begin: while one is alive behind what leads to its finding,
//! that finding may have begun.

use std::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::{Arc, OnceLock};

use regex_automata::hybrid::dfa::{Cache, DFA};
use regex_automata::nfa::thompson;
use regex_automata::util::pool::Pool;
use regex_automata::{Anchored, Input, MatchKind};
use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Class, Hir, HirKind};

use super::rule::{Rule, RuleProblem, ViewKind};
use super::scanner::CONTEXT;

/// The patterns whose findings may be more than a word, each in two parts: what leads to the finding, and from there on.
#[derive(Clone)]
pub struct Growing(Arc<Patterns>);

/// Their automata are made when the first answer is streamed: they take five megabytes.
struct Patterns {
    sources: Vec<String>,
    automata: OnceLock<Option<Automata>>,
}

struct Automata {
    /// What leads to a finding, and under the same numbers the rests of those patterns.
    leads: DFA,
    rests: DFA,
    /// The patterns that nothing leads to.
    bare: DFA,
    openings: Openings,
    /// What a search needs beside them: one for each that runs at the same time, not for each text that waits.
    memories: Pool<Memory, Make>,
}

type Make = Box<dyn Fn() -> Memory + Send + Sync + UnwindSafe + RefUnwindSafe>;

struct Memory {
    leads: Cache,
    rests: Cache,
    bare: Cache,
}

/// By the byte before, which may be none: with which bytes a lead may begin, a bit for each. Nearly all of a text is neither.
struct Openings(Vec<[u64; 4]>);

impl fmt::Debug for Growing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Growing({} patterns)", self.0.sources.len())
    }
}

/// How much of the end of a text may wait, in bytes: no rule's finding is longer.
pub const LONGEST: usize = 8 * 1024;

impl Growing {
    pub(super) fn compile(rules: &[Rule]) -> Result<Self, RuleProblem> {
        let sensitive = rules.iter().filter(|rule| rule.category.is_sensitive() && rule.view == ViewKind::Text);
        let waiting = sensitive.filter(|rule| parts(&rule.regex).is_some());
        let sources: Vec<String> = waiting.map(|rule| rule.regex.clone()).collect();
        let problem = |error| RuleProblem {
            rule: "rules".to_owned(),
            problem: format!("their patterns are too large together: {error}"),
        };
        Automata::new(&sources).map_err(problem)?;
        Ok(Growing(Arc::new(Patterns { sources, automata: OnceLock::new() })))
    }

    /// From where on `text[from..]` could still become a finding; its length if nothing could. What leads to a finding may
    /// stand before `from`. `text` is what is kept, from `base` on, of one that only grows, as `from` does.
    pub fn start(&self, text: &str, from: usize, base: usize, progress: &mut Progress) -> usize {
        let mut earliest = last_word(text).max(from);
        if from >= text.len() {
            return earliest;
        }
        let Patterns { sources, automata } = &*self.0;
        // What compiled once does so again; if not, all waits.
        let Some(automata) = automata.get_or_init(|| Automata::new(sources).ok()) else { return from };
        let mut memory = automata.memories.get();
        let first = from.saturating_sub(CONTEXT);
        let alive = std::mem::take(&mut progress.alive);
        let alive = alive.iter().map(|place| place.wrapping_sub(base)).filter(|at| (first..text.len()).contains(at));
        let unread = first.max(progress.read.saturating_sub(base))..text.len();
        for at in alive.chain(unread) {
            if at >= earliest {
                if base + at >= progress.read {
                    break;
                }
                progress.alive.push(base + at);
                continue;
            }
            let mut lives = false;
            if automata.openings.has(text.as_bytes(), at) {
                (earliest, lives) = automata.grows(text, at, from, earliest, &mut memory);
            }
            if at >= from && is_alive(&automata.bare, text, at, Anchored::Yes, &mut memory.bare) {
                (earliest, lives) = (earliest.min(at), true);
            }
            progress.note(base + at, lives);
        }
        text.floor_char_boundary(earliest).max(from)
    }
}

/// What was found out about a text that grows: of all before `read`, the places from which something may go on. What an
/// automaton has once turned away it never takes again.
#[derive(Debug, Default)]
pub struct Progress {
    read: usize,
    alive: Vec<usize>,
}

impl Progress {
    fn note(&mut self, place: usize, lives: bool) {
        /// A text that has more of them is made for it, and read again.
        const MOST: usize = 256;
        if self.alive.len() < MOST {
            self.alive.extend(lives.then_some(place));
            self.read = self.read.max(place + 1);
        }
    }
}

impl Automata {
    fn new(sources: &[String]) -> Result<Self, String> {
        let parts = sources.iter().filter_map(|source| parts(source));
        let (bare, led): (Vec<_>, Vec<_>) = parts.partition(|(lead, _)| *lead.kind() == HirKind::Empty);
        let (leads, rests): (Vec<Hir>, Vec<Hir>) = led.into_iter().unzip();
        let bare: Vec<Hir> = bare.into_iter().map(|(_, rest)| rest).collect();
        let (leads, rests, bare) = (automaton(&leads)?, automaton(&rests)?, automaton(&bare)?);
        let (openings, all) = (Openings::of(&leads), (leads.clone(), rests.clone(), bare.clone()));
        let make =
            move || Memory { leads: all.0.create_cache(), rests: all.1.create_cache(), bare: all.2.create_cache() };
        Ok(Automata { leads, rests, bare, openings, memories: Pool::new(Box::new(make)) })
    }

    /// The earliest place before `earliest`, not before `from`, where the finding of a pattern that begins at `at` may have
    /// begun, if it has not ended before the end of the text; and whether it may once there is more of it.
    fn grows(&self, text: &str, at: usize, from: usize, earliest: usize, memory: &mut Memory) -> (usize, bool) {
        let input = Input::new(text).range(at..).anchored(Anchored::Yes);
        let Ok(mut state) = self.leads.start_state_forward(&mut memory.leads, &input) else {
            return (at.max(from), true);
        };
        for (place, byte) in text.bytes().enumerate().skip(at) {
            if place >= earliest {
                break;
            }
            // An automaton without room for what it has read takes the text for one that waits.
            let Ok(next) = self.leads.next_state(&mut memory.leads, state, byte) else { return (at.max(from), true) };
            state = next;
            if state.is_dead() {
                return (earliest, false);
            }
            if state.is_match() && place >= from {
                let patterns = self.leads.match_len(&memory.leads, state);
                let mut led = (0..patterns).map(|index| self.leads.match_pattern(&memory.leads, state, index));
                let rests = &mut memory.rests;
                if led.any(|pattern| is_alive(&self.rests, text, place, Anchored::Pattern(pattern), rests)) {
                    return (place, true);
                }
            }
        }
        (earliest, true)
    }
}

/// Whether one of these patterns, begun here, has neither failed nor ended before the end of the text.
fn is_alive(patterns: &DFA, text: &str, at: usize, which: Anchored, memory: &mut Cache) -> bool {
    let input = Input::new(text).range(at..).anchored(which);
    let Ok(mut state) = patterns.start_state_forward(memory, &input) else { return true };
    for byte in &text.as_bytes()[at..] {
        if state.is_dead() {
            return false;
        }
        let Ok(next) = patterns.next_state(memory, state, *byte) else { return true };
        state = next;
    }
    !state.is_dead()
}

impl Openings {
    fn of(leads: &DFA) -> Self {
        let mut memory = leads.create_cache();
        let before = (0..=u8::MAX).map(Some).chain([None]);
        Openings(before.map(|before| Self::behind(leads, before, &mut memory)).collect())
    }

    fn behind(leads: &DFA, before: Option<u8>, memory: &mut Cache) -> [u64; 4] {
        let mut bits = [0; 4];
        for byte in 0..=u8::MAX {
            let text = [before.unwrap_or_default(), byte];
            let start = usize::from(before.is_some());
            let text = &text[1 - start..];
            let input = Input::new(text).range(start..).anchored(Anchored::Yes);
            let begun = leads.start_state_forward(memory, &input);
            let next = begun.map(|state| leads.next_state(memory, state, byte));
            // What cannot be told is looked at.
            if !matches!(next, Ok(Ok(state)) if state.is_dead()) {
                bits[usize::from(byte / 64)] |= 1 << (byte % 64);
            }
        }
        bits
    }

    fn has(&self, text: &[u8], at: usize) -> bool {
        let before = at.checked_sub(1).map_or(256, |before| usize::from(text[before]));
        let byte = text[at];
        self.0[before][usize::from(byte / 64)] >> (byte % 64) & 1 == 1
    }
}

fn automaton(patterns: &[Hir]) -> Result<DFA, String> {
    let nfa = thompson::Compiler::new()
        .configure(thompson::Config::new().utf8(false).nfa_size_limit(Some(NFA)))
        .build_many_from_hir(patterns)
        .map_err(|error| error.to_string())?;
    let config = DFA::config()
        .match_kind(MatchKind::All)
        .starts_for_each_pattern(true)
        .cache_capacity(CACHE)
        .skip_cache_capacity_check(true);
    DFA::builder().configure(config).build_from_nfa(nfa).map_err(|error| error.to_string())
}

/// Where the last word begins.
fn last_word(text: &str) -> usize {
    text.trim_end_matches(|c: char| !ends_word(c)).len()
}

/// Whether no finding goes on over this character, unless its pattern says so: white space, the scripts that are written
/// without any, and punctuation and pictures beyond ASCII. Not what is invisible or another form of an ASCII character, which
/// a token may be disguised with.
pub fn ends_word(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_whitespace();
    }
    APART.iter().any(|(first, last)| (*first..=*last).contains(&c)) || c.is_whitespace()
}

const APART: &[(char, char)] = &[
    // Thai, Lao, Tibetan, Burmese; Khmer.
    ('\u{e00}', '\u{109f}'),
    ('\u{1780}', '\u{17ff}'),
    // Dashes, quotation marks, bullets; arrows, signs, pictures.
    ('\u{2010}', '\u{2027}'),
    ('\u{2030}', '\u{205e}'),
    ('\u{2190}', '\u{23ff}'),
    ('\u{2500}', '\u{27bf}'),
    ('\u{1f000}', '\u{1f0ff}'),
    ('\u{1f200}', '\u{1faff}'),
    // Chinese, Japanese and Korean, with their punctuation; of the fullwidth forms only what no token has.
    ('\u{2e80}', '\u{a4cf}'),
    ('\u{ac00}', '\u{d7af}'),
    ('\u{f900}', '\u{faff}'),
    ('\u{ff01}', '\u{ff01}'),
    ('\u{ff08}', '\u{ff09}'),
    ('\u{ff0c}', '\u{ff0c}'),
    ('\u{ff1a}', '\u{ff1b}'),
    ('\u{ff1f}', '\u{ff1f}'),
    ('\u{ff61}', '\u{ff9f}'),
    ('\u{20000}', '\u{3ffff}'),
];

/// What leads to a pattern's finding, and the rest of it; nothing if the rest is a word and at most the byte behind it. One
/// that cannot be read is not asked for here: it does not compile.
fn parts(pattern: &str) -> Option<(Hir, Hir)> {
    let hir = ParserBuilder::new().unicode(false).utf8(false).build().parse(pattern).ok()?;
    let at = |parts: &[Hir]| parts.iter().position(|part| secret(part).is_some()).filter(|_| secret(&hir).is_some());
    let (lead, found, behind) = match hir.kind() {
        HirKind::Concat(parts) => match at(parts) {
            Some(at) => (parts[..at].to_vec(), parts[at].clone(), parts[at + 1..].to_vec()),
            None => (Vec::new(), hir.clone(), Vec::new()),
        },
        _ => (Vec::new(), hir.clone(), Vec::new()),
    };
    let behind = Hir::concat(behind);
    let short = behind.properties().maximum_len().is_some_and(|most| most <= 1);
    let waits = ends_words(&found) || (!short && ends_words(&behind));
    waits.then(|| (Hir::concat(lead), Hir::concat(vec![found, behind])))
}

/// The group `secret`.
fn secret(hir: &Hir) -> Option<Hir> {
    match hir.kind() {
        HirKind::Capture(group) if group.name.as_deref() == Some("secret") => Some((*group.sub).clone()),
        HirKind::Capture(group) => secret(&group.sub),
        HirKind::Repetition(repeated) => secret(&repeated.sub),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => parts.iter().find_map(secret),
        _ => None,
    }
}

fn ends_words(hir: &Hir) -> bool {
    // A byte that is not ASCII may be of a character that ends words.
    let is_space = |byte: u8| byte.is_ascii_whitespace() || !byte.is_ascii();
    match hir.kind() {
        HirKind::Literal(literal) => literal.0.iter().any(|byte| is_space(*byte)),
        HirKind::Class(Class::Bytes(class)) => class.iter().any(|range| (range.start()..=range.end()).any(is_space)),
        HirKind::Class(Class::Unicode(_)) => true,
        HirKind::Capture(group) => ends_words(&group.sub),
        HirKind::Repetition(repeated) => ends_words(&repeated.sub),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => parts.iter().any(ends_words),
        HirKind::Empty | HirKind::Look(_) => false,
    }
}

const CACHE: usize = 4 << 20;
const NFA: usize = 64 << 20;

#[cfg(test)]
mod tests {
    use super::{CONTEXT, Progress};
    use crate::detect::{Finding, RuleSet, Scanner};

    fn scanner() -> Scanner {
        Scanner::compile(&RuleSet::builtin().expect("the shipped rules parse")).expect("and compile")
    }

    fn start(scanner: &Scanner, text: &str) -> usize {
        scanner.growing.start(text, 0, 0, &mut Progress::default())
    }

    /// With their marks, as they are: those are punctuation like any other.
    fn examples(rules: &RuleSet) -> impl Iterator<Item = (&str, &str)> {
        let sensitive = rules.rules().iter().filter(|rule| rule.category.is_sensitive());
        sensitive.flat_map(|rule| rule.examples.iter().map(|example| (&*rule.id, &**example)))
    }

    fn found(scanner: &Scanner, text: &str) -> Vec<Finding> {
        let mut findings = Vec::new();
        scanner.scan_answer(text, 0, &mut findings);
        findings
    }

    #[test]
    fn whatever_a_rule_finds_is_waited_for_from_its_beginning_on() {
        let (scanner, rules) = (scanner(), RuleSet::builtin().expect("the shipped rules"));

        let examples = examples(&rules);
        let mut lost = Vec::new();
        for (rule, example) in examples {
            for finding in found(&scanner, example) {
                let cuts = (finding.span.start + 1..finding.span.end).filter(|cut| example.is_char_boundary(*cut));
                let early = |cut: &usize| start(&scanner, &example[..*cut]) > finding.span.start;
                if let Some(cut) = cuts.into_iter().find(early) {
                    lost.push(format!("{rule} as {}: {}|{}", finding.rule, &example[..cut], &example[cut..]));
                }
            }
        }
        assert!(lost.is_empty(), "{} of them:\n{}", lost.len(), lost.join("\n"));
    }

    #[test]
    fn what_is_found_in_complete_words_stays_whatever_follows() {
        let (scanner, rules) = (scanner(), RuleSet::builtin().expect("the shipped rules"));

        let examples = examples(&rules);
        let mut changed = Vec::new();
        for (rule, example) in examples {
            let text = format!("{example} and then the weather was fine.\nNothing more is said of it here. ");
            let whole = found(&scanner, &text);
            // Behind every space, and one byte into what follows: in between only the last word differs.
            let is_cut = |cut: &usize| text.is_char_boundary(*cut) && text[..*cut].trim_end().len() + 2 > *cut;
            for cut in (1..=example.len() + 8).filter(is_cut) {
                let start = start(&scanner, &text[..cut]);
                let decided = |findings: Vec<Finding>| -> Vec<_> {
                    findings.into_iter().filter(|f| f.span.start < start).map(|f| f.span).collect()
                };
                let (cut_short, all) = (decided(found(&scanner, &text[..cut])), decided(whole.clone()));
                if cut_short != all {
                    changed.push(format!("{rule}: {}|{} {cut_short:?} {all:?}", &text[..cut], &text[cut..]));
                    break;
                }
            }
        }
        assert!(changed.is_empty(), "{} of them:\n{}", changed.len(), changed.join("\n"));
    }

    #[test]
    fn scripts_without_spaces_are_not_waited_for_and_disguises_are() {
        let scanner = scanner();
        for (text, waits) in [
            ("今天天气很好", 0),
            ("今日は天気がいいです。", 0),
            ("วันนี้อากาศดี", 0),
            ("안녕하세요", 0),
            ("well — “so”", 0),
            ("done ✅", 0),
            ("请写信给jane", 4),
            ("grüße", 7),
            ("ｇｈｐ", 9),
            ("ghp\u{200b}_", 7),
        ] {
            assert_eq!(text.len() - start(&scanner, text), waits, "{text}");
        }
    }

    #[test]
    fn prose_is_not_waited_for_between_words() {
        let scanner = scanner();

        let text = "The quick brown fox, who had slept until 9 in the morning, jumped over 12 lazy dogs. In 2024 they moved to \
                    London and told nobody. Here is a list:\n1. Open the file.\n2. Read it. \"Why?\" she said - it's (quite) \
                    simple; call `main()` twice, then return 42.\n";
        let ends = text.char_indices().filter(|(_, c)| c.is_whitespace()).map(|(at, _)| at + 1);
        let (mut words, mut waited) = (0, Vec::new());
        for end in ends {
            words += 1;
            let start = start(&scanner, &text[..end]);
            if start < end {
                waited.push(&text[start..end]);
            }
        }
        assert!(waited.len() * 8 < words, "{} of {words}: {waited:?}", waited.len());
    }

    #[test]
    fn a_text_that_comes_piece_by_piece_waits_as_it_does_when_it_is_read_anew() {
        let (scanner, rules) = (scanner(), RuleSet::builtin().expect("the shipped rules"));

        let mut differing = Vec::new();
        for (rule, example) in examples(&rules) {
            let text = format!("so {example} and then {example}");
            let (mut progress, mut from, mut base) = (Progress::default(), 0, 0);
            let cuts = (1..=text.len()).step_by(3).filter(|cut| text.is_char_boundary(*cut));
            for cut in cuts {
                let anew = scanner.growing.start(&text[..cut], from, 0, &mut Progress::default());
                let known = scanner.growing.start(&text[base..cut], from - base, base, &mut progress) + base;
                if known != anew {
                    differing.push(format!("{rule}: {} {known} {anew}", &text[..cut]));
                    break;
                }
                // As a channel does: what is decided stays, and some of it is kept.
                from = anew;
                base = base.max(text.floor_char_boundary(from.saturating_sub(CONTEXT + 4)));
            }
        }
        assert!(differing.is_empty(), "{} of them:\n{}", differing.len(), differing.join("\n"));
    }
}
