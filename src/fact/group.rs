//! What coordinators and members state about groups.
//!
//! A coordinator speaks of what it has decided; whether the decision is durable is seen from the log it stands in (`CommitStored` names
//! the offset of its record) and from the frames that carry the answer. A member speaks of what it believes to own: with a
//! coordinator that has long given its partitions away, that belief may be wrong, and the checkers judge it as such.
//!
//! *Generation* stands for the classic protocol's generation and for the epochs of the newer one (KIP-848): both only rise.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::types::{LeaderEpoch, Offset, PartitionId, TopicPartition};

/// One statement about groups.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum GroupFact {
    // ---- a coordinator's shard: one partition of `__consumer_offsets` -----------------------------------------
    /// The log was replayed; the coordinator answers for its groups from now on.
    CoordinatorLoaded {
        /// Which partition of `__consumer_offsets`.
        shard: PartitionId,
        /// Leader epoch in which it was loaded.
        leader_epoch: LeaderEpoch,
        /// Everything below was replayed.
        log_end: Offset,
        /// What came out of it, by group id.
        groups: Vec<LoadedGroup>,
    },
    /// The coordinator answers no more for the groups of this partition.
    CoordinatorUnloaded {
        /// Which partition of `__consumer_offsets`.
        shard: PartitionId,
        /// Leader epoch in which it had been loaded.
        leader_epoch: LeaderEpoch,
    },

    // ---- one group at its coordinator -------------------------------------------------------------------------
    /// A member is part of the group from now on.
    MemberJoined {
        /// Group id.
        group: Arc<str>,
        /// Member id.
        member: Arc<str>,
        /// `group.instance.id` of a static member.
        instance: Option<Arc<str>>,
    },
    /// A member is no longer part of the group.
    MemberRemoved {
        /// Group id.
        group: Arc<str>,
        /// Member id.
        member: Arc<str>,
        /// Why.
        reason: RemovalReason,
    },
    /// The group has another state.
    GroupStateChanged {
        /// Group id.
        group: Arc<str>,
        /// State after it.
        state: GroupState,
        /// Generation, or group epoch, after it.
        generation: i32,
    },
    /// All members are known and the generation has begun (classic: the join phase is over; KIP-848: the group epoch was raised).
    GenerationBegun {
        /// Group id.
        group: Arc<str>,
        /// Generation, or group epoch.
        generation: i32,
        /// Member ids, sorted.
        members: Vec<Arc<str>>,
    },
    /// Who is to own what. Classic: as the leading member decided and the log keeps; KIP-848: the target assignment.
    AssignmentDecided {
        /// Group id.
        group: Arc<str>,
        /// Generation, or assignment epoch.
        generation: i32,
        /// For each member, sorted by id, its partitions, sorted.
        assignment: Vec<(Arc<str>, Vec<TopicPartition>)>,
        /// All partitions of all topics that some member subscribes to, sorted; empty if the coordinator cannot read the subscriptions.
        subscribed: Vec<TopicPartition>,
    },
    /// KIP-848: how far a member has come on its way to the target.
    MemberReconciled {
        /// Group id.
        group: Arc<str>,
        /// Member id.
        member: Arc<str>,
        /// Member epoch.
        epoch: i32,
        /// What it may own.
        assigned: Vec<TopicPartition>,
        /// What it still has to give up.
        revoking: Vec<TopicPartition>,
    },
    /// A member commits. The record stands in the shard's log; the promise is the answer.
    CommitStored {
        /// Group id.
        group: Arc<str>,
        /// Member id; empty for commits from outside the group's protocol.
        member: Arc<str>,
        /// Generation or member epoch that the member named; -1 for none.
        generation: i32,
        /// The partition.
        partition: TopicPartition,
        /// The committed offset: the next to be read.
        offset: Offset,
        /// Where the record stands in the shard's log.
        at: Offset,
    },
    /// A committed offset is gone: deleted, or expired.
    CommitRemoved {
        /// Group id.
        group: Arc<str>,
        /// The partition.
        partition: TopicPartition,
        /// Why.
        reason: CommitRemoval,
    },
    /// A request was refused because who sent it is not, or no longer, what it says it is.
    MemberFenced {
        /// Group id.
        group: Arc<str>,
        /// Member id it named.
        member: Arc<str>,
        /// Kafka's error code.
        code: i16,
    },

    // ---- a member ----------------------------------------------------------------------------------------------
    /// The member owns these partitions too from now on.
    PartitionsAssigned {
        /// Group id.
        group: Arc<str>,
        /// Its member id.
        member: Arc<str>,
        /// Generation or member epoch.
        generation: i32,
        /// What is new.
        partitions: Vec<TopicPartition>,
    },
    /// The member has given these up in order: it knew in time, and processes none of their records any more.
    PartitionsRevoked {
        /// Group id.
        group: Arc<str>,
        /// Its member id.
        member: Arc<str>,
        /// Generation or member epoch in which it owned them.
        generation: i32,
        /// What is gone.
        partitions: Vec<TopicPartition>,
    },
    /// The member has learned that it owned these no longer.
    PartitionsLost {
        /// Group id.
        group: Arc<str>,
        /// Its member id.
        member: Arc<str>,
        /// Generation or member epoch in which it owned them.
        generation: i32,
        /// What is gone.
        partitions: Vec<TopicPartition>,
    },
    /// Where the member begins to read a partition that it was assigned.
    PositionTaken {
        /// Group id.
        group: Arc<str>,
        /// Its member id.
        member: Arc<str>,
        /// Generation or member epoch.
        generation: i32,
        /// The partition.
        partition: TopicPartition,
        /// The committed offset; `None`: there is none, `auto.offset.reset` decides.
        committed: Option<Offset>,
    },

    // ---- a coordinator again; at the end, because recordings name facts by their place here -------------------
    /// A group without members speaks another protocol from now on.
    ProtocolChanged {
        /// Group id.
        group: Arc<str>,
        /// The protocol.
        protocol: GroupProtocol,
        /// The generation, or group epoch, from which it goes on.
        generation: i32,
    },
}

/// A group as replayed from the log.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LoadedGroup {
    /// Group id.
    pub group: Arc<str>,
    /// Generation or group epoch; -1 if the log holds nothing but commits.
    pub generation: i32,
    /// Member ids, sorted.
    pub members: Vec<Arc<str>>,
    /// Committed offsets, sorted by partition.
    pub offsets: Vec<(TopicPartition, Offset)>,
}

/// The states of groups. The first five are those of the classic protocol; of the newer one `Empty`, `Assigning`, `Reconciling`, `Stable`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum GroupState {
    /// No members; perhaps offsets.
    Empty,
    /// Members are asked to join again.
    PreparingRebalance,
    /// All have joined; the leading member's assignment is awaited.
    CompletingRebalance,
    /// Everyone has what it was assigned.
    Stable,
    /// Deleted.
    Dead,
    /// KIP-848: the target assignment is older than the group.
    Assigning,
    /// KIP-848: some member has not reached its target.
    Reconciling,
}

/// The two protocols of groups.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum GroupProtocol {
    /// Generations, and a leading member that shares out.
    Classic,
    /// Member epochs, and a coordinator that shares out (KIP-848).
    Consumer,
}

/// Why a member left.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum RemovalReason {
    /// It said so.
    Left,
    /// It was silent for its session time-out.
    SessionExpired,
    /// It did not join again, or did not give up what it was to give up, within the rebalance time-out.
    RebalanceExpired,
    /// It joined and never asked for its assignment.
    SyncExpired,
    /// It was given a member id and never used it.
    NeverJoined,
    /// Another process took its `group.instance.id`.
    Replaced,
    /// The group was converted, or deleted by an administrator.
    Administrator,
}

/// Why a committed offset is gone.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum CommitRemoval {
    /// `offsets.retention.minutes` have passed.
    Expired,
    /// OffsetDelete or DeleteGroups asked for it.
    Deleted,
    /// Its topic was deleted.
    TopicGone,
}

impl GroupFact {
    /// The group that this fact is about; `None` for what concerns a whole shard.
    #[must_use]
    pub fn group(&self) -> Option<&Arc<str>> {
        match self {
            GroupFact::CoordinatorLoaded { .. } | GroupFact::CoordinatorUnloaded { .. } => None,
            GroupFact::MemberJoined { group, .. }
            | GroupFact::MemberRemoved { group, .. }
            | GroupFact::GroupStateChanged { group, .. }
            | GroupFact::GenerationBegun { group, .. }
            | GroupFact::AssignmentDecided { group, .. }
            | GroupFact::MemberReconciled { group, .. }
            | GroupFact::CommitStored { group, .. }
            | GroupFact::CommitRemoved { group, .. }
            | GroupFact::MemberFenced { group, .. }
            | GroupFact::PartitionsAssigned { group, .. }
            | GroupFact::PartitionsRevoked { group, .. }
            | GroupFact::PartitionsLost { group, .. }
            | GroupFact::PositionTaken { group, .. }
            | GroupFact::ProtocolChanged { group, .. } => Some(group),
        }
    }

    /// The name of the variant.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            GroupFact::CoordinatorLoaded { .. } => "CoordinatorLoaded",
            GroupFact::CoordinatorUnloaded { .. } => "CoordinatorUnloaded",
            GroupFact::MemberJoined { .. } => "MemberJoined",
            GroupFact::MemberRemoved { .. } => "MemberRemoved",
            GroupFact::GroupStateChanged { .. } => "GroupStateChanged",
            GroupFact::GenerationBegun { .. } => "GenerationBegun",
            GroupFact::AssignmentDecided { .. } => "AssignmentDecided",
            GroupFact::MemberReconciled { .. } => "MemberReconciled",
            GroupFact::CommitStored { .. } => "CommitStored",
            GroupFact::CommitRemoved { .. } => "CommitRemoved",
            GroupFact::MemberFenced { .. } => "MemberFenced",
            GroupFact::PartitionsAssigned { .. } => "PartitionsAssigned",
            GroupFact::PartitionsRevoked { .. } => "PartitionsRevoked",
            GroupFact::PartitionsLost { .. } => "PartitionsLost",
            GroupFact::PositionTaken { .. } => "PositionTaken",
            GroupFact::ProtocolChanged { .. } => "ProtocolChanged",
        }
    }
}
