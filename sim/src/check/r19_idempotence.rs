//! R19: the committed log has each sequence of an idempotent producer once, and in order.
//!
//! A producer session numbers its records per partition; a retry carries the same numbers, so the leader can recognise it (KIP-98). Within one
//! (producer id, producer epoch) the committed sequences must therefore be contiguous: a number again is a duplicate, a number
//! skipped is a lost or reordered batch. The first batch of a session that the committed log does not know may have any number, because a
//! leader may have forgotten an old session.

use std::collections::BTreeMap;

use super::chain::Link;
use super::fold::Reading;
use super::ghost::{Change, Kind};
use super::page::{Page, Weight};
use super::{Check, Scene};
use brokerlab::types::{ProducerEpoch, ProducerId, Sequence};

/// The id.
pub const ID: &str = "R19";
/// What must hold.
pub const CLAIM: &str = "the committed sequences of an idempotent producer are contiguous: none twice, none skipped";

/// The check. Exercised by every batch of a session that is known already.
#[derive(Default)]
pub struct Idempotence {
    partitions: Vec<Progress>,
}

/// The fold of the committed log of one partition.
#[derive(Default)]
struct Progress {
    reading: Reading,
    next: BTreeMap<ProducerId, (ProducerEpoch, Sequence)>,
}

impl Check for Idempotence {
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
            progress.next.clear();
            again.iter().for_each(|link| {
                progress.take(link);
            });
        }
        for link in news.batches {
            let Some(expected) = progress.take(link) else { continue };
            page.looked(true);
            let Some((producer, epoch, sequence)) = link.producer.filter(|(_, _, first)| *first != expected) else { continue };
            page.found(scene.event, Some(at.partition), Weight::VIOLATION, || {
                let name = scene.name(*at);
                format!(
                    "producer {producer} epoch {epoch} has sequence {sequence} at {} of {name}, where {expected} was due",
                    link.base
                )
            });
        }
    }
}

impl Progress {
    /// Folds in a batch; the sequence that was due, if the session is known.
    fn take(&mut self, link: &Link) -> Option<Sequence> {
        let (producer, epoch, first) = link.producer?;
        let records = i32::try_from(link.end.since(link.base)).unwrap_or(i32::MAX);
        let before = self.next.insert(producer, (epoch, first.plus(records)));
        before.filter(|(known, _)| *known == epoch).map(|(_, next)| next)
    }
}
