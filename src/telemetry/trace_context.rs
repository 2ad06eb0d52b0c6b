//! W3C Trace Context, Level 2: which trace a request belongs to, as its headers say and as they are to say upstream. Draws no
//! ids and records nothing.

use std::collections::HashSet;
use std::fmt;
use std::num::{NonZeroU64, NonZeroU128};

use http::HeaderMap;

pub const TRACEPARENT: &str = "traceparent";
pub const TRACESTATE: &str = "tracestate";

/// A trace, over all who have a part in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TraceId(pub NonZeroU128);

/// What one of them did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SpanId(pub NonZeroU64);

/// What a caller says of the trace that its request belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceContext {
    pub trace: TraceId,
    /// The caller's own span.
    pub parent: SpanId,
    pub flags: Flags,
    /// Of other tracing systems, handed on and never read: the value of one header. Empty for none.
    pub state: String,
}

/// Those of `trace-flags` that are defined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flags(u8);

impl Flags {
    const SAMPLED: u8 = 0b01;
    const RANDOM: u8 = 0b10;

    /// Of a trace that begins here, whose id is random.
    pub const fn begun(sampled: bool) -> Self {
        Flags(Flags::RANDOM).with_sampled(sampled)
    }

    pub const fn with_sampled(self, sampled: bool) -> Self {
        Flags(self.0 & Flags::RANDOM | if sampled { Flags::SAMPLED } else { 0 })
    }

    /// Whether the caller has recorded its part.
    pub const fn sampled(self) -> bool {
        self.0 & Flags::SAMPLED != 0
    }

    pub const fn bits(self) -> u8 {
        self.0
    }
}

impl TraceContext {
    /// `None` when there is none that is valid: the trace is to begin anew, and nothing of the headers is to go on.
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        let mut parents = headers.get_all(TRACEPARENT).iter();
        let (trace, parent, flags) = parse_parent(parents.next()?.as_bytes())?;
        if parents.next().is_some() {
            return None;
        }
        Some(TraceContext { trace, parent, flags, state: state(headers).unwrap_or_default() })
    }
}

/// The value of `traceparent` for whom `parent` calls.
pub fn traceparent(trace: TraceId, parent: SpanId, flags: Flags) -> String {
    format!("00-{trace}-{parent}-{:02x}", flags.bits())
}

/// Section 3.2.2, and 3.2.4 for versions that are not known.
fn parse_parent(value: &[u8]) -> Option<(TraceId, SpanId, Flags)> {
    /// Of version 00; later ones may have more behind another dash.
    const LENGTH: usize = 55;
    let (known, more) = value.split_at_checked(LENGTH)?;
    let known = std::str::from_utf8(known).ok()?;
    let [version, trace, parent, flags] = *known.split('-').collect::<Vec<_>>() else { return None };
    let version = hexadecimal(version, 2)?;
    match (version, more) {
        (0xff, _) => return None,
        (_, []) | (1.., [b'-', ..]) => {}
        _ => return None,
    }
    let trace = NonZeroU128::new(hexadecimal(trace, 32)?)?;
    let parent = NonZeroU64::new(hexadecimal(parent, 16)?.try_into().ok()?)?;
    let flags = u8::try_from(hexadecimal(flags, 2)?).ok()?;
    let defined = if version == 0 { Flags::SAMPLED | Flags::RANDOM } else { Flags::SAMPLED };
    Some((TraceId(trace), SpanId(parent), Flags(flags & defined)))
}

/// So many lower-case digits, and nothing else.
fn hexadecimal(text: &str, digits: usize) -> Option<u128> {
    let lower = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    let all = text.len() == digits && text.bytes().all(lower);
    u128::from_str_radix(text, 16).ok().filter(|_| all)
}

/// Section 3.3: all headers in one, without empty members. `None` when something in them is wrong.
fn state(headers: &HeaderMap) -> Option<String> {
    /// Members of a list, and characters of it that have to be handed on.
    const MEMBERS: usize = 32;
    const LENGTH: usize = 512;
    /// Of a list that is too long, members longer than this go first.
    const LONG: usize = 128;
    let mut members = Vec::new();
    let mut keys = HashSet::new();
    for value in headers.get_all(TRACESTATE) {
        let value = std::str::from_utf8(value.as_bytes()).ok()?;
        for member in value.split(',').map(|member| member.trim_matches([' ', '\t'])).filter(|one| !one.is_empty()) {
            let (key, text) = member.split_once('=')?;
            if members.len() == MEMBERS || !is_key(key) || !is_value(text) || !keys.insert(key) {
                return None;
            }
            members.push(member);
        }
    }
    let length = |members: &[&str]| members.iter().map(|member| member.len() + 1).sum::<usize>().saturating_sub(1);
    if length(&members) > LENGTH {
        members.retain(|member| member.len() <= LONG);
    }
    while length(&members) > LENGTH {
        members.pop();
    }
    Some(members.join(","))
}

fn is_key(key: &str) -> bool {
    let begins = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let goes_on = |byte: u8| begins(&byte) || b"_-*/@".contains(&byte);
    key.len() <= 256 && key.as_bytes().first().is_some_and(begins) && key.bytes().all(goes_on)
}

fn is_value(value: &str) -> bool {
    let is_plain = |byte: u8| matches!(byte, b' '..=b'~') && byte != b'=';
    (1..=256).contains(&value.len()) && value.bytes().all(is_plain)
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Display for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn of(pairs: &[(&'static str, &str)]) -> Option<TraceContext> {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        TraceContext::of(&headers)
    }

    fn state_of(states: &[&str]) -> String {
        let states = states.iter().map(|state| (TRACESTATE, *state));
        of(&std::iter::once((TRACEPARENT, PARENT)).chain(states).collect::<Vec<_>>()).expect("a parent").state
    }

    #[test]
    fn what_a_caller_says_is_understood_or_nothing_of_it_is() {
        let (trace, parent) = ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331");
        for (value, flags) in [
            (format!("00-{trace}-{parent}-01"), Some(1)),
            (format!("00-{trace}-{parent}-00"), Some(0)),
            (format!("00-{trace}-{parent}-03"), Some(3)),
            // Flags that mean nothing yet are not handed on, of a later version only that of sampling.
            (format!("00-{trace}-{parent}-ff"), Some(3)),
            (format!("cc-{trace}-{parent}-ff"), Some(1)),
            (format!("01-{trace}-{parent}-01-what-the-future-will-be-like"), Some(1)),
            (format!("01-{trace}-{parent}-01-"), Some(1)),
            (format!("01-{trace}-{parent}-01.what"), None),
            (format!("00-{trace}-{parent}-01-"), None),
            (format!("00-{trace}-{parent}-01-more"), None),
            (format!("ff-{trace}-{parent}-01"), None),
            (format!("00-{}-{parent}-01", "0".repeat(32)), None),
            (format!("00-{trace}-{}-01", "0".repeat(16)), None),
            (format!("00-{}-{parent}-01", trace.to_uppercase()), None),
            (format!("00-{trace}-{}-01", parent.to_uppercase()), None),
            (format!("00-{trace}-{parent}-0A"), None),
            (format!("0-{trace}-{parent}-001"), None),
            (format!("00-{trace}0-{}-01", &parent[1..]), None),
            (format!("+0-{trace}-{parent}-01"), None),
            (format!("00-+{}-{parent}-01", &trace[1..]), None),
            (format!("00-{trace}-{parent}-1"), None),
            (format!("00-{trace}-{parent}"), None),
            (format!("00_{trace}_{parent}_01"), None),
            (format!("00-{trace}-{parent}-é"), None),
            (format!(" 00-{trace}-{parent}-01"), None),
            (String::new(), None),
        ] {
            let context = of(&[(TRACEPARENT, &value)]);
            assert_eq!(context.as_ref().map(|context| context.flags.bits()), flags, "{value}");
            if let Some(context) = context {
                assert_eq!((context.trace.to_string(), context.parent.to_string()), (trace.into(), parent.into()));
            }
        }
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[(TRACEPARENT, PARENT), (TRACEPARENT, PARENT)]), None, "two parents");
    }

    #[test]
    fn the_state_of_other_systems_is_handed_on_in_one_header_or_not_at_all() {
        let long = |key: &str, length: usize| format!("{key}={}", "v".repeat(length - key.len() - 1));
        let many = |count: usize| (0..count).map(|number| format!("k{number}=v")).collect::<Vec<_>>().join(",");
        for (states, expected) in [
            (&["congo=t61rcWkgMzE"][..], "congo=t61rcWkgMzE"),
            (&["rojo=00f067aa0ba902b7 , congo=a b", "", " ,t@v=!~"], "rojo=00f067aa0ba902b7,congo=a b,t@v=!~"),
            (&["0a/b*c-d_e@f=1"], "0a/b*c-d_e@f=1"),
            (&[&many(32)], &many(32)),
            (&[&many(33)], ""),
            (&["a=1", "a=2"], ""),
            (&["A=1"], ""),
            (&["@a=1"], ""),
            (&["a"], ""),
            (&["a="], ""),
            (&["=1"], ""),
            (&["a=b=c"], ""),
            (&["a=\u{e9}"], ""),
            (&[&long("a", 300)], ""),
            (&[&format!("{}=1", "k".repeat(257))], ""),
            // Too long for all of it: the long ones go, then the last.
            (
                &[&long("a", 129), &long("b", 128), &long("c", 250), &long("d", 128)],
                &[long("b", 128), long("d", 128)].join(","),
            ),
            (
                &[&long("a", 120), &long("b", 120), &long("c", 120), &long("d", 120), &long("e", 120)],
                &["a", "b", "c", "d"].map(|key| long(key, 120)).join(","),
            ),
        ] {
            assert_eq!(state_of(states), expected, "{states:?}");
        }
        assert_eq!(of(&[(TRACEPARENT, "00-nonsense"), (TRACESTATE, "congo=1")]), None);
    }

    #[test]
    fn what_goes_up_names_the_span_that_calls() {
        let context = of(&[(TRACEPARENT, PARENT)]).unwrap();
        let own = SpanId(NonZeroU64::new(0xab).unwrap());
        let up = traceparent(context.trace, own, context.flags.with_sampled(false));
        assert_eq!(up, "00-0af7651916cd43dd8448eb211c80319c-00000000000000ab-00");
        assert_eq!(traceparent(context.trace, context.parent, context.flags), PARENT);
        assert_eq!((Flags::begun(true).bits(), Flags::begun(false).bits()), (3, 2));
    }

    proptest! {
        #[test]
        fn whatever_is_accepted_can_be_sent_and_read_again(
            parent in "([0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}(-[ -~]{0,9})?)|[ -~]{0,80}",
            state in "([a-z0-9@=, \t]{0,40}(,[a-z]{1,3}=[ -~]{1,200}){0,6})",
        ) {
            if let Some(context) = of(&[(TRACEPARENT, &parent), (TRACESTATE, &state)]) {
                prop_assert!(context.state.len() <= 512);
                let up = traceparent(context.trace, context.parent, context.flags);
                prop_assert_eq!(up.len(), 55);
                prop_assert_eq!(of(&[(TRACEPARENT, &up), (TRACESTATE, &context.state)]), Some(context));
            }
        }
    }
}
