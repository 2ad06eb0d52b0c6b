//! promptgate: an in-line gateway for LLM traffic. This file is the map of the crate; it holds no logic.
//!
//! The pure half (everything above the line below) is functions of bytes, time and configuration, and builds with
//! `--no-default-features`. The other half holds the sockets, clocks and files; of that, the feature `cli` is what the
//! commands need that serve nothing. `tests/tidy.rs` enforces which module may import which.

// No panic reachable from the network. An `expect` is allowed: it stands beside the sentence that proves it.
#![warn(clippy::unwrap_used, clippy::panic)]
// A function tells one step; the limit is in clippy.toml. Tests are tables and may be long.
#![cfg_attr(not(test), warn(clippy::too_many_lines))]

pub mod auth;
pub mod codec;
pub mod config;
pub mod detect;
pub mod eval;
pub mod limits;
pub mod policy;
pub mod sanitize;
pub mod snapshot;
pub mod text;
pub mod wire;

#[cfg(feature = "cli")]
pub mod cli;
#[cfg(feature = "cli")]
pub mod load;

#[cfg(feature = "transformer")]
pub mod engine;

#[cfg(feature = "proxy")]
pub mod admin;
#[cfg(feature = "proxy")]
pub mod demo;
#[cfg(feature = "proxy")]
pub mod proxy;
#[cfg(feature = "proxy")]
pub mod server;
#[cfg(feature = "proxy")]
pub mod state;
#[cfg(feature = "proxy")]
pub mod telemetry;
