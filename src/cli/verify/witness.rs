//! An upstream for `promptgate verify`: keeps the last body that arrived and answers nothing of interest. Not for production.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, header};
use axum::response::IntoResponse;
use tokio::net::TcpListener;

/// What arrived of each request, by the id it was sent with.
#[derive(Clone, Default)]
pub(super) struct Witness(Arc<Mutex<Option<(String, Bytes)>>>);

/// The header that tells requests apart; the gateway lets it pass for every format.
pub(super) const ID: &str = "x-client-request-id";

/// No body of `probe` is longer, by far.
const BODY_LIMIT: usize = 1024 * 1024;

impl Witness {
    /// Listens as long as the runtime lives.
    ///
    /// # Errors
    /// When the address cannot be taken.
    pub async fn listen(address: SocketAddr) -> io::Result<Self> {
        let witness = Witness::default();
        let listener = TcpListener::bind(address).await?;
        let layer = DefaultBodyLimit::max(BODY_LIMIT);
        let router = Router::new().fallback(note).layer(layer).with_state(witness.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(witness)
    }

    /// The body of the request, if it was the last that arrived.
    pub fn body(&self, id: &str) -> Option<Bytes> {
        let last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        last.as_ref().filter(|(of, _)| of == id).map(|(_, body)| body.clone())
    }
}

async fn note(State(witness): State<Witness>, headers: HeaderMap, body: Bytes) -> impl IntoResponse {
    let id = headers.get(ID).and_then(|id| id.to_str().ok()).unwrap_or_default().to_owned();
    *witness.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((id, body));
    ([(header::CONTENT_TYPE, "application/json")], "{}")
}
