//! The model as data: heads, weights, calibration, and the file they are kept in. Reads no text.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::OnceLock;

use super::features;
use crate::text::english;

/// What one linear head looks at.
#[derive(Clone, Copy, Debug)]
pub struct Head {
    /// Lengths in words of the windows it is evaluated over; the highest counts.
    pub windows: &'static [usize],
    /// Whether parts of words count, or words and their chains alone.
    pub parts: bool,
}

/// Linear heads over the same features: one row of the table holds a weight for each.
pub const HEADS: [Head; 6] = [
    // Prompt attacks: what stands close together, and what the whole looks like by whole words.
    Head { windows: &[4, 8, 16, 32], parts: true },
    Head { windows: &[WHOLE], parts: false },
    // Malicious code.
    Head { windows: &[24, 64], parts: true },
    Head { windows: &[WHOLE], parts: false },
    // Which attack: injection, and prompt extraction, against the others.
    Head { windows: &[WHOLE], parts: true },
    Head { windows: &[WHOLE], parts: true },
];

/// Words that a head for whole texts sees at once. A longer text is as suspicious as its worst such window.
pub const WHOLE: usize = 1024;
const SCALES: usize = 4;
const MAGIC: &[u8; 8] = b"PGATK\0\0\x02";
/// Bytes of a row: one weight a head and, in two, the fingerprint of the feature, so that others do not read it as theirs.
const ROW: usize = 8;
/// Bytes of a cache line.
const LINE: usize = 64;

/// A score for a logit, by points between which it is interpolated; logits ascend.
pub type Curve = Vec<(f32, f32)>;

/// All that training decides.
#[derive(Clone, Debug, Default)]
pub struct Parameters {
    /// A head's weight is its byte times this.
    pub scale: [f32; HEADS.len()],
    pub bias: [[f32; SCALES]; HEADS.len()],
    /// What the first head alone has to reach, and the logit that it then stands for.
    pub alone: [f32; 2],
    /// What a rule that is sure adds to the logit.
    pub rule: f32,
    pub attack: Curve,
    pub code: Curve,
    /// Common words, whose weights are added up beforehand.
    pub words: Vec<String>,
    /// A power of two of buckets of two rows: those of the file itself, if that is in the program.
    pub rows: Cow<'static, [[u8; ROW]]>,
}

/// Something wrong with a model's file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a model of this version, or cut off")]
pub struct Malformed;

impl Parameters {
    pub fn encode(&self) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        let floats = self.scale.iter().chain(self.bias.iter().flatten()).chain(&self.alone).chain([&self.rule]);
        floats.for_each(|value| out.extend(value.to_le_bytes()));
        for curve in [&self.attack, &self.code] {
            out.extend((curve.len() as u32).to_le_bytes());
            curve.iter().flat_map(|(x, y)| [x, y]).for_each(|value| out.extend(value.to_le_bytes()));
        }
        // Rows begin at a multiple of a cache line from the start of the file.
        let mut words = self.words.join("\n");
        let rows = out.len() + words.len() + 2 * size_of::<u32>();
        words.extend(std::iter::repeat_n('\n', rows.next_multiple_of(LINE) - rows));
        out.extend((words.len() as u32).to_le_bytes());
        out.extend(words.as_bytes());
        out.extend((self.rows.len() as u32).to_le_bytes());
        self.rows.iter().for_each(|row| out.extend(row));
        out
    }

    /// # Errors
    /// When the bytes are not what `encode` makes.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        Self::read(bytes).map(|(parameters, rows)| Parameters { rows: rows.to_vec().into(), ..parameters })
    }

    /// The same without a copy of the rows.
    pub fn in_place(bytes: &'static [u8]) -> Result<Self, Malformed> {
        Self::read(bytes).map(|(parameters, rows)| Parameters { rows: rows.into(), ..parameters })
    }

    fn read(bytes: &[u8]) -> Result<(Self, &[[u8; ROW]]), Malformed> {
        let mut rest = Reader(bytes);
        if rest.take(MAGIC.len())? != MAGIC {
            return Err(Malformed);
        }
        let mut parameters = Parameters::default();
        for value in parameters.scale.iter_mut().chain(parameters.bias.iter_mut().flatten()) {
            *value = rest.float()?;
        }
        (parameters.alone, parameters.rule) = ([rest.float()?, rest.float()?], rest.float()?);
        (parameters.attack, parameters.code) = (rest.curve()?, rest.curve()?);
        let length = rest.length()?;
        let words = std::str::from_utf8(rest.take(length)?).map_err(|_| Malformed)?;
        parameters.words = words.split_ascii_whitespace().map(str::to_owned).collect();
        let count = rest.length()?;
        let rows = rest.take(count.checked_mul(ROW).ok_or(Malformed)?)?;
        let whole = rest.0.is_empty() && count.is_power_of_two() && count > 1;
        if whole { Ok((parameters, rows.as_chunks().0)) } else { Err(Malformed) }
    }
}

struct Reader<'b>(&'b [u8]);

impl<'b> Reader<'b> {
    fn take(&mut self, count: usize) -> Result<&'b [u8], Malformed> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(Malformed)?;
        self.0 = rest;
        Ok(taken)
    }

    fn float(&mut self) -> Result<f32, Malformed> {
        Ok(f32::from_le_bytes(self.take(4)?.try_into().map_err(|_| Malformed)?))
    }

    fn length(&mut self) -> Result<usize, Malformed> {
        Ok(u32::from_le_bytes(self.take(4)?.try_into().map_err(|_| Malformed)?) as usize)
    }

    fn curve(&mut self) -> Result<Curve, Malformed> {
        (0..self.length()?).map(|_| Ok((self.float()?, self.float()?))).collect()
    }
}

/// What something brings each head; the last two places are unused. A word of `features::LONGEST` letters brings some ten thousand.
type Weights = [i16; ROW];

/// Weights being added up, those of all heads at once: heads of even number in the first integer, the others in the second, sixteen
/// bits each, with so much more than their sum that none is negative. What that is, whoever adds knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lanes([u64; 2]);

impl Lanes {
    /// What is looked up in a bucket is this much more.
    const BUCKET: u64 = 0x80;
    /// What a word with its chains is: see `Table::english` and `Table::word`.
    const WORD: u64 = 0x4000 + 3 * Self::BUCKET;
    const EACH: u64 = 0x0001_0001_0001_0001;
    const LOW: u64 = 0x00FF_00FF_00FF_00FF;

    /// A word that brings nothing, and chains that do not.
    pub const NONE: Lanes = Lanes([0x4000 * Self::EACH; 2]);
    pub const NO_CHAINS: Lanes = Lanes([3 * Self::BUCKET * Self::EACH; 2]);

    #[inline]
    pub fn plus(self, other: Lanes) -> Lanes {
        Lanes([self.0[0].wrapping_add(other.0[0]), self.0[1].wrapping_add(other.0[1])])
    }

    /// What a word with its chains brings a head.
    #[inline]
    pub fn of(self, head: usize) -> i32 {
        self.above(head, Self::WORD)
    }

    fn above(self, head: usize, more: u64) -> i32 {
        let half = if head.is_multiple_of(2) { self.0[0] } else { self.0[1] };
        let lane = half >> (head / 2 * 16) & 0xFFFF;
        lane as i32 - more as i32
    }

    /// What words with their chains bring each head together.
    pub fn totals(words: &[Lanes]) -> [i32; ROW] {
        // Two lanes of 32 bits each.
        const HALF: u64 = 0x0000_FFFF_0000_FFFF;
        let mut sums = [0_u64; 4];
        for Lanes([even, odd]) in words {
            let parts = [even & HALF, odd & HALF, even >> 16 & HALF, odd >> 16 & HALF];
            sums = std::array::from_fn(|at| sums[at] + parts[at]);
        }
        let more = words.len() as u64 * Self::WORD;
        std::array::from_fn(|head| ((sums[head % 4] >> (head / 4 * 32) & 0xFFFF_FFFF) as i64 - more as i64) as i32)
    }

    /// What the feature `hash` brings, if one of these rows is its own: none of zeroes is, and no two are. Whether it is, is no
    /// branch: half of them are.
    #[inline]
    pub fn of_feature(hash: u64, rows: [u64; 2]) -> Lanes {
        let print = u64::from(print(hash));
        let own = |row: u64| row & u64::from(row >> 48 == print).wrapping_neg();
        let weights = (own(rows[0]) | own(rows[1])) ^ (0x80 * (u64::MAX / 0xFF));
        Lanes([weights & Self::LOW, weights >> 8 & Self::LOW])
    }

    fn of_word(weights: Weights) -> Lanes {
        let lane = |head: usize| ((i32::from(weights[head]) + 0x4000) as u64 & 0xFFFF) << (head / 2 * 16);
        let lanes = |first: usize| (first..ROW).step_by(2).map(lane).fold(0, |all, lane| all | lane);
        Lanes([lanes(0), lanes(1)])
    }
}

/// The weights, ready to be looked up. What a word brings is found out when it is first met: to do so for all beforehand would read
/// every page of the rows.
#[derive(Clone, Debug)]
pub struct Table {
    rows: Cow<'static, [[u8; ROW]]>,
    /// Of words seen often that are not English: what the word and its parts add up to.
    known: HashMap<u64, OnceLock<Lanes>, std::hash::BuildHasherDefault<Passed>>,
    /// The same of every English word, by its number, and its hash.
    english: Vec<OnceLock<(u64, Lanes)>>,
}

impl Table {
    pub fn new(rows: Cow<'static, [[u8; ROW]]>, words: &[String]) -> Self {
        let others = words.iter().filter(|word| !english::is_word(word));
        let known = others.map(|word| (features::word(word), OnceLock::new())).collect();
        Table { rows, known, english: english::forms().map(|_| OnceLock::new()).collect() }
    }

    /// Hash and weights of an English word.
    #[inline]
    pub fn english(&self, number: u16) -> Option<&(u64, Lanes)> {
        let known = self.english.get(usize::from(number))?;
        let form = || english::form(number).unwrap_or_default();
        Some(known.get_or_init(|| (features::word(form()), self.spell(form()))))
    }

    /// What a word brings, with its parts.
    pub fn word(&self, text: &str, hash: u64) -> Lanes {
        self.known.get(&hash).map_or_else(|| self.spell(text), |known| *known.get_or_init(|| self.spell(text)))
    }

    /// Where the weights of a feature would be. The table is larger than the caches near the processor: whoever asks for many
    /// rows in a row waits for them at once.
    #[inline]
    pub fn bucket(&self, hash: u64) -> [u64; 2] {
        let (at, _) = place(hash, self.rows.len());
        // A row as one number, its fingerprint highest.
        self.rows.get(at..at + 2).map_or([0; 2], |rows| [rows[0], rows[1]].map(u64::from_le_bytes))
    }

    fn spell(&self, text: &str) -> Lanes {
        let (mut lanes, mut more) = (Lanes::default(), 0);
        features::parts(text, |part| {
            lanes = lanes.plus(Lanes::of_feature(part, self.bucket(part)));
            more += Lanes::BUCKET;
        });
        let word = features::word(text);
        let word = Lanes::of_feature(word, self.bucket(word));
        Lanes::of_word(std::array::from_fn(|head| {
            let parts = if HEADS.get(head).is_some_and(|head| head.parts) { lanes.above(head, more) } else { 0 };
            (parts + word.above(head, Lanes::BUCKET)) as i16
        }))
    }
}

/// The first of the two rows a feature may stand in, and its fingerprint, which is never zero.
pub fn place(hash: u64, rows: usize) -> (usize, u16) {
    ((hash as usize & (rows / 2).saturating_sub(1)) * 2, print(hash))
}

fn print(hash: u64) -> u16 {
    ((hash >> 48) as u16).max(1)
}

/// Feature hashes are hashes already.
#[derive(Clone, Copy, Debug, Default)]
pub struct Passed(u64);

impl std::hash::Hasher for Passed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.0 = self.0.rotate_left(8) ^ u64::from(*byte));
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_comes_back_from_its_file_and_a_damaged_one_does_not() {
        let parameters = Parameters {
            alone: [1.5, 2.5],
            attack: vec![(-1.0, 0.1), (2.0, 0.9)],
            words: vec!["ignore".to_owned(), "忽".to_owned()],
            rows: vec![[1; ROW]; 4].into(),
            ..Parameters::default()
        };
        let bytes = parameters.encode();
        let back = Parameters::decode(&bytes).expect("what was encoded");
        assert_eq!(
            (back.alone, back.attack, back.words, back.rows.len()),
            ([1.5, 2.5], parameters.attack, parameters.words, 4)
        );
        for end in 0..bytes.len() {
            assert!(Parameters::decode(&bytes[..end]).is_err(), "{end}");
        }
    }

    #[test]
    fn no_bucket_of_the_shipped_model_has_two_rows_of_one_feature() {
        let rows = &Parameters::decode(include_bytes!("../../../models/attack.bin")).expect("the shipped model").rows;
        let twice = |pair: &&[[u8; ROW]]| pair[0][ROW - 2..] == pair[1][ROW - 2..] && pair[0][ROW - 2..] != [0; 2];
        assert_eq!(rows.chunks(2).filter(twice).count(), 0);
    }

    #[test]
    fn a_word_known_beforehand_weighs_what_it_weighs_spelled_out() {
        let mut rows = vec![[0; ROW]; 512];
        let mut put = |hash| {
            let (bucket, print) = place(hash, 512);
            let [low, high] = print.to_le_bytes();
            rows[bucket] = [3, 5, 7, 1, 2, 4, low, high];
        };
        put(features::word("erongi"));
        features::parts("erongi", &mut put);
        let spelled = Table::new(rows.clone().into(), &[]).word("erongi", features::word("erongi"));
        let known = Table::new(rows.into(), &["erongi".to_owned()]).word("erongi", features::word("erongi"));
        assert_eq!(spelled, known);
        let totals = Lanes::totals(&[known
            .plus(Lanes::of_feature(1, [0; 2]))
            .plus(Lanes::of_feature(1, [0; 2]))
            .plus(Lanes::of_feature(1, [0; 2]))]);
        assert!(totals[0] > totals[1], "the head of whole words leaves the parts out");
    }
}
