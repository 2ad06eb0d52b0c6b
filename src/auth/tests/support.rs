//! Issuers for tests: they sign whatever header and payload a case wants, valid or not.

use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::rsa::{KeyPair as RsaKeyPair, PublicKeyComponents};
use ring::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair,
    Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA256, RSA_PSS_SHA384,
    RSA_PSS_SHA512, RsaEncoding,
};
use serde_json::{Value, json};

use crate::auth::{Authenticator, ClaimRules, JWT_ALGORITHMS, KeySet, StaticTokens};

pub const NOW: u64 = 1_800_000_000;
pub const ISSUER: &str = "https://issuer.example/";
pub const AUDIENCE: &str = "promptgate";
pub const SECRET: &[u8] = b"kT4x-9Qv2LmZ8wRb7NcYp1HsJf6GdUe3AoXiVtC5MnKrBqWyPzEhSgDl0FuIjTaO";

pub const RSA_PEM: &str = include_str!("../../../tests/fixtures/rsa-2048-test-only.pub.pem");
const RSA_PK8: &[u8] = include_bytes!("../../../tests/fixtures/rsa-2048-test-only.pk8");

static RSA: LazyLock<RsaKeyPair> = LazyLock::new(|| RsaKeyPair::from_pkcs8(RSA_PK8).unwrap());
static P256_PK8: LazyLock<Vec<u8>> = LazyLock::new(|| {
    EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new()).unwrap().as_ref().to_vec()
});
static P384_PK8: LazyLock<Vec<u8>> = LazyLock::new(|| {
    EcdsaKeyPair::generate_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, &SystemRandom::new()).unwrap().as_ref().to_vec()
});
static ED: LazyLock<Ed25519KeyPair> = LazyLock::new(|| {
    Ed25519KeyPair::from_pkcs8(Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap().as_ref()).unwrap()
});

pub fn b64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub fn rsa_n() -> Vec<u8> {
    PublicKeyComponents::<Vec<u8>>::from(RSA.public()).n
}

pub fn rsa_pkcs1() -> Vec<u8> {
    RSA.public_key().as_ref().to_vec()
}

/// Signs as the algorithm says, with the test key of its family.
pub fn sign(algorithm: &str, message: &[u8]) -> Vec<u8> {
    let random = SystemRandom::new();
    match algorithm {
        "ES256" => p256(&ECDSA_P256_SHA256_FIXED_SIGNING).sign(&random, message).unwrap().as_ref().to_vec(),
        "ES256-DER" => p256(&ECDSA_P256_SHA256_ASN1_SIGNING).sign(&random, message).unwrap().as_ref().to_vec(),
        "ES384" => EcdsaKeyPair::from_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, &P384_PK8, &random)
            .unwrap()
            .sign(&random, message)
            .unwrap()
            .as_ref()
            .to_vec(),
        "EdDSA" => ED.sign(message).as_ref().to_vec(),
        "RS256" => rsa(&RSA_PKCS1_SHA256, message),
        "RS384" => rsa(&RSA_PKCS1_SHA384, message),
        "RS512" => rsa(&RSA_PKCS1_SHA512, message),
        "PS256" => rsa(&RSA_PSS_SHA256, message),
        "PS384" => rsa(&RSA_PSS_SHA384, message),
        "PS512" => rsa(&RSA_PSS_SHA512, message),
        other => panic!("no test key for {other}"),
    }
}

fn p256(algorithm: &'static ring::signature::EcdsaSigningAlgorithm) -> EcdsaKeyPair {
    EcdsaKeyPair::from_pkcs8(algorithm, &P256_PK8, &SystemRandom::new()).unwrap()
}

fn rsa(encoding: &'static dyn RsaEncoding, message: &[u8]) -> Vec<u8> {
    let mut signature = vec![0; RSA.public().modulus_len()];
    RSA.sign(encoding, &SystemRandom::new(), message, &mut signature).unwrap();
    signature
}

pub fn mac(algorithm: &str, secret: &[u8], message: &[u8]) -> Vec<u8> {
    let algorithm = match algorithm {
        "HS256" => ring::hmac::HMAC_SHA256,
        "HS384" => ring::hmac::HMAC_SHA384,
        "HS512" => ring::hmac::HMAC_SHA512,
        other => panic!("no MAC {other}"),
    };
    ring::hmac::sign(&ring::hmac::Key::new(algorithm, secret), message).as_ref().to_vec()
}

/// A token of any header and payload text, signed by whatever the case says.
pub fn raw_token(header: &str, payload: &str, sign: impl Fn(&[u8]) -> Vec<u8>) -> String {
    let signed = format!("{}.{}", b64(header), b64(payload));
    let signature = sign(signed.as_bytes());
    format!("{signed}.{}", b64(signature))
}

pub fn token(algorithm: &str, kid: &str, claims: &Value) -> String {
    raw_token(&json!({ "alg": algorithm, "kid": kid }).to_string(), &claims.to_string(), |m| sign(algorithm, m))
}

pub fn hmac_token(algorithm: &str, claims: &str) -> String {
    raw_token(&json!({ "alg": algorithm }).to_string(), claims, |m| mac(algorithm, SECRET, m))
}

/// Claims that are accepted at [`NOW`].
pub fn claims() -> Value {
    json!({ "iss": ISSUER, "aud": AUDIENCE, "exp": NOW + 300, "sub": "alice", "scope": "prompt:validate" })
}

/// Valid claims with `changes` laid over them; a member that is `null` is taken away.
pub fn claims_with(changes: Value) -> Value {
    let mut claims = claims();
    for (name, value) in changes.as_object().unwrap() {
        match value {
            Value::Null => claims.as_object_mut().unwrap().remove(name),
            _ => claims.as_object_mut().unwrap().insert(name.clone(), value.clone()),
        };
    }
    claims
}

pub fn rsa_jwk(kid: &str) -> Value {
    json!({ "kty": "RSA", "kid": kid, "n": b64(rsa_n()), "e": "AQAB" })
}

pub fn p256_jwk(kid: &str) -> Value {
    let key = p256(&ECDSA_P256_SHA256_FIXED_SIGNING);
    let point = key.public_key().as_ref();
    json!({ "kty": "EC", "kid": kid, "crv": "P-256", "x": b64(&point[1..33]), "y": b64(&point[33..]) })
}

pub fn p384_jwk(kid: &str) -> Value {
    let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, &P384_PK8, &SystemRandom::new()).unwrap();
    let point = key.public_key().as_ref();
    json!({ "kty": "EC", "kid": kid, "crv": "P-384", "x": b64(&point[1..49]), "y": b64(&point[49..]) })
}

pub fn ed_jwk(kid: &str) -> Value {
    json!({ "kty": "OKP", "kid": kid, "crv": "Ed25519", "x": b64(ED.public_key().as_ref()) })
}

pub fn with(mut jwk: Value, changes: Value) -> Value {
    for (name, value) in changes.as_object().unwrap() {
        jwk[name] = value.clone();
    }
    jwk
}

pub fn key_set(keys: Vec<Value>) -> KeySet {
    KeySet::parse(json!({ "keys": keys }).to_string().as_bytes()).unwrap()
}

/// One key of each kind, under the id of its kind; `rs256` is bound to its algorithm.
pub fn keys() -> KeySet {
    key_set(vec![
        rsa_jwk("rsa"),
        with(rsa_jwk("rs256"), json!({ "alg": "RS256", "use": "sig" })),
        p256_jwk("p256"),
        p384_jwk("p384"),
        ed_jwk("ed"),
    ])
}

pub fn rules() -> ClaimRules {
    ClaimRules::new(ISSUER, AUDIENCE)
}

pub fn jwt() -> Authenticator {
    let names: Vec<_> = JWT_ALGORITHMS.iter().map(|algorithm| format!("{algorithm:?}")).collect();
    Authenticator::jwt(&names, rules(), StaticTokens::default()).unwrap()
}

pub fn hmac(algorithm: &str) -> Authenticator {
    Authenticator::hmac(algorithm, SECRET, rules(), StaticTokens::default()).unwrap()
}
