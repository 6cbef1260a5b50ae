//! A group of the classic protocol as the log keeps it: one record with everything that a new coordinator has to know.
//!
//! ```text
//!   GroupMetadata(group) = protocol type, generation, protocol, leader, since when; for each member: who, time-outs, subscription, assignment
//! ```
//!
//! It is written when the leading member's assignment is there, when the last member has gone, and when a static member has come back under
//! another member id. A generation that never got its assignment is in no log: its members have received nothing that they could rely upon.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use crate::types::{Duration, Timestamp};
use crate::wire::GroupRecord;
use crate::wire::group::{GroupMetadataKey, GroupMetadataValue, MemberMetadata};

/// A member.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct StoredMember {
    /// Its instance id, if it is static.
    pub instance: Option<Arc<str>>,
    /// How its client calls itself.
    pub client_id: Arc<str>,
    /// Where it joined from.
    pub host: Arc<str>,
    /// How long it may be silent.
    pub session: Duration,
    /// How long a rebalance waits for it.
    pub rebalance: Duration,
    /// What it said for the protocol chosen.
    pub subscription: Bytes,
    /// Its part.
    pub assignment: Bytes,
}

/// A group.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Stored {
    /// What its members have in common; empty if it never had any.
    pub protocol_type: Arc<str>,
    /// Its generation.
    pub generation: i32,
    /// The protocol chosen.
    pub protocol: Option<Arc<str>>,
    /// The leading member.
    pub leader: Option<Arc<str>>,
    /// Since when it is as it is.
    pub since: Option<Timestamp>,
    /// Its members, by member id.
    pub members: BTreeMap<Arc<str>, StoredMember>,
}

impl Stored {
    /// As a record tells it.
    pub fn read(value: &GroupMetadataValue) -> Stored {
        let arc = |text: &String| Arc::from(text.as_str());
        Stored {
            protocol_type: arc(&value.protocol_type),
            generation: value.generation,
            protocol: value.protocol.as_ref().map(arc),
            leader: value.leader.as_ref().map(arc),
            since: Some(Timestamp(value.current_state_timestamp)).filter(|since| since.0 >= 0),
            members: value.members.iter().map(|member| (arc(&member.member_id), StoredMember::read(member))).collect(),
        }
    }

    /// The record that tells it.
    pub fn record(&self, group: &str) -> GroupRecord {
        let value = GroupMetadataValue {
            protocol_type: self.protocol_type.to_string(),
            generation: self.generation,
            protocol: self.protocol.as_deref().map(str::to_owned),
            leader: self.leader.as_deref().map(str::to_owned),
            current_state_timestamp: self.since.map_or(-1, |since| since.0),
            members: self.members.iter().map(|(id, member)| member.write(id)).collect(),
            ..GroupMetadataValue::default()
        };
        GroupRecord::GroupMetadata(key(group), Some(value))
    }

    /// The record that removes it.
    pub fn tombstone(group: &str) -> GroupRecord {
        GroupRecord::GroupMetadata(key(group), None)
    }
}

impl StoredMember {
    fn read(member: &MemberMetadata) -> StoredMember {
        let session = Duration::from_millis_field(i64::from(member.session_timeout));
        // Records of the first version do not tell it.
        let rebalance = Duration::from_millis_field(i64::from(member.rebalance_timeout));
        StoredMember {
            instance: member.group_instance_id.as_deref().map(Arc::from),
            client_id: Arc::from(member.client_id.as_str()),
            host: Arc::from(member.client_host.as_str()),
            session,
            rebalance: if rebalance == Duration::ZERO { session } else { rebalance },
            subscription: member.subscription.clone(),
            assignment: member.assignment.clone(),
        }
    }

    fn write(&self, id: &str) -> MemberMetadata {
        MemberMetadata {
            member_id: id.to_owned(),
            group_instance_id: self.instance.as_deref().map(str::to_owned),
            client_id: self.client_id.to_string(),
            client_host: self.host.to_string(),
            rebalance_timeout: millis(self.rebalance),
            session_timeout: millis(self.session),
            subscription: self.subscription.clone(),
            assignment: self.assignment.clone(),
            ..MemberMetadata::default()
        }
    }
}

fn key(group: &str) -> GroupMetadataKey {
    GroupMetadataKey { group: group.to_owned(), ..GroupMetadataKey::default() }
}

fn millis(span: Duration) -> i32 {
    i32::try_from(span.as_millis()).unwrap_or(i32::MAX)
}
