//! The primitives of what `tests/models.rs` tries in thousands of schedules: the real ones here, a model checker's there.

pub use std::sync::Mutex;
pub use std::sync::atomic::{AtomicU64, Ordering};

pub use arc_swap::ArcSwap as Swap;
