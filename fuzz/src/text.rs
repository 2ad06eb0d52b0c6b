//! Readings of a text: they end, do not grow beyond bounds, and lead back to whole characters of the source.

use promptgate::text::unescape::{Escapes, unescape};
use promptgate::text::words::words as cut;
use promptgate::text::{Span, View, decode, fold, mend, wrap};

/// How much longer a reading may be than its source, and by how many bytes more where that is short.
const GROWTH: usize = 4;
const SLACK: usize = 64;

pub fn view(input: &[u8]) {
    let text = super::text(input);
    let words = fold::words(&text);
    check("words", &text, &words);
    if let Some(mended) = mend::mend(words.text(), &cut(words.text())) {
        check("mended", words.text(), &mended);
    }
    let others = [
        ("compat", fold::compat(&text)),
        ("unwrapped", wrap::unwrapped(&text)),
        ("backslash", unescape(&text, Escapes::Backslash)),
        ("unescaped", unescape(&text, Escapes::All)),
    ];
    for (name, view) in others {
        if let Some(view) = view {
            check(name, &text, &view);
        }
    }
}

pub fn decode(input: &[u8]) {
    let text = super::text(input);
    for cut in [false, true] {
        let Some(once) = decode::tokens(&text, cut) else { continue };
        check("decoded", &text, &once);
        if let Some(twice) = decode::tokens(once.text(), false) {
            check("decoded twice", once.text(), &twice);
        }
    }
}

fn check(name: &str, source: &str, view: &View) {
    let text = view.text();
    assert!(text.len() <= GROWTH * source.len() + SLACK, "{name}: {} bytes became {}", source.len(), text.len());
    let ends: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
    for pair in ends.windows(2) {
        let origin = view.source(Span::new(pair[0], pair[1]));
        assert!(source.get(origin.start..origin.end).is_some(), "{name}: {pair:?} stands for {origin:?}");
    }
    // Longer stretches, to the end, from places spread over the view.
    for start in ends.iter().step_by(ends.len() / 16 + 1) {
        let origin = view.source(Span::new(*start, text.len()));
        assert!(source.get(origin.start..origin.end).is_some(), "{name}: from {start} stands for {origin:?}");
    }
    for at in (0..=source.len()).step_by(source.len() / 16 + 1) {
        assert!(text.is_char_boundary(view.at(at)), "{name}: {at} is inside a character of the view");
    }
}
