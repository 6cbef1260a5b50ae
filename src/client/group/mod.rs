//! The consumer as member of a group.
//!
//! A group's coordinator is the broker that leads the group's partition of `__consumer_offsets`. It knows who is a member and in which
//! *generation* the group is; who reads what is decided by one of the members, the leading one. That is the classic protocol, of which this speaks; in
//! the newer one (KIP-848, `group.protocol=consumer`) the coordinator decides, and members go to its epochs one by one: see `modern`.
//!
//! ```text
//!           the application polls                     JoinGroup              (leading member: assign)
//!   Out ───────────────▶ Preparing ─────▶ Joining ───────────────▶ Leading ─────▶ Syncing
//!    ▲                       ▲                                                       │ SyncGroup
//!    │ lost                  │ the application polls, and a rebalance is on          ▼
//!    └─── any ◀──────────── In ◀──────────────────────────────────────────────── Applying
//!                                 the application polls: revoked, then assigned
//! ```
//!
//! **When the application learns of it.** What was handed out in one poll counts as processed when the next poll comes, and not before.
//! So whatever the application must know of happens while it waits in a poll: giving partitions up, getting them, losing them. The talk
//! with the coordinator goes on without it, but a member whose application has not polled for `max.poll.interval.ms` leaves the
//! group, so that one that hangs does not keep its partitions (KIP-62).
//!
//! **Giving up.** *Eager* members give up everything before they join. *Cooperative* ones (KIP-429) keep it, are told by the
//! new assignment what they have lost, give up that, and join once more. Either way the positions are committed first if
//! `enable.auto.commit` says so, and nothing of the partitions is handed out any more while that commit is on its way: what came out after it
//! would be read twice (KAFKA-14024, KAFKA-14196).
//!
//! **Losing.** UNKNOWN_MEMBER_ID and ILLEGAL_GENERATION mean that the coordinator goes on without us; perhaps somebody else reads our
//! partitions already. They are not given up but *lost*: nothing may be committed, the coordinator would refuse it anyway. FENCED_INSTANCE_ID
//! means that another process has our name; then we end.
//!
//! ```text
//!   config     Kafka's properties            words      subscriptions and assignments as bytes
//!   line       where the coordinator is      requests   what is asked of it, answers: what it says
//!   rebalance  join, lead, sync, apply       commits    offsets to be stored, one request after the other
//!   pulse      heartbeats, poll interval     recall     committed offsets become positions
//!   leave      going in order             modern     the newer protocol, as far as it differs
//! ```
//!
//! Simplified: no regular expressions for topics, no racks (KIP-881), no jitter on back-offs.

pub mod answers;
pub mod attempt;
pub mod commits;
pub mod config;
mod leave;
pub mod line;
mod modern;
mod pulse;
mod rebalance;
mod recall;
pub mod requests;
pub mod words;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub use config::GroupConfig;

use self::attempt::Attempt;
use self::commits::{Commit, Commits, Purpose};
pub use self::leave::Ending;
use self::leave::Leaving;
use self::line::{Asked, CoordinatorLine};
use self::modern::Talk;
use self::pulse::Pulse;
use super::assignor::{Assignment, Discipline, Members, Strategy};
use super::cluster::Cluster;
use super::config::{CommonConfig, ConsumerConfig, IsolationLevel, OffsetReset};
use super::connections::Reply;
use super::consumer::Errand;
use super::places::Places;
use crate::actor::{Event, Outbox};
use crate::fact::{Fact, GroupFact};
use crate::mutant::Mutant;
use crate::operation::{CommitMode, OffsetToCommit, OperationId};
use crate::types::{Duration, Time, TopicPartition};
use crate::wire::{ErrorCode, Response};

/// What of the consumer a membership works on.
pub struct Desk<'a> {
    /// The time.
    pub now: Time,
    /// Lines to any broker, and metadata.
    pub cluster: &'a mut Cluster<Errand>,
    /// What is read.
    pub places: &'a mut Places,
    /// The application waits in a poll: whatever it was handed before is processed.
    pub is_polling: bool,
    /// Where requests, facts and completions go.
    pub out: &'a mut Outbox,
}

/// A consumer's part in a group.
#[derive(Hash, Debug)]
pub struct Membership {
    config: GroupConfig,
    common: CommonConfig,
    line: CoordinatorLine,
    /// What the application subscribes to; nothing: it is in no group.
    topics: BTreeSet<Arc<str>>,
    /// Given by the coordinator; empty for a newcomer. In the newer protocol our own.
    member: Arc<str>,
    /// The generation joined last, or the member epoch; -1 for none.
    generation: i32,
    phase: Phase,
    /// A rebalance is on, or is to begin.
    rejoin: bool,
    owned: Ownership,
    /// The coordinator goes on without us, and the application does not know: the error that said so.
    lost: Option<ErrorCode>,
    /// Of an earlier generation, for the assignor `sticky`.
    remembered: (BTreeSet<TopicPartition>, i32),
    /// What the leading member shared out: topics and their numbers of partitions. A change is a reason for a rebalance.
    led: Option<BTreeMap<Arc<str>, i32>>,
    pulse: Pulse,
    /// Of the newer protocol.
    talk: Talk,
    /// When the application was last seen in a poll.
    polled_at: Time,
    commits: Commits,
    /// When positions are to be committed next.
    auto_commit_at: Time,
    /// Where to begin if nothing is committed.
    reset: OffsetReset,
    /// Only offsets that no transaction can change any more.
    is_stable: bool,
    recall: Attempt,
    /// To be told to the next poll that would be empty.
    complaint: Option<ErrorCode>,
}

/// What the application owns, and as whom.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Ownership {
    member: Arc<str>,
    generation: i32,
    partitions: BTreeSet<TopicPartition>,
}

/// How far the membership is.
#[derive(Hash, Debug)]
enum Phase {
    /// Not a member, or no longer one.
    Out,
    /// Gives up what is to be given up before it joins; does not wait for commits beyond this moment.
    Preparing { until: Time },
    /// JoinGroup is due, or on its way.
    Joining(Attempt),
    /// Assigns as soon as it knows the topics, unless the assignment stays as it was; does not wait for them beyond this moment.
    Leading { strategy: Strategy, members: Members, until: Time, assigns: bool },
    /// SyncGroup is due, or on its way, with the whole assignment if we lead.
    Syncing { attempt: Attempt, strategy: Strategy, assignment: Assignment },
    /// Was assigned these. What is to go is given up first; does not wait for commits beyond that moment.
    Applying { assigned: BTreeSet<TopicPartition>, until: Option<Time> },
    /// Newer protocol: the first heartbeat is due, or on its way.
    Entering,
    /// Newer protocol: gives these up; does not wait for commits beyond that moment.
    GivingUp { gone: BTreeSet<TopicPartition>, until: Time },
    /// Reads what it owns.
    In,
    /// On its way out, in order.
    Leaving(Leaving),
    /// Another process has our name, or has none of us: nothing can be done.
    Fenced(ErrorCode),
}

impl Membership {
    /// Nobody's member so far.
    #[must_use]
    pub fn new(config: GroupConfig, consumer: &ConsumerConfig) -> Membership {
        let is_modern = config.is_modern();
        Membership {
            line: CoordinatorLine::new(&consumer.common),
            common: consumer.common.clone(),
            reset: consumer.reset,
            is_stable: consumer.isolation == IsolationLevel::ReadCommitted,
            config,
            topics: BTreeSet::new(),
            member: if is_modern { modern::member_id(consumer.common.seed) } else { Arc::from("") },
            generation: -1,
            phase: Phase::Out,
            rejoin: true,
            owned: Ownership { member: Arc::from(""), generation: -1, partitions: BTreeSet::new() },
            lost: None,
            remembered: (BTreeSet::new(), -1),
            led: None,
            pulse: Pulse::default(),
            talk: Talk::default(),
            polled_at: Time::ZERO,
            commits: Commits::default(),
            auto_commit_at: Time::ZERO,
            recall: Attempt::default(),
            complaint: None,
        }
    }

    // ---- commands ---------------------------------------------------------------------------------------------

    /// Whether the application is in a group, or on its way out.
    #[must_use]
    pub fn is_subscribed(&self) -> bool {
        !self.topics.is_empty()
    }

    /// Topics that somebody here has to know.
    pub fn topics(&self) -> impl Iterator<Item = &Arc<str>> {
        let led = self.led.iter().flat_map(BTreeMap::keys);
        let leading = match &self.phase {
            Phase::Leading { members, .. } => Some(members.values().flat_map(|member| &member.topics)),
            Phase::Out
            | Phase::Preparing { .. }
            | Phase::Joining(_)
            | Phase::Syncing { .. }
            | Phase::Applying { .. }
            | Phase::Entering
            | Phase::GivingUp { .. }
            | Phase::In
            | Phase::Leaving(_)
            | Phase::Fenced(_) => None,
        };
        self.topics.iter().chain(led).chain(leading.into_iter().flatten())
    }

    /// Reads these topics as a member of the group, instead of those subscribed to so far. False while it leaves.
    pub fn subscribe(&mut self, now: Time, topics: BTreeSet<Arc<str>>) -> bool {
        if matches!(self.phase, Phase::Leaving(_)) {
            return false;
        }
        if matches!(self.phase, Phase::Fenced(_)) || self.topics.is_empty() {
            self.phase = Phase::Out;
            self.polled_at = now;
        }
        self.rejoin |= self.topics != topics;
        self.topics = topics;
        true
    }

    /// Stores offsets: these, or the positions of everything that was handed out.
    pub fn commit(&mut self, id: OperationId, offsets: Option<Vec<OffsetToCommit>>, mode: CommitMode, desk: &Desk<'_>) {
        let offsets = offsets.unwrap_or_else(|| positions(desk.places, |_| true));
        self.commits.push(Commit::new(Purpose::Asked(id), mode, offsets, desk.now.plus(self.common.api_timeout)));
    }

    // ---- events -----------------------------------------------------------------------------------------------

    /// Takes in an event.
    pub fn on_event(&mut self, event: &Event, desk: &mut Desk<'_>) {
        for Reply { context, response } in self.line.on_event(desk.now, event, desk.out) {
            if response.is_none() {
                self.line.forget(desk.now);
            }
            match context {
                Asked::Join(number) => self.on_join(number, response, desk),
                Asked::Sync(number) => self.on_sync(number, response, desk),
                Asked::Heartbeat(number) => self.on_heartbeat(number, response, desk),
                Asked::Commit(number) => self.on_commit(number, response, desk),
                Asked::Offsets(number) => self.on_offsets(number, response, desk),
                Asked::Leave(number) => self.on_leave(number),
                Asked::Epoch(number) => self.on_epoch(number, response, desk),
            }
        }
    }

    /// A broker says who coordinates.
    pub fn on_coordinator(&mut self, now: Time, number: u64, response: Option<Response>) {
        let answer = match &response {
            Some(Response::FindCoordinator(response)) => answers::coordinator(response, &self.config.id),
            Some(_) | None => Err(ErrorCode::COORDINATOR_NOT_AVAILABLE),
        };
        if let Err(error) = self.line.on_found(now, number, answer) {
            self.complaint = Some(error);
        }
    }

    /// Does what is due. To be called in each step, before polls are served.
    pub fn drive(&mut self, desk: &mut Desk<'_>) {
        if desk.is_polling {
            self.polled_at = desk.now;
            self.tell_loss(desk);
        }
        if self.needs_coordinator() {
            self.line.search(desk.now, &self.config.id, desk.cluster, desk.out);
        }
        self.notice_topics(desk);
        self.send_commit(desk);
        self.leave(desk);
        if self.config.is_modern() {
            self.reconcile(desk);
            self.enter(desk);
        } else {
            self.apply(desk);
            self.prepare(desk);
            self.join(desk);
            self.lead(desk);
            self.sync(desk);
        }
        self.commit_now_and_then(desk);
        self.send_commit(desk);
        self.ask_for_offsets(desk);
        if self.config.is_modern() { self.speak(desk) } else { self.beat(desk) }
    }

    /// What the next poll that would be empty has to be told.
    #[must_use]
    pub fn trouble(&self) -> Option<ErrorCode> {
        match self.phase {
            Phase::Fenced(error) => Some(error),
            Phase::Out
            | Phase::Preparing { .. }
            | Phase::Joining(_)
            | Phase::Leading { .. }
            | Phase::Syncing { .. }
            | Phase::Applying { .. }
            | Phase::Entering
            | Phase::GivingUp { .. }
            | Phase::In
            | Phase::Leaving(_) => self.complaint,
        }
    }

    /// It was told.
    pub fn forget_trouble(&mut self) {
        self.complaint = None;
    }

    /// When to come back at the latest.
    #[must_use]
    pub fn deadline(&self, now: Time, is_polling: bool) -> Option<Time> {
        let of_phase = match &self.phase {
            Phase::Preparing { until } | Phase::Leading { until, .. } => Some(*until),
            Phase::GivingUp { until, .. } => Some(*until),
            Phase::Applying { until, .. } => *until,
            Phase::Joining(attempt) => attempt.deadline().filter(|_| is_polling),
            Phase::Syncing { attempt, .. } => attempt.deadline(),
            Phase::Leaving(leaving) => Some(leaving.until),
            Phase::Out | Phase::Entering | Phase::In | Phase::Fenced(_) => None,
        };
        let may_commit = is_polling || self.common.mutants.is(Mutant::CommitBeforeProcessing);
        let auto =
            self.config.auto_commit.filter(|_| may_commit && !self.owned.partitions.is_empty()).map(|_| self.auto_commit_at);
        let search = if self.needs_coordinator() { self.line.search_at() } else { None };
        let pulse: &[Option<Time>] = match self.config.is_modern() {
            true => &self.talk_deadline(is_polling),
            false => &self.pulse_deadline(is_polling),
        };
        let own = [of_phase, auto, search, self.commits.deadline(), self.recall.deadline()].into_iter().flatten();
        let own = own.chain(pulse.iter().flatten().copied()).filter(|at| *at > now).min();
        [own, self.line.deadline()].into_iter().flatten().min()
    }

    // ---- shared by the parts ----------------------------------------------------------------------------------

    fn needs_coordinator(&self) -> bool {
        let is_member = self.is_subscribed() && !matches!(self.phase, Phase::Fenced(_));
        is_member || !self.commits.is_empty()
    }

    fn discipline(&self) -> Discipline {
        self.config.discipline()
    }

    /// The longest wait for commits on the way out of a generation. A coordinator that does not answer by then gets no more of it.
    fn patience(&self) -> Duration {
        self.common.request_timeout.min(self.config.poll_interval_max)
    }

    /// The coordinator goes on without us.
    fn lose(&mut self, error: ErrorCode) {
        if error != ErrorCode::ILLEGAL_GENERATION {
            self.forget_id();
        }
        self.generation = -1;
        self.pulse.forget();
        self.talk.forget();
        self.lost = Some(error);
        self.rejoin = true;
        self.led = None;
        if !matches!(self.phase, Phase::Leaving(_)) {
            self.phase = if error == ErrorCode::FENCED_INSTANCE_ID { Phase::Fenced(error) } else { Phase::Out };
        }
    }

    /// An id that a coordinator gave is of no use any more; our own stays.
    fn forget_id(&mut self) {
        if !self.config.is_modern() {
            self.member = Arc::from("");
        }
    }

    /// The application learns that its partitions are gone.
    fn tell_loss(&mut self, desk: &mut Desk<'_>) {
        if self.lost.is_none() {
            return;
        }
        let partitions = std::mem::take(&mut self.owned.partitions);
        if !partitions.is_empty() {
            desk.places.remove(&partitions);
            let Ownership { member, generation, .. } = self.owned.clone();
            let partitions = partitions.into_iter().collect();
            self.state(GroupFact::PartitionsLost { group: Arc::clone(&self.config.id), member, generation, partitions }, desk);
        }
        if !matches!(self.phase, Phase::Fenced(_)) {
            self.lost = None;
        }
    }

    /// The application gives these up.
    fn revoke(&mut self, partitions: BTreeSet<TopicPartition>, desk: &mut Desk<'_>) {
        if partitions.is_empty() {
            return;
        }
        desk.places.remove(&partitions);
        self.owned.partitions.retain(|partition| !partitions.contains(partition));
        let Ownership { member, generation, .. } = self.owned.clone();
        let partitions = partitions.into_iter().collect();
        self.state(GroupFact::PartitionsRevoked { group: Arc::clone(&self.config.id), member, generation, partitions }, desk);
    }

    fn state(&self, fact: GroupFact, desk: &mut Desk<'_>) {
        desk.out.fact(Fact::Group(fact));
    }

    /// Errors that mean the same in whatever answer: false if it is none of them.
    fn on_common_error(&mut self, now: Time, error: ErrorCode) -> bool {
        match error {
            ErrorCode::NOT_COORDINATOR | ErrorCode::COORDINATOR_NOT_AVAILABLE => self.line.forget(now),
            ErrorCode::UNKNOWN_MEMBER_ID
            | ErrorCode::ILLEGAL_GENERATION
            | ErrorCode::FENCED_MEMBER_EPOCH
            | ErrorCode::FENCED_INSTANCE_ID => self.lose(error),
            _ => return false,
        }
        true
    }
}

/// Where the application has got to in the partitions that are wanted and have a position.
fn positions(places: &Places, wanted: impl Fn(&TopicPartition) -> bool) -> Vec<OffsetToCommit> {
    let known = places.iter().filter(|place| place.has_position() && wanted(&place.partition));
    let offset = |place: &super::positions::Place| OffsetToCommit {
        partition: place.partition.clone(),
        offset: place.position.offset,
        leader_epoch: place.position.epoch,
    };
    known.map(offset).collect()
}
