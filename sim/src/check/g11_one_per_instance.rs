//! G11: one instance is one member.
//!
//! A static member (KIP-345) that comes back takes its former place, and whoever had it is fenced. With two members for one instance, the group waits
//! for one that does not exist, or gives two processes what is meant for one.

use super::ghost::{Change, Kind};
use super::groups::GroupChange;
use super::page::{Page, Weight};
use super::{Check, Scene};

/// The id.
pub const ID: &str = "G11";
/// What must hold.
pub const CLAIM: &str = "a group has at most one member for each group.instance.id";

/// The check. Exercised by static members that join.
#[derive(Default)]
pub struct OnePerInstance;

impl Check for OnePerInstance {
    fn watches(&self) -> &'static [Kind] {
        &[Kind::Group]
    }

    fn look(&mut self, scene: &Scene<'_>, change: &Change<'_>, page: &mut Page) {
        let Change::Group(GroupChange::Joined { group, node, member, instance: Some(instance), rival }) = change else { return };
        page.looked(true);
        if let Some(rival) = rival {
            page.found(scene.event, None, Weight::VIOLATION, || {
                let (node, id) = (scene.node(*node), &scene.ghost.groups.all[*group].id);
                format!("{node} counts {member} in {id} as instance {instance}, which is {rival}")
            });
        }
    }
}
