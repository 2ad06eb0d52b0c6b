//! Is a configured secret worth the name? Not a password meter: it refuses what is short, copied or made by repetition.

use super::error::SetupError;

/// What documentation, examples and tired people put where a secret belongs, longer words first.
const PHRASES: &[&str] = &[
    "abcdefghijklmnopqrstuvwxyz",
    "0123456789abcdef",
    "1234567890",
    "0123456789",
    "development",
    "placeholder",
    "production",
    "promptgate",
    "characters",
    "123456789",
    "authentication",
    "qwertyuiop",
    "asdfghjkl",
    "character",
    "deadbeef",
    "changeit",
    "password",
    "12345678",
    "minimum",
    "staging",
    "example",
    "default",
    "private",
    "replace",
    "signing",
    "generate",
    "letmein",
    "welcome",
    "testing",
    "gateway",
    "secure",
    "change",
    "secret",
    "random",
    "please",
    "qwerty",
    "shared",
    "string",
    "server",
    "sample",
    "123456",
    "access",
    "before",
    "dummy",
    "least",
    "super",
    "token",
    "local",
    "admin",
    "value",
    "bytes",
    "insert",
    "enter",
    "should",
    "must",
    "here",
    "with",
    "this",
    "your",
    "test",
    "that",
    "long",
    "hmac",
    "prod",
    "user",
    "abcd",
    "1234",
    "very",
    "have",
    "from",
    "only",
    "demo",
    "bits",
    "auth",
    "key",
    "jwt",
    "the",
    "and",
    "for",
    "use",
    "dev",
    "bit",
    "not",
    "api",
    "256",
    "384",
    "512",
];

/// Fewer bytes than this outside known phrases are no secret: a random one keeps nearly all of its bytes.
const MIN_OWN_BYTES: usize = 16;
const MIN_DISTINCT_BYTES: usize = 8;
const MIN_PERIOD: usize = 16;

pub(super) fn check(secret: &[u8], need: usize) -> Result<(), SetupError> {
    if secret.len() < need {
        return Err(SetupError::ShortSecret { have: secret.len(), need });
    }
    let is_weak =
        distinct(secret) < MIN_DISTINCT_BYTES || period(secret) < MIN_PERIOD || own_bytes(secret) < MIN_OWN_BYTES;
    if is_weak { Err(SetupError::WeakSecret) } else { Ok(()) }
}

fn distinct(secret: &[u8]) -> usize {
    let mut seen = [false; 256];
    secret.iter().for_each(|byte| seen[usize::from(*byte)] = true);
    seen.iter().filter(|seen| **seen).count()
}

/// Length of the shortest piece whose repetition is the secret.
fn period(secret: &[u8]) -> usize {
    (1..secret.len())
        .find(|&step| secret.iter().zip(secret.iter().skip(step)).all(|(one, other)| one == other))
        .unwrap_or(secret.len())
}

/// Bytes left when known phrases and the separators between them are taken away.
fn own_bytes(secret: &[u8]) -> usize {
    let text = String::from_utf8_lossy(secret).to_lowercase();
    let mut rest: String = text.chars().filter(|c| !matches!(c, '-' | '_' | ' ' | '.' | '!' | ':')).collect();
    for phrase in PHRASES {
        rest = rest.replace(phrase, "");
    }
    rest.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_and_repetitions_are_refused_and_random_secrets_are_not() {
        let weak = [
            "your-256-bit-secret-your-256-bit-secret",
            "your-super-secret-jwt-key-change-this-in-production",
            "changemechangemechangemechangeme",
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            "abcabcabcabcabcabcabcabcabcabcabcabc",
            "0123456789abcdef0123456789abcdef",
            "your-shared-secret-here-minimum-32-characters",
            "this-is-a-very-long-secret-key-for-testing-only",
            "super-secret-shared-key-for-hmac-authentication",
            "12345678901234567890123456789012",
            "Zk7wQx9pZk7wQx9pZk7wQx9pZk7wQx9p",
            "xyyxyxxyyxxyxyyxyxxyxyyxxyyxyxxy",
            "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
        ];
        for secret in weak {
            assert_eq!(check(secret.as_bytes(), 32), Err(SetupError::WeakSecret), "{secret}");
        }
        let strong = [
            "4f1c9b7ad2e8405f93c6b1a07e5d2c88",
            "q7Zp-2mXw_9LkVt4RbYc8HsNf3JdGu6E",
            "Yk3v9sLQm1x7f0aZb2Wc4tRp8nUeHjDg5iOqXyKz",
            "correct horse battery staple glacier ink",
        ];
        for secret in strong {
            assert_eq!(check(secret.as_bytes(), 32), Ok(()), "{secret}");
        }
        assert_eq!(check(b"short", 32), Err(SetupError::ShortSecret { have: 5, need: 32 }));
    }
}
