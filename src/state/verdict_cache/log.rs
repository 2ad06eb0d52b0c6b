//! Records of a few words in one piece of memory, by their keys: the latest over the oldest. Knows nothing of what they say.

/// See the module. Keys are keyed hashes, so no other words look like one. Takes the memory it is given and no more, which the system hands out as it is first written to.
#[derive(Debug)]
pub(super) struct Log {
    /// Each record is its key in two words, its length, and its words. Where one begins the key there is its own, or it was
    /// written over.
    words: Box<[u64]>,
    /// Where the next record goes.
    head: usize,
    /// Where the records are whose key leads to these places, each place and one, or zero.
    places: Box<[[u32; WAYS]]>,
}

/// Places where a record may be noted.
const WAYS: usize = 4;
/// Words before those of a record.
const HEAD: usize = 3;
/// Words for each of its places that a log has: about as many as a short record takes.
const SHORT: usize = 6;
/// A record that takes more than such a part of the log is not kept.
const PART: usize = 4;

impl Log {
    /// Of at most `bytes`.
    pub fn new(bytes: usize) -> Self {
        let most = u32::MAX as usize - 1;
        let row = WAYS * (SHORT * size_of::<u64>() + size_of::<u32>());
        let rows = (bytes / row).max(1);
        let words = (bytes.saturating_sub(rows * size_of::<[u32; WAYS]>()) / size_of::<u64>()).min(most);
        Log { words: vec![0; words].into(), head: 0, places: vec![[0; WAYS]; rows].into() }
    }

    /// The words of the record with that key. What is asked for is kept longer.
    pub fn get(&mut self, key: u128) -> Option<&[u64]> {
        let (row, way) = self.find(key)?;
        let mut at = self.place(row, way)?;
        let length = usize::try_from(self.words[at + 2]).ok().filter(|length| *length <= self.words.len() / PART)?;
        if self.age(at) > self.words.len() / 2 {
            let end = at + HEAD + length;
            let to = self.room(HEAD + length);
            self.words.copy_within(at..end, to);
            self.places[row][way] = to as u32 + 1;
            at = to;
        }
        self.words.get(at + HEAD..at + HEAD + length)
    }

    /// Keeps a record in place of the one with that key, if it is not too long.
    pub fn put(&mut self, key: u128, words: &[u64]) {
        let length = HEAD + words.len();
        if length > self.words.len() / PART {
            return;
        }
        let row = self.row(key);
        let at = self.room(length);
        let way = self.find(key).map_or_else(|| self.oldest(row), |(_, way)| way);
        let record = [key as u64, (key >> 64) as u64, words.len() as u64];
        self.words[at..at + HEAD].copy_from_slice(&record);
        self.words[at + HEAD..at + length].copy_from_slice(words);
        self.places[row][way] = at as u32 + 1;
    }

    fn row(&self, key: u128) -> usize {
        // The upper bits may have chosen the log.
        (key as u64 as usize) % self.places.len()
    }

    fn place(&self, row: usize, way: usize) -> Option<usize> {
        (self.places[row][way] as usize).checked_sub(1)
    }

    fn find(&self, key: u128) -> Option<(usize, usize)> {
        let row = self.row(key);
        let is_here = |at: usize| self.words[at..at + 2] == [key as u64, (key >> 64) as u64];
        (0..WAYS).find(|way| self.place(row, *way).is_some_and(is_here)).map(|way| (row, way))
    }

    /// Where nothing is noted, or what was written first.
    fn oldest(&self, row: usize) -> usize {
        let age = |way: &usize| self.place(row, *way).map_or(usize::MAX, |at| self.age(at));
        (0..WAYS).max_by_key(age).unwrap_or(0)
    }

    /// How much was written since the record at that place, or some of it.
    fn age(&self, at: usize) -> usize {
        if at < self.head { self.head - at } else { self.head + self.words.len() - at }
    }

    /// Room for so many words, at most as many as the log has. What begins there is lost.
    fn room(&mut self, length: usize) -> usize {
        if self.head + length > self.words.len() {
            self.head = 0;
        }
        self.head += length;
        self.head - length
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    /// A key as they are: unlike anything else in a log.
    fn hash(number: u128) -> u128 {
        (number + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835)
    }

    #[test]
    fn what_is_asked_for_outlives_what_is_not() {
        let mut log = Log::new(64 << 10);
        log.put(1, &[7; 9]);
        log.put(2, &[8; 9]);
        for key in 3..100_000 {
            log.put(key, &[key as u64; 5]);
            assert_eq!(log.get(1), Some(&[7; 9][..]));
        }
        assert_eq!(log.get(2), None);
    }

    #[test]
    fn what_is_longer_than_a_part_is_not_kept() {
        let mut log = Log::new(4096);
        for length in [0, 1, 90, 4096] {
            log.put(length as u128, &vec![1; length]);
            assert_eq!(log.get(length as u128).is_some(), length < 100, "{length}");
        }
        let mut none = Log::new(0);
        none.put(1, &[]);
        assert_eq!(none.get(1), None);
    }

    proptest! {
        #[test]
        fn a_record_is_what_was_put_by_its_key_or_gone(
            bytes in 0..9000_usize,
            steps in prop::collection::vec((0..40_u128, prop::option::of(0..30_usize)), 0..400),
        ) {
            let (mut log, mut known): (_, HashMap<u128, Vec<Vec<u64>>>) = (Log::new(bytes), HashMap::new());
            for (number, (key, length)) in steps.into_iter().enumerate() {
                let key = hash(key);
                match length {
                    Some(length) => {
                        let words = vec![1000 + number as u64; length];
                        log.put(key, &words);
                        known.entry(key).or_default().push(words);
                    }
                    None => {
                        let put = known.get(&key).map_or(&[][..], Vec::as_slice);
                        prop_assert!(log.get(key).is_none_or(|words| put.iter().any(|put| put == words)));
                    }
                }
            }
        }
    }
}
