//! Which partition of `__consumer_offsets` a group belongs to, and which records a log holds.
//!
//! The partition is the hash that Java gives the group's id, without its sign, modulo the number of partitions. Both sides of that are Kafka's
//! protocol: a coordinator in another place is not found by anybody.

use brokerlab::types::{LeaderEpoch, Offset, PartitionId};

use super::RecordPlace;
use crate::check::chain::Chain;
use crate::check::ghost::Ghost;

/// The topic in which coordinators keep what they must not forget.
pub const OFFSETS_TOPIC: &str = "__consumer_offsets";

/// Java's `String.hashCode`.
fn java_hash(text: &str) -> i32 {
    text.encode_utf16().fold(0i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit)))
}

/// The partition that a group belongs to, of so many.
#[must_use]
pub fn partition_for(group: &str, partitions: i32) -> i32 {
    // The one number without a counterpart counts as zero.
    java_hash(group).checked_abs().unwrap_or(0) % partitions.max(1)
}

/// Whether a log holds a record there.
#[must_use]
pub fn holds(log: &Chain, place: RecordPlace) -> bool {
    let links = log.links();
    let found = links.get(links.partition_point(|link| link.end <= place.at));
    found.is_some_and(|link| link.base <= place.at && link.epoch == place.epoch)
}

/// Whether a record there is below the end of a committed log. Where compaction has left a gap, the record was there.
#[must_use]
pub fn is_below_end(log: &Chain, place: RecordPlace) -> bool {
    let links = log.links();
    let found = links.get(links.partition_point(|link| link.end <= place.at));
    found.is_some_and(|link| link.base > place.at || link.epoch == place.epoch)
}

impl Ghost {
    /// Number of the partition of `__consumer_offsets` that a group belongs to.
    #[must_use]
    pub fn shard_of(&self, group: &str) -> Option<usize> {
        let topic = self.topics.iter().position(|topic| topic.name == OFFSETS_TOPIC && !topic.deleted)?;
        let of_topic = || self.partitions.iter().enumerate().filter(|(_, p)| p.topic == Some(topic));
        let count = of_topic().map(|(_, p)| p.id.index + 1).max()?;
        let wanted = PartitionId { topic: self.topics[topic].id, index: partition_for(group, count) };
        of_topic().find(|(_, p)| p.id == wanted).map(|(number, _)| number)
    }

    /// The last batch that a node's replica of a shard holds, and the epoch in which it operates.
    pub(super) fn end_of_shard(&self, shard: Option<usize>, node: usize) -> RecordPlace {
        let shadow = shard.map(|shard| &self.partitions[shard].shadows[node]);
        let last = shadow.and_then(|shadow| shadow.log.links().last());
        match (last, shadow) {
            (Some(last), _) => RecordPlace { at: last.end.plus(-1), epoch: last.epoch },
            (None, Some(shadow)) => RecordPlace { at: Offset::ZERO, epoch: shadow.epoch() },
            (None, None) => RecordPlace { at: Offset::ZERO, epoch: LeaderEpoch::NONE },
        }
    }

    /// The leader epoch in which a node speaks for a shard.
    pub(super) fn epoch_at_shard(&self, shard: Option<usize>, node: usize) -> LeaderEpoch {
        shard.map_or(LeaderEpoch::NONE, |shard| self.partitions[shard].shadows[node].epoch())
    }

    /// Whether a partition belongs to the cluster itself: no application reads it.
    #[must_use]
    pub fn is_internal(&self, partition: usize) -> bool {
        self.partitions[partition].topic.is_some_and(|topic| self.topics[topic].name == OFFSETS_TOPIC)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_placed_as_java_places_them() {
        // "billing".hashCode() is -109829509; "polygenelubricants" is the word whose hash has no counterpart.
        assert_eq!(java_hash("billing"), -109_829_509);
        assert_eq!(partition_for("billing", 50), 9);
        assert_eq!(java_hash("polygenelubricants"), i32::MIN);
        assert_eq!(partition_for("polygenelubricants", 50), 0);
        assert_eq!(partition_for("", 50), 0);
    }
}
