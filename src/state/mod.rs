//! State with a clock or a socket behind it: keys, caches, the live snapshot.

pub mod dns;
pub mod jwks;
pub mod live;

pub use live::Live;
