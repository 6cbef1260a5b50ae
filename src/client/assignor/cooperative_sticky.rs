//! Cooperative-sticky: what is sticky wants, less what somebody else still holds (KIP-429).
//!
//! Members do not give anything up before they join; they read on during the rebalance. So a partition that is to move is assigned to
//! nobody at first. Its owner sees that it is missing, gives it up and joins again, and only this second rebalance hands it over:
//!
//! ```text
//!                 a owns      b owns
//!   before        0 1 2       -
//!   first         0 1         -          a gives up 2, and joins again
//!   second        0 1         2
//! ```
//!
//! To hand it over in the first would make two owners of one partition for a while. Stricter than Kafka's: everybody counts who claims a
//! partition, also with a claim that was overtaken by a newer one. Such a member is mistaken, but it may be reading all the same.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::claims::claimants;
use super::{Assignment, Members, sticky};
use crate::mutant::{Mutant, Mutants};

/// The sticky assignment without what changes hands.
#[must_use]
pub fn assign(topics: &BTreeMap<Arc<str>, i32>, members: &Members, mutants: Mutants) -> Assignment {
    let mut assignment = sticky::assign(topics, members, mutants);
    if mutants.is(Mutant::AssignBeforeRevoke) {
        return assignment;
    }
    let claimants = claimants(members);
    for (id, partitions) in &mut assignment {
        partitions.retain(|partition| claimants.get(partition).is_none_or(|holders| holders.iter().all(|holder| *holder == id)));
    }
    assignment
}
