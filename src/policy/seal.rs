//! Placeholders and what they stand for, as one sealed record and back. Keeps no record, and knows no store.
//!
//! A record is a version byte, a nonce, and AES-256-GCM over token, entity and value of each, every part after its length.
//! It opens only under the name and for the tenant it was sealed for: whoever can write to the store can lose records, but
//! cannot give one tenant's to another. Each name has a key of its own, since random nonces of 96 bits are good for some
//! 2^32 records of one key (NIST SP 800-38D, section 8.3), which a gateway with one key for all would reach in weeks.

use std::fmt;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::{aead, hkdf, hmac};
use thiserror::Error;

use super::token::{Original, Tokens};

/// What records are named and sealed with.
pub struct SealKey {
    names: hmac::Key,
    records: hkdf::Prk,
}

/// Where a record lies, and whose it is.
pub struct Place<'a> {
    tenant: &'a str,
    /// Tells neither tenant nor id.
    pub name: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SealError {
    #[error("more than {MAX_TOKENS} placeholders are too many for one record")]
    TooMany,
    #[error("more than {MAX_BYTES} bytes are too long for one record")]
    TooLong,
    /// It was sealed with another key, for another tenant or under another name, or was changed or cut off.
    #[error("the record does not open")]
    Damaged,
}

/// In one record: far more than a conversation has, and little enough to be read at once.
pub const MAX_TOKENS: usize = 16_384;

/// Of one record before it is sealed.
pub const MAX_BYTES: usize = 1 << 20;

/// Of one sealed record.
pub const MAX_RECORD: usize = HEAD + MAX_BYTES + TAG;

const VERSION: u8 = 1;
const HEAD: usize = 1 + aead::NONCE_LEN;
const TAG: usize = 16;

impl SealKey {
    /// From the secret of the placeholders, of which nothing that is made with these keys tells.
    pub fn new(secret: &[u8]) -> Self {
        let records = hkdf::Salt::new(hkdf::HKDF_SHA256, b"promptgate vault").extract(secret);
        let names = derived(&records, &[b"names"], hmac::HMAC_SHA256);
        SealKey { names, records }
    }

    /// Of the record that belongs to the answer or conversation with this id.
    pub fn place<'a>(&self, tenant: &'a str, id: &str) -> Place<'a> {
        let mut context = hmac::Context::with_key(&self.names);
        for part in [tenant, id] {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part.as_bytes());
        }
        let name = format!("promptgate:vault:{}", URL_SAFE_NO_PAD.encode(context.sign()));
        Place { tenant, name }
    }

    /// `nonce` is drawn at random for each call.
    ///
    /// # Errors
    /// When there is more than one record may hold.
    pub fn seal(&self, place: &Place, nonce: [u8; aead::NONCE_LEN], tokens: &Tokens) -> Result<Vec<u8>, SealError> {
        let mut record = vec![VERSION];
        record.extend_from_slice(&nonce);
        encode(tokens, &mut record)?;
        let nonce = aead::Nonce::assume_unique_for_key(nonce);
        // AES-GCM takes 64 GiB of one message; a record is far below that.
        let tag = self
            .record_key(place)
            .seal_in_place_separate_tag(nonce, place.bound(), &mut record[HEAD..])
            .map_err(|_| SealError::TooLong)?;
        record.extend_from_slice(tag.as_ref());
        Ok(record)
    }

    /// # Errors
    /// When it is not what was sealed with this key for this place.
    pub fn open(&self, place: &Place, mut record: Vec<u8>) -> Result<Vec<(Arc<str>, Original)>, SealError> {
        let (head, sealed) = record.split_at_mut_checked(HEAD).ok_or(SealError::Damaged)?;
        let [VERSION, nonce @ ..] = head else { return Err(SealError::Damaged) };
        let nonce = aead::Nonce::try_assume_unique_for_key(nonce).map_err(|_| SealError::Damaged)?;
        let opened = self.record_key(place).open_in_place(nonce, place.bound(), sealed);
        opened.ok().and_then(|bytes| decode(bytes)).ok_or(SealError::Damaged)
    }

    fn record_key(&self, place: &Place) -> aead::LessSafeKey {
        aead::LessSafeKey::new(derived(&self.records, &[b"record", place.name.as_bytes()], &aead::AES_256_GCM))
    }
}

impl fmt::Debug for SealKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealKey").finish_non_exhaustive()
    }
}

impl Place<'_> {
    /// What is sealed with the record and not in it. All names are of one length, so there is one way to cut this.
    fn bound(&self) -> aead::Aad<Vec<u8>> {
        aead::Aad::from([&[VERSION], self.name.as_bytes(), self.tenant.as_bytes()].concat())
    }
}

fn derived<L: hkdf::KeyType, K: for<'a> From<hkdf::Okm<'a, L>>>(from: &hkdf::Prk, label: &[&[u8]], kind: L) -> K {
    // RFC 5869, section 2.3: up to 8,160 bytes can be had; a key takes 32.
    from.expand(label, kind).expect("HKDF-SHA-256 gives 32 bytes").into()
}

fn encode(tokens: &Tokens, record: &mut Vec<u8>) -> Result<(), SealError> {
    if tokens.len() > MAX_TOKENS {
        return Err(SealError::TooMany);
    }
    for (token, original) in tokens.iter() {
        for part in [&token, &original.entity, &original.value] {
            let length = u32::try_from(part.len()).map_err(|_| SealError::TooLong)?;
            record.extend_from_slice(&length.to_be_bytes());
            if part.len() > (HEAD + MAX_BYTES).saturating_sub(record.len()) {
                return Err(SealError::TooLong);
            }
            record.extend_from_slice(part.as_bytes());
        }
    }
    Ok(())
}

fn decode(mut bytes: &[u8]) -> Option<Vec<(Arc<str>, Original)>> {
    let mut tokens = Vec::new();
    while !bytes.is_empty() {
        let mut next = || part(&mut bytes);
        tokens.push((next()?, Original { entity: next()?, value: next()? }));
    }
    Some(tokens)
}

/// The text that begins here, cut off.
fn part(bytes: &mut &[u8]) -> Option<Arc<str>> {
    let (length, rest) = bytes.split_first_chunk()?;
    let (text, rest) = rest.split_at_checked(u32::from_be_bytes(*length) as usize)?;
    *bytes = rest;
    Some(std::str::from_utf8(text).ok()?.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{Mint, TokenKey};

    const NONCE: [u8; 12] = [9; 12];

    fn key() -> SealKey {
        SealKey::new(&[7; 32])
    }

    fn tokens(values: &[&str]) -> Tokens {
        let mint = Mint { key: Arc::new(TokenKey::new(&[7; 32], 1)), tenant: "acme".into() };
        let mut tokens = Tokens::default();
        for value in values {
            tokens.mint(&mint, &"EMAIL_ADDRESS".into(), value);
        }
        tokens
    }

    fn sealed(values: &[&str]) -> Vec<u8> {
        key().seal(&key().place("acme", "resp_1"), NONCE, &tokens(values)).unwrap()
    }

    #[test]
    fn what_was_sealed_opens_where_it_was_sealed() {
        let values = ["jane@corp.io", "", "two\nlines \"and\" \u{1f600}"];
        let opened = key().open(&key().place("acme", "resp_1"), sealed(&values)).unwrap();
        let mut again = Tokens::default();
        again.extend(opened);
        assert_eq!(again.len(), 3);
        for (token, original) in tokens(&values).iter() {
            assert_eq!(again.get(&token), Some(original));
        }
        assert!(key().open(&key().place("acme", "resp_1"), sealed(&[])).unwrap().is_empty());
    }

    #[test]
    fn it_opens_with_no_other_key_for_no_other_tenant_and_under_no_other_id() {
        let damaged =
            |key: &SealKey, place: &Place| key.open(place, sealed(&["jane@corp.io"])) == Err(SealError::Damaged);
        let other = SealKey::new(&[8; 32]);
        assert!(damaged(&other, &other.place("acme", "resp_1")));
        assert!(damaged(&other, &key().place("acme", "resp_1")));
        assert!(damaged(&key(), &key().place("acme", "resp_2")));
        assert!(damaged(&key(), &key().place("acmf", "resp_1")));
        // Copied to where another tenant looks, and read by a gateway that looks there under its own tenant's name.
        assert!(damaged(&key(), &Place { tenant: "evil", name: key().place("acme", "resp_1").name }));
    }

    #[test]
    fn it_opens_neither_changed_nor_cut_off_nor_with_more() {
        let whole = sealed(&["jane@corp.io"]);
        let damaged = |record: Vec<u8>| key().open(&key().place("acme", "resp_1"), record) == Err(SealError::Damaged);
        for at in 0..whole.len() {
            let mut changed = whole.clone();
            changed[at] ^= 1;
            assert!(damaged(changed), "byte {at}");
            assert!(damaged(whole[..at].to_vec()), "cut to {at}");
        }
        assert!(damaged([whole, vec![0]].concat()));
    }

    /// Records outlive the process that made them, so their form may change only with the version. Name and record are from
    /// another implementation: Python's `hmac` and `cryptography`.
    #[test]
    fn a_record_of_version_1_still_opens() {
        let place = key().place("acme", "resp_1");
        assert_eq!(place.name, "promptgate:vault:Tay9wpjADwlh-Bo05VRgcE6iQTqiMNZS75pd6lcnQj8");
        let record = "AQkJCQkJCQkJCQkJCVGwyqWI8CoY5gmq627TlM7bS6xv8QY1rV3oXeWdH_sajxIGHPUOcIqxF-0jfgo1H1XDdnhJWHQje2ZZEKEVdljd\
                      zOV6AzpcAZZA0f_Vuw";
        let record = URL_SAFE_NO_PAD.decode(record).unwrap();
        assert_eq!(record, sealed(&["jane@corp.io"]));
        let [(token, original)] = &key().open(&place, record).unwrap()[..] else { panic!("one token") };
        assert!(tokens(&["jane@corp.io"]).get(token).as_ref() == Some(original));
    }

    #[test]
    fn a_name_tells_where_the_tenant_ends() {
        let name = |tenant, id| key().place(tenant, id).name;
        let distinct = [name("ab", "c"), name("a", "bc"), name("", "abc"), name("abc", ""), name("c", "ab")];
        assert_eq!(distinct.iter().collect::<std::collections::BTreeSet<_>>().len(), distinct.len());
        assert!(distinct.iter().all(|name| name.len() == distinct[0].len()));
        assert!(!name("tenant-canary", "id-canary").contains("canary"));
    }

    #[test]
    fn a_record_has_limits_and_the_longest_still_opens() {
        let place = key().place("acme", "resp_1");
        let overhead = 12 + "EMAIL_ADDRESS_x".len() + 10 + "EMAIL_ADDRESS".len();
        let longest = "v".repeat(MAX_BYTES - overhead);
        let record = key().seal(&place, NONCE, &tokens(&[&longest])).unwrap();
        assert_eq!(record.len(), MAX_RECORD);
        assert_eq!(&*key().open(&place, record).unwrap()[0].1.value, longest);
        let longer = tokens(&[&(longest + "v")]);
        assert_eq!(key().seal(&place, NONCE, &longer), Err(SealError::TooLong));
        let mut many = Tokens::default();
        let original = Original { entity: "PIN".into(), value: "".into() };
        let token = |number: usize| (Arc::from(format!("PIN_x{number}")), original.clone());
        many.extend((0..MAX_TOKENS).map(token));
        assert!(key().seal(&place, NONCE, &many).is_ok());
        many.extend([token(MAX_TOKENS)]);
        assert_eq!(key().seal(&place, NONCE, &many), Err(SealError::TooMany));
    }

    /// Only who has the key can make such a record; a mistake of ours must not be a panic either.
    #[test]
    fn bytes_that_are_no_parts_are_none() {
        for bytes in
            [&[0, 0, 0][..], &[0, 0, 0, 9, b'a'], &[0, 0, 0, 0, 0, 0, 0, 0], &[255, 255, 255, 255], &[0, 0, 0, 1, 255]]
        {
            assert!(decode(bytes).is_none(), "{bytes:?}");
        }
    }

    #[test]
    fn nothing_secret_is_in_debug_output_or_errors() {
        let key = SealKey::new(b"key-canary-key-canary-key-canary");
        let error = key.open(&key.place("tenant-canary", "id-canary"), Vec::new()).unwrap_err();
        let shown = format!("{key:?} {error:?} {error}");
        assert!(shown.contains("SealKey") && !shown.contains("canary"), "{shown}");
    }
}
