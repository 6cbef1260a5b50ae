//! Range: topic by topic, contiguous ranges.
//!
//! With n partitions and m subscribers the first `n mod m` subscribers get one more than the others. Two topics with as many partitions
//! and the same subscribers are cut at the same places, so records of one key meet in one member: that is what the assignor is for. Its
//! price: with many small topics the first members get most.
//!
//! ```text
//!            0 1 2 3 4 5 6
//!   orders   a a a b b c c
//!   refunds  a a a b b c c
//! ```

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Assignment, Members, in_order, nothing_for_anybody};
use crate::types::TopicPartition;

/// Cuts each topic into ranges.
#[must_use]
pub fn assign(topics: &BTreeMap<Arc<str>, i32>, members: &Members) -> Assignment {
    let mut assignment = nothing_for_anybody(members);
    let sorted = in_order(members);
    for (topic, count) in topics {
        let subscribers: Vec<&Arc<str>> =
            sorted.iter().filter(|(_, member)| member.topics.contains(topic)).map(|(id, _)| *id).collect();
        let mut next = 0;
        for (at, id) in subscribers.iter().enumerate() {
            let end = next + share(*count, subscribers.len(), at);
            let range = (next..end).map(|index| TopicPartition { topic: Arc::clone(topic), index });
            assignment.entry(Arc::clone(id)).or_default().extend(range);
            next = end;
        }
    }
    assignment
}

/// How many of `count` partitions the member at place `at` of `members` gets.
fn share(count: i32, members: usize, at: usize) -> i32 {
    // More members than partitions can be counted: then nobody's share is two.
    let Ok(members) = i32::try_from(members) else { return i32::from(i32::try_from(at).is_ok_and(|at| at < count)) };
    let is_among_first = i32::try_from(at).is_ok_and(|at| at < count % members);
    count / members + i32::from(is_among_first)
}
