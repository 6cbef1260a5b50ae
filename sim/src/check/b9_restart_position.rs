//! B9: a member goes on where its group has come to.
//!
//! ```text
//!   acknowledged 120, then 130; 140 is on its way
//!     begins at 130 or 140   right
//!     begins at 120          what was processed and committed comes again
//!     begins at 150          what nobody has processed is left out
//! ```
//!
//! After a loss the offset may be there again, behind other records than those that the group has processed. Then the member is to go back to where
//! the logs part; a commit names a leader epoch for that (KIP-320). The loss explains that it goes back, and not that it does not.
//!
//! The place is one that was committed and not overwritten when the member asked, or none if nothing was committed; and the first record that it
//! processes is the first that is kept from there on.

use super::b8_no_gap::{first_owed, overtaken};
use super::b14_unseen::AT_MOST_ONCE;
use super::ghost::{Change, Ghost, Kind};
use super::groups::{Group, GroupChange, Session, Spans};
use super::page::{Page, Weight};
use super::setup::{Commits, Reset};
use super::{Check, Scene};
use brokerlab::types::{Offset, TopicPartition};

/// The id.
pub const ID: &str = "B9";
/// What must hold.
pub const CLAIM: &str = "a member begins to read at the group's committed offset";

/// The check. Exercised by members that begin where something was acknowledged.
#[derive(Default)]
pub struct RestartPosition;

impl Check for RestartPosition {
    fn watches(&self) -> &'static [Kind] {
        &[Kind::Group]
    }

    fn look(&mut self, scene: &Scene<'_>, change: &Change<'_>, page: &mut Page) {
        if let Change::Group(GroupChange::Positioned { group, member, partition, committed, asked, .. }) = change {
            let known = &scene.ghost.groups.all[*group];
            let register = known.registers.get(*partition);
            let acknowledged = register.and_then(|register| register.acknowledged_before(*asked));
            page.looked(acknowledged.is_some());
            if register.map_or(committed.is_none(), |register| register.is_legal(*committed, *asked)) {
                return;
            }
            page.found(scene.event, scene.ghost.named(partition), scene.ghost.weigh_group(*group), || {
                let place = committed.map_or("as if nothing were committed".into(), |offset| format!("at {offset}"));
                let right = acknowledged.and_then(|one| one.value).map_or("nothing was".into(), |offset| format!("{offset} was"));
                format!("{member} begins {partition} for {} {place}, though {right} acknowledged", known.id)
            });
        }
        if let Change::Group(GroupChange::Processed { group, partition, from, session, first: true, .. }) = change {
            begin(scene, page, *group, partition, *from, *session);
        }
    }
}

/// A session's first record.
fn begin(scene: &Scene<'_>, page: &mut Page, group: usize, partition: &TopicPartition, from: Offset, session: usize) {
    let (ghost, known) = (scene.ghost, &scene.ghost.groups.all[group]);
    let (Some(read), Some(habits)) = (ghost.named_once(partition), &known.habits) else { return };
    let session = &known.courses[partition].sessions[session];
    let place = session.committed.or((habits.reset == Reset::Earliest).then_some(session.kept_from));
    let Some(place) = place else { return };
    page.looked(session.committed.is_some());
    let left_out = first_owed(ghost, read, &Spans::default(), place, from);
    // Without a commit it begins at its leader's log start. Retention is every replica's own: another one may have given up more.
    let is_early = from < place && session.committed.is_some();
    if is_blind(ghost, known, partition, read, session) && from == place {
        return page.found(scene.event, Some(read), ghost.weigh_group(group), || {
            let (member, id) = (&session.member, &known.id);
            format!("{member} goes on at {place} of {partition} for {id}, though the record before it is not the one that was processed")
        });
    }
    if !is_early && left_out.is_none() {
        return;
    }
    // Who commits before it processes may be refused, and has taken the records already: they are nobody's any more.
    let gave_up = left_out.filter(|_| habits.commits == Commits::BeforeProcessing && !is_early).map(|_| AT_MOST_ONCE);
    let excuse = left_out.and_then(|missing| overtaken(ghost, habits, read, missing)).or(gave_up);
    let weight: Weight = excuse.unwrap_or_else(|| ghost.weigh_reading(group, partition));
    page.found(scene.event, Some(read), weight, || {
        let (member, id) = (&session.member, &known.id);
        format!("{member} was to begin {partition} for {id} at {place}, and processes {from} first")
    });
}

/// The record before the committed offset is another than when that was committed, and nothing was lost since the member has asked.
fn is_blind(ghost: &Ghost, group: &Group, partition: &TopicPartition, read: usize, session: &Session) -> bool {
    let (p, Some(place)) = (&ghost.partitions[read], session.committed) else { return false };
    let written = group.registers.get(partition).map_or(&[][..], |register| register.written.as_slice());
    let stored = written.iter().rfind(|stored| stored.value == Some(place) && stored.event < session.asked);
    let followed = stored.and_then(|stored| stored.follows);
    let is_other = followed.is_some_and(|then| p.epoch_before(place).is_some_and(|now| now != then));
    is_other && p.log.epoch_at(place).is_some() && p.losses.iter().all(|loss| loss.event < session.asked)
}
