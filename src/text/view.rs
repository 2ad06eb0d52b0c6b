//! Another reading of a text, with the way back: every byte of the view belongs to a range of the source.

use super::Span;

/// Text derived from a source text. Spans of the view map to spans of the source on character boundaries.
#[derive(Clone, Debug, Default)]
pub struct View {
    text: String,
    pieces: Vec<Piece>,
}

/// A stretch of the view, up to the next piece. A hostile text has one for every second byte, so it is kept small: texts are read
/// in windows, far shorter than `LONGEST`.
#[derive(Clone, Copy, Debug)]
struct Piece {
    at: u32,
    start: u32,
    /// End of the source range, twice, and one more if byte `i` of the piece is byte `i` of the range. Otherwise the piece stands
    /// for the range as a whole.
    end: u32,
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
        self.copied(Span::new(at, at + text.len()));
        self.text.push_str(text);
    }

    /// All that was appended so far, in lower case.
    pub fn lower(&mut self) {
        self.text.make_ascii_lowercase();
    }

    /// Appends a space that stands for all of `source`.
    #[inline]
    pub fn space(&mut self, source: Span) {
        if source.len() == 1 {
            self.copied(source);
        } else {
            self.replaced(source);
        }
        self.text.push(' ');
    }

    /// What is appended next stands for `source`, byte for byte.
    #[inline]
    fn copied(&mut self, source: Span) {
        match self.pieces.last_mut() {
            Some(last) if last.is_copied() && last.source().end == source.start => last.extend_to(source.end),
            _ => self.pieces.push(Piece::new(self.text.len(), source, true)),
        }
    }

    /// What is appended next stands for all of `source`.
    #[inline]
    fn replaced(&mut self, source: Span) {
        // The characters that one is spelled out as are one piece.
        if self.pieces.last().is_none_or(|last| last.is_copied() || last.source() != source) {
            self.pieces.push(Piece::new(self.text.len(), source, false));
        }
    }

    /// Appends `text`, all of which stands for all of `source`.
    pub fn replace(&mut self, text: &str, source: Span) {
        if text.len() == 1 && source.len() == 1 {
            return self.copy(text, source.start);
        }
        if text.is_empty() {
            return;
        }
        self.replaced(source);
        self.text.push_str(text);
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
            Span::new(last.source().start.min(first.source().start), first.source().end)
        }
    }

    /// The first position of the view that stands for source bytes at or after `source`.
    pub fn at(&self, source: usize) -> usize {
        let index = self.pieces.partition_point(|piece| piece.source().end <= source);
        self.pieces.get(index).map_or(self.text.len(), |piece| {
            let inside = source.saturating_sub(piece.source().start);
            if piece.is_copied() { self.text.ceil_char_boundary(piece.at() + inside) } else { piece.at() }
        })
    }

    /// The part of the view at `span`, which lies on character boundaries.
    pub fn part(&self, span: Span) -> View {
        let first = self.pieces.partition_point(|piece| piece.at() <= span.start).saturating_sub(1);
        let last = self.pieces.partition_point(|piece| piece.at() < span.end);
        let ends = self.pieces.iter().skip(first + 1).map(|piece| piece.at()).chain([self.text.len()]);
        let within = self.pieces.get(first..last).unwrap_or_default();
        let pieces = within.iter().zip(ends).map(|(piece, end)| {
            let (start, end) = (piece.at().max(span.start), end.min(span.end));
            let source = Span::new(piece.source_start(start), piece.source_end(end));
            Piece::new(start - span.start, source, piece.is_copied())
        });
        View { text: self.text.get(span.start..span.end).unwrap_or_default().to_owned(), pieces: pieces.collect() }
    }

    /// The parts of the view at its `changes`.
    pub fn parts(&self, margin: usize) -> impl Iterator<Item = View> {
        self.changes(margin).into_iter().map(|place| self.part(place))
    }

    /// Where the view differs from its source, with `margin` bytes on either side and on to the ends of the words there.
    pub fn changes(&self, margin: usize) -> Vec<Span> {
        let mut changes: Vec<Span> = Vec::new();
        let mut source = 0;
        let ends = self.pieces.iter().skip(1).map(|piece| piece.at()).chain([self.text.len()]);
        for (piece, end) in self.pieces.iter().zip(ends) {
            let changed = Span::new(piece.at(), if piece.is_copied() { piece.at() } else { end });
            if !piece.is_copied() || piece.source().start != source {
                let near = |change: &&mut Span| change.end + 2 * margin + LONGEST_WORD >= changed.start;
                match changes.last_mut().filter(near) {
                    Some(last) => last.end = changed.end,
                    None => changes.push(changed),
                }
            }
            source = piece.source().end;
        }
        let (mut seen, mut space) = (1, 0);
        for change in &mut changes {
            // A space that is still ahead is not looked for again: a text without any would be read once a change.
            if !(seen..=space).contains(&(change.end + margin)) {
                seen = change.end + margin;
                space = self.space_behind(change.end, margin);
            }
            *change = Span::new(self.space_before(change.start, margin), space);
        }
        changes.dedup_by(|next, last| {
            next.start <= last.end && {
                last.end = last.end.max(next.end);
                true
            }
        });
        changes
    }

    /// The last space that is `margin` or more before `at`, unless it is too far.
    fn space_before(&self, at: usize, margin: usize) -> usize {
        let latest = at.saturating_sub(margin);
        let word = self.text.as_bytes().get(..latest).unwrap_or_default().iter().rev().take(LONGEST_WORD);
        let length = word.take_while(|byte| !byte.is_ascii_whitespace()).count();
        self.text.floor_char_boundary(latest.saturating_sub(length + 1))
    }

    /// The first space that is `margin` or more behind `at`: a token is cut by nothing else.
    fn space_behind(&self, at: usize, margin: usize) -> usize {
        let earliest = (at + margin).min(self.text.len());
        let word = self.text.as_bytes().get(earliest..).unwrap_or_default();
        self.text.ceil_char_boundary(earliest + word.iter().take_while(|byte| !byte.is_ascii_whitespace()).count())
    }

    fn piece_at(&self, position: usize) -> Option<&Piece> {
        let after = self.pieces.partition_point(|piece| piece.at() <= position);
        self.pieces.get(after.checked_sub(1)?)
    }
}

impl Piece {
    fn new(at: usize, source: Span, copied: bool) -> Self {
        Piece { at: narrow(at), start: narrow(source.start), end: narrow(source.end) << 1 | u32::from(copied) }
    }

    fn at(self) -> usize {
        self.at as usize
    }

    fn source(self) -> Span {
        Span { start: self.start as usize, end: (self.end >> 1) as usize }
    }

    fn is_copied(self) -> bool {
        self.end & 1 == 1
    }

    fn extend_to(&mut self, end: usize) {
        self.end = narrow(end) << 1 | self.end & 1;
    }

    fn source_start(self, position: usize) -> usize {
        self.start as usize + if self.is_copied() { position - self.at() } else { 0 }
    }

    fn source_end(self, position: usize) -> usize {
        let Span { start, end } = self.source();
        if self.is_copied() { (start + position.saturating_sub(self.at())).min(end) } else { end }
    }
}

fn narrow(place: usize) -> u32 {
    place.min(LONGEST) as u32
}

/// A view of a longer text would lead back to its beginning only.
const LONGEST: usize = u32::MAX as usize >> 1;

/// How far a word is followed to its start.
const LONGEST_WORD: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_of_a_view_map_to_the_source() {
        // source: `ab\nCD`, the escape is two bytes
        let mut view = View::default();
        view.copy("ab", 0);
        view.replace("\n", Span::new(2, 4));
        view.copy("CD", 4);
        view.lower();
        assert_eq!(view.text(), "ab\ncd");
        for (span, source) in [((0, 5), (0, 6)), ((1, 3), (1, 4)), ((2, 4), (2, 5)), ((3, 4), (4, 5))] {
            assert_eq!(view.source(Span::new(span.0, span.1)), Span::new(source.0, source.1));
        }
        assert_eq!([0, 2, 3, 4, 6].map(|source| view.at(source)), [0, 2, 2, 3, 5]);
    }

    #[test]
    fn a_part_of_a_view_is_one_of_the_same_source() {
        let mut view = View::default();
        view.copy("some words before ", 0);
        view.replace("é", Span::new(18, 24));
        view.copy(" and more behind", 24);
        assert_eq!(view.changes(4), [Span::new(10, 24)]);
        let part = view.part(Span::new(10, 24));
        assert_eq!(part.text(), " before é and");
        for (start, end) in [(0, 6), (1, 8), (8, 10), (9, 14), (0, 14)] {
            assert_eq!(part.source(Span::new(start, end)), view.source(Span::new(start + 10, end + 10)));
        }
        assert!(view.part(Span::new(0, 18)).changes(4).is_empty());
        assert_eq!(view.part(Span::new(18, 20)).source(Span::new(0, 2)), Span::new(18, 24));
    }
}
