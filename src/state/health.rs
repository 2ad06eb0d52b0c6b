//! Which addresses of upstreams cannot be reached. Only of those that have another to go to; decides nothing for the rest.

use std::collections::HashSet;
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use futures_util::future::join_all;
use pingora::lb::Backend;
use pingora::lb::health_check::{HealthCheck, TcpHealthCheck};

use super::dns::Resolver;
use crate::config::{Address, Config, Upstream};

/// See the module.
#[derive(Debug, Default)]
pub struct Health {
    down: RwLock<HashSet<Address>>,
    resolver: Resolver,
}

/// How often the addresses are tried: one that came back is in use within this, and a connection, again.
pub const EVERY: Duration = Duration::from_secs(1);

/// To connect, TLS included, when one is tried.
const PATIENCE: Duration = Duration::from_secs(2);

impl Health {
    /// Its addresses in the order they are to be asked: first those that can be reached, as far as is known.
    pub fn order<'u>(&self, upstream: &'u Upstream) -> Vec<&'u Address> {
        if upstream.failover.is_empty() {
            return vec![&upstream.address];
        }
        let down = self.down.read().unwrap_or_else(PoisonError::into_inner);
        let mut order: Vec<&Address> = upstream.addresses().collect();
        order.sort_by_key(|address| down.contains(*address));
        order
    }

    /// Whether its address that is asked first can be reached; `None` where nobody looks.
    pub fn reachable(&self, upstream: &Upstream) -> Option<bool> {
        let down = self.down.read().unwrap_or_else(PoisonError::into_inner);
        (!upstream.failover.is_empty()).then(|| !down.contains(&upstream.address))
    }

    /// An address could not be connected to, or could.
    pub fn note(&self, address: &Address, reachable: bool) {
        let known = !self.down.read().unwrap_or_else(PoisonError::into_inner).contains(address);
        if known == reachable {
            return;
        }
        let mut down = self.down.write().unwrap_or_else(PoisonError::into_inner);
        if reachable {
            down.remove(address)
        } else {
            down.insert(address.clone())
        };
        tracing::warn!(host = address.host, port = address.port, reachable, "an upstream's address changed");
    }

    /// Connects to every address that has another beside it.
    pub async fn check(&self, config: &Config) {
        let with_others = config.upstreams.iter().filter(|upstream| !upstream.failover.is_empty());
        let addresses: HashSet<&Address> = with_others.flat_map(|upstream| upstream.addresses()).collect();
        self.down.write().unwrap_or_else(PoisonError::into_inner).retain(|address| addresses.contains(address));
        join_all(addresses.into_iter().map(|address| self.check_one(address))).await;
    }

    async fn check_one(&self, address: &Address) {
        let found = self.resolver.resolve(&address.host, address.port).await;
        let backend = found.ok().and_then(|found| Backend::new(&found[0].to_string()).ok());
        let reachable = match backend {
            None => false,
            Some(backend) => {
                let mut check =
                    if address.tls { TcpHealthCheck::new_tls(&address.host) } else { TcpHealthCheck::new() };
                check.peer_template.options.total_connection_timeout = Some(PATIENCE);
                check.check(&backend).await.is_ok()
            }
        };
        self.note(address, reachable);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(first: &str, second: &str) -> Config {
        let text =
            format!("[[upstream]]\nname = \"openai\"\nurl = \"http://{first}\"\nfailover = [\"http://{second}\"]\n");
        Config::load(Some(&text), []).unwrap().config
    }

    fn ports(health: &Health, config: &Config) -> Vec<u16> {
        health.order(&config.upstreams[0]).iter().map(|address| address.port).collect()
    }

    #[test]
    fn what_cannot_be_reached_is_asked_last_and_else_the_order_is_the_operators() {
        let (health, config) = (Health::default(), config("127.0.0.1:1", "127.0.0.1:2"));
        let upstream = &config.upstreams[0];
        assert_eq!(ports(&health, &config), [1, 2]);
        health.note(&upstream.address, false);
        assert_eq!((ports(&health, &config), health.reachable(upstream)), (vec![2, 1], Some(false)));
        health.note(&upstream.failover[0], false);
        assert_eq!(ports(&health, &config), [1, 2]);
        health.note(&upstream.failover[0], true);
        assert_eq!(ports(&health, &config), [2, 1]);
    }

    #[tokio::test]
    async fn addresses_are_found_to_be_away_and_back() {
        let listen = || tokio::net::TcpListener::bind("127.0.0.1:0");
        let (first, second) = (listen().await.unwrap(), listen().await.unwrap());
        let (at, other) = (first.local_addr().unwrap(), second.local_addr().unwrap());
        let (health, config) = (Health::default(), config(&at.to_string(), &other.to_string()));
        drop(first);
        health.check(&config).await;
        assert_eq!(ports(&health, &config), [other.port(), at.port()]);
        let _first = tokio::net::TcpListener::bind(at).await.unwrap();
        health.check(&config).await;
        assert_eq!(ports(&health, &config), [at.port(), other.port()]);
    }
}
