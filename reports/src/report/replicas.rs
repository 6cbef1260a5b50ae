//! Each replica's course: its role, whether it is in the ISR, its log end, its high watermark.
//!
//! A role is what the broker believes, the ISR what the controller has committed. Where the two differ there is a story: a leader whose
//! epoch the controller has left behind does not know that it was deposed.

use std::collections::BTreeMap;

use brokerlab::fact::{Fact, PartitionState};
use brokerlab::types::{BrokerId, LeaderEpoch, Offset, PartitionId};

use crate::event::{Event, NodeId, What, WorldFact};

use super::names::Names;
use super::spans::{Span, Spans};
use super::steps::Steps;

/// What a replica is at a moment.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Standing {
    /// Leader, as it and the controller see it.
    Leader(LeaderEpoch),
    /// It acts as leader, while the controller has elected another.
    Deposed(LeaderEpoch),
    /// Follower in the ISR.
    InSync(LeaderEpoch),
    /// Follower outside the ISR.
    OutOfSync(LeaderEpoch),
    /// Its process runs, and it has no role yet.
    Idle,
    /// Its process does not run.
    Down,
}

/// One replica while the recording is read.
#[derive(Debug)]
struct Replica {
    alive: bool,
    /// Whether it leads, and in which epoch, as it sees it.
    role: Option<(bool, LeaderEpoch)>,
    standing: Spans<Standing>,
    log_end: Steps,
    high_watermark: Steps,
    /// Records between its log end and the leader's; negative if it has more.
    behind: Steps,
    truncations: Vec<(u64, i64, i64)>,
}

/// One partition as the controller has it.
#[derive(Debug)]
struct Partition {
    replicas: Vec<BrokerId>,
    state: PartitionState,
    isr: Spans<(Option<BrokerId>, Vec<BrokerId>)>,
    elections: u64,
}

/// All replicas, as far as the recording was read.
#[derive(Debug, Default)]
pub struct Replicas {
    partitions: BTreeMap<PartitionId, Partition>,
    replicas: BTreeMap<(PartitionId, BrokerId), Replica>,
}

/// A replica when all was read.
#[derive(Clone, Debug)]
pub struct ReplicaRead {
    /// Where.
    pub broker: BrokerId,
    /// Its standing over time.
    pub standing: Vec<Span<Standing>>,
    /// Its log end.
    pub log_end: Steps,
    /// Its high watermark.
    pub high_watermark: Steps,
    /// How far it lies behind the leader's log end.
    pub behind: Steps,
    /// When it cut its log, from where to where.
    pub truncations: Vec<(u64, i64, i64)>,
}

/// A partition when all was read.
#[derive(Clone, Debug)]
pub struct PartitionRead {
    /// Which.
    pub id: PartitionId,
    /// Leader and ISR over time, as committed by the controller.
    pub isr: Vec<Span<(Option<BrokerId>, Vec<BrokerId>)>>,
    /// Its replicas by broker.
    pub replicas: Vec<ReplicaRead>,
    /// Elections, without the first leader.
    pub elections: u64,
}

impl Default for Replica {
    fn default() -> Replica {
        Replica {
            alive: true,
            role: None,
            standing: Spans::default(),
            log_end: Steps::default(),
            high_watermark: Steps::default(),
            behind: Steps::default(),
            truncations: Vec::new(),
        }
    }
}

impl Replicas {
    /// Takes in an event.
    pub fn observe(&mut self, event: &Event, names: &Names) {
        let at = event.at.0;
        match &event.what {
            What::World(fact) => {
                if let Some(broker) = event.node.and_then(|node| names.broker_on(node)) {
                    self.on_life(at, broker, fact);
                }
            }
            What::Fact(fact) => {
                self.on_decision(at, fact);
                if let Some(broker) = event.node.and_then(|node: NodeId| names.broker_on(node)) {
                    self.on_fact(at, broker, fact);
                }
            }
            What::Delivered(_) | What::Tap(_) | What::Audit(_) | What::Invoked(_) | What::Completed(_) => {}
        }
    }

    /// Nothing more will come.
    #[must_use]
    pub fn finish(self, end: u64) -> Vec<PartitionRead> {
        let mut partitions: Vec<PartitionRead> = self
            .partitions
            .into_iter()
            .map(|(id, one)| PartitionRead { id, isr: one.isr.until(end), replicas: Vec::new(), elections: one.elections })
            .collect();
        for ((id, broker), one) in self.replicas {
            let Some(partition) = partitions.iter_mut().find(|partition| partition.id == id) else { continue };
            partition.replicas.push(ReplicaRead {
                broker,
                standing: one.standing.until(end),
                log_end: one.log_end,
                high_watermark: one.high_watermark,
                behind: one.behind,
                truncations: one.truncations,
            });
        }
        partitions
    }

    #[allow(clippy::wildcard_enum_match_arm, reason = "only a life's beginning and end count here")]
    fn on_life(&mut self, at: u64, broker: BrokerId, fact: &WorldFact) {
        let alive = match fact {
            WorldFact::NodeStarted { .. } => true,
            WorldFact::ProcessCrashed | WorldFact::PowerLost { .. } | WorldFact::NodeStopped | WorldFact::Panicked { .. } => {
                false
            }
            _ => return,
        };
        for ((id, at_broker), replica) in &mut self.replicas {
            if *at_broker != broker {
                continue;
            }
            (replica.alive, replica.role) = (alive, None);
            if !alive {
                replica.log_end.pause(at);
                replica.high_watermark.pause(at);
                replica.behind.pause(at);
            }
            replica.stand(at, broker, self.partitions.get(id));
        }
    }

    /// What the controller decides.
    #[allow(clippy::wildcard_enum_match_arm, reason = "only the controller's statements about partitions count here")]
    fn on_decision(&mut self, at: u64, fact: &Fact) {
        let (id, state, replicas) = match fact {
            Fact::PartitionCreated { partition, replicas, state } => (partition, state, Some(replicas)),
            Fact::LeaderElected { partition, state, .. }
            | Fact::IsrShrunk { partition, state }
            | Fact::IsrExpanded { partition, state } => (partition, state, None),
            _ => return,
        };
        let partition = self.partitions.entry(*id).or_insert_with(|| Partition {
            replicas: Vec::new(),
            state: state.clone(),
            isr: Spans::default(),
            elections: 0,
        });
        partition.elections += u64::from(matches!(fact, Fact::LeaderElected { .. }));
        partition.state = state.clone();
        partition.isr.set(at, (state.leader, state.isr.clone()));
        if let Some(replicas) = replicas {
            partition.replicas.clone_from(replicas);
            replicas.iter().for_each(|broker| {
                self.replicas.entry((*id, *broker)).or_default();
            });
        }
        for broker in partition.replicas.clone() {
            if let Some(replica) = self.replicas.get_mut(&(*id, broker)) {
                replica.stand(at, broker, self.partitions.get(id));
            }
        }
    }

    /// What a broker says of its replicas.
    #[allow(clippy::wildcard_enum_match_arm, reason = "everything else leaves role, log end and high watermark alone")]
    fn on_fact(&mut self, at: u64, broker: BrokerId, fact: &Fact) {
        let Some(id) = fact.partition() else { return };
        let Some(replica) = self.replicas.get_mut(&(id, broker)) else { return };
        let mut end: Option<Offset> = None;
        let mut watermark: Option<Offset> = None;
        match fact {
            Fact::LogOpened { log_end, high_watermark, .. } => (end, watermark) = (Some(*log_end), Some(*high_watermark)),
            Fact::BatchAppended { last_offset, .. } => end = Some(last_offset.next()),
            Fact::LogTruncated { from, to, .. } => {
                end = Some(*to);
                replica.truncations.push((at, from.0, to.0));
            }
            Fact::BecameLeader { leader_epoch, high_watermark, .. } => {
                replica.role = Some((true, *leader_epoch));
                watermark = Some(*high_watermark);
            }
            Fact::BecameFollower { leader_epoch, log_end, high_watermark, .. } => {
                replica.role = Some((false, *leader_epoch));
                (end, watermark) = (Some(*log_end), Some(*high_watermark));
            }
            Fact::HighWatermarkAdvanced { to, .. } | Fact::HighWatermarkFollowed { to, .. } => watermark = Some(*to),
            Fact::LogRemoved { .. } => {
                replica.log_end.pause(at);
                replica.high_watermark.pause(at);
                replica.behind.pause(at);
            }
            _ => return,
        }
        if let Some(watermark) = watermark {
            replica.high_watermark.push(at, watermark.0);
        }
        replica.stand(at, broker, self.partitions.get(&id));
        if let Some(end) = end {
            replica.log_end.push(at, end.0);
            self.compare(at, id);
        }
    }

    /// Notes for each replica of a partition how far it lies behind the leader of the day.
    fn compare(&mut self, at: u64, id: PartitionId) {
        let Some(leader) = self.partitions.get(&id).and_then(|partition| partition.state.leader) else { return };
        let Some(leads) = self.replicas.get(&(id, leader)).and_then(|replica| replica.log_end.current()) else { return };
        for replica in self.partitions[&id].replicas.clone() {
            if let Some(replica) = self.replicas.get_mut(&(id, replica))
                && let Some(end) = replica.log_end.current()
            {
                replica.behind.push(at, leads - end);
            }
        }
    }
}

impl Replica {
    fn stand(&mut self, at: u64, broker: BrokerId, partition: Option<&Partition>) {
        let Some(partition) = partition else { return };
        let standing = match self.role {
            _ if !self.alive => Standing::Down,
            None => Standing::Idle,
            Some((true, epoch)) if epoch < partition.state.leader_epoch => Standing::Deposed(epoch),
            Some((true, epoch)) => Standing::Leader(epoch),
            Some((false, epoch)) if partition.state.isr.contains(&broker) => Standing::InSync(epoch),
            Some((false, epoch)) => Standing::OutOfSync(epoch),
        };
        self.standing.set(at, standing);
    }
}
