//! Pages for browsers: text that is compiled in, under a policy that lets them load nothing from elsewhere. Knows no endpoint's
//! meaning.
//!
//! A page needs no token, as a browser sends none when it follows a link; what it shows it asks for with the token its reader
//! gives it.

use std::sync::Arc;

use http::header::{CONTENT_SECURITY_POLICY, REFERRER_POLICY};
use http::{HeaderMap, HeaderValue, Method};

use super::route::{Answer, Endpoint, Output, Route, schema_of};
use super::{App, Reply};

pub(super) const DOCS: Route = asset("/docs", HTML, "Reads `/openapi.json` to people", docs);
pub(super) const DOCS_SCRIPT: Route = asset("/docs.js", JAVASCRIPT, "What `/docs` runs", docs_script);
pub(super) const DOCS_STYLE: Route = asset("/docs.css", CSS, "What `/docs` looks like", docs_style);

pub(super) const HTML: &str = "text/html; charset=utf-8";
pub(super) const JAVASCRIPT: &str = "text/javascript; charset=utf-8";
pub(super) const CSS: &str = "text/css; charset=utf-8";
pub(super) const SVG: &str = "image/svg+xml";

/// A row for a text that is part of the binary.
pub(super) const fn asset(
    path: &'static str,
    content_type: &'static str,
    summary: &'static str,
    answer: fn(Arc<App>) -> Answer,
) -> Route {
    let output = match content_type.as_bytes() {
        b"text/html; charset=utf-8" => &OUTPUTS_HTML,
        b"text/css; charset=utf-8" => &OUTPUTS_CSS,
        b"image/svg+xml" => &OUTPUTS_SVG,
        _ => &OUTPUTS_JAVASCRIPT,
    };
    Route {
        method: Method::GET,
        path,
        tool: None,
        summary,
        description: "Part of the binary. Loads nothing from elsewhere and needs no token.",
        input: None,
        outputs: output,
        endpoint: Endpoint::Open(answer),
    }
}

const OUTPUTS_HTML: [Output; 1] = [output(HTML)];
const OUTPUTS_CSS: [Output; 1] = [output(CSS)];
const OUTPUTS_SVG: [Output; 1] = [output(SVG)];
const OUTPUTS_JAVASCRIPT: [Output; 1] = [output(JAVASCRIPT)];

const fn output(content_type: &'static str) -> Output {
    Output { status: 200, description: "The text.", content_type, schema: schema_of::<String>, example: "" }
}

/// That text.
pub(super) fn text(content_type: &'static str, text: &'static str) -> Answer {
    Box::pin(async move { Ok(Reply::fixed(content_type, text)) })
}

/// On every answer: what of it a browser shows may run and load what this listener serves, and be framed by nobody.
pub(super) fn stamp(headers: &mut HeaderMap) {
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
}

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; base-uri \
                      'none'; form-action 'none'; frame-ancestors 'none'";

fn docs(_: Arc<App>) -> Answer {
    text(HTML, include_str!("page/docs.html"))
}

fn docs_script(_: Arc<App>) -> Answer {
    text(JAVASCRIPT, include_str!("page/docs.js"))
}

fn docs_style(_: Arc<App>) -> Answer {
    text(CSS, include_str!("page/docs.css"))
}
