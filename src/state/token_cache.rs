//! Principals of tokens whose signature was verified, so that it need not be again. Decides about no token.
//!
//! A key is the SHA-256 of the whole token: with part of it, one token would speak for another (CVE-2026-35030). An entry
//! is good for the key set it was verified with and until the token ends, whichever comes first. There is one cache a
//! snapshot, so a reload begins with an empty one and whoever still verifies by the rules before fills the one before.

use std::sync::{Arc, Weak};

use moka::sync::Cache;
use ring::digest::{SHA256, digest};

use crate::auth::{KeyRequest, KeySet, Principal};

/// Bytes of all entries together, by estimate.
const MAX_BYTES: u64 = 16 << 20;

/// What an entry takes beside what the token says, which is no longer than the token.
const ENTRY: usize = 512;

/// See the module.
#[derive(Debug)]
pub struct TokenCache {
    cache: Cache<[u8; 32], Arc<Known>>,
}

/// A verified token.
#[derive(Debug)]
pub struct Known {
    principal: Principal,
    request: KeyRequest,
    keys: Weak<KeySet>,
    /// When it was verified (Unix time in seconds). A clock that was put back voids it: `nbf` was only checked then.
    since: u64,
    size: usize,
}

impl Default for TokenCache {
    fn default() -> Self {
        let weigher = |_: &[u8; 32], known: &Arc<Known>| u32::try_from(known.size).unwrap_or(u32::MAX);
        TokenCache { cache: Cache::builder().max_capacity(MAX_BYTES).weigher(weigher).build() }
    }
}

impl TokenCache {
    pub fn get(&self, token: &str) -> Option<Arc<Known>> {
        self.cache.get(&key(token))
    }

    /// Remembers who presented `token`, verified at `now` with a key out of `keys` that `request` asked for.
    pub fn put(&self, token: &str, principal: &Principal, request: KeyRequest, keys: &Arc<KeySet>, now: u64) {
        let known = Known {
            principal: principal.clone(),
            request,
            keys: Arc::downgrade(keys),
            since: now,
            size: ENTRY + token.len(),
        };
        self.cache.insert(key(token), Arc::new(known));
    }
}

impl Known {
    /// The key that must still be at hand.
    pub fn request(&self) -> &KeyRequest {
        &self.request
    }

    /// Who presented the token, if verifying it again with `keys` at `now` would say the same. In the seconds of leeway
    /// after its end it is verified each time.
    pub fn principal(&self, keys: &Arc<KeySet>, now: u64) -> Option<&Principal> {
        let ended = self.principal.expires.is_none_or(|end| now >= end);
        let same = std::ptr::eq(self.keys.as_ptr(), Arc::as_ptr(keys));
        (same && !ended && now >= self.since).then_some(&self.principal)
    }
}

fn key(token: &str) -> [u8; 32] {
    let mut key = [0; 32];
    key.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
    key
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::{Algorithm, Mode};

    const NOW: u64 = 1_800_000_000;

    fn principal(client: &str, expires: Option<u64>) -> Principal {
        Principal {
            client_id: client.to_owned(),
            scopes: vec!["prompt:validate".to_owned()],
            mode: Mode::Jwt,
            tenant: client.to_owned(),
            subject: None,
            jti: None,
            name: None,
            expires,
        }
    }

    fn request() -> KeyRequest {
        KeyRequest { kid: Some("a".to_owned()), algorithm: Algorithm::ES256 }
    }

    fn client(cache: &TokenCache, token: &str, keys: &Arc<KeySet>, now: u64) -> Option<String> {
        cache.get(token)?.principal(keys, now).map(|principal| principal.client_id.clone())
    }

    #[test]
    fn only_the_whole_token_finds_its_principal() {
        let (cache, keys) = (TokenCache::default(), Arc::new(KeySet::default()));
        let token = format!("{}.payload.signature", "h".repeat(2000));
        cache.put(&token, &principal("alice", Some(NOW + 300)), request(), &keys, NOW);
        assert_eq!(client(&cache, &token, &keys, NOW).as_deref(), Some("alice"));
        assert_eq!(cache.get(&token).expect("known").request(), &request());
        for cut in [1, 20, 2000, token.len() - 1] {
            assert_eq!(client(&cache, &token[..cut], &keys, NOW), None, "{cut}");
        }
        for other in [format!("{token} "), token.replace("signature", "signaturf"), token.replacen('h', "H", 1)] {
            assert_eq!(client(&cache, &other, &keys, NOW), None);
        }
    }

    #[test]
    fn an_entry_ends_with_its_token_its_keys_and_a_clock_put_back() {
        let (cache, keys) = (TokenCache::default(), Arc::new(KeySet::default()));
        cache.put("token", &principal("alice", Some(NOW + 300)), request(), &keys, NOW);
        for (now, found) in [(NOW, true), (NOW + 299, true), (NOW + 300, false), (NOW + 310, false), (NOW - 1, false)] {
            assert_eq!(client(&cache, "token", &keys, now).is_some(), found, "{now}");
        }
        assert_eq!(client(&cache, "token", &Arc::new(KeySet::default()), NOW), None, "fetched anew");
        cache.put("endless", &principal("bob", None), request(), &keys, NOW);
        assert_eq!(client(&cache, "endless", &keys, NOW), None);
    }

    #[test]
    fn the_whole_stays_bounded() {
        let (cache, keys) = (TokenCache::default(), Arc::new(KeySet::default()));
        let long = "x".repeat(15_000);
        for number in 0..3000 {
            cache.put(&format!("{number}{long}"), &principal("alice", Some(NOW + 300)), request(), &keys, NOW);
        }
        cache.cache.run_pending_tasks();
        assert!(cache.cache.weighted_size() <= MAX_BYTES, "{}", cache.cache.weighted_size());
        assert!(cache.cache.entry_count() > 100, "{}", cache.cache.entry_count());
    }
}
