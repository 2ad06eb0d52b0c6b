//! The streaming sanitizer: bytes in, bytes and a report out. Knows nothing of HTTP.
