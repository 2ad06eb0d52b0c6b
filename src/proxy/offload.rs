//! Where long work is done: on a few threads of lower priority, so that short requests do not wait behind long bodies. Knows
//! nothing of what the work is.

use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::Semaphore;

/// See the module. As many threads as there are cores.
pub struct Offload {
    /// `None` only while it is dropped.
    runtime: Option<Runtime>,
    /// Hooks that cannot wait and have left the event loop.
    aside: Semaphore,
}

/// Why long work gave no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lost {
    /// Its time, waiting for a thread included, is over. What was begun ends unheard.
    Late,
    /// It ended in a panic, or the process ends.
    Failed,
}

/// Threads that hooks which cannot wait may occupy; what is over that holds up the event loop.
const ASIDE: usize = 64;

/// Of the threads: the scheduler gives them what the event loop leaves, and a tenth of what it does not.
const NICE: i32 = 10;

impl Offload {
    /// # Errors
    /// When no thread can be started.
    pub fn new() -> std::io::Result<Self> {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let runtime = Builder::new_multi_thread()
            .worker_threads(threads)
            .thread_name("inspect")
            // On Linux this is the thread's own priority. Without it work is done as well, with less room for others.
            .on_thread_start(|| rustix::process::setpriority_process(None, NICE).unwrap_or_default())
            .build()?;
        Ok(Offload { runtime: Some(runtime), aside: Semaphore::new(ASIDE) })
    }

    /// Does the work on one of the threads, in the order it came.
    ///
    /// # Errors
    /// When it takes longer than `limit` or panics.
    pub async fn run<T, W>(&self, limit: Duration, work: W) -> Result<T, Lost>
    where
        T: Send + 'static,
        W: FnOnce() -> T + Send + 'static,
    {
        let runtime = self.runtime.as_ref().ok_or(Lost::Failed)?;
        let done = runtime.spawn(async move { work() });
        tokio::time::timeout(limit, done).await.map_err(|_| Lost::Late)?.map_err(|_| Lost::Failed)
    }

    /// Does it here and now, while another thread takes over the event loop.
    pub fn run_here<T>(&self, work: impl FnOnce() -> T) -> T {
        match self.aside.try_acquire() {
            Ok(_occupied) => tokio::task::block_in_place(work),
            Err(_) => work(),
        }
    }
}

impl Drop for Offload {
    fn drop(&mut self) {
        // The last owner may be a task, where waiting for the threads is not allowed.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn work_is_done_elsewhere_and_a_panic_in_it_is_an_error() {
        let offload = Offload::new().unwrap();
        let here = std::thread::current().id();
        let there = offload.run(LONG, || std::thread::current().id()).await;
        assert!(there.is_ok_and(|there| there != here));
        let failed = offload.run(LONG, || assert!(std::hint::black_box(false))).await;
        assert_eq!(failed, Err(Lost::Failed));
        assert_eq!(offload.run(LONG, || 7).await, Ok(7));
    }

    #[tokio::test]
    async fn work_that_takes_too_long_is_given_up() {
        let offload = Offload::new().unwrap();
        let (end, ended) = channel::<()>();
        let late = offload.run(Duration::from_millis(1), move || ended.recv().ok()).await;
        assert_eq!(late, Err(Lost::Late));
        drop(end);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn others_go_on_while_a_hook_that_cannot_wait_is_at_work() {
        let offload = Offload::new().unwrap();
        let (tell, told) = channel();
        let other = tokio::spawn(async move { tell.send(7).ok() });
        let heard = tokio::spawn(async move { offload.run_here(|| told.recv()) }).await;
        assert_eq!(heard.unwrap(), Ok(7));
        other.await.unwrap();
    }
}
