//! G6: a committed offset lies within its partition, and does not go back.
//!
//! A coordinator stores whatever it is told. That an offset is not beyond what is committed, nor below what was kept when its member began to read, nor
//! below what was acknowledged before, is up to the members: ours never seek. A loss in the partition itself excuses, and so does
//! retention that has overtaken a member: it is sent to the beginning, and that of the next leader may be an earlier one.

use super::ghost::{Change, Ghost, Kind};
use super::groups::{Group, GroupChange, Session};
use super::page::Page;
use super::{Check, Scene};
use brokerlab::types::{Offset, TopicPartition};
use brokerlab_reports::event::EventId;

/// The id.
pub const ID: &str = "G6";
/// What must hold.
pub const CLAIM: &str = "a member commits offsets between log start and high watermark, and never goes back";

/// The check. Exercised by every commit of a member.
#[derive(Default)]
pub struct OffsetBounds;

impl Check for OffsetBounds {
    fn watches(&self) -> &'static [Kind] {
        &[Kind::Group]
    }

    fn look(&mut self, scene: &Scene<'_>, change: &Change<'_>, page: &mut Page) {
        let Change::Group(GroupChange::Stored { group, member, generation, partition, offset, sent, .. }) = change else {
            return;
        };
        let Some(read) = scene.ghost.named_once(partition).filter(|_| *generation >= 0) else { return };
        page.looked(true);
        let known = &scene.ghost.groups.all[*group];
        let objection =
            beyond(scene.ghost, read, *offset).or_else(|| below(known, member, *generation, partition, *offset)).or_else(|| {
                let may_go_back = scene.ghost.may_begin_anew_before(*group, read, *offset);
                if may_go_back { None } else { back(known, member, partition, (*offset, *sent)) }
            });
        if let Some(objection) = objection {
            page.found(scene.event, Some(read), scene.ghost.weigh_reading(*group, partition), || {
                format!("{member} commits {offset} of {partition} for {}, {objection}", known.id)
            });
        }
    }
}

fn beyond(ghost: &Ghost, partition: usize, offset: Offset) -> Option<String> {
    let end = ghost.partitions[partition].true_high_watermark();
    (offset > end).then(|| format!("beyond the high watermark {end}"))
}

/// Below what was kept when it began, and below where it was told to begin. Retention is every replica's own: its leader may have kept more. A
/// coordinator that was frozen may take in what the member asked for in a generation before its present one.
fn below(group: &Group, member: &str, generation: i32, partition: &TopicPartition, offset: Offset) -> Option<String> {
    let is_its = |session: &&Session| *session.member == *member && session.generation <= generation;
    let session = group.courses.get(partition)?.sessions.iter().rfind(is_its)?;
    let (floor, begun) = (session.kept_from, session.committed?);
    (offset < floor && offset < begun).then(|| format!("below the log start {floor} when it began"))
}

/// Below what was acknowledged to itself, or before it began. What was acknowledged to others while it began, it cannot know; but who has given the
/// partition up has nothing to commit any more when others do. What counts is when it asked for it: a request may come late, on a connection that the
/// member has long given up.
fn back(group: &Group, member: &str, partition: &TopicPartition, (offset, sent): (Offset, EventId)) -> Option<String> {
    let session = group.courses.get(partition).and_then(|course| course.sessions.iter().rfind(|one| *one.member == *member));
    let last = group.registers.get(partition)?.acknowledged_before(sent)?;
    let has_ended = |session: &Session| session.ended.is_some();
    let knows =
        *last.member == *member || session.is_some_and(|session| has_ended(session) || last.acknowledged < Some(session.asked));
    let value = last.value.filter(|value| knows && offset < *value)?;
    Some(format!("though {value} was acknowledged before"))
}
