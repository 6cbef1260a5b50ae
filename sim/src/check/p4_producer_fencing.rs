//! P4: an older producer epoch never writes after a newer one.
//!
//! Raising the producer epoch is how a session that was given up is shut out: its last requests may still be on their way. Once the committed
//! log has a batch of a producer id in some epoch, every later batch of that id has the same epoch or a higher one (KIP-98, KIP-360);
//! unless its leader began anew above all it could know the id by ([`memory`](super::memory)).

use std::collections::BTreeMap;

use super::chain::Link;
use super::fold::Reading;
use super::ghost::{Change, Kind};
use super::memory::Memory;
use super::page::{Page, Weight};
use super::{Check, Scene};
use brokerlab::types::{Offset, ProducerEpoch, ProducerId};

/// The id.
pub const ID: &str = "P4";
/// What must hold.
pub const CLAIM: &str = "in the committed log the epochs of a producer id never fall";

/// The check. Exercised by every committed batch of a producer that its leader must know.
#[derive(Default)]
pub struct ProducerFencing {
    memory: Memory,
    partitions: Vec<Progress>,
}

#[derive(Default)]
struct Progress {
    reading: Reading,
    /// The highest epoch of each producer, and where the last batch of it ends.
    epochs: BTreeMap<ProducerId, (ProducerEpoch, Offset)>,
}

impl Check for ProducerFencing {
    fn watches(&self) -> &'static [Kind] {
        &[Kind::Began, Kind::Advanced]
    }

    fn look(&mut self, scene: &Scene<'_>, change: &Change<'_>, page: &mut Page) {
        self.memory.note(scene.ghost, change);
        let Change::Advanced { at, .. } = change else { return };
        if self.partitions.len() <= at.partition {
            self.partitions.resize_with(at.partition + 1, Progress::default);
        }
        let progress = &mut self.partitions[at.partition];
        let news = progress.reading.news(scene.ghost.partition(*at));
        if let Some(again) = news.again {
            progress.epochs.clear();
            again.iter().for_each(|link| {
                progress.take(link);
            });
        }
        for link in news.batches {
            let Some((id, epoch, _)) = link.producer else { continue };
            let known = progress.take(link).filter(|(_, end)| !self.memory.lacks(at.partition, link.epoch, *end));
            let Some((known, _)) = known else { continue };
            page.looked(true);
            if epoch < known {
                // After an unclean election the log may go on with batches of a past that was lost before.
                let weight = scene.ghost.excuse(at.partition, link.base, Some(link.epoch)).unwrap_or(Weight::VIOLATION);
                page.found(scene.event, Some(at.partition), weight, || {
                    let name = scene.name(*at);
                    format!("producer {id} has epoch {epoch} at {} of {name}, after epoch {known}", link.base)
                });
            }
        }
    }
}

impl Progress {
    /// Folds in a batch; the highest epoch before and where its last batch ended, if the producer is known.
    fn take(&mut self, link: &Link) -> Option<(ProducerEpoch, Offset)> {
        let (id, epoch, _) = link.producer?;
        let before = self.epochs.get(&id).copied();
        if before.is_none_or(|(known, _)| known <= epoch) {
            self.epochs.insert(id, (epoch, link.end));
        }
        before
    }
}
