//! Project Wycheproof's JOSE and HMAC vectors, from the folder `$PROMPTGATE_VECTORS/wycheproof` (they are not part of
//! this
//! repository). Each case comes out as labelled or stands in [`EXCEPTIONS`] with the reason.

use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, crypto};
use serde_json::{Value, json};

use super::support::{b64, rules};
use crate::auth::{Hmac, JWT_ALGORITHMS, Jwt, KeySet, hmac_algorithm, install_crypto};

/// File, cases (first and last) and why this gateway decides otherwise than the label.
const EXCEPTIONS: &[(&str, u64, u64, &str)] = &[
    ("json_web_signature", 346, 346, "PS384 with a key bound to PS256: a named algorithm binds"),
    ("json_web_signature", 350, 350, "PS384 with a key bound to PS256: a named algorithm binds"),
    ("json_web_signature", 347, 347, "ES512 is not supported: ring has no P-521"),
    ("json_web_signature", 351, 351, "ES512 is not supported: ring has no P-521"),
    ("json_web_signature", 367, 367, "the text is that of the valid case 357: its padding got lost in the vectors"),
    ("json_web_signature", 370, 370, "the text is that of the valid case 357: its padding got lost in the vectors"),
    ("json_web_signature", 372, 373, "a '?' inside base64url: not canonical, refused"),
    ("json_web_key", 2, 2, "a set of shared secrets: oct keys in a key set are never used"),
    ("json_web_crypto", 48, 48, "a set of shared secrets: oct keys in a key set are never used"),
    ("json_web_crypto", 50, 50, "JWE is not supported"),
    ("json_web_crypto", 67, 67, "JWE is not supported"),
];

fn read(file: &str) -> Option<Value> {
    let Some(folder) = std::env::var_os("PROMPTGATE_VECTORS") else {
        println!("PROMPTGATE_VECTORS is not set: the Wycheproof cases of {file} did not run");
        return None;
    };
    let path = PathBuf::from(folder).join("wycheproof").join(format!("{file}_test.json"));
    let text = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    Some(serde_json::from_slice(&text).unwrap())
}

fn is_exception(file: &str, case: u64) -> bool {
    EXCEPTIONS.iter().any(|(name, first, last, _)| *name == file && (*first..=*last).contains(&case))
}

/// Runs every case; the ones that come out otherwise than labelled must be exactly the exceptions.
fn run(file: &str, accepts: impl Fn(&Value, &str) -> bool) {
    let Some(document) = read(file) else { return };
    let mut cases = 0;
    for group in document["testGroups"].as_array().unwrap() {
        for case in group["tests"].as_array().unwrap() {
            let number = case["tcId"].as_u64().unwrap();
            let token = case.get("jws").or(case.get("jwe")).unwrap();
            let token = token.as_str().map_or_else(|| token.to_string(), str::to_owned);
            let as_labelled = accepts(group, &token) == (case["result"] == "valid");
            assert_eq!(as_labelled, !is_exception(file, number), "{file} {number} {}", case["comment"]);
            cases += 1;
        }
    }
    println!("{file}: {cases} cases");
    assert_eq!(document["numberOfTests"], json!(cases));
}

/// The signature alone: most payloads here are not JSON.
fn verifies(group: &Value, token: &str) -> bool {
    let key = group.get("public").unwrap_or(&group["private"]);
    let keys = key.get("keys").cloned().unwrap_or_else(|| json!([key]));
    match keys.as_array().unwrap().as_slice() {
        [key] if key["kty"] == "oct" => shared_secret(key).is_some_and(|hmac| hmac.payload(token).is_ok()),
        _ => KeySet::parse(json!({ "keys": keys }).to_string().as_bytes()).is_ok_and(|set| {
            install_crypto();
            let jwt = Jwt { algorithms: JWT_ALGORITHMS.to_vec(), rules: rules() };
            jwt.payload(token, &set).is_ok()
        }),
    }
}

/// The mode `hmac` with this key, if it is long enough. (One group's key is all zeros, which no configuration would
/// get past
/// the check for placeholders; here the signatures are the subject.)
fn shared_secret(key: &Value) -> Option<Hmac> {
    install_crypto();
    let secret = URL_SAFE_NO_PAD.decode(key["k"].as_str()?).ok()?;
    let (algorithm, need) = hmac_algorithm(key["alg"].as_str()?).ok()?;
    (secret.len() >= need).then(|| Hmac { algorithm, key: DecodingKey::from_secret(&secret), rules: rules() })
}

#[test]
fn json_web_signature() {
    run("json_web_signature", verifies);
}

#[test]
fn json_web_key() {
    run("json_web_key", verifies);
}

#[test]
fn json_web_crypto() {
    run("json_web_crypto", verifies);
}

#[test]
fn hmac_sha256() {
    run_hmac("hmac_sha256", Algorithm::HS256, 256);
}

#[test]
fn hmac_sha384() {
    run_hmac("hmac_sha384", Algorithm::HS384, 384);
}

#[test]
fn hmac_sha512() {
    run_hmac("hmac_sha512", Algorithm::HS512, 512);
}

/// JOSE knows no truncated tags (RFC 7518 section 3.2), so those are refused whatever the label.
fn run_hmac(file: &str, algorithm: Algorithm, bits: u64) {
    let Some(document) = read(file) else { return };
    install_crypto();
    let mut cases = 0;
    for group in document["testGroups"].as_array().unwrap() {
        for case in group["tests"].as_array().unwrap() {
            let bytes = |name: &str| decode_hex(case[name].as_str().unwrap());
            let key = DecodingKey::from_secret(&bytes("key"));
            let accepted = crypto::verify(&b64(bytes("tag")), &bytes("msg"), &key, algorithm).unwrap();
            let is_whole = group["tagSize"] == json!(bits);
            assert_eq!(accepted, is_whole && case["result"] == "valid", "{file} {}", case["tcId"]);
            cases += 1;
        }
    }
    println!("{file}: {cases} cases");
    assert_eq!(document["numberOfTests"], json!(cases));
}

fn decode_hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|index| u8::from_str_radix(&text[index..index + 2], 16).unwrap()).collect()
}
