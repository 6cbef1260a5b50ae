//! R11: a high watermark advances only over what all in-sync replicas are known to have.
//!
//! Committed means: in the log of every member of the maximal ISR (the committed ISR and whoever is being added), as each of them said by
//! fetching at or beyond it *in this leader epoch*; and never while fewer than `min.insync.replicas` are in sync (KAFKA-15583,
//! KIP-966). What a follower said in an earlier epoch or an earlier registration may no longer be true. Fetches are taken from the frames.

use super::ghost::{Change, Kind, Partition, Place};
use super::page::{Page, Weight};
use super::{Check, Scene};
use brokerlab::types::{BrokerId, LeaderEpoch, Offset};

/// The id.
pub const ID: &str = "R11";
/// What must hold.
pub const CLAIM: &str = "the high watermark advances only when enough replicas are in sync and each of them has fetched that far";

/// The check.
#[derive(Default)]
pub struct LegalAdvance;

impl Check for LegalAdvance {
    fn watches(&self) -> &'static [Kind] {
        &[Kind::Advanced]
    }

    fn look(&mut self, scene: &Scene<'_>, change: &Change<'_>, page: &mut Page) {
        let Change::Advanced { at, epoch, to, isr, maximal_isr, .. } = change else { return };
        let p = scene.ghost.partition(*at);
        if p.is_exempt(*epoch) {
            return;
        }
        page.looked(maximal_isr.len() >= 2);
        let least = scene.ghost.min_isr(at.partition);
        if isr.len() < least {
            page.found(scene.event, Some(at.partition), Weight::VIOLATION, || {
                let (node, name) = (scene.node(at.node), scene.name(*at));
                format!(
                    "{node} advances the high watermark of {name} to {to} with {} of at least {least} replicas in sync",
                    isr.len()
                )
            });
        }
        let missing = maximal_isr.iter().find_map(|member| lacks(scene, p, *at, *member, *epoch, *to).map(|why| (member, why)));
        if let Some((member, why)) = missing {
            page.found(scene.event, Some(at.partition), Weight::VIOLATION, || {
                let (node, name) = (scene.node(at.node), scene.name(*at));
                format!("{node} advances the high watermark of {name} to {to} in epoch {epoch}, but {member:?} {why}")
            });
        }
    }
}

/// Why a member may not be counted, if so. A member that was restarted since it fetched is not blamed for what it lost.
fn lacks(scene: &Scene<'_>, p: &Partition, at: Place, member: BrokerId, epoch: LeaderEpoch, to: Offset) -> Option<&'static str> {
    let node = scene.ghost.node_of(member)?;
    if node == at.node {
        return (p.shadows[node].log.end() < to).then_some("itself has a shorter log");
    }
    let leading = p.shadows[at.node].leading().filter(|leading| leading.epoch == epoch);
    let Some(fetched) = leading.and_then(|leading| leading.fetched_by(member)) else {
        return Some("never fetched in this epoch");
    };
    if fetched.offset < to {
        return Some("has not fetched that far in this epoch");
    }
    let life = &scene.ghost.nodes[node];
    let same_life = life.life == fetched.life && life.up && p.shadows[node].known;
    (same_life && p.shadows[node].agreed < to).then_some("does not have these records")
}
