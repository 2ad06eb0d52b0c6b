//! The ways to one upstream that a request may try, in their order. Connects to nothing.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use crate::config::{Address, Upstream};
use crate::state::dns::Resolver;

/// An address, and for how long it is waited for, TLS included.
#[derive(Clone, Debug)]
pub struct Way {
    pub place: Address,
    pub address: SocketAddr,
    pub connect: Duration,
}

/// Those not yet tried. Names are looked up when they are next.
pub struct Ways {
    places: VecDeque<Address>,
    found: VecDeque<Way>,
    /// Addresses tried of one name.
    each: usize,
    connect: Duration,
}

impl Ways {
    /// To the places in this order.
    pub fn new(upstream: &Upstream, order: Vec<&Address>) -> Self {
        // One that has no other gets a second try.
        let each = if order.len() > 1 { 1 } else { 2 };
        let places = order.into_iter().cloned().collect();
        Ways { places, found: VecDeque::new(), each, connect: upstream.timeouts.connect }
    }

    /// `None` when there is none left whose name resolves.
    pub async fn next(&mut self, resolver: &Resolver) -> Option<Way> {
        while self.found.is_empty() {
            let place = self.places.pop_front()?;
            let Ok(addresses) = resolver.resolve(&place.host, place.port).await else { continue };
            let tried = addresses.len().min(self.each);
            // Those of one name share its time.
            let connect = self.connect / u32::try_from(tried).unwrap_or(1);
            let way = |address: &SocketAddr| Way { place: place.clone(), address: *address, connect };
            self.found.extend(addresses.iter().take(tried).map(way));
        }
        self.found.pop_front()
    }

    /// Whether there may be another.
    pub fn may_go_on(&self) -> bool {
        !self.found.is_empty() || !self.places.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[tokio::test]
    async fn each_place_is_tried_once_and_one_whose_name_is_unknown_not_at_all() {
        let text = "[[upstream]]\nname = \"openai\"\nurl = \"http://127.0.0.1:1\"\n\
                    failover = [\"http://no-such-host.invalid:2\", \"http://127.0.0.1:3\"]\n";
        let config = Config::load(Some(text), []).unwrap().config;
        let upstream = &config.upstreams[0];
        let (mut ways, resolver) = (Ways::new(upstream, upstream.addresses().collect()), Resolver::default());
        let mut ports = Vec::new();
        while let Some(way) = ways.next(&resolver).await {
            assert_eq!(way.connect, upstream.timeouts.connect);
            ports.push(way.address.port());
        }
        assert_eq!(ports, [1, 3]);
        assert!(!ways.may_go_on());
    }
}
