//! What is done to the targets, a file each. Every scenario takes its targets in turns within a round.

pub mod beside;
pub mod cores;
pub mod events;
pub mod idle;
pub mod large;
pub mod library;
pub mod protocols;
pub mod requests;
pub mod turns;
