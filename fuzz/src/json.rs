//! The tokenizer beside serde_json, and beside itself under another cut.

use promptgate::codec::json::{Reason, SyntaxError};

use super::json_reader::{is_json, ours, theirs};

pub fn json(input: &[u8]) {
    let whole = ours([input]);
    assert_eq!(ours(super::cuts(input)), whole, "the cut matters");
    assert_eq!(ours(input.chunks(1)), whole, "byte by byte it reads otherwise");
    let deep = matches!(&whole, Err(SyntaxError { reason: Reason::TooDeep, .. }));
    assert!(deep || whole.is_ok() == is_json(input), "serde_json decides otherwise");
    let Ok(read) = whole else { return };
    assert_eq!(read.raw, input, "every byte once");
    // serde_json reads neither lone surrogates nor numbers beyond f64.
    if let Some(theirs) = theirs(input) {
        assert_eq!(read.events, theirs, "serde_json reads something else");
    }
}
