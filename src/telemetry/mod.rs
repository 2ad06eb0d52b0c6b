//! Metrics, audit and logging. Never sees matched text.
