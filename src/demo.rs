//! The built-in demo upstream: echoes what it received. Not a model.
