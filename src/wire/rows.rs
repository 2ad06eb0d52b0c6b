//! How tables are written down: rows by treatment, and the rows every JSON schema has. Knows no provider.

use crate::codec::Selector;
use crate::codec::selector::{AnswerPart, Treatment, UsagePart};

/// A table: `rows![Name => "model", "messages[].role"; Label => "user";]`, or `rows![at "requests[]."; ...]` with a
/// prefix before every path.
macro_rules! rows {
    (at $at:expr; $($treatment:expr => $($path:literal),+ $(,)?;)*) => {
        &[$($($crate::codec::Selector { path: concat!($at, $path), treatment: $treatment },)+)*]
    };
    ($($rest:tt)*) => { rows!(at ""; $($rest)*) };
}

/// The rows of a JSON schema below `$at`. `description`, `title` and `$comment` are text, and so is all below `default`
/// and `examples`: tool poisoning lives there, and values named `type` in them are no structure. An `enum` counts only
/// as an array, since a property may have that name too.
macro_rules! schema {
    ($at:expr) => {
        rows![at $at;
            Text => ".**.default.**", ".**.example.**", ".**.examples.**";
            Label => ".**.enum[].**", ".**.const";
            Text => ".**.const.**";
            Name => ".**.type", ".**.type[]", ".**.format", ".**.pattern", ".**.required[]", ".**.$ref", ".**.$schema",
                ".**.$id", ".**.$anchor", ".**.contentEncoding", ".**.contentMediaType", ".**.propertyOrdering[]",
                ".**.property_ordering[]";
        ]
    };
}

/// Whose text stands where: `marks![at "requests[]."; Turn => "messages[]"; System => "system";]`.
macro_rules! marks {
    (= Turn) => { crate::codec::Source::Turn };
    (= $origin:ident) => { crate::codec::Source::Of(crate::text::Origin::$origin) };
    (at $at:expr; $($source:ident => $($path:literal),+ $(,)?;)*) => {
        &[$($(crate::codec::Mark { path: concat!($at, $path), source: marks!(= $source) },)+)*]
    };
    ($($rest:tt)*) => { marks!(at ""; $($rest)*) };
}

pub(super) use {marks, rows, schema};

/// Treatments of answers.
pub(super) const PIECE: Treatment = Treatment::Answer(AnswerPart::Piece);
pub(super) const ROW: Treatment = Treatment::Answer(AnswerPart::Row);
pub(super) const TOOL: Treatment = Treatment::Answer(AnswerPart::Tool);
pub(super) const ECHO: Treatment = Treatment::Answer(AnswerPart::Echo);
pub(super) const STATE: Treatment = Treatment::Answer(AnswerPart::State);
pub(super) const END: Treatment = Treatment::Answer(AnswerPart::End);

/// Tokens that the provider counted.
pub(super) const INPUT: Treatment = Treatment::Answer(AnswerPart::Usage(UsagePart::Input));
pub(super) const TOOL_INPUT: Treatment = Treatment::Answer(AnswerPart::Usage(UsagePart::ToolInput));
pub(super) const CACHE_READ: Treatment = Treatment::Answer(AnswerPart::Usage(UsagePart::CacheRead));
pub(super) const CACHE_WRITE: Treatment = Treatment::Answer(AnswerPart::Usage(UsagePart::CacheWrite));
pub(super) const OUTPUT: Treatment = Treatment::Answer(AnswerPart::Usage(UsagePart::Output));
pub(super) const REASONING: Treatment = Treatment::Answer(AnswerPart::Usage(UsagePart::Reasoning));

/// Answers that hold numbers and names: lists of models, counts, vectors.
pub(super) const NAMES: &[Selector] = rows![Treatment::Name => "**";];
