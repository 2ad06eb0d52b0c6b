//! Gives libFuzzer the target `header` of `fuzz/src`. Promises nothing itself.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| promptgate_fuzz::run("header", input));
