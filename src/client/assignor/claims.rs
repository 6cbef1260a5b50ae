//! Who owned what, as far as the members' words can be believed.
//!
//! A member may have missed a generation: it joins again and claims what the coordinator has given to somebody else meanwhile. So every
//! claim carries the generation in which it was true, and the newest wins. Two members that claim the same partition in the same
//! generation cannot both be right; neither is believed, and both have to give it up (KAFKA-12984, KAFKA-13715; KIP-792).
//!
//! ```text
//!   claims of orders-0      owner
//!   a@5                     a
//!   a@5  b@7                b        a missed something
//!   a@7  b@7                nobody   one of them is wrong
//!   a@7  b@7  c@4           nobody   nor is an older claim any better
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Members;
use crate::types::TopicPartition;

/// The owner of each partition that has a credible one.
#[must_use]
pub fn owners(members: &Members) -> BTreeMap<TopicPartition, Arc<str>> {
    let mut best: BTreeMap<&TopicPartition, (i32, Option<&Arc<str>>)> = BTreeMap::new();
    for (id, member) in members {
        for partition in &member.owned {
            let claim = (member.generation, Some(id));
            best.entry(partition)
                .and_modify(|held| match member.generation.cmp(&held.0) {
                    std::cmp::Ordering::Greater => *held = claim,
                    std::cmp::Ordering::Equal => held.1 = None,
                    std::cmp::Ordering::Less => {}
                })
                .or_insert(claim);
        }
    }
    best.into_iter().filter_map(|(partition, (_, id))| Some((partition.clone(), Arc::clone(id?)))).collect()
}

/// Everybody who believes to own each partition, whether that can be true or not.
#[must_use]
pub fn claimants(members: &Members) -> BTreeMap<&TopicPartition, BTreeSet<&Arc<str>>> {
    let mut claimants: BTreeMap<&TopicPartition, BTreeSet<&Arc<str>>> = BTreeMap::new();
    for (id, member) in members {
        for partition in &member.owned {
            claimants.entry(partition).or_default().insert(id);
        }
    }
    claimants
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::Subscription;
    use super::*;

    fn owner(claims: &[(&str, i32)]) -> Option<String> {
        let partition = TopicPartition { topic: Arc::from("t"), index: 0 };
        let member = |generation| Subscription { owned: [partition.clone()].into(), generation, ..Subscription::default() };
        let members = claims.iter().map(|(id, generation)| (Arc::from(*id), member(*generation))).collect();
        owners(&members).get(&partition).map(ToString::to_string)
    }

    #[test]
    fn the_newest_generation_is_believed() {
        assert_eq!(owner(&[("a", 5)]).unwrap(), "a");
        assert_eq!(owner(&[("a", 5), ("b", 7)]).unwrap(), "b");
        assert_eq!(owner(&[("a", 7), ("b", 5)]).unwrap(), "a");
    }

    #[test]
    fn two_claims_in_one_generation_are_both_void() {
        assert_eq!(owner(&[("a", 7), ("b", 7)]), None);
        assert_eq!(owner(&[("a", 7), ("b", 7), ("c", 4)]), None);
        assert_eq!(owner(&[("a", 7), ("b", 7), ("c", 8)]).unwrap(), "c");
    }
}
