//! The section `[redis]`: the server that replicas share. Connects to none.

use url::Url;

use super::Secret;
use super::source::Section;
use super::value::{Leaf, one_of};

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Redis {
    /// With user and password, if it has them.
    pub url: Option<Secret>,
    /// What replicas hold the same, if anything.
    pub shared: Option<Shared>,
}

/// What of a replica's state is that of all.
#[derive(Clone, Debug, PartialEq)]
pub struct Shared {
    pub url: Secret,
    /// The security level and the promoted policy.
    pub security: bool,
    pub revocations: bool,
}

struct Share(&'static str);

impl Leaf for Share {
    fn from_text(text: &str) -> Result<Self, String> {
        one_of(text, &["security", "revocations"]).map(Share)
    }
}

/// Never repeated in a message: it may hold a password.
struct RedisUrl(Secret);

impl Leaf for RedisUrl {
    fn from_text(text: &str) -> Result<Self, String> {
        const FORM: &str =
            "must be redis://HOST:PORT or rediss://HOST:PORT, with USER:PASSWORD@ and /DATABASE if needed";
        let url = Url::parse(text).map_err(|_| FORM)?;
        let number = url.path().trim_start_matches('/');
        let has_database = number.is_empty() || number.parse::<u16>().is_ok();
        let has_host = url.host_str().is_some_and(|host| !host.is_empty() && !matches!(host, "0.0.0.0" | "[::]"));
        if !matches!(url.scheme(), "redis" | "rediss") || !has_host || !has_database {
            return Err(FORM.to_owned());
        }
        // A fragment is how the certificate's check would be switched off.
        if url.query().is_some() || url.fragment().is_some() {
            return Err("must have no query and no fragment".to_owned());
        }
        Ok(RedisUrl(Secret::new(text)))
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
    let url = section.read("url").map(|RedisUrl(url)| url);
    section.finish();
    let shared = url.clone().filter(|_| security || revocations).map(|url| Shared { url, security, revocations });
    Redis { url, shared }
}

fn checked(section: &Section, name: &str) -> Option<Share> {
    Share::from_text(name).map_err(|message| section.problem("share", message)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_checked_and_not_repeated() {
        for good in ["redis://127.0.0.1", "redis://h:6379/3", "rediss://:p%40ss@h.example:6380/", "redis://u:p@[::1]:1"]
        {
            assert_eq!(RedisUrl::from_text(good).map(|RedisUrl(url)| url), Ok(Secret::new(good)), "{good}");
        }
        for bad in [
            "",
            "canary",
            "canary:6379",
            "http://canary",
            "redis://",
            "redis:///1",
            "unix:///canary",
            "redis://0.0.0.0/?canary",
            "redis://h/canary",
            "redis://h/-1",
            "redis://h/?protocol=canary",
            "rediss://canary@h/#insecure",
        ] {
            let message = RedisUrl::from_text(bad).map(|_| ()).expect_err(bad);
            assert!(message.starts_with("must ") && !message.contains("canary"), "{bad}: {message}");
        }
    }
}
