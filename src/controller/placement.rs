//! Where the replicas of a new topic go.
//!
//! Leaders should be spread evenly, and when a broker dies the leaderships it had should be spread evenly over all that remain, not
//! all fall to its neighbour. Kafka's classic rule does both (`AdminUtils`, unaware of racks):
//!
//! ```text
//!   n = 4 brokers, 3 replicas, start 0, shift 0         first replica: round robin
//!   partition   0   1   2   3  |  4   5   6   7         the others: after a gap that grows by one
//!   replicas   012 123 230 301 | 023 130 201 312        each time the first ones have gone round
//! ```
//!
//! After n(n-1) partitions each broker has been first with each gap exactly once. Start and gap of a topic are chosen by the seed and
//! its name, so that many small topics do not all begin at the same broker.

use std::hash::Hasher;

use crate::digest::Digest;
use crate::types::BrokerId;

/// Where a topic's placement begins.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Beginning {
    /// Place of the first replica of partition 0 among the brokers.
    pub start: usize,
    /// The gap before its second replica.
    pub shift: usize,
}

impl Beginning {
    /// The beginning for a topic of this name; both numbers are taken modulo the number of brokers later.
    #[must_use]
    pub fn of(seed: u64, topic: &str) -> Beginning {
        let mut digest = Digest::new();
        digest.write_u64(seed);
        digest.write(topic.as_bytes());
        let hash = digest.value();
        Beginning { start: (hash & 0xffff_ffff) as usize, shift: (hash >> 32 & 0xffff_ffff) as usize }
    }
}

/// The replicas of partitions `0..partitions`, the preferred leader first. There must be at least as many `brokers`, all different, as
/// `replicas`, and at least one of each.
#[must_use]
pub fn place(brokers: &[BrokerId], partitions: usize, replicas: usize, beginning: Beginning) -> Vec<Vec<BrokerId>> {
    let n = brokers.len();
    assert!(replicas >= 1 && replicas <= n, "{replicas} replicas need as many brokers, there are {n}");
    let place = |partition: usize, j: usize| {
        let first = partition + beginning.start % n;
        let distance = match j {
            0 => 0,
            j => 1 + (beginning.shift % n + partition / n + j - 1) % (n - 1),
        };
        brokers[(first + distance) % n]
    };
    (0..partitions).map(|partition| (0..replicas).map(|j| place(partition, j)).collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn brokers(n: usize) -> Vec<BrokerId> {
        (1..=n).map(|id| BrokerId(i32::try_from(id).unwrap_or(0))).collect()
    }

    fn spread(counts: impl Iterator<Item = usize> + Clone) -> usize {
        counts.clone().max().unwrap_or(0) - counts.min().unwrap_or(0)
    }

    fn count(placed: &[Vec<BrokerId>], of: BrokerId, is_counted: impl Fn(&[BrokerId], BrokerId) -> bool) -> usize {
        placed.iter().filter(|replicas| is_counted(replicas, of)).count()
    }

    #[test]
    fn the_table_in_the_prose_is_true() {
        let placed = place(&[BrokerId(0), BrokerId(1), BrokerId(2), BrokerId(3)], 8, 3, Beginning { start: 0, shift: 0 });
        let text: Vec<String> = placed.iter().map(|r| r.iter().map(ToString::to_string).collect()).collect();
        assert_eq!(text.join(" "), "012 123 230 301 023 130 201 312");
    }

    #[test]
    fn after_all_gaps_have_been_used_each_broker_inherits_exactly_the_same() {
        for n in 2..8 {
            let all = brokers(n);
            let placed = place(&all, n * (n - 1), 2, Beginning { start: 3, shift: 5 });
            for dead in &all {
                let heirs = all.iter().filter(|b| *b != dead);
                for heir in heirs {
                    assert_eq!(count(&placed, *heir, |r, heir| r[0] == *dead && r[1] == heir), 1, "{n}: {dead} -> {heir}");
                }
            }
        }
    }

    proptest! {
        #[test]
        fn replicas_differ_leaders_are_even_and_a_dead_brokers_leaderships_spread_over_all(
            n in 1usize..9, rf in 1usize..9, partitions in 1usize..60, start: u32, shift: u32,
        ) {
            let (all, rf) = (brokers(n), rf.min(n));
            let placed = place(&all, partitions, rf, Beginning { start: start as usize, shift: shift as usize });
            for replicas in &placed {
                prop_assert!((0..rf).all(|i| !replicas[..i].contains(&replicas[i])));
            }
            let leads = |r: &[BrokerId], id| r[0] == id;
            prop_assert!(spread(all.iter().map(|id| count(&placed, *id, leads))) <= 1);
            if rf < 2 {
                return Ok(());
            }
            for dead in &all {
                let heirs = all.iter().filter(|id| *id != dead);
                let inherited = heirs.map(|id| count(&placed, *id, |r, id| r[0] == *dead && r[1] == id));
                prop_assert!(spread(inherited) <= 1);
            }
        }
    }
}
