//! Q14: AlterPartition is a compare-and-set.
//!
//! A leader asks for an ISR on top of a partition epoch. If the partition has moved on meanwhile, the leader did not know what it was changing, and the
//! request must fail (KIP-497). So whatever is granted is the very next state after the one named, with the very ISR that was asked
//! for. Both are taken from the frames, and compared with what the controller committed.

use super::ghost::{Change, IsrAnswer, Kind, Partition};
use super::page::{Page, Weight};
use super::{Check, Scene};

/// The id.
pub const ID: &str = "Q14";
/// What must hold.
pub const CLAIM: &str = "a granted change of the ISR is the next state after the one it was built upon, with the ISR asked for";

/// The check. Exercised by every change that is granted.
#[derive(Default)]
pub struct CompareAndSet;

impl Check for CompareAndSet {
    fn watches(&self) -> &'static [Kind] {
        &[Kind::IsrAnswered]
    }

    fn look(&mut self, scene: &Scene<'_>, change: &Change<'_>, page: &mut Page) {
        let Change::IsrAnswered(answer) = change else { return };
        page.looked(answer.granted);
        if !answer.granted || is_next(&scene.ghost.partitions[answer.partition], answer) {
            return;
        }
        page.found(scene.event, Some(answer.partition), Weight::VIOLATION, || {
            let (name, IsrAnswer { broker, isr, partition_epoch, .. }) = (scene.ghost.name(answer.partition), answer);
            format!(
                "the controller grants {broker:?} the ISR {isr:?} of {name} on top of partition epoch {partition_epoch:?}, \
                 but that is not what it committed next"
            )
        });
    }
}

fn is_next(p: &Partition, answer: &IsrAnswer<'_>) -> bool {
    let next = p.state_in(answer.partition_epoch.next());
    next.is_some_and(|next| {
        let same_members = next.isr.len() == answer.isr.len() && answer.isr.iter().all(|member| next.isr.contains(member));
        same_members && next.leader_epoch == answer.leader_epoch
    })
}
