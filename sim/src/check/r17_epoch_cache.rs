//! R17: what a log knows of its leader epochs is what its batches say.
//!
//! Followers and leaders find where their logs part by asking each other for the ends of epochs (KIP-101). The answers come from a small file,
//! and not from the batches: if the two differ, logs are cut at the wrong place. The auditor reads the file with a parser of its own and
//! compares it with the batches it reads: both columns rise strictly, and below the recovery point, where recovery believes the file, each
//! epoch begins where its first batch does. Above it recovery scans the batches, and the file may lag. Of what was given up the file need not
//! tell anything, although its batches may still stand in a file that holds others too. A batch that does not follow its predecessor is none: a
//! torn write may have zeroed its base offset, which no checksum covers. Compaction keeps the first batch of each epoch, empty if it must.

use super::ghost::{Change, Kind};
use super::page::{Page, Weight};
use super::{Check, Scene};
use brokerlab::types::Offset;
use brokerlab_reports::event::{LogImage, TappedBatch};

/// The id.
pub const ID: &str = "R17";
/// What must hold.
pub const CLAIM: &str = "the leader epochs on the medium rise and begin where the batches of the log say";

/// The check. Exercised by every audit in which a batch lies below the recovery point.
#[derive(Default)]
pub struct EpochCache;

impl Check for EpochCache {
    fn watches(&self) -> &'static [Kind] {
        &[Kind::Audited]
    }

    fn look(&mut self, scene: &Scene<'_>, change: &Change<'_>, page: &mut Page) {
        let Change::Audited { at, image, struck: false } = change else { return };
        let point = image.small_files.recovery_point;
        page.looked(image.batches.first().is_some_and(|first| first.last_offset < point));
        // Also before a loss: recovery scans everything if the file begins above a log start that fell back.
        let given_up = scene.ghost.partition(*at).given_up_ever.max(scene.ghost.shadow(*at).log.start());
        if let Some(why) = is_wrong(image, given_up, scene.ghost.partition(*at).cleaned) {
            page.found(scene.event, Some(at.partition), Weight::VIOLATION, || {
                format!("the disk of {} says of {} that {why}", scene.node(at.node), scene.name(*at))
            });
        }
    }
}

/// What the file says wrongly. It may be silent below `given_up`, but not above.
fn is_wrong(image: &LogImage, given_up: Offset, cleaned: Offset) -> Option<String> {
    let files = &image.small_files;
    if let Some(pair) = files.epochs.windows(2).find(|pair| pair[0].0 >= pair[1].0 || pair[0].1 >= pair[1].1) {
        return Some(format!("epoch {} from {} is followed by epoch {} from {}", pair[0].0, pair[0].1, pair[1].0, pair[1].1));
    }
    let told_from = files.epochs.first().map_or(given_up, |(_, start)| given_up.min(*start));
    let mut before = None;
    for batch in vouched_for(image, cleaned).filter(|batch| batch.last_offset >= told_from) {
        let is_new = before.is_none_or(|before| before != batch.leader_epoch);
        let is_first = before.is_none();
        before = Some(batch.leader_epoch);
        if !is_new {
            continue;
        }
        let known = files.epochs.iter().find(|(epoch, _)| *epoch == batch.leader_epoch).map(|(_, start)| *start);
        // What retention has left of an epoch begins at the log start, which may lie within a batch.
        let agrees = known.is_some_and(|start| start == batch.base_offset || (is_first && start <= batch.last_offset));
        if !agrees {
            let known = known.map_or("nowhere".to_string(), |start| format!("at {start}"));
            return Some(format!(
                "epoch {} begins {known}, but its first batch stands at {}",
                batch.leader_epoch, batch.base_offset
            ));
        }
    }
    None
}

/// The batches below the recovery point, one after the other; below the cleaned point there may be gaps.
fn vouched_for(image: &LogImage, cleaned: Offset) -> impl Iterator<Item = &TappedBatch> {
    let mut due = image.batches.first().map(|first| first.base_offset);
    image.batches.iter().take_while(move |batch| {
        let due = due.replace(batch.last_offset.next()).unwrap_or(batch.base_offset);
        let follows = due == batch.base_offset || (due < batch.base_offset && batch.base_offset < cleaned);
        follows && batch.valid && batch.last_offset < image.small_files.recovery_point
    })
}
