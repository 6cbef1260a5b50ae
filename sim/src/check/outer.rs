//! The outer oracle alone: what clients saw, judged without a word from the cluster.
//!
//! The checks are the very B checks of a simulated run, over the very same [`Clients`]. What is missing is everything that only the
//! laboratory knows: who led, what was committed, which loss is excused. So with acks=all nothing is excused; a record lost that the
//! leader alone had promised (acks=1) is sanctioned, as a leader may have changed at any time, and so is an end that is told too low, as a
//! leader that has not heard of its deposition answers what it knows, and from outside nobody can tell.

use brokerlab::fact::Fact;
use brokerlab::operation::Outcome;
use brokerlab::types::{LeaderEpoch, Offset, PartitionEpoch, PartitionId, TopicPartition, Uuid};
use brokerlab_reports::event::{Event, EventId, NodeId, What, WorldFact};
use brokerlab_reports::verdict::{CheckReport, Finding, Verdict};

use super::clients::{Clients, Fate, FinalRead};
use super::ghost::{Change, Ghost, Kind, Promise};
use super::page::{Noted, Page};
use super::setup::{NodeKind, Setup};
use super::{
    Check, Scene, b1_lost_write, b2_duplicate, b3_divergence, b4_phantom, b5_real_time_order, b6_producer_order,
    b7_session_contiguity, b12_end_offset,
};

/// Follows one history.
pub struct OuterJudge {
    ghost: Ghost,
    clients: Clients,
    checks: Vec<(Box<dyn Check>, Page)>,
    ends: Vec<(TopicPartition, Offset)>,
    last: EventId,
    settling: bool,
}

/// What came of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OuterJudgement {
    /// The gravest finding; UNKNOWN if the history proves nothing.
    pub verdict: Verdict,
    /// Each check's score.
    pub checks: Vec<CheckReport>,
    /// What was found, oldest first.
    pub findings: Vec<Finding>,
    /// Figures for people.
    pub counts: Vec<(&'static str, u64)>,
}

impl OuterJudge {
    /// Before the first event: who takes part, and which partitions there are.
    #[must_use]
    pub fn new(setup: &Setup, partitions: &[TopicPartition]) -> OuterJudge {
        let checks: Vec<(&'static str, &'static str, Box<dyn Check>)> = vec![
            (b1_lost_write::ID, b1_lost_write::CLAIM, Box::<b1_lost_write::LostWrite>::default()),
            (b2_duplicate::ID, b2_duplicate::CLAIM, Box::<b2_duplicate::Duplicate>::default()),
            (b3_divergence::ID, b3_divergence::CLAIM, Box::<b3_divergence::Divergence>::default()),
            (b4_phantom::ID, b4_phantom::CLAIM, Box::new(b4_phantom::Phantom)),
            (b5_real_time_order::ID, b5_real_time_order::CLAIM, Box::<b5_real_time_order::RealTimeOrder>::default()),
            (b6_producer_order::ID, b6_producer_order::CLAIM, Box::new(b6_producer_order::ProducerOrder)),
            (b7_session_contiguity::ID, b7_session_contiguity::CLAIM, Box::<b7_session_contiguity::SessionContiguity>::default()),
            (b12_end_offset::ID, b12_end_offset::CLAIM, Box::<b12_end_offset::EndOffset>::default()),
        ];
        let checks = checks.into_iter().map(|(id, claim, check)| (check, Page::new(id, claim))).collect();
        let (ghost, clients) = (Ghost::new(setup), Clients::new(setup));
        let mut judge = OuterJudge { ghost, clients, checks, ends: Vec::new(), last: EventId::NONE, settling: false };
        judge.name(partitions);
        judge
    }

    /// Takes in the next event: what a client was asked, or how that ended.
    pub fn observe(&mut self, node: Option<usize>, what: What) {
        self.settling |= matches!(what, What::World(WorldFact::SettleBegan));
        let node = node.map(|node| NodeId(u16::try_from(node).expect("clients are few")));
        let event =
            Event { id: EventId(self.last.0 + 1), at: Default::default(), node, cause: EventId::NONE, also: EventId::NONE, what };
        self.last = event.id;
        self.note_weak_promise(&event);
        let Some(change) = self.ghost.apply(&event) else { return };
        self.clients.take(event.id, &change, &self.ghost);
        self.show(&change);
    }

    /// The final read must come this far.
    pub fn must_read(&mut self, partition: TopicPartition, end: Offset) {
        self.ends.push((partition, end));
    }

    /// A client is gone without a word.
    pub fn gone(&mut self, node: usize) {
        let change = Change::ClientGone { node };
        self.clients.take(self.last, &change, &self.ghost);
        self.show(&change);
    }

    /// Judges the history.
    #[must_use]
    pub fn finish(mut self) -> OuterJudgement {
        let (mut findings, short) = self.unread();
        let scene =
            Scene { event: self.last, ghost: &self.ghost, clients: &self.clients, settling: self.settling, at_rest: true };
        self.checks.iter_mut().for_each(|(check, page)| check.finish(&scene, page));
        // What was not read is not missing.
        let is_unread = |note: &&Noted| {
            let at_the_end =
                note.finding.event == self.last && [b1_lost_write::ID, b3_divergence::ID].contains(&&*note.finding.check);
            at_the_end && note.partition.is_some_and(|partition| short.contains(&partition))
        };
        let notes = self.checks.iter().flat_map(|(_, page)| page.notes.iter()).filter(|note| !is_unread(note));
        findings.extend(notes.map(|note| weighed(note.finding.clone())));
        findings.sort_by_key(|finding| finding.event);
        let verdict = findings.iter().map(|finding| finding.verdict).max().unwrap_or(Verdict::Pass);
        let lost = if short.is_empty() { self.checks.iter().map(|(check, _)| check.lost()).sum() } else { 0 };
        let duplicated = self.checks.iter().map(|(check, _)| check.duplicated()).sum();
        let read: usize = self.clients.finals.iter().map(|read| read.records.len()).sum();
        let counts = vec![
            ("written", self.clients.writes.len() as u64),
            ("acknowledged", self.clients.count(Fate::Acknowledged)),
            ("indefinite", self.clients.count(Fate::Indefinite) + self.clients.count(Fate::Open)),
            ("failed", self.clients.count(Fate::Failed)),
            ("read", read as u64),
            ("lost", lost),
            ("duplicated", duplicated),
        ];
        OuterJudgement { verdict, checks: self.checks.iter().map(|(_, page)| page.report()).collect(), findings, counts }
    }

    /// Makes the partitions known, in the only way the ghost hears of them.
    fn name(&mut self, partitions: &[TopicPartition]) {
        let mut topics: Vec<&str> = Vec::new();
        for partition in partitions {
            let known = topics.iter().position(|topic| **topic == *partition.topic);
            let number = known.unwrap_or(topics.len());
            let topic = Uuid(number as u128 + 1);
            if known.is_none() {
                topics.push(&partition.topic);
                let name = partition.topic.to_string();
                self.tell(Fact::TopicCreated { topic, name, min_isr: 1, unclean_election: false, flush_each_batch: false });
            }
            let state = brokerlab::fact::PartitionState {
                leader: None,
                leader_epoch: LeaderEpoch(0),
                partition_epoch: PartitionEpoch(0),
                isr: Vec::new(),
            };
            self.tell(Fact::PartitionCreated {
                partition: PartitionId { topic, index: partition.index },
                replicas: Vec::new(),
                state,
            });
        }
    }

    fn tell(&mut self, fact: Fact) {
        let (id, node) = (self.last, Some(NodeId(0)));
        let event = Event { id, at: Default::default(), node, cause: EventId::NONE, also: EventId::NONE, what: What::Fact(fact) };
        let _ = self.ghost.apply(&event);
    }

    /// What a leader alone has promised, any later leader may lack.
    fn note_weak_promise(&mut self, event: &Event) {
        let (What::Completed(completion), Some(node)) = (&event.what, event.node) else { return };
        let producer = usize::from(node.0);
        let Outcome::Produced { partition, offset: Some(from) } = &completion.outcome else { return };
        if matches!(self.clients.kinds.get(producer), Some(NodeKind::Producer { acks: 1, .. }))
            && let Some(partition) = self.ghost.named(partition)
        {
            let p = &mut self.ghost.partitions[partition];
            p.promises.push(Promise { from: *from, to: from.next(), acks: 1, epoch: LeaderEpoch(0), producer });
            p.acting = LeaderEpoch(1);
        }
    }

    /// What keeps the history from proving anything, and the partitions of which the final read stops short.
    fn unread(&self) -> (Vec<Finding>, Vec<usize>) {
        let unknown = |text: String| Finding { check: "history".into(), event: self.last, verdict: Verdict::Unknown, text };
        let all = || (0..self.ghost.partitions.len()).collect();
        if self.clients.count(Fate::Acknowledged) == 0 {
            return (vec![unknown("nothing was acknowledged".into())], Vec::new());
        }
        if !self.settling || self.ends.is_empty() {
            return (vec![unknown("there is no final read, against which promises are held".into())], all());
        }
        let stops_short = |(name, end): &(TopicPartition, Offset)| {
            let partition = self.ghost.named(name)?;
            let position = self.clients.finals.get(partition).map_or(Offset::ZERO, FinalRead::position);
            let text = || format!("the final read of {}-{} stops at {position}, before its end {end}", name.topic, name.index);
            (position < *end).then(|| (unknown(text()), partition))
        };
        self.ends.iter().filter_map(stops_short).unzip()
    }

    fn show(&mut self, change: &Change<'_>) {
        let scene =
            Scene { event: self.last, ghost: &self.ghost, clients: &self.clients, settling: self.settling, at_rest: false };
        let kind: Kind = change.kind();
        for (check, page) in self.checks.iter_mut().filter(|(check, _)| check.watches().contains(&kind)) {
            check.look(&scene, change, page);
        }
    }
}

/// From outside an end that is too low may be the word of a leader that is none any more.
fn weighed(finding: Finding) -> Finding {
    match finding.check == b12_end_offset::ID && finding.verdict == Verdict::Violation {
        true => {
            Finding { verdict: Verdict::Sanctioned, text: format!("{}; a deposed leader may say so", finding.text), ..finding }
        }
        false => finding,
    }
}
