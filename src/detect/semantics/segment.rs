//! Sentences and words. Knows abbreviations and punctuation, not grammar.

use unicode_normalization::char::is_combining_mark;

use super::lexicon::{MAYBE_LAST, NEVER_LAST};
use crate::text::Span;

/// Spans of the sentences, trimmed; a stretch without a letter or digit is none.
pub fn sentences(text: &str) -> Vec<Span> {
    let mut spans = Vec::new();
    let (mut start, mut at) = (0, 0);
    while let Some(c) = text[at..].chars().next() {
        if let Some(behind) = behind_code(text, at) {
            at = behind;
            continue;
        }
        let next = at + c.len_utf8();
        let end = match c {
            '\n' if text[start..at].trim_start().starts_with('#') => Some(next),
            '\n' => newline_ends(&text[next..]).then_some(next),
            _ if FULL_WIDTH.contains(&c) => Some(after_closers(text, next)),
            _ if TERMINATORS.contains(&c) => terminator_ends(text, start, at),
            _ => None,
        };
        at = match end {
            Some(end) => end,
            None if TERMINATORS.contains(&c) => after_run(text, at),
            None => next,
        };
        if end.is_some() {
            push_sentence(text, start, at, &mut spans);
            start = at;
        }
    }
    push_sentence(text, start, text.len(), &mut spans);
    spans
}

/// Words: runs of letters, digits and marks, joined by an apostrophe, hyphen, underscore or point inside; a Han or
/// Hiragana character is a word of its own, as Unicode's rules without a dictionary have it.
pub fn words(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let tail = &rest[rest.find(char::is_alphanumeric)?..];
        let (word, after) = tail.split_at(word_len(tail));
        rest = after;
        Some(word)
    })
}

/// Behind the block of code that opens at `at`. Its points end no sentence.
fn behind_code(text: &str, at: usize) -> Option<usize> {
    let code = text[at..].strip_prefix(FENCE)?;
    let length = code.find(FENCE).map_or(code.len(), |length| length + FENCE.len());
    Some(at + FENCE.len() + length)
}

fn push_sentence(text: &str, start: usize, end: usize, spans: &mut Vec<Span>) {
    let piece = &text[start..end];
    if piece.contains(char::is_alphanumeric) {
        let lead = piece.len() - piece.trim_start().len();
        spans.push(Span::new(start + lead, start + piece.trim_end().len()));
    }
}

/// Hard-wrapped prose goes on in lower case; a list item, a heading or a new paragraph does not.
fn newline_ends(rest: &str) -> bool {
    let line = rest.trim_start_matches([' ', '\t', '\r']);
    let lettered = line.as_bytes().get(1).is_some_and(|byte| *byte == b')');
    lettered || line.chars().next().is_none_or(|c| !c.is_lowercase())
}

/// The end of the sentence if the run of terminators at `at` ends one. Looks back no further than `start`.
fn terminator_ends(text: &str, start: usize, at: usize) -> Option<usize> {
    let run = after_run(text, at);
    let end = after_closers(text, run);
    let after = &text[end..];
    if !(after.is_empty() || after.starts_with(char::is_whitespace) || after.starts_with(is_cjk)) {
        return None;
    }
    let lower_next = after.trim_start().starts_with(char::is_lowercase);
    let ends = match &text[at..run] {
        "." => !is_abbreviation(before(text, start, at), lower_next) && !is_numbered(before(text, start, at), after),
        // A quotation that goes on in the sentence around it: "Stop!" she said.
        marks if marks.contains(['!', '?', '؟', '।']) => end == run || !lower_next,
        _ellipsis => !lower_next,
    };
    ends.then_some(end)
}

fn after_run(text: &str, at: usize) -> usize {
    text.len() - text[at..].trim_start_matches(TERMINATORS).len()
}

/// Quotes and brackets after a terminator belong to the sentence they close.
fn after_closers(text: &str, at: usize) -> usize {
    let rest = &text[at..];
    text.len() - rest.trim_start_matches(|c| CLOSERS.contains(&c) || FULL_WIDTH.contains(&c)).len()
}

/// The last `LOOK_BACK` bytes or less of the sentence so far, so that no text makes the splitter quadratic.
fn before(text: &str, start: usize, at: usize) -> &str {
    let mut from = start.max(at.saturating_sub(LOOK_BACK));
    while !text.is_char_boundary(from) {
        from += 1;
    }
    &text[from..at]
}

/// Whether the single point after `before` belongs to its last word: a title, initials, the number of a list item.
fn is_abbreviation(before: &str, lower_next: bool) -> bool {
    let from = before.rfind(|c: char| c.is_whitespace() || "([{\"'“‘".contains(c));
    let (lead, word) = before.split_at(from.map_or(0, |at| at + before[at..].chars().next().map_or(0, char::len_utf8)));
    let lower = word.to_lowercase();
    let numbers_an_item = (1..=3).contains(&word.len())
        && word.bytes().all(|b| b.is_ascii_digit())
        && lead.trim_matches(['\n', ' ', '\t', '\r']).is_empty();
    let initial = word != "I" && word.chars().count() == 1 && word.chars().all(char::is_uppercase);
    let dotted = lower.contains('.') && lower.split('.').all(|part| part.chars().count() == 1);
    let may_end = dotted || MAYBE_LAST.contains(&lower);
    numbers_an_item || initial || NEVER_LAST.contains(&lower) || (may_end && lower_next)
}

/// "No. 5".
fn is_numbered(before: &str, after: &str) -> bool {
    let last = before.rsplit(|c: char| !c.is_alphabetic()).next().unwrap_or_default();
    last.eq_ignore_ascii_case("no") && after.trim_start().starts_with(|c: char| c.is_ascii_digit())
}

fn is_cjk(c: char) -> bool {
    matches!(c, '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{ac00}'..='\u{d7af}')
        || matches!(c, '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
}

/// Written without spaces and counted by character: Han and Hiragana, not Katakana or Hangul.
fn stands_alone(c: char) -> bool {
    is_cjk(c) && !matches!(c, '\u{30a0}'..='\u{30ff}' | '\u{ac00}'..='\u{d7af}')
}

/// Length of the word at the start of `tail`, which starts with a letter or digit.
fn word_len(tail: &str) -> usize {
    let Some(first) = tail.chars().next() else { return 0 };
    let head = first.len_utf8();
    if stands_alone(first) {
        return head + tail[head..].find(|c| !is_combining_mark(c)).unwrap_or(tail.len() - head);
    }
    let mut before = first;
    let mut rest = tail[head..].char_indices().peekable();
    while let Some((at, c)) = rest.next() {
        let next = rest.peek().map(|(_, next)| *next);
        let groups = c == ',' && before.is_ascii_digit() && next.is_some_and(|next| next.is_ascii_digit());
        let joins = JOINERS.contains(&c) && next.is_some_and(continues);
        if !(continues(c) || joins || groups) {
            return head + at;
        }
        before = c;
    }
    tail.len()
}

fn continues(c: char) -> bool {
    (c.is_alphanumeric() && !stands_alone(c)) || is_combining_mark(c)
}

const TERMINATORS: [char; 6] = ['.', '!', '?', '…', '؟', '।'];
/// These end a sentence with no space after them.
const FULL_WIDTH: [char; 4] = ['。', '！', '？', '｡'];
const CLOSERS: [char; 10] = ['"', '\'', ')', ']', '}', '”', '’', '»', '」', '』'];
const FENCE: &str = "```";
const JOINERS: [char; 5] = ['\'', '’', '-', '_', '.'];
/// Longer than any abbreviation with what stands before it on its line.
const LOOK_BACK: usize = 48;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_end_where_a_reader_ends_them() {
        let cases: &[(&str, &[&str])] = &[
            ("", &[]),
            ("one", &["one"]),
            ("A dog. A cat! A bird? Yes", &["A dog.", "A cat!", "A bird?", "Yes"]),
            (
                "Dr. Smith met Mr. J. Doe, e.g. here. Then he left.",
                &["Dr. Smith met Mr. J. Doe, e.g. here.", "Then he left."],
            ),
            ("It is 3.14 or v1.2.3 at example.com. Done.", &["It is 3.14 or v1.2.3 at example.com.", "Done."]),
            ("We meet at 5 p.m. today. At 6 p.m. Then go.", &["We meet at 5 p.m. today.", "At 6 p.m.", "Then go."]),
            ("Well... maybe. Wait... What?!", &["Well... maybe.", "Wait...", "What?!"]),
            ("He said \"go.\" She went.", &["He said \"go.\"", "She went."]),
            ("你好。今天天气很好！走吗？", &["你好。", "今天天气很好！", "走吗？"]),
            ("これはペンです。「はい。」次", &["これはペンです。", "「はい。」", "次"]),
            ("1. Open it\n2. Close it", &["1. Open it", "2. Close it"]),
            ("wrapped\nprose goes on\n\nNew paragraph", &["wrapped\nprose goes on", "New paragraph"]),
            ("- first\n- second", &["- first", "- second"]),
            ("a) one\nb) two", &["a) one", "b) two"]),
            ("# Title\ntext below", &["# Title", "text below"]),
            ("```\nprint('a. B')\n\nx = 1\n```\nWhat is it?", &["```\nprint('a. B')\n\nx = 1\n```", "What is it?"]),
            ("\"Stop!\" she said. I did.", &["\"Stop!\" she said.", "I did."]),
            ("No. 5 is alive. No. It is.", &["No. 5 is alive.", "No.", "It is."]),
            ("... --- !!!", &[]),
            ("क्या है। ठीक है।", &["क्या है।", "ठीक है।"]),
        ];
        for (text, expected) in cases {
            let found: Vec<&str> = sentences(text).iter().map(|span| &text[span.start..span.end]).collect();
            assert_eq!(&found, expected, "{text:?}");
        }
    }

    #[test]
    fn words_are_runs_of_letters_in_any_script() {
        let cases: &[(&str, &[&str])] = &[
            ("don't re-open 3.14, ok?", &["don't", "re-open", "3.14", "ok"]),
            ("10,000 of 1,2 a,b", &["10,000", "of", "1,2", "a", "b"]),
            ("cafe\u{301} naïve", &["cafe\u{301}", "naïve"]),
            ("漢字かなカタカナ", &["漢", "字", "か", "な", "カタカナ"]),
            ("안녕 мир", &["안녕", "мир"]),
            ("👍 -- _x_", &["x"]),
            ("end. 'quoted'", &["end", "quoted"]),
        ];
        for (text, expected) in cases {
            assert_eq!(&words(text).collect::<Vec<_>>(), expected, "{text:?}");
        }
    }
}
