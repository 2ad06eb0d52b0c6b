//! What is in force together with what was learnt by it, swapped as one. Knows nothing of what either is.
//!
//! Were the memory swapped by itself, somebody who still judges by the old rules could put an old judgement into the new
//! memory. As it is, whoever holds the old rules holds the old memory with them.

use std::sync::Arc;

use super::sync::Swap;

/// See the module.
pub struct InForce<Rules, Memory> {
    moment: Swap<Moment<Rules, Memory>>,
}

/// Taken once by whoever judges, and kept to the end.
pub struct Moment<Rules, Memory> {
    pub rules: Arc<Rules>,
    pub memory: Memory,
}

impl<Rules, Memory: Default> InForce<Rules, Memory> {
    pub fn new(rules: Arc<Rules>) -> Self {
        InForce { moment: Swap::from(Arc::new(Moment { rules, memory: Memory::default() })) }
    }

    pub fn load(&self) -> Arc<Moment<Rules, Memory>> {
        self.moment.load_full()
    }

    /// Puts other rules in force, with an empty memory.
    pub fn replace(&self, rules: Arc<Rules>) {
        self.moment.store(Arc::new(Moment { rules, memory: Memory::default() }));
    }
}
