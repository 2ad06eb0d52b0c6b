//! From the head of a request to the decision that it may go up: route, caller, scope, body. Everything that can be refused
//! before connecting is refused here.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, LazyLock};

use http::HeaderMap;
use http::header::EXPECT;
use pingora::proxy::Session;

use super::body::Inspection;
use super::context::{Body, Context, Target};
use super::head::{self, Framing};
use super::reply::Failure;
use super::{Gateway, edge, mirror};
use crate::auth::{AuthError, Principal, Scope};
use crate::codec::coding::{Coding, Decoder};
use crate::config::{Found, Limits, Placeholders, Route, RouteMatch, RouteTable, UpstreamAuth, UpstreamKey};
use crate::limits::Stage;
use crate::sanitize::Request;
use crate::wire::{BodyKind, Calls, Family};

impl Gateway {
    /// Fills the context, up to a judged body where its length is known and small enough.
    pub(super) async fn admit(&self, session: &mut Session, context: &mut Context) -> Result<(), Failure> {
        context.request_id = request_id(session);
        let snapshot = context.snapshot.clone();
        let limits = &snapshot.config.limits;
        let framing = self.check_head(session, limits).inspect_err(|_| {
            // Where one request ends and the next begins cannot be trusted after such a head.
            session.set_keepalive(None);
        })?;
        head::strip_nominated(session.req_header_mut());
        self.find_route(session, context, framing)?;
        head::check_query(session.req_header().uri.query())?;
        self.authenticate(session, context).await?;
        self.take(context, Stage::Head).await?;
        // Only now: whoever has no token must not take the place of those who have one.
        context.permit = Some(self.live.permit(limits.in_flight).ok_or_else(Failure::busy)?);
        self.choose_policy(context);
        self.check_upstream(context)?;
        self.check_memory(context, expected(context))?;
        self.admit_body(session, context).await
    }

    fn check_head(&self, session: &Session, limits: &Limits) -> Result<Framing, Failure> {
        head::check_mended(edge::connection(session).and_then(|connection| connection.mended()))?;
        let raw = session.as_http1().map(|session| session.get_headers_raw_bytes());
        head::check(session.req_header(), raw.as_deref(), limits)
    }

    fn find_route(&self, session: &Session, context: &mut Context, framing: Framing) -> Result<(), Failure> {
        let snapshot = context.snapshot.clone();
        let request = session.req_header();
        let path = request.raw_path().split(|byte| *byte == b'?').next().unwrap_or_default();
        let path = std::str::from_utf8(path).map_err(|_| Failure::unknown_route())?;
        match snapshot.config.routes.find(&request.method, path) {
            RouteMatch::Found(found) => {
                let target = target(&found, &snapshot.config.routes, &request.headers, framing);
                context.family = family(&target.route);
                context.models.extend(found.model());
                context.target = Some(target);
                Ok(())
            }
            RouteMatch::MethodNotAllowed { routes } => {
                context.family = routes.first().map_or(Family::OpenAi, family);
                let allow: Vec<&str> = routes.iter().map(|route| route.method.as_str()).collect();
                Err(Failure::method_not_allowed(&allow.join(", ")))
            }
            RouteMatch::NotFound { near } => {
                context.family = near.map_or(Family::OpenAi, family);
                Err(Failure::unknown_route())
            }
            RouteMatch::BadTarget => Err(Failure::bad_request("bad_target", "the path is not in its canonical form")),
        }
    }

    async fn authenticate(&self, session: &Session, context: &mut Context) -> Result<(), Failure> {
        let Some(target) = &context.target else { return Err(Failure::unknown_route()) };
        let passes = target.route.upstream.auth == UpstreamAuth::Pass;
        let token = head::gateway_token(&session.req_header().headers, passes)
            .inspect_err(|failure| self.metrics.auth_failure(self.live.mode().name(), failure.code))?;
        let principal =
            self.live.authenticate(token.as_deref()).await.map_err(|error| self.not_authenticated(error))?;
        let scope = target.route.scope;
        let refusal = (!principal.has(scope)).then(|| self.not_allowed(scope, &principal));
        context.principal = Some(principal);
        refusal.map_or(Ok(()), Err)
    }

    fn choose_policy(&self, context: &mut Context) {
        if let (Some(target), Some(principal)) = (&context.target, &context.principal) {
            let promoted = self.live.promoted();
            let promoted = promoted.as_ref().map(|name| name.as_str());
            context.policy = context.snapshot.governing(&target.route, principal, promoted);
            let own = self.live.client_levels().of(&principal.client_id);
            context.level = own.or(context.policy.level).unwrap_or(context.level);
        }
    }

    fn not_authenticated(&self, error: AuthError) -> Failure {
        self.metrics.auth_failure(self.live.mode().name(), error.reason());
        Failure::authentication(error)
    }

    fn not_allowed(&self, scope: Scope, principal: &Principal) -> Failure {
        self.metrics.auth_failure(principal.mode.name(), "insufficient_scope");
        Failure::forbidden(scope.name(), principal)
    }

    fn check_upstream(&self, context: &Context) -> Result<(), Failure> {
        let Some(target) = &context.target else { return Err(Failure::unknown_route()) };
        let upstream = &target.route.upstream;
        match (&upstream.key, upstream.auth) {
            (UpstreamKey::Unset { variable }, UpstreamAuth::Replace) => {
                let message =
                    format!("the gateway has no key for the upstream {}: {variable} is not set", upstream.name);
                Err(Failure::unavailable("upstream_key_unset", &message))
            }
            _ => Ok(()),
        }
    }

    async fn admit_body(&self, session: &mut Session, context: &mut Context) -> Result<(), Failure> {
        let snapshot = context.snapshot.clone();
        let Some(target) = &context.target else { return Err(Failure::unknown_route()) };
        let (route, framing) = (target.route.clone(), target.framing);
        let Some(plan) = snapshot.plan(&route) else { return Err(Failure::unknown_route()) };
        if route.dialect.family == Family::Mcp {
            let keeps = route.placeholders == Placeholders::Keep;
            mirror::check(&session.req_header().headers, &context.policy.guard, context.level, keeps)?;
        }
        if route.dialect.body == BodyKind::None {
            return no_body(session, framing);
        }
        head::check_content_type(&session.req_header().headers)?;
        let coding = head::content_coding(&session.req_header().headers)?;
        let limits = snapshot.limits();
        if framing.length.is_some_and(|length| length > limits.body) {
            return Err(Failure::body_too_large(limits.body));
        }
        if framing.length.is_none() && !route.upstream.chunked {
            return Err(Failure::length_required());
        }
        let ratio = snapshot.config.limits.ratio as u64;
        let decoder = coding.map(|coding: Coding| Decoder::new(coding, limits.body, ratio)).transpose();
        let decoder = decoder.map_err(|_| Failure::unsupported_encoding())?.map(Decoder::gathering);
        let judged_whole = !route.upstream.chunked
            || (decoder.is_none() && framing.length.is_some_and(|length| length <= limits.hold as u64));
        let mint = context.principal.as_ref().and_then(|principal| snapshot.mint(&route, principal));
        let request = Request::new(context.policy.guard.clone(), plan.clone(), context.level, limits)
            .keeping(route.placeholders == Placeholders::Keep)
            .tokenizing(mint);
        let again = context.policy.guard.second_look.as_ref().map(|_| limits.hold);
        let calls = (route.dialect.family == Family::Mcp).then(|| Calls::new(limits.body, limits.depth, limits.key));
        context.body = Body::Passing(Box::new(Inspection::new(decoder, request, again).calling(calls)));
        if framing.expects_continue {
            self.invite(session).await;
        }
        match framing.length {
            Some(length) if judged_whole => self.judge(session, context, length).await,
            _ => {
                context.set_uploading(true);
                Ok(())
            }
        }
    }

    /// Answers `Expect: 100-continue`, which Pingora would not do before a body is read here or sent up over HTTP/2.
    async fn invite(&self, session: &mut Session) {
        // A client that is gone shows when its body is read.
        session.downstream_session.write_continue_response().await.ok();
        session.req_header_mut().remove_header(&EXPECT);
    }

    /// Reads a body of known length to its end and judges it, so that a refusal costs no connection and what is sent has
    /// an exact length.
    async fn judge(&self, session: &mut Session, context: &mut Context, length: u64) -> Result<(), Failure> {
        self.read_body(session, context, length).await?;
        let output = context.conclude(&self.offload).await?;
        self.take_for_body(context).await?;
        self.recall(context).await?;
        context.body = Body::Judged(output);
        Ok(())
    }

    async fn read_body(&self, session: &mut Session, context: &mut Context, length: u64) -> Result<(), Failure> {
        /// Pingora hands a body that was read early to its body filter only if the end of it is in the retry buffer, which
        /// holds this much and is useless once it overflows.
        const RETRY_BUFFER: u64 = 64 * 1024;
        let mut remaining = length;
        if remaining <= RETRY_BUFFER {
            session.downstream_session.enable_retry_buffering();
        }
        loop {
            let read = tokio::time::timeout_at(context.pace.due(), session.downstream_session.read_request_body());
            let chunk = read.await.map_err(|_| Failure::body_too_slow(context.pace.allowed()))?;
            let Some(chunk) =
                chunk.map_err(|error| Failure::of_body(&error, context.snapshot.config.timeouts.stall))?
            else {
                break;
            };
            context.keep_pace(chunk.len())?;
            remaining = remaining.saturating_sub(chunk.len() as u64);
            context.inspect(&self.offload, chunk).await?;
            self.check_memory(context, 0)?;
            if remaining <= RETRY_BUFFER && remaining > 0 {
                session.downstream_session.enable_retry_buffering();
            }
        }
        if remaining > 0 { Err(Failure::bad_request("incomplete_body", "the body ended too early")) } else { Ok(()) }
    }
}

/// What the request will hold, as far as it says so.
fn expected(context: &Context) -> usize {
    let length = context.target.as_ref().and_then(|target| target.framing.length).unwrap_or(0);
    usize::try_from(length).unwrap_or(usize::MAX).min(context.snapshot.config.limits.hold)
}

fn family(route: &Arc<Route>) -> Family {
    route.dialect.family
}

fn target(found: &Found<'_>, routes: &RouteTable, headers: &HeaderMap, framing: Framing) -> Target {
    match other_models(found.route, routes, headers) {
        Some(route) => Target { route: route.clone(), path: found.path_on(&route.upstream), framing },
        None => Target { route: found.route.clone(), path: found.upstream_path(), framing },
    }
}

/// `GET /v1/models` is OpenAI's, Anthropic's and the newer Gemini SDK's: where a header says whose SDK asks, and another
/// route lists that API's models, its upstream answers.
fn other_models<'r>(route: &Route, routes: &'r RouteTable, headers: &HeaderMap) -> Option<&'r Arc<Route>> {
    let asked = head::family(headers).filter(|family| *family != route.dialect.family)?;
    let lists_models = |route: &Route| route.dialect.body == BodyKind::None && route.dialect.name.ends_with(".models");
    routes.iter().find(|other| lists_models(route) && lists_models(other) && other.dialect.family == asked)
}

fn no_body(session: &mut Session, framing: Framing) -> Result<(), Failure> {
    let none = framing.length.unwrap_or(0) == 0 && session.downstream_session.is_body_empty();
    if none { Ok(()) } else { Err(Failure::bad_request("unexpected_body", "this path takes no body")) }
}

/// The caller's own id where it is harmless to repeat, else a new one.
fn request_id(session: &Session) -> String {
    let given = session.get_header("x-request-id").and_then(|id| id.to_str().ok()).filter(|id| is_harmless(id));
    given.map_or_else(new_request_id, str::to_owned)
}

fn is_harmless(id: &str) -> bool {
    (1..=64).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// Drawn once for the process and counted on from there: no request asks the system for random bytes.
fn new_request_id() -> String {
    static LAST: LazyLock<(u64, AtomicU32)> = LazyLock::new(|| {
        let drawn = RandomState::new().build_hasher().finish();
        (drawn, AtomicU32::new((drawn >> 16) as u32))
    });
    let (process, last) = &*LAST;
    format!("req-{process:016x}{:08x}", last.fetch_add(1, Ordering::Relaxed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_id_that_nobody_chose_is_harmless_and_stands_for_one_request() {
        let ids: std::collections::HashSet<String> = (0..10_000).map(|_| new_request_id()).collect();
        assert_eq!(ids.len(), 10_000);
        assert!(ids.iter().all(|id| is_harmless(id) && id.len() == "req-".len() + 24));
    }

    #[test]
    fn a_callers_own_id_is_kept_only_if_it_is_plain_and_short() {
        for (id, kept) in [
            ("a", true),
            ("A-9", true),
            (&"x".repeat(64), true),
            (&"x".repeat(65), false),
            ("", false),
            ("a b", false),
            ("a\r\nb", false),
            ("\u{1b}[2J", false),
            ("a_b", false),
            ("\u{e9}", false),
        ] {
            assert_eq!(is_harmless(id), kept, "{id:?}");
        }
    }
}
