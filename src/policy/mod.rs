//! Policy: findings in, actions out. Knows nothing of bytes or HTTP.

pub mod level;
pub mod matrix;
pub mod placeholder;

pub use level::Level;
pub use matrix::{Action, Matrix, Rule};
