//! Changes of the in-sync replicas: proposed by the leader, decided by the controller.
//!
//! ```text
//!                 shrink, expand                        accepted, or the metadata tells
//!   Committed ─────────────────────▶ Pending ───────────────────────────────────────────▶ Committed'
//!       ▲                             │  │ ▲
//!       └── a member is ineligible ───┘  └─┘ the controller cannot be reached: asked again
//! ```
//!
//! While a change is pending the leader does not know which of the two sets is in force. It counts with the larger: with both on expansion,
//! with the old one on a shrink. One change per partition is in flight at a time, and it builds upon a partition epoch: compare-and-set.
//!
//! A follower may join when it has everything below the high watermark *and* below the epoch start: a new leader's high watermark is stale, and
//! what lies between the two may be committed already (KAFKA-7128). It must be alive by the metadata, under the very broker epoch with
//! which it fetched: a broker that came back with an empty disk is another one.

use crate::actor::{Now, Outbox};
use crate::fact::{Corner, Fact};
use crate::mutant::Mutant;
use crate::types::{BrokerEpoch, BrokerId, LeaderEpoch, PartitionEpoch};
use crate::wire::ErrorCode;

use super::registration::sorted;
use super::role::{Leader, Progress, Role};
use super::{Members, Registration, Replica};

/// The in-sync replicas as a leader knows them.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Isr {
    /// As committed by the controller.
    Committed(Vec<BrokerId>),
    /// A change is on its way.
    Pending {
        /// The last one known to be committed.
        committed: Vec<BrokerId>,
        /// What was asked for.
        proposal: Proposal,
        /// How far the proposal has come.
        stage: Stage,
    },
}

/// How far a proposal has come.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Stage {
    /// To be sent.
    Unsent,
    /// Sent, not answered.
    InFlight,
    /// Refused because something has changed; the metadata will say what.
    AwaitsMetadata,
}

/// What a leader asks of the controller.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Proposal {
    /// The leader's epoch.
    pub leader_epoch: LeaderEpoch,
    /// The state that the change builds upon.
    pub partition_epoch: PartitionEpoch,
    /// The new ISR, sorted, each member with the broker epoch under which it fetched (-1: it has not yet).
    pub isr: Vec<(BrokerId, BrokerEpoch)>,
    /// Whether the leader is still recovering from an unclean election after this change: never.
    pub recovering: bool,
}

impl Isr {
    /// A committed one.
    #[must_use]
    pub fn committed(isr: &[BrokerId]) -> Isr {
        Isr::Committed(sorted(isr))
    }

    /// The last one known to be committed.
    #[must_use]
    pub fn known(&self) -> &[BrokerId] {
        match self {
            Isr::Committed(isr) | Isr::Pending { committed: isr, .. } => isr,
        }
    }

    /// Everybody who may be in it, sorted.
    #[must_use]
    pub fn maximal(&self) -> Vec<BrokerId> {
        let mut all = self.known().to_vec();
        if let Isr::Pending { proposal, .. } = self {
            all.extend(proposal.isr.iter().map(|(member, _)| *member).filter(|member| !self.known().contains(member)));
            all.sort_unstable();
        }
        all
    }

    /// Whether this broker may be in it.
    #[must_use]
    pub fn may_contain(&self, broker: BrokerId) -> bool {
        let proposed = match self {
            Isr::Committed(_) => false,
            Isr::Pending { proposal, .. } => proposal.isr.iter().any(|(member, _)| *member == broker),
        };
        proposed || self.known().contains(&broker)
    }
}

impl Replica {
    /// Looks for members that have fallen behind. To be called every half of `replica_lag_max`.
    pub fn on_tick(&mut self, now: Now, members: &Members, out: &mut Outbox) {
        let lag_max = self.settings.replica_lag_max;
        let end = self.log.log_end();
        let Some(leader) = self.settled_leader() else { return };
        let lags = |progress: &Progress| {
            progress.log_end != Some(end) && progress.caught_up_at.is_none_or(|at| now.mono.since(at) > lag_max)
        };
        let keeps = |member: &BrokerId| leader.followers.get(member).is_none_or(|progress| !lags(progress));
        let isr = leader.isr.known();
        let shrunk: Vec<BrokerId> = isr.iter().copied().filter(keeps).collect();
        if shrunk.len() < isr.len() {
            self.propose(&shrunk, members, out);
        }
    }

    /// A follower has fetched: may it join?
    pub(super) fn maybe_expand(&mut self, follower: BrokerId, members: &Members, out: &mut Outbox) {
        let high_watermark = self.high_watermark;
        let Some(leader) = self.settled_leader() else { return };
        let (Some(progress), Some(member)) = (leader.followers.get(&follower), members.get(&follower)) else { return };
        let mut eligible = member.active && member.broker_epoch == progress.broker_epoch;
        let mut caught_up = progress.log_end.is_some_and(|end| end >= high_watermark && end >= leader.epoch_start);
        let mut spoiled = false;
        if self.mutant(Mutant::IsrExpandAtHwOnly) && !caught_up {
            caught_up = progress.log_end.is_some_and(|end| end >= high_watermark);
            spoiled = caught_up;
        }
        if self.mutant(Mutant::FencedInIsr) && !eligible {
            eligible = member.broker_epoch == progress.broker_epoch;
            spoiled = eligible;
        }
        if !eligible || !caught_up || leader.recovering || leader.isr.known().contains(&follower) {
            let beyond = progress.log_end.is_some_and(|end| end >= high_watermark);
            if eligible && beyond && !caught_up && !leader.isr.known().contains(&follower) {
                out.fact(Fact::Reached { corner: Corner::ExpansionBelowEpochStart });
            }
            return;
        }
        if self.mutant(Mutant::LaggingReplicaNeverRejoins) {
            return out.fact(Mutant::LaggingReplicaNeverRejoins.acted());
        }
        let mut expanded = leader.isr.known().to_vec();
        expanded.push(follower);
        if let Some(mutant) = self.settings.mutants.planted().filter(|_| spoiled) {
            out.fact(mutant.acted());
        }
        self.propose(&expanded, members, out);
    }

    /// An unclean leader declares itself the truth from now on.
    pub(super) fn propose_recovered(&mut self, out: &mut Outbox) {
        let Some(leader) = self.settled_leader().filter(|leader| leader.recovering) else { return };
        let isr = leader.isr.known().to_vec();
        self.propose(&isr, &Members::new(), out);
    }

    /// The leader, if no change is pending.
    fn settled_leader(&self) -> Option<&Leader> {
        match &self.role {
            Role::Leader(leader) if self.failed.is_none() && matches!(leader.isr, Isr::Committed(_)) => Some(leader),
            Role::Leader(_) | Role::Follower(_) | Role::Waiting => None,
        }
    }

    fn propose(&mut self, isr: &[BrokerId], members: &Members, out: &mut Outbox) {
        let isr = sorted(isr);
        let Role::Leader(leader) = &mut self.role else { return };
        let epoch_of = |member: BrokerId| match leader.followers.get(&member) {
            Some(progress) => progress.broker_epoch,
            None => members.get(&member).map_or(BrokerEpoch::NONE, |member| member.broker_epoch),
        };
        out.fact(Fact::IsrProposed {
            partition: self.partition,
            leader_epoch: leader.epoch,
            partition_epoch: leader.partition_epoch,
            isr: isr.clone(),
        });
        let proposal = Proposal {
            leader_epoch: leader.epoch,
            partition_epoch: leader.partition_epoch,
            isr: isr.iter().map(|&member| (member, epoch_of(member))).collect(),
            recovering: false,
        };
        leader.isr = Isr::Pending { committed: leader.isr.known().to_vec(), proposal, stage: Stage::Unsent };
    }

    /// A proposal that is to be sent.
    #[must_use]
    pub fn proposal(&self) -> Option<&Proposal> {
        match &self.role {
            Role::Leader(Leader { isr: Isr::Pending { proposal, stage: Stage::Unsent, .. }, .. }) if self.failed.is_none() => {
                Some(proposal)
            }
            Role::Leader(_) | Role::Follower(_) | Role::Waiting => None,
        }
    }

    /// The proposal is on its way.
    pub fn proposal_sent(&mut self) {
        self.set_stage(Stage::Unsent, Stage::InFlight);
    }

    /// The request was lost, or its fate is unknown: ask again. If it did succeed the controller will answer that the epoch is behind, and the
    /// metadata will tell.
    pub fn proposal_lost(&mut self) {
        self.set_stage(Stage::InFlight, Stage::Unsent);
    }

    fn set_stage(&mut self, from: Stage, to: Stage) {
        if let Role::Leader(Leader { isr: Isr::Pending { stage, .. }, .. }) = &mut self.role
            && *stage == from
        {
            *stage = to;
        }
    }

    /// The controller answered `asked`.
    pub fn on_alter_partition(
        &mut self,
        now: Now,
        asked: &Proposal,
        answer: Result<Registration, ErrorCode>,
        members: &Members,
        out: &mut Outbox,
    ) {
        let Role::Leader(Leader { isr: Isr::Pending { committed, proposal, stage }, .. }) = &mut self.role else {
            return out.fact(Fact::Reached { corner: Corner::ProposalAnswerTooLate });
        };
        // The answer may cross with metadata that has moved the state on: then it speaks of the past.
        if proposal != asked {
            out.fact(Fact::Reached { corner: Corner::ProposalAnswerTooLate });
            if !self.settings.mutants.is(Mutant::InflightFlagClearedByMetadata) {
                return;
            }
            out.fact(Mutant::InflightFlagClearedByMetadata.acted());
        }
        match answer {
            Ok(state) => self.on_accepted(&state, out),
            Err(ErrorCode::INELIGIBLE_REPLICA | ErrorCode::OPERATION_NOT_ATTEMPTED) => {
                let committed = std::mem::take(committed);
                if let Role::Leader(leader) = &mut self.role {
                    leader.isr = Isr::Committed(committed);
                }
            }
            Err(
                ErrorCode::FENCED_LEADER_EPOCH
                | ErrorCode::INVALID_UPDATE_VERSION
                | ErrorCode::INVALID_REQUEST
                | ErrorCode::NEW_LEADER_ELECTED
                | ErrorCode::UNKNOWN_TOPIC_ID
                | ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
            ) => *stage = Stage::AwaitsMetadata,
            Err(_) => *stage = Stage::Unsent,
        }
        self.advance_high_watermark(now, members, out);
    }

    fn on_accepted(&mut self, state: &Registration, out: &mut Outbox) {
        let Role::Leader(leader) = &mut self.role else { return };
        if state.leader_epoch != leader.epoch || state.partition_epoch < leader.partition_epoch {
            return;
        }
        leader.partition_epoch = state.partition_epoch;
        self.changes.role = true;
        self.learn_isr(&state.isr, state.recovering, out);
    }

    /// The ISR is known to be committed now; a proposal that was pending is settled by it, one way or the other.
    pub(super) fn learn_isr(&mut self, isr: &[BrokerId], recovering: bool, out: &mut Outbox) {
        let Role::Leader(leader) = &mut self.role else { return };
        leader.isr = Isr::committed(isr);
        leader.recovering = recovering;
        out.fact(Fact::IsrLearned {
            partition: self.partition,
            leader_epoch: leader.epoch,
            partition_epoch: leader.partition_epoch,
            isr: leader.isr.known().to_vec(),
        });
        self.propose_recovered(out);
    }
}
