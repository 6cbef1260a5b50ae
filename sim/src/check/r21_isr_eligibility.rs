//! R21: whoever joins the ISR is the very broker that caught up.
//!
//! The leader proposes a member because of its fetches. Between them and the controller's decision the member may have died, come back empty,
//! and registered anew: another one under the same name (KIP-903). So at the moment of joining it must be registered, not fenced, and its broker
//! epoch that under which it fetched. An unclean election, which takes anybody, is judged by what it loses (R8).

use super::ghost::{Change, Decision, Ghost, Kind, Partition};
use super::page::{Page, Weight};
use super::{Check, Scene};
use brokerlab::types::BrokerId;

/// The id.
pub const ID: &str = "R21";
/// What must hold.
pub const CLAIM: &str = "who joins the in-sync replicas is registered, not fenced, and the same life that caught up";

/// The check. Exercised whenever somebody joins an ISR.
#[derive(Default)]
pub struct IsrEligibility;

impl Check for IsrEligibility {
    fn watches(&self) -> &'static [Kind] {
        &[Kind::Decided]
    }

    fn look(&mut self, scene: &Scene<'_>, change: &Change<'_>, page: &mut Page) {
        let Change::Decided { partition, decision: Decision::IsrChanged, .. } = change else { return };
        let p = &scene.ghost.partitions[*partition];
        for member in p.state.isr.iter().filter(|member| !p.state_before.isr.contains(member)) {
            page.looked(true);
            if let Some(why) = is_ineligible(scene.ghost, p, *member) {
                page.found(scene.event, Some(*partition), Weight::VIOLATION, || {
                    format!("{member:?} joins the ISR of {}, but {why}", scene.ghost.name(*partition))
                });
            }
        }
    }
}

fn is_ineligible(ghost: &Ghost, p: &Partition, member: BrokerId) -> Option<String> {
    let node = &ghost.nodes[ghost.node_of(member)?];
    let Some((_, registered)) = node.accepted else { return Some("it never registered".to_string()) };
    if node.fenced {
        return Some("it is fenced".to_string());
    }
    let leader = ghost.node_of(p.state.leader?)?;
    let leading = p.shadows[leader].leading().filter(|leading| leading.epoch == p.state.leader_epoch)?;
    let Some(fetched) = leading.fetched_by(member) else { return Some("it never fetched from its leader".to_string()) };
    (fetched.broker_epoch != registered)
        .then(|| format!("it fetched under broker epoch {:?} and is registered under {registered:?}", fetched.broker_epoch))
}
