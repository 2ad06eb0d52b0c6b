//! What a request takes of its caller's limits, and what it came to. Counts nothing itself.

use std::time::Duration;

use super::Gateway;
use super::context::Context;
use super::reply::Failure;
use crate::limits::{Asked, Stage, Use};
use crate::state::Refused;

/// Bytes of text that are taken for a token until the provider has counted.
const TOKEN: u64 = 4;

impl Gateway {
    /// Takes what is known to be needed: by the head alone, or by the whole request.
    ///
    /// # Errors
    /// The limit that is reached.
    pub(super) async fn take(&self, context: &mut Context, stage: Stage) -> Result<(), Failure> {
        let limits = context.snapshot.config.rate_limit.limits.clone();
        let (Some(target), Some(principal)) = (&context.target, &context.principal) else { return Ok(()) };
        if limits.is_empty() {
            return Ok(());
        }
        let asked = Asked { client: &principal.client_id, route: target.route.label(), models: &context.models };
        let demands = limits.demands(&asked, stage);
        if demands.is_empty() {
            return Ok(());
        }
        let refused = match self.live.limiter().take(demands).await {
            Ok(taken) => {
                self.metrics.rate_limit_counted(taken.counted_by());
                context.taken.push(taken);
                return Ok(());
            }
            Err(refused) => refused,
        };
        // What was taken by the head is given back: the request is as if it had not been made.
        context.taken.iter_mut().for_each(|taken| taken.came_to(Use::None));
        Err(match refused {
            Refused::Exceeded(exceeded) => {
                self.metrics.rate_limited(&exceeded.class, exceeded.limit.unit);
                Failure::rate_limited(&exceeded, context.family)
            }
            Refused::Away => {
                self.metrics.rate_limit_counted("closed");
                Failure::unavailable("rate_limit_unavailable", "the caller's limits cannot be looked up at the moment")
            }
        })
    }

    /// As [`Gateway::take`], of a request whose body was read.
    pub(super) async fn take_for_body(&self, context: &mut Context) -> Result<(), Failure> {
        let tokens = estimate(context.report.inspected).max(1);
        self.take(context, Stage::Body { tokens }).await
    }

    /// Settles what a request took that is over and was answered with this status, or `cut` short.
    pub(super) fn settle(&self, context: &mut Context, status: u16, cut: bool) {
        let tokens = tokens(context, status, cut);
        for mut taken in std::mem::take(&mut context.taken) {
            taken.came_to(Use::Tokens(tokens));
        }
    }
}

/// What the request cost: by the provider's count, else by what passed. An error costs nothing.
fn tokens(context: &Context, status: u16, cut: bool) -> u64 {
    let unanswered = context.clock.first_byte.is_none() && context.failure.is_some();
    if unanswered || context.clock.sent_up.is_none() || status >= 400 {
        return 0;
    }
    let report = context.answer.as_ref().map(|filter| filter.report());
    let counted = report.and_then(|report| report.usage).map(|usage| usage.input().saturating_add(usage.output()));
    let passed = context.report.inspected + report.map_or(0, |report| report.inspected);
    match counted {
        // Some providers count at the beginning what is still to come: who leaves before the end has had what passed.
        Some(counted) if cut => counted.max(estimate(passed)),
        Some(counted) => counted,
        None => estimate(passed),
    }
}

fn estimate(bytes: u64) -> u64 {
    bytes.div_ceil(TOKEN)
}

/// Whole seconds, as `Retry-After` has them, and at least one.
pub(super) fn seconds(wait: Duration) -> u64 {
    wait.as_millis().div_ceil(1000).max(1).try_into().unwrap_or(u64::MAX)
}
