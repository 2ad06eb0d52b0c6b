//! Gateways that tests share, one for each configuration, with the providers behind them. A test whose gateway changes or
//! ends starts one of its own.

use std::net::{SocketAddr, TcpListener};
use std::sync::LazyLock;

use crate::process::Gateway;
use crate::upstream::Upstream;

/// A gateway and what is behind it.
pub struct Site {
    pub gateway: Gateway,
    pub upstream: Upstream,
    /// What is reached over HTTP/2, in the sites that have it.
    pub upstream2: Upstream,
}

/// Name of the upstream, variable of its key, the key.
pub const KEYS: &[(&str, &str, &str)] = &[
    ("openai", "KEY_OPENAI", "provider-key-of-openai-4711"),
    ("azure", "KEY_AZURE", "provider-key-of-azure-4711"),
    ("anthropic", "KEY_ANTHROPIC", "provider-key-of-anthropic-4711"),
    ("gemini", "KEY_GEMINI", "provider-key-of-gemini-4711"),
    ("cohere", "KEY_COHERE", "provider-key-of-cohere-4711"),
    ("mistral", "KEY_MISTRAL", "provider-key-of-mistral-4711"),
    ("bedrock", "KEY_BEDROCK", "provider-key-of-bedrock-4711"),
];

pub fn key(upstream: &str) -> &'static str {
    KEYS.iter().find(|(name, ..)| *name == upstream).map(|(.., key)| *key).expect("an upstream with a key")
}

/// The shipped limits; every upstream takes all there is.
pub fn plain() -> &'static Site {
    static SITE: LazyLock<Site> = LazyLock::new(|| Site::start(""));
    &SITE
}

/// What `limits.hold` and `limits.body` are in `small`.
pub const HOLD: usize = 16 * 1024;
pub const BODY: usize = 1280 * 1024;

/// Limits that a short test can exceed, and upstreams that each lack something: anthropic speaks HTTP/2 only, mistral has
/// no key, nobody answers at cohere's address, bedrock takes no chunks, gemini wants the caller's own key, ollama is given a
/// second to answer.
pub fn small() -> &'static Site {
    static SITE: LazyLock<Site> = LazyLock::new(|| {
        let (upstream, upstream2) = (Upstream::http1(), Upstream::http2());
        let (at, at2, nowhere) = (upstream.address, upstream2.address, unused());
        let config = format!(
            "[limits]\nhold = {HOLD}\nbody = {BODY}\n\
             [[upstream]]\nname = \"openai\"\nurl = \"http://{at}\"\napi_key_env = \"KEY_OPENAI\"\n\
             [[upstream]]\nname = \"anthropic\"\nurl = \"http://{at2}\"\nhttp = \"2\"\napi_key_env = \"KEY_ANTHROPIC\"\n\
             [[upstream]]\nname = \"mistral\"\nurl = \"http://{at}\"\napi_key_env = \"KEY_UNSET\"\n\
             [[upstream]]\nname = \"cohere\"\nurl = \"http://{nowhere}\"\napi_key_env = \"KEY_COHERE\"\n\
             [[upstream]]\nname = \"bedrock\"\nurl = \"http://{at}\"\nchunked = false\napi_key_env = \"KEY_BEDROCK\"\n\
             [[upstream]]\nname = \"gemini\"\nurl = \"http://{at}/base\"\nauth = \"pass\"\n\
             [[upstream]]\nname = \"mcp\"\nurl = \"http://{at}\"\n\
             [[upstream]]\nname = \"ollama\"\nurl = \"http://{at}\"\n\
             [upstream.timeouts]\nfirst_byte = \"1s\"\nidle = \"1s\"\n"
        );
        Site { gateway: Gateway::start(&config, &variables()), upstream, upstream2 }
    });
    &SITE
}

/// The listener speaks TLS, with the fixture's certificate for localhost.
pub fn tls() -> &'static Site {
    static SITE: LazyLock<Site> = LazyLock::new(|| Site::start(TLS));
    &SITE
}

/// The path of a file beside the tests.
pub fn fixture(name: &str) -> String {
    format!("{}/tests/fixtures/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// The table of the configuration that makes the listener speak TLS.
pub const TLS: &str = concat!(
    "[gateway.tls]\ncert = '",
    env!("CARGO_MANIFEST_DIR"),
    "/tests/fixtures/localhost-test-only.cert.pem'\nkey = '",
    env!("CARGO_MANIFEST_DIR"),
    "/tests/fixtures/localhost-test-only.key.pem'\n"
);

impl Site {
    /// The shipped upstreams by name, all of them at one recorder; ollama and mcp have no key.
    pub fn start(config: &str) -> Site {
        Site::start_with(config, &[])
    }

    /// The same, with variables.
    pub fn start_with(config: &str, more: &[(&'static str, &'static str)]) -> Site {
        let upstream = Upstream::http1();
        let at = upstream.address;
        let table = |(name, variable, _): &(&str, &str, &str)| {
            format!("[[upstream]]\nname = \"{name}\"\nurl = \"http://{at}\"\napi_key_env = \"{variable}\"\n")
        };
        let tables: String = KEYS.iter().map(table).collect();
        let keyless = ["ollama", "mcp"].map(|name| format!("[[upstream]]\nname = \"{name}\"\nurl = \"http://{at}\"\n"));
        let config = format!("{config}{tables}{}", keyless.concat());
        let variables = [variables(), more.to_vec()].concat();
        Site { gateway: Gateway::start(&config, &variables), upstream, upstream2: Upstream::http2() }
    }

    /// One upstream, openai, with these keys and no other.
    pub fn with_upstream(keys: &str) -> Site {
        let config = format!("[[upstream]]\nname = \"openai\"\napi_key_env = \"KEY_OPENAI\"\n{keys}");
        let gateway = Gateway::start(&config, &variables());
        Site { gateway, upstream: Upstream::http1(), upstream2: Upstream::http2() }
    }

    pub fn address(&self) -> SocketAddr {
        self.gateway.address
    }
}

fn variables() -> Vec<(&'static str, &'static str)> {
    KEYS.iter().map(|(_, variable, key)| (*variable, *key)).collect()
}

/// An address where nobody listens.
pub fn unused() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("its address")
}
