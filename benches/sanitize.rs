//! Whole request bodies and streamed answers through the sanitizer, from the first byte to the verdict. No sockets.

mod corpus;
mod setup;

use std::hint::black_box;
use std::time::Duration;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use promptgate::snapshot::Snapshot;

use corpus::Kind;
use corpus::chats::Chats;
use setup::Detectors;

const SIZES: &[(&str, usize)] = &[("1 KB", 1 << 10), ("16 KB", 16 << 10), ("256 KB", 256 << 10)];
/// What Pingora reads at most at a time.
const CHUNK: usize = 64 << 10;
const CHUNKS: &[(&str, usize)] = &[("1 B", 1), ("1 KB", 1 << 10), ("64 KB", CHUNK)];
const EVENTS: &[usize] = &[100, 10_000];

/// Bodies of each kind and size, with every detector.
fn kinds(bench: &mut Criterion) {
    let snapshot = setup::snapshot(Detectors::Every);
    for (size, bytes) in SIZES {
        let mut group = group(bench, &format!("request {size}"));
        for kind in Kind::ALL {
            case(&mut group, kind.name(), &snapshot, &body(kind, *bytes), CHUNK);
        }
    }
    case(&mut group(bench, "request 4 MB"), "mix", &snapshot, &body(Kind::Mix, 4 << 20), CHUNK);
}

/// The same body cut otherwise.
fn chunks(bench: &mut Criterion) {
    let snapshot = setup::snapshot(Detectors::Every);
    let body = body(Kind::Mix, 16 << 10);
    let mut group = group(bench, "request of 16 KB in chunks");
    for (name, chunk) in CHUNKS {
        case(&mut group, name, &snapshot, &body, *chunk);
    }
}

/// The same body with other detectors in force, and where it is known already.
fn detectors(bench: &mut Criterion) {
    let body = body(Kind::Mix, 256 << 10);
    let mut group = group(bench, "detectors over 256 KB");
    for (name, detectors) in [
        ("every", Detectors::Every),
        ("without the attack model", Detectors::WithoutClassifier),
        ("rules alone", Detectors::WithoutModels),
        ("ten times the rules", Detectors::TenTimes),
    ] {
        case(&mut group, name, &setup::snapshot(detectors), &body, CHUNK);
    }
    let known = setup::snapshot(Detectors::Every).remembering(setup::verdicts());
    case(&mut group, "text the verdict cache knows", &known, &body, CHUNK);
}

/// Streamed answers: where every event is decided at once, and where its end waits for the next.
fn answers(bench: &mut Criterion) {
    let snapshot = setup::snapshot(Detectors::Every);
    for count in EVENTS {
        let mut group = group(bench, &format!("answer of {count} events"));
        for (name, pieces) in [("cut between words", setup::WORDS), ("cut inside words", setup::PIECES)] {
            let events = setup::events(pieces, *count);
            group.throughput(Throughput::Elements(*count as u64));
            group.bench_function(name, |bencher| bencher.iter(|| setup::answer(&snapshot, black_box(&events))));
        }
    }
}

fn group<'b>(bench: &'b mut Criterion, name: &str) -> BenchmarkGroup<'b, WallTime> {
    let mut group = bench.benchmark_group(name);
    group.warm_up_time(Duration::from_millis(200)).measurement_time(Duration::from_millis(600)).sample_size(10);
    group
}

fn case(group: &mut BenchmarkGroup<WallTime>, name: &str, snapshot: &Snapshot, body: &[u8], chunk: usize) {
    let plan = setup::plan(snapshot);
    group.throughput(Throughput::Bytes(body.len() as u64));
    group.bench_function(name, |bencher| {
        bencher.iter(|| setup::request(snapshot, &plan, black_box(body), chunk));
    });
}

fn body(kind: Kind, bytes: usize) -> Vec<u8> {
    let mut body = Vec::new();
    Chats::new(kind, 1, bytes).next(&mut body);
    body
}

criterion_group!(benches, kinds, chunks, detectors, answers);
criterion_main!(benches);
