//! Whole request bodies through the sanitizer in chunks of 64 KB, from the first byte to the verdict. No sockets.

mod corpus;

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use promptgate::detect::{RuleSet, Scanner};
use promptgate::policy::{Level, Matrix};
use promptgate::sanitize::{Guard, Limits, Request};
use promptgate::wire;

use corpus::{Chats, Kind};

/// What Pingora reads at most at a time.
const CHUNK: usize = 64 * 1024;

fn request(bench: &mut Criterion) {
    let rules = RuleSet::builtin().expect("the shipped rules parse");
    let scanner = Scanner::compile(&rules).expect("the shipped rules compile");
    let guard = Arc::new(Guard::new(scanner, Matrix::default()));
    let dialect = wire::find("openai.chat").expect("the dialect of the bodies");
    let plan = Arc::new(dialect.plan().expect("its selectors are in the grammar"));

    let mut group = bench.benchmark_group("sanitize");
    group.warm_up_time(Duration::from_millis(200)).measurement_time(Duration::from_millis(1000)).sample_size(10);
    for (name, body) in bodies() {
        group.throughput(Throughput::Bytes(body.len() as u64));
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let mut request = Request::new(guard.clone(), plan.clone(), Level::Medium, Limits::default());
                let mut bytes = 0;
                for chunk in black_box(&body).chunks(CHUNK) {
                    request.push(chunk).expect("nothing here is refused");
                    bytes += request.take().len();
                }
                bytes + request.finish().expect("nothing here is refused").len()
            });
        });
    }
    group.finish();
}

fn bodies() -> Vec<(&'static str, Vec<u8>)> {
    let chat = |bytes| {
        let mut body = Vec::new();
        Chats::new(1, bytes).next(&mut body);
        body
    };
    vec![
        ("chat 1 KB", chat(1 << 10)),
        ("chat 16 KB", chat(16 << 10)),
        ("chat 256 KB", chat(256 << 10)),
        ("prose 256 KB", corpus::chat(&corpus::text(Kind::Prose, 1, 256 << 10))),
        ("code 256 KB", corpus::chat(&corpus::text(Kind::Code, 1, 256 << 10))),
        ("dirty 256 KB", corpus::chat(&corpus::dirty(1, 256 << 10))),
        ("image 4 MB", corpus::image_chat(1, 4 << 20)),
    ]
}

criterion_group!(benches, request);
criterion_main!(benches);
