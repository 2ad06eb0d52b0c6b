//! The figures as tables for a terminal. Computes none of them.

use std::fmt::Write;

use super::Report;
use super::original::Original;
use super::prompts::{Benign, Group};
use super::report::Cost;
use super::spans::{Documents, Entity};
use super::statistic::{Area, Share};
use super::worst::Worst;

pub(super) fn text(report: &Report) -> String {
    let mut out = String::new();
    for (title, groups) in [
        ("headline", &report.headline),
        ("apart from the headline", &report.apart),
        ("by category and source", &report.groups),
    ] {
        attacks(&mut out, title, groups);
    }
    benign(&mut out, &report.benign);
    original(&mut out, &report.original);
    documents(&mut out, &report.documents);
    worst(&mut out, &report.worst);
    cost(&mut out, report.rows, &report.cost);
    out
}

fn attacks(out: &mut String, title: &str, groups: &[Group]) {
    let head = ["rows", "AUC [95 %]", "R@1% [95 %]", "R@0.1% [95 %]", "level", "recall [95 %]", "FPR", "prec.", "F1"];
    if groups.is_empty() {
        return;
    }
    section(out, &format!("attacks, {title} (against all benign rows)"));
    let [rows, auc, at_1, at_01, level, recall, fpr, precision, f1] = head;
    line(
        out,
        format!(
            "{:<44} {rows:>6}  {auc:<20} {at_1:<20} {at_01:<20} {level:<6} {recall:<20} {fpr:>6} {precision:>6} {f1:>5}",
            ""
        ),
    );
    for group in groups {
        let name =
            group.family.as_ref().map_or(group.category.clone(), |family| format!("{} {family}", group.category));
        let (at_1, at_01) = (interval(&group.recall_at_1), interval(&group.recall_at_01));
        let mut left = format!("{name:<44} {:>6}  {:<20} {at_1:<20} {at_01:<20}", group.rows, area(group.area));
        for at in &group.levels {
            let (level, recall, fpr) = (at.level, interval(&at.recall), percent(at.false_positives.share));
            line(out, format!("{left} {:<6} {recall:<20} {fpr:>6} {:>6.3} {:>5.3}", level.name(), at.precision, at.f1));
            left = " ".repeat(left.chars().count());
        }
    }
}

fn benign(out: &mut String, lines: &[Benign]) {
    if lines.is_empty() {
        return;
    }
    section(out, "benign rows: refused at each level, masked at medium");
    line(
        out,
        format!(
            "{:<44} {:>6}  {:>7} {:>7} [95 %]{:<10} {:>7}  {:>7}",
            "", "rows", "low", "medium", "", "high", "masked"
        ),
    );
    for benign in lines {
        let name = match (&benign.category, &benign.family) {
            (Some(category), Some(family)) => format!("{category} {family}"),
            _ => "all".to_owned(),
        };
        let [low, medium, high] = benign.refused.map(|share| percent(share.share));
        let reach = format!("[{}, {}]", percent(benign.refused[1].low), percent(benign.refused[1].high));
        let masked = percent(benign.masked.share);
        line(out, format!("{name:<44} {:>6}  {low:>7} {medium:>7} {reach:<16} {high:>7}  {masked:>7}", benign.rows));
    }
}

fn original(out: &mut String, lines: &[Original]) {
    if lines.is_empty() {
        return;
    }
    section(out, "cases of the original server, by its own rule, level medium");
    for kind in lines {
        let right = kind.right;
        line(out, format!("{:<44} {:>4} of {:<5} {}", kind.kind, right.hits, right.of, interval(&right)));
    }
}

fn documents(out: &mut String, files: &[Documents]) {
    for file in files {
        section(out, &format!("spans: {}", file.file));
        for (what, share) in [
            ("secrets masked whole", file.secrets_whole),
            ("other spans masked whole", file.others_whole),
            ("documents without spans touched", file.touched),
            ("characters masked outside spans", file.stray_characters),
        ] {
            if share.of > 0 {
                line(out, format!("{what:<44} {:>6} of {:<8} {}", share.hits, share.of, interval(&share)));
            }
        }
        let known: Vec<&Entity> = file.entities.iter().filter(|entity| entity.known > 0).collect();
        if !known.is_empty() {
            line(
                out,
                format!(
                    "{:<24} {:>6} {:>6}   {:<20}   {:<20}",
                    "type", "known", "found", "exact P R F1", "overlap P R F1"
                ),
            );
        }
        for entity in known {
            let (exact, overlap) = (entity.exact, entity.overlap);
            line(
                out,
                format!(
                    "{:<24} {:>6} {:>6}   {:.3} {:.3} {:.3}      {:.3} {:.3} {:.3}",
                    entity.kind,
                    entity.known,
                    entity.found,
                    exact.precision,
                    exact.recall,
                    exact.f1,
                    overlap.precision,
                    overlap.recall,
                    overlap.f1,
                ),
            );
        }
    }
}

fn worst(out: &mut String, rows: &[Worst]) {
    if !rows.is_empty() {
        section(out, "worst rows");
    }
    for row in rows {
        line(out, format!("{:<17} {:<28} {:.3} {} {}", row.what, row.id, row.score, row.of, row.rules.join(" ")));
    }
}

fn cost(out: &mut String, rows: usize, cost: &Cost) {
    section(out, "cost at one level, one thread");
    line(
        out,
        format!(
            "{rows} rows, {} bytes: p50 {:.1} us, p99 {:.1} us, p50 of about 1 KB {:.1} us, {:.1} MB/s",
            cost.bytes, cost.p50_us, cost.p99_us, cost.kilobyte_p50_us, cost.mb_per_s
        ),
    );
}

fn section(out: &mut String, title: &str) {
    if !out.is_empty() {
        out.push('\n');
    }
    line(out, format!("── {title}"));
}

fn line(out: &mut String, line: String) {
    // Writing to a string does not fail.
    writeln!(out, "{}", line.trim_end()).ok();
}

fn area(area: Option<Area>) -> String {
    area.map_or_else(String::new, |area| format!("{} [{}, {}]", short(area.auc), short(area.low), short(area.high)))
}

fn interval(share: &Share) -> String {
    format!("{} [{}, {}]", short(share.share), short(share.low), short(share.high))
}

/// Three digits without the zero in front.
fn short(value: f64) -> String {
    let text = format!("{value:.3}");
    text.strip_prefix('0').map_or(text.clone(), str::to_owned)
}

fn percent(value: f64) -> String {
    format!("{:.2}%", value * 100.0)
}
