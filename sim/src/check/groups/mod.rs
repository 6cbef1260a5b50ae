//! The ghost of consumer groups: what coordinators decided, what their log says, what members believe.
//!
//! ```text
//!   group "billing"  ── hash ──▶ shard: a partition of __consumer_offsets, whose log the main ghost follows
//!     terms       one for each coordinator that speaks for the group     b1 in epoch 3: generation 7, members m1 m2
//!     notes       what the log says of generation and members            generation 7 {m1 m2} at 44
//!     registers   what the log says of committed offsets                 orders-0: 120 at 40 (acknowledged), 130 at 45
//!     beliefs     what each member believes to own                       c1 as m1 in generation 7: orders-0
//!     courses     what was processed of each partition, by whom          orders-0: 0..128
//! ```
//!
//! A coordinator that was deposed and has not heard of it goes on deciding, in memory and on top of a log that is doomed. So what coordinators
//! say is kept apart by *term*: a node, and the leader epoch of the shard in which it speaks. Of several, the one of the newest epoch counts.
//! A record is named by its offset and the leader epoch of its batch; whether a log holds it is asked of that replica's chain.
//!
//! Facts about records come without their offset, but for commits. Their place is then the last batch that the coordinator's log
//! holds at that moment, because a step of a coordinator appends before it states.

mod answers;
mod beliefs;
mod change;
mod course;
mod decided;
mod register;
mod shard;
mod spans;
mod terms;

use std::collections::BTreeMap;
use std::sync::Arc;

use brokerlab::fact::group::{GroupProtocol, GroupState};
use brokerlab::types::{Duration, LeaderEpoch, Offset, Time, TopicPartition};
use brokerlab_reports::event::EventId;

pub use beliefs::Belief;
pub use change::GroupChange;
pub use course::{Course, Session};
pub use register::{Register, Stored};
pub use spans::Spans;
pub use terms::{Member, Reconciled, Term};

use super::ghost::Ghost;
use super::page::Weight;
use super::setup::{GroupSetup, Reset};

/// All groups.
#[derive(Debug, Default)]
pub struct Groups {
    /// In the order in which they were first named.
    pub all: Vec<Group>,
    index: BTreeMap<Arc<str>, usize>,
    setup: Vec<GroupSetup>,
}

/// One group.
#[derive(Debug)]
pub struct Group {
    /// Its id.
    pub id: Arc<str>,
    /// How its members behave; `None`: nobody has said.
    pub habits: Option<GroupSetup>,
    /// Number of its partition of `__consumer_offsets` in the main ghost; `None` while there is no such topic.
    pub shard: Option<usize>,
    /// Its coordinators, one for each node that speaks.
    pub terms: Vec<Term>,
    /// The newest epoch in which anybody has coordinated.
    pub newest: LeaderEpoch,
    /// What the log says of its generation and members, oldest first.
    pub notes: Vec<Note>,
    /// Which protocol the log says that it speaks, oldest first. The first one is the classic one.
    protocols: Vec<(RecordPlace, GroupProtocol)>,
    /// KIP-848: how far the log says that members have come, by member id, oldest first.
    reconciled: Vec<(Arc<str>, Reconciled)>,
    /// What the log says of its offsets.
    pub registers: BTreeMap<TopicPartition, Register>,
    /// The highest generation that some member was told to live by.
    pub lived: Option<Lived>,
    /// What members believe, one for each node.
    pub beliefs: Vec<Belief>,
    /// What was processed.
    pub courses: BTreeMap<TopicPartition, Course>,
    /// What members said of themselves when they joined, by member id.
    pub contacts: BTreeMap<Arc<str>, Contact>,
    /// Which instance each member id of a static member stands for.
    pub instances: BTreeMap<Arc<str>, Arc<str>>,
    /// All partitions that the group is to share, as last told.
    pub subscribed: Vec<TopicPartition>,
}

/// A record about generation and members.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Note {
    /// Where it stands.
    pub place: RecordPlace,
    /// The generation.
    pub generation: i32,
    /// Member ids, sorted.
    pub members: Vec<Arc<str>>,
    /// What each member is to own.
    pub assignment: Vec<(Arc<str>, Vec<TopicPartition>)>,
    /// It was certainly written; else it may have been.
    pub certain: bool,
}

/// Where a record stands: in the batch of that epoch that holds that offset.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct RecordPlace {
    /// Offset.
    pub at: Offset,
    /// Leader epoch of its batch.
    pub epoch: LeaderEpoch,
}

/// A generation that members live by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Lived {
    /// The generation.
    pub generation: i32,
    /// When a member was told.
    pub event: EventId,
}

/// What a member said of itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Contact {
    /// Its node.
    pub node: usize,
    /// `group.instance.id` of a static member.
    pub instance: Option<Arc<str>>,
    /// How long it may be silent.
    pub session: Duration,
    /// How long others wait for it.
    pub rebalance: Duration,
    /// When a heartbeat of it was last taken for a sign of life, and by which node.
    pub heard: Option<(usize, Time)>,
    /// When a coordinator last answered it anything: silence cannot have begun before.
    pub answered: (EventId, Time),
}

impl Groups {
    /// Before the first event.
    pub(super) fn new(setup: &[GroupSetup]) -> Groups {
        Groups { setup: setup.to_vec(), ..Groups::default() }
    }

    /// The number of a group, which is entered if it is new.
    pub(super) fn enter(&mut self, id: &Arc<str>) -> usize {
        let next = self.all.len();
        let group = *self.index.entry(id.clone()).or_insert(next);
        if group == next {
            let habits = self.setup.iter().find(|setup| *setup.id == **id).cloned();
            self.all.push(Group::new(id.clone(), habits));
        }
        group
    }

    /// The number of a group.
    #[must_use]
    pub fn number(&self, id: &str) -> Option<usize> {
        self.index.get(id).copied()
    }

    /// A process is gone, and with it what it believed and spoke for. Returns how many rebalances of the classic protocol it was at.
    pub(super) fn lose_node(&mut self, node: usize, event: EventId) -> u64 {
        let interrupted = self.all.iter().filter(|group| group.is_rebalanced_by(node)).count();
        for group in &mut self.all {
            group.terms.retain(|term| term.node != node);
            group.beliefs.retain(|belief| belief.node != node);
            group.courses.values_mut().for_each(|course| course.end_sessions(node, event));
        }
        interrupted as u64
    }
}

impl Group {
    fn new(id: Arc<str>, habits: Option<GroupSetup>) -> Group {
        Group {
            id,
            habits,
            shard: None,
            terms: Vec::new(),
            newest: LeaderEpoch::NONE,
            notes: Vec::new(),
            protocols: Vec::new(),
            reconciled: Vec::new(),
            registers: BTreeMap::new(),
            lived: None,
            beliefs: Vec::new(),
            courses: BTreeMap::new(),
            contacts: BTreeMap::new(),
            instances: BTreeMap::new(),
            subscribed: Vec::new(),
        }
    }

    /// The coordinator of the newest epoch; `None` if it has died, whoever of an older one still speaks.
    #[must_use]
    pub fn current(&self) -> Option<&Term> {
        self.terms.iter().find(|term| term.epoch == self.newest)
    }

    /// Somebody coordinates from now on.
    pub(super) fn begin_term(&mut self, term: Term) {
        self.newest = self.newest.max(term.epoch);
        self.terms.retain(|known| known.node != term.node);
        self.terms.push(term);
    }

    /// What that node says.
    #[must_use]
    pub fn term(&self, node: usize) -> Option<&Term> {
        self.terms.iter().find(|term| term.node == node)
    }

    /// Whether no other coordinator speaks in a newer epoch.
    #[must_use]
    pub fn is_current(&self, node: usize) -> bool {
        self.current().is_some_and(|term| term.node == node)
    }

    /// Whether that node is the coordinator, and in the middle of a rebalance of which its log says nothing.
    fn is_rebalanced_by(&self, node: usize) -> bool {
        let rebalances = |term: &Term| matches!(term.state, GroupState::PreparingRebalance | GroupState::CompletingRebalance);
        self.current().is_some_and(|term| term.node == node && rebalances(term))
    }

    /// What that member's process believes.
    #[must_use]
    pub fn belief(&self, node: usize) -> Option<&Belief> {
        self.beliefs.iter().find(|belief| belief.node == node)
    }
}

impl Ghost {
    /// What an anomaly of a group counts as: no more than a loss in the group's own log, if there was one.
    #[must_use]
    pub fn weigh_group(&self, group: usize) -> Weight {
        let shard = self.groups.all[group].shard;
        shard.and_then(|shard| self.excuse(shard, LAST, None)).unwrap_or(Weight::VIOLATION)
    }

    /// The same of an anomaly about a partition that it reads: a loss there explains it too.
    #[must_use]
    pub fn weigh_reading(&self, group: usize, partition: &TopicPartition) -> Weight {
        let read = self.named(partition).and_then(|partition| self.excuse(partition, LAST, None));
        read.unwrap_or_else(|| self.weigh_group(group))
    }

    /// A member may have been sent to the beginning from behind this place: some replica has given it up, and the group resets to the earliest.
    /// Retention is every replica's own, so the next leader may still have what the one that sent it away no longer had.
    #[must_use]
    pub fn may_begin_anew_before(&self, group: usize, read: usize, place: Offset) -> bool {
        let is_taken = place < self.partitions[read].kept_from;
        is_taken && self.groups.all[group].habits.as_ref().is_some_and(|habits| habits.reset == Reset::Earliest)
    }

    /// Whether a record stands below the true high watermark of its shard.
    #[must_use]
    pub fn is_committed(&self, shard: usize, place: RecordPlace) -> bool {
        shard::is_below_end(&self.partitions[shard].log, place)
    }
}

/// Behind everything: any loss explains what happens there.
const LAST: Offset = Offset(i64::MAX);
