//! P4: an older producer epoch never writes after a newer one.
//!
//! Raising the producer epoch is how a session that was given up is shut out: its last requests may still be on their way. Once the committed
//! log has a batch of a producer id in some epoch, every later batch of that id has the same epoch or a higher one (KIP-98, KIP-360).

use std::collections::BTreeMap;

use super::fold::Reading;
use super::ghost::{Change, Kind};
use super::page::{Page, Weight};
use super::{Check, Scene};
use brokerlab::types::{ProducerEpoch, ProducerId};

/// The id.
pub const ID: &str = "P4";
/// What must hold.
pub const CLAIM: &str = "in the committed log the epochs of a producer id never fall";

/// The check. Exercised by every committed batch of a producer that the committed log knows already.
#[derive(Default)]
pub struct ProducerFencing {
    partitions: Vec<Progress>,
}

#[derive(Default)]
struct Progress {
    reading: Reading,
    epochs: BTreeMap<ProducerId, ProducerEpoch>,
}

impl Check for ProducerFencing {
    fn watches(&self) -> &'static [Kind] {
        &[Kind::Advanced]
    }

    fn look(&mut self, scene: &Scene<'_>, change: &Change<'_>, page: &mut Page) {
        let Change::Advanced { at, .. } = change else { return };
        if self.partitions.len() <= at.partition {
            self.partitions.resize_with(at.partition + 1, Progress::default);
        }
        let progress = &mut self.partitions[at.partition];
        let news = progress.reading.news(scene.ghost.partition(*at));
        if let Some(again) = news.again {
            progress.epochs.clear();
            again.iter().filter_map(|link| link.producer).for_each(|(id, epoch, _)| {
                progress.take(id, epoch);
            });
        }
        for link in news.batches {
            let Some((id, epoch, _)) = link.producer else { continue };
            let Some(known) = progress.take(id, epoch) else { continue };
            page.looked(true);
            if epoch < known {
                page.found(scene.event, Some(at.partition), Weight::VIOLATION, || {
                    let name = scene.name(*at);
                    format!("producer {id} has epoch {epoch} at {} of {name}, after epoch {known}", link.base)
                });
            }
        }
    }
}

impl Progress {
    /// Folds in a batch; the highest epoch before, if the producer is known.
    fn take(&mut self, id: ProducerId, epoch: ProducerEpoch) -> Option<ProducerEpoch> {
        let Some(known) = self.epochs.get_mut(&id) else {
            self.epochs.insert(id, epoch);
            return None;
        };
        let before = *known;
        *known = before.max(epoch);
        Some(before)
    }
}
