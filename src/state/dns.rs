//! Addresses of upstreams, looked up when they are needed and kept for a short while. Resolving in Pingora's peer would
//! block the event loop and panic on a name that does not exist.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use moka::future::Cache;

/// See the module.
#[derive(Clone, Debug)]
pub struct Resolver {
    cache: Cache<(String, u16), Arc<[SocketAddr]>>,
}

/// Shorter than the records of providers behind load balancers live.
const TTL: Duration = Duration::from_secs(30);
const ENTRIES: u64 = 1024;
const LOOKUP: Duration = Duration::from_secs(2);

impl Default for Resolver {
    fn default() -> Self {
        Resolver { cache: Cache::builder().max_capacity(ENTRIES).time_to_live(TTL).build() }
    }
}

impl Resolver {
    /// The addresses of a host, IPv4 first, never empty. Concurrent look-ups of one host are one.
    pub async fn resolve(&self, host: &str, port: u16) -> Result<Arc<[SocketAddr]>, Arc<io::Error>> {
        self.cache.try_get_with((host.to_owned(), port), lookup(host, port)).await
    }
}

async fn lookup(host: &str, port: u16) -> io::Result<Arc<[SocketAddr]>> {
    let found = tokio::time::timeout(LOOKUP, tokio::net::lookup_host((host, port))).await;
    let mut addresses: Vec<SocketAddr> = found.map_err(|_| io::ErrorKind::TimedOut)??.collect();
    addresses.sort_by_key(SocketAddr::is_ipv6);
    if addresses.is_empty() { Err(io::ErrorKind::NotFound.into()) } else { Ok(addresses.into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn names_and_literals_resolve_and_nonsense_does_not() {
        let resolver = Resolver::default();
        assert_eq!(resolver.resolve("127.0.0.1", 80).await.unwrap()[0], "127.0.0.1:80".parse().unwrap());
        assert_eq!(resolver.resolve("::1", 80).await.unwrap()[0], "[::1]:80".parse().unwrap());
        assert!(resolver.resolve("no such host", 80).await.is_err());
    }
}
