//! Provider dialects: where text lives in each API and how each reports an error. Knows nothing of sockets.
