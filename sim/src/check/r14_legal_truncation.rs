//! R14: a follower cuts only where its log parts from its leader's.
//!
//! Where that is, only leader epochs can tell (KIP-101, KIP-279); a follower's own high watermark lags, and cutting there throws away
//! records that it was counted for. So: a leader never truncates; a follower never cuts what its leader has too; a member of the ISR
//! never cuts what is committed.
//!
//! A follower *begins anew*, with nothing, where its leader has given up all that the two logs had in common. Then its leader holds no batch of
//! its own; it goes on where the leader's log starts and not above, or it would miss what is there; and a member of the ISR gives up nothing
//! that is committed and still kept.

use super::ghost::{Change, Kind, Role, Shared};
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
        let Change::Truncated { at, to, reason, .. } = change else { return };
        page.looked(true);
        if let Some(why) = is_wrong(scene, change) {
            page.found(scene.event, Some(at.partition), Weight::VIOLATION, || {
                let (node, name) = (scene.node(at.node), scene.name(*at));
                format!("{node} cuts {name} at {to} ({reason:?}), but {why}")
            });
        }
    }
}

fn is_wrong(scene: &Scene<'_>, change: &Change<'_>) -> Option<String> {
    let Change::Truncated { at, to, agreed_before, start_before, shared, reason } = change else { return None };
    let (p, shadow) = (scene.ghost.partition(*at), scene.ghost.shadow(*at));
    if matches!(shadow.role, Role::Leader(_)) {
        return Some("it leads".to_string());
    }
    let begins_anew = *reason == TruncationReason::BelowLeaderStart;
    if let Some(shared) = shared {
        let wrong = if begins_anew { is_begun_wrong(*to, *start_before, shared) } else { is_cut_wrong(*to, shared) };
        if wrong.is_some() {
            return wrong;
        }
    }
    let counted = p.in_isr(scene.ghost.nodes[at.node].broker) && !p.is_exempt(shadow.epoch());
    let lacks = if begins_anew { *agreed_before > p.kept_from } else { to < agreed_before };
    (counted && lacks).then(|| format!("it is in the ISR and held what is committed up to {agreed_before}"))
}

fn is_cut_wrong(to: Offset, shared: &Shared) -> Option<String> {
    (to < shared.up_to).then(|| format!("its leader holds what it has up to {}", shared.up_to))
}

/// What it gave up itself it need not fetch again: it may begin above its leader's start if its own was there before.
fn is_begun_wrong(to: Offset, start_before: Offset, shared: &Shared) -> Option<String> {
    if shared.up_to > Offset::ZERO {
        return Some(format!(
            "its leader, whose log starts at {}, holds what it has up to {}",
            shared.leader_start, shared.up_to
        ));
    }
    (to > shared.leader_start.max(start_before)).then(|| format!("its leader's log starts at {}", shared.leader_start))
}
