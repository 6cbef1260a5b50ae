//! What people and workloads ask of an actor, and how it ends.
//!
//! A client is driven by [`Command`]s and answers each with exactly one [`Completion`]. The three kinds of ending are Jepsen's: it
//! happened ([`Outcome`] of its own kind), it certainly did not ([`Outcome::Failed`] with [`Certainty::Definite`]), or nobody knows
//! ([`Certainty::Indefinite`]): a request that timed out may have been carried out.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::types::{LeaderEpoch, Offset, Timestamp, TopicId, TopicPartition};

/// Numbers the commands given to one participant over all its lives.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct OperationId(pub u64);

/// One command.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Command {
    /// Comes back in the completion.
    pub id: OperationId,
    /// What is wanted.
    pub operation: Operation,
}

/// What can be asked.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum Operation {
    /// Producer: write one record.
    Produce {
        /// Topic.
        topic: Arc<str>,
        /// Where exactly; `None` lets the key, or the sticky choice, decide.
        partition: Option<i32>,
        /// Key.
        key: Option<Bytes>,
        /// Value.
        value: Bytes,
    },
    /// Consumer: read these partitions from there on, instead of those read so far.
    Assign {
        /// Partitions and where to begin.
        partitions: Vec<(TopicPartition, Position)>,
    },
    /// Consumer: read these topics as a member of the group, instead of whatever is read so far. Partitions come with a later poll.
    Subscribe {
        /// Topics.
        topics: Vec<Arc<str>>,
    },
    /// Consumer: leave the group in order, and read nothing.
    Unsubscribe,
    /// Consumer: store offsets for the group.
    Commit {
        /// Which; `None`: everything handed out by polls so far.
        offsets: Option<Vec<OffsetToCommit>>,
        /// Whether it is repeated until it is answered.
        mode: CommitMode,
    },
    /// Consumer: give what has been fetched; completes at once if something is there, else when something arrives or after `wait_ms`.
    Poll {
        /// Records at most.
        records_max: usize,
        /// Longest wait in milliseconds.
        wait_ms: u64,
    },
    /// Consumer: where partitions end (what `ListOffsets(latest)` says) or begin.
    ListOffset {
        /// Which partition.
        partition: TopicPartition,
        /// `Beginning` or `End`.
        position: Position,
    },
    /// Admin: create a topic.
    CreateTopic {
        /// Name.
        name: Arc<str>,
        /// How many partitions.
        partitions: i32,
        /// Replicas of each.
        replicas: i16,
        /// Kafka's own property names.
        config: BTreeMap<String, String>,
    },
    /// Admin: delete a topic.
    DeleteTopic {
        /// Name.
        name: Arc<str>,
    },
    /// Admin: describe a topic.
    DescribeTopic {
        /// Name.
        name: Arc<str>,
    },
    /// Admin: give up the records of a partition below an offset.
    DeleteRecords {
        /// Which partition.
        partition: TopicPartition,
        /// First offset to be kept; -1: the high watermark at that moment.
        before: Offset,
    },
    /// Admin: let the controller elect leaders now.
    ElectLeaders {
        /// Which leaders.
        election: Election,
        /// Of which partitions; `None`: of all.
        partitions: Option<Vec<TopicPartition>>,
    },
    /// Broker, controller: hand over what you lead, flush, mark the log directory clean and stop. Consumer: leave the group in order. Completes
    /// when done.
    Shutdown,
}

/// How a commit is made.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum CommitMode {
    /// The application waits: it is repeated until it is stored, refused, or too late.
    Sync,
    /// The application goes on: it is tried once, lest a repetition comes after a later one.
    Async,
}

/// An offset for a group to go on from.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct OffsetToCommit {
    /// Which partition.
    pub partition: TopicPartition,
    /// The next record to be read.
    pub offset: Offset,
    /// Leader epoch of the record before it; [`LeaderEpoch::NONE`] if it is not known.
    pub leader_epoch: LeaderEpoch,
}

/// Which leader an election without need is to bring.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum Election {
    /// The first replica of the assignment.
    Preferred,
    /// Any replica, where there is no leader: records may be lost.
    Unclean,
}

/// A place in a partition.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Position {
    /// The first record still there.
    Beginning,
    /// The high watermark at that moment.
    End,
    /// This very record.
    At(Offset),
}

/// How a command ended.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Completion {
    /// Which command.
    pub id: OperationId,
    /// How.
    pub outcome: Outcome,
}

/// The endings.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum Outcome {
    /// The record is written as `acks` demanded.
    Produced {
        /// Where it went.
        partition: TopicPartition,
        /// Its offset; `None` with acks=0.
        offset: Option<Offset>,
    },
    /// The consumer reads from the new places on.
    Assigned,
    /// The consumer will be a member of its group.
    Subscribed,
    /// The consumer has left its group, or was in none.
    Unsubscribed,
    /// The offsets are stored.
    Committed {
        /// Which.
        offsets: Vec<OffsetToCommit>,
    },
    /// Records, in order per partition; empty when the wait ran out.
    Polled {
        /// What was read.
        records: Vec<PolledRecord>,
    },
    /// The offset asked for.
    Offset {
        /// The partition.
        partition: TopicPartition,
        /// Its offset.
        offset: Offset,
    },
    /// The topic exists from now on.
    TopicCreated {
        /// Its identity.
        topic: TopicId,
    },
    /// The topic is gone.
    TopicDeleted,
    /// What the cluster says of the topic.
    TopicDescribed {
        /// Its identity.
        topic: TopicId,
        /// Each partition: leader (or none), replicas, ISR.
        partitions: Vec<PartitionDescription>,
    },
    /// The records are given up by all replicas that live.
    RecordsDeleted {
        /// The smallest log start of these replicas.
        low_watermark: Offset,
    },
    /// The controller has looked at the partitions. Those that needed no election are not listed when all were asked for.
    LeadersElected {
        /// Each partition with Kafka's error code, 0 for a new leader.
        partitions: Vec<(TopicPartition, i16)>,
    },
    /// The node has stopped in order.
    Stopped,
    /// It did not succeed.
    Failed {
        /// Kafka's error code, or 0 when no broker ever answered.
        code: i16,
        /// Whether it certainly had no effect.
        certainty: Certainty,
    },
}

/// What a failure says about the effect.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum Certainty {
    /// It had no effect and never will.
    Definite,
    /// It may have had its effect, or may still have it.
    Indefinite,
}

/// One record as a consumer saw it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct PolledRecord {
    /// Where it was read.
    pub partition: TopicPartition,
    /// Its offset.
    pub offset: Offset,
    /// The leader epoch of its batch.
    pub leader_epoch: LeaderEpoch,
    /// Its timestamp.
    pub timestamp: Timestamp,
    /// Key.
    pub key: Option<Bytes>,
    /// Value.
    pub value: Option<Bytes>,
}

/// One partition in a topic description.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PartitionDescription {
    /// Number of the partition.
    pub index: i32,
    /// Broker id of the leader, -1 for none.
    pub leader: i32,
    /// Leader epoch.
    pub leader_epoch: LeaderEpoch,
    /// Assigned replicas.
    pub replicas: Vec<i32>,
    /// In-sync replicas.
    pub isr: Vec<i32>,
}
