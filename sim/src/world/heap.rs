//! The one queue of everything that will happen.
//!
//! Entries leave in the order of (moment, number in which they were put in). This queue alone decides what comes first; neither
//! the executor nor a hash table nor a thread has a say.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use brokerlab::types::Time;

/// What will happen, by moment.
#[derive(Debug)]
pub struct Heap<T> {
    entries: BinaryHeap<Entry<T>>,
    sequence: u64,
}

#[derive(Debug)]
struct Entry<T> {
    at: Time,
    sequence: u64,
    what: T,
}

impl<T> Heap<T> {
    /// Nothing is to happen.
    #[must_use]
    pub fn new() -> Heap<T> {
        Heap { entries: BinaryHeap::new(), sequence: 0 }
    }

    /// `what` is to happen then.
    pub fn push(&mut self, at: Time, what: T) {
        self.sequence += 1;
        self.entries.push(Entry { at, sequence: self.sequence, what });
    }

    /// What happens next.
    pub fn pop(&mut self) -> Option<(Time, T)> {
        self.entries.pop().map(|entry| (entry.at, entry.what))
    }

    /// How much is to happen.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nothing is to happen.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

impl<T> Default for Heap<T> {
    fn default() -> Heap<T> {
        Heap::new()
    }
}

// The standard heap gives the greatest first, so earlier is greater.
impl<T> Ord for Entry<T> {
    fn cmp(&self, other: &Entry<T>) -> Ordering {
        (other.at, other.sequence).cmp(&(self.at, self.sequence))
    }
}

impl<T> PartialOrd for Entry<T> {
    fn partial_cmp(&self, other: &Entry<T>) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> PartialEq for Entry<T> {
    fn eq(&self, other: &Entry<T>) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl<T> Eq for Entry<T> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn earlier_first_and_first_in_first_out_within_a_moment() {
        let mut heap = Heap::new();
        for (at, what) in [(5, 'c'), (1, 'a'), (5, 'd'), (1, 'b')] {
            heap.push(Time(at), what);
        }
        let order: Vec<char> = std::iter::from_fn(|| heap.pop()).map(|(_, what)| what).collect();
        assert_eq!(order, ['a', 'b', 'c', 'd']);
        assert!(heap.is_empty());
    }
}
