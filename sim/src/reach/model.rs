//! The little that must be remembered of a run to know a corner when it comes: what each node and each replica last said of itself.

use brokerlab::fact::PartitionState;
use brokerlab::types::{
    BrokerId, LeaderEpoch, Offset, PartitionEpoch, PartitionId, ProducerEpoch, ProducerId, Sequence, Time, TopicId,
};

use crate::check::{NodeKind, NodeSetup};

/// Everything remembered.
#[derive(Debug)]
pub(super) struct Model {
    pub nodes: Vec<Node>,
    pub partitions: Vec<Partition>,
    pub activations: u32,
    topics: Vec<(TopicId, u32)>,
    last: usize,
}

/// A participant.
#[derive(Debug, Default)]
pub(super) struct Node {
    pub broker: Option<BrokerId>,
    pub up: bool,
    pub frozen: bool,
    /// In this life the logs are loaded.
    pub loaded: bool,
    pub lost_power: bool,
}

/// A partition.
#[derive(Debug)]
pub(super) struct Partition {
    pub id: PartitionId,
    /// As the controller decided; epoch -1 before.
    pub state: PartitionState,
    pub min_isr: u32,
    /// When the last three leaders were elected, newest last.
    pub elections: [Option<Time>; 3],
    /// Highest high watermark that any leader computed.
    pub committed: Offset,
    /// The last leader that began to act: its epoch, its node, and whether it has written anything.
    pub acting: (LeaderEpoch, usize, bool),
    /// By number of the node.
    pub replicas: Vec<Replica>,
    /// The last abstract state.
    pub signature: u64,
}

/// A replica.
#[derive(Debug, Default)]
pub(super) struct Replica {
    pub role: Role,
    pub epoch: LeaderEpoch,
    pub end: Offset,
    pub high_watermark: Offset,
    /// Where each leader epoch begins in its log.
    pub epochs: Vec<(LeaderEpoch, Offset)>,
    /// The ISR that it knows, as leader.
    pub isr: Vec<BrokerId>,
    /// The ISR that it has asked for, as leader, and the partition epoch below.
    pub pending: Option<(PartitionEpoch, Vec<BrokerId>)>,
    /// The leader epoch of its last cut.
    pub cut_in: Option<LeaderEpoch>,
    /// Its node has lost power since it last joined the ISR.
    pub robbed: bool,
    /// The newest batch of each producer that it appended as leader.
    pub wrote: Vec<(ProducerId, ProducerEpoch, Sequence)>,
}

/// What a replica does.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum Role {
    #[default]
    Idle,
    Follower,
    Leader,
}

impl Model {
    pub fn new(nodes: &[NodeSetup]) -> Model {
        let broker = |kind: &NodeKind| match kind {
            NodeKind::Broker(id) => Some(*id),
            NodeKind::Controller
            | NodeKind::Producer { .. }
            | NodeKind::Consumer { .. }
            | NodeKind::Member { .. }
            | NodeKind::Other => None,
        };
        let nodes = nodes.iter().map(|node| Node { broker: broker(&node.kind), ..Node::default() }).collect();
        Model { nodes, partitions: Vec::new(), activations: 0, topics: Vec::new(), last: 0 }
    }

    /// Notes a topic's minimum of in-sync replicas.
    pub fn note_topic(&mut self, topic: TopicId, min_isr: u32) {
        self.topics.push((topic, min_isr));
    }

    /// Number of the partition, which is entered if it is new.
    pub fn intern(&mut self, id: PartitionId) -> usize {
        if self.partitions.get(self.last).is_some_and(|known| known.id == id) {
            return self.last;
        }
        let found = self.partitions.iter().position(|known| known.id == id);
        self.last = found.unwrap_or_else(|| {
            let min_isr = self.topics.iter().rfind(|(topic, _)| *topic == id.topic).map_or(1, |(_, min_isr)| *min_isr);
            self.partitions.push(Partition::new(id, min_isr, self.nodes.len()));
            self.partitions.len() - 1
        });
        self.last
    }

    /// The node of a broker.
    pub fn node_of(&self, broker: BrokerId) -> Option<usize> {
        self.nodes.iter().position(|node| node.broker == Some(broker))
    }
}

impl Partition {
    fn new(id: PartitionId, min_isr: u32, nodes: usize) -> Partition {
        let (leader_epoch, partition_epoch) = (LeaderEpoch::NONE, PartitionEpoch(-1));
        Partition {
            id,
            state: PartitionState { leader: None, leader_epoch, partition_epoch, isr: Vec::new() },
            min_isr,
            elections: [None; 3],
            committed: Offset::ZERO,
            acting: (LeaderEpoch::NONE, usize::MAX, false),
            replicas: (0..nodes).map(|_| Replica::default()).collect(),
            signature: 0,
        }
    }
}

impl Replica {
    /// A batch of this epoch was appended at `base`.
    pub fn note_epoch(&mut self, epoch: LeaderEpoch, base: Offset) {
        if self.epochs.last().is_none_or(|(last, _)| *last < epoch) {
            self.epochs.push((epoch, base));
        }
    }

    /// Cuts the history; how many epochs lost records.
    pub fn cut(&mut self, to: Offset) -> usize {
        let struck = self.epochs.iter().enumerate().filter(|(at, (_, start))| {
            let end = self.epochs.get(at + 1).map_or(self.end, |(_, next)| *next);
            end > to && end > *start
        });
        let struck = struck.count();
        self.epochs.retain(|(_, start)| *start < to);
        self.end = to;
        struck
    }
}
