//! An engine whose answers are counted. Answers nothing itself.

use std::sync::Arc;
use std::time::Instant;

use prometheus::{Histogram, IntCounterVec};

use crate::sanitize::consult::{Engine, Question, Reply, Unanswered};

/// See the module.
#[derive(Debug)]
pub struct Counted {
    pub(super) engine: Arc<dyn Engine>,
    pub(super) texts: IntCounterVec,
    pub(super) seconds: Histogram,
}

impl Engine for Counted {
    fn ask(&self, question: Question, reply: Reply) {
        let (texts, seconds, begun) = (self.texts.clone(), self.seconds.clone(), Instant::now());
        let counted = move |result: Result<f32, Unanswered>| {
            let outcome = match result {
                Ok(_) => "answered",
                Err(Unanswered::Late) => "late",
                Err(Unanswered::Full) => "full",
                Err(Unanswered::Failed) => "failed",
            };
            texts.with_label_values(&[outcome]).inc();
            seconds.observe(begun.elapsed().as_secs_f64());
            reply(result);
        };
        self.engine.ask(question, Box::new(counted));
    }
}
