//! A bare Pingora pass-through: `bare_proxy LISTEN UPSTREAM [CERT KEY]`, the first two `address:port`. The yardstick of `benches/gateway`; it has
//! no filter, looks at nothing and is no gateway.

use std::convert::Infallible;
use std::env;
use std::error::Error;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::thread;

use async_trait::async_trait;
use pingora::apps::HttpServerOptions;
use pingora::listeners::tls::TlsSettings;
use pingora::proxy::{ProxyHttp, Session, http_proxy};
use pingora::server::Server;
use pingora::server::configuration::ServerConf;
use pingora::services::listening::Service;
use pingora::upstreams::peer::HttpPeer;

struct PassThrough {
    upstream: SocketAddr,
}

#[async_trait]
impl ProxyHttp for PassThrough {
    type CTX = ();

    fn new_ctx(&self) {}

    async fn upstream_peer(&self, _: &mut Session, (): &mut ()) -> pingora::Result<Box<HttpPeer>> {
        Ok(Box::new(HttpPeer::new(self.upstream, false, String::new())))
    }
}

/// The bench has this file as a module and calls it: cargo builds no examples for a bench.
pub fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().collect();
    // The bench puts a word of its own before these.
    let served = match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [.., listen, upstream, cert, key] if listen.parse::<SocketAddr>().is_ok() => {
            serve(listen, upstream, Some((cert, key)))
        }
        [.., listen, upstream] => serve(listen, upstream, None),
        _ => Err("two addresses are needed".into()),
    };
    match served {
        Ok(never) => match never {},
        Err(error) => {
            eprintln!("usage: bare_proxy LISTEN UPSTREAM [CERT KEY]: {error}");
            ExitCode::from(2)
        }
    }
}

/// With the threads, the protocols and the pool of connections that the gateway has, so that only its work makes the
/// difference.
fn serve(listen: &str, upstream: &str, tls: Option<(&str, &str)>) -> Result<Infallible, Box<dyn Error>> {
    let (listen, upstream): (SocketAddr, SocketAddr) = (listen.parse()?, upstream.parse()?);
    let conf = ServerConf {
        threads: thread::available_parallelism().map_or(1, usize::from),
        grace_period_seconds: Some(0),
        graceful_shutdown_timeout_seconds: Some(1),
        upstream_keepalive_pool_size: 1024,
        ..ServerConf::default()
    };
    let mut server = Server::new_with_opt_and_conf(None, conf);
    server.bootstrap();
    let mut proxy = http_proxy(&server.configuration, PassThrough { upstream });
    let mut options = HttpServerOptions::default();
    options.h2c = true;
    proxy.server_options = Some(options);
    let mut service = Service::new("bare proxy".to_owned(), proxy);
    match tls {
        None => service.add_tcp(&listen.to_string()),
        Some((cert, key)) => {
            pingora::tls::install_default_crypto_provider();
            let mut settings = TlsSettings::intermediate(cert, key)?;
            settings.enable_h2();
            service.add_tls_with_settings(&listen.to_string(), None, settings);
        }
    }
    server.add_service(service);
    server.run_forever()
}
