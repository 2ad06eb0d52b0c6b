//! Wallet addresses by their own checksums. Knows no chain: the rule's prefix says which it is.

use ring::digest::{SHA256, digest};

/// base58check (Bitcoin, Litecoin, Dogecoin, Tron): the last four of 25 bytes are the start of SHA-256 twice over the rest.
pub(super) fn base58check(text: &str) -> bool {
    let Some(bytes) = base58(text) else { return false };
    let Some((body, sum)) = bytes.split_last_chunk::<4>() else { return false };
    let twice = digest(&SHA256, digest(&SHA256, body).as_ref());
    body.len() == 21 && twice.as_ref().starts_with(sum)
}

const BASE58: &[u8] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";

/// 25 bytes, big-endian, or nothing if a character is foreign or the number is too large.
fn base58(text: &str) -> Option<[u8; 25]> {
    let mut bytes = [0_u8; 25];
    for c in text.bytes() {
        let mut carry = BASE58.iter().position(|b| *b == c)?;
        for byte in bytes.iter_mut().rev() {
            carry += usize::from(*byte) * 58;
            *byte = (carry & 0xff) as u8;
            carry >>= 8;
        }
        if carry != 0 {
            return None;
        }
    }
    Some(bytes)
}

const BECH32: &[u8] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";
/// The constants a sound bech32 (BIP 173) and bech32m (BIP 350) checksum leaves.
const BECH32_SUMS: [u32; 2] = [1, 0x2bc8_30a3];

pub(super) fn bech32(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    let Some((prefix, data)) = lower.rsplit_once('1') else { return false };
    let values: Option<Vec<u32>> =
        data.bytes().map(|c| BECH32.iter().position(|b| *b == c).map(|v| v as u32)).collect();
    let Some(values) = values else { return false };
    let expanded =
        prefix.bytes().map(|b| u32::from(b >> 5)).chain([0]).chain(prefix.bytes().map(|b| u32::from(b & 31)));
    values.len() >= 6 && BECH32_SUMS.contains(&polymod(expanded.chain(values)))
}

fn polymod(values: impl Iterator<Item = u32>) -> u32 {
    const GENERATOR: [u32; 5] = [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3];
    values.fold(1, |sum, value| {
        let shifted = (sum & 0x01ff_ffff) << 5 ^ value;
        GENERATOR.iter().enumerate().filter(|(i, _)| sum >> (25 + i) & 1 == 1).fold(shifted, |s, (_, g)| s ^ g)
    })
}

/// `0x` and 40 digits that are not a constant. EIP-55's mixed-case checksum needs Keccak-256, which nothing here provides; a mistyped address is personal too.
pub(super) fn eth(text: &str) -> bool {
    let digits = text.get(2..).unwrap_or_default();
    let first = digits.bytes().next();
    digits.len() == 40
        && digits.bytes().all(|b| b.is_ascii_hexdigit())
        && digits.bytes().skip(2).take(34).any(|b| Some(b) != first)
}

#[cfg(test)]
mod tests {
    use super::super::tests::check;
    use crate::detect::validate::Validator::*;

    #[test]
    fn wallets_are_told_by_their_checksums() {
        check(&[
            (
                Btc,
                &["16Yeky6GMjeNkAiNcBY7ZhrLoMSgg1BoyZ", "3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy"],
                &["16Yeky6GMjeNkAiNcBY7ZhrLoMSgg1BoyY", "16Yeky6GMjeNkAiNcBY7ZhrLoMSgg1BoyZ2", "0OIl", ""],
            ),
            (
                Bech32,
                &[
                    "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq",
                    "bc1p5d7rjq7g6rdk2yhzks9smlaqtedr4dekq08ge8ztwac72sfr9rusxg3297",
                ],
                &["bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdp", "bc1", "no separator"],
            ),
            (
                Eth,
                &["0x52908400098527886E0F7030069857D2E4169EE7"],
                &["0x0000000000000000000000000000000000000000", "0x52908400098527886E0F7030069857D2E4169EE", "0x"],
            ),
        ]);
    }
}
