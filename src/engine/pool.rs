//! A few threads behind a bounded queue that score texts, and what they found lately. Knows no model.

use std::collections::HashMap;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::sanitize::consult::{Engine, Question, Reply, Unanswered};

/// What the threads run.
pub(super) trait Scorer: Send + Sync + 'static {
    /// How likely the text is an attack. May give up once `due` has passed.
    fn score(&self, text: &str, due: Instant) -> Result<f32, Unanswered>;
}

/// See the module. Its threads end with it.
#[derive(Debug)]
pub(super) struct Pool {
    jobs: SyncSender<Job>,
    lately: Arc<Mutex<Lately>>,
    deadline: Duration,
}

struct Job {
    question: Question,
    reply: Reply,
    due: Instant,
}

impl Pool {
    /// `queue` questions may wait beside those that are being answered.
    pub fn start(scorer: Arc<dyn Scorer>, threads: usize, queue: usize, deadline: Duration) -> io::Result<Self> {
        let (jobs, waiting) = sync_channel(queue);
        let waiting = Arc::new(Mutex::new(waiting));
        let lately = Arc::new(Mutex::new(Lately::default()));
        for _ in 0..threads {
            let (scorer, waiting, lately) = (scorer.clone(), waiting.clone(), lately.clone());
            let work = move || work(&*scorer, &waiting, &lately);
            thread::Builder::new().name("engine".to_owned()).spawn(work)?;
        }
        Ok(Pool { jobs, lately, deadline })
    }
}

impl Engine for Pool {
    fn ask(&self, question: Question, reply: Reply) {
        let known = self.lately.lock().unwrap_or_else(PoisonError::into_inner).get(question.key);
        if let Some(score) = known {
            return reply(Ok(score));
        }
        let due = Instant::now() + self.deadline;
        if let Err(TrySendError::Full(job) | TrySendError::Disconnected(job)) =
            self.jobs.try_send(Job { question, reply, due })
        {
            (job.reply)(Err(Unanswered::Full));
        }
    }
}

impl std::fmt::Debug for Job {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Job").finish_non_exhaustive()
    }
}

/// One thread, until the pool is gone.
fn work(scorer: &dyn Scorer, waiting: &Mutex<Receiver<Job>>, lately: &Mutex<Lately>) {
    loop {
        let job = waiting.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(Job { question, reply, due }) = job else { return };
        // A panic of one text must not take the thread from all others.
        let answer = catch_unwind(AssertUnwindSafe(|| worst(scorer, &question.readings, due)));
        let answer = answer.unwrap_or(Err(Unanswered::Failed));
        if let Ok(score) = answer {
            lately.lock().unwrap_or_else(PoisonError::into_inner).put(question.key, score);
        }
        // Nobody waits any longer, but the next turn of the conversation will ask again.
        reply(answer.and_then(|score| if Instant::now() < due { Ok(score) } else { Err(Unanswered::Late) }));
    }
}

fn worst(scorer: &dyn Scorer, readings: &[String], due: Instant) -> Result<f32, Unanswered> {
    let mut worst = 0.0_f32;
    for reading in readings {
        if Instant::now() >= due {
            return Err(Unanswered::Late);
        }
        worst = worst.max(scorer.score(reading, due)?);
    }
    Ok(worst)
}

/// The scores of the texts asked last: the history of a conversation comes again with every turn.
#[derive(Debug, Default)]
struct Lately {
    new: HashMap<u128, f32>,
    old: HashMap<u128, f32>,
}

impl Lately {
    /// Of each half. A half is dropped at once, so no entry needs an age.
    const MOST: usize = 4096;

    fn get(&mut self, key: u128) -> Option<f32> {
        let found = self.new.get(&key).copied();
        found.or_else(|| {
            let score = self.old.remove(&key)?;
            self.put(key, score);
            Some(score)
        })
    }

    fn put(&mut self, key: u128, score: f32) {
        if self.new.len() >= Self::MOST {
            self.old = std::mem::take(&mut self.new);
        }
        self.new.insert(key, score);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::{Sender, channel};

    const AMPLE: Duration = Duration::from_secs(3600);

    /// Tells that it was called, and waits until it is told to go on with a score.
    struct Stub {
        called: Mutex<Sender<String>>,
        scores: Mutex<Receiver<f32>>,
    }

    impl Scorer for Stub {
        fn score(&self, text: &str, _: Instant) -> Result<f32, Unanswered> {
            self.called.lock().unwrap().send(text.to_owned()).unwrap();
            let score = self.scores.lock().unwrap().recv().unwrap();
            assert!(score >= 0.0, "as it was told");
            Ok(score)
        }
    }

    struct Rig {
        pool: Pool,
        called: Receiver<String>,
        scores: Sender<f32>,
    }

    fn rig(queue: usize, deadline: Duration) -> Rig {
        let ((called_in, called), (scores, scores_out)) = (channel(), channel());
        let stub = Stub { called: Mutex::new(called_in), scores: Mutex::new(scores_out) };
        Rig { pool: Pool::start(Arc::new(stub), 1, queue, deadline).unwrap(), called, scores }
    }

    impl Rig {
        fn ask(&self, key: u128, readings: &[&str]) -> Receiver<Result<f32, Unanswered>> {
            let (reply, answer) = channel();
            let readings = readings.iter().map(ToString::to_string).collect();
            self.pool.ask(Question { key, readings }, Box::new(move |result| reply.send(result).unwrap()));
            answer
        }
    }

    #[test]
    fn the_worst_reading_counts_and_the_same_text_is_scored_once() {
        let rig = rig(4, AMPLE);
        for score in [0.2, 0.7, 0.1] {
            rig.scores.send(score).unwrap();
        }
        assert_eq!(rig.ask(1, &["a", "b", "c"]).recv(), Ok(Ok(0.7)));
        assert_eq!(rig.ask(1, &["a", "b", "c"]).recv(), Ok(Ok(0.7)));
        assert_eq!(rig.called.try_iter().collect::<Vec<_>>(), ["a", "b", "c"]);
    }

    #[test]
    fn what_finds_no_place_in_the_queue_is_told_so_at_once() {
        let rig = rig(1, AMPLE);
        let first = rig.ask(1, &["first"]);
        assert_eq!(rig.called.recv().unwrap(), "first");
        let second = rig.ask(2, &["second"]);
        assert_eq!(rig.ask(3, &["third"]).recv(), Ok(Err(Unanswered::Full)));
        rig.scores.send(0.1).unwrap();
        rig.scores.send(0.2).unwrap();
        assert_eq!((first.recv(), second.recv()), (Ok(Ok(0.1)), Ok(Ok(0.2))));
    }

    #[test]
    fn what_is_late_already_is_not_scored() {
        let rig = rig(1, Duration::ZERO);
        assert_eq!(rig.ask(1, &["late"]).recv(), Ok(Err(Unanswered::Late)));
        assert!(rig.called.try_recv().is_err());
    }

    #[test]
    fn a_panic_fails_one_question_and_no_other() {
        let rig = rig(1, AMPLE);
        rig.scores.send(-1.0).unwrap();
        assert_eq!(rig.ask(1, &["bad"]).recv(), Ok(Err(Unanswered::Failed)));
        rig.scores.send(0.5).unwrap();
        assert_eq!(rig.ask(2, &["good"]).recv(), Ok(Ok(0.5)));
    }

    #[test]
    fn what_is_remembered_is_bounded_and_what_is_asked_stays() {
        let mut lately = Lately::default();
        lately.put(0, 0.5);
        for key in 1..100_000 {
            lately.put(key, 0.1);
            assert_eq!(lately.get(0), Some(0.5));
        }
        assert!(lately.new.len() + lately.old.len() <= 2 * Lately::MOST);
        assert_eq!(lately.get(1), None);
    }
}
