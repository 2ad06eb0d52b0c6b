//! Headers of MCP that repeat a part of the body, so that those in between need not read it: `Mcp-Name`, `Mcp-Param-*`. Servers
//! refuse a call whose header and body differ, so nothing is masked here: what would be, refuses the call.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::HeaderMap;

use super::reply::Failure;
use crate::policy::Level;
use crate::sanitize::{self, Guard};

/// `keeps` says that nothing is masked in the body either.
///
/// # Errors
/// A value that policy would change or refuse, or that cannot be read.
pub fn check(headers: &HeaderMap, guard: &Guard, level: Level, keeps: bool) -> Result<(), Failure> {
    let mirrors = headers.iter().filter(|(name, _)| is_mirror(name.as_str()));
    for (_, value) in mirrors {
        let value = read(value.as_bytes()).ok_or_else(unreadable)?;
        let sanitized = sanitize::text(guard, level, &value);
        if !sanitized.report.blocked.is_empty() {
            return Err(Failure::bad_request("content_filter", "a header of the request was blocked by policy"));
        }
        if sanitized.text != value && !keeps {
            return Err(found());
        }
    }
    Ok(())
}

fn is_mirror(name: &str) -> bool {
    name == "mcp-name" || name.starts_with("mcp-param-")
}

/// Plain ASCII, or `=?base64?...?=` around UTF-8.
fn read(value: &[u8]) -> Option<String> {
    let value = std::str::from_utf8(value).ok()?.trim();
    match value.strip_prefix("=?base64?").and_then(|value| value.strip_suffix("?=")) {
        Some(coded) => String::from_utf8(BASE64_STANDARD.decode(coded).ok()?).ok(),
        None => Some(value.to_owned()),
    }
}

fn found() -> Failure {
    Failure::bad_request(
        "finding_in_header",
        "a header of the request holds what policy masks, which cannot be done there",
    )
}

fn unreadable() -> Failure {
    Failure::bad_request("bad_header", "a header that repeats a part of the body is neither ASCII nor base64 of UTF-8")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::snapshot::Snapshot;

    #[test]
    fn what_would_be_masked_in_the_body_is_refused_in_a_header() {
        let snapshot = Snapshot::build(Config::default(), &[]).unwrap();
        let secret = "ghp_aB3dE5fG7hI9jK1lM3nO5pQ7rS9tU1vW3xY5";
        let coded = format!("=?base64?{}?=", BASE64_STANDARD.encode(format!("the key is {secret}")));
        let cases = [
            ("mcp-name", "get_weather", None),
            ("mcp-param-city", "=?base64?V2llbg==?=", None),
            ("mcp-param-city", "=?base64?not base64?=", Some("bad_header")),
            ("mcp-param-key", secret, Some("finding_in_header")),
            ("mcp-param-key", &coded, Some("finding_in_header")),
            ("mcp-name", "https://ann.example@example.com/x?mail=ann@example.com", Some("finding_in_header")),
            ("x-other", secret, None),
        ];
        for (name, value, expected) in cases {
            let mut headers = HeaderMap::new();
            headers.insert(http::HeaderName::from_static(name), value.parse().unwrap());
            let code = check(&headers, &snapshot.guard, Level::Medium, false).err().map(|failure| failure.code);
            assert_eq!(code, expected, "{name}: {value}");
        }
    }
}
