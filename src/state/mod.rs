//! State with a clock or a socket behind it: keys, caches, the vault, the live snapshot.

mod attempts;
mod authorities;
pub mod dns;
pub mod fleet;
mod follow;
pub mod health;
mod in_force;
pub mod jwks;
mod limiter;
pub mod live;
mod permits;
pub mod redis;
mod standing;
mod sync;
pub mod tls;
pub mod token_cache;
pub mod trial;
pub mod vault;
pub mod verdict_cache;

pub use authorities::Authorities;
pub use fleet::Fleet;
pub use health::Health;
pub use limiter::{Limiter, Refused, Taken};
pub use live::Live;
pub use permits::Permit;
pub use standing::Standing;
pub use tls::{Handshakes, Terms};
pub use token_cache::TokenCache;
pub use trial::{Difference, Trial, Tried};
pub use vault::{Vault, VaultError};
pub use verdict_cache::VerdictCache;
