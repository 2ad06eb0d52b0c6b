//! An answer on its way down: its coding undone, then sanitized; and how it ends when it may not go on. Knows the order of
//! these and the head they need.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{
    CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, ETAG, HeaderName, LAST_MODIFIED, TRANSFER_ENCODING,
};
use http::{Method, StatusCode, Version};
use pingora::http::ResponseHeader;

use super::reply::Failure;
use crate::codec::coding::{Coding, CodingError, Decoder};
use crate::codec::frame::Framing;
use crate::config::{Placeholders, Route};
use crate::policy::{Level, Tokens};
use crate::sanitize::{AnswerReport, Broken, Form, Guard, Response, Sent};
use crate::snapshot::Snapshot;
use crate::wire::{ErrorReply, Family};

/// One answer body.
pub struct Filter {
    family: Family,
    decoder: Option<Decoder>,
    response: Response,
    framing: Option<Framing>,
    /// Ids of the calls of JSON-RPC that it answers.
    calls: Vec<String>,
    state: State,
    /// The last byte so far that is no white space.
    last: Option<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    /// The caller was told why, at this time, and nothing may follow.
    Told(Duration),
    Done,
}

/// Why an answer broke off.
enum Fault {
    Broken(Broken),
    Coding,
}

impl From<CodingError> for Fault {
    fn from(_: CodingError) -> Self {
        Fault::Coding
    }
}

impl From<Broken> for Fault {
    fn from(broken: Broken) -> Self {
        Fault::Broken(broken)
    }
}

/// What answers a request may come with.
pub struct Asked<'a> {
    pub snapshot: &'a Snapshot,
    pub route: &'a Route,
    pub guard: &'a Arc<Guard>,
    pub level: Level,
    pub method: &'a Method,
    pub tokens: &'a Tokens,
    pub sent: &'a Sent,
    pub calls: &'a [String],
}

impl Filter {
    /// For an answer with this head, which is changed to go with what comes of the body. `None` if there is nothing to do.
    ///
    /// # Errors
    /// Where the body could not be read.
    pub fn new(asked: &Asked, head: &mut ResponseHeader, downstream: Version) -> Result<Option<Self>, Failure> {
        let Asked { snapshot, route, guard, level, method, tokens, sent, calls } = asked;
        let guards = route.placeholders != Placeholders::Keep && guard.matrix.guards_answers(*level);
        let idle = tokens.is_empty() && !guards;
        let plan = snapshot.answer_plan(route).filter(|_| has_body(head.status, method));
        let counted = snapshot.config.rate_limit.limits.counts_tokens() || snapshot.config.telemetry.otlp.is_some();
        let plan = plan.filter(|plan| plan.is_marked() || !idle || counted);
        let Some(plan) = plan else { return Ok(None) };
        let decoder = decoder(head, snapshot)?;
        let content_type = head.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let framing = route.dialect.framing(content_type);
        let form = framing.map_or(Form::Document, Form::Stream);
        rewrite(head, downstream).map_err(|_| Failure::upstream("upstream_error", "the answer's head is damaged"))?;
        let sinks = snapshot.config.tokens.sinks.clone();
        let limits = snapshot.answer_limits();
        let response = Response::new(Arc::clone(guard), plan.clone(), *level, form, limits);
        let response = response
            .restoring(tokens, sinks)
            .knowing((*sent).clone())
            .keeping(route.placeholders == Placeholders::Keep)
            .pinging(framing.and_then(|framing| route.dialect.ping(framing)));
        let (family, calls) = (route.dialect.family, calls.to_vec());
        Ok(Some(Filter { family, decoder, response, framing, calls, state: State::Open, last: None }))
    }

    /// The next chunk, with `end` for the last, at a time `now` since the request began. `Err` when the connection is to
    /// be cut: the caller was told that the answer broke off, and the upstream goes on.
    pub fn push(&mut self, chunk: &[u8], end: bool, now: Duration, request_id: &str) -> Result<Bytes, Failure> {
        match self.state {
            State::Done => return Ok(Bytes::new()),
            // Pingora writes what came at once in one go, and nothing of it after an error.
            State::Told(at) if now.saturating_sub(at) < LEAVING || end => return Ok(Bytes::new()),
            State::Told(_) => return Err(Failure::upstream("answer_broken", "the answer broke off")),
            State::Open => {}
        }
        let outcome = self.read(chunk, end, now);
        let output = self.response.take();
        match outcome {
            Ok(()) => {
                self.last = last(&output).or(self.last);
                Ok(output)
            }
            Err(fault) => Ok(self.tell(&failure(&fault), output, now, request_id)),
        }
    }

    fn read(&mut self, chunk: &[u8], end: bool, now: Duration) -> Result<(), Fault> {
        let Filter { decoder, response, .. } = self;
        match decoder {
            None => response.push(chunk, now)?,
            Some(decoder) => decoder.push(chunk, |plain| response.push(plain, now).map_err(Fault::from))?,
        }
        if end {
            if let Some(decoder) = self.decoder.take() {
                decoder.finish(|plain| self.response.push(plain, now).map_err(Fault::from))?;
            }
            self.response.finish()?;
        }
        Ok(())
    }

    /// The error in the dialect's words behind what may be sent: an event of a stream, which then ends without the mark of a
    /// complete one, or the whole of a document.
    pub fn tell(&mut self, failure: &Failure, output: Bytes, now: Duration, request_id: &str) -> Bytes {
        let reply = ErrorReply {
            status: failure.status,
            kind: failure.kind,
            code: failure.code,
            message: &failure.message,
            request_id,
            calls: &self.calls,
        };
        tracing::debug!(request_id, code = failure.code, "an answer broke off");
        match self.framing {
            // The head has gone: a document's own length is open, so that this can be all of it.
            None => {
                self.state = State::Done;
                Bytes::from(self.family.error_body(&reply))
            }
            Some(framing) => {
                self.state = State::Told(now);
                let mut output = BytesMut::from(output);
                output.extend_from_slice(&match framing {
                    Framing::Array => array_error(last(&output).or(self.last), &self.family.error_body(&reply)),
                    Framing::Sse | Framing::Lines | Framing::EventStream => self.family.stream_error(&reply),
                });
                output.freeze()
            }
        }
    }

    /// Whether an error would be one more event.
    pub fn is_streaming(&self) -> bool {
        self.state == State::Open && self.framing.is_some()
    }

    /// Whether it comes in events.
    pub fn is_stream(&self) -> bool {
        self.framing.is_some()
    }

    pub fn has_told(&self) -> bool {
        matches!(self.state, State::Told(_))
    }

    pub fn held(&self) -> usize {
        self.response.held()
    }

    pub fn waited(&self) -> Duration {
        self.response.waited()
    }

    /// Names of what the API remembers of the answer.
    pub fn states(&self) -> &[String] {
        self.response.states()
    }

    pub fn report(&self) -> &AnswerReport {
        self.response.report()
    }
}

/// How long what tells of an error may take to leave before the connection is cut and the upstream's work ends with it.
const LEAVING: Duration = Duration::from_secs(1);

fn last(output: &[u8]) -> Option<u8> {
    output.trim_ascii_end().last().copied()
}

/// The error as one more element behind the last byte sent.
fn array_error(last: Option<u8>, body: &[u8]) -> Vec<u8> {
    let lead: &[u8] = match last {
        None => b"[",
        Some(b'[' | b',') => b"",
        Some(_) => b",",
    };
    [lead, body, b"]"].concat()
}

fn failure(fault: &Fault) -> Failure {
    match fault {
        Fault::Broken(Broken::Policy) => {
            let message = "the answer was withheld: it holds what policy lets nobody have";
            Failure::bad_request("content_filter", message)
        }
        Fault::Broken(Broken::Frame(error)) => {
            Failure::upstream("upstream_answer", &format!("the answer broke off: {error}"))
        }
        Fault::Broken(Broken::Unreadable) => {
            Failure::upstream("upstream_answer", "the answer is neither JSON nor text, so it cannot be inspected")
        }
        Fault::Coding => Failure::upstream("upstream_answer", "the compressed answer is damaged or too large"),
    }
}

fn has_body(status: StatusCode, method: &Method) -> bool {
    method != Method::HEAD && !status.is_informational() && !matches!(status.as_u16(), 204 | 205 | 304)
}

/// What undoes the coding of an upstream that was asked for none.
fn decoder(head: &ResponseHeader, snapshot: &Snapshot) -> Result<Option<Decoder>, Failure> {
    let codings = || head.headers.get_all(CONTENT_ENCODING).into_iter().map(|value| value.to_str().unwrap_or("?"));
    let codings: Vec<&str> = codings().flat_map(|value| value.split(',')).map(str::trim).collect();
    let limits = &snapshot.config.limits;
    let unknown =
        || Failure::upstream("upstream_encoding", "the answer comes in a content coding that is not undone here");
    match codings.as_slice() {
        [] => Ok(None),
        [one] if one.eq_ignore_ascii_case("identity") => Ok(None),
        [one] => {
            let coding = Coding::from_token(one).ok_or_else(unknown)?;
            let decoder = Decoder::new(coding, u64::MAX, limits.ratio as u64);
            decoder.map(Some).map_err(|_| unknown())
        }
        _ => Err(unknown()),
    }
}

/// The head of a body whose length and bytes may change.
fn rewrite(head: &mut ResponseHeader, downstream: Version) -> pingora::Result<()> {
    for name in [CONTENT_LENGTH, CONTENT_ENCODING, TRANSFER_ENCODING, ETAG, LAST_MODIFIED] {
        head.remove_header(&name);
    }
    for name in ["digest", "content-md5", "content-digest", "repr-digest", "accept-ranges"] {
        head.remove_header(&HeaderName::from_static(name));
    }
    if downstream == Version::HTTP_11 {
        head.insert_header(TRANSFER_ENCODING, "chunked")?;
    }
    Ok(())
}
