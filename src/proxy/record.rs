//! The audit record of a finished request, put together from its context. Writes nothing.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pingora::Error;
use pingora::proxy::Session;

use super::answer::Filter;
use super::context::Context;
use crate::auth::Mode;
use crate::detect::Category;
use crate::policy::Action;
use crate::sanitize::{Report, Verdict as Judged};
use crate::telemetry::{
    AnswerRecord, Bytes, CandidateRecord, FindingCount, MaskCount, RequestRecord, Timings, Verdict,
};

/// `mode` is the mode in which callers authenticate, for those who did not.
pub fn of(session: &Session, error: Option<&Error>, context: &mut Context, mode: Mode) -> RequestRecord {
    let status = session.response_written().map_or(0, |head| head.status.as_u16());
    let target = context.target.as_ref();
    RequestRecord {
        request_id: std::mem::take(&mut context.request_id),
        trace: context.trace.as_ref().map(|trace| trace.id),
        client_id: context.principal.as_ref().map(|principal| principal.client_id.clone()).unwrap_or_default(),
        auth_mode: context.principal.as_ref().map_or(mode, |principal| principal.mode).name(),
        route: target.map(|target| Arc::from(target.route.label())),
        format: target.map(|target| target.route.dialect.name),
        upstream: target.map(|target| Arc::from(&*target.route.upstream.name)),
        method: session.req_header().method.clone(),
        status,
        verdict: verdict(context, error, status),
        code: context.failure.as_ref().map(|failure| failure.code),
        level: context.level,
        policy: context.policy.name.clone(),
        candidate: candidate(context),
        findings: findings(&context.report.findings),
        masked: masks(&context.report.masked),
        placeholders: placeholders(context),
        bytes: bytes(session, &context.report),
        answer: context.answer.as_ref().map(|filter| answer(filter, context.clock.answer)),
        timings: timings(context),
        dropped_headers: context.dropped_headers,
        dropped_query: context.dropped_query,
    }
}

/// Nothing where no body was judged.
fn candidate(context: &Context) -> Option<CandidateRecord> {
    let policy = context.policy.guard.candidate.as_ref()?.name.clone();
    let judged = context.report.bytes_in > 0;
    let beside = context.report.candidate.as_deref();
    let verdicts = (context.report.verdict().into(), beside.map_or(Judged::Clean, Report::verdict).into());
    let rules = beside.map(Report::rules).unwrap_or_default();
    judged.then_some(CandidateRecord { policy, verdicts, rules })
}

fn verdict(context: &Context, error: Option<&Error>, status: u16) -> Verdict {
    let answer = context.answer.as_ref().map(|filter| filter.report());
    let (ended, withheld) = answer.map_or((false, false), |answer| (!answer.blocked.is_empty(), answer.withheld > 0));
    match (&context.failure, context.report.verdict()) {
        _ if ended => Verdict::Blocked,
        (_, Judged::Blocked) => Verdict::Blocked,
        (Some(failure), _) if failure.status < 500 => Verdict::Rejected,
        (Some(_), _) => Verdict::Failed,
        (None, _) if status == 0 || error.is_some() => Verdict::Aborted,
        _ if withheld => Verdict::Quarantined,
        (None, judged) => judged.into(),
    }
}

fn answer(filter: &Filter, guard: Duration) -> AnswerRecord {
    let report = filter.report();
    AnswerRecord {
        restored: masks(&report.restored),
        masked: masks(&report.masked),
        findings: findings(&report.findings),
        unresolved: report.unresolved,
        kept_back: report.kept_back,
        inspected: report.inspected,
        uninspected: report.uninspected.iter().map(|(reason, bytes)| (*reason, *bytes)).collect(),
        usage: report.usage,
        waited: filter.waited(),
        guard,
    }
}

fn findings(findings: &BTreeMap<(Category, Arc<str>, Action), u64>) -> Vec<FindingCount> {
    let of = |((category, rule, action), count): (&(_, Arc<str>, _), &u64)| FindingCount {
        rule: rule.clone(),
        category: *category,
        action: *action,
        count: *count,
    };
    findings.iter().map(of).collect()
}

/// The same value has the same one in every request of its tenant, and tells nobody without the key what it stands for.
fn placeholders(context: &Context) -> Vec<Arc<str>> {
    /// Of one record.
    const MOST: usize = 64;
    let named = context.snapshot.config.audit.placeholders;
    context.tokens.iter().map(|(token, _)| token).take(if named { MOST } else { 0 }).collect()
}

fn masks(masked: &BTreeMap<Arc<str>, u64>) -> Vec<MaskCount> {
    masked.iter().map(|(entity, count)| MaskCount { entity: entity.clone(), count: *count }).collect()
}

fn bytes(session: &Session, report: &Report) -> Bytes {
    Bytes {
        received: session.downstream_session.body_bytes_read() as u64,
        sent: session.downstream_session.body_bytes_sent() as u64,
        inspected: report.inspected,
        uninspected: report.uninspected.iter().map(|(reason, bytes)| (*reason, *bytes)).collect(),
    }
}

fn timings(context: &Context) -> Timings {
    let total = context.started.elapsed();
    let sent_up = context.clock.sent_up.unwrap_or(context.started);
    let upstream = context.clock.first_byte.map(|first| first.saturating_duration_since(sent_up));
    let answered = context.clock.first_byte.unwrap_or_else(Instant::now);
    let until_answer = answered.saturating_duration_since(context.started);
    Timings {
        total,
        overhead: until_answer.saturating_sub(upstream.unwrap_or_default()),
        guard: context.clock.guard,
        upstream,
    }
}
