//! State with a clock or a socket behind it: keys, caches, the vault, the live snapshot.

pub mod dns;
pub mod health;
pub mod jwks;
pub mod live;
pub mod vault;
pub mod verdict_cache;

pub use health::Health;
pub use live::Live;
pub use vault::{Vault, VaultError};
pub use verdict_cache::VerdictCache;
