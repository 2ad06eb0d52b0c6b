//! Tests of authentication. Keys are made when the tests run, except for the RSA key in tests/fixtures.

mod keys;
mod setup;
mod support;
mod tokens;
mod wycheproof;
