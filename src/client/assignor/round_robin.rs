//! Round-robin: all partitions of all topics, dealt out one after the other; whoever does not subscribe to the topic is passed over.
//!
//! With equal subscriptions nobody has two more than another. With unequal ones it can be lopsided: the dealing goes on where it
//! stands, and does not look back at who has little.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Assignment, Members, in_order, nothing_for_anybody, partitions};

/// Deals the partitions out.
#[must_use]
pub fn assign(topics: &BTreeMap<Arc<str>, i32>, members: &Members) -> Assignment {
    let mut assignment = nothing_for_anybody(members);
    let sorted = in_order(members);
    let mut turn = 0;
    for partition in partitions(topics) {
        let wants = |place: &usize| sorted[place % sorted.len()].1.topics.contains(&partition.topic);
        let Some(place) = (turn..turn + sorted.len()).find(wants) else { continue };
        let (id, _) = sorted[place % sorted.len()];
        assignment.entry(Arc::clone(id)).or_default().insert(partition);
        turn = (place + 1) % sorted.len();
    }
    assignment
}
