//! Q7: every decision about a partition is numbered.
//!
//! The partition epoch orders what brokers hear, and lets AlterPartition be a compare-and-set: each committed change raises it by exactly one. The
//! leader epoch fences: it never falls, and rises whenever the leader changes (KIP-497, KIP-841).

use super::ghost::{Change, Decision, Kind};
use super::page::{Page, Weight};
use super::{Check, Scene};

/// The id.
pub const ID: &str = "Q7";
/// What must hold.
pub const CLAIM: &str =
    "each change of a partition raises its partition epoch by one, and another leader has a higher leader epoch";

/// The check. Exercised by every change of a partition after its creation.
#[derive(Default)]
pub struct PartitionEpochStep;

impl Check for PartitionEpochStep {
    fn watches(&self) -> &'static [Kind] {
        &[Kind::Decided]
    }

    fn look(&mut self, scene: &Scene<'_>, change: &Change<'_>, page: &mut Page) {
        let Change::Decided { partition, decision, .. } = change else { return };
        let p = &scene.ghost.partitions[*partition];
        let (before, now) = (&p.state_before, &p.state);
        if *decision == Decision::Created {
            return;
        }
        page.looked(true);
        let why = if now.partition_epoch.0 != before.partition_epoch.0 + 1 {
            format!("partition epoch {:?} follows {:?}", now.partition_epoch, before.partition_epoch)
        } else if now.leader_epoch < before.leader_epoch {
            format!("leader epoch {} follows {}", now.leader_epoch, before.leader_epoch)
        } else if now.leader != before.leader && now.leader_epoch == before.leader_epoch {
            format!("{:?} takes over from {:?} within epoch {}", now.leader, before.leader, now.leader_epoch)
        } else {
            return;
        };
        page.found(scene.event, Some(*partition), Weight::VIOLATION, || {
            format!("the controller changes {}, and {why}", scene.ghost.name(*partition))
        });
    }
}
