//! B3: what was read once stays as it was read.
//!
//! No consumer may see two values at one offset, and nothing that any consumer saw may be missing from the final read. This is how
//! exposing uncommitted records, or diverging replicas, look from outside. From a compacted partition a record may go when a newer one has its key.

use super::clients::value_of;
use super::ghost::{Change, Ghost, Kind};
use super::page::{Page, Weight};
use super::survivors::AllSurvivors;
use super::{Check, Scene};
use brokerlab::operation::{Outcome, PolledRecord};
use brokerlab::types::Offset;
use brokerlab_reports::event::EventId;

/// The id.
pub const ID: &str = "B3";
/// What must hold.
pub const CLAIM: &str = "a record that was read once is read again, with the same value, by everybody";

/// Offsets beyond are not remembered: no run of the laboratory gets there.
const OFFSETS_MAX: i64 = 1 << 24;
/// Contradictions that are remembered per partition.
const CONTRADICTIONS_MAX: usize = 100;

/// The check.
#[derive(Default)]
pub struct Divergence {
    partitions: Vec<Sightings>,
}

/// What was seen in one partition.
#[derive(Default)]
struct Sightings {
    /// Hash of the value at each offset; 0: nobody looked.
    values: Vec<u64>,
    contradicted: Vec<(EventId, Offset)>,
}

impl Check for Divergence {
    fn watches(&self) -> &'static [Kind] {
        &[Kind::Completed]
    }

    fn look(&mut self, scene: &Scene<'_>, change: &Change<'_>, page: &mut Page) {
        let Change::Completed { completion, .. } = change else { return };
        let Outcome::Polled { records } = &completion.outcome else { return };
        for run in records.chunk_by(|a, b| a.partition == b.partition) {
            let Some(partition) = scene.ghost.named_once(&run[0].partition) else { continue };
            if self.partitions.len() <= partition {
                self.partitions.resize_with(partition + 1, Sightings::default);
            }
            let sightings = &mut self.partitions[partition];
            run.iter().for_each(|record| page.looked(sightings.sight(record, scene.event)));
        }
    }

    /// Only now: how a contradiction weighs may be known long after it.
    fn finish(&mut self, scene: &Scene<'_>, page: &mut Page) {
        let survivors = AllSurvivors::of(scene.ghost, scene.clients);
        for (partition, sightings) in self.partitions.iter().enumerate() {
            for (event, offset) in &sightings.contradicted {
                page.found(*event, Some(partition), weigh(scene.ghost, partition, *offset), || {
                    format!("two values were read at {offset} of {}", scene.ghost.name(partition))
                });
            }
            let p = &scene.ghost.partitions[partition];
            if !scene.clients.has_read(partition, p.readable_end()) {
                continue;
            }
            let Some(read) = scene.clients.finals.get(partition).filter(|read| !read.records.is_empty()) else { continue };
            for offset in
                sightings.seen().filter(|offset| *offset >= p.kept_from.max(read.records[0].0) && read.at(*offset).is_none())
            {
                let key = survivors.key_of(scene.clients, sightings.values[offset.0 as usize]);
                if survivors.replace(scene.ghost, partition, key, offset) {
                    continue;
                }
                page.found(scene.event, Some(partition), weigh(scene.ghost, partition, offset), || {
                    format!("the record at {offset} of {} was read once and is gone", scene.ghost.name(partition))
                });
            }
        }
    }
}

impl Sightings {
    /// Notes a record; whether somebody had looked there before.
    fn sight(&mut self, record: &PolledRecord, event: EventId) -> bool {
        let Some(index) = usize::try_from(record.offset.0).ok().filter(|_| record.offset.0 < OFFSETS_MAX) else { return false };
        if self.values.len() <= index {
            self.values.resize(index + 1, 0);
        }
        let value = value_of(record).max(1);
        let before = std::mem::replace(&mut self.values[index], value);
        if before != 0 && before != value && self.contradicted.len() < CONTRADICTIONS_MAX {
            self.contradicted.push((event, record.offset));
        }
        before != 0
    }

    fn seen(&self) -> impl Iterator<Item = Offset> {
        self.values.iter().enumerate().filter(|(_, value)| **value != 0).map(|(index, _)| Offset(index as i64))
    }
}

fn weigh(ghost: &Ghost, partition: usize, offset: Offset) -> Weight {
    ghost.excuse(partition, offset, None).unwrap_or(Weight::VIOLATION)
}
