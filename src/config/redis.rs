//! The section `[redis]`: the servers that replicas share. Connects to none.

mod servers;

use std::path::PathBuf;
use std::sync::Arc;

use super::Secret;
use super::source::Section;
use super::value::{Leaf, one_of};

pub use servers::{Login, Node, RedisServers, Topology};

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Redis {
    pub servers: Option<Arc<RedisServers>>,
    /// What replicas hold the same, if anything.
    pub shared: Option<Shared>,
}

/// What of a replica's state is that of all.
#[derive(Clone, Debug, PartialEq)]
pub struct Shared {
    pub servers: Arc<RedisServers>,
    /// The security levels and the promoted policy.
    pub security: bool,
    pub revocations: bool,
}

struct Share(&'static str);

impl Leaf for Share {
    fn from_text(text: &str) -> Result<Self, String> {
        one_of(text, &["security", "revocations"]).map(Share)
    }
}

impl Leaf for RedisServers {
    fn from_text(text: &str) -> Result<Self, String> {
        RedisServers::parse(text).map_err(str::to_owned)
    }
}

/// `users` are those that are of no use without it, with what each does there, and whether it is on.
pub(super) fn read(section: Section, users: &[(&str, bool)]) -> Redis {
    let share: Vec<String> = section.read_or("share", Vec::new());
    let share: Vec<Share> = share.iter().filter_map(|name| checked(&section, name)).collect();
    let has = |name: &str| share.iter().any(|Share(known)| *known == name);
    let (security, revocations) = (has("security"), has("revocations"));
    let own = ("redis.share is shared", security || revocations);
    if let Some((user, _)) = users.iter().chain([&own]).find(|(_, on)| *on && !section.has("url")) {
        section.problem("url", format!("is missing: {user} there"));
    }
    let servers = servers(&section).map(Arc::new);
    section.finish();
    let shared =
        servers.clone().filter(|_| security || revocations).map(|servers| Shared { servers, security, revocations });
    Redis { servers, shared }
}

/// The address, and what else it takes to ask there.
fn servers(section: &Section) -> Option<RedisServers> {
    let servers: Option<RedisServers> = section.read("url");
    let ca: Option<PathBuf> = section.read("ca");
    let secret = |key| section.read(key).map(|text: String| Secret::new(text));
    let known = Login { user: secret("sentinel_user"), password: secret("sentinel_password") };
    let mut servers = servers?;
    if ca.is_some() && !servers.tls {
        section.problem("ca", "is of use only with TLS: an address that begins with rediss");
    }
    servers.ca = ca;
    match &mut servers.topology {
        Topology::Sentinel { login, .. } => *login = known,
        Topology::Server | Topology::Cluster => {
            for key in ["sentinel_user", "sentinel_password"].into_iter().filter(|key| section.has(key)) {
                section.problem(key, "is of use only with Sentinels: an address that begins with redis+sentinel");
            }
        }
    }
    Some(servers)
}

fn checked(section: &Section, name: &str) -> Option<Share> {
    Share::from_text(name).map_err(|message| section.problem("share", message)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn load(text: &str) -> Result<Redis, Vec<String>> {
        let loaded = Config::load(Some(&format!("[redis]\n{text}\n")), []);
        loaded.map(|loaded| loaded.config.redis).map_err(|all| all.0.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn sentinels_have_a_login_of_their_own() {
        let text = "url = \"rediss+sentinel://u:p@a/main\"\nca = \"/ca.pem\"\nsentinel_password = \"s-canary\"";
        let servers = load(text).expect("a configuration").servers.expect("servers");
        let login = Login { user: None, password: Some(Secret::new("s-canary")) };
        assert_eq!(servers.topology, Topology::Sentinel { master: "main".to_owned(), login });
        assert_eq!(servers.ca.as_deref(), Some(std::path::Path::new("/ca.pem")));
        assert!(!format!("{servers:?}").contains("canary"));
    }

    #[test]
    fn what_is_of_no_use_is_a_problem() {
        for (text, problem) in [
            ("url = \"redis://h\"\nca = \"/ca.pem\"", "redis.ca: is of use only with TLS"),
            ("url = \"redis://h\"\nsentinel_password = \"canary\"", "redis.sentinel_password: is of use only"),
            ("url = \"redis+cluster://h\"\nsentinel_user = \"canary\"", "redis.sentinel_user: is of use only"),
            ("url = \"redis://h/canary\"", "redis.url: must be"),
            ("share = [\"security\"]", "redis.url: is missing"),
        ] {
            let found = load(text).expect_err(text);
            assert!(found.len() == 1 && found[0].starts_with(problem), "{text}: {found:?}");
            assert!(!found[0].contains("canary"), "{found:?}");
        }
    }
}
