//! B13: no more comes again than was not committed.
//!
//! After a rebalance or a restart the group goes on at its committed offset: what was processed beyond it comes once more, which is what "at least
//! once" means. Nothing below it does, and nothing comes twice to one member that owns its partition all the time. For a group that commits before it
//! processes, and whose commits were acknowledged, that means that nothing comes twice at all.
//!
//! Retention is every replica's own: whom it has overtaken at one leader, and who was sent to the beginning, may meet at the next leader what the
//! first one no longer had. Nobody is owed that, once or twice.

use super::ghost::{Change, Kind};
use super::groups::GroupChange;
use super::page::Page;
use super::{Check, Scene};
use brokerlab::types::Offset;

/// The id.
pub const ID: &str = "B13";
/// What must hold.
pub const CLAIM: &str = "only what was not committed is processed again, and only by a new owner";

/// The check. Exercised by records that are processed again.
#[derive(Default)]
pub struct Redelivery;

impl Check for Redelivery {
    fn watches(&self) -> &'static [Kind] {
        &[Kind::Group]
    }

    fn look(&mut self, scene: &Scene<'_>, change: &Change<'_>, page: &mut Page) {
        let Change::Group(GroupChange::Processed { group, node, partition, session, known, repeated, .. }) = change else {
            return;
        };
        page.looked(known.is_some());
        let Some(again) = repeated.or(*known) else { return };
        let read = scene.ghost.named_once(partition);
        if read.is_some_and(|read| scene.ghost.may_begin_anew_before(*group, read, again)) {
            return;
        }
        let group_known = &scene.ghost.groups.all[*group];
        let session = &group_known.courses[*partition].sessions[*session];
        let register = group_known.registers.get(*partition);
        let acknowledged =
            register.and_then(|register| register.acknowledged_before(session.asked)?.value).unwrap_or(Offset::ZERO);
        // A commit that was long on its way may have come after a later one, and then the group goes back to it (B9 says whether it may).
        let floor = acknowledged.min(session.committed.unwrap_or(acknowledged));
        let objection = match (repeated, again < floor) {
            (Some(_), _) => Some("which it has processed itself".to_string()),
            (None, true) => Some(format!("though {floor} was acknowledged before it began")),
            (None, false) => None,
        };
        if let Some(objection) = objection {
            let weight = scene.ghost.weigh_reading(*group, partition);
            page.found(scene.event, scene.ghost.named(partition), weight, || {
                let (node, id) = (scene.node(*node), &group_known.id);
                format!("{node} processes {again} of {partition} again for {id}, {objection}")
            });
        }
    }
}
