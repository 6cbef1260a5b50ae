//! What a member may own next: a pure function of what it has, what it is to have, and what is free.
//!
//! ```text
//!                 target differs                      has given up
//!   Stable ─────────────────────────▶ Unrevoked ─────────────────────▶ Stable, in the next epoch
//!      │                                                                  ▲
//!      └── nothing to give up, something not free ──▶ Unreleased ─────────┘  what it waits for is free
//! ```
//!
//! Whoever has something to give up stays in its epoch: until it says that it owns it no longer, it may still commit for it. Only then it is
//! given what is free of its target, in the target's epoch.

use std::collections::BTreeSet;

use crate::types::TopicId;

use super::{ConsumerMember, Partitions, Progress, overlap};

/// The circumstances.
pub(super) struct Circumstances<'a> {
    pub target_epoch: i32,
    pub target: &'a Partitions,
    /// What the member says it owns; `None`: as before.
    pub owned: Option<&'a Partitions>,
    /// Whether nobody else has this partition, assigned or still to give up.
    pub is_free: &'a dyn Fn(TopicId, i32) -> bool,
}

impl ConsumerMember {
    /// The member as it is to be from now on.
    pub(super) fn reconciled(&self, circumstances: &Circumstances<'_>) -> ConsumerMember {
        match self.progress {
            Progress::Stable if self.epoch == circumstances.target_epoch => self.clone(),
            Progress::Unrevoked if circumstances.still_owns(&self.revoking) => self.clone(),
            // It has left the epoch behind in which it owned what it has given up.
            Progress::Unrevoked => self.next(self.epoch + 1, circumstances),
            Progress::Stable | Progress::Unreleased => self.next(self.epoch, circumstances),
        }
    }

    fn next(&self, epoch: i32, circumstances: &Circumstances<'_>) -> ConsumerMember {
        let kept = intersection(&self.assigned, circumstances.target);
        let given_up = difference(&self.assigned, circumstances.target);
        let wanted = difference(circumstances.target, &self.assigned);
        let free = filtered(&wanted, circumstances.is_free);
        let waits = free != wanted;
        if !given_up.is_empty() && circumstances.still_owns(&given_up) {
            return self.advanced(epoch, Progress::Unrevoked, kept, given_up);
        }
        let progress = if waits { Progress::Unreleased } else { Progress::Stable };
        self.advanced(circumstances.target_epoch, progress, union(kept, free), Partitions::new())
    }

    fn advanced(&self, epoch: i32, progress: Progress, assigned: Partitions, revoking: Partitions) -> ConsumerMember {
        let previous_epoch = if epoch == self.epoch { self.previous_epoch } else { self.epoch };
        ConsumerMember { epoch, previous_epoch, progress, assigned, revoking, ..self.clone() }
    }
}

impl Circumstances<'_> {
    /// A member that does not say what it owns owns what it did.
    fn still_owns(&self, partitions: &Partitions) -> bool {
        self.owned.is_none_or(|owned| overlap(owned, partitions))
    }
}

fn per_topic(of: &Partitions, keep: impl Fn(TopicId, &BTreeSet<i32>) -> BTreeSet<i32>) -> Partitions {
    let kept = of.iter().map(|(topic, indices)| (*topic, keep(*topic, indices)));
    kept.filter(|(_, indices)| !indices.is_empty()).collect()
}

fn intersection(one: &Partitions, other: &Partitions) -> Partitions {
    per_topic(one, |topic, indices| other.get(&topic).map(|all| indices & all).unwrap_or_default())
}

fn difference(one: &Partitions, other: &Partitions) -> Partitions {
    per_topic(one, |topic, indices| other.get(&topic).map_or_else(|| indices.clone(), |all| indices - all))
}

fn filtered(of: &Partitions, is_free: &dyn Fn(TopicId, i32) -> bool) -> Partitions {
    per_topic(of, |topic, indices| indices.iter().copied().filter(|index| is_free(topic, *index)).collect())
}

fn union(mut one: Partitions, other: Partitions) -> Partitions {
    for (topic, indices) in other {
        one.entry(topic).or_default().extend(indices);
    }
    one
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Uuid;

    fn partitions(indices: &[i32]) -> Partitions {
        if indices.is_empty() { Partitions::new() } else { Partitions::from([(Uuid(1), indices.iter().copied().collect())]) }
    }

    fn member(epoch: i32, progress: Progress, assigned: &[i32], revoking: &[i32]) -> ConsumerMember {
        let (assigned, revoking) = (partitions(assigned), partitions(revoking));
        ConsumerMember { epoch, previous_epoch: epoch - 1, progress, assigned, revoking, ..ConsumerMember::default() }
    }

    /// From, target of epoch 6, owned, not free; epoch, progress, assigned and to be given up after it.
    #[allow(clippy::type_complexity)]
    #[test]
    fn a_member_gives_up_before_it_is_given() {
        use Progress::{Stable, Unreleased, Unrevoked};
        let cases: &[(ConsumerMember, &[i32], Option<&[i32]>, &[i32], (i32, Progress, &[i32], &[i32]))] = &[
            (member(6, Stable, &[0], &[]), &[0], None, &[], (6, Stable, &[0], &[])),
            (member(5, Stable, &[0], &[]), &[0], None, &[], (6, Stable, &[0], &[])),
            (member(0, Stable, &[], &[]), &[0, 1], Some(&[]), &[], (6, Stable, &[0, 1], &[])),
            (member(0, Stable, &[], &[]), &[0, 1], Some(&[]), &[1], (6, Unreleased, &[0], &[])),
            (member(5, Stable, &[0, 1], &[]), &[0], None, &[], (5, Unrevoked, &[0], &[1])),
            (member(5, Stable, &[0, 1], &[]), &[0, 2], Some(&[0, 1]), &[], (5, Unrevoked, &[0], &[1])),
            // It owns already no more what it is to give up.
            (member(5, Stable, &[0, 1], &[]), &[0], Some(&[0]), &[], (6, Stable, &[0], &[])),
            (member(5, Unrevoked, &[0], &[1]), &[0], None, &[], (5, Unrevoked, &[0], &[1])),
            (member(5, Unrevoked, &[0], &[1]), &[0], Some(&[0, 1]), &[], (5, Unrevoked, &[0], &[1])),
            (member(5, Unrevoked, &[0], &[1]), &[0, 2], Some(&[0]), &[2], (6, Unreleased, &[0], &[])),
            (member(6, Unreleased, &[0], &[]), &[0, 2], None, &[2], (6, Unreleased, &[0], &[])),
            (member(6, Unreleased, &[0], &[]), &[0, 2], None, &[], (6, Stable, &[0, 2], &[])),
            // The target has moved on meanwhile.
            (member(3, Unrevoked, &[0, 2], &[1]), &[0], Some(&[0, 2]), &[], (4, Unrevoked, &[0], &[2])),
        ];
        for (before, target, owned, taken, (epoch, progress, assigned, revoking)) in cases {
            let (target, owned) = (partitions(target), owned.map(partitions));
            let is_free = |_, index: i32| !taken.contains(&index);
            let after =
                before.reconciled(&Circumstances { target_epoch: 6, target: &target, owned: owned.as_ref(), is_free: &is_free });
            let wanted = (*epoch, *progress, partitions(assigned), partitions(revoking));
            assert_eq!((after.epoch, after.progress, after.assigned, after.revoking), wanted, "{before:?} towards {target:?}");
        }
    }
}
