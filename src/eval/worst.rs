//! The rows that went most wrong, by id. Holds names and scores, never a text.

use serde::Serialize;

use super::prompts::CORE;
use super::row::Known;
use super::spans::Document;
use super::{Judged, Row};
use crate::policy::Level;

/// One row and what is wrong with its outcome.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Worst {
    pub what: &'static str,
    pub id: String,
    /// Family and category, or the file and the types concerned.
    pub of: String,
    pub score: f32,
    pub rules: Vec<String>,
}

/// At most `count` of each kind.
pub(super) fn of(rows: &[(Row, Judged)], count: usize) -> Vec<Worst> {
    let missed = CORE.iter().flat_map(|category| missed_attacks(rows, category).take(count));
    missed
        .chain(false_alarms(rows).take(count))
        .chain(masked_benign(rows).take(count))
        .chain(spans_not_whole(rows).take(count))
        .chain(touched_negatives(rows).take(count))
        .collect()
}

/// Attacks that pass at level medium, lowest score first.
fn missed_attacks(rows: &[(Row, Judged)], wanted: &str) -> impl Iterator<Item = Worst> {
    let mut missed: Vec<&(Row, Judged)> = prompts(rows, true)
        .filter(|(row, judged)| category(row) == wanted && !judged.is_refused(Level::Medium))
        .collect();
    missed.sort_by(|a, b| a.1.score.total_cmp(&b.1.score));
    missed.into_iter().map(|row| prompt("missed attack", row))
}

/// Benign rows that any attack rule spoke up for, highest score first.
fn false_alarms(rows: &[(Row, Judged)]) -> impl Iterator<Item = Worst> {
    let mut alarms: Vec<&(Row, Judged)> = prompts(rows, false).filter(|(_, judged)| judged.score > 0.0).collect();
    alarms.sort_by(|a, b| b.1.score.total_cmp(&a.1.score));
    alarms.into_iter().map(|row| prompt("false alarm", row))
}

fn masked_benign(rows: &[(Row, Judged)]) -> impl Iterator<Item = Worst> {
    prompts(rows, false).filter(|(_, judged)| judged.masks_anything()).map(|row| prompt("masked benign", row))
}

fn spans_not_whole(rows: &[(Row, Judged)]) -> impl Iterator<Item = Worst> {
    rows.iter().filter_map(|row| {
        let document = Document::of(row)?;
        let types: Vec<&str> = document.whole().filter(|(_, whole)| !whole).map(|(gold, _)| &*gold.entity).collect();
        (!types.is_empty()).then(|| worst("not masked whole", row, format!("{} {}", document.file, types.join(" "))))
    })
}

fn touched_negatives(rows: &[(Row, Judged)]) -> impl Iterator<Item = Worst> {
    rows.iter().filter_map(|row| {
        let document = Document::of(row)?;
        let touched = document.is_negative() && document.is_touched();
        touched.then(|| worst("touched negative", row, document.file.to_owned()))
    })
}

fn prompts(rows: &[(Row, Judged)], attacks: bool) -> impl Iterator<Item = &(Row, Judged)> {
    rows.iter().filter(move |(row, _)| matches!(row.known, Known::Prompt { attack, .. } if attack == attacks))
}

fn category(row: &Row) -> &str {
    if let Known::Prompt { category, .. } = &row.known { category } else { "" }
}

fn prompt(what: &'static str, row: &(Row, Judged)) -> Worst {
    let of = match &row.0.known {
        Known::Prompt { family, category, .. } => format!("{family} {category}"),
        Known::Document { file, .. } => file.clone(),
    };
    worst(what, row, of)
}

fn worst(what: &'static str, (row, judged): &(Row, Judged), of: String) -> Worst {
    let rules = judged.rules.iter().map(ToString::to_string).collect();
    Worst { what, id: row.id.clone(), of, score: judged.score, rules }
}
