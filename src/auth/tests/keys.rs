//! Key sets: what is used, what is left out, and which key a token gets.

use serde_json::{Value, json};

use super::support::*;
use crate::auth::{Algorithm, AuthError, KeySet, KeySetError, MAX_KEYS};

/// Every key here must be left out, and the good key beside it must work.
#[test]
fn a_poisoned_key_is_left_out_and_the_rest_is_used() {
    let short = b64(&rsa_n()[..128]);
    let long = b64([rsa_n(), rsa_n(), rsa_n(), rsa_n(), rsa_n()].concat());
    let p256 = p256_jwk("bad");
    let cases: Vec<Value> = vec![
        json!({ "kty": "oct", "kid": "bad", "alg": "HS256", "k": b64(SECRET) }),
        json!({ "kty": "oct", "kid": "bad", "k": b64(rsa_n()) }),
        with(rsa_jwk("bad"), json!({ "use": "enc" })),
        with(rsa_jwk("bad"), json!({ "use": ["sig"] })),
        with(rsa_jwk("bad"), json!({ "use": null })),
        with(rsa_jwk("bad"), json!({ "key_ops": ["encrypt"] })),
        with(rsa_jwk("bad"), json!({ "key_ops": ["sign"] })),
        with(rsa_jwk("bad"), json!({ "key_ops": [] })),
        with(rsa_jwk("bad"), json!({ "key_ops": "verify" })),
        with(rsa_jwk("bad"), json!({ "use": "enc", "key_ops": ["verify"] })),
        with(rsa_jwk("bad"), json!({ "alg": "none" })),
        with(rsa_jwk("bad"), json!({ "alg": "RSA-OAEP" })),
        with(rsa_jwk("bad"), json!({ "alg": "HS256" })),
        with(rsa_jwk("bad"), json!({ "alg": "ES256" })),
        with(rsa_jwk("bad"), json!({ "alg": 256 })),
        with(rsa_jwk("bad"), json!({ "alg": null })),
        with(rsa_jwk("bad"), json!({ "n": short })),
        with(rsa_jwk("bad"), json!({ "n": long })),
        with(rsa_jwk("bad"), json!({ "n": "" })),
        with(rsa_jwk("bad"), json!({ "n": null })),
        with(rsa_jwk("bad"), json!({ "n": "*" })),
        with(rsa_jwk("bad"), json!({ "n": format!("{}==", b64(rsa_n())) })),
        with(rsa_jwk("bad"), json!({ "e": "AQ" })),
        with(rsa_jwk("bad"), json!({ "e": "Ag" })),
        with(rsa_jwk("bad"), json!({ "e": "" })),
        with(rsa_jwk("bad"), json!({ "e": b64([0xff; 9]) })),
        with(rsa_jwk("bad"), json!({ "d": b64([1; 256]) })),
        with(rsa_jwk("bad"), json!({ "kid": 7 })),
        with(rsa_jwk("bad"), json!({ "kid": "" })),
        with(rsa_jwk("bad"), json!({ "kid": "k".repeat(300) })),
        with(rsa_jwk("bad"), json!({ "kty": "rsa" })),
        with(rsa_jwk("bad"), json!({ "kty": "EC" })),
        with(p256.clone(), json!({ "crv": "P-384" })),
        with(p256.clone(), json!({ "crv": "secp256k1" })),
        with(p256.clone(), json!({ "crv": "P-521" })),
        with(p256.clone(), json!({ "alg": "ES384" })),
        with(p256.clone(), json!({ "alg": "ECDH-ES" })),
        with(p256.clone(), json!({ "x": "" })),
        with(p256.clone(), json!({ "y": b64([1; 33]) })),
        with(p256.clone(), json!({ "kty": "RSA" })),
        with(ed_jwk("bad"), json!({ "crv": "X25519" })),
        with(ed_jwk("bad"), json!({ "crv": "Ed448" })),
        with(ed_jwk("bad"), json!({ "x": b64([1; 31]) })),
        json!({}),
        json!(null),
        json!([]),
        json!("key"),
    ];
    for case in cases {
        let set = key_set(vec![case.clone(), p256_jwk("good")]);
        assert_eq!((set.len(), set.ignored()), (1, 1), "{case}");
        assert!(jwt().authenticate(&token("ES256", "good", &claims()), &set, NOW).is_ok(), "{case}");
        assert!(jwt().authenticate(&token("RS256", "bad", &claims()), &set, NOW).is_err(), "{case}");
    }
}

#[test]
fn a_point_off_the_curve_verifies_nothing() {
    let off = with(p256_jwk("off"), json!({ "x": b64([7; 32]) }));
    let outcome = jwt().authenticate(&token("ES256", "off", &claims()), &key_set(vec![off]), NOW);
    assert_eq!(outcome.err(), Some(AuthError::Signature));
}

#[test]
fn keys_are_used_when_they_say_they_verify() {
    let cases = [
        json!({}),
        json!({ "use": "sig" }),
        json!({ "key_ops": ["verify"] }),
        json!({ "key_ops": ["sign", "verify"], "use": "sig" }),
        json!({ "alg": "RS256" }),
        json!({ "x5t": "abc", "x5c": ["MIIC"], "extra": { "a": 1 } }),
        json!({ "n": b64([&[0][..], &rsa_n()].concat()) }),
    ];
    for changes in cases {
        let set = key_set(vec![with(rsa_jwk("rsa"), changes.clone())]);
        assert!(jwt().authenticate(&token("RS256", "rsa", &claims()), &set, NOW).is_ok(), "{changes}");
    }
}

#[test]
fn keys_with_one_id_are_all_left_out() {
    let set = key_set(vec![rsa_jwk("twice"), p256_jwk("twice"), ed_jwk("twice"), p384_jwk("once")]);
    assert_eq!((set.len(), set.ignored()), (1, 3));
    for algorithm in ["RS256", "ES256", "EdDSA"] {
        let outcome = jwt().authenticate(&token(algorithm, "twice", &claims()), &set, NOW);
        assert_eq!(outcome.err(), Some(AuthError::UnknownKey), "{algorithm}");
    }
    assert!(jwt().authenticate(&token("ES384", "once", &claims()), &set, NOW).is_ok());
}

#[test]
fn a_key_that_names_a_member_twice_is_left_out() {
    let twice = rsa_jwk("bad").to_string().replacen('{', r#"{"kid":"good","#, 1);
    let set = KeySet::parse(format!(r#"{{"keys":[{twice},{}]}}"#, p256_jwk("p256")).as_bytes()).unwrap();
    assert_eq!((set.len(), set.ignored()), (1, 1));
}

#[test]
fn a_token_without_key_id_needs_exactly_one_fitting_key() {
    let token = raw_token(r#"{"alg":"ES256"}"#, &claims().to_string(), |m| sign("ES256", m));
    let mut unnamed = p256_jwk("x");
    unnamed.as_object_mut().unwrap().remove("kid");
    let cases = [
        (vec![p256_jwk("one"), rsa_jwk("two")], true),
        (vec![unnamed.clone()], true),
        (vec![p256_jwk("one"), p256_jwk("two")], false),
        (vec![unnamed, p256_jwk("two")], false),
        (vec![rsa_jwk("two")], false),
        (vec![], false),
    ];
    for (keys, accepted) in cases {
        let set = key_set(keys.clone());
        assert_eq!(jwt().authenticate(&token, &set, NOW).is_ok(), accepted, "{keys:?}");
        assert_eq!(set.answers(None, Algorithm::ES256), accepted);
        assert_eq!((set.len(), set.is_empty()), (keys.len(), keys.is_empty()));
    }
}

#[test]
fn documents_that_are_not_key_sets_are_refused() {
    let cases = [
        "",
        "null",
        "[]",
        "{}",
        "garbage",
        "<html></html>",
        r#"{"keys":null}"#,
        r#"{"keys":{}}"#,
        r#"{"keys":[]"#,
        r#"{"keys":[],"keys":[]}"#,
        r#"{"Keys":[]}"#,
    ];
    for document in cases {
        assert_eq!(KeySet::parse(document.as_bytes()).err(), Some(KeySetError::NotAKeySet), "{document}");
    }
    let many = format!(r#"{{"keys":[{}]}}"#, vec!["{}"; MAX_KEYS + 1].join(","));
    assert_eq!(KeySet::parse(many.as_bytes()).err(), Some(KeySetError::TooManyKeys(MAX_KEYS + 1)));
    let most = format!(r#"{{"keys":[{}]}}"#, vec!["{}"; MAX_KEYS].join(","));
    assert_eq!(KeySet::parse(most.as_bytes()).map(|set| set.ignored()), Ok(MAX_KEYS));
    assert!(KeySet::parse(br#"{"keys":[]}"#).unwrap().is_empty());
}

#[test]
fn a_set_answers_for_ids_it_has() {
    let set = keys();
    let cases = [
        (Some("p256"), Algorithm::ES256, true),
        // The key is there and refuses: another fetch would not change that.
        (Some("p256"), Algorithm::RS256, true),
        (Some("new"), Algorithm::ES256, false),
        (Some("P256"), Algorithm::ES256, false),
    ];
    for (kid, algorithm, answers) in cases {
        assert_eq!(set.answers(kid, algorithm), answers, "{kid:?}");
    }
}
