//! R22: no batch is from the future.
//!
//! A replica that operates in some leader epoch copies from that epoch's leader, and so can hold nothing newer; a leader stamps its own epoch on
//! what it appends. A batch with a higher epoch comes from a mixture of two leaders' answers, or from bytes that were not checked, and makes the
//! log unfit for truncation by epochs.

use super::ghost::{Change, Kind};
use super::page::{Page, Weight};
use super::{Check, Scene};
use brokerlab::types::LeaderEpoch;

/// The id.
pub const ID: &str = "R22";
/// What must hold.
pub const CLAIM: &str = "a batch's leader epoch is not above that of the replica that appends it, and a leader's is its own";

/// The check. Exercised by appends in a later epoch than the first.
#[derive(Default)]
pub struct BatchEpoch;

impl Check for BatchEpoch {
    fn watches(&self) -> &'static [Kind] {
        &[Kind::Appended]
    }

    fn look(&mut self, scene: &Scene<'_>, change: &Change<'_>, page: &mut Page) {
        let Change::Appended { at, link, role_epoch, as_leader, .. } = change else { return };
        page.looked(*role_epoch > LeaderEpoch(0));
        if link.epoch > *role_epoch || (*as_leader && link.epoch != *role_epoch) {
            page.found(scene.event, Some(at.partition), Weight::VIOLATION, || {
                let (node, name, epoch) = (scene.node(at.node), scene.name(*at), link.epoch);
                let role = if *as_leader { "leads" } else { "follows" };
                format!("{node} {role} {name} in epoch {role_epoch} and appends {} with epoch {epoch}", link.base)
            });
        }
    }
}
