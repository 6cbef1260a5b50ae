//! How a partition changes: from its present state and a wish to its next state.
//!
//! ```text
//!   present ──▶ wanted ISR ──▶ never empty ──▶ election ──▶ epochs ──▶ next, or nothing to do
//! ```
//!
//! An ISR that would become empty stays as it is: its last members are the only ones known to hold everything that was
//! acknowledged, so the partition must wait for one of them even if none can lead now (KIP-966 would remember them elsewhere). So a
//! fenced broker can be found in an ISR, but only in one without a leader.
//!
//! The partition epoch rises with each change, the leader epoch with each other leader. A mere change of the ISR keeps the leader
//! epoch, so followers go on fetching undisturbed.

use super::election::{Elected, Unclean, elect};
use super::partition::{Partition, Recovery};
use crate::types::BrokerId;

/// What is to become of a partition.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Wish {
    /// The ISR wanted; if it is empty, the present one stays.
    pub isr: Vec<BrokerId>,
    /// The recovery state wanted, unless an unclean election decides otherwise.
    pub recovery: Recovery,
    /// Whether a replica outside the ISR may be elected.
    pub unclean: Unclean,
    /// Whether the leader in office may be replaced without need.
    pub favourite: Favourite,
}

/// Who leads if it can.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Favourite {
    /// The present leader: nothing moves without need.
    Present,
    /// The preferred leader, the first in the assignment; after it the present one.
    Preferred,
}

impl Wish {
    /// Leave the ISR alone: only see who can lead.
    #[must_use]
    pub fn election(partition: &Partition, unclean: Unclean) -> Wish {
        Wish { isr: partition.isr.clone(), recovery: partition.recovery, unclean, favourite: Favourite::Present }
    }

    /// Leave the ISR alone: the preferred leader is to lead.
    #[must_use]
    pub fn preferred(partition: &Partition) -> Wish {
        Wish { favourite: Favourite::Preferred, ..Wish::election(partition, Unclean::Forbidden) }
    }

    /// Take `broker` out of the ISR.
    #[must_use]
    pub fn without(partition: &Partition, broker: BrokerId, unclean: Unclean) -> Wish {
        let isr = partition.isr.iter().copied().filter(|member| *member != broker).collect();
        Wish { isr, recovery: partition.recovery, unclean, favourite: Favourite::Present }
    }
}

/// The next state of `present`, or `None` if nothing changes.
pub fn change(present: &Partition, wish: Wish, is_active: impl Fn(BrokerId) -> bool) -> Option<Partition> {
    let mut next = present.clone();
    if !wish.isr.is_empty() {
        next.isr = wish.isr;
        next.isr.sort_unstable();
    }
    next.recovery = wish.recovery;
    let preferred = present.replicas.first().copied();
    let preferred = preferred.filter(|id| wish.favourite == Favourite::Preferred && next.isr.contains(id) && is_active(*id));
    let elected = elect(preferred.or(present.leader), &present.replicas, &next.isr, wish.unclean, is_active);
    if let Elected::Unclean(leader) = elected {
        next.isr = vec![leader];
        next.recovery = Recovery::Recovering;
    }
    next.leader = elected.leader();
    if is_same_set(&next.isr, &present.isr) {
        next.isr.clone_from(&present.isr);
    }
    if next == *present {
        return None;
    }
    next.partition_epoch = present.partition_epoch.next();
    if next.leader != present.leader {
        next.leader_epoch = present.leader_epoch.next();
    }
    assert!(next.check().is_ok(), "a change keeps a partition sound: {present:?} -> {next:?}");
    Some(next)
}

fn is_same_set(a: &[BrokerId], b: &[BrokerId]) -> bool {
    a.len() == b.len() && a.iter().all(|member| b.contains(member))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::types::PartitionId;
    use proptest::prelude::*;

    fn ids(bits: u8) -> Vec<BrokerId> {
        (0..6).filter(|i| bits & (1 << i) != 0).map(BrokerId).collect()
    }

    proptest! {
        #[test]
        fn every_change_is_one_step_and_its_record_says_it_all(
            isr in 1u8..64, active in 0u8..64, steps in proptest::collection::vec((0u8..64, 0u8..64, any::<bool>(), 0i32..6), 1..8),
        ) {
            let mut present = Partition::created(ids(63), Vec::new(), ids(isr));
            let mut active = active;
            for (wanted, flip, allowed, gone) in steps {
                active ^= flip;
                let unclean = if allowed { Unclean::Allowed } else { Unclean::Forbidden };
                let wish = match wanted {
                    0 => Wish::without(&present, BrokerId(gone), unclean),
                    wanted => {
                        let favourite = if flip & 1 == 0 { Favourite::Present } else { Favourite::Preferred };
                        Wish { isr: ids(wanted), recovery: present.recovery, unclean, favourite }
                    }
                };
                let Some(next) = change(&present, wish, |id| active & (1 << id.0) != 0) else { continue };
                prop_assert_eq!(next.partition_epoch, present.partition_epoch.next());
                prop_assert_eq!(next.leader_epoch != present.leader_epoch, next.leader != present.leader);
                prop_assert!(!next.isr.is_empty());
                prop_assert!(next.leader.is_none_or(|l| next.isr.contains(&l) && active & (1 << l.0) != 0));
                let record = present.change_record(PartitionId { topic: crate::types::Uuid(7), index: 0 }, &next);
                prop_assert_eq!(present.changed_by(&record).unwrap(), next.clone());
                present = next;
            }
        }
    }
}
