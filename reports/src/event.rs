//! What a run is made of: numbered events, each with its causes.
//!
//! ```text
//!   world ──▶ Delivered (a frame, a timer, a finished sync) ──▶ one actor step ──▶ Fact, Fact, Completed ...
//!     │                         ▲                                     │
//!     ├─▶ Fault, Node life      └──────────── frame in flight ◀───────┘
//!     ├─▶ Tap    what a frame promises or shows, decoded from its bytes as the world carries it
//!     └─▶ Audit  what is really on a disk, read by the laboratory's own parser
//! ```
//!
//! Facts are the suspect's word. Taps and audits are the laboratory's own observations and do not depend on it.
//! Ids are given in the order in which things happen, so an event is always later than its causes.

use std::sync::Arc;

use brokerlab::actor::CloseReason;
use brokerlab::disk::DiskError;
use brokerlab::fact::Fact;
use brokerlab::operation::{Command, Completion};
use brokerlab::types::{
    BrokerEpoch, BrokerId, Duration, LeaderEpoch, Offset, PartitionEpoch, PartitionId, ProducerEpoch, ProducerId, Sequence, Time,
    Timestamp, TopicPartition,
};
use serde::{Deserialize, Serialize};

use crate::group::GroupTap;

/// Number of an event within its run, from 1; 0 means "none".
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
pub struct EventId(pub u64);

impl EventId {
    /// "No event".
    pub const NONE: EventId = EventId(0);
}

/// A node of the run: an index into [`RunHeader::nodes`](crate::recording::RunHeader::nodes).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct NodeId(pub u16);

/// One thing that happened.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Event {
    /// Its number.
    pub id: EventId,
    /// World time.
    pub at: Time,
    /// Where; `None` for what concerns the whole world.
    pub node: Option<NodeId>,
    /// What made it happen: for a delivered frame the event in which it was sent, for a fact the event whose step stated it,
    /// for the end of a fault its beginning. `NONE` when chance or the plan did.
    pub cause: EventId,
    /// A second cause where there is one: for a delivery that a fault held up, that fault.
    pub also: EventId,
    /// What.
    pub what: What,
}

/// The kinds of events.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum What {
    /// An actor was given something; its step's facts follow with this event as their cause.
    Delivered(Delivery),
    /// An actor stated a fact.
    Fact(Fact),
    /// The life of nodes, faults, phases.
    World(WorldFact),
    /// What a frame promises or shows.
    Tap(Tap),
    /// What a disk really holds.
    Audit(LogImage),
    /// A client was given a command.
    Invoked(Command),
    /// A client reported the end of a command.
    Completed(Completion),
}

/// What an actor was given.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum Delivery {
    /// A whole frame.
    Frame(FrameInfo),
    /// A connection stands.
    Opened {
        /// The other end.
        peer: NodeId,
        /// True if the peer opened it.
        accepted: bool,
    },
    /// A connection is gone.
    Closed {
        /// The other end; the node itself, if nobody has the address that it asked for.
        peer: NodeId,
        /// How.
        reason: CloseReason,
    },
    /// A sync or replace ended.
    Synced {
        /// How.
        result: Result<(), DiskError>,
    },
    /// A cold read ended.
    ReadDone {
        /// Bytes read, or the error.
        result: Result<u64, DiskError>,
    },
    /// Its deadline came.
    Woken,
}

/// A frame, without its bytes.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct FrameInfo {
    /// Sender.
    pub from: NodeId,
    /// Connection, numbered over the whole run.
    pub connection: u64,
    /// Kafka's API key; of the request that it answers, for a response; -1 if the bytes are no request.
    pub api_key: i16,
    /// Version of the API.
    pub api_version: i16,
    /// Correlation id.
    pub correlation: i32,
    /// A response, not a request.
    pub response: bool,
    /// Length in bytes.
    pub length: u32,
    /// Hash of the bytes.
    pub content: u64,
}

/// The life of nodes, faults and phases.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum WorldFact {
    /// A process was started on the node.
    NodeStarted {
        /// Which life of the process, from 1.
        life: u32,
    },
    /// The process died (kill -9); the kernel and its page cache live on.
    ProcessCrashed,
    /// The node lost power; what was not synced is lost, wholly or in part.
    PowerLost {
        /// Unsynced sectors that did not reach the medium.
        sectors_lost: u64,
        /// Unsynced sectors that did.
        sectors_kept: u64,
    },
    /// The process ended in order.
    NodeStopped,
    /// The process is frozen; its kernel still takes in bytes.
    Paused,
    /// It goes on.
    Resumed,
    /// A fault begins.
    FaultBegan {
        /// Its permanent id.
        fault: Arc<str>,
        /// Its kind as written in scenarios.
        kind: Arc<str>,
        /// The nodes it strikes.
        nodes: Vec<NodeId>,
    },
    /// A fault ends.
    FaultEnded {
        /// Its permanent id.
        fault: Arc<str>,
    },
    /// A fault found no target.
    FaultSkipped {
        /// Its permanent id.
        fault: Arc<str>,
        /// Why.
        reason: String,
    },
    /// All faults are over, producers stop, the settle phase begins.
    SettleBegan,
    /// Every obligation is met; the run ends here.
    Settled,
    /// The limit of the settle phase has passed; what is missing.
    SettleFailed {
        /// What waits for what.
        reasons: Vec<String>,
    },
    /// A participant panicked: our own bug.
    Panicked {
        /// The panic's message and place.
        message: String,
    },
    /// A fault struck a single frame, which the event's node was sending.
    FrameStruck {
        /// Permanent id of the fault.
        fault: Arc<str>,
        /// What happens to the frame, as written in scenarios.
        fate: Arc<str>,
        /// Who was to receive it.
        to: NodeId,
        /// Kafka's API key; of the request, for a response.
        api_key: i16,
        /// A response.
        response: bool,
        /// Correlation id.
        correlation: i32,
    },
    /// The application of a group's member (the event's node) has processed these records. Nothing tells anybody so; the world knows.
    Processed {
        /// The partition.
        partition: TopicPartition,
        /// The first of them.
        from: Offset,
        /// The end of them, exclusive.
        to: Offset,
    },
}

/// What a frame promises or shows, decoded from its bytes by the world. A response is tapped when the sender's step hands it over.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Tap {
    /// A broker (the event's node) answered one partition of a produce request.
    ProduceAnswered {
        /// Partition.
        partition: PartitionId,
        /// The acks of the request.
        acks: i16,
        /// Kafka's error code; 0 is a promise.
        error: i16,
        /// Offset that the answer names.
        base_offset: Offset,
        /// The batch of the request.
        batch: TappedBatch,
        /// Node of the producer.
        producer: NodeId,
        /// Event at which the request was delivered.
        request: EventId,
    },
    /// A broker (the event's node) showed a consumer one partition.
    Exposed {
        /// Partition.
        partition: PartitionId,
        /// Kafka's error code.
        error: i16,
        /// The high watermark named in the answer.
        high_watermark: Offset,
        /// The last stable offset named in the answer.
        last_stable: Offset,
        /// 0 read_uncommitted, 1 read_committed.
        isolation: i8,
        /// Batches whose bytes the answer carries.
        batches: Vec<TappedBatch>,
        /// Node of the consumer.
        consumer: NodeId,
    },
    /// A follower's fetch was delivered to a broker (the event's node).
    FollowerFetch {
        /// Partition.
        partition: PartitionId,
        /// Who fetches.
        follower: BrokerId,
        /// Its broker epoch.
        broker_epoch: BrokerEpoch,
        /// Everything below is in its log, it says.
        fetch_offset: Offset,
        /// The leader epoch it believes in.
        leader_epoch: LeaderEpoch,
        /// Epoch of its last batch.
        last_fetched_epoch: LeaderEpoch,
    },
    /// A broker (the event's node) named an offset.
    OffsetListed {
        /// Partition.
        partition: PartitionId,
        /// What was asked: -1 latest, -2 earliest, else a time.
        timestamp: Timestamp,
        /// Kafka's error code.
        error: i16,
        /// The offset named.
        offset: Offset,
        /// Node of the asker.
        asker: NodeId,
    },
    /// A broker (the event's node) gave a producer id away.
    ProducerIdGiven {
        /// The id.
        id: ProducerId,
        /// Its epoch.
        epoch: ProducerEpoch,
        /// Node of the asker.
        producer: NodeId,
    },
    /// The controller (the event's node) answered a leader that asked for another ISR.
    IsrChangeAnswered {
        /// Partition.
        partition: PartitionId,
        /// Who asked.
        broker: BrokerId,
        /// Under which registration.
        broker_epoch: BrokerEpoch,
        /// In which leader epoch.
        leader_epoch: LeaderEpoch,
        /// On top of which state.
        partition_epoch: PartitionEpoch,
        /// The ISR asked for.
        isr: Vec<BrokerId>,
        /// Kafka's error code; 0: granted.
        error: i16,
        /// The event at which the request was delivered.
        request: EventId,
    },
    /// The controller (the event's node) answered a heartbeat that names an older registration of the broker than the newest one. Others are not
    /// told: there are too many.
    StaleHeartbeatAnswered {
        /// Who the sender says it is.
        broker: BrokerId,
        /// Under which registration.
        broker_epoch: BrokerEpoch,
        /// Kafka's error code; 0: it was taken for the broker's word.
        error: i16,
        /// The event at which the request was delivered.
        request: EventId,
    },
    /// A request waited in a node (the event's node) for as long as it was allowed to, or still waits at the end of the run.
    Waited {
        /// Event at which it was delivered.
        request: EventId,
        /// How long it has waited.
        waited: Duration,
        /// How long it may: `max_wait_ms` of a fetch, `timeout_ms` of a produce request with acks=all, else nothing.
        allowed: Duration,
        /// False: the run is over and it was not answered.
        answered: bool,
    },
    /// What a coordinator answered about a group.
    Group(GroupTap),
}

/// A batch as its header says, with the checksum recomputed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct TappedBatch {
    /// First offset (0 in a produce request).
    pub base_offset: Offset,
    /// Last offset, inclusive.
    pub last_offset: Offset,
    /// Leader epoch stamped on it.
    pub leader_epoch: LeaderEpoch,
    /// The CRC-32C in its header.
    pub crc: u32,
    /// Whether the bytes match it.
    pub valid: bool,
    /// Producer id, epoch and first sequence; id -1 without idempotence.
    pub producer: (ProducerId, ProducerEpoch, Sequence),
}

/// One replica's log as the auditor reads it from the `.log` files.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LogImage {
    /// Which partition, by the topic id in `partition.metadata` (or the directory's last known one).
    pub partition: PartitionId,
    /// When it was taken.
    pub moment: AuditMoment,
    /// First offset that the oldest segment may hold: where an empty log stands.
    pub base: Offset,
    /// What a reader sees, up to the first byte that is not a batch.
    pub batches: Vec<TappedBatch>,
    /// End offset of what would survive a power loss now, in any case.
    pub durable_end: Offset,
    /// Bytes after the last whole batch.
    pub trailing_bytes: u64,
    /// What the small files say.
    pub small_files: SmallFiles,
    /// The records of a log that is marked as compacted, after recovery and at the end; `None` of others, and where one could not be read.
    pub records: Option<Vec<KeyedRecord>>,
}

/// One record of a compacted log.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct KeyedRecord {
    /// Its offset.
    pub offset: Offset,
    /// Hash of its key; 0: it has none.
    pub key: u64,
    /// It deletes its key.
    pub is_tombstone: bool,
}

/// What the small files of a data directory say about one log, as they would survive a power loss now in any case.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct SmallFiles {
    /// The recovery point, lowered by the marks of cuts below it; 0 if there is none.
    pub recovery_point: Offset,
    /// Leader epochs and where they begin, as written.
    pub epochs: Vec<(LeaderEpoch, Offset)>,
    /// The clean-shutdown mark is there.
    pub clean_mark: bool,
    /// The newest snapshot of producers, as a reader sees it; read when a life ends.
    pub snapshot: Option<ProducerSnapshot>,
}

/// What a snapshot of producers says.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ProducerSnapshot {
    /// The log ended here when it was written.
    pub at: Offset,
    /// Each batch that it remembers: whose, its first sequence, its last offset.
    pub batches: Vec<(ProducerId, ProducerEpoch, Sequence, Offset)>,
}

/// When an audit was made.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum AuditMoment {
    /// Just before the process died.
    Crash,
    /// Before the new process reads the disk.
    BeforeRecovery,
    /// When the broker says that its logs are loaded.
    AfterRecovery,
    /// At the end of the run.
    End,
}
