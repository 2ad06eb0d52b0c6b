//! The gateway listener on Pingora.
