//! B14: in the end the group has seen everything.
//!
//! When everything has come to rest, every record that is committed and kept, from where the group began, was processed by it. A group that commits
//! before it processes may have left some out; one whose consumers go on at the end when they have lost their place, too.

use super::b8_no_gap::{begun_anew, first_owed, overtaken};
use super::ghost::Ghost;
use super::groups::{Course, Group};
use super::page::{Page, Weight};
use super::setup::{Commits, Reset};
use super::{Check, Scene};
use brokerlab::types::{Offset, TopicPartition};
use brokerlab_reports::verdict::Verdict;

/// The id.
pub const ID: &str = "B14";
/// What must hold.
pub const CLAIM: &str = "after healing a group has processed every record from where it began";

/// At most once.
pub(super) const AT_MOST_ONCE: Weight = Weight { verdict: Verdict::Sanctioned, name: "at-most-once" };

/// The check. Exercised by every partition that a group reads.
#[derive(Default)]
pub struct Unseen {
    unprocessed: u64,
}

impl Check for Unseen {
    fn finish(&mut self, scene: &Scene<'_>, page: &mut Page) {
        if !scene.at_rest {
            return;
        }
        for (number, group) in scene.ghost.groups.all.iter().enumerate().filter(|(_, group)| is_at_work(scene.ghost, group)) {
            for partition in &group.subscribed {
                self.unprocessed += judge(scene, number, group, partition, page);
            }
        }
    }

    fn unprocessed(&self) -> u64 {
        self.unprocessed
    }
}

/// Judges one partition, and returns how many of its records the group has left out.
fn judge(scene: &Scene<'_>, number: usize, group: &Group, partition: &TopicPartition, page: &mut Page) -> u64 {
    let ghost = scene.ghost;
    let (Some(habits), Some(read)) = (&group.habits, ghost.named_once(partition)) else { return 0 };
    let (course, empty) = (group.courses.get(partition), Course::default());
    let Some(base) = course.and_then(|course| course.base).or((habits.reset == Reset::Earliest).then_some(Offset::ZERO)) else {
        return 0;
    };
    page.looked(true);
    let (done, end) = (&course.unwrap_or(&empty).done, ghost.partitions[read].true_high_watermark());
    let Some(missing) = first_owed(ghost, read, done, base, end) else { return 0 };
    let at_most_once = (habits.commits == Commits::BeforeProcessing).then_some(AT_MOST_ONCE);
    let begun_anew = || course.and_then(|course| begun_anew(habits, course));
    let excuse = at_most_once.or_else(|| overtaken(ghost, habits, read, missing)).or_else(begun_anew);
    let weight = excuse.unwrap_or_else(|| ghost.weigh_reading(number, partition));
    page.found(scene.event, Some(read), weight, || {
        format!("{} has never processed {missing} of {partition}, which ends at {end}", group.id)
    });
    let (mut count, mut from) = (0, Some(missing));
    while let Some(missing) = from {
        let next = done.first_known(missing, end).unwrap_or(end);
        count += next.since(missing).unsigned_abs();
        from = first_owed(ghost, read, done, next, end);
    }
    count
}

/// Somebody is there to read.
fn is_at_work(ghost: &Ghost, group: &Group) -> bool {
    group.beliefs.iter().any(|belief| !belief.partitions.is_empty() && ghost.nodes[belief.node].up)
}

/// What waits for what: a partition whose owner has not come to its end.
#[must_use]
pub fn waits(ghost: &Ghost, group: usize) -> Option<String> {
    let group = &ghost.groups.all[group];
    // Who commits before it processes, and is refused, drops what it was handed: nothing says how far it has come.
    let habits = group.habits.as_ref().filter(|habits| habits.commits != Commits::BeforeProcessing)?;
    for belief in group.beliefs.iter().filter(|belief| ghost.nodes[belief.node].up) {
        for partition in &belief.partitions {
            let Some(read) = ghost.named_once(partition) else { continue };
            let (course, end) = (group.courses.get(partition), ghost.partitions[read].readable_end());
            let at = course.map_or(Offset::ZERO, |course| course.done.end());
            let session = course.and_then(|course| course.session_of(belief.node));
            let committed = session.and_then(|session| session.committed).unwrap_or(Offset::ZERO);
            // Nobody knows where the end was until it has processed something.
            let is_anew = session.is_none_or(|session| session.committed.is_none() && session.worked.is_none());
            let begins_at_end = habits.reset == Reset::Latest && is_anew;
            // Whoever was overtaken by retention goes on at the end that it was told, and says so by its commits only.
            let resets = habits.reset == Reset::Latest;
            let said = group.registers.get(partition).and_then(|register| register.acknowledged()?.value);
            let told = session.and_then(|session| session.told_end);
            let sent_on = said.max(told).filter(|_| resets).unwrap_or(Offset::ZERO);
            if at.max(committed).max(sent_on) < end && !begins_at_end {
                let node = ghost.node_name(belief.node);
                return Some(format!("{} waits for {node} to process {partition}: it has come to {at} of {end}", group.id));
            }
        }
    }
    None
}
