//! What every match of a pattern must hold: one of some literals, a long token, digits. Looks at patterns, never at text.

use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Class, Hir, HirKind, Repetition};

use crate::text::english::Packed;

/// Lower-case literals of which at least one stands in every match, in any case.
pub(super) type Literals = Vec<Vec<u8>>;

/// What is asked of a text before a pattern is tried on it. All of it is in every match.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Needs {
    /// The rarest sets, rarest first.
    pub literals: Vec<Literals>,
    /// Length of a run of `is_token` bytes; 0 if none of some length is needed.
    pub token: usize,
    /// Length of a run of digits.
    pub digits: usize,
}

/// What a match of `pattern` needs. Nothing, if that cannot be told.
pub(super) fn of(pattern: &str) -> Needs {
    let Ok(hir) = ParserBuilder::new().unicode(false).utf8(false).build().parse(pattern) else {
        return Needs::default();
    };
    let mut literals = walk(&hir).into_sets();
    literals.sort_by(|a, b| rate(a).total_cmp(&rate(b)));
    literals.dedup();
    literals.truncate(MOST_SETS);
    let (_, token) = run(&hir, is_token);
    let (_, digits) = run(&hir, |byte| byte.is_ascii_digit());
    Needs { literals, token: if token >= SHORTEST_TOKEN { token } else { 0 }, digits }
}

/// Bytes that keys, hashes and encoded data are made of.
pub(super) const fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_' | b'=')
}

/// About how often one of `literals` begins at a byte of ordinary text.
pub(super) fn rate(literals: &[Vec<u8>]) -> f64 {
    literals.iter().map(|literal| rate_of(literal)).sum()
}

fn rate_of(literal: &[u8]) -> f64 {
    if EVERYWHERE.iter().any(|word| word.as_bytes() == literal.trim_ascii()) {
        return EVERY;
    }
    let rates = literal.iter().enumerate().map(|(at, byte)| if at < 3 { frequency(*byte) } else { FOLLOWS });
    let word = Packed::new(literal.trim_ascii()).and_then(Packed::rank);
    // A word is as common as its rank says (Zipf), and takes six bytes with its space.
    word.map_or(0.0, |rank| 0.1 / (f64::from(rank) + 2.0) / 6.0).max(rates.product())
}

/// What is known of the matches of a part of a pattern.
enum Known {
    /// All there are, in lower case.
    Exact(Literals),
    /// Each has a literal of each of these sets.
    Sets(Vec<Literals>),
}

impl Known {
    fn empty() -> Self {
        Known::Exact(vec![Vec::new()])
    }

    fn into_sets(self) -> Vec<Literals> {
        match self {
            Known::Exact(literals) => useful(literals).into_iter().collect(),
            Known::Sets(sets) => sets,
        }
    }
}

fn walk(hir: &Hir) -> Known {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => Known::empty(),
        HirKind::Literal(literal) => Known::Exact(vec![literal.0.to_ascii_lowercase()]),
        HirKind::Class(class) => of_class(class),
        HirKind::Capture(group) => walk(&group.sub),
        HirKind::Repetition(repeated) => repetition(repeated),
        HirKind::Concat(parts) => concat(parts),
        HirKind::Alternation(branches) => alternation(branches),
    }
}

fn of_class(class: &Class) -> Known {
    let Class::Bytes(class) = class else { return Known::Sets(Vec::new()) };
    let mut bytes: Vec<u8> = class.iter().flat_map(|range| range.start()..=range.end()).collect();
    bytes.make_ascii_lowercase();
    bytes.sort_unstable();
    bytes.dedup();
    if bytes.len() > LARGEST_CLASS {
        return Known::Sets(Vec::new());
    }
    Known::Exact(bytes.into_iter().map(|byte| vec![byte]).collect())
}

fn repetition(repeated: &Repetition) -> Known {
    let sub = walk(&repeated.sub);
    match (repeated.min, repeated.max, sub) {
        (1, Some(1), sub) => sub,
        (0, Some(1), Known::Exact(mut literals)) => {
            literals.push(Vec::new());
            Known::Exact(literals)
        }
        (0, ..) => Known::Sets(Vec::new()),
        (.., sub) => Known::Sets(sub.into_sets()),
    }
}

/// All there is to match of a part, in lower case, if that is little.
pub(super) fn exact(hir: &Hir) -> Option<Literals> {
    match walk(hir) {
        Known::Exact(literals) => Some(literals),
        Known::Sets(_) => None,
    }
}

/// Each of the literals with each of those that follow, if they stay few.
pub(super) fn joined(literals: &[Vec<u8>], next: &[Vec<u8>]) -> Option<Literals> {
    (literals.len() * next.len() <= MOST_LITERALS)
        .then(|| literals.iter().flat_map(|a| next.iter().map(move |b| [&**a, b].concat())).collect())
}

/// Neighbouring exact parts are joined as long as that stays small.
fn concat(parts: &[Hir]) -> Known {
    let mut sets = Vec::new();
    let mut run: Literals = vec![Vec::new()];
    let mut whole = true;
    for part in parts {
        let known = walk(part);
        if let Known::Exact(literals) = &known
            && short(&run)
            && let Some(longer) = joined(&run, literals)
        {
            run = longer;
            continue;
        }
        whole = false;
        sets.extend(useful(std::mem::replace(&mut run, vec![Vec::new()])));
        match known {
            Known::Exact(literals) => run = literals,
            Known::Sets(more) => sets.extend(more),
        }
    }
    if whole {
        return Known::Exact(run);
    }
    sets.extend(useful(run));
    Known::Sets(sets)
}

fn alternation(branches: &[Hir]) -> Known {
    let mut exact: Option<Literals> = Some(Vec::new());
    let mut any: Option<Literals> = Some(Vec::new());
    for branch in branches {
        let known = walk(branch);
        exact = match (&known, exact) {
            (Known::Exact(literals), Some(all)) => Some([all, literals.clone()].concat()),
            _ => None,
        };
        let best = known.into_sets().into_iter().min_by(|a, b| rate(a).total_cmp(&rate(b)));
        any = any.zip(best).map(|(all, best)| [all, best].concat());
    }
    match exact {
        Some(literals) if literals.len() <= MOST_LITERALS => Known::Exact(literals),
        _ => Known::Sets(any.and_then(useful).into_iter().collect()),
    }
}

fn short(literals: &[Vec<u8>]) -> bool {
    literals.iter().all(|literal| literal.len() < LONGEST)
}

/// The set without what its other literals imply, if it tells a text from another.
fn useful(mut literals: Literals) -> Option<Literals> {
    literals.iter_mut().for_each(|literal| {
        literal.truncate(LONGEST);
        let word = literal.trim_ascii();
        if word.len() >= LONG_WORD {
            *literal = word.to_vec();
        }
    });
    literals.sort_by(|a, b| (a.len(), a).cmp(&(b.len(), b)));
    let mut kept = Literals::new();
    for literal in literals {
        if !kept.iter().any(|known| holds(&literal, known)) {
            kept.push(literal);
        }
    }
    kept.sort();
    let long = kept.iter().all(|literal| literal.trim_ascii().len() >= SHORTEST);
    (long && kept.len() <= MOST_IN_A_SET && rate(&kept) <= COMMON).then_some(kept)
}

fn holds(literal: &[u8], part: &[u8]) -> bool {
    part.is_empty() || literal.windows(part.len()).any(|window| window == part)
}

/// Whether all bytes of every match are `wanted`, and the longest run of such bytes that every match has.
fn run(hir: &Hir, wanted: fn(u8) -> bool) -> (bool, usize) {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => (true, 0),
        HirKind::Literal(literal) => {
            let runs = literal.0.split(|byte| !wanted(*byte));
            (literal.0.iter().all(|byte| wanted(*byte)), runs.map(<[u8]>::len).max().unwrap_or(0))
        }
        HirKind::Class(Class::Bytes(class)) => {
            let all = class.iter().all(|range| (range.start()..=range.end()).all(wanted));
            (all, usize::from(all))
        }
        HirKind::Class(_) => (false, 0),
        HirKind::Capture(group) => run(&group.sub, wanted),
        HirKind::Repetition(repeated) => match run(&repeated.sub, wanted) {
            (all, _) if repeated.min == 0 => (all, 0),
            (true, length) => (true, length.saturating_mul(repeated.min as usize)),
            part => part,
        },
        HirKind::Concat(parts) => {
            let (mut all, mut longest, mut joined) = (true, 0, 0);
            for (whole, length) in parts.iter().map(|part| run(part, wanted)) {
                joined = if whole { joined + length } else { 0 };
                (all, longest) = (all && whole, longest.max(joined).max(length));
            }
            (all, longest)
        }
        HirKind::Alternation(branches) => branches
            .iter()
            .map(|branch| run(branch, wanted))
            .reduce(|(all, shortest), (whole, length)| (all && whole, shortest.min(length)))
            .unwrap_or((false, 0)),
    }
}

/// How often a byte stands in English, code and data, roughly.
pub(super) fn frequency(byte: u8) -> f64 {
    match byte {
        b' ' => 0.15,
        b'e' => 0.1,
        b't' | b'a' | b'o' | b'i' | b'n' | b's' | b'r' => 0.06,
        b'h' | b'l' | b'd' | b'c' | b'u' | b'm' => 0.03,
        b'f' | b'p' | b'g' | b'w' | b'y' | b'b' => 0.018,
        b'v' | b'k' | b'0'..=b'9' => 0.008,
        b'"' | b'.' | b',' | b':' | b'-' | b'_' | b'/' | b'=' | b'\n' => 0.01,
        0x80.. => 0.01,
        _ => 0.003,
    }
}

/// How likely a byte of a literal follows those before it.
const FOLLOWS: f64 = 0.4;
/// A set found more often than once in this many bytes keeps nobody from work.
const COMMON: f64 = 1.0 / 2000.0;
/// Words that stand in every other sentence, and how often.
const EVERYWHERE: &[&str] = &[
    "the", "and", "what", "how", "you", "your", "all", "with", "that", "this", "not", "who", "any", "are", "was",
    "were", "for", "from", "have", "has", "can", "will", "would", "should", "could", "let", "use", "its", "his", "her",
    "our", "their", "them", "they", "when", "where", "which", "why", "there", "here", "then", "than", "but", "about",
    "into", "out", "get", "make", "like", "one", "new", "please", "text", "want", "need", "each", "more", "some",
    "other", "only", "also", "ion", "end",
];
const EVERY: f64 = 0.004;
/// A word this long needs no spaces around it to be told from others.
const LONG_WORD: usize = 5;
const SHORTEST: usize = 3;
/// Bytes of a literal that are looked for: more make the automaton larger and find little less.
const LONGEST: usize = 10;
const LARGEST_CLASS: usize = 6;
const MOST_LITERALS: usize = 96;
const MOST_IN_A_SET: usize = 160;
const MOST_SETS: usize = 3;
const SHORTEST_TOKEN: usize = 14;

#[cfg(test)]
mod tests {
    use super::*;

    fn sets(pattern: &str) -> Vec<Vec<String>> {
        let text = |literal: Vec<u8>| String::from_utf8_lossy(&literal).into_owned();
        of(pattern).literals.into_iter().map(|set| set.into_iter().map(text).collect()).collect()
    }

    #[test]
    fn a_match_holds_one_literal_of_each_set() {
        for (pattern, expected) in [
            (r"\bghp_[a-z]{36}", vec![vec!["ghp_"]]),
            (r"(?i)api[_-]?key\s", vec![vec!["api-key", "api_key", "apikey"]]),
            (
                r"(?:ignor(?:e|ing)|forget) (?:[a-z]+ ){0,4}(?:rules|prompts?)\b",
                vec![vec!["forget", "ignore", "ignoring"], vec!["prompt", "rules"]],
            ),
            (r"(?:abcd|[0-9]+)x", vec![]),
            (r"(?:abcd)?[0-9]", vec![]),
        ] {
            let mut found = sets(pattern);
            found.sort();
            assert_eq!(found, expected, "{pattern}");
        }
    }

    #[test]
    fn a_token_is_as_long_as_its_parts_together() {
        for (pattern, length) in [
            (r"\bghp_(?P<secret>[A-Za-z0-9]{36})\b", 40),
            (r"(?:[a-f0-9]{32}|[a-f0-9]{40})", 32),
            (r"x [a-z0-9]{8}-[a-z0-9]{8}[^x]", 17),
            (r"[a-z]{8}", 0),
            (r"(?:[a-z]{20})?\d", 0),
        ] {
            assert_eq!(of(pattern).token, length, "{pattern}");
        }
    }

    #[test]
    fn digits_are_needed_where_no_match_goes_without() {
        for (pattern, length) in [
            (r"ip (?P<secret>\d{1,3}(?:\.\d{1,3}){3})", 1),
            (r"tin [^\d]{0,9}(?:\d{4} ?\d{3}|x0\d{5})", 4),
            (r"pin (?:\d{4}|four)", 0),
        ] {
            assert_eq!(of(pattern).digits, length, "{pattern}");
        }
    }
}
