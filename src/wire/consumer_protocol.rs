//! What consumers tell each other through the coordinator, in the classic protocol.
//!
//! The coordinator carries two byte strings that it need not understand: each member's *subscription*, in JoinGroup to the leader, and each
//! member's *assignment*, in SyncGroup from the leader. Both are `version, i16 | fields` and never flexible, so that whoever comes later only
//! ever appends fields:
//!
//! ```text
//!   subscription   0 topics, user data   1 owned partitions (KIP-429)   2 generation (KIP-792)   3 rack (KIP-881)
//!   assignment     0 partitions by topic, user data; versions 1 to 3 say the same
//! ```
//!
//! The members of a group may be of different ages, and the leader of any. So a version newer than the newest known is read as that one,
//! and bytes after the last known field are not looked at.

use bytes::Bytes;

use super::decoder::Decoder;
use super::mistake::{DecodeError, EncodeError};
use super::schema::prelude::*;
use super::schema::structure;

/// What the protocol type of a group of consumers is called.
pub const PROTOCOL_TYPE: &str = "consumer";

structure! {
    /// What a member wants to read, and what it owns so far.
    ConsumerProtocolSubscription {
        /// The topics it subscribes to.
        topics: Vec<String> [always()],
        /// What its assignor wants to tell the leader's.
        user_data: Option<Bytes> [always().nullable()],
        /// The partitions that it owned when it joined, by topic.
        owned_partitions: Vec<TopicPartition> [since(1).ignorable()],
        /// The generation in which it owned them, or -1: claims of older generations do not count.
        generation_id: i32 [since(2).ignorable()] = -1,
        /// Its rack, or null.
        rack_id: Option<String> [since(3).nullable().ignorable()] = None,
    }
}

structure! {
    /// What a member is to read.
    ConsumerProtocolAssignment {
        /// The partitions by topic.
        assigned_partitions: Vec<TopicPartition> [always()],
        /// What the leader's assignor wants to tell the member's.
        user_data: Option<Bytes> [always().nullable()],
    }
}

structure! {
    /// Partitions of one topic.
    TopicPartition {
        /// The topic name.
        topic: String [always()],
        /// The partitions.
        partitions: Vec<i32> [always()],
    }
}

macro_rules! embedded {
    ($($name:ident),*) => { $(
        impl Message for $name {
            const NAME: &'static str = stringify!($name);
            const SCHEMA: &'static Schema = &$name::SCHEMA;
            const VERSIONS: Versions = Versions { min: 0, max: 3 };
            const FLEXIBLE: i16 = NEVER;
        }

        impl Embedded for $name {}
    )* };
}

embedded!(ConsumerProtocolSubscription, ConsumerProtocolAssignment);

/// A message that travels as bytes within another one, its version before it.
pub trait Embedded: Message {
    /// The bytes in `version`.
    fn embed(&self, version: i16) -> Result<Bytes, EncodeError> {
        self.to_prefixed(version, version)
    }

    /// Reads such bytes; of a version newer than known, what is known of it.
    fn extract(bytes: &Bytes) -> Result<Self, DecodeError> {
        let mut decoder = Decoder::new(bytes, 0, Self::NAME, 0, false);
        decoder.enter(Self::NAME, "version");
        let place = decoder.place();
        let version = i16::decode(&mut decoder, Nulls::Forbidden)?;
        if version < Self::VERSIONS.min {
            return Err(DecodeError::Malformed { place });
        }
        Self::read_first(version.min(Self::VERSIONS.max), bytes, decoder.offset())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn partitions(topic: &str, partitions: &[i32]) -> TopicPartition {
        TopicPartition { topic: topic.into(), partitions: partitions.to_vec(), ..Default::default() }
    }

    fn subscription() -> ConsumerProtocolSubscription {
        ConsumerProtocolSubscription {
            topics: vec!["orders".into()],
            user_data: Some(Bytes::from_static(b"u")),
            owned_partitions: vec![partitions("orders", &[0, 2])],
            generation_id: 7,
            rack_id: Some("r".into()),
            ..Default::default()
        }
    }

    #[test]
    fn an_older_version_drops_what_it_has_no_place_for() {
        let seen = |version| ConsumerProtocolSubscription::extract(&subscription().embed(version).unwrap()).unwrap();
        assert_eq!(seen(3), subscription());
        assert_eq!(seen(2), ConsumerProtocolSubscription { rack_id: None, ..subscription() });
        assert_eq!(seen(1), ConsumerProtocolSubscription { rack_id: None, generation_id: -1, ..subscription() });
        let oldest =
            ConsumerProtocolSubscription { owned_partitions: vec![], generation_id: -1, rack_id: None, ..subscription() };
        assert_eq!(seen(0), oldest);
    }

    #[test]
    fn a_newer_version_is_read_as_the_newest_known() {
        let mut bytes = subscription().embed(3).unwrap().to_vec();
        bytes[..2].copy_from_slice(&9_i16.to_be_bytes());
        bytes.extend(b"fields of versions to come");
        assert_eq!(ConsumerProtocolSubscription::extract(&bytes.into()), Ok(subscription()));
    }

    #[test]
    fn bytes_after_the_last_field_are_not_looked_at() {
        let assigned_partitions = vec![partitions("orders", &[1])];
        let assignment = ConsumerProtocolAssignment { assigned_partitions, ..Default::default() };
        let longer = [&assignment.embed(0).unwrap()[..], b"more"].concat();
        assert_eq!(ConsumerProtocolAssignment::extract(&longer.into()), Ok(assignment));
    }

    #[test]
    fn no_version_a_negative_one_and_cut_fields_are_refused() {
        let refused = |bytes: &[u8]| ConsumerProtocolSubscription::extract(&Bytes::copy_from_slice(bytes)).unwrap_err();
        assert!(matches!(refused(&[]), DecodeError::Truncated { .. }));
        assert!(matches!(refused(&[0]), DecodeError::Truncated { .. }));
        assert!(matches!(refused(&[0xff, 0xff, 0, 0, 0, 0]), DecodeError::Malformed { .. }));
        let whole = subscription().embed(3).unwrap();
        (0..whole.len()).for_each(|end| drop(refused(&whole[..end])));
    }

    #[test]
    fn a_count_beyond_the_bytes_is_refused() {
        let bytes = Bytes::from_static(&[0, 0, 0x7f, 0xff, 0xff, 0xff, 0, 0]);
        assert!(matches!(ConsumerProtocolSubscription::extract(&bytes), Err(DecodeError::Truncated { .. })));
    }
}
