//! Another reading of a text, with the way back: every byte of the view belongs to a range of the source.

use super::Span;

/// Text derived from a source text. Spans of the view map to spans of the source on character boundaries.
#[derive(Clone, Debug, Default)]
pub struct View {
    text: String,
    pieces: Vec<Piece>,
}

/// A stretch of the view, up to the next piece.
#[derive(Clone, Copy, Debug)]
struct Piece {
    at: usize,
    source: Span,
    /// Byte `i` of the piece is byte `i` of the source range. Otherwise the piece stands for the range as a whole.
    copied: bool,
}

impl View {
    pub fn with_capacity(bytes: usize) -> Self {
        View { text: String::with_capacity(bytes), pieces: Vec::new() }
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    /// Appends `text`, which stands for the source bytes from `at`, one for one.
    pub fn copy(&mut self, text: &str, at: usize) {
        if text.is_empty() {
            return;
        }
        match self.pieces.last_mut() {
            Some(last) if last.copied && last.source.end == at => last.source.end += text.len(),
            _ => self.pieces.push(Piece { at: self.text.len(), source: Span::new(at, at + text.len()), copied: true }),
        }
        self.text.push_str(text);
    }

    /// As `copy`, in lower case.
    pub fn copy_lower(&mut self, text: &str, at: usize) {
        let start = self.text.len();
        self.copy(text, at);
        if let Some(copied) = self.text.get_mut(start..) {
            copied.make_ascii_lowercase();
        }
    }

    /// Appends `text`, all of which stands for all of `source`.
    pub fn replace(&mut self, text: &str, source: Span) {
        if text.len() == 1 && source.len() == 1 {
            return self.copy(text, source.start);
        }
        if !text.is_empty() {
            self.pieces.push(Piece { at: self.text.len(), source, copied: false });
            self.text.push_str(text);
        }
    }

    pub fn replace_char(&mut self, character: char, source: Span) {
        self.replace(character.encode_utf8(&mut [0; 4]), source);
    }

    /// The source range `span` of the view stands for. Where the view has another order than the source, all between.
    pub fn source(&self, span: Span) -> Span {
        let (first, last) = (self.piece_at(span.start), self.piece_at(span.end.saturating_sub(1)));
        let (Some(first), Some(last)) = (first, last) else { return Span::new(0, 0) };
        let (start, end) = (first.source_start(span.start), last.source_end(span.end));
        if start <= end {
            Span::new(start, end)
        } else {
            Span::new(last.source.start.min(first.source.start), first.source.end)
        }
    }

    /// The first position of the view that stands for source bytes at or after `source`.
    pub fn at(&self, source: usize) -> usize {
        let index = self.pieces.partition_point(|piece| piece.source.end <= source);
        self.pieces.get(index).map_or(self.text.len(), |piece| {
            let inside = source.saturating_sub(piece.source.start);
            if piece.copied { self.text.ceil_char_boundary(piece.at + inside) } else { piece.at }
        })
    }

    fn piece_at(&self, position: usize) -> Option<&Piece> {
        let after = self.pieces.partition_point(|piece| piece.at <= position);
        self.pieces.get(after.checked_sub(1)?)
    }
}

impl Piece {
    fn source_start(&self, position: usize) -> usize {
        if self.copied { self.source.start + (position - self.at) } else { self.source.start }
    }

    fn source_end(&self, position: usize) -> usize {
        if self.copied {
            (self.source.start + position.saturating_sub(self.at)).min(self.source.end)
        } else {
            self.source.end
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_of_a_view_map_to_the_source() {
        // source: `ab\nCD`, the escape is two bytes
        let mut view = View::default();
        view.copy("ab", 0);
        view.replace("\n", Span::new(2, 4));
        view.copy_lower("CD", 4);
        assert_eq!(view.text(), "ab\ncd");
        for (span, source) in [((0, 5), (0, 6)), ((1, 3), (1, 4)), ((2, 4), (2, 5)), ((3, 4), (4, 5))] {
            assert_eq!(view.source(Span::new(span.0, span.1)), Span::new(source.0, source.1));
        }
        assert_eq!([0, 2, 3, 4, 6].map(|source| view.at(source)), [0, 2, 2, 3, 5]);
    }
}
