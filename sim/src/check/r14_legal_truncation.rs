//! R14: a follower cuts only where its log parts from its leader's.
//!
//! Where that is, only leader epochs can tell (KIP-101, KIP-279); a follower's own high watermark lags, and cutting there throws away
//! records that it was counted for. So: a leader never truncates; a follower never cuts what its leader has too; a member of the ISR
//! never cuts what is committed.

use super::ghost::{Change, Kind, Place, Role};
use super::page::{Page, Weight};
use super::{Check, Scene};
use brokerlab::fact::TruncationReason;
use brokerlab::types::Offset;

/// The id.
pub const ID: &str = "R14";
/// What must hold.
pub const CLAIM: &str = "a follower truncates only what its leader does not have, and never what it was counted for";

/// The check.
#[derive(Default)]
pub struct LegalTruncation;

impl Check for LegalTruncation {
    fn watches(&self) -> &'static [Kind] {
        &[Kind::Truncated]
    }

    fn look(&mut self, scene: &Scene<'_>, change: &Change<'_>, page: &mut Page) {
        let Change::Truncated { at, to, agreed_before, shared_with_leader, reason } = change else { return };
        page.looked(true);
        // The leader's log begins above this one's end: nothing of it is of use.
        if *reason == TruncationReason::BelowLeaderStart {
            return;
        }
        if let Some(why) = is_wrong(scene, *at, *to, *agreed_before, *shared_with_leader) {
            page.found(scene.event, Some(at.partition), Weight::VIOLATION, || {
                let (node, name) = (scene.node(at.node), scene.name(*at));
                format!("{node} cuts {name} at {to} ({reason:?}), but {why}")
            });
        }
    }
}

fn is_wrong(scene: &Scene<'_>, at: Place, to: Offset, agreed_before: Offset, shared: Option<Offset>) -> Option<String> {
    let (p, shadow) = (scene.ghost.partition(at), scene.ghost.shadow(at));
    if matches!(shadow.role, Role::Leader(_)) {
        return Some("it leads".to_string());
    }
    if let Some(shared) = shared.filter(|shared| to < *shared) {
        return Some(format!("its log is the same as its leader's up to {shared}"));
    }
    let counted = p.in_isr(scene.ghost.nodes[at.node].broker) && !p.is_exempt(shadow.epoch());
    (counted && to < agreed_before).then(|| format!("it is in the ISR and held what is committed up to {agreed_before}"))
}
