//! The gateway as a process between an application and a provider, both played here. No inside of the gateway is used but
//! its tables of formats and routes.

mod client;
mod formats;
mod http1;
mod process;
mod site;
mod upstream;
