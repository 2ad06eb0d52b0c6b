//! What may be configured, static tokens, and what is shown of all this.

use super::support::*;
use crate::auth::{
    AuthError, Authenticator, ClaimRules, DEVELOPMENT_TOKENS, KeySet, Mode, Scope, SetupError, StaticToken,
    StaticTokens,
};
use std::time::Duration;

const OWN_TOKEN: &str = "pgt_6mQx93vLw0ZtR7yKc2HfBn8Ud4Js";
/// Of [`OWN_TOKEN`], in hexadecimal.
fn own_sha256() -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, OWN_TOKEN.as_bytes());
    digest.as_ref().iter().map(|byte| format!("{byte:02X}")).collect()
}

fn own_token() -> StaticToken {
    StaticToken::from_sha256(&own_sha256(), "batch", Some("nightly".into()), vec!["security:stats".into()]).unwrap()
}

fn find(authenticator: &Authenticator, token: &str) -> Result<crate::auth::Principal, AuthError> {
    authenticator.authenticate(token, &KeySet::default(), NOW)
}

#[test]
fn the_five_development_tokens_have_their_clients_and_scopes() {
    let all = Scope::ALL;
    let table = [
        ("spv-admin-dev-2024-abc123", "admin@company.com", &all[..]),
        ("spv-user-dev-2024-def456", "user@company.com", &all[..3]),
        ("spv-basic-dev-2024-ghi789", "basic@company.com", &all[..1]),
        ("spv-prod-test-2024-jkl012", "production-client@company.com", &all[..2]),
        ("spv-service-2024-mno345", "service-account@company.com", &all[..3]),
    ];
    let authenticator = Authenticator::fixed(StaticTokens::new(vec![own_token()], true).unwrap());
    assert_eq!(DEVELOPMENT_TOKENS.len(), table.len());
    for (token, client, scopes) in table {
        let principal = find(&authenticator, token).unwrap();
        assert_eq!(
            (principal.client_id.as_str(), principal.tenant.as_str(), principal.mode),
            (client, client, Mode::Static)
        );
        let has: Vec<_> = all.into_iter().filter(|scope| principal.has(*scope)).collect();
        assert_eq!(has, scopes, "{token}");
    }
}

#[test]
fn development_tokens_work_only_where_they_are_switched_on() {
    let off = Authenticator::fixed(StaticTokens::new(vec![own_token()], false).unwrap());
    for known in DEVELOPMENT_TOKENS {
        assert_eq!(find(&off, known.token).err(), Some(AuthError::Unknown), "{}", known.token);
    }
}

#[test]
fn a_static_token_matches_whole_or_not_at_all() {
    let authenticator = Authenticator::fixed(StaticTokens::new(vec![own_token()], true).unwrap());
    assert_eq!(find(&authenticator, OWN_TOKEN).unwrap().name.as_deref(), Some("nightly"));
    let hash = own_sha256();
    let near = [
        &OWN_TOKEN[1..],
        &OWN_TOKEN[..OWN_TOKEN.len() - 1],
        &OWN_TOKEN.to_lowercase(),
        &format!("{OWN_TOKEN} "),
        &format!("{OWN_TOKEN}\0"),
        &hash,
        "spv-admin-dev-2024-abc12",
        "SPV-ADMIN-DEV-2024-ABC123",
        "*",
    ];
    for token in near {
        assert_eq!(find(&authenticator, token).err(), Some(AuthError::Unknown), "{token}");
    }
}

#[test]
fn configured_static_tokens_work_beside_json_web_tokens_and_without_keys() {
    let tokens = || StaticTokens::new(vec![own_token()], false).unwrap();
    let jwt = Authenticator::jwt(&["ES256"], rules(), tokens()).unwrap();
    let hmac = Authenticator::hmac("HS256", SECRET, rules(), tokens()).unwrap();
    for authenticator in [jwt, hmac] {
        assert_eq!(find(&authenticator, OWN_TOKEN).unwrap().mode, Mode::Static);
        assert_eq!(authenticator.needs_key(OWN_TOKEN), None);
        assert_eq!(find(&authenticator, "spv-admin-dev-2024-abc123").err(), Some(AuthError::Malformed));
    }
}

#[test]
fn a_static_token_that_looks_like_a_json_web_token_asks_for_no_key() {
    let known = token("ES256", "p256", &claims());
    let entry = StaticToken::from_secret(&known, "batch", None, vec![]).unwrap();
    let jwt = Authenticator::jwt(&["ES256"], rules(), StaticTokens::new(vec![entry], false).unwrap()).unwrap();
    assert_eq!(jwt.needs_key(&known), None);
    assert_eq!(find(&jwt, &known).unwrap().client_id, "batch");
}

#[test]
fn the_provider_does_not_take_a_key_of_one_family_for_another() {
    use jsonwebtoken::{Algorithm, DecodingKey, crypto};
    crate::auth::install_crypto();
    let tag = b64(mac("HS256", &rsa_pkcs1(), b"message"));
    let as_rsa = DecodingKey::from_rsa_der(&rsa_pkcs1());
    assert!(crypto::verify(&tag, b"message", &as_rsa, Algorithm::HS256).is_err());
    let as_secret = DecodingKey::from_secret(&rsa_pkcs1());
    assert_eq!(crypto::verify(&tag, b"message", &as_secret, Algorithm::HS256), Ok(true));
    assert!(crypto::verify(&b64(sign("RS256", b"message")), b"message", &as_secret, Algorithm::RS256).is_err());
}

#[test]
fn tokens_that_everybody_knows_or_can_guess_cannot_be_configured() {
    let from_secret = |token: &str| StaticToken::from_secret(token, "c", None, vec![]).err();
    assert_eq!(from_secret(OWN_TOKEN), None);
    assert_eq!(from_secret("spv-admin-dev-2024-abc123"), Some(SetupError::PlaceholderToken));
    assert_eq!(from_secret("dev-token"), Some(SetupError::ShortSecret { have: 9, need: 32 }));
    assert_eq!(from_secret(&"changeme".repeat(4)), Some(SetupError::WeakSecret));

    let hex = |token: &str| -> String {
        let digest = ring::digest::digest(&ring::digest::SHA256, token.as_bytes());
        digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
    };
    let from_sha256 = |hex: &str| StaticToken::from_sha256(hex, "c", None, vec![]).err();
    assert_eq!(from_sha256(&hex(OWN_TOKEN)), None);
    for known in ["spv-admin-dev-2024-abc123", "spv-service-2024-mno345", "changeme", "dev-token", ""] {
        assert_eq!(from_sha256(&hex(known)), Some(SetupError::PlaceholderToken), "{known}");
    }
    for text in ["", "abc", &"g".repeat(64), &"é".repeat(32), &"0".repeat(63), &format!("+{}", "0".repeat(63))] {
        assert_eq!(from_sha256(text), Some(SetupError::TokenHash), "{text}");
    }
    let twice = StaticTokens::new(vec![own_token(), own_token()], false).err();
    assert_eq!(twice, Some(SetupError::DuplicateToken));
}

#[test]
fn tokens_are_counted_with_those_of_development() {
    for (own, development, count) in [(vec![], false, 0), (vec![own_token()], false, 1), (vec![own_token()], true, 6)] {
        let tokens = StaticTokens::new(own, development).unwrap();
        assert_eq!((tokens.len(), tokens.is_empty()), (count, count == 0));
    }
}

#[test]
fn scopes_and_modes_have_the_names_that_tokens_and_settings_use() {
    let scopes = ["prompt:validate", "prompt:analyze", "security:stats", "security:admin"];
    assert_eq!(Scope::ALL.map(|scope| scope.to_string()), scopes);
    assert_eq!(scopes.map(Scope::from_name), Scope::ALL.map(Some));
    assert_eq!(Scope::from_name("prompt"), None);
    assert_eq!([Mode::Static, Mode::Jwt, Mode::Hmac].map(|mode| mode.to_string()), ["static", "jwt", "hmac"]);
}

#[test]
fn the_two_token_modes_share_no_algorithm() {
    let jwt = |names: &[&str]| Authenticator::jwt(names, rules(), StaticTokens::default()).err();
    assert_eq!(jwt(&[]), Some(SetupError::NoAlgorithm));
    for name in ["HS256", "HS512", "none", "", "rs256", "ES512", "RSA-OAEP"] {
        assert!(matches!(jwt(&["RS256", name]), Some(SetupError::Algorithm { .. })), "{name}");
    }
    for name in ["RS256", "ES256", "EdDSA", "none", "", "hs256"] {
        let hmac = Authenticator::hmac(name, SECRET, rules(), StaticTokens::default()).err();
        assert!(matches!(hmac, Some(SetupError::Algorithm { .. })), "{name}");
    }
}

#[test]
fn a_shared_secret_is_as_long_as_its_hash_and_not_a_placeholder() {
    let cases = [("HS256", 32), ("HS384", 48), ("HS512", 64)];
    for (algorithm, need) in cases {
        let hmac = |secret: &[u8]| Authenticator::hmac(algorithm, secret, rules(), StaticTokens::default()).err();
        assert_eq!(hmac(&SECRET[..need]), None, "{algorithm}");
        assert_eq!(hmac(&SECRET[..need - 1]), Some(SetupError::ShortSecret { have: need - 1, need }), "{algorithm}");
        assert_eq!(hmac(b""), Some(SetupError::ShortSecret { have: 0, need }));
        assert_eq!(hmac("secret".repeat(12).as_bytes()), Some(SetupError::WeakSecret));
    }
}

#[test]
fn rules_that_check_nothing_cannot_be_configured() {
    let cases = [
        (ClaimRules::new("", AUDIENCE), SetupError::NoIssuer),
        (ClaimRules::new(ISSUER, ""), SetupError::NoAudience),
        (ClaimRules { leeway: Duration::from_secs(61), ..rules() }, SetupError::Leeway { have: 61, max: 60 }),
    ];
    for (rules, problem) in cases {
        let jwt = Authenticator::jwt(&["ES256"], rules.clone(), StaticTokens::default());
        let hmac = Authenticator::hmac("HS256", SECRET, rules, StaticTokens::default());
        assert_eq!((jwt.err(), hmac.err()), (Some(problem.clone()), Some(problem)));
    }
}

#[test]
fn nothing_secret_is_shown() {
    let tokens = || StaticTokens::new(vec![own_token()], false).unwrap();
    let shown = [
        format!("{:?}", Authenticator::hmac("HS256", SECRET, rules(), tokens()).unwrap()),
        format!("{:?}", Authenticator::fixed(tokens())),
        format!("{:?}", keys()),
        format!("{:?}", StaticToken::from_secret("dev-token", "c", None, vec![])),
    ]
    .concat();
    let secret = String::from_utf8_lossy(SECRET);
    for hidden in [secret.as_ref(), OWN_TOKEN, &own_sha256(), "dev-token", &format!("{:?}", &SECRET[..4])[1..]] {
        assert!(!shown.contains(hidden), "{shown}");
    }
}

#[test]
fn labels_are_short_names_and_differ() {
    let mut labels: Vec<_> = AuthError::ALL.iter().map(|reason| reason.reason()).collect();
    assert!(labels.iter().all(|label| label.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')));
    labels.sort_unstable();
    labels.dedup();
    assert_eq!(labels.len(), AuthError::ALL.len());
}
