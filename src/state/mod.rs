//! State with a clock or a socket behind it: keys, caches, the live snapshot.

pub mod dns;
pub mod jwks;
pub mod live;
pub mod verdict_cache;

pub use live::Live;
pub use verdict_cache::VerdictCache;
