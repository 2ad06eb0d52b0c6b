//! Which lists a word is in: one bit a list, in a hash table that is read as it lies in the binary.

use super::token::mix;

/// In lists of first names.
pub const FIRST: u8 = 1;
pub const LAST: u8 = 2;
/// A town of 15,000 or more, a state, a region.
pub const PLACE: u8 = 4;
/// A smaller town or village.
pub const HAMLET: u8 = 8;
pub const COUNTRY: u8 = 16;
/// English text has it in small letters.
pub const COMMON: u8 = 32;
/// A word of company names.
pub const ORG: u8 = 64;
/// A word of addresses: `street`, `apt`, `zip`.
pub const STREET: u8 = 128;

/// Slots of three bytes, sixteen bits of the hash and the flags; flags of 0 are an empty slot.
#[derive(Clone, Copy, Debug)]
pub struct Gazetteer<'m> {
    slots: &'m [u8],
    mask: usize,
}

impl<'m> Gazetteer<'m> {
    /// `slots` holds a power of two of slots, one of them empty.
    pub fn new(slots: &'m [u8]) -> Self {
        Gazetteer { slots, mask: (slots.len() / SLOT).saturating_sub(1) }
    }

    /// The flags of a word; 0 if it is in no list.
    pub fn flags(&self, hash: u64) -> u8 {
        let (mut at, [low, high]) = Self::place(hash, self.mask);
        loop {
            match self.slots.get(at * SLOT..at * SLOT + SLOT) {
                Some(&[a, b, flags]) if flags != 0 => {
                    if a == low && b == high {
                        return flags;
                    }
                    at = (at + 1) & self.mask;
                }
                _ => return 0,
            }
        }
    }

    /// Writes the table for `(hash, flags)` rows. A hash that two words share gets the flags of both.
    pub fn build(rows: &[(u64, u8)]) -> Vec<u8> {
        let count = (rows.len() * 4 / 3 + 1).next_power_of_two();
        let mut slots = vec![0; count * SLOT];
        for &(hash, flags) in rows {
            let (mut at, [low, high]) = Self::place(hash, count - 1);
            while let Some(slot) = slots.get_mut(at * SLOT..at * SLOT + SLOT) {
                if matches!(slot, &mut [_, _, 0]) || matches!(slot, &mut [a, b, _] if a == low && b == high) {
                    let old = slot.get(2).copied().unwrap_or(0);
                    slot.copy_from_slice(&[low, high, old | flags]);
                    break;
                }
                at = (at + 1) & (count - 1);
            }
        }
        slots
    }

    fn place(hash: u64, mask: usize) -> (usize, [u8; 2]) {
        (hash as usize & mask, ((hash >> 48) as u16).to_le_bytes())
    }
}

/// Two words one after the other, as a row of their own.
pub fn pair(first: u64, second: u64) -> u64 {
    mix(first.rotate_left(17), second)
}

const SLOT: usize = 3;

#[cfg(test)]
mod tests {
    use super::super::token::word_hash;
    use super::*;

    #[test]
    fn a_word_has_the_flags_of_all_its_rows_and_others_have_none() {
        let rows: Vec<(u64, u8)> = (0..1000).map(|n| (word_hash(&format!("w{n}")), 1 + (n % 7) as u8)).collect();
        let slots = Gazetteer::build(&[&rows[..], &[(rows[0].0, COMMON)]].concat());
        let gazetteer = Gazetteer::new(&slots);
        assert_eq!(gazetteer.flags(rows[0].0), COMMON | 1);
        assert!(rows[1..].iter().all(|row| gazetteer.flags(row.0) & row.1 == row.1));
        let wrong = (0..10_000).filter(|n| gazetteer.flags(word_hash(&format!("x{n}"))) != 0).count();
        assert!(wrong < 10, "{wrong}");
        assert_eq!(Gazetteer::new(&[]).flags(1), 0);
    }
}
