//! Rates and budgets: what a caller may still do is a function of numbers kept for him and of the time. Keeps no clock, and
//! no store but the one in memory; another must say the same.

mod class;
mod ledger;
mod rate;

pub use class::{Asked, Class, Demand, Limit, RateLimits, Stage, Unit};
pub use ledger::{Denial, Exceeded, Ledger, Use};
pub use rate::{Rate, Verdict};
