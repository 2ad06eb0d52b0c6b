//! Whether a client takes what is written to it: one that lags behind has to take so much in each stretch of time. Writes nothing.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::time::{Instant, Sleep, sleep_until};

use super::stream::Bounds;

/// See the module.
#[derive(Default)]
pub struct Writing {
    /// Since when it lags behind, and what it took since.
    behind: Option<Instant>,
    taken: usize,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Writing {
    /// Follows one attempt to write: one that waits too long fails.
    pub fn watch<T>(
        &mut self,
        cx: &mut Context<'_>,
        bounds: &Bounds,
        tried: Poll<io::Result<T>>,
        taken: usize,
    ) -> Poll<io::Result<T>> {
        if tried.is_ready() {
            self.taken = self.taken.saturating_add(taken);
            if self.taken >= bounds.quota {
                self.behind = None;
            }
            return tried;
        }
        let due = match self.behind {
            Some(since) => since + bounds.stall,
            None => {
                let now = Instant::now();
                (self.behind, self.taken) = (Some(now), 0);
                now + bounds.stall
            }
        };
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(due)));
        if timer.deadline() != due {
            timer.as_mut().reset(due);
        }
        timer.as_mut().poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}
