//! What an actor may state about itself, in the field's words.
//!
//! Facts are evidence for the checkers and the raw material of explanations. Each names the cell of state that it changed
//! ([`Fact::cell`]) and the new value. They are the suspect's own words: acknowledgements and exposures are taken from the frames
//! instead, and log contents are compared with what an auditor finds on the disk.
//!
//! A fact describes the state *after* the change. Sets of brokers are sorted.

pub mod group;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::disk::DiskError;
use crate::mutant::Mutant;
use crate::types::{
    BrokerEpoch, BrokerId, LeaderEpoch, Offset, PartitionEpoch, PartitionId, ProducerEpoch, ProducerId, Sequence, TopicId, Uuid,
};

pub use group::GroupFact;

/// One statement.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Fact {
    // ---- a broker's life ------------------------------------------------------------------------------------
    /// The process has opened its disk; recovery of the logs is complete.
    BrokerStarted {
        /// Who.
        broker: BrokerId,
        /// Names this life of the process.
        incarnation: Uuid,
        /// Whether the last shutdown was a clean one.
        clean: bool,
    },
    /// The broker learned its broker epoch from the controller.
    BrokerRegistered {
        /// Who.
        broker: BrokerId,
        /// Its epoch from now on.
        broker_epoch: BrokerEpoch,
    },
    /// The broker has applied the committed metadata log up to here (exclusive).
    MetadataApplied {
        /// End of what is applied.
        end: Offset,
    },

    // ---- one replica's log ----------------------------------------------------------------------------------
    /// A log was created or loaded; loading may have cut a torn tail.
    LogOpened {
        /// Which.
        partition: PartitionId,
        /// Log start.
        log_start: Offset,
        /// Log end after recovery.
        log_end: Offset,
        /// The high watermark it starts with.
        high_watermark: Offset,
        /// Bytes that recovery cut from the end.
        cut_bytes: u64,
    },
    /// A batch is in the log. `role_epoch` is the leader epoch in which this replica operates, `leader_epoch` that of the batch.
    BatchAppended {
        /// Which log.
        partition: PartitionId,
        /// First offset.
        base_offset: Offset,
        /// Last offset (inclusive).
        last_offset: Offset,
        /// Leader epoch stamped on the batch.
        leader_epoch: LeaderEpoch,
        /// Leader epoch under which the replica operates.
        role_epoch: LeaderEpoch,
        /// The batch's CRC-32C.
        crc: u32,
        /// Idempotent producer: id, epoch, first sequence.
        producer: Option<(ProducerId, ProducerEpoch, Sequence)>,
        /// Whether the replica appended it as leader.
        as_leader: bool,
    },
    /// The log was cut at `to`.
    LogTruncated {
        /// Which log.
        partition: PartitionId,
        /// Log end before.
        from: Offset,
        /// Log end after.
        to: Offset,
        /// Leader epoch under which the replica operates.
        role_epoch: LeaderEpoch,
        /// Why.
        reason: TruncationReason,
    },
    /// Everything below is on the medium.
    LogFlushed {
        /// Which log.
        partition: PartitionId,
        /// End of what is durable.
        durable_end: Offset,
    },
    /// Old records were given up.
    LogStartMoved {
        /// Which log.
        partition: PartitionId,
        /// First record still there.
        log_start: Offset,
    },
    /// A compaction pass has read the keys of a stretch of the log; nothing has been given up yet. From now on any record below `up_to` may be, if a
    /// newer one below `up_to` has its key.
    CompactionBegan {
        /// Which log.
        partition: PartitionId,
        /// Where the stretch begins: what lies below was clean.
        first_dirty: Offset,
        /// Where it ends (exclusive).
        up_to: Offset,
    },
    /// The pass is over.
    Compacted {
        /// Which log.
        partition: PartitionId,
        /// End of what is clean.
        up_to: Offset,
        /// Records that the pass has given up.
        records_dropped: u64,
        /// Batches of which nothing is left.
        batches_dropped: u64,
    },
    /// The log was removed, its topic being deleted or its replica moved.
    LogRemoved {
        /// Which log.
        partition: PartitionId,
    },
    /// A batch failed its checksum or does not follow its predecessor.
    CorruptionFound {
        /// Which log.
        partition: PartitionId,
        /// First offset that cannot be trusted.
        at: Offset,
        /// Whether the place is below the recovery point, where a torn write cannot be the reason.
        below_recovery_point: bool,
    },
    /// The disk failed; the log takes no more part until the process is restarted.
    LogFailed {
        /// Which log; `None`: the whole data directory.
        partition: Option<PartitionId>,
        /// What the disk said.
        error: DiskError,
    },

    // ---- one replica's role ---------------------------------------------------------------------------------
    /// The replica acts as leader from now on, or goes on with a new partition epoch.
    BecameLeader {
        /// Which.
        partition: PartitionId,
        /// Leader epoch.
        leader_epoch: LeaderEpoch,
        /// Partition epoch.
        partition_epoch: PartitionEpoch,
        /// Log end at the election: where this leader's own records begin.
        epoch_start: Offset,
        /// High watermark it starts with.
        high_watermark: Offset,
        /// ISR according to the controller.
        isr: Vec<BrokerId>,
    },
    /// The replica follows from now on.
    BecameFollower {
        /// Which.
        partition: PartitionId,
        /// Leader epoch.
        leader_epoch: LeaderEpoch,
        /// Whom it follows; `None` if there is no leader.
        leader: Option<BrokerId>,
        /// Its log end.
        log_end: Offset,
        /// Its high watermark.
        high_watermark: Offset,
    },
    /// A leader's high watermark rose.
    HighWatermarkAdvanced {
        /// Which.
        partition: PartitionId,
        /// Its leader epoch.
        leader_epoch: LeaderEpoch,
        /// Before.
        from: Offset,
        /// After.
        to: Offset,
        /// The brokers whose logs were counted: the committed ISR and those being added.
        maximal_isr: Vec<BrokerId>,
        /// The committed ISR as the leader knows it.
        isr: Vec<BrokerId>,
        /// Effective minimum of in-sync replicas.
        min_isr: u32,
    },
    /// A follower took over the leader's high watermark; it may fall.
    HighWatermarkFollowed {
        /// Which.
        partition: PartitionId,
        /// Leader epoch under which it follows.
        leader_epoch: LeaderEpoch,
        /// After.
        to: Offset,
    },
    /// A leader asks the controller for another ISR.
    IsrProposed {
        /// Which.
        partition: PartitionId,
        /// Its leader epoch.
        leader_epoch: LeaderEpoch,
        /// The partition epoch that the change builds upon.
        partition_epoch: PartitionEpoch,
        /// The ISR it wants.
        isr: Vec<BrokerId>,
    },
    /// A leader knows of a committed ISR (from the answer or from the metadata log).
    IsrLearned {
        /// Which.
        partition: PartitionId,
        /// Its leader epoch.
        leader_epoch: LeaderEpoch,
        /// Partition epoch.
        partition_epoch: PartitionEpoch,
        /// The ISR.
        isr: Vec<BrokerId>,
    },

    // ---- the controller ---------------------------------------------------------------------------------------
    /// The controller has replayed its log and takes requests.
    ControllerActivated {
        /// Who.
        controller: BrokerId,
        /// Its epoch.
        controller_epoch: i32,
    },
    /// A broker got a broker epoch. It is fenced until it has caught up.
    RegistrationAccepted {
        /// Who.
        broker: BrokerId,
        /// Which life of it.
        incarnation: Uuid,
        /// Its epoch.
        broker_epoch: BrokerEpoch,
    },
    /// The broker may lead and be in an ISR.
    BrokerUnfenced {
        /// Who.
        broker: BrokerId,
        /// Its epoch.
        broker_epoch: BrokerEpoch,
    },
    /// The broker may not lead nor be in an ISR.
    BrokerFenced {
        /// Who.
        broker: BrokerId,
        /// Its epoch.
        broker_epoch: BrokerEpoch,
    },
    /// A topic exists.
    TopicCreated {
        /// Its identity.
        topic: TopicId,
        /// Its name.
        name: String,
        /// Minimum of in-sync replicas configured for it (1 if not).
        min_isr: u32,
        /// Whether a replica outside the ISR may be elected when nothing else is left.
        unclean_election: bool,
        /// `flush.messages=1`: what is acknowledged is durable.
        flush_each_batch: bool,
    },
    /// A topic is gone.
    TopicDeleted {
        /// Its identity.
        topic: TopicId,
    },
    /// A partition exists, with its first state.
    PartitionCreated {
        /// Which.
        partition: PartitionId,
        /// Assigned replicas, preferred leader first (not sorted).
        replicas: Vec<BrokerId>,
        /// Its state.
        state: PartitionState,
    },
    /// Another leader, or none, was decided and committed.
    LeaderElected {
        /// Which.
        partition: PartitionId,
        /// The state after it.
        state: PartitionState,
        /// Whether the leader comes from outside the ISR.
        unclean: bool,
    },
    /// The ISR lost members (by AlterPartition, fencing or shutdown); the leader stayed.
    IsrShrunk {
        /// Which.
        partition: PartitionId,
        /// The state after it.
        state: PartitionState,
    },
    /// The ISR gained members; the leader stayed.
    IsrExpanded {
        /// Which.
        partition: PartitionId,
        /// The state after it.
        state: PartitionState,
    },
    /// A change of the ISR was refused.
    AlterPartitionRefused {
        /// Which.
        partition: PartitionId,
        /// Who asked.
        broker: BrokerId,
        /// Kafka's error code.
        code: i16,
    },
    /// The metadata log is committed up to here (exclusive).
    MetadataCommitted {
        /// End of what is committed.
        end: Offset,
    },

    /// A coordinator or a member states something about groups.
    Group(GroupFact),

    /// A corner was reached that only the broker can see: no state changed, and all is as it should be.
    Reached {
        /// Which.
        corner: Corner,
    },

    // ---- the laboratory's own ---------------------------------------------------------------------------------
    /// Hidden: a planted bug really changed a decision.
    MutantActed {
        /// Which.
        mutant: Mutant,
    },
}

/// Branches that bugs have lived in, and that nobody but the broker can see being taken.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum Corner {
    /// A follower has reached the high watermark, but not the epoch start: it may not join the ISR yet.
    ExpansionBelowEpochStart,
    /// A producer's retry is recognised.
    DuplicateFromWindow,
    /// The answer to a follower's fetch was overtaken by an election or a truncation.
    AnswerOvertaken,
    /// A follower named an older leader epoch than the leader's.
    FollowerFenced,
    /// A follower named a newer leader epoch than the leader's.
    LeaderBehindFollower,
    /// A follower is neither within the leader's log nor comparable with it.
    FollowerOutOfRange,
    /// Records came for a log whose truncation is not yet durable.
    AppendBeforeCutIsDurable,
    /// The answer to an AlterPartition came when it was no longer waited for.
    ProposalAnswerTooLate,
}

impl Mutant {
    /// The fact that this planted bug has just changed a decision.
    #[must_use]
    pub const fn acted(self) -> Fact {
        Fact::MutantActed { mutant: self }
    }
}

/// A partition as the controller's log says.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct PartitionState {
    /// The leader, if there is one.
    pub leader: Option<BrokerId>,
    /// Leader epoch.
    pub leader_epoch: LeaderEpoch,
    /// Partition epoch.
    pub partition_epoch: PartitionEpoch,
    /// In-sync replicas, sorted.
    pub isr: Vec<BrokerId>,
}

/// Why a log was cut.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum TruncationReason {
    /// The leader's epochs part from ours there.
    Diverged,
    /// The leader's log ends below ours.
    BeyondLeaderEnd,
    /// The leader's log starts above our end: begin anew there.
    BelowLeaderStart,
    /// Only with a planted bug: cut at the own high watermark.
    ToHighWatermark,
}

/// A piece of state that a fact can change; explanations follow the last writer of a cell.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum Cell {
    /// Whether and how a broker takes part.
    Broker(BrokerId),
    /// What a node knows of the metadata.
    Metadata,
    /// Contents and end of a replica's log.
    Log(PartitionId),
    /// How far a replica's log is durable.
    Durable(PartitionId),
    /// A replica's role and leader epoch.
    Role(PartitionId),
    /// A replica's high watermark.
    HighWatermark(PartitionId),
    /// The leader's belief about the ISR.
    Isr(PartitionId),
    /// The controller's state of a partition.
    Partition(PartitionId),
    /// The controller's state of a topic.
    Topic(TopicId),
    /// A coordinator's charge of a partition of `__consumer_offsets`.
    Shard(PartitionId),
    /// A group, at its coordinator and at its members.
    Group(Arc<str>),
}

impl Fact {
    /// The cell that this fact changed at the node that states it; `None` for refusals and hidden facts.
    #[must_use]
    pub fn cell(&self) -> Option<Cell> {
        Some(match self {
            Fact::BrokerStarted { broker, .. }
            | Fact::BrokerRegistered { broker, .. }
            | Fact::RegistrationAccepted { broker, .. }
            | Fact::BrokerUnfenced { broker, .. }
            | Fact::BrokerFenced { broker, .. }
            | Fact::ControllerActivated { controller: broker, .. } => Cell::Broker(*broker),
            Fact::MetadataApplied { .. } | Fact::MetadataCommitted { .. } => Cell::Metadata,
            Fact::LogOpened { partition, .. }
            | Fact::BatchAppended { partition, .. }
            | Fact::LogTruncated { partition, .. }
            | Fact::LogStartMoved { partition, .. }
            | Fact::CompactionBegan { partition, .. }
            | Fact::Compacted { partition, .. }
            | Fact::CorruptionFound { partition, .. }
            | Fact::LogFailed { partition: Some(partition), .. }
            | Fact::LogRemoved { partition } => Cell::Log(*partition),
            Fact::LogFlushed { partition, .. } => Cell::Durable(*partition),
            Fact::BecameLeader { partition, .. } | Fact::BecameFollower { partition, .. } => Cell::Role(*partition),
            Fact::HighWatermarkAdvanced { partition, .. } | Fact::HighWatermarkFollowed { partition, .. } => {
                Cell::HighWatermark(*partition)
            }
            Fact::IsrProposed { partition, .. } | Fact::IsrLearned { partition, .. } => Cell::Isr(*partition),
            Fact::PartitionCreated { partition, .. }
            | Fact::LeaderElected { partition, .. }
            | Fact::IsrShrunk { partition, .. }
            | Fact::IsrExpanded { partition, .. } => Cell::Partition(*partition),
            Fact::TopicCreated { topic, .. } | Fact::TopicDeleted { topic } => Cell::Topic(*topic),
            Fact::Group(GroupFact::CoordinatorLoaded { shard, .. } | GroupFact::CoordinatorUnloaded { shard, .. }) => {
                Cell::Shard(*shard)
            }
            Fact::Group(fact) => Cell::Group(fact.group()?.clone()),
            Fact::LogFailed { partition: None, .. }
            | Fact::AlterPartitionRefused { .. }
            | Fact::Reached { .. }
            | Fact::MutantActed { .. } => {
                return None;
            }
        })
    }

    /// The partition that this fact is about, if it is about one.
    #[must_use]
    pub fn partition(&self) -> Option<PartitionId> {
        match (self, self.cell()) {
            (Fact::AlterPartitionRefused { partition, .. }, _) => Some(*partition),
            (
                _,
                Some(
                    Cell::Log(partition)
                    | Cell::Durable(partition)
                    | Cell::Role(partition)
                    | Cell::HighWatermark(partition)
                    | Cell::Isr(partition)
                    | Cell::Partition(partition)
                    | Cell::Shard(partition),
                ),
            ) => Some(partition),
            (_, Some(Cell::Broker(_) | Cell::Metadata | Cell::Topic(_) | Cell::Group(_)) | None) => None,
        }
    }

    /// The name of the variant: what scenarios `expect` and people read.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Fact::BrokerStarted { .. } => "BrokerStarted",
            Fact::BrokerRegistered { .. } => "BrokerRegistered",
            Fact::MetadataApplied { .. } => "MetadataApplied",
            Fact::LogOpened { .. } => "LogOpened",
            Fact::BatchAppended { .. } => "BatchAppended",
            Fact::LogTruncated { .. } => "LogTruncated",
            Fact::LogFlushed { .. } => "LogFlushed",
            Fact::LogStartMoved { .. } => "LogStartMoved",
            Fact::CompactionBegan { .. } => "CompactionBegan",
            Fact::Compacted { .. } => "Compacted",
            Fact::LogRemoved { .. } => "LogRemoved",
            Fact::CorruptionFound { .. } => "CorruptionFound",
            Fact::LogFailed { .. } => "LogFailed",
            Fact::BecameLeader { .. } => "BecameLeader",
            Fact::BecameFollower { .. } => "BecameFollower",
            Fact::HighWatermarkAdvanced { .. } => "HighWatermarkAdvanced",
            Fact::HighWatermarkFollowed { .. } => "HighWatermarkFollowed",
            Fact::IsrProposed { .. } => "IsrProposed",
            Fact::IsrLearned { .. } => "IsrLearned",
            Fact::ControllerActivated { .. } => "ControllerActivated",
            Fact::RegistrationAccepted { .. } => "RegistrationAccepted",
            Fact::BrokerUnfenced { .. } => "BrokerUnfenced",
            Fact::BrokerFenced { .. } => "BrokerFenced",
            Fact::TopicCreated { .. } => "TopicCreated",
            Fact::TopicDeleted { .. } => "TopicDeleted",
            Fact::PartitionCreated { .. } => "PartitionCreated",
            Fact::LeaderElected { .. } => "LeaderElected",
            Fact::IsrShrunk { .. } => "IsrShrunk",
            Fact::IsrExpanded { .. } => "IsrExpanded",
            Fact::AlterPartitionRefused { .. } => "AlterPartitionRefused",
            Fact::MetadataCommitted { .. } => "MetadataCommitted",
            Fact::Group(fact) => fact.name(),
            Fact::Reached { .. } => "Reached",
            Fact::MutantActed { .. } => "MutantActed",
        }
    }
}
