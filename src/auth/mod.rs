//! Authentication: a token, keys and a time in, a principal out. Fetches nothing.
