//! B8: what is committed was processed.
//!
//! A committed offset says that everything below it is done: after the next rebalance nobody looks at it again. Members that commit after
//! processing, or by and by when each poll is processed before the next, never commit past a record that the group has not processed.
//! Members that commit first promise nothing of the kind. What retention took is not owed; and a consumer that retention has overtaken, or that
//! lost its place, leaves records out if it is told to go on at the end (`auto.offset.reset=latest`).

use super::ghost::{Change, Ghost, Kind};
use super::groups::{Course, GroupChange, Spans};
use super::page::{Page, Weight};
use super::setup::{Commits, GroupSetup, Reset};
use super::{Check, Scene};
use brokerlab::types::Offset;
use brokerlab_reports::verdict::Verdict;

/// The id.
pub const ID: &str = "B8";
/// What must hold.
pub const CLAIM: &str = "a group that commits after processing has processed every record below what it commits";

/// The consumer was told to go on at the end.
pub(super) const RESET_LATEST: Weight = Weight { verdict: Verdict::Sanctioned, name: "auto-offset-reset-latest" };

/// The check. Exercised by commits that cover records.
#[derive(Default)]
pub struct NoGap;

impl Check for NoGap {
    fn watches(&self) -> &'static [Kind] {
        &[Kind::Group]
    }

    fn look(&mut self, scene: &Scene<'_>, change: &Change<'_>, page: &mut Page) {
        let Change::Group(GroupChange::Stored { group, member, generation, partition, offset, .. }) = change else { return };
        let (ghost, known) = (scene.ghost, &scene.ghost.groups.all[*group]);
        let Some(habits) = known.habits.as_ref().filter(|habits| habits.commits != Commits::BeforeProcessing) else { return };
        let (Some(course), Some(read)) = (known.courses.get(*partition), ghost.named_once(partition)) else { return };
        let Some(base) = course.base.filter(|base| *generation >= 0 && base < offset) else { return };
        page.looked(true);
        if let Some(missing) = first_owed(ghost, read, &course.done, base, *offset) {
            let reset = overtaken(ghost, habits, read, missing).or_else(|| begun_anew(habits, course));
            let weight = reset.unwrap_or_else(|| ghost.weigh_reading(*group, partition));
            page.found(scene.event, Some(read), weight, || {
                format!("{member} commits {offset} of {partition} for {}, which has not processed {missing}", known.id)
            });
        }
    }
}

/// The first record of `[from, to)` that is kept and that is not in the set.
pub(super) fn first_owed(ghost: &Ghost, partition: usize, done: &Spans, from: Offset, to: Offset) -> Option<Offset> {
    let p = &ghost.partitions[partition];
    // Of what was compacted nobody knows here what is left.
    let (mut from, to) = (from.max(p.kept_from).max(p.cleaned), to.min(p.true_high_watermark()));
    loop {
        let missing = done.first_missing(from, to)?;
        let links = p.log.links();
        let link = links.get(links.partition_point(|link| link.end <= missing))?;
        if link.base <= missing {
            return Some(missing);
        }
        // Compaction has left nothing there.
        from = link.base;
    }
}

/// Somebody was told to go on at the end who took the place of another that had committed nothing.
pub(super) fn begun_anew(habits: &GroupSetup, course: &Course) -> Option<Weight> {
    let is_anew = course.sessions.iter().skip(1).any(|session| session.committed.is_none());
    (habits.reset == Reset::Latest && is_anew).then_some(RESET_LATEST)
}

/// Retention has overtaken somebody who was told to go on at the end.
pub(super) fn overtaken(ghost: &Ghost, habits: &GroupSetup, partition: usize, missing: Offset) -> Option<Weight> {
    let p = &ghost.partitions[partition];
    (habits.reset == Reset::Latest && p.given_up_ever > Offset::ZERO && missing >= p.kept_from).then_some(RESET_LATEST)
}
