//! Of one body: how much of it may be read on the event loop before a step of it goes to another thread. A function of sizes
//! and times.

use std::time::Duration;

/// So much is done at once: going to another thread and back costs more.
pub const SHORT: usize = 16 * 1024;

/// What reading a byte may take for next to no time. What was read before takes a nanosecond, anything else a hundred.
const BRISK: Duration = Duration::from_nanos(10);

/// See the module.
#[derive(Debug, Default)]
pub struct Backlog {
    /// Bytes read on the event loop since the last long step; those that took next to no time do not count.
    read: usize,
    /// What was read last took its time: it was not read before.
    slow: bool,
}

impl Backlog {
    /// How many of so many bytes are the next step. What may have been read before is read piece by piece, so that what is new
    /// leaves the event loop behind the first piece of it.
    pub fn piece(&self, bytes: usize) -> usize {
        if self.slow { bytes } else { bytes.min(SHORT) }
    }

    /// Whether a step that reads about so many bytes is a long one, with which the count begins anew.
    pub fn is_long(&mut self, weight: usize) -> bool {
        self.read = self.read.saturating_add(weight);
        let long = self.read > SHORT;
        if long {
            self.read = 0;
        }
        long
    }

    /// Takes note of how long that step took, wherever it was done.
    pub fn took(&mut self, weight: usize, time: Duration) {
        self.slow = time > BRISK.saturating_mul(u32::try_from(weight).unwrap_or(u32::MAX));
        if !self.slow {
            self.read = self.read.saturating_sub(weight);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: u32 = 1;
    const NEW: u32 = 100;

    /// Which steps of a body that came at once are long, by the nanoseconds that a byte of each 16 KB takes.
    fn long_steps(a_byte: &[u32]) -> Vec<(usize, bool)> {
        let (mut backlog, mut steps, mut left) = (Backlog::default(), Vec::new(), a_byte.len() * SHORT);
        while left > 0 {
            let piece = backlog.piece(left);
            steps.push((piece / SHORT, backlog.is_long(piece)));
            let first = a_byte.len() - left / SHORT;
            let time = a_byte[first..][..piece / SHORT].iter().sum::<u32>() * u32::try_from(SHORT).unwrap();
            backlog.took(piece, Duration::from_nanos(time.into()));
            left -= piece;
        }
        steps
    }

    #[test]
    fn what_was_read_before_stays_whatever_its_length() {
        assert_eq!(long_steps(&[KNOWN; 64]), [(1, false); 64]);
    }

    #[test]
    fn what_is_new_leaves_behind_its_first_piece() {
        assert_eq!(long_steps(&[NEW; 64]), [(1, false), (63, true)]);
        assert_eq!(long_steps(&[KNOWN, KNOWN, NEW, NEW, NEW]), [(1, false), (1, false), (1, false), (2, true)]);
    }

    #[test]
    fn behind_a_long_step_over_what_was_read_before_the_rest_stays_again() {
        let mut backlog = Backlog::default();
        assert!(!backlog.is_long(SHORT));
        backlog.took(SHORT, Duration::from_millis(2));
        assert_eq!(backlog.piece(4 * SHORT), 4 * SHORT);
        assert!(backlog.is_long(4 * SHORT));
        backlog.took(4 * SHORT, Duration::from_micros(60));
        assert_eq!(backlog.piece(4 * SHORT), SHORT);
        assert!(!backlog.is_long(SHORT));
    }

    #[test]
    fn small_chunks_of_new_text_add_up_to_a_long_step() {
        let mut backlog = Backlog::default();
        let long = (0..48).filter(|_| {
            let long = backlog.is_long(1024);
            backlog.took(1024, Duration::from_micros(100));
            long
        });
        assert_eq!(long.collect::<Vec<_>>(), [16, 33]);
    }
}
