//! B1: what was acknowledged is read back.
//!
//! The promise that people care about. Every record whose write was acknowledged must come back from the complete read of its partition
//! after healing, at the offset that was named. What is missing is weighed by the loss that took it (see [`ghost`](super::ghost)) or by
//! the guarantee matrix: acks=0 promises nothing; acks=1 promises nothing once another leader took over. In a compacted partition a newer record of the
//! same key will do ([`survivors`](super::survivors)).

use std::cell::LazyCell;
use std::ops::Deref;

use super::clients::{Clients, Fate, Write};
use super::ghost::{Ghost, Promise};
use super::page::{Page, Weight};
use super::promised::Promised;
use super::setup::NodeKind;
use super::survivors::AllSurvivors;
use super::{Check, Scene};
use brokerlab_reports::verdict::Verdict;

/// The id.
pub const ID: &str = "B1";
/// What must hold.
pub const CLAIM: &str = "every acknowledged record is read back at the end, at the offset that was named";

const ACKS_ZERO: Weight = Weight { verdict: Verdict::Sanctioned, name: "acks-0" };
const ACKS_ONE: Weight = Weight { verdict: Verdict::Sanctioned, name: "acks-1" };

/// The check.
#[derive(Default)]
pub struct LostWrite {
    /// How many acknowledged records are missing.
    pub lost: u64,
}

impl Check for LostWrite {
    fn finish(&mut self, scene: &Scene<'_>, page: &mut Page) {
        let unnamed = values_read(scene.clients);
        let survivors = AllSurvivors::of(scene.ghost, scene.clients);
        // Mostly nothing is missing, and nobody asks.
        let promised = LazyCell::new(|| Promised::of(scene.ghost));
        for write in scene.clients.writes.iter().filter(|write| write.fate == Fate::Acknowledged) {
            let Some(partition) = write.partition else { continue };
            let p = &scene.ghost.partitions[partition];
            if !scene.clients.has_read(partition, p.readable_end()) {
                continue;
            }
            page.looked(p.elections.last().is_some_and(|election| election.event > write.event));
            let Some(weight) = is_missing(scene, partition, write, &unnamed, &promised) else { continue };
            let key = Some(write.key).filter(|key| *key != 0);
            if write.offset.is_some_and(|offset| survivors.replace(scene.ghost, partition, key, offset)) {
                continue;
            }
            self.lost += 1;
            page.found(scene.event, Some(partition), weight, || {
                let (node, name) = (scene.node(write.node), scene.ghost.name(partition));
                let place = write.offset.map_or("some offset".to_string(), |offset| offset.to_string());
                format!(
                    "the record that {node} wrote to {name} at {place} was acknowledged (event {}) and is gone",
                    write.event.0
                )
            });
        }
    }

    fn lost(&self) -> u64 {
        self.lost
    }
}

/// Every value of every final read, for records whose offset was not named.
fn values_read(clients: &Clients) -> Vec<u64> {
    let mut values: Vec<u64> = clients.finals.iter().flat_map(|read| read.records.iter().map(|(_, value)| *value)).collect();
    values.sort_unstable();
    values
}

fn is_missing(
    scene: &Scene<'_>,
    partition: usize,
    write: &Write,
    unnamed: &[u64],
    promised: &impl Deref<Target = Promised>,
) -> Option<Weight> {
    let Some(offset) = write.offset else {
        return unnamed.binary_search(&write.value).is_err().then_some(ACKS_ZERO);
    };
    let read = scene.clients.finals.get(partition);
    if read.and_then(|read| read.at(offset)) == Some(write.value) {
        return None;
    }
    let p = &scene.ghost.partitions[partition];
    let promise = promised.find(scene.ghost, partition, write.node, offset);
    let taken_by_retention = p.was_given_up(offset, promise.map(|promise| promise.epoch));
    (!taken_by_retention).then(|| weigh(scene.ghost, scene.clients, partition, write, promise))
}

fn weigh(ghost: &Ghost, clients: &Clients, partition: usize, write: &Write, promise: Option<&Promise>) -> Weight {
    let p = &ghost.partitions[partition];
    let Some(offset) = write.offset else { return Weight::VIOLATION };
    if let Some(weight) = ghost.excuse(partition, offset, promise.map(|promise| promise.epoch)) {
        return weight;
    }
    let one = matches!(clients.kinds[write.node], NodeKind::Producer { acks: 1, .. });
    let led_since = promise.is_some_and(|promise| promise.epoch < p.acting);
    if one && led_since { ACKS_ONE } else { Weight::VIOLATION }
}
