//! Byte offsets to offsets in Unicode code points, which is how Python and most clients count.

use super::Span;

/// The smallest span on character boundaries around `span`.
pub fn on_boundaries(text: &str, span: Span) -> Span {
    Span::new(text.floor_char_boundary(span.start), text.ceil_char_boundary(span.end))
}

/// Start and end of each span, counted in code points. One pass over the text, whatever the spans.
pub fn code_points(text: &str, spans: &[Span]) -> Vec<(usize, usize)> {
    let mut wanted: Vec<usize> = spans.iter().flat_map(|span| [span.start, span.end]).collect();
    wanted.sort_unstable();
    wanted.dedup();
    let mut counts = Vec::with_capacity(wanted.len());
    let (mut byte, mut count) = (0, 0);
    for offset in &wanted {
        count += text.get(byte..*offset).map_or(0, |piece| piece.chars().count());
        byte = *offset;
        counts.push(count);
    }
    let count_at = |offset: usize| wanted.binary_search(&offset).ok().and_then(|at| counts.get(at)).copied();
    spans.iter().map(|span| (count_at(span.start).unwrap_or(0), count_at(span.end).unwrap_or(0))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_count_characters_not_bytes() {
        let text = "👍🏽 e\u{301} 漢字 x";
        for needle in ["👍🏽", "e\u{301}", "漢字", "x", "字"] {
            let start = text.find(needle).expect("needle of the same text");
            let span = Span::new(start, start + needle.len());
            let before = text[..start].chars().count();
            assert_eq!(code_points(text, &[span]), [(before, before + needle.chars().count())], "{needle}");
        }
    }

    #[test]
    fn spans_may_overlap_and_come_in_any_order() {
        let text = "äöü";
        assert_eq!(code_points(text, &[Span::new(2, 6), Span::new(0, 4)]), [(1, 3), (0, 2)]);
    }

    #[test]
    fn a_span_inside_a_character_grows_to_its_edges() {
        assert_eq!(on_boundaries("äö", Span::new(1, 3)), Span::new(0, 4));
    }
}
