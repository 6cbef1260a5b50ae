//! B2: no record is there twice.
//!
//! A producer that hears nothing tries again, and only idempotence (KIP-98) lets the leader tell a retry from a new record. Without it
//! duplicates are legal. Exercised whenever an idempotent batch is answered a second time: then there was a retry that could have doubled it.

use std::collections::BTreeSet;

use super::ghost::{Change, Ghost, Kind};
use super::page::{Page, Weight};
use super::setup::NodeKind;
use super::{Check, Scene};
use brokerlab::types::{Offset, ProducerEpoch, ProducerId, Sequence};
use brokerlab_reports::verdict::Verdict;

/// The id.
pub const ID: &str = "B2";
/// What must hold.
pub const CLAIM: &str = "no record written with idempotence is read at two offsets";

const RETRIES: Weight = Weight { verdict: Verdict::Sanctioned, name: "retries-without-idempotence" };

/// The check.
#[derive(Default)]
pub struct Duplicate {
    answered: BTreeSet<(usize, ProducerId, ProducerEpoch, Sequence)>,
    duplicated: u64,
}

impl Check for Duplicate {
    fn watches(&self) -> &'static [Kind] {
        &[Kind::Answered]
    }

    fn look(&mut self, _: &Scene<'_>, change: &Change<'_>, page: &mut Page) {
        let Change::Answered(answer) = change else { return };
        let (id, epoch, sequence) = answer.batch.producer;
        if id.0 >= 0 && !self.answered.insert((answer.at.partition, id, epoch, sequence)) {
            page.saw();
        }
    }

    fn finish(&mut self, scene: &Scene<'_>, page: &mut Page) {
        let by_value = scene.clients.by_value();
        for (partition, read) in scene.clients.finals.iter().enumerate() {
            let mut records: Vec<(u64, Offset)> = read.records.iter().map(|(offset, value)| (*value, *offset)).collect();
            records.sort_unstable();
            for pair in records.windows(2) {
                page.looked(false);
                let ((value, first), (other, second)) = (pair[0], pair[1]);
                let Some(writer) = (value == other).then(|| sole_writer(&by_value, value)).flatten() else { continue };
                let write = &scene.clients.writes[writer];
                self.duplicated += 1;
                page.found(scene.event, Some(partition), weigh(scene.ghost, partition, scene.clients.kinds[write.node]), || {
                    let (node, name) = (scene.node(write.node), scene.ghost.name(partition));
                    format!("one record that {node} wrote stands at {first} and at {second} of {name}")
                });
            }
        }
    }

    fn duplicated(&self) -> u64 {
        self.duplicated
    }
}

/// The write behind a value, unless two writes were given the same one.
fn sole_writer(by_value: &[(u64, usize)], value: u64) -> Option<usize> {
    let first = by_value.partition_point(|(known, _)| *known < value);
    let (known, writer) = *by_value.get(first)?;
    let twice = by_value.get(first + 1).is_some_and(|(next, _)| *next == value);
    (known == value && !twice).then_some(writer)
}

fn weigh(ghost: &Ghost, partition: usize, kind: NodeKind) -> Weight {
    if matches!(kind, NodeKind::Producer { idempotent: false, .. }) {
        return RETRIES;
    }
    let losses = &ghost.partitions[partition].losses;
    losses.iter().find(|loss| !loss.is_passing_over()).map_or(Weight::VIOLATION, super::ghost::Loss::weight)
}
