//! Composition root: listeners, background services, reload, shutdown.
