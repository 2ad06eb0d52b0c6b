//! Policy: findings in, actions out. Knows nothing of bytes or HTTP.

pub mod client_levels;
pub mod entities;
pub mod level;
pub mod matrix;
pub mod named;
pub mod origins;
pub mod placeholder;
pub mod seal;
pub mod token;

pub use client_levels::{ClientLevels, MAX_CLIENT_LEVELS, TooManyLevels};
pub use entities::{Entities, Override};
pub use level::Level;
pub use matrix::{Action, Matrix, Rule};
pub use named::NamedPolicy;
pub use origins::{Leniency, Origins};
pub use seal::{Place, SealError, SealKey};
pub use token::{Mint, TokenKey, Tokens};
