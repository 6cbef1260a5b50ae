//! R8: leader completeness. Whoever begins to lead has everything that is committed.
//!
//! The ISR exists for this: only its members may be elected, and nothing is committed before all of them have it (Raft's leader
//! completeness; KIP-101 and KIP-966 for how Kafka broke it). Looked at when a broker begins to act in the newest epoch. What it lacks is
//! judged batch by batch ([`ghost`](super::ghost)), so this check also reports losses that faults or the configuration explain.

use super::ghost::{Change, Ghost, Kind, Loss};
use super::page::{Page, Weight};
use super::{Check, Scene};
use brokerlab::types::Offset;

/// The id.
pub const ID: &str = "R8";
/// What must hold.
pub const CLAIM: &str = "a new leader's log contains everything that is committed";

/// The check.
#[derive(Default)]
pub struct LeaderCompleteness;

impl Check for LeaderCompleteness {
    fn watches(&self) -> &'static [Kind] {
        &[Kind::Began]
    }

    fn look(&mut self, scene: &Scene<'_>, change: &Change<'_>, page: &mut Page) {
        let Change::Began { at, newest: true, .. } = change else { return };
        let p = scene.ghost.partition(*at);
        page.looked(p.true_high_watermark() > Offset::ZERO && p.elections.len() > 1);
    }

    /// Only now: whether a copy was left may be known long after the loss.
    fn finish(&mut self, scene: &Scene<'_>, page: &mut Page) {
        for (partition, p) in scene.ghost.partitions.iter().enumerate() {
            for loss in p.losses.iter().filter(|loss| !loss.rewritten) {
                report(scene.ghost, partition, loss, page);
            }
        }
    }
}

/// One finding for each way in which the batches of a loss are judged.
fn report(ghost: &Ghost, partition: usize, loss: &Loss, page: &mut Page) {
    let mut weights: Vec<Weight> = loss.batches.iter().map(|batch| batch.weight).collect();
    weights.sort_unstable();
    weights.dedup();
    for weight in weights {
        page.found(loss.event, Some(partition), weight, || {
            let alike = || loss.batches.iter().filter(|batch| batch.weight == weight);
            let any_owed = alike().any(|batch| batch.owed);
            let alike = || alike().filter(|batch| batch.owed || !any_owed);
            let count: i64 = alike().map(|batch| batch.link.end.since(batch.link.base)).sum();
            let from = alike().map(|batch| batch.link.base).min().unwrap_or(loss.from);
            let reason = alike().next().map_or("", |batch| batch.reason);
            format!(
                "{} leads {} in epoch {} without {count} committed{} records from {from} on: {reason}",
                ghost.node_name(loss.leader),
                ghost.name(partition),
                loss.epoch,
                if any_owed { "" } else { " and deleted" }
            )
        });
    }
}
