//! G1: a generation never comes twice.
//!
//! Members show their generation with everything they ask for; that is how one of the past is told from one of the present. So generations (KIP-848:
//! group epochs) only rise, also from one coordinator to the next (KAFKA-2017). A coordinator that was deposed may raise its own in memory;
//! nobody lives by it, because it cannot store it.

use super::ghost::{Change, Kind};
use super::groups::GroupChange;
use super::page::{Page, Weight};
use super::{Check, Scene};
use brokerlab::fact::group::GroupState;

/// The id.
pub const ID: &str = "G1";
/// What must hold.
pub const CLAIM: &str = "the generation of a group only rises, also over a change of its coordinator";

/// The check. Exercised by generations that follow another one.
#[derive(Default)]
pub struct GenerationMonotone;

impl Check for GenerationMonotone {
    fn watches(&self) -> &'static [Kind] {
        &[Kind::Group]
    }

    fn look(&mut self, scene: &Scene<'_>, change: &Change<'_>, page: &mut Page) {
        if let Change::Group(GroupChange::Begun { group, node, generation, before }) = change {
            let known = &scene.ghost.groups.all[*group];
            let lived = known.lived.filter(|_| known.is_current(*node)).map_or(-1, |lived| lived.generation);
            page.looked(*before >= 0 || lived >= 0);
            let (node, id) = (scene.node(*node), &known.id);
            if generation <= before {
                page.found(scene.event, None, Weight::VIOLATION, || {
                    format!("{node} begins generation {generation} of {id} after {before}")
                });
            } else if *generation <= lived {
                page.found(scene.event, None, scene.ghost.weigh_group(*group), || {
                    format!("{node} begins generation {generation} of {id}, though members have lived by {lived} already")
                });
            }
        }
        if let Change::Group(GroupChange::Entered { group, node, state, generation, before }) = change
            && generation < before
            && *state != GroupState::Dead
        {
            page.found(scene.event, None, Weight::VIOLATION, || {
                let (node, id) = (scene.node(*node), &scene.ghost.groups.all[*group].id);
                format!("{node} takes the generation of {id} back from {before} to {generation}")
            });
        }
    }
}
