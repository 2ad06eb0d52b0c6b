//! How fast a request body has to come, and an answer be taken. Reads no clock: it is told the time.

use std::time::Duration;

use tokio::time::Instant;

use crate::config::Config;

/// One body's time: a pause at its beginning, then as much as its bytes earn at the least rate, never more than the whole.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    begun: Instant,
    pause: Duration,
    whole: Duration,
    rate: usize,
    received: u64,
}

impl Pace {
    pub fn new(config: &Config, begun: Instant) -> Self {
        let (limits, timeouts) = (&config.limits, &config.timeouts);
        Pace { begun, pause: timeouts.stall, whole: timeouts.request_body, rate: limits.min_rate, received: 0 }
    }

    pub fn received(&mut self, bytes: usize) {
        self.received = self.received.saturating_add(bytes as u64);
    }

    /// When the next bytes must be here.
    pub fn due(&self) -> Instant {
        self.begun + self.allowed()
    }

    /// For how long it may have taken so far.
    pub fn allowed(&self) -> Duration {
        self.whole.min(self.pause.saturating_add(earned(self.received, self.rate)))
    }
}

/// How long a client may take for this many bytes of its answer.
pub fn patience(config: &Config, bytes: usize) -> Duration {
    config.timeouts.stall.saturating_add(earned(bytes as u64, config.limits.min_rate))
}

fn earned(bytes: u64, rate: usize) -> Duration {
    Duration::from_secs_f64(bytes as f64 / rate.max(1) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_earn_time_up_to_the_whole() {
        let mut config = Config::default();
        config.timeouts.stall = Duration::from_secs(20);
        config.timeouts.request_body = Duration::from_secs(300);
        config.limits.min_rate = 512;
        let begun = Instant::now();
        let mut pace = Pace::new(&config, begun);
        for (bytes, seconds) in [(0, 20), (512, 21), (512 * 99, 120), (usize::MAX, 300)] {
            pace.received(bytes);
            assert_eq!(pace.due() - begun, Duration::from_secs(seconds), "{bytes}");
        }
    }
}
