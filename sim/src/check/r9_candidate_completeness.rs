//! R9: every running member of the ISR has everything that is committed.
//!
//! The controller may elect any of them at any moment, without asking. So this must hold all the time, not only for who happens to be
//! elected: R9 fails at the wrong step itself, R8 only if an election makes it matter, B1 only if somebody reads afterwards.
//!
//! A member that is down, or has not registered in its new life, is not counted on; it is looked at when it registers. A replica that was
//! robbed by a fault while it was the last member of the ISR stays in it (KIP-966), and an unclean leader that the topic allows lacks records
//! by definition: R8 judges those losses when they begin to lead.

use super::ghost::{Change, Kind, Role};
use super::page::{Page, Weight};
use super::{Check, Scene};
use brokerlab::types::Offset;

/// The id.
pub const ID: &str = "R9";
/// What must hold.
pub const CLAIM: &str = "every running member of the in-sync replicas has everything that is committed";

/// The check.
#[derive(Default)]
pub struct CandidateCompleteness;

impl Check for CandidateCompleteness {
    fn watches(&self) -> &'static [Kind] {
        &[Kind::Advanced, Kind::Truncated, Kind::Decided, Kind::Registered]
    }

    fn look(&mut self, scene: &Scene<'_>, change: &Change<'_>, page: &mut Page) {
        if let Change::Advanced { at, .. } | Change::Truncated { at, .. } = change {
            members(scene, at.partition, page);
        }
        if let Change::Decided { partition, .. } = change {
            members(scene, *partition, page);
        }
        if let Change::Registered { .. } = change {
            (0..scene.ghost.partitions.len()).for_each(|partition| members(scene, partition, page));
        }
    }
}

fn members(scene: &Scene<'_>, partition: usize, page: &mut Page) {
    let p = &scene.ghost.partitions[partition];
    let committed = p.true_high_watermark();
    if scene.ghost.awaits_unclean_leader(partition) {
        return;
    }
    for (node, shadow) in p.shadows.iter().enumerate() {
        let life = &scene.ghost.nodes[node];
        if !life.up || !life.registered || !shadow.known || !p.in_isr(life.broker) {
            continue;
        }
        page.looked(committed > Offset::ZERO && !matches!(shadow.role, Role::Leader(_)));
        let lacks = p.log.lacking(shadow.agreed, committed).first();
        let last_of_all = p.state.isr.len() == 1 && lacks.is_some_and(|batch| shadow.was_robbed_of(batch));
        if shadow.agreed < committed && !last_of_all {
            page.found(scene.event, Some(partition), Weight::VIOLATION, || {
                format!(
                    "{} is in the ISR of {}, which is committed up to {committed}, but it agrees only up to {}",
                    life.name,
                    scene.ghost.name(partition),
                    shadow.agreed
                )
            });
        }
    }
}
