//! Answers that wait until what they rest on is committed, and facts that wait until they are true for good.
//!
//! ```text
//!   log end at the moment of the answer ──▶  ┌─────┬─────┬─────┬─────┐
//!                                            │ 17  │ 17  │ 19  │ 24  │  ──▶ leaves when committed >= its number
//!                                            └─────┴─────┴─────┴─────┘
//! ```
//!
//! An answer waits for the log end of the moment in which it was made, whether or not its own request wrote anything: a refusal may
//! rest on a record that could still be lost (KIP-631's deferred events). So the numbers only rise, and the queue is a queue.

use std::collections::VecDeque;

use crate::types::Offset;

/// Things that wait for the committed end to reach a number.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Deferred<T> {
    queue: VecDeque<(Offset, T)>,
}

impl<T> Default for Deferred<T> {
    fn default() -> Deferred<T> {
        Deferred { queue: VecDeque::new() }
    }
}

impl<T> Deferred<T> {
    /// Keeps `thing` back until everything below `end` is committed.
    pub fn push(&mut self, end: Offset, thing: T) {
        assert!(self.queue.back().is_none_or(|(last, _)| *last <= end), "the log end does not fall");
        self.queue.push_back((end, thing));
    }

    /// The next thing that waits for nothing any more.
    pub fn pop(&mut self, committed: Offset) -> Option<T> {
        let is_due = self.queue.front().is_some_and(|(end, _)| *end <= committed);
        is_due.then(|| self.queue.pop_front()).flatten().map(|(_, thing)| thing)
    }

    /// Forgets what is not wanted any more.
    pub fn retain(&mut self, is_wanted: impl Fn(&T) -> bool) {
        self.queue.retain(|(_, thing)| is_wanted(thing));
    }

    /// What waits, in order.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.queue.iter().map(|(_, thing)| thing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_leaves_before_its_end_is_committed_and_nothing_overtakes() {
        let mut deferred = Deferred::default();
        deferred.push(Offset(2), "a");
        deferred.push(Offset(2), "b");
        deferred.push(Offset(5), "c");
        assert_eq!(deferred.pop(Offset(1)), None);
        assert_eq!((deferred.pop(Offset(2)), deferred.pop(Offset(4)), deferred.pop(Offset(4))), (Some("a"), Some("b"), None));
        assert_eq!(deferred.pop(Offset(5)), Some("c"));
    }
}
