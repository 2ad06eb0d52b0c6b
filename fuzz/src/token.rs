//! Tokens and key sets that anybody may send: nothing unsigned is accepted, and of what is signed only what is valid.

use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use promptgate::auth::{Algorithm, Authenticator, ClaimRules, KeySet, Principal, StaticTokens};
use ring::hmac;
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::Value;

const NOW: u64 = 1_800_000_000;
const ISSUER: &str = "https://issuer.example/";
const AUDIENCE: &str = "promptgate";
/// A secret of nothing but these inputs.
const SECRET: &[u8] = b"q7Zp-2mXw_9LkVt4RbYc8HsNf3JdGu6E";

struct Issuer {
    mac: hmac::Key,
    pair: Ed25519KeyPair,
    keys: KeySet,
    shared: Authenticator,
    public: Authenticator,
}

static ISSUER_OF_BOTH: LazyLock<Issuer> = LazyLock::new(|| {
    let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).expect("a seed of 32 bytes");
    let x = URL_SAFE_NO_PAD.encode(pair.public_key());
    let set = format!(r#"{{"keys":[{{"kty":"OKP","crv":"Ed25519","kid":"ed","x":"{x}"}}]}}"#);
    let rules = || ClaimRules::new(ISSUER, AUDIENCE);
    Issuer {
        mac: hmac::Key::new(hmac::HMAC_SHA256, SECRET),
        pair,
        keys: KeySet::parse(set.as_bytes()).expect("a key set"),
        shared: Authenticator::hmac("HS256", SECRET, rules(), StaticTokens::default()).expect("a good secret"),
        public: Authenticator::jwt(&["EdDSA"], rules(), StaticTokens::default()).expect("an algorithm"),
    }
});

/// The input is a token nobody signed. It is also a header and, from the second line on, a payload, which both kinds of
/// issuer sign whatever they say.
pub fn jwt(input: &[u8]) {
    let issuer = &*ISSUER_OF_BOTH;
    let text = super::text(input);
    for authenticator in [&issuer.shared, &issuer.public] {
        assert!(authenticator.authenticate(&text, &issuer.keys, NOW).is_err(), "nobody signed that");
        authenticator.needs_key(&text);
    }
    let (header, payload) = text.split_once('\n').unwrap_or((r#"{"alg":"EdDSA","kid":"ed"}"#, &text));
    let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
    let mac = hmac::sign(&issuer.mac, signed.as_bytes());
    let signature = issuer.pair.sign(signed.as_bytes());
    let cases = [("HS256", &issuer.shared, mac.as_ref()), ("EdDSA", &issuer.public, signature.as_ref())];
    for (algorithm, authenticator, signature) in cases {
        let token = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature));
        if let Ok(principal) = authenticator.authenticate(&token, &issuer.keys, NOW) {
            check(algorithm, header, payload, &principal);
        }
    }
}

/// What was accepted must say so to another reader too.
fn check(algorithm: &str, header: &str, payload: &str, principal: &Principal) {
    let header: Value = serde_json::from_str(header).expect("a header that was accepted is JSON");
    let claims: Value = serde_json::from_str(payload).expect("claims that were accepted are JSON");
    assert_eq!(header["alg"], algorithm);
    assert_eq!(claims["iss"], ISSUER);
    let audience = claims["aud"].as_array().map_or(claims["aud"] == AUDIENCE, |all| all.contains(&AUDIENCE.into()));
    assert!(audience, "meant for {}", claims["aud"]);
    let leeway = ClaimRules::DEFAULT_LEEWAY.as_secs() as f64;
    assert!(claims["exp"].as_f64().expect("an end") > NOW as f64 - leeway);
    assert!(claims.get("nbf").is_none_or(|start| start.as_f64().expect("a time") <= NOW as f64 + leeway));
    let granted = payload.to_owned() + &claims.to_string();
    assert!(principal.scopes.iter().all(|scope| granted.contains(scope.as_str()) || granted.contains('\\')));
    assert!(!principal.client_id.is_empty() && !principal.client_id.chars().any(char::is_control));
}

pub fn jwks(input: &[u8]) {
    let Ok(set) = KeySet::parse(input) else { return };
    let document: Value = serde_json::from_slice(input).unwrap_or_default();
    if let Some(keys) = document["keys"].as_array() {
        assert_eq!(set.len() + set.ignored(), keys.len(), "every key is used or left out");
        let kids = keys.iter().filter_map(|key| key["kid"].as_str());
        for kid in kids.map(Some).chain([None]) {
            for algorithm in [Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA, Algorithm::HS256] {
                set.answers(kid, algorithm);
            }
        }
    }
    // Whatever keys there are, this token is signed by none of them.
    let issuer = &*ISSUER_OF_BOTH;
    let token = "eyJhbGciOiJFZERTQSIsImtpZCI6ImVkIn0.e30.AAAA";
    assert!(issuer.public.authenticate(token, &set, NOW).is_err());
}
