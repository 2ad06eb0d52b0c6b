//! The built-in demo upstream: answers each dialect by echoing what it received, so a visitor sees the masking. Not a model,
//! and not for production: it keeps the last body in memory and shows it to anyone on this machine.

mod dialect;
mod request;

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures_util::stream;
use tokio::net::TcpListener;

use dialect::{Answer, Dialect, Reply};
use request::Request;

/// The gateway's own default for `limits.body`; a larger body is answered 413.
const BODY_LIMIT: usize = 64 * 1024 * 1024;
/// Slow enough to be seen as a stream, short enough that the longest answer takes under a second.
const PAUSE: Duration = Duration::from_millis(10);

/// Serves until `shutdown` completes. Refuses a listener that others than this machine can reach.
pub async fn serve(
    listener: TcpListener,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), io::Error> {
    if !listener.local_addr()?.ip().is_loopback() {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "the demo upstream listens on loopback addresses only",
        ));
    }
    axum::serve(listener, router()).with_graceful_shutdown(shutdown).await
}

fn router() -> Router {
    Router::new()
        .route("/demo/received", get(received).delete(forget))
        .fallback(answer)
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .with_state(Arc::new(Demo::default()))
}

#[derive(Default)]
struct Demo {
    served: AtomicU64,
    last: Mutex<Option<Received>>,
}

#[derive(Clone)]
struct Received {
    content_type: HeaderValue,
    body: Bytes,
}

impl Demo {
    fn last(&self) -> MutexGuard<'_, Option<Received>> {
        // The value is replaced whole, so a panic elsewhere cannot have left half of one.
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The last body as it arrived, byte for byte.
async fn received(State(demo): State<Arc<Demo>>) -> Response {
    match demo.last().clone() {
        Some(Received { content_type, body }) => ([(header::CONTENT_TYPE, content_type)], body).into_response(),
        None => (StatusCode::NOT_FOUND, "nothing received yet\n").into_response(),
    }
}

async fn forget(State(demo): State<Arc<Demo>>) -> StatusCode {
    *demo.last() = None;
    StatusCode::NO_CONTENT
}

/// Every path but `/demo/received`. The body is an argument, so it has arrived whole before anything is recorded.
async fn answer(State(demo): State<Arc<Demo>>, method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    if method == Method::POST {
        *demo.last() = Some(Received { content_type: content_type(&headers), body: body.clone() });
    }
    let Some(dialect) = Dialect::of(&method, uri.path(), uri.query().unwrap_or_default()) else {
        return error(StatusCode::NOT_FOUND, "the demo upstream does not speak this path");
    };
    if dialect == Dialect::Models {
        return json(dialect::models());
    }
    let Ok(request) = Request::parse(&body, uri.path()) else {
        return error(StatusCode::BAD_REQUEST, "the demo upstream cannot read this body as JSON");
    };
    let serial = demo.served.fetch_add(1, Ordering::Relaxed);
    let answer = Answer::new(serial, unix_seconds(), &request);
    match dialect.reply(&answer, &request) {
        Reply::Whole(value) => json(value),
        Reply::Stream { content_type, pieces } => streamed(content_type, pieces),
    }
}

fn content_type(headers: &HeaderMap) -> HeaderValue {
    let octets = HeaderValue::from_static("application/octet-stream");
    headers.get(header::CONTENT_TYPE).cloned().unwrap_or(octets)
}

fn json(value: serde_json::Value) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], value.to_string()).into_response()
}

fn error(status: StatusCode, message: &str) -> Response {
    let body = serde_json::json!({"error": {"message": message, "type": "invalid_request_error", "param": null, "code": null}});
    (status, json(body)).into_response()
}

fn streamed(content_type: &'static str, pieces: Vec<String>) -> Response {
    let body = stream::unfold(pieces.into_iter(), |mut pieces| async {
        let piece = pieces.next()?;
        tokio::time::sleep(PAUSE).await;
        Some((Ok::<_, Infallible>(Bytes::from(piece)), pieces))
    });
    let headers = [(header::CONTENT_TYPE, content_type), (header::CACHE_CONTROL, "no-cache")];
    (headers, Body::from_stream(body)).into_response()
}

fn unix_seconds() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;
    use tokio::sync::oneshot;

    struct Upstream {
        address: String,
        stop: oneshot::Sender<()>,
    }

    impl Upstream {
        async fn start() -> Upstream {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap().to_string();
            let (stop, stopped) = oneshot::channel();
            tokio::spawn(serve(listener, async {
                let _ = stopped.await;
            }));
            Upstream { address, stop }
        }

        async fn post(&self, path: &str, body: &[u8]) -> (u16, String) {
            let head =
                format!("POST {path} HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: {}", body.len());
            let (status, answer) = self.send(&head, body).await;
            (status, String::from_utf8(answer).unwrap())
        }

        async fn received(&self) -> (u16, Vec<u8>) {
            self.send("GET /demo/received HTTP/1.1", b"").await
        }

        async fn send(&self, head: &str, body: &[u8]) -> (u16, Vec<u8>) {
            let mut stream = TcpStream::connect(&self.address).await.unwrap();
            let head = format!("{head}\r\nHost: demo\r\nConnection: close\r\n\r\n");
            stream.write_all(&[head.as_bytes(), body].concat()).await.unwrap();
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).await.unwrap();
            let end = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
            let status = std::str::from_utf8(&answer[9..12]).unwrap().parse().unwrap();
            (status, answer.split_off(end))
        }
    }

    #[tokio::test]
    async fn received_is_the_last_body_byte_for_byte() {
        let upstream = Upstream::start().await;
        assert_eq!(upstream.received().await.0, 404);
        let body =
            b"{ \"messages\" : [{\"role\":\"user\",\"content\":\"a\\/b \\ud800 \\u00fc\"}], \"n\": 1e400}\n".to_vec();
        let (status, answer) = upstream.post("/v1/chat/completions", &body).await;
        assert_eq!(status, 200, "{answer}");
        assert_eq!(upstream.received().await, (200, body));
    }

    #[tokio::test]
    async fn every_dialect_repeats_the_last_user_text() {
        let upstream = Upstream::start().await;
        for (path, body) in [
            (
                "/v1/chat/completions",
                r#"{"messages":[{"role":"user","content":"old"},{"role":"user","content":"a b"}]}"#,
            ),
            ("/v1/completions", r#"{"prompt":"a b"}"#),
            ("/v1/responses", r#"{"input":[{"role":"user","content":[{"type":"input_text","text":"a b"}]}]}"#),
            ("/openai/deployments/d/chat/completions", r#"{"messages":[{"role":"user","content":"a b"}]}"#),
            ("/v1/messages", r#"{"messages":[{"role":"user","content":[{"type":"text","text":"a b"}]}]}"#),
            ("/v1beta/models/m:generateContent", r#"{"contents":[{"parts":[{"text":"a b"}]}]}"#),
            ("/api/chat", r#"{"stream":false,"messages":[{"role":"user","content":"a b"}]}"#),
            ("/api/generate", r#"{"stream":false,"prompt":"a b"}"#),
            ("/v2/chat", r#"{"messages":[{"role":"user","content":"a b"}]}"#),
            ("/model/m/converse", r#"{"messages":[{"role":"user","content":[{"text":"a b"}]}]}"#),
        ] {
            let (status, answer) = upstream.post(path, body.as_bytes()).await;
            assert!(status == 200 && answer.contains("You said: a b"), "{path} {status} {answer}");
            assert!(serde_json::from_str::<serde_json::Value>(&answer).is_ok(), "{path} {answer}");
        }
    }

    #[tokio::test]
    async fn unknown_paths_and_broken_bodies_are_errors_and_still_recorded() {
        let upstream = Upstream::start().await;
        assert_eq!(upstream.post("/v1/nothing", b"{}").await.0, 404);
        assert_eq!(upstream.post("/v1/messages", b"{").await.0, 400);
        assert_eq!(upstream.received().await, (200, b"{".to_vec()));
    }

    #[tokio::test]
    async fn stops_when_told() {
        let upstream = Upstream::start().await;
        assert_eq!(upstream.received().await.0, 404);
        upstream.stop.send(()).unwrap();
        tokio::time::timeout(Duration::from_secs(5), async {
            while TcpStream::connect(&upstream.address).await.is_ok() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        })
        .await
        .unwrap();
    }

    #[tokio::test]
    async fn listens_on_loopback_only() {
        let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
        assert_eq!(serve(listener, async {}).await.unwrap_err().kind(), io::ErrorKind::InvalidInput);
    }
}
