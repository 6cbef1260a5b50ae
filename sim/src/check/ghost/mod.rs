//! The ghost: what is true, kept beside the run and never visible to brokers.
//!
//! ```text
//!   per partition      log of what is committed, its end = the true high watermark
//!                      0 ────────────────────────────── 7
//!   per replica        its log            M = 7                  agrees with the ghost up to here
//!     b1  leader       0 ────────────────────────────── 7 ─ 9    the tail above is not committed yet
//!     b2  follower     0 ──────────────────── 5                  M = 5: holds every committed record below 5
//! ```
//!
//! A *local* high watermark may fall (a follower takes over its leader's, a new leader starts with a stale one), so "the high watermark
//! is monotone" would be a false alarm. The true one is the highest that any replica computed while it acted as leader. With M kept for
//! each replica, every question "who has everything that is committed?" is one comparison; see Property 4 in the Raft paper
//! (leader completeness) and KIP-101 for why the question matters.
//!
//! Batches are compared by offsets, leader epoch and checksum ([`chain`](super::chain)); payloads are not kept.
//!
//! **Compaction** drops batches and rewrites others. All logs here are kept as they were before it: what a compacted log lacks, or has in
//! another form, is read as what it stands for (`compaction`), so that every check holds below the cleaned point too. What may be lacking is
//! judged apart, record by record (D4), as is how far compaction may go (D5).
//!
//! **Losses.** When somebody begins to lead without something committed, the committed log is cut back to the new leader's, and each lost
//! batch is judged by itself (`loss`). Leaders of older epochs and replicas whose tails are now wrong are exempt from the other
//! checks until they have truncated: one loss is one finding, not a thousand.

mod apply;
mod change;
mod compaction;
mod loss;
mod recovery;
mod replica;

use std::collections::BTreeMap;
use std::sync::Arc;

use brokerlab::fact::PartitionState;
use brokerlab::types::{
    BrokerEpoch, BrokerId, LeaderEpoch, Offset, PartitionEpoch, PartitionId, Time, TopicId, TopicPartition, Uuid,
};
use brokerlab_reports::event::{EventId, LogImage, NodeId};

use super::chain::{Chain, Link};
use super::groups::Groups;
use super::setup::{Dating, NodeKind, Setup};

pub use change::{Answer, Belief, Change, Decision, IsrAnswer, Kind, Place, Shared};
pub use loss::{Loss, LostBatch};
pub use recovery::{Downfall, Ending, Recovery};
pub use replica::{Leading, Role, Shadow};

/// The truth about the whole run.
#[derive(Debug)]
pub struct Ghost {
    /// The participants, as in the setup.
    pub nodes: Vec<NodeLife>,
    /// Every partition that was ever named.
    pub partitions: Vec<Partition>,
    /// Every topic that was ever created.
    pub topics: Vec<Topic>,
    /// Counts for people.
    pub tally: Tally,
    /// End of the committed metadata log.
    pub metadata_end: Offset,
    /// The highest broker epoch given so far.
    pub broker_epoch_ever: BrokerEpoch,
    /// World time of the present event.
    pub time: Time,
    /// Whether a fault has moved anybody's clock so far.
    pub clocks_moved: bool,
    /// Whether a fault has moved the clock of a broker so far.
    pub broker_clocks_moved: bool,
    /// How records may be dated.
    pub dating: Dating,
    /// Nodes on which a planted bug has changed a decision.
    pub mutants: Vec<usize>,
    /// Consumer groups.
    pub groups: Groups,
    holds: Vec<(Arc<str>, Vec<usize>)>,
    index: BTreeMap<PartitionId, usize>,
    last_named: Option<(PartitionId, usize)>,
    pub(in crate::check) now: EventId,
    /// What made the present event happen.
    pub(in crate::check) cause: EventId,
    /// The frame that was delivered last, and the event in which it was sent.
    delivered: (EventId, EventId),
}

/// What happened how often.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Tally {
    /// Elections of a leader.
    pub elections: u64,
    /// Those from outside the ISR.
    pub unclean_elections: u64,
    /// Changes of an ISR under the same leader.
    pub isr_changes: u64,
    /// Logs cut by a replica.
    pub truncations: u64,
    /// Processes killed.
    pub crashes: u64,
    /// Nodes that lost power.
    pub power_losses: u64,
    /// Records that a group processed once more.
    pub redelivered: u64,
    /// Commits of one partition that were refused because of who sent them.
    pub refused_commits: u64,
    /// Rebalances that ended with their coordinator.
    pub interrupted_rebalances: u64,
}

/// A participant.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NodeLife {
    /// Its name.
    pub name: String,
    /// Its broker id, if it is a broker.
    pub broker: Option<BrokerId>,
    /// Which life of the process; 0 before the first.
    pub life: u32,
    /// Whether the process lives (it may be frozen).
    pub up: bool,
    /// Whether it has registered in this life: only then may anybody count on it.
    pub registered: bool,
    /// Its newest registration, of this life or an earlier one.
    pub broker_epoch: BrokerEpoch,
    /// Whether its disk was taken away by a fault since the last audit.
    pub disk_struck: bool,
    /// The registration that the controller accepted last.
    pub accepted: Option<(Uuid, BrokerEpoch)>,
    /// The event of that.
    pub accepted_at: EventId,
    /// Whether that registration is of the present life: before, the controller counts on one that is over, and cannot know.
    pub known_anew: bool,
    /// Whether the controller keeps it out.
    pub fenced: bool,
    /// End of the metadata that tells so: who has applied that much knows it. `None` while it takes part, or while that is not committed.
    pub fenced_at: Option<Offset>,
    /// Whether its logs are loaded, in this life.
    pub started: bool,
    /// How far it has applied the metadata log, in this life.
    pub applied: Offset,
    /// Faults that freeze it or hold up its disk at the moment, and the event at which the last one ended.
    pub held: (u32, EventId),
    /// Whether a sync of its failed since it last lost power.
    pub cache_lies: bool,
    /// Whether bits of its logs have turned.
    pub rotten: bool,
}

/// A topic as the controller created it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Topic {
    /// Its identity.
    pub id: TopicId,
    /// Its name.
    pub name: String,
    /// Configured minimum of in-sync replicas.
    pub min_isr: u32,
    /// Whether a replica outside the ISR may be elected.
    pub unclean_election: bool,
    /// What is acknowledged is durable.
    pub flush_each_batch: bool,
    /// It is gone.
    pub deleted: bool,
}

/// One election by the controller.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Election {
    /// The epoch that it began.
    pub epoch: LeaderEpoch,
    /// Who may lead in it.
    pub leader: BrokerId,
    /// Whether the leader came from outside the ISR.
    pub unclean: bool,
    /// Whether the leader was the only one left in the ISR.
    pub alone: bool,
    /// When.
    pub event: EventId,
}

/// A promise given to a producer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Promise {
    /// First offset.
    pub from: Offset,
    /// End offset.
    pub to: Offset,
    /// The acks it asked for.
    pub acks: i16,
    /// Leader epoch of the broker that promised.
    pub epoch: LeaderEpoch,
    /// Node of the producer.
    pub producer: usize,
}

/// One partition.
#[derive(Debug)]
pub struct Partition {
    /// Its identity.
    pub id: PartitionId,
    /// World time at which it was first named.
    pub born: Time,
    /// Index of its topic; `None` for a log that no controller created (the metadata log).
    pub topic: Option<usize>,
    /// Assigned replicas.
    pub replicas: Vec<BrokerId>,
    /// What the controller's log says.
    pub state: PartitionState,
    /// What it said before its last change.
    pub state_before: PartitionState,
    /// All its states, by rising partition epoch.
    pub states: Vec<PartitionState>,
    /// Elections in the order of epochs.
    pub elections: Vec<Election>,
    /// What is committed. Its end is the true high watermark.
    pub log: Chain,
    /// Batches that a replica appended in a step in the middle of which it lost power: nobody ever said what they are.
    pub untold: Vec<Link>,
    /// Everything from here on must be kept: no replica has given it up by retention or deletion.
    pub kept_from: Offset,
    /// The highest that it ever was: a loss lowers it.
    pub given_up_ever: Offset,
    /// Records below may be gone where a newer one has their key: the furthest bound of any compaction pass of any replica.
    pub cleaned: Offset,
    /// Promises to producers, oldest first.
    pub promises: Vec<Promise>,
    /// The true high watermark from each event on at which it rose.
    marks: Vec<(EventId, Offset)>,
    /// Committed batches that a leader lacked.
    pub losses: Vec<Loss>,
    /// What zombies took for committed after their log was lost.
    apart: Vec<Link>,
    /// Leaders of epochs below this one are zombies of a log that was lost.
    pub exempt_below: LeaderEpoch,
    /// The newest epoch in which somebody acted as leader.
    pub acting: LeaderEpoch,
    /// The one before it.
    pub acted_before: LeaderEpoch,
    /// Each node's replica, by node number.
    pub shadows: Vec<Shadow>,
    seen: Vec<Seen>,
}

/// The past of the batch that stands at an offset in an epoch (log matching).
#[derive(Clone, Copy, Debug)]
struct Seen {
    base: Offset,
    epoch: LeaderEpoch,
    chain: u64,
}

impl Ghost {
    /// Before the first event.
    #[must_use]
    pub fn new(setup: &Setup) -> Ghost {
        let nodes = setup.nodes.iter().map(|node| {
            let broker = match node.kind {
                NodeKind::Broker(id) => Some(id),
                NodeKind::Controller
                | NodeKind::Producer { .. }
                | NodeKind::Consumer { .. }
                | NodeKind::Member { .. }
                | NodeKind::Other => None,
            };
            NodeLife {
                name: node.name.clone(),
                broker,
                life: 0,
                up: false,
                registered: false,
                broker_epoch: BrokerEpoch::NONE,
                disk_struck: false,
                accepted: None,
                accepted_at: EventId::NONE,
                known_anew: false,
                fenced: false,
                fenced_at: None,
                started: false,
                applied: Offset::ZERO,
                held: (0, EventId::NONE),
                cache_lies: false,
                rotten: false,
            }
        });
        Ghost {
            nodes: nodes.collect(),
            partitions: Vec::new(),
            topics: Vec::new(),
            tally: Tally::default(),
            metadata_end: Offset::ZERO,
            broker_epoch_ever: BrokerEpoch::NONE,
            time: Time::ZERO,
            clocks_moved: false,
            broker_clocks_moved: false,
            dating: setup.dating,
            mutants: Vec::new(),
            groups: Groups::new(&setup.groups),
            holds: Vec::new(),
            index: BTreeMap::new(),
            last_named: None,
            now: EventId::NONE,
            cause: EventId::NONE,
            delivered: (EventId::NONE, EventId::NONE),
        }
    }

    /// When the request was sent whose delivery is the cause of the present event; the present, if there was none.
    pub(in crate::check) fn sent(&self) -> EventId {
        let (delivered, sent) = self.delivered;
        if delivered != EventId::NONE && delivered == self.cause { sent } else { self.now }
    }

    /// The partition at a place.
    #[must_use]
    pub fn partition(&self, at: Place) -> &Partition {
        &self.partitions[at.partition]
    }

    /// The replica at a place.
    #[must_use]
    pub fn shadow(&self, at: Place) -> &Shadow {
        &self.partitions[at.partition].shadows[at.node]
    }

    /// The node of a broker.
    #[must_use]
    pub fn node_of(&self, broker: BrokerId) -> Option<usize> {
        self.nodes.iter().position(|node| node.broker == Some(broker))
    }

    /// Partitions that exist by the controller's word.
    pub fn living(&self) -> impl Iterator<Item = (usize, &Partition)> {
        self.partitions.iter().enumerate().filter(|(_, p)| p.topic.is_some_and(|topic| !self.topics[topic].deleted))
    }

    /// Whether the partition's topic was deleted: nobody owes anybody anything of it any more. Some brokers do not know that yet.
    #[must_use]
    pub fn is_deleted(&self, partition: usize) -> bool {
        self.partitions[partition].topic.is_some_and(|topic| self.topics[topic].deleted)
    }

    /// The partition of that name, as it is now.
    #[must_use]
    pub fn named(&self, name: &TopicPartition) -> Option<usize> {
        let topic = self.topics.iter().rfind(|topic| *topic.name == *name.topic)?;
        self.index.get(&PartitionId { topic: topic.id, index: name.index }).copied()
    }

    /// The same, if that name has never stood for another topic: what a client says of a name that has stood for two may be about either.
    #[must_use]
    pub fn named_once(&self, name: &TopicPartition) -> Option<usize> {
        let mut bearers = self.topics.iter().filter(|topic| *topic.name == *name.topic);
        let is_unique = bearers.next().is_some_and(|first| !first.deleted) && bearers.next().is_none();
        if is_unique { self.named(name) } else { None }
    }

    /// Name of a partition for people: `orders-0`.
    #[must_use]
    pub fn name(&self, partition: usize) -> String {
        let p = &self.partitions[partition];
        match p.topic {
            Some(topic) => format!("{}-{}", self.topics[topic].name, p.id.index),
            None => format!("{:?}", p.id),
        }
    }

    /// Name of a node.
    #[must_use]
    pub fn node_name(&self, node: usize) -> &str {
        self.nodes.get(node).map_or("nobody", |node| &node.name)
    }

    /// The replica minimum that holds for a partition: no more than there are replicas.
    #[must_use]
    pub fn min_isr(&self, partition: usize) -> usize {
        let p = &self.partitions[partition];
        let configured = p.topic.map_or(1, |topic| self.topics[topic].min_isr as usize);
        configured.min(p.replicas.len()).max(1)
    }

    /// Whether an unclean election, which the topic allows, has been decided, but its leader has not begun to act.
    #[must_use]
    pub fn awaits_unclean_leader(&self, partition: usize) -> bool {
        let p = &self.partitions[partition];
        self.allows_unclean_election(partition)
            && p.elections.iter().any(|election| election.unclean && election.epoch > p.acting)
    }

    /// Whether the topic allows that somebody outside the ISR is elected.
    fn allows_unclean_election(&self, partition: usize) -> bool {
        self.partitions[partition].topic.is_some_and(|topic| self.topics[topic].unclean_election)
    }

    /// What an anomaly at `offset` counts as, for evidence from before `epoch`: the weight of the loss that explains it, if one does.
    #[must_use]
    pub fn excuse(&self, partition: usize, offset: Offset, epoch: Option<LeaderEpoch>) -> Option<super::page::Weight> {
        let losses = &self.partitions.get(partition)?.losses;
        let loss = losses.iter().find(|loss| loss.from <= offset && epoch.is_none_or(|epoch| epoch < loss.epoch))?;
        Some(loss.weight_at(offset))
    }

    /// The replica whose log an audit is about, and whether a fault struck its disk itself.
    #[must_use]
    pub fn audited(&mut self, node: Option<NodeId>, image: &LogImage) -> Option<(Place, bool)> {
        let node = usize::from(node?.0);
        let struck = self.nodes.get(node)?.disk_struck;
        Some((Place { node, partition: self.intern(image.partition) }, struck))
    }

    /// Number of the partition, which is entered if it is new.
    pub(in crate::check) fn intern(&mut self, id: PartitionId) -> usize {
        if let Some((last, index)) = self.last_named
            && last == id
        {
            return index;
        }
        let (nodes, next) = (self.nodes.len(), self.partitions.len());
        let index = *self.index.entry(id).or_insert(next);
        if index == next {
            self.partitions.push(Partition { born: self.time, ..Partition::new(id, nodes) });
        }
        self.last_named = Some((id, index));
        index
    }
}

impl Partition {
    /// Leader epoch of the committed record before that offset, if it is kept.
    #[must_use]
    pub fn epoch_before(&self, offset: Offset) -> Option<LeaderEpoch> {
        let before = offset.plus(-1);
        self.log.epoch_at(before).filter(|_| before >= self.kept_from && before >= self.cleaned)
    }

    fn new(id: PartitionId, nodes: usize) -> Partition {
        let state = PartitionState {
            leader: None,
            leader_epoch: LeaderEpoch::NONE,
            partition_epoch: PartitionEpoch(-1),
            isr: Vec::new(),
        };
        Partition {
            id,
            born: Time::ZERO,
            topic: None,
            replicas: Vec::new(),
            state_before: state.clone(),
            state,
            states: Vec::new(),
            elections: Vec::new(),
            log: Chain::default(),
            untold: Vec::new(),
            kept_from: Offset::ZERO,
            given_up_ever: Offset::ZERO,
            cleaned: Offset::ZERO,
            promises: Vec::new(),
            marks: Vec::new(),
            losses: Vec::new(),
            apart: Vec::new(),
            exempt_below: LeaderEpoch::NONE,
            acting: LeaderEpoch::NONE,
            acted_before: LeaderEpoch::NONE,
            shadows: (0..nodes).map(|_| Shadow::default()).collect(),
            seen: Vec::new(),
        }
    }

    /// Everything below is committed.
    #[must_use]
    pub fn true_high_watermark(&self) -> Offset {
        self.log.end()
    }

    /// Up to where a complete read must come: nowhere, if all that is committed was given up.
    #[must_use]
    pub fn readable_end(&self) -> Offset {
        if self.kept_from < self.log.end() { self.log.end() } else { Offset::ZERO }
    }

    /// Whether retention or deletion took the record at `offset` that a leader of `epoch` had stored: before a loss, if it was lost since.
    #[must_use]
    pub fn was_given_up(&self, offset: Offset, epoch: Option<LeaderEpoch>) -> bool {
        // Below the place where a loss begins, in the middle of a batch, everything is as it was.
        let since = self.losses.iter().filter(|loss| loss.from <= offset && epoch.is_some_and(|epoch| epoch < loss.epoch));
        let mut lost = since.flat_map(|loss| &loss.batches).filter(|batch| batch.link.base <= offset && offset < batch.link.end);
        lost.next().map_or(offset < self.kept_from, |batch| !batch.owed)
    }

    /// Everything below was committed when `event` happened, and still is.
    #[must_use]
    pub fn true_high_watermark_at(&self, event: EventId) -> Offset {
        let since = self.marks.partition_point(|(rose, _)| *rose <= event);
        let then = since.checked_sub(1).map_or(Offset::ZERO, |last| self.marks[last].1);
        then.min(self.log.end())
    }

    /// The state with that partition epoch.
    #[must_use]
    pub fn state_in(&self, epoch: PartitionEpoch) -> Option<&PartitionState> {
        let at = self.states.partition_point(|state| state.partition_epoch < epoch);
        self.states.get(at).filter(|state| state.partition_epoch == epoch)
    }

    /// Whether the broker is in the ISR of the controller's log.
    #[must_use]
    pub fn in_isr(&self, broker: Option<BrokerId>) -> bool {
        broker.is_some_and(|broker| self.state.isr.contains(&broker))
    }

    /// The election that began an epoch.
    #[must_use]
    pub fn election(&self, epoch: LeaderEpoch) -> Option<&Election> {
        self.elections.iter().rfind(|election| election.epoch == epoch)
    }

    /// Whether a leader of that epoch leads a log that was lost.
    #[must_use]
    pub fn is_exempt(&self, epoch: LeaderEpoch) -> bool {
        epoch < self.exempt_below
    }

    /// Notes the past of a batch; false if another past was seen for the same offset and epoch.
    fn matches_seen(&mut self, link: &Link) -> bool {
        let key = (link.base, link.epoch);
        let at = self.seen.partition_point(|seen| (seen.base, seen.epoch) < key);
        match self.seen.get(at) {
            Some(seen) if (seen.base, seen.epoch) == key => seen.chain == link.chain,
            _ => {
                self.seen.insert(at, Seen { base: link.base, epoch: link.epoch, chain: link.chain });
                true
            }
        }
    }

    /// The hash of a batch that is the first of its log, from any log that reaches further back.
    fn known_past(&self, link: &Link) -> Option<u64> {
        let key = (link.base, link.epoch);
        let at = self.seen.partition_point(|seen| (seen.base, seen.epoch) < key);
        self.seen.get(at).filter(|seen| (seen.base, seen.epoch) == key).map(|seen| seen.chain)
    }
}
