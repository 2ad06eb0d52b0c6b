//! The cases of the original server, judged by its own rule at level medium. Knows nothing of other corpora.

use serde::Serialize;

use super::row::Known;
use super::statistic::Share;
use super::{Judged, Row};
use crate::policy::Level;

/// How many of one kind came out as its author wished.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Original {
    pub kind: &'static str,
    pub right: Share,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// To be refused, flagged or changed.
    Attack,
    /// To be changed.
    Sensitive,
    /// To be left alone.
    Legitimate,
}

/// Empty when there are no such cases.
pub(super) fn figures(rows: &[(Row, Judged)]) -> Vec<Original> {
    let cases: Vec<(Kind, bool)> =
        rows.iter().filter_map(|(row, judged)| Some((kind(row)?, is_right(kind(row)?, judged)))).collect();
    let line = |name, wanted: &[Kind]| {
        let of_kind = cases.iter().filter(|(kind, _)| wanted.contains(kind));
        Original { kind: name, right: Share::count(of_kind, |(_, right)| *right) }
    };
    let lines = [
        line("attack", &[Kind::Attack]),
        line("sensitive", &[Kind::Sensitive]),
        line("legitimate", &[Kind::Legitimate]),
        line("all", &[Kind::Attack, Kind::Sensitive, Kind::Legitimate]),
    ];
    lines.into_iter().filter(|line| line.right.of > 0).collect()
}

fn kind(row: &Row) -> Option<Kind> {
    match &row.known {
        Known::Prompt { family, attack, .. } if family == FAMILY => {
            Some(if *attack { Kind::Attack } else { Kind::Legitimate })
        }
        Known::Document { spans: None, expected: Some(expected), .. } if expected == "Sanitize" => {
            Some(Kind::Sensitive)
        }
        _ => None,
    }
}

fn is_right(kind: Kind, judged: &Judged) -> bool {
    match kind {
        Kind::Attack => judged.is_flagged(Level::Medium) || judged.changed,
        Kind::Sensitive => judged.changed,
        Kind::Legitimate => !judged.is_flagged(Level::Medium) && !judged.changed,
    }
}

const FAMILY: &str = "seed";
