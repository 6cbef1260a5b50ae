//! B6: one producer's records stand in the order in which it wrote them.
//!
//! With idempotence the leader refuses what is out of sequence (KIP-98), and with one request in flight nothing can overtake. Several
//! requests in flight without idempotence may change places when the first is tried again: that is legal, and said so. Compared are
//! acknowledged records that were read back where they were said to be; what is missing is B1's affair. With acks=0 nobody says where a
//! record is: it is looked for by its value, and nothing was promised about its place.

use super::clients::{Clients, Fate, Write};
use super::ghost::Ghost;
use super::page::{Page, Weight};
use super::setup::NodeKind;
use super::{Check, Scene};
use brokerlab::types::Offset;
use brokerlab_reports::verdict::Verdict;

/// The id.
pub const ID: &str = "B6";
/// What must hold.
pub const CLAIM: &str = "the records of one producer stand in the order in which they were written";

const ACKS_ZERO: Weight = Weight { verdict: Verdict::Sanctioned, name: "acks-0" };
const RETRIES: Weight = Weight { verdict: Verdict::Sanctioned, name: "retries-overtake" };

/// The check. Exercised by every record read back behind an earlier one of the same producer.
#[derive(Default)]
pub struct ProducerOrder;

impl Check for ProducerOrder {
    fn finish(&mut self, scene: &Scene<'_>, page: &mut Page) {
        let clients = scene.clients;
        let by_value = by_value(clients);
        let mut last: Vec<Vec<Option<Offset>>> = vec![Vec::new(); clients.kinds.len()];
        for write in clients.writes.iter().filter(|write| write.fate == Fate::Acknowledged) {
            let Some((partition, offset)) = place(clients, &by_value, write) else { continue };
            let places = &mut last[write.node];
            if places.len() <= partition {
                places.resize(partition + 1, None);
            }
            let before = places[partition];
            page.looked(before.is_some());
            if let Some(before) = before.filter(|before| *before > offset) {
                let weight = weigh(scene.ghost, clients.kinds[write.node], partition, offset);
                page.found(scene.event, Some(partition), weight, || {
                    let (node, name) = (scene.node(write.node), scene.ghost.name(partition));
                    format!("{node} wrote the record at {offset} of {name} after the one at {before}")
                });
            }
            places[partition] = before.max(Some(offset));
        }
    }
}

/// What was read back, by partition and value, if there is a producer that is told no offsets.
fn by_value(clients: &Clients) -> Vec<Vec<(u64, Offset)>> {
    if !clients.kinds.iter().any(|kind| matches!(kind, NodeKind::Producer { acks: 0, .. })) {
        return Vec::new();
    }
    let sorted = clients.finals.iter().map(|read| {
        let mut values: Vec<(u64, Offset)> = read.records.iter().map(|(offset, value)| (*value, *offset)).collect();
        values.sort_unstable();
        values
    });
    sorted.collect()
}

/// Where the write stands, if it was read back there.
fn place(clients: &Clients, by_value: &[Vec<(u64, Offset)>], write: &Write) -> Option<(usize, Offset)> {
    let partition = write.partition?;
    let Some(offset) = write.offset else {
        let values = by_value.get(partition)?;
        let found = values.binary_search_by_key(&write.value, |(value, _)| *value).ok()?;
        return Some((partition, values[found].1));
    };
    let read = clients.finals.get(partition)?;
    (read.at(offset) == Some(write.value)).then_some((partition, offset))
}

fn weigh(ghost: &Ghost, kind: NodeKind, partition: usize, offset: Offset) -> Weight {
    if matches!(kind, NodeKind::Producer { acks: 0, .. }) {
        return ACKS_ZERO;
    }
    if matches!(kind, NodeKind::Producer { idempotent: false, in_flight: 2.., .. }) {
        return RETRIES;
    }
    ghost.excuse(partition, offset, None).unwrap_or(Weight::VIOLATION)
}
