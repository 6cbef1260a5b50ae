//! Q13: the controller does not listen to the past.
//!
//! A leader that was deposed, or a broker that has come back under a new epoch, may still have requests on their way. Granting one lets a life that
//! is over change the present: an ISR shrunk by a zombie makes the zombie's log the truth (KIP-497, KIP-903). So a change of the ISR is granted only
//! to the present registration of a broker, which leads in the present leader epoch. And a heartbeat of a former life is refused: taken for the
//! broker's word it would keep a dead broker's session alive, unfence the new life before it has caught up, or shut it down (KIP-631). Taken from
//! the frames.

use super::ghost::{Change, IsrAnswer, Kind};
use super::page::{Page, Weight};
use super::{Check, Scene};

/// The id.
pub const ID: &str = "Q13";
/// What must hold.
pub const CLAIM: &str =
    "a change of the ISR asked for under a stale broker or leader epoch is refused, and so is a heartbeat of a former life";

/// The check. Exercised by every request that was stale when it was answered.
#[derive(Default)]
pub struct StaleRequests;

impl Check for StaleRequests {
    fn watches(&self) -> &'static [Kind] {
        &[Kind::IsrAnswered, Kind::HeartbeatAnswered]
    }

    fn look(&mut self, scene: &Scene<'_>, change: &Change<'_>, page: &mut Page) {
        if let Change::HeartbeatAnswered { broker, is_former_life, believed } = change {
            page.looked(*is_former_life);
            if *is_former_life && *believed {
                page.found(scene.event, None, Weight::VIOLATION, || {
                    format!("the controller believes a heartbeat of {broker:?} that was sent in a former life")
                });
            }
            return;
        }
        let Change::IsrAnswered(IsrAnswer { partition, broker, is_former_life, leader_epoch, partition_epoch, granted, .. }) =
            change
        else {
            return;
        };
        let p = &scene.ghost.partitions[*partition];
        // A later decision may have gone out before this answer; what counts is the state that the change was built upon.
        let then = p.state_in(*partition_epoch).map(|state| state.leader_epoch);
        let is_former_leader = then.is_some_and(|then| *leader_epoch < then);
        page.looked(*is_former_life || *leader_epoch < p.state.leader_epoch);
        if *granted && (*is_former_life || is_former_leader) {
            page.found(scene.event, Some(*partition), Weight::VIOLATION, || {
                let name = scene.ghost.name(*partition);
                let life = if *is_former_life { "a former life" } else { "its present life" };
                format!(
                    "the controller grants a change of the ISR of {name} that {broker:?} asked for in {life} and in leader epoch \
                     {leader_epoch}, but the epoch was {then:?}"
                )
            });
        }
    }
}
