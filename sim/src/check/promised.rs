//! Which promise covers a record: asked once for every acknowledged record of a run, so by place instead of one after the other.

use super::ghost::{Ghost, Promise};
use brokerlab::types::Offset;

/// The promises of all partitions, by producer and first offset.
#[derive(Debug)]
pub struct Promised {
    partitions: Vec<Shelf>,
}

/// Those of one partition.
#[derive(Debug)]
struct Shelf {
    /// Indices of the promises, by producer, then by first offset, then by age.
    order: Vec<usize>,
    /// Offsets that the longest promise covers: further back, none reaches a place.
    longest: i64,
}

impl Promised {
    /// Sorts them.
    #[must_use]
    pub fn of(ghost: &Ghost) -> Promised {
        Promised { partitions: ghost.partitions.iter().map(|p| Shelf::of(&p.promises)).collect() }
    }

    /// The oldest promise that a producer was given of an offset. Offsets are promised again where a log began anew.
    #[must_use]
    pub fn find<'g>(&self, ghost: &'g Ghost, partition: usize, producer: usize, offset: Offset) -> Option<&'g Promise> {
        let promises = &ghost.partitions[partition].promises;
        let shelf = &self.partitions[partition];
        let end = shelf.order.partition_point(|at| (promises[*at].producer, promises[*at].from) <= (producer, offset));
        let near = shelf.order[..end]
            .iter()
            .rev()
            .map(|at| (*at, &promises[*at]))
            .take_while(|(_, promise)| promise.producer == producer && offset.since(promise.from) < shelf.longest);
        near.filter(|(_, promise)| offset < promise.to).min_by_key(|(at, _)| *at).map(|(_, promise)| promise)
    }
}

impl Shelf {
    fn of(promises: &[Promise]) -> Shelf {
        let mut order: Vec<usize> = (0..promises.len()).collect();
        order.sort_by_key(|at| (promises[*at].producer, promises[*at].from));
        let longest = promises.iter().map(|promise| promise.to.since(promise.from)).max();
        Shelf { order, longest: longest.unwrap_or(0) }
    }
}
