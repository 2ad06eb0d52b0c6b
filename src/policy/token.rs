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
#[derive(Clone, Default)]
pub struct Tokens {
    /// Shared with its copies until one of them adds to it.
    table: Arc<Table>,
}

/// In few bytes: a hostile text has a value in every ten of its own.
#[derive(Clone, Default)]
struct Table {
    /// The types there are, each once.
    entities: Vec<Arc<str>>,
    /// The values, one behind the other.
    values: String,
    /// Where the value of each placeholder stands that has the usual number of digits, by the number of its type and by them. In
    /// order, so that those are found that go on from a text, and in a tree, which grows by little.
    usual: BTreeMap<(u16, [u8; DIGITS]), Place>,
    /// All others, which is next to none.
    others: BTreeMap<Arc<str>, Original>,
}

/// A part of `Table::values`. All of a request fit in far less than 4 GiB.
#[derive(Clone, Copy)]
struct Place {
    start: u32,
    length: u32,
}

impl Tokens {
    /// The placeholder of a value: of two that would have the same, the later takes more characters of its own.
    pub fn mint(&mut self, mint: &Mint, entity: &Arc<str>, value: &str) -> Arc<str> {
        self.find(mint, entity, value).unwrap_or_else(|token| {
            Arc::make_mut(&mut self.table).add(&token, entity, value);
            token
        })
    }

    /// The placeholder of a value that has one already.
    pub fn minted(&self, mint: &Mint, entity: &str, value: &str) -> Option<Arc<str>> {
        self.find(mint, entity, value).ok()
    }

    /// The placeholder that a value has, or else the one it gets.
    fn find(&self, mint: &Mint, entity: &str, value: &str) -> Result<Arc<str>, Arc<str>> {
        let digits = mint.key.digits(&mint.tenant, entity, value);
        let mut length = DIGITS;
        loop {
            let token: Arc<str> = format!("{entity}{MARK}{}", &digits[..length]).into();
            match self.table.value(&token) {
                Some(known) if known == value => return Ok(token),
                // All 51 characters are the same for different values only if SHA-256 collides.
                Some(_) if length < digits.len() => length += 1,
                _ => return Err(token),
            }
        }
    }

    /// Adds placeholders of earlier requests. What this one made itself stays.
    pub fn extend(&mut self, earlier: impl IntoIterator<Item = (Arc<str>, Original)>) {
        let table = Arc::make_mut(&mut self.table);
        for (token, Original { entity, value }) in earlier {
            if table.value(&token).is_none() {
                table.add(&token, &entity, &value);
            }
        }
    }

    pub fn get(&self, token: &str) -> Option<Original> {
        let Table { entities, usual, others, .. } = &*self.table;
        let key = self.table.key(token).filter(|key| usual.contains_key(key));
        match key {
            Some((entity, _)) => {
                let (entity, value) = (entities.get(usize::from(entity))?.clone(), self.table.value(token)?.into());
                Some(Original { entity, value })
            }
            None => others.get(token).cloned(),
        }
    }

    /// Whether one of them begins so and goes on.
    pub fn continues(&self, beginning: &str) -> bool {
        let Table { entities, others, .. } = &*self.table;
        let first = beginning.bytes().next();
        if others.is_empty() && first.is_some() && !entities.iter().any(|entity| entity.bytes().next() == first) {
            return false;
        }
        let begins = |entity: &Arc<str>| match beginning.strip_prefix(&**entity) {
            Some(rest) => MARK.starts_with(rest),
            None => entity.starts_with(beginning),
        };
        let mut after = others.range::<str, _>((Bound::Excluded(beginning), Bound::Unbounded));
        entities.iter().any(begins)
            || self.table.continues(beginning)
            || after.next().is_some_and(|(token, _)| token.starts_with(beginning))
    }

    /// What they stand for is of these types, and maybe of others of earlier requests.
    pub fn entities(&self) -> &[Arc<str>] {
        &self.table.entities
    }

    /// No placeholder is longer.
    pub fn longest(&self) -> usize {
        let usual = self.table.entities.iter().map(|entity| entity.len() + MARK.len() + DIGITS);
        usual.chain(self.table.others.keys().map(|token| token.len())).max().unwrap_or_default()
    }

    pub fn iter(&self) -> impl Iterator<Item = (Arc<str>, Original)> {
        let usual = self.table.usual.keys().filter_map(|(entity, digits)| {
            let entity = self.table.entities.get(usize::from(*entity))?;
            let token: Arc<str> = format!("{entity}{MARK}{}", std::str::from_utf8(digits).ok()?).into();
            self.get(&token).map(|original| (token, original))
        });
        usual.chain(self.table.others.iter().map(|(token, original)| (token.clone(), original.clone())))
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn len(&self) -> usize {
        self.table.usual.len() + self.table.others.len()
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens")
            .field("entities", &self.table.entities)
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}

impl Table {
    /// What a placeholder of usual length is found by.
    fn key(&self, token: &str) -> Option<(u16, [u8; DIGITS])> {
        let (entity, digits) = token.rsplit_once(MARK)?;
        Some((self.number(entity)?, digits.as_bytes().try_into().ok()?))
    }

    fn number(&self, entity: &str) -> Option<u16> {
        u16::try_from(self.entities.iter().position(|known| **known == *entity)?).ok()
    }

    fn value(&self, token: &str) -> Option<&str> {
        match self.key(token).and_then(|key| self.usual.get(&key)) {
            Some(Place { start, length }) => {
                let start = *start as usize;
                self.values.get(start..start + *length as usize)
            }
            None => self.others.get(token).map(|original| &*original.value),
        }
    }

    fn add(&mut self, token: &str, entity: &Arc<str>, value: &str) {
        if !self.entities.contains(entity) {
            self.entities.push(entity.clone());
        }
        let is_usual = |key: &(u16, [u8; DIGITS])| {
            self.number(entity) == Some(key.0) && key.1.iter().all(|digit| is_digit(*digit))
        };
        let key = self.key(token).filter(is_usual);
        let place = u32::try_from(self.values.len()).ok().zip(u32::try_from(value.len()).ok());
        match (key, place) {
            (Some(key), Some((start, length))) => {
                self.values.push_str(value);
                self.usual.insert(key, Place { start, length });
            }
            _ => {
                self.others.insert(token.into(), Original { entity: entity.clone(), value: value.into() });
            }
        }
    }

    /// Whether one of usual length begins so and goes on, if all of its type and its mark are there.
    fn continues(&self, beginning: &str) -> bool {
        let Some((entity, digits)) = beginning.rsplit_once(MARK) else { return false };
        let (Some(number), true) = (self.number(entity), digits.len() < DIGITS) else { return false };
        let mut least = [0; DIGITS];
        least[..digits.len()].copy_from_slice(digits.as_bytes());
        let mut after = self.usual.range((number, least)..);
        after.next().is_some_and(|((of, next), _)| *of == number && next.starts_with(digits.as_bytes()))
    }
}

/// What stands between the type of a placeholder and its digits.
pub(crate) const MARK: &str = "_x";

/// 50 bits: among a million values of one tenant, two share a placeholder with probability 1 in 2,000.
pub(crate) const DIGITS: usize = 10;

/// Whether the whole text has the form of such a placeholder.
pub fn is_token(text: &str) -> bool {
    let Some((entity, digits)) = text.rsplit_once(MARK) else { return false };
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
        let value = |token: &str| tokens.get(token).unwrap().value.to_string();
        assert_eq!((value(&first), value(&second)), ("other".to_owned(), "1234".to_owned()));
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
        assert!(["TokenKey", "epoch: 1", "Tokens", "len: 1", "PIN"].iter().all(|name| shown.contains(name)), "{shown}");
        assert!(!shown.contains("canary"), "{shown}");
    }
}
