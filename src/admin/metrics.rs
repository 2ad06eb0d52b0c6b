//! `GET /metrics`: Prometheus text exposition. Counts nothing itself.

use std::sync::Arc;

use http::Method;

use super::route::{Answer, Endpoint, Output, Route, schema_of};
use super::{App, Reply};

pub(super) const ROUTE: Route = Route {
    method: Method::GET,
    path: "/metrics",
    tool: None,
    summary: "Metrics for Prometheus",
    description: "All metrics of the process in the Prometheus text format 0.0.4.",
    input: None,
    outputs: &[Output {
        status: 200,
        description: "The metrics.",
        content_type: TEXT,
        schema: schema_of::<String>,
        example: "# TYPE promptgate_security_level gauge\npromptgate_security_level 2\n",
    }],
    endpoint: Endpoint::Open(answer),
};

const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

fn answer(app: Arc<App>) -> Answer {
    Box::pin(async move {
        // The one gauge whose truth is kept elsewhere.
        app.metrics.security_level(app.live.level());
        Ok(Reply::text(TEXT, app.metrics.render()))
    })
}
