//! Attacks on tokens and their claims, as rows.

use std::sync::LazyLock;

use jsonwebtoken::{EncodingKey, Header};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::support::*;
use crate::auth::{AuthError, Authenticator, KeySet, Mode, Principal, Scope, StaticTokens};

type Outcome = Result<Principal, AuthError>;

fn jwt_outcome(token: &str) -> Outcome {
    static SUBJECT: LazyLock<(Authenticator, KeySet)> = LazyLock::new(|| (jwt(), keys()));
    SUBJECT.0.authenticate(token, &SUBJECT.1, NOW)
}

fn claims_outcome(claims: &Value) -> Outcome {
    jwt_outcome(&token("ES256", "p256", claims))
}

fn refused(outcome: Outcome) -> Option<AuthError> {
    outcome.err()
}

#[test]
fn every_supported_algorithm_is_accepted_with_its_own_key() {
    let cases = [
        ("RS256", "rsa"),
        ("RS384", "rsa"),
        ("RS512", "rsa"),
        ("PS256", "rsa"),
        ("PS384", "rsa"),
        ("PS512", "rsa"),
        ("RS256", "rs256"),
        ("ES256", "p256"),
        ("ES384", "p384"),
        ("EdDSA", "ed"),
    ];
    for (algorithm, kid) in cases {
        let principal = jwt_outcome(&token(algorithm, kid, &claims())).unwrap();
        assert_eq!((principal.client_id.as_str(), principal.mode), ("alice", Mode::Jwt), "{algorithm}");
        assert!(principal.has(Scope::Validate) && !principal.has(Scope::Admin));
        assert_eq!(principal.expires, Some(NOW + 300));
    }
    for algorithm in ["HS256", "HS384", "HS512"] {
        let principal = hmac(algorithm).authenticate(&hmac_token(algorithm, &claims().to_string()), &keys(), NOW);
        assert_eq!(principal.unwrap().mode, Mode::Hmac, "{algorithm}");
    }
}

#[test]
fn jsonwebtokens_own_tokens_are_accepted() {
    let header = Header::new(jsonwebtoken::Algorithm::HS384);
    crate::auth::install_crypto();
    let token = jsonwebtoken::encode(&header, &claims(), &EncodingKey::from_secret(SECRET)).unwrap();
    assert!(hmac("HS384").authenticate(&token, &keys(), NOW).is_ok());
    assert_eq!(refused(hmac("HS256").authenticate(&token, &keys(), NOW)), Some(AuthError::Algorithm));
}

#[test]
fn a_changed_byte_anywhere_voids_the_token() {
    let token = token("EdDSA", "ed", &claims());
    for index in 0..token.len() {
        for replacement in ["A", "~", "."] {
            let mut changed = token.clone();
            changed.replace_range(index..=index, replacement);
            assert!(changed == token || jwt_outcome(&changed).is_err(), "{index} {replacement}");
        }
    }
}

#[test]
fn unsigned_tokens_are_refused() {
    let payload = b64(claims().to_string());
    for alg in [r#""none""#, r#""None""#, r#""NONE""#, r#""nOnE""#, r#""""#, "null", r#"["ES256"]"#, "256", "{}"] {
        let header = b64(format!(r#"{{"alg":{alg},"kid":"p256"}}"#));
        for token in [format!("{header}.{payload}."), format!("{header}.{payload}.AA")] {
            assert_eq!(refused(jwt_outcome(&token)), Some(AuthError::Algorithm), "{alg}");
            assert_eq!(refused(hmac("HS256").authenticate(&token, &keys(), NOW)), Some(AuthError::Algorithm), "{alg}");
        }
        assert_eq!(refused(jwt_outcome(&format!("{header}.{payload}"))), Some(AuthError::Malformed), "{alg}");
    }
    let header = b64(r#"{"kid":"p256"}"#);
    assert_eq!(refused(jwt_outcome(&format!("{header}.{payload}.AA"))), Some(AuthError::Algorithm));
    let header = b64(r#"{"alg":"ES256","kid":"p256"}"#);
    assert_eq!(refused(jwt_outcome(&format!("{header}.{payload}."))), Some(AuthError::Signature));
}

#[test]
fn a_public_key_is_never_a_shared_secret() {
    let pem = RSA_PEM.to_owned();
    let der = jwk_der();
    let secrets: Vec<(&str, Vec<u8>)> = vec![
        ("PEM", pem.clone().into_bytes()),
        ("PEM without the last newline", pem.trim_end().as_bytes().to_vec()),
        ("PEM with CRLF", pem.replace('\n', "\r\n").into_bytes()),
        ("base64 of the PEM", pem.lines().filter(|line| !line.starts_with('-')).collect::<String>().into_bytes()),
        ("SubjectPublicKeyInfo DER", der),
        ("PKCS#1 DER", rsa_pkcs1()),
        ("modulus", rsa_n()),
        ("modulus as base64", b64(rsa_n()).into_bytes()),
        ("JWK", rsa_jwk("rsa").to_string().into_bytes()),
        ("JWKS", json!({ "keys": [rsa_jwk("rsa")] }).to_string().into_bytes()),
        ("nothing", Vec::new()),
    ];
    for (encoding, secret) in secrets {
        for algorithm in ["HS256", "HS384", "HS512"] {
            let header = json!({ "alg": algorithm, "kid": "rsa" }).to_string();
            let token = raw_token(&header, &claims().to_string(), |m| mac(algorithm, &secret, m));
            assert_eq!(refused(jwt_outcome(&token)), Some(AuthError::Algorithm), "{encoding} {algorithm}");
        }
    }
}

fn jwk_der() -> Vec<u8> {
    use base64::Engine;
    let lines: String = RSA_PEM.lines().filter(|line| !line.starts_with('-')).collect();
    base64::engine::general_purpose::STANDARD.decode(lines).unwrap()
}

#[test]
fn a_key_verifies_only_its_own_algorithms() {
    let cases = [
        ("RS512", "rs256"),
        ("PS256", "rs256"),
        ("RS256", "p256"),
        ("ES256", "p384"),
        ("ES384", "p256"),
        ("ES256", "rsa"),
        ("EdDSA", "p256"),
        ("ES256", "ed"),
    ];
    for (algorithm, kid) in cases {
        assert_eq!(
            refused(jwt_outcome(&token(algorithm, kid, &claims()))),
            Some(AuthError::Algorithm),
            "{algorithm} {kid}"
        );
    }
    let mislabelled = raw_token(r#"{"alg":"PS256","kid":"rsa"}"#, &claims().to_string(), |m| sign("RS256", m));
    assert_eq!(refused(jwt_outcome(&mislabelled)), Some(AuthError::Signature));
}

#[test]
fn algorithms_outside_the_configuration_are_refused_though_a_key_could() {
    let narrow = Authenticator::jwt(&["RS256"], rules(), StaticTokens::default()).unwrap();
    for (algorithm, kid) in [("ES256", "p256"), ("PS256", "rsa"), ("RS512", "rsa"), ("EdDSA", "ed")] {
        let token = token(algorithm, kid, &claims());
        assert_eq!(refused(narrow.authenticate(&token, &keys(), NOW)), Some(AuthError::Algorithm), "{algorithm}");
        assert_eq!(narrow.needs_key(&token), None, "{algorithm}");
    }
    for name in ["HS256", "ES512", "ES256K", "RSA-OAEP", "rs256", "Ed448", "none", ""] {
        let header = json!({ "alg": name, "kid": "rsa" }).to_string();
        let token = raw_token(&header, &claims().to_string(), |m| sign("RS256", m));
        assert_eq!(refused(jwt_outcome(&token)), Some(AuthError::Algorithm), "{name}");
    }
}

#[test]
fn degenerate_elliptic_signatures_are_refused() {
    let n = [
        0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa, 0xad,
        0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
    ];
    let one = [&[0; 31][..], &[1]].concat();
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("r = s = 0", vec![0; 64]),
        ("r = s = 1", [one.clone(), one.clone()].concat()),
        ("r = s = n", [n, n].concat()),
        ("r = 0, s = 1", [vec![0; 32], one].concat()),
        ("empty", Vec::new()),
        ("short", vec![1; 63]),
        ("long", vec![1; 65]),
        ("r = s = 0 in 132 bytes", vec![0; 132]),
    ];
    for (name, signature) in cases {
        let token = raw_token(r#"{"alg":"ES256","kid":"p256"}"#, &claims().to_string(), |_| signature.clone());
        assert_eq!(refused(jwt_outcome(&token)), Some(AuthError::Signature), "{name}");
    }
    let der = raw_token(r#"{"alg":"ES256","kid":"p256"}"#, &claims().to_string(), |m| sign("ES256-DER", m));
    assert_eq!(refused(jwt_outcome(&der)), Some(AuthError::Signature));
}

#[test]
fn header_oddities_are_refused_though_the_signature_is_good() {
    use AuthError::{Algorithm, Extension, Malformed, UnknownKey};
    let long = "k".repeat(5000);
    let cases: Vec<(String, AuthError)> = vec![
        (r#"{"alg":"ES256","kid":""}"#.into(), Malformed),
        (r#"{"alg":"ES256","kid":"p256\u0000"}"#.into(), Malformed),
        (r#"{"alg":"ES256","kid":"p256\n"}"#.into(), Malformed),
        (r#"{"alg":"ES256","kid":256}"#.into(), Malformed),
        (r#"{"alg":"ES256","kid":["p256"]}"#.into(), Malformed),
        (r#"{"alg":"ES256","kid":null}"#.into(), Malformed),
        (format!(r#"{{"alg":"ES256","kid":"{long}"}}"#), Malformed),
        (r#"{"alg":"ES256","kid":"../../../../dev/null"}"#.into(), UnknownKey),
        (r#"{"alg":"ES256","kid":"x' UNION SELECT 'AA'--"}"#.into(), UnknownKey),
        (r#"{"alg":"ES256","kid":"https://evil.example/key"}"#.into(), UnknownKey),
        (r#"{"alg":"ES256","kid":"P256"}"#.into(), UnknownKey),
        (r#"{"alg":"ES256","kid":"p256","crit":["exp"]}"#.into(), Extension),
        (r#"{"alg":"ES256","kid":"p256","crit":[]}"#.into(), Extension),
        (r#"{"alg":"ES256","kid":"p256","crit":null}"#.into(), Extension),
        (r#"{"alg":"ES256","kid":"p256","crit":["b64"],"b64":false}"#.into(), Extension),
        (r#"{"alg":"ES256","kid":"p256","b64":false}"#.into(), Extension),
        (r#"{"alg":"ES256","kid":"p256","b64":true}"#.into(), Extension),
        (r#"{"alg":"ES256","kid":"p256","zip":"DEF"}"#.into(), Extension),
        (r#"{"alg":"ES256","kid":"p256","enc":"A128GCM"}"#.into(), Extension),
        (r#"{"alg":"RSA-OAEP","kid":"p256","enc":"A128GCM"}"#.into(), Extension),
        (r#"{"alg":"dir","kid":"p256"}"#.into(), Algorithm),
        (r#"{"alg":"ES256","kid":"p256","typ":"logout+jwt"}"#.into(), Malformed),
        (r#"{"alg":"ES256","kid":"p256","typ":"dpop+jwt"}"#.into(), Malformed),
        (r#"{"alg":"ES256","kid":"p256","typ":7}"#.into(), Malformed),
        (r#"{"alg":"ES256","alg":"ES256","kid":"p256"}"#.into(), Malformed),
        (r#"{"alg":"ES256","\u0061lg":"none","kid":"p256"}"#.into(), Malformed),
        (r#"{"alg":"ES256","kid":"ed","kid":"p256"}"#.into(), Malformed),
        (r#"[{"alg":"ES256","kid":"p256"}]"#.into(), Malformed),
        (r#"{"alg":"ES256","kid":"p256"}{}"#.into(), Malformed),
        ("\u{feff}{\"alg\":\"ES256\",\"kid\":\"p256\"}".into(), Malformed),
        ("".into(), Malformed),
        ("ES256".into(), Malformed),
    ];
    for (header, reason) in cases {
        let token = raw_token(&header, &claims().to_string(), |m| sign("ES256", m));
        assert_eq!(refused(jwt_outcome(&token)), Some(reason), "{header:.80}");
    }
}

#[test]
fn the_usual_types_are_accepted() {
    for kind in ["JWT", "jwt", "at+jwt", "AT+JWT", "application/at+jwt"] {
        let header = json!({ "alg": "ES256", "kid": "p256", "typ": kind }).to_string();
        assert!(jwt_outcome(&raw_token(&header, &claims().to_string(), |m| sign("ES256", m))).is_ok(), "{kind}");
    }
}

#[test]
fn keys_offered_by_the_token_are_not_used() {
    let offers = [
        json!({ "jwk": p256_jwk("mine") }),
        json!({ "jku": "http://127.0.0.1:9/jwks" }),
        json!({ "x5u": "http://127.0.0.1:9/cert" }),
        json!({ "x5c": [b64("certificate")] }),
    ];
    let own_key = key_set(vec![rsa_jwk("rsa")]);
    for offer in offers {
        for kid in ["mine", "rsa"] {
            let header = with(json!({ "alg": "ES256", "kid": kid }), offer.clone()).to_string();
            let token = raw_token(&header, &claims().to_string(), |m| sign("ES256", m));
            assert!(jwt().authenticate(&token, &own_key, NOW).is_err(), "{header}");
        }
        // Beside a key that is known, the offer changes nothing.
        let header = with(json!({ "alg": "ES256", "kid": "p256" }), offer.clone()).to_string();
        assert!(jwt_outcome(&raw_token(&header, &claims().to_string(), |m| sign("ES256", m))).is_ok(), "{header}");
    }
}

#[test]
fn only_the_canonical_compact_form_is_read() {
    let good = token("EdDSA", "ed", &claims());
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let (header, payload) = signed.split_once('.').unwrap();
    let json_form = json!({ "protected": header, "payload": payload, "signature": signature }).to_string();
    let general =
        json!({ "payload": payload, "signatures": [{ "protected": header, "signature": signature }] }).to_string();
    let loose_bits = format!("{signed}.{}B", &signature[..signature.len() - 1]);
    let cases = [
        format!("{header}.{payload}"),
        format!("{good}."),
        format!("{good}.{signature}"),
        format!(".{good}"),
        format!("{header}..{signature}"),
        format!("{header}.{payload}=.{signature}"),
        format!("{good}=="),
        format!("{good} "),
        format!(" {good}"),
        format!("{good}\n"),
        format!("Bearer {good}"),
        format!("{header}.{payload}.+{}", &signature[1..]),
        format!("{header}.{payload}.{signature}+/"),
        format!("{header}.A.{signature}"),
        format!("{header}.{payload}.ключ"),
        "....".into(),
        ".".into(),
        "..".into(),
        json_form,
        general,
    ];
    for token in cases {
        let reason = refused(jwt_outcome(&token)).unwrap();
        assert!(matches!(reason, AuthError::Malformed | AuthError::Signature), "{token} {reason}");
        if reason == AuthError::Malformed {
            assert_eq!(jwt().needs_key(&token), None);
        }
    }
    // 64 bytes are 86 characters, whose last has four bits that say nothing: they must be zero.
    assert_eq!(refused(jwt_outcome(&loose_bits)), Some(AuthError::Malformed));
}

#[test]
fn size_is_limited_before_anything_is_read() {
    let long = "a".repeat(crate::auth::MAX_TOKEN + 1);
    for authenticator in [jwt(), hmac("HS256"), Authenticator::fixed(StaticTokens::default())] {
        assert_eq!(refused(authenticator.authenticate(&long, &keys(), NOW)), Some(AuthError::TooLong));
        assert_eq!(refused(authenticator.authenticate("", &keys(), NOW)), Some(AuthError::Missing));
        assert_eq!(authenticator.needs_key(&long), None);
        let longest = &long[1..];
        assert_ne!(refused(authenticator.authenticate(longest, &keys(), NOW)), Some(AuthError::TooLong));
    }
}

#[test]
fn times_must_be_numbers_and_are_held_to_within_the_leeway() {
    use AuthError::{Claims, Expired, Malformed, NotYetValid};
    let now = NOW.to_string();
    let after = (NOW + 300).to_string();
    let cases: Vec<(String, Option<AuthError>)> = vec![
        (format!(r#""exp":{after}"#), None),
        (format!(r#""exp":{after}.5"#), None),
        (r#""exp":1.8000003e9"#.into(), None),
        (format!(r#""exp":{}"#, NOW - 29), None),
        (format!(r#""exp":{}"#, NOW - 30), Some(Expired)),
        (r#""exp":0"#.into(), Some(Expired)),
        (r#""exp":-1"#.into(), Some(Claims)),
        (r#""exp":-1e300"#.into(), Some(Claims)),
        (format!(r#""exp":"{after}""#), Some(Claims)),
        (r#""exp":null"#.into(), Some(Claims)),
        (r#""exp":true"#.into(), Some(Claims)),
        (format!(r#""exp":[{after}]"#), Some(Claims)),
        (format!(r#""exp":{{"value":{after}}}"#), Some(Claims)),
        (r#""exp":1e300"#.into(), Some(Claims)),
        (r#""exp":99999999999999999999"#.into(), Some(Claims)),
        (r#""exp":1e999"#.into(), Some(Malformed)),
        (r#""exp":NaN"#.into(), Some(Malformed)),
        (r#""exp":Infinity"#.into(), Some(Malformed)),
        (format!(r#""exp":0,"exp":{after}"#), Some(Malformed)),
        (format!(r#""Exp":{after}"#), Some(Claims)),
        (r#""none":1"#.into(), Some(Claims)),
        (format!(r#""exp":{after},"nbf":{now}"#), None),
        (format!(r#""exp":{after},"nbf":{}"#, NOW + 30), None),
        (format!(r#""exp":{after},"nbf":{}"#, NOW + 31), Some(NotYetValid)),
        (format!(r#""exp":{after},"nbf":"{now}""#), Some(Claims)),
        (format!(r#""exp":{after},"nbf":null"#), Some(Claims)),
        (format!(r#""exp":{after},"nbf":false"#), Some(Claims)),
        (format!(r#""exp":{after},"nbf":[]"#), Some(Claims)),
        (format!(r#""exp":{after},"nbf":-5"#), Some(Claims)),
        (format!(r#""exp":{after},"nbf":1e999"#), Some(Malformed)),
    ];
    for (times, reason) in cases {
        let payload = format!(r#"{{"iss":"{ISSUER}","aud":"{AUDIENCE}","sub":"alice",{times}}}"#);
        let public = raw_token(r#"{"alg":"ES256","kid":"p256"}"#, &payload, |m| sign("ES256", m));
        assert_eq!(refused(jwt_outcome(&public)), reason, "{times}");
        let shared = hmac("HS256").authenticate(&hmac_token("HS256", &payload), &keys(), NOW);
        assert_eq!(refused(shared), reason, "{times}");
    }
}

#[test]
fn issuer_and_audience_are_compared_whole() {
    use AuthError::{Audience, Issuer};
    let cases = [
        (json!({ "iss": null }), Some(Issuer)),
        (json!({ "iss": "https://issuer.example" }), Some(Issuer)),
        (json!({ "iss": "https://issuer.example/x" }), Some(Issuer)),
        (json!({ "iss": "https://ISSUER.example/" }), Some(Issuer)),
        (json!({ "iss": [ISSUER] }), Some(Issuer)),
        (json!({ "iss": { "iss": ISSUER } }), Some(Issuer)),
        (json!({ "iss": "" }), Some(Issuer)),
        (json!({ "aud": null }), Some(Audience)),
        (json!({ "aud": "promptgat" }), Some(Audience)),
        (json!({ "aud": "promptgate2" }), Some(Audience)),
        (json!({ "aud": "Promptgate" }), Some(Audience)),
        (json!({ "aud": "other promptgate" }), Some(Audience)),
        (json!({ "aud": "" }), Some(Audience)),
        (json!({ "aud": [] }), Some(Audience)),
        (json!({ "aud": ["other"] }), Some(Audience)),
        (json!({ "aud": [["promptgate"]] }), Some(Audience)),
        (json!({ "aud": ["promptgate", 7] }), Some(Audience)),
        (json!({ "aud": { "promptgate": true } }), Some(Audience)),
        (json!({ "aud": true }), Some(Audience)),
        (json!({ "aud": ["other", "promptgate"] }), None),
        (json!({ "aud": ["promptgate"] }), None),
    ];
    for (changes, reason) in cases {
        assert_eq!(refused(claims_outcome(&claims_with(changes.clone()))), reason, "{changes}");
    }
}

#[test]
fn payloads_that_are_not_one_plain_object_are_refused() {
    for payload in ["", "null", "[]", "\"text\"", "{}{}", r#"{"iss":"a","iss":"b"}"#, r#"{"x":{"y":1,"y":2}}"#, "{"] {
        let token = raw_token(r#"{"alg":"ES256","kid":"p256"}"#, payload, |m| sign("ES256", m));
        assert_eq!(refused(jwt_outcome(&token)), Some(AuthError::Malformed), "{payload}");
    }
}

#[test]
fn scopes_are_the_union_of_their_claims_and_compared_whole() {
    let all = &[Scope::Validate, Scope::Analyze, Scope::Stats, Scope::Admin][..];
    let cases: Vec<(Value, &[Scope])> = vec![
        (json!({ "scope": "prompt:validate prompt:analyze" }), &all[..2]),
        (json!({ "scope": null, "scopes": ["prompt:validate"] }), &all[..1]),
        (json!({ "scope": null, "scp": ["prompt:validate"] }), &all[..1]),
        (json!({ "scope": null, "scp": "prompt:validate prompt:analyze" }), &all[..2]),
        (
            json!({ "scope": "prompt:validate", "scopes": ["prompt:analyze"], "scp": "security:stats", "roles": ["security:admin"] }),
            all,
        ),
        (json!({ "scope": null }), &[]),
        (json!({ "scope": "" }), &[]),
        (json!({ "scope": "prompt:validat" }), &[]),
        (json!({ "scope": "prompt:validate2" }), &[]),
        (json!({ "scope": "xprompt:validate" }), &[]),
        (json!({ "scope": "Prompt:Validate" }), &[]),
        (json!({ "scope": "prompt:*" }), &[]),
        (json!({ "scope": "*" }), &[]),
        (json!({ "scope": "prompt" }), &[]),
        (json!({ "scope": "prompt:validate,prompt:analyze" }), &[]),
        (json!({ "scope": "prompt:validate\tprompt:analyze" }), &[]),
        (json!({ "scope": "prompt:validate\u{a0}" }), &[]),
        (json!({ "scope": ["prompt:validate"] }), &[]),
        (json!({ "scope": null, "scopes": "prompt:validate" }), &[]),
        (json!({ "scope": null, "scopes": ["prompt:validate prompt:analyze"] }), &[]),
        (json!({ "scope": null, "scopes": [["prompt:validate"]] }), &[]),
        (json!({ "scope": null, "scopes": { "prompt:validate": true } }), &[]),
        (json!({ "scope": null, "scopes": [null, 7, "prompt:validate"] }), &all[..1]),
    ];
    let rules = crate::auth::ClaimRules { scopes_claim: Some("roles".into()), ..rules() };
    let authenticator = Authenticator::jwt(&["ES256"], rules, StaticTokens::default()).unwrap();
    for (changes, granted) in cases {
        let token = token("ES256", "p256", &claims_with(changes.clone()));
        let principal = authenticator.authenticate(&token, &keys(), NOW).unwrap();
        let has: Vec<_> = Scope::ALL.into_iter().filter(|scope| principal.has(*scope)).collect();
        assert_eq!(has, granted, "{changes}");
    }
}

#[test]
fn the_client_is_named_by_the_first_claim_that_does() {
    let cases = [
        (json!({ "client_id": "app", "azp": "web" }), Ok("app")),
        (json!({ "azp": "web" }), Ok("web")),
        (json!({}), Ok("alice")),
        (json!({ "sub": null }), Err(AuthError::Claims)),
        (json!({ "client_id": 7 }), Err(AuthError::Claims)),
        (json!({ "client_id": "" }), Err(AuthError::Claims)),
        (json!({ "client_id": "a\r\nb" }), Err(AuthError::Claims)),
        (json!({ "client_id": "a".repeat(257) }), Err(AuthError::Claims)),
        (json!({ "client_id": "app", "sub": 7 }), Err(AuthError::Claims)),
        (json!({ "jti": ["x"] }), Err(AuthError::Claims)),
    ];
    for (changes, client) in cases {
        let outcome = claims_outcome(&claims_with(changes.clone())).map(|principal| principal.client_id);
        assert_eq!(outcome.as_deref().map_err(|reason| *reason), client, "{changes}");
    }
}

#[test]
fn the_tenant_is_its_claim_or_the_client() {
    let rules = crate::auth::ClaimRules { tenant_claim: Some("org".into()), ..rules() };
    let authenticator = Authenticator::jwt(&["ES256"], rules, StaticTokens::default()).unwrap();
    for (changes, tenant) in [
        (json!({ "org": "acme" }), Ok("acme")),
        (json!({}), Ok("alice")),
        (json!({ "org": 1 }), Err(AuthError::Claims)),
    ] {
        let token = token("ES256", "p256", &claims_with(changes.clone()));
        let outcome = authenticator.authenticate(&token, &keys(), NOW).map(|principal| principal.tenant);
        assert_eq!(outcome.as_deref().map_err(|reason| *reason), tenant, "{changes}");
    }
}

#[test]
fn only_tokens_that_a_key_could_decide_ask_for_one() {
    let request = jwt().needs_key(&token("RS256", "new", &claims())).unwrap();
    assert_eq!((request.kid.as_deref(), request.algorithm), (Some("new"), crate::auth::Algorithm::RS256));
    let without_kid = raw_token(r#"{"alg":"ES256"}"#, "{}", |m| sign("ES256", m));
    assert_eq!(jwt().needs_key(&without_kid).unwrap().kid, None);
    for token in ["", "rubbish", "a.b.c", &hmac_token("HS256", "{}")] {
        assert_eq!(jwt().needs_key(token), None, "{token}");
    }
    assert_eq!(hmac("HS256").needs_key(&hmac_token("HS256", "{}")), None);
}

proptest! {
    #[test]
    fn no_text_is_accepted_or_makes_anything_panic(token in any::<String>(), header in any::<String>(), payload in any::<String>()) {
        let signed = raw_token(&header, &payload, |m| sign("EdDSA", m));
        let kind = raw_token(r#"{"alg":"EdDSA","kid":"ed"}"#, &payload, |m| sign("EdDSA", m));
        for text in [token, signed, kind] {
            prop_assert!(jwt_outcome(&text).is_err());
            prop_assert!(hmac("HS256").authenticate(&text, &KeySet::default(), NOW).is_err());
        }
        let _ = KeySet::parse(payload.as_bytes());
    }
}
