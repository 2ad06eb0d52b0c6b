//! The admin listener: management endpoints, health and metrics. Knows nothing of the gateway listener.
//!
//! A new endpoint is one file here and one row in [`ROUTES`]: authentication, scope check, body limits, the OpenAPI entry
//! and the MCP tool follow from the row.

mod analyze;
mod body;
mod client;
mod console;
mod cors;
mod explain;
mod gate;
mod health;
mod host;
mod inspect;
mod level;
mod listen;
mod mcp;
mod metrics;
mod openapi;
mod overview;
mod page;
mod policy;
mod reply;
mod revoke;
mod route;
mod semantics;
mod stats;
mod validate;

use std::future::Future;
use std::io;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::from_fn_with_state;
use axum::routing::any;
use tokio::net::TcpListener;

pub use mcp::{local, serve_stdio};
pub use openapi::document;
pub use reply::{ErrorBody, Refusal, Reply};
pub use route::{Answer, Call, Endpoint, Input, Output, Route};

use crate::state::{Handshakes, Live};
use crate::telemetry::{Audit, Metrics};

/// Every endpoint of the listener.
pub static ROUTES: [Route; 26] = [
    validate::ROUTE,
    analyze::ROUTE,
    stats::ROUTE,
    level::ROUTE,
    policy::SHOW,
    policy::PROMOTE,
    policy::ROLL_BACK,
    revoke::ROUTE,
    mcp::ROUTE,
    mcp::METADATA,
    mcp::METADATA_OF_ROOT,
    openapi::ROUTE,
    page::DOCS,
    page::DOCS_SCRIPT,
    page::DOCS_STYLE,
    health::LIVEZ,
    health::READYZ,
    metrics::ROUTE,
    overview::OVERVIEW,
    overview::RECENT,
    explain::ROUTE,
    console::PAGE,
    console::STYLE,
    console::SCRIPT,
    console::VIEWS,
    console::ICON,
];

/// What the endpoints work on.
pub struct App {
    pub live: Arc<Live>,
    pub metrics: Arc<Metrics>,
    pub audit: Arc<Audit>,
}

/// The listener's service. Paths that other modules add to it must be behind [`gate::guard`] too, which checks the
/// host and stamps every response.
pub fn router(app: Arc<App>) -> Router {
    let mut paths: Vec<&'static str> = ROUTES.iter().map(|route| route.path).collect();
    paths.sort_unstable();
    paths.dedup();
    let mut router = Router::new();
    for path in paths {
        let dispatch = move |State(app): State<Arc<App>>, request: Request| gate::dispatch(app, path, request);
        router = router.route(path, any(dispatch));
    }
    router.fallback(gate::unknown).with_state(app.clone()).layer(from_fn_with_state(app, gate::guard))
}

/// Serves until `shutdown` completes, then finishes the requests under way.
pub async fn serve(
    listener: TcpListener,
    tls: Option<Arc<Handshakes>>,
    app: Arc<App>,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let listener = listen::Bounded::new(listener, tls);
    axum::serve(listener, router(app)).with_graceful_shutdown(shutdown).await
}
