//! Rates and budgets: what a caller may still do is a function of a number kept for him and of the time.

mod rate;

pub use rate::{Rate, Verdict};
