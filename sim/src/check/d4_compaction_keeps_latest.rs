//! D4: compaction keeps the newest record of each key.
//!
//! ```text
//!   acknowledged   0 a=1   1 b=1   2 a=2   3 a=3      cleaned below 3
//!   on the disk            1 b=1           3 a=3      right
//!   on the disk    0 a=1                   3 a=3      wrong: the newest record of b is gone
//! ```
//!
//! What is on the disks of a compacted log after a recovery, and at the end, is read by the auditor record by record, and compared with what was
//! acknowledged: each acknowledged record is there, or a newer one of its key is. Offsets, order, leader epochs and producers of the batches are for the
//! ghost, which takes only those that it knows ([`ghost`](super::ghost)). A follower that has copied a part of a compacted log lacks records whose
//! successors it has not got yet, so only a log that reaches the cleaned point is judged. A tombstone counts as the record that it is: the laboratory's
//! producers write none, so one that went too early is not seen here.

use std::collections::BTreeMap;

use super::clients::{Fate, Write};
use super::ghost::{Change, Kind, Place};
use super::page::{Page, Weight};
use super::{Check, Scene};
use brokerlab::types::Offset;
use brokerlab_reports::event::{KeyedRecord, LogImage};

/// The id.
pub const ID: &str = "D4";
/// What must hold.
pub const CLAIM: &str = "a compacted log holds each acknowledged record, or a newer one of the same key";

/// The check. Exercised by every record that a newer one has replaced.
#[derive(Default)]
pub struct CompactionKeepsLatest;

impl Check for CompactionKeepsLatest {
    fn watches(&self) -> &'static [Kind] {
        &[Kind::Audited]
    }

    fn look(&mut self, scene: &Scene<'_>, change: &Change<'_>, page: &mut Page) {
        let Change::Audited { at, image, struck: false } = change else { return };
        let (Some(records), Some(end)) = (&image.records, end_of(image)) else { return };
        let p = scene.ghost.partition(*at);
        if p.cleaned == Offset::ZERO || end < p.cleaned || scene.ghost.shadow(*at).exempt {
            return;
        }
        let newest = newest_of(records);
        for write in scene.clients.writes.iter().filter(|write| write.partition == Some(at.partition)) {
            let Some(offset) = write.offset.filter(|offset| is_owed(scene, *at, write, *offset, end)) else { continue };
            let is_there = records.binary_search_by_key(&offset, |record| record.offset).is_ok();
            let is_replaced = newest.get(&write.key).is_some_and(|newest| *newest > offset);
            page.looked(!is_there && is_replaced);
            if is_there || is_replaced {
                continue;
            }
            page.found(scene.event, Some(at.partition), Weight::VIOLATION, || {
                let (node, name) = (scene.node(at.node), scene.name(*at));
                format!("{node} has compacted {name} below {}, and the newest record of a key, at {offset}, is gone", p.cleaned)
            });
            return;
        }
    }
}

fn end_of(image: &LogImage) -> Option<Offset> {
    image.batches.last().map(|last| last.last_offset.next())
}

/// Whether the log must hold it, or a newer record of its key.
fn is_owed(scene: &Scene<'_>, at: Place, write: &Write, offset: Offset, end: Offset) -> bool {
    let p = scene.ghost.partition(at);
    let start = scene.ghost.shadow(at).log.start().max(p.given_up_ever);
    let is_lost = scene.ghost.excuse(at.partition, offset, None).is_some();
    write.fate == Fate::Acknowledged && start <= offset && offset < end.min(p.true_high_watermark()) && !is_lost
}

/// The newest record of each key.
fn newest_of(records: &[KeyedRecord]) -> BTreeMap<u64, Offset> {
    records.iter().filter(|record| record.key != 0).map(|record| (record.key, record.offset)).collect()
}
