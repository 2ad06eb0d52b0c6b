//! A bare Pingora pass-through: `bare_proxy LISTEN UPSTREAM`, both `address:port`. The yardstick of `benches/gateway`; it has
//! no filter, looks at nothing and is no gateway.

use std::env;
use std::error::Error;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::thread;

use async_trait::async_trait;
use pingora::proxy::{ProxyHttp, Session, http_proxy_service};
use pingora::server::Server;
use pingora::server::configuration::ServerConf;
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
    match addresses() {
        Ok((listen, upstream)) => serve(listen, upstream),
        Err(error) => {
            eprintln!("usage: bare_proxy LISTEN UPSTREAM: {error}");
            ExitCode::from(2)
        }
    }
}

fn addresses() -> Result<(SocketAddr, SocketAddr), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().collect();
    match arguments.as_slice() {
        [.., listen, upstream] => Ok((listen.parse()?, upstream.parse()?)),
        _ => Err("two addresses are needed".into()),
    }
}

/// With the threads and the pool of connections that the gateway has, so that only its work makes the difference.
fn serve(listen: SocketAddr, upstream: SocketAddr) -> ! {
    let conf = ServerConf {
        threads: thread::available_parallelism().map_or(1, usize::from),
        upstream_keepalive_pool_size: 1024,
        ..ServerConf::default()
    };
    let mut server = Server::new_with_opt_and_conf(None, conf);
    server.bootstrap();
    let mut service = http_proxy_service(&server.configuration, PassThrough { upstream });
    service.add_tcp(&listen.to_string());
    server.add_service(service);
    server.run_forever()
}
