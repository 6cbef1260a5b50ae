//! B5: what was acknowledged before stands before.
//!
//! ```text
//!   p1   ├── write A ──┤ acknowledged at 7
//!   p2                     ├── write B ──┤ acknowledged at 5      ✘  B began after A had ended, and yet stands before it
//! ```
//!
//! A partition is one order that everybody shares; with acks=all an acknowledgement fixes a record's place in it, so a write that begins later
//! gets a later offset, whoever writes. With acks=1 a leader may take the places with it, so only acks=all is held to this. After a
//! loss the same offsets are given again: such a finding weighs as much as the loss.

use super::clients::Fate;
use super::ghost::{Change, Kind};
use super::page::{Page, Weight};
use super::setup::NodeKind;
use super::{Check, Scene};
use brokerlab::types::Offset;
use brokerlab_reports::event::EventId;

/// The id.
pub const ID: &str = "B5";
/// What must hold.
pub const CLAIM: &str = "a write that began after another was acknowledged (acks=all) stands behind it";

/// Contradictions that are remembered.
const CONTRADICTIONS_MAX: usize = 100;

/// The check. Exercised by every acknowledged write that began when another one of its partition was acknowledged.
#[derive(Default)]
pub struct RealTimeOrder {
    /// By partition: the highest acknowledged offset, from each event on at which it rose.
    highest: Vec<Vec<(EventId, Offset)>>,
    contradicted: Vec<Contradiction>,
}

struct Contradiction {
    event: EventId,
    partition: usize,
    node: usize,
    offset: Offset,
    known: Offset,
}

impl Check for RealTimeOrder {
    fn watches(&self) -> &'static [Kind] {
        &[Kind::Completed]
    }

    fn look(&mut self, scene: &Scene<'_>, change: &Change<'_>, page: &mut Page) {
        let (Change::Completed { .. }, Some(index)) = (change, scene.clients.ended) else { return };
        let write = &scene.clients.writes[index];
        let all = matches!(scene.clients.kinds[write.node], NodeKind::Producer { acks: -1, .. });
        let (Fate::Acknowledged, true, Some(partition), Some(offset)) = (write.fate, all, write.partition, write.offset) else {
            return;
        };
        if self.highest.len() <= partition {
            self.highest.resize_with(partition + 1, Vec::new);
        }
        let highest = &mut self.highest[partition];
        let known = highest.partition_point(|(since, _)| *since < write.invoked).checked_sub(1).map(|last| highest[last].1);
        page.looked(known.is_some());
        if let Some(known) = known.filter(|known| *known >= offset)
            && self.contradicted.len() < CONTRADICTIONS_MAX
        {
            self.contradicted.push(Contradiction { event: scene.event, partition, node: write.node, offset, known });
        }
        if highest.last().is_none_or(|(_, last)| *last < offset) {
            highest.push((scene.event, offset));
        }
    }

    /// Only now: how a contradiction weighs may be known long after it.
    fn finish(&mut self, scene: &Scene<'_>, page: &mut Page) {
        for one in &self.contradicted {
            let weight = scene.ghost.excuse(one.partition, one.offset, None).unwrap_or(Weight::VIOLATION);
            page.found(one.event, Some(one.partition), weight, || {
                let (node, name) = (scene.node(one.node), scene.ghost.name(one.partition));
                format!("{node} began to write to {name} after {} was acknowledged, and got {}", one.known, one.offset)
            });
        }
    }
}
