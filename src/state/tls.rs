//! What a listener speaks TLS with, as its files held it when they were read last. Accepts nothing.

use std::path::Path;
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::client::verify_server_name;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{ClientHello, NoClientAuth, ParsedCertificate, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::{Error, InconsistentKeys, RootCertStore, ServerConfig, version};

use crate::config::{Clients, KeyPair, Problem, Problems, Tls, tls_place};

/// One listener's. A handshake takes what there is when it begins, so no connection that is open notices a change.
#[derive(Debug)]
pub struct Handshakes(ArcSwap<Terms>);

/// Certificates, their keys, and whose certificates clients may show.
#[derive(Debug)]
pub struct Terms {
    config: Arc<ServerConfig>,
    expiry: i64,
}

impl Handshakes {
    pub fn new(terms: Terms) -> Self {
        Handshakes(ArcSwap::from_pointee(terms))
    }

    /// For one handshake.
    pub fn config(&self) -> Arc<ServerConfig> {
        self.0.load().config.clone()
    }

    /// For those to come. Sessions cannot be resumed over a change: who could connect before may not be welcome now.
    pub fn replace(&self, terms: Terms) {
        self.0.store(Arc::new(terms));
    }

    /// When the first of the certificates ends, in seconds of Unix time.
    pub fn expiry(&self) -> i64 {
        self.0.load().expiry
    }
}

impl Terms {
    /// Reads the files. `table` is where the configuration names them.
    ///
    /// # Errors
    /// Everything that is wrong with them, by key; nothing of what they hold.
    pub fn read(tls: &Tls, table: &str) -> Result<Terms, Problems> {
        let provider = Arc::new(ring::default_provider());
        let mut problems = Vec::new();
        let mut keys = Vec::new();
        for (number, pair) in tls.pairs.iter().enumerate() {
            match read_pair(pair, &tls_place(table, number), &provider) {
                Ok(key) => keys.push(key),
                Err(problem) => problems.push(problem),
            }
        }
        let verifier = match tls.clients.as_ref().map(|clients| verifier(clients, table, &provider)) {
            None => Some(Arc::new(NoClientAuth) as Arc<dyn ClientCertVerifier>),
            Some(Ok(verifier)) => Some(verifier),
            Some(Err(problem)) => {
                problems.push(problem);
                None
            }
        };
        let expiry = keys.iter().map(|(_, expiry)| *expiry).min().unwrap_or(i64::MAX);
        let builder = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&version::TLS13, &version::TLS12])
            .map_err(|error| Problem::new(table, error.to_string()));
        match (verifier, builder) {
            (Some(verifier), Ok(builder)) if problems.is_empty() => {
                let keys = keys.into_iter().map(|(key, _)| Arc::new(key)).collect();
                let mut config = builder.with_client_cert_verifier(verifier).with_cert_resolver(Arc::new(ByName(keys)));
                config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
                Ok(Terms { config: Arc::new(config), expiry })
            }
            (_, builder) => {
                problems.extend(builder.err());
                Err(Problems(problems))
            }
        }
    }
}

/// The certificate and key of a pair, if they belong together, and when it ends.
fn read_pair(pair: &KeyPair, place: &str, provider: &CryptoProvider) -> Result<(CertifiedKey, i64), Problem> {
    let of_cert = |message: String| Problem::new(format!("{place}.cert"), message);
    let of_key = |message: String| Problem::new(format!("{place}.key"), message);
    let chain = certificates(&pair.cert).map_err(of_cert)?;
    let leaf = chain.first().map(|leaf| x509_parser::parse_x509_certificate(leaf));
    let expiry = match leaf {
        Some(Ok((_, leaf))) => leaf.validity().not_after.timestamp(),
        _ => return Err(of_cert(format!("{}: the first certificate cannot be read", pair.cert.display()))),
    };
    // What is wrong with a key is not repeated: the message could hold a line of it.
    let unreadable = || of_key(format!("{}: holds no private key in PEM that can be used", pair.key.display()));
    let key = PrivateKeyDer::from_pem_file(&pair.key).map_err(|error| match error {
        pem::Error::Io(error) => of_key(format!("{}: {error}", pair.key.display())),
        _ => unreadable(),
    })?;
    let certified = CertifiedKey::from_der(chain, key, provider).map_err(|error| match error {
        Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
            of_key(format!("{}: is not the key of {}", pair.key.display(), pair.cert.display()))
        }
        Error::InvalidCertificate(_) => of_cert(format!("{}: cannot be used", pair.cert.display())),
        _ => unreadable(),
    })?;
    Ok((certified, expiry))
}

/// All in the file, of which there is one at least.
pub(super) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let shown = path.display();
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    match read {
        Ok(found) if !found.is_empty() => Ok(found),
        Err(pem::Error::Io(error)) => Err(format!("{shown}: {error}")),
        Ok(_) | Err(_) => Err(format!("{shown}: holds no certificate in PEM, or a damaged one")),
    }
}

fn verifier(
    clients: &Clients,
    table: &str,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, Problem> {
    let problem = |message: String| Problem::new(format!("{table}.client_ca"), message);
    let mut issuers = RootCertStore::empty();
    for certificate in certificates(&clients.ca).map_err(problem)? {
        issuers.add(certificate).map_err(|error| problem(format!("{}: {error}", clients.ca.display())))?;
    }
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(issuers), provider.clone());
    let builder = if clients.required { builder } else { builder.allow_unauthenticated() };
    builder.build().map(|verifier| verifier as _).map_err(|error| problem(error.to_string()))
}

/// The first that is for the host the client names, of a kind it understands; else the first of all.
#[derive(Debug)]
struct ByName(Vec<Arc<CertifiedKey>>);

impl ResolvesServerCert for ByName {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let name = hello.server_name().and_then(|name| ServerName::try_from(name).ok());
        let schemes = hello.signature_schemes();
        let fits = |key: &&Arc<CertifiedKey>| {
            name.as_ref().is_some_and(|name| is_for(key, name)) && key.key.choose_scheme(schemes).is_some()
        };
        self.0.iter().find(fits).or_else(|| self.0.first()).cloned()
    }
}

fn is_for(key: &CertifiedKey, name: &ServerName<'_>) -> bool {
    let leaf = key.cert.first().and_then(|leaf| ParsedCertificate::try_from(leaf).ok());
    leaf.is_some_and(|leaf| verify_server_name(&leaf, name).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fixture(name: &str) -> std::path::PathBuf {
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
    }

    fn pair(cert: &str, key: &str) -> KeyPair {
        KeyPair { cert: fixture(cert), key: fixture(key) }
    }

    fn problems(pairs: Vec<KeyPair>, ca: Option<&str>) -> Vec<String> {
        let clients = ca.map(|ca| Clients { ca: fixture(ca), required: true });
        let Problems(problems) = Terms::read(&Tls { pairs, clients }, "gateway.tls").map(|_| ()).expect_err("bad");
        let root = env!("CARGO_MANIFEST_DIR");
        problems.iter().map(|problem| problem.to_string().replace(root, "")).collect()
    }

    const LOCALHOST: (&str, &str) = ("localhost-test-only.cert.pem", "localhost-test-only.key.pem");
    const ZEBRA: (&str, &str) = ("zebra-test-only.cert.pem", "zebra-test-only.key.pem");

    #[test]
    fn what_is_wrong_with_the_files_is_said_by_key_and_nothing_of_them_repeated() {
        let found = problems(
            vec![
                pair(LOCALHOST.0, ZEBRA.1),
                pair("README.md", LOCALHOST.1),
                pair(LOCALHOST.0, "rsa-2048-test-only.pub.pem"),
                pair("missing.pem", LOCALHOST.1),
            ],
            Some("README.md"),
        );
        let at = "/tests/fixtures";
        let expected = [
            format!(
                "gateway.tls.key: {at}/zebra-test-only.key.pem: is not the key of {at}/localhost-test-only.cert.pem"
            ),
            format!("gateway.tls.certificate[0].cert: {at}/README.md: holds no certificate in PEM, or a damaged one"),
            format!(
                "gateway.tls.certificate[1].key: {at}/rsa-2048-test-only.pub.pem: holds no private key in PEM that can be used"
            ),
            format!("gateway.tls.certificate[2].cert: {at}/missing.pem: No such file or directory (os error 2)"),
            format!("gateway.tls.client_ca: {at}/README.md: holds no certificate in PEM, or a damaged one"),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn the_certificate_that_ends_first_is_the_one_that_counts() {
        let read = |pairs: Vec<KeyPair>| Terms::read(&Tls { pairs, clients: None }, "admin.tls").expect("good").expiry;
        let (localhost, zebra) = (pair(LOCALHOST.0, LOCALHOST.1), pair(ZEBRA.0, ZEBRA.1));
        let (first, second) = (read(vec![localhost.clone()]), read(vec![zebra.clone()]));
        assert!(first != second && first > 4_000_000_000, "{first} {second}");
        assert_eq!(read(vec![localhost, zebra]), first.min(second));
    }
}
