//! What every request passes: host, CORS, token, method, scope, body; and what every response carries.
//! Knows the table of routes, not what they do.

use std::fmt::Write;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use http::header::{AUTHORIZATION, CACHE_CONTROL, HOST, X_CONTENT_TYPE_OPTIONS};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use ring::rand::{SecureRandom, SystemRandom};
use tokio::sync::Semaphore;

use super::route::{Call, Endpoint, Route};
use super::{App, ROUTES, Refusal, Reply, body, cors, host, mcp, page};
use crate::auth::{AuthError, Principal, Scope};

/// Around every route, known or not: host check, CORS, the headers of every response, and the last resort for a panic.
pub(super) async fn guard(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let id = request_id(&parts.headers);
    parts.extensions.insert(RequestId(id.clone()));
    let (method, path) = (parts.method.clone(), known_path(parts.uri.path()));
    let base = (path == mcp::PATH).then(|| base(&app, &parts.headers));
    let answer = AssertUnwindSafe(admit(&app, parts, body, next)).catch_unwind().await;
    let mut response = answer.unwrap_or_else(|_| Refusal::Internal.into_response());
    tracing::info!(target: "promptgate::admin", request_id = id, %method, path, status = response.status().as_u16());
    let headers = response.headers_mut();
    if let Some(base) = base {
        mcp::challenge(headers, &base);
    }
    page::stamp(headers);
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Ok(id) = HeaderValue::try_from(id) {
        headers.insert(X_REQUEST_ID, id);
    }
    response
}

/// One request to a path of the table. A caller without a token learns nothing but that one is needed.
pub(super) async fn dispatch(app: Arc<App>, path: &'static str, request: Request) -> Result<Reply, Refusal> {
    let (parts, mut body) = request.into_parts();
    let outcome = serve(app, path, &parts, &mut body).await;
    if outcome.is_err() {
        body::drain(&parts.headers, body).await;
    }
    outcome
}

/// One request to any other path.
pub(super) async fn unknown(request: Request) -> Refusal {
    let (parts, body) = request.into_parts();
    body::drain(&parts.headers, body).await;
    Refusal::NotFound
}

async fn admit(app: &App, parts: Parts, body: Body, next: Next) -> Response {
    let admin = &app.live.snapshot().config.admin;
    let open = rows(parts.uri.path()).next().is_some_and(|route| !route.is_guarded());
    if let Err(refusal) = host::check(&parts, admin, open) {
        body::drain(&parts.headers, body).await;
        return refusal.into_response();
    }
    let Some(origin) = cors::allowed_origin(&parts.headers, &admin.cors_origins) else {
        return next.run(Request::from_parts(parts, body)).await;
    };
    let preflight = cors::is_preflight(&parts);
    let mut response = if preflight { cors::preflight() } else { next.run(Request::from_parts(parts, body)).await };
    cors::stamp(origin, response.headers_mut());
    response
}

async fn serve(app: Arc<App>, path: &'static str, parts: &Parts, body: &mut Body) -> Result<Reply, Refusal> {
    let caller = match rows(path).any(Route::is_guarded) {
        true => Some(authenticate(&app, &parts.headers).await?),
        false => None,
    };
    let route = rows(path).find(|route| route.serves(&parts.method)).ok_or_else(|| wrong_method(path))?;
    match (route.endpoint, caller) {
        (Endpoint::Open(answer), _) => answer(app).await,
        (Endpoint::Located(answer), _) => {
            let base = base(&app, &parts.headers);
            answer(app, &base).await
        }
        (Endpoint::Guarded { .. }, None) => Err(Refusal::Unauthorized(AuthError::Missing)),
        (Endpoint::Guarded { scope, answer }, Some(principal)) => {
            authorize(scope, &principal)?;
            // Held to the end of the answer: it bounds what all bodies and answers together take.
            let _slot = BODIES.acquire().await.map_err(|_| Refusal::Internal)?;
            let body = match &route.input {
                Some(input) => body::read(&parts.headers, body, input.limit).await?,
                None => Default::default(),
            };
            let request_id = parts.extensions.get::<RequestId>().map_or_else(String::new, |id| id.0.clone());
            let headers = parts.headers.clone();
            answer(Call { app, principal, headers, body, request_id }).await
        }
    }
}

async fn authenticate(app: &App, headers: &HeaderMap) -> Result<Principal, Refusal> {
    let outcome = match bearer(headers) {
        Ok(token) => app.live.authenticate(token).await,
        Err(error) => Err(error),
    };
    outcome.map_err(|error| {
        app.metrics.auth_failure(app.live.mode().name(), error.reason());
        Refusal::Unauthorized(error)
    })
}

/// The token of the one `Authorization: Bearer` header (RFC 6750, section 2.1).
fn bearer(headers: &HeaderMap) -> Result<Option<&str>, AuthError> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(AuthError::Malformed);
    }
    let value = value.to_str().map_err(|_| AuthError::Malformed)?;
    let (scheme, token) = value.split_once(' ').ok_or(AuthError::Malformed)?;
    if scheme.eq_ignore_ascii_case("bearer") { Ok(Some(token.trim())) } else { Err(AuthError::Malformed) }
}

pub(super) fn authorize(scope: Option<Scope>, principal: &Principal) -> Result<(), Refusal> {
    match scope {
        Some(required) if !principal.has(required) => {
            Err(Refusal::Forbidden { required, granted: principal.scopes.clone() })
        }
        _ => Ok(()),
    }
}

/// Where callers find this listener. The host was checked before.
fn base(app: &App, headers: &HeaderMap) -> String {
    let snapshot = app.live.snapshot();
    let scheme = if snapshot.config.admin.tls.is_some() { "https" } else { "http" };
    let host = || headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost");
    snapshot.config.admin.public_url.clone().unwrap_or_else(|| format!("{scheme}://{}", host()))
}

fn rows(path: &str) -> impl Iterator<Item = &'static Route> {
    ROUTES.iter().filter(move |route| route.path == path)
}

/// For the log: a path of the table, never what the caller wrote.
fn known_path(path: &str) -> &'static str {
    rows(path).next().map_or("unknown", |route| route.path)
}

fn wrong_method(path: &str) -> Refusal {
    let mut allow: Vec<&str> = rows(path).map(|route| route.method.as_str()).collect();
    if allow.contains(&Method::GET.as_str()) {
        allow.push(Method::HEAD.as_str());
    }
    Refusal::MethodNotAllowed { allow: allow.join(", ") }
}

#[derive(Clone)]
struct RequestId(String);

/// The caller's own id if it is harmless in logs and headers, else a random one.
fn request_id(headers: &HeaderMap) -> String {
    let given = headers.get(X_REQUEST_ID).and_then(|value| value.to_str().ok());
    let harmless =
        |id: &&str| (1..=64).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    given.filter(harmless).map_or_else(random_id, str::to_owned)
}

/// 128 random bits. Without randomness the id is all zeros: it identifies nothing, but the request is served.
fn random_id() -> String {
    let mut bytes = [0; 16];
    let _ = SystemRandom::new().fill(&mut bytes);
    bytes.iter().fold(String::with_capacity(32), |mut id, byte| {
        let _ = write!(id, "{byte:02x}");
        id
    })
}

/// Calls under way at once; more wait.
static BODIES: Semaphore = Semaphore::const_new(64);
const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::middleware::from_fn_with_state;
    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;
    use crate::config::Config;
    use crate::snapshot::Snapshot;
    use crate::state::Live;
    use crate::telemetry::{Audit, Metrics};

    async fn broken() -> Response {
        panic!("a fault of the program")
    }

    #[tokio::test]
    async fn a_panic_is_a_500_with_an_id_and_says_nothing() {
        let metrics = Arc::new(Metrics::new().unwrap());
        let audit = Arc::new(Audit::open(&crate::config::Audit::default(), &metrics).unwrap());
        let live = Arc::new(Live::new(Snapshot::build(Config::default(), &[]).unwrap(), None));
        let app = Arc::new(App { live, metrics, audit });
        let router = Router::new().route("/broken", get(broken)).layer(from_fn_with_state(app, guard));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let serving = tokio::spawn(async move { axum::serve(listener, router).await });
        stream.write_all(b"GET /broken HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        serving.abort();
        assert!(answer.starts_with("HTTP/1.1 500 "), "{answer}");
        assert!(answer.contains("x-request-id: ") && answer.contains(r#""success":false"#), "{answer}");
        assert!(!answer.contains("fault of the program"), "{answer}");
    }
}
