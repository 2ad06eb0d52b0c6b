//! The sanitizer with the shipped rules over bodies of any dialect, in any chunks. Asserts nothing.
#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use promptgate::codec::Plan;
use promptgate::detect::{RuleSet, Scanner};
use promptgate::policy::{Level, Matrix};
use promptgate::sanitize::{Guard, Limits, Refusal, Report, Request};
use promptgate::wire;

/// What the upstream would have received and what is told about it.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// All bytes that left, or the refusal.
    pub body: Result<Vec<u8>, Refusal>,
    /// Of a refused body without its sizes: how much was read until then is a matter of chunks.
    pub report: Report,
}

impl Outcome {
    pub fn text(&self) -> &str {
        self.body.as_ref().ok().and_then(|body| std::str::from_utf8(body).ok()).unwrap_or_default()
    }

    pub fn is_refused(&self) -> bool {
        self.body.is_err()
    }
}

/// Rules and policy as shipped. Compiled once a test binary: it takes seconds.
pub static GUARD: LazyLock<Arc<Guard>> = LazyLock::new(|| {
    let rules = RuleSet::builtin().expect("the shipped rules parse");
    let scanner = Scanner::compile(&rules).expect("and compile");
    Arc::new(Guard::new(scanner, Matrix::default()))
});

static PLANS: LazyLock<HashMap<&'static str, Arc<Plan>>> = LazyLock::new(|| {
    wire::FORMATS.iter().map(|dialect| (dialect.name, Arc::new(dialect.plan().expect("tables compile")))).collect()
});

pub fn request(format: &str, level: Level, limits: Limits) -> Request {
    Request::new(GUARD.clone(), PLANS[format].clone(), level, limits)
}

/// One whole body. `see` is told of the request after every chunk, before and after output is taken.
pub fn watch<'a>(
    mut request: Request,
    chunks: impl IntoIterator<Item = &'a [u8]>,
    mut see: impl FnMut(&Request),
) -> Outcome {
    let mut body = Vec::new();
    let push = |request: &mut Request| {
        for chunk in chunks {
            let pushed = request.push(chunk);
            see(request);
            pushed?;
            body.extend_from_slice(&request.take());
            see(request);
        }
        body.extend_from_slice(&request.finish()?);
        Ok(())
    };
    let done = push(&mut request);
    let mut report = request.report().clone();
    if done.is_err() {
        (report.bytes_in, report.bytes_out) = (0, 0);
    }
    Outcome { body: done.map(|()| body), report }
}

pub fn run<'a>(format: &str, level: Level, chunks: impl IntoIterator<Item = &'a [u8]>) -> Outcome {
    watch(request(format, level, Limits::default()), chunks, |_| ())
}

/// Cuts `body` into pieces of the given sizes, the rest in one.
pub fn cut<'a>(body: &'a [u8], sizes: &[usize]) -> Vec<&'a [u8]> {
    let (mut chunks, mut rest) = (Vec::new(), body);
    for &size in sizes {
        let (chunk, tail) = rest.split_at(size.min(rest.len()));
        chunks.push(chunk);
        rest = tail;
    }
    chunks.push(rest);
    chunks
}

/// A small generator of numbers for cuts that are random and the same in every run (SplitMix64).
pub struct Seeded(pub u64);

impl Seeded {
    pub fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((mixed ^ (mixed >> 31)) % end.max(1) as u64) as usize
    }

    /// Sizes of chunks of up to `largest` bytes that cover `len`.
    pub fn sizes(&mut self, len: usize, largest: usize) -> Vec<usize> {
        let (mut sizes, mut sum) = (Vec::new(), 0);
        while sum < len {
            sizes.push(1 + self.below(largest));
            sum += sizes[sizes.len() - 1];
        }
        sizes
    }
}
