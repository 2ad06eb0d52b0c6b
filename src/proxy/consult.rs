//! What a stronger engine says of a body's doubtful texts, waited for off the event loop, and the body read once more with it.
//! Knows no model.

use bytes::Bytes;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

use super::context::{Body, Context};
use super::offload::Offload;
use super::reply::Failure;
use crate::sanitize::Refusal;
use crate::sanitize::consult::{Answers, Question, Second};

impl Context {
    /// What a body that was read comes to, with the engine's answers in place of the scores that left doubt. Each round may
    /// find more of it, behind what was refused before; the guard bounds how much is asked, and the deadline is for all.
    pub(super) async fn consult(
        &mut self,
        offload: &Offload,
        mut outcome: Result<Bytes, Refusal>,
    ) -> Result<Result<Bytes, Refusal>, Failure> {
        let guard = self.policy.guard.clone();
        let Some(second) = guard.second_look.as_ref() else { return Ok(outcome) };
        let due = Instant::now() + second.doubt.deadline;
        let mut answers = Answers::new();
        while let Ok(_) | Err(Refusal::Policy) = outcome {
            let Body::Passing(inspection) = &mut self.body else { break };
            let (questions, weight) = (inspection.questions(), inspection.held());
            if questions.is_empty() {
                break;
            }
            let begun = Instant::now();
            answers.extend(ask(second, questions, due).await);
            self.clock.guard += begun.elapsed();
            let known = answers.clone();
            outcome = self.step(offload, weight, move |inspection| inspection.again(known)).await?;
        }
        Ok(outcome)
    }
}

async fn ask(second: &Second, questions: Vec<Question>, due: Instant) -> Answers {
    let asked = questions.into_iter().map(|question| {
        let (key, (send, answer)) = (question.key, oneshot::channel());
        // Whoever asked may have given up.
        second.engine.ask(question, Box::new(move |result| send.send(result).unwrap_or(())));
        (key, answer)
    });
    let asked: Vec<_> = asked.collect();
    let mut answers = Answers::new();
    for (key, answer) in asked {
        let score = timeout_at(due, answer).await;
        answers.insert(key, second.doubt.answer(score.ok().and_then(Result::ok).and_then(Result::ok)));
    }
    answers
}
