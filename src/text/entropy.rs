//! Shannon entropy of a string's bytes. Not a randomness test: it only tells `hunter2` from a generated token.

/// Bits a byte, 0 for the empty string, at most 8.
pub fn shannon(text: &str) -> f32 {
    let mut counts = [0u32; 256];
    for byte in text.bytes() {
        counts[usize::from(byte)] += 1;
    }
    let total = text.len() as f32;
    counts.iter().filter(|&&count| count > 0).map(|&count| count as f32 / total).map(|p| -p * p.log2()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entropy_counts_bits_a_byte() {
        for (text, bits) in [("", 0.0), ("aaaa", 0.0), ("abab", 1.0), ("abcd", 2.0), ("abcdefgh", 3.0)] {
            assert!((shannon(text) - bits).abs() < 1e-6, "{text}");
        }
    }
}
