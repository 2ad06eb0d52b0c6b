//! Where Redis is and who asks it, out of one address: a server, Sentinels that know it, or a cluster. Resolves no name.

use std::path::PathBuf;

use percent_encoding::percent_decode_str;
use url::{Host, Url};

use crate::config::Secret;

/// See the module.
#[derive(Clone, Debug, PartialEq)]
pub struct RedisServers {
    pub topology: Topology,
    /// At least one, and only one of [`Topology::Server`].
    pub nodes: Vec<Node>,
    pub tls: bool,
    /// Who issues the certificates; those whom the system trusts, without one.
    pub ca: Option<PathBuf>,
    pub database: u16,
    pub login: Login,
}

/// What stands at the addresses.
#[derive(Clone, Debug, PartialEq)]
pub enum Topology {
    Server,
    /// They are asked for the master of this name; its login is that of the servers.
    Sentinel {
        master: String,
        login: Login,
    },
    Cluster,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    pub host: String,
    pub port: u16,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Login {
    pub user: Option<Secret>,
    pub password: Option<Secret>,
}

/// Addresses of Sentinels, or of the nodes of a cluster by which the rest is found.
const MOST_NODES: usize = 64;

const FORM: &str = "must be redis://HOST:PORT, redis+sentinel://HOST:PORT,HOST:PORT/MASTER or redis+cluster://HOST:PORT,HOST:PORT, \
                    each with rediss for TLS, USER:PASSWORD@ and, but for a cluster, /DATABASE if needed";

impl RedisServers {
    /// # Errors
    /// Of what is no address of Redis. Nothing of it is repeated: it may hold a password.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let (scheme, rest) = text.split_once("://").ok_or(FORM)?;
        // A fragment is how the certificate's check would be switched off.
        if rest.contains(['?', '#']) {
            return Err("must have no query and no fragment");
        }
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (login, nodes) = authority.rsplit_once('@').unwrap_or(("", authority));
        let (tls, topology, database, port) = match scheme {
            "redis" | "rediss" => (scheme == "rediss", Topology::Server, path, 6379),
            "redis+sentinel" | "rediss+sentinel" => {
                let (master, database) = path.split_once('/').unwrap_or((path, ""));
                let master = Some(master).filter(|name| is_master(name)).ok_or(FORM)?.to_owned();
                let topology = Topology::Sentinel { master, login: Login::default() };
                (scheme.starts_with("rediss"), topology, database, 26379)
            }
            "redis+cluster" | "rediss+cluster" if path.is_empty() => {
                (scheme.starts_with("rediss"), Topology::Cluster, "", 6379)
            }
            _ => return Err(FORM),
        };
        let nodes: Vec<Node> =
            nodes.split(',').map(|node| Node::parse(node, port)).collect::<Option<_>>().ok_or(FORM)?;
        if nodes.len() > MOST_NODES || (topology == Topology::Server && nodes.len() > 1) {
            return Err(FORM);
        }
        let database = if database.is_empty() { 0 } else { database.parse().map_err(|_| FORM)? };
        Ok(RedisServers { topology, nodes, tls, ca: None, database, login: Login::parse(login).ok_or(FORM)? })
    }
}

/// What Sentinels take for a name.
fn is_master(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'))
}

impl Node {
    fn parse(text: &str, port: u16) -> Option<Self> {
        let url = Url::parse(&format!("redis://{text}")).ok()?;
        let host = match url.host()? {
            Host::Domain(name) => name.to_owned(),
            Host::Ipv4(address) => address.to_string(),
            Host::Ipv6(address) => address.to_string(),
        };
        let usable = !matches!(&*host, "" | "0.0.0.0" | "::");
        usable.then(|| Node { host, port: url.port().unwrap_or(port) })
    }
}

impl Login {
    fn parse(text: &str) -> Option<Self> {
        let (user, password) = text.split_once(':').unwrap_or((text, ""));
        let part = |text: &str| -> Option<Option<Secret>> {
            let text = percent_decode_str(text).decode_utf8().ok()?;
            Some(Some(text).filter(|text| !text.is_empty()).map(Secret::new))
        };
        Some(Login { user: part(user)?, password: part(password)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nodes(servers: &RedisServers) -> Vec<(&str, u16)> {
        servers.nodes.iter().map(|node| (&*node.host, node.port)).collect()
    }

    fn login(user: &str, password: &str) -> Login {
        let part = |text: &str| Some(text).filter(|text| !text.is_empty()).map(Secret::new);
        Login { user: part(user), password: part(password) }
    }

    #[test]
    fn an_address_tells_servers_topology_and_login() {
        let sentinel = |master: &str| Topology::Sentinel { master: master.to_owned(), login: Login::default() };
        for (text, topology, expected, tls, database, known) in [
            ("redis://127.0.0.1", Topology::Server, vec![("127.0.0.1", 6379)], false, 0, login("", "")),
            ("redis://h:1/3", Topology::Server, vec![("h", 1)], false, 3, login("", "")),
            ("rediss://:p%40s%2Fs@h.example:2/", Topology::Server, vec![("h.example", 2)], true, 0, login("", "p@s/s")),
            ("redis://u:p@[::1]:1", Topology::Server, vec![("::1", 1)], false, 0, login("u", "p")),
            ("redis+sentinel://a,b:7/main", sentinel("main"), vec![("a", 26379), ("b", 7)], false, 0, login("", "")),
            (
                "rediss+sentinel://u:p@a/my-main_1.x/2",
                sentinel("my-main_1.x"),
                vec![("a", 26379)],
                true,
                2,
                login("u", "p"),
            ),
            (
                "redis+cluster://:p@a:1,[::1]",
                Topology::Cluster,
                vec![("a", 1), ("::1", 6379)],
                false,
                0,
                login("", "p"),
            ),
            ("rediss+cluster://a/", Topology::Cluster, vec![("a", 6379)], true, 0, login("", "")),
        ] {
            let found = RedisServers::parse(text).expect(text);
            assert_eq!((&found.topology, nodes(&found)), (&topology, expected), "{text}");
            assert_eq!((found.tls, found.database, &found.login), (tls, database, &known), "{text}");
        }
    }

    #[test]
    fn what_is_none_is_refused_and_not_repeated() {
        let crowd = format!("redis+cluster://{}h", "h,".repeat(MOST_NODES));
        for bad in [
            "",
            "canary",
            "canary:6379",
            "http://canary",
            "redis://",
            "redis:///1",
            "unix:///canary",
            "redis://0.0.0.0/?canary",
            "redis://0.0.0.0",
            "redis://[::]",
            "redis://h/canary",
            "redis://h/-1",
            "redis://h/65536",
            "redis://h:canary",
            "redis://h,canary",
            "redis://:canary%ff@h",
            "redis://h/?protocol=canary",
            "rediss://canary@h/#insecure",
            "redis+sentinel://h",
            "redis+sentinel://h/",
            "redis+sentinel://h/can ary",
            "redis+sentinel://h/main/canary",
            "redis+sentinel://h,,canary/main",
            "redis+cluster://h/3",
            "redis+cluster://h,",
            &crowd,
        ] {
            let message = RedisServers::parse(bad).map(|_| ()).expect_err(bad);
            assert!(message.starts_with("must ") && !message.contains("canary"), "{bad}: {message}");
        }
    }

    #[test]
    fn a_password_is_in_no_debug_output() {
        let servers = RedisServers::parse("redis://user-canary:pass-canary@h").expect("an address");
        assert!(!format!("{servers:?}").contains("canary"));
    }
}
