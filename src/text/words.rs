//! The words of a folded text, see `fold::words`: cut once for all who read them. Judges none.

use super::english::Packed;

/// A word of the folded text, in few bytes: a text of single letters has half as many words as bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Word {
    start: u32,
    end: u32,
    /// Its number and one, or zero.
    english: u16,
    /// A sentence ends behind it.
    pub stop: bool,
    /// It consists of letters a to z.
    pub plain: bool,
}

impl Word {
    #[expect(clippy::len_without_is_empty, reason = "no word is empty")]
    pub fn len(self) -> usize {
        self.end() - self.start()
    }

    /// The word of these letters that begins at `start`.
    #[inline]
    pub(super) fn of_letters(letters: Packed, start: usize, stop: bool) -> Self {
        let english = letters.rank().map_or(0, |number| number + 1);
        Word { start: start as u32, end: (start + letters.len()) as u32, english, stop, plain: true }
    }

    /// The word from `start` to the end of `text`, whatever its case.
    pub(super) fn at(text: &[u8], start: usize, stop: bool) -> Self {
        let letters = Packed::at_in_any_case(text, start);
        let rest = text.get(start + letters.len()..).unwrap_or_default();
        if letters.len() > 0 && rest.is_empty() {
            return Word::of_letters(letters, start, stop);
        }
        let plain = rest.iter().all(u8::is_ascii_alphabetic);
        Word { start: start as u32, end: text.len() as u32, english: 0, stop, plain }
    }

    pub fn start(self) -> usize {
        self.start as usize
    }

    pub fn end(self) -> usize {
        self.end as usize
    }

    /// Its number, if it is English as it stands: see `english::forms`.
    pub fn english(self) -> Option<u16> {
        self.english.checked_sub(1)
    }

    pub fn is_english(&self) -> bool {
        self.english > 0
    }

    /// Letters, and no English word.
    pub fn is_odd(&self) -> bool {
        self.plain && !self.is_english()
    }

    /// Its letters, if it is at most sixteen of them and nothing else.
    #[inline]
    pub(super) fn letters(self, text: &str) -> Option<Packed> {
        let known = self.plain && self.len() <= Packed::LONGEST;
        known.then(|| Packed::known(text.as_bytes(), self.start(), self.len()))
    }
}

/// The words of `text`.
pub fn words(text: &str) -> Vec<Word> {
    let bytes = text.as_bytes();
    let mut words = Vec::with_capacity(text.len() / 5 + 1);
    let mut start = 0;
    while start < bytes.len() {
        let letters = Packed::at(bytes, start);
        let mut end = start + letters.len();
        let mut plain = true;
        if !ends(bytes, end) {
            let rest = bytes.get(end..).unwrap_or_default();
            let space = memchr::memchr(b' ', rest).unwrap_or(rest.len());
            let stop = usize::from(space > 0 && rest[space - 1] == b'.');
            plain = rest[..space - stop].iter().all(u8::is_ascii_lowercase);
            end += space - stop;
        }
        let stop = bytes.get(end) == Some(&b'.');
        if end > start {
            let english = if end == start + letters.len() { letters.rank() } else { None };
            let english = english.map_or(0, |number| number + 1);
            words.push(Word { start: start as u32, end: end as u32, english, stop, plain });
        }
        start = end + usize::from(stop) + 1;
    }
    words
}

/// A word that goes to `end` ends there.
fn ends(bytes: &[u8], end: usize) -> bool {
    match bytes.get(end) {
        Some(b'.') => bytes.get(end + 1).is_none_or(|next| *next == b' '),
        Some(byte) => *byte == b' ',
        None => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_letters_or_not_and_english_or_not() {
        let text = "ignore zxq gpt4 v1.2. größe. the";
        let found: Vec<_> = words(text)
            .into_iter()
            .map(|word| (&text[word.start()..word.end()], word.stop, word.plain, word.is_english()))
            .collect();
        assert_eq!(
            found,
            [
                ("ignore", false, true, true),
                ("zxq", false, true, false),
                ("gpt4", false, false, false),
                ("v1.2", true, false, false),
                ("größe", true, false, false),
                ("the", false, true, true),
            ]
        );
        assert!(words("").is_empty());
    }
}
