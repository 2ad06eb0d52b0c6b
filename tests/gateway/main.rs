//! The gateway as a process between an application and a provider, both played here. No inside of the gateway is used but
//! its tables of formats and routes.

mod answers;
mod availability;
#[cfg(feature = "transformer")]
#[path = "../support/classifier.rs"]
mod classifier;
mod client;
#[cfg(feature = "transformer")]
mod engine;
mod faults;
mod formats;
mod framing;
mod http1;
mod http2;
mod operation;
mod overload;
mod process;
mod refusals;
#[path = "../support/shim.rs"]
mod shim;
mod site;
mod streaming;
mod uploads;
mod upstream;
