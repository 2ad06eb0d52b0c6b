//! The admin listener: management endpoints, health and metrics. Knows nothing of the gateway listener.
