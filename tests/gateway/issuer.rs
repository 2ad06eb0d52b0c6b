//! An identity provider: signs tokens, publishes its key, counts who asks for it. Knows nothing of the gateway.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::{Value, json};

pub const URL: &str = "https://issuer.example/";
pub const AUDIENCE: &str = "promptgate";

pub struct Issuer {
    pair: Ed25519KeyPair,
    address: SocketAddr,
    fetches: Arc<AtomicUsize>,
}

impl Issuer {
    /// Serves its key set, whose one key has the id `ed`, until the process ends.
    pub fn start() -> Issuer {
        let pair = Ed25519KeyPair::from_seed_unchecked(&[11; 32]).expect("a seed of 32 bytes");
        let key = json!({ "kty": "OKP", "crv": "Ed25519", "kid": "ed", "x": encoded(pair.public_key()) });
        let document = json!({ "keys": [key] }).to_string();
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("its address");
        let fetches = Arc::new(AtomicUsize::new(0));
        let count = fetches.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().filter_map(Result::ok) {
                count.fetch_add(1, Ordering::SeqCst);
                let head = BufReader::new(&stream).lines().map_while(Result::ok);
                head.take_while(|line| !line.is_empty()).for_each(drop);
                let length = document.len();
                write!(&stream, "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{document}")
                    .ok();
            }
        });
        Issuer { pair, address, fetches }
    }

    /// The section `[auth]` of a gateway that trusts it.
    pub fn config(&self) -> String {
        let uri = format!("http://{}/jwks", self.address);
        format!(
            "[auth]\nmode = \"jwt\"\n[auth.jwt]\njwks_uri = \"{uri}\"\nissuer = \"{URL}\"\naudience = \"{AUDIENCE}\"\n\
             algorithms = [\"EdDSA\"]\n"
        )
    }

    /// How often the key set was asked for.
    pub fn fetches(&self) -> usize {
        self.fetches.load(Ordering::SeqCst)
    }

    /// A good token for five minutes, under any key id, with more claims.
    pub fn token(&self, kid: &str, more: &[(&str, &str)]) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
        let mut claims =
            json!({ "iss": URL, "aud": AUDIENCE, "exp": now + 300, "sub": "alice", "scope": "prompt:validate" });
        for (name, value) in more {
            claims[name] = Value::from(*value);
        }
        let header = json!({ "alg": "EdDSA", "kid": kid }).to_string();
        let signed = format!("{}.{}", encoded(header), encoded(claims.to_string()));
        let signature = self.pair.sign(signed.as_bytes());
        format!("{signed}.{}", encoded(signature))
    }
}

fn encoded(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
