//! Placeholders that can be undone: keyed, the same for the same value in every turn and on every replica, with no store
//! between them. What they stand for is known to the request that made them, and to nobody else.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Bound;
use std::sync::Arc;

use ring::hmac;

/// The key all placeholders of an installation are made with.
pub struct TokenKey {
    key: hmac::Key,
    epoch: u32,
}

impl TokenKey {
    /// The shortest secret that is taken, in bytes.
    pub const SHORTEST: usize = 32;

    /// Another `epoch` gives every value another placeholder, as another secret would.
    pub fn new(secret: &[u8], epoch: u32) -> Self {
        TokenKey { key: hmac::Key::new(hmac::HMAC_SHA256, secret), epoch }
    }

    fn digits(&self, tenant: &str, entity: &str, value: &str) -> String {
        let mut context = hmac::Context::with_key(&self.key);
        context.update(&self.epoch.to_be_bytes());
        for part in [tenant, entity, value] {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part.as_bytes());
        }
        base32(context.sign().as_ref())
    }
}

impl fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenKey").field("epoch", &self.epoch).finish_non_exhaustive()
    }
}

/// Makes the placeholders of one tenant.
#[derive(Clone, Debug)]
pub struct Mint {
    pub key: Arc<TokenKey>,
    pub tenant: Arc<str>,
}

/// What a placeholder stands for. Its `Debug` does not say.
#[derive(Clone, PartialEq, Eq)]
pub struct Original {
    pub entity: Arc<str>,
    pub value: Arc<str>,
}

impl fmt::Debug for Original {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Original").field("entity", &self.entity).finish_non_exhaustive()
    }
}

/// The placeholders of one request.
#[derive(Clone, Debug, Default)]
pub struct Tokens {
    /// Shared with its copies until one of them adds to it. In order, so that those that begin with a text are found, and in a
    /// tree, which grows by a little: a table of thousands is copied to grow.
    originals: Arc<BTreeMap<Arc<str>, Original>>,
}

impl Tokens {
    /// The placeholder of a value: of two that would have the same, the later takes more characters of its own.
    pub fn mint(&mut self, mint: &Mint, entity: &Arc<str>, value: impl AsRef<str> + Into<Arc<str>>) -> Arc<str> {
        let digits = mint.key.digits(&mint.tenant, entity, value.as_ref());
        let mut length = DIGITS;
        loop {
            let token = format!("{entity}_x{}", &digits[..length]);
            match self.originals.get_key_value(&*token) {
                Some((known, original)) if *original.value == *value.as_ref() => return known.clone(),
                // All 51 characters are the same for different values only if SHA-256 collides.
                Some(_) if length < digits.len() => length += 1,
                _ => {
                    let token: Arc<str> = token.into();
                    let original = Original { entity: entity.clone(), value: value.into() };
                    Arc::make_mut(&mut self.originals).insert(token.clone(), original);
                    return token;
                }
            }
        }
    }

    /// Adds placeholders of earlier requests. What this one made itself stays.
    pub fn extend(&mut self, earlier: impl IntoIterator<Item = (Arc<str>, Original)>) {
        for (token, original) in earlier {
            Arc::make_mut(&mut self.originals).entry(token).or_insert(original);
        }
    }

    pub fn get(&self, token: &str) -> Option<&Original> {
        self.originals.get(token)
    }

    /// Whether one of them begins so and goes on.
    pub fn continues(&self, beginning: &str) -> bool {
        let mut after = self.originals.range::<str, _>((Bound::Excluded(beginning), Bound::Unbounded));
        after.next().is_some_and(|(token, _)| token.starts_with(beginning))
    }

    pub fn iter(&self) -> impl Iterator<Item = (&Arc<str>, &Original)> {
        self.originals.iter()
    }

    pub fn is_empty(&self) -> bool {
        self.originals.is_empty()
    }

    pub fn len(&self) -> usize {
        self.originals.len()
    }
}

/// 50 bits: among a million values of one tenant, two share a placeholder with probability 1 in 2,000.
pub(crate) const DIGITS: usize = 10;

/// Whether the whole text has the form of such a placeholder.
pub fn is_token(text: &str) -> bool {
    let Some((entity, digits)) = text.rsplit_once("_x") else { return false };
    entity.starts_with(|c: char| c.is_ascii_uppercase())
        && entity.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
        && digits.len() >= DIGITS
        && digits.bytes().all(is_digit)
}

/// The alphabet of RFC 4648, section 6, in lower case.
pub(crate) const fn is_digit(byte: u8) -> bool {
    matches!(byte, b'a'..=b'z' | b'2'..=b'7')
}

fn base32(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let (mut text, mut buffer, mut bits) = (String::new(), 0_u32, 0);
    for byte in bytes {
        buffer = buffer << 8 | u32::from(*byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            text.push(char::from(ALPHABET[(buffer >> bits & 31) as usize]));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mint(secret: &[u8], epoch: u32, tenant: &str) -> Mint {
        Mint { key: Arc::new(TokenKey::new(secret, epoch)), tenant: tenant.into() }
    }

    fn token(mint: &Mint, entity: &str, value: &str) -> String {
        Tokens::default().mint(mint, &entity.into(), value).to_string()
    }

    #[test]
    fn a_placeholder_is_the_same_wherever_key_epoch_tenant_entity_and_value_are() {
        let here = token(&mint(&[7; 32], 1, "acme"), "EMAIL_ADDRESS", "jane@corp.io");
        assert_eq!(here, token(&mint(&[7; 32], 1, "acme"), "EMAIL_ADDRESS", "jane@corp.io"));
        assert!(is_token(&here) && here.starts_with("EMAIL_ADDRESS_x") && here.len() == 25, "{here}");
        for other in [
            token(&mint(&[8; 32], 1, "acme"), "EMAIL_ADDRESS", "jane@corp.io"),
            token(&mint(&[7; 32], 2, "acme"), "EMAIL_ADDRESS", "jane@corp.io"),
            token(&mint(&[7; 32], 1, "acm"), "EMAIL_ADDRESS", "jane@corp.io"),
            token(&mint(&[7; 32], 1, "acme"), "EMAIL_ADDRESS", "jane@corp.i"),
        ] {
            assert_ne!(here, other);
        }
    }

    #[test]
    fn of_two_values_with_one_placeholder_the_later_takes_a_longer_one() {
        let mint = mint(&[7; 32], 1, "acme");
        let mut tokens = Tokens::default();
        let first = token(&mint, "PIN", "1234");
        let rival = Original { entity: "PIN".into(), value: "other".into() };
        tokens.extend([(Arc::from(&*first), rival)]);
        let second = tokens.mint(&mint, &"PIN".into(), "1234");
        assert!(second.starts_with(&first) && second.len() == first.len() + 1);
        assert_eq!(tokens.mint(&mint, &"PIN".into(), "1234"), second);
        assert_eq!((&*tokens.get(&first).unwrap().value, &*tokens.get(&second).unwrap().value), ("other", "1234"));
    }

    #[test]
    fn when_every_length_is_taken_the_longest_placeholder_is() {
        let mint = mint(&[7; 32], 1, "acme");
        let rival = Original { entity: "PIN".into(), value: "other".into() };
        let mut tokens = Tokens::default();
        assert!(tokens.is_empty());
        let mut last = tokens.clone().mint(&mint, &"PIN".into(), "1234");
        for _ in DIGITS..=51 {
            assert!(tokens.get(&last).is_none());
            tokens.extend([(last, rival.clone())]);
            last = tokens.clone().mint(&mint, &"PIN".into(), "1234");
        }
        assert!(tokens.get(&last).is_some());
        assert!(!tokens.is_empty());
        // SHA-256 in base32: ten characters and each of the lengths above.
        assert_eq!((last.len(), tokens.len()), ("PIN_x".len() + 51, 51 - DIGITS + 1));
    }

    #[test]
    fn the_form_is_told_from_others() {
        for (text, expected) in [
            ("EMAIL_ADDRESS_xabcdefghij", true),
            ("US_SSN_x234567abcdefg", true),
            ("EMAIL_ADDRESS_xabcdefghi", false),
            ("email_address_xabcdefghij", false),
            ("EMAIL_ADDRESS_xabcdefghi1", false),
            ("_xabcdefghij", false),
            ("ghp_xabcdefghij", false),
        ] {
            assert_eq!(is_token(text), expected, "{text}");
        }
    }

    #[test]
    fn digits_are_those_of_rfc_4648() {
        assert_eq!(base32(b"fooba"), "mzxw6ytb");
    }

    #[test]
    fn nothing_secret_is_in_debug_output() {
        let mut tokens = Tokens::default();
        tokens.mint(&mint(b"key-canary-key-canary-key-canary", 1, "acme"), &"PIN".into(), "value-canary");
        let shown = format!("{tokens:?} {:?}", mint(b"key-canary-key-canary-key-canary", 1, "acme"));
        assert!(["TokenKey", "epoch: 1", "Original", "PIN"].iter().all(|name| shown.contains(name)), "{shown}");
        assert!(!shown.contains("canary"), "{shown}");
    }
}
