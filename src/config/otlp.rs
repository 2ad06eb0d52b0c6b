//! The section `[telemetry.otlp]`: where traces go, and of which requests. Sends none.

use std::path::PathBuf;
use std::time::Duration;

use http::{HeaderName, HeaderValue};
use percent_encoding::percent_decode_str;
use url::Url;

use super::problem::quoted;
use super::read::timeout;
use super::source::Section;
use super::value::{Leaf, VariableName};
use super::{Secret, check};

/// How requests are told to a collector of traces.
#[derive(Clone, Debug, PartialEq)]
pub struct Otlp {
    /// Where the collector takes traces: with the path.
    pub endpoint: Url,
    /// For the collector; they may hold its key.
    pub headers: Vec<(HeaderName, Secret)>,
    /// Who may have issued its certificate, in PEM, in place of whom the system trusts.
    pub ca: Option<PathBuf>,
    /// The part of the traces begun here that is recorded, from 0 to 1.
    pub sample_ratio: f32,
    pub service_name: String,
    /// What else is said of the process.
    pub resource_attributes: Vec<(String, String)>,
    /// One batch, to the end of the collector's answer.
    pub timeout: Duration,
    /// Requests that may wait to be sent.
    pub queue: usize,
    /// Whether there is a span for each inspection.
    pub guard_spans: bool,
}

/// The base address of a collector; never repeated in a message.
struct Endpoint(Url);

impl Leaf for Endpoint {
    fn from_text(text: &str) -> Result<Self, String> {
        const FORM: &str = "must be http://HOST:PORT or https://HOST, to which /v1/traces is added";
        let mut url = Url::parse(text).map_err(|_| FORM)?;
        if !matches!(url.scheme(), "http" | "https") || url.query().is_some() || url.fragment().is_some() {
            return Err(FORM.to_owned());
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("must not hold a user name or password; name a variable in headers_env".to_owned());
        }
        let path = format!("{}/v1/traces", url.path().trim_end_matches('/'));
        url.set_path(&path);
        Ok(Endpoint(url))
    }
}

/// `None` without an endpoint: nothing is sent.
pub(super) fn read(section: Section) -> Option<Otlp> {
    let endpoint = section.read("endpoint").map(|Endpoint(url)| url);
    let headers = headers(&section);
    let in_the_clear = endpoint.as_ref().is_some_and(|url| url.scheme() == "http" && !is_loopback(url));
    if in_the_clear && !headers.is_empty() {
        section.source().warn(section.path("endpoint"), "is no https://: the headers go over it in the clear");
    }
    let sample_ratio = section.read_or("sample_ratio", 1.0);
    check::threshold_at(&section, "sample_ratio", sample_ratio);
    let queue = section.read_or("queue", 2048);
    if !(1..=MOST_WAITING).contains(&queue) {
        section.problem("queue", format!("must be from 1 to {MOST_WAITING}"));
    }
    let (ca, service_name) = (section.read("ca"), section.read_or("service_name", "promptgate".to_owned()));
    let resource_attributes = resource_attributes(&section);
    let timeout = timeout(&section, "timeout", Duration::from_secs(10));
    let guard_spans = section.read_or("guard_spans", false);
    section.finish();
    Some(Otlp {
        endpoint: endpoint?,
        headers,
        ca,
        sample_ratio,
        service_name,
        resource_attributes,
        timeout,
        queue,
        guard_spans,
    })
}

/// At some kilobytes each.
const MOST_WAITING: usize = 65_536;

impl Otlp {
    /// Whether the collector is on this machine.
    pub fn is_local(&self) -> bool {
        is_loopback(&self.endpoint)
    }
}

/// Whether the host is this machine, where what is sent in the clear is seen by nobody else.
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// `name=value,name=value` in the variable, as in `OTEL_EXPORTER_OTLP_HEADERS`: percent-encoded where needed.
fn headers(section: &Section) -> Vec<(HeaderName, Secret)> {
    let Some(VariableName(variable)) = section.read("headers_env") else { return Vec::new() };
    let Some(text) = section.source().variable(&variable) else {
        section.problem("headers_env", format!("{variable} is not set"));
        return Vec::new();
    };
    let headers: Option<Vec<_>> = text.split(',').filter(|pair| !pair.trim().is_empty()).map(header).collect();
    headers.unwrap_or_else(|| {
        section.problem("headers_env", format!("{variable} must hold NAME=VALUE, separated by commas"));
        Vec::new()
    })
}

fn header(pair: &str) -> Option<(HeaderName, Secret)> {
    let (name, value) = pair.split_once('=')?;
    let name = HeaderName::from_bytes(name.trim().as_bytes()).ok()?;
    let value = percent_decode_str(value.trim()).decode_utf8().ok()?;
    HeaderValue::from_str(&value).ok()?;
    Some((name, Secret::new(value)))
}

fn resource_attributes(section: &Section) -> Vec<(String, String)> {
    let pairs: Vec<String> = section.read_or("resource_attributes", Vec::new());
    let split = |pair: &String| match pair.split_once('=') {
        Some((name, value)) if !name.trim().is_empty() => Some((name.trim().to_owned(), value.trim().to_owned())),
        _ => {
            section.problem("resource_attributes", format!("{} is not \"name=value\"", quoted(pair)));
            None
        }
    };
    pairs.iter().filter_map(split).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn load(text: &str) -> Result<crate::config::Loaded, crate::config::Problems> {
        let variables =
            [("HEADERS", "api-key=canary%20key, x-tenant=a=b"), ("BAD", "canary"), ("CANARY", "a=canary\u{7f}")];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        Config::load(Some(&format!("[telemetry.otlp]\n{text}")), variables)
    }

    #[test]
    fn nothing_is_sent_without_an_endpoint() {
        assert_eq!(load("service_name = \"edge\"\nheaders_env = \"HEADERS\"").unwrap().config.telemetry.otlp, None);
    }

    #[test]
    fn what_is_left_out_has_a_default_and_headers_are_secrets() {
        let text =
            "endpoint = \"http://127.0.0.1:4318/\"\nheaders_env = \"HEADERS\"\nresource_attributes = [\"a.b = c=d\"]";
        let loaded = load(text).unwrap();
        assert!(!loaded.warnings.iter().any(|warning| warning.key.contains("otlp")), "{:?}", loaded.warnings);
        let otlp = loaded.config.telemetry.otlp.unwrap();
        assert!(!format!("{otlp:?}").contains("canary"));
        let expected = Otlp {
            endpoint: Url::parse("http://127.0.0.1:4318/v1/traces").unwrap(),
            headers: vec![
                (HeaderName::from_static("api-key"), Secret::new("canary key")),
                (HeaderName::from_static("x-tenant"), Secret::new("a=b")),
            ],
            ca: None,
            sample_ratio: 1.0,
            service_name: "promptgate".to_owned(),
            resource_attributes: vec![("a.b".to_owned(), "c=d".to_owned())],
            timeout: Duration::from_secs(10),
            queue: 2048,
            guard_spans: false,
        };
        assert_eq!(otlp, expected);
    }

    #[test]
    fn headers_in_the_clear_are_warned_of() {
        let warned = |text| load(text).unwrap().warnings.iter().any(|warning| warning.key == "telemetry.otlp.endpoint");
        assert!(warned("endpoint = \"http://collector.example:4318\"\nheaders_env = \"HEADERS\""));
        assert!(!warned("endpoint = \"http://collector.example:4318\""));
        assert!(!warned("endpoint = \"https://collector.example\"\nheaders_env = \"HEADERS\""));
    }

    #[test]
    fn what_is_wrong_is_told_by_its_key_and_not_repeated() {
        for (line, key) in [
            ("endpoint = \"canary\"", "endpoint"),
            ("endpoint = \"grpc://canary:4317\"", "endpoint"),
            ("endpoint = \"http://u:canary@h:4318\"", "endpoint"),
            ("endpoint = \"http://h:4318/?canary\"", "endpoint"),
            ("headers_env = \"UNSET\"", "headers_env"),
            ("headers_env = \"BAD\"", "headers_env"),
            ("headers_env = \"CANARY\"", "headers_env"),
            ("sample_ratio = 1.5", "sample_ratio"),
            ("queue = 0", "queue"),
            ("queue = 100000", "queue"),
            ("timeout = \"0s\"", "timeout"),
            ("resource_attributes = [\"=v\"]", "resource_attributes"),
            ("sampler = \"always_on\"", "sampler"),
        ] {
            let problems = load(line).map(drop).expect_err(line).0;
            assert_eq!(problems.len(), 1, "{problems:?}");
            assert_eq!(problems[0].key, format!("telemetry.otlp.{key}"));
            assert!(!problems[0].message.contains("canary"), "{problems:?}");
        }
    }
}
