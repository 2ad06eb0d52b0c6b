//! Configuration: file text and variables in, a checked `Config` or every problem at once out. Reads no file itself.
