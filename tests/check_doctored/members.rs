//! A consumer group in the small cluster: `m1` and `m2` are members of `billing` and share `orders-0`.
//!
//! `__consumer_offsets` has one partition, on all brokers, whose log is kept in a model of its own: batches of one record. A step that stores
//! something appends to the coordinator's log; what was appended is committed with [`History::secure`].

use std::sync::Arc;

use brokerlab::fact::group::{GroupState, LoadedGroup, RemovalReason};
use brokerlab::fact::{Fact, GroupFact, PartitionState, TruncationReason};
use brokerlab::types::*;
use brokerlab_reports::event::{NodeId, Tap, What, WorldFact};
use brokerlab_reports::group::GroupTap;
use brokerlab_sim::check::{Commits, GroupSetup, Reset};

use super::{History, NODES, TERMS, Terms, id, node};

pub const OFFSETS: PartitionId = PartitionId { topic: Uuid(8), index: 0 };
const BILLING: &str = "billing";

/// The log of the one partition of `__consumer_offsets`.
#[derive(Clone, Default)]
pub struct OffsetsLog {
    /// Each broker's copy: checksum and leader epoch of each batch.
    logs: [Vec<(u32, i32)>; 3],
    leader: usize,
    epoch: i32,
}

impl History {
    /// The cluster with the offsets topic, coordinated by `b1`, and two consumers that run.
    pub fn with_group(commits: Commits, reset: Reset) -> History {
        History::with_group_on(TERMS, commits, reset)
    }

    /// The same, where other terms hold for `orders`.
    pub fn with_group_on(terms: Terms, commits: Commits, reset: Reset) -> History {
        let mut h = History::on(terms);
        h.groups = vec![GroupSetup { id: BILLING.to_string(), commits, reset }];
        let name = "__consumer_offsets".to_string();
        let topic = OFFSETS.topic;
        h.fact("c1", Fact::TopicCreated { topic, name, min_isr: 2, unclean_election: false, flush_each_batch: false });
        let (replicas, state) = (vec![BrokerId(1), BrokerId(2), BrokerId(3)], h.offsets_state());
        h.fact("c1", Fact::PartitionCreated { partition: OFFSETS, replicas, state });
        for broker in ["b1", "b2", "b3"] {
            let (log_start, log_end, high_watermark) = (Offset(0), Offset(0), Offset(0));
            h.fact(broker, Fact::LogOpened { partition: OFFSETS, log_start, log_end, high_watermark, cut_bytes: 0 });
        }
        h.act_for_offsets().load(&[]);
        for member in ["m1", "m2"] {
            h.world(member, WorldFact::NodeStarted { life: 1 });
        }
        h
    }

    /// `m1` is the only member and owns `orders-0` in generation 1, where it begins at the beginning; "a" and "b" are there.
    pub fn group_at_work(commits: Commits) -> History {
        let mut h = History::with_group(commits, Reset::Earliest);
        h.commit("a").commit("b").join("m1").begin(1, &["m1"]).share_out(1, &[("m1", &[0])]).own("m1", 1, &[0]);
        h.take("m1", 1, None);
        h
    }

    fn offsets_state(&self) -> PartitionState {
        let (leader, epoch) = (id(NODES[self.offsets.leader]), self.offsets.epoch);
        let isr = vec![BrokerId(1), BrokerId(2), BrokerId(3)];
        let (leader_epoch, partition_epoch) = (LeaderEpoch(epoch), PartitionEpoch(epoch));
        PartitionState { leader: Some(leader), leader_epoch, partition_epoch, isr }
    }

    fn coordinator(&self) -> &'static str {
        NODES[self.offsets.leader]
    }

    fn act_for_offsets(&mut self) -> &mut History {
        let state = self.offsets_state();
        let (leader_epoch, partition_epoch, isr) = (state.leader_epoch, state.partition_epoch, state.isr);
        let end = Offset(self.offsets.logs[self.offsets.leader].len() as i64);
        let (partition, high_watermark) = (OFFSETS, Offset(0));
        let leader = self.coordinator();
        let fact = Fact::BecameLeader { partition, leader_epoch, partition_epoch, epoch_start: end, high_watermark, isr };
        self.fact(leader, fact);
        for other in ["b1", "b2", "b3"].into_iter().filter(|other| *other != leader) {
            let (leader, log_end) = (Some(id(leader)), Offset(self.offsets.logs[node(other)].len() as i64));
            self.fact(other, Fact::BecameFollower { partition, leader_epoch, leader, log_end, high_watermark });
        }
        self
    }

    /// Another broker leads the offsets partition, and with it coordinates; it has not loaded yet.
    pub fn coordinate_at(&mut self, leader: &str) -> &mut History {
        let (former, leader_epoch) = (self.coordinator(), LeaderEpoch(self.offsets.epoch));
        (self.offsets.leader, self.offsets.epoch) = (node(leader), self.offsets.epoch + 1);
        let state = self.offsets_state();
        self.fact("c1", Fact::LeaderElected { partition: OFFSETS, state, unclean: false });
        self.group_fact(former, GroupFact::CoordinatorUnloaded { shard: OFFSETS, leader_epoch });
        self.act_for_offsets();
        let end = self.offsets.logs[node(leader)].len();
        for follower in (0..3).filter(|broker| *broker != node(leader)) {
            let from = self.offsets.logs[follower].len();
            if from > end {
                // What it had appended alone, as the coordinator that it was.
                self.offsets.logs[follower].truncate(end);
                let (from, to, role_epoch) = (Offset(from as i64), Offset(end as i64), LeaderEpoch(self.offsets.epoch));
                let reason = TruncationReason::Diverged;
                self.fact(NODES[follower], Fact::LogTruncated { partition: OFFSETS, from, to, role_epoch, reason });
            }
        }
        self.secure()
    }

    /// The same; the former coordinator has not heard of it.
    pub fn lead_offsets(&mut self, leader: &str) -> &mut History {
        let former = self.offsets.leader;
        (self.offsets.leader, self.offsets.epoch) = (node(leader), self.offsets.epoch + 1);
        let state = self.offsets_state();
        self.fact("c1", Fact::LeaderElected { partition: OFFSETS, state, unclean: false });
        let (partition, isr) = (OFFSETS, self.offsets_state().isr);
        let (leader_epoch, partition_epoch) = (LeaderEpoch(self.offsets.epoch), PartitionEpoch(self.offsets.epoch));
        let end = Offset(self.offsets.logs[node(leader)].len() as i64);
        let high_watermark = Offset(0);
        let fact = Fact::BecameLeader { partition, leader_epoch, partition_epoch, epoch_start: end, high_watermark, isr };
        self.fact(leader, fact);
        for follower in (0..3).filter(|broker| *broker != node(leader) && *broker != former) {
            let (leader, log_end) = (Some(id(leader)), Offset(self.offsets.logs[follower].len() as i64));
            self.fact(NODES[follower], Fact::BecameFollower { partition, leader_epoch, leader, log_end, high_watermark });
        }
        self
    }

    /// The coordinator has read its log and found this.
    pub fn load(&mut self, groups: &[LoadedGroup]) -> &mut History {
        let log_end = Offset(self.offsets.logs[self.offsets.leader].len() as i64);
        let (leader_epoch, groups) = (LeaderEpoch(self.offsets.epoch), groups.to_vec());
        let coordinator = self.coordinator();
        self.group_fact(coordinator, GroupFact::CoordinatorLoaded { shard: OFFSETS, leader_epoch, log_end, groups })
    }

    /// The coordinator appends a record; nobody has copied it yet. Gives its offset.
    pub fn append_offset(&mut self) -> Offset {
        let (leader, epoch) = (self.offsets.leader, self.offsets.epoch);
        let at = self.offsets.logs[leader].len();
        self.offsets.logs[leader].push((at as u32 + 900, epoch));
        self.state_offset(leader, at);
        Offset(at as i64)
    }

    fn state_offset(&mut self, broker: usize, at: usize) {
        let (crc, epoch) = self.offsets.logs[broker][at];
        let (offset, leads) = (Offset(at as i64), broker == self.offsets.leader);
        let fact = Fact::BatchAppended {
            partition: OFFSETS,
            base_offset: offset,
            last_offset: offset,
            leader_epoch: LeaderEpoch(epoch),
            role_epoch: LeaderEpoch(self.offsets.epoch),
            crc,
            producer: None,
            as_leader: leads,
        };
        self.fact(NODES[broker], fact);
    }

    /// Everybody copies the coordinator's log, and its high watermark rises to the end.
    pub fn secure(&mut self) -> &mut History {
        let (leader, epoch) = (self.offsets.leader, LeaderEpoch(self.offsets.epoch));
        let coordinator = self.coordinator();
        let log = self.offsets.logs[leader].clone();
        for follower in (0..3).filter(|broker| *broker != leader) {
            for (at, batch) in log.iter().enumerate().skip(self.offsets.logs[follower].len()) {
                self.offsets.logs[follower].push(*batch);
                self.state_offset(follower, at);
            }
            let broker_epoch = self.brokers[follower].broker_epoch;
            let tap = Tap::FollowerFetch {
                partition: OFFSETS,
                follower: id(NODES[follower]),
                broker_epoch,
                fetch_offset: Offset(log.len() as i64),
                leader_epoch: epoch,
                last_fetched_epoch: LeaderEpoch(log.last().map_or(-1, |last| last.1)),
            };
            self.event(Some(coordinator), What::Tap(tap));
        }
        let (isr, to) = (self.offsets_state().isr, Offset(log.len() as i64));
        let (partition, from, maximal_isr) = (OFFSETS, Offset(0), isr.clone());
        self.fact(
            coordinator,
            Fact::HighWatermarkAdvanced { partition, leader_epoch: epoch, from, to, maximal_isr, isr, min_isr: 2 },
        )
    }

    // ---- the coordinator ----------------------------------------------------------------------------------------

    /// A consumer becomes a member, named like its node.
    pub fn join(&mut self, member: &str) -> &mut History {
        self.join_as(member, member, None)
    }

    /// The same, as another member or an instance.
    pub fn join_as(&mut self, node_name: &str, member: &str, instance: Option<&str>) -> &mut History {
        let (group, member, instance) = (Arc::from(BILLING), Arc::<str>::from(member), instance.map(Arc::<str>::from));
        let coordinator = self.coordinator();
        self.group_fact(coordinator, GroupFact::MemberJoined { group, member: member.clone(), instance: instance.clone() });
        let (group, asker) = (Arc::from(BILLING), NodeId(node(node_name) as u16));
        let (session, rebalance) = (Duration::secs(10), Duration::secs(60));
        self.group_tap(GroupTap::JoinAnswered { group, member, instance, generation: 0, session, rebalance, error: 0, asker })
    }

    pub fn remove(&mut self, member: &str, reason: RemovalReason) -> &mut History {
        let (group, member, coordinator) = (Arc::from(BILLING), Arc::from(member), self.coordinator());
        self.group_fact(coordinator, GroupFact::MemberRemoved { group, member, reason })
    }

    pub fn enter(&mut self, state: GroupState, generation: i32) -> &mut History {
        let (group, coordinator) = (Arc::from(BILLING), self.coordinator());
        self.group_fact(coordinator, GroupFact::GroupStateChanged { group, state, generation })
    }

    /// Everybody has joined.
    pub fn begin(&mut self, generation: i32, members: &[&str]) -> &mut History {
        let (group, coordinator) = (Arc::from(BILLING), self.coordinator());
        let members = members.iter().map(|member| Arc::from(*member)).collect();
        self.enter(GroupState::CompletingRebalance, generation);
        self.group_fact(coordinator, GroupFact::GenerationBegun { group, generation, members })
    }

    /// The assignment is stored and handed out.
    pub fn share_out(&mut self, generation: i32, shares: &[(&str, &[i32])]) -> &mut History {
        self.decide_shares(generation, shares).secure();
        for (member, share) in shares {
            self.answer_sync(member, generation, share);
        }
        self
    }

    /// The assignment is stored; that is not committed yet.
    pub fn decide_shares(&mut self, generation: i32, shares: &[(&str, &[i32])]) -> &mut History {
        self.append_offset();
        let assignment = shares.iter().map(|(member, share)| (Arc::from(*member), partitions(share))).collect();
        let (group, coordinator, subscribed) = (Arc::from(BILLING), self.coordinator(), partitions(&[0]));
        self.group_fact(coordinator, GroupFact::AssignmentDecided { group, generation, assignment, subscribed });
        self.enter(GroupState::Stable, generation)
    }

    pub fn answer_sync(&mut self, member: &str, generation: i32, share: &[i32]) -> &mut History {
        let (group, asker) = (Arc::from(BILLING), NodeId(node(member) as u16));
        let (member, assigned) = (Arc::from(member), partitions(share));
        self.group_tap(GroupTap::SyncAnswered { group, member, generation, assigned, error: 0, asker })
    }

    pub fn heartbeat(&mut self, member: &str, generation: i32) -> &mut History {
        let (group, asker) = (Arc::from(BILLING), NodeId(node(member) as u16));
        let member = Arc::from(member);
        self.group_tap(GroupTap::HeartbeatAnswered { group, member, generation, error: 0, asker })
    }

    /// A member commits; that is stored, committed and acknowledged.
    pub fn commit_offset(&mut self, member: &str, generation: i32, offset: i64) -> &mut History {
        self.store_offset(member, generation, offset).secure().answer_commit(member, generation, offset)
    }

    pub fn store_offset(&mut self, member: &str, generation: i32, offset: i64) -> &mut History {
        let at = self.append_offset();
        let (group, member, coordinator) = (Arc::from(BILLING), Arc::from(member), self.coordinator());
        let (partition, offset) = (super::orders(), Offset(offset));
        self.group_fact(coordinator, GroupFact::CommitStored { group, member, generation, partition, offset, at })
    }

    pub fn answer_commit(&mut self, member: &str, generation: i32, offset: i64) -> &mut History {
        let (group, asker, request) = (Arc::from(BILLING), NodeId(node(member) as u16), self.last_event());
        let (member, partition, offset) = (Arc::from(member), super::orders(), Offset(offset));
        self.group_tap(GroupTap::CommitAnswered { group, member, generation, partition, offset, error: 0, asker, request })
    }

    /// A member commits as somebody of the past.
    pub fn refuse_commit(&mut self, member: &str, generation: i32, offset: i64) -> &mut History {
        let (group, asker, request) = (Arc::from(BILLING), NodeId(node(member) as u16), self.last_event());
        let (member, partition, offset) = (Arc::from(member), super::orders(), Offset(offset));
        let error = brokerlab::wire::ErrorCode::UNKNOWN_MEMBER_ID.code();
        self.group_tap(GroupTap::CommitAnswered { group, member, generation, partition, offset, error, asker, request })
    }

    /// A member asks for the committed offset and is told this.
    pub fn tell_offset(&mut self, member: &str, offset: Option<i64>) -> &mut History {
        let coordinator = self.coordinator();
        self.tell_offset_from(coordinator, member, offset)
    }

    /// The same, by that broker.
    pub fn tell_offset_from(&mut self, broker: &str, member: &str, offset: Option<i64>) -> &mut History {
        let (group, asker, request) = (Arc::from(BILLING), NodeId(node(member) as u16), self.last_event());
        let request = brokerlab_reports::event::EventId(request.0 + 1);
        let (partition, offset) = (super::orders(), offset.map(Offset));
        let tap = GroupTap::OffsetTold { group, partition, offset, error: 0, asker, request };
        self.event(Some(broker), What::Tap(Tap::Group(tap)))
    }

    // ---- members ------------------------------------------------------------------------------------------------

    /// Its process dies.
    pub fn gone(&mut self, member: &str) -> &mut History {
        self.world(member, WorldFact::ProcessCrashed)
    }

    pub fn own(&mut self, member: &str, generation: i32, share: &[i32]) -> &mut History {
        let (group, partitions) = (Arc::from(BILLING), partitions(share));
        self.group_fact(member, GroupFact::PartitionsAssigned { group, member: Arc::from(member), generation, partitions })
    }

    pub fn revoke(&mut self, member: &str, generation: i32, share: &[i32]) -> &mut History {
        let (group, partitions) = (Arc::from(BILLING), partitions(share));
        self.group_fact(member, GroupFact::PartitionsRevoked { group, member: Arc::from(member), generation, partitions })
    }

    /// A member begins to read `orders-0` there.
    /// The coordinator of the newer protocol lets a member be in this epoch, with the one partition.
    pub fn reconcile(&mut self, member: &str, epoch: i32) -> &mut History {
        let (group, member, assigned) = (Arc::from(BILLING), Arc::from(member), partitions(&[0]));
        let coordinator = self.coordinator();
        self.group_fact(coordinator, GroupFact::MemberReconciled { group, member, epoch, assigned, revoking: Vec::new() })
    }

    pub fn take(&mut self, member: &str, generation: i32, committed: Option<i64>) -> &mut History {
        let (group, partition, committed) = (Arc::from(BILLING), super::orders(), committed.map(Offset));
        self.group_fact(member, GroupFact::PositionTaken { group, member: Arc::from(member), generation, partition, committed })
    }

    /// The application has processed the records `from..to`.
    pub fn process(&mut self, member: &str, from: i64, to: i64) -> &mut History {
        let (from, to) = (Offset(from), Offset(to));
        self.world(member, WorldFact::Processed { partition: super::orders(), from, to })
    }

    pub fn group_fact(&mut self, name: &str, fact: GroupFact) -> &mut History {
        self.fact(name, Fact::Group(fact))
    }

    fn group_tap(&mut self, tap: GroupTap) -> &mut History {
        let coordinator = self.coordinator();
        self.event(Some(coordinator), What::Tap(Tap::Group(tap)))
    }
}

/// What a coordinator finds of `billing`.
pub fn found(generation: i32, members: &[&str], offset: Option<i64>) -> LoadedGroup {
    let offsets = offset.map(|offset| (super::orders(), Offset(offset))).into_iter().collect();
    let members = members.iter().map(|member| Arc::from(*member)).collect();
    LoadedGroup { group: Arc::from(BILLING), generation, members, offsets }
}

/// Partitions of `orders`.
pub fn partitions(share: &[i32]) -> Vec<TopicPartition> {
    share.iter().map(|index| TopicPartition { topic: Arc::from("orders"), index: *index }).collect()
}
