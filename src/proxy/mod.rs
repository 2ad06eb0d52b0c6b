//! The gateway listener on Pingora: one short method a phase. Decides nothing about text and knows no status; `reply` does.

mod admit;
mod answer;
mod backlog;
mod body;
mod consult;
mod context;
mod downstream;
mod edge;
mod head;
mod limit;
mod mirror;
mod offload;
mod pace;
mod patience;
mod record;
mod reply;
mod trace;
mod upstream;
mod vault;
mod way;

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use http::Version;
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::protocols::Digest;
use pingora::proxy::{FailToProxy, ProxyHttp, Session};
use pingora::upstreams::peer::HttpPeer;
use pingora::{Error, ErrorSource, ErrorType};

use answer::{Asked, Filter};
use context::{Body, Context};
use edge::Ahead;
use offload::{Lost, Offload};
use patience::Keeper;
use reply::Failure;
use trace::Trace;
use way::Ways;

use crate::state::{Difference, Live, dns::Resolver};
use crate::telemetry::{self, Audit, Metrics, RequestRecord, Traces};

pub use edge::Edge;

/// The gateway. One for all connections.
pub struct Gateway {
    live: Arc<Live>,
    metrics: Arc<Metrics>,
    audit: Arc<Audit>,
    traces: Option<Arc<Traces>>,
    resolver: Resolver,
    offload: Offload,
    keeper: Arc<Keeper>,
}

impl Gateway {
    /// # Errors
    /// When its threads cannot be started.
    pub fn new(
        live: Arc<Live>,
        metrics: Arc<Metrics>,
        audit: Arc<Audit>,
        traces: Option<Arc<Traces>>,
    ) -> std::io::Result<Self> {
        let (resolver, keeper) = (Resolver::default(), Arc::default());
        Ok(Gateway { live, metrics, audit, traces, resolver, offload: Offload::new()?, keeper })
    }

    async fn refuse(&self, session: &mut Session, context: &mut Context, failure: Failure) -> pingora::Result<()> {
        let rules = context.rules();
        context.failure = Some(failure.clone());
        context.release();
        // What is left is to wait for the caller, which takes nobody's place.
        context.permit = None;
        if context.clock.first_byte.is_none() {
            context.taken.clear();
        }
        // A client that waits for "100 Continue" sends nothing that could be drained.
        if session.get_header(http::header::EXPECT).is_none() {
            reply::drain(session, context.snapshot.config.limits.body as u64).await;
        } else {
            session.set_keepalive(None);
        }
        reply::send(session, &failure, &context.answer(&rules)).await
    }

    /// Turns a failure into an error that makes Pingora stop at once, whatever the upstream's protocol is: only errors
    /// of the downstream side do.
    fn stop(context: &mut Context, failure: Failure) -> Box<Error> {
        let status = failure.status;
        context.failure = Some(failure);
        Error::new(ErrorType::HTTPStatus(status)).into_down()
    }

    /// Whether there is room for so many bytes more.
    fn check_memory(&self, context: &Context, more: usize) -> Result<(), Failure> {
        let limit = context.snapshot.config.limits.memory;
        if self.metrics.held().saturating_add(more) > limit { Err(Failure::memory()) } else { Ok(()) }
    }

    /// Why an answer under way may not go on: the process ends, or holds too much and this answer makes it hold more.
    fn must_end(&self, context: &Context, held_before: usize) -> Option<Failure> {
        let grown = context.answer.as_ref().is_some_and(|filter| filter.held() > held_before);
        if self.live.is_ending() {
            return Some(Failure::shutting_down());
        }
        self.check_memory(context, 0).err().filter(|_| grown)
    }

    /// One piece of the answer, scrubbed and sanitized.
    fn pass_answer(&self, context: &mut Context, piece: Bytes, end: bool) -> Result<Bytes, Failure> {
        context.heard(end)?;
        let held = context.answer.as_ref().map_or(0, |filter| filter.held());
        let scrubbed = match &mut context.scrub {
            Some(scrub) => scrub.push(&piece, end),
            None => piece,
        };
        let passed = context.pass_answer(&self.offload, &scrubbed, end)?;
        match self.must_end(context, held).filter(|_| !end) {
            Some(failure) => context.give_up(failure, passed),
            None => Ok(passed),
        }
    }

    /// Prepares to sanitize the answer with this head.
    fn filter_answer(
        &self,
        session: &Session,
        head: &mut ResponseHeader,
        context: &mut Context,
    ) -> Result<(), Failure> {
        let Some(target) = &context.target else { return Ok(()) };
        if let Body::Passing(inspection) = &context.body {
            // The upstream answers before it has all of the request.
            context.tokens = inspection.tokens().clone();
            context.sent = inspection.sent().clone();
            context.calls = inspection.calls().to_vec();
        }
        let (snapshot, level) = (&*context.snapshot, context.level);
        let request = session.req_header();
        let (method, tokens, sent, calls) = (&request.method, &context.tokens, &context.sent, &context.calls);
        let guard = &context.policy.guard;
        let asked = Asked { snapshot, route: &target.route, guard, level, method, tokens, sent, calls };
        let filter = Filter::new(&asked, head, request.version)?;
        context.answer = filter.map(Box::new);
        Ok(())
    }

    /// Adds a finished request to what is known of the candidate policy.
    fn note_candidate(&self, record: &RequestRecord) {
        let Some(candidate) = &record.candidate else { return };
        let verdicts @ (verdict, other) = (candidate.verdicts.0.name(), candidate.verdicts.1.name());
        self.live.trial().note(&candidate.policy, verdicts, || Difference {
            request_id: record.request_id.clone(),
            route: record.route.clone().unwrap_or_default(),
            verdict,
            candidate: other,
            rules: candidate.rules.clone(),
        });
    }

    /// One chunk of a body that is sanitized as it passes.
    async fn pass_chunk(&self, context: &mut Context, chunk: Bytes, end: bool) -> Result<Bytes, Failure> {
        context.keep_pace(chunk.len())?;
        context.inspect(&self.offload, chunk).await?;
        self.check_memory(context, 0)?;
        if end {
            context.set_uploading(false);
            let rest = context.conclude(&self.offload).await?;
            self.take_for_body(context).await?;
            self.recall(context).await?;
            return Ok(rest);
        }
        let Body::Passing(inspection) = &mut context.body else { return Ok(Bytes::new()) };
        Ok(inspection.take())
    }
}

#[async_trait]
impl ProxyHttp for Gateway {
    type CTX = Context;

    fn new_ctx(&self) -> Context {
        Context::new(self.live.snapshot(), self.live.level(), self.metrics.hold(), self.metrics.begin())
    }

    async fn request_filter(&self, session: &mut Session, context: &mut Context) -> pingora::Result<bool> {
        context.started = Instant::now();
        let begin = |traces: &Arc<Traces>| Box::new(Trace::begin(&session.req_header().headers, traces.sample_ratio()));
        context.trace = self.traces.as_ref().map(begin);
        context.serving = edge::connection(session).map(edge::Connection::serve);
        let stall = context.snapshot.config.timeouts.stall;
        session.set_read_timeout(Some(stall));
        session.set_write_timeout(Some(stall));
        session.set_total_drain_timeout(Some(stall));
        // The gateway itself says "100 Continue"; nothing that an upstream says before its answer is inspected.
        session.set_ignore_info_resp(true);
        match self.admit(session, context).await {
            Ok(()) => Ok(false),
            Err(failure) => self.refuse(session, context, failure).await.map(|()| true),
        }
    }

    async fn upstream_peer(&self, _: &mut Session, context: &mut Context) -> pingora::Result<Box<HttpPeer>> {
        let Some(target) = &context.target else { return Err(Error::new(ErrorType::InternalError)) };
        let upstream = target.route.upstream.clone();
        if let Some(trace) = &mut context.trace {
            trace.call();
        }
        let order = || self.live.health().order(&upstream);
        let ways = context.ways.get_or_insert_with(|| Ways::new(&upstream, order()));
        // There is one already when a kept connection had ended and the request is repeated.
        if context.way.is_none() {
            context.way = ways.next(&self.resolver).await;
        }
        match &context.way {
            Some(way) => Ok(Box::new(upstream::peer(&upstream, way, self.live.authorities().of(&upstream.name)))),
            None => {
                let failure = Failure::upstream("upstream_unreachable", "the upstream's name cannot be resolved");
                Err(Gateway::stop(context, failure))
            }
        }
    }

    async fn connected_to_upstream(
        &self,
        _: &mut Session,
        _: bool,
        _: &HttpPeer,
        _: std::os::fd::RawFd,
        digest: Option<&Digest>,
        context: &mut Context,
    ) -> pingora::Result<()> {
        let limits = context.target.as_ref().map(|target| &target.route.upstream.timeouts);
        let limits = limits.map(|timeouts| (timeouts.first_byte, timeouts.idle));
        context.patience = limits.and_then(|limits| self.keeper.wait(digest, limits, || self.live.ending()));
        Ok(())
    }

    async fn upstream_request_filter(
        &self,
        session: &mut Session,
        head: &mut RequestHeader,
        context: &mut Context,
    ) -> pingora::Result<()> {
        let (Some(target), Some(way)) = (&context.target, &context.way) else {
            return Err(Error::new(ErrorType::InternalError));
        };
        let upstream = &target.route.upstream;
        let (query, dropped_query) =
            upstream::query(context.family, upstream, session.req_header().uri.query().unwrap_or_default());
        let path = if query.is_empty() { target.path.clone() } else { format!("{}?{query}", target.path) };
        let length = match &context.body {
            Body::Judged(bytes) => Some(bytes.len()),
            Body::Empty | Body::Passing(_) | Body::Away => None,
        };
        context.dropped_headers = upstream::rewrite(head, context.family, upstream, &way.place, &path, length)?;
        context.dropped_query = dropped_query;
        context.scrub = context.snapshot.scrub(upstream);
        context.trace.as_ref().map_or(Ok(()), |trace| trace.stamp(head))
    }

    async fn request_body_filter(
        &self,
        _: &mut Session,
        body: &mut Option<Bytes>,
        end: bool,
        context: &mut Context,
    ) -> pingora::Result<()> {
        context.handed_over = end && matches!(context.body, Body::Judged(_));
        let output = match &context.body {
            Body::Empty => return Ok(()),
            Body::Judged(bytes) if end => bytes.clone(),
            Body::Judged(_) => Bytes::new(),
            Body::Away => return Err(Gateway::stop(context, Failure::lost(Lost::Failed))),
            Body::Passing(_) => {
                let chunk = body.take().unwrap_or_default();
                let passed = self.pass_chunk(context, chunk, end).await;
                passed.map_err(|failure| Gateway::stop(context, failure))?
            }
        };
        if let Some(patience) = &context.patience {
            // The upstream may wait for all of the request.
            patience.restart();
        }
        // An empty piece at the end would be written as a second terminating chunk; `None` before it would end the body.
        *body = if end && output.is_empty() { None } else { Some(output) };
        Ok(())
    }

    async fn response_filter(
        &self,
        session: &mut Session,
        head: &mut ResponseHeader,
        context: &mut Context,
    ) -> pingora::Result<()> {
        downstream::check(head).map_err(|failure| Gateway::stop(context, failure))?;
        if head.status.is_informational() {
            context.interim += 1;
            return downstream::check_interim(context.interim).map_err(|failure| Gateway::stop(context, failure));
        }
        context.answered();
        if let Some(trace) = &mut context.trace {
            trace.answered(head.status);
        }
        self.filter_answer(session, head, context).map_err(|failure| Gateway::stop(context, failure))?;
        if self.live.is_draining() {
            // The caller's next request is for another replica.
            session.set_keepalive(None);
        }
        context.clock.first_byte.get_or_insert_with(Instant::now);
        if let Some(patience) = &context.patience {
            patience.answered();
        }
        if let Some(target) = &context.target {
            downstream::strip(head, &target.route.upstream.key);
        }
        context.announce(Ahead::Head);
        head.insert_header("x-promptgate-request-id", &context.request_id)?;
        head.insert_header("x-promptgate-verdict", context.verdict())
    }

    fn response_body_filter(
        &self,
        session: &mut Session,
        body: &mut Option<Bytes>,
        end: bool,
        context: &mut Context,
    ) -> pingora::Result<Option<Duration>> {
        let piece = body.take().unwrap_or_default();
        let output = self.pass_answer(context, piece, end).map_err(|failure| Gateway::stop(context, failure))?;
        *body = (!output.is_empty()).then_some(output);
        if end && context.answer.is_some() && session.req_header().version == Version::HTTP_11 {
            context.announce(Ahead::End);
        }
        if let Some(output) = body {
            session.set_write_timeout(Some(pace::patience(&context.snapshot.config, output.len())));
        }
        Ok(None)
    }

    fn fail_to_connect(
        &self,
        _: &mut Session,
        _: &HttpPeer,
        context: &mut Context,
        mut error: Box<Error>,
    ) -> Box<Error> {
        let others = context.target.as_ref().is_some_and(|target| !target.route.upstream.failover.is_empty());
        if let Some(way) = context.way.take().filter(|_| others) {
            self.live.health().note(&way.place, false);
        }
        context.unreached = context.unreached.take().or_else(|| Failure::from_pingora(&error));
        // Nothing of the request has been sent yet.
        error.set_retry(context.ways.as_ref().is_some_and(Ways::may_go_on));
        error
    }

    fn error_while_proxy(
        &self,
        _: &HttpPeer,
        session: &mut Session,
        mut error: Box<Error>,
        context: &mut Context,
        reused: bool,
    ) -> Box<Error> {
        // A connection that was kept may have ended before it could be known. What changes nothing is asked again over another.
        let request = session.as_ref();
        let repeatable = session.req_header().method.is_idempotent() && !request.retry_buffer_truncated();
        if repeatable && !context.is_upstream_silent() {
            error.retry.decide_reuse(reused);
        } else {
            error.set_retry(false);
        }
        error
    }

    async fn fail_to_proxy(&self, session: &mut Session, error: &Error, context: &mut Context) -> FailToProxy {
        let unreached = context.unreached.take().filter(|_| context.way.is_none());
        let silent = context.is_upstream_silent().then(|| match self.live.is_ending() {
            true => Failure::shutting_down(),
            false => Failure::upstream_timeout(),
        });
        let known = context.failure.take();
        let failure = silent.or(known).or(unreached).or_else(|| Failure::from_pingora(error));
        let Some(failure) = failure else { return FailToProxy { error_code: 0, can_reuse_downstream: false } };
        if let (Some(target), true) = (&context.target, failure.status >= 500) {
            self.metrics.upstream_error(&target.route.upstream.name, failure.code);
        }
        let status = failure.status;
        // Pingora ends the connection after this. Unless the answer says so, the caller sends its next request into it.
        session.set_keepalive(None);
        if downstream::takes_more(error) {
            if let Some(event) = session.response_written().and_then(|_| context.last_words(&failure)) {
                // Behind the head nothing else can tell; a caller that is gone shows below.
                session.downstream_session.write_response_body(event, false).await.ok();
            }
            downstream::let_leave(session);
        }
        if let Err(error) = self.refuse(session, context, failure).await {
            tracing::debug!(request_id = context.request_id, %error, "the answer could not be written");
        }
        FailToProxy { error_code: status, can_reuse_downstream: false }
    }

    async fn logging(&self, session: &mut Session, error: Option<&Error>, context: &mut Context) {
        self.remember(context).await;
        let status = session.response_written().map_or(0, |head| head.status.as_u16());
        self.settle(context, status, error.is_some());
        let traced = trace::of(context);
        let record = record::of(session, error, context, self.live.mode());
        self.note_candidate(&record);
        self.metrics.request(&record);
        self.audit.request(&record);
        if let (Some(traces), Some((place, call))) = (&self.traces, traced) {
            traces.request(telemetry::Trace { record, place, call });
        }
    }

    fn suppress_error_log(&self, _: &Session, context: &Context, error: &Error) -> bool {
        // Refusals are in the audit log; callers that went away are nobody's error.
        context.failure.is_some() || *error.esource() == ErrorSource::Downstream
    }

    fn request_summary(&self, _: &Session, context: &Context) -> String {
        let route = context.target.as_ref().map_or("none", |target| target.route.label());
        format!("request {}, route {route}", context.request_id)
    }
}
