//! The records of `__consumer_offsets`: what a group coordinator must not forget.
//!
//! All state of a group is the fold of these records, each replacing the one before it under the same key; a record without a value
//! (a tombstone) removes it. The topic is compacted by key, so the last record of each key is all that a new coordinator can count on.
//! Key and value are stored as the key and the value of one record in a batch:
//!
//! ```text
//!   key     record type, i16 | fields, never flexible
//!   value   version, i16     | fields, flexible where its version is
//! ```
//!
//! The record type says what the key means, and with it which value to expect. Types 0 to 2 belong to committed offsets and to the classic
//! protocol, 3 to 8 and 16 to the protocol of KIP-848. A group of the latter is spread over many small records, so that a heartbeat that
//! moves one member rewrites that member's records only.
//!
//! ```text
//!   group     OffsetCommit    one for each partition with a committed offset
//!             GroupMetadata   classic: generation, leader, all members with subscription and assignment, in one record
//!             ConsumerGroupMetadata                     the group epoch
//!             ConsumerGroupPartitionMetadata            what the topics were like (older than 4.1; now only removed)
//!             ConsumerGroupTargetAssignmentMetadata     the epoch of the target assignment
//!             ConsumerGroupRegularExpression            the topics that a regular expression stands for
//!   member    ConsumerGroupMemberMetadata               who the member is, what it subscribes to
//!             ConsumerGroupTargetAssignmentMember       what it is to own
//!             ConsumerGroupCurrentMemberAssignment      what it owns, and in which epoch
//! ```
//!
//! Layouts are those of Kafka 4.1. It reads every version declared, and writes the newest but for two cases: a classic group in version 3,
//! and an offset that names its own end in version 1, the only one with a place for it. Bytes after the last field are not looked at.
//!
//! A record type that is not known is told apart from other faults, because a coordinator skips it: it may be left from a newer broker
//! that was rolled back (share and streams groups, too, keep their records here). An unknown version of a known type is no such case:
//! nobody can say what would be missing.

mod records;

use bytes::Bytes;

pub use records::*;

use super::decoder::Decoder;
use super::mistake::{DecodeError, EncodeError};
use super::schema::prelude::*;

/// Why the bytes of a record of `__consumer_offsets` cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GroupRecordError {
    /// A record of a type that is not declared here; whoever loads a group passes over it.
    #[error("record type {record_type} is not known")]
    UnknownType {
        /// The number found in the key.
        record_type: i16,
    },
    /// The type is known, but not this version of its value.
    #[error("{message} has no version {version}")]
    UnknownVersion {
        /// The name of the value.
        message: &'static str,
        /// The version found in the value.
        version: i16,
    },
    /// The fields are not what type and version promise.
    #[error(transparent)]
    Malformed(#[from] DecodeError),
}

/// The bytes of a record type or a version.
const PREFIX: usize = size_of::<i16>();

fn read_prefix(message: &'static str, field: &'static str, bytes: &Bytes) -> Result<i16, DecodeError> {
    let mut decoder = Decoder::new(bytes, 0, message, 0, false);
    decoder.enter(message, field);
    i16::decode(&mut decoder, Nulls::Forbidden)
}

fn read_value<M: Message>(bytes: &Bytes) -> Result<M, GroupRecordError> {
    let version = read_prefix(M::NAME, "version", bytes)?;
    if !M::VERSIONS.contains(version) {
        return Err(GroupRecordError::UnknownVersion { message: M::NAME, version });
    }
    Ok(M::read_first(version, bytes, PREFIX)?)
}

impl GroupRecord {
    /// Key and value as Kafka 4.1 stores them.
    pub fn encode(&self) -> Result<(Bytes, Option<Bytes>), EncodeError> {
        let names_its_end = matches!(self, GroupRecord::OffsetCommit(_, Some(value)) if value.expire_timestamp != -1);
        self.encode_version(if names_its_end { 1 } else { self.version_written() })
    }

    /// Reads a stored record; a value of `None` makes it a tombstone.
    pub fn decode(key: &Bytes, value: Option<&Bytes>) -> Result<GroupRecord, GroupRecordError> {
        GroupRecord::read(read_prefix("GroupRecord", "record_type", key)?, key, value)
    }
}
