//! The tables a request's head is held against, and the configuration they come from.

use std::sync::LazyLock;

use http::Method;
use promptgate::config::{Config, RouteMatch};
use promptgate::wire::{self, Family};

static SHIPPED: LazyLock<Config> = LazyLock::new(Config::default);

/// The input is a path. One that is found is canonical and goes up as it is, below the upstream's own base path.
pub fn route(input: &[u8]) {
    let path = super::text(input);
    for method in [Method::GET, Method::POST] {
        let RouteMatch::Found(found) = SHIPPED.routes.find(&method, &path) else { continue };
        assert!(path.starts_with('/') && path.is_ascii(), "{path}");
        for banned in ["//", "/./", "/../", "%00", "%25", "%2e", "%2E", "%5c", "%5C", "\\", ";", "?", "#", " "] {
            assert!(!path.contains(banned), "{path} holds {banned}");
        }
        assert!(!path.ends_with("/.") && !path.ends_with("/.."), "{path}");
        let up = found.upstream_path();
        assert!(
            up.starts_with('/') && up.split('/').skip(1).all(|segment| !matches!(segment, "" | "." | "..")),
            "{path} goes up as {up}"
        );
        assert_eq!(found.route.label().matches('/').count(), path.matches('/').count(), "{path}");
    }
}

/// The input is the name of a header or a query key.
pub fn header(input: &[u8]) {
    let name = super::text(input);
    let (lower, upper) = (name.to_ascii_lowercase(), name.to_ascii_uppercase());
    let never = wire::NEVER_UPSTREAM.contains(&lower.as_str());
    for family in Family::ALL {
        let allowed = wire::request_header_allowed(family, &name);
        assert_eq!(allowed, wire::request_header_allowed(family, &lower), "{name}: case matters");
        assert_eq!(allowed, wire::request_header_allowed(family, &upper), "{name}: case matters");
        assert!(!(allowed && never), "{name} goes up");
        // `Transfer_Encoding` is read as `Transfer-Encoding` by some servers.
        assert!(!(allowed && wire::NEVER_UPSTREAM.contains(&lower.replace('_', "-").as_str())), "{name} goes up");
        let key = wire::query_key_allowed(family, &name);
        assert!(!(key && wire::query_key_is_credential(&name)), "{name} is a credential and goes up");
    }
    assert_eq!(wire::response_header_allowed(&lower), wire::response_header_allowed(&upper), "{name}");
    assert_eq!(wire::query_key_is_credential(&lower), wire::query_key_is_credential(&upper), "{name}");
}

/// The input is a configuration file. One that is accepted can be put in force and read again with the same outcome.
pub fn config(input: &[u8]) {
    let text = super::text(input);
    match Config::load(Some(&text), []) {
        Err(problems) => assert!(!problems.0.is_empty(), "refused for no reason"),
        Ok(loaded) => {
            assert!(loaded.config.auth.authenticator().is_ok(), "accepted, but nobody could be authenticated");
            let again = Config::load(Some(&text), []).expect("accepted a moment ago");
            assert_eq!(again.config, loaded.config);
        }
    }
}
