//! Sets of short runs of bytes, each a bitmap that stays in the first-level cache: they say quickly that something is not there.
//! Know no literals.

/// A set of windows, with next to none that was not put in: two bits of one number say that one is.
#[derive(Clone, Debug)]
pub(super) struct Bits(Box<[u64; BITS / 64]>);

impl Default for Bits {
    fn default() -> Self {
        Bits(Box::new([0; BITS / 64]))
    }
}

impl Bits {
    pub fn insert(&mut self, window: u64) {
        let (word, bits) = Self::place(window);
        self.0[word] |= bits;
    }

    #[inline(always)]
    pub fn may_hold(&self, window: u64) -> bool {
        let slot = (hash(window) >> (64 - BITS.ilog2())) as usize;
        self.0[slot / 64 % (BITS / 64)] >> (slot % 64) & 1 == 1
    }

    #[inline(always)]
    fn place(window: u64) -> (usize, u64) {
        let slot = hash(window) >> (64 - BITS.ilog2());
        (slot as usize / 64, 1 << (slot % 64))
    }
}

/// The first three bytes of all windows by the five lowest bits of each, in any case: small, and all that is asked of most
/// places.
#[derive(Clone, Debug)]
pub(super) struct Beginnings(Box<[u64; 1 << 9]>);

impl Default for Beginnings {
    fn default() -> Self {
        Beginnings(Box::new([0; 1 << 9]))
    }
}

impl Beginnings {
    pub fn insert(&mut self, window: u64) {
        let (word, bit) = Self::place(window);
        self.0[word] |= 1 << bit;
    }

    #[inline(always)]
    pub fn has(&self, window: u64) -> bool {
        let (word, bit) = Self::place(window);
        self.0[word] >> bit & 1 == 1
    }

    /// The same of the five lowest bits of each of three bytes, the first lowest.
    #[inline(always)]
    pub fn has_three(&self, three: usize) -> bool {
        self.0[three / 64 % (1 << 9)] >> (three % 64) & 1 == 1
    }

    #[inline(always)]
    fn place(window: u64) -> (usize, u64) {
        let three = window & 31 | window >> 3 & 31 << 5 | window >> 6 & 31 << 10;
        ((three / 64) as usize, three % 64)
    }
}

/// Pairs of bytes, without regard to case.
#[derive(Clone, Debug)]
pub(super) struct Pairs(Box<[u64; 1 << 10]>);

impl Default for Pairs {
    fn default() -> Self {
        Pairs(Box::new([0; 1 << 10]))
    }
}

impl Pairs {
    /// The first byte of `window` that is no letter and the next one, or every next one if the window ends there.
    pub fn insert(&mut self, window: &[u8]) {
        let sign = window.iter().position(|byte| !byte.is_ascii_lowercase()).unwrap_or(0);
        let next = window.get(sign + 1).map_or(0..=u8::MAX, |next| *next..=*next);
        for next in next {
            let (word, bit) = Self::place(window[sign], next);
            self.0[word] |= bit;
        }
    }

    #[inline(always)]
    pub fn has(&self, byte: u8, next: u8) -> bool {
        let (word, bit) = Self::place(byte, next);
        self.0[word] & bit != 0
    }

    #[inline(always)]
    fn place(byte: u8, next: u8) -> (usize, u64) {
        let pair = usize::from(byte) << 8 | usize::from(next | 0x20);
        (pair / 64 % (1 << 10), 1 << (pair % 64))
    }
}

#[inline(always)]
pub(super) fn hash(window: u64) -> u64 {
    window.wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

/// Of a bitmap: 8 KB.
const BITS: usize = 1 << 16;
