//! Single values: how each type is written. Knows no key.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use toml::Value;

use super::engine::OnFailure;
use super::problem::{did_you_mean, quoted};
use super::{HttpVersion, LogFormat, LogLevel, UpstreamAuth};
use crate::auth::{Mode, Scope};
use crate::detect::Severity;
use crate::policy::{Action, Level};

/// A value that a key can have, in the file or in a variable.
pub(super) trait Leaf: Sized {
    fn from_text(text: &str) -> Result<Self, String>;

    fn from_value(value: &Value) -> Result<Self, String> {
        match value {
            Value::String(text) => Self::from_text(text),
            other => Err(format!("must be a string, not {}", kind(other))),
        }
    }
}

/// What becomes of a request that cannot be decided, as what it takes cannot be asked at the moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnOutage {
    /// It is served.
    #[default]
    Open,
    /// It is refused.
    Closed,
}

/// A number of bytes: `"64KiB"`, or a plain number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Size(pub usize);

/// The name of an environment variable. Refuses what looks like the value instead, without repeating it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct VariableName(pub String);

/// The SHA-256 of a token, 64 hexadecimal digits. A bad one is not repeated: it may be the token itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sha256(pub String);

/// Lists of strings, separated by commas in a variable.
impl Leaf for Vec<String> {
    fn from_text(text: &str) -> Result<Self, String> {
        Ok(text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect())
    }

    fn from_value(value: &Value) -> Result<Self, String> {
        let wrong = || format!("must be an array of strings, not {}", kind(value));
        let items = value.as_array().ok_or_else(wrong)?;
        items
            .iter()
            .map(|item| item.as_str().map(str::to_owned).ok_or_else(|| format!("holds {}, not a string", kind(item))))
            .collect()
    }
}

impl Leaf for Vec<PathBuf> {
    fn from_text(text: &str) -> Result<Self, String> {
        Vec::<String>::from_text(text)?.iter().map(|path| PathBuf::from_text(path)).collect()
    }

    fn from_value(value: &Value) -> Result<Self, String> {
        Vec::<String>::from_value(value)?.iter().map(|path| PathBuf::from_text(path)).collect()
    }
}

impl Leaf for String {
    fn from_text(text: &str) -> Result<Self, String> {
        match text {
            "" => Err("must not be empty".to_owned()),
            _ if text.chars().any(char::is_control) => Err("holds a control character".to_owned()),
            _ => Ok(text.to_owned()),
        }
    }
}

impl Leaf for PathBuf {
    fn from_text(text: &str) -> Result<Self, String> {
        String::from_text(text).map(PathBuf::from)
    }
}

impl Leaf for bool {
    fn from_text(text: &str) -> Result<Self, String> {
        match text.to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" | "on" => Ok(true),
            "false" | "0" | "no" | "off" => Ok(false),
            _ => Err(format!("{} is not true or false", quoted(text))),
        }
    }

    fn from_value(value: &Value) -> Result<Self, String> {
        value.as_bool().ok_or_else(|| format!("must be true or false, not {}", kind(value)))
    }
}

impl Leaf for usize {
    fn from_text(text: &str) -> Result<Self, String> {
        text.parse().map_err(|_| format!("{} is not a number", quoted(text)))
    }

    fn from_value(value: &Value) -> Result<Self, String> {
        let number = value.as_integer().ok_or_else(|| format!("must be a number, not {}", kind(value)))?;
        usize::try_from(number).map_err(|_| format!("{number} is out of range"))
    }
}

impl Leaf for f32 {
    fn from_text(text: &str) -> Result<Self, String> {
        text.parse().map_err(|_| format!("{} is not a number", quoted(text)))
    }

    fn from_value(value: &Value) -> Result<Self, String> {
        match value {
            // A threshold has two or three digits: nothing is lost that anyone could have meant.
            Value::Float(number) => Ok(*number as f32),
            Value::Integer(number) => Ok(*number as f32),
            other => Err(format!("must be a number, not {}", kind(other))),
        }
    }
}

impl Leaf for Duration {
    fn from_text(text: &str) -> Result<Self, String> {
        let written = || format!("{} is not a duration; write \"500ms\", \"30s\", \"10m\" or \"1h\"", quoted(text));
        let (number, unit) = number_and_unit(text).ok_or_else(written)?;
        let milliseconds = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            _ => return Err(written()),
        };
        number.checked_mul(milliseconds).map(Duration::from_millis).ok_or_else(|| "is too long".to_owned())
    }
}

impl Leaf for Size {
    fn from_text(text: &str) -> Result<Self, String> {
        let written = || format!("{} is not a size; write \"64KiB\", \"1MiB\" or a number of bytes", quoted(text));
        let (number, unit) = number_and_unit(text).ok_or_else(written)?;
        let bytes: u64 = match unit {
            "" | "B" => 1,
            "KiB" => 1 << 10,
            "MiB" => 1 << 20,
            "GiB" => 1 << 30,
            _ => return Err(written()),
        };
        let size = number.checked_mul(bytes).and_then(|size| usize::try_from(size).ok());
        size.map(Size).ok_or_else(|| "is too large".to_owned())
    }

    fn from_value(value: &Value) -> Result<Self, String> {
        match value {
            Value::String(text) => Self::from_text(text),
            Value::Integer(_) => usize::from_value(value).map(Size),
            other => Err(format!("must be a size such as \"1MiB\", not {}", kind(other))),
        }
    }
}

impl Leaf for SocketAddr {
    fn from_text(text: &str) -> Result<Self, String> {
        let wrong = || format!("{} is not an address and port such as \"127.0.0.1:8080\"", quoted(text));
        if let Some(port) = text.strip_prefix("localhost:") {
            return port.parse().map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port))).map_err(|_| wrong());
        }
        text.parse().map_err(|_| wrong())
    }
}

impl Leaf for VariableName {
    fn from_text(text: &str) -> Result<Self, String> {
        let is_name = text.starts_with(|c: char| c.is_ascii_uppercase() || c == '_')
            && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_');
        match is_name {
            true => Ok(VariableName(text.to_owned())),
            false => Err("must be the name of an environment variable (A-Z, 0-9, _), not its value".to_owned()),
        }
    }
}

impl Leaf for Sha256 {
    fn from_text(text: &str) -> Result<Self, String> {
        match text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit()) {
            true => Ok(Sha256(text.to_owned())),
            false => Err("must be 64 hexadecimal digits: the SHA-256 of the token, not the token".to_owned()),
        }
    }
}

impl Leaf for Scope {
    fn from_text(text: &str) -> Result<Self, String> {
        Scope::from_name(text).ok_or_else(|| not_one_of(text, &Scope::ALL.map(Scope::name)))
    }
}

/// Types written as one of a few names.
macro_rules! named {
    ($type:ty, $fold:ident, $($name:literal => $value:expr),+ $(,)?) => {
        impl Leaf for $type {
            fn from_text(text: &str) -> Result<Self, String> {
                match $fold(text).as_str() {
                    $($name => Ok($value),)+
                    _ => Err(not_one_of(text, &[$($name),+])),
                }
            }
        }
    };
}

named!(Level, folded, "low" => Level::Low, "medium" => Level::Medium, "high" => Level::High);
named!(Mode, exact, "static" => Mode::Static, "jwt" => Mode::Jwt, "hmac" => Mode::Hmac);
named!(Action, exact,
    "allow" => Action::Allow, "monitor" => Action::Monitor, "tokenize" => Action::Tokenize,
    "mask" => Action::Mask, "quarantine" => Action::Quarantine, "block" => Action::Block);
named!(Severity, exact,
    "low" => Severity::Low, "medium" => Severity::Medium, "high" => Severity::High, "critical" => Severity::Critical);
named!(UpstreamAuth, exact, "replace" => UpstreamAuth::Replace, "pass" => UpstreamAuth::Pass);
named!(HttpVersion, exact, "auto" => HttpVersion::Auto, "1" => HttpVersion::One, "2" => HttpVersion::Two);
named!(OnOutage, exact, "open" => OnOutage::Open, "closed" => OnOutage::Closed);
named!(OnFailure, exact,
    "built_in" => OnFailure::BuiltIn, "block" => OnFailure::Block, "allow" => OnFailure::Allow);
named!(LogFormat, exact, "text" => LogFormat::Text, "json" => LogFormat::Json);
// The upper-case names and the last two are Python's, which the original server's `LOG_LEVEL` takes.
named!(LogLevel, folded,
    "error" => LogLevel::Error, "warn" => LogLevel::Warn, "info" => LogLevel::Info,
    "debug" => LogLevel::Debug, "trace" => LogLevel::Trace,
    "warning" => LogLevel::Warn, "critical" => LogLevel::Error);

/// One of `names`, or a message that lists them.
pub(super) fn one_of(text: &str, names: &[&'static str]) -> Result<&'static str, String> {
    names.iter().find(|name| **name == text).copied().ok_or_else(|| not_one_of(text, names))
}

pub(super) fn not_one_of(text: &str, names: &[&str]) -> String {
    let hint = did_you_mean(text, names.iter().copied());
    format!("{} is not one of {}{hint}", quoted(text), names.join(", "))
}

fn folded(text: &str) -> String {
    text.to_ascii_lowercase()
}

fn exact(text: &str) -> String {
    text.to_owned()
}

fn number_and_unit(text: &str) -> Option<(u64, &str)> {
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    Some((number.parse().ok()?, unit.trim_start()))
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::String(_) => "a string",
        Value::Integer(_) => "an integer",
        Value::Float(_) => "a float",
        Value::Boolean(_) => "a boolean",
        Value::Datetime(_) => "a date",
        Value::Array(_) => "an array",
        Value::Table(_) => "a table",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_sizes_carry_a_unit() {
        for (text, milliseconds) in [("500ms", 500), ("30s", 30_000), ("10m", 600_000), ("1h", 3_600_000)] {
            assert_eq!(Duration::from_text(text), Ok(Duration::from_millis(milliseconds)), "{text}");
        }
        for text in ["30", "", "s", "1d", "-1s", "1.5s", "99999999999999999999s", "18446744073709551615h"] {
            assert!(Duration::from_text(text).is_err(), "{text}");
        }
        for (text, bytes) in [("7", 7), ("7B", 7), ("64KiB", 65536), ("1 MiB", 1 << 20), ("2GiB", 2 << 30)] {
            assert_eq!(Size::from_text(text), Ok(Size(bytes)), "{text}");
        }
        for text in ["1MB", "1k", "KiB", "", "18446744073709551615GiB", "1.5MiB"] {
            assert!(Size::from_text(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_hash_or_variable_name_that_may_be_a_secret_is_not_repeated() {
        for text in ["sk-proj-abc", "hunter2", "spv-user"] {
            assert!(!VariableName::from_text(text).unwrap_err().contains(text));
            assert!(!Sha256::from_text(text).unwrap_err().contains(text));
        }
        assert!(Sha256::from_text(&"0F".repeat(32)).is_ok());
        for bad in ["0F".repeat(31), "0F".repeat(33), "0F".repeat(31) + "g0", "é".repeat(32), "0F".repeat(32) + "0"] {
            assert!(Sha256::from_text(&bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn names_of_pythons_log_levels_are_understood() {
        assert_eq!(LogLevel::from_text("WARNING"), Ok(LogLevel::Warn));
        assert_eq!(LogLevel::from_text("DEBUG"), Ok(LogLevel::Debug));
        assert_eq!(Level::from_text("HIGH"), Ok(Level::High));
        let message = Level::from_text("hihg").unwrap_err();
        assert_eq!(message, "\"hihg\" is not one of low, medium, high");
    }
}
