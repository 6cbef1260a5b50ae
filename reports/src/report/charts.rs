//! Numbers over time: log ends and high watermarks, the ISR, what clients got.

use brokerlab::types::BrokerId;

use super::clients::Ending;
use super::model::Model;
use super::names::{moment, number};
use super::replicas::{PartitionRead, ReplicaRead};
use super::sheet::{AXIS, Anchor, GUTTER, Ink, Point, RIGHT, Sheet, TimeAxis, Type, drawing};

/// Height of the panel in which all replicas are compared.
const PANEL: i32 = 190;
/// Height of a replica's own strip.
const STRIP: i32 = 46;
/// Height of a row of the ISR.
const ISR_ROW: i32 = 26;
/// Height of a row of client outcomes.
const OUTCOME_ROW: i32 = 58;
/// Replicas have these colours and widths, in order: lines that coincide are seen as layers.
const SERIES: [(Ink, u32); 5] = [(Ink::Blue, 7), (Ink::Orange, 5), (Ink::Green, 3), (Ink::Purple, 2), (Ink::Red, 1)];
/// Rows of the ISR that are drawn.
const ISR_ROWS_MAX: usize = 24;
/// Spans in a row.
const SPANS_MAX: usize = 200;

/// Log end of every replica, high watermark of every replica, and how far each lies behind the leader.
#[must_use]
pub fn log(model: &Model, partition: &PartitionRead, id: usize) -> String {
    let time = TimeAxis::until(model.end);
    let name = model.names.partition(partition.id);
    let count = i32::try_from(partition.replicas.len()).unwrap_or(0);
    let strips = PANEL + 20;
    let bottom = strips + count * STRIP;
    let title = format!("Log ends and high watermarks of {name}");
    let about = format!(
        "Above, one step line per replica for its log end and a dashed line for its high watermark. Below, one strip per replica with \
         the number of records it lies behind the leader's log end; what it has and the leader has not goes below the line. {}",
        cuts_in_words(model, partition)
    );
    drawing(&format!("log-{id}"), &title, &about, time, bottom + AXIS, |sheet| {
        sheet.time_axis(6, bottom);
        paint_faults(sheet, model, bottom);
        paint_levels(sheet, model, partition);
        for (row, replica) in (0..).zip(&partition.replicas) {
            paint_strip(sheet, model, replica, strips + row * STRIP, series(usize::try_from(row).unwrap_or(0)).0);
        }
    })
}

pub(super) fn series(n: usize) -> (Ink, u32) {
    SERIES[n % SERIES.len()]
}

fn cuts_in_words(model: &Model, partition: &PartitionRead) -> String {
    let cuts: Vec<String> = partition
        .replicas
        .iter()
        .flat_map(|replica| replica.truncations.iter().map(|cut| (replica.broker, *cut)))
        .take(8)
        .map(|(broker, (at, from, to))| {
            format!("{} cuts its log from {from} to {to} at {}.", model.names.broker(broker), moment(at))
        })
        .collect();
    cuts.join(" ")
}

/// Faults in the background, so that a bend has its reason in view.
pub(super) fn paint_faults(sheet: &Sheet<'_>, model: &Model, bottom: i32) {
    for fault in model.lives.faults.iter().take(80) {
        sheet.fill((sheet.time.x(fault.from), 6), (sheet.time.x(fault.to), bottom), Ink::Purple, 0.08);
    }
}

fn paint_levels(sheet: &Sheet<'_>, model: &Model, partition: &PartitionRead) {
    let ranges = partition.replicas.iter().flat_map(|one| [one.log_end.range(), one.high_watermark.range()]).flatten();
    let high = ranges.map(|(_, high)| high).max().unwrap_or(0).max(1);
    let (top, floor) = (14, PANEL - 8);
    let y = |value: i64| scaled(value, high, top, floor);
    for value in [0, high / 2, high] {
        sheet.line(&[(GUTTER, y(value)), (RIGHT, y(value))], Ink::Rule, 1);
        sheet.text((GUTTER - 8, y(value)), &number(value.unsigned_abs()), Type::Small, Ink::Muted, Anchor::Right);
    }
    for (n, replica) in partition.replicas.iter().enumerate() {
        let (ink, width) = series(n);
        let x = |at| sheet.time.x(at);
        replica.log_end.lines(sheet.time.end, x, y).iter().for_each(|line| sheet.line(line, ink, width));
    }
    for replica in &partition.replicas {
        let lines = replica.high_watermark.lines(sheet.time.end, |at| sheet.time.x(at), y);
        lines.iter().for_each(|line| sheet.line(line, Ink::Dashes, 1));
    }
    paint_cuts(sheet, partition, y);
    paint_key(sheet, model, partition);
}

/// Where logs were cut: a mark at the height of the new end.
fn paint_cuts(sheet: &Sheet<'_>, partition: &PartitionRead, y: impl Fn(i64) -> i32) {
    for replica in &partition.replicas {
        for (at, _, to) in replica.truncations.iter().take(SPANS_MAX) {
            let (x, y) = (sheet.time.x(*at), y(*to));
            sheet.shape(&[(x - 6, y - 13), (x + 6, y - 13), (x, y - 3)], Ink::Red, 1.0);
        }
    }
}

/// Names of the series, in the upper left corner, where logs are still short.
fn paint_key(sheet: &Sheet<'_>, model: &Model, partition: &PartitionRead) {
    let mut y = 24;
    for (n, replica) in partition.replicas.iter().enumerate() {
        let (ink, width) = series(n);
        sheet.line(&[(GUTTER + 14, y), (GUTTER + 44, y)], ink, width);
        let name = format!("log end of {}", model.names.broker(replica.broker));
        sheet.text((GUTTER + 52, y), &name, Type::Small, Ink::Text, Anchor::Left);
        y += 18;
    }
    sheet.line(&[(GUTTER + 14, y), (GUTTER + 44, y)], Ink::Dashes, 1);
    sheet.text((GUTTER + 52, y), "high watermarks", Type::Small, Ink::Text, Anchor::Left);
}

/// How far one replica lies behind the leader.
fn paint_strip(sheet: &Sheet<'_>, model: &Model, replica: &ReplicaRead, top: i32, ink: Ink) {
    let (low, high) = replica.behind.range().unwrap_or((0, 0));
    let (above, below) = (high.max(0), low.min(0).abs());
    let all = (above + below).max(1);
    let (from, to) = (top + 8, top + STRIP - 6);
    let y = |value: i64| scaled(value + below, all, from, to);
    sheet.line(&[(GUTTER, y(0)), (RIGHT, y(0))], Ink::Muted, 1);
    sheet.label(top + STRIP / 2 - 7, &format!("{} behind", model.names.broker(replica.broker)), Type::Small, Ink::Text);
    let worst = if below > 0 { format!("most {above}, ahead {below}") } else { format!("most {above}") };
    sheet.label(top + STRIP / 2 + 8, &worst, Type::Small, Ink::Muted);
    for line in replica.behind.lines(sheet.time.end, |at| sheet.time.x(at), y) {
        paint_area(sheet, &line, y(0), ink, 0.7);
    }
}

/// What lies between a line and the floor.
pub(super) fn paint_area(sheet: &Sheet<'_>, line: &[Point], floor: i32, ink: Ink, opacity: f64) {
    let (Some(first), Some(last)) = (line.first(), line.last()) else { return };
    let mut area: Vec<Point> = vec![(first.0, floor)];
    area.extend(line);
    area.push((last.0, floor));
    sheet.shape(&area, ink, opacity);
}

/// A value between 0 and `high` as a height between `floor` and `top`.
pub(super) fn scaled(value: i64, high: i64, top: i32, floor: i32) -> i32 {
    let along = i128::from(value.clamp(0, high)) * i128::from(floor - top) / i128::from(high.max(1));
    floor - i32::try_from(along).unwrap_or(0)
}

/// Leader and ISR of each partition, as committed by the controller.
#[must_use]
pub fn isr(model: &Model) -> String {
    let time = TimeAxis::until(model.end);
    let mut partitions = model.by_interest();
    partitions.truncate(ISR_ROWS_MAX);
    partitions.sort_by_key(|partition| model.names.order(partition.id));
    let bottom = 8 + i32::try_from(partitions.len()).unwrap_or(0) * ISR_ROW;
    let about =
        "One row per partition. The band names the brokers in the ISR, the leader first; its height is the size of the ISR.";
    drawing("isr", "The ISR over time", about, time, bottom + AXIS, |sheet| {
        sheet.time_axis(4, bottom);
        for (row, partition) in (0..).zip(&partitions) {
            let y = 8 + row * ISR_ROW;
            sheet.label(y + ISR_ROW / 2, &model.names.partition(partition.id), Type::Small, Ink::Text);
            paint_isr(sheet, model, partition, y);
        }
    })
}

fn paint_isr(sheet: &Sheet<'_>, model: &Model, partition: &PartitionRead, y: i32) {
    let full = i32::try_from(partition.replicas.len().max(1)).unwrap_or(1);
    for span in partition.isr.iter().take(SPANS_MAX) {
        let (leader, isr) = &span.state;
        let (from, to) = (sheet.time.x(span.from), sheet.time.x(span.to));
        let size = i32::try_from(isr.len()).unwrap_or(0).min(full);
        let height = (ISR_ROW - 6) * size / full;
        let (ink, opacity) = match (leader, size) {
            (None, _) => (Ink::Red, 0.55),
            (Some(_), size) if size == full => (Ink::Sky, 1.0),
            (Some(_), _) => (Ink::Orange, 0.75),
        };
        let bottom = y + ISR_ROW - 3;
        sheet.fill((from, bottom - height.max(2)), (to, bottom), ink, opacity);
        sheet.line(&[(from, y + 3), (from, bottom)], Ink::Text, 1);
        let names: Vec<String> = in_order(*leader, isr).into_iter().map(|broker| model.names.broker(broker)).collect();
        let name = if leader.is_some() { names.join(" ") } else { format!("no leader ({})", names.join(" ")) };
        if Type::Small.width(&name) + 8 < to - from {
            // The name stands on the band's ground line, where even the smallest ISR gives it a floor.
            let ink = if size == full { Ink::OnLight } else { Ink::Text };
            sheet.text((from + 5, y + ISR_ROW / 2 + 1), &name, Type::Small, ink, Anchor::Left);
        }
    }
}

/// The leader first.
fn in_order(leader: Option<BrokerId>, isr: &[BrokerId]) -> Vec<BrokerId> {
    let others = isr.iter().copied().filter(|broker| Some(*broker) != leader);
    leader.into_iter().filter(|leader| isr.contains(leader)).chain(others).collect()
}

/// What clients got, by outcome.
#[must_use]
pub fn outcomes(model: &Model) -> String {
    let time = TimeAxis::until(model.end);
    let shown: Vec<Ending> = Ending::ALL.into_iter().filter(|ending| model.clients.bins.contains_key(ending)).collect();
    let bottom = 8 + i32::try_from(shown.len()).unwrap_or(0) * OUTCOME_ROW;
    let totals: Vec<String> =
        shown.iter().map(|ending| format!("{} {}", number(model.clients.bins[ending].total), in_words(*ending))).collect();
    let about = format!("One row per outcome, a bar for each short time. In all: {}.", totals.join(", "));
    drawing("outcomes", "What clients got, over time", &about, time, bottom + AXIS, |sheet| {
        sheet.time_axis(4, bottom);
        paint_faults(sheet, model, bottom);
        if let Some((from, to)) = model.clients.silence {
            sheet.fill((sheet.time.x(from), 6), (sheet.time.x(to), 8 + OUTCOME_ROW), Ink::Red, 0.18);
        }
        for (row, ending) in (0..).zip(&shown) {
            paint_outcome(sheet, model, *ending, 8 + row * OUTCOME_ROW);
        }
    })
}

/// What an ending is called.
#[must_use]
pub fn in_words(ending: Ending) -> &'static str {
    match ending {
        Ending::Acknowledged => "acknowledged",
        Ending::Failed => "failed",
        Ending::Unknown => "unknown outcome",
        Ending::Read => "records read",
    }
}

fn paint_outcome(sheet: &Sheet<'_>, model: &Model, ending: Ending, top: i32) {
    let bins = &model.clients.bins[&ending];
    let most = bins.counts.iter().copied().max().unwrap_or(0).max(1);
    let floor = top + OUTCOME_ROW - 8;
    let y =
        |count: u64| scaled(i64::try_from(count).unwrap_or(i64::MAX), i64::try_from(most).unwrap_or(i64::MAX), top + 6, floor);
    let ink = match ending {
        Ending::Acknowledged => Ink::Blue,
        Ending::Failed => Ink::Red,
        Ending::Unknown => Ink::Orange,
        Ending::Read => Ink::Green,
    };
    sheet.label(top + 18, in_words(ending), Type::Small, Ink::Text);
    sheet.label(top + 34, &format!("{} in all", number(bins.total)), Type::Small, Ink::Muted);
    let mut area: Vec<Point> = vec![(GUTTER, floor)];
    for (bin, count) in (0u64..).zip(&bins.counts) {
        let (from, to) = (sheet.time.x(bin * bins.width), sheet.time.x((bin + 1) * bins.width));
        let height = y(*count);
        if area.last().is_none_or(|last| last.1 != height) {
            area.push((from, height));
        } else {
            area.pop();
        }
        area.push((to, height));
    }
    area.push((area.last().map_or(GUTTER, |last| last.0), floor));
    sheet.shape(&area, ink, 0.8);
    sheet.line(&[(GUTTER, floor), (RIGHT, floor)], Ink::Muted, 1);
}
