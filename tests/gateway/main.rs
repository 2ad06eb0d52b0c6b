//! The gateway as a process between an application and a provider, both played here. No inside of the gateway is used but
//! its tables of formats and routes.

mod amplification;
mod answers;
mod availability;
#[cfg(feature = "transformer")]
#[path = "../support/classifier.rs"]
mod classifier;
mod client;
mod edge;
#[cfg(feature = "transformer")]
mod engine;
mod faults;
mod formats;
mod frames;
mod framing;
mod handover;
mod hostile;
mod http1;
mod http2;
mod issuer;
mod limits;
mod mcp;
mod mutations;
mod operation;
mod overload;
mod policies;
mod process;
mod random;
mod refusals;
mod reload;
#[path = "../support/shim.rs"]
mod shim;
mod site;
mod slow;
mod slowhttptest;
mod streaming;
mod tls;
mod tokens;
mod uploads;
mod upstream;
mod verify;
