//! How many callers' requests may be under way at once. Knows nothing of a request.

use std::sync::Arc;

use super::sync::{AtomicU64, Ordering};

/// Counts the permits that are out.
#[derive(Debug, Default)]
pub struct Permits(AtomicU64);

/// One of them, given back when dropped.
#[derive(Debug)]
pub struct Permit(Arc<Permits>);

impl Permits {
    /// `None` when so many are out already.
    pub fn take(self: &Arc<Self>, most: u64) -> Option<Permit> {
        let one_more = |out: u64| (out < most).then(|| out + 1);
        let taken = self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, one_more);
        taken.is_ok().then(|| Permit(self.clone()))
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::AcqRel);
    }
}
