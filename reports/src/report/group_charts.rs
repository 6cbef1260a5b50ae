//! A consumer group on a sheet: a band for each owner of each partition, and below how far the group lies behind.
//!
//! ```text
//!   generation    │1        │2           │3
//!   orders-0      ████ billing-1 ███   ████ billing-2 ███████
//!   orders-1      ████ billing-2 ██████████  ██ billing-1 ██
//!   orders-0 lag  ▂▃▅▂▁▁▃▆█▅▂          area: not processed · dashes: not committed
//! ```

use super::charts::{paint_area, paint_faults, scaled, series};
use super::groups::{GroupRead, RowRead};
use super::model::Model;
use super::names::{moment, number};
use super::sheet::{AXIS, Anchor, GUTTER, Ink, RIGHT, Sheet, TimeAxis, Type, drawing};
use super::steps::Steps;

/// Height of the row of generations.
const HEAD: i32 = 24;
/// Height of a partition's owners.
const ROW: i32 = 22;
/// Height of a partition's lag.
const STRIP: i32 = 40;
/// Partitions that are drawn.
const PARTITIONS_MAX: usize = 12;
/// Spans in a row.
const SPANS_MAX: usize = 200;

/// Owners and lag of every partition of a group.
#[must_use]
pub fn group(model: &Model, group: &GroupRead, id: usize) -> String {
    let rows = &group.rows[..group.rows.len().min(PARTITIONS_MAX)];
    let count = i32::try_from(rows.len()).unwrap_or(0);
    let (owners, strips) = (8 + HEAD, 8 + HEAD + count * ROW + 10);
    let bottom = strips + count * STRIP;
    let title = format!("Who owned what in {}, and how far it came", group.id);
    drawing(&format!("group-{id}"), &title, &about(model, rows), TimeAxis::until(model.end), bottom + AXIS, |sheet| {
        sheet.time_axis(4, bottom);
        paint_faults(sheet, model, bottom);
        paint_generations(sheet, group, bottom);
        for (n, row) in (0..).zip(rows) {
            paint_owners(sheet, model, row, owners + n * ROW);
            paint_lag(sheet, row, strips + n * STRIP);
        }
    })
}

fn about(model: &Model, rows: &[RowRead]) -> String {
    let doubles = rows.iter().filter_map(|row| {
        let (from, _) = *row.shared().first()?;
        let names: Vec<String> = row.owners.keys().map(|node| model.names.node(*node)).collect();
        Some(format!(" {} has two owners at {} (of {}).", row.partition, moment(from), names.join(", ")))
    });
    format!(
        "Above, one row per partition with a band for each member that believed to own it; vertical lines are generations. Below, one strip per \
         partition: the area is what the group had not processed yet, the dashed line what it had not committed.{}",
        doubles.take(4).collect::<String>()
    )
}

fn paint_generations(sheet: &Sheet<'_>, group: &GroupRead, bottom: i32) {
    sheet.label(8 + HEAD / 2, "generation", Type::Small, Ink::Muted);
    let mut free = i32::MIN;
    for (at, generation) in group.generations.iter().take(SPANS_MAX) {
        let x = sheet.time.x(*at);
        sheet.line(&[(x, 8), (x, bottom)], Ink::Grey, 1);
        let text = generation.to_string();
        if x + 4 > free {
            sheet.text((x + 4, 8 + HEAD / 2), &text, Type::Small, Ink::Muted, Anchor::Left);
            free = x + 4 + Type::Small.width(&text) + 4;
        }
    }
}

fn paint_owners(sheet: &Sheet<'_>, model: &Model, row: &RowRead, top: i32) {
    sheet.label(top + ROW / 2, &row.partition.to_string(), Type::Small, Ink::Text);
    for (node, spans) in &row.owners {
        let ink = series(usize::from(node.0)).0;
        let name = model.names.node(*node);
        for span in spans.iter().take(SPANS_MAX) {
            let (from, to) = (sheet.time.x(span.from), sheet.time.x(span.to));
            sheet.fill((from, top + 3), (to, top + ROW - 3), ink, 0.35);
            sheet.line(&[(from, top + 2), (from, top + ROW - 2)], ink, 2);
            if Type::Small.width(&name) + 10 < to - from {
                sheet.text((from + 6, top + ROW / 2), &name, Type::Small, Ink::Text, Anchor::Left);
            }
        }
    }
    for (from, to) in row.shared().into_iter().take(SPANS_MAX) {
        sheet.fill((sheet.time.x(from), top + ROW - 6), (sheet.time.x(to), top + ROW - 2), Ink::Red, 1.0);
    }
}

fn paint_lag(sheet: &Sheet<'_>, row: &RowRead, top: i32) {
    let high = |steps: &Steps| steps.range().map_or(0, |(_, high)| high);
    let (unprocessed, uncommitted) = (high(&row.unprocessed), high(&row.uncommitted));
    let most = unprocessed.max(uncommitted).max(1);
    let (from, floor) = (top + 6, top + STRIP - 6);
    let y = |value: i64| scaled(value, most, from, floor);
    sheet.line(&[(GUTTER, floor), (RIGHT, floor)], Ink::Muted, 1);
    sheet.label(top + STRIP / 2 - 7, &format!("{} lag", row.partition), Type::Small, Ink::Text);
    sheet.label(top + STRIP / 2 + 8, &format!("most {}", number(most.unsigned_abs())), Type::Small, Ink::Muted);
    for line in row.unprocessed.lines(sheet.time.end, |at| sheet.time.x(at), y) {
        paint_area(sheet, &line, floor, Ink::Blue, 0.5);
    }
    for line in row.uncommitted.lines(sheet.time.end, |at| sheet.time.x(at), y) {
        sheet.line(&line, Ink::Dashes, 1);
    }
}
