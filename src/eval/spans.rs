//! Figures of documents with labelled spans. Knows nothing of attacks.

use std::collections::BTreeSet;
use std::ops::Range;

use serde::Serialize;

use super::entity::{self, STRUCTURED};
use super::judged::Found;
use super::row::{Gold, Known};
use super::statistic::{Agreement, Share};
use super::{Judged, Row};

/// What was found in the documents of one file. Files are not added up: each labels other types, and leaves others out.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Documents {
    pub file: String,
    pub rows: usize,
    /// Documents without a labelled span in which anything is masked.
    pub touched: Share,
    /// Labelled secrets of whose characters at least nine in ten are masked.
    pub secrets_whole: Share,
    /// The same for labelled spans of any other type.
    pub others_whole: Share,
    /// Characters outside every labelled span that are masked.
    pub stray_characters: Share,
    pub entities: Vec<Entity>,
}

/// How well spans of one kind are found, masked or not.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Entity {
    pub kind: String,
    pub known: usize,
    pub found: usize,
    pub exact: Agreement,
    pub overlap: Agreement,
}

/// One for each file with labelled spans.
pub(super) fn figures(rows: &[(Row, Judged)]) -> Vec<Documents> {
    let all: Vec<Document> = rows.iter().filter_map(Document::of).collect();
    let files: BTreeSet<&str> = all.iter().map(|document| document.file).collect();
    let of_file = |file: &str| all.iter().filter(|document| document.file == file).copied().collect::<Vec<_>>();
    files.iter().map(|file| documents(file, &of_file(file))).collect()
}

#[derive(Clone, Copy)]
pub(super) struct Document<'r> {
    pub file: &'r str,
    pub gold: &'r [Gold],
    pub found: &'r [Found],
    characters: usize,
}

impl<'r> Document<'r> {
    /// `None` for a prompt, or where the spans are not known.
    pub fn of((row, judged): &'r (Row, Judged)) -> Option<Self> {
        match &row.known {
            Known::Document { file, spans: Some(gold), .. } => {
                Some(Document { file, gold, found: &judged.spans, characters: row.text.chars().count() })
            }
            _ => None,
        }
    }

    pub fn is_negative(&self) -> bool {
        self.gold.is_empty()
    }

    pub fn is_touched(&self) -> bool {
        self.found.iter().any(Found::is_masked)
    }

    /// For each labelled span whether it is masked whole.
    pub fn whole(&self) -> impl Iterator<Item = (&'r Gold, bool)> + use<'r> {
        let masked = self.masked();
        self.gold.iter().map(move |gold| {
            let covered = masked[gold.range.clone()].iter().filter(|masked| **masked).count();
            (gold, covered * 10 >= gold.range.len() * 9)
        })
    }

    /// For each character whether it is masked.
    fn masked(&self) -> Vec<bool> {
        marked(self.characters, self.found.iter().filter(|found| found.is_masked()).map(|found| &found.range))
    }

    /// Masked characters outside the labelled spans, of all outside them.
    fn stray(&self) -> (usize, usize) {
        let labelled = marked(self.characters, self.gold.iter().map(|gold| &gold.range));
        let outside = self.masked().into_iter().zip(labelled).filter(|(_, labelled)| !labelled);
        outside.fold((0, 0), |(stray, all), (masked, _)| (stray + usize::from(masked), all + 1))
    }
}

fn marked<'r>(characters: usize, ranges: impl Iterator<Item = &'r Range<usize>>) -> Vec<bool> {
    let mut marks = vec![false; characters];
    for range in ranges {
        marks.iter_mut().take(range.end).skip(range.start).for_each(|mark| *mark = true);
    }
    marks
}

fn documents(file: &str, documents: &[Document]) -> Documents {
    let whole: Vec<(&Gold, bool)> = documents.iter().flat_map(Document::whole).collect();
    let share_whole = |secret: bool| {
        let of_kind = whole.iter().filter(|(gold, _)| (gold.entity == "SECRET") == secret);
        Share::count(of_kind, |(_, whole)| *whole)
    };
    let stray = documents.iter().map(Document::stray).fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    Documents {
        file: file.to_owned(),
        rows: documents.len(),
        touched: Share::count(documents.iter().filter(|document| document.is_negative()), Document::is_touched),
        secrets_whole: share_whole(true),
        others_whole: share_whole(false),
        stray_characters: Share::new(stray.0, stray.1),
        entities: entities(documents),
    }
}

fn entities(documents: &[Document]) -> Vec<Entity> {
    let gold = documents.iter().flat_map(|document| document.gold).map(|gold| entity::kind(&gold.entity));
    let found = documents.iter().flat_map(|document| document.found).map(|found| entity::kind(found.shown_entity()));
    let kinds: BTreeSet<&str> = gold.chain(found).collect();
    let counts: Vec<(&str, Count)> = kinds.into_iter().map(|kind| (kind, count(documents, kind))).collect();
    let sum = |name: &str, wanted: &dyn Fn(&str) -> bool| {
        let of_kind = counts.iter().filter(|(kind, _)| wanted(kind));
        of_kind.fold(Count::default(), |sum, (_, one)| sum.plus(one)).entity(name)
    };
    let sums = [
        sum("structured", &|kind| STRUCTURED.contains(&kind)),
        sum("structured, no phone", &|kind| STRUCTURED.contains(&kind) && kind != "PHONE_NUMBER"),
    ];
    let single = counts.iter().map(|(kind, count)| count.entity(kind));
    single.chain(sums.into_iter().filter(|entity| entity.known > 0)).collect()
}

/// Of one kind in all documents.
#[derive(Clone, Copy, Debug, Default)]
struct Count {
    known: usize,
    found: usize,
    /// Found with the very borders of a labelled span.
    exact: usize,
    /// Labelled spans that a found one overlaps, and the other way round.
    hit: usize,
    right: usize,
}

fn count(documents: &[Document], kind: &str) -> Count {
    documents.iter().fold(Count::default(), |sum, document| {
        let gold = ranges(document.gold.iter().map(|gold| (&*gold.entity, &gold.range)), kind);
        let found = ranges(document.found.iter().map(|found| (found.shown_entity(), &found.range)), kind);
        let overlapping = |range: &Range<usize>, others: &[&Range<usize>]| {
            others.iter().any(|other| range.start < other.end && other.start < range.end)
        };
        sum.plus(&Count {
            known: gold.len(),
            found: found.len(),
            exact: gold.iter().filter(|range| found.contains(range)).count(),
            hit: gold.iter().filter(|range| overlapping(range, &found)).count(),
            right: found.iter().filter(|range| overlapping(range, &gold)).count(),
        })
    })
}

fn ranges<'r>(spans: impl Iterator<Item = (&'r str, &'r Range<usize>)>, kind: &str) -> Vec<&'r Range<usize>> {
    spans.filter(|(entity, _)| entity::kind(entity) == kind).map(|(_, range)| range).collect()
}

impl Count {
    fn plus(self, other: &Count) -> Count {
        Count {
            known: self.known + other.known,
            found: self.found + other.found,
            exact: self.exact + other.exact,
            hit: self.hit + other.hit,
            right: self.right + other.right,
        }
    }

    fn entity(&self, kind: &str) -> Entity {
        Entity {
            kind: kind.to_owned(),
            known: self.known,
            found: self.found,
            exact: Agreement::new(self.exact, self.found, self.exact, self.known),
            overlap: Agreement::new(self.right, self.found, self.hit, self.known),
        }
    }
}
