//! Swimlanes: who was what, when. One band per replica, one line per process, the faults above all of it.
//!
//! ```text
//!   faults       ███ f1 isolate b2 ███      ██ f2 crash b1
//!   b1           ─────────────────────────────✕      ○─────
//!     orders-0   ████ leader, epoch 0 ████████        ▄▄▄▄      tall: leader · half: follower in the ISR · thin: outside of it
//! ```

use crate::event::NodeId;

use super::lives::{FaultBand, Life, Mark};
use super::model::Model;
use super::names::moment;
use super::replicas::{PartitionRead, ReplicaRead, Standing};
use super::sheet::{AXIS, Anchor, GUTTER, Ink, RIGHT, Sheet, TimeAxis, Type, drawing, shortened};
use super::spans::Span;

/// Height of a replica's row.
const ROW: i32 = 22;
/// Height of a process's row.
const HEAD: i32 = 24;
/// Height of a row of faults.
const FAULT_ROW: i32 = 19;
/// Partitions that are drawn.
const PARTITIONS_MAX: usize = 12;
/// Spans that are drawn in one row: more than these nobody can tell apart.
const SPANS_MAX: usize = 300;
/// Faults whose rows are packed; the rest is in the plan.
const FAULTS_MAX: usize = 80;

/// Draws the lanes of the nodes to which something happened, for a range of time.
#[must_use]
pub fn lanes(model: &Model, id: &str, title: &str, time: TimeAxis) -> String {
    let packed = packed_faults(model, time);
    let fault_rows = packed.iter().map(|one| one.row + 1).max().unwrap_or(0);
    let mut partitions = model.by_interest();
    partitions.truncate(PARTITIONS_MAX);
    partitions.sort_by_key(|partition| model.names.order(partition.id));
    let all = (0..model.names.count()).map(|node| Lane::of(model, NodeId(node), &partitions));
    let lanes: Vec<Lane<'_>> = all.filter(|lane| lane.is_worth_a_look(model)).collect();
    let top = 10 + fault_rows * FAULT_ROW + if fault_rows > 0 { 8 } else { 0 };
    let bottom = top + lanes.iter().map(Lane::height).sum::<i32>();
    let about = format!(
        "One lane per node from {} to {}. In a broker's lane each partition has a row: a tall band means leader, \
         a half-high band follower in the ISR, a thin one follower outside the ISR, none no process. Faults stand above the lanes \
         and tint the lanes of the nodes they strike.",
        moment(time.begin),
        moment(time.end)
    );
    drawing(id, title, &about, time, bottom + AXIS, |sheet| {
        sheet.time_axis(4, bottom);
        paint_faults(sheet, &packed);
        let mut y = top;
        for lane in &lanes {
            lane.paint(sheet, model, y);
            y += lane.height();
        }
        paint_moments(sheet, model, bottom);
    })
}

/// A fault with its place among the others.
struct Packed<'m> {
    fault: &'m FaultBand,
    label: String,
    row: i32,
    /// Its label stands to the right of its begin; at the right edge there is no room.
    is_right: bool,
}

/// Faults in as few rows as their labels allow.
fn packed_faults(model: &Model, time: TimeAxis) -> Vec<Packed<'_>> {
    let mut ends: Vec<i32> = Vec::new();
    let mut packed = Vec::new();
    let shown = model.lives.faults.iter().filter(|fault| time.span(fault.from, fault.to).is_some());
    for fault in shown.take(FAULTS_MAX) {
        let nodes: Vec<String> = fault.nodes.iter().map(|node| model.names.node(*node)).collect();
        let label = shortened(&format!("{} {} {}", fault.id, fault.kind, nodes.join(" ")), 44);
        let (begin, room) = (time.x(fault.from), Type::Small.width(&label) + 14);
        let is_right = begin + room < RIGHT;
        let (from, to) = if is_right { (begin, begin + room) } else { (begin - room, begin) };
        let to = time.x(fault.to).max(to);
        let row = ends.iter().position(|end| *end <= from).unwrap_or(ends.len());
        if row == ends.len() {
            ends.push(to);
        } else {
            ends[row] = to;
        }
        packed.push(Packed { fault, label, row: i32::try_from(row).unwrap_or(0), is_right });
    }
    packed
}

fn paint_faults(sheet: &Sheet<'_>, packed: &[Packed<'_>]) {
    if packed.is_empty() {
        return;
    }
    sheet.label(10 + FAULT_ROW / 2, "faults", Type::Bold, Ink::Text);
    for Packed { fault, label, row, is_right } in packed {
        let y = 10 + row * FAULT_ROW;
        let (from, to) = (sheet.time.x(fault.from), sheet.time.x(fault.to));
        sheet.fill((from, y + 2), (to, y + FAULT_ROW - 2), Ink::Purple, 0.55);
        sheet.line(&[(from, y + 1), (from, y + FAULT_ROW - 1)], Ink::Purple, 2);
        let (x, anchor) = if *is_right { (from + 5, Anchor::Left) } else { (from - 5, Anchor::Right) };
        sheet.text((x, y + FAULT_ROW / 2), label, Type::Small, Ink::Text, anchor);
    }
}

/// Lines through all lanes: where healing begins, where a check failed first.
fn paint_moments(sheet: &Sheet<'_>, model: &Model, bottom: i32) {
    if let Some(at) = model.lives.settle.filter(|at| sheet.time.shows(*at)) {
        let x = sheet.time.x(at);
        sheet.line(&[(x, 4), (x, bottom)], Ink::Green, 2);
    }
    if let Some(beat) = model.story.first_finding().filter(|beat| sheet.time.shows(beat.at)) {
        let x = sheet.time.x(beat.at);
        sheet.line(&[(x, 4), (x, bottom)], Ink::Red, 2);
    }
}

/// One node's lane.
struct Lane<'m> {
    node: NodeId,
    rows: Vec<(&'m PartitionRead, &'m ReplicaRead)>,
}

impl<'m> Lane<'m> {
    fn of(model: &Model, node: NodeId, partitions: &[&'m PartitionRead]) -> Lane<'m> {
        let broker = model.names.broker_on(node);
        let rows = partitions.iter().filter_map(|partition| {
            Some((*partition, partition.replicas.iter().find(|replica| Some(replica.broker) == broker)?))
        });
        Lane { node, rows: rows.collect() }
    }

    /// Brokers and controllers always; others when something happened to them.
    fn is_worth_a_look(&self, model: &Model) -> bool {
        let name = model.names.node(self.node);
        let is_server = model.names.broker_on(self.node).is_some() || name.starts_with('c');
        let is_struck = model.lives.faults.iter().any(|fault| fault.nodes.contains(&self.node));
        is_server || is_struck || model.lives.marks.iter().any(|(_, node, _)| *node == self.node)
    }

    fn height(&self) -> i32 {
        HEAD + i32::try_from(self.rows.len()).unwrap_or(0) * ROW + 6
    }

    fn paint(&self, sheet: &Sheet<'_>, model: &Model, top: i32) {
        sheet.line(&[(8, top), (RIGHT, top)], Ink::Rule, 1);
        for fault in model.lives.faults.iter().filter(|fault| fault.nodes.contains(&self.node)).take(FAULTS_MAX) {
            let Some((from, to)) = sheet.time.span(fault.from, fault.to) else { continue };
            sheet.fill((from, top + 1), (to, top + self.height() - 1), Ink::Purple, 0.16);
        }
        sheet.label(top + HEAD / 2, &model.names.node(self.node), Type::Bold, Ink::Text);
        let life = model.lives.spans.get(&self.node).map_or(&[][..], Vec::as_slice);
        paint_life(sheet, life, top + HEAD / 2);
        let marks = model.lives.marks.iter().filter(|(at, node, _)| *node == self.node && sheet.time.shows(*at));
        for (at, _, mark) in marks.take(SPANS_MAX) {
            paint_mark(sheet, (sheet.time.x(*at), top + HEAD / 2), *mark);
        }
        for (row, (partition, replica)) in (0..).zip(&self.rows) {
            let y = top + HEAD + row * ROW;
            sheet.label(y + ROW / 2, &model.names.partition(partition.id), Type::Small, Ink::Muted);
            paint_standing(sheet, &replica.standing, y);
            for (at, ..) in replica.truncations.iter().filter(|(at, ..)| sheet.time.shows(*at)).take(SPANS_MAX) {
                let x = sheet.time.x(*at);
                sheet.shape(&[(x - 6, y), (x + 6, y), (x, y + 10)], Ink::Red, 1.0);
            }
        }
    }
}

fn paint_life(sheet: &Sheet<'_>, life: &[Span<Life>], y: i32) {
    for span in life.iter().take(SPANS_MAX) {
        let Some((from, to)) = sheet.time.span(span.from, span.to) else { continue };
        match span.state {
            Life::Up => sheet.line(&[(from, y), (to, y)], Ink::Text, 2),
            Life::Frozen => {
                sheet.line(&[(from, y), (to, y)], Ink::Dashes, 2);
                if to - from > 50 {
                    sheet.text((from + 4, y - 8), "frozen", Type::Small, Ink::Text, Anchor::Left);
                }
            }
            Life::Down => {}
        }
    }
}

fn paint_mark(sheet: &Sheet<'_>, (x, y): (i32, i32), mark: Mark) {
    match mark {
        Mark::Started => sheet.ring((x, y), 5, Ink::Green),
        Mark::Stopped => sheet.line(&[(x, y - 6), (x, y + 6)], Ink::Text, 3),
        Mark::Crashed | Mark::Panicked => sheet.cross((x, y), 6, Ink::Red),
        // A bolt.
        Mark::PowerLost => {
            sheet.shape(&[(x + 2, y - 9), (x - 6, y + 2), (x, y + 2), (x - 2, y + 9), (x + 6, y - 2), (x, y - 2)], Ink::Red, 1.0);
        }
    }
}

fn paint_standing(sheet: &Sheet<'_>, standing: &[Span<Standing>], y: i32) {
    for span in merged(sheet, standing) {
        let Some((from, to)) = sheet.time.span(span.from, span.to) else { continue };
        let room = to - from;
        let (ink, top, on) = match span.state {
            Standing::Leader(_) => (Ink::Blue, y + 2, Ink::OnDark),
            Standing::Deposed(_) => (Ink::Red, y + 2, Ink::OnDark),
            Standing::InSync(_) => (Ink::Sky, y + ROW / 2 - 2, Ink::OnLight),
            Standing::OutOfSync(_) => (Ink::Orange, y + ROW - 6, Ink::Text),
            Standing::Idle => (Ink::Grey, y + ROW - 4, Ink::Text),
            Standing::Down => continue,
        };
        sheet.fill((from, top), (to, y + ROW - 2), ink, 1.0);
        let names = match span.state {
            Standing::Leader(epoch) => [format!("leader, epoch {epoch}"), format!("e{epoch}")],
            Standing::Deposed(epoch) => [format!("thinks it leads, epoch {epoch}"), format!("!e{epoch}")],
            Standing::InSync(_) | Standing::OutOfSync(_) | Standing::Idle | Standing::Down => continue,
        };
        if let Some(name) = names.iter().find(|name| Type::Small.width(name) + 8 < room) {
            sheet.text((from + 4, y + ROW / 2), name, Type::Small, on, Anchor::Left);
        }
    }
}

/// Spans too narrow to be told apart become one with what follows, unless they lead.
fn merged(sheet: &Sheet<'_>, standing: &[Span<Standing>]) -> Vec<Span<Standing>> {
    let mut kept: Vec<Span<Standing>> = Vec::new();
    for span in standing {
        let is_narrow = sheet.time.x(span.to) <= sheet.time.x(span.from);
        if is_narrow && kept.len() > SPANS_MAX / 2 {
            continue;
        }
        kept.push(span.clone());
    }
    kept.truncate(SPANS_MAX);
    kept
}

/// The signs of the lanes, drawn once below them.
#[must_use]
pub fn legend() -> String {
    let height = 58;
    drawing("legend", "Signs", "The signs used in the lanes, each with its meaning.", TimeAxis::until(1), height, |sheet| {
        let band = |x: i32, top: i32, ink: Ink, name: &str| {
            sheet.fill((x, top), (x + 30, 28), ink, 1.0);
            sheet.text((x + 36, 18), name, Type::Small, Ink::Text, Anchor::Left);
        };
        band(GUTTER, 10, Ink::Blue, "leader");
        band(GUTTER + 110, 10, Ink::Red, "deposed leader that does not know yet");
        band(GUTTER + 400, 18, Ink::Sky, "follower in the ISR");
        band(GUTTER + 580, 24, Ink::Orange, "follower outside the ISR");
        band(GUTTER + 790, 26, Ink::Grey, "no role yet");
        let marks = [
            (0, Mark::Crashed, "killed"),
            (110, Mark::PowerLost, "power lost"),
            (230, Mark::Stopped, "stopped in order"),
            (400, Mark::Started, "started again"),
        ];
        for (x, mark, name) in marks {
            paint_mark(sheet, (GUTTER + 10 + x, 46), mark);
            sheet.text((GUTTER + 22 + x, 46), name, Type::Small, Ink::Text, Anchor::Left);
        }
        let x = GUTTER + 550;
        sheet.shape(&[(x - 6, 41), (x + 6, 41), (x, 51)], Ink::Red, 1.0);
        sheet.text((x + 12, 46), "log truncated", Type::Small, Ink::Text, Anchor::Left);
        sheet.fill((GUTTER + 680, 38), (GUTTER + 710, 54), Ink::Purple, 0.3);
        sheet.text((GUTTER + 716, 46), "struck by a fault", Type::Small, Ink::Text, Anchor::Left);
        sheet.line(&[(GUTTER + 840, 36), (GUTTER + 840, 56)], Ink::Green, 2);
        sheet.text((GUTTER + 848, 46), "healing begins", Type::Small, Ink::Text, Anchor::Left);
        sheet.line(&[(GUTTER + 950, 36), (GUTTER + 950, 56)], Ink::Red, 2);
        sheet.text((GUTTER + 958, 46), "a check fails", Type::Small, Ink::Text, Anchor::Left);
    })
}
