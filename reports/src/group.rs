//! What the frames of consumer groups promise or show.
//!
//! A coordinator's facts are its own word. What it has promised to whom is read off its answers: that an offset is stored, which offset is stored, who is
//! a member of which generation and what it may read. Partitions are named as in the frames, by topic, because that is what clients speak of.

use std::sync::Arc;

use brokerlab::types::{Duration, Offset, TopicPartition};
use serde::{Deserialize, Serialize};

use crate::event::{EventId, NodeId};

/// An answer of a coordinator (the event's node) to a member, or to whoever asks.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum GroupTap {
    /// OffsetCommit was answered, for one partition.
    CommitAnswered {
        /// Group id.
        group: Arc<str>,
        /// Member id named in the request; empty for none.
        member: Arc<str>,
        /// Generation or member epoch named in the request; -1 for none.
        generation: i32,
        /// The partition.
        partition: TopicPartition,
        /// The offset that was to be stored.
        offset: Offset,
        /// Kafka's error code; 0: it is stored.
        error: i16,
        /// Who asked.
        asker: NodeId,
        /// Event at which the request was delivered.
        request: EventId,
    },
    /// OffsetFetch was answered, for one partition.
    OffsetTold {
        /// Group id.
        group: Arc<str>,
        /// The partition.
        partition: TopicPartition,
        /// The committed offset; `None`: there is none.
        offset: Option<Offset>,
        /// Kafka's error code.
        error: i16,
        /// Who asked.
        asker: NodeId,
        /// Event at which the request was delivered.
        request: EventId,
    },
    /// JoinGroup was answered.
    JoinAnswered {
        /// Group id.
        group: Arc<str>,
        /// Member id that the answer names, or else the request.
        member: Arc<str>,
        /// `group.instance.id` of a static member.
        instance: Option<Arc<str>>,
        /// The generation.
        generation: i32,
        /// How long the member may be silent.
        session: Duration,
        /// How long others wait for it in a rebalance.
        rebalance: Duration,
        /// Kafka's error code.
        error: i16,
        /// Who asked.
        asker: NodeId,
    },
    /// SyncGroup was answered.
    SyncAnswered {
        /// Group id.
        group: Arc<str>,
        /// Member id.
        member: Arc<str>,
        /// The generation named in the request.
        generation: i32,
        /// What the member is to read, sorted; nothing where that cannot be read.
        assigned: Vec<TopicPartition>,
        /// Kafka's error code.
        error: i16,
        /// Who asked.
        asker: NodeId,
    },
    /// Heartbeat was answered.
    HeartbeatAnswered {
        /// Group id.
        group: Arc<str>,
        /// Member id.
        member: Arc<str>,
        /// The generation named in the request.
        generation: i32,
        /// Kafka's error code.
        error: i16,
        /// Who asked.
        asker: NodeId,
    },
    /// LeaveGroup was answered, for one member.
    LeaveAnswered {
        /// Group id.
        group: Arc<str>,
        /// Member id; empty if only the instance is named.
        member: Arc<str>,
        /// Kafka's error code.
        error: i16,
        /// Who asked.
        asker: NodeId,
    },
    /// ConsumerGroupHeartbeat (KIP-848) was answered.
    EpochAnswered {
        /// Group id.
        group: Arc<str>,
        /// Member id.
        member: Arc<str>,
        /// Member epoch; below zero for one that has left.
        epoch: i32,
        /// What the member is to own, sorted; `None`: as before.
        assigned: Option<Vec<TopicPartition>>,
        /// Kafka's error code.
        error: i16,
        /// Who asked.
        asker: NodeId,
    },
}

impl GroupTap {
    /// The group that is spoken of.
    #[must_use]
    pub fn group(&self) -> &Arc<str> {
        match self {
            GroupTap::CommitAnswered { group, .. }
            | GroupTap::OffsetTold { group, .. }
            | GroupTap::JoinAnswered { group, .. }
            | GroupTap::SyncAnswered { group, .. }
            | GroupTap::HeartbeatAnswered { group, .. }
            | GroupTap::LeaveAnswered { group, .. }
            | GroupTap::EpochAnswered { group, .. } => group,
        }
    }
}
