//! Who leads a partition.
//!
//! The order in which candidates are asked (Kafka's `PartitionChangeBuilder`):
//!
//! ```text
//!   1  the present leader      if it is in the ISR and active        nothing moves without need
//!   2  first assigned replica  that is in the ISR and active         holds everything committed: a clean election
//!   3  first assigned replica  that is active, if the topic allows   may lack committed records: an unclean election
//!   4  nobody                                                         the partition waits for a member of its ISR
//! ```
//!
//! Active means registered, not fenced, not shutting down. After an unclean election the ISR is the new leader alone, and the
//! partition is *recovering* until that leader says otherwise. Eligible leader replicas (KIP-966) are not kept: the ISR never
//! becomes empty instead.

use crate::types::BrokerId;

/// Whether a replica outside the ISR may be elected when nothing else is left (`unclean.leader.election.enable`).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Unclean {
    /// Better no leader than lost records.
    Forbidden,
    /// Better lost records than no leader.
    Allowed,
}

/// How an election ended.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Elected {
    /// A member of the ISR leads.
    Clean(BrokerId),
    /// A replica from outside the ISR leads; committed records may be lost.
    Unclean(BrokerId),
    /// Nobody can lead now.
    Nobody,
}

impl Elected {
    /// The leader, if there is one.
    #[must_use]
    pub fn leader(self) -> Option<BrokerId> {
        match self {
            Elected::Clean(leader) | Elected::Unclean(leader) => Some(leader),
            Elected::Nobody => None,
        }
    }
}

/// Elects a leader among `replicas` (in order of assignment), given the present `leader` and the `isr`.
pub fn elect(
    leader: Option<BrokerId>,
    replicas: &[BrokerId],
    isr: &[BrokerId],
    unclean: Unclean,
    is_active: impl Fn(BrokerId) -> bool,
) -> Elected {
    let is_clean = |candidate: &BrokerId| isr.contains(candidate) && is_active(*candidate);
    if let Some(leader) = leader.filter(is_clean) {
        return Elected::Clean(leader);
    }
    if let Some(leader) = replicas.iter().copied().find(is_clean) {
        return Elected::Clean(leader);
    }
    match unclean {
        Unclean::Forbidden => Elected::Nobody,
        Unclean::Allowed => replicas.iter().copied().find(|r| is_active(*r)).map_or(Elected::Nobody, Elected::Unclean),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_leader_is_active_and_clean_if_anyone_is(
            replicas in proptest::sample::subsequence((1..=6).collect::<Vec<i32>>(), 1..=5).prop_shuffle(),
            isr_bits in 1u8..64, active_bits in 0u8..64, leader in 0..7, allowed: bool,
        ) {
            let replicas: Vec<BrokerId> = replicas.into_iter().map(BrokerId).collect();
            let has = |bits: u8, id: BrokerId| bits & (1 << (id.0 - 1)) != 0;
            let isr: Vec<BrokerId> = replicas.iter().copied().filter(|r| has(isr_bits, *r)).collect();
            let leader = isr.iter().copied().find(|r| r.0 == leader);
            let unclean = if allowed { Unclean::Allowed } else { Unclean::Forbidden };
            let is_active = |id| has(active_bits, id);
            let clean_exists = isr.iter().any(|r| is_active(*r));
            match elect(leader, &replicas, &isr, unclean, is_active) {
                Elected::Clean(id) => {
                    prop_assert!(isr.contains(&id) && is_active(id));
                    prop_assert!(leader.is_none_or(|l| l == id || !is_active(l)), "an active leader in the ISR stays");
                }
                Elected::Unclean(id) => prop_assert!(allowed && !clean_exists && is_active(id) && replicas.contains(&id)),
                Elected::Nobody => {
                    prop_assert!(!clean_exists);
                    prop_assert!(!allowed || replicas.iter().all(|r| !is_active(*r)));
                }
            }
        }
    }
}
