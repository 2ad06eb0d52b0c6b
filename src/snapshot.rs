//! One immutable, ready-to-use moment of the gateway, swapped whole. Starts nothing.
