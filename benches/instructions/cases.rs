//! The cases whose instructions are counted: fixed texts through the sanitizer, a streamed answer, a signed token. Counts
//! nothing itself.

use std::collections::HashMap;
use std::hint::black_box;
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use promptgate::auth::{Authenticator, ClaimRules, KeySet, StaticTokens};
use promptgate::detect::Finding;
use promptgate::sanitize::{Seen, Verdicts};
use ring::rand::SystemRandom;
use ring::rsa::{KeyPair, PublicKeyComponents};
use ring::signature::RSA_PKCS1_SHA256;

use crate::corpus::chats::{self, Chats};
use crate::corpus::{Kind, hostile};
use crate::setup::{self, Detectors};

/// Runs each case a few times, so that caches and automata are warm, then once to be counted, and prints its name.
pub fn run() {
    const WARM_UP: usize = 3;
    for (name, mut case) in cases() {
        (0..WARM_UP).for_each(|_| case());
        measured(&mut case);
        println!("{name}");
    }
}

/// What callgrind counts.
#[inline(never)]
fn measured(case: &mut Case) {
    black_box(case)();
    // A call in the last place would be a jump, and callgrind would not see the return.
    black_box(());
}

type Case = Box<dyn FnMut()>;

const CHUNK: usize = 64 << 10;

fn cases() -> Vec<(&'static str, Case)> {
    let snapshot = std::rc::Rc::new(setup::snapshot(Detectors::Every));
    let plan = setup::plan(&snapshot);
    let request = |body: Vec<u8>| -> Case {
        let (snapshot, plan) = (snapshot.clone(), plan.clone());
        Box::new(move || {
            black_box(setup::request(&snapshot, &plan, black_box(&body), CHUNK));
        })
    };
    let chat = |kind, bytes| {
        let mut body = Vec::new();
        Chats::new(kind, 1, bytes).next(&mut body);
        request(body)
    };
    let known: Case = {
        let snapshot = setup::snapshot(Detectors::Every).remembering(Arc::new(Store::default()));
        let (plan, mut body) = (plan.clone(), Vec::new());
        Chats::new(Kind::Mix, 1, 64 << 10).next(&mut body);
        Box::new(move || {
            black_box(setup::request(&snapshot, &plan, black_box(&body), CHUNK));
        })
    };
    let random = |name| request(chats::chat(&hostile::random(name, 4 << 10)));
    let events = setup::events(setup::WORDS, 100);
    let answers = snapshot.clone();
    let answer: Case = Box::new(move || {
        black_box(setup::answer(&answers, black_box(&events)));
    });
    vec![
        ("English 1 KB", chat(Kind::English, 1 << 10)),
        ("code 16 KB", chat(Kind::Code, 16 << 10)),
        ("JSON 16 KB", chat(Kind::Json, 16 << 10)),
        ("Chinese 4 KB", chat(Kind::Chinese, 4 << 10)),
        ("dirty 16 KB", chat(Kind::Dirty, 16 << 10)),
        ("image 64 KB", chat(Kind::Image, 64 << 10)),
        ("known 64 KB", known),
        ("tokens 4 KB", random("tokens")),
        ("UUIDs 4 KB", random("uuids")),
        ("digits 4 KB", random("digits")),
        ("answer of 100 events", answer),
        ("JWT RS256", token()),
    ]
}

/// What was found where, for good.
#[derive(Debug, Default)]
struct Store {
    findings: Mutex<HashMap<u128, Vec<Finding>>>,
    strings: Mutex<HashMap<u128, Seen>>,
}

impl Verdicts for Store {
    fn get(&self, key: u128) -> Option<Vec<Finding>> {
        self.findings.lock().expect("one thread").get(&key).cloned()
    }

    fn put(&self, key: u128, findings: &[Finding]) {
        self.findings.lock().expect("one thread").insert(key, findings.to_vec());
    }

    fn get_string(&self, key: u128) -> Option<Seen> {
        self.strings.lock().expect("one thread").get(&key).cloned()
    }

    fn put_string(&self, key: u128, seen: &Seen) {
        self.strings.lock().expect("one thread").insert(key, seen.clone());
    }
}

/// A token that an identity provider signed, checked against its published key.
fn token() -> Case {
    const NOW: u64 = 1_800_000_000;
    let pair = KeyPair::from_pkcs8(include_bytes!("../../tests/fixtures/rsa-2048-test-only.pk8")).expect("a key");
    let key = PublicKeyComponents::<Vec<u8>>::from(pair.public());
    let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let (n, e) = (text(&key.n), text(&key.e));
    let keys = format!(r#"{{"keys":[{{"kty":"RSA","kid":"k","alg":"RS256","use":"sig","n":"{n}","e":"{e}"}}]}}"#);
    let keys = KeySet::parse(keys.as_bytes()).expect("a key set");
    let claims = format!(
        r#"{{"iss":"https://id.example/","aud":"promptgate","exp":{},"sub":"alice","scope":"prompt:validate"}}"#,
        NOW + 300
    );
    let signed = format!("{}.{}", text(br#"{"alg":"RS256","kid":"k"}"#), text(claims.as_bytes()));
    let mut signature = vec![0; pair.public().modulus_len()];
    pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature).expect("a signature");
    let token = format!("{signed}.{}", text(&signature));
    let rules = ClaimRules::new("https://id.example/", "promptgate");
    let authenticator = Authenticator::jwt(&["RS256"], rules, StaticTokens::default()).expect("settings");
    Box::new(move || {
        black_box(authenticator.authenticate(black_box(&token), &keys, NOW)).expect("the token holds");
    })
}
