//! From events to corners: each fact, tap and event of the world is taken into the model, and looked at on the way.

use brokerlab::fact::{Corner as Stated, Fact, PartitionState, TruncationReason};
use brokerlab::types::{BrokerId, Duration, LeaderEpoch, Offset, PartitionId, Time};
use brokerlab_reports::event::{Event, Tap, What, WorldFact};

use super::Tally;
use super::corner::Corner;
use super::model::{Model, Partition, Replica, Role};
use super::state::signature;

const NOT_LEADER: i16 = 6;
const TIMED_OUT: i16 = 7;
const NOT_ENOUGH_REPLICAS: i16 = 19;
const OUT_OF_ORDER_SEQUENCE: i16 = 45;
const FENCED_LEADER_EPOCH: i16 = 74;
const STALE_BROKER_EPOCH: i16 = 77;
const OFFSET_NOT_AVAILABLE: i16 = 78;
const INVALID_UPDATE_VERSION: i16 = 95;
const INELIGIBLE_REPLICA: i16 = 107;

/// Three elections within so long are in quick succession.
const QUICK: Duration = Duration::secs(5);

/// Takes in an event.
pub(super) fn look(model: &mut Model, tally: &mut Tally, event: &Event) {
    let node = event.node.map(|node| usize::from(node.0));
    match (&event.what, node) {
        (What::Fact(fact), Some(node)) => {
            on_fact(model, tally, event.at, node, fact);
            // What is durable is no part of a state, and every write is flushed.
            if let Some(id) = fact.partition().filter(|_| !matches!(fact, Fact::LogFlushed { .. })) {
                note_state(model, tally, id);
            }
        }
        (What::World(fact), Some(node)) => on_world(model, tally, node, fact),
        (What::Tap(tap), Some(node)) => on_tap(model, tally, event, node, tap),
        (What::Fact(_) | What::World(_) | What::Tap(_), None)
        | (What::Delivered(_) | What::Audit(_) | What::Invoked(_) | What::Completed(_), _) => {}
    }
}

fn note_state(model: &mut Model, tally: &mut Tally, id: PartitionId) {
    let at = model.intern(id);
    let state = signature(model, &model.partitions[at]);
    let partition = &mut model.partitions[at];
    // Before the controller has spoken there is nothing to compare with; the metadata log is nobody's partition.
    if partition.state.leader_epoch > LeaderEpoch::NONE && partition.signature != state {
        partition.signature = state;
        tally.states.insert(state);
    }
}

fn on_fact(model: &mut Model, tally: &mut Tally, now: Time, node: usize, fact: &Fact) {
    match fact {
        Fact::BrokerStarted { clean, .. } => {
            model.nodes[node].loaded = true;
            tally.reach_if(*clean, Corner::CleanStart);
        }
        Fact::BrokerFenced { broker, .. } => {
            let alive = model.node_of(*broker).is_some_and(|node| model.nodes[node].up);
            tally.reach_if(alive, Corner::FencedAlive);
        }
        Fact::ControllerActivated { .. } => {
            model.activations += 1;
            tally.reach_if(model.activations > 1, Corner::ControllerReturns);
        }
        Fact::TopicCreated { topic, min_isr, .. } => model.note_topic(*topic, *min_isr),
        Fact::TopicDeleted { .. } => tally.reach(Corner::TopicDeleted),
        Fact::LogFailed { .. } => tally.reach(Corner::DiskFailed),
        Fact::CorruptionFound { below_recovery_point, .. } => {
            tally.reach(if *below_recovery_point { Corner::CutBelowRecoveryPoint } else { Corner::RotRead });
        }
        Fact::LogStartMoved { .. } => tally.reach(Corner::RecordsGivenUp),
        Fact::AlterPartitionRefused { code, .. } => on_refused(tally, *code),
        Fact::Reached { corner } => tally.reach(stated(*corner)),
        Fact::PartitionCreated { partition, state, .. } => {
            let at = model.intern(*partition);
            model.partitions[at].state = state.clone();
        }
        Fact::LeaderElected { partition, state, unclean } => on_elected(model, tally, now, *partition, state, *unclean),
        Fact::IsrShrunk { partition, state } | Fact::IsrExpanded { partition, state } => {
            on_isr_changed(model, tally, *partition, state);
        }
        Fact::LogOpened { partition, .. }
        | Fact::BatchAppended { partition, .. }
        | Fact::LogTruncated { partition, .. }
        | Fact::BecameLeader { partition, .. }
        | Fact::BecameFollower { partition, .. }
        | Fact::HighWatermarkAdvanced { partition, .. }
        | Fact::HighWatermarkFollowed { partition, .. }
        | Fact::IsrProposed { partition, .. }
        | Fact::IsrLearned { partition, .. }
        | Fact::LogRemoved { partition } => on_replica(model, tally, *partition, node, fact),
        Fact::BrokerRegistered { .. }
        | Fact::CompactionBegan { .. }
        | Fact::Compacted { .. }
        | Fact::MetadataApplied { .. }
        | Fact::LogFlushed { .. }
        | Fact::RegistrationAccepted { .. }
        | Fact::BrokerUnfenced { .. }
        | Fact::MetadataCommitted { .. }
        | Fact::Group(_)
        | Fact::MutantActed { .. } => {}
    }
}

fn stated(corner: Stated) -> Corner {
    match corner {
        Stated::ExpansionBelowEpochStart => Corner::ExpansionBelowEpochStart,
        Stated::DuplicateFromWindow => Corner::DuplicateFromWindow,
        Stated::AnswerOvertaken => Corner::AnswerOvertaken,
        Stated::FollowerFenced => Corner::FollowerFenced,
        Stated::LeaderBehindFollower => Corner::LeaderBehindFollower,
        Stated::FollowerOutOfRange => Corner::FollowerOutOfRange,
        Stated::AppendBeforeCutIsDurable => Corner::AppendBeforeCutIsDurable,
        Stated::ProposalAnswerTooLate => Corner::ProposalAnswerTooLate,
    }
}

fn on_refused(tally: &mut Tally, code: i16) {
    match code {
        INELIGIBLE_REPLICA => tally.reach(Corner::RefusedIneligible),
        INVALID_UPDATE_VERSION => tally.reach(Corner::RefusedStaleEpoch),
        FENCED_LEADER_EPOCH => tally.reach(Corner::RefusedFencedLeader),
        STALE_BROKER_EPOCH => tally.reach(Corner::RefusedFormerLife),
        _ => {}
    }
}

// ---- the controller ---------------------------------------------------------------------------------------------

fn on_elected(model: &mut Model, tally: &mut Tally, now: Time, id: PartitionId, state: &PartitionState, unclean: bool) {
    let at = model.intern(id);
    let leader = state.leader.and_then(|leader| model.node_of(leader));
    let Model { nodes, partitions, .. } = model;
    let p = &mut partitions[at];
    let others = || p.replicas.iter().zip(&*nodes).enumerate().filter(|(node, (_, life))| Some(*node) != leader && life.up);
    let serves = others().any(|(_, (replica, _))| replica.role == Role::Leader);
    let end = leader.map(|leader| p.replicas[leader].end);
    let longer = others().any(|(_, (replica, _))| end.is_some_and(|end| replica.end > end));
    tally.reach_if(leader.is_some() && serves, Corner::LeaderElectedWhileOldServes);
    tally.reach_if(longer, Corner::TailLeftBehind);
    tally.reach_if(state.leader.is_none(), Corner::NobodyLeads);
    tally.reach_if(unclean, Corner::UncleanElection);
    p.elections.rotate_left(1);
    p.elections[2] = Some(now);
    let quick = p.elections[0].is_some_and(|first| now.since(first) <= QUICK);
    tally.reach_if(quick, Corner::ThreeEpochsInFiveSeconds);
    take_state(p, tally, state);
}

fn on_isr_changed(model: &mut Model, tally: &mut Tally, id: PartitionId, state: &PartitionState) {
    let at = model.intern(id);
    let joined: Vec<BrokerId> =
        state.isr.iter().copied().filter(|member| !model.partitions[at].state.isr.contains(member)).collect();
    for member in joined {
        if let Some(node) = model.node_of(member) {
            let replica = &mut model.partitions[at].replicas[node];
            tally.reach_if(std::mem::take(&mut replica.robbed), Corner::RejoinedAfterPowerLoss);
        }
    }
    take_state(&mut model.partitions[at], tally, state);
}

fn take_state(p: &mut Partition, tally: &mut Tally, state: &PartitionState) {
    let contradicts = |replica: &Replica| replica.pending.as_ref().is_some_and(|(_, wanted)| *wanted != state.isr);
    tally.reach_if(p.replicas.iter().any(contradicts), Corner::IsrChangedUnderProposal);
    tally.reach_if(state.isr.len() < p.min_isr as usize, Corner::IsrBelowMinimum);
    tally.reach_if(state.isr.len() == 1, Corner::IsrOfOne);
    p.state = state.clone();
}

// ---- replicas -----------------------------------------------------------------------------------------------------

fn on_replica(model: &mut Model, tally: &mut Tally, id: PartitionId, node: usize, fact: &Fact) {
    let at = model.intern(id);
    let p = &mut model.partitions[at];
    if let Fact::BecameLeader { leader_epoch, epoch_start, high_watermark, isr, .. } = fact {
        return on_became_leader(p, tally, node, (*leader_epoch, *epoch_start, *high_watermark), isr);
    }
    if let Fact::BatchAppended { as_leader: true, role_epoch, .. } = fact {
        tally.reach_if(*role_epoch < p.state.leader_epoch, Corner::ZombieAppends);
        p.acting.2 |= p.acting.0 == *role_epoch;
    }
    if let Fact::HighWatermarkAdvanced { to, .. } = fact {
        p.committed = p.committed.max(*to);
    }
    on_own_fact(&mut p.replicas[node], tally, fact);
}

fn on_became_leader(
    p: &mut Partition,
    tally: &mut Tally,
    node: usize,
    (epoch, start, high_watermark): (LeaderEpoch, Offset, Offset),
    isr: &[BrokerId],
) {
    let replica = &p.replicas[node];
    let again = replica.role == Role::Leader && replica.epoch < epoch;
    let (acted, by, wrote) = p.acting;
    tally.reach_if(again, Corner::SameLeaderAgain);
    tally.reach_if(again && acted > replica.epoch && by != node, Corner::LeaderReturnsUnaware);
    tally.reach_if(high_watermark < start, Corner::StartsBelowEpochStart);
    tally.reach_if(high_watermark < p.committed, Corner::StartsBelowCommitted);
    tally.reach_if(epoch > acted && acted > LeaderEpoch::NONE && !wrote, Corner::EpochWithoutRecords);
    if epoch > acted {
        p.acting = (epoch, node, false);
    }
    let replica = &mut p.replicas[node];
    tally.reach_if(replica.pending.take().is_some() && replica.epoch < epoch, Corner::ProposalOutlivesEpoch);
    (replica.role, replica.epoch, replica.end, replica.high_watermark) = (Role::Leader, epoch, start, high_watermark);
    replica.isr = isr.to_vec();
}

/// Facts that concern nobody but the replica itself.
#[allow(clippy::wildcard_enum_match_arm, reason = "the caller gives it no others")]
fn on_own_fact(replica: &mut Replica, tally: &mut Tally, fact: &Fact) {
    match fact {
        Fact::LogOpened { log_end, high_watermark, cut_bytes, .. } => {
            tally.reach_if(*cut_bytes > 0, Corner::TornTailCut);
            tally.reach_if(*log_end < replica.end, Corner::TailLostByPower);
            replica.cut(*log_end);
            (replica.end, replica.high_watermark, replica.role) = (*log_end, *high_watermark, Role::Idle);
            replica.pending = None;
        }
        Fact::BatchAppended { base_offset, last_offset, leader_epoch, producer, as_leader, .. } => {
            let shrinks = replica.pending.as_ref().is_some_and(|(_, wanted)| wanted.len() < replica.isr.len());
            tally.reach_if(*as_leader && shrinks, Corner::ShrinkPendingWhileAppending);
            replica.note_epoch(*leader_epoch, *base_offset);
            replica.end = last_offset.next();
            if let Some((id, epoch, sequence)) = producer.filter(|_| *as_leader) {
                tally.reach_if(epoch.0 > 0, Corner::ProducerEpochRaised);
                match replica.wrote.iter_mut().find(|(known, ..)| *known == id) {
                    Some(last) => *last = (id, epoch, sequence),
                    None => replica.wrote.push((id, epoch, sequence)),
                }
            }
        }
        Fact::LogTruncated { to, role_epoch, reason, .. } => {
            tally.reach(Corner::Truncation);
            tally.reach_if(*reason == TruncationReason::BelowLeaderStart, Corner::BeginsAnew);
            tally.reach_if(*to == Offset::ZERO, Corner::EverythingCut);
            tally.reach_if(*to < replica.high_watermark, Corner::TruncationBelowOwnWatermark);
            tally.reach_if(replica.cut_in == Some(*role_epoch), Corner::TruncationInRounds);
            tally.reach_if(replica.cut(*to) > 1, Corner::TruncationAcrossEpochs);
            replica.cut_in = Some(*role_epoch);
            replica.high_watermark = replica.high_watermark.min(*to);
        }
        Fact::BecameFollower { leader_epoch, log_end, high_watermark, .. } => {
            tally.reach_if(replica.pending.take().is_some(), Corner::ProposalOutlivesEpoch);
            (replica.role, replica.epoch) = (Role::Follower, *leader_epoch);
            (replica.end, replica.high_watermark) = (*log_end, *high_watermark);
        }
        Fact::HighWatermarkAdvanced { to, maximal_isr, isr, .. } => {
            tally.reach_if(maximal_isr.len() > isr.len(), Corner::ExpansionPendingWhileAdvancing);
            replica.high_watermark = *to;
        }
        Fact::HighWatermarkFollowed { to, .. } => replica.high_watermark = *to,
        Fact::IsrProposed { partition_epoch, isr, .. } => replica.pending = Some((*partition_epoch, isr.clone())),
        Fact::IsrLearned { isr, .. } => {
            replica.isr.clone_from(isr);
            replica.pending = None;
        }
        Fact::LogRemoved { .. } => *replica = Replica::default(),
        _ => {}
    }
}

// ---- frames and the world -------------------------------------------------------------------------------------------

fn on_tap(model: &mut Model, tally: &mut Tally, event: &Event, node: usize, tap: &Tap) {
    match tap {
        Tap::ProduceAnswered { partition, acks, error, batch, request, .. } => {
            let at = model.intern(*partition);
            let p = &model.partitions[at];
            let replica = &p.replicas[node];
            let deposed = replica.role == Role::Leader && replica.epoch < p.state.leader_epoch;
            match *error {
                0 => tally.reach_if(deposed && *acks != 0, Corner::ZombieConfirms),
                // Answered later than it was delivered: it was parked.
                NOT_LEADER => tally.reach_if(*request != event.cause, Corner::PromiseBrokenByElection),
                TIMED_OUT => tally.reach(Corner::WriteTimedOut),
                NOT_ENOUGH_REPLICAS => tally.reach(Corner::RefusedTooFewInSync),
                OUT_OF_ORDER_SEQUENCE => tally.reach(Corner::SequenceGapRefused),
                _ => {}
            }
            let (id, epoch, sequence) = batch.producer;
            let by_me = replica.wrote.iter().any(|wrote| wrote.0 == id && wrote.1 == epoch && wrote.2 >= sequence);
            tally.reach_if(*error == 0 && id.0 >= 0 && replica.role == Role::Leader && !by_me, Corner::DuplicateAfterFailover);
        }
        Tap::Exposed { partition, batches, .. } => {
            let at = model.intern(*partition);
            let p = &model.partitions[at];
            let replica = &p.replicas[node];
            let deposed = replica.role == Role::Leader && replica.epoch < p.state.leader_epoch;
            tally.reach_if(deposed && !batches.is_empty(), Corner::ZombieServes);
        }
        Tap::OffsetListed { error, .. } => tally.reach_if(*error == OFFSET_NOT_AVAILABLE, Corner::LatestWithheld),
        Tap::FollowerFetch { .. }
        | Tap::ProducerIdGiven { .. }
        | Tap::IsrChangeAnswered { .. }
        | Tap::Waited { .. }
        | Tap::StaleHeartbeatAnswered { .. }
        | Tap::Group(_) => {}
    }
}

#[allow(clippy::wildcard_enum_match_arm, reason = "faults as such are no corners: what they lead to is")]
fn on_world(model: &mut Model, tally: &mut Tally, node: usize, fact: &WorldFact) {
    match fact {
        WorldFact::NodeStarted { .. } => {
            let life = &mut model.nodes[node];
            (life.up, life.frozen, life.loaded, life.lost_power) = (true, false, false, false);
        }
        WorldFact::ProcessCrashed => on_death(model, tally, node),
        WorldFact::PowerLost { .. } => {
            let broker = model.nodes[node].broker;
            for p in &mut model.partitions {
                p.replicas[node].robbed = true;
                let alone = p.state.leader == broker && p.state.isr.len() == 1;
                tally.reach_if(alone && broker.is_some(), Corner::LoneLeaderLosesPower);
            }
            on_death(model, tally, node);
            model.nodes[node].lost_power = true;
        }
        WorldFact::NodeStopped => model.nodes[node].up = false,
        WorldFact::Paused => model.nodes[node].frozen = true,
        WorldFact::Resumed => model.nodes[node].frozen = false,
        _ => {}
    }
}

fn on_death(model: &mut Model, tally: &mut Tally, node: usize) {
    let life = &mut model.nodes[node];
    let starting = life.broker.is_some() && life.up && !life.loaded;
    tally.reach_if(starting, Corner::DiesWhileStarting);
    life.up = false;
    for p in &mut model.partitions {
        let replica = &mut p.replicas[node];
        let tail = replica.role == Role::Leader && replica.end > replica.high_watermark;
        tally.reach_if(tail && p.state.leader_epoch > LeaderEpoch::NONE, Corner::LeaderDiesWithTail);
        replica.role = Role::Idle;
    }
}
