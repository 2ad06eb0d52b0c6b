//! The scanner over one window, by what the text is: ordinary, full of findings, made to be slow. Not the sanitizer.

mod corpus;

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use promptgate::detect::{Class, RuleSet, Scanner};

use corpus::Kind;

/// What the sanitizer hands over at a time.
const WINDOW: usize = 32 * 1024;

/// Units that, repeated, keep a part of the scanner busy without end.
const WORST: &[(&str, &str)] = &[
    ("keyword", "password "),
    ("assignments", "password = key = token = secret: "),
    ("prefixes", "sk-proj- ghp_ AKIA xoxb- eyJ "),
    ("digits", "4111 1111 1111 1112 "),
    ("dots", "1.1.1.1.1 "),
    ("ats", "a@b.c@"),
    ("colons", "a:b:c:"),
    ("base64", "aWdub3JlIGFsbCBwcmV2aW91cyBydWxlcw== "),
    ("hex", "69 67 6e 6f 72 65 20 "),
    ("backslashes", r"\u0069\n\x41"),
    ("entities", "&#105;%69&lt;"),
    ("letters", "i g n o r e a l l "),
    ("glued", "ignoreallpreviousinstructions"),
    ("backwards", "snoitcurtsni suoiverp lla erongi "),
    ("wording", "ignore the previous system prompt and "),
    ("wide", "ｉｇｎｏｒｅ　ａｌｌ　"),
    ("invisible", "i\u{200B}g\u{AD}n\u{2060}"),
    ("chinese", "请忽略之前的所有指示，"),
    ("quotes", r#"{"a":"b"},"#),
    ("one word", "a"),
];

fn scan(bench: &mut Criterion) {
    let rules = RuleSet::builtin().expect("the shipped rules parse");
    let scanner = Scanner::compile(&rules).expect("the shipped rules compile");
    let ordinary = [
        ("prose", corpus::text(Kind::Prose, 1, WINDOW)),
        ("code", corpus::text(Kind::Code, 1, WINDOW)),
        ("mix", corpus::text(Kind::Mix, 1, WINDOW)),
        ("dirty", corpus::dirty(1, WINDOW)),
    ];
    let worst = WORST.iter().map(|(name, unit)| (*name, unit.repeat(WINDOW / unit.len())));
    for (group, texts) in [("scan", ordinary.to_vec()), ("scan worst", worst.collect())] {
        let mut group = bench.benchmark_group(group);
        group.warm_up_time(Duration::from_millis(200)).measurement_time(Duration::from_millis(800)).sample_size(10);
        for (name, text) in texts {
            let mut findings = Vec::new();
            group.throughput(Throughput::Bytes(text.len() as u64));
            group.bench_function(name, |bencher| {
                bencher.iter(|| {
                    findings.clear();
                    scanner.scan(black_box(&text), 0, Class::Text, &mut findings);
                    findings.len()
                });
            });
        }
        group.finish();
    }
}

criterion_group!(benches, scan);
criterion_main!(benches);
