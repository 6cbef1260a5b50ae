//! R19: the committed log has each sequence of an idempotent producer once, and in order.
//!
//! A producer session numbers its records per partition; a retry carries the same numbers, so the leader can recognise it (KIP-98). Within one
//! (producer id, producer epoch) the committed sequences must therefore be contiguous: a number again is a duplicate, a number
//! skipped is a lost or reordered batch. The first batch of a session that the committed log does not know may have any number, and so may the
//! next one at a leader that began anew above the last one ([`memory`](super::memory)): it cannot know it. After a loss the log may go on above its
//! end, because its leader had given up what was before of another past: nobody knows the sequences in between.

use std::collections::BTreeMap;

use super::chain::Link;
use super::fold::Reading;
use super::ghost::{Change, Kind};
use super::memory::Memory;
use super::page::{Page, Weight};
use super::{Check, Scene};
use brokerlab::types::{Offset, ProducerEpoch, ProducerId, Sequence};

/// The id.
pub const ID: &str = "R19";
/// What must hold.
pub const CLAIM: &str = "the committed sequences of an idempotent producer are contiguous: none twice, none skipped";

/// The check. Exercised by every batch of a session that its leader must know.
#[derive(Default)]
pub struct Idempotence {
    memory: Memory,
    partitions: Vec<Progress>,
}

/// The fold of the committed log of one partition.
#[derive(Default)]
struct Progress {
    reading: Reading,
    /// Where the last batch ended.
    end: Offset,
    sessions: BTreeMap<ProducerId, Session>,
}

/// What the committed log says of a producer.
#[derive(Clone, Copy)]
struct Session {
    epoch: ProducerEpoch,
    /// The sequence that is due.
    next: Sequence,
    /// Where its last batch ends.
    end: Offset,
}

impl Check for Idempotence {
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
            progress.sessions.clear();
            again.iter().for_each(|link| {
                progress.take(link);
            });
        }
        let is_broken = !scene.ghost.partition(*at).losses.is_empty();
        for link in news.batches {
            if is_broken && link.base > progress.end {
                progress.sessions.clear();
            }
            let known = progress.take(link).filter(|known| !self.memory.lacks(at.partition, link.epoch, known.end));
            let Some(Session { next: expected, .. }) = known else { continue };
            page.looked(true);
            let Some((producer, epoch, sequence)) = link.producer.filter(|(_, _, first)| *first != expected) else { continue };
            // After an unclean election the log may go on with batches of a past that was lost before.
            let weight = scene.ghost.excuse(at.partition, link.base, Some(link.epoch)).unwrap_or(Weight::VIOLATION);
            page.found(scene.event, Some(at.partition), weight, || {
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
    /// Folds in a batch; what was known of the session, if it was.
    fn take(&mut self, link: &Link) -> Option<Session> {
        self.end = link.end;
        let (producer, epoch, first) = link.producer?;
        let records = i32::try_from(link.end.since(link.base)).unwrap_or(i32::MAX);
        let session = Session { epoch, next: first.plus(records), end: link.end };
        self.sessions.insert(producer, session).filter(|known| known.epoch == epoch)
    }
}
