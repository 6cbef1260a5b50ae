//! From events to changes: each event touches the partitions and replicas that it names, and no others.

use brokerlab::fact::{Fact, PartitionState, TruncationReason};
use brokerlab::types::{BrokerEpoch, BrokerId, LeaderEpoch, Offset, PartitionId, Timestamp};
use brokerlab_reports::event::{Event, EventId, NodeId, Tap, What};

use super::change::{Answer, Belief, Change, Decision, IsrAnswer, Place, Shared};
use super::replica::{Fetched, Leading, Role};
use super::{Election, Ghost, NodeLife, Partition, Promise, Topic};
use crate::check::chain::{Chain, Link};

impl Ghost {
    /// Takes in the next event.
    pub fn apply<'e>(&mut self, event: &'e Event) -> Option<Change<'e>> {
        (self.now, self.time, self.cause) = (event.id, event.at, event.cause);
        match &event.what {
            What::Delivered(_) => {
                self.delivered = (event.id, event.cause);
                None
            }
            What::Fact(fact) => self.apply_fact(usize::from(event.node?.0), fact),
            What::World(fact) => self.apply_world(event.node, fact),
            What::Tap(tap) => self.apply_tap(event.node, event.cause, tap),
            What::Audit(image) => self.apply_audit(event.node, image),
            What::Invoked(command) => {
                Some(Change::Invoked { node: usize::from(event.node?.0), operation: command.id.0, what: &command.operation })
            }
            What::Completed(completion) => Some(Change::Completed { node: usize::from(event.node?.0), completion }),
        }
    }

    fn apply_fact<'e>(&mut self, node: usize, fact: &'e Fact) -> Option<Change<'e>> {
        if node >= self.nodes.len() {
            return None;
        }
        match fact {
            Fact::BatchAppended { .. }
            | Fact::LogOpened { .. }
            | Fact::LogTruncated { .. }
            | Fact::LogFlushed { .. }
            | Fact::LogStartMoved { .. }
            | Fact::CompactionBegan { .. }
            | Fact::Compacted { .. }
            | Fact::LogRemoved { .. } => self.apply_log(node, fact),
            Fact::BecameLeader { partition, leader_epoch, partition_epoch, high_watermark, isr, .. } => {
                let at = self.place(node, *partition);
                let belief = Belief { leader_epoch: *leader_epoch, partition_epoch: *partition_epoch, isr };
                Some(self.begin_to_lead(at, belief, *high_watermark))
            }
            Fact::BecameFollower { partition, leader_epoch, high_watermark, .. } => {
                let at = self.place(node, *partition);
                let shadow = &mut self.partitions[at.partition].shadows[node];
                shadow.role = Role::Follower { epoch: *leader_epoch };
                shadow.high_watermark = *high_watermark;
                Some(self.began(at, *leader_epoch, None, false, None))
            }
            Fact::HighWatermarkAdvanced { .. } => self.advance(node, fact),
            Fact::HighWatermarkFollowed { partition, to, .. } => {
                let at = self.place(node, *partition);
                Some(self.partitions[at.partition].follow(at, *to))
            }
            Fact::IsrLearned { partition, leader_epoch, partition_epoch, isr } => {
                let (at, now) = (self.place(node, *partition), self.now);
                let leading = self.partitions[at.partition].shadows[node].leading_mut();
                if let Some(leading) = leading.filter(|leading| leading.epoch == *leader_epoch) {
                    leading.proposed.clear();
                    leading.learn(isr, now);
                }
                let belief = Belief { leader_epoch: *leader_epoch, partition_epoch: *partition_epoch, isr };
                Some(Change::Learned { at, belief })
            }
            Fact::IsrProposed { partition, leader_epoch, isr, .. } => {
                let at = self.place(node, *partition);
                let leading = self.partitions[at.partition].shadows[node].leading_mut();
                leading.filter(|leading| leading.epoch == *leader_epoch)?.proposed.clone_from(isr);
                None
            }
            Fact::BrokerStarted { .. }
            | Fact::BrokerRegistered { .. }
            | Fact::MetadataApplied { .. }
            | Fact::MetadataCommitted { .. }
            | Fact::RegistrationAccepted { .. }
            | Fact::BrokerUnfenced { .. }
            | Fact::BrokerFenced { .. } => self.apply_life(node, fact),
            Fact::TopicCreated { .. }
            | Fact::TopicDeleted { .. }
            | Fact::PartitionCreated { .. }
            | Fact::LeaderElected { .. }
            | Fact::IsrShrunk { .. }
            | Fact::IsrExpanded { .. } => self.apply_decision(fact),
            Fact::CorruptionFound { partition, .. } => Some(Change::Damaged { at: self.place(node, *partition) }),
            Fact::LogFailed { .. }
            | Fact::ControllerActivated { .. }
            | Fact::AlterPartitionRefused { .. }
            | Fact::Reached { .. } => None,
            Fact::Group(fact) => self.apply_group_fact(node, fact).map(Change::Group),
            Fact::MutantActed { .. } => self.note_mutant(node),
        }
    }

    fn note_mutant(&mut self, node: usize) -> Option<Change<'static>> {
        if !self.mutants.contains(&node) {
            self.mutants.push(node);
        }
        None
    }

    /// What a broker, and the controller about a broker, says of its life.
    fn apply_life(&mut self, node: usize, fact: &Fact) -> Option<Change<'static>> {
        if let Fact::BrokerStarted { .. } = fact {
            self.nodes[node].started = true;
        }
        if let Fact::BrokerRegistered { broker_epoch, .. } = fact {
            // Its recovery is over, also if there was nothing left to recover.
            self.nodes[node].disk_struck = false;
            (self.nodes[node].registered, self.nodes[node].broker_epoch) = (true, *broker_epoch);
            return Some(Change::Registered { node });
        }
        if let Fact::MetadataApplied { end } = fact {
            let before = std::mem::replace(&mut self.nodes[node].applied, *end);
            return Some(Change::Applied { node, end: *end, before });
        }
        if let Fact::MetadataCommitted { end } = fact {
            self.metadata_end = self.metadata_end.max(*end);
            let news = self.nodes.iter_mut().filter(|node| node.fenced && node.fenced_at.is_none());
            news.for_each(|node| node.fenced_at = Some(*end));
        }
        if let Fact::RegistrationAccepted { broker, incarnation, broker_epoch } = fact {
            let node = self.node_of(*broker)?;
            let (now, highest) = ((*incarnation, *broker_epoch), self.broker_epoch_ever);
            let before = self.nodes[node].accepted.replace(now);
            self.nodes[node].accepted_at = self.now;
            (self.nodes[node].fenced, self.nodes[node].known_anew) = (true, self.nodes[node].up);
            self.nodes[node].fenced_at = None;
            self.broker_epoch_ever = highest.max(*broker_epoch);
            return Some(Change::Accepted { node, now, before, highest });
        }
        if let Fact::BrokerFenced { broker, .. } = fact {
            let node = self.node_of(*broker)?;
            (self.nodes[node].fenced, self.nodes[node].fenced_at) = (true, None);
        }
        if let Fact::BrokerUnfenced { broker, .. } = fact {
            let node = self.node_of(*broker)?;
            (self.nodes[node].fenced, self.nodes[node].fenced_at) = (false, None);
            return Some(Change::Unfenced { node });
        }
        None
    }

    fn apply_log(&mut self, node: usize, fact: &Fact) -> Option<Change<'static>> {
        let at = self.place(node, fact.partition()?);
        if let Fact::BatchAppended { base_offset, last_offset, leader_epoch, role_epoch, crc, producer, as_leader, .. } = fact {
            let link = Link::new(*base_offset, *last_offset, *leader_epoch, *crc, *producer);
            return Some(self.partitions[at.partition].append(at, link, *role_epoch, *as_leader));
        }
        if let Fact::LogStartMoved { log_start, .. } = fact {
            return Some(self.partitions[at.partition].move_start(at, *log_start));
        }
        if let Fact::CompactionBegan { up_to, .. } = fact {
            return Some(self.partitions[at.partition].begin_compaction(at, *up_to));
        }
        if let Fact::LogTruncated { to, reason, .. } = fact {
            self.tally.truncations += 1;
            return Some(self.truncate(at, *to, *reason));
        }
        let shadow = &mut self.partitions[at.partition].shadows[node];
        if let Fact::LogFlushed { durable_end, .. } = fact {
            shadow.durable = (*durable_end).min(shadow.log.end()).max(shadow.durable);
            return Some(Change::Flushed { at, claimed: *durable_end });
        }
        if let Fact::LogOpened { log_start, log_end, high_watermark, .. } = fact {
            shadow.open(*log_start, *log_end, *high_watermark);
        }
        if let Fact::LogRemoved { .. } = fact {
            let life = &self.nodes[node];
            shadow.remove(life.rotten || life.cache_lies || life.disk_struck);
        }
        None
    }

    fn place(&mut self, node: usize, partition: PartitionId) -> Place {
        Place { node, partition: self.intern(partition) }
    }

    fn truncate(&mut self, at: Place, to: Offset, reason: TruncationReason) -> Change<'static> {
        let shared = self.shared_with_leader(at);
        let p = &mut self.partitions[at.partition];
        let (exempt_below, end) = (p.exempt_below, p.log.end());
        let shadow = &mut p.shadows[at.node];
        let (agreed_before, start_before) = (shadow.agreed, shadow.log.start());
        let begins_anew = reason == TruncationReason::BelowLeaderStart;
        if begins_anew {
            // It begins anew, empty, where everything below is committed and given up.
            shadow.log = Chain::starting_at(to);
            (shadow.agreed, shadow.began_anew) = (to.min(end), to);
        } else {
            shadow.log.cut_to(to);
            shadow.agreed = agreed_before.min(shadow.log.end());
            // What it has given up at its start contradicts nothing, and now there is nothing else.
            if shadow.log.links().is_empty() {
                shadow.agreed = shadow.log.agrees_up_to(&p.log, shadow.agreed);
            }
        }
        shadow.durable = shadow.durable.min(shadow.log.end());
        shadow.durable_once = shadow.durable_once.min(to);
        // Below its start everything is committed to a log that begins anew.
        shadow.high_watermark = if begins_anew { to } else { shadow.high_watermark.min(to) };
        // Epoch by epoch it goes back; until it takes something over from the new leader it may have to go back once more.
        shadow.exempt &= shadow.epoch() < exempt_below || shadow.log.end() > shadow.agreed;
        // What lay below its start it had no copy of.
        let held = shadow.agreed.max(start_before);
        if held < agreed_before.min(end) {
            shadow.given_up.push((held, agreed_before));
        }
        Change::Truncated { at, to, agreed_before, start_before, shared, reason }
    }

    /// What a follower's log has in common with its leader's, provided that the leader acts in the same epoch now.
    fn shared_with_leader(&self, at: Place) -> Option<Shared> {
        let p = &self.partitions[at.partition];
        let own = &p.shadows[at.node];
        let leader = self.node_of(p.election(own.epoch())?.leader).filter(|leader| *leader != at.node)?;
        let theirs = p.shadows.get(leader).filter(|leader| leader.leading().is_some_and(|l| l.epoch == own.epoch()))?;
        let leader_start = theirs.log.start();
        let last = own.log.between(leader_start, own.log.end()).iter().rfind(|batch| theirs.log.holds(batch));
        Some(Shared { up_to: last.map_or(Offset::ZERO, |batch| batch.end), leader_start })
    }

    fn begin_to_lead<'e>(&mut self, at: Place, belief: Belief<'e>, high_watermark: Offset) -> Change<'e> {
        let (now, epoch, isr) = (self.now, belief.leader_epoch, belief.isr);
        let p = &mut self.partitions[at.partition];
        let shadow = &mut p.shadows[at.node];
        let leads_already = shadow.leading().is_some_and(|leading| leading.epoch == epoch);
        let marks = leads_already.then_some((shadow.high_watermark, high_watermark));
        if shadow.high_watermark < high_watermark || shadow.leading().is_none() {
            shadow.high_watermark = high_watermark;
        }
        match shadow.leading_mut().filter(|leading| leading.epoch == epoch) {
            Some(leading) => leading.learn(isr, now),
            None => shadow.role = Role::Leader(Box::new(Leading::new(epoch, isr, now))),
        }
        let newest = epoch > p.acting;
        if newest {
            (p.acted_before, p.acting) = (p.acting, epoch);
            // Whoever leads is the measure of all others; what it lacks is judged here and now.
            (p.shadows[at.node].exempt, p.shadows[at.node].lossy) = (false, false);
            if p.shadows[at.node].agreed < p.log.end() {
                self.lose(at.partition, at.node, epoch, false);
            } else {
                self.pass_over(at.partition, at.node, epoch);
            }
            self.partitions[at.partition].bring_back(at.node, epoch, high_watermark, now);
        }
        self.began(at, epoch, Some(belief), newest, marks)
    }

    fn began<'e>(
        &mut self,
        at: Place,
        epoch: LeaderEpoch,
        believes: Option<Belief<'e>>,
        newest: bool,
        marks: Option<(Offset, Offset)>,
    ) -> Change<'e> {
        let shadow = &mut self.partitions[at.partition].shadows[at.node];
        let before = shadow.epoch_ever;
        shadow.epoch_ever = before.max(epoch);
        Change::Began { at, epoch, leads: believes.is_some(), before, newest, believes, marks }
    }

    fn advance<'e>(&mut self, node: usize, fact: &'e Fact) -> Option<Change<'e>> {
        let Fact::HighWatermarkAdvanced { partition, leader_epoch: epoch, to, maximal_isr, isr, min_isr, .. } = fact else {
            return None;
        };
        let (at, now) = (self.place(node, *partition), self.now);
        let p = &mut self.partitions[at.partition];
        let true_before = p.log.end();
        let shadow = &mut p.shadows[node];
        let leads_already = shadow.leading().is_some_and(|leading| leading.epoch == *epoch);
        let own_before = leads_already.then_some(shadow.high_watermark);
        shadow.high_watermark = *to;
        if let Some(leading) = shadow.leading_mut() {
            leading.learn(isr, now);
        }
        let agreed = shadow.agreed >= true_before.min(*to);
        let (exempt, newest) = (p.is_exempt(*epoch), *epoch >= p.acting);
        if !agreed && !exempt && newest {
            self.lose(at.partition, node, *epoch, true);
        }
        if !exempt && (agreed || newest) {
            self.partitions[at.partition].extend(node, *to, now);
        }
        if !newest {
            self.lose_what_was_robbed(at.partition);
        }
        if exempt {
            let p = &mut self.partitions[at.partition];
            p.apart.extend_from_slice(p.shadows[node].log.between(own_before.unwrap_or(true_before), *to));
        }
        let (to, min_isr) = (*to, *min_isr);
        Some(Change::Advanced { at, epoch: *epoch, to, true_before, own_before, agreed, isr, maximal_isr, min_isr })
    }

    fn apply_decision(&mut self, fact: &Fact) -> Option<Change<'static>> {
        if let Fact::TopicCreated { topic, name, min_isr, unclean_election, flush_each_batch } = fact {
            let (id, name, deleted) = (*topic, name.clone(), false);
            let (min_isr, unclean_election, flush_each_batch) = (*min_isr, *unclean_election, *flush_each_batch);
            if self.topics.iter().all(|known| known.id != id) {
                self.topics.push(Topic { id, name, min_isr, unclean_election, flush_each_batch, deleted });
            }
        }
        if let Fact::TopicDeleted { topic } = fact {
            self.topics.iter_mut().filter(|known| known.id == *topic).for_each(|known| known.deleted = true);
            // Nobody has to keep anything of it any more.
            for p in self.partitions.iter_mut().filter(|p| p.id.topic == *topic) {
                (p.state.leader, p.state.isr) = (None, Vec::new());
            }
        }
        let partition = self.intern(fact.partition()?);
        if let Fact::PartitionCreated { state, .. }
        | Fact::LeaderElected { state, .. }
        | Fact::IsrShrunk { state, .. }
        | Fact::IsrExpanded { state, .. } = fact
            && self.partitions[partition].states.contains(state)
        {
            // A controller that comes up again states what it finds at the end of its log, which its former life may have stated already.
            return None;
        }
        if let Fact::PartitionCreated { partition: id, replicas, state } = fact {
            self.partitions[partition].topic = self.topics.iter().position(|topic| topic.id == id.topic);
            self.partitions[partition].replicas.clone_from(replicas);
            return Some(self.decide(partition, state, Decision::Created, false));
        }
        if let Fact::LeaderElected { state, unclean, .. } = fact {
            self.tally.elections += u64::from(state.leader.is_some());
            self.tally.unclean_elections += u64::from(*unclean);
            return Some(self.decide(partition, state, Decision::Elected, *unclean));
        }
        if let Fact::IsrShrunk { state, .. } | Fact::IsrExpanded { state, .. } = fact {
            self.tally.isr_changes += 1;
            return Some(self.decide(partition, state, Decision::IsrChanged, false));
        }
        None
    }

    fn decide(&mut self, partition: usize, state: &PartitionState, decision: Decision, unclean: bool) -> Change<'static> {
        let event = self.now;
        let p = &mut self.partitions[partition];
        let known = p.election(state.leader_epoch).map(|election| election.leader);
        let rival = known.filter(|known| state.leader.is_some_and(|leader| leader != *known));
        if let (Some(leader), None) = (state.leader, known) {
            let (epoch, alone) = (state.leader_epoch, state.isr == [leader]);
            p.elections.push(Election { epoch, leader, unclean, alone, event });
        }
        p.state_before = std::mem::replace(&mut p.state, state.clone());
        if p.states.last().is_none_or(|last| last.partition_epoch < state.partition_epoch) {
            p.states.push(state.clone());
        }
        Change::Decided { partition, decision, rival }
    }

    fn apply_tap<'e>(&mut self, node: Option<NodeId>, cause: EventId, tap: &'e Tap) -> Option<Change<'e>> {
        let node = usize::from(node?.0);
        if node >= self.nodes.len() {
            return None;
        }
        match tap {
            Tap::ProduceAnswered { partition, acks, error, base_offset, batch, producer, request } => {
                let at = self.place(node, *partition);
                let (producer, acks, error) = (usize::from(producer.0), *acks, *error);
                if error == 0 && acks != 0 {
                    let p = &mut self.partitions[at.partition];
                    let (from, shadow) = (*base_offset, &p.shadows[node]);
                    // It may have waited for answers before it on its connection, and whoever gave it leads no more.
                    let given = shadow.log.epoch_at(from).filter(|_| shadow.leading().is_none());
                    let epoch = given.unwrap_or_else(|| shadow.epoch());
                    let to = from.plus(batch.last_offset.since(batch.base_offset) + 1);
                    p.promises.push(Promise { from, to, acks, epoch, producer });
                }
                let (base_offset, request, partition) = (*base_offset, *request, *partition);
                Some(Change::Answered(Answer { at, acks, error, base_offset, batch, producer, request, partition }))
            }
            Tap::Exposed { partition, error: 0, batches, consumer, .. } => {
                let at = self.place(node, *partition);
                Some(Change::Exposed { at, batches, consumer: usize::from(consumer.0) })
            }
            Tap::FollowerFetch { partition, follower, broker_epoch, fetch_offset, leader_epoch, last_fetched_epoch } => {
                let at = self.place(node, *partition);
                let follower_node = self.node_of(*follower);
                // A fetch that was long on its way may come from a life that is over: its registration tells.
                let speaks = |node: &NodeLife| node.registered && node.broker_epoch == *broker_epoch;
                let life = follower_node.map(|follower| &self.nodes[follower]).filter(|node| speaks(node));
                let life = life.map_or(0, |node| node.life);
                let p = &mut self.partitions[at.partition];
                if let (true, true, Some(follower)) = (life > 0, *leader_epoch == p.acting, follower_node) {
                    p.shadows[follower].lossy &= *fetch_offset < p.log.end();
                }
                if *fetch_offset < p.shadows[node].log.start() {
                    // Out of range: the leader refuses it, and learns nothing from it.
                    return None;
                }
                let parts = p.shadows[node].log.epoch_up_to(*fetch_offset).is_some_and(|epoch| epoch != *last_fetched_epoch);
                let leading = p.shadows[node].leading_mut();
                let (follower, broker_epoch, offset) = (*follower, *broker_epoch, *fetch_offset);
                let heard = Fetched { follower, broker_epoch, life, offset, last: offset, parts };
                leading.filter(|leading| leading.epoch == *leader_epoch)?.hear(heard);
                Some(Change::Heard { at })
            }
            Tap::OffsetListed { partition, timestamp: LATEST, error: 0, offset, asker } => {
                let (at, asker) = (self.place(node, *partition), usize::from(asker.0));
                self.note_listed_end(asker, at.partition, *offset);
                let p = &self.partitions[at.partition];
                // The answer was made in the step of `cause`; what was committed only while it was on its way out is not asked of it.
                let committed = p.true_high_watermark_at(cause);
                let epoch = p.shadows[node].leading().map(|leading| leading.epoch);
                let current = epoch.is_some_and(|epoch| epoch >= p.acting && epoch == p.state.leader_epoch);
                Some(Change::Listed { at, offset: *offset, committed, current, asker })
            }
            Tap::ProducerIdGiven { id, epoch, producer } => {
                Some(Change::ProducerIdGiven { node, id: *id, epoch: *epoch, producer: usize::from(producer.0) })
            }
            Tap::IsrChangeAnswered { .. } => self.isr_answered(tap),
            Tap::StaleHeartbeatAnswered { broker, broker_epoch, error, request } => {
                let is_former_life = self.is_former_life(*broker, *broker_epoch, *request);
                Some(Change::HeartbeatAnswered { broker: *broker, is_former_life, believed: *error == 0 })
            }
            Tap::Waited { request, waited, allowed, answered } => {
                let (holds, last) = self.nodes[node].held;
                let excused = holds > 0 || last >= *request;
                Some(Change::Waited { node, waited: *waited, allowed: *allowed, answered: *answered, excused })
            }
            Tap::Group(tap) => self.apply_group_tap(node, tap).map(Change::Group),
            Tap::Exposed { .. } | Tap::OffsetListed { .. } => None,
        }
    }
}

impl Ghost {
    fn isr_answered<'e>(&mut self, tap: &'e Tap) -> Option<Change<'e>> {
        let Tap::IsrChangeAnswered { partition, broker, broker_epoch, leader_epoch, partition_epoch, isr, error, request } = tap
        else {
            return None;
        };
        let (partition, broker, granted) = (self.intern(*partition), *broker, *error == 0);
        let is_former_life = self.is_former_life(broker, *broker_epoch, *request);
        let (leader_epoch, partition_epoch) = (*leader_epoch, *partition_epoch);
        let answer = IsrAnswer { partition, broker, is_former_life, leader_epoch, partition_epoch, isr, granted };
        Some(Change::IsrAnswered(answer))
    }

    /// Whether a request of the broker reached the controller after the registration was committed that ended the life it was sent in.
    /// One that came before may be answered later: decisions are told when they are committed, several at once.
    fn is_former_life(&self, broker: BrokerId, epoch: BrokerEpoch, request: EventId) -> bool {
        let Some(node) = self.node_of(broker).map(|node| &self.nodes[node]) else { return false };
        node.accepted.is_some_and(|(_, newest)| epoch < newest) && node.accepted_at < request
    }
}

/// What a client asks for to learn where a partition ends.
const LATEST: Timestamp = Timestamp(-1);

impl Partition {
    /// A follower takes over a high watermark from the leader of its epoch.
    fn follow(&mut self, at: Place, to: Offset) -> Change<'static> {
        let exempt_below = self.exempt_below;
        let shadow = &mut self.shadows[at.node];
        shadow.high_watermark = to;
        shadow.exempt &= shadow.epoch() < exempt_below;
        Change::Followed { at }
    }

    fn append(&mut self, at: Place, link: Link, role_epoch: LeaderEpoch, as_leader: bool) -> Change<'static> {
        let mut chain = std::mem::take(&mut self.shadows[at.node].log);
        let physical_end = chain.end();
        let link = if as_leader { link } else { self.restore(at.node, &mut chain, link) };
        let shadow = &mut self.shadows[at.node];
        if chain.end() > physical_end {
            shadow.agreed = chain.agrees_up_to(&self.log, shadow.agreed).max(shadow.agreed);
        }
        let (expected, first) = (chain.end(), chain.links().is_empty());
        let known_end = shadow.agreed;
        shadow.present = true;
        shadow.downfall = None;
        if link.base < expected {
            chain.cut_to(link.base);
        }
        let (link, fits) = self.enter(&mut chain, link);
        if first && link.base < expected {
            // Where it begins was given up in the middle of a batch, which comes whole.
            chain.start_at(expected.min(link.end));
        }
        let agreed = if known_end >= link.base.min(expected) && self.log.holds(&link) { link.end } else { known_end };
        let exempt_below = self.exempt_below;
        let shadow = &mut self.shadows[at.node];
        shadow.agreed = agreed.min(chain.end());
        shadow.log = chain;
        shadow.exempt &= role_epoch < exempt_below;
        Change::Appended { at, link, expected, first, clashes: !fits, role_epoch, as_leader }
    }

    /// A replica's log begins at `to` from now on. Only what is committed can be given up: the rest is still owed.
    fn move_start(&mut self, at: Place, to: Offset) -> Change<'static> {
        self.kept_from = self.kept_from.max(to.min(self.log.end()));
        self.given_up_ever = self.given_up_ever.max(self.kept_from);
        let shadow = &mut self.shadows[at.node];
        let (before, mark) = (shadow.log.start(), shadow.high_watermark);
        shadow.log.start_at(to);
        shadow.high_watermark = mark.max(to);
        shadow.agreed = shadow.log.agrees_up_to(&self.log, shadow.agreed);
        Change::StartMoved { at, to, before, mark }
    }

    /// An unclean election may bring back what an earlier one lost, and what the leader that was passed over went on to commit: its leader takes
    /// for committed what was so there, and is again.
    fn bring_back(&mut self, leader: usize, epoch: LeaderEpoch, high_watermark: Offset, now: EventId) {
        if !self.chosen_uncleanly(epoch) {
            return;
        }
        self.bring_back_given_up(leader, now);
        let back = self.shadows[leader].log.between(self.log.end(), high_watermark);
        let lost = self.losses.iter().flat_map(|loss| &loss.batches).map(|lost| &lost.link);
        let was_committed = |link: &Link| lost.clone().chain(&self.apart).any(|former| former.is(link));
        if !back.is_empty() && back.iter().all(was_committed) {
            self.extend(leader, high_watermark, now);
        }
    }

    /// What was lost may have been given up by this leader when it was committed: it is again, and given up.
    fn bring_back_given_up(&mut self, leader: usize, now: EventId) {
        let (before, start) = (self.log.end(), self.shadows[leader].log.start());
        let mut log = self.log.clone();
        while log.end() < start {
            let lost = self.losses.iter().rev().flat_map(|loss| &loss.batches).map(|lost| &lost.link);
            let follows = |link: &&Link| {
                link.base == log.end() && link.end <= start && log.hash_of_next(link).is_none_or(|hash| hash == link.chain)
            };
            let Some(next) = lost.chain(&self.apart).find(follows).copied() else { return };
            log.push(next);
        }
        if log.end() > before {
            (self.log, self.kept_from) = (log, self.kept_from.max(start));
            self.note_extended(before, now);
        }
    }

    /// The leader's batches up to `to` are committed from now on.
    fn extend(&mut self, leader: usize, to: Offset, now: EventId) {
        let before = self.log.end();
        for link in self.shadows[leader].log.between(before, to) {
            self.log.push(*link);
        }
        if self.log.end() > before {
            self.note_extended(before, now);
        }
    }

    fn note_extended(&mut self, before: Offset, now: EventId) {
        let Partition { log, shadows, .. } = self;
        self.marks.push((now, log.end()));
        for shadow in shadows.iter_mut().filter(|shadow| shadow.agreed == before && shadow.log.end() > before) {
            shadow.agreed = catch_up(&shadow.log, log, before);
        }
    }
}

fn catch_up(own: &Chain, committed: &Chain, from: Offset) -> Offset {
    own.agrees_up_to(committed, from).max(from)
}
