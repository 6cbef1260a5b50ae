//! What an event changed in the ghost: all that a check is told.

use brokerlab::fact::TruncationReason;
use brokerlab::operation::{Completion, Operation};
use brokerlab::types::{
    BrokerEpoch, BrokerId, Duration, LeaderEpoch, Offset, PartitionEpoch, PartitionId, ProducerEpoch, ProducerId, Uuid,
};
use brokerlab_reports::event::{EventId, LogImage, TappedBatch};

use super::recovery::Recovery;
use crate::check::chain::Link;
use crate::check::groups::GroupChange;

/// One replica: a node and a partition, by their numbers.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Place {
    /// Number of the node.
    pub node: usize,
    /// Number of the partition in the ghost.
    pub partition: usize,
}

/// What the controller decided.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Decision {
    /// The partition exists.
    Created,
    /// A leader, or none.
    Elected,
    /// Another ISR under the same leader.
    IsrChanged,
}

/// A change. The ghost already stands after it; what stood before is told where a check needs it.
#[derive(Clone, Debug)]
pub enum Change<'e> {
    /// A replica appended a batch.
    Appended {
        /// Which replica.
        at: Place,
        /// The batch.
        link: Link,
        /// Where its log ended before.
        expected: Offset,
        /// Whether its log was empty before.
        first: bool,
        /// Whether the same offset and epoch were seen after another past.
        clashes: bool,
        /// The leader epoch in which the replica operates, it says.
        role_epoch: LeaderEpoch,
        /// Whether it appended as leader.
        as_leader: bool,
    },
    /// A replica cut its log.
    Truncated {
        /// Which replica.
        at: Place,
        /// Log end after.
        to: Offset,
        /// M before.
        agreed_before: Offset,
        /// Its log start before.
        start_before: Offset,
        /// What it had in common with the leader that it follows, if that one acts in the same epoch.
        shared: Option<Shared>,
        /// Why, it says.
        reason: TruncationReason,
    },
    /// A replica gave up old records, or began anew where its leader's log begins.
    StartMoved {
        /// Which replica.
        at: Place,
        /// Log start after.
        to: Offset,
        /// Log start before.
        before: Offset,
        /// Its own high watermark before.
        mark: Offset,
    },
    /// A replica will give up records that newer ones below `up_to` replace.
    CompactionBegan {
        /// Which replica.
        at: Place,
        /// Where that ends.
        up_to: Offset,
    },
    /// A replica leads or follows.
    Began {
        /// Which replica.
        at: Place,
        /// The leader epoch.
        epoch: LeaderEpoch,
        /// Whether it leads.
        leads: bool,
        /// Highest epoch before, over all lives.
        before: LeaderEpoch,
        /// It is the first to act in the newest epoch, so leader completeness is due.
        newest: bool,
        /// For a leader: the state of the partition that it acts upon.
        believes: Option<Belief<'e>>,
        /// For a leader that already led in this epoch: its high watermark before and after.
        marks: Option<(Offset, Offset)>,
    },
    /// A leader learned of an ISR.
    Learned {
        /// Which replica.
        at: Place,
        /// What it believes from now on.
        belief: Belief<'e>,
    },
    /// A leader's high watermark rose.
    Advanced {
        /// Which replica.
        at: Place,
        /// Its leader epoch.
        epoch: LeaderEpoch,
        /// Its high watermark after.
        to: Offset,
        /// The true one before.
        true_before: Offset,
        /// Its own one before, if it already led in this epoch.
        own_before: Option<Offset>,
        /// Whether its log agreed with what was committed before, as far as both reach.
        agreed: bool,
        /// The ISR that it claims.
        isr: &'e [BrokerId],
        /// The brokers that it counted.
        maximal_isr: &'e [BrokerId],
        /// The minimum that it claims.
        min_isr: u32,
    },
    /// A leader heard a follower's fetch of its own epoch.
    Heard {
        /// Which replica leads.
        at: Place,
    },
    /// A broker says that a log of its is damaged.
    Damaged {
        /// Which replica.
        at: Place,
    },
    /// A follower took over a high watermark.
    Followed {
        /// Which replica.
        at: Place,
    },
    /// A replica's claim of durability rose.
    Flushed {
        /// Which replica.
        at: Place,
        /// Everything below is on the medium, it says.
        claimed: Offset,
    },
    /// The controller decided.
    Decided {
        /// Number of the partition.
        partition: usize,
        /// What.
        decision: Decision,
        /// Another leader that the same epoch already had.
        rival: Option<BrokerId>,
    },
    /// A broker registered in its new life.
    Registered {
        /// Number of the node.
        node: usize,
    },
    /// The controller gave a broker a broker epoch.
    Accepted {
        /// Number of the node.
        node: usize,
        /// The incarnation and its epoch.
        now: (Uuid, BrokerEpoch),
        /// The same of the registration before, if there was one.
        before: Option<(Uuid, BrokerEpoch)>,
        /// The highest epoch that any broker had before.
        highest: BrokerEpoch,
    },
    /// The controller let a broker take part.
    Unfenced {
        /// Number of the node.
        node: usize,
    },
    /// A node has applied the committed metadata up to `end`.
    Applied {
        /// Number of the node.
        node: usize,
        /// End of what is applied.
        end: Offset,
        /// The same before, in this life of the process.
        before: Offset,
    },
    /// A log was audited.
    Audited {
        /// Which replica.
        at: Place,
        /// What lies there.
        image: &'e LogImage,
        /// A fault struck the disk itself: then nobody can be blamed for what lies there.
        struck: bool,
    },
    /// A broker gave a producer id away.
    ProducerIdGiven {
        /// Node of the broker.
        node: usize,
        /// The id.
        id: ProducerId,
        /// Its epoch.
        epoch: ProducerEpoch,
        /// Node of the producer.
        producer: usize,
    },
    /// The controller answered a leader that asked for another ISR.
    IsrAnswered(IsrAnswer<'e>),
    /// The controller answered a heartbeat of a former life of a broker.
    HeartbeatAnswered {
        /// Who.
        broker: BrokerId,
        /// It came after the registration that ended the life it was sent in.
        is_former_life: bool,
        /// It was taken for the broker's word.
        believed: bool,
    },
    /// A request waited for as long as it may, or was never answered.
    Waited {
        /// Number of the node.
        node: usize,
        /// How long.
        waited: Duration,
        /// How long it may.
        allowed: Duration,
        /// Whether it was answered in the end.
        answered: bool,
        /// The node was frozen, or its disk held up, while it waited.
        excused: bool,
    },
    /// A broker named the end of a partition to a client.
    Listed {
        /// Which replica.
        at: Place,
        /// The offset it named.
        offset: Offset,
        /// What was committed when it was asked.
        committed: Offset,
        /// It leads in the newest epoch in which anybody acts, and the controller has not decided on another leader.
        current: bool,
        /// Node of the asker.
        asker: usize,
    },
    /// The log of a restarted broker was audited.
    Recovered {
        /// Which replica.
        at: Place,
        /// What became of it.
        recovery: Recovery,
    },
    /// The final audit of a log.
    Imaged {
        /// Which replica.
        at: Place,
        /// Where the disk first differs from what the broker stated, if it does.
        differs: Option<Offset>,
    },
    /// A broker answered a producer.
    Answered(Answer<'e>),
    /// A broker showed records to a consumer.
    Exposed {
        /// Which replica.
        at: Place,
        /// What the answer carries.
        batches: &'e [TappedBatch],
        /// Node of the consumer.
        consumer: usize,
    },
    /// A client was asked for something.
    Invoked {
        /// Number of the node.
        node: usize,
        /// Number of the operation.
        operation: u64,
        /// What.
        what: &'e Operation,
    },
    /// A client's operation ended.
    Completed {
        /// Number of the node.
        node: usize,
        /// How.
        completion: &'e Completion,
    },
    /// A client's process is gone, and its open operations with it.
    ClientGone {
        /// Number of the node.
        node: usize,
    },
    /// Something about a consumer group.
    Group(GroupChange<'e>),
    /// Faults are over.
    SettleBegan,
}

/// What a follower's log has in common with its leader's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Shared {
    /// End of the last batch that both hold; zero if there is none.
    pub up_to: Offset,
    /// Where the leader's log starts.
    pub leader_start: Offset,
}

/// The state of a partition as a leader believes it to be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Belief<'e> {
    /// Its leader epoch.
    pub leader_epoch: LeaderEpoch,
    /// The partition epoch.
    pub partition_epoch: PartitionEpoch,
    /// The ISR.
    pub isr: &'e [BrokerId],
}

/// What a leader asked for, and the controller's answer.
#[derive(Clone, Copy, Debug)]
pub struct IsrAnswer<'e> {
    /// Number of the partition.
    pub partition: usize,
    /// Who asked.
    pub broker: BrokerId,
    /// Whether the request came after the registration that ended the life it was sent in.
    pub is_former_life: bool,
    /// In which leader epoch.
    pub leader_epoch: LeaderEpoch,
    /// On top of which state.
    pub partition_epoch: PartitionEpoch,
    /// The ISR it wanted.
    pub isr: &'e [BrokerId],
    /// Whether it got it.
    pub granted: bool,
}

/// The variants of [`Change`]: a check names those that it wants to see.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)] // Each is told at its namesake.
pub enum Kind {
    Appended,
    Truncated,
    StartMoved,
    CompactionBegan,
    Began,
    Learned,
    Advanced,
    Heard,
    Damaged,
    Followed,
    Flushed,
    Decided,
    Registered,
    Accepted,
    Unfenced,
    Applied,
    Audited,
    ProducerIdGiven,
    IsrAnswered,
    HeartbeatAnswered,
    Waited,
    Listed,
    Recovered,
    Imaged,
    Answered,
    Exposed,
    Invoked,
    Completed,
    ClientGone,
    Group,
    SettleBegan,
}

impl Kind {
    /// How many there are.
    pub const COUNT: usize = 31;
}

impl Change<'_> {
    /// Number of the partition that it is about, if it is about one.
    #[must_use]
    pub fn partition(&self) -> Option<usize> {
        match self {
            Change::Appended { at, .. }
            | Change::Truncated { at, .. }
            | Change::StartMoved { at, .. }
            | Change::CompactionBegan { at, .. }
            | Change::Began { at, .. }
            | Change::Learned { at, .. }
            | Change::Advanced { at, .. }
            | Change::Heard { at }
            | Change::Damaged { at }
            | Change::Followed { at }
            | Change::Flushed { at, .. }
            | Change::Audited { at, .. }
            | Change::Listed { at, .. }
            | Change::Recovered { at, .. }
            | Change::Imaged { at, .. }
            | Change::Exposed { at, .. } => Some(at.partition),
            Change::Answered(answer) => Some(answer.at.partition),
            Change::IsrAnswered(answer) => Some(answer.partition),
            Change::Decided { partition, .. } => Some(*partition),
            Change::Registered { .. }
            | Change::Accepted { .. }
            | Change::Unfenced { .. }
            | Change::Applied { .. }
            | Change::ProducerIdGiven { .. }
            | Change::HeartbeatAnswered { .. }
            | Change::Waited { .. }
            | Change::Invoked { .. }
            | Change::Completed { .. }
            | Change::ClientGone { .. }
            | Change::Group(_)
            | Change::SettleBegan => None,
        }
    }

    /// Which kind of change it is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Change::Appended { .. } => Kind::Appended,
            Change::Truncated { .. } => Kind::Truncated,
            Change::StartMoved { .. } => Kind::StartMoved,
            Change::CompactionBegan { .. } => Kind::CompactionBegan,
            Change::Began { .. } => Kind::Began,
            Change::Learned { .. } => Kind::Learned,
            Change::Advanced { .. } => Kind::Advanced,
            Change::Heard { .. } => Kind::Heard,
            Change::Damaged { .. } => Kind::Damaged,
            Change::Followed { .. } => Kind::Followed,
            Change::Flushed { .. } => Kind::Flushed,
            Change::Decided { .. } => Kind::Decided,
            Change::Registered { .. } => Kind::Registered,
            Change::Accepted { .. } => Kind::Accepted,
            Change::Unfenced { .. } => Kind::Unfenced,
            Change::Applied { .. } => Kind::Applied,
            Change::Audited { .. } => Kind::Audited,
            Change::ProducerIdGiven { .. } => Kind::ProducerIdGiven,
            Change::IsrAnswered(_) => Kind::IsrAnswered,
            Change::HeartbeatAnswered { .. } => Kind::HeartbeatAnswered,
            Change::Waited { .. } => Kind::Waited,
            Change::Listed { .. } => Kind::Listed,
            Change::Recovered { .. } => Kind::Recovered,
            Change::Imaged { .. } => Kind::Imaged,
            Change::Answered(_) => Kind::Answered,
            Change::Exposed { .. } => Kind::Exposed,
            Change::Invoked { .. } => Kind::Invoked,
            Change::Completed { .. } => Kind::Completed,
            Change::ClientGone { .. } => Kind::ClientGone,
            Change::Group(_) => Kind::Group,
            Change::SettleBegan => Kind::SettleBegan,
        }
    }
}

/// A produce response for one partition, without error.
#[derive(Clone, Copy, Debug)]
pub struct Answer<'e> {
    /// Which replica answered.
    pub at: Place,
    /// The acks of the request.
    pub acks: i16,
    /// Kafka's error code.
    pub error: i16,
    /// Offset that the answer names.
    pub base_offset: Offset,
    /// The batch of the request.
    pub batch: &'e TappedBatch,
    /// Node of the producer.
    pub producer: usize,
    /// When the request was delivered.
    pub request: EventId,
    /// Which partition, by identity.
    pub partition: PartitionId,
}
